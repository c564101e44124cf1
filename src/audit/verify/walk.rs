//! The walk through a log: every entry hashed, every tile read, both trees held against every checkpoint.

use std::path::Path;

use serde::Deserialize;

use super::{Source, Step, VerifyError, io_at};
use crate::audit::tiles;
use crate::audit::tlog::{Checkpoint, Hash, TileAt, Tree};
use crate::limits;

/// The first place where an entry is not what its tile says.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    pub(super) entry: u64,
    pub(super) place: String,
    pub(super) found: FoundThere,
}

/// What stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundThere {
    Another(Hash),
    Broken,
    Gap(u64),
    End,
}

/// What was seen.
pub(super) struct Walked {
    pub(super) first: u64,
    /// Entries behind what was signed.
    pub(super) behind: u64,
    /// The entries lead to the signed root.
    pub(super) entries_hold: bool,
    /// The hashes in the tiles do.
    pub(super) tiles_hold: bool,
    pub(super) wrong: Option<Wrong>,
    /// The largest older checkpoint that the entries agree with, and the smallest that they do not.
    pub(super) agreed: u64,
    pub(super) contradicted: Option<u64>,
    /// The first tile that is missing or another, and the first entry below it.
    pub(super) odd_tile: Option<(String, u64)>,
    /// A tile of the removed entries is gone, without which nothing can be compared.
    pub(super) hashes_gone: Option<String>,
    /// Entries before the first are gone without a word.
    pub(super) beheaded: bool,
}

