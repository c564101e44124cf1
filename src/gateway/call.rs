//! One request on its way through s3s: what the rim puts in, what the gateway leaves for it.
//!
//! s3s hands a request's extensions through; [`Call`] rides there. Its [`Slot`] is how the open entry of the log reaches
//! the rim, which closes it on the last byte. No entry, no answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;

use crate::audit::{ListingShown, OpenEntry, RequestFacts};
use crate::identity::Identity;
use crate::identity::session::OpenedSession;
use crate::quota::Reservation;
use crate::redact::listing::Cost;
use crate::redact::tally::TallyCell;
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::{OpName, Preconditions, RangeAsk};
use crate::s3::payload::{Fate, Upload};

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
    /// The headers of a write, as sent; of anything else none.
    pub headers: Arc<HeaderMap>,
    /// The bytes of a write that has some; taken once.
    pub upload: Payload,
    /// What the log says of the request.
    pub facts: Arc<RequestFacts>,
    /// When it came.
    pub now: Timestamp,
    /// What the gateway leaves.
    pub slot: Slot,
}

/// The bytes of a write on their way to whoever takes them, once.
#[derive(Clone, Default)]
pub struct Payload(Arc<Mutex<Option<Upload>>>);

impl Payload {
    /// Holds this body.
    pub fn of(upload: Upload) -> Self {
        Self(Arc::new(Mutex::new(Some(upload))))
    }

    /// Bytes of the decoded body, as announced; of what has none, or was taken, 0.
    pub fn announced(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |upload| upload.length)
    }

    /// The body, if nobody has taken it. Asked once a request, never per byte.
    pub fn take(&self) -> Option<Upload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload(..)")
    }
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
    /// Everything is on the record already, as a denial is; there is nothing to close.
    pub on_record: bool,
    /// It is over: the answer only tells of it, and its entry closes before it leaves.
    pub concluded: bool,
    /// What became of the body of a write.
    pub fate: Option<Arc<Fate>>,
    /// What a write took from its role's quota; kept if it is carried out, else given back.
    pub reserved: Option<Reservation>,
    /// Bytes that a copy brings.
    pub copied: Option<u64>,
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
    /// What a listing cost; for the metrics.
    pub cost: Option<Cost>,
    /// Why the body could not be read, where s3s was to read it.
    pub unreadable: Option<Refusal>,
    /// The code of the refusal that leaves, if one does.
    pub refused: Option<Code>,
}

impl Slot {
    /// Changes what is left. Taken once or twice a request, never per byte.
    pub fn leave(&self, change: impl FnOnce(&mut Left)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A slot for one part of the request: of the same caller, with nothing else in it.
    pub fn sibling(&self) -> Self {
        let mut who = None;
        self.leave(|left| who = left.who.clone());
        Self(Arc::new(Mutex::new(Left { who, ..Left::default() })))
    }

    /// Takes everything that was left.
    pub fn take(&self) -> Left {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
