//! Bodies as they come over a connection: when they are read, what is held back, and how they break off.

use std::convert::Infallible;

use futures::FutureExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{Empty, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::s3::checksum::{Algorithm, Hasher};

/// The caller's side of a body.
struct Caller(UnboundedSender<Result<Frame<Bytes>, &'static str>>);

impl Caller {
    fn send(&self, text: &'static str) {
        self.0.unbounded_send(Ok(Frame::data(Bytes::from_static(text.as_bytes())))).unwrap();
    }
}

fn parts(headers: &[(&'static str, &str)]) -> http::request::Parts {
    let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

/// An upload with these headers that is patient for so long, and its caller.
fn begin(patience: Duration, headers: &[(&'static str, &str)]) -> (Caller, Upload) {
    let (caller, frames) = unbounded();
    let head = BodyHead::read(&parts(headers).headers, ChecksumsOf::Body).unwrap();
    (Caller(caller), opened(head, StreamBody::new(frames), None, patience).unwrap())
}

const FIVE: (&str, &str) = ("content-length", "5");
const CRC: (&str, &str) = ("x-amz-checksum-crc32", "NhCmhg==");
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_last_piece_is_held_back_until_everything_holds() {
    let (caller, mut upload) = begin(MINUTE, &[FIVE, CRC]);
    caller.send("he");
    assert_eq!(upload.body.next().now_or_never(), None, "it could be the last");
    caller.send("l");
    assert_eq!(upload.body.next().await, Some(Ok("he".into())));
    caller.send("lo");
    assert_eq!(upload.body.next().await, Some(Ok("l".into())));
    assert_eq!(upload.body.next().now_or_never(), None, "all bytes are there, but not the end");
    assert_eq!((upload.fate.received(), upload.fate.checksum()), (5, None));
    drop(caller);
    assert_eq!(upload.body.next().await, Some(Ok("lo".into())));
    assert_eq!(upload.body.next().await, None);
    assert_eq!((upload.fate.failed(), upload.fate.checksum()), (None, upload.checksum.as_ref()));
}

/// The largest body that S3 takes, made of one piece again and again, plain and in chunks of more bytes than 32 bits can
/// count: not a byte of it is held but the last piece.
#[tokio::test]
async fn a_body_may_be_larger_than_32_bits_can_tell() {
    let piece = Bytes::from(vec![b'x'; 1 << 20]);
    let (length, pieces) = (5_u64 << 30, 5 << 10);
    let framed =
        |frames: Vec<Bytes>| StreamBody::new(stream::iter(frames).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
    let plain = vec![piece.clone(); pieces];
    let large = format!("{:x}\r\n", length - 1);
    let chunks = [vec![Bytes::from(large)], vec![piece.clone(); pieces - 1], vec![piece.slice(1..)]].concat();
    let end = b"\r\n1\r\nx\r\n0\r\nx-amz-checksum-crc64nvme:SUM\r\n\r\n";
    let sum = {
        let mut hasher = Hasher::new(Algorithm::Crc64Nvme);
        plain.iter().for_each(|piece| hasher.update(piece));
        hasher.finish().value
    };
    let end = String::from_utf8_lossy(end).replace("SUM", &sum);
    let chunked = [chunks, vec![Bytes::from(end)]].concat();
    let (size, trailer) = (length.to_string(), ("x-amz-trailer", "x-amz-checksum-crc64nvme"));
    let streaming = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    for (what, headers, frames) in [
        ("plain", &[("content-length", &*size)][..], plain),
        ("chunked", &[streaming, ("x-amz-decoded-content-length", &*size), trailer], chunked),
    ] {
        let upload = open(&parts(headers), framed(frames), None).unwrap();
        assert_eq!(upload.length, length, "{what}");
        let (fate, mut body, mut bytes) = (upload.fate, upload.body, 0);
        while let Some(piece) = body.next().await {
            bytes += piece.unwrap().len() as u64;
        }
        assert_eq!((bytes, fate.received()), (length, length), "{what}");
        assert_eq!(fate.checksum().map(|checksum| checksum.value.clone()), (what == "chunked").then(|| sum.clone()));
    }
    let more = (length + 1).to_string();
    let refused = open(&parts(&[("content-length", &*more)]), framed(Vec::new()), None).map(drop);
    assert_eq!(refused.unwrap_err().code, Code::EntityTooLarge);
}

#[tokio::test]
async fn what_does_not_hold_never_gives_its_last_piece() {
    let (caller, mut upload) = begin(MINUTE, &[FIVE, CRC]);
    caller.send("hel");
    caller.send("lp");
    drop(caller);
    assert_eq!(upload.body.next().await, Some(Ok("hel".into())));
    assert_eq!(upload.body.next().await, Some(Err(UploadError::Checksum)));
    assert_eq!(upload.body.next().await, None);
    assert_eq!((upload.fate.failed(), upload.fate.received()), (Some(UploadError::Checksum), 5));
}

#[tokio::test]
async fn a_trailer_is_announced_ahead_and_its_value_known_at_the_end() {
    let (caller, mut upload) = begin(
        MINUTE,
        &[
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", CRC.0),
        ],
    );
    let announced = upload.fate.announced().unwrap();
    assert_eq!((announced.header(), upload.length, &upload.checksum), (CRC.0, 5, &None));
    caller.send("5\r\nhello\r\n0\r\n");
    assert_eq!(upload.body.next().now_or_never(), None);
    caller.send("x-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    drop(caller);
    assert_eq!(upload.body.next().await, Some(Ok("hello".into())));
    assert_eq!(upload.fate.checksum().map(|checksum| &*checksum.value), Some(CRC.1));
}

#[tokio::test]
async fn an_upload_is_primed_by_its_first_piece_or_its_verified_end() {
    const NONE: (&str, &str) = ("content-length", "0");
    let primed = |headers: &[(&'static str, &str)], pieces: &[&'static str]| {
        let (caller, upload) = begin(MINUTE, headers);
        pieces.iter().for_each(|piece| caller.send(piece));
        async move {
            let upload = upload.primed().await?;
            drop(caller);
            upload.body.map(|piece| piece.unwrap()).collect::<Vec<_>>().map(Ok::<_, UploadError>).await
        }
    };
    let ended = |headers: &[(&'static str, &str)], piece: &'static str| {
        let (caller, upload) = begin(MINUTE, headers);
        caller.send(piece);
        upload.primed().map(|upload| upload.map(|upload| upload.length))
    };
    assert_eq!(primed(&[FIVE], &["he", "llo"]).await, Ok(vec![Bytes::from("he"), "llo".into()]));
    assert_eq!(ended(&[NONE], "").await, Ok(0));
    assert_eq!(ended(&[NONE, ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "").await, Ok(0));
    assert_eq!(ended(&[NONE, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], "").await, Err(UploadError::Checksum));
    assert_eq!(ended(&[FIVE, CRC], "hello").await, Ok(5));
    assert_eq!(ended(&[FIVE, CRC], "hellp").await, Err(UploadError::Checksum));
    assert_eq!(ended(&[FIVE], "").await, Err(UploadError::Incomplete));
}

#[tokio::test]
async fn a_slow_upload_lives_and_a_silent_one_is_given_up() {
    let patience = Duration::from_millis(400);
    let (caller, upload) = begin(patience, &[FIVE]);
    let slowly = async move {
        for text in ["h", "e", "l", "l", "o"] {
            tokio::time::sleep(patience / 3).await;
            caller.send(text);
        }
    };
    let (_, whole) = tokio::join!(slowly, read_all(upload, 5));
    assert_eq!(whole, Ok("hello".into()));

    let (caller, mut upload) = begin(patience, &[FIVE]);
    let fate = upload.fate.clone();
    let nothing = async {
        loop {
            tokio::time::sleep(patience / 4).await;
            caller.send("");
        }
    };
    tokio::select! {
        piece = upload.body.next() => assert_eq!(piece, Some(Err(UploadError::Stalled))),
        () = nothing => {}
    }
    assert_eq!(fate.failed(), Some(UploadError::Stalled));
}

#[tokio::test]
async fn a_caller_that_leaves_or_says_more_than_s3_knows_has_not_uploaded() {
    for (frame, error) in [
        (Err("reset"), UploadError::Incomplete),
        (Ok(Frame::trailers(HeaderMap::new())), UploadError::Malformed),
        (Ok(Frame::data(Bytes::from("lo, world"))), UploadError::Malformed),
    ] {
        let (caller, upload) = begin(MINUTE, &[FIVE]);
        caller.send("hel");
        caller.0.unbounded_send(frame).unwrap();
        let pieces: Vec<_> = upload.body.collect().await;
        assert_eq!(pieces, [Err(error)]);
    }
}

#[tokio::test]
async fn small_bodies_are_read_whole_and_verified() {
    let read = |max, pieces: [&'static str; 2]| {
        let (caller, upload) = begin(MINUTE, &[FIVE, CRC]);
        pieces.iter().for_each(|text| caller.send(text));
        read_all(upload, max).map(|read| read.map_err(|refusal| refusal.code))
    };
    assert_eq!(read(5, ["he", "llo"]).await, Ok("hello".into()));
    assert_eq!(read(4, ["he", "llo"]).await, Err(Code::EntityTooLarge));
    assert_eq!(read(5, ["he", "llp"]).await, Err(Code::BadDigest));
}

#[test]
fn signed_chunks_need_a_signed_head() {
    let signed =
        [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("x-amz-decoded-content-length", "5")];
    let refused = open(&parts(&signed), Empty::new(), None).map(|_| ()).map_err(|refusal| refusal.code);
    assert_eq!(refused, Err(Code::InvalidRequest));
}

#[test]
fn checksums_of_a_completion_are_not_of_its_body() {
    let composite = parts(&[FIVE, ("x-amz-checksum-crc32", "NhCmhg==-3")]);
    assert!(open(&composite, Empty::new(), None).is_err());
    assert_eq!(open_completion(&composite, Empty::new(), None).unwrap().checksum, None);
}

/// What a connection answers to a head that expects `100 Continue`, where the body is asked for or is not.
async fn expecting(reads: bool) -> String {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| async move {
        let (parts, body) = request.into_parts();
        let upload = open(&parts, body, None).unwrap();
        let status = if reads { read_all(upload, 5).await.map_or(400, |_| 200) } else { 403 };
        Ok::<_, Infallible>(Response::builder().status(status).body(Empty::<Bytes>::new()).unwrap())
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let talk = async move {
        let head = b"PUT /a/b HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(head).await.unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 1024]);
        loop {
            let read = client.read(&mut buffer).await.unwrap();
            answer += std::str::from_utf8(&buffer[..read]).unwrap();
            if answer.ends_with("100 Continue\r\n\r\n") {
                client.write_all(b"hello").await.unwrap();
            } else if answer.contains("HTTP/1.1 200") || answer.contains("HTTP/1.1 403") || read == 0 {
                return answer;
            }
        }
    };
    // The connection may end first: what it said before is still to be read.
    tokio::join!(talk, connection).0
}

#[tokio::test]
async fn a_refusal_reads_nothing_and_the_first_poll_says_continue() {
    let refused = expecting(false).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let taken = expecting(true).await;
    assert!(taken.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), "{taken}");
}