/// On the way.
pub(super) struct Walk<'a> {
    dir: &'a Path,
    signed: &'a Checkpoint,
    older: std::iter::Peekable<std::slice::Iter<'a, Checkpoint>>,
    source: Source,
    /// Over the entries, until there are no more.
    of_entries: Option<Tree>,
    /// Over the hashes in the tiles, until one is missing.
    of_tiles: Option<Tree>,
    /// The tile at level 0 that is being compared.
    row: Option<Vec<Hash>>,
    /// It is said that those before the first ended their retention.
    pruned: bool,
    seen: Walked,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        dir: &'a Path,
        signed: &'a Checkpoint,
        older: &'a [Checkpoint],
        source: Source,
    ) -> Result<Self, VerifyError> {
        let first = source.first();
        let begun = Tree::resume(first, |at| match tiles::tile(dir, at) {
            Ok(Some(hashes)) => Ok(hashes),
            Ok(None) => Err(Err(at.path())),
            Err(error) => Err(Ok(io_at(&dir.join(at.path()), error))),
        });
        let (begun, hashes_gone) = match begun {
            Ok(tree) => (Some(tree), None),
            Err(Err(path)) => (None, Some(path)),
            Err(Ok(error)) => return Err(error),
        };
        let seen = Walked {
            first,
            behind: 0,
            entries_hold: false,
            tiles_hold: false,
            wrong: None,
            agreed: 0,
            contradicted: None,
            odd_tile: None,
            hashes_gone,
            beheaded: false,
        };
        let (of_entries, of_tiles) = (begun.clone(), begun);
        let older = older.iter().peekable();
        let pruned = first == 0 || source.may_begin_anywhere();
        Ok(Self { dir, signed, older, source, of_entries, of_tiles, row: None, pruned, seen })
    }

    pub(super) fn walk(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Walked, VerifyError> {
        let (first, size) = (self.seen.first, self.signed.size);
        if self.seen.hashes_gone.is_some() {
            return Ok(self.seen);
        }
        for nth in first..size {
            let step = match &self.of_entries {
                Some(_) => Some(self.source.next(size)?),
                None => None,
            };
            self.entry(nth, step)?;
            self.compare_with_older(nth + 1);
            if nth % limits::TILE_HASHES as u64 == 0 {
                progress(nth - first, size - first);
            }
        }
        self.partial_tiles()?;
        let holds = |tree: &Option<Tree>| tree.as_ref().is_some_and(|tree| tree.root() == self.signed.root);
        (self.seen.entries_hold, self.seen.tiles_hold) = (holds(&self.of_entries), holds(&self.of_tiles));
        self.seen.beheaded = !self.pruned;
        if self.of_entries.is_some() {
            while let Step::Entry(..) = self.source.next(size)? {
                self.seen.behind += 1;
            }
        }
        progress(size - first.min(size), size - first.min(size));
        Ok(self.seen)
    }

    fn entry(&mut self, nth: u64, step: Option<Step>) -> Result<(), VerifyError> {
        let expected = self.expected(nth)?;
        let mut odd = Vec::new();
        if let (Some(tree), Some(hash)) = (&mut self.of_tiles, expected) {
            tree.push(hash, |full| odd.push(full));
        } else {
            self.of_tiles = None;
        }
        for full in odd {
            self.compare_with_tile(full.at, &full.hashes, nth)?;
        }
        let (found, place) = match step {
            None => return Ok(()),
            Some(Step::Entry(bytes, place)) => {
                self.pruned |= is_pruned(&bytes, self.seen.first);
                let leaf = Hash::of_leaf(&bytes);
                if let Some(tree) = &mut self.of_entries {
                    tree.push(leaf, |_| {});
                }
                (FoundThere::Another(leaf), place)
            }
            Some(Step::Broken(place)) => (FoundThere::Broken, place),
            Some(Step::Gap(to, place)) => (FoundThere::Gap(to), place),
            Some(Step::End(place)) => (FoundThere::End, place),
        };
        match found {
            FoundThere::Another(leaf) if expected.is_none_or(|expected| expected == leaf) => return Ok(()),
            FoundThere::Another(_) => self.odd_tile(TileAt::full(0, nth / limits::TILE_HASHES as u64), nth),
            FoundThere::Broken | FoundThere::Gap(_) | FoundThere::End => self.of_entries = None,
        }
        self.seen.wrong.get_or_insert_with(|| Wrong { entry: nth, place: place.to_string(), found });
        Ok(())
    }

    /// The tiles at the right edge, which are not full.
    fn partial_tiles(&mut self) -> Result<(), VerifyError> {
        let Some(tree) = self.of_tiles.clone() else { return Ok(()) };
        let mut tiles = tree.partial_tiles();
        tiles.try_for_each(|(at, hashes)| self.compare_with_tile(at, hashes, tree.size() - 1))
    }

    fn compare_with_tile(&mut self, at: TileAt, hashes: &[Hash], entry: u64) -> Result<(), VerifyError> {
        let there = tiles::tile(self.dir, at).map_err(|error| io_at(&self.dir.join(at.path()), error))?;
        if there.as_deref() != Some(hashes) {
            self.odd_tile(at, entry);
        }
        Ok(())
    }

    /// The hash that the tile has for an entry.
    fn expected(&mut self, nth: u64) -> Result<Option<Hash>, VerifyError> {
        let (index, offset) = (nth / limits::TILE_HASHES as u64, (nth % limits::TILE_HASHES as u64) as usize);
        if self.row.is_none() || offset == 0 {
            let at = TileAt::within(0, index, self.signed.size).unwrap_or(TileAt::full(0, index));
            let hashes = tiles::tile(self.dir, at).map_err(|error| io_at(&self.dir.join(at.path()), error))?;
            if hashes.is_none() {
                self.odd_tile(at, nth);
            }
            self.row = Some(hashes.unwrap_or_default());
        }
        Ok(self.row.as_ref().and_then(|row| row.get(offset)).copied())
    }

    fn odd_tile(&mut self, at: TileAt, entry: u64) {
        let at = TileAt::within(at.level, at.index, self.signed.size).unwrap_or(at);
        self.seen.odd_tile.get_or_insert((at.path(), entry));
    }

    fn compare_with_older(&mut self, size: u64) {
        while let Some(older) = self.older.next_if(|older| older.size <= size) {
            if older.size < size {
                continue; // Of a time whose entries are not held any more.
            }
            let agrees = self.of_entries.as_ref().is_some_and(|tree| tree.root() == older.root);
            if agrees && self.seen.contradicted.is_none() {
                self.seen.agreed = size;
            } else if !agrees {
                self.seen.contradicted.get_or_insert(size);
            }
        }
    }
}

/// Whether an entry says that all before `first` ended their retention.
fn is_pruned(entry: &[u8], first: u64) -> bool {
    #[derive(Deserialize)]
    struct Pruned<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
        before: Option<u64>,
    }
    let read = |entry| serde_json::from_slice::<Pruned<'_>>(entry).ok();
    first > 0 && read(entry).is_some_and(|entry| entry.kind == "log.pruned" && entry.before == Some(first))
}
