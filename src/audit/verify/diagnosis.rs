//! What was done to an entry that is not what was signed: read from the hashes that should follow, and those that do.

use std::path::Path;

use super::walk::{FoundThere, Wrong};
use super::{Source, Step, Tampering, VerifyError, io_at};
use crate::audit::tiles;
use crate::audit::tlog::{Hash, TileAt};
use crate::limits;

/// What was done there, in a log whose tiles are as they were signed.
pub(super) fn of(dir: &Path, size: u64, wrong: &Wrong) -> Result<Tampering, VerifyError> {
    let at = wrong.entry;
    let leaf = match wrong.found {
        FoundThere::End => return Ok(Tampering::Truncated { missing: size - at }),
        FoundThere::Gap(next) => return Ok(Tampering::Dropped { count: next - at }),
        FoundThere::Broken => return Ok(Tampering::Changed),
        FoundThere::Another(leaf) => leaf,
    };
    let window = limits::TAMPER_WINDOW as u64;
    let from = at.saturating_sub(window);
    let before = expected(dir, from, at, size)?;
    let behind = expected(dir, at, size.min(at + window), size)?;
    let stands = standing(dir, at, size)?;
    let place = |hashes: &[Hash], hash: Hash| hashes.iter().position(|&other| other == hash).map(|nth| nth as u64);
    let (later, earlier) = (place(&behind, leaf), place(&before, leaf));
    let own = behind.first().and_then(|&hash| place(&stands, hash));
    Ok(match (later, own, earlier) {
        (Some(nth), Some(_), _) => Tampering::Reordered { with: at + nth },
        (Some(nth), None, _) => Tampering::Dropped { count: nth },
        (None, _, Some(nth)) => Tampering::Duplicated { of: from + nth },
        (None, Some(nth), None) => Tampering::Inserted { count: nth },
        (None, None, None) => Tampering::Changed,
    })
}

/// The hashes that were signed for the entries from `from` up to `to`; those of tiles that are there.
fn expected(dir: &Path, from: u64, to: u64, size: u64) -> Result<Vec<Hash>, VerifyError> {
    let wide = limits::TILE_HASHES as u64;
    let mut hashes = Vec::new();
    let mut next = from;
    while next < to {
        let index = next / wide;
        let at = TileAt::within(0, index, size).unwrap_or(TileAt::full(0, index));
        let tile = tiles::tile(dir, at).map_err(|error| io_at(&dir.join(at.path()), error))?.unwrap_or_default();
        let end = to.min((index + 1) * wide);
        hashes.extend((next..end).filter_map(|nth| tile.get((nth % wide) as usize)));
        next = end;
    }
    Ok(hashes)
}

/// The hashes of the entries that stand there.
fn standing(dir: &Path, at: u64, size: u64) -> Result<Vec<Hash>, VerifyError> {
    let mut hashes = Vec::new();
    let Some(mut source) = Source::open(dir)? else { return Ok(hashes) };
    source.pass(at, size)?;
    while hashes.len() < limits::TAMPER_WINDOW {
        let Step::Entry(entry, _) = source.next(size)? else { break };
        hashes.push(Hash::of_leaf(&entry));
    }
    Ok(hashes)
}
