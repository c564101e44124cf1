//! The thread that owns the log: takes what waits, writes it at once, syncs it once, wakes everyone. No timer makes
//! anybody wait; batches grow by themselves while the disk syncs. Outcomes, for which nobody waits, go with the next
//! write, or by themselves after [`limits::OUTCOME_LINGER`].

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::disk::Disk;
use super::gauges::{Gauges, State};
use super::journal::SpaceLeft;
use super::listing::Blobs;
use super::outcomes::Outcomes;
use super::recover;
use super::refusals::Summary;
use super::sealer::Sealer;
use super::thread::DeadOnPanic;
use super::wire;
use super::writer::{Class, Fatal, Item, Writer};
use crate::limits;

pub(super) enum Message {
    /// Somebody waits for it.
    Entry(Item),
    /// There are [`Outcomes`] to write, before long.
    Outcomes,
    Stop(oneshot::Sender<()>),
}

pub(super) struct Committer {
    pub(super) writer: Writer,
    pub(super) inbox: Receiver<Message>,
    pub(super) outcomes: Arc<Outcomes>,
    /// When outcomes are written at the latest; `None` while there are none.
    pub(super) linger: Option<Instant>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) dir: PathBuf,
    pub(super) clock: fn() -> Timestamp,
    pub(super) space: SpaceLeft,
    pub(super) retention: Option<Duration>,
    /// Signs what is written, also what is written last.
    pub(super) sealer: Sealer,
    /// Held as long as the log is written.
    pub(super) lock: fs::File,
}

impl Committer {
    /// Until stopped, dropped or dead. What still waits then is told that the journal is down.
    pub(super) fn run(mut self) {
        let _dead = DeadOnPanic(Arc::clone(&self.gauges));
        let served = self.serve();
        self.outcomes.end();
        match served {
            Ok(asked) => {
                drop(self.writer);
                drop(self.sealer);
                drop(self.lock);
                self.gauges.become_state(State::Stopped);
                if let Some(done) = asked {
                    done.send(()).ok(); // Whoever asked may have left.
                }
            }
            Err(fatal) => {
                tracing::error!(error = %fatal, "the log cannot be written; nothing is served any more");
                self.gauges.become_state(State::Dead);
                drop(self.sealer);
            }
        }
    }

