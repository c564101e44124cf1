//! The redactor around a body: a whole object, or any range of one, as the bytes that the view shows.
//!
//! A fault that is found before the first byte left is an error of the call, a clean refusal; a later one ends the body
//! with [`BodyError::Unshowable`].

mod error;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;

use super::checkpoint::Checkpoint;
use super::checkpoints::{Leg, Track};
use super::format::{self, Framing, Unframed};
use super::lines::{Line, Lines};
use super::output::Shown;
use super::plan::Plan;
use super::redactor::Redactor;
use super::run::{Input, Run, State, wrong_length};
use super::tally::{Tally, TallyCell};
use super::trail::Distances;
use crate::limits;
use crate::policy::mask::Format;
use crate::s3::answer::{Body, BodyError, ContentRange};
pub use error::ShowError;

/// The object again, from any place: the network is on the other side, and pins it to one version.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The object's bytes from `first` to `last`, both included and within its size.
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError>;
}

/// Settles the framing of an object that is not compressed by its first bytes, and gives back the body with nothing missing.
///
/// `so_far` is what [`format::of_head`] said. `body` begins at the object's start; it may end before the object does, as
/// that of a range, once it holds a byte that is not white space. Reads at most the hold, and one chunk.
pub async fn framed(so_far: Framing, mut body: Body) -> Result<(Format, Body), ShowError> {
    match so_far {
        Framing::Refused(why) => return Err(why.into()),
        Framing::Packed(_) => return Err(Unframed::Compressed.into()),
        Framing::Known(_) | Framing::Undetermined => {}
    }
    let mut chunks = Vec::new();
    let mut first = BytesMut::new();
    loop {
        let chunk = body.next().await.transpose()?;
        let all = chunk.is_none() || first.len() >= limits::HOLD_BYTES_MAX;
        if let Some(chunk) = chunk {
            first.extend_from_slice(&chunk[..chunk.len().min(limits::HOLD_BYTES_MAX)]);
            chunks.push(Ok(chunk));
        }
        // The marks of compressed files have up to four bytes.
        if first.len() < 4 && !all {
            continue;
        }
        match format::of_bytes(so_far, &first, all) {
            Framing::Known(format) => return Ok((format, stream::iter(chunks).chain(body).boxed())),
            Framing::Refused(why) => return Err(why.into()),
            Framing::Packed(_) => return Err(Unframed::Compressed.into()),
            Framing::Undetermined => {}
        }
    }
}

/// How an object is shown.
pub struct Showing {
    /// What is hidden.
    pub plan: Arc<Plan>,
    /// How the object is framed.
    pub format: Format,
    /// Where it is counted what was hidden.
    pub tally: Arc<TallyCell>,
    /// What is known of the object under this view, for its ranges; `None` where there will be none.
    pub track: Option<Track>,
}

impl Showing {
    fn distances(&self) -> Distances {
        self.track.as_ref().map(Track::distances).copied().unwrap_or_default()
    }

    /// Bytes that a record must have before there are checkpoints within it.
    fn of_record(&self) -> u64 {
        match self.format {
            Format::Json => 0,
            Format::Jsonl => self.distances().look_back_near,
        }
    }
}

/// A whole object that is stored with that size as the view shows it. Waits until the first bytes are known to be sound.
pub async fn whole(body: Body, size: u64, showing: Showing) -> Result<Body, ShowError> {
    let input = Input { source: None, body: Some(body), next: 0, body_ends: size, size, step: 0 };
    let (of_record, shown) = (showing.of_record(), showing.plan.shown_size(size));
    let hidden = showing.plan.hides_length();
    let Showing { plan, format, tally, track } = showing;
    let run = Run::new(input, Redactor::new(plan, format, 0), 0);
    let leg = match &track {
        Some(track) if !hidden => track.whole(run, size, of_record),
        Some(_) | None => Leg::alone(run),
    };
    Feed::new(leg, shown, 0..shown, tally).primed().await
}

