//! What every kind of bucket implements: plain names in, plain findings out. Not to be named outside of `backend`.
//!
//! [`super::Backend`] is made of it in one place, `sealed`: the names come from the permit, the findings are sealed. So a
//! wrapper such as the faulty bucket can alter a finding, and nobody else can open one.
//!
//! ```compile_fail
//! use tracegate::backend::source::Source;
//! ```

use std::sync::Arc;

use async_trait::async_trait;

use super::{Ask, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
use crate::s3::answer::{
    Attributes, Batch, Copied, Deleted, Headed, Object, ObjectHead, PartCopied, PartPage, Stored, Tag, UploadBatch,
    VersionBatch, Versioning,
};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::ETag;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, DeleteObject,
    GetObjectTagging, ListParts, OnlyIf, PutObject, PutObjectTagging, UploadId, UploadPart, UploadPartCopy,
};
use crate::s3::payload::Upload;

/// A bucket, unsealed.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// `GetObject`
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble>;
    /// `HeadObject`
    async fn head(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble>;
    /// `GetObjectAttributes`
    async fn attributes(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Attributes, Trouble>;
    /// `ListObjectsV2`
    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble>;
    /// `ListObjectVersions`
    async fn versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble>;
    /// `PutObject`; `only_if` goes before the operation's own.
    async fn put(&self, op: &PutObject, only_if: OnlyIf, upload: Upload) -> Result<Stored, Trouble>;
    /// `CreateMultipartUpload`
    async fn begin(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble>;
    /// `UploadPart`
    async fn put_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble>;
    /// `CompleteMultipartUpload`; `only_if` goes before the operation's own.
    async fn complete(&self, op: &CompleteMultipartUpload, only_if: OnlyIf) -> Result<Stored, Trouble>;
    /// `AbortMultipartUpload`
    async fn abort(&self, op: &AbortMultipartUpload) -> Result<(), Trouble>;
    /// `ListParts`
    async fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble>;
    /// `ListMultipartUploads`
    async fn uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble>;
    /// The head of what a copy would read.
    async fn source(&self, source: &CopySource) -> Result<ObjectHead, Trouble>;
    /// `CopyObject`; `only_if` goes before the operation's own.
    async fn copy(&self, op: &CopyObject, only_if: OnlyIf, pin: &ETag) -> Result<Copied, Trouble>;
    /// `UploadPartCopy`
    async fn copy_part(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble>;
    /// `DeleteObject`
    async fn delete(&self, op: &DeleteObject) -> Result<Deleted, Trouble>;
    /// `DeleteObjects`, of one bucket; an answer for each, in order.
    async fn delete_all(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>>;
    /// `GetObjectTagging`
    async fn tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble>;
    /// `PutObjectTagging`, `DeleteObjectTagging`
    async fn set_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble>;
    /// Tries conditional writes in a scratch key.
    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble>;
    /// `GetBucketVersioning`
    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble>;
    /// Whether the bucket can be read.
    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble>;
}

#[async_trait]
impl<S: Source> Source for Arc<S> {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        Source::get(&**self, bucket, key, fetch).await
    }

    async fn head(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        Source::head(&**self, bucket, key, version, part).await
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Attributes, Trouble> {
        Source::attributes(&**self, bucket, key, version).await
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        Source::list(&**self, bucket, ask).await
    }

    async fn versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble> {
        Source::versions(&**self, bucket, ask).await
    }

    async fn put(&self, op: &PutObject, only_if: OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        Source::put(&**self, op, only_if, upload).await
    }

    async fn begin(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble> {
        Source::begin(&**self, op).await
    }

    async fn put_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        Source::put_part(&**self, op, upload).await
    }

    async fn complete(&self, op: &CompleteMultipartUpload, only_if: OnlyIf) -> Result<Stored, Trouble> {
        Source::complete(&**self, op, only_if).await
    }

    async fn abort(&self, op: &AbortMultipartUpload) -> Result<(), Trouble> {
        Source::abort(&**self, op).await
    }

    async fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        Source::parts(&**self, op).await
    }

    async fn uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble> {
        Source::uploads(&**self, bucket, ask).await
    }

    async fn source(&self, source: &CopySource) -> Result<ObjectHead, Trouble> {
        Source::source(&**self, source).await
    }

    async fn copy(&self, op: &CopyObject, only_if: OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        Source::copy(&**self, op, only_if, pin).await
    }

    async fn copy_part(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        Source::copy_part(&**self, op, pin).await
    }

    async fn delete(&self, op: &DeleteObject) -> Result<Deleted, Trouble> {
        Source::delete(&**self, op).await
    }

    async fn delete_all(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        Source::delete_all(&**self, ops).await
    }

    async fn tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble> {
        Source::tags(&**self, op).await
    }

    async fn set_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble> {
        Source::set_tags(&**self, op).await
    }

    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        Source::conditional_writes(&**self, bucket).await
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        Source::versioning(&**self, bucket).await
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        Source::probe(&**self, bucket).await
    }
}
