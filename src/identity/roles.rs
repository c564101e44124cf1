//! The roles as identity sees them: who may assume which, for how long. Built by `policy` from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::RoleName;

/// All roles and static tokens of one policy set.
#[derive(Debug, Clone, Default)]
pub struct RoleBook {
    /// The roles, in the order of their names.
    pub roles: Vec<RoleTerms>,
    /// Tokens for teams without an identity provider.
    pub static_tokens: Vec<StaticToken>,
}

/// On which terms a role is held.
#[derive(Debug, Clone)]
pub struct RoleTerms {
    /// Its name.
    pub name: RoleName,
    /// Longest session.
    pub max_session: Option<Duration>,
    /// The role is dead from then on.
    pub expires: Option<Timestamp>,
    /// Longest life of a presigned URL; `None` allows none.
    pub presign: Option<Duration>,
    /// Whether a token that also holds another role opens none.
    pub exclusive: bool,
    /// Any of them admits; all conditions inside one must hold.
    pub binds: Vec<Bind>,
    /// Claims that stand in this role's paths; only these are kept in its sessions.
    pub claims_used: BTreeSet<String>,
}

/// One way to come to a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The issuer, exactly as in the token's `iss`.
    pub issuer: String,
    /// For each claim (a dotted path such as `realm_access.roles`) the values of which one must be among the token's.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Subjects of which the token's must be one; empty admits any.
    pub subjects: Vec<String>,
}

/// A token for a team or a job without an identity provider: stored as a hash, one role, an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticToken {
    /// Name of the holder; the subject of its sessions.
    pub id: String,
    /// SHA-256 of the token, which begins with `tgs_` and holds 256 random bits.
    pub sha256: [u8; 32],
    /// Its role.
    pub role: RoleName,
    /// When it ends.
    pub expires: Timestamp,
}

/// An exclusive role that is held together with another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "This token holds the role {exclusive}, which is exclusive, together with {other}, so it opens neither. Ask the \
     administrators of your identity provider for an identity that holds one of them only."
)]
pub struct Clash {
    /// The exclusive role.
    pub exclusive: RoleName,
    /// Another one.
    pub other: RoleName,
}

impl Clash {
    /// The first of those held together: an exclusive role, and any other.
    pub fn among<'b>(held: impl IntoIterator<Item = &'b RoleTerms> + Clone) -> Option<Self> {
        let exclusive = held.clone().into_iter().find(|terms| terms.exclusive)?;
        let other = held.into_iter().find(|terms| terms.name != exclusive.name)?;
        Some(Self { exclusive: exclusive.name.clone(), other: other.name.clone() })
    }
}

impl RoleBook {
    /// The terms of a role.
    pub fn role(&self, name: &RoleName) -> Option<&RoleTerms> {
        self.roles.iter().find(|terms| terms.name == *name)
    }
}
