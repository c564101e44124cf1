//! What is known of one object under one view for its ranges: checkpoints, who reads it at the moment, and who waits for it.
//!
//! Pure book-keeping, under a lock that is taken once for each checkpoint that is due, and at both ends of a range.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::checkpoint::Checkpoint;
use crate::limits;

/// Distances, in bytes, and a time by which ranges are served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distances {
    /// [`limits::CHECKPOINT_EVERY`]
    pub(super) every: u64,
    /// [`limits::CHECKPOINT_NEAR`]
    pub(super) near: u64,
    /// [`limits::RANGE_AHEAD_BYTES_MAX`]
    pub(super) ahead: u64,
    /// [`limits::LOOK_BACK_BYTES`]
    pub(super) look_back: u64,
    /// [`limits::LOOK_BACK_NEAR`]
    pub(super) look_back_near: u64,
    /// [`limits::LOOK_BACK_BYTES_MAX`]
    pub(super) look_back_most: u64,
    /// [`limits::RANGE_STALL`]
    pub(super) stall: Duration,
}

impl Default for Distances {
    fn default() -> Self {
        Self {
            every: limits::CHECKPOINT_EVERY,
            near: limits::CHECKPOINT_NEAR,
            ahead: limits::RANGE_AHEAD_BYTES_MAX,
            look_back: limits::LOOK_BACK_BYTES,
            look_back_near: limits::LOOK_BACK_NEAR,
            look_back_most: limits::LOOK_BACK_BYTES_MAX,
            stall: limits::RANGE_STALL,
        }
    }
}

/// See the module. `L` is what a reader hands to the next one.
pub(super) struct Trail<L> {
    distances: Distances,
    known: Mutex<Known<L>>,
}

struct Known<L> {
    /// In the order of the object.
    checkpoints: Vec<Arc<Checkpoint>>,
    bytes: usize,
    /// Least distance between two of them, in bytes of the object.
    every: u64,
    /// Size of the object, once one has read to its end.
    end: Option<u64>,
    readers: BTreeMap<u64, Reader>,
    /// By the byte that each waits for.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<L>>,
    next_id: u64,
    /// Far looks back that may still fail.
    looks: u32,
}

/// One that reads, as it last said.
#[derive(Debug, Clone, Copy)]
struct Reader {
    /// Offset, in what the view shows, of the first byte that it can still give.
    at: u64,
    /// Whether somebody waited for it in vain.
    slow: bool,
}

/// How to come to a byte.
pub(super) enum Way<L> {
    /// From this checkpoint, or, without one, from the start that was named: as the reader of that id.
    Read(u64, Option<Arc<Checkpoint>>),
    /// A reader is on its way there.
    Wait(Wait<L>),
    /// It is far from everything that is known: only who has a turn may go there.
    Far,
    /// It is too far for anybody.
    TooFar,
}

/// One that waits.
pub(super) struct Wait<L> {
    /// To give up with.
    pub(super) id: u64,
    /// The reader, and where it was, as it last said.
    pub(super) reader: u64,
    pub(super) at: u64,
    /// What is handed over. The other side is dropped where another way has to be looked for.
    pub(super) handed: oneshot::Receiver<L>,
}

/// Who looks for a way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traveller {
    /// Offset, in what the view shows, of the byte that is sought.
    pub(super) first: u64,
    /// Offset of a place before it where one can begin without a checkpoint.
    pub(super) start: u64,
    /// Whether it may go far.
    pub(super) turn: bool,
}

impl<L> Trail<L> {
    pub(super) fn new(distances: Distances) -> Self {
        let known = Known {
            checkpoints: Vec::new(),
            bytes: 0,
            every: distances.every,
            end: None,
            readers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_id: 0,
            looks: limits::LOOK_BACKS_FAR,
        };
        Self { distances, known: Mutex::new(known) }
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let known = self.known();
        size_of::<Self>() + known.bytes + known.checkpoints.capacity() * size_of::<Arc<Checkpoint>>()
    }

