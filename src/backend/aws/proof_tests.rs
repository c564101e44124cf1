//! What leaves on the wire for the store to verify, against a small server on loopback.

use super::super::tests::{HEAD, bucket, canned, error, header, key, response};
use super::super::write_tests::{put, upload_id};
use super::*;
use crate::backend::source::Source;
use crate::backend::suite::upload;
use crate::s3::operation::write::UploadPart;
use crate::s3::payload::Fate;
use crate::s3::payload::chunked::{Chunked, Piece, Rules};

/// What leaves on the wire of a body and what was said of it, to a store that takes its framing off.
async fn on_the_wire(sent: Upload, part: bool) -> (String, String) {
    let server = canned(vec![response("200 OK", HEAD, "")], false).await;
    if part {
        let op = UploadPart { bucket: bucket(), key: key("k"), upload: upload_id(), part: 1 };
        Source::put_part(&server.aws, &op, sent).await.unwrap();
    } else {
        put(&server.aws, "k", sent).await.unwrap();
    }
    let (requests, bodies) = (server.requests.lock().unwrap(), server.bodies.lock().unwrap());
    let at = requests.iter().position(|request| request.starts_with("PUT /inner-bucket/k?")).unwrap();
    (requests[at].clone(), String::from_utf8(bodies[at].clone()).unwrap())
}

/// SeaweedFS, for one, stores `aws-chunked` as the object's coding. It is tried once, and then gets plain bodies.
#[tokio::test]
async fn a_store_that_keeps_the_framing_is_sent_none() {
    let kept = format!("{HEAD}Content-Encoding: aws-chunked\r\n");
    let server = canned(vec![response("200 OK", &kept, "")], false).await;
    for _ in 0..2 {
        put(&server.aws, "k", upload(vec![b'x'; 100_000])).await.unwrap();
    }
    let (requests, bodies) = (server.requests.lock().unwrap().clone(), server.bodies.lock().unwrap().clone());
    let puts = |prefix: &str| requests.iter().filter(|request| request.starts_with(prefix)).count();
    assert_eq!((puts("PUT /inner-bucket/.tracegate/scratch/"), puts("PUT /inner-bucket/k?")), (1, 2), "{requests:?}");
    for (request, body) in
        requests.iter().zip(&bodies).filter(|(request, _)| request.starts_with("PUT /inner-bucket/k?"))
    {
        assert_eq!((header(request, "x-amz-trailer"), body.len()), (None, 100_000), "{request}");
    }
    assert!(requests.iter().any(|request| request.starts_with("DELETE /inner-bucket/.tracegate/scratch/")));
}

/// Checksums of `hello`, and of 100,000 times `x`.
const HELLO: [(Algorithm, &str); 3] = [
    (Algorithm::Crc32, "NhCmhg=="),
    (Algorithm::Crc64Nvme, "M3eFcAZSQlc="),
    (Algorithm::Sha512, "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=="),
];
const LARGE: [(Algorithm, &str); 2] = [(Algorithm::Crc32, "/gcRcQ=="), (Algorithm::Crc64Nvme, "bxiu7CF/7NI=")];

/// A body that is there whole has its checksum ahead, of whatever algorithm was announced.
#[tokio::test]
async fn a_short_body_goes_out_with_its_checksum_ahead() {
    for (announced, part, want) in [
        (None, false, Some(HELLO[1])),
        (None, true, None),
        (Some(Algorithm::Crc32), false, Some(HELLO[0])),
        (Some(Algorithm::Crc32), true, Some(HELLO[0])),
        (Some(Algorithm::Sha512), false, Some(HELLO[2])),
        (Some(Algorithm::Sha512), true, Some(HELLO[2])),
    ] {
        let fate = Fate::announcing(announced).into();
        let (request, body) = on_the_wire(Upload { fate, ..upload(&b"hello"[..]) }, part).await;
        let found: Vec<_> = request.lines().filter(|line| line.starts_with("x-amz-checksum-")).collect();
        let want: Vec<_> = want.iter().map(|(algorithm, sum)| format!("{}: {sum}", algorithm.header())).collect();
        assert_eq!(
            (found, body.as_str()),
            (want.iter().map(String::as_str).collect(), "hello"),
            "{announced:?} {part}"
        );
        assert_eq!(header(&request, "x-amz-trailer"), None, "{request}");
    }
}

