//! Checkpoints that are kept: bounded, in memory alone, left behind by whoever reads a long document or record anyway.
//!
//! Ranges of one object under one view read along one `Trail`. Who begins close behind a checkpoint reads from there.
//! Who begins far behind waits for a reader on its way there, who hands on what it has at the end of its own range; so an
//! object that is asked for in many ranges at a time is read once. Where nobody is on the way one reads what lies before,
//! up to a bound, and a few at a time. Nobody reads for nobody: who leaves hands on what it has, or it ends with it.

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::run::{Run, State};
use super::stream::{Origin, ShowError};
use super::trail::{Distances, Trail, Traveller, Wait, Way};
use crate::limits;
use crate::policy::mask::Format;

/// The trails of objects, each under one view.
#[derive(Clone)]
pub struct Checkpoints {
    distances: Distances,
    kept: Cache<Arc<str>, Arc<Trail<Leg>>>,
    turns: Arc<Semaphore>,
}

/// One object under one view, for its ranges.
#[derive(Clone)]
pub struct Track {
    all: Checkpoints,
    key: Arc<str>,
}

/// A run, perhaps along a trail: dropped, it is handed to whoever waits for what comes next.
pub(super) struct Leg {
    run: Option<Box<Run>>,
    along: Option<Along>,
}

struct Along {
    track: Track,
    trail: Arc<Trail<Leg>>,
    id: u64,
    /// Offset in the object from which on a checkpoint is due.
    due: u64,
    /// Bytes that a record must have before there are checkpoints within it: a shorter one is found by looking back.
    of_record: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self::new()
    }
}

impl Checkpoints {
    /// None yet.
    pub fn new() -> Self {
        Self::with(Distances::default())
    }

    pub(super) fn with(distances: Distances) -> Self {
        let weight = |_: &Arc<str>, trail: &Arc<Trail<Leg>>| {
            u32::try_from(trail.bytes().max(limits::TRAIL_BYTES_MIN)).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().weigher(weight).max_capacity(limits::CHECKPOINTS_BYTES);
        let kept = kept.time_to_idle(limits::CHECKPOINTS_IDLE).build();
        Self { distances, kept, turns: Arc::new(Semaphore::new(limits::RANGE_READERS_MAX)) }
    }

    /// That of an object under a view. `key` tells both apart from all others, and one version from the next.
    pub fn track(&self, key: &str) -> Track {
        Track { all: self.clone(), key: key.into() }
    }
}

impl Track {
    /// That of the object so framed.
    pub(super) fn of(self, format: Format) -> Self {
        Self { key: format!("{} {format:?}", self.key).into(), ..self }
    }

    pub(super) fn distances(&self) -> &Distances {
        &self.all.distances
    }

    /// Whether there is a checkpoint close before that byte.
    pub(super) fn knows(&self, first: u64) -> bool {
        self.all.kept.get(&self.key).is_some_and(|trail| trail.knows(first))
    }

    /// A leg that has the byte where the origin's range begins, or that ended before.
    ///
    /// # Errors
    /// It is too far, or takes too long.
    pub(super) async fn leg(&self, origin: &mut Origin) -> Result<Leg, ShowError> {
        timeout(limits::RANGE_TIME, self.leg_in_time(origin)).await.unwrap_or(Err(ShowError::Busy))
    }

    /// A leg from the start of the object.
    pub(super) fn whole(&self, run: Run, size: u64, of_record: u64) -> Leg {
        if size <= self.all.distances.near {
            return Leg::alone(run);
        }
        let trail = self.trail();
        match trail.way(Traveller { first: 0, start: 0, turn: true }) {
            Way::Read(id, _) => self.along(&trail, id, run, of_record),
            Way::Wait(_) | Way::Far | Way::TooFar => Leg::alone(run),
        }
    }

    fn trail(&self) -> Arc<Trail<Leg>> {
        self.all.kept.get_with(self.key.clone(), || Arc::new(Trail::new(self.all.distances)))
    }

    fn along(&self, trail: &Arc<Trail<Leg>>, id: u64, run: Run, of_record: u64) -> Leg {
        let due = run.read_until() + self.all.distances.every;
        let along = Along { track: self.clone(), trail: trail.clone(), id, due, of_record };
        Leg { run: Some(Box::new(run)), along: Some(along) }
    }

