//! The body of a write as it reaches the backend: decoded, of known length, and verified before its last byte is given.
//!
//! Whoever takes an [`Upload`] gets its last piece only once everything that the caller said of the body holds (its
//! length, hash, signatures, checksums): a backend that waits for the whole cannot count what was not verified.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::stream::BoxStream;

use super::checksum::Checksum;

/// The body of a write. Not to be taken twice.
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

/// What became of an upload's body, for the answer and the log.
#[derive(Debug, Default)]
pub struct Fate {
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
}

impl Fate {
    /// Notes why it broke off; the first reason counts.
    pub fn fail(&self, error: UploadError) {
        let _ = self.failed.set(error);
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
