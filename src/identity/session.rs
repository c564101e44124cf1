//! Sessions: temporary keys that any replica can check, because everything about them is in the sealed token.
//!
//! The token is sealed with the key ring and bound to its access key id; the secret follows from the access key id and
//! the ring. Nothing is stored. What a caller shows is an [`OpenedSession`] until the signature is verified with that
//! secret; only then does it become an [`Identity`].

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::access_key::AccessKeyId;
use super::assume::Assumed;
use super::roles::RoleTerms;
use super::secret::SecretText;
use super::sigv4::{Presigned, SignedClaim};
use super::{Claims, Identity, Proof, RoleName};
use crate::keyring::{KeyRing, Purpose};
use crate::limits::{OPENED_SESSIONS_MAX, SESSION_TOKEN_BYTES_MAX};
use crate::s3::error::{Code, Refusal};

/// What an unknown key, a forged or swapped token and a wrong signature are all answered with, word for word.
pub const SIGNATURE_REFUSED: &str = "The request signature we calculated does not match the signature you provided. \
     Check your key, your session token and the signing method.";

/// The refusal of [`SIGNATURE_REFUSED`].
pub fn signature_refused() -> Refusal {
    Refusal::new(Code::SignatureDoesNotMatch, SIGNATURE_REFUSED)
}

/// Issues sessions and opens them.
#[derive(Debug, Clone)]
pub struct Sessions {
    ring: Arc<ArcSwap<KeyRing>>,
    /// What was opened, by the digest of access key id and token: a session asks many times.
    opened: Cache<[u8; 32], Arc<Unsealed>>,
}

/// A fresh session, for its holder only.
#[derive(Debug, Clone)]
pub struct Issued {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: SecretText,
    /// The sealed token that goes with each request.
    pub session_token: SecretText,
    /// When it ends, in whole seconds.
    pub expires: Timestamp,
    /// Its role.
    pub role: RoleName,
    /// Whose it is.
    pub subject: String,
    /// What people call them, where their issuer says.
    pub name: Option<String>,
    /// Who vouched for them.
    pub issuer: String,
    /// The audience of the token that it was exchanged for, where that was an issuer's.
    pub audience: Option<String>,
    /// `RoleSessionName`.
    pub session_name: Option<String>,
    /// The session of the token that it was exchanged for: `bearer-…`.
    pub parent: String,
}

impl Issued {
    /// Whose session it is, for the log; `issued` is when it was issued.
    pub fn holder(&self, issued: Timestamp) -> Identity {
        Identity {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            name: self.name.clone(),
            role: self.role.clone(),
            claims: Claims::new(),
            session: self.access_key_id.clone(),
            session_name: self.session_name.clone(),
            parent: Some(self.parent.clone()),
            issued,
            expires: self.expires,
            proof: Proof::Signature,
        }
    }
}

/// Why a session could not be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The claims that the role's paths use are too long.
    #[error("the claims that this role uses make a session token longer than clients can send")]
    TooLong,
    /// Two keys of the ring cannot be told apart by their ids' digests.
    #[error("the key ring's active key has the same tag as another; rename one")]
    AmbiguousRing,
}

/// A session whose token is ours and not expired, on a request whose signature is not verified yet.
#[derive(Debug, Clone)]
#[must_use]
pub struct OpenedSession {
    identity: Identity,
    /// As in [`Assumed`].
    admitted_by: Claims,
    /// From the ring that opened the token: a ring that changes while the request is checked opens nothing.
    secret: SecretText,
    presigned: Option<Presigned>,
}

/// What a token holds, and the secret that goes with its access key id.
#[derive(Debug)]
struct Unsealed {
    /// The ring that opened it: under another one it is opened anew.
    ring: Weak<KeyRing>,
    identity: Identity,
    admitted_by: Claims,
    secret: SecretText,
}

