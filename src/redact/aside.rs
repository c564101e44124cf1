//! The redaction of one large piece on a thread of its own, while the stream's own task reads what comes next and sends what
//! came before. It is that task's in all but its place: one piece at a time, in order, and nothing is shared.
//!
//! Worth it for few streams of large pieces only: where many are read, each keeps a core busy by itself.

use std::sync::LazyLock;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::output::Shown;
use super::redactor::{Fault, Redactor};
use super::tally::Tally;
use crate::limits;

/// Half of the cores may redact aside: the others read and send. Where there is one, none does.
pub(super) static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(0, |cores| cores.get() / 2)));

/// A piece that is redacted aside. Dropped, its thread ends with that piece, and nobody sees what it made.
pub(super) struct Aside {
    made: JoinHandle<Made>,
    /// Bytes of the piece.
    len: u64,
    /// What was hidden before it.
    tally: Tally,
}

/// What came of it.
pub(super) struct Made {
    pub(super) redactor: Box<Redactor>,
    /// What may leave now.
    pub(super) shown: Shown,
    pub(super) written: Result<(), Fault>,
}

/// Whether so many bytes are worth it.
pub(super) fn is_worth_it(bytes: usize) -> bool {
    bytes >= limits::REDACT_ASIDE_BYTES_MIN
}

impl Aside {
    /// Begins with a piece, if there is a place; else gives both back.
    pub(super) fn begin(
        places: &'static Semaphore,
        mut redactor: Box<Redactor>,
        piece: Bytes,
    ) -> Result<Self, (Box<Redactor>, Bytes)> {
        let (Ok(runtime), Ok(place)) = (Handle::try_current(), places.try_acquire()) else {
            return Err((redactor, piece));
        };
        let (len, tally) = (piece.len() as u64, redactor.tally().clone());
        let made = runtime.spawn_blocking(move || {
            let mut shown = Shown::new();
            let written = redactor.write(piece, &mut shown);
            drop(place);
            Made { redactor, shown, written }
        });
        Ok(Self { made, len, tally })
    }

    /// Bytes of the piece.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What was hidden before it.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Waits for it; `None` where it broke down. Waiting may be given up and begun again, but not once it is done.
    pub(super) async fn made(&mut self) -> Option<Made> {
        (&mut self.made).await.ok()
    }
}
