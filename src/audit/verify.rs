//! Whether a log is the one that was signed, entry by entry; and where it is not, which entry is the first wrong one, and
//! what was done to it. Needs the files and the verifier key, no lock and no secret; the log may be written meanwhile.
//!
//! Two trees are computed: from the entries, and from the hashes in the tiles. That of the entries decides. Where it is
//! not the signed one and that of the tiles is, these say what stood at each place.

mod diagnosis;
mod source;
mod walk;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::tiles;
use super::tlog::note::NoteError;
use super::tlog::{Checkpoint, CheckpointError, VerifierKey};
pub(super) use source::{Source, Step};
use walk::{Walk, Walked};

/// Against what a log is checked.
#[derive(Debug, Default)]
pub struct Terms {
    /// The verifier keys that are believed. None: those that the log itself lists, which proves nothing against whoever
    /// can write the log and sign anew.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints of the log that were kept elsewhere, as they were: the log must have grown out of each.
    pub checkpoints: Vec<String>,
}

/// Why a log cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
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
    /// The log has no checkpoint: nothing of it was ever signed, or it was taken away.
    #[error("{0} holds no checkpoint: without a signature nothing can be checked")]
    NoCheckpoint(PathBuf),
    /// The log lists no key, and none was given.
    #[error("no verifier key is known: give the one that you keep (`--key`)")]
    NoKey,
    /// A checkpoint that was given is not believed.
    #[error("the checkpoint that was given: {0}")]
    Given(CheckpointError),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's name.
    pub log: String,
    /// Entries under the newest checkpoint.
    pub signed: u64,
    /// The first entry that is held; those before ended their retention.
    pub first: u64,
    /// Entries behind the newest checkpoint, which nobody signed yet.
    pub unsigned: u64,
    /// Who signed the newest checkpoint, of the keys that are believed.
    pub signers: Vec<String>,
    /// Whether the keys were given, not taken from the log itself.
    pub pinned: bool,
    /// Older checkpoints that the log was held against.
    pub older: usize,
    /// What is wrong with it.
    pub finding: Option<Finding>,
}

/// The first thing that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was done.
    #[serde(flatten)]
    pub done: Tampering,
    /// Number of the first entry that is not what was signed there.
    pub entry: u64,
    /// Where it shows: a file, and the offset in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What was done to a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "tampering", rename_all = "kebab-case")]
pub enum Tampering {
    /// The entry's bytes are others.
    Changed,
    /// So many entries are gone from here.
    Dropped {
        /// How many.
        count: u64,
    },
    /// An earlier entry stands here once more.
    Duplicated {
        /// Which.
        of: u64,
    },
    /// Entries changed places.
    Reordered {
        /// The entry that stands here.
        with: u64,
    },
    /// So many entries stand here that never were in the log.
    Inserted {
        /// How many.
        count: u64,
    },
    /// The log ends before what was signed does.
    Truncated {
        /// How many entries are gone.
        missing: u64,
    },
    /// An older state of the whole log was put in its place.
    RolledBack {
        /// How many entries a checkpoint covers that was signed later.
        signed: u64,
    },
    /// Entries and tiles were written anew together, and are not what was signed. The first such entry is before this one.
    Rewritten {
        /// The end of what is in doubt.
        before: u64,
    },
    /// The log's key signed two logs that do not fit together.
    Forked {
        /// Entries under the checkpoint of the other one.
        at: u64,
    },
    /// The newest checkpoint is signed by a key that is not believed.
    Resigned {
        /// By which.
        by: Vec<String>,
    },
    /// A checkpoint was changed after it was signed.
    Forged,
    /// The first entries are gone, and the log does not say that their retention ended.
    Beheaded,
    /// A tile over the entries whose retention ended is gone, without which nothing can be compared.
    HashesGone {
        /// Which.
        path: String,
    },
    /// A tile is missing, or another; every entry is what was signed. The next start of the service makes it again.
    Tile {
        /// Which.
        path: String,
    },
}

/// A sentence for people, without the number of the entry.
impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("was changed"),
            Self::Dropped { count: 1 } => f.write_str("was dropped"),
            Self::Dropped { count } => write!(f, "and the {} behind it were dropped", count - 1),
            Self::Duplicated { of } => write!(f, "is a duplicate of entry {of}"),
            Self::Reordered { with } => write!(f, "was reordered: entry {with} stands in its place"),
            Self::Inserted { count } => write!(f, "was pushed back: {count} entries were inserted before it"),
            Self::Truncated { missing } => write!(f, "and all behind it are gone: the log was truncated by {missing}"),
            Self::RolledBack { signed } => {
                write!(f, "and all behind it are gone: an older state was put back, {signed} entries were signed")
            }
            Self::Rewritten { before } => {
                write!(f, "or a later one before {before} was rewritten, with its tiles: it is not what was signed")
            }
            Self::Forked { at } => {
                write!(f, "or a later one before {at} differs between two logs that the log's key signed: a fork")
            }
            Self::Resigned { by } => {
                write!(f, "and all behind it were re-signed, by a key that is not believed: {}", by.join(", "))
            }
            Self::Forged => f.write_str("and all behind it are under no signature: a checkpoint was changed"),
            Self::Beheaded => f.write_str(
                "is the first that is held, and the log does not say that those before it ended their retention",
            ),
            Self::HashesGone { path } => {
                write!(f, "and all behind it cannot be checked: {path}, over the entries before it, is gone")
            }
            Self::Tile { path } => write!(f, "is as it was signed, but its tile {path} is missing or changed"),
        }
    }
}