/// The bytes of `range` of the whole object as the view shows it: exactly that slice of what [`whole`] gives.
///
/// Where [`whole`] would be cut by a fault, what lies before it is shown, and so are later records of JSONL.
/// `range` lies within the size that is shown; `size` is the one that is stored. JSONL is read from the start of the line
/// before the record that the range begins in, which tells whether that record is shown ([`lines`](super::lines)), where that
/// is not too far; one document, and a long record, from a [checkpoint](super::checkpoints) or its own start. Where lengths are
/// hidden all is read from the object's start, since no offset is that of the original, up to
/// [`limits::HIDDEN_AHEAD_BYTES_MAX`] before the range.
///
/// What of the object is at hand is not read again, where that start lies in it, too. In search of it at most
/// [`limits::LOOK_BACK_BYTES`] and one chunk are kept.
pub async fn range(
    at_hand: Option<Window>,
    source: Arc<dyn Source>,
    size: u64,
    range: ContentRange,
    showing: Showing,
) -> Result<Body, ShowError> {
    let (shown, hidden) = (showing.plan.shown_size(size), showing.plan.hides_length());
    debug_assert!(range.first <= range.last && range.last < shown);
    let (distances, window) = (showing.distances(), range.first..range.last + 1);
    let at_hand = at_hand.filter(|window| window.leads_to(range.first, hidden || showing.format == Format::Json));
    let mut origin = Origin::new(at_hand, source, size, range, &showing);
    let near = match showing.format {
        _ if hidden => true,
        Format::Json => size <= distances.near,
        Format::Jsonl => {
            let at_hand = origin.at_hand().await?;
            // What was at hand is not enough: further at once.
            let growth = if at_hand == AtHand::TooLittle { LOOK_BACK_GROWTH } else { 1 };
            let begin = growth * distances.look_back;
            let known = || showing.track.as_ref().is_some_and(|track| track.knows(range.first));
            at_hand == AtHand::Found
                || origin.look_from(begin, begin).await?
                || (!known() && origin.look_from(LOOK_BACK_GROWTH * begin, distances.look_back_near).await?)
        }
    };
    let leg = match &showing.track {
        _ if near => Leg::alone(origin.begin(None, u64::MAX)),
        Some(track) => track.leg(&mut origin).await?,
        None => return Err(ShowError::TooFar),
    };
    let ahead_max = if hidden { limits::HIDDEN_AHEAD_BYTES_MAX } else { u64::MAX };
    let feed = Feed::new(leg, shown, window, showing.tally);
    Feed { ahead_max, ..feed }.primed().await
}

/// Where a range can be begun.
pub(super) struct Origin {
    at_hand: Option<Window>,
    source: Arc<dyn Source>,
    size: u64,
    range: ContentRange,
    plan: Arc<Plan>,
    format: Format,
    of_record: u64,
    look_back_near: u64,
    look_back_most: u64,
    /// The line that the range begins in, or one before it.
    line: Line,
    looked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtHand {
    Nothing,
    TooLittle,
    Found,
}

impl Origin {
    fn new(
        at_hand: Option<Window>,
        source: Arc<dyn Source>,
        size: u64,
        range: ContentRange,
        showing: &Showing,
    ) -> Self {
        let distances = showing.distances();
        Self {
            at_hand,
            source,
            size,
            range,
            plan: showing.plan.clone(),
            format: showing.format,
            of_record: showing.of_record(),
            look_back_near: distances.look_back_near,
            look_back_most: distances.look_back_most,
            line: Line { start: 0, behind_record: true },
            looked: showing.format == Format::Json,
        }
    }

    /// Offset of the range's first byte.
    pub(super) fn first(&self) -> u64 {
        self.range.first
    }

    /// Offset of a place before it where one can begin.
    pub(super) fn start(&self) -> u64 {
        self.line.start
    }

    /// Bytes that a record must have before there are checkpoints within it.
    pub(super) fn of_record(&self) -> u64 {
        self.of_record
    }

    /// Whether nothing more is to be found by looking back.
    pub(super) fn has_looked(&self) -> bool {
        self.looked
    }

    /// No more is looked back.
    pub(super) fn looked(&mut self) {
        self.looked = true;
    }

