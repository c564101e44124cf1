//! What the caller learns of trouble behind us: S3's own codes, never the backend's words.

use super::Trouble;
use crate::s3::error::{Code, Refusal};
use crate::s3::payload::UploadError;

const NO_ROOM: &str = "The service has no room for what this view shows of compressed objects; its operators must act.";

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
            Trouble::Occupied => {
                (Code::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
            }
            Trouble::Conflict => {
                (Code::ConditionalRequestConflict, "Another write to this key was under way; try again.")
            }
            Trouble::NoSuchVersion if may_list => (Code::NoSuchVersion, "The specified version does not exist."),
            Trouble::NoSuchVersion => (Code::AccessDenied, "Access Denied"),
            Trouble::DeleteMarker if may_list => {
                (Code::MethodNotAllowed, "The specified version is a delete marker: it can be deleted, not read.")
            }
            Trouble::DeleteMarker => (Code::AccessDenied, "Access Denied"),
            Trouble::Locked => (Code::AccessDenied, "Access Denied because object protected by object lock."),
            Trouble::NoSuchUpload => (
                Code::NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            ),
            Trouble::InvalidPart => (
                Code::InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
            ),
            Trouble::InvalidPartOrder => (
                Code::InvalidPartOrder,
                "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
            ),
            Trouble::TooSmall => {
                (Code::EntityTooSmall, "Your proposed upload is smaller than the minimum allowed object size.")
            }
            Trouble::TooLarge => {
                (Code::EntityTooLarge, "Your proposed upload exceeds the maximum allowed object size.")
            }
            Trouble::BadDigest => (Code::BadDigest, "The checksum you specified did not match what we received."),
            Trouble::Invalid(what) => {
                return Refusal::new(Code::InvalidArgument, format!("The real bucket does not take this {what}."));
            }
            Trouble::Unable(what) => {
                return Refusal::new(Code::NotImplemented, format!("The real bucket cannot {what}."));
            }
            Trouble::Upload(error) => return error.refusal(),
            Trouble::Refused(_) | Trouble::NoCredential(_) => (
                Code::ServiceUnavailable,
                "The service cannot read the real bucket with its own credential; its operators must act.",
            ),
            Trouble::Unkept(_) => (Code::ServiceUnavailable, NO_ROOM),
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

impl UploadError {
    /// The refusal to answer with.
    pub fn refusal(self) -> Refusal {
        let (code, message) = match self {
            UploadError::Incomplete => (
                Code::IncompleteBody,
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            UploadError::Stalled => (
                Code::RequestTimeout,
                "Your socket connection to the server was not read from or written to within the timeout period.",
            ),
            UploadError::Malformed => {
                (Code::IncompleteBody, "The body's framing or length is not what was said of it.")
            }
            UploadError::Signature => {
                (Code::SignatureDoesNotMatch, "The signature of a chunk or trailer of the body does not match.")
            }
            UploadError::ContentSha256 => (
                Code::XAmzContentSha256Mismatch,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            UploadError::NotAllowed => {
                (Code::AccessDenied, "The right to write ended while the body came; nothing was stored.")
            }
            UploadError::Checksum => {
                (Code::BadDigest, "The checksum or Content-MD5 you specified did not match what we received.")
            }
        };
        Refusal::new(code, message)
    }
}
