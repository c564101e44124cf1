//! An object as one permit shows it: the one place where what the backend brought for GET, HEAD and attributes is opened.
//!
//! In this order: conditions on the object's own facts (failing looks like missing), the view's head, the request's
//! preconditions against that head, the range, the bytes.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;

use super::etag::view_etag;
use super::format::{self, Framing, Unframed};
use super::packed::{Caller, Work};
use super::plan::Plan;
use super::stream::{self as redacted, ShowError, Source, Window};
use super::tally::TallyCell;
use super::{Keyed, Raw, Redacted, Redaction};
use crate::audit::{Intent, Recorded};
use crate::backend::{Backend, Fetch, Trouble};
use crate::limits;
use crate::policy::mask::{Format, Masks};
use crate::policy::permit::{Facts, Permit};
use crate::s3::answer::{Attributes, Body, BodyError, ContentRange, Headed, Object, ObjectHead};
use crate::s3::conditional;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::{ETag, GetObject, GetObjectAttributes, HeadObject, Op, RangeAsk};

/// An object that may leave, and what was hidden of it.
pub struct ShownObject {
    /// The object.
    pub object: Redacted<Object>,
    /// The counts, filled while the body runs; `None` if nothing is hidden.
    pub tally: Option<Arc<TallyCell>>,
}

/// What to ask of the backend first.
///
/// Under a redacting view a range is not passed on as it is. Of what is JSONL by its name, more is asked for on both sides,
/// so that the record in which the range begins and the one in which it ends are most likely at hand, too. Of anything
/// else the first bytes, which tell head and framing.
pub fn first_fetch(permit: &Permit<GetObject>) -> Fetch {
    let op = permit.op();
    match (permit.view().masks(), op.range) {
        (None, range) => Fetch { range, part: op.part, ..Fetch::default() },
        (Some(_), Some(range)) => {
            let jsonl = format::of_key(op.key.as_str()) == Framing::Known(Format::Jsonl);
            let range = if jsonl { widened(range) } else { FIRST_BYTES };
            Fetch { range: Some(range), ..Fetch::default() }
        }
        (Some(_), None) => Fetch::default(),
    }
}

/// What tells how an object is framed.
const FIRST_BYTES: RangeAsk = RangeAsk::Span { first: 0, last: Some(limits::SNIFFED_BYTES - 1) };

/// With a first look back, and with what may be held until its record is known to be sound.
fn widened(range: RangeAsk) -> RangeAsk {
    match range {
        RangeAsk::Span { first, last } => RangeAsk::Span {
            first: first.saturating_sub(limits::LOOK_BACK_BYTES),
            last: last.map(|last| last.saturating_add(limits::HOLD_BYTES_MAX as u64)),
        },
        RangeAsk::Suffix(length) => RangeAsk::Suffix(length.saturating_add(limits::LOOK_BACK_BYTES)),
    }
}

/// GetObject.
///
/// # Errors
/// The refusal to answer; nothing of the object has left.
pub async fn show(
    raw: Result<Raw<Object>, Trouble>,
    recorded: Recorded<Permit<GetObject>>,
    redaction: &Redaction,
    backend: &Arc<dyn Backend>,
) -> Result<ShownObject, Refusal> {
    let raw = match raw {
        // The head decides first: whether the object may be seen at all, and whether the range counts.
        Err(Trouble::InvalidRange { .. }) if recorded.op().range.is_some() => {
            backend.get(recorded.intent(), Fetch::default()).await
        }
        raw => raw,
    };
    let object = opened(raw, &recorded)?;
    visible(&recorded, &object.head)?;
    match recorded.view().masks().cloned() {
        None => raw_object(object, recorded, backend).await,
        Some(masks) => masked_object(object, &masks, recorded, redaction, backend).await,
    }
}

/// HeadObject: the head and the range that GetObject would answer with.
///
/// # Errors
/// The refusal to answer.
pub fn show_head(
    raw: Result<Raw<Headed>, Trouble>,
    recorded: &Recorded<Permit<HeadObject>>,
    redaction: &Redaction,
) -> Result<Redacted<Headed>, Refusal> {
    let Headed { head, range: part } = opened(raw, recorded)?;
    visible(recorded, &head)?;
    let op = recorded.op();
    let (head, part) = match recorded.view().masks() {
        None => (head, part),
        Some(masks) => {
            framing(&op.key, &head)?;
            let part = op.part.map(|part| only_part(part, head.size)).transpose()?;
            (redaction.keyed().head(head, &op.bucket, &op.key, masks), part.flatten())
        }
    };
    let range_counts = conditional::settle(&op.preconditions, &head)?;
    let range = match op.range.filter(|_| range_counts) {
        Some(range) => Some(conditional::resolve(range, head.size)?),
        None => part,
    };
    Ok(Redacted::of(Headed { head, range }))
}