    /// Looks back as far as one may. Says whether the line's start was found.
    pub(super) async fn look_back(&mut self) -> Result<bool, ShowError> {
        self.looked = true;
        self.look_from(LOOK_BACK_GROWTH * self.look_back_near, self.look_back_most).await
    }

    /// A run from the checkpoint, or from the start. `near` is how far the range may lie for one read to bring it.
    pub(super) fn begin(&mut self, checkpoint: Option<&Checkpoint>, near: u64) -> Run {
        let Line { start, behind_record } = self.line;
        let redactor = Redactor::new(self.plan.clone(), self.format, start);
        let (redactor, next, at) = match checkpoint {
            Some(checkpoint) => (redactor.resumed(checkpoint), checkpoint.input, checkpoint.output),
            None if behind_record => (redactor, start, start),
            None => (redactor.behind_broken(), start, start),
        };
        let at_hand = self.at_hand.take().filter(|window| window.first == next);
        let input = Input {
            source: Some(self.source.clone()),
            next,
            body_ends: at_hand.as_ref().map_or(next, |window| window.last + 1),
            body: at_hand.map(|window| window.body),
            size: self.size,
            step: (self.range.first - at).min(near) + self.step(),
        };
        Run::new(input, redactor, at)
    }

    /// Another's run goes on as that of this range.
    pub(super) fn take_over(&self, run: &mut Run) {
        run.read_from(self.source.clone(), self.step());
    }

    fn step(&self) -> u64 {
        self.range.last - self.range.first + 1 + limits::LOOK_BACK_BYTES
    }

    /// Whether the range's line begins in what is at hand.
    async fn at_hand(&mut self) -> Result<AtHand, ShowError> {
        let Some(window) = self.at_hand.take() else { return Ok(AtHand::Nothing) };
        let Some((line, window)) = window.at_line(self.range.first).await? else { return Ok(AtHand::TooLittle) };
        (self.line, self.at_hand) = (line, Some(window));
        Ok(AtHand::Found)
    }

    /// Looks back so many bytes, then further. Says whether the line's start was found.
    async fn look_from(&mut self, mut look_back: u64, most: u64) -> Result<bool, ShowError> {
        let first = self.range.first;
        loop {
            let begin = first.saturating_sub(look_back);
            let mut lines = Lines::new(begin);
            if begin < first {
                read_lines(&*self.source, begin, first - 1, &mut lines).await?;
            }
            if let Some(line) = lines.line() {
                self.line = line;
                return Ok(true);
            }
            if look_back >= most {
                return Ok(false);
            }
            look_back = (look_back * LOOK_BACK_GROWTH).min(most);
        }
    }
}

/// Bytes of an object that are at hand.
pub struct Window {
    /// Offset of the first of them.
    pub first: u64,
    /// Offset of the last of them.
    pub last: u64,
    /// The bytes.
    pub body: Body,
}

impl Window {
    /// Whether reading may begin in it to reach that byte: from the object's start, or else from close before.
    fn leads_to(&self, byte: u64, from_start: bool) -> bool {
        if from_start {
            self.first == 0
        } else {
            (self.first..=self.last).contains(&byte) && byte - self.first <= limits::LOOK_BACK_BYTES
        }
    }

    /// The line that holds that byte, and the window from its start on; `None` if it, or the line before it, begins before
    /// the window.
    async fn at_line(mut self, byte: u64) -> Result<Option<(Line, Self)>, ShowError> {
        let mut kept = Vec::new();
        let mut lines = Lines::new(self.first);
        let mut at = self.first;
        while at < byte {
            let Some(mut chunk) = self.body.next().await.transpose()? else {
                return Err(ShowError::Backend(wrong_length()));
            };
            let next = at + chunk.len() as u64;
            let before = chunk.len() - next.saturating_sub(byte) as usize;
            lines.read(&chunk[..before]);
            if let Some(run) = lines.start().and_then(|start| start.checked_sub(at)) {
                kept.clear();
                chunk.advance(run as usize);
            }
            if lines.start().is_some() && !chunk.is_empty() {
                kept.push(Ok(chunk));
            }
            at = next;
        }
        let body = stream::iter(kept).chain(self.body).boxed();
        Ok(lines.line().map(|line| (line, Self { first: line.start, last: self.last, body })))
    }
}

/// By how much a look back grows that did not reach far enough.
const LOOK_BACK_GROWTH: u64 = 4;

async fn read_lines(source: &dyn Source, first: u64, last: u64, lines: &mut Lines) -> Result<(), ShowError> {
    let mut body = source.read(first, last).await?;
    let mut at = first;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        at += chunk.len() as u64;
        lines.read(&chunk);
    }
    if at == last + 1 { Ok(()) } else { Err(ShowError::Backend(wrong_length())) }
}

