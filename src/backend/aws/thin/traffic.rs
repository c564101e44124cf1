//! How much is read from the backend at once: much where few bodies arrive, little where many do, so that a single reader
//! is fast and a crowd stays within its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::{BACKEND_READ_BYTES_MAX, BACKEND_READ_BYTES_MIN, BACKEND_READ_BYTES_TOTAL};

/// The bodies that arrive, of one client.
#[derive(Default)]
pub(super) struct Traffic {
    bodies: AtomicUsize,
}

/// A body that arrives, as long as it is held.
pub(super) struct Counted(Arc<Traffic>);

impl Traffic {
    /// Counts one more.
    pub(super) fn count(self: &Arc<Self>) -> Counted {
        self.bodies.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    /// Bytes that one of them may read at once.
    pub(super) fn read_bytes(&self) -> usize {
        let bodies = self.bodies.load(Ordering::Relaxed).max(1);
        (BACKEND_READ_BYTES_TOTAL / bodies).clamp(BACKEND_READ_BYTES_MIN, BACKEND_READ_BYTES_MAX)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.bodies.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_arrive_the_less_is_read_at_once() {
        let traffic = Arc::new(Traffic::default());
        let most = traffic.read_bytes();
        assert_eq!(most, BACKEND_READ_BYTES_MAX);
        let mut arriving = Vec::new();
        for bodies in 1..=2048 {
            arriving.push(traffic.count());
            let all = bodies * traffic.read_bytes();
            let fits = all <= BACKEND_READ_BYTES_TOTAL || traffic.read_bytes() == BACKEND_READ_BYTES_MIN;
            assert!(fits, "{bodies} read {all} bytes at once");
        }
        assert_eq!(traffic.read_bytes(), BACKEND_READ_BYTES_MIN);
        arriving.clear();
        assert_eq!(traffic.read_bytes(), most);
    }
}