/// A long one has it behind: the caller's is not known yet.
#[tokio::test]
async fn a_long_body_goes_out_with_its_checksum_behind() {
    let text = "x".repeat(100_000);
    for (announced, part, want) in [
        (None, false, Some(LARGE[1])),
        (None, true, None),
        (Some(Algorithm::Crc32), false, Some(LARGE[0])),
        (Some(Algorithm::Crc32), true, Some(LARGE[0])),
        // One that the SDK does not compute.
        (Some(Algorithm::Sha512), false, Some(LARGE[1])),
        (Some(Algorithm::Sha512), true, None),
    ] {
        let fate = Fate::announcing(announced).into();
        let (request, body) = on_the_wire(Upload { fate, ..upload(text.clone()) }, part).await;
        let Some((algorithm, sum)) = want else {
            assert!(body == text && header(&request, "x-amz-trailer").is_none(), "{announced:?} {part}: {request}");
            continue;
        };
        assert_eq!(header(&request, "x-amz-trailer"), Some(algorithm.header()), "{announced:?} {part}: {request}");
        assert_eq!(header(&request, "x-amz-decoded-content-length"), Some("100000"), "{request}");
        assert_eq!(header(&request, "content-encoding"), Some("aws-chunked"), "{request}");
        assert_eq!(unframed(body, algorithm), (text.clone(), sum.to_owned()), "{announced:?} {part}");
    }
}

/// What lies in the SDK's framing, and the value of its trailer.
fn unframed(body: String, algorithm: Algorithm) -> (String, String) {
    let rules = Rules { length: 100_000, signed: true, trailers: true, announced: Some(algorithm) };
    let (mut chunked, mut input, mut bytes) = (Chunked::new(rules), Bytes::from(body), Vec::new());
    loop {
        match chunked.next(&mut input).unwrap().unwrap() {
            Piece::Data(data) => bytes.extend_from_slice(&data),
            Piece::ChunkEnd(_) => {}
            Piece::End(trailer) => return (String::from_utf8(bytes).unwrap(), trailer.value.unwrap().into()),
        }
    }
}

/// What the caller said ahead is enough: nothing is computed beside it.
#[tokio::test]
async fn what_was_said_ahead_is_passed_on_as_it_is() {
    let checksum = Checksum { algorithm: Algorithm::Md5, value: "as sent".into() };
    for (sent, name, value) in [
        (Upload { checksum: Some(checksum), ..upload(vec![b'x'; 100_000]) }, "x-amz-checksum-md5", "as sent"),
        (Upload { md5: Some("as sent".into()), ..upload(vec![b'x'; 100_000]) }, "content-md5", "as sent"),
    ] {
        let (request, body) = on_the_wire(sent, false).await;
        assert_eq!(header(&request, name), Some(value), "{request}");
        let checksums = request.lines().filter(|line| line.starts_with("x-amz-checksum-")).count();
        assert_eq!(checksums, usize::from(name != "content-md5"), "{request}");
        assert_eq!(body.len(), 100_000);
    }
}

/// Where objects are locked by default, a body without any is refused, of a trial, too.
#[tokio::test]
async fn what_is_tried_is_proven_as_well() {
    let server = canned(vec![error("412 Precondition Failed", "PreconditionFailed", "x")], false).await;
    drop(Source::conditional_writes(&server.aws, &bucket()).await);
    let requests = server.requests.lock().unwrap().clone();
    let puts: Vec<_> = requests.iter().filter(|request| request.starts_with("PUT")).collect();
    assert!(!puts.is_empty() && puts.iter().all(|put| header(put, "content-md5").is_some()), "{puts:?}");
}
