//! The tree of a log that is opened: computed anew from the entries, and held against the newest checkpoint. A log that is
//! shorter than what was signed, or another one, is refused, and nothing of it is changed.

use std::io;
use std::path::{Path, PathBuf};

use super::journal::JournalError;
use super::tiles;
use super::tlog::note::NoteError;
use super::tlog::tree::FullTile;
use super::tlog::{Checkpoint, CheckpointError, Hash, SigningKeys, Tree};

/// A tree on its way from the first entry that is held to the last.
pub(super) struct Regrowth {
    dir: PathBuf,
    signed: Option<Checkpoint>,
    tree: Tree,
    /// Full tiles whose files are missing, or others.
    missing: Vec<FullTile>,
}

impl Regrowth {
    /// Before the first entry that the log holds, which has that number.
    pub(super) fn begin(dir: &Path, log_name: &str, keys: &SigningKeys, first: u64) -> Result<Self, JournalError> {
        let path = tiles::checkpoint_path(dir);
        let note = tiles::text(&path).map_err(|error| JournalError::Io { path: path.clone(), error })?;
        let signed = note.map(|note| believed(&note, log_name, keys)).transpose();
        let signed = signed.map_err(|error| JournalError::Checkpoint { path, error })?;
        let tree = Tree::resume(first, |at| {
            let path = dir.join(at.path());
            let found = tiles::tile(dir, at).map_err(|error| JournalError::Io { path: path.clone(), error })?;
            let gone = || io::Error::new(io::ErrorKind::NotFound, "the hashes of removed entries are missing");
            found.ok_or_else(|| JournalError::Io { path, error: gone() })
        })?;
        let regrowth = Self { dir: dir.to_owned(), signed, tree, missing: Vec::new() };
        // Entries are removed only once they are signed.
        let passed = regrowth.signed.as_ref().map_or(0, |signed| signed.size) < first;
        if passed { Err(JournalError::Contradicted { size: first }) } else { regrowth.agrees().map(|()| regrowth) }
    }

    /// The next entry.
    pub(super) fn entry(&mut self, entry: &[u8]) -> Result<(), JournalError> {
        let mut full = Vec::new();
        self.tree.push(Hash::of_leaf(entry), |tile| full.push(tile));
        for tile in full {
            let path = self.dir.join(tile.at.path());
            let found = tiles::tile(&self.dir, tile.at).map_err(|error| JournalError::Io { path, error })?;
            if found.as_deref() != Some(&tile.hashes) {
                self.missing.push(tile);
            }
        }
        self.agrees()
    }

    /// After the last entry: the tree, and the tiles that are to be written again.
    pub(super) fn end(self) -> Result<(Tree, Vec<FullTile>), JournalError> {
        match self.signed {
            Some(signed) if signed.size > self.tree.size() => {
                Err(JournalError::RolledBack { entries: self.tree.size(), signed: signed.size })
            }
            Some(_) | None => Ok((self.tree, self.missing)),
        }
    }

    /// Whether the tree is the one that was signed, where it has come to that size.
    fn agrees(&self) -> Result<(), JournalError> {
        match &self.signed {
            Some(signed) if signed.size == self.tree.size() && signed.root != self.tree.root() => {
                Err(JournalError::Contradicted { size: signed.size })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A checkpoint of this log. Keys may all have been replaced in an emergency, so that a stranger's signature is no reason
/// not to start; a wrong one of ours is.
fn believed(note: &str, log_name: &str, keys: &SigningKeys) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = match Checkpoint::open(note, &keys.verifiers()) {
        Ok((checkpoint, _)) => checkpoint,
        Err(CheckpointError::Note(NoteError::Unknown(_))) => Checkpoint::unchecked(note)?,
        Err(error) => return Err(error),
    };
    if checkpoint.origin == log_name { Ok(checkpoint) } else { Err(CheckpointError::OfAnother(checkpoint.origin)) }
}