    async fn leg_in_time(&self, origin: &mut Origin) -> Result<Leg, ShowError> {
        let (trail, first) = (self.trail(), origin.first());
        let mut turn = None;
        loop {
            let may = turn.is_some() && origin.has_looked();
            let leg = match trail.way(Traveller { first, start: origin.start(), turn: may }) {
                Way::TooFar => return Err(ShowError::TooFar),
                Way::Far => {
                    self.go_far(&trail, origin, &mut turn).await?;
                    continue;
                }
                // The start of the record may be nearer than who reads it.
                Way::Wait(wait) if !origin.has_looked() && first - wait.at > self.all.distances.look_back_most => {
                    trail.give_up(first, wait.id);
                    self.go_far(&trail, origin, &mut turn).await?;
                    continue;
                }
                Way::Wait(wait) => {
                    turn = None;
                    let (reader, at) = (wait.reader, wait.at);
                    match self.waited(&trail, first, wait).await {
                        Waited::Handed(mut leg) => {
                            leg.run.iter_mut().for_each(|run| origin.take_over(run));
                            leg
                        }
                        Waited::Passed => continue,
                        Waited::InVain => {
                            let moments = limits::RANGE_TIME.as_secs() / limits::RANGE_STALL.as_secs();
                            trail.waited(reader, at, first, moments);
                            continue;
                        }
                    }
                }
                Way::Read(id, checkpoint) => {
                    let run = origin.begin(checkpoint.as_deref(), self.all.distances.near);
                    self.along(&trail, id, run, origin.of_record())
                }
            };
            if let Some(leg) = self.reach(&trail, leg, first, &mut turn).await? {
                return Ok(leg);
            }
        }
    }

    /// Takes a turn; who has one looks for the start of the record.
    async fn go_far(
        &self,
        trail: &Trail<Leg>,
        origin: &mut Origin,
        turn: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<(), ShowError> {
        if turn.is_none() {
            *turn = Some(self.turn().await?);
        } else if !trail.may_look() {
            origin.looked();
        } else if origin.look_back().await? {
            trail.found();
        }
        Ok(())
    }

    async fn waited(&self, trail: &Trail<Leg>, first: u64, wait: Wait<Leg>) -> Waited {
        let _waiting = Waiting { trail, first, id: wait.id };
        match timeout(self.all.distances.stall, wait.handed).await {
            Ok(Ok(leg)) => Waited::Handed(leg),
            Ok(Err(_)) => Waited::Passed,
            Err(_) => Waited::InVain,
        }
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, ShowError> {
        self.all.turns.clone().acquire_owned().await.map_err(|_| ShowError::Busy)
    }

    /// Reads on until the leg has the first byte, or cannot. Hands it over where somebody waits for an earlier one, who
    /// comes first: then `None`.
    async fn reach(
        &self,
        trail: &Trail<Leg>,
        mut leg: Leg,
        first: u64,
        turn: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Leg>, ShowError> {
        loop {
            let Some(run) = &mut leg.run else { return Ok(None) };
            if leg.along.as_ref().is_some_and(|along| trail.somebody_waits(along.id, run.at(), first)) {
                return Ok(None);
            }
            run.skip_to(first);
            if run.made() > first || !matches!(run.state(), State::Reading) {
                return Ok(Some(leg));
            }
            if turn.is_none() && first - run.at() > self.all.distances.near {
                *turn = Some(self.turn().await?);
            }
            leg.pull().await;
        }
    }
}

/// What came of waiting.
enum Waited {
    Handed(Leg),
    /// The reader is past, or gone.
    Passed,
    /// Nothing, for a while.
    InVain,
}

/// One that waits, and does so no more once it is gone.
struct Waiting<'a> {
    trail: &'a Trail<Leg>,
    first: u64,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.trail.give_up(self.first, self.id);
    }
}

impl Leg {
    /// A run that leaves nothing behind.
    pub(super) fn alone(run: Run) -> Self {
        Self { run: Some(Box::new(run)), along: None }
    }

    pub(super) fn run(&mut self) -> Option<&mut Run> {
        self.run.as_deref_mut()
    }

    /// Reads some bytes, and leaves a checkpoint where one is due.
    pub(super) async fn pull(&mut self) {
        let Some(run) = &mut self.run else { return };
        run.pull().await;
        if let Some(along) = &mut self.along {
            along.passed(run);
        }
        run.go_on();
    }
}

impl Along {
    fn passed(&mut self, run: &Run) {
        if matches!(run.state(), State::Ended) {
            self.trail.ended(run.read_until());
        }
        if run.read_until() < self.due {
            return;
        }
        self.trail.moved(self.id, run.at());
        let Some(checkpoint) = run.checkpoint() else { return };
        self.due = run.read_until() + self.track.all.distances.every;
        if checkpoint.input - checkpoint.record >= self.of_record && self.trail.add(checkpoint) {
            // Its weight is taken anew.
            self.track.all.kept.insert(self.track.key.clone(), self.trail.clone());
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        let (Some(run), Some(along)) = (self.run.take(), self.along.take()) else { return };
        let (trail, id, at) = (along.trail.clone(), along.id, run.at());
        if matches!(run.state(), State::Failed(_)) {
            trail.gone(id);
            return;
        }
        let leg = Leg { run: Some(run), along: Some(along) };
        if let Some(mut unwanted) = trail.leave(id, at, leg) {
            unwanted.along = None;
        }
    }
}
