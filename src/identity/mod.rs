//! Who is asking: from a credential to an [`Identity`], on every request.
//!
//! What the rim reads from a request is [`claimed::Claimed`]; only a verified signature or a verified token turns it
//! into an [`Identity`], which has no public constructor.

pub mod access_key;
pub mod assume;
pub mod authority;
pub mod chunks;
pub mod claimed;
pub mod door;
pub mod fetch;
pub mod issuer;
pub mod json;
pub mod jwks;
pub mod oidc;
pub mod rate;
pub mod revocation;
pub mod revocation_log;
pub mod roles;
pub mod secret;
pub mod session;
pub mod sigv4;
pub mod static_token;
pub mod sts;
pub mod token;

#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// The name of a role: 1 to 64 of `a-z 0-9 -`, as policies spell it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(Box<str>);

impl RoleName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for RoleName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sound = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if sound { Ok(Self(text.into())) } else { Err("a role's name is 1 to 64 of a-z, 0-9 and -") }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an identity was proven on this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// `Authorization: Bearer` with an issuer's token.
    Bearer,
    /// `Authorization: Bearer` with a static token of the policy set.
    StaticToken,
    /// A signed header (AWS Signature Version 4) with a session's secret.
    Signature,
    /// A presigned URL.
    Presigned,
}

impl Proof {
    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Proof::Bearer => "bearer",
            Proof::StaticToken => "static-token",
            Proof::Signature => "sigv4",
            Proof::Presigned => "presigned",
        }
    }
}

/// The claims that policies may use: only those that the issuer's entry declares, each a list of texts.
pub type Claims = BTreeMap<String, Vec<String>>;

/// Who is asking, proven how, holding which role, until when. Made only in this module, from a verified credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(in crate::identity) issuer: String,
    pub(in crate::identity) subject: String,
    pub(in crate::identity) name: Option<String>,
    pub(in crate::identity) role: RoleName,
    pub(in crate::identity) claims: Claims,
    pub(in crate::identity) session: String,
    pub(in crate::identity) session_name: Option<String>,
    pub(in crate::identity) parent: Option<String>,
    pub(in crate::identity) issued: Timestamp,
    pub(in crate::identity) expires: Timestamp,
    pub(in crate::identity) proof: Proof,
}

impl Identity {
    /// The issuer, exactly as configured; `tracegate` for static tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// The issuer's own name of the subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// A name for people (`email`, `preferred_username`), never used to decide.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    /// The one role of this session.
    pub fn role(&self) -> &RoleName {
        &self.role
    }
    /// The claims that policies may use.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
    /// The session: its access key id, or for a bearer token a digest of it.
    pub fn session(&self) -> &str {
        &self.session
    }
    /// `RoleSessionName`: chosen by the caller, recorded, never trusted.
    pub fn session_name(&self) -> Option<&str> {
        self.session_name.as_deref()
    }
    /// The session of the token that this session was exchanged for: `bearer-…`; `None` for a token itself.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }
    /// When the session was issued.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }
    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
    /// How it was proven on this request.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

#[cfg(test)]
impl Identity {
    /// Somebody with that subject and role, proven by a signature, for unit tests.
    pub(crate) fn for_test(subject: &str, role: &str) -> Self {
        Self {
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            name: None,
            role: role.parse().expect("a role's name"),
            claims: Claims::new(),
            session: "ASIATEST".into(),
            session_name: None,
            parent: None,
            issued: Timestamp::UNIX_EPOCH,
            expires: Timestamp::MAX,
            proof: Proof::Signature,
        }
    }

    /// The same, ending then.
    pub(crate) fn until(self, expires: Timestamp) -> Self {
        Self { expires, ..self }
    }
}
