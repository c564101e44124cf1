//! Why an object, or a range of one, cannot be shown, in words for the caller.

use super::super::format::Unframed;
use super::super::packed::Unpackable;
use super::super::redactor::Fault;
use crate::limits;
use crate::s3::answer::BodyError;

/// Why nothing of an object, or of its range, is shown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShowError {
    /// The object is broken where it matters (403).
    #[error(transparent)]
    Unshowable(#[from] Fault),
    /// The object is of no format that can be redacted (403).
    #[error(transparent)]
    Unframed(#[from] Unframed),
    /// The range lies too far within one document or record (501).
    #[error(
        "the range lies more than {} bytes within one JSON value: ask for the whole object",
        limits::RANGE_AHEAD_BYTES_MAX
    )]
    TooFar,
    /// The range lies too far within an object whose lengths are hidden (501).
    #[error(
        "lengths are hidden, and more than {} bytes have to be read before the range: ask for the whole object",
        limits::HIDDEN_AHEAD_BYTES_MAX
    )]
    TooFarIn,
    /// The range lies far within one document or record, and reading up to it takes longer than a range may wait (503).
    #[error(
        "the range lies far within one JSON value, which is read up to it first: ask again, or for the whole object"
    )]
    Busy,
    /// The backend failed, or sent another length than it had said.
    #[error(transparent)]
    Backend(BodyError),
    /// It is not the backend: what is made of the object cannot be kept, as where our own disk is full (503).
    #[error("what is made of the object cannot be kept: {0}")]
    Unkept(String),
}

impl From<Unpackable> for ShowError {
    fn from(why: Unpackable) -> Self {
        Self::Unframed(Unframed::Packed(why))
    }
}

impl From<BodyError> for ShowError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Unshowable { offset, reason } => Self::Unshowable(Fault { offset, reason }),
            BodyError::Unkept(error) => Self::Unkept(error),
            BodyError::Backend(_) => Self::Backend(error),
        }
    }
}
