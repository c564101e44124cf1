//! What heads say of their bodies.

use http::{HeaderName, HeaderValue};

use super::*;

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Headers written `name: value`, one a line.
fn headers(text: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        map.append(name.trim().parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn read(text: &str) -> Result<BodyHead, Refusal> {
    BodyHead::read(&headers(text), ChecksumsOf::Body)
}

/// With a length, so that only the rest is looked at.
fn plain(text: &str) -> Result<BodyHead, Refusal> {
    read(&format!("content-length: 5\n{text}"))
}

fn chunked(mode: &str, text: &str) -> Result<BodyHead, Refusal> {
    read(&format!("x-amz-content-sha256: STREAMING-{mode}\nx-amz-decoded-content-length: 5\n{text}"))
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD-TRAILER";

#[test]
fn the_modes_of_content_sha256_are_read() {
    let body = Framing::Plain;
    let chunks = |signed, trailers| Framing::Chunked { signed, trailers };
    for (value, framing, length) in [
        ("UNSIGNED-PAYLOAD", body, 7),
        (DIGEST, body, 7),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", chunks(true, false), 5),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", chunks(true, true), 5),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", chunks(false, true), 5),
    ] {
        let decoded = if framing == body { "" } else { "x-amz-decoded-content-length: 5" };
        let head = read(&format!("content-length: 7\nx-amz-content-sha256: {value}\n{decoded}")).unwrap();
        assert_eq!((head.framing, head.length, head.wire_length), (framing, length, Some(7)), "{value}");
        assert_eq!(head.sha256.is_some(), value == DIGEST, "{value}");
    }
    let absent = plain("").unwrap();
    assert_eq!((absent.framing, absent.sha256, absent.length), (body, None, 5));
}

#[test]
fn a_checksum_beside_the_headers_must_not_be_another() {
    let crc32 = |value| Checksum::of_body(Algorithm::Crc32, value);
    let (digits, other) = (crc32("y/Q5Jg=="), crc32("NhCmhg=="));
    let announced = || chunked(UNSIGNED, "x-amz-trailer: x-amz-checksum-crc32").unwrap();
    for (head, stated, want) in [
        (plain("").unwrap(), None, Some(None)),
        (plain("").unwrap(), digits.clone(), Some(digits.clone())),
        (plain("x-amz-checksum-crc32: y/Q5Jg==").unwrap(), None, Some(digits.clone())),
        (plain("x-amz-checksum-crc32: y/Q5Jg==").unwrap(), digits.clone(), Some(digits.clone())),
        (plain("x-amz-checksum-crc32: y/Q5Jg==").unwrap(), other, None),
        (announced(), None, Some(None)),
        (announced(), digits, None),
    ] {
        assert_eq!(head.with_presigned(stated).ok().map(|head| head.checksum), want);
    }
}

#[test]
fn checksums_are_read_from_headers_or_announced() {
    let head = plain(
        "x-amz-checksum-crc32: NhCmhg==\nx-amz-sdk-checksum-algorithm: CRC32\ncontent-md5: XUFAKrxLKna5cZ2REBfFkg==",
    )
    .unwrap();
    assert_eq!(head.checksum, Checksum::of_body(Algorithm::Crc32, "NhCmhg=="));
    assert_eq!(head.md5, Checksum::of_body(Algorithm::Md5, "XUFAKrxLKna5cZ2REBfFkg=="));
    let head =
        chunked(UNSIGNED, "x-amz-trailer: X-Amz-Checksum-Crc64NVME\nx-amz-sdk-checksum-algorithm: crc64nvme").unwrap();
    assert_eq!((head.trailer, head.checksum), (Some(Algorithm::Crc64Nvme), None));
    // Of an upload being completed, the headers are of the object.
    let text = "content-length: 5\nx-amz-checksum-crc32: NhCmhg==-2\nx-amz-checksum-type: COMPOSITE";
    assert_eq!(BodyHead::read(&headers(text), ChecksumsOf::Object).unwrap().checksum, None);
    assert!(plain("x-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: FULL_OBJECT").is_ok());
}

#[test]
fn what_contradicts_itself_or_cannot_be_verified_is_refused() {
    use Code::{EntityTooLarge, InvalidArgument, InvalidDigest, InvalidRequest, MissingContentLength, NotImplemented};
    const SIGNED: &str = "AWS4-HMAC-SHA256-PAYLOAD";
    let digest = &DIGEST[1..];
    for (head, code) in [
        // modes
        (plain("x-amz-content-sha256: x"), InvalidArgument),
        (plain(&format!("x-amz-content-sha256: {digest}")), InvalidArgument),
        (plain("x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD"), InvalidArgument),
        (plain("x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-content-sha256: UNSIGNED-PAYLOAD"), InvalidRequest),
        (chunked("AWS4-ECDSA-P256-SHA256-PAYLOAD", ""), NotImplemented),
        (chunked("AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", ""), NotImplemented),
        (plain("content-encoding: gzip, AWS-chunked"), InvalidRequest),
        // lengths
        (read(""), MissingContentLength),
        (read("x-amz-decoded-content-length: 5"), MissingContentLength),
        (read("content-length: 5\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"), MissingContentLength),
        (read("content-length: +5"), InvalidRequest),
        (read("content-length: 99999999999999999999"), InvalidRequest),
        (read("content-length: "), InvalidRequest),
        (read("content-length: 5368709121"), EntityTooLarge),
        (plain("x-amz-decoded-content-length: 6"), InvalidRequest),
        (chunked(UNSIGNED, "x-amz-decoded-content-length: 5"), InvalidRequest),
        // trailers
        (chunked(UNSIGNED, "x-amz-trailer: x-amz-checksum-crc16"), InvalidRequest),
        (chunked(UNSIGNED, "x-amz-trailer: x-amz-meta-a"), InvalidRequest),
        (chunked(UNSIGNED, "x-amz-trailer: "), InvalidRequest),
        (chunked(UNSIGNED, "x-amz-trailer: x-amz-checksum-crc32, x-amz-checksum-sha1"), InvalidRequest),
        (chunked(UNSIGNED, "x-amz-trailer: x-amz-checksum-crc32\nx-amz-checksum-crc32: NhCmhg=="), InvalidRequest),
        (chunked(SIGNED, "x-amz-trailer: x-amz-checksum-crc32"), InvalidRequest),
        (plain("x-amz-trailer: x-amz-checksum-crc32"), InvalidRequest),
        // checksums
        (plain("x-amz-checksum-crc32: NhCmhg"), InvalidRequest),
        (plain("x-amz-checksum-sha256: NhCmhg=="), InvalidRequest),
        (plain("x-amz-checksum-crc32: NhCmhg==\nx-amz-checksum-crc32: NhCmhg=="), InvalidRequest),
        (plain("x-amz-checksum-crc32: NhCmhg==\nx-amz-checksum-crc32c: NhCmhg=="), InvalidRequest),
        (plain("x-amz-checksum-blake3: NhCmhg=="), NotImplemented),
        (plain("x-amz-sdk-checksum-algorithm: CRC32"), InvalidRequest),
        (plain("x-amz-sdk-checksum-algorithm: CRC16"), InvalidRequest),
        (plain("x-amz-sdk-checksum-algorithm: SHA1\nx-amz-checksum-crc32: NhCmhg=="), InvalidRequest),
        (plain("content-md5: NhCmhg=="), InvalidDigest),
        (plain("content-md5: 5d41402abc4b2a76b9719d911017c592"), InvalidDigest),
    ] {
        assert_eq!(head.as_ref().map_err(|refusal| refusal.code), Err(code), "{head:?}");
    }
    let refusal = plain("x-amz-checksum-crc32: x").unwrap_err();
    assert_eq!(refusal.message, "Value for x-amz-checksum-crc32 header is invalid.");
}

#[test]
fn the_largest_body_is_taken() {
    assert_eq!(read("content-length: 5368709120").unwrap().length, UPLOAD_BYTES_MAX);
}

#[test]
fn the_framing_is_no_part_of_what_is_stored() {
    for (sent, stored) in [
        ("", None),
        ("content-encoding: aws-chunked", None),
        ("content-encoding: aws-chunked, AWS-CHUNKED", None),
        ("content-encoding: gzip", Some("gzip")),
        ("content-encoding: gzip, br", Some("gzip, br")),
        ("content-encoding: aws-chunked,gzip", Some("gzip")),
        ("content-encoding: gzip,aws-chunked", Some("gzip")),
        ("content-encoding: gzip , aws-chunked, br", Some("gzip,br")),
        ("content-encoding: aws-chunked\ncontent-encoding: zstd", Some("zstd")),
        ("content-encoding: x-aws-chunked", Some("x-aws-chunked")),
    ] {
        assert_eq!(stored_encoding(&headers(sent)).as_deref(), stored, "{sent}");
    }
}
