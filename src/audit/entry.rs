//! What the rest of the program tells the log: facts of a request, its outcome, events. How they are written is `wire`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::identity::Identity;
use crate::policy::permit::PolicyDigest;
use crate::s3::error::Code;

/// The id of a request: 16 characters of upper-case base32 (80 random bits), also its `x-amz-request-id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId([u8; EntryId::CHARS]);

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl EntryId {
    /// How many characters an id has.
    pub const CHARS: usize = 16;

    /// A fresh id, unlike any other.
    pub fn random() -> Self {
        let bits: u128 = rand::random();
        Self(std::array::from_fn(|at| BASE32[(bits >> (5 * at)) as usize & 31]))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id holds ASCII only")
    }
}

impl FromStr for EntryId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = <[u8; Self::CHARS]>::try_from(text.as_bytes());
        match bytes {
            Ok(bytes) if bytes.iter().all(|byte| BASE32.contains(byte)) => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err("a request id is 16 characters of A-Z and 2-7"),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the rim knows of a request beside what it asks.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// The request's id.
    pub id: EntryId,
    /// The request that this is one of several parts of (each key of `DeleteObjects` is decided and recorded by itself).
    pub batch: Option<EntryId>,
    /// The caller's address; behind a trusted proxy the one that it names.
    pub peer: IpAddr,
    /// `User-Agent`, as sent.
    pub user_agent: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// `Host`, as sent.
    pub host: Option<String>,
}

impl RequestFacts {
    /// The facts of one part of this request, with an id of its own.
    pub fn part(&self, id: EntryId) -> Self {
        Self { id, batch: Some(self.id), ..self.clone() }
    }
}

/// How a request ended. What was hidden is read from the entry's [`Tally`].
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The HTTP status that was sent.
    pub status: u16,
    /// How it ended.
    pub ended: Ended,
    /// Bytes of the body that were handed to the connection.
    pub bytes: u64,
    /// Bytes that a write brought: of the request's body, decoded, or of a copy's source.
    pub received: Option<u64>,
    /// Keyed BLAKE3 of these bytes ([`super::OpenEntry::digest_key`]); only under a view that redacts.
    pub digest: Option<[u8; 32]>,
    /// Version of the object that was read.
    pub version_id: Option<String>,
    /// The ETag that the caller saw. Never the backend's own under a view that redacts.
    pub view_etag: Option<String>,
    /// What a listing showed.
    pub listing: Option<ListingShown>,
}

impl Outcome {
    /// An outcome without particulars.
    pub fn new(status: u16, ended: Ended) -> Self {
        Self { status, ended, bytes: 0, received: None, digest: None, version_id: None, view_etag: None, listing: None }
    }

    /// That of a request of which nothing was sent.
    pub(super) fn aborted() -> Self {
        Self::new(0, Ended::Aborted)
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was sent.
    Ok,
    /// The caller closed the connection before the end.
    ClientGone,
    /// The backend failed; the class of the failure.
    Backend(&'static str),
    /// The object could not be shown under the view.
    Unshowable {
        /// Offset of the fault in the object.
        offset: u64,
        /// Class of the fault.
        reason: &'static str,
    },
    /// Refused after the decision, with this code (a condition that failed, a missing key…).
    Refused(Code),
    /// The stream was cut (revoked, end of a window, drain).
    Cut(&'static str),
    /// Nobody said: the request was dropped on its way.
    Aborted,
}

impl Ended {
    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Ok => "ok",
            Ended::ClientGone => "client-gone",
            Ended::Backend(_) => "backend",
            Ended::Unshowable { .. } => "unshowable",
            Ended::Refused(_) => "refused",
            Ended::Cut(_) => "cut",
            Ended::Aborted => "aborted",
        }
    }
}

/// What a listing showed: the names themselves are in the blob of that digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingShown {
    /// How many keys and common prefixes.
    pub count: usize,
    /// The first of them.
    pub first: Option<String>,
    /// The last of them.
    pub last: Option<String>,
    /// Keyed BLAKE3 of all of them, which is also the name of the blob.
    pub digest: [u8; 32],
}

/// Running counts of a request, shared between the entry and whoever hides.
#[derive(Debug, Default)]
pub struct Tally {
    blanked: AtomicU64,
    withheld: AtomicU64,
    cut: AtomicU64,
    profiles: Box<[(Box<str>, AtomicU64)]>,
    other: AtomicU64,
}

