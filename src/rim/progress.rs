//! How the responses of one connection get on, so that one that stands still can be ended.
//!
//! An HTTP/2 peer that opens no window, and answers pings, would else hold its streams for ever: a body is not asked for
//! more, so it cannot notice, and the socket is not written to, so its own timer does not run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The responses of one connection: how many are under way, and when one last moved.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Moves>);

#[derive(Debug)]
struct Moves {
    began: Instant,
    under_way: AtomicUsize,
    last_ms: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Moves { began: Instant::now(), under_way: AtomicUsize::new(0), last_ms: AtomicU64::new(0) }))
    }
}

impl Progress {
    /// One more response is under way.
    pub fn began(&self) {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    /// A response was asked for more: its peer takes what it gets.
    pub fn moved(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_ms.store(now, Ordering::Relaxed);
    }

    /// A response is over.
    pub fn ended(&self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns when responses are under way and none has moved for so long.
    pub async fn stalled(&self, patience: Duration) {
        loop {
            let idle =
                self.0.began.elapsed().saturating_sub(Duration::from_millis(self.0.last_ms.load(Ordering::Relaxed)));
            if idle >= patience && self.0.under_way.load(Ordering::Relaxed) > 0 {
                return;
            }
            tokio::time::sleep(patience.saturating_sub(idle).max(patience / 4)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn responses_that_do_not_move_are_stalled_and_others_are_not() {
        let progress = Progress::default();
        let patience = Duration::from_millis(40);
        let soon = Duration::from_millis(200);
        assert!(tokio::time::timeout(soon, progress.stalled(patience)).await.is_err(), "nothing is under way");
        progress.began();
        assert!(tokio::time::timeout(soon, progress.stalled(patience)).await.is_ok(), "nothing moves");
        progress.ended();
        assert!(tokio::time::timeout(soon, progress.stalled(patience)).await.is_err(), "it is over");
    }
}
