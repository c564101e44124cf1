//! gzip (RFC 1952, any number of members) and zstd (RFC 8878, any number of frames), decoded piece by piece.
//!
//! Memory is bounded by the window, output by a ratio: a few bytes that stand for gigabytes are refused, not followed.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation as _, OutBuffer};

use super::{Codec, Unpackable};
use crate::limits;

/// Input that is decoded at once, in bytes: its output is kept until it was handed on (gzip makes at most 1032 of one).
const SLICE_BYTES: usize = 1024;
const OUTPUT_BYTES: usize = 128 * 1024;

/// Feed it the object's bytes in order.
pub(super) struct Decoder {
    kind: Kind,
    read: u64,
    made: u64,
}

enum Kind {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd {
        decoder: ZstdDecoder<'static>,
        output: Vec<u8>,
        /// Whether the last frame is complete.
        between: bool,
    },
}

impl Decoder {
    pub(super) fn new(codec: Codec) -> Result<Self, Unpackable> {
        let kind = match codec {
            Codec::Gzip => Kind::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Codec::Zstd => {
                let mut decoder = ZstdDecoder::new().map_err(|_| Unpackable::Broken)?;
                let window = DParameter::WindowLogMax(limits::UNPACK_WINDOW_LOG_MAX);
                decoder.set_parameter(window).map_err(|_| Unpackable::Broken)?;
                Kind::Zstd { decoder, output: vec![0; OUTPUT_BYTES], between: true }
            }
        };
        Ok(Self { kind, read: 0, made: 0 })
    }

    /// Decodes the next bytes, and hands on what they stand for, piece by piece.
    pub(super) fn write<E: From<Unpackable>>(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for slice in input.chunks(SLICE_BYTES) {
            self.read += slice.len() as u64;
            let (read, made) = (self.read, &mut self.made);
            let counted = |bytes: &[u8]| {
                *made += bytes.len() as u64;
                bounded(read, *made)?;
                sink(bytes)
            };
            match &mut self.kind {
                Kind::Gzip(decoder) => gunzip(decoder, slice, counted)?,
                Kind::Zstd { decoder, output, between } => *between = unzstd(decoder, output, slice, counted)?,
            }
        }
        Ok(())
    }

    /// Says that all bytes were written, and hands on the rest.
    pub(super) fn end<E: From<Unpackable>>(self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self.kind {
            Kind::Gzip(decoder) => {
                let rest = decoder.finish().map_err(|_| Unpackable::Broken)?;
                bounded(self.read, self.made + rest.len() as u64)?;
                if rest.is_empty() { Ok(()) } else { sink(&rest) }
            }
            Kind::Zstd { between: true, .. } => Ok(()),
            Kind::Zstd { between: false, .. } => Err(Unpackable::Broken.into()),
        }
    }
}

fn bounded(read: u64, made: u64) -> Result<(), Unpackable> {
    let most = limits::UNPACKED_BYTES_FREE.max(read.saturating_mul(limits::UNPACK_RATIO_MAX));
    if made > most.min(limits::UNPACKED_BYTES_MAX) { Err(Unpackable::Bomb) } else { Ok(()) }
}

fn gunzip<E: From<Unpackable>>(
    decoder: &mut MultiGzDecoder<Vec<u8>>,
    slice: &[u8],
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    decoder.write_all(slice).and_then(|()| decoder.flush()).map_err(|_| Unpackable::Broken)?;
    let made = decoder.get_mut();
    if !made.is_empty() {
        sink(made)?;
        made.clear();
    }
    Ok(())
}

/// Whether a frame ends with the slice.
fn unzstd<E: From<Unpackable>>(
    decoder: &mut ZstdDecoder<'static>,
    output: &mut [u8],
    slice: &[u8],
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<bool, E> {
    let mut input = InBuffer::around(slice);
    loop {
        let before = input.pos();
        let mut made = OutBuffer::around(&mut *output);
        let wanted = decoder.run(&mut input, &mut made).map_err(unzstd_failed)?;
        let full = made.pos() == made.capacity();
        if made.pos() > 0 {
            sink(made.as_slice())?;
        } else if input.pos() == before && input.pos() < slice.len() {
            return Err(Unpackable::Broken.into());
        }
        if input.pos() == slice.len() && (!full || wanted == 0) {
            return Ok(wanted == 0);
        }
    }
}

/// libzstd says in words only that a window is too large.
fn unzstd_failed(error: std::io::Error) -> Unpackable {
    if error.to_string().contains("too much memory") { Unpackable::Window } else { Unpackable::Broken }
}
