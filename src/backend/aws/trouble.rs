//! What a failed call means: S3's codes and statuses ("Error responses") as [`Trouble`].
//!
//! Of the backend's words only its code is kept: its messages name principals, keys and what was signed.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use http::response::Parts;

use super::xml;
use crate::backend::Trouble;

/// What was asked for: a HEAD has no body, so its 404 does not say what is missing; nor does a 412 say what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// An object that is there now.
    Object,
    /// A version of one.
    Version,
    /// A bucket.
    Bucket,
    /// That something is written.
    Write,
    /// That something is copied.
    Copy,
    /// What is done with an upload in parts.
    Upload,
}

impl Asked {
    /// What a failed condition is about: of a read or a copy the object that was pinned, of a write what is there.
    fn condition(self) -> Trouble {
        match self {
            Asked::Object | Asked::Version | Asked::Bucket | Asked::Copy => Trouble::Changed,
            Asked::Write | Asked::Upload => Trouble::Occupied,
        }
    }

    /// What is missing where only a status says so.
    fn missing(self) -> Trouble {
        match self {
            Asked::Object | Asked::Copy => Trouble::NoSuchKey,
            Asked::Version => Trouble::NoSuchVersion,
            Asked::Bucket | Asked::Write => Trouble::NoSuchBucket,
            Asked::Upload => Trouble::NoSuchUpload,
        }
    }

    /// What a value that the store refuses is.
    fn invalid(self, status: u16, code: &str, message: &str) -> Trouble {
        match self {
            Asked::Version => Trouble::NoSuchVersion,
            Asked::Copy if message.contains("to itself") => Trouble::Invalid("copy of an object onto itself"),
            Asked::Copy if message.contains("larger than") => Trouble::TooLarge,
            Asked::Write | Asked::Copy | Asked::Upload => Trouble::Invalid("request"),
            Asked::Object | Asked::Bucket => Trouble::Broken(shown(status, code)),
        }
    }
}

pub(super) fn of<E>(asked: Asked, error: &SdkError<E, HttpResponse>) -> Trouble
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(why) = without_credential(error) {
        return Trouble::NoCredential(why);
    }
    match error {
        SdkError::TimeoutError(_) => Trouble::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Trouble::Timeout,
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if error.is_io() => unreachable(error),
            // Where no source of a credential answers, the SDK gives up with an error that it does not name.
            Some(_) | None => Trouble::Broken("it cannot be reached, or no credential was found in time".to_owned()),
        },
        SdkError::ServiceError(failure) => {
            let meta = failure.err().meta();
            let said = Said::of(failure.raw());
            told(asked, &said, meta.code().unwrap_or_default(), meta.message().unwrap_or_default())
        }
        SdkError::ResponseError(failure) if !failure.raw().status().is_success() => {
            told(asked, &Said::of(failure.raw()), "", "")
        }
        SdkError::ResponseError(_) => Trouble::Broken("its answer cannot be read".to_owned()),
        // The SDK's enum is open.
        SdkError::ConstructionFailure(_) | _ => Trouble::Broken("the request could not be made".to_owned()),
    }
}

/// The same of an answer to a request of our own, with its document, or nothing where that cannot be had.
pub(super) fn of_answer(asked: Asked, head: &Parts, document: &[u8]) -> Trouble {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (code, message) = (element(document, "Code"), element(document, "Message"));
    let said = Said {
        status: head.status.as_u16(),
        is_marker: header("x-amz-delete-marker") == Some("true"),
        content_range: header("content-range"),
        document,
    };
    told(asked, &said, &code.unwrap_or_default(), &message.unwrap_or_default())
}

/// That there is no connection, with the innermost cause, such as `Connection refused (os error 111)`.
pub(super) fn unreachable(error: &(dyn Error + 'static)) -> Trouble {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Trouble::Broken(format!("it cannot be reached: {cause}"))
}

/// That there is nothing to sign with.
pub(super) fn credential(error: &CredentialsError) -> Trouble {
    Trouble::NoCredential(why_none(error))
}

/// The trouble with one entry of an answer that is about many.
pub(super) fn of_entry(asked: Asked, code: &str, message: &str) -> Trouble {
    coded(asked, 200, code, message).unwrap_or_else(|| Trouble::Broken(shown(200, code)))
}

/// Why there was nothing to sign with, if that is what failed. What the sources themselves said is not repeated: it may
/// quote their answers, and those hold secrets.
fn without_credential(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = error;
    let found = loop {
        match cause.downcast_ref::<CredentialsError>() {
            Some(found) => break found,
            None => cause = cause.source()?,
        }
    };
    Some(why_none(found))
}

fn why_none(error: &CredentialsError) -> &'static str {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "none was found in the environment, a profile, web identity, the container or the instance"
        }
        CredentialsError::ProviderTimedOut(_) => "its source did not answer in time",
        CredentialsError::InvalidConfiguration(_) => {
            "its settings cannot be used; a profile's `sso_session` and `login_session` are not read"
        }
        // The SDK's enum is open.
        CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_) | _ => {
            "its source failed, or refused to give one"
        }
    }
}

