//! The embedded bucket: S3's semantics over a sorted map in memory. For the demo and the tests; it keeps nothing.
//!
//! It is also what the order of listings is measured against: UTF-8 bytes, at most 1000 keys and common prefixes to a
//! page, keys behind `start-after` rolled up even if it lies inside of their common prefix.

mod content;
mod history;
mod list;
mod seed;
mod shelf;
mod uploads;
mod versions;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;

pub use self::content::Content;
use self::shelf::{Found, Shelf};
use super::source::Source;
use super::{Ask, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
use crate::limits;
use crate::s3::answer::{
    Attributes, Batch, Body, ContentRange, Copied, Deleted, Headed, Object, ObjectHead, PartCopied, PartPage, Stored,
    Tag, UploadBatch, VersionBatch, Versioning,
};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::ETag;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, DeleteObject,
    GetObjectTagging, ListParts, OnlyIf, PutObject, PutObjectTagging, UploadId, UploadPart, UploadPartCopy,
};
use crate::s3::payload::Upload;

/// Buckets in memory. See the module.
#[derive(Debug)]
pub struct Memory {
    buckets: RwLock<BTreeMap<Bucket, Shelf>>,
    pages: AtomicU64,
    /// The bucket's own clock, as the real one has its own: what it writes it dates.
    clock: fn() -> Timestamp,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_clock(Timestamp::now)
    }
}

impl Memory {
    /// No buckets.
    pub fn new() -> Self {
        Self::default()
    }

    /// No buckets; what is written is dated by that clock.
    pub fn with_clock(clock: fn() -> Timestamp) -> Self {
        Self { buckets: RwLock::default(), pages: AtomicU64::new(0), clock }
    }

    /// Makes a bucket, if there is none of that name.
    pub fn create_bucket(&self, bucket: &Bucket) {
        self.make(bucket, |_| ());
    }

    /// Puts an object under a key, over what is there. Makes the bucket. Many keys may share one content.
    pub fn put(&self, bucket: &Bucket, key: &str, content: impl Into<Arc<Content>>) {
        self.make(bucket, |shelf| drop(shelf.store(key, content.into(), Vec::new())));
    }

    /// Removes an object, if it is there.
    pub fn delete(&self, bucket: &Bucket, key: &str) {
        self.make(bucket, |shelf| drop(shelf.delete(key, None, (self.clock)())));
    }

    /// Lets a bucket keep versions of what is written from now on, or no longer. Makes the bucket.
    pub fn set_versioning(&self, bucket: &Bucket, versioning: Versioning) {
        self.make(bucket, |shelf| shelf.versioning = Some(versioning));
    }

    /// How many pages of listings were served so far.
    pub fn pages_served(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// An unsealed page, for unit tests of what listings are made of.
    #[cfg(test)]
    pub(crate) fn page_for_test(&self, bucket: &Bucket, ask: &Ask) -> Batch {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.read(bucket, |shelf| list::page(&shelf.keys, ask)).unwrap()
    }

    /// Alters a bucket, which is made where there is none.
    fn make(&self, bucket: &Bucket, alter: impl FnOnce(&mut Shelf)) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        alter(buckets.entry(bucket.clone()).or_default());
    }

    fn read<T>(&self, bucket: &Bucket, read: impl FnOnce(&Shelf) -> T) -> Result<T, Trouble> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(bucket).map(read).ok_or(Trouble::NoSuchBucket)
    }

    fn write<T>(&self, bucket: &Bucket, write: impl FnOnce(&mut Shelf) -> T) -> Result<T, Trouble> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.get_mut(bucket).map(write).ok_or(Trouble::NoSuchBucket)
    }

    fn find(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Found, Trouble> {
        self.read(bucket, |shelf| shelf.find(key, version))?
    }
}

