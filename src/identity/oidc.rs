//! The rules by which an issuer's token is believed. Pure: keys and time are given.
//!
//! OpenID Connect Core 1.0 section 3.1.3.7, RFC 7519, RFC 8725 (best current practices). The required claims are
//! checked here by type, whatever a library thinks of them: a library once counted an `exp` that was a text as absent
//! (CVE-2026-25537).

use jiff::Timestamp;
use jsonwebtoken::crypto;

use super::Claims;
use super::issuer::IssuerTerms;
use super::json::Json;
use super::jwks::Key;
use super::token::{Jwt, UnverifiedToken};
use crate::limits::{GROUPS_MAX, JWT_LIFETIME_MAX, JWT_SKEW, JWT_SUBJECT_BYTES_MAX};

/// Why a token is not believed. The texts name rules and the caller's own issuer, never our keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token at all.
    #[error("The token cannot be read: {0}.")]
    Malformed(&'static str),
    /// A header parameter that would choose the key, or that nobody here understands.
    #[error("The token's header must not hold this {0:?}.")]
    Header(&'static str),
    /// Unsigned, symmetric, or not allowed for this issuer or key.
    #[error("The token's signature algorithm {0:?} is not allowed for its issuer and key.")]
    Algorithm(String),
    /// No issuer of ours.
    #[error("The token's issuer is not known here.")]
    Issuer,
    /// The issuer's key set has no such key.
    #[error("The token is signed with a key that its issuer does not list.")]
    UnknownKey,
    /// The signature is wrong.
    #[error("The token's signature is wrong.")]
    Signature,
    /// A required claim is missing or of another type than the standards say.
    #[error("The token's claim {0:?} is missing or has the wrong type.")]
    Claim(&'static str),
    /// For somebody else.
    #[error("The token is for another audience.")]
    Audience,
    /// Over.
    #[error("The token has expired.")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("The token is not valid yet; compare the clocks.")]
    NotYet,
    /// `exp` lies too far behind `iat`.
    #[error("The token is valid for more than 24 hours; ask the identity provider for shorter ones.")]
    TooLong,
    /// The issuer left the groups out because there are too many.
    #[error(
        "The token leaves out its groups because there are too many (groups overage). Let the identity provider send \
         only the groups that are assigned to the application."
    )]
    Overage,
    /// More groups than we read.
    #[error("The token lists more than 1000 values in one claim.")]
    TooManyGroups,
    /// The issuer's keys cannot be fetched, and none that are still believed are at hand.
    #[error("The keys of the token's issuer cannot be fetched at the moment; try again.")]
    ProviderUnavailable,
}

/// A token whose signature, issuer, audience and times have been verified.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedToken {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) name: Option<String>,
    /// The one of our audiences that it is for.
    pub(super) audience: String,
    pub(super) issued: Timestamp,
    /// `exp` itself: no session made from this token outlives it.
    pub(super) expires: Timestamp,
    pub(super) digest: [u8; 32],
    claims: Json,
    group_claims: Vec<String>,
    immutable_claims: Vec<String>,
}

impl VerifiedToken {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// The one of our audiences that it is for.
    pub fn audience(&self) -> &str {
        &self.audience
    }
    /// `exp`.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
    /// The moment from which on it is no longer believed: `exp` and the allowed clock difference.
    pub fn believed_until(&self) -> Timestamp {
        self.expires.checked_add(JWT_SKEW).unwrap_or(Timestamp::MAX)
    }

    /// The values of the claim at a dotted path; a group claim's text is parted at its commas.
    pub fn values(&self, path: &str) -> Vec<String> {
        let found = self.claims.at(path);
        if let Some(text) = found.and_then(Json::text).filter(|_| self.group_claims.iter().any(|claim| claim == path)) {
            return text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        }
        found.map(Json::texts).unwrap_or_default()
    }

    /// Those of the wanted claims that policies may use, because their issuer's entry declares them immutable.
    pub fn usable<'c>(&self, wanted: impl IntoIterator<Item = &'c String>) -> Claims {
        let immutable = wanted.into_iter().filter(|path| self.immutable_claims.contains(path));
        immutable.map(|path| (path.clone(), self.values(path))).filter(|(_, values)| !values.is_empty()).collect()
    }
}

/// Verifies the signature of a token with a key of its issuer, then its claims.
pub(super) fn verify(
    token: &UnverifiedToken,
    jwt: &Jwt<'_>,
    key: &Key,
    terms: &IssuerTerms,
    now: Timestamp,
) -> Result<VerifiedToken, TokenError> {
    // The key says which algorithms it is for; the header only picks among them.
    let algorithm = key.algorithms.iter().find(|allowed| allowed.as_str() == jwt.algorithm);
    let algorithm = algorithm.filter(|algorithm| terms.allows(**algorithm));
    let algorithm = *algorithm.ok_or_else(|| TokenError::Algorithm(jwt.algorithm.clone()))?;
    let sound = crypto::verify(jwt.signature, jwt.message.as_bytes(), &key.verifier, algorithm.verifier());
    if !sound.unwrap_or(false) {
        return Err(TokenError::Signature);
    }
    check_claims(token.digest(), &jwt.claims, terms, now)
}