/// What is sealed. Short names: clients carry it in each request.
#[derive(Serialize, Deserialize)]
struct Payload {
    v: u8,
    iss: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    role: String,
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    claims: Claims,
    /// By which claims it was admitted.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    by: Claims,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sn: Option<String>,
    par: String,
    iat: i64,
    exp: i64,
}

const VERSION: u8 = 1;

impl Sessions {
    /// Sessions under this ring, which may be swapped at any time.
    pub fn new(ring: Arc<ArcSwap<KeyRing>>) -> Self {
        Self { ring, opened: Cache::new(OPENED_SESSIONS_MAX) }
    }

    /// Issues a session to somebody who may assume the role.
    pub fn issue(&self, assumed: &Assumed) -> Result<Issued, IssueError> {
        let ring = self.ring.load();
        let id = AccessKeyId::fresh(&ring).ok_or(IssueError::AmbiguousRing)?;
        let secret_access_key = id.secret(&ring).ok_or(IssueError::AmbiguousRing)?;
        let payload = Payload {
            v: VERSION,
            iss: assumed.issuer.clone(),
            sub: assumed.subject.clone(),
            name: assumed.name.clone(),
            role: assumed.role.to_string(),
            claims: assumed.claims.clone(),
            by: assumed.admitted_by.clone(),
            sn: assumed.session_name.clone(),
            par: assumed.parent.clone(),
            iat: assumed.issued.as_second(),
            exp: assumed.expires.as_second(),
        };
        let plain = serde_json::to_string(&payload).map_err(|_| IssueError::TooLong)?;
        let token = ring.seal(Purpose::Session, &plain, id.as_str().as_bytes());
        if token.len() > SESSION_TOKEN_BYTES_MAX {
            return Err(IssueError::TooLong);
        }
        Ok(Issued {
            access_key_id: id.as_str().to_owned(),
            secret_access_key,
            session_token: SecretText::new(token),
            expires: Timestamp::from_second(payload.exp).unwrap_or(assumed.expires),
            role: assumed.role.clone(),
            subject: payload.sub,
            name: payload.name,
            issuer: payload.iss,
            audience: assumed.audience.clone(),
            session_name: payload.sn,
            parent: payload.par,
        })
    }

    /// The secret that goes with an access key id of this ring.
    pub fn secret_for(&self, access_key_id: &str) -> Option<SecretText> {
        AccessKeyId::parse(access_key_id)?.secret(&self.ring.load())
    }

    /// Opens the session of a signed request. Forged, swapped and unknown look like a wrong signature.
    pub fn open(&self, claim: &SignedClaim, now: Timestamp) -> Result<OpenedSession, Refusal> {
        let id = AccessKeyId::parse(&claim.access_key_id).ok_or_else(signature_refused)?;
        let unsealed = self.unsealed(&id, &claim.session_token)?;
        let Unsealed { admitted_by, secret, .. } = &*unsealed;
        let (admitted_by, secret) = (admitted_by.clone(), secret.clone());
        let proof = if claim.presigned.is_some() { Proof::Presigned } else { Proof::Signature };
        let identity = Identity { proof, ..unsealed.identity.clone() };
        if now >= identity.expires {
            return Err(expired());
        }
        Ok(OpenedSession { identity, admitted_by, secret, presigned: claim.presigned })
    }

    fn unsealed(&self, id: &AccessKeyId, token: &SecretText) -> Result<Arc<Unsealed>, Refusal> {
        let ring = self.ring.load();
        let mut digest = blake3::Hasher::new();
        // The id has one length.
        digest.update(id.as_str().as_bytes()).update(token.expose().as_bytes());
        let digest = *digest.finalize().as_bytes();
        if let Some(unsealed) = self.opened.get(&digest)
            && std::ptr::eq(unsealed.ring.as_ptr(), Arc::as_ptr(&ring))
        {
            return Ok(unsealed);
        }
        let unsealed = unseal(&ring, id, token).ok_or_else(signature_refused)?;
        self.opened.insert(digest, unsealed.clone());
        Ok(unsealed)
    }
}