    fn serve(&mut self) -> Result<Option<oneshot::Sender<()>>, Fatal> {
        self.tick()?;
        let mut ticked = Instant::now();
        loop {
            let tick = ticked + limits::JOURNAL_TICK;
            let next = self.linger.map_or(tick, |until| until.min(tick));
            let (first, gone) = match self.inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Outcomes) => {
                    self.begin_to_linger();
                    continue;
                }
                Ok(message) => (Some(message), false),
                Err(RecvTimeoutError::Timeout) => (None, false),
                Err(RecvTimeoutError::Disconnected) => (None, true),
            };
            let lingered = self.linger.is_some_and(|until| until <= Instant::now());
            let (items, stop) =
                if first.is_some() || gone || lingered { self.gather(first) } else { (Vec::new(), None) };
            if !items.is_empty() {
                self.writer.commit(items, (self.clock)())?;
            }
            if gone {
                self.write_outcomes()?;
                return Ok(None);
            }
            if let Some(asked) = stop {
                self.write_outcomes()?;
                self.write_refusals(true)?;
                let note = Item { body: wire::stopped(), class: Class::Note, done: None };
                self.writer.commit([note], (self.clock)())?;
                return Ok(Some(asked));
            }
            if ticked.elapsed() >= limits::JOURNAL_TICK {
                self.tick()?;
                ticked = Instant::now();
            }
            self.show_state();
        }
    }

    /// What waits, up to the size of a batch, and whether to stop behind it.
    ///
    /// Outcomes come first. Those of intents that are not written yet, of requests that were given up, come last: their
    /// intents were sent before.
    fn gather(&mut self, first: Option<Message>) -> (Vec<Item>, Option<oneshot::Sender<()>>) {
        self.linger = None;
        let told = self.outcomes.take(limits::JOURNAL_BATCH_BYTES_MAX);
        let mut bytes = told.iter().map(|item| item.body.len()).sum::<usize>();
        let (mut items, mut early): (Vec<Item>, Vec<Item>) = told.into_iter().partition(Item::follows_a_written_intent);
        if !self.outcomes.is_empty() {
            self.begin_to_linger();
        }
        // Also where nothing came: what was sent before these outcomes were told may hold their intents.
        let mut next = first.or_else(|| self.inbox.try_recv().ok());
        let mut stop = None;
        while let Some(message) = next {
            match message {
                Message::Stop(asked) => {
                    stop = Some(asked);
                    break;
                }
                Message::Outcomes => self.begin_to_linger(),
                Message::Entry(item) => {
                    if matches!(item.class, Class::Intent(_) | Class::Whole) {
                        self.gauges.taken_from_queue();
                    }
                    bytes += item.body.len();
                    items.push(item);
                }
            }
            if bytes >= limits::JOURNAL_BATCH_BYTES_MAX {
                // Their intents may be among what is left.
                self.outcomes.put_back(std::mem::take(&mut early));
                self.begin_to_linger();
                break;
            }
            next = self.inbox.try_recv().ok();
        }
        items.append(&mut early);
        (items, stop)
    }

    /// Writes every outcome that was told, batch by batch: at the end of the log nothing is left.
    fn write_outcomes(&mut self) -> Result<(), Fatal> {
        loop {
            let told = self.outcomes.take(limits::JOURNAL_BATCH_BYTES_MAX);
            if told.is_empty() {
                return Ok(());
            }
            self.writer.commit(told, (self.clock)())?;
        }
    }

    /// Sees to it that outcomes are written before long, whether or not somebody comes for whom the log is synced.
    fn begin_to_linger(&mut self) {
        self.linger.get_or_insert_with(|| Instant::now() + limits::OUTCOME_LINGER);
    }

    fn tick(&mut self) -> Result<(), Fatal> {
        let free = self.disk.free_bytes(&self.dir);
        let free = free.map_err(|error| Fatal { what: "asking for the space that is left", error })?;
        self.gauges.free_bytes(free);
        self.writer.look_at_space(free, self.space.min)?;
        self.write_refusals(false)?;
        if let Some(retention) = self.retention {
            self.prune(retention)?;
        }
        self.show_state();
        Ok(())
    }

    fn show_state(&self) {
        let state = if self.writer.is_full() {
            State::Full
        } else if !self.writer.takes_new() {
            State::SpaceShort
        } else if self.gauges.free() < self.space.warn {
            State::SpaceLow
        } else {
            State::Ok
        };
        if state != self.gauges.state() {
            tell(state, self.gauges.free());
        }
        self.gauges.become_state(state);
    }

    /// Writes the refusals whose window is over; at the end of the log also the others.
    fn write_refusals(&mut self, at_end: bool) -> Result<(), Fatal> {
        let now = (self.clock)();
        if at_end {
            let all = self.gauges.refusals().all();
            self.write_summaries(all, now)?;
        }
        let due = if at_end { self.gauges.refusals().all() } else { self.gauges.refusals().due(now) };
        self.write_summaries(due, now)
    }

    /// What finds no room is counted together with the rest of its reason, in the next window.
    fn write_summaries(&mut self, summaries: Vec<Summary>, now: Timestamp) -> Result<(), Fatal> {
        for summary in summaries {
            let body = wire::refused(&summary);
            if self.writer.has_room_for_refusal(body.len(), summary.network.is_none()) {
                self.writer.commit([Item { body, class: Class::Refusals, done: None }], now)?;
            } else {
                self.gauges.refusals().keep(summary, now);
            }
        }
        Ok(())
    }

    /// Removes whole segments in which every entry is older than the retention and signed; the log says so first.
    fn prune(&mut self, retention: Duration) -> Result<(), Fatal> {
        let fatal = |error| Fatal { what: "ending the retention of old segments", error };
        let now = (self.clock)();
        let Ok(before) = now.checked_sub(retention) else { return Ok(()) };
        let mut over = 0;
        let signed = self.gauges.under_checkpoint();
        for pair in self.writer.segments().windows(2).take_while(|pair| pair[1].base <= signed) {
            let next_begins = recover::first_time(&pair[1].path).map_err(fatal)?;
            match next_begins {
                Some(time) if time < before => over += 1,
                Some(_) | None => break,
            }
        }
        if over == 0 {
            return Ok(());
        }
        let segments = self.writer.segments();
        let (first, end) = (segments[0].base, segments[over].base);
        let paths: Vec<PathBuf> = segments[..over].iter().map(|segment| segment.path.clone()).collect();
        self.writer.commit([Item { body: wire::pruned(first, end), class: Class::Note, done: None }], now)?;
        self.disk.settle(&self.dir).map_err(fatal)?;
        for path in paths {
            fs::remove_file(path).map_err(fatal)?;
        }
        self.writer.forget_oldest(over);
        self.blobs.remove_older(before).map_err(fatal)
    }
}

/// Tells the operators of a change of the state; of the end, whoever brought it about does.
fn tell(state: State, free: u64) {
    match state {
        State::Ok => tracing::info!(free, "the log's disk has space again"),
        State::SpaceLow => tracing::warn!(free, "the log's disk has little space: make some before nothing is served"),
        State::SpaceShort | State::Full => {
            tracing::error!(free, state = state.word(), "the log's disk has no space: nothing new is served");
        }
        State::Stopped | State::Dead => {}
    }
}
