//! How fast one thread takes in the body of an upload, by what it verifies on the way.
//!
//! Bytes are those of the decoded body; the best of several rounds counts, because anything else the machine does only
//! makes a round slower.

mod common;

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest as _, Sha256};
use tracegate::identity::chunks::ChunkSigner;
use tracegate::identity::secret::SecretText;
use tracegate::identity::sigv4::SignedClaim;
use tracegate::rim::upload;
use tracegate::s3::checksum::{Algorithm, Checksum, Hasher};

use common::{figure, thread_cpu};

/// Size of one chunk, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks of a body.
const CHUNKS: usize = 1024;
/// Bodies that one round takes in, so that it lasts long against the steps in which CPU time is counted.
const BODIES: usize = 16;
const ROUNDS: usize = 5;
const SECRET: &str = "secret";
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

fn main() {
    let body = Bytes::from(vec![b'a'; CHUNK_BYTES * CHUNKS]);
    let digest = hex::encode(Sha256::digest(&body));
    let headers = [("content-length", body.len().to_string()), ("x-amz-content-sha256", digest)];
    measure("upload_sha256_gbps", &headers, &body, None);
    for algorithm in [Algorithm::Crc32, Algorithm::Crc64Nvme, Algorithm::Xxhash3] {
        let name = algorithm.header();
        let wire = chunked(&body, |_| String::new(), &format!("{name}:{}\r\n", checksum(algorithm, &body).value));
        let headers = [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned()),
            ("x-amz-decoded-content-length", body.len().to_string()),
            ("x-amz-trailer", name.to_owned()),
        ];
        measure(&format!("upload_{}_trailer_gbps", algorithm.word().to_lowercase()), &headers, &wire, None);
    }
    let mut chain = Chain::new();
    let wire = chunked(&body, |chunk| format!(";chunk-signature={}", chain.sign(chunk)), "");
    let headers = [
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned()),
        ("x-amz-decoded-content-length", body.len().to_string()),
    ];
    measure("upload_signed_chunks_gbps", &headers, &wire, Some(signer));
}

/// The body in `aws-chunked`.
fn chunked(body: &Bytes, mut extension: impl FnMut(&[u8]) -> String, trailer: &str) -> Bytes {
    let mut wire = Vec::with_capacity(body.len() + CHUNKS * 128);
    for chunk in body.chunks(CHUNK_BYTES) {
        wire.extend_from_slice(format!("{:x}{}\r\n", chunk.len(), extension(chunk)).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(format!("0{}\r\n{trailer}\r\n", extension(b"")).as_bytes());
    wire.into()
}

fn checksum(algorithm: Algorithm, body: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(body);
    hasher.finish()
}

/// Takes the body in, in pieces as large as a socket gives them.
fn measure(name: &str, headers: &[(&str, String)], wire: &Bytes, signer: Option<fn() -> ChunkSigner>) {
    let round = || {
        let begun = now();
        (0..BODIES).for_each(|_| take(headers, wire, signer.map(|signer| signer())));
        now() - begun
    };
    let fastest = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    figure(name, (CHUNK_BYTES * CHUNKS * BODIES) as f64 / fastest.as_secs_f64() / 1e9, "GB/s");
}

fn take(headers: &[(&str, String)], wire: &Bytes, signer: Option<ChunkSigner>) {
    let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, value));
    let (parts, ()) = request.body(()).expect("a sound head").into_parts();
    let wire = wire.clone();
    let pieces = (0..wire.len()).step_by(CHUNK_BYTES).map(move |at| wire.slice(at..wire.len().min(at + CHUNK_BYTES)));
    let body = StreamBody::new(stream::iter(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)))));
    let mut upload = upload::open(&parts, body, signer).expect("a sound head");
    let mut taken = 0;
    while let Some(piece) = upload.body.next().now_or_never().expect("everything is there") {
        taken += black_box(piece.expect("a sound body")).len();
    }
    assert_eq!(taken, CHUNK_BYTES * CHUNKS);
}

/// This thread's time on a CPU, where it is counted; else the clock.
fn now() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    thread_cpu().unwrap_or_else(|| START.elapsed())
}

fn signer() -> ChunkSigner {
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", "a"), ("x-amz-date", "20130524T000000Z"), ("x-amz-security-token", "t")] {
        headers.insert(name, value.parse().expect("a sound value"));
    }
    let statement = format!(
        "Credential=A/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-date;x-amz-security-token,Signature={SEED}"
    );
    let now = "2013-05-24T00:00:00Z".parse().expect("a time");
    let claim = SignedClaim::of_header(&statement, &Method::PUT, "/a/b", &headers, now).expect("a sound head");
    claim.chunk_signer(&SecretText::new(SECRET)).expect("it is not presigned")
}

/// The caller's side of the chain of signatures.
struct Chain {
    key: Vec<u8>,
    previous: String,
}

impl Chain {
    fn new() -> Self {
        let parts = ["20130524", "us-east-1", "s3", "aws4_request"];
        let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
        Self { key, previous: SEED.to_owned() }
    }

    fn sign(&mut self, chunk: &[u8]) -> String {
        let (empty, digest) = (hex::encode(Sha256::digest(b"")), hex::encode(Sha256::digest(chunk)));
        let place = "20130524T000000Z\n20130524/us-east-1/s3/aws4_request";
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{place}\n{}\n{empty}\n{digest}", self.previous);
        self.previous = hex::encode(hmac(&self.key, text.as_bytes()));
        self.previous.clone()
    }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}
