//! On the record, before it happens: the intent is durable before the first byte leaves, the outcome follows.
//!
//! [`Queued`], [`Intent`] and [`Recorded`] are minted only here. An intent lets the backend be *asked* while the disk
//! syncs; nothing is handed out before [`Queued::durable_with`] returns. Dropping any of them writes *aborted*.
//!
//! ```compile_fail
//! // An intent cannot be made elsewhere.
//! fn forge<T>(what: &T) -> tracegate::audit::Intent<'_, T> {
//!     tracegate::audit::Intent { inner: what }
//! }
//! ```
//! ```
//! // What can be done with one: read what it is about, as often as needed.
//! fn read<'a, T>(intent: &'a tracegate::audit::Intent<'_, T>) -> &'a T {
//!     let again = *intent;
//!     let _: &T = &again;
//!     intent
//! }
//! ```
//! ```compile_fail
//! // A record cannot be had without its sync.
//! fn skip<T>(queued: tracegate::audit::Queued<T>) -> tracegate::audit::Recorded<T> {
//!     let tracegate::audit::Queued { what, open, .. } = queued;
//!     tracegate::audit::Recorded { what, open }
//! }
//! ```
//! ```compile_fail
//! // An intent does not outlive the wait: it cannot be carried out of the closure.
//! async fn keep<T: Clone>(queued: tracegate::audit::Queued<T>) {
//!     let mut kept = None;
//!     let _ = queued.durable_with(async |intent| kept = Some(intent)).await;
//!     drop(kept);
//! }
//! ```
//! ```
//! // What can be done instead: ask while the disk syncs, and have both.
//! use tracegate::audit::{Queued, Recorded, Unavailable};
//! async fn ask(queued: Queued<String>) -> Result<(Recorded<String>, usize), Unavailable> {
//!     queued.durable_with(async |intent| intent.len()).await
//! }
//! async fn wait(queued: Queued<String>) -> Result<Recorded<String>, Unavailable> {
//!     queued.durable().await
//! }
//! ```

pub mod entry;
pub mod export;
pub mod journal;
pub mod prove;
pub mod query;
pub mod tlog;
pub mod verify;

mod committer;
mod disk;
mod gauges;
mod listing;
mod outcomes;
mod recover;
mod refusals;
mod regrow;
mod sealer;
mod segment;
mod shape;
mod thread;
mod tiles;
mod wire;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::oneshot;

pub use entry::{Ended, EntryId, Event, ListingShown, Outcome, RequestFacts, Tally, Unproven};
pub use gauges::{State, Stats};
pub use journal::{Journal, JournalError, JournalOptions, Recovery, Unavailable};

use crate::keyring::SecretKey;
use journal::Shared;
use writer::SeqCell;

/// The verifier keys that a log's folder lists, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn listed_keys(dir: &std::path::Path) -> std::io::Result<Vec<tlog::VerifierKey>> {
    tiles::verifier_keys(dir)
}

/// What may be recorded: a permit for any operation, and a denial. Nothing else can be.
pub trait Auditable: wire::sealed::Asked {}

/// Handed to the journal, not yet known to be durable.
#[must_use]
pub struct Queued<T> {
    what: T,
    open: OpenEntry,
    durable: oneshot::Receiver<Result<(), Unavailable>>,
}

/// Proof that the intent of `T` is with the journal: it may be asked of the backend, not yet answered.
#[derive(Debug)]
pub struct Intent<'a, T> {
    inner: &'a T,
}

/// Proof that the intent of `T` is on the disk.
#[must_use]
pub struct Recorded<T> {
    what: T,
    open: OpenEntry,
}

/// An entry whose outcome is still to come. Dropped without one, it records *aborted*, with what its tally holds.
#[must_use]
pub struct OpenEntry {
    shared: Arc<Shared>,
    id: EntryId,
    /// Where the committer notes the intent's number; `None` once the outcome is told, or where none follows (denials).
    line: Option<SeqCell>,
    tally: Arc<Tally>,
}