fn unseal(ring: &Arc<KeyRing>, id: &AccessKeyId, token: &SecretText) -> Option<Arc<Unsealed>> {
    let plain = ring.open(Purpose::Session, token.expose(), id.as_str().as_bytes()).ok()?;
    let mut payload: Payload = serde_json::from_str(&plain).ok()?;
    let admitted_by = std::mem::take(&mut payload.by);
    let (identity, secret) = (payload.into_identity(id)?, id.secret(ring)?);
    Some(Arc::new(Unsealed { ring: Arc::downgrade(ring), identity, admitted_by, secret }))
}

impl Payload {
    fn into_identity(self, id: &AccessKeyId) -> Option<Identity> {
        if self.v != VERSION {
            return None;
        }
        Some(Identity {
            issuer: self.iss,
            subject: self.sub,
            name: self.name,
            role: self.role.parse().ok()?,
            claims: self.claims,
            session: id.as_str().to_owned(),
            session_name: self.sn,
            parent: Some(self.par),
            issued: Timestamp::from_second(self.iat).ok()?,
            expires: Timestamp::from_second(self.exp).ok()?,
            proof: Proof::Signature,
        })
    }
}

impl OpenedSession {
    /// The role that the session was issued for.
    pub fn role(&self) -> &RoleName {
        &self.identity.role
    }

    /// The identity that the session states, for looking up revocations: not proven before [`OpenedSession::confirm`].
    pub(super) fn unproven(&self) -> &Identity {
        &self.identity
    }

    /// By which claims its holder was admitted to its role.
    pub(super) fn admitted_by(&self) -> &Claims {
        &self.admitted_by
    }

    /// Holds the session to the terms that its role has today: not expired, no longer than its `max_session`, and
    /// presigned URLs only where and as long as it allows them.
    pub(super) fn under(mut self, terms: &RoleTerms, now: Timestamp) -> Result<Self, Refusal> {
        if let Some(end) = terms.expires {
            if now >= end {
                return Err(Refusal::new(Code::AccessDenied, format!("The role {} has expired.", terms.name)));
            }
            self.identity.expires = self.identity.expires.min(end);
        }
        if let Some(longest) = terms.max_session {
            let end = self.identity.issued.checked_add(longest).unwrap_or(Timestamp::MAX);
            self = self.until(end, now)?;
        }
        if let Some(presigned) = self.presigned {
            check_presigned(&presigned, terms)?;
            // A stream under a URL ends with the session, not with the URL: S3 looks at the URL's end once, too.
        }
        Ok(self)
    }

    /// The same, ending then at the latest.
    pub(super) fn until(mut self, end: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
        self.identity.expires = self.identity.expires.min(end);
        if now < self.identity.expires { Ok(self) } else { Err(expired()) }
    }

    /// The identity, now that a signature with that key and secret was verified on this request: both must be the
    /// session's own.
    pub fn confirm(self, verified_access_key: &str, verified_secret: &SecretText) -> Result<Identity, Refusal> {
        let own = verified_access_key == self.identity.session && *verified_secret == self.secret;
        if own { Ok(self.identity) } else { Err(signature_refused()) }
    }
}

fn expired() -> Refusal {
    Refusal::new(Code::ExpiredToken, "The provided token has expired.")
}

fn check_presigned(presigned: &Presigned, terms: &RoleTerms) -> Result<(), Refusal> {
    let denied = |why: String| Err(Refusal::new(Code::AccessDenied, why));
    match terms.presign {
        None => denied(format!("The role {} allows no presigned URLs (its setting `presign` is not set).", terms.name)),
        Some(longest) if presigned.lifetime > longest => denied(format!(
            "The role {} allows presigned URLs of at most {} seconds (its setting `presign`); this one has {}.",
            terms.name,
            longest.as_secs(),
            presigned.lifetime.as_secs()
        )),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
