//! Whole bodies held to what was said of them.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::identity::secret::SecretText;
use crate::identity::sigv4::SignedClaim;
use crate::s3::payload::head::ChecksumsOf;

/// The signed head of an example of the S3 API reference, whose time and session token do not matter here.
fn signer(seed: &str) -> ChunkSigner {
    let headers = headers("host: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-security-token: t");
    let statement = format!(
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders=host;x-amz-date;x-amz-security-token,Signature={seed}"
    );
    let now = "2013-05-24T00:00:00Z".parse().unwrap();
    let claim = SignedClaim::of_header(&statement, &http::Method::PUT, "/a/b", &headers, now).unwrap();
    claim.chunk_signer(&SecretText::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")).unwrap()
}

fn headers(text: &str) -> HeaderMap {
    let pairs = text.lines().map(|line| line.split_once(": ").unwrap());
    pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

/// Takes in a body: how it ends, and what was given before.
fn take(head: &str, signer: Option<ChunkSigner>, body: &[u8]) -> (Result<Option<Checksum>, UploadError>, Vec<u8>) {
    let head = BodyHead::read(&headers(head), ChecksumsOf::Body).unwrap();
    let (mut intake, mut given) = (Intake::new(&head, signer), Vec::new());
    for piece in body.chunks(1000) {
        let mut input = Bytes::copy_from_slice(piece);
        let mut taken = intake.arrive(piece.len() as u64);
        while taken.is_ok() {
            match intake.next(&mut input) {
                Ok(Some(data)) => given.extend_from_slice(&data),
                Ok(None) => break,
                Err(error) => taken = Err(error),
            }
        }
        if let Err(error) = taken {
            return (Err(error), given);
        }
    }
    (intake.end(), given)
}

const SEEDS: [&str; 2] = [
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
];

/// The bodies of the two examples.
fn example(trailer: bool) -> (&'static str, String) {
    let [first, second, last] = if trailer {
        [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ]
    } else {
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ]
    };
    let (whole, rest) = ("a".repeat(65536), "a".repeat(1024));
    let mut body = format!(
        "10000;chunk-signature={first}\r\n{whole}\r\n400;chunk-signature={second}\r\n{rest}\r\n0;chunk-signature={last}\r\n"
    );
    if trailer {
        body += "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:\
                 d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
    }
    let head = if trailer {
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 66560\n\
         x-amz-trailer: x-amz-checksum-crc32c"
    } else {
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nx-amz-decoded-content-length: 66560\n\
         content-length: 66824"
    };
    (head, body + "\r\n")
}

#[test]
fn the_examples_of_the_reference_are_taken() {
    for (trailer, seed) in [(false, SEEDS[0]), (true, SEEDS[1])] {
        let (head, body) = example(trailer);
        let (ended, given) = take(head, Some(signer(seed)), body.as_bytes());
        let checksum = Checksum::of_body(Algorithm::Crc32c, "sOO8/Q==").filter(|_| trailer);
        assert_eq!((ended, given.len()), (Ok(checksum), 66560));
        assert!(given.iter().all(|byte| *byte == b'a'));
    }
}

#[test]
fn a_changed_byte_seed_or_signature_is_seen() {
    for (trailer, seed) in [(false, SEEDS[0]), (true, SEEDS[1])] {
        let (head, body) = example(trailer);
        let wrong = |seed: &str, body: &str| take(head, Some(signer(seed)), body.as_bytes());
        assert_eq!(wrong(SEEDS[usize::from(!trailer)], &body).0, Err(UploadError::Signature), "another seed");
        for (at, old) in body.match_indices("signature=").chain(body.match_indices("signature:")) {
            let mut changed = body.clone();
            let digit = at + old.len();
            changed.replace_range(digit..=digit, if body[digit..].starts_with('e') { "f" } else { "e" });
            assert_eq!(wrong(seed, &changed).0, Err(UploadError::Signature), "the signature at {at}");
        }
        for at in [100, 30_000, 66_000] {
            let mut changed = body.clone();
            changed.replace_range(at..=at, "b");
            let (ended, given) = wrong(seed, &changed);
            assert_eq!(ended, Err(UploadError::Signature), "the byte at {at}");
            assert!(given.len() <= 66560);
        }
        let value = body.replace("sOO8/Q==", "sOO8/A==");
        assert_eq!(wrong(seed, &value).0, if trailer { Err(UploadError::Signature) } else { Ok(None) });
    }
}

#[test]
fn everything_that_is_said_is_verified() {
    use UploadError::{Checksum as Wrong, ContentSha256, Incomplete, Malformed};
    const TRAILER: &str = "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 5\n";
    let digest = hex::encode(Sha256::digest("hello"));
    let plain = |more: &str| format!("content-length: 5\n{more}");
    let framed = |more: &str| format!("{TRAILER}{more}");
    let sha256 = plain(&format!("x-amz-content-sha256: {digest}"));
    let checksum = |algorithm, value| Ok(Checksum::of_body(algorithm, value));
    let md5 = plain("content-md5: XUFAKrxLKna5cZ2REBfFkg==");
    let crc = plain("x-amz-checksum-crc32: NhCmhg==");
    let crc_behind = framed("x-amz-trailer: x-amz-checksum-crc32");
    let both = framed("x-amz-checksum-crc32: NhCmhg==\ncontent-length: 15");
    for (head, body, ended) in [
        (&plain(""), "hello", Ok(None)),
        (&plain(""), "hell", Err(Incomplete)),
        (&plain(""), "hello!", Err(Malformed)),
        (&sha256, "hello", Ok(None)),
        (&sha256, "hellp", Err(ContentSha256)),
        (&md5, "hello", Ok(None)),
        (&md5, "hellp", Err(Wrong)),
        (&crc, "hello", checksum(Algorithm::Crc32, "NhCmhg==")),
        (&crc, "hellp", Err(Wrong)),
        (
            &crc_behind,
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
            checksum(Algorithm::Crc32, "NhCmhg=="),
        ),
        (&crc_behind, "5\r\nhellp\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", Err(Wrong)),
        (&crc_behind, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg\r\n\r\n", Err(Wrong)),
        (&crc_behind, "5\r\nhello\r\n0\r\n\r\n", Err(Malformed)),
        (&both, "5\r\nhello\r\n0\r\n\r\n", checksum(Algorithm::Crc32, "NhCmhg==")),
        (&both, "5\r\nhellp\r\n0\r\n\r\n", Err(Wrong)),
        (&both, "05\r\nhello\r\n0\r\n\r\n", Err(Malformed)),
        (&both, "5\r\nhello\r\n0\r\n", Err(Incomplete)),
        (&framed("content-length: 16"), "5\r\nhello\r\n0\r\n\r\n", Err(Incomplete)),
    ] {
        assert_eq!(take(head, None, body.as_bytes()).0, ended, "{head}\n{body}");
    }
}

#[test]
fn every_algorithm_is_verified_ahead_and_behind() {
    for algorithm in Algorithm::ALL {
        let mut hasher = crate::s3::checksum::Hasher::new(algorithm);
        hasher.update(b"hello");
        let (checksum, name) = (hasher.finish(), algorithm.header());
        let word = algorithm.word();
        let ahead = format!("content-length: 5\nx-amz-sdk-checksum-algorithm: {word}\n{name}: {}", checksum.value);
        let behind = format!(
            "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 5\nx-amz-trailer: {name}"
        );
        let framed = |text: &str| format!("5\r\n{text}\r\n0\r\n{name}:{}\r\n\r\n", checksum.value);
        for text in ["hello", "hellp"] {
            let ended = if text == "hello" { Ok(Some(checksum.clone())) } else { Err(UploadError::Checksum) };
            assert_eq!(take(&ahead, None, text.as_bytes()).0, ended, "{word} {text}");
            assert_eq!(take(&behind, None, framed(text).as_bytes()).0, ended, "{word} {text}");
        }
    }
}

/// A gibibyte in pieces of 64 KiB: what is kept of it stays small, and every piece that is given is a slice of what came.
#[test]
fn memory_of_an_upload_is_constant() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 16 * 1024;
    let head = format!(
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: {}\n\
         x-amz-trailer: x-amz-checksum-crc32",
        PIECE * PIECES
    );
    let head = BodyHead::read(&headers(&head), ChecksumsOf::Body).unwrap();
    let mut intake = Intake::new(&head, None);
    // The body is one chunk again and again; the pieces are no chunks, so that lines are torn everywhere.
    let chunk = Bytes::from(format!("{PIECE:x}\r\n{}\r\n", "a".repeat(PIECE)));
    let (twice, total) = (Bytes::from(chunk.repeat(2)), chunk.len() * PIECES);
    let (mut at, mut given) = (0, 0);
    while at < total {
        let from = at % chunk.len();
        let mut input = twice.slice(from..from + PIECE.min(total - at));
        at += input.len();
        let came = input.as_ptr_range();
        while let Some(data) = intake.next(&mut input).unwrap() {
            assert!(came.contains(&data.as_ptr()), "a slice of what came");
            given += data.len();
        }
        let Wrapped::Chunked { chunked, .. } = &intake.framing else { panic!("it is framed") };
        assert!(chunked.footprint() <= 1024, "{} bytes kept", chunked.footprint());
    }
    assert_eq!(given, PIECE * PIECES);
}
