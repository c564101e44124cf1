//! How entries are written: one JSON object each, bounded whatever the caller sent.
//!
//! The committer puts `v`, `seq`, `time` and `log` (of outcomes also `intent`, the number of theirs) in front. Texts
//! that a caller can choose are cut to a fixed number of bytes *as escaped*, with a mark that says how many are gone;
//! the sum of all bounds stays under [`limits::ENTRY_BYTES_MAX`].

use std::borrow::Cow;

use serde::Serialize;

use super::entry::{Ended, EntryId, Event, Outcome, RequestFacts, Tally};
use super::shape::{
    Actor, Admin, Client, Complete, Cond, Crashed, Decision, Intent, KeyChanged, Kind, Listing, PolicyLoad,
    PolicyReject, Pruned, Recovered, Refuse, Refused, Session, SessionAsk, SessionIssue, Shown, Started, Target, clip,
    short, stamp, text,
};
use super::tlog::VerifierKey;
use super::{Auditable, refusals};
use crate::keyring::SecretKey;
use crate::limits;
use crate::policy::mask::Masks;
use crate::policy::permit::{Denial, Permit};
use crate::s3::operation::{IfRange, Op, Preconditions, RangeAsk, Tags, Touch};

pub(super) mod sealed {
    use super::{RequestFacts, Tally};
    use crate::keyring::SecretKey;

    /// What the journal asks of a thing to be recorded; out of reach elsewhere.
    pub trait Asked: Send + Sync + 'static {
        /// Whether an outcome follows.
        const OUTCOME_FOLLOWS: bool;
        /// The entry, a JSON object.
        fn entry(&self, facts: &RequestFacts, key: &SecretKey) -> Vec<u8>;
        /// Empty counts for what its view hides.
        fn tally(&self) -> Tally;
    }
}

impl<O: Op> Auditable for Permit<O> {}
impl Auditable for Denial {}

impl<O: Op> sealed::Asked for Permit<O> {
    const OUTCOME_FOLLOWS: bool = true;

    fn entry(&self, facts: &RequestFacts, key: &SecretKey) -> Vec<u8> {
        let touches = self.op().touches();
        let details = self.op().details();
        let masks = self.view().masks();
        let tags = TagText { hashed_by: masks.map(|_| key) };
        json(&Intent {
            kind: "s3.intent",
            id: facts.id.as_str(),
            batch: facts.batch.as_ref().map(EntryId::as_str),
            op: self.op().name().as_str(),
            target: touches.first().map(Target::new).unwrap_or_default(),
            also: further(&touches),
            range: details.range.map(range_text),
            part: details.part,
            version: details.version.map(|version| text(version.as_str())),
            cond: details.preconditions.filter(|cond| **cond != Preconditions::default()).map(|cond| tags.cond(cond)),
            list: details.list.map(|list| Listing {
                after: list.start_after.as_deref().map(|text| clip(text, limits::LOG_NAME_BYTES_MAX)),
                delimiter: list.delimiter.as_deref().map(text),
                continued: list.token.is_some(),
                max_keys: list.max_keys,
            }),
            actor: Actor::new(self.who()),
            session: Session::new(self.who()),
            client: Client::new(facts),
            decision: Decision {
                effect: "allow",
                rule: Some(text(self.rule())),
                reason: None,
                policy: self.policy().to_string(),
                masks: masks.map(|masks| masks_text(masks, key)),
                status: None,
            },
        })
    }

    fn tally(&self) -> Tally {
        Tally::new(self.view().masks().into_iter().flat_map(|masks| masks.profiles()))
    }
}

impl sealed::Asked for Denial {
    const OUTCOME_FOLLOWS: bool = false;

