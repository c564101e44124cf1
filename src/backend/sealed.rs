//! [`Backend`], made of any [`Source`]: what is asked is read from the permit, what is found is sealed.

use async_trait::async_trait;

use super::source::Source;
use super::{Ask, Backend, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
use crate::audit::{Intent, Recorded};
use crate::limits;
use crate::policy::permit::Permit;
use crate::policy::survey::{Examined, Survey};
use crate::redact::Raw;
use crate::s3::answer::{
    Attributes, Batch, Copied, Deleted, Headed, Object, ObjectHead, PartCopied, PartPage, Stored, Tag, UploadBatch,
    VersionBatch, Versioning,
};
use crate::s3::name::Bucket;
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeleteObject, GetObjectTagging,
    ListMultipartUploads, ListParts, OnlyIf, PutObject, PutObjectTagging, UploadId, UploadPart, UploadPartCopy,
};
use crate::s3::operation::{ETag, GetBucketVersioning, GetObject, GetObjectAttributes, HeadObject, ListObjects, Op};
use crate::s3::payload::Upload;

#[async_trait]
impl<S: Source> Backend for S {
    async fn get(&self, intent: Intent<'_, Permit<GetObject>>, fetch: Fetch) -> Result<Raw<Object>, Trouble> {
        let op = intent.op();
        let version = op.version.clone().or(fetch.version);
        Source::get(self, &op.bucket, &op.key, Fetch { version, ..fetch }).await.map(Raw::seal)
    }

    async fn head(&self, intent: Intent<'_, Permit<HeadObject>>, part: Option<u32>) -> Result<Raw<Headed>, Trouble> {
        let op = intent.op();
        Source::head(self, &op.bucket, &op.key, op.version.as_ref(), part).await.map(Raw::seal)
    }

    async fn attributes(&self, intent: Intent<'_, Permit<GetObjectAttributes>>) -> Result<Raw<Attributes>, Trouble> {
        let op = intent.op();
        Source::attributes(self, &op.bucket, &op.key, op.version.as_ref()).await.map(Raw::seal)
    }

    async fn list(&self, intent: Intent<'_, Permit<ListObjects>>, ask: Ask) -> Result<Raw<Batch>, Trouble> {
        Source::list(self, &intent.op().bucket, ask).await.map(Raw::seal)
    }

    async fn versioning(
        &self,
        intent: Intent<'_, Permit<GetBucketVersioning>>,
    ) -> Result<Raw<Option<Versioning>>, Trouble> {
        Source::versioning(self, &intent.op().bucket).await.map(Raw::seal)
    }

    async fn versions(
        &self,
        intent: Intent<'_, Permit<ListObjectVersions>>,
        ask: VersionsAsk,
    ) -> Result<Raw<VersionBatch>, Trouble> {
        Source::versions(self, &intent.op().bucket, ask).await.map(Raw::seal)
    }

    async fn put(&self, recorded: &Recorded<Permit<PutObject>>, upload: Upload) -> Result<Raw<Stored>, Trouble> {
        let op = recorded.op();
        Source::put(self, op, replaced(recorded, &op.only_if), upload).await.map(Raw::seal)
    }

    async fn begin(&self, recorded: &Recorded<Permit<CreateMultipartUpload>>) -> Result<Raw<UploadId>, Trouble> {
        Source::begin(self, recorded.op()).await.map(Raw::seal)
    }

    async fn put_part(&self, recorded: &Recorded<Permit<UploadPart>>, upload: Upload) -> Result<Raw<Stored>, Trouble> {
        Source::put_part(self, recorded.op(), upload).await.map(Raw::seal)
    }

    async fn complete(&self, recorded: &Recorded<Permit<CompleteMultipartUpload>>) -> Result<Raw<Stored>, Trouble> {
        let op = recorded.op();
        Source::complete(self, op, replaced(recorded, &op.only_if)).await.map(Raw::seal)
    }

