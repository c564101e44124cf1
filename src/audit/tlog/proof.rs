//! Proofs that a leaf is in a tree, and that a tree grew out of another: made from tiles, checked without them.
//!
//! Made as in RFC 6962, section 2.1.1 and 2.1.2; checked as in RFC 9162, section 2.1.3.2 and 2.1.4.2, which is another way
//! of computing the same.

use super::tree::root_of_full;
use super::{Hash, TileAt};
use crate::limits;

/// Where the tiles of a tree come from.
pub trait Tiles {
    /// Why a tile cannot be had.
    type Error;

    /// The hashes of that tile, as many as its width says.
    ///
    /// # Errors
    /// It cannot be had.
    fn tile(&mut self, at: TileAt) -> Result<Vec<Hash>, Self::Error>;
}

/// The proof that leaf `index` is in the tree of that size: the hashes beside its way, from the leaf up. `None` where
/// the tree has no such leaf.
///
/// # Errors
/// A tile cannot be had.
pub fn inclusion<T: Tiles>(tiles: &mut T, index: u64, size: u64) -> Result<Option<Vec<Hash>>, T::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut from, mut to, mut beside) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            beside.push((middle, to));
            to = middle;
        } else {
            beside.push((from, middle));
            from = middle;
        }
    }
    let hashes = beside.into_iter().rev().map(|(from, to)| subtree(tiles, from, to, size));
    hashes.collect::<Result<_, _>>().map(Some)
}

/// The proof that the tree of size `new` begins with that of size `old`; `None` unless 0 < old <= new.
///
/// # Errors
/// A tile cannot be had.
pub fn consistency<T: Tiles>(tiles: &mut T, old: u64, new: u64) -> Result<Option<Vec<Hash>>, T::Error> {
    if old == 0 || old > new {
        return Ok(None);
    }
    let (mut from, mut to, mut known, mut beside) = (0, new, true, Vec::new());
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            beside.push((middle, to));
            to = middle;
        } else {
            beside.push((from, middle));
            from = middle;
            known = false;
        }
    }
    if !known {
        beside.push((from, to));
    }
    let hashes = beside.into_iter().rev().map(|(from, to)| subtree(tiles, from, to, new));
    hashes.collect::<Result<_, _>>().map(Some)
}

/// The root that this proof leads to from leaf `index` of a tree of that size; `None` where it cannot be such a proof.
pub fn root_by_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, leaf);
    for &beside in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = Hash::of_node(beside, root);
            // At the right edge levels without a sibling are passed over.
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            root = Hash::of_node(root, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// Whether this proof leads from the root of size `old` to that of size `new`.
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    roots_by_consistency(old, new.0, proof) == Some((old.1, new.1))
}

/// The two roots that this proof leads to.
fn roots_by_consistency(old: (u64, Hash), new: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (old, old_root) = old;
    if old == 0 || old > new {
        return None;
    }
    if old == new {
        return proof.is_empty().then_some((old_root, old_root));
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // Where the old tree is one full subtree, its root is known and left out of the proof.
    let (first, rest) = if old.is_power_of_two() { (old_root, proof) } else { (*proof.first()?, &proof[1..]) };
    let (mut of_old, mut of_new) = (first, first);
    for &beside in rest {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            (of_old, of_new) = (Hash::of_node(beside, of_old), Hash::of_node(beside, of_new));
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            of_new = Hash::of_node(of_new, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some((of_old, of_new))
}

/// The largest power of two that is less than `leaves`, which is 2 or more.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The hash over the leaves from `from` up to `to` of a tree of that size, as they stand together in it.
fn subtree<T: Tiles>(tiles: &mut T, from: u64, to: u64, size: u64) -> Result<Hash, T::Error> {
    if (to - from).is_power_of_two() {
        return node(tiles, (to - from).ilog2(), from, size);
    }
    let middle = from + split(to - from);
    Ok(Hash::of_node(subtree(tiles, from, middle, size)?, subtree(tiles, middle, to, size)?))
}

/// The hash of the full subtree of that height that begins at leaf `from`.
fn node<T: Tiles>(tiles: &mut T, height: u32, from: u64, size: u64) -> Result<Hash, T::Error> {
    let level = height / limits::TILE_HEIGHT;
    let first = from >> (level * limits::TILE_HEIGHT);
    let (index, offset) = (first / limits::TILE_HASHES as u64, (first % limits::TILE_HASHES as u64) as usize);
    let level = u8::try_from(level).expect("a tree of 2^64 leaves has eight levels of tiles");
    let at = TileAt::within(level, index, size).expect("a full subtree of a tree stands in one of its tiles");
    let hashes = tiles.tile(at)?;
    Ok(root_of_full(&hashes[offset..offset + (1 << (height % limits::TILE_HEIGHT))]))
}