/// Checks the log in that folder: its segments, or the bundles of an exported one. `progress` hears how many entries were
/// checked, of how many.
///
/// # Errors
/// It cannot be checked at all. What is wrong with the log is no error, but stands in the report.
pub fn verify(dir: &Path, terms: &Terms, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, VerifyError> {
    if !dir.is_dir() {
        return Err(VerifyError::NoLog(dir.to_owned()));
    }
    let own = tiles::verifier_keys(dir).map_err(|error| io_at(&tiles::keys_path(dir), error))?;
    let keys = if terms.keys.is_empty() { &own } else { &terms.keys };
    if keys.is_empty() {
        return Err(VerifyError::NoKey);
    }
    let path = tiles::checkpoint_path(dir);
    let note = tiles::text(&path).map_err(|error| io_at(&path, error))?;
    let note = note.ok_or_else(|| VerifyError::NoCheckpoint(dir.to_owned()))?;
    let (older, forged) = older(dir, terms, keys)?;
    let mut report = Report {
        log: keys[0].name().to_owned(),
        signed: 0,
        first: 0,
        unsigned: 0,
        signers: Vec::new(),
        pinned: !terms.keys.is_empty(),
        older: older.len(),
        finding: forged,
    };
    let covered = older.last().map_or(0, |older| older.size);
    let (signed, signers) = match Checkpoint::open(&note, keys) {
        Ok(believed) => believed,
        Err(error) => {
            let done = match error {
                CheckpointError::Note(NoteError::Unknown(by)) => Tampering::Resigned { by },
                CheckpointError::Note(_) | CheckpointError::Malformed | CheckpointError::OfAnother(_) => {
                    Tampering::Forged
                }
            };
            report.finding = Some(Finding { done, entry: covered, place: Some(path.display().to_string()) });
            return Ok(report);
        }
    };
    (report.log, report.signed) = (signed.origin.clone(), signed.size);
    report.signers = signers.into_iter().map(VerifierKey::short).collect();
    if covered > signed.size {
        let done = Tampering::RolledBack { signed: covered };
        report.finding = Some(Finding { done, entry: signed.size, place: Some(path.display().to_string()) });
    }
    let source = Source::open(dir)?.ok_or_else(|| VerifyError::NoLog(dir.to_owned()))?;
    report.first = source.first();
    let walked = Walk::new(dir, &signed, &older, source)?.walk(progress)?;
    report.unsigned = walked.behind;
    if report.finding.is_none() {
        report.finding = concluded(dir, &signed, walked)?;
    }
    Ok(report)
}

/// What the walk through the log means.
fn concluded(dir: &Path, signed: &Checkpoint, walked: Walked) -> Result<Option<Finding>, VerifyError> {
    let (from, to) = (walked.agreed, walked.contradicted.unwrap_or(signed.size));
    let wrong_at = walked.wrong.as_ref().map(|wrong| wrong.entry);
    if let Some(path) = walked.hashes_gone {
        return Ok(Some(Finding { done: Tampering::HashesGone { path }, entry: walked.first, place: None }));
    }
    let (done, entry, place) = match (walked.entries_hold, walked.tiles_hold) {
        (true, _) if walked.contradicted.is_some() => (Tampering::Forked { at: to }, from, None),
        (true, _) if walked.beheaded => (Tampering::Beheaded, walked.first, None),
        (true, true) => match walked.odd_tile {
            Some((path, entry)) => (Tampering::Tile { path }, entry, None),
            None => return Ok(None),
        },
        (true, false) => {
            let (path, entry) = walked.odd_tile.unwrap_or_else(|| ("tile".to_owned(), wrong_at.unwrap_or(from)));
            (Tampering::Tile { path }, entry, None)
        }
        (false, true) => match walked.wrong {
            Some(wrong) => (diagnosis::of(dir, signed.size, &wrong)?, wrong.entry, Some(wrong.place)),
            None => (Tampering::Rewritten { before: to }, from, None),
        },
        (false, false) => {
            let entry = wrong_at.unwrap_or(from);
            (Tampering::Rewritten { before: to.max(entry + 1) }, entry, walked.wrong.map(|wrong| wrong.place))
        }
    };
    Ok(Some(Finding { done, entry, place }))
}

/// The older checkpoints, smallest first: those that the log keeps and its keys signed, and those that were given. Also the
/// first of the kept ones that was changed.
fn older(dir: &Path, terms: &Terms, keys: &[VerifierKey]) -> Result<(Vec<Checkpoint>, Option<Finding>), VerifyError> {
    let (mut older, mut forged) = (Vec::new(), None);
    for path in tiles::kept(dir).map_err(|error| io_at(&dir.join("checkpoints"), error))? {
        let note = tiles::text(&path).map_err(|error| io_at(&path, error))?.unwrap_or_default();
        match Checkpoint::open(&note, keys) {
            Ok((checkpoint, _)) => older.push(checkpoint),
            // Of a key of another time.
            Err(CheckpointError::Note(NoteError::Unknown(_))) => {}
            Err(_) => {
                let entry = older.last().map_or(0, |older: &Checkpoint| older.size);
                let place = Some(path.display().to_string());
                forged.get_or_insert(Finding { done: Tampering::Forged, entry, place });
            }
        }
    }
    for note in &terms.checkpoints {
        let (checkpoint, _) = Checkpoint::open(note, keys).map_err(VerifyError::Given)?;
        older.push(checkpoint);
    }
    older.sort_by_key(|older| older.size);
    Ok((older, forged))
}

pub(super) fn io_at(path: &Path, error: io::Error) -> VerifyError {
    VerifyError::Io { path: path.to_owned(), error }
}
