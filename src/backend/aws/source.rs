//! The real bucket as a [`Source`]: each call by the file that makes it.

use async_trait::async_trait;

use super::Aws;
use crate::backend::source::Source;
use crate::backend::{Ask, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
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

#[async_trait]
impl Source for Aws {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        self.get_object(bucket, key, &fetch).await
    }

    async fn head(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        self.head_object(bucket, key, version, part).await
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Attributes, Trouble> {
        self.object_attributes(bucket, key, version).await
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        self.list_objects(bucket, ask).await
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        self.bucket_versioning(bucket).await
    }

    async fn versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble> {
        self.list_versions(bucket, ask).await
    }

    async fn put(&self, op: &PutObject, only_if: OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        self.put_object(op, &only_if, upload).await
    }

    async fn begin(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble> {
        self.create_upload(op).await
    }

    async fn put_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        self.upload_part(op, upload).await
    }

    async fn complete(&self, op: &CompleteMultipartUpload, only_if: OnlyIf) -> Result<Stored, Trouble> {
        self.complete_upload(op, &only_if).await
    }

    async fn abort(&self, op: &AbortMultipartUpload) -> Result<(), Trouble> {
        self.abort_upload(op).await
    }

    async fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        self.list_parts(op).await
    }

    async fn uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble> {
        self.list_uploads(bucket, ask).await
    }

    async fn source(&self, source: &CopySource) -> Result<ObjectHead, Trouble> {
        Ok(self.head_object(&source.bucket, &source.key, source.version.as_ref(), None).await?.head)
    }

    async fn copy(&self, op: &CopyObject, only_if: OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        self.copy_object(op, &only_if, pin).await
    }

    async fn copy_part(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        self.upload_part_copy(op, pin).await
    }

    async fn delete(&self, op: &DeleteObject) -> Result<Deleted, Trouble> {
        self.delete_object(op).await
    }

    async fn delete_all(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        self.delete_objects(ops).await
    }

    async fn tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble> {
        self.object_tags(op).await
    }

    async fn set_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble> {
        self.set_object_tags(op).await
    }

    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        self.try_conditional_writes(bucket).await
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        self.probe_bucket(bucket).await
    }
}
