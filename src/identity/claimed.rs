//! The credential of one request, as the wire states it: none, a bearer token, or a signature. Pure.
//!
//! A request has exactly one. Where two could be read, two readers would pick different ones, so it is refused; so is
//! every form that we do not speak (Signature Version 2, Basic, SigV4a). Nothing here is proven yet.

use std::borrow::Cow;

use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::RoleName;
use super::sigv4::{ALGORITHM, SignedClaim, single};
use super::token::UnverifiedToken;
use crate::limits::QUERY_PARAMS_MAX;
use crate::s3::error::{Code, Refusal};

/// The header with which a bearer of several roles names one.
pub const ROLE_HEADER: &str = "x-tracegate-role";

/// The path below which the container-credentials door lies.
pub const CREDENTIALS_PATH: &str = "/-/credentials";

/// What a request says of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing.
    None,
    /// A token: an issuer's, or a static one.
    Bearer(BearerClaim),
    /// A signature with a session's key.
    Signed(Box<SignedClaim>),
}

/// A token in `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerClaim {
    /// The token.
    pub token: UnverifiedToken,
    /// The role that `x-tracegate-role` names.
    pub role: Option<RoleName>,
}

impl Claimed {
    /// Reads the credential of a request. The refusal says what to change.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap, now: Timestamp) -> Result<Self, Refusal> {
        let query = form_pairs(uri.query().unwrap_or_default())?;
        let presigned = check_query_names(&query)?;
        let authorization = authorization(headers)?;
        let role = role(headers)?;
        let claimed = match (authorization, presigned) {
            (Some(_), true) => return Err(invalid("A request has one credential: Authorization, or the query's, not both.")),
            (None, true) => Self::Signed(Box::new(SignedClaim::of_query(&query, headers, now)?)),
            (None, false) => Self::None,
            (Some(value), false) => Self::of_header(value, method, uri.path(), headers, now)?,
        };
        match claimed {
            Self::Bearer(claim) => Ok(Self::Bearer(BearerClaim { role, ..claim })),
            Self::Signed(_) if role.is_some() => {
                Err(invalid("A session has the one role that it was issued for; x-tracegate-role goes with Bearer."))
            }
            Self::Signed(_) | Self::None => Ok(claimed),
        }
    }

    fn of_header(value: &str, method: &Method, path: &str, headers: &HeaderMap, now: Timestamp) -> Result<Self, Refusal> {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let (scheme, rest) = (scheme.trim(), rest.trim());
        if scheme == ALGORITHM {
            let claim = SignedClaim::of_header(rest, method, path, headers, now)?;
            return Ok(Self::Signed(Box::new(claim)));
        }
        let raw_at_the_door = rest.is_empty() && (path == CREDENTIALS_PATH || path.starts_with("/-/credentials/"));
        let token = match () {
            () if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() => rest,
            () if raw_at_the_door => scheme,
            () if scheme == "AWS" => return Err(version_2()),
            () => return Err(invalid("Authorization must be AWS4-HMAC-SHA256 or Bearer.")),
        };
        if headers.contains_key("x-amz-security-token") {
            return Err(invalid("x-amz-security-token goes with a signature, not with Bearer."));
        }
        let token = UnverifiedToken::new(token).map_err(|error| Refusal::new(Code::InvalidToken, error.to_string()))?;
        Ok(Self::Bearer(BearerClaim { token, role: None }))
    }
}

fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(invalid("A request has one credential: Authorization must not stand twice.")),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| invalid("Authorization is not ASCII."))?;
            Ok(Some(text.trim()))
        }
    }
}

fn role(headers: &HeaderMap) -> Result<Option<RoleName>, Refusal> {
    let Some(name) = single(headers, ROLE_HEADER)? else { return Ok(None) };
    name.parse().map(Some).map_err(|why| invalid(&format!("{ROLE_HEADER}: {why}.")))
}

/// The names and values of a query or form, decoded as the signature's verifier decodes them (form encoding).
pub(super) fn form_pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let decode = |text: &str| -> Result<String, Refusal> {
        let text: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
        let decoded = percent_decode_str(&text).decode_utf8();
        decoded.map(Cow::into_owned).map_err(|_| Refusal::new(Code::InvalidUri, "The query is not UTF-8."))
    };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == QUERY_PARAMS_MAX {
            return Err(Refusal::new(Code::InvalidUri, "The query has too many parameters."));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

/// Refuses Signature Version 2 and doubled or oddly written `X-Amz-*` names; tells whether the query holds a
/// credential.
fn check_query_names(query: &[(String, String)]) -> Result<bool, Refusal> {
    const CREDENTIAL: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
    ];
    let mut presigned = false;
    for (at, (name, _)) in query.iter().enumerate() {
        if name.eq_ignore_ascii_case("AWSAccessKeyId") || name.eq_ignore_ascii_case("Signature") {
            return Err(version_2());
        }
        if let Some(known) = CREDENTIAL.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            presigned = true;
            if known != name {
                return Err(invalid(&format!("The query parameter {known} must be written so.")));
            }
        }
        let amz = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        if amz && query[..at].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(invalid("A query parameter X-Amz-* must not stand twice."));
        }
    }
    Ok(presigned)
}

fn version_2() -> Refusal {
    let why = "AWS Signature Version 2 is not accepted; use AWS4-HMAC-SHA256 (aws configure set default.s3.signature_version s3v4).";
    Refusal::new(Code::InvalidRequest, why)
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(Code::InvalidRequest, why)
}

#[cfg(test)]
#[path = "claimed_tests.rs"]
mod tests;
