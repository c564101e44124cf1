//! The real bucket: one trait, one method per operation.
//!
//! What to fetch is read from the permit inside the [`Intent`]; no bucket or key travels beside it. What comes back is
//! sealed in [`Raw`], which only `redact` opens. Nothing here follows a redirect, retries, or forwards a header.

pub mod aws;
pub mod bucket;
pub mod faulty;
pub mod memory;
mod refusal;
mod sealed;
mod source;
#[cfg(test)]
mod suite;
pub mod trial;

use async_trait::async_trait;

use crate::audit::{Intent, Recorded};
use crate::policy::permit::Permit;
use crate::policy::survey::{Examined, Survey};
use crate::redact::Raw;
use crate::s3::answer::{
    Attributes, Batch, Copied, Deleted, Headed, Object, ObjectHead, PartCopied, PartPage, Stored, Tag, UploadBatch,
    VersionBatch, Versioning,
};
use crate::s3::name::{Bucket, VersionId};
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeleteObject, GetObjectTagging,
    ListMultipartUploads, ListParts, PutObject, PutObjectTagging, UploadId, UploadPart, UploadPartCopy,
};
use crate::s3::operation::{
    ETag, GetBucketVersioning, GetObject, GetObjectAttributes, HeadObject, ListObjects, RangeAsk,
};
use crate::s3::payload::{Upload, UploadError};

/// Which bytes to bring of the object that the permit names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetch {
    /// The range; `None` is all of it.
    pub range: Option<RangeAsk>,
    /// `partNumber`, instead of a range.
    pub part: Option<u32>,
    /// Only if the object still has this tag (the backend's own).
    pub pin: Option<ETag>,
    /// Which version; `None` is the one that the permit names, or the current one.
    pub version: Option<VersionId>,
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

/// One page of the backend's own listing of versions, in the bucket that the permit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionsAsk {
    /// Only keys that begin so; lies within the permit's own prefix.
    pub prefix: String,
    /// Only what comes behind this key, or, with an id, behind that version of it, as an earlier page gave them.
    pub after: Option<(String, Option<String>)>,
    /// Roll up at this.
    pub delimiter: Option<String>,
    /// Most items, at most 1000.
    pub max: u32,
}

/// One page of the backend's own listing of uploads under way, in the bucket that the permit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadsAsk {
    /// Only keys that begin so; lies within the permit's own prefix.
    pub prefix: String,
    /// The backend's own markers, of key and upload id, as an earlier page gave them.
    pub after: Option<(String, String)>,
    /// Most uploads, at most 1000.
    pub max: u32,
}