/// GetObjectAttributes. Under a redacting view checksums and parts are the original's, and stay away.
///
/// # Errors
/// The refusal to answer.
pub fn show_attributes(
    raw: Result<Raw<Attributes>, Trouble>,
    recorded: &Recorded<Permit<GetObjectAttributes>>,
    redaction: &Redaction,
) -> Result<Redacted<Attributes>, Refusal> {
    let attributes = opened(raw, recorded)?;
    visible(recorded, &attributes.head)?;
    let op = recorded.op();
    Ok(Redacted::of(match recorded.view().masks() {
        None => attributes,
        Some(masks) => Attributes {
            head: redaction.keyed().head(attributes.head, &op.bucket, &op.key, masks),
            checksums: Default::default(),
            checksum_type: None,
            parts: None,
        },
    }))
}

/// Opens what the backend brought. Trouble that tells that an object is there is not told where a condition on the
/// object, which only its head could settle, may hide it.
fn opened<T, O: Op>(raw: Result<Raw<T>, Trouble>, recorded: &Recorded<Permit<O>>) -> Result<T, Refusal> {
    raw.map(Raw::open).map_err(|trouble| {
        let tells = matches!(trouble, Trouble::InvalidRange { .. } | Trouble::Archived | Trouble::KeyService(_));
        let told = if tells && recorded.conditions().ask_the_object() { Trouble::NoSuchKey } else { trouble };
        told.refusal(recorded.may_list())
    })
}

/// How an object is framed, as far as name and head tell. An empty one has nothing to hide, however it is framed.
fn framing(key: &Key, head: &ObjectHead) -> Result<Framing, Refusal> {
    match format::of_head(key.as_str(), head) {
        Framing::Refused(why) if head.size > 0 => Err(unframed(&why.to_string())),
        framing @ (Framing::Known(_) | Framing::Packed(_) | Framing::Undetermined | Framing::Refused(_)) => Ok(framing),
    }
}

/// Conditions that only the object could settle; failing looks like missing.
fn visible<O: Op>(permit: &Permit<O>, head: &ObjectHead) -> Result<(), Refusal> {
    let facts = Facts { last_modified: head.last_modified, size: head.size };
    if permit.conditions().hold_for(&facts) { Ok(()) } else { Err(Trouble::NoSuchKey.refusal(permit.may_list())) }
}

async fn raw_object(
    object: Object,
    recorded: Recorded<Permit<GetObject>>,
    backend: &Arc<dyn Backend>,
) -> Result<ShownObject, Refusal> {
    let range_counts = conditional::settle(&recorded.op().preconditions, &object.head)?;
    if let Some(range) = recorded.op().range.filter(|_| range_counts) {
        conditional::resolve(range, object.head.size)?;
    }
    let object = if range_counts || object.range.is_none() {
        object
    } else {
        // `If-Range` names another version: the whole of this one is answered (RFC 9110, 13.1.5).
        let pinned = Fetch { pin: Some(object.head.etag.clone()), ..Fetch::default() };
        opened(backend.get(recorded.intent(), pinned).await, &recorded)?
    };
    Ok(ShownObject { object: Redacted::of(object), tally: None })
}

async fn masked_object(
    object: Object,
    masks: &Arc<Masks>,
    recorded: Recorded<Permit<GetObject>>,
    redaction: &Redaction,
    backend: &Arc<dyn Backend>,
) -> Result<ShownObject, Refusal> {
    let op = recorded.op();
    let size = object.head.size;
    let framing = framing(&op.key, &object.head)?;
    let pin = object.head.etag.clone();
    let keyed = redaction.keyed();
    let head = keyed.head(object.head, &op.bucket, &op.key, masks);
    let range_counts = conditional::settle(&op.preconditions, &head)?;
    let range = match (op.range.filter(|_| range_counts), op.part) {
        (Some(range), _) => Some(conditional::resolve(range, size)?),
        (None, Some(part)) => only_part(part, size)?,
        (None, None) => None,
    };
    if size == 0 {
        let empty = Object { head, range: None, body: Box::pin(stream::empty()) };
        return Ok(ShownObject { object: Redacted::of(empty), tally: None });
    }
    let asked_range = op.range.is_some();
    let (brought, body) = (object.range, object.body);
    let (plan, caller) = (keyed.plan(masks), Caller::of(recorded.who()));
    let source = Arc::new(Pinned { backend: backend.clone(), recorded, pin });
    if let Framing::Packed(packed) = framing {
        let work = Work { source, packed, plan, size };
        // It is read anew once its turn has come: a body that waits would break off.
        drop(body);
        let rendering = redaction.renderings.of(&head.etag, work, &caller).await;
        let rendering = rendering.map_err(refused)?;
        let tally = Some(rendering.tally.clone());
        let body = rendering.read(range.unwrap_or(ContentRange { first: 0, last: size - 1 }));
        return Ok(ShownObject { object: Redacted::of(Object { head, range, body }), tally });
    }
    let tally = TallyCell::new(&plan);
    let body = match range.filter(|_| asked_range) {
        Some(range) => {
            // It brought the whole where what was first asked of it lay outside.
            let (first, last) = brought.map_or((0, size - 1), |brought| (brought.first, brought.last));
            let window = Window { first, last, body };
            part_of(source, size, range, window, framing, &plan, &tally).await
        }
        None if brought.is_some() => whole_of(source.read_all(size).await, size, framing, &plan, &tally).await,
        None => whole_of(Ok(body), size, framing, &plan, &tally).await,
    };
    let body = body.map_err(refused)?;
    Ok(ShownObject { object: Redacted::of(Object { head, range, body }), tally: Some(tally) })
}

