//! What a failed call means: S3's codes and statuses ("Error responses") as [`Trouble`].
//!
//! Of the backend's words only its code is kept: its messages name principals, keys and what was signed.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use crate::backend::Trouble;

/// What was asked for: a HEAD has no body, so its 404 does not say what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Object,
    Bucket,
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
            Some(error) if error.is_io() => Trouble::Broken(format!("it cannot be reached: {}", cause(error))),
            // Where no source of a credential answers, the SDK gives up with an error that it does not name.
            Some(_) | None => Trouble::Broken("it cannot be reached, or no credential was found in time".to_owned()),
        },
        SdkError::ServiceError(failure) => {
            let meta = failure.err().meta();
            said(asked, failure.raw(), meta.code().unwrap_or_default(), meta.message().unwrap_or_default())
        }
        SdkError::ResponseError(failure) if !failure.raw().status().is_success() => said(asked, failure.raw(), "", ""),
        SdkError::ResponseError(_) => Trouble::Broken("its answer cannot be read".to_owned()),
        // The SDK's enum is open.
        SdkError::ConstructionFailure(_) | _ => Trouble::Broken("the request could not be made".to_owned()),
    }
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
    Some(match found {
        CredentialsError::CredentialsNotLoaded(_) => {
            "none was found in the environment, a profile, web identity, the container or the instance"
        }
        CredentialsError::ProviderTimedOut(_) => "its source did not answer in time",
        CredentialsError::InvalidConfiguration(_) => {
            "its settings cannot be used; a profile's `credential_process`, `sso_session` and `login_session` are not read"
        }
        // The SDK's enum is open.
        CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_) | _ => {
            "its source failed, or refused to give one"
        }
    })
}

fn said(asked: Asked, raw: &HttpResponse, code: &str, message: &str) -> Trouble {
    let status = raw.status().as_u16();
    match code {
        "NoSuchKey" | "NoSuchVersion" => return Trouble::NoSuchKey,
        "NoSuchBucket" => return Trouble::NoSuchBucket,
        "InvalidRange" | "InvalidPartNumber" => return Trouble::InvalidRange { size: size_told(raw) },
        "PreconditionFailed" => return Trouble::Changed,
        "InvalidObjectState" => return Trouble::Archived,
        "SlowDown" | "ServiceUnavailable" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => {
            return Trouble::Busy;
        }
        "RequestTimeout" => return Trouble::Timeout,
        _ if code.starts_with("KMS.") => return Trouble::KeyService(shown(status, code)),
        "AccessDenied" if message.to_ascii_lowercase().contains("kms") => {
            return Trouble::KeyService(shown(status, code));
        }
        _ => {}
    }
    match (status, asked) {
        (404, Asked::Object) => Trouble::NoSuchKey,
        (404, Asked::Bucket) => Trouble::NoSuchBucket,
        (401 | 403, _) => Trouble::Refused(shown(status, code)),
        (412, _) => Trouble::Changed,
        (416, _) => Trouble::InvalidRange { size: size_told(raw) },
        (408 | 504, _) => Trouble::Timeout,
        (429 | 503, _) => Trouble::Busy,
        (301..=308, _) => Trouble::Broken(format!("it redirects: {}", shown(status, code))),
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
fn size_told(raw: &HttpResponse) -> Option<u64> {
    if let Some(size) = raw.headers().get("content-range").and_then(|value| value.strip_prefix("bytes */")) {
        return size.parse().ok();
    }
    let body = std::str::from_utf8(raw.body().bytes()?).ok()?;
    let (_, rest) = body.split_once("<ActualObjectSize>")?;
    rest.split_once('<')?.0.parse().ok()
}

/// The innermost cause of a failed connection, such as `Connection refused (os error 111)`.
fn cause(error: &ConnectorError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
