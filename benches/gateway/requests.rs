//! The requests that are sent: by bearer token, and signed with AWS Signature Version 4; with bodies as clients of S3 send
//! them.
//!
//! A signature holds for a quarter of an hour, so each request is made once and sent over and over; whoever gets it
//! verifies it anew each time.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::common::traces;

/// The bucket that every side serves.
pub(crate) const BUCKET: &str = "bench";
/// The region that every side is told.
pub(crate) const REGION: &str = "us-east-1";
/// Bytes of a chunk of `aws-chunked`, as botocore frames them.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// The keys of somebody who signs.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Keys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    /// Of a session.
    pub(crate) token: Option<String>,
}

/// How the body of an upload is sent.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Framing {
    /// As it is, `UNSIGNED-PAYLOAD`.
    Plain,
    /// `aws-chunked` with a CRC-32 in its trailer, as botocore sends over HTTPS.
    Chunked,
}

/// The body of an upload.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Body {
    /// Bytes without framing.
    pub(crate) length: u64,
    pub(crate) framing: Framing,
}

/// The bytes of an upload as they stand on the wire: a piece that repeats, and an end.
pub(crate) struct Wire {
    piece: Vec<u8>,
    times: u64,
    end: Vec<u8>,
}

impl Body {
    /// As it stands on the wire. Bodies larger than a chunk are a multiple of it.
    pub(crate) fn wire(&self) -> Wire {
        let size = self.length.min(CHUNK_BYTES);
        let times = self.length / size;
        let mut piece = traces(usize::try_from(size).expect("a chunk fits into memory")).into_bytes();
        piece.truncate(usize::try_from(size).expect("a chunk fits into memory"));
        match self.framing {
            Framing::Plain => Wire { piece, times, end: Vec::new() },
            Framing::Chunked => {
                let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc);
                (0..times).for_each(|_| crc.update(&piece));
                let crc = u32::try_from(crc.finalize()).expect("32 bits").to_be_bytes();
                let end = format!("0\r\nx-amz-checksum-crc32:{}\r\n\r\n", BASE64_STANDARD.encode(crc));
                let piece = [format!("{size:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
                Wire { piece, times, end: end.into_bytes() }
            }
        }
    }

    /// The headers that go with it, in the order of their names.
    fn headers(&self) -> Vec<(&'static str, String)> {
        match self.framing {
            Framing::Plain => {
                vec![("content-length", self.length.to_string()), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD".into())]
            }
            Framing::Chunked => vec![
                ("content-encoding", "aws-chunked".into()),
                ("content-length", self.wire().length().to_string()),
                ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into()),
                ("x-amz-decoded-content-length", self.length.to_string()),
                ("x-amz-trailer", "x-amz-checksum-crc32".into()),
            ],
        }
    }
}

impl Wire {
    /// What is written, piece after piece.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.times).map(|_| &self.piece[..]).chain((!self.end.is_empty()).then_some(&self.end[..]))
    }

    fn length(&self) -> u64 {
        self.piece.len() as u64 * self.times + self.end.len() as u64
    }
}

impl Keys {
    /// `GET` of that path, signed now.
    pub(crate) fn get(&self, to: SocketAddr, path: &str) -> String {
        let nothing = hex::encode(Sha256::digest(b""));
        self.signed("GET", to, path, vec![("x-amz-content-sha256", nothing)])
    }

    /// `PUT` to that path, signed now.
    pub(crate) fn put(&self, to: SocketAddr, path: &str, body: &Body) -> String {
        self.signed("PUT", to, path, body.headers())
    }

    fn signed(&self, method: &str, to: SocketAddr, path: &str, mut headers: Vec<(&'static str, String)>) -> String {
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        headers.extend([("host", to.to_string()), ("x-amz-date", time.clone())]);
        headers.extend(self.token.clone().map(|token| ("x-amz-security-token", token)));
        headers.sort_unstable();
        let payload = headers.iter().find(|(name, _)| *name == "x-amz-content-sha256").map_or("", |(_, hash)| hash);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = hex::encode(Sha256::digest(format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}")));
        let scope = format!("{}/{REGION}/s3/aws4_request", &time[..8]);
        let secret = format!("AWS4{}", self.secret_access_key);
        let key = scope.split('/').fold(secret.into_bytes(), |key, part| mac(&key, part));
        let signature = hex::encode(mac(&key, &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}")));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        let lines = lines.replace('\n', "\r\n");
        format!("{method} {path} HTTP/1.1\r\n{lines}authorization: {authorization}\r\n\r\n")
    }
}

/// The path of an object.
pub(crate) fn path(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}

/// `GET` of that path with a token of the façade.
pub(crate) fn bearer(to: SocketAddr, token: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
