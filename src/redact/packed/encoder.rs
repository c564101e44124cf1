//! What is shown of a compressed object, compressed again, at exactly the size of the original.
//!
//! One gzip member or one zstd frame, so that also readers which stop at the first one see all. What it is smaller by stands in
//! blocks that hold nothing, before all others: stored blocks of deflate (RFC 1951, 3.2.4; 5 bytes each), raw blocks of
//! zstd (RFC 8878, 3.1.1.2; 3 bytes each). What does not divide stands in the header: a comment (RFC 1952, 2.3), or the
//! field for the id of a dictionary, with 0 for none (RFC 8878, 3.1.1.1.3).

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use zstd::stream::raw::{CParameter, Encoder as ZstdEncoder, InBuffer, Operation as _, OutBuffer};

use super::{Codec, Unpackable};

const OUTPUT_BYTES: usize = 64 * 1024;
/// Compressed at once, in bytes: what is made depends on where the input is cut, and must not on how it came.
const BLOCK_BYTES: usize = 128 * 1024;
/// Magic number, descriptor, window: what libzstd writes where it knows no size.
const ZSTD_HEAD_BYTES: usize = 6;

/// Feed it what is shown, in order.
pub(super) struct Encoder {
    kind: Kind,
    /// Less than a block.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of body that were made.
    made: u64,
}

enum Kind {
    Gzip { deflate: Compress, crc: Crc, level: u32 },
    Zstd { encoder: ZstdEncoder<'static>, head: Vec<u8> },
}

/// What stands around the body, so that all together have the size that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it begins with.
    pub(super) head: Vec<u8>,
    /// Then this, so many times; then the body.
    pub(super) blocks: (&'static [u8], u64),
    /// What it ends with.
    pub(super) tail: Vec<u8>,
}

impl Encoder {
    /// The encoder of that try, each smaller and slower than the one before; `None` behind the last.
    pub(super) fn of_try(codec: Codec, at: usize) -> Option<Self> {
        let kind = match codec {
            Codec::Gzip => {
                let level = *[6_u32, 9].get(at)?;
                Kind::Gzip { deflate: Compress::new(Compression::new(level), false), crc: Crc::new(), level }
            }
            Codec::Zstd => {
                let mut encoder = ZstdEncoder::new(*[3, 9, 19].get(at)?).ok()?;
                // It would know a size where all comes at once, and write another header.
                encoder.set_parameter(CParameter::ContentSizeFlag(false)).ok()?;
                Kind::Zstd { encoder, head: Vec::new() }
            }
        };
        Some(Self { kind, input: Vec::with_capacity(BLOCK_BYTES), output: vec![0; OUTPUT_BYTES], made: 0 })
    }

