//! The embedded bucket: S3's semantics over a sorted map in memory. For the demo and the tests; it keeps nothing.
//!
//! It is also what the order of listings is measured against: UTF-8 bytes, at most 1000 keys and common prefixes to a
//! page, keys behind `start-after` rolled up even if it lies inside of their common prefix.

mod content;
mod list;
mod seed;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

pub use self::content::Content;
use super::source::Source;
use super::{Ask, Fetch, Trouble};
use crate::limits;
use crate::s3::answer::{Attributes, Batch, Body, ContentRange, Headed, Object, Versioning};
use crate::s3::name::{Bucket, Key};

/// Keys in the order of their bytes. A key may be one that [`Key`] rules out: real buckets have them, too.
type Contents = BTreeMap<Box<str>, Arc<Content>>;

/// Buckets in memory. See the module.
#[derive(Debug, Default)]
pub struct Memory {
    buckets: RwLock<BTreeMap<Bucket, Contents>>,
    /// Of the buckets that say something of it. No versions are kept, whatever they say.
    versioning: RwLock<BTreeMap<Bucket, Versioning>>,
    pages: AtomicU64,
}

impl Memory {
    /// No buckets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a bucket, if there is none of that name.
    pub fn create_bucket(&self, bucket: &Bucket) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(bucket.clone()).or_default();
    }

    /// Puts an object under a key, over what is there. Makes the bucket. Many keys may share one content.
    pub fn put(&self, bucket: &Bucket, key: &str, content: impl Into<Arc<Content>>) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(bucket.clone()).or_default().insert(key.into(), content.into());
    }

    /// Removes an object, if it is there.
    pub fn delete(&self, bucket: &Bucket, key: &str) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(contents) = buckets.get_mut(bucket) {
            contents.remove(key);
        }
    }

    /// Lets a bucket say so of its versions.
    pub fn set_versioning(&self, bucket: &Bucket, versioning: Versioning) {
        self.versioning.write().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone(), versioning);
    }

    /// How many pages of listings were served so far.
    pub fn pages_served(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// An unsealed page, for unit tests of what listings are made of.
    #[cfg(test)]
    pub(crate) fn page_for_test(&self, bucket: &Bucket, ask: &Ask) -> Batch {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.read(bucket, |contents| list::page(contents, ask)).unwrap()
    }

    fn read<T>(&self, bucket: &Bucket, read: impl FnOnce(&Contents) -> T) -> Result<T, Trouble> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(bucket).map(read).ok_or(Trouble::NoSuchBucket)
    }

    fn find(&self, bucket: &Bucket, key: &Key) -> Result<Arc<Content>, Trouble> {
        self.read(bucket, |contents| contents.get(key.as_str()).cloned())?.ok_or(Trouble::NoSuchKey)
    }
}

#[async_trait]
impl Source for Memory {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        let content = self.find(bucket, key)?;
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
        Ok(Object { head: content.head_of(fetch.part), range, body: stream_of(&content.bytes, range) })
    }

    async fn head(&self, bucket: &Bucket, key: &Key, part: Option<u32>) -> Result<Headed, Trouble> {
        let content = self.find(bucket, key)?;
        let range = part.map(|part| content.part(part)).transpose()?.flatten();
        Ok(Headed { head: content.head_of(part), range })
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key) -> Result<Attributes, Trouble> {
        Ok(self.find(bucket, key)?.attributes())
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        let batch = self.read(bucket, |contents| list::page(contents, &ask))?;
        self.pages.fetch_add(1, Ordering::Relaxed);
        Ok(batch)
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        self.read(bucket, |_| ())?;
        Ok(self.versioning.read().unwrap_or_else(PoisonError::into_inner).get(bucket).copied())
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