    /// How to come to a byte; who is to read is a reader from then on.
    pub(super) fn way(&self, traveller: Traveller) -> Way<L> {
        let Traveller { first, start, turn } = traveller;
        let mut known = self.known();
        let (checkpoint, near) = known.nearest(first, start, self.distances.near);
        let place = checkpoint.as_ref().map_or(start, |checkpoint| checkpoint.output);
        if near {
            return Way::Read(known.enter(place), checkpoint);
        }
        // A reader may be a little behind the checkpoint that it left.
        let from = place.saturating_sub(self.distances.near);
        if let Some((reader, at)) = known.who_comes(from, first, None) {
            let (sender, handed) = oneshot::channel();
            let id = known.id();
            known.waiting.insert((first, id), sender);
            return Way::Wait(Wait { id, reader, at, handed });
        }
        match turn {
            false => Way::Far,
            true if first - place > self.distances.ahead => Way::TooFar,
            true => Way::Read(known.enter(place), checkpoint),
        }
    }

    /// Whether a checkpoint, and not the start of the object, is close before that byte.
    pub(super) fn knows(&self, first: u64) -> bool {
        let (checkpoint, near) = self.known().nearest(first, 0, self.distances.near);
        near && checkpoint.is_some()
    }

    /// Somebody waited for a reader for a moment, may wait for so many of them, and saw it move on from `before` to where it
    /// is: nobody waits for one that would not come in time, until what it has is another's.
    pub(super) fn waited(&self, reader: u64, before: u64, first: u64, moments: u64) {
        if let Some(Reader { at, slow }) = self.known().readers.get_mut(&reader) {
            *slow = at.saturating_sub(before).saturating_mul(moments) < first.saturating_sub(before).max(1);
        }
    }

    /// One that waits does so no more.
    pub(super) fn give_up(&self, first: u64, id: u64) {
        self.known().waiting.remove(&(first, id));
    }

    /// Whether one may look far back for the start of a record; [`Trail::found`] says that it was found.
    pub(super) fn may_look(&self) -> bool {
        let mut known = self.known();
        let may = known.looks > 0;
        known.looks = known.looks.saturating_sub(1);
        may
    }

    /// See [`Trail::may_look`].
    pub(super) fn found(&self) {
        self.known().looks += 1;
    }

    /// A reader can give what lies from that byte on.
    pub(super) fn moved(&self, id: u64, at: u64) {
        self.known().moved(id, at);
    }

    /// A reader has come to the end of the object, which has that size.
    pub(super) fn ended(&self, size: u64) {
        self.known().end = Some(size);
    }

    /// Whether somebody waits for this reader, for a byte from `at` on and before `first`: no other reader is further on the
    /// way there.
    pub(super) fn somebody_waits(&self, id: u64, at: u64, first: u64) -> bool {
        let known = self.known();
        let Some((wanted, _)) = known.next(at).filter(|(wanted, _)| *wanted < first) else { return false };
        let further =
            |other: u64, reader: &Reader| (reader.at, other) > (at, id) && reader.at <= wanted && !reader.slow;
        !known.readers.iter().any(|(other, reader)| *other != id && further(*other, reader))
    }

    /// A reader hands what it has, from the byte `at` on, to whoever waits for the first one there. Where nobody does, or
    /// another reader is nearer, it is gone, and what it has comes back.
    pub(super) fn leave(&self, id: u64, at: u64, mut what: L) -> Option<L> {
        loop {
            let mut known = self.known();
            known.moved(id, at);
            // One that is a little behind will do: two that went on side by side would read everything twice.
            let from = at.saturating_sub(self.distances.near);
            let next = known.next(at).filter(|(wanted, _)| known.who_comes(from, *wanted, Some(id)).is_none());
            let Some(waiting) = next.and_then(|next| known.waiting.remove(&next)) else {
                known.readers.remove(&id);
                return Some(what);
            };
            known.readers.insert(id, Reader { at, slow: false });
            drop(known);
            // Who waited may have gone meanwhile.
            what = waiting.send(what).err()?;
        }
    }

