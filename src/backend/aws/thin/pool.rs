//! The unused connections to one address, the last used first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::line::Line;
use crate::limits;

/// Boxed, since a connection is large and is moved often.
type Idle = Vec<Box<Line>>;

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

    /// Keeps it, unless enough are kept.
    pub(super) fn keep(&self, line: Box<Line>) {
        let mut idle = self.idle();
        if idle.len() < limits::BACKEND_POOL_MAX {
            idle.push(line);
        }
    }

    /// Lets go of those that ended, or were not used for long enough.
    pub(super) fn sweep(&self) {
        self.idle().retain_mut(|line| is_fresh(line) && line.is_ready());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle().len()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
