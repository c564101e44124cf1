//! The redactor around a body: a whole object, or any range of one, as the bytes that the view shows.
//!
//! A fault that is found before the first byte left is an error of the call, a clean refusal; a later one ends the body
//! with [`BodyError::Unshowable`].

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;

use super::format::{self, Framing, Unframed};
use super::lines::{Line, Lines};
use super::output::Shown;
use super::packed::Unpackable;
use super::plan::Plan;
use super::redactor::{Fault, Redactor};
use super::tally::TallyCell;
use crate::limits;
use crate::policy::mask::Format;
use crate::s3::answer::{Body, BodyError, ContentRange};

/// Why nothing of an object, or of its range, is shown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShowError {
    /// The object is broken where it matters (403).
    #[error(transparent)]
    Unshowable(#[from] Fault),
    /// The object is of no format that can be redacted (403).
    #[error(transparent)]
    Unframed(#[from] Unframed),
    /// The range lies too far within one document or record (501).
    #[error(
        "the range lies more than {} bytes within one JSON value: ask for the whole object",
        limits::RANGE_AHEAD_BYTES_MAX
    )]
    TooFar,
    /// The backend failed, or sent another length than it had said.
    #[error(transparent)]
    Backend(BodyError),
    /// It is not the backend: what is made of the object cannot be kept, as where our own disk is full (503).
    #[error("what is made of the object cannot be kept: {0}")]
    Unkept(String),
}

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

/// A whole object of that size as the view shows it. Waits until the first bytes are known to be sound.
pub async fn whole(
    body: Body,
    plan: Arc<Plan>,
    format: Format,
    size: u64,
    tally: Arc<TallyCell>,
) -> Result<Body, ShowError> {
    let input = Input { source: None, body: Some(body), next: 0, body_ends: size, size, step: 0 };
    Feed::new(input, Redactor::new(plan, format, 0), 0, 0..size, tally).primed().await
}

/// The bytes of `range` of the whole object as the view shows it: exactly that slice of what [`whole`] gives.
///
/// Where [`whole`] would be cut by a fault, what lies before it is shown, and so are later records of JSONL.
/// `range` lies within `size`. JSONL is read from the start of the line before the record that the range begins in, which
/// tells whether that record is shown ([`lines`](super::lines)); one document from its own start. More than [`limits::RANGE_AHEAD_BYTES_MAX`] before the range are not read.
///
/// What of the object is at hand is not read again, where that start lies in it, too. In search of it at most
/// [`limits::LOOK_BACK_BYTES`] and one chunk are kept.
pub async fn range(
    at_hand: Option<Window>,
    source: Arc<dyn Source>,
    size: u64,
    range: ContentRange,
    plan: Arc<Plan>,
    format: Format,
    tally: Arc<TallyCell>,
) -> Result<Body, ShowError> {
    debug_assert!(range.first <= range.last && range.last < size);
    let at_hand = at_hand.filter(|window| window.leads_to(range.first, format));
    let (line, at_hand) = match (format, at_hand) {
        (Format::Json, _) if range.first > limits::RANGE_AHEAD_BYTES_MAX => return Err(ShowError::TooFar),
        (Format::Json, at_hand) => (Line { start: 0, behind_record: true }, at_hand),
        (Format::Jsonl, None) => (line_of(&*source, range.first, limits::LOOK_BACK_BYTES).await?, None),
        (Format::Jsonl, Some(window)) => match window.at_line(range.first).await? {
            Some((line, window)) => (line, Some(window)),
            None => (line_of(&*source, range.first, LOOK_BACK_GROWTH * limits::LOOK_BACK_BYTES).await?, None),
        },
    };
    let Line { start, behind_record } = line;
    let redactor = Redactor::new(plan, format, start);
    let redactor = if behind_record { redactor } else { redactor.behind_broken() };
    let input = Input {
        source: Some(source),
        next: start,
        body_ends: at_hand.as_ref().map_or(start, |window| window.last + 1),
        body: at_hand.map(|window| window.body),
        size,
        step: range.last - start + 1 + limits::LOOK_BACK_BYTES,
    };
    Feed::new(input, redactor, start, range.first..range.last + 1, tally).primed().await
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
    /// Whether reading may begin in it to reach that byte: one document from its start, JSONL from close before.
    fn leads_to(&self, byte: u64, format: Format) -> bool {
        match format {
            Format::Json => self.first == 0,
            Format::Jsonl => (self.first..=self.last).contains(&byte) && byte - self.first <= limits::LOOK_BACK_BYTES,
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

impl From<Unpackable> for ShowError {
    fn from(why: Unpackable) -> Self {
        Self::Unframed(Unframed::Packed(why))
    }
}

impl From<BodyError> for ShowError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Unshowable { offset, reason } => Self::Unshowable(Fault { offset, reason }),
            BodyError::Unkept(error) => Self::Unkept(error),
            BodyError::Backend(_) => Self::Backend(error),
        }
    }
}

