//! The proof that an entry is in the log, found by the id that its request was answered with.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::EntryId;
use super::tiles::{self, TilesOf};
use super::tlog::evidence::Evidence;
use super::tlog::{Checkpoint, CheckpointError, proof};
use super::verify::{Source, Step, VerifyError};

/// Which of a request's two entries is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What was asked, by whom, and what was decided: written before the answer.
    Intent,
    /// What was sent.
    Outcome,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The log cannot be read.
    #[error(transparent)]
    Unreadable(#[from] VerifyError),
    /// A tile or checkpoint cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Its text is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No entry under the newest checkpoint has that id.
    #[error("no entry of {id} is among the {signed} that are signed; a fresh one is signed within a second")]
    NotFound {
        /// The id.
        id: String,
        /// Entries under the newest checkpoint.
        signed: u64,
    },
    /// What would be the proof is none.
    #[error("the log is not what was signed: `tracegate audit verify` says where")]
    Tampered,
}

/// The proof of the entry of that request. `progress` hears how many entries were looked at, of how many.
///
/// # Errors
/// There is no such entry, or the log cannot be read or is not what was signed.
pub fn prove(
    dir: &Path,
    id: &EntryId,
    which: Which,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Evidence, ProveError> {
    let path = tiles::checkpoint_path(dir);
    let note = tiles::text(&path).map_err(|error| ProveError::Io { path, error })?;
    let note = note.ok_or_else(|| VerifyError::NoCheckpoint(dir.to_owned()))?;
    let signed = Checkpoint::unchecked(&note)?;
    let (index, entry) = found(dir, id, which, signed.size, progress)?
        .ok_or_else(|| ProveError::NotFound { id: id.to_string(), signed: signed.size })?;
    let hashes = proof::inclusion(&mut TilesOf(dir), index, signed.size);
    let hashes = hashes.map_err(|error| ProveError::Io { path: dir.to_owned(), error })?;
    let evidence = Evidence { entry, index, hashes: hashes.unwrap_or_default(), checkpoint: note };
    if evidence.leads_to(&signed) { Ok(evidence) } else { Err(ProveError::Tampered) }
}

/// The number and the bytes of that entry.
fn found(
    dir: &Path,
    id: &EntryId,
    which: Which,
    size: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<(u64, Vec<u8>)>, ProveError> {
    let mut source = Source::open(dir)?.ok_or_else(|| VerifyError::NoLog(dir.to_owned()))?;
    let first = source.first();
    for nth in first..size {
        let Step::Entry(entry, _) = source.next(size)? else { return Err(ProveError::Tampered) };
        if is_it(&entry, id, which) {
            return Ok(Some((nth, entry)));
        }
        progress(nth - first, size - first);
    }
    Ok(None)
}

fn is_it(entry: &[u8], id: &EntryId, which: Which) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        id: Option<std::borrow::Cow<'a, str>>,
    }
    // Most entries are others, and reading them as JSON takes longer than looking for the id.
    if !entry.windows(EntryId::CHARS).any(|window| window == id.as_str().as_bytes()) {
        return false;
    }
    let wanted = |kind: &str| (kind == "s3.complete") == (which == Which::Outcome);
    let read = serde_json::from_slice::<Named<'_>>(entry).ok();
    read.is_some_and(|named| named.id.as_deref() == Some(id.as_str()) && wanted(&named.kind))
}
