//! The unused connections to one address, the last used first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::line::Line;
use crate::limits;

/// Boxed, since a connection is large and is moved often.
type Lines = Vec<Box<Line>>;

#[derive(Default)]
struct Idle {
    lines: Lines,
    /// Bytes of their buffers.
    room: usize,
}

/// Connections that wait to be used. Its lock is held to push or pop one, never while anything is waited for.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

impl Pool {
    /// A pool that looks itself through, as long as somebody holds it.
    pub(super) fn swept() -> Arc<Self> {
        let pool = Arc::new(Self::default());
        tokio::spawn(swept_again_and_again(Arc::downgrade(&pool)));
        pool
    }

    /// A connection that can take a request, if there is one.
    pub(super) fn take(&self) -> Option<Box<Line>> {
        loop {
            let mut line = self.idle().pop()?;
            if is_fresh(&line) && line.is_ready() {
                return Some(line);
            }
        }
    }

    /// Keeps a connection whose answer was read to the end, unless it ended, too, or enough are kept.
    pub(super) fn put(&self, mut line: Box<Line>) {
        if line.is_ready() {
            line.idle_since = Instant::now();
            self.keep(line);
        }
    }

    /// Keeps it, unless enough are kept, or their buffers are large enough.
    pub(super) fn keep(&self, line: Box<Line>) {
        let mut idle = self.idle();
        let room = idle.room + line.room();
        if idle.lines.len() < limits::BACKEND_POOL_MAX && room <= limits::BACKEND_POOL_BYTES_MAX {
            idle.room = room;
            idle.lines.push(line);
        }
    }

    /// Lets go of those that ended, or were not used for long enough.
    pub(super) fn sweep(&self) {
        let mut idle = self.idle();
        idle.lines.retain_mut(|line| is_fresh(line) && line.is_ready());
        idle.room = idle.lines.iter().map(|line| line.room()).sum();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle().lines.len()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn pop(&mut self) -> Option<Box<Line>> {
        let line = self.lines.pop()?;
        self.room -= line.room();
        Some(line)
    }
}

/// Whether the peer, or what stands between, can be expected to hold it open still.
fn is_fresh(line: &Line) -> bool {
    line.idle_since.elapsed() < limits::BACKEND_POOL_IDLE
}

async fn swept_again_and_again(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(limits::BACKEND_POOL_SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.sweep();
    }
}