#[async_trait]
impl Source for Memory {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        let found = self.find(bucket, key, fetch.version.as_ref())?;
        let content = &found.content;
        if fetch.pin.is_some_and(|pin| pin != content.head.etag) {
            return Err(Trouble::Changed);
        }
        if content.is_archived() {
            return Err(Trouble::Archived);
        }
        let range = match (fetch.part, fetch.range) {
            (Some(part), _) => content.part(part)?,
            (None, Some(ask)) => Some(content.span(ask)?),
            (None, None) => None,
        };
        Ok(Object { head: found.head(fetch.part), range, body: stream_of(&content.bytes, range) })
    }

    async fn head(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        let found = self.find(bucket, key, version)?;
        let range = part.map(|part| found.content.part(part)).transpose()?.flatten();
        Ok(Headed { head: found.head(part), range })
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Attributes, Trouble> {
        let found = self.find(bucket, key, version)?;
        Ok(Attributes { head: found.head(None), ..found.content.attributes() })
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        let batch = self.read(bucket, |shelf| list::page(&shelf.keys, &ask))?;
        self.pages.fetch_add(1, Ordering::Relaxed);
        Ok(batch)
    }

    async fn versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble> {
        self.read(bucket, |shelf| versions::page(shelf, &ask))
    }

    async fn put(&self, op: &PutObject, only_if: OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        self.put_object(op, &only_if, upload).await
    }

    async fn begin(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble> {
        self.write(&op.bucket, |shelf| shelf.begin(op, (self.clock)()))
    }

    async fn put_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        self.upload_part(op, upload).await
    }

    async fn complete(&self, op: &CompleteMultipartUpload, only_if: OnlyIf) -> Result<Stored, Trouble> {
        self.write(&op.bucket, |shelf| shelf.complete(op, &only_if, (self.clock)()))?
    }

    async fn abort(&self, op: &AbortMultipartUpload) -> Result<(), Trouble> {
        self.write(&op.bucket, |shelf| shelf.abort(&op.key, &op.upload))?
    }

    async fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        self.read(&op.bucket, |shelf| shelf.parts(op))?
    }

    async fn uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble> {
        self.read(bucket, |shelf| shelf.uploads(&ask))
    }

    async fn source(&self, source: &CopySource) -> Result<ObjectHead, Trouble> {
        Ok(self.find(&source.bucket, &source.key, source.version.as_ref())?.head(None))
    }

    async fn copy(&self, op: &CopyObject, only_if: OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        self.copy_object(op, &only_if, pin)
    }

    async fn copy_part(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        self.upload_part_copy(op, pin)
    }

    async fn delete(&self, op: &DeleteObject) -> Result<Deleted, Trouble> {
        self.write(&op.bucket, |shelf| shelf.delete(op.key.as_str(), op.version.as_ref(), (self.clock)()))
    }

    async fn delete_all(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        let mut answers = Vec::with_capacity(ops.len());
        for op in ops {
            answers.push(Source::delete(self, op).await);
        }
        answers
    }

    async fn tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble> {
        Ok(self.find(&op.bucket, &op.key, op.version.as_ref())?.tags)
    }

    async fn set_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble> {
        let tags = op.tags.clone().unwrap_or_default();
        self.write(&op.bucket, |shelf| shelf.tag(&op.key, op.version.as_ref(), tags))?
    }

    /// Each write looks and stores under one lock.
    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        self.read(bucket, |_| ConditionalWrites { put: true, complete: true, copy: true })
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        self.read(bucket, |shelf| shelf.versioning)
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        self.read(bucket, |_| ())
    }
}

/// The bytes of a range, or all, in chunks, without copying.
fn stream_of(bytes: &Bytes, range: Option<ContentRange>) -> Body {
    // A range was cut to the object's size when it was settled, so both ends fit into memory's measure.
    let mut rest = match range {
        Some(range) => bytes.slice(range.first as usize..=range.last as usize),
        None => bytes.clone(),
    };
    let chunks = std::iter::from_fn(move || {
        let next = rest.split_to(rest.len().min(limits::MEMORY_CHUNK_BYTES));
        (!next.is_empty()).then_some(Ok(next))
    });
    stream::iter(chunks).boxed()
}
