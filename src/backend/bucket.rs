//! A bucket as its admins see it: the documents that lock it, what is set on it, and what others may do with it.
//!
//! Apart from [`super::Backend`], which serves requests: nothing here is reached by a caller. An [`Outsider`] holds
//! somebody else's credential, or none, and tries what must be refused. What it may try to write or delete is a
//! [`ScratchKey`] only, so that no probe can harm an object.

use std::fmt;

use async_trait::async_trait;

use super::Trouble;
use crate::s3::answer;

/// A document of a bucket that takes part in its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The bucket policy.
    Policy,
    /// The public access block.
    PublicAccessBlock,
    /// The ownership controls.
    OwnershipControls,
}

impl Document {
    /// In the order in which they are put: the policy is what closes, the others stand behind it.
    pub const ALL: [Self; 3] = [Self::Policy, Self::PublicAccessBlock, Self::OwnershipControls];

    /// Its name in our own files and settings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::PublicAccessBlock => "public_access_block",
            Self::OwnershipControls => "ownership_controls",
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "bucket policy",
            Self::PublicAccessBlock => "public access block",
            Self::OwnershipControls => "ownership controls",
        })
    }
}

/// Whether the bucket keeps old versions (`GetBucketVersioning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// Never switched on.
    Off,
    /// On.
    Enabled,
    /// Switched off again.
    Suspended,
}

impl From<Option<answer::Versioning>> for Versioning {
    fn from(said: Option<answer::Versioning>) -> Self {
        match said {
            None => Self::Off,
            Some(answer::Versioning::Enabled) => Self::Enabled,
            Some(answer::Versioning::Suspended) => Self::Suspended,
        }
    }
}

/// Whether versions can be deleted before their time (`GetObjectLockConfiguration`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectLock {
    /// Not on.
    Off,
    /// On, without a default retention.
    Enabled,
    /// On; by default whoever has `s3:BypassGovernanceRetention` may still delete.
    Governance,
    /// On; by default nobody may delete.
    Compliance,
}

impl fmt::Display for Versioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Enabled => "enabled",
            Self::Suspended => "suspended",
        })
    }
}

impl fmt::Display for ObjectLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Enabled => "enabled",
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        })
    }
}

/// One bucket, for whoever may administer it.
#[async_trait]
pub trait Administration: Send + Sync {
    /// A document as JSON in S3's own shape, if there is one.
    async fn stored(&self, document: Document) -> Result<Option<String>, Trouble>;
    /// Puts a document, JSON in S3's own shape, in the place of what is stored.
    async fn store(&self, document: Document, json: &str) -> Result<(), Trouble>;
    /// Takes a document away.
    async fn remove(&self, document: Document) -> Result<(), Trouble>;
    /// `GetBucketVersioning`
    async fn versioning(&self) -> Result<Versioning, Trouble>;
    /// `GetObjectLockConfiguration`
    async fn object_lock(&self) -> Result<ObjectLock, Trouble>;
    /// The first key of the bucket, for a probe that only a missing permission can fail.
    async fn any_key(&self) -> Result<Option<String>, Trouble>;
    /// Deletes what a probe was allowed to write.
    async fn remove_scratch(&self, key: &ScratchKey) -> Result<(), Trouble>;
}

/// A key that nobody else uses: the only one that a probe may write or delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScratchKey(String);

impl ScratchKey {
    /// What every one of them begins with.
    pub const PREFIX: &str = ".tracegate/lock-probe-";

    /// A new one, 128 random bits.
    pub fn random() -> Self {
        Self(format!("{}{}", Self::PREFIX, hex::encode(rand::random::<[u8; 16]>())))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an outsider tries.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// `GetObject` of the first byte of an object that is there.
    Get(&'a str),
    /// `HeadObject` of an object that is there.
    Head(&'a str),
    /// `ListObjectsV2`
    List,
    /// `PutObject` with `If-None-Match: *`.
    Put(&'a ScratchKey),
    /// `DeleteObject`
    Delete(&'a ScratchKey),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Refused: 403, and not for a credential that is none.
    Refused,
    /// Let through, with this status. Also where the object was missing or a condition failed: who learns that is in.
    Let(u16),
    /// Neither is known, and why: no answer, an answer that says nothing, a credential that the backend does not know.
    Unclear(String),
}

/// Somebody who must not reach the bucket.
#[async_trait]
pub trait Outsider: Send + Sync {
    /// Tries it, once.
    async fn attempt(&self, attempt: Attempt<'_>) -> Outcome;
}