    fn entry(&self, facts: &RequestFacts, _key: &SecretKey) -> Vec<u8> {
        let (bucket, key) = self.path().split_once('/').unwrap_or((self.path(), ""));
        let name = |text| Some(text).filter(|text: &&str| !text.is_empty());
        json(&Intent {
            kind: "s3.deny",
            id: facts.id.as_str(),
            batch: facts.batch.as_ref().map(EntryId::as_str),
            op: self.op().as_str(),
            target: Target {
                bucket: name(bucket).map(text),
                key: name(key).map(|key| clip(key, limits::LOG_NAME_BYTES_MAX)),
                prefix: None,
            },
            also: Vec::new(),
            range: None,
            part: None,
            version: None,
            cond: None,
            list: None,
            actor: Actor::new(self.who()),
            session: Session::new(self.who()),
            client: Client::new(facts),
            decision: Decision {
                effect: "deny",
                rule: self.rule().map(text),
                reason: Some(clip(self.reason(), limits::LOG_NAME_BYTES_MAX)),
                policy: self.policy().to_string(),
                masks: None,
                status: Some(self.code().status()),
            },
        })
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// The entry of an outcome: at most [`limits::OUTCOME_BYTES_MAX`] with all that the committer puts in front.
pub(super) fn complete(id: &EntryId, outcome: &Outcome, tally: &Tally) -> Vec<u8> {
    let (offset, reason) = match outcome.ended {
        Ended::Ok | Ended::ClientGone | Ended::Aborted => (None, None),
        Ended::Backend(class) => (None, Some(class)),
        Ended::Unshowable { offset, reason } => (Some(offset), Some(reason)),
        Ended::Refused(code) => (None, Some(code.as_str())),
        Ended::Cut(reason) => (None, Some(reason)),
    };
    json(&Complete {
        kind: "s3.complete",
        id: id.as_str(),
        outcome: outcome.ended.word(),
        reason: reason.map(short),
        offset,
        status: outcome.status,
        bytes: outcome.bytes,
        received: outcome.received,
        digest: outcome.digest.map(hex::encode),
        version: outcome.version_id.as_deref().map(|id| clip(id, limits::LOG_TEXT_BYTES_MAX)),
        etag: outcome.view_etag.as_deref().map(short),
        redactions: redactions(tally),
        blanked: tally.blanked_records(),
        withheld: tally.withheld_records(),
        texts_cut: tally.cut_texts(),
        listing: outcome.listing.as_ref().map(Shown::new),
    })
}

/// The outcome of a request that was in flight when the process ended without a word.
pub(super) fn unknown_crash(id: &str) -> Vec<u8> {
    json(&Crashed { kind: "s3.complete", id: short(id), outcome: "unknown-crash" })
}

/// The entry of an event.
pub(super) fn event(event: &Event) -> Vec<u8> {
    match event {
        Event::SessionIssued { who, door, facts } => json(&SessionIssue {
            kind: "session.issue",
            id: facts.id.as_str(),
            door,
            actor: Actor::new(who),
            session: Session::new(who),
            client: Client::new(facts),
        }),
        Event::Refused { who, status, facts } => json(&Refuse {
            kind: "s3.refuse",
            id: facts.id.as_str(),
            status: *status,
            actor: Actor::new(who),
            session: Session::new(who),
            client: Client::new(facts),
        }),
        Event::Asked { who, facts } => json(&SessionAsk {
            kind: "session.ask",
            id: facts.id.as_str(),
            actor: Actor::new(who),
            session: Session::new(who),
            client: Client::new(facts),
        }),
        Event::PolicyLoaded { digest, previous, roles } => json(&PolicyLoad {
            kind: "policy.load",
            policy: digest.to_string(),
            previous: previous.map(|digest| digest.to_string()),
            roles: *roles,
        }),
        Event::PolicyRejected { kept, reason } => json(&PolicyReject {
            kind: "policy.reject",
            kept: kept.map(|digest| digest.to_string()),
            reason: clip(reason, limits::LOG_NAME_BYTES_MAX),
        }),
        Event::Admin { verb, actor, target } => json(&Admin {
            kind: format!("admin.{}", short(verb)),
            actor: text(actor),
            target: clip(target, limits::LOG_NAME_BYTES_MAX),
        }),
    }
}

/// The entry of refusals that were counted together.
pub(super) fn refused(summary: &refusals::Summary) -> Vec<u8> {
    let (kind, reason) = summary.kind_and_reason();
    json(&Refused {
        kind,
        network: summary.network.map(|network| network.to_string()),
        reason: short(reason),
        count: summary.count,
        first: stamp(summary.first),
        last: stamp(summary.last),
    })
}

/// The entry that begins a run of the journal: a tag of the digest key, so that a reader knows which to use, and the key
/// that checkpoints are signed with.
pub(super) fn started(digest_key: &SecretKey, verifier: &VerifierKey) -> Vec<u8> {
    let tag = digest_key.prf(&[b"tag of the log's digest key"]);
    json(&Started {
        kind: "log.start",
        version: env!("CARGO_PKG_VERSION"),
        digest_key: hex::encode(&tag[..8]),
        verifier: verifier.to_string(),
    })
}

/// The entry that says that checkpoints are signed with another key from now on.
pub(super) fn key_changed(previous: &str, verifier: &VerifierKey) -> Vec<u8> {
    json(&KeyChanged { kind: "log.key", verifier: verifier.to_string(), previous })
}

/// The entry that ends a run in order.
pub(super) fn stopped() -> Vec<u8> {
    json(&Kind { kind: "log.stop" })
}

/// The entry that says what a start found and mended.
pub(super) fn recovered(file: Option<&str>, offset: u64, cut_bytes: u64, orphans: usize) -> Vec<u8> {
    json(&Recovered { kind: "log.recovered", file, offset, cut_bytes, orphans })
}

/// The entry that says which entries end their retention: all before that number, from `first` on.
pub(super) fn pruned(first: u64, before: u64) -> Vec<u8> {
    json(&Pruned { kind: "log.pruned", first, before })
}

fn json(entry: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(entry).expect("these structs have text keys and plain values only")
}

/// What an operation touches behind its first path, such as the source of a copy.
fn further<'a>(touches: &[Touch<'a>]) -> Vec<Cow<'a, str>> {
    let rest = touches.get(1..).unwrap_or_default();
    let mut paths: Vec<Cow<'a, str>> = rest.iter().take(limits::LOG_PATHS_MAX).map(path).collect();
    if rest.len() > paths.len() {
        paths.push(Cow::Owned(format!("[{} more]", rest.len() - paths.len())));
    }
    paths
}

