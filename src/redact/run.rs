//! An object that is read through the redactor, from some place on: what stands before the first byte that is asked for is
//! read, too, and dropped.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::Semaphore;

use super::aside::{Aside, Made, PLACES, is_worth_it};
use super::checkpoint::Checkpoint;
use super::output::Shown;
use super::redactor::{Fault, Redactor};
use super::stream::Source;
use super::tally::Tally;
use crate::s3::answer::{Body, BodyError};

const BROKE_DOWN: &str = "its redaction broke down";

/// The object's bytes in order, from one body or from as many reads as are needed.
pub(super) struct Input {
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) body: Option<Body>,
    /// Offset of the next byte.
    pub(super) next: u64,
    /// Offset at which the body has to end.
    pub(super) body_ends: u64,
    pub(super) size: u64,
    /// Bytes of the next read; doubled each time.
    pub(super) step: u64,
}

impl Input {
    /// The next bytes; `None` at the object's end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if let Some(chunk) = self.at_hand().await? {
                return Ok(Some(chunk));
            }
            let Some(source) = self.source.as_ref().filter(|_| self.next < self.size) else { return Ok(None) };
            self.body_ends = self.size.min(self.next.saturating_add(self.step));
            self.step = self.step.saturating_mul(2);
            self.body = Some(source.read(self.next, self.body_ends - 1).await?);
        }
    }

    /// The next bytes of the body that is being read; `None` where it ended, or there is none. Dropping a call loses nothing.
    async fn at_hand(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(body) = &mut self.body else { return Ok(None) };
        match body.next().await.transpose()? {
            Some(chunk) => {
                self.next += chunk.len() as u64;
                if self.next > self.body_ends { Err(wrong_length()) } else { Ok(Some(chunk)) }
            }
            None if self.next < self.body_ends => Err(wrong_length()),
            None => {
                self.body = None;
                Ok(None)
            }
        }
    }
}

/// What the backend says of an object is not what it gives.
pub(super) fn wrong_length() -> BodyError {
    BodyError::Backend("another length than it had said".to_owned())
}

/// How far reading came.
#[derive(Debug, Clone)]
pub(super) enum State {
    Reading,
    Ended,
    /// Told once everything sound was taken.
    Failed(BodyError),
}

/// One pass over an object, or over some of it. Dropping a call of [`Run::pull`] in the middle loses nothing.
pub(super) struct Run {
    input: Input,
    /// What was read while the piece before is redacted aside.
    ahead: Option<Result<Bytes, BodyError>>,
    work: Work,
    /// Those to redact aside at.
    places: &'static Semaphore,
    /// Offset in the object up to which it was redacted.
    redacted: u64,
    /// What was made and nobody took yet.
    shown: Shown,
    /// Offset, in what the view shows, of the first byte of it.
    at: u64,
    state: State,
}

/// Where the redactor is.
enum Work {
    Here(Box<Redactor>),
    Aside(Aside),
    /// It did not come back. Nothing more is shown.
    Lost,
}

impl Run {
    /// Begins where `input` does, with the byte that has that offset in what the view shows.
    pub(super) fn new(input: Input, redactor: Redactor, at: u64) -> Self {
        Self {
            redacted: input.next,
            input,
            ahead: None,
            work: Work::Here(Box::new(redactor)),
            places: &PLACES,
            shown: Shown::new(),
            at,
            state: State::Reading,
        }
    }

    /// The same with places of one's own, so that what it does is known.
    #[cfg(test)]
    pub(super) fn with(self, places: &'static Semaphore) -> Self {
        Self { places, ..self }
    }

    #[cfg(test)]
    pub(super) fn is_aside(&self) -> bool {
        matches!(self.work, Work::Aside(_))
    }

