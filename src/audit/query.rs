//! Reading the log: entry by entry, also while it is written, and as rows that join a request with its outcome.
//!
//! Needs only the folder, no lock and no key. The last entries may be read before they are synced.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use serde::{Deserialize, Serialize};

use super::segment::{self, Found, SegmentPath};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A file or folder cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The folder holds no log.
    #[error("there is no log in {0}")]
    NoLog(PathBuf),
    /// Bytes that are no entry, where entries follow.
    #[error("{path} is damaged at byte {offset}", path = path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Offset of the frame.
        offset: u64,
    },
    /// A glob that cannot be read.
    #[error("not a glob: {0}")]
    Glob(String),
}

/// Reads entries in order, from the first that the folder holds.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    at: Place,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    base: u64,
    file: File,
    offset: u64,
}

impl Reader {
    /// A reader of the log in that folder.
    ///
    /// # Errors
    /// The folder holds no log, or cannot be read.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, QueryError> {
        let dir = dir.into();
        match segment_after(&dir, None)? {
            Some(at) => Ok(Self { dir, at }),
            None => Err(QueryError::NoLog(dir)),
        }
    }

    /// A reader that begins shortly before a time, and whether the folder still holds everything since then.
    ///
    /// # Errors
    /// The folder holds no log, or cannot be read.
    pub fn since(dir: impl Into<PathBuf>, from: Timestamp) -> Result<(Self, bool), QueryError> {
        let dir = dir.into();
        let segments = segment::list(&dir).map_err(|error| unreadable(&dir, error))?;
        for (nth, segment) in segments.into_iter().enumerate().rev() {
            let whole_from = segment.base == 0;
            let at = Place::beginning(segment)?;
            let older = match at.look()? {
                Found::Frame { entry, .. } => row_of(&entry).is_some_and(|row| row.time < from),
                Found::Nothing | Found::Unsound => false,
            };
            if older || nth == 0 {
                return Ok((Self { dir, at }, older || whole_from));
            }
        }
        Err(QueryError::NoLog(dir))
    }

    /// The next entry's bytes; `None` where the log ends for now.
    ///
    /// # Errors
    /// The log cannot be read, or is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Vec<u8>>, QueryError> {
        loop {
            let found = self.at.look()?;
            if let Found::Frame { entry, next } = found {
                self.at.offset = next;
                return Ok(Some(entry));
            }
            let next = segment_after(&self.dir, Some(self.at.base))?;
            let unsound = matches!(found, Found::Unsound);
            if next.is_none() && !(unsound && self.at.later_write_follows()?) {
                return Ok(None);
            }
            // More was written behind this place, so what stands here is final; but not yet when it was looked at.
            match (self.at.look()?, next) {
                (Found::Frame { .. }, _) => {}
                (Found::Nothing, Some(next)) => self.at = next,
                (Found::Nothing | Found::Unsound, _) => {
                    return Err(QueryError::Damaged { path: self.at.path.clone(), offset: self.at.offset });
                }
            }
        }
    }
}

impl Place {
    fn beginning(segment: SegmentPath) -> Result<Self, QueryError> {
        let file = File::open(&segment.path).map_err(|error| unreadable(&segment.path, error))?;
        Ok(Self { path: segment.path, base: segment.base, file, offset: 0 })
    }

    fn look(&self) -> Result<Found, QueryError> {
        segment::read_frame(&self.file, self.offset).map_err(|error| unreadable(&self.path, error))
    }

    fn later_write_follows(&self) -> Result<bool, QueryError> {
        segment::later_write_follows(&self.file, self.offset).map_err(|error| unreadable(&self.path, error))
    }
}

/// The beginning of the first segment, or of the next one behind that base.
fn segment_after(dir: &Path, base: Option<u64>) -> Result<Option<Place>, QueryError> {
    let segments = segment::list(dir).map_err(|error| unreadable(dir, error))?;
    let Some(next) = segments.into_iter().find(|segment| base.is_none_or(|base| segment.base > base)) else {
        return Ok(None);
    };
    Place::beginning(next).map(Some)
}

fn unreadable(path: &Path, error: io::Error) -> QueryError {
    QueryError::Io { path: path.to_owned(), error }
}

