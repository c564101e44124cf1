//! What is tried on any bytes as compressed ones.

use std::io::Read as _;

use super::decoder::Decoder;
use super::{Codec, Unpackable};

/// In any pieces it is the same, and what is taken is what the libraries' own readers read. The first byte says how.
pub(crate) fn unpack(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let codec = if how & 1 == 0 { Codec::Gzip } else { Codec::Zstd };
    let at_once = decoded(codec, bytes, usize::MAX);
    let pieces = decoded(codec, bytes, 1 + usize::from(how >> 1));
    assert_eq!(at_once.is_ok(), pieces.is_ok(), "{at_once:?} {pieces:?}");
    if let Ok(text) = at_once {
        assert!(pieces.is_ok_and(|pieces| pieces == text));
        let mut expected = Vec::new();
        let read = match codec {
            Codec::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut expected),
            Codec::Zstd => zstd::stream::copy_decode(bytes, &mut expected).map(|()| 0),
        };
        assert!(bytes.is_empty() || (read.is_ok() && expected == text), "{read:?}");
    }
}

fn decoded(codec: Codec, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Unpackable> {
    let (mut decoder, mut text) = (Decoder::new(codec)?, Vec::new());
    let mut take = |more: &[u8]| -> Result<(), Unpackable> {
        text.extend_from_slice(more);
        Ok(())
    };
    bytes.chunks(piece).try_for_each(|piece| decoder.write(piece, &mut take))?;
    decoder.end(&mut take)?;
    Ok(text)
}
