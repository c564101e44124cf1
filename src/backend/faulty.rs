//! A bucket that fails on cue: for tests of what must happen when the real one does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, future, stream};

use super::source::Source;
use super::{Ask, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
use crate::s3::answer::{
    Attributes, Batch, Body, BodyError, Copied, Deleted, Headed, Object, ObjectHead, PartCopied, PartPage, Stored, Tag,
    UploadBatch, VersionBatch, Versioning,
};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::ETag;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, DeleteObject,
    GetObjectTagging, ListParts, OnlyIf, PutObject, PutObjectTagging, UploadId, UploadPart, UploadPartCopy,
};
use crate::s3::payload::Upload;

/// What goes wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing happened.
    Before(Trouble),
    /// It happened, and is answered as failed.
    After(Trouble),
    /// It is never answered.
    NoAnswer,
    /// It fails after so long, and nothing happened.
    Late(Duration, Trouble),
    /// The body breaks off after so many bytes.
    CutBody(u64),
    /// The body stands still for ever after so many bytes.
    StallBody(u64),
    /// The head tells so many bytes more than there are.
    LongHead(u64),
    /// The head tells another tag.
    OtherTag,
    /// Of the body of a write so many bytes are taken, and no more: it fails, and nothing happened.
    LeaveBody(u64),
}

/// A bucket in front of another, with a queue of cues: each call takes the next; without one, it goes through.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    cues: Mutex<VecDeque<Option<Fault>>>,
    fetches: Mutex<Vec<Fetch>>,
    calls: AtomicU64,
}

impl<S> Faulty<S> {
    /// Nothing is cued yet.
    pub fn new(inner: S) -> Self {
        Self { inner, cues: Mutex::default(), fetches: Mutex::default(), calls: AtomicU64::new(0) }
    }

    /// One more call is answered so; `None` lets it through.
    pub fn cue(&self, fault: impl Into<Option<Fault>>) {
        self.cues.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault.into());
    }

    /// What was fetched since this was last asked, in order.
    pub fn take_fetches(&self) -> Vec<Fetch> {
        std::mem::take(&mut self.fetches.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many calls came so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The bucket behind.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The next cue, once what must happen before the call did.
    async fn next(&self) -> Result<Option<Fault>, Trouble> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = self.cues.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten();
        match fault {
            Some(Fault::Before(trouble)) => Err(trouble),
            Some(Fault::NoAnswer) => future::pending().await,
            Some(Fault::Late(after, trouble)) => {
                tokio::time::sleep(after).await;
                Err(trouble)
            }
            fault => Ok(fault),
        }
    }

    /// The same, for a call that takes a body.
    async fn next_with(&self, mut upload: Upload) -> Result<(Option<Fault>, Upload), Trouble> {
        let fault = self.next().await?;
        let Some(Fault::LeaveBody(bytes)) = fault else { return Ok((fault, upload)) };
        let mut taken = 0;
        while taken < bytes {
            let Some(piece) = upload.body.next().await else { break };
            taken += piece?.len() as u64;
        }
        Err(Trouble::Broken("left the body on cue".to_owned()))
    }

    /// A call under the next cue. It does not begin before the cue lets it.
    async fn cued<T>(&self, call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        let fault = self.next().await?;
        let found = call.await?;
        unless_failed(fault).map(|_| found)
    }
}

