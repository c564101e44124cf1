//! AWS Signature Version 4 as a request states it: which key, which scope, which headers, when. Pure parsing.
//!
//! The signature itself is verified behind us. What is checked here is what a verifier alone does not: that nothing
//! which gives the request its meaning was left unsigned, and that the times hold. Shapes: "Authenticating Requests
//! (AWS Signature Version 4)" in the S3 API reference.

use std::time::Duration;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::chunks::ChunkSigner;
use super::secret::SecretText;
use crate::limits::{PRESIGN_LIFETIME_MAX, SESSION_TOKEN_BYTES_MAX, SIGNATURE_SKEW};
use crate::s3::error::{Code, Refusal};
use crate::s3::payload::chunked::Signature;

/// The one algorithm that we speak; SigV4a and everything older is refused.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signed request claims. Nothing of it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedClaim {
    /// The access key id, as sent: 1 to 128 letters and digits.
    pub access_key_id: String,
    /// The sealed session token.
    pub session_token: SecretText,
    /// Set when the signature stands in the query.
    pub presigned: Option<Presigned>,
    /// The service that the signature is scoped to. Its date is that of signing.
    pub service: Service,
    /// The region that the signature is scoped to; may be any, clients vary.
    pub region: Box<str>,
    /// The signature itself, from which those of a body's chunks go on.
    pub signature: Signature,
    /// When the request says that it was signed.
    pub signed_at: Timestamp,
}

/// How long a presigned URL holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presigned {
    /// `X-Amz-Expires`.
    pub lifetime: Duration,
    /// The moment from which on it is refused.
    pub expires: Timestamp,
}

/// The services that signatures may be scoped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `s3`
    S3,
    /// `sts`, on `POST /` only
    Sts,
}

/// The parts of a signature's statement, whether from the header or from the query.
struct Statement<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    date: &'a str,
}

impl SignedClaim {
    /// Reads the header form: the value of `Authorization` behind the algorithm.
    pub fn of_header(
        statement: &str,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut parts = statement.split(',').map(str::trim);
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let (Some(credential), Some(signed_headers), Some(signature), None) =
            (part("Credential="), part("SignedHeaders="), part("Signature="), part(""))
        else {
            return Err(malformed("Authorization must hold Credential, SignedHeaders and Signature, in this order"));
        };
        let date = single(headers, "x-amz-date")?.ok_or_else(|| malformed("a signed request needs one x-amz-date"))?;
        let token = single(headers, "x-amz-security-token")?.ok_or_else(no_token)?;
        let claim = read(&Statement { credential, signed_headers, signature, date }, token, headers)?;
        if claim.signed_at.duration_since(now).unsigned_abs() > SIGNATURE_SKEW {
            return Err(Refusal::new(
                Code::RequestTimeTooSkewed,
                "The difference between the request time and the server's time is more than 15 minutes.",
            ));
        }
        for_place(claim, method == Method::POST && path == "/")
    }

    /// Reads the presigned form from the decoded query, whose `X-Amz-*` names are known to stand once.
    pub fn of_query(query: &[(String, String)], headers: &HeaderMap, now: Timestamp) -> Result<Self, Refusal> {
        let find = |name: &str| query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let need = |name: &str| find(name).ok_or_else(|| malformed(format!("a presigned URL needs {name}")));
        if need("X-Amz-Algorithm")? != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm must be AWS4-HMAC-SHA256"));
        }
        if headers.contains_key("x-amz-security-token") {
            return Err(two_tokens());
        }
        let statement = Statement {
            credential: need("X-Amz-Credential")?,
            signed_headers: need("X-Amz-SignedHeaders")?,
            signature: need("X-Amz-Signature")?,
            date: need("X-Amz-Date")?,
        };
        let lifetime = lifetime(need("X-Amz-Expires")?)?;
        let token = find("X-Amz-Security-Token").ok_or_else(no_token)?;
        let mut claim = read(&statement, token, headers)?;
        let expires = claim.signed_at.checked_add(lifetime).map_err(|_| malformed("X-Amz-Date is out of range"))?;
        if claim.signed_at.duration_since(now) > jiff::SignedDuration::try_from(SIGNATURE_SKEW).unwrap_or_default() {
            return Err(Refusal::new(Code::AccessDenied, "Request is not valid yet"));
        }
        if now >= expires {
            return Err(Refusal::new(Code::AccessDenied, "Request has expired"));
        }
        claim.presigned = Some(Presigned { lifetime, expires });
        for_place(claim, false)
    }
}

impl SignedClaim {
    /// What verifies the signatures of the body's chunks, once the head's own is verified with this secret. A presigned
    /// URL signs no body.
    pub fn chunk_signer(&self, secret: &SecretText) -> Option<ChunkSigner> {
        match self.presigned {
            Some(_) => None,
            None => Some(ChunkSigner::new(secret, self.signed_at, &self.region, self.service, self.signature)),
        }
    }
}

