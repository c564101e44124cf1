//! Bodies as SDKs wrap them, bodies made to hurt, and any body in any pieces.

use proptest::prelude::*;

use super::*;

const SIGNATURE: &str = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";

/// What a body is, taken apart.
#[derive(Debug, PartialEq, Eq, Default)]
struct Unwrapped {
    data: Vec<u8>,
    /// Whether each chunk was signed, the last one included.
    chunks: Vec<bool>,
    value: Option<Box<str>>,
    trailer_signed: bool,
}

fn unwrap<'a>(rules: Rules, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Unwrapped, UploadError> {
    let (mut chunked, mut found) = (Chunked::new(rules), Unwrapped::default());
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        let came = input.as_ptr_range();
        while let Some(step) = chunked.next(&mut input)? {
            match step {
                Piece::Data(data) => {
                    let own = data.as_ptr_range();
                    assert!(came.start <= own.start && own.end <= came.end, "data is passed on, not copied");
                    found.data.extend_from_slice(&data);
                }
                Piece::ChunkEnd(signature) => found.chunks.push(signature.is_some()),
                Piece::End(trailer) => {
                    (found.value, found.trailer_signed) = (trailer.value, trailer.signature.is_some());
                }
            }
        }
        assert!(input.is_empty(), "what needs more has taken everything");
        assert!(chunked.footprint() <= 2 * CHUNK_LINE_BYTES_MAX, "{} bytes kept", chunked.footprint());
    }
    chunked.end().map(|()| found)
}

fn signed(length: u64) -> Rules {
    Rules { length, signed: true, trailers: false, announced: None }
}

fn unsigned(length: u64) -> Rules {
    Rules { length, signed: false, trailers: true, announced: Some(Algorithm::Crc32) }
}

fn signed_trailer(length: u64) -> Rules {
    Rules { signed: true, ..unsigned(length) }
}

/// `~` stands for the end of a line, `@` for a signature. The same must come out of the whole and of single bytes.
fn check(rules: Rules, body: &str) -> Result<Unwrapped, UploadError> {
    let body = body.replace('~', "\r\n").replace('@', SIGNATURE);
    let whole = unwrap(rules, [body.as_bytes()]);
    assert_eq!(unwrap(rules, body.as_bytes().chunks(1)), whole, "{body}");
    whole
}

#[test]
fn bodies_of_sdks_are_unwrapped() {
    for (rules, body, data, chunks, value) in [
        (unsigned(5), "5~hello~0~x-amz-checksum-crc32:NhCmhg==~~", "hello", 2, Some("NhCmhg==")),
        (unsigned(5), "2~he~3~llo~0~x-amz-checksum-crc32:NhCmhg==~~", "hello", 3, Some("NhCmhg==")),
        (unsigned(5), "05~hello~000~X-Amz-Checksum-CRC32: NhCmhg== ~~", "hello", 2, Some("NhCmhg==")),
        (unsigned(12), "C~hello\r\n0\r\n\r\n~0~x-amz-checksum-crc32:x~~", "hello\r\n0\r\n\r\n", 2, Some("x")),
        (unsigned(0), "0~x-amz-checksum-crc32:AAAAAA==~~", "", 1, Some("AAAAAA==")),
        (Rules { announced: None, ..unsigned(5) }, "5~hello~0~~", "hello", 2, None),
        (signed(5), "5;chunk-signature=@~hello~0;chunk-signature=@~~", "hello", 2, None),
        (signed(0), "0;chunk-signature=@~~", "", 1, None),
        // As minio-go ends its lines.
        (unsigned(5), "5~hello~0~x-amz-checksum-crc32:NhCmhg==\n~~", "hello", 2, Some("NhCmhg==")),
    ] {
        let (data, value) = (data.into(), value.map(Into::into));
        let chunks = vec![rules.signed; chunks];
        assert_eq!(check(rules, body), Ok(Unwrapped { data, chunks, value, trailer_signed: false }), "{body}");
    }
    for line_end in ["~", "\n~"] {
        let body = format!(
            "5;chunk-signature=@~hello~0;chunk-signature=@~x-amz-checksum-crc32:NhCmhg=={line_end}x-amz-trailer-signature:@~~"
        );
        let value = Some("NhCmhg==".into());
        let expected = Unwrapped { data: "hello".into(), chunks: vec![true; 2], value, trailer_signed: true };
        assert_eq!(check(signed_trailer(5), &body), Ok(expected));
    }
}