#[async_trait]
impl<S: Source> Source for Faulty<S> {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner).push(fetch.clone());
        let fault = self.next().await?;
        let object = self.inner.get(bucket, key, fetch).await?;
        let body = match fault {
            Some(Fault::CutBody(bytes)) => {
                let broken = BodyError::Backend("cut on cue".to_owned());
                first(bytes, object.body).chain(stream::once(future::ready(Err(broken)))).boxed()
            }
            Some(Fault::StallBody(bytes)) => first(bytes, object.body).chain(stream::pending()).boxed(),
            Some(
                Fault::Before(_)
                | Fault::After(_)
                | Fault::NoAnswer
                | Fault::Late(..)
                | Fault::LongHead(_)
                | Fault::OtherTag
                | Fault::LeaveBody(_),
            )
            | None => object.body,
        };
        Ok(Object { head: altered(fault, object.head)?, range: object.range, body })
    }

    async fn head(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.head(bucket, key, version, part).await?;
        Ok(Headed { head: altered(fault, found.head)?, ..found })
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key, version: Option<&VersionId>) -> Result<Attributes, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.attributes(bucket, key, version).await?;
        Ok(Attributes { head: altered(fault, found.head)?, ..found })
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        self.cued(self.inner.list(bucket, ask)).await
    }

    async fn versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble> {
        self.cued(self.inner.versions(bucket, ask)).await
    }

    async fn put(&self, op: &PutObject, only_if: OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        let (fault, upload) = self.next_with(upload).await?;
        let stored = self.inner.put(op, only_if, upload).await?;
        unless_failed(fault).map(|_| stored)
    }

    async fn begin(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble> {
        self.cued(self.inner.begin(op)).await
    }

    async fn put_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        let (fault, upload) = self.next_with(upload).await?;
        let stored = self.inner.put_part(op, upload).await?;
        unless_failed(fault).map(|_| stored)
    }

    async fn complete(&self, op: &CompleteMultipartUpload, only_if: OnlyIf) -> Result<Stored, Trouble> {
        self.cued(self.inner.complete(op, only_if)).await
    }

    async fn abort(&self, op: &AbortMultipartUpload) -> Result<(), Trouble> {
        self.cued(self.inner.abort(op)).await
    }

    async fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        self.cued(self.inner.parts(op)).await
    }

    async fn uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble> {
        self.cued(self.inner.uploads(bucket, ask)).await
    }

    async fn source(&self, source: &CopySource) -> Result<ObjectHead, Trouble> {
        let fault = self.next().await?;
        altered(fault, self.inner.source(source).await?)
    }

    async fn copy(&self, op: &CopyObject, only_if: OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        self.cued(self.inner.copy(op, only_if, pin)).await
    }

    async fn copy_part(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        self.cued(self.inner.copy_part(op, pin)).await
    }

    async fn delete(&self, op: &DeleteObject) -> Result<Deleted, Trouble> {
        self.cued(self.inner.delete(op)).await
    }

    async fn delete_all(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        let fault = match self.next().await {
            Ok(fault) => fault,
            Err(trouble) => return ops.iter().map(|_| Err(trouble.clone())).collect(),
        };
        let answers = self.inner.delete_all(ops).await;
        match unless_failed(fault) {
            Ok(_) => answers,
            Err(trouble) => ops.iter().map(|_| Err(trouble.clone())).collect(),
        }
    }

    async fn tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble> {
        self.cued(self.inner.tags(op)).await
    }

    async fn set_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble> {
        self.cued(self.inner.set_tags(op)).await
    }

    async fn conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        self.cued(self.inner.conditional_writes(bucket)).await
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.versioning(bucket).await?;
        unless_failed(fault)?;
        Ok(found)
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        self.cued(self.inner.probe(bucket)).await
    }
}

fn unless_failed(fault: Option<Fault>) -> Result<Option<Fault>, Trouble> {
    match fault {
        Some(Fault::After(trouble)) => Err(trouble),
        fault => Ok(fault),
    }
}

fn altered(fault: Option<Fault>, mut head: ObjectHead) -> Result<ObjectHead, Trouble> {
    match unless_failed(fault)? {
        Some(Fault::LongHead(more)) => head.size += more,
        Some(Fault::OtherTag) => head.etag = ETag("0".repeat(32).into()),
        Some(
            Fault::Before(_)
            | Fault::After(_)
            | Fault::NoAnswer
            | Fault::Late(..)
            | Fault::CutBody(_)
            | Fault::StallBody(_)
            | Fault::LeaveBody(_),
        )
        | None => {}
    }
    Ok(head)
}

