//! The operations that change a bucket, and those of multipart uploads.

use std::collections::BTreeMap;

use super::{Action, Details, ETag, Op, OpName, Preconditions, RangeAsk, Touch};
use crate::s3::answer::{Copied, Deleted, PartCopied, PartPage, Stored, Tag, UploadBatch};
use crate::s3::name::{Bucket, Key, Prefix, VersionId};

/// What a write may replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnlyIf {
    /// Whatever is there.
    #[default]
    Always,
    /// Nothing: `If-None-Match: *`.
    Absent,
    /// The object of this tag: `If-Match`.
    Matches(ETag),
}

/// What is stored with the bytes of a new object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewHead {
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`
    pub content_encoding: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Expires`, as sent
    pub expires: Option<String>,
    /// `x-amz-storage-class`
    pub storage_class: Option<String>,
    /// `x-amz-meta-*`, names in lower case without the prefix
    pub user_metadata: BTreeMap<String, String>,
    /// `x-amz-tagging`, decoded; at most [`crate::limits::TAGS_MAX`]
    pub tags: Vec<Tag>,
    /// `x-amz-server-side-encryption: AES256`
    pub encrypted: bool,
}

/// `PutObject`: an object from the request's body.
#[derive(Debug, Clone)]
pub struct PutObject {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// What is stored with it.
    pub head: NewHead,
    /// What it may replace.
    pub only_if: OnlyIf,
}

/// An upload in parts, as its sealed id names it. Opened from what the caller sent; see `redact::upload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId {
    /// The backend's own id.
    pub inside: Box<str>,
}

/// `CreateMultipartUpload`: begins an upload in parts.
#[derive(Debug, Clone)]
pub struct CreateMultipartUpload {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object to be.
    pub key: Key,
    /// What is stored with it.
    pub head: NewHead,
    /// The checksum that parts will carry, by S3's name (`CRC32`…), and whether it is of the whole (`FULL_OBJECT`).
    pub checksum: Option<ChecksumPlan>,
}

/// `x-amz-checksum-algorithm` and `x-amz-checksum-type` of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChecksumPlan {
    /// The algorithm.
    pub algorithm: crate::s3::checksum::Algorithm,
    /// Whether the upload's checksum is of the whole object, and not of its parts' checksums. `None`: S3's own choice.
    pub full_object: Option<bool>,
}

/// `UploadPart`: one part from the request's body.
#[derive(Debug, Clone)]
pub struct UploadPart {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object to be.
    pub key: Key,
    /// The upload.
    pub upload: UploadId,
    /// Number of the part, 1 to 10,000.
    pub part: u32,
}

/// One part as `CompleteMultipartUpload` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartNamed {
    /// Number of the part.
    pub part: u32,
    /// The tag that `UploadPart` answered.
    pub etag: ETag,
    /// Its checksum, where the caller says one.
    pub checksum: Option<crate::s3::checksum::Checksum>,
}

/// `CompleteMultipartUpload`: makes the object from its parts.
#[derive(Debug, Clone)]
pub struct CompleteMultipartUpload {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// The upload.
    pub upload: UploadId,
    /// The parts, in order.
    pub parts: Vec<PartNamed>,
    /// The checksum of the whole, where the caller says one.
    pub checksum: Option<crate::s3::checksum::Checksum>,
    /// Whether that checksum is of the whole object; see [`ChecksumPlan::full_object`].
    pub full_object: Option<bool>,
    /// How large the whole must be, in bytes, where the caller says so (`x-amz-mp-object-size`); at most [`i64::MAX`].
    pub size: Option<u64>,
    /// What it may replace.
    pub only_if: OnlyIf,
}

/// `AbortMultipartUpload`: gives an upload up.
#[derive(Debug, Clone)]
pub struct AbortMultipartUpload {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object that was to be.
    pub key: Key,
    /// The upload.
    pub upload: UploadId,
}