/// Lets out the bytes of one window of a run.
struct Feed {
    /// Until all bytes of the window were made.
    leg: Option<Leg>,
    /// What was made of the window.
    shown: Shown,
    /// Bytes of the window that are still to come.
    left: u64,
    /// Where the window ends.
    end: u64,
    /// Whether the window ends where the object does: then its last byte leaves only once all is known to be sound,
    /// so that no fault can hide behind a complete length.
    to_end: bool,
    /// Most bytes of input that are read before the first of the window is made.
    ahead_max: u64,
    tally: Arc<TallyCell>,
    /// What the run had counted before.
    counted: Tally,
    state: State,
}

impl Feed {
    /// Of an object of which so many bytes are shown. The run has not passed the window's start.
    fn new(mut leg: Leg, size: u64, window: Range<u64>, tally: Arc<TallyCell>) -> Self {
        let counted = leg.run().and_then(|run| run.tally().cloned()).unwrap_or_default();
        let mut feed = Self {
            leg: Some(leg),
            shown: Shown::new(),
            left: window.end - window.start,
            ahead_max: u64::MAX,
            end: window.end,
            to_end: window.end == size,
            tally,
            counted,
            state: State::Reading,
        };
        feed.take_from_run();
        feed
    }

    /// The body, once its first bytes are sound; an error if reading failed before.
    async fn primed(mut self) -> Result<Body, ShowError> {
        while self.needs_input() {
            if self.shown.is_empty()
                && self.leg.as_mut().and_then(Leg::run).is_some_and(|run| run.read_until() > self.ahead_max)
            {
                return Err(ShowError::TooFarIn);
            }
            self.pull().await;
        }
        let complete = !self.to_end && self.shown.len() == self.left;
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Failed(error) if !complete => return Err(error.into()),
            State::Failed(_) => {}
            going_on @ (State::Reading | State::Ended) => self.state = going_on,
        }
        Ok(stream::unfold(self, async |mut feed| feed.next().await.map(|bytes| (bytes, feed))).boxed())
    }

    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        while self.needs_input() {
            self.pull().await;
        }
        if let Some(bytes) = self.take() {
            return Some(Ok(bytes));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Failed(error) if self.left > 0 => Some(Err(error)),
            State::Failed(_) | State::Reading | State::Ended => None,
        }
    }

    fn needs_input(&self) -> bool {
        let available = self.shown.len();
        let complete = available == self.left;
        matches!(self.state, State::Reading)
            && if self.to_end { available == 0 || complete } else { available == 0 && !complete }
    }

    async fn pull(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.pull().await;
        }
        self.take_from_run();
    }

    /// Takes what the run has of the window. Once that is all of it, the run is for others.
    fn take_from_run(&mut self) {
        let Some(run) = self.leg.as_mut().and_then(Leg::run) else {
            self.state = State::Ended;
            return;
        };
        run.skip_to(self.end - self.left);
        run.give(self.end, &mut self.shown);
        if let Some(tally) = run.tally() {
            self.tally.set(&tally.since(&self.counted));
        }
        self.state = run.state().clone();
        if !self.to_end && self.shown.len() == self.left {
            self.leg = None;
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let held_back = u64::from(self.to_end && !matches!(self.state, State::Ended));
        let bytes = self.shown.pop_together(self.left.saturating_sub(held_back))?;
        self.left -= bytes.len() as u64;
        Some(bytes)
    }
}
