//! The tree as it grows: what is left of it in memory is the row of each level that no full tile holds yet, at most
//! 255 hashes each. From these come the root and every tile.

use super::{Hash, TileAt};
use crate::limits;

/// A tree of so many leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// By level: the hashes behind its last full tile.
    rows: Vec<Vec<Hash>>,
}

/// A tile that became full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// Where.
    pub at: TileAt,
    /// All of its 256 hashes.
    pub hashes: Vec<Hash>,
}

impl Tree {
    /// The tree of that size, from the tiles of a tree that grew out of it.
    ///
    /// # Errors
    /// That of `tile`, which gives the first hashes of a tile, as many as the width says.
    pub fn resume<E>(size: u64, mut tile: impl FnMut(TileAt) -> Result<Vec<Hash>, E>) -> Result<Self, E> {
        let mut rows = Vec::new();
        for level in 0..=limits::TILE_LEVEL_MAX {
            let Some(end) = Some(super::tile::row_length(level, size)).filter(|&length| length > 0) else { break };
            let first = end - end % limits::TILE_HASHES as u64;
            rows.push(match level.checked_sub(1) {
                // A hash above the leaves is that of a full tile one level below.
                Some(below) => {
                    let of_tile = |index| tile(TileAt::full(below, index)).map(|hashes| root_of_full(&hashes));
                    (first..end).map(of_tile).collect::<Result<_, _>>()?
                }
                None => match TileAt::within(0, first / limits::TILE_HASHES as u64, size) {
                    Some(last) => tile(last)?,
                    None => Vec::new(),
                },
            });
        }
        Ok(Self { size, rows })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One leaf more; tells each tile that is full with it.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(FullTile)) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.rows.len() == level {
                self.rows.push(Vec::with_capacity(limits::TILE_HASHES));
            }
            let row = &mut self.rows[level];
            row.push(hash);
            if row.len() < limits::TILE_HASHES {
                return;
            }
            hash = root_of_full(row);
            let level = u8::try_from(level).expect("a tree of 2^64 leaves has eight levels of tiles");
            let index = super::tile::row_length(level + 1, self.size) - 1;
            let hashes = std::mem::replace(row, Vec::with_capacity(limits::TILE_HASHES));
            full(FullTile { at: TileAt::full(level, index), hashes });
        }
    }

    /// The hash over all leaves.
    pub fn root(&self) -> Hash {
        // Rows above stand left of those below, and within a row larger subtrees left of smaller ones.
        let peaks: Vec<Hash> = self.rows.iter().rev().flat_map(|row| peaks_of(row)).collect();
        let root = peaks.into_iter().rev().reduce(|right, left| Hash::of_node(left, right));
        root.unwrap_or_else(Hash::of_nothing)
    }

    /// The tiles of this size that are not full, with their hashes.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (TileAt, &[Hash])> {
        let level = |level: usize| u8::try_from(level).expect("a tree of 2^64 leaves has eight levels of tiles");
        let at = move |nth: usize, row: &Vec<Hash>| {
            let above = super::tile::row_length(level(nth), self.size) / limits::TILE_HASHES as u64;
            TileAt { level: level(nth), index: above, width: row.len() }
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty());
        rows.map(move |(nth, row)| (at(nth, row), &row[..]))
    }
}

/// The hash over the hashes of a full tile, or of another full subtree.
pub(super) fn root_of_full(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_nothing(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            Hash::of_node(root_of_full(left), root_of_full(right))
        }
    }
}

/// The full subtrees of a row, from left to right: one for each bit of its length.
fn peaks_of(row: &[Hash]) -> Vec<Hash> {
    let (mut rest, mut peaks) = (row, Vec::new());
    while let Some(height) = rest.len().checked_ilog2() {
        let (full, behind) = rest.split_at(1 << height);
        peaks.push(root_of_full(full));
        rest = behind;
    }
    peaks
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn reference(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_nothing(),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
                Hash::of_node(reference(left), reference(right))
            }
        }
    }

    fn leaf(nth: u64) -> Hash {
        Hash::of_leaf(&nth.to_be_bytes())
    }

    #[test]
    fn every_root_is_that_of_the_rfc() {
        let (mut tree, mut leaves) = (Tree::default(), Vec::new());
        assert_eq!(tree.root(), reference(&[]));
        for nth in 0..1100 {
            tree.push(leaf(nth), |_| {});
            leaves.push(leaf(nth));
            assert_eq!((tree.size(), tree.root()), (nth + 1, reference(&leaves)), "{nth}");
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_full_tiles_at_any_size() {
        const SIZE: u64 = 66_000;
        let (mut tree, mut tiles) = (Tree::default(), HashMap::new());
        let mut stages = Vec::new();
        for nth in 0..SIZE {
            if nth % 777 == 0 || nth % 256 == 0 {
                stages.push(tree.clone());
            }
            tree.push(leaf(nth), |full| drop(tiles.insert((full.at.level, full.at.index), full.hashes)));
        }
        for stage in stages {
            // What is not full in the smaller tree is in the larger one.
            let first = |hashes: &Vec<Hash>, width| hashes[..width].to_vec();
            let read = |at: TileAt| tiles.get(&(at.level, at.index)).map(|hashes| first(hashes, at.width)).ok_or(at);
            assert_eq!(Tree::resume(stage.size(), read).map(|tree| tree.root()), Ok(stage.root()), "{}", stage.size());
        }
        assert_eq!(tiles.len() as u64, SIZE / 256 + 1);
        assert_eq!(tiles[&(1, 0)][3], reference(&tiles[&(0, 3)]));
    }

    #[test]
    fn the_tiles_that_are_not_full_are_those_of_the_size() {
        let mut tree = Tree::default();
        for nth in 0..70_000 {
            tree.push(leaf(nth), |_| {});
        }
        let tiles: Vec<TileAt> = tree.partial_tiles().map(|(at, _)| at).collect();
        let expected = [(0, 273, 112), (1, 1, 17), (2, 0, 1)];
        assert_eq!(tiles, expected.map(|(level, index, width)| TileAt { level, index, width }));
        for (at, hashes) in tree.partial_tiles() {
            assert_eq!((TileAt::within(at.level, at.index, 70_000), hashes.len()), (Some(at), at.width));
        }
    }
}