/// `ListParts`: what an upload has so far.
#[derive(Debug, Clone)]
pub struct ListParts {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object to be.
    pub key: Key,
    /// The upload.
    pub upload: UploadId,
    /// `part-number-marker`: only parts behind this.
    pub after: u32,
    /// Most parts, at most [`crate::limits::PAGE_KEYS_MAX`].
    pub max_parts: u32,
}

/// `ListMultipartUploads`: the uploads under way.
#[derive(Debug, Clone)]
pub struct ListMultipartUploads {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Only keys that begin so.
    pub prefix: Prefix,
    /// Roll keys up to the first occurrence of this after the prefix; never empty.
    pub delimiter: Option<String>,
    /// `key-marker`, as sent: a text, or the sealed one of an earlier page.
    pub key_marker: Option<String>,
    /// Most uploads and common prefixes, at most [`crate::limits::PAGE_KEYS_MAX`].
    pub max_uploads: u32,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

/// What a copy reads: `x-amz-copy-source`, with its conditions.
#[derive(Debug, Clone)]
pub struct CopySource {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// The version; `None` is the current one.
    pub version: Option<VersionId>,
    /// `x-amz-copy-source-if-*`
    pub preconditions: Preconditions,
}

/// `CopyObject`: an object from another.
#[derive(Debug, Clone)]
pub struct CopyObject {
    /// What is copied.
    pub source: CopySource,
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// `x-amz-metadata-directive: REPLACE`: what is stored with it; `None` copies the source's.
    pub head: Option<NewHead>,
    /// `x-amz-tagging-directive: REPLACE`: its tags; `None` copies the source's.
    pub tags: Option<Vec<Tag>>,
    /// `x-amz-storage-class`
    pub storage_class: Option<String>,
    /// `x-amz-server-side-encryption: AES256`
    pub encrypted: bool,
    /// `x-amz-checksum-algorithm`: the checksum that the copy gets; `None` keeps the source's.
    pub checksum: Option<crate::s3::checksum::Algorithm>,
    /// What it may replace.
    pub only_if: OnlyIf,
}

/// `UploadPartCopy`: one part from an object.
#[derive(Debug, Clone)]
pub struct UploadPartCopy {
    /// What is copied.
    pub source: CopySource,
    /// `x-amz-copy-source-range`; only the form `bytes=FIRST-LAST`.
    pub range: Option<RangeAsk>,
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object to be.
    pub key: Key,
    /// The upload.
    pub upload: UploadId,
    /// Number of the part, 1 to 10,000.
    pub part: u32,
}

/// `DeleteObject`, and each key of `DeleteObjects`.
#[derive(Debug, Clone)]
pub struct DeleteObject {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// The version; `None` deletes the current one, or puts a delete marker over it.
    pub version: Option<VersionId>,
}

/// What a request with a body of XML needs, whatever its body says: decided before a byte of it is read.
#[derive(Debug, Clone)]
pub enum Foreseen {
    /// `CompleteMultipartUpload`
    Complete(Bucket, Key, OnlyIf),
    /// `PutObjectTagging`
    Tags(Bucket, Key),
    /// `DeleteObjects`
    Deletes(Bucket),
}

/// `GetObjectTagging`: an object's tags.
#[derive(Debug, Clone)]
pub struct GetObjectTagging {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// The version; `None` is the current one.
    pub version: Option<VersionId>,
}

/// `PutObjectTagging` and `DeleteObjectTagging`: all tags of an object anew.
#[derive(Debug, Clone)]
pub struct PutObjectTagging {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// The version; `None` is the current one.
    pub version: Option<VersionId>,
    /// The tags; `None` takes all away (`DeleteObjectTagging`).
    pub tags: Option<Vec<Tag>>,
}

impl CopySource {
    fn touch(&self) -> Touch<'_> {
        Touch::Source(&self.bucket, &self.key)
    }
}

/// A condition that names a tag replaces the object that is there, and asks about it: that takes `put`, and the right to
/// read it unmasked.
fn written<'a>(bucket: &'a Bucket, key: &'a Key, only_if: &OnlyIf) -> Vec<Touch<'a>> {
    match only_if {
        OnlyIf::Always | OnlyIf::Absent => vec![Touch::Write(bucket, key)],
        OnlyIf::Matches(_) => vec![Touch::Object(Action::Put, bucket, key), Touch::Source(bucket, key)],
    }
}

