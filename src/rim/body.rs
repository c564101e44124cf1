//! The body of a response on its way out: counted, digested, cut when its right ends, and closed in the log.
//!
//! What is counted was handed to the transport; how much of it the client has read, nobody here knows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame, SizeHint};
use jiff::Timestamp;
use tokio::time::{Interval, Sleep};

use super::progress::Progress;
use crate::audit::{Ended, OpenEntry, Outcome};
use crate::identity::Identity;
use crate::identity::authority::Authority;
use crate::limits;
use crate::redact::tally::TallyCell;
use crate::s3::answer::BodyError;
use crate::telemetry::Metrics;

/// Why a response ended early; hyper then breaks its framing, so that no client takes it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut short")]
pub struct CutShort;

/// A body whose entry in the log is open until its last byte.
pub struct Closing {
    inner: s3s::Body,
    open: Option<Open>,
    length: Option<u64>,
    bytes: u64,
    digest: Option<blake3::Hasher>,
    right: Option<Right>,
    alarm: Option<Alarm>,
    metrics: Option<Arc<Metrics>>,
    progress: Option<Progress>,
}

/// What is needed to close the entry.
struct Open {
    entry: OpenEntry,
    outcome: Outcome,
    tally: Option<Arc<TallyCell>>,
}

/// Who reads, and until when at most.
struct Right {
    authority: Arc<Authority>,
    who: Arc<Identity>,
    until: Option<Timestamp>,
}

/// Wakes a stream on which nothing flows: when its right ends, and as often as revocations are read.
struct Alarm {
    end: Option<Pin<Box<Sleep>>>,
    look: Interval,
}

impl Closing {
    /// A body without an entry of its own: what it answers is on the record, or needs none.
    pub fn plain(inner: s3s::Body) -> Self {
        Self {
            inner,
            open: None,
            length: None,
            bytes: 0,
            digest: None,
            right: None,
            alarm: None,
            metrics: None,
            progress: None,
        }
    }

    /// A body that closes this entry with this outcome, completed by what happens. `length` is what its head says.
    pub fn of(
        inner: s3s::Body,
        entry: OpenEntry,
        outcome: Outcome,
        length: Option<u64>,
        tally: Option<Arc<TallyCell>>,
    ) -> Self {
        let mut body = Self::plain(inner);
        body.open = Some(Open { entry, outcome, tally });
        body.length = length;
        body
    }

    /// The same, with a keyed digest of its bytes in the log: for views that redact, where no version stands for them.
    #[must_use]
    pub fn digested(mut self, wanted: bool) -> Self {
        self.digest = self.open.as_ref().filter(|_| wanted).map(|open| open.entry.digest_key().hasher());
        self
    }

    /// The same, counted as a stream while it runs.
    #[must_use]
    pub fn counted(mut self, metrics: Arc<Metrics>) -> Self {
        metrics.streams.inc();
        self.metrics = Some(metrics);
        self
    }

    /// The same, with its getting on told to its connection.
    #[must_use]
    pub fn watched(mut self, progress: Progress) -> Self {
        progress.began();
        self.progress = Some(progress);
        self
    }

    /// The same, cut when the right to it ends: at a time, or by revocation.
    #[must_use]
    pub fn while_allowed(mut self, until: Option<Timestamp>, authority: Arc<Authority>, who: Arc<Identity>) -> Self {
        self.right = Some(Right { authority, who, until });
        self
    }

    /// Closes the entry, once.
    pub fn close(&mut self, ended: Ended) {
        let Some(Open { entry, mut outcome, tally }) = self.open.take() else { return };
        outcome.ended = ended;
        outcome.bytes = self.bytes;
        outcome.digest = self.digest.take().map(|hasher| *hasher.finalize().as_bytes());
        if let Some(cell) = tally {
            let hidden = cell.read();
            for (profile, count) in cell.profiles().iter().zip(hidden.fields) {
                entry.tally().hidden(profile, count);
            }
            entry.tally().blanked(hidden.records_blanked);
            entry.tally().withheld(hidden.records_withheld);
            entry.tally().cut(hidden.texts_cut);
        }
        entry.close(outcome);
        if let Some(metrics) = self.metrics.take() {
            metrics.streams.dec();
            metrics.sent_bytes.inc_by(self.bytes);
        }
    }

    /// Ends the stream, if nothing more may leave.
    fn cut(&mut self, why: Option<&'static str>) -> Option<CutShort> {
        let why = why.filter(|_| self.open.is_some())?;
        self.close(Ended::Cut(why));
        Some(CutShort)
    }

    fn passed(&mut self, data: &Bytes) {
        self.bytes += data.remaining() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(data);
        }
        if self.length.is_some_and(|length| self.bytes >= length) {
            self.close(Ended::Ok);
        }
    }
}

impl Body for Closing {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let this = &mut *self;
        if let Some(progress) = &this.progress {
            progress.moved();
        }
        if let Some(cut) = this.cut(this.right.as_ref().and_then(Right::ended)) {
            return Poll::Ready(Some(Err(cut)));
        }
        let polled = match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Pending => {
                let ended = this.right.as_ref().and_then(|right| right.wake(&mut this.alarm, context));
                return this.cut(ended).map_or(Poll::Pending, |cut| Poll::Ready(Some(Err(cut))));
            }
            Poll::Ready(polled) => polled,
        };
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.passed(data);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.close(ended_by(error.as_ref()));
                Some(Err(CutShort))
            }
            None => {
                let whole = this.length.is_none_or(|length| this.bytes == length);
                this.close(if whole { Ended::Ok } else { Ended::Backend("the body was shorter than its head said") });
                if whole { None } else { Some(Err(CutShort)) }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Right {
    /// Why the stream must end now, if it must.
    fn ended(&self) -> Option<&'static str> {
        let now = Timestamp::now();
        if self.until.is_some_and(|until| until <= now) {
            return Some("the right to read ended");
        }
        (!self.authority.still_stands(&self.who, now)).then_some("the session ended or was revoked")
    }

    /// Sets the alarm, which most streams never need, and says why the stream must end now, if it rang for that.
    fn wake(&self, alarm: &mut Option<Alarm>, context: &mut Context<'_>) -> Option<&'static str> {
        let alarm = alarm.get_or_insert_with(|| Alarm {
            end: self.until.map(|until| {
                let rest = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
                Box::pin(tokio::time::sleep(rest))
            }),
            look: tokio::time::interval(limits::REVOCATION_POLL),
        });
        if alarm.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready()) {
            return Some("the right to read ended");
        }
        // Until it is pending: then it wakes us.
        let mut rang = false;
        while alarm.look.poll_tick(context).is_ready() {
            rang = true;
        }
        if rang { self.ended() } else { None }
    }
}

/// The class of a fault, for the log.
fn ended_by(error: &(dyn std::error::Error + 'static)) -> Ended {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(BodyError::Unshowable { offset, reason }) => return Ended::Unshowable { offset: *offset, reason },
            Some(BodyError::Unkept(_)) => return Ended::Cut("what was kept of the object could not be read back"),
            Some(BodyError::Backend(_)) | None => {}
        }
        cause = error.source();
    }
    Ended::Backend("the backend's body broke off")
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.ended();
        }
        self.close(Ended::ClientGone);
    }
}
