//! What a write answers: tags, versions and errors of the backend as the writer may know them.
//!
//! A writer knows what they wrote, so the backend's own tag is shown, and multipart uploads need it. A role that writes
//! a key and reads it masked is refused by the policy's check, so that this tag is no oracle. What a copy would read is
//! opened here, too: its conditions are settled before anything is made of it.

use super::{Raw, Redacted};
use crate::audit::Recorded;
use crate::backend::Trouble;
use crate::limits;
use crate::policy::permit::{Facts, Permit};
use crate::s3::answer::{Copied, Deleted, ObjectHead, PartPage, Stored, Tag};
use crate::s3::conditional;
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::write::{CopyObject, GetObjectTagging, ListParts, UploadPartCopy};
use crate::s3::operation::{ETag, Op, Preconditions, RangeAsk};
use crate::s3::payload::Fate;

/// What was stored, or why nothing was.
///
/// # Errors
/// The refusal to answer.
pub fn stored<O: Op>(
    raw: Result<Raw<Stored>, Trouble>,
    recorded: &Recorded<Permit<O>>,
) -> Result<Redacted<Stored>, Refusal> {
    opened(raw, recorded).map(Redacted::of)
}

/// What was stored of a body. Its checksum is the one that the caller sent, since that is the one that was verified.
///
/// # Errors
/// The refusal to answer.
pub fn uploaded<O: Op>(
    raw: Result<Raw<Stored>, Trouble>,
    recorded: &Recorded<Permit<O>>,
    fate: &Fate,
) -> Result<Redacted<Stored>, Refusal> {
    let stored = opened(raw, recorded)?;
    Ok(Redacted::of(match fate.checksum() {
        Some(checksum) => Stored { checksum: Some(checksum.clone()), full_object: Some(true), ..stored },
        None => stored,
    }))
}

/// Nothing but that it was done.
///
/// # Errors
/// The refusal to answer.
pub fn done<O: Op>(raw: Result<Raw<()>, Trouble>, recorded: &Recorded<Permit<O>>) -> Result<Redacted<()>, Refusal> {
    opened(raw, recorded).map(Redacted::of)
}

/// What a deletion did.
///
/// # Errors
/// The refusal to answer.
pub fn deleted<O: Op>(
    raw: Result<Raw<Deleted>, Trouble>,
    recorded: &Recorded<Permit<O>>,
) -> Result<Redacted<Deleted>, Refusal> {
    opened(raw, recorded).map(Redacted::of)
}

/// What a copy made.
///
/// # Errors
/// The refusal to answer.
pub fn copied<O: Op>(
    raw: Result<Raw<Copied>, Trouble>,
    recorded: &Recorded<Permit<O>>,
) -> Result<Redacted<Copied>, Refusal> {
    match raw {
        // Not what the copy would have replaced: the source is another than the one that was looked at.
        Err(Trouble::Changed) => {
            Err(Refusal::new(Code::PreconditionFailed, "The source changed while it was copied; try again."))
        }
        raw => opened(raw, recorded).map(Redacted::of),
    }
}

/// The parts of an upload, as whoever puts them sees them.
///
/// # Errors
/// The refusal to answer.
pub fn parts(
    raw: Result<Raw<PartPage>, Trouble>,
    recorded: &Recorded<Permit<ListParts>>,
) -> Result<Redacted<PartPage>, Refusal> {
    opened(raw, recorded).map(Redacted::of)
}

/// An object's tags. Under a view that redacts only those that the policy names: of others nobody has said what they
/// hold.
///
/// # Errors
/// The refusal to answer.
pub fn tags(
    raw: Result<Raw<Vec<Tag>>, Trouble>,
    recorded: &Recorded<Permit<GetObjectTagging>>,
) -> Result<Redacted<Vec<Tag>>, Refusal> {
    let mut tags = opened(raw, recorded)?;
    if let Some(masks) = recorded.view().masks() {
        tags.retain(|tag| masks.shown_tags.contains(tag.key.as_str()));
    }
    Ok(Redacted::of(tags))
}

/// What a copy may be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The source's tag (the backend's own).
    pub tag: ETag,
    /// Bytes that the copy brings.
    pub bytes: u64,
}

/// The source that a copy may be made of.
///
/// # Errors
/// The refusal to answer: the caller may not see that object, or it is not the one that they meant.
pub fn source_of_copy(
    raw: Result<Raw<ObjectHead>, Trouble>,
    recorded: &Recorded<Permit<CopyObject>>,
) -> Result<Pinned, Refusal> {
    let head = source(raw, recorded, &recorded.op().source.preconditions)?;
    if head.size > limits::UPLOAD_BYTES_MAX {
        return Err(Refusal::new(
            Code::InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    Ok(Pinned { tag: head.etag, bytes: head.size })
}

/// The source that a part may be copied from.
///
/// # Errors
/// As [`source_of_copy`]; also a range that lies outside of it.
pub fn source_of_part(
    raw: Result<Raw<ObjectHead>, Trouble>,
    recorded: &Recorded<Permit<UploadPartCopy>>,
) -> Result<Pinned, Refusal> {
    let op = recorded.op();
    let head = source(raw, recorded, &op.source.preconditions)?;
    let range = match op.range {
        Some(RangeAsk::Span { first, last: Some(last) }) => Some((first, last)),
        Some(RangeAsk::Span { last: None, .. } | RangeAsk::Suffix(_)) | None => None,
    };
    if range.is_some_and(|(_, last)| last >= head.size) {
        return Err(Refusal::new(
            Code::InvalidArgument,
            format!("Range specified is not valid for source object of size: {}", head.size),
        ));
    }
    Ok(Pinned { tag: head.etag, bytes: range.map_or(head.size, |(first, last)| (last + 1).saturating_sub(first)) })
}

fn source<O: Op>(
    raw: Result<Raw<ObjectHead>, Trouble>,
    recorded: &Recorded<Permit<O>>,
    asked: &Preconditions,
) -> Result<ObjectHead, Refusal> {
    let head = opened(raw, recorded)?;
    let facts = Facts { last_modified: head.last_modified, size: head.size };
    if !recorded.conditions().hold_for(&facts) {
        return Err(Trouble::NoSuchKey.refusal(recorded.may_list()));
    }
    conditional::settle_source(asked, &head)?;
    Ok(head)
}

fn opened<T, O: Op>(raw: Result<Raw<T>, Trouble>, recorded: &Recorded<Permit<O>>) -> Result<T, Refusal> {
    raw.map(Raw::open).map_err(|trouble| trouble.refusal(recorded.may_list()))
}
