//! The log as a folder that any static web server or bucket can serve, as C2SP tlog-tiles says: the checkpoint, the tiles,
//! and the entries in bundles. The entries' bytes are those of the segments, in another framing.
//!
//! Files of a log that grew are added to what is there; those that are there are never written again, but the checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk as _, SystemDisk};
use super::tiles::{self, TilesOf};
use super::tlog::proof::Tiles as _;
use super::tlog::tile::{bundle_path, bytes_of, row_length};
use super::tlog::{Checkpoint, CheckpointError, Hash, TileAt};
use super::verify::{Source, Step, VerifyError};
use crate::limits;

/// Why a log cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Unreadable(#[from] VerifyError),
    /// A file cannot be read or written.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The text of the checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No bundle of 256 entries is whole.
    #[error(
        "of each 256 entries that belong together some ended their retention: export again when there are more, and more often"
    )]
    TooFew,
    /// An entry is not what was signed.
    #[error("entry {0} is not what was signed: `tracegate audit verify` says what was done")]
    Tampered(u64),
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Entries of the log under its checkpoint.
    pub size: u64,
    /// Files that were added.
    pub files: u64,
}

/// Writes into `to` what it lacks of the log in `dir`, up to the newest checkpoint. `progress` hears how many entries were
/// read, of how many.
///
/// # Errors
/// The log cannot be read, is not what was signed, or a file cannot be written.
pub fn export(dir: &Path, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Exported, ExportError> {
    let path = tiles::checkpoint_path(dir);
    let note = tiles::text(&path).map_err(|error| ExportError::Io { path, error })?;
    let note = note.ok_or_else(|| VerifyError::NoCheckpoint(dir.to_owned()))?;
    let size = Checkpoint::unchecked(&note)?.size;
    let mut added = bundles(dir, to, size, progress)?;
    added += tiles_of(dir, to, size)?;
    for path in tiles::kept(dir).map_err(|error| at(dir, error))?.into_iter().chain([tiles::keys_path(dir)]) {
        let name = path.strip_prefix(dir).unwrap_or(&path);
        let text = tiles::text(&path).map_err(|error| at(&path, error))?.unwrap_or_default();
        put(&to.join(name), text.as_bytes())?;
    }
    // Last, since it promises all the rest.
    let checkpoint = tiles::checkpoint_path(to);
    SystemDisk
        .settle(to)
        .and_then(|()| SystemDisk.replace(&checkpoint, note.as_bytes()))
        .map_err(|error| at(&checkpoint, error))?;
    Ok(Exported { size, files: added })
}

fn tiles_of(dir: &Path, to: &Path, size: u64) -> Result<u64, ExportError> {
    let mut added = 0;
    for level in 0..=limits::TILE_LEVEL_MAX {
        let tiles = row_length(level, size).div_ceil(limits::TILE_HASHES as u64);
        for tile in (0..tiles).filter_map(|index| TileAt::within(level, index, size)) {
            let path = to.join(tile.path());
            if !path.exists() {
                let hashes = TilesOf(dir).tile(tile).map_err(|error| at(dir, error))?;
                put(&path, &bytes_of(&hashes))?;
                added += 1;
            }
        }
    }
    Ok(added)
}

fn bundles(dir: &Path, to: &Path, size: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, ExportError> {
    let mut source = Source::open(dir)?.ok_or_else(|| VerifyError::NoLog(dir.to_owned()))?;
    // A bundle whose first entries ended their retention cannot be made any more.
    let first = source.first().div_ceil(limits::TILE_HASHES as u64);
    if source.first() > 0 && first * limits::TILE_HASHES as u64 >= size {
        return Err(ExportError::TooFew);
    }
    let all = (first..).map_while(|index| TileAt::within(0, index, size));
    let mut added = 0;
    let mut missing = all.skip_while(|tile| to.join(bundle_path(tile.index, tile.width)).exists()).peekable();
    if let Some(tile) = missing.peek() {
        source.pass(tile.index * limits::TILE_HASHES as u64, size)?;
    }
    for tile in missing {
        let begin = tile.index * limits::TILE_HASHES as u64;
        let hashes = TilesOf(dir).tile(tile).map_err(|error| at(dir, error))?;
        let mut bundle = Vec::new();
        for (nth, hash) in (begin..).zip(hashes) {
            let Step::Entry(entry, _) = source.next(size)? else { return Err(ExportError::Tampered(nth)) };
            if Hash::of_leaf(&entry) != hash {
                return Err(ExportError::Tampered(nth));
            }
            let length =
                u16::try_from(entry.len()).expect("an entry is at most limits::ENTRY_BYTES_MAX, which is less");
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&entry);
        }
        put(&to.join(bundle_path(tile.index, tile.width)), &bundle)?;
        added += 1;
        progress(begin, size);
    }
    progress(size, size);
    Ok(added)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    SystemDisk.place(path, bytes).map_err(|error| at(path, error))
}

fn at(path: &Path, error: io::Error) -> ExportError {
    ExportError::Io { path: path.to_owned(), error }
}