/// The first bytes of a body.
fn first(bytes: u64, body: Body) -> Body {
    let cut = body.scan(bytes, |left, chunk| {
        let chunk = chunk.map(|mut chunk| {
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
            chunk
        });
        let empty = chunk.as_ref().is_ok_and(bytes::Bytes::is_empty);
        future::ready((!empty).then_some(chunk))
    });
    cut.boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use jiff::Timestamp;

    use super::*;
    use crate::backend::memory::{Content, Memory};
    use crate::backend::suite::{Knows, Suite};

    async fn bytes_until_end(mut body: Body) -> (usize, bool) {
        let mut count = 0;
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => count += chunk.len(),
                Err(_) => return (count, false),
            }
        }
        (count, true)
    }

    #[tokio::test]
    async fn each_call_takes_the_next_cue() {
        let (bucket, key): (Bucket, Key) = ("traces".parse().unwrap(), "k".parse().unwrap());
        let memory = Arc::new(Memory::new());
        Memory::put(&memory, &bucket, "k", Content::new(vec![b'x'; 300_000], Timestamp::UNIX_EPOCH));
        let faulty = Faulty::new(memory);
        let get = || Source::get(&faulty, &bucket, &key, Fetch::default());

        faulty.cue(Fault::Before(Trouble::Busy));
        faulty.cue(Fault::After(Trouble::Timeout));
        faulty.cue(Fault::NoAnswer);
        assert_eq!(get().await.map(drop), Err(Trouble::Busy));
        assert_eq!(get().await.map(drop), Err(Trouble::Timeout));
        assert!(get().now_or_never().is_none());

        faulty.cue(Fault::CutBody(200_000));
        assert_eq!(bytes_until_end(get().await.unwrap().body).await, (200_000, false));
        faulty.cue(Fault::StallBody(10));
        let mut stalled = get().await.unwrap().body;
        assert_eq!(stalled.next().await.unwrap().unwrap().len(), 10);
        assert!(stalled.next().now_or_never().is_none());

        faulty.cue(None);
        assert_eq!(bytes_until_end(get().await.unwrap().body).await, (300_000, true));
        faulty.cue(Fault::LongHead(1));
        faulty.cue(Fault::OtherTag);
        assert_eq!(get().await.unwrap().head.size, 300_001);
        assert_ne!(get().await.unwrap().head.etag, get().await.unwrap().head.etag);
    }

    #[tokio::test]
    async fn writes_fail_before_or_after_or_in_the_middle() {
        let bucket: Bucket = "traces".parse().unwrap();
        let memory = Arc::new(Memory::new());
        memory.create_bucket(&bucket);
        let faulty = Faulty::new(memory);
        let suite = Suite { source: &faulty, bucket, knows: Knows::all() };
        let put = |body: &'static [u8]| suite.put("k", body, OnlyIf::Always);
        let read = || suite.read("k", None);

        faulty.cue(Fault::Before(Trouble::Busy));
        assert_eq!(put(b"never").await, Err(Trouble::Busy));
        faulty.cue(Fault::NoAnswer);
        assert!(put(b"never").now_or_never().is_none());
        faulty.cue(Fault::LeaveBody(2));
        assert!(matches!(put(b"never").await, Err(Trouble::Broken(_))));
        assert_eq!(read().await, Err(Trouble::NoSuchKey));

        faulty.cue(Fault::After(Trouble::Timeout));
        assert_eq!(put(b"stored").await, Err(Trouble::Timeout));
        assert_eq!(read().await.unwrap(), b"stored");
        let op = suite.delete_op("k", None);
        faulty.cue(Fault::Before(Trouble::Busy));
        assert_eq!(faulty.delete_all(&[&op]).await, [Err(Trouble::Busy)]);
        assert_eq!(read().await.unwrap(), b"stored");
        faulty.cue(Fault::After(Trouble::Timeout));
        assert_eq!(faulty.delete_all(&[&op]).await, [Err(Trouble::Timeout)]);
        assert_eq!(read().await, Err(Trouble::NoSuchKey));
    }
}
