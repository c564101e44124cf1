//! What the caller learns of trouble behind us: S3's own codes, never the backend's words.

use super::Trouble;
use crate::s3::error::{Code, Refusal};

impl Trouble {
    /// The refusal to answer with. Missing looks like forbidden, unless the caller may list there.
    pub fn refusal(&self, may_list: bool) -> Refusal {
        let (code, message) = match self {
            Trouble::NoSuchKey if may_list => (Code::NoSuchKey, "The specified key does not exist."),
            Trouble::NoSuchKey => (Code::AccessDenied, "Access Denied"),
            Trouble::NoSuchBucket => (Code::NoSuchBucket, "The specified bucket does not exist."),
            Trouble::InvalidRange { .. } => (Code::InvalidRange, "The requested range cannot be satisfied."),
            Trouble::Changed => (Code::PreconditionFailed, "The object changed while it was read; try again."),
            Trouble::Archived => (
                Code::InvalidObjectState,
                "The object is archived: it must be restored in the real bucket before it can be read.",
            ),
            Trouble::KeyService(_) => (
                Code::KmsAccessDenied,
                "The key that the object is encrypted with is refused to the service that reads it.",
            ),
            Trouble::Refused(_) | Trouble::NoCredential(_) => (
                Code::ServiceUnavailable,
                "The service cannot read the real bucket with its own credential; its operators must act.",
            ),
            Trouble::Busy => (Code::SlowDown, "Please reduce your request rate."),
            Trouble::Timeout | Trouble::Broken(_) => {
                (Code::ServiceUnavailable, "The real bucket does not answer; try again later.")
            }
        };
        let refusal = Refusal::new(code, message);
        if let Trouble::InvalidRange { size: Some(size) } = self {
            return refusal.with_header("content-range", format!("bytes */{size}"));
        }
        refusal
    }
}
