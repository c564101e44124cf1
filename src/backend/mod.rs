//! The real bucket: one trait, one method per operation.
//!
//! What to fetch is read from the permit inside the [`Intent`]; no bucket or key travels beside it. What comes back is
//! sealed in [`Raw`], which only `redact` opens. Nothing here follows a redirect, retries, or forwards a header.

pub mod aws;
pub mod bucket;
pub mod faulty;
pub mod memory;
mod refusal;
mod source;

use async_trait::async_trait;

use crate::audit::Intent;
use crate::policy::permit::Permit;
use crate::redact::Raw;
use crate::s3::answer::{Attributes, Batch, Headed, Object, Versioning};
use crate::s3::operation::{
    ETag, GetBucketVersioning, GetObject, GetObjectAttributes, HeadObject, ListObjects, RangeAsk,
};

/// Which bytes to bring of the object that the permit names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetch {
    /// The range; `None` is all of it.
    pub range: Option<RangeAsk>,
    /// `partNumber`, instead of a range.
    pub part: Option<u32>,
    /// Only if the object still has this tag (the backend's own).
    pub pin: Option<ETag>,
}

/// One page of the backend's own listing of the bucket that the permit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Only keys that begin so; lies within the permit's own prefix.
    pub prefix: String,
    /// Only keys behind this.
    pub after: Option<String>,
    /// Roll up at this.
    pub delimiter: Option<String>,
    /// Most items, at most 1000.
    pub max: u32,
}

/// What went wrong behind us. Texts are for our own log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No such object.
    #[error("no such key")]
    NoSuchKey,
    /// The bucket that the configuration names is not there.
    #[error("no such bucket behind the façade")]
    NoSuchBucket,
    /// The range lies outside of the object, whose size this is, where it was told.
    #[error("the range lies outside of the object")]
    InvalidRange {
        /// Size of the object, in bytes.
        size: Option<u64>,
    },
    /// The object is no longer the one that was pinned.
    #[error("the object changed between two reads")]
    Changed,
    /// The object is archived and must be restored first (`InvalidObjectState`).
    #[error("the object is archived")]
    Archived,
    /// The backend's key service refused to decrypt.
    #[error("the key service refused: {0}")]
    KeyService(String),
    /// The backend refused our own credential.
    #[error("the backend refused the façade's credential: {0}")]
    Refused(String),
    /// There is no credential to ask the backend with.
    #[error("the façade has no credential for the backend: {0}")]
    NoCredential(&'static str),
    /// The backend asks for fewer requests.
    #[error("the backend is busy")]
    Busy,
    /// The backend did not answer in time.
    #[error("the backend did not answer in time")]
    Timeout,
    /// The backend cannot be reached, or answered what S3 does not.
    #[error("the backend failed: {0}")]
    Broken(String),
}

/// The real bucket, or something that behaves like it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// `GetObject`
    async fn get(&self, intent: Intent<'_, Permit<GetObject>>, fetch: Fetch) -> Result<Raw<Object>, Trouble>;
    /// `HeadObject`
    async fn head(&self, intent: Intent<'_, Permit<HeadObject>>, part: Option<u32>) -> Result<Raw<Headed>, Trouble>;
    /// `GetObjectAttributes`
    async fn attributes(&self, intent: Intent<'_, Permit<GetObjectAttributes>>) -> Result<Raw<Attributes>, Trouble>;
    /// `ListObjectsV2`, always with `encoding-type=url`
    async fn list(&self, intent: Intent<'_, Permit<ListObjects>>, ask: Ask) -> Result<Raw<Batch>, Trouble>;
    /// `GetBucketVersioning`; `None` where it was never asked to keep versions.
    async fn versioning(
        &self,
        intent: Intent<'_, Permit<GetBucketVersioning>>,
    ) -> Result<Raw<Option<Versioning>>, Trouble>;
    /// Whether the bucket of that outside name can be read with the façade's credential; for `check` and readiness.
    async fn probe(&self, bucket: &crate::s3::name::Bucket) -> Result<(), Trouble>;
}