pub(super) async fn whole_of(
    body: Result<Body, BodyError>,
    size: u64,
    framing: Framing,
    plan: &Arc<Plan>,
    tally: &Arc<TallyCell>,
) -> Result<Body, ShowError> {
    let (format, body) = redacted::framed(framing, body?).await?;
    redacted::whole(body, plan.clone(), format, size, tally.clone()).await
}

async fn part_of(
    source: Arc<Pinned>,
    size: u64,
    range: ContentRange,
    mut window: Window,
    mut framing: Framing,
    plan: &Arc<Plan>,
    tally: &Arc<TallyCell>,
) -> Result<Body, ShowError> {
    // Where the object's first bytes are at hand, they tell compressed ones, whatever the name says, and the framing
    // where nothing else does. They are not where a range of JSONL begins far behind; compressed bytes are broken
    // records then, and treated so.
    if window.first == 0 {
        let (format, body) = redacted::framed(framing, window.body).await?;
        (framing, window.body) = (Framing::Known(format), body);
    }
    match framing {
        Framing::Known(format) => {
            redacted::range(Some(window), source, size, range, plan.clone(), format, tally.clone()).await
        }
        Framing::Refused(why) => Err(why.into()),
        Framing::Packed(_) => Err(ShowError::Unframed(Unframed::Compressed)),
        Framing::Undetermined => Err(ShowError::Unframed(Unframed::NotJson)),
    }
}

/// A redacted object has one part, itself: how the original was put together stays away.
fn only_part(part: u32, size: u64) -> Result<Option<ContentRange>, Refusal> {
    match (part, size) {
        (1, 0) => Ok(None),
        (1, size) => Ok(Some(ContentRange { first: 0, last: size - 1 })),
        _ => Err(Refusal::new(Code::InvalidRange, "The requested partnumber is not satisfiable")),
    }
}

fn unframed(why: &str) -> Refusal {
    Refusal::new(Code::AccessDenied, format!("This view redacts, and {why}."))
}

fn refused(error: ShowError) -> Refusal {
    match error {
        ShowError::Unshowable(fault) => Refusal::new(
            Code::AccessDenied,
            format!("This view redacts, and the object is not sound JSON at byte {}: {}.", fault.offset, fault.reason),
        ),
        ShowError::TooFar => Refusal::new(Code::NotImplemented, format!("This view redacts: {error}.")),
        ShowError::Unframed(why) => unframed(&why.to_string()),
        ShowError::Backend(error) => Trouble::Broken(error.to_string()).refusal(false),
        ShowError::Unkept(error) => Trouble::Unkept(error).refusal(false),
    }
}

/// The object again, pinned to the version that the first answer was of.
struct Pinned {
    backend: Arc<dyn Backend>,
    recorded: Recorded<Permit<GetObject>>,
    pin: ETag,
}

impl Pinned {
    async fn read_all(&self, size: u64) -> Result<Body, BodyError> {
        self.read(0, size - 1).await
    }
}

#[async_trait]
impl Source for Pinned {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        let intent: Intent<'_, Permit<GetObject>> = self.recorded.intent();
        let range = Some(RangeAsk::Span { first, last: Some(last) });
        let fetch = Fetch { range, pin: Some(self.pin.clone()), ..Fetch::default() };
        let raw = self.backend.get(intent, fetch).await;
        raw.map(|raw| raw.open().body).map_err(|trouble| BodyError::Backend(trouble.to_string()))
    }
}

impl Keyed {
    /// The head that the view shows: its own tag, nothing that tells of the original's bytes, and of what its writer
    /// noted only what a policy names.
    pub(super) fn head(&self, head: ObjectHead, bucket: &Bucket, key: &Key, masks: &Masks) -> ObjectHead {
        let etag = view_etag(&self.etag, bucket, key, &head.etag, head.last_modified, &masks.digest);
        let packed = matches!(format::of_head(key.as_str(), &head), Framing::Packed(_));
        let content_encoding = head.content_encoding.filter(|_| packed);
        let mut user_metadata = head.user_metadata;
        user_metadata.retain(|name, _| masks.shown_metadata.contains(name.as_str()));
        ObjectHead { etag, content_encoding, parts_count: None, user_metadata, ..head }
    }
}
