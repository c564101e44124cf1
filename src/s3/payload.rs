//! The body of a write as it reaches the backend: decoded, of known length, and verified before its last byte is given.
//!
//! Whoever takes an [`Upload`] gets its last piece only once everything that the caller said of the body holds (its
//! length, hash, signatures, checksums): a backend that waits for the whole cannot count what was not verified. What the
//! head says of the body is read in [`head`], the framing in [`chunked`], digests are computed in [`digests`]; all of
//! it is put together at the rim.

pub mod chunked;
pub mod digests;
pub mod head;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::checksum::{Algorithm, Checksum};
pub use head::stored_encoding;

/// The body of a write. Not to be taken twice.
///
/// Nothing was read of it yet. An empty body has no last piece to hold back: whoever tells a store of a write before the
/// bytes come takes [`Upload::primed`] first.
pub struct Upload {
    /// Bytes of the decoded body.
    pub length: u64,
    /// A checksum of the whole body that the caller sent ahead, for the backend to store and verify, too.
    pub checksum: Option<Checksum>,
    /// `Content-MD5` as sent, for the backend to verify, too.
    pub md5: Option<Box<str>>,
    /// The bytes. An error ends them, before the last piece is given.
    pub body: BoxStream<'static, Result<Bytes, UploadError>>,
    /// What became of it; shared with whoever answers.
    pub fate: Arc<Fate>,
}

impl Upload {
    /// The same, once its first piece is there, or its end: an empty body is then verified, and one that comes in one
    /// piece, too.
    pub async fn primed(self) -> Result<Self, UploadError> {
        self.peeked().await.map(|(upload, _)| upload)
    }

    /// [`Upload::primed`], and the whole body where that is its first piece: then it is verified, too.
    pub async fn peeked(mut self) -> Result<(Self, Option<Bytes>), UploadError> {
        let first = self.body.next().await.transpose()?;
        let bytes = first.clone().unwrap_or_default();
        self.body = match first {
            Some(piece) => stream::once(std::future::ready(Ok(piece))).chain(self.body).boxed(),
            None => stream::empty().boxed(),
        };
        let whole = (bytes.len() as u64 == self.length).then_some(bytes);
        Ok((self, whole))
    }
}

/// What became of an upload's body, for the answer and the log.
#[derive(Debug, Default)]
pub struct Fate {
    /// The checksum that will follow in a trailer.
    announced: OnceLock<Algorithm>,
    /// The caller's checksum, verified.
    checksum: OnceLock<Checksum>,
    /// Why it broke off.
    failed: OnceLock<UploadError>,
    /// Bytes of the decoded body that were received.
    received: AtomicU64,
}

/// Why an upload's body ended before its end, or does not hold what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The connection broke, or the body was shorter than was said.
    #[error("the body broke off")]
    Incomplete,
    /// No byte came for [`crate::limits::UPLOAD_IDLE_TIMEOUT`].
    #[error("the body stalled")]
    Stalled,
    /// The framing of `aws-chunked` is wrong, or the body is longer than was said.
    #[error("the body's framing is wrong")]
    Malformed,
    /// A chunk's or trailer's signature is wrong.
    #[error("the signature of a chunk is wrong")]
    Signature,
    /// `x-amz-content-sha256` is not that of the body.
    #[error("the body is not the one that was signed")]
    ContentSha256,
    /// A checksum or `Content-MD5` is not that of the body.
    #[error("a checksum is not that of the body")]
    Checksum,
    /// The caller's right to write ended while it came: the session was revoked, or a window closed.
    #[error("the right to write ended")]
    NotAllowed,
}

impl Fate {
    /// Of a body behind which a checksum of that algorithm will follow.
    pub fn announcing(algorithm: Option<Algorithm>) -> Self {
        Self { announced: algorithm.map(OnceLock::from).unwrap_or_default(), ..Self::default() }
    }

    /// The checksum that will follow in a trailer: its value is known, and verified, at the body's end only.
    pub fn announced(&self) -> Option<Algorithm> {
        self.announced.get().copied()
    }

    /// Notes the checksum of the whole body that the caller sent, ahead or in a trailer, and that holds.
    pub fn verify(&self, checksum: Checksum) {
        self.checksum.get_or_init(|| checksum);
    }

    /// The caller's checksum of the whole body, once it is verified.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.get()
    }

    /// Notes why it broke off; the first reason counts.
    pub fn fail(&self, error: UploadError) {
        self.failed.get_or_init(|| error);
    }

    /// Why it broke off, if it did.
    pub fn failed(&self) -> Option<UploadError> {
        self.failed.get().copied()
    }

    /// So many more bytes came.
    pub fn receive(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes came so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