fn check_claims(digest: [u8; 32], claims: &Json, terms: &IssuerTerms, now: Timestamp) -> Result<VerifiedToken, TokenError> {
    let text = |name: &'static str| claims.member(name).and_then(Json::text).ok_or(TokenError::Claim(name));
    if text("iss")? != terms.issuer() {
        return Err(TokenError::Issuer);
    }
    let audience = audience(claims, terms)?;
    let (issued, expires) = times(claims, now)?;
    let subject = text("sub")?;
    if subject.is_empty() || subject.len() > JWT_SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(TokenError::Claim("sub"));
    }
    check_groups(claims, terms)?;
    let name = terms.name_claim().and_then(|path| claims.at(path)).and_then(Json::text);
    Ok(VerifiedToken {
        issuer: terms.issuer().to_owned(),
        subject: subject.to_owned(),
        name: name.map(|name| name.chars().filter(|c| !c.is_control()).take(JWT_SUBJECT_BYTES_MAX).collect()),
        audience,
        issued,
        expires,
        digest,
        claims: claims.clone(),
        group_claims: terms.group_claims().iter().cloned().collect(),
        immutable_claims: terms.immutable_claims().iter().cloned().collect(),
    })
}

/// `aud` is a text, or an array of nothing but texts (RFC 7519 section 4.1.3); one of them must be ours.
fn audience(claims: &Json, terms: &IssuerTerms) -> Result<String, TokenError> {
    let ours = |text: &str| terms.audiences().iter().find(|ours| *ours == text).cloned();
    match claims.member("aud") {
        Some(Json::Text(text)) => ours(text).ok_or(TokenError::Audience),
        Some(Json::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Json::text).collect();
            let texts = texts.ok_or(TokenError::Claim("aud"))?;
            texts.into_iter().find_map(ours).ok_or(TokenError::Audience)
        }
        Some(Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::Object(_)) | None => {
            Err(TokenError::Claim("aud"))
        }
    }
}

fn times(claims: &Json, now: Timestamp) -> Result<(Timestamp, Timestamp), TokenError> {
    let issued = numeric_date(claims, "iat")?.ok_or(TokenError::Claim("iat"))?;
    let expires = numeric_date(claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
    let starts = numeric_date(claims, "nbf")?.unwrap_or(issued);
    let later = |moment: Timestamp| moment.checked_add(JWT_SKEW).unwrap_or(Timestamp::MAX);
    if issued > later(now) || starts > later(now) {
        return Err(TokenError::NotYet);
    }
    if now >= later(expires) {
        return Err(TokenError::Expired);
    }
    let life = expires.duration_since(issued);
    if !life.is_positive() {
        return Err(TokenError::Claim("exp"));
    }
    if life.unsigned_abs() > JWT_LIFETIME_MAX { Err(TokenError::TooLong) } else { Ok((issued, expires)) }
}

/// A `NumericDate` (RFC 7519 section 2): a number of seconds, perhaps with a fraction, which is dropped. A text is
/// none.
fn numeric_date(claims: &Json, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    #[expect(clippy::cast_possible_truncation, reason = "out of range becomes the nearest second, which is out of range")]
    let seconds = match claims.member(name) {
        None => return Ok(None),
        Some(Json::Integer(seconds)) => *seconds,
        Some(Json::Float(seconds)) => seconds.trunc() as i64,
        Some(Json::Null | Json::Bool(_) | Json::Text(_) | Json::List(_) | Json::Object(_)) => {
            return Err(TokenError::Claim(name));
        }
    };
    let moment = Timestamp::from_second(seconds).ok().filter(|moment| *moment >= Timestamp::UNIX_EPOCH);
    moment.map(Some).ok_or(TokenError::Claim(name))
}

/// A token that says that it left groups out must not count as one without groups: a rule that denies a group would
/// not match.
fn check_groups(claims: &Json, terms: &IssuerTerms) -> Result<(), TokenError> {
    let hinted = ["_claim_names", "hasgroups", "groups:src1"].iter().any(|name| claims.member(name).is_some());
    if hinted {
        return Err(TokenError::Overage);
    }
    let too_many = |path: &String| match claims.at(path) {
        Some(Json::List(items)) => items.len() > GROUPS_MAX,
        Some(Json::Text(text)) => text.split(',').count() > GROUPS_MAX,
        Some(Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::Object(_)) | None => false,
    };
    let mut lists = terms.group_claims().iter().chain(terms.immutable_claims());
    if lists.any(too_many) { Err(TokenError::TooManyGroups) } else { Ok(()) }
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;
