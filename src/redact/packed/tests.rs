//! Compressed objects against the libraries that everybody reads them with, and against a redaction of what they hold.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::render::{Packed, Rendering, Work};
use super::{Codec, Renderings, Unpackable};
use crate::keyring::SecretKey;
use crate::limits;
use crate::policy::mask::{Format, MaskAction};
use crate::redact::format::Unframed;
use crate::redact::output::Shown;
use crate::redact::plan::Plan;
use crate::redact::redactor::Redactor;
use crate::redact::stream::{ShowError, Source};
use crate::redact::tests::masks;
use crate::s3::answer::{Body, BodyError, ContentRange};

const CODECS: [Codec; 2] = [Codec::Gzip, Codec::Zstd];

pub(super) fn pack(codec: Codec, text: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(text, 3).unwrap(),
    }
}

/// By a reader that stops at the first member or frame, which must be all there is.
fn unpack(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match codec {
        Codec::Gzip => {
            let mut decoder = flate2::bufread::GzDecoder::new(bytes);
            decoder.read_to_end(&mut text).unwrap();
            assert!(decoder.into_inner().is_empty());
        }
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).unwrap().single_frame();
            decoder.read_to_end(&mut text).unwrap();
            assert!(decoder.finish().is_empty());
        }
    }
    text
}

fn decoded(codec: Codec, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Unpackable> {
    let (mut decoder, mut text) = (Decoder::new(codec)?, Vec::new());
    for piece in bytes.chunks(piece) {
        decoder.write::<Unpackable>(piece, |decoded| {
            text.extend_from_slice(decoded);
            Ok(())
        })?;
    }
    decoder.end::<Unpackable>(|decoded| {
        text.extend_from_slice(decoded);
        Ok(())
    })?;
    Ok(text)
}

fn encoded(codec: Codec, text: &[u8], piece: usize, at: usize, size: u64) -> Option<Vec<u8>> {
    let (mut encoder, mut body) = (Encoder::of_try(codec, at).unwrap(), Vec::new());
    text.chunks(piece).for_each(|piece| encoder.write(piece, &mut body).unwrap());
    let frame = encoder.end(size, &mut body).unwrap()?;
    let blocks = frame.blocks.0.repeat(frame.blocks.1 as usize);
    Some([frame.head, blocks, body, frame.tail].concat())
}

fn numbers(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"n\":{}}}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
}

/// Every size from the smallest on can be reached, and readers see all and nothing else.
#[test]
fn any_spare_is_filled() {
    for codec in CODECS {
        for text in [Vec::new(), b"{}".to_vec(), numbers(500)] {
            let fits = |size: &u64| encoded(codec, &text, 999, 0, *size).is_some();
            let most = text.len() as u64 + 64;
            let sizes: Vec<u64> = (0..most).collect();
            let least = sizes.partition_point(|size| !fits(size)) as u64;
            assert!(least < most, "{codec:?}");
            for spare in (0..12).chain([1000, 65_537]) {
                let all = encoded(codec, &text, 999, 0, least + spare).unwrap();
                assert_eq!(all.len() as u64, least + spare);
                assert!(unpack(codec, &all) == text, "{codec:?} {spare}");
                assert!(decoded(codec, &all, 100).as_ref() == Ok(&text), "{codec:?} {spare}");
            }
        }
    }
}

/// A rendering that is made again must be the same one, however the backend cuts its bytes.
#[test]
fn what_is_made_does_not_depend_on_how_it_came() {
    let text = numbers(12_000);
    for codec in CODECS {
        let one = encoded(codec, &text, 1000, 0, 1 << 20);
        assert!(one.is_some() && one == encoded(codec, &text, 65_537, 0, 1 << 20), "{codec:?}");
    }
}

/// Where this fails, another compressor is linked: alter `ENGINE` in `policy::maskset`, and then what is expected here.
#[test]
fn the_bytes_are_those_of_this_engine() {
    let made = CODECS.map(|codec| {
        let tries = (0..3).filter(|at| Encoder::of_try(codec, *at).is_some());
        let all: Vec<u8> = tries.flat_map(|at| encoded(codec, &numbers(5000), 999, at, 200_000).unwrap()).collect();
        blake3::hash(&all).to_hex().to_string()
    });
    let gzip = "bc407d8f94e27ee4953c95a5b63782dc0137d4226f6961768e6f3fdd234443ab";
    let zstd = "563af2f2515c435a66d4b18fee538b557d58fd5690e43772862c55ab26b2bc2b";
    assert_eq!(made, [gzip, zstd]);
}

#[test]
fn members_and_frames_that_follow_each_other_are_one_text() {
    let text = b"hello, traces ".repeat(1000);
    let skippable = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
    for (codec, between) in [(Codec::Gzip, pack(Codec::Gzip, b"")), (Codec::Zstd, skippable.to_vec())] {
        let two = [pack(codec, &text), between, pack(codec, &text)].concat();
        for piece in [1, 7, two.len()] {
            assert!(decoded(codec, &two, piece) == Ok([&text[..], &text[..]].concat()), "{codec:?} {piece}");
        }
    }
}

#[test]
fn what_is_torn_altered_or_followed_by_something_else_is_refused() {
    for codec in CODECS {
        let packed = pack(codec, &b"hello, traces ".repeat(50));
        for cut in 1..packed.len() {
            assert_eq!(decoded(codec, &packed[..cut], 9), Err(Unpackable::Broken), "{codec:?} cut at {cut}");
        }
        assert_eq!(decoded(codec, &[&packed[..], b"more"].concat(), 9), Err(Unpackable::Broken), "{codec:?}");
        assert_eq!(decoded(codec, b"{\"plain\":\"text\"}", 9), Err(Unpackable::Broken), "{codec:?}");
    }
    let mut two = [pack(Codec::Gzip, b"one"), pack(Codec::Gzip, b"two")].concat();
    let check_sum_of_the_first = pack(Codec::Gzip, b"one").len() - 5;
    two[check_sum_of_the_first] ^= 1;
    assert_eq!(decoded(Codec::Gzip, &two, 100), Err(Unpackable::Broken));
}

#[test]
fn bombs_are_not_followed() {
    let spaces = vec![b' '; limits::UNPACKED_BYTES_FREE as usize + 1];
    for codec in CODECS {
        assert!(decoded(codec, &pack(codec, &spaces[1..]), 4096).is_ok(), "{codec:?}");
        assert_eq!(decoded(codec, &pack(codec, &spaces), 4096), Err(Unpackable::Bomb), "{codec:?}");
    }
    let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    wide.window_log(27).unwrap();
    wide.write_all(b"{}").unwrap();
    assert_eq!(decoded(Codec::Zstd, &wide.finish().unwrap(), 100), Err(Unpackable::Window));
}

/// An object in memory.
struct Stored(Bytes);

#[async_trait]
impl Source for Stored {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        let bytes = self.0.slice(first as usize..=last as usize);
        let pieces: Vec<_> = bytes.chunks(1013).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok(stream::iter(pieces).boxed())
    }
}

