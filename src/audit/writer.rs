//! The writing end of the log: admits entries, frames them, writes and syncs a batch at once, changes segments.
//!
//! What keeps outcomes writable on a full disk: segments are filled with zeros before they are used, the next one is
//! always made ahead, and an intent is taken only while the room behind it holds the outcomes of all that are open.
//! Every error but a full disk is final: after a failed sync the kernel may have dropped the pages, and a second
//! sync that succeeds would lie.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::disk::{Disk, SegmentFile, is_full};
use super::gauges::Gauges;
use super::journal::Unavailable;
use super::sealer::Growth;
use super::segment::{self, SegmentPath};
use super::shape;
use super::thread::Joined;
use crate::limits;

/// The number of an intent's entry, for its outcome; [`NEVER`] while it has none.
pub(super) type SeqCell = Arc<AtomicU64>;
pub(super) const NEVER: u64 = u64::MAX;

/// An entry on its way to the disk.
pub(super) struct Item {
    /// A JSON object.
    pub(super) body: Vec<u8>,
    pub(super) class: Class,
    pub(super) done: Option<oneshot::Sender<Result<(), Unavailable>>>,
}

impl Item {
    /// Whether it is the outcome of an intent that has its number.
    pub(super) fn follows_a_written_intent(&self) -> bool {
        matches!(&self.class, Class::Outcome(intent) if intent.load(Ordering::Relaxed) != NEVER)
    }
}

/// What an entry is to the accounting.
#[derive(Debug, Clone)]
pub(super) enum Class {
    /// An outcome will follow, for which room is kept.
    Intent(SeqCell),
    /// Complete in itself; refused when the log takes nothing new.
    Whole,
    /// A summary of refusals: as [`Class::Whole`], within its part of the space.
    Refusals,
    /// The outcome of the intent with that number. Uses the room that was kept.
    Outcome(SeqCell),
    /// The journal's own word (recovered, pruned, stopped). Uses the room that was kept.
    Note,
}

/// The journal cannot go on: what failed, and how.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub(super) struct Fatal {
    pub(super) what: &'static str,
    pub(super) error: io::Error,
}

/// Sizes in bytes; smaller ones in tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) segment: u64,
    pub(super) reserve: u64,
}

impl Sizes {
    pub(super) const STANDARD: Sizes = Sizes { segment: limits::SEGMENT_BYTES, reserve: limits::SEGMENT_RESERVE_BYTES };
}