impl<T> Queued<T> {
    /// Asks while the disk syncs, and returns when both are done. A journal that fails ends the asking at once.
    ///
    /// # Errors
    /// The entry could not be made durable: nothing may be answered from what was asked.
    pub async fn durable_with<R>(
        self,
        ask: impl AsyncFnOnce(Intent<'_, T>) -> R,
    ) -> Result<(Recorded<T>, R), Unavailable> {
        let Queued { what, open, durable } = self;
        let asked = async { Ok::<R, Unavailable>(ask(Intent { inner: &what }).await) };
        let (found, ()) = futures::try_join!(asked, synced(durable))?;
        Ok((Recorded { what, open }, found))
    }

    /// Waits for the disk.
    ///
    /// # Errors
    /// The entry could not be made durable: nothing may be answered.
    pub async fn durable(self) -> Result<Recorded<T>, Unavailable> {
        let Queued { what, open, durable } = self;
        synced(durable).await?;
        Ok(Recorded { what, open })
    }

    /// The request's id.
    pub fn id(&self) -> &EntryId {
        self.open.id()
    }
}

async fn synced(durable: oneshot::Receiver<Result<(), Unavailable>>) -> Result<(), Unavailable> {
    durable.await.unwrap_or(Err(Unavailable::Down))
}

impl<T> Clone for Intent<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Intent<'_, T> {}

impl<T> Deref for Intent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner
    }
}

#[cfg(test)]
impl<'a, T> Intent<'a, T> {
    /// An intent without a journal, for unit tests of what needs one.
    pub(crate) fn for_test(inner: &'a T) -> Self {
        Self { inner }
    }
}

impl<T> Recorded<T> {
    /// For further questions to the backend under the same record (look back, next page).
    pub fn intent(&self) -> Intent<'_, T> {
        Intent { inner: &self.what }
    }

    /// The entry that waits for its outcome.
    pub fn entry(&self) -> &OpenEntry {
        &self.open
    }

    /// Takes the entry out, for whoever sends the answer and closes it; the record stays, as the proof for further
    /// questions to the backend.
    pub fn detach(&mut self) -> OpenEntry {
        let OpenEntry { shared, id, line: _, tally } = &self.open;
        let closed = OpenEntry { shared: Arc::clone(shared), id: *id, line: None, tally: Arc::clone(tally) };
        std::mem::replace(&mut self.open, closed)
    }

    /// What was recorded, and the entry that waits for its outcome.
    pub fn into_parts(self) -> (T, OpenEntry) {
        (self.what, self.open)
    }
}

impl<T> Deref for Recorded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

impl OpenEntry {
    fn new(shared: Arc<Shared>, id: EntryId, line: Option<SeqCell>, tally: Tally) -> Self {
        Self { shared, id, line, tally: Arc::new(tally) }
    }

    /// The request's id, which is also its `x-amz-request-id`.
    pub fn id(&self) -> &EntryId {
        &self.id
    }

    /// What was hidden so far; shared with whoever hides.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The key of [`Outcome::digest`].
    pub fn digest_key(&self) -> &SecretKey {
        self.shared.digest_key()
    }

    /// Records how the request ended. It does not wait for the disk: the next sync takes it along.
    pub fn close(mut self, outcome: Outcome) {
        self.tell(&outcome);
    }

    fn tell(&mut self, outcome: &Outcome) {
        if let Some(line) = self.line.take() {
            self.shared.outcome(wire::complete(&self.id, outcome, &self.tally), line);
        }
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if self.line.is_some() {
            self.tell(&Outcome::aborted());
        }
    }
}

impl fmt::Debug for OpenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenEntry").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Queued<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued").field("what", &self.what).field("open", &self.open).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Recorded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("what", &self.what).field("open", &self.open).finish()
    }
}