/// What a backend keeps of its promise that a conditional write replaces nothing (`If-None-Match: *`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConditionalWrites {
    /// Of `PutObject`.
    pub put: bool,
    /// Of `CompleteMultipartUpload`.
    pub complete: bool,
    /// Of `CopyObject`.
    pub copy: bool,
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
    /// What a write may replace is not what is there (`If-None-Match`, `If-Match`).
    #[error("what is there is not what the write may replace")]
    Occupied,
    /// Another conditional write to the same key was under way.
    #[error("another write to the key was under way")]
    Conflict,
    /// No such version of the object.
    #[error("no such version")]
    NoSuchVersion,
    /// The version that is asked for is a delete marker, which has no bytes.
    #[error("the version is a delete marker")]
    DeleteMarker,
    /// The backend keeps the version under a lock (Object Lock).
    #[error("the version is locked")]
    Locked,
    /// No such upload.
    #[error("no such upload")]
    NoSuchUpload,
    /// A part that was named is not there, or has another tag or checksum.
    #[error("a part is not there or is another")]
    InvalidPart,
    /// The parts are not in order.
    #[error("the parts are not in order")]
    InvalidPartOrder,
    /// A part but the last is smaller than the backend takes.
    #[error("a part is too small")]
    TooSmall,
    /// The object or part is larger than the backend takes.
    #[error("the body is too large")]
    TooLarge,
    /// The backend says that a checksum is not that of what it received.
    #[error("the backend received other bytes than were said")]
    BadDigest,
    /// The backend says that this value of the request is none that it takes.
    #[error("the backend refuses a value of the request: {0}")]
    Invalid(&'static str),
    /// The backend cannot do this, or not safely; what it cannot.
    #[error("the backend cannot {0}")]
    Unable(&'static str),
    /// The caller's body broke off or is not what was said of it; nothing was stored.
    #[error(transparent)]
    Upload(#[from] UploadError),
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
    /// It is not the backend: what is made of what it brought cannot be kept on our own disk.
    #[error("a rendering cannot be kept in the folder of [renderings]: {0}")]
    Unkept(String),
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
    /// `ListObjectVersions`, always with `encoding-type=url`
    async fn versions(
        &self,
        intent: Intent<'_, Permit<ListObjectVersions>>,
        ask: VersionsAsk,
    ) -> Result<Raw<VersionBatch>, Trouble>;
    /// `PutObject`
    async fn put(&self, recorded: &Recorded<Permit<PutObject>>, upload: Upload) -> Result<Raw<Stored>, Trouble>;
    /// `CreateMultipartUpload`
    async fn begin(&self, recorded: &Recorded<Permit<CreateMultipartUpload>>) -> Result<Raw<UploadId>, Trouble>;
    /// `UploadPart`
    async fn put_part(&self, recorded: &Recorded<Permit<UploadPart>>, upload: Upload) -> Result<Raw<Stored>, Trouble>;
    /// `CompleteMultipartUpload`
    async fn complete(&self, recorded: &Recorded<Permit<CompleteMultipartUpload>>) -> Result<Raw<Stored>, Trouble>;
    /// `AbortMultipartUpload`
    async fn abort(&self, recorded: &Recorded<Permit<AbortMultipartUpload>>) -> Result<Raw<()>, Trouble>;
    /// `ListParts`
    async fn parts(&self, intent: Intent<'_, Permit<ListParts>>) -> Result<Raw<PartPage>, Trouble>;
    /// `ListMultipartUploads`
    async fn uploads(
        &self,
        intent: Intent<'_, Permit<ListMultipartUploads>>,
        ask: UploadsAsk,
    ) -> Result<Raw<UploadBatch>, Trouble>;
    /// What a copy would read: the head of its source, which also names the version to copy.
    async fn source_of_copy(&self, recorded: &Recorded<Permit<CopyObject>>) -> Result<Raw<ObjectHead>, Trouble>;
    /// `CopyObject`, of the source that has this tag (the backend's own).
    async fn copy(&self, recorded: &Recorded<Permit<CopyObject>>, pin: &ETag) -> Result<Raw<Copied>, Trouble>;
    /// What copying a part would read; as [`Backend::source_of_copy`].
    async fn source_of_part(&self, recorded: &Recorded<Permit<UploadPartCopy>>) -> Result<Raw<ObjectHead>, Trouble>;
    /// `UploadPartCopy`, of the source that has this tag (the backend's own).
    async fn copy_part(
        &self,
        recorded: &Recorded<Permit<UploadPartCopy>>,
        pin: &ETag,
    ) -> Result<Raw<PartCopied>, Trouble>;
    /// `DeleteObject`
    async fn delete(&self, recorded: &Recorded<Permit<DeleteObject>>) -> Result<Raw<Deleted>, Trouble>;
    /// `DeleteObjects`: of one bucket, at most [`crate::limits::DELETES_MAX`]; an answer for each, in order.
    async fn delete_all(&self, recorded: &[Recorded<Permit<DeleteObject>>]) -> Vec<Result<Raw<Deleted>, Trouble>>;
    /// `GetObjectTagging`
    async fn tags(&self, intent: Intent<'_, Permit<GetObjectTagging>>) -> Result<Raw<Vec<Tag>>, Trouble>;
    /// `PutObjectTagging`, `DeleteObjectTagging`
    async fn set_tags(&self, recorded: &Recorded<Permit<PutObjectTagging>>) -> Result<Raw<()>, Trouble>;
    /// Tries in a scratch key, written twice, whether conditional writes replace nothing there.
    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble>;
    /// `GetBucketVersioning`; `None` where it was never asked to keep versions.
    async fn versioning(
        &self,
        intent: Intent<'_, Permit<GetBucketVersioning>>,
    ) -> Result<Raw<Option<Versioning>>, Trouble>;
    /// `ListObjectsV2`, for a survey: the keys that it is about, behind `after`.
    async fn survey_keys(&self, survey: &Survey, after: Option<String>) -> Result<Raw<Batch>, Trouble>;
    /// `GetObject`, for a survey; only if the object still has that tag, where one is given.
    async fn survey_object(&self, examined: &Examined, pin: Option<ETag>) -> Result<Raw<Object>, Trouble>;
    /// Whether the bucket of that outside name can be read with the façade's credential; for `check` and readiness.
    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble>;
}
