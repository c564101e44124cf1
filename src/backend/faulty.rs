//! A bucket that fails on cue: for tests of what must happen when the real one does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt as _, future, stream};

use super::source::Source;
use super::{Ask, Fetch, Trouble};
use crate::s3::answer::{Attributes, Batch, Body, BodyError, Headed, Object, ObjectHead, Versioning};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::ETag;

/// What goes wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing happened.
    Before(Trouble),
    /// It happened, and is answered as failed.
    After(Trouble),
    /// It is never answered.
    NoAnswer,
    /// The body breaks off after so many bytes.
    CutBody(u64),
    /// The body stands still for ever after so many bytes.
    StallBody(u64),
    /// The head tells so many bytes more than there are.
    LongHead(u64),
    /// The head tells another tag.
    OtherTag,
}

/// A bucket in front of another, with a queue of cues: each call takes the next; without one, it goes through.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    cues: Mutex<VecDeque<Option<Fault>>>,
    calls: AtomicU64,
}

impl<S> Faulty<S> {
    /// Nothing is cued yet.
    pub fn new(inner: S) -> Self {
        Self { inner, cues: Mutex::default(), calls: AtomicU64::new(0) }
    }

    /// One more call is answered so; `None` lets it through.
    pub fn cue(&self, fault: impl Into<Option<Fault>>) {
        self.cues.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault.into());
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
            fault => Ok(fault),
        }
    }
}

#[async_trait]
impl<S: Source> Source for Faulty<S> {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        let fault = self.next().await?;
        let object = self.inner.get(bucket, key, fetch).await?;
        let body = match fault {
            Some(Fault::CutBody(bytes)) => {
                let broken = BodyError::Backend("cut on cue".to_owned());
                first(bytes, object.body).chain(stream::once(future::ready(Err(broken)))).boxed()
            }
            Some(Fault::StallBody(bytes)) => first(bytes, object.body).chain(stream::pending()).boxed(),
            Some(Fault::Before(_) | Fault::After(_) | Fault::NoAnswer | Fault::LongHead(_) | Fault::OtherTag)
            | None => object.body,
        };
        Ok(Object { head: altered(fault, object.head)?, range: object.range, body })
    }

    async fn head(&self, bucket: &Bucket, key: &Key, part: Option<u32>) -> Result<Headed, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.head(bucket, key, part).await?;
        Ok(Headed { head: altered(fault, found.head)?, ..found })
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key) -> Result<Attributes, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.attributes(bucket, key).await?;
        Ok(Attributes { head: altered(fault, found.head)?, ..found })
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        let fault = self.next().await?;
        let batch = self.inner.list(bucket, ask).await?;
        unless_failed(fault)?;
        Ok(batch)
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        let fault = self.next().await?;
        let found = self.inner.versioning(bucket).await?;
        unless_failed(fault)?;
        Ok(found)
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        let fault = self.next().await?;
        self.inner.probe(bucket).await?;
        unless_failed(fault).map(drop)
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
        Some(Fault::Before(_) | Fault::After(_) | Fault::NoAnswer | Fault::CutBody(_) | Fault::StallBody(_)) | None => {
        }
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
        memory.put(&bucket, "k", Content::new(vec![b'x'; 300_000], Timestamp::UNIX_EPOCH));
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
}