fn path<'a>(touch: &Touch<'a>) -> Cow<'a, str> {
    let path = match touch {
        Touch::Object(action, bucket, key) => format!("{} {bucket}/{key}", action.word()),
        Touch::Write(bucket, key) => format!("put {bucket}/{key}"),
        Touch::Source(bucket, key) => format!("get {bucket}/{key}"),
        Touch::Listing(bucket, prefix) => format!("list {bucket}/{prefix}"),
        Touch::Somewhere(action, bucket) => format!("{} {bucket}", action.word()),
        Touch::Bucket(bucket) => bucket.to_string(),
        Touch::Service => String::new(),
    };
    Cow::Owned(clip(&path, limits::LOG_NAME_BYTES_MAX).into_owned())
}

fn range_text(range: RangeAsk) -> String {
    match range {
        RangeAsk::Span { first, last: Some(last) } => format!("bytes={first}-{last}"),
        RangeAsk::Span { first, last: None } => format!("bytes={first}-"),
        RangeAsk::Suffix(bytes) => format!("bytes=-{bytes}"),
    }
}

/// The view's digest. Keyed where claims of the caller are part of it, which are too few not to be guessed.
fn masks_text(masks: &Masks, key: &SecretKey) -> String {
    match &masks.rows {
        Some(_) => format!("keyed:{}", hex::encode(&key.prf(&[b"masks", &masks.digest])[..16])),
        None => hex::encode(masks.digest),
    }
}

/// Tags that a caller sent. Under a view that redacts they are hashed: a caller may send the original's.
struct TagText<'a> {
    hashed_by: Option<&'a SecretKey>,
}

impl TagText<'_> {
    fn one(&self, tag: &str) -> String {
        match self.hashed_by {
            Some(key) => format!("keyed:{}", hex::encode(&key.prf(&[b"tag", tag.as_bytes()])[..16])),
            None => short(tag).into_owned(),
        }
    }

    fn all(&self, tags: &Tags) -> Vec<String> {
        match tags {
            Tags::Any => vec!["*".into()],
            Tags::These(tags) => {
                let mut texts: Vec<String> =
                    tags.iter().take(limits::LOG_TAGS_MAX).map(|tag| self.one(&tag.0)).collect();
                if tags.len() > texts.len() {
                    texts.push(format!("[{} more]", tags.len() - texts.len()));
                }
                texts
            }
        }
    }

    fn cond(&self, cond: &Preconditions) -> Cond {
        Cond {
            if_match: cond.if_match.as_ref().map(|tags| self.all(tags)),
            if_none_match: cond.if_none_match.as_ref().map(|tags| self.all(tags)),
            if_modified_since: cond.if_modified_since.map(|time| time.to_string()),
            if_unmodified_since: cond.if_unmodified_since.map(|time| time.to_string()),
            if_range: cond.if_range.as_ref().map(|range| match range {
                IfRange::Tag(tag) => self.one(&tag.0),
                IfRange::Date(time) => time.to_string(),
            }),
        }
    }
}

fn redactions(tally: &Tally) -> Vec<(Cow<'_, str>, u64)> {
    let mut counts: Vec<_> = tally.redactions().into_iter().map(|(name, count)| (short(name), count)).collect();
    if counts.len() > limits::LOG_PROFILES_MAX {
        let rest = counts.split_off(limits::LOG_PROFILES_MAX - 1);
        counts.push((Cow::Borrowed("(other)"), rest.into_iter().map(|(_, count)| count).sum()));
    }
    counts
}