impl Op for PutObject {
    type Found = Stored;
    fn name(&self) -> OpName {
        OpName::PutObject
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        written(&self.bucket, &self.key, &self.only_if)
    }
}

impl Op for CreateMultipartUpload {
    type Found = UploadId;
    fn name(&self) -> OpName {
        OpName::CreateMultipartUpload
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Write(&self.bucket, &self.key)]
    }
}

impl Op for UploadPart {
    type Found = Stored;
    fn name(&self) -> OpName {
        OpName::UploadPart
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Write(&self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        Details { part: Some(self.part), ..Details::default() }
    }
}

impl Op for CompleteMultipartUpload {
    type Found = Stored;
    fn name(&self) -> OpName {
        OpName::CompleteMultipartUpload
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        written(&self.bucket, &self.key, &self.only_if)
    }
}

impl Op for AbortMultipartUpload {
    type Found = ();
    fn name(&self) -> OpName {
        OpName::AbortMultipartUpload
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Write(&self.bucket, &self.key)]
    }
}

impl Op for ListParts {
    type Found = PartPage;
    fn name(&self) -> OpName {
        OpName::ListParts
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Write(&self.bucket, &self.key)]
    }
}

impl Op for ListMultipartUploads {
    type Found = UploadBatch;
    fn name(&self) -> OpName {
        OpName::ListMultipartUploads
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Listing(&self.bucket, &self.prefix)]
    }
}

impl Op for CopyObject {
    type Found = Copied;
    fn name(&self) -> OpName {
        OpName::CopyObject
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        let mut touches = written(&self.bucket, &self.key, &self.only_if);
        touches.push(self.source.touch());
        touches
    }
    fn details(&self) -> Details<'_> {
        let (preconditions, version) = (Some(&self.source.preconditions), self.source.version.as_ref());
        Details { preconditions, version, ..Details::default() }
    }
}

impl Op for UploadPartCopy {
    type Found = PartCopied;
    fn name(&self) -> OpName {
        OpName::UploadPartCopy
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Write(&self.bucket, &self.key), self.source.touch()]
    }
    fn details(&self) -> Details<'_> {
        let preconditions = Some(&self.source.preconditions);
        let version = self.source.version.as_ref();
        Details { part: Some(self.part), range: self.range, preconditions, version, ..Details::default() }
    }
}

impl Op for DeleteObject {
    type Found = Deleted;
    fn name(&self) -> OpName {
        OpName::DeleteObject
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Delete, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        Details { version: self.version.as_ref(), ..Details::default() }
    }
}

impl Op for Foreseen {
    type Found = ();
    fn name(&self) -> OpName {
        match self {
            Foreseen::Complete(..) => OpName::CompleteMultipartUpload,
            Foreseen::Tags(..) => OpName::PutObjectTagging,
            Foreseen::Deletes(_) => OpName::DeleteObjects,
        }
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        match self {
            Foreseen::Complete(bucket, key, only_if) => written(bucket, key, only_if),
            Foreseen::Tags(bucket, key) => vec![Touch::Object(Action::Put, bucket, key)],
            Foreseen::Deletes(bucket) => vec![Touch::Somewhere(Action::Delete, bucket)],
        }
    }
}

impl Op for GetObjectTagging {
    type Found = Vec<Tag>;
    fn name(&self) -> OpName {
        OpName::GetObjectTagging
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Get, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        Details { version: self.version.as_ref(), ..Details::default() }
    }
}

impl Op for PutObjectTagging {
    type Found = ();
    fn name(&self) -> OpName {
        match self.tags {
            Some(_) => OpName::PutObjectTagging,
            None => OpName::DeleteObjectTagging,
        }
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Put, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        Details { version: self.version.as_ref(), ..Details::default() }
    }
}