    /// Bytes of body that were made so far.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Takes the next bytes, and adds to `body` what is made of them.
    pub(super) fn write(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> Result<(), Unpackable> {
        while self.input.len() + bytes.len() >= BLOCK_BYTES {
            let (fits, rest) = bytes.split_at(BLOCK_BYTES - self.input.len());
            self.input.extend_from_slice(fits);
            self.compress(body)?;
            bytes = rest;
        }
        self.input.extend_from_slice(bytes);
        Ok(())
    }

    fn compress(&mut self, body: &mut Vec<u8>) -> Result<(), Unpackable> {
        let start = body.len();
        match &mut self.kind {
            Kind::Gzip { deflate, crc, .. } => {
                crc.update(&self.input);
                deflated(deflate, &self.input, FlushCompress::None, &mut self.output, body)?;
            }
            Kind::Zstd { encoder, head } => {
                let mut input = InBuffer::around(&self.input[..]);
                while input.pos() < self.input.len() {
                    let mut made = OutBuffer::around(&mut self.output[..]);
                    encoder.run(&mut input, &mut made).map_err(|_| Unpackable::Broken)?;
                    behind_head(made.as_slice(), head, body);
                }
            }
        }
        self.input.clear();
        self.made += (body.len() - start) as u64;
        Ok(())
    }

    /// Says that all was written: adds the rest of the body, and tells what stands around it for `size` bytes in all;
    /// `None` if it has more.
    pub(super) fn end(mut self, size: u64, body: &mut Vec<u8>) -> Result<Option<Frame>, Unpackable> {
        self.compress(body)?;
        let start = body.len();
        match &mut self.kind {
            Kind::Gzip { deflate, crc, level } => {
                deflated(deflate, &[], FlushCompress::Finish, &mut self.output, body)?;
                let made = self.made + (body.len() - start) as u64;
                let tail = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
                Ok(gzip_frame(size, made, tail, *level))
            }
            Kind::Zstd { encoder, head } => {
                loop {
                    let mut made = OutBuffer::around(&mut self.output[..]);
                    let left = encoder.finish(&mut made, true).map_err(|_| Unpackable::Broken)?;
                    behind_head(made.as_slice(), head, body);
                    if left == 0 {
                        break;
                    }
                }
                zstd_frame(size, self.made + (body.len() - start) as u64, head)
            }
        }
    }
}

fn deflated(
    deflate: &mut Compress,
    bytes: &[u8],
    flush: FlushCompress,
    output: &mut [u8],
    body: &mut Vec<u8>,
) -> Result<(), Unpackable> {
    let begun = deflate.total_in();
    loop {
        let (read, made) = (deflate.total_in() - begun, deflate.total_out());
        let status = deflate.compress(&bytes[read as usize..], output, flush).map_err(|_| Unpackable::Broken)?;
        let made = (deflate.total_out() - made) as usize;
        body.extend_from_slice(&output[..made]);
        let all_read = deflate.total_in() - begun == bytes.len() as u64;
        if status == Status::StreamEnd || (all_read && made < output.len()) {
            return Ok(());
        }
    }
}

/// The first bytes are the frame's header, which is written anew in the end.
fn behind_head(made: &[u8], head: &mut Vec<u8>, body: &mut Vec<u8>) {
    let (first, rest) = made.split_at(made.len().min(ZSTD_HEAD_BYTES - head.len()));
    head.extend_from_slice(first);
    body.extend_from_slice(rest);
}

fn gzip_frame(size: u64, made: u64, tail: Vec<u8>, level: u32) -> Option<Frame> {
    const BLOCK: &[u8] = &[0, 0, 0, 0xFF, 0xFF];
    const COMMENT: u8 = 1 << 4;
    let spare = size.checked_sub(10 + made + tail.len() as u64)?;
    let comment = (spare % BLOCK.len() as u64) as usize;
    let strength = if level == 9 { 2 } else { 0 };
    let mut head = vec![0x1F, 0x8B, 8, if comment > 0 { COMMENT } else { 0 }, 0, 0, 0, 0, strength, 0xFF];
    if comment > 0 {
        head.extend_from_slice(&b"   "[..comment - 1]);
        head.push(0);
    }
    Some(Frame { head, blocks: (BLOCK, spare / BLOCK.len() as u64), tail })
}

fn zstd_frame(size: u64, made: u64, lib: &[u8]) -> Result<Option<Frame>, Unpackable> {
    const BLOCK: &[u8] = &[0, 0, 0];
    // Neither content size, nor single segment, nor checksum, nor dictionary: what we count on.
    let [0x28, 0xB5, 0x2F, 0xFD, 0, window] = *lib else { return Err(Unpackable::Broken) };
    let Some(spare) = size.checked_sub(ZSTD_HEAD_BYTES as u64 + made) else { return Ok(None) };
    // The flag for an id of 1 byte is 1, that for one of 2 bytes is 2.
    let id = (spare % BLOCK.len() as u64) as u8;
    let mut head = vec![0x28, 0xB5, 0x2F, 0xFD, id, window];
    head.extend_from_slice(&[0, 0][..usize::from(id)]);
    Ok(Some(Frame { head, blocks: (BLOCK, spare / BLOCK.len() as u64), tail: Vec::new() }))
}