pub(super) fn plan() -> Arc<Plan> {
    Arc::new(Plan::compile(&masks(&[("** email", MaskAction::Mask)]), &SecretKey::from_bytes([0; 32])))
}

pub(super) fn work(packed: Packed, bytes: &[u8]) -> Work {
    let stored = Bytes::copy_from_slice(bytes);
    Work { source: Arc::new(Stored(stored)), packed, plan: plan(), size: bytes.len() as u64 }
}

fn rendered(packed: Packed, bytes: &[u8]) -> Result<Arc<Rendering>, ShowError> {
    let renderings = Renderings::open(std::env::temp_dir(), 1 << 30).unwrap();
    Runtime::new().unwrap().block_on(renderings.render(work(packed, bytes)))
}

fn read(rendering: &Arc<Rendering>, first: u64, last: u64) -> Vec<u8> {
    let body = rendering.clone().read(ContentRange { first, last });
    let pieces: Vec<Bytes> = Runtime::new().unwrap().block_on(body.try_collect()).unwrap();
    pieces.concat()
}

fn redacted(format: Format, text: &[u8]) -> Vec<u8> {
    let (mut redactor, mut shown) = (Redactor::new(plan(), format, 0), Shown::new());
    redactor.write(Bytes::copy_from_slice(text), &mut shown).unwrap();
    redactor.end(&mut shown).unwrap();
    shown.flat_map(|piece| piece.to_vec()).collect()
}