impl Service {
    /// The word of a credential's scope.
    pub fn word(self) -> &'static str {
        match self {
            Service::S3 => "s3",
            Service::Sts => "sts",
        }
    }
}

fn read(statement: &Statement<'_>, token: &str, headers: &HeaderMap) -> Result<SignedClaim, Refusal> {
    let signed_at = amz_date(statement.date).ok_or_else(|| malformed("x-amz-date must look like 20260131T235959Z"))?;
    let [access_key_id, day, region, service, "aws4_request"] = statement.credential.split('/').collect::<Vec<_>>()[..]
    else {
        return Err(malformed("a credential is KEY/DATE/REGION/SERVICE/aws4_request"));
    };
    let sound_id = (1..=128).contains(&access_key_id.len()) && access_key_id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !sound_id {
        return Err(malformed("an access key id is 1 to 128 letters and digits"));
    }
    if day.len() != 8 || !statement.date.starts_with(day) {
        return Err(malformed("the date of the credential's scope must be that of x-amz-date"));
    }
    let service = match service {
        "s3" => Service::S3,
        "sts" => Service::Sts,
        _ => return Err(malformed("the credential's scope must name the service s3")),
    };
    let signature = Signature::parse(statement.signature.as_bytes())
        .ok_or_else(|| malformed("a signature is 64 lower-case hexadecimal digits"))?;
    covers(statement.signed_headers, headers)?;
    if token.is_empty() || token.len() > SESSION_TOKEN_BYTES_MAX {
        return Err(Refusal::new(Code::InvalidToken, "The session token is empty or too long."));
    }
    Ok(SignedClaim {
        access_key_id: access_key_id.to_owned(),
        session_token: SecretText::new(token),
        presigned: None,
        service,
        region: region.into(),
        signature,
        signed_at,
    })
}

/// `host` and every `x-amz-*` header of the request must be signed, and stand once: an unsigned `x-amz-copy-source`
/// would turn a presigned upload into a copy.
fn covers(signed_headers: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let signed: Vec<&str> = signed_headers.split(';').collect();
    let sound =
        |name: &&str| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace());
    if !signed.iter().all(sound) || (1..signed.len()).any(|at| signed[..at].contains(&signed[at])) {
        return Err(malformed("SignedHeaders must be lower-case names that stand once"));
    }
    if !signed.contains(&"host") {
        return Err(unsigned("host"));
    }
    for name in headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
        if !signed.contains(&name.as_str()) {
            return Err(unsigned(name.as_str()));
        }
        single(headers, name.as_str())?;
    }
    Ok(())
}

fn for_place(claim: SignedClaim, at_sts: bool) -> Result<SignedClaim, Refusal> {
    match (claim.service, at_sts) {
        (Service::S3, false) | (Service::Sts, true) => Ok(claim),
        (Service::Sts, false) => Err(malformed("a signature for sts is good for POST / only")),
        (Service::S3, true) => Err(malformed("a signature for POST / must name the service sts")),
    }
}

fn lifetime(text: &str) -> Result<Duration, Refusal> {
    let wrong = || malformed("X-Amz-Expires must be 1 to 604800 seconds");
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let lifetime = Duration::from_secs(text.parse().map_err(|_| wrong())?);
    if lifetime.is_zero() || lifetime > PRESIGN_LIFETIME_MAX { Err(wrong()) } else { Ok(lifetime) }
}

/// `20260131T235959Z`, and nothing else that a lenient parser would take.
fn amz_date(text: &str) -> Option<Timestamp> {
    let shape = text.len() == 16
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok().filter(|_| shape)?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The header's value if it stands once, as text.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let (first, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(Refusal::new(Code::InvalidRequest, format!("The header {name} must not stand twice.")));
    }
    let text = |value: &'h http::HeaderValue| {
        value.to_str().map_err(|_| Refusal::new(Code::InvalidRequest, format!("The header {name} is not ASCII.")))
    };
    first.map(text).transpose()
}

fn malformed(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::AuthorizationHeaderMalformed, format!("The signature cannot be read: {why}."))
}

fn unsigned(name: &str) -> Refusal {
    Refusal::new(Code::AccessDenied, format!("There were headers present in the request which were not signed: {name}"))
}

fn no_token() -> Refusal {
    let why = "The request has no session token (x-amz-security-token); long-lived keys are not known here.";
    Refusal::new(Code::InvalidToken, why)
}

fn two_tokens() -> Refusal {
    Refusal::new(Code::InvalidRequest, "The session token must stand in the header or in the query, not in both.")
}