    /// A reader is gone, and what it had with it: who waits for it looks for another way.
    pub(super) fn gone(&self, id: u64) {
        self.known().moved(id, u64::MAX);
        self.known().readers.remove(&id);
    }

    /// Takes a checkpoint, if none is near it. Says whether it did.
    pub(super) fn add(&self, checkpoint: Checkpoint) -> bool {
        let mut known = self.known();
        let behind = known.checkpoints.partition_point(|known| known.input <= checkpoint.input);
        let before = behind.checked_sub(1).map_or(0, |before| known.checkpoints[before].input);
        let after = known.checkpoints.get(behind).map_or(u64::MAX, |after| after.input);
        if (checkpoint.input - before).min(after - checkpoint.input) < known.every {
            return false;
        }
        known.bytes += checkpoint.bytes();
        known.checkpoints.insert(behind, Arc::new(checkpoint));
        if known.bytes > limits::TRAIL_BYTES_MAX {
            known.thin_out();
        }
        true
    }

    /// Checkpoints, readers, and those that wait.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let known = self.known();
        (known.checkpoints.len(), known.readers.len(), known.waiting.len())
    }

    fn known(&self) -> MutexGuard<'_, Known<L>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Known<L> {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn enter(&mut self, at: u64) -> u64 {
        let id = self.id();
        self.readers.insert(id, Reader { at, slow: false });
        id
    }

    /// Of the readers that were last between these places, but for `not`, and who get on, the nearest to the second.
    fn who_comes(&self, from: u64, first: u64, not: Option<u64>) -> Option<(u64, u64)> {
        let comes = |id: u64, reader: &Reader| !reader.slow && Some(id) != not && (from..=first).contains(&reader.at);
        let all = self.readers.iter().filter(|(id, reader)| comes(**id, reader));
        all.map(|(id, reader)| (*id, reader.at)).max_by_key(|(_, at)| *at)
    }

    /// Who waits for the first byte from `at` on.
    fn next(&self, at: u64) -> Option<(u64, u64)> {
        self.waiting.range((at, 0)..).next().map(|(key, _)| *key)
    }

    /// The last checkpoint before that byte, `None` for `start`; and whether it is so near that one may begin there at once.
    fn nearest(&self, first: u64, start: u64, near: u64) -> (Option<Arc<Checkpoint>>, bool) {
        let behind = self.checkpoints.partition_point(|checkpoint| checkpoint.output <= first);
        let checkpoint = behind.checked_sub(1).map(|before| &self.checkpoints[before]);
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint.output > start).cloned();
        let (input, output) = checkpoint.as_ref().map_or((start, start), |found| (found.input, found.output));
        // White space that is owed stands far behind what it is owed for: what counts then is how much there is to read.
        let next = self.checkpoints.get(behind).map(|next| next.input).or(self.end);
        let near = near.max(2 * self.every);
        (checkpoint, first - output <= near || next.is_some_and(|next| next.saturating_sub(input) <= near))
    }

    /// Who waited for what the reader has passed looks for another way: a sender that is dropped says so.
    fn moved(&mut self, id: u64, at: u64) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        let before = std::mem::replace(&mut reader.at, at);
        let passed: Vec<_> = self.waiting.range((before, 0)..(at.max(before), 0)).map(|(key, _)| *key).collect();
        passed.iter().for_each(|key| drop(self.waiting.remove(key)));
    }

    /// Every second one goes.
    fn thin_out(&mut self) {
        self.every = self.every.saturating_mul(2);
        let mut stays = false;
        self.checkpoints.retain(|_| {
            stays = !stays;
            stays
        });
        self.bytes = self.checkpoints.iter().map(|checkpoint| checkpoint.bytes()).sum();
    }
}