/// One line of an answer: a request with its outcome, or another entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields of the entries, by their names there")]
pub struct Row {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// `BUCKET/KEY`, `BUCKET/PREFIX` or `BUCKET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masks: Option<String>,
    /// `open` while no outcome is known, `denied` for denials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes that a write brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// Values that were hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<u64>,
    /// Names that a listing showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<u64>,
    /// How many refusals a summary counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Number of the outcome's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<u64>,
}

/// Which rows are wanted; what is `None` admits all.
#[derive(Debug, Default)]
pub struct Filter {
    /// Their path.
    pub path: Option<PathGlob>,
    /// Subject or name of the caller.
    pub principal: Option<String>,
    /// Role of the caller.
    pub role: Option<String>,
    /// Operation, in S3's spelling.
    pub op: Option<String>,
    /// Kind of the entry.
    pub kind: Option<String>,
    /// Request id.
    pub id: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// At or after this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Only denials of proven callers.
    pub denied: bool,
}

impl Filter {
    /// Whether a row is wanted.
    pub fn admits(&mut self, row: &Row) -> bool {
        let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        is(&self.role, &row.role)
            && is(&self.op, &row.op)
            && is(&self.id, &row.id)
            && is(&self.outcome, &row.outcome)
            && self.kind.as_ref().is_none_or(|kind| *kind == row.kind)
            && (self.principal.is_none() || self.principal == row.sub || self.principal == row.name)
            && self.from.is_none_or(|from| row.time >= from)
            && self.to.is_none_or(|to| row.time < to)
            && (!self.denied || row.kind == "s3.deny")
            && self.path.as_mut().is_none_or(|glob| row.path.as_deref().is_some_and(|path| glob.matches(path)))
    }
}

/// A glob over paths: globset's syntax, `*` and `?` match `/` too, as in policies.
#[derive(Debug)]
pub struct PathGlob {
    dfa: DFA,
    cache: Cache,
}

impl PathGlob {
    /// A glob of that text.
    ///
    /// # Errors
    /// It is not in globset's syntax, or too large.
    pub fn new(glob: &str) -> Result<Self, QueryError> {
        let parsed = globset::Glob::new(glob).map_err(|error| QueryError::Glob(error.to_string()))?;
        let syntax = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
        let built = DFA::builder().syntax(syntax).build(parsed.regex());
        let dfa = built.map_err(|error| QueryError::Glob(error.to_string()))?;
        let cache = dfa.create_cache();
        Ok(Self { dfa, cache })
    }

    /// Whether a path matches as a whole.
    pub fn matches(&mut self, path: &str) -> bool {
        let input = Input::new(path).anchored(Anchored::Yes).earliest(true);
        self.dfa.try_search_fwd(&mut self.cache, &input).is_ok_and(|found| found.is_some())
    }
}

/// Reads the whole log and hands out the rows that the filter admits: a request when its outcome is read, those
/// without one at the end.
///
/// # Errors
/// The log cannot be read or is damaged, or `show` failed.
pub fn query<E: From<QueryError>>(
    dir: &Path,
    filter: &mut Filter,
    show: impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    rows(Reader::open(dir)?, filter, show)
}

/// The same of what a reader has before it.
///
/// # Errors
/// As [`query`].
pub fn rows<E: From<QueryError>>(
    mut reader: Reader,
    filter: &mut Filter,
    mut show: impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: HashMap<String, Row> = HashMap::new();
    while let Some(bytes) = reader.next_entry()? {
        let Ok(entry) = serde_json::from_slice::<Entry>(&bytes) else { continue };
        let Some(row) = joined(entry, &mut open) else { continue };
        if filter.admits(&row) {
            show(&row)?;
        }
    }
    let mut rest: Vec<Row> = open.into_values().collect();
    rest.sort_unstable_by_key(|row| row.seq);
    rest.iter().filter(|row| filter.admits(row)).try_for_each(show)
}

/// One entry as a row of its own; `None` for bytes that are no entry.
pub fn row_of(entry: &[u8]) -> Option<Row> {
    serde_json::from_slice::<Entry>(entry).ok().map(Row::from)
}