impl Tally {
    pub(super) fn new<'a>(profiles: impl IntoIterator<Item = &'a str>) -> Self {
        let mut slots: Vec<(Box<str>, AtomicU64)> = Vec::new();
        for profile in profiles {
            if !slots.iter().any(|(known, _)| &**known == profile) {
                slots.push((profile.into(), AtomicU64::new(0)));
            }
        }
        Self { profiles: slots.into(), ..Self::default() }
    }

    /// So many more values were hidden by that profile of the view.
    pub fn hidden(&self, profile: &str, values: u64) {
        let slot = self.profiles.iter().find(|(known, _)| &**known == profile);
        slot.map_or(&self.other, |(_, count)| count).fetch_add(values, Ordering::Relaxed);
    }

    /// So many more broken records were replaced.
    pub fn blanked(&self, records: u64) {
        self.blanked.fetch_add(records, Ordering::Relaxed);
    }

    /// So many more sound records were replaced, because the view's `rows` do not show them.
    pub fn withheld(&self, records: u64) {
        self.withheld.fetch_add(records, Ordering::Relaxed);
    }

    /// So many more texts within strings were cut, because they stop being JSON.
    pub fn cut(&self, texts: u64) {
        self.cut.fetch_add(texts, Ordering::Relaxed);
    }

    pub(super) fn cut_texts(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn withheld_records(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    pub(super) fn blanked_records(&self) -> u64 {
        self.blanked.load(Ordering::Relaxed)
    }

    /// Values hidden so far, by profile, without the zeros.
    pub(super) fn redactions(&self) -> Vec<(&str, u64)> {
        let known = self.profiles.iter().map(|(name, count)| (&**name, count));
        known
            .chain([("(other)", &self.other)])
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// What is recorded beside requests. Each is durable before [`super::Journal::event`] returns.
#[derive(Debug, Clone)]
pub enum Event {
    /// `session.issue`: a session, before its secret leaves.
    SessionIssued {
        /// Whose.
        who: Arc<Identity>,
        /// Through which door.
        door: &'static str,
        /// The request that asked for it.
        facts: RequestFacts,
    },
    /// `s3.refuse`: a request of a proven caller that asked for nothing that could be decided.
    Refused {
        /// Whose.
        who: Arc<Identity>,
        /// The HTTP status of the answer.
        status: u16,
        /// The request.
        facts: RequestFacts,
    },
    /// `session.ask`: a proven caller asked who they are.
    Asked {
        /// Who.
        who: Arc<Identity>,
        /// The request.
        facts: RequestFacts,
    },
    /// `policy.load`: a policy set is in force.
    PolicyLoaded {
        /// The set.
        digest: PolicyDigest,
        /// The one before.
        previous: Option<PolicyDigest>,
        /// How many roles it has.
        roles: usize,
    },
    /// `policy.reject`: a policy set was not taken; the one before stays in force.
    PolicyRejected {
        /// The set that stays.
        kept: Option<PolicyDigest>,
        /// What is wrong with the new one.
        reason: String,
    },
    /// `admin.VERB`: something that an administrator did (revoke, read the log…).
    Admin {
        /// What was done: 1 to 32 of `a-z` and `-`.
        verb: &'static str,
        /// Who did it.
        actor: String,
        /// To what.
        target: String,
    },
}

/// What was refused to a caller who proved nothing, and why: a word of a fixed list, so that entries can be summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unproven {
    /// `refused.unproven`: a request.
    Request(&'static str),
    /// `session.refuse`: a session, at a token door.
    Session(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_characters_and_come_back() {
        let ids: std::collections::HashSet<EntryId> = (0..1000).map(|_| EntryId::random()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        for text in ["", "ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNOP2", "abcdefghijklmnop", "ABCDEFGHIJKLMNO1"] {
            assert!(text.parse::<EntryId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tally_counts_by_profile_and_loses_none() {
        let tally = Tally::new(["pii", "logic", "pii"]);
        tally.hidden("pii", 2);
        tally.hidden("pii", 3);
        tally.hidden("unheard-of", 1);
        assert_eq!(tally.redactions(), [("pii", 5), ("(other)", 1)]);
    }
}