    async fn abort(&self, recorded: &Recorded<Permit<AbortMultipartUpload>>) -> Result<Raw<()>, Trouble> {
        Source::abort(self, recorded.op()).await.map(Raw::seal)
    }

    async fn parts(&self, intent: Intent<'_, Permit<ListParts>>) -> Result<Raw<PartPage>, Trouble> {
        Source::parts(self, intent.op()).await.map(Raw::seal)
    }

    async fn uploads(
        &self,
        intent: Intent<'_, Permit<ListMultipartUploads>>,
        ask: UploadsAsk,
    ) -> Result<Raw<UploadBatch>, Trouble> {
        Source::uploads(self, &intent.op().bucket, ask).await.map(Raw::seal)
    }

    async fn source_of_copy(&self, recorded: &Recorded<Permit<CopyObject>>) -> Result<Raw<ObjectHead>, Trouble> {
        Source::source(self, &recorded.op().source).await.map(Raw::seal)
    }

    async fn copy(&self, recorded: &Recorded<Permit<CopyObject>>, pin: &ETag) -> Result<Raw<Copied>, Trouble> {
        let op = recorded.op();
        Source::copy(self, op, replaced(recorded, &op.only_if), pin).await.map(Raw::seal)
    }

    async fn source_of_part(&self, recorded: &Recorded<Permit<UploadPartCopy>>) -> Result<Raw<ObjectHead>, Trouble> {
        Source::source(self, &recorded.op().source).await.map(Raw::seal)
    }

    async fn copy_part(
        &self,
        recorded: &Recorded<Permit<UploadPartCopy>>,
        pin: &ETag,
    ) -> Result<Raw<PartCopied>, Trouble> {
        Source::copy_part(self, recorded.op(), pin).await.map(Raw::seal)
    }

    async fn delete(&self, recorded: &Recorded<Permit<DeleteObject>>) -> Result<Raw<Deleted>, Trouble> {
        Source::delete(self, recorded.op()).await.map(Raw::seal)
    }

    async fn delete_all(&self, recorded: &[Recorded<Permit<DeleteObject>>]) -> Vec<Result<Raw<Deleted>, Trouble>> {
        let ops: Vec<&DeleteObject> = recorded.iter().map(|recorded| recorded.op()).collect();
        Source::delete_all(self, &ops).await.into_iter().map(|deleted| deleted.map(Raw::seal)).collect()
    }

    async fn tags(&self, intent: Intent<'_, Permit<GetObjectTagging>>) -> Result<Raw<Vec<Tag>>, Trouble> {
        Source::tags(self, intent.op()).await.map(Raw::seal)
    }

    async fn set_tags(&self, recorded: &Recorded<Permit<PutObjectTagging>>) -> Result<Raw<()>, Trouble> {
        Source::set_tags(self, recorded.op()).await.map(Raw::seal)
    }

    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        Source::conditional_writes(self, bucket).await
    }

    async fn survey_keys(&self, survey: &Survey, after: Option<String>) -> Result<Raw<Batch>, Trouble> {
        let prefix = survey.prefix().as_str().to_owned();
        let ask = Ask { prefix, after, delimiter: None, max: limits::PAGE_KEYS_MAX };
        Source::list(self, survey.bucket(), ask).await.map(Raw::seal)
    }

    async fn survey_object(&self, examined: &Examined, pin: Option<ETag>) -> Result<Raw<Object>, Trouble> {
        Source::get(self, examined.bucket(), examined.key(), Fetch { pin, ..Fetch::default() }).await.map(Raw::seal)
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        Source::probe(self, bucket).await
    }
}

/// What a write may replace: nothing, where the role may only create, whatever was asked.
fn replaced<O: Op>(permit: &Permit<O>, asked: &OnlyIf) -> OnlyIf {
    if permit.creates_only() { OnlyIf::Absent } else { asked.clone() }
}
