//! Whether the buckets can be read, asked of the backend at most once in a while, however often and by however many
//! somebody wants to know.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Mutex;

use crate::backend::{Backend, Trouble};
use crate::limits;
use crate::s3::name::Bucket;

/// What is known of the buckets, and since when.
pub(super) struct Readiness {
    max_age: Duration,
    /// Held while the backend is asked, so that whoever comes meanwhile waits for that answer.
    last: Mutex<Option<Known>>,
}

struct Known {
    at: Instant,
    unreadable: Option<Bucket>,
}

impl Readiness {
    /// Nothing is known yet; an answer is told for `max_age` after it came.
    pub(super) fn new(max_age: Duration) -> Self {
        Self { max_age, last: Mutex::default() }
    }

    /// The first of these buckets that cannot be read with our own credential, if there is one.
    pub(super) async fn unreadable(&self, backend: &dyn Backend, buckets: &[Bucket]) -> Option<Bucket> {
        self.known(async || {
            let answers = join_all(buckets.iter().map(|bucket| asked(backend, bucket))).await;
            let mut failed = buckets.iter().zip(answers).filter_map(|(bucket, answer)| Some((bucket, answer.err()?)));
            let (bucket, trouble) = failed.next()?;
            tracing::warn!(%bucket, %trouble, "not ready");
            Some(bucket.clone())
        })
        .await
    }

    /// What is known, or what `ask` finds where that is too old.
    async fn known(&self, ask: impl AsyncFnOnce() -> Option<Bucket>) -> Option<Bucket> {
        let mut last = self.last.lock().await;
        if let Some(known) = last.as_ref().filter(|known| known.at.elapsed() < self.max_age) {
            return known.unreadable.clone();
        }
        // Whoever stops waiting in the middle leaves nothing behind; the next one asks.
        *last = None;
        let unreadable = ask().await;
        *last = Some(Known { at: Instant::now(), unreadable: unreadable.clone() });
        unreadable
    }
}

async fn asked(backend: &dyn Backend, bucket: &Bucket) -> Result<(), Trouble> {
    tokio::time::timeout(limits::READY_TIMEOUT, backend.probe(bucket)).await.unwrap_or(Err(Trouble::Timeout))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const AGE: Duration = Duration::from_millis(50);

    /// A look that takes a while and counts itself.
    async fn look(readiness: &Readiness, asked: &AtomicU32, found: Option<Bucket>) -> Option<Bucket> {
        let ask = async || {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            found
        };
        readiness.known(ask).await
    }

    #[tokio::test]
    async fn many_who_ask_at_once_are_one_question_and_its_answer_ends() {
        let (readiness, asked) = (Readiness::new(AGE), AtomicU32::new(0));
        let bucket: Bucket = "traces".parse().unwrap();
        let all = join_all((0..50).map(|_| look(&readiness, &asked, Some(bucket.clone())))).await;
        assert!(all.iter().all(|found| found.as_ref() == Some(&bucket)));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(AGE).await;
        assert_eq!(look(&readiness, &asked, None).await, None, "what was known is too old");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_the_question_to_the_next() {
        let (readiness, asked) = (Readiness::new(AGE), AtomicU32::new(0));
        let gone = tokio::time::timeout(Duration::from_millis(1), look(&readiness, &asked, None)).await;
        assert!(gone.is_err());
        assert_eq!(look(&readiness, &asked, None).await, None);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