    /// Offset, in what the view shows, of the first byte that can still be taken.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Offset up to which bytes were made.
    pub(super) fn made(&self) -> u64 {
        self.at + self.shown.len()
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Offset in the object of the next byte to be redacted.
    pub(super) fn read_until(&self) -> u64 {
        self.redacted
    }

    /// What was hidden since it began, in what was made.
    pub(super) fn tally(&self) -> Option<&Tally> {
        match &self.work {
            Work::Here(redactor) => Some(redactor.tally()),
            Work::Aside(aside) => Some(aside.tally()),
            Work::Lost => None,
        }
    }

    /// Where it stands, if little says so, and nothing is redacted aside.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        match &self.work {
            Work::Here(redactor) => redactor.checkpoint(),
            Work::Aside(_) | Work::Lost => None,
        }
    }

    /// From now on it is read from there, in steps of that many bytes to begin with; what is at hand is used first.
    pub(super) fn read_from(&mut self, source: Arc<dyn Source>, step: u64) {
        (self.input.source, self.input.step) = (Some(source), step);
    }

    /// Reads some bytes.
    pub(super) async fn pull(&mut self) {
        if let Work::Here(_) = &self.work {
            let read = match self.ahead.take() {
                Some(read) => read.map(Some),
                None => self.input.chunk().await,
            };
            self.redact(read);
        }
        self.wait().await;
    }

    /// Begins to redact aside what was read ahead, while others take what was made.
    pub(super) fn go_on(&mut self) {
        self.ahead = match self.ahead.take() {
            Some(Ok(chunk)) if matches!(self.state, State::Reading) => self.set_aside(chunk).map(Ok),
            ahead => ahead,
        };
    }

    /// Redacts what was read, or begins to.
    fn redact(&mut self, read: Result<Option<Bytes>, BodyError>) {
        let read = match read {
            Ok(Some(chunk)) => match self.set_aside(chunk) {
                Some(chunk) => Ok(Some(chunk)),
                None => return,
            },
            ended => ended,
        };
        let Work::Here(redactor) = &mut self.work else { return };
        let written = match read {
            Ok(Some(chunk)) => {
                self.redacted += chunk.len() as u64;
                redactor.write(chunk, &mut self.shown).map(|()| State::Reading)
            }
            Ok(None) => redactor.end(&mut self.shown).map(|()| State::Ended),
            Err(error) => Ok(State::Failed(error)),
        };
        self.settle(written);
    }

    /// Begins to redact a piece aside, or gives it back: it is too small, or there is no place.
    fn set_aside(&mut self, chunk: Bytes) -> Option<Bytes> {
        if !is_worth_it(chunk.len()) {
            return Some(chunk);
        }
        let (work, back) = match std::mem::replace(&mut self.work, Work::Lost) {
            Work::Here(redactor) => match Aside::begin(self.places, redactor, chunk) {
                Ok(aside) => (Work::Aside(aside), None),
                Err((redactor, chunk)) => (Work::Here(redactor), Some(chunk)),
            },
            elsewhere @ (Work::Aside(_) | Work::Lost) => (elsewhere, Some(chunk)),
        };
        self.work = work;
        back
    }

    /// Waits for what is redacted aside, and reads ahead meanwhile.
    async fn wait(&mut self) {
        let Work::Aside(aside) = &mut self.work else { return };
        let made = loop {
            tokio::select! {
                biased;
                read = self.input.at_hand(), if self.ahead.is_none() && self.input.body.is_some() => {
                    self.ahead = read.transpose();
                }
                made = aside.made() => break made,
            }
        };
        let len = aside.len();
        self.work = Work::Lost;
        match made {
            Some(Made { redactor, mut shown, written }) => {
                self.redacted += len;
                shown.move_to(&mut self.shown, u64::MAX);
                self.work = Work::Here(redactor);
                self.settle(written.map(|()| State::Reading));
            }
            None => self.settle(Err(Fault { offset: self.redacted, reason: BROKE_DOWN })),
        }
    }

    fn settle(&mut self, written: Result<State, Fault>) {
        self.state =
            written.unwrap_or_else(|Fault { offset, reason }| State::Failed(BodyError::Unshowable { offset, reason }));
    }

    /// Drops what lies before that byte.
    pub(super) fn skip_to(&mut self, first: u64) {
        while self.at < first
            && let Some(bytes) = self.shown.pop(first - self.at)
        {
            self.at += bytes.len() as u64;
        }
    }

    /// Moves what lies before that byte there.
    pub(super) fn give(&mut self, until: u64, taker: &mut Shown) {
        let before = self.shown.len();
        self.shown.move_to(taker, until.saturating_sub(self.at));
        self.at += before - self.shown.len();
    }
}