/// By how much a look back grows that did not reach far enough.
const LOOK_BACK_GROWTH: u64 = 4;

/// The line that holds the byte at `first`. Looks back so many bytes, then further.
async fn line_of(source: &dyn Source, first: u64, mut look_back: u64) -> Result<Line, ShowError> {
    loop {
        let begin = first.saturating_sub(look_back);
        let mut lines = Lines::new(begin);
        if begin < first {
            read_lines(source, begin, first - 1, &mut lines).await?;
        }
        if let Some(line) = lines.line() {
            return Ok(line);
        }
        if look_back >= limits::RANGE_AHEAD_BYTES_MAX {
            return Err(ShowError::TooFar);
        }
        look_back = (look_back * LOOK_BACK_GROWTH).min(limits::RANGE_AHEAD_BYTES_MAX);
    }
}

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

fn wrong_length() -> BodyError {
    BodyError::Backend("another length than it had said".to_owned())
}

/// The object's bytes in order, from one body or from as many reads as are needed.
struct Input {
    source: Option<Arc<dyn Source>>,
    body: Option<Body>,
    /// Offset of the next byte.
    next: u64,
    /// Offset at which the body has to end.
    body_ends: u64,
    size: u64,
    /// Bytes of the next read; doubled each time.
    step: u64,
}

impl Input {
    /// The next bytes; `None` at the object's end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if let Some(body) = &mut self.body {
                match body.next().await.transpose()? {
                    Some(chunk) => {
                        self.next += chunk.len() as u64;
                        return if self.next > self.body_ends { Err(wrong_length()) } else { Ok(Some(chunk)) };
                    }
                    None if self.next < self.body_ends => return Err(wrong_length()),
                    None => self.body = None,
                }
            }
            let Some(source) = self.source.as_ref().filter(|_| self.next < self.size) else { return Ok(None) };
            self.body_ends = self.size.min(self.next.saturating_add(self.step));
            self.step = self.step.saturating_mul(2);
            self.body = Some(source.read(self.next, self.body_ends - 1).await?);
        }
    }
}

/// Pulls input through the redactor and lets out the bytes of one window.
struct Feed {
    input: Input,
    redactor: Redactor,
    shown: Shown,
    tally: Arc<TallyCell>,
    /// Bytes of output before the window that are still to come.
    skip: u64,
    /// Bytes of the window that are still to come.
    left: u64,
    /// Whether the window ends where the object does: then its last byte leaves only once all is known to be sound,
    /// so that no fault can hide behind a complete length.
    to_end: bool,
    state: State,
}

enum State {
    Reading,
    Ended,
    /// Told once everything sound was taken.
    Failed(BodyError),
}

impl Feed {
    fn new(input: Input, redactor: Redactor, start: u64, window: Range<u64>, tally: Arc<TallyCell>) -> Self {
        Self {
            redactor,
            shown: Shown::new(),
            tally,
            skip: window.start - start,
            left: window.end - window.start,
            to_end: window.end == input.size,
            state: State::Reading,
            input,
        }
    }

    /// The body, once its first bytes are sound; an error if reading failed before.
    async fn primed(mut self) -> Result<Body, ShowError> {
        while self.needs_input() {
            self.pull().await;
        }
        let complete = !self.to_end && self.available() == self.left;
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

    /// Bytes of the window that were made.
    fn available(&self) -> u64 {
        self.shown.len().saturating_sub(self.skip).min(self.left)
    }

    fn needs_input(&self) -> bool {
        let available = self.available();
        let complete = available == self.left;
        matches!(self.state, State::Reading)
            && if self.to_end { available == 0 || complete } else { available == 0 && !complete }
    }

    async fn pull(&mut self) {
        let pulled = match self.input.chunk().await {
            Ok(Some(chunk)) => self.redactor.write(chunk, &mut self.shown).map(|()| State::Reading),
            Ok(None) => self.redactor.end(&mut self.shown).map(|()| State::Ended),
            Err(error) => Ok(State::Failed(error)),
        };
        self.state =
            pulled.unwrap_or_else(|Fault { offset, reason }| State::Failed(BodyError::Unshowable { offset, reason }));
        self.tally.set(self.redactor.tally());
        while self.skip > 0
            && let Some(bytes) = self.shown.pop(self.skip)
        {
            self.skip -= bytes.len() as u64;
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let held_back = u64::from(self.to_end && !matches!(self.state, State::Ended));
        let bytes = self.shown.pop_together(self.left.saturating_sub(held_back))?;
        self.left -= bytes.len() as u64;
        Some(bytes)
    }
}