pub(super) fn records() -> Vec<u8> {
    let record = |n: u32| {
        let id = n.wrapping_mul(2_654_435_761);
        format!("{{\"email\":\"person-{id}@example.com\",\"n\":{id},\"text\":\"the model checks a refund\"}}\n")
    };
    (0..3000).map(record).collect::<String>().into_bytes()
}

#[test]
fn a_rendering_is_the_redaction_at_the_originals_size() {
    let text = records();
    let document = format!("[{}{{}}]", String::from_utf8_lossy(&text).replace('\n', ","));
    for codec in CODECS {
        for (format, text) in [(Format::Jsonl, &text[..]), (Format::Json, document.as_bytes())] {
            let packed = pack(codec, text);
            let rendering = rendered(Packed { codec, inside: Some(format) }, &packed).unwrap();
            assert_eq!(rendering.len(), packed.len() as u64);
            let all = read(&rendering, 0, packed.len() as u64 - 1);
            assert!(unpack(codec, &all) == redacted(format, text), "{codec:?} {format:?}");
            assert_eq!(rendering.tally.read().fields, [3000]);
            for (first, last) in [(0, 0), (3, 17), (packed.len() as u64 / 2, packed.len() as u64 - 2)] {
                assert!(read(&rendering, first, last) == all[first as usize..=last as usize], "{first}-{last}");
            }
        }
    }
}

#[test]
fn the_inside_decides_where_the_name_leaves_it_open() {
    for codec in CODECS {
        let packed = pack(codec, b"  {\"email\":\"ada@example.com\"}  ");
        let size = packed.len() as u64;
        let rendering = rendered(Packed { codec, inside: None }, &packed);
        let shown = rendering.map(|rendering| unpack(codec, &read(&rendering, 0, size - 1))).unwrap();
        assert!(String::from_utf8(shown).unwrap().contains("[REDACTED]"));
        for (inside, text, why) in [
            (None, &b"plain text"[..], Unframed::NotJson),
            (None, b"", Unframed::NotJson),
            (Some(Format::Jsonl), &pack(Codec::Gzip, b"{}"), Unframed::Compressed),
            (None, &pack(Codec::Zstd, b"{}"), Unframed::Compressed),
        ] {
            let refused = rendered(Packed { codec, inside }, &pack(codec, text)).err();
            assert!(matches!(&refused, Some(ShowError::Unframed(found)) if *found == why), "{refused:?}");
        }
        let refused = rendered(Packed { codec, inside: Some(Format::Json) }, &pack(codec, b"{\"email\":")).err();
        assert!(matches!(refused, Some(ShowError::Unshowable(_))), "{refused:?}");
    }
}

/// Where nothing is hidden the usual compressors make nothing smaller; what only a better one makes so small is refused.
#[test]
fn what_does_not_fit_is_refused_and_what_hides_nothing_fits() {
    for codec in CODECS {
        let inside = Some(Format::Jsonl);
        for text in [numbers(1), numbers(10), numbers(1000)] {
            let packed = pack(codec, &text);
            assert!(rendered(Packed { codec, inside }, &packed).is_ok(), "{codec:?} {}", text.len());
        }
    }
    // One block that repeats one byte (RFC 8878, 3.1.1.2.2), as no encoder begins with: 100,000 blank lines.
    let packed = [0x28, 0xB5, 0x2F, 0xFD, 0, 0x38, 0x03, 0x35, 0x0C, b'\n'];
    assert_eq!(decoded(Codec::Zstd, &packed, 3), Ok(vec![b'\n'; 100_000]));
    let refused = rendered(Packed { codec: Codec::Zstd, inside: Some(Format::Jsonl) }, &packed).err();
    assert!(matches!(refused, Some(ShowError::Unframed(Unframed::Packed(Unpackable::DoesNotFit)))), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes come, in whatever pieces: text or a refusal, the same each time.
    #[test]
    fn any_bytes_and_any_split(at in 0_usize..400, flip in 0_u8..8, piece in 1_usize..64, gzip: bool) {
        let codec = if gzip { Codec::Gzip } else { Codec::Zstd };
        let mut packed = pack(codec, &numbers(30));
        let at = at % packed.len();
        packed[at] ^= 1 << flip;
        prop_assert_eq!(decoded(codec, &packed, piece), decoded(codec, &packed, packed.len()));
    }
}