/// Where the log ends.
pub(super) struct End {
    pub(super) segments: Vec<SegmentPath>,
    pub(super) file: Box<dyn SegmentFile>,
    pub(super) at: u64,
    pub(super) seq: u64,
    pub(super) last: Timestamp,
    pub(super) refusal_bytes: u64,
}

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log_name: String,
    sizes: Sizes,
    gauges: Arc<Gauges>,
    growth: Arc<Growth>,
    end: End,
    spare: Spare,
    maker: Maker,
    /// Intents whose outcome is still to come.
    open: u64,
    /// The disk refused a write into space that we had taken: nothing new until there is room again.
    write_refused: bool,
    /// Too little space is left on the disk.
    space_short: bool,
    buffer: Vec<u8>,
    pending: Vec<Item>,
    /// Number of the first entry, and `open`, at the beginning of the running write.
    batch_start: (u64, u64),
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        log_name: String,
        sizes: Sizes,
        gauges: Arc<Gauges>,
        growth: Arc<Growth>,
        end: End,
    ) -> io::Result<Self> {
        let maker = Maker::start(Arc::clone(&disk), dir.join(SPARE), sizes.segment)?;
        let batch_start = (end.seq, 0);
        let mut writer = Self {
            disk,
            dir,
            log_name,
            sizes,
            gauges,
            growth,
            end,
            maker,
            batch_start,
            spare: Spare::Missing,
            open: 0,
            write_refused: false,
            space_short: false,
            buffer: Vec::new(),
            pending: Vec::new(),
        };
        writer.order_spare();
        writer.gauges.segments.store(writer.end.segments.len() as u64, Ordering::Relaxed);
        Ok(writer)
    }

    /// Takes these entries, and makes durable what it took. Whoever waits is told.
    pub(super) fn commit(&mut self, items: impl IntoIterator<Item = Item>, now: Timestamp) -> Result<(), Fatal> {
        self.end.last = self.end.last.max(now);
        let stamp = shape::stamp(self.end.last);
        for item in items {
            match self.admit(&item)? {
                Admission::Fits => self.frame(item, &stamp),
                Admission::NextSegment => {
                    self.flush(&stamp)?;
                    self.change_segment()?;
                    self.frame(item, &stamp);
                }
                Admission::Refused => refuse(item),
            }
        }
        self.flush(&stamp)?;
        self.gauges.open.store(self.open, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a summary of that many bytes is within the part of the space that summaries may use: half of it for
    /// those of one network, the rest for those that are counted together, so that no flood goes uncounted.
    pub(super) fn has_room_for_refusal(&self, bytes: usize, counted_together: bool) -> bool {
        let part = self.sizes.segment / limits::REFUSAL_SPACE_PART;
        let part = if counted_together { part } else { part / 2 };
        self.takes_new() && self.end.refusal_bytes + self.frame_bytes(bytes) <= part
    }

    /// Looks at the space that is left, and makes the next segment where it is missing.
    pub(super) fn look_at_space(&mut self, free: u64, min: u64) -> Result<(), Fatal> {
        self.space_short = free < min;
        self.write_refused &= free < min.max(self.sizes.reserve);
        self.receive_spare(false)?;
        if matches!(self.spare, Spare::Missing) {
            self.order_spare();
        }
        Ok(())
    }

    /// Whether new intents are taken.
    pub(super) fn takes_new(&self) -> bool {
        !self.write_refused && !self.space_short
    }

    /// Whether the only thing that lacks is space for another segment.
    pub(super) fn is_full(&self) -> bool {
        let kept_only = matches!(self.spare, Spare::Missing) && self.room() <= self.kept() + limits::OUTCOME_BYTES_MAX;
        self.write_refused || kept_only
    }

    pub(super) fn segments(&self) -> &[SegmentPath] {
        &self.end.segments
    }

    /// Forgets the oldest segments, whose files the caller removed.
    pub(super) fn forget_oldest(&mut self, count: usize) {
        self.end.segments.drain(..count);
        self.gauges.segments.store(self.end.segments.len() as u64, Ordering::Relaxed);
    }

    fn admit(&mut self, item: &Item) -> Result<Admission, Fatal> {
        let need = self.frame_bytes(item.body.len());
        match &item.class {
            Class::Outcome(_) | Class::Note if need <= self.room() => Ok(Admission::Fits),
            Class::Outcome(_) | Class::Note => {
                self.receive_spare(true)?;
                let full = || Fatal { what: "no room is left for outcomes", error: io::ErrorKind::StorageFull.into() };
                if matches!(self.spare, Spare::Ready(_)) { Ok(Admission::NextSegment) } else { Err(full()) }
            }
            Class::Intent(_) | Class::Whole | Class::Refusals => self.admit_new(need),
        }
    }

    fn admit_new(&mut self, need: u64) -> Result<Admission, Fatal> {
        if !self.takes_new() {
            return Ok(Admission::Refused);
        }
        if need + self.kept() <= self.room() {
            return Ok(Admission::Fits);
        }
        self.receive_spare(true)?;
        Ok(match self.spare {
            Spare::Ready(_) if need <= self.room() => Admission::Fits,
            Spare::Ready(_) => Admission::NextSegment,
            Spare::Making | Spare::Missing => Admission::Refused,
        })
    }

    fn room(&self) -> u64 {
        self.sizes.segment.saturating_sub(self.end.at + self.buffer.len() as u64)
    }

    /// What must stay free for outcomes while no further segment is ready.
    fn kept(&self) -> u64 {
        self.sizes.reserve.max((self.open + 1).saturating_mul(limits::OUTCOME_BYTES_MAX))
    }

    /// An upper bound of what an entry takes with all that is put in front of it.
    fn frame_bytes(&self, body: usize) -> u64 {
        const FRONT_BYTES: u64 = 160;
        segment::HEADER_BYTES + FRONT_BYTES + self.log_name.len() as u64 + body as u64
    }

    fn frame(&mut self, item: Item, stamp: &str) {
        let seq = self.end.seq;
        let mut front = format!(r#"{{"v":1,"seq":{seq},"time":"{stamp}","log":"{}","#, self.log_name);
        match &item.class {
            Class::Intent(cell) => {
                cell.store(seq, Ordering::Relaxed);
                self.open += 1;
            }
            Class::Outcome(cell) => {
                let intent = cell.load(Ordering::Relaxed);
                if intent == NEVER {
                    return; // Its intent was refused: nothing was served under it.
                }
                self.open = self.open.saturating_sub(1);
                front.push_str(&format!(r#""intent":{intent},"#));
            }
            Class::Whole | Class::Refusals | Class::Note => {}
        }
        let before = self.buffer.len();
        segment::push_frame(&mut self.buffer, &[front.as_bytes(), &item.body[1..]], before == 0);
        if matches!(item.class, Class::Refusals) {
            self.end.refusal_bytes += (self.buffer.len() - before) as u64;
        }
        self.end.seq += 1;
        self.pending.push(item);
    }

    fn flush(&mut self, stamp: &str) -> Result<(), Fatal> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match self.write() {
            Ok(()) => {}
            Err((written, error)) if is_full(&error) => {
                self.erase(written)?;
                self.write_refused = true;
                self.only_outcomes(stamp);
                self.write().map_err(|(_, error)| Fatal { what: "writing outcomes", error })?;
            }
            Err((_, error)) => return Err(Fatal { what: "writing", error }),
        }
        self.end.file.sync_data().map_err(|error| Fatal { what: "syncing", error })?;
        self.wake();
        Ok(())
    }

    /// Tells everyone who waits, now that their entries are durable, and then hashes these.
    fn wake(&mut self) {
        self.end.at += self.buffer.len() as u64;
        self.gauges.synced(self.pending.len() as u64, self.buffer.len() as u64);
        for item in self.pending.drain(..) {
            if let Some(done) = item.done {
                done.send(Ok(())).ok(); // Whoever left is recorded by the drop of its entry.
            }
        }
        self.growth.add(segment::entries_of(&self.buffer));
        self.buffer.clear();
        self.batch_start = (self.end.seq, self.open);
    }

    /// Writes the buffer; on an error also says how much of it was written.
    fn write(&self) -> Result<(), (usize, io::Error)> {
        write_all(&*self.end.file, self.end.at, &self.buffer)
    }

    /// Puts zeros back where a write was broken off, lest its beginning be taken for entries.
    fn erase(&self, written: usize) -> Result<(), Fatal> {
        let erased = write_all(&*self.end.file, self.end.at, &vec![0; written]);
        erased.map_err(|(_, error)| Fatal { what: "erasing a write that was broken off", error })
    }

    /// Frames the running write anew, without what can still be refused.
    fn only_outcomes(&mut self, stamp: &str) {
        (self.end.seq, self.open) = self.batch_start;
        self.buffer.clear();
        let (new, told): (Vec<Item>, Vec<Item>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|item| matches!(item.class, Class::Intent(_) | Class::Whole | Class::Refusals));
        new.into_iter().for_each(refuse);
        told.into_iter().for_each(|item| self.frame(item, stamp));
    }

    fn change_segment(&mut self) -> Result<(), Fatal> {
        let Spare::Ready(file) = std::mem::replace(&mut self.spare, Spare::Missing) else {
            return Err(Fatal { what: "changing segments", error: io::ErrorKind::NotFound.into() });
        };
        let path = segment::path_of(&self.dir, self.end.seq);
        let renamed = self.disk.rename(&self.dir.join(SPARE), &path);
        renamed.map_err(|error| Fatal { what: "naming the next segment", error })?;
        self.end.segments.push(SegmentPath { path, base: self.end.seq });
        self.gauges.segments.store(self.end.segments.len() as u64, Ordering::Relaxed);
        (self.end.file, self.end.at, self.end.refusal_bytes) = (file, 0, 0);
        self.order_spare();
        Ok(())
    }

    fn order_spare(&mut self) {
        if self.maker.orders.send(()).is_ok() {
            self.spare = Spare::Making;
        }
    }

    fn receive_spare(&mut self, wait: bool) -> Result<(), Fatal> {
        if !matches!(self.spare, Spare::Making) {
            return Ok(());
        }
        let made = if wait { self.maker.made.recv().ok() } else { self.maker.made.try_recv().ok() };
        match made {
            Some(Ok(file)) => self.spare = Spare::Ready(file),
            Some(Err(error)) if is_full(&error) => self.spare = Spare::Missing,
            Some(Err(error)) => return Err(Fatal { what: "making the next segment", error }),
            None if wait => return Err(Fatal { what: "making the next segment", error: io::ErrorKind::Other.into() }),
            None => {}
        }
        Ok(())
    }
}

fn write_all(file: &dyn SegmentFile, at: u64, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(at + written as u64, &bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(some) => written += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

fn refuse(item: Item) {
    if let Class::Intent(cell) = &item.class {
        cell.store(NEVER, Ordering::Relaxed);
    }
    if let Some(done) = item.done {
        done.send(Err(Unavailable::Full)).ok(); // Whoever left is not waiting for an answer.
    }
}

enum Admission {
    Fits,
    NextSegment,
    Refused,
}

/// The next segment.
enum Spare {
    Ready(Box<dyn SegmentFile>),
    Making,
    /// There was no space for it.
    Missing,
}

/// Its name until it is used.
pub(super) const SPARE: &str = "spare.next";

/// Makes segments on its own thread: filling one with zeros takes longer than a commit may.
struct Maker {
    orders: Sender<()>,
    made: Receiver<io::Result<Box<dyn SegmentFile>>>,
    /// What is being made is not needed any more.
    unwanted: Arc<AtomicBool>,
    /// Ends when there are no orders any more; nothing is written into the folder after this is dropped.
    _thread: Joined,
}

impl Maker {
    fn start(disk: Arc<dyn Disk>, path: PathBuf, bytes: u64) -> io::Result<Self> {
        let (orders, to_make) = mpsc::channel::<()>();
        let (deliver, made) = mpsc::channel();
        let unwanted = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&unwanted);
        let thread = Joined::start("audit-segments", move || {
            while to_make.recv().is_ok() {
                if deliver.send(disk.create_zeroed(&path, bytes, &told)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { orders, made, unwanted, _thread: thread })
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}
