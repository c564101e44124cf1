//! The errors of S3 as clients see them: one [`Refusal`], which becomes HTTP in one place, the gateway.
//!
//! Texts say which role lacked which permission, or what to do next. They never hold the backend's words, a key that
//! the caller did not send, or a byte of an object.

/// An error code of S3 ("Error responses") or STS, with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are S3's own")]
pub enum Code {
    AccessControlListNotSupported,
    AccessDenied,
    AuthorizationHeaderMalformed,
    BadDigest,
    BucketAlreadyOwnedByYou,
    ConditionalRequestConflict,
    EntityTooLarge,
    EntityTooSmall,
    ExpiredToken,
    IncompleteBody,
    InternalError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidBucketName,
    InvalidDigest,
    InvalidObjectState,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidRequest,
    InvalidStorageClass,
    InvalidTag,
    InvalidToken,
    InvalidUri,
    KeyTooLongError,
    KmsAccessDenied,
    MalformedXml,
    MetadataTooLarge,
    MethodNotAllowed,
    MissingContentLength,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    NoSuchVersion,
    NotImplemented,
    NotModified,
    PreconditionFailed,
    RequestTimeTooSkewed,
    RequestTimeout,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    SlowDown,
    XAmzContentSha256Mismatch,
}

impl Code {
    /// The code as the XML says it. SDKs know `AccessDenied` for KMS denials, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::AccessControlListNotSupported => "AccessControlListNotSupported",
            Code::AccessDenied | Code::KmsAccessDenied => "AccessDenied",
            Code::AuthorizationHeaderMalformed => "AuthorizationHeaderMalformed",
            Code::BadDigest => "BadDigest",
            Code::BucketAlreadyOwnedByYou => "BucketAlreadyOwnedByYou",
            Code::ConditionalRequestConflict => "ConditionalRequestConflict",
            Code::EntityTooLarge => "EntityTooLarge",
            Code::EntityTooSmall => "EntityTooSmall",
            Code::ExpiredToken => "ExpiredToken",
            Code::IncompleteBody => "IncompleteBody",
            Code::InternalError => "InternalError",
            Code::InvalidAccessKeyId => "InvalidAccessKeyId",
            Code::InvalidArgument => "InvalidArgument",
            Code::InvalidBucketName => "InvalidBucketName",
            Code::InvalidDigest => "InvalidDigest",
            Code::InvalidObjectState => "InvalidObjectState",
            Code::InvalidPart => "InvalidPart",
            Code::InvalidPartOrder => "InvalidPartOrder",
            Code::InvalidRange => "InvalidRange",
            Code::InvalidRequest => "InvalidRequest",
            Code::InvalidStorageClass => "InvalidStorageClass",
            Code::InvalidTag => "InvalidTag",
            Code::InvalidToken => "InvalidToken",
            Code::InvalidUri => "InvalidURI",
            Code::KeyTooLongError => "KeyTooLongError",
            Code::MalformedXml => "MalformedXML",
            Code::MetadataTooLarge => "MetadataTooLarge",
            Code::MethodNotAllowed => "MethodNotAllowed",
            Code::MissingContentLength => "MissingContentLength",
            Code::NoSuchBucket => "NoSuchBucket",
            Code::NoSuchKey => "NoSuchKey",
            Code::NoSuchUpload => "NoSuchUpload",
            Code::NoSuchVersion => "NoSuchVersion",
            Code::NotImplemented => "NotImplemented",
            Code::NotModified => "NotModified",
            Code::PreconditionFailed => "PreconditionFailed",
            Code::RequestTimeTooSkewed => "RequestTimeTooSkewed",
            Code::RequestTimeout => "RequestTimeout",
            Code::ServiceUnavailable => "ServiceUnavailable",
            Code::SignatureDoesNotMatch => "SignatureDoesNotMatch",
            Code::SlowDown => "SlowDown",
            Code::XAmzContentSha256Mismatch => "XAmzContentSHA256Mismatch",
        }
    }

    /// The HTTP status that S3 gives with it.
    pub fn status(self) -> u16 {
        match self {
            Code::NotModified => 304,
            Code::AccessControlListNotSupported
            | Code::AuthorizationHeaderMalformed
            | Code::BadDigest
            | Code::EntityTooLarge
            | Code::EntityTooSmall
            | Code::ExpiredToken
            | Code::IncompleteBody
            | Code::InvalidArgument
            | Code::InvalidBucketName
            | Code::InvalidDigest
            | Code::InvalidPart
            | Code::InvalidPartOrder
            | Code::InvalidRequest
            | Code::InvalidStorageClass
            | Code::InvalidTag
            | Code::InvalidToken
            | Code::InvalidUri
            | Code::KeyTooLongError
            | Code::MalformedXml
            | Code::MetadataTooLarge
            | Code::RequestTimeout
            | Code::XAmzContentSha256Mismatch => 400,
            Code::AccessDenied
            | Code::InvalidAccessKeyId
            | Code::InvalidObjectState
            | Code::KmsAccessDenied
            | Code::RequestTimeTooSkewed
            | Code::SignatureDoesNotMatch => 403,
            Code::NoSuchBucket | Code::NoSuchKey | Code::NoSuchUpload | Code::NoSuchVersion => 404,
            Code::MethodNotAllowed => 405,
            Code::BucketAlreadyOwnedByYou | Code::ConditionalRequestConflict => 409,
            Code::MissingContentLength => 411,
            Code::PreconditionFailed => 412,
            Code::InvalidRange => 416,
            Code::InternalError => 500,
            Code::NotImplemented => 501,
            Code::ServiceUnavailable | Code::SlowDown => 503,
        }
    }
}

/// Why a request is not served, as the caller may know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Refusal {
    /// S3's code.
    pub code: Code,
    /// One sentence for a person, with what to do next where there is something.
    pub message: String,
    /// Headers of a 304 or 416 (`ETag`, `Content-Range`…), lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal of that code with that text.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), headers: Vec::new() }
    }

    /// The same, with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
