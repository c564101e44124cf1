//! What a start finds: the whole log is read and checked, an interrupted write at its very end is cut off, requests
//! that were in flight are closed as `unknown-crash`. Damage anywhere else refuses the start.
//!
//! A damaged *last* write cannot be told from an interrupted one where no checkpoint covers it; what one covers is never cut.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use serde::Deserialize;

use super::disk::{Disk, SegmentFile};
use super::journal::{JournalError, Torn};
use super::regrow::Regrowth;
use super::segment::{self, Found, SegmentPath};
use super::tlog::tree::FullTile;
use super::tlog::{SigningKeys, Tree};
use super::writer::{End, Sizes};

/// What the log holds, and its mended end.
pub(super) struct Scanned {
    pub(super) end: End,
    /// Ids of requests without an outcome, with the number of their intent.
    pub(super) orphans: Vec<(String, u64)>,
    pub(super) torn: Option<Torn>,
    pub(super) tree: Tree,
    /// Full tiles of it that are missing.
    pub(super) tiles: Vec<FullTile>,
    /// The verifier key that the log was last signed with.
    pub(super) verifier: Option<String>,
}

/// The fields that recovery reads of each entry.
#[derive(Deserialize)]
struct Glance<'a> {
    seq: u64,
    time: Timestamp,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    verifier: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    before: Option<u64>,
}

/// Reads the whole log of that name, which these keys signed.
pub(super) fn scan(
    disk: &dyn Disk,
    dir: &Path,
    sizes: Sizes,
    log_name: &str,
    keys: &SigningKeys,
) -> Result<Scanned, JournalError> {
    let io = |error| JournalError::Io { path: dir.to_owned(), error };
    let mut segments = segment::list(dir).map_err(io)?;
    let first = segments.first().map_or(0, |segment| segment.base);
    let mut scan = Scan::new(first, Regrowth::begin(dir, log_name, keys, first)?);
    let mut end_at = 0;
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        end_at = scan.segment(segment, last)?;
    }
    if first > 0 && scan.pruned_before != Some(first) {
        return Err(JournalError::Beheaded { first });
    }
    // Before anything is changed.
    let (tree, tiles) = scan.regrowth.end()?;
    let file = match segments.last() {
        None => {
            let path = segment::path_of(dir, 0);
            let file = disk.create_zeroed(&path, sizes.segment, &AtomicBool::new(false)).map_err(io)?;
            segments.push(SegmentPath { path, base: 0 });
            file
        }
        Some(segment) => {
            let file = disk.open(&segment.path).map_err(io)?;
            if let Some(torn) = &scan.torn {
                cut(&*file, torn).map_err(io)?;
            }
            file
        }
    };
    let end = End {
        segments,
        file,
        at: end_at,
        seq: scan.next,
        last: scan.last.unwrap_or(Timestamp::MIN),
        refusal_bytes: scan.refusal_bytes,
    };
    let mut orphans: Vec<(String, u64)> = scan.open.into_iter().collect();
    orphans.sort_unstable_by_key(|(_, seq)| *seq);
    Ok(Scanned { end, orphans, torn: scan.torn, tree, tiles, verifier: scan.verifier })
}

/// The time of a segment's first entry.
pub(super) fn first_time(path: &Path) -> io::Result<Option<Timestamp>> {
    match segment::read_frame(&File::open(path)?, 0)? {
        Found::Frame { entry, .. } => Ok(serde_json::from_slice::<Glance<'_>>(&entry).ok().map(|glance| glance.time)),
        Found::Nothing | Found::Unsound => Ok(None),
    }
}

struct Scan {
    /// The number that the next entry must have.
    next: u64,
    last: Option<Timestamp>,
    open: HashMap<String, u64>,
    refusal_bytes: u64,
    torn: Option<Torn>,
    regrowth: Regrowth,
    verifier: Option<String>,
    /// All before that entry ended their retention.
    pruned_before: Option<u64>,
}

impl Scan {
    fn new(next: u64, regrowth: Regrowth) -> Self {
        let open = HashMap::new();
        Self { next, last: None, open, refusal_bytes: 0, torn: None, regrowth, verifier: None, pruned_before: None }
    }

    /// Reads one segment, and says where its entries end.
    fn segment(&mut self, segment: &SegmentPath, last: bool) -> Result<u64, JournalError> {
        let path = &segment.path;
        let io = |error| JournalError::Io { path: path.clone(), error };
        let damaged = |offset| JournalError::Damaged { path: path.clone(), offset };
        let file = File::open(path).map_err(io)?;
        if segment.base != self.next {
            return Err(damaged(0));
        }
        self.refusal_bytes = 0;
        let mut at = 0;
        loop {
            match segment::read_frame(&file, at).map_err(io)? {
                Found::Frame { entry, next } => {
                    self.entry(&entry, next - at).ok_or_else(|| damaged(at))?;
                    self.regrowth.entry(&entry)?;
                    at = next;
                }
                found @ (Found::Nothing | Found::Unsound) => {
                    let bytes = segment::dirty_bytes(&file, at).map_err(io)?;
                    let unsound = matches!(found, Found::Unsound) || bytes > 0;
                    if unsound && (!last || segment::later_write_follows(&file, at).map_err(io)?) {
                        return Err(damaged(at));
                    }
                    if unsound {
                        self.torn = Some(Torn { path: path.clone(), offset: at, bytes });
                    }
                    return Ok(at);
                }
            }
        }
    }

    /// Notes one entry; `None` if it is not the one that must stand here.
    fn entry(&mut self, entry: &[u8], frame_bytes: u64) -> Option<()> {
        let glance: Glance<'_> = serde_json::from_slice(entry).ok()?;
        if glance.seq != self.next || self.last.is_some_and(|last| glance.time < last) {
            return None;
        }
        (self.next, self.last) = (glance.seq + 1, Some(glance.time));
        match (&*glance.kind, glance.id) {
            ("s3.intent", Some(id)) => drop(self.open.insert(id.into_owned(), glance.seq)),
            ("s3.complete", Some(id)) => drop(self.open.remove(&*id)),
            ("log.start", _) => self.verifier = glance.verifier.map(std::borrow::Cow::into_owned),
            ("log.pruned", _) => self.pruned_before = glance.before,
            ("refused.unproven" | "session.refuse", _) => self.refusal_bytes += frame_bytes,
            _ => {}
        }
        Some(())
    }
}

/// Puts zeros where an interrupted write stood.
fn cut(file: &dyn SegmentFile, torn: &Torn) -> io::Result<()> {
    let zeros = [0; 4096];
    let mut at = 0;
    while at < torn.bytes {
        let some = usize::try_from(torn.bytes - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        at += file.write_at(torn.offset + at, &zeros[..some])? as u64;
    }
    file.sync_data()
}

/// The name of a file without its folder, for entries and errors.
pub(super) fn file_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}