#[test]
fn bodies_made_to_hurt_are_refused() {
    use UploadError::{Incomplete, Malformed};
    let long = "f".repeat(CHUNK_LINE_BYTES_MAX);
    for (rules, body, error) in [
        // sizes
        (unsigned(5), "~", Malformed),
        (unsigned(5), "+5~hello~0~~", Malformed),
        (unsigned(5), "0x5~hello~0~~", Malformed),
        (unsigned(5), " 5~hello~0~~", Malformed),
        (unsigned(5), "-1~", Malformed),
        (unsigned(5), "5\nhello", Malformed),
        (unsigned(5), "ffffffffffffffff~", Malformed),
        (unsigned(5), "10000000000000005~hello", Malformed),
        (unsigned(5), "00000000000000005~hello", Malformed),
        (unsigned(5), &long, Malformed),
        (signed(5), &format!("5;chunk-signature=@{long}"), Malformed),
        // extensions
        (unsigned(5), "5;~hello", Malformed),
        (unsigned(5), "5;chunk-signature=@~hello", Malformed),
        (signed(5), "5~hello", Malformed),
        (signed(5), "5;chunk-signature=~hello", Malformed),
        (signed(5), "5;chunk-signature=@0~hello", Malformed),
        (signed(5), &"5;chunk-signature=@~".replace('@', &SIGNATURE.to_uppercase()), Malformed),
        (signed(5), "5;other=@~hello", Malformed),
        (signed(5), "5;chunk-signature=@;chunk-signature=@~hello", Malformed),
        // data and length
        (unsigned(5), "5~helloX", Malformed),
        (unsigned(5), "5~hello\n0~", Malformed),
        (unsigned(5), "5~hello\r\r", Malformed),
        (unsigned(5), "6~hello!~0~~", Malformed),
        (unsigned(5), "3~hel~3~lo!~0~~", Malformed),
        (unsigned(5), "4~hell~0~x-amz-checksum-crc32:x~~", Incomplete),
        (unsigned(5), "0~~", Incomplete),
        (unsigned(5), "", Incomplete),
        (unsigned(0), "", Incomplete),
        (unsigned(5), "5~hel", Incomplete),
        (unsigned(5), "5~hello", Incomplete),
        (unsigned(5), "5~hello~", Incomplete),
        (unsigned(5), "5~hello~0~x-amz-checksum-crc32:x~", Incomplete),
        (signed(0), "0;chunk-signature=@~", Incomplete),
        // what stands behind the last chunk
        (unsigned(0), "0~x-amz-checksum-crc32:x~~more", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32:x~~~", Malformed),
        (unsigned(0), "0~~", Malformed),
        (unsigned(0), "0~\n", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32~~", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32:x~x-amz-checksum-crc32:x~~", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32:x~x-amz-checksum-sha1:x~~", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32c:x~~", Malformed),
        (unsigned(0), "0~x-amz-meta-a:x~~", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32:x~x-amz-trailer-signature:@~~", Malformed),
        (unsigned(0), "0~x-amz-checksum-crc32:x\n~~~", Malformed),
        (Rules { announced: None, ..unsigned(0) }, "0~x-amz-checksum-crc32:x~~", Malformed),
        (signed(0), "0;chunk-signature=@~x-amz-checksum-crc32:x~~", Malformed),
        (signed(0), "0;chunk-signature=@~x-amz-trailer-signature:@~~", Malformed),
        (signed_trailer(0), "0;chunk-signature=@~x-amz-checksum-crc32:x~~", Malformed),
        (signed_trailer(0), "0;chunk-signature=@~x-amz-trailer-signature:@~~", Malformed),
        (signed_trailer(0), "0;chunk-signature=@~x-amz-trailer-signature:@~x-amz-checksum-crc32:x~~", Malformed),
        (signed_trailer(0), "0;chunk-signature=@~x-amz-checksum-crc32:x~x-amz-trailer-signature:x~~", Malformed),
    ] {
        assert_eq!(check(rules, body), Err(error), "{body}");
    }
    assert_eq!(unwrap(unsigned(0), [&b"0\r\nx-amz-checksum-crc32:\xff\r\n\r\n"[..]]), Err(Malformed));
}

#[test]
fn a_line_behind_the_last_chunk_is_as_short_as_any() {
    let body = format!("0\r\nx-amz-checksum-crc32:{}", "x".repeat(10 * CHUNK_LINE_BYTES_MAX));
    assert_eq!(unwrap(unsigned(0), body.as_bytes().chunks(100)), Err(UploadError::Malformed));
}

/// The body in chunks of these sizes.
fn wrap(rules: Rules, data: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut body, mut rest) = (Vec::new(), data);
    let extension = if rules.signed { format!(";chunk-signature={SIGNATURE}") } else { String::new() };
    for size in sizes.iter().chain([&usize::MAX]).map(|size| size.max(&1)) {
        let (chunk, behind) = rest.split_at(rest.len().min(*size));
        rest = behind;
        if !chunk.is_empty() {
            body.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(format!("0{extension}\r\n").as_bytes());
    if rules.trailers {
        body.extend_from_slice(b"x-amz-checksum-crc32:NhCmhg==\r\n");
        if rules.signed {
            body.extend_from_slice(format!("x-amz-trailer-signature:{SIGNATURE}\r\n").as_bytes());
        }
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// The body in pieces cut at these places.
fn split<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).chain([0, body.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|ends| &body[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn any_body_in_any_chunks_and_any_pieces_is_itself(
        data in prop::collection::vec(any::<u8>(), 0..2000),
        sizes in prop::collection::vec(0_usize..500, 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        form in 0_usize..3,
    ) {
        let rules = [unsigned, signed, signed_trailer][form](data.len() as u64);
        let body = wrap(rules, &data, &sizes);
        let found = unwrap(rules, split(&body, &cuts)).unwrap();
        prop_assert_eq!(&found.data, &data);
        prop_assert_eq!(found.trailer_signed, form == 2);
        prop_assert_eq!(found.value.is_some(), form != 1);
    }

    #[test]
    fn a_body_with_a_byte_changed_gives_the_same_in_any_pieces(
        data in prop::collection::vec(any::<u8>(), 0..300),
        sizes in prop::collection::vec(1_usize..100, 0..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        (place, byte) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let rules = signed_trailer(data.len() as u64);
        let mut body = wrap(rules, &data, &sizes);
        let place = place.index(body.len());
        body[place] = byte;
        prop_assert_eq!(unwrap(rules, split(&body, &cuts)), unwrap(rules, [&body[..]]));
        // A body that is cut short is never taken for whole.
        prop_assert!(unwrap(rules, [&body[..place]]).is_err());
    }
}
