//! The shapes of entries as JSON, and the bounds of the texts in them. No type of another module is serialized.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{ListingShown, RequestFacts};
use crate::identity::Identity;
use crate::limits;
use crate::s3::operation::Touch;

/// RFC 3339 in UTC, with microseconds.
pub(super) fn stamp(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// A text as it may stand in an entry: at most `max` bytes once escaped, with a mark that says how much is gone.
pub(super) fn clip(text: &str, max: usize) -> Cow<'_, str> {
    const MARK_BYTES: usize = 32;
    let escaped = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    let (mut used, mut fits) = (0, 0);
    for (at, c) in text.char_indices() {
        used += escaped(c);
        if used + MARK_BYTES <= max {
            fits = at + c.len_utf8();
        }
        if used > max {
            return Cow::Owned(format!("{}…[{} bytes more]", &text[..fits], text.len() - fits));
        }
    }
    Cow::Borrowed(text)
}

/// A text that a caller chose.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    clip(text, limits::LOG_TEXT_BYTES_MAX)
}

/// A word, whoever chose it.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    clip(text, limits::LOG_WORD_BYTES_MAX)
}

#[derive(Serialize)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Intent<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<&'a str>,
    pub(super) op: &'static str,
    pub(super) target: Target<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) also: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cond: Option<Cond>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<Listing<'a>>,
    pub(super) actor: Actor<'a>,
    pub(super) session: Session<'a>,
    pub(super) client: Client<'a>,
    pub(super) decision: Decision<'a>,
}

#[derive(Serialize, Default)]
pub(super) struct Target<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bucket: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<Cow<'a, str>>,
}

impl<'a> Target<'a> {
    pub(super) fn new(touch: &Touch<'a>) -> Self {
        let name = |text| Some(clip(text, limits::LOG_NAME_BYTES_MAX));
        match *touch {
            Touch::Object(_, bucket, key) | Touch::Write(bucket, key) | Touch::Source(bucket, key) => {
                Self { bucket: name(bucket.as_str()), key: name(key.as_str()), prefix: None }
            }
            Touch::Listing(bucket, prefix) => {
                Self { bucket: name(bucket.as_str()), key: None, prefix: name(prefix.as_str()) }
            }
            Touch::Somewhere(_, bucket) | Touch::Bucket(bucket) => {
                Self { bucket: name(bucket.as_str()), ..Self::default() }
            }
            Touch::Service => Self::default(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Cond {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_match: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_none_match: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_modified_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_unmodified_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_range: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Listing<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delimiter: Option<Cow<'a, str>>,
    pub(super) continued: bool,
    pub(super) max_keys: u32,
}

#[derive(Serialize)]
pub(super) struct Actor<'a> {
    pub(super) iss: Cow<'a, str>,
    pub(super) sub: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(who: &'a Identity) -> Self {
        Self { iss: text(who.issuer()), sub: text(who.subject()), name: who.name().map(text) }
    }
}

#[derive(Serialize)]
pub(super) struct Session<'a> {
    pub(super) id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) role: &'a str,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) proof: &'static str,
}

impl<'a> Session<'a> {
    pub(super) fn new(who: &'a Identity) -> Self {
        Self {
            id: short(who.session()),
            name: who.session_name().map(short),
            role: who.role().as_str(),
            issued: who.issued(),
            expires: who.expires(),
            proof: who.proof().word(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Client<'a> {
    pub(super) ip: std::net::IpAddr,
    pub(super) tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ua: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<Cow<'a, str>>,
}

impl<'a> Client<'a> {
    pub(super) fn new(facts: &'a RequestFacts) -> Self {
        Self {
            ip: facts.peer,
            tls: facts.tls,
            ua: facts.user_agent.as_deref().map(text),
            host: facts.host.as_deref().map(text),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Decision<'a> {
    pub(super) effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) masks: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
}

#[derive(Serialize)]
pub(super) struct Complete<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    pub(super) status: u16,
    pub(super) bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) redactions: Vec<(Cow<'a, str>, u64)>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) blanked: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) withheld: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) texts_cut: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listing: Option<Shown<'a>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Cow<'a, str>>,
    pub(super) digest: String,
}

impl<'a> Shown<'a> {
    pub(super) fn new(shown: &'a ListingShown) -> Self {
        let name = |text: &'a Option<String>| text.as_deref().map(|text| clip(text, limits::LOG_TEXT_BYTES_MAX));
        Self {
            count: shown.count,
            first: name(&shown.first),
            last: name(&shown.last),
            digest: hex::encode(shown.digest),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Crashed<'a> {
    pub(super) kind: &'static str,
    pub(super) id: Cow<'a, str>,
    pub(super) outcome: &'static str,
}

#[derive(Serialize)]
pub(super) struct SessionIssue<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) door: &'static str,
    pub(super) actor: Actor<'a>,
    pub(super) session: Session<'a>,
    pub(super) client: Client<'a>,
}

#[derive(Serialize)]
pub(super) struct SessionAsk<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) actor: Actor<'a>,
    pub(super) session: Session<'a>,
    pub(super) client: Client<'a>,
}

#[derive(Serialize)]
pub(super) struct Refuse<'a> {
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) status: u16,
    pub(super) actor: Actor<'a>,
    pub(super) session: Session<'a>,
    pub(super) client: Client<'a>,
}

#[derive(Serialize)]
pub(super) struct PolicyLoad {
    pub(super) kind: &'static str,
    pub(super) policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<String>,
    pub(super) roles: usize,
}

#[derive(Serialize)]
pub(super) struct PolicyReject<'a> {
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<String>,
    pub(super) reason: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Admin<'a> {
    pub(super) kind: String,
    pub(super) actor: Cow<'a, str>,
    pub(super) target: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Refused<'a> {
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<String>,
    pub(super) reason: Cow<'a, str>,
    pub(super) count: u64,
    pub(super) first: String,
    pub(super) last: String,
}

#[derive(Serialize)]
pub(super) struct Started {
    pub(super) kind: &'static str,
    pub(super) version: &'static str,
    pub(super) digest_key: String,
    pub(super) verifier: String,
}

#[derive(Serialize)]
pub(super) struct KeyChanged<'a> {
    pub(super) kind: &'static str,
    pub(super) verifier: String,
    pub(super) previous: &'a str,
}

#[derive(Serialize)]
pub(super) struct Recovered<'a> {
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<&'a str>,
    pub(super) offset: u64,
    pub(super) cut_bytes: u64,
    pub(super) orphans: usize,
}

#[derive(Serialize)]
pub(super) struct Pruned {
    pub(super) kind: &'static str,
    pub(super) first: u64,
    pub(super) before: u64,
}
