//! An object that is read through the redactor, from some place on: what stands before the first byte that is asked for is
//! read, too, and dropped.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;

use super::checkpoint::Checkpoint;
use super::output::Shown;
use super::redactor::{Fault, Redactor};
use super::stream::Source;
use super::tally::Tally;
use crate::s3::answer::{Body, BodyError};

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
    redactor: Redactor,
    /// What was made and nobody took yet.
    shown: Shown,
    /// Offset, in what the view shows, of the first byte of it.
    at: u64,
    state: State,
}

impl Run {
    /// Begins where `input` does, with the byte that has that offset in what the view shows.
    pub(super) fn new(input: Input, redactor: Redactor, at: u64) -> Self {
        Self { input, redactor, shown: Shown::new(), at, state: State::Reading }
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

    /// Offset in the object of the next byte to be read.
    pub(super) fn read_until(&self) -> u64 {
        self.input.next
    }

    /// What was hidden since it began.
    pub(super) fn tally(&self) -> &Tally {
        self.redactor.tally()
    }

    /// Where it stands, if little says so.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        self.redactor.checkpoint()
    }

    /// From now on it is read from there, in steps of that many bytes to begin with; what is at hand is used first.
    pub(super) fn read_from(&mut self, source: Arc<dyn Source>, step: u64) {
        (self.input.source, self.input.step) = (Some(source), step);
    }

    /// Reads some bytes.
    pub(super) async fn pull(&mut self) {
        let pulled = match self.input.chunk().await {
            Ok(Some(chunk)) => self.redactor.write(chunk, &mut self.shown).map(|()| State::Reading),
            Ok(None) => self.redactor.end(&mut self.shown).map(|()| State::Ended),
            Err(error) => Ok(State::Failed(error)),
        };
        self.state =
            pulled.unwrap_or_else(|Fault { offset, reason }| State::Failed(BodyError::Unshowable { offset, reason }));
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