/// The row that is whole with this entry, if one is.
fn joined(entry: Entry, open: &mut HashMap<String, Row>) -> Option<Row> {
    let row = Row::from(entry);
    match (row.kind.as_str(), &row.id) {
        ("s3.intent", Some(id)) => {
            open.insert(id.clone(), row);
            None
        }
        ("s3.complete", Some(id)) => Some(match open.remove(id) {
            Some(intent) => Row {
                outcome: row.outcome,
                reason: row.reason,
                status: row.status,
                bytes: row.bytes,
                received: row.received,
                redacted: row.redacted,
                listed: row.listed,
                complete: Some(row.seq),
                ..intent
            },
            None => row, // Its intent is older than the log's retention.
        }),
        _ => Some(row),
    }
}

/// The fields of all kinds of entries that rows show.
#[derive(Deserialize)]
struct Entry {
    seq: u64,
    time: Timestamp,
    kind: String,
    id: Option<String>,
    op: Option<String>,
    #[serde(default)]
    target: Target,
    range: Option<String>,
    #[serde(default)]
    actor: Actor,
    #[serde(default)]
    session: Session,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    decision: Decision,
    policy: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    status: Option<u16>,
    bytes: Option<u64>,
    received: Option<u64>,
    #[serde(default)]
    redactions: Vec<(String, u64)>,
    listing: Option<Listing>,
    network: Option<String>,
    count: Option<u64>,
}

/// What it is about: an object or a listing, or, in words, what an administrator did something to.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Words(String),
    Path { bucket: Option<String>, key: Option<String>, prefix: Option<String> },
}

impl Default for Target {
    fn default() -> Self {
        Self::Path { bucket: None, key: None, prefix: None }
    }
}

/// Who acted: a caller with issuer and subject, or the name of an administrator.
#[derive(Deserialize)]
#[serde(untagged)]
enum Actor {
    Caller { iss: String, sub: String, name: Option<String> },
    Named(String),
    Nobody {},
}

impl Default for Actor {
    fn default() -> Self {
        Actor::Nobody {}
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Session {
    id: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Client {
    ip: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Decision {
    rule: Option<String>,
    reason: Option<String>,
    policy: Option<String>,
    masks: Option<String>,
    status: Option<u16>,
}

#[derive(Deserialize)]
struct Listing {
    count: u64,
}

impl From<Entry> for Row {
    fn from(entry: Entry) -> Self {
        let (iss, sub, name) = match entry.actor {
            Actor::Caller { iss, sub, name } => (Some(iss), Some(sub), name),
            Actor::Named(name) => (None, None, Some(name)),
            Actor::Nobody {} => (None, None, None),
        };
        let (path, words) = match entry.target {
            Target::Words(words) => (None, Some(words)),
            Target::Path { bucket, key, prefix } => match (bucket, key.or(prefix)) {
                (Some(bucket), Some(below)) => (Some(format!("{bucket}/{below}")), None),
                (bucket, below) => (bucket.or(below), None),
            },
        };
        let outcome = match entry.kind.as_str() {
            "s3.intent" => Some("open".to_owned()),
            "s3.deny" => Some("denied".to_owned()),
            _ => entry.outcome,
        };
        let redacted: u64 = entry.redactions.iter().map(|(_, count)| count).sum();
        Self {
            seq: entry.seq,
            time: entry.time,
            kind: entry.kind,
            id: entry.id,
            op: entry.op,
            path,
            range: entry.range,
            iss,
            sub,
            name,
            role: entry.session.role,
            session: entry.session.id,
            ip: entry.client.ip.or(entry.network),
            rule: entry.decision.rule,
            policy: entry.decision.policy.or(entry.policy),
            masks: entry.decision.masks,
            outcome,
            reason: entry.decision.reason.or(entry.reason).or(words),
            status: entry.decision.status.or(entry.status),
            bytes: entry.bytes,
            received: entry.received,
            redacted: Some(redacted).filter(|count| *count > 0),
            listed: entry.listing.map(|listing| listing.count),
            count: entry.count,
            complete: None,
        }
    }
}
