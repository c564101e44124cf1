//! One request on its way through s3s: what the rim puts in, what the gateway leaves for it.
//!
//! s3s hands a request's extensions through; [`Call`] rides there. Its [`Slot`] is how the open entry of the log reaches
//! the rim, which closes it on the last byte. No entry, no answer.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::audit::{ListingShown, OpenEntry, RequestFacts};
use crate::identity::Identity;
use crate::identity::session::OpenedSession;
use crate::redact::tally::TallyCell;
use crate::s3::error::Code;
use crate::s3::operation::{OpName, Preconditions, RangeAsk};

/// How the caller comes in.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// Proven at the rim; s3s must see no credential.
    Proven(Arc<Identity>),
    /// A session whose signature s3s is about to verify.
    Signed(Arc<OpenedSession>),
}

/// What the rim knows of a request, in the request's extensions.
#[derive(Debug, Clone)]
pub struct Call {
    /// How the caller comes in.
    pub entrance: Entrance,
    /// Only verify the signature, and leave the identity in the slot.
    pub verify_only: bool,
    /// The operation that the request line names, if it names one of S3's.
    pub expected: Option<OpName>,
    /// `Range`
    pub range: Option<RangeAsk>,
    /// `If-…`
    pub preconditions: Preconditions,
    /// What the log says of the request.
    pub facts: RequestFacts,
    /// When it came.
    pub now: Timestamp,
    /// What the gateway leaves.
    pub slot: Slot,
}

/// What the gateway leaves for the rim.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Left>>);

/// See [`Slot`].
#[derive(Debug, Default)]
pub struct Left {
    /// Who asked, once that is proven.
    pub who: Option<Arc<Identity>>,
    /// The entry that the rim closes.
    pub entry: Option<OpenEntry>,
    /// A denial that is on the record already; there is nothing to close.
    pub denied: bool,
    /// When a stream is cut.
    pub until: Option<Timestamp>,
    /// What is hidden while the body runs; `None` if nothing is.
    pub tally: Option<Arc<TallyCell>>,
    /// The tag that the caller sees.
    pub view_etag: Option<String>,
    /// The version that the caller is told of.
    pub version_id: Option<String>,
    /// What a listing shows.
    pub listing: Option<ListingShown>,
    /// The code of the refusal that leaves, if one does.
    pub refused: Option<Code>,
}

impl Slot {
    /// Changes what is left. Taken once or twice a request, never per byte.
    pub fn leave(&self, change: impl FnOnce(&mut Left)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes everything that was left.
    pub fn take(&self) -> Left {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
