//! The head of a request before s3s: what HTTP itself must hold, and what s3s must not see. Pure.

use http::{HeaderMap, Version, header};
use s3s::dto::{self, ETagCondition, TimestampFormat};

use crate::limits;
use crate::s3::conditional;
use crate::s3::error::{Code, Refusal};

/// What HTTP itself must hold: one host, a target that is a path.
pub(super) fn check_framing(parts: &http::request::Parts) -> Result<(), Refusal> {
    let invalid = |text: &str| Err(Refusal::new(Code::InvalidRequest, text));
    let one = |name: header::HeaderName| parts.headers.get_all(name).iter().count() <= 1;
    if !one(header::HOST) || !one(header::CONTENT_LENGTH) || !one(header::TRANSFER_ENCODING) {
        return invalid("Host, Content-Length and Transfer-Encoding must not stand twice.");
    }
    if parts.version < Version::HTTP_2 && !parts.headers.contains_key(header::HOST) {
        return invalid("The request must have a Host.");
    }
    if parts.headers.contains_key(header::TRANSFER_ENCODING) && parts.headers.contains_key(header::CONTENT_LENGTH) {
        return invalid("Transfer-Encoding and Content-Length exclude each other.");
    }
    if parts.version < Version::HTTP_2 && parts.uri.authority().is_some() {
        return invalid("The request target must be a path, not a URL.");
    }
    if parts.version < Version::HTTP_11 {
        // Without chunks or a length, a cut response would look whole.
        return invalid("HTTP/1.1 or HTTP/2 is needed.");
    }
    if parts.headers.len() > limits::HEADERS_MAX {
        return invalid("There are too many headers.");
    }
    Ok(())
}

/// Whether s3s would refuse a header that S3 ignores, or of which it reads more than s3s does.
pub(super) fn s3s_would_stumble(headers: &HeaderMap) -> bool {
    let unread = |name: &header::HeaderName, reads: fn(&str) -> bool| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => false,
            (Some(value), None) => !value.to_str().is_ok_and(reads),
            (Some(_), Some(_)) => true,
        }
    };
    let tag: fn(&str) -> bool = |text| ETagCondition::parse_http_header(text.as_bytes()).is_ok();
    let date: fn(&str) -> bool = |text| dto::Timestamp::parse(TimestampFormat::HttpDate, text).is_ok();
    unread(&header::RANGE, |text| dto::Range::parse(text).is_ok())
        || unread(&header::IF_MATCH, tag)
        || unread(&header::IF_NONE_MATCH, tag)
        || unread(&header::IF_MODIFIED_SINCE, date)
        || unread(&header::IF_UNMODIFIED_SINCE, date)
}

/// Takes away what s3s need not see of a request whose caller is proven: the credential, and what the rim has read.
pub(super) fn strip(parts: &mut http::request::Parts) {
    let amz: Vec<header::HeaderName> =
        parts.headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).cloned().collect();
    for name in amz.iter().filter(|name| *name != "x-amz-object-attributes") {
        parts.headers.remove(name);
    }
    parts.headers.remove(header::AUTHORIZATION);
    for name in &conditional::HEADERS {
        parts.headers.remove(name);
    }
    let query = parts.uri.query().unwrap_or_default();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-")))
        .collect();
    let target = match kept[..] {
        [] => parts.uri.path().to_owned(),
        _ => format!("{}?{}", parts.uri.path(), kept.join("&")),
    };
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = target.parse().ok();
    parts.uri = http::Uri::from_parts(uri).unwrap_or_default();
}
