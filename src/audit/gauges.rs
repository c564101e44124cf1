//! How the journal is, and its numbers: told by the threads that work, read by everyone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::journal::Unavailable;
use super::refusals::Refusals;
use crate::limits;

/// How the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Ok,
    /// Served, but the disk's free space is below [`SpaceLeft::warn`](super::journal::SpaceLeft::warn).
    SpaceLow,
    /// Nothing new is served: the free space is below [`SpaceLeft::min`](super::journal::SpaceLeft::min).
    SpaceShort,
    /// Nothing new is served: no space for another segment.
    Full,
    /// Closed in order.
    Stopped,
    /// A write or sync failed. The process is to end with an error.
    Dead,
}

impl State {
    /// The word of metrics and readiness.
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::SpaceLow => "space-low",
            State::SpaceShort => "space-short",
            State::Full => "full",
            State::Stopped => "stopped",
            State::Dead => "dead",
        }
    }
}

/// Numbers for metrics, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How the journal is.
    pub state: State,
    /// Durable entries.
    pub entries: u64,
    /// Their bytes, with frames.
    pub bytes: u64,
    /// Syncs; entries by syncs is the size of a batch.
    pub fsyncs: u64,
    /// Entries that wait.
    pub queued: usize,
    /// Requests whose outcome is still to come.
    pub open: u64,
    /// Refusals of unproven callers.
    pub refusals: u64,
    /// Segment files.
    pub segments: u64,
    /// Free space of the disk, in bytes.
    pub free_bytes: u64,
    /// Entries under the newest checkpoint, of all that the log ever held.
    pub signed: u64,
    /// For how long the oldest entry has waited that is under no checkpoint yet.
    pub unsigned_for: Duration,
}

/// What the committer tells everyone.
pub(super) struct Gauges {
    pub(super) state: watch::Sender<State>,
    refusal_counts: Mutex<Refusals>,
    waiting: AtomicUsize,
    entries: AtomicU64,
    bytes: AtomicU64,
    fsyncs: AtomicU64,
    free: AtomicU64,
    pub(super) refusals: AtomicU64,
    signed: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) segments: AtomicU64,
}

impl State {
    pub(super) fn takes_new(self) -> Result<(), Unavailable> {
        match self {
            State::Ok | State::SpaceLow => Ok(()),
            State::SpaceShort | State::Full => Err(Unavailable::Full),
            State::Stopped | State::Dead => Err(Unavailable::Down),
        }
    }
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self {
            state: watch::Sender::new(State::Ok),
            refusal_counts: Mutex::default(),
            waiting: AtomicUsize::new(0),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
            free: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            signed: AtomicU64::new(0),
            open: AtomicU64::new(0),
            segments: AtomicU64::new(0),
        }
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// A dead journal stays dead.
    pub(super) fn become_state(&self, new: State) {
        self.state.send_if_modified(|state| {
            let changes = *state != State::Dead && *state != new;
            if changes {
                *state = new;
            }
            changes
        });
    }

    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusal_counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn synced(&self, entries: u64, bytes: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn signed(&self, entries: u64) {
        self.signed.store(entries, Ordering::Relaxed);
    }

    /// Entries under the newest checkpoint of this run: their hashes are in tiles.
    pub(super) fn under_checkpoint(&self) -> u64 {
        self.signed.load(Ordering::Relaxed)
    }

    pub(super) fn free_bytes(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    pub(super) fn taken_from_queue(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn enter_queue(&self) -> Result<(), Unavailable> {
        self.state().takes_new()?;
        let room = |waiting: usize| (waiting < limits::JOURNAL_QUEUE_MAX).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        entered.map(drop).map_err(|_| Unavailable::Busy)
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        Stats {
            state: self.state(),
            entries: read(&self.entries),
            bytes: read(&self.bytes),
            fsyncs: read(&self.fsyncs),
            queued: self.waiting.load(Ordering::Relaxed),
            open: read(&self.open),
            refusals: read(&self.refusals),
            segments: read(&self.segments),
            free_bytes: read(&self.free),
            signed: read(&self.signed),
            unsigned_for: Duration::ZERO,
        }
    }
}