/// What an answer that is an error says beside its code and its message.
struct Said<'a> {
    status: u16,
    /// `x-amz-delete-marker`
    is_marker: bool,
    content_range: Option<&'a str>,
    document: &'a [u8],
}

impl<'a> Said<'a> {
    fn of(raw: &'a HttpResponse) -> Self {
        Self {
            status: raw.status().as_u16(),
            is_marker: raw.headers().get("x-amz-delete-marker") == Some("true"),
            content_range: raw.headers().get("content-range"),
            document: raw.body().bytes().unwrap_or_default(),
        }
    }
}

fn told(asked: Asked, said: &Said<'_>, code: &str, message: &str) -> Trouble {
    let trouble = match coded(asked, said.status, code, message) {
        Some(Trouble::InvalidRange { .. }) => Trouble::InvalidRange { size: size_told(said) },
        Some(trouble) => trouble,
        None => by_status(asked, said, code),
    };
    match (said.status, asked) {
        (404 | 405, Asked::Version) if said.is_marker => Trouble::DeleteMarker,
        (404, Asked::Object) if said.is_marker => Trouble::NoSuchKey,
        _ => trouble,
    }
}

/// What S3's codes say.
fn coded(asked: Asked, status: u16, code: &str, message: &str) -> Option<Trouble> {
    let message = message.to_ascii_lowercase();
    Some(match code {
        "NoSuchKey" => Trouble::NoSuchKey,
        "NoSuchVersion" => Trouble::NoSuchVersion,
        "NoSuchBucket" => Trouble::NoSuchBucket,
        "NoSuchUpload" => Trouble::NoSuchUpload,
        "InvalidRange" | "InvalidPartNumber" => Trouble::InvalidRange { size: None },
        "InvalidPart" => Trouble::InvalidPart,
        "InvalidPartOrder" => Trouble::InvalidPartOrder,
        "EntityTooSmall" => Trouble::TooSmall,
        "EntityTooLarge" => Trouble::TooLarge,
        "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => {
            Trouble::BadDigest
        }
        "InvalidStorageClass" => Trouble::Invalid("storage class"),
        "InvalidTag" => Trouble::Invalid("tag"),
        "MetadataTooLarge" => Trouble::Invalid("metadata"),
        "InvalidArgument" | "InvalidRequest" | "MalformedXML" => asked.invalid(status, code, &message),
        "NotImplemented" => Trouble::Unable("do this"),
        "ConditionalRequestConflict" | "OperationAborted" => Trouble::Conflict,
        "PreconditionFailed" => asked.condition(),
        "InvalidObjectState" => Trouble::Archived,
        "SlowDown" | "ServiceUnavailable" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => {
            Trouble::Busy
        }
        "RequestTimeout" => Trouble::Timeout,
        _ if code.starts_with("KMS.") => Trouble::KeyService(shown(status, code)),
        "AccessDenied" if message.contains("kms") => Trouble::KeyService(shown(status, code)),
        "AccessDenied" if message.contains("object lock") => Trouble::Locked,
        "ObjectLocked" => Trouble::Locked,
        _ => return None,
    })
}

fn by_status(asked: Asked, said: &Said<'_>, code: &str) -> Trouble {
    let status = said.status;
    match status {
        404 => asked.missing(),
        400 if code.is_empty() && asked == Asked::Version => Trouble::NoSuchVersion,
        // What cannot be read of a version is that of a delete marker (S3, "Working with delete markers").
        405 if asked == Asked::Version => Trouble::DeleteMarker,
        401 | 403 => Trouble::Refused(shown(status, code)),
        409 if asked != Asked::Bucket => Trouble::Conflict,
        412 => asked.condition(),
        413 => Trouble::TooLarge,
        416 => Trouble::InvalidRange { size: size_told(said) },
        408 | 504 => Trouble::Timeout,
        429 | 503 => Trouble::Busy,
        501 => Trouble::Unable("do this"),
        301..=308 => Trouble::Broken(format!("it redirects: {}", shown(status, code))),
        _ => Trouble::Broken(shown(status, code)),
    }
}

/// Status and code; a code that is not a word in S3's spelling, as an access key id would be, is not repeated.
pub(super) fn shown(status: u16, code: &str) -> String {
    let word = (1..=64).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        && code.bytes().any(|b| b.is_ascii_lowercase());
    if word { format!("{status} {code}") } else { status.to_string() }
}

/// The object's size, which a 416 tells as `Content-Range: bytes */SIZE` or, S3 itself, as `ActualObjectSize`.
fn size_told(said: &Said<'_>) -> Option<u64> {
    if let Some(size) = said.content_range.and_then(|value| value.strip_prefix("bytes */")) {
        return size.parse().ok();
    }
    element(said.document, "ActualObjectSize")?.parse().ok()
}

/// The text of the first element of that name directly below the root, as far as the document can be read.
fn element(document: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    // Of a document that breaks off, what came before counts.
    xml::read(document, |path, text| {
        if found.is_none() && matches!(path, [_, element] if *element == name) {
            found = Some(std::mem::take(text));
        }
    });
    found
}
