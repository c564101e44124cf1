//! Where a tile lies, and its bytes (C2SP tlog-tiles).
//!
//! A tile is a row of up to 256 consecutive hashes of one level: at level 0 those of leaves, above it those of the full
//! tiles one level below. A full tile is written once; one that is not full belongs to the trees of one size only.

use super::Hash;
use crate::limits;

/// One tile: its level, its place in the level, and how many hashes it holds (1 to 256).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileAt {
    /// 0 for leaves.
    pub level: u8,
    /// From 0 at the left.
    pub index: u64,
    /// Hashes in it.
    pub width: usize,
}

impl TileAt {
    /// The full tile there.
    pub fn full(level: u8, index: u64) -> Self {
        Self { level, index, width: limits::TILE_HASHES }
    }

    /// The tile there in a tree of that size; `None` where such a tree has none.
    pub fn within(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = row_length(level, size).checked_sub(index.checked_mul(limits::TILE_HASHES as u64)?)?;
        let width = usize::try_from(hashes).map_or(limits::TILE_HASHES, |hashes| hashes.min(limits::TILE_HASHES));
        (width > 0).then_some(Self { level, index, width })
    }

    /// Its path below the log's prefix: `tile/0/x001/x234/067`, and `.p/WIDTH` behind that where it is not full.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, file_of(self.index, self.width))
    }
}

/// The path of a bundle of entries: the one with those of the tile at level 0 with the same index and width.
pub fn bundle_path(index: u64, width: usize) -> String {
    format!("tile/entries/{}", file_of(index, width))
}

/// Hashes of a level in a tree of that size: one for each of its full subtrees of 256^level leaves.
pub fn row_length(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * limits::TILE_HEIGHT).unwrap_or(0)
}

/// A tile's bytes: its hashes, one after the other.
pub fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The hashes in a tile's bytes; `None` where these are not that many hashes.
pub fn hashes_of(bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
    if bytes.len() != width * Hash::BYTES {
        return None;
    }
    let (whole, _) = bytes.as_chunks::<{ Hash::BYTES }>();
    Some(whole.iter().map(|bytes| Hash::from_bytes(*bytes)).collect())
}

fn file_of(index: u64, width: usize) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width == limits::TILE_HASHES { path } else { format!("{path}.p/{width}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(TileAt::full(0, 1_234_067).path(), "tile/0/x001/x234/067");
        assert_eq!(TileAt::full(3, 0).path(), "tile/3/000");
        assert_eq!(TileAt { level: 1, index: 999, width: 7 }.path(), "tile/1/999.p/7");
        assert_eq!(bundle_path(1000, 256), "tile/entries/x001/000");
        assert_eq!(bundle_path(5, 1), "tile/entries/005.p/1");
    }

    /// The example of the specification: 70,000 entries.
    #[test]
    fn a_tree_has_the_tiles_that_the_specification_says() {
        let size = 70_000;
        assert_eq!(TileAt::within(0, 272, size), Some(TileAt::full(0, 272)));
        assert_eq!(TileAt::within(0, 273, size), Some(TileAt { level: 0, index: 273, width: 112 }));
        assert_eq!(TileAt::within(0, 274, size), None);
        assert_eq!(TileAt::within(1, 0, size), Some(TileAt::full(1, 0)));
        assert_eq!(TileAt::within(1, 1, size), Some(TileAt { level: 1, index: 1, width: 17 }));
        assert_eq!(TileAt::within(2, 0, size), Some(TileAt { level: 2, index: 0, width: 1 }));
        assert_eq!(TileAt::within(3, 0, size), None);
        assert_eq!(TileAt::within(0, 1, 256), None);
        assert_eq!(TileAt::within(1, 0, 256), Some(TileAt { level: 1, index: 0, width: 1 }));
        assert_eq!(TileAt::within(9, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn bytes_come_back_and_a_wrong_length_does_not() {
        let hashes = [Hash::of_leaf(b"a"), Hash::of_leaf(b"b")];
        let bytes = bytes_of(&hashes);
        assert_eq!(hashes_of(&bytes, 2).unwrap(), hashes);
        assert!(hashes_of(&bytes, 1).is_none() && hashes_of(&bytes[1..], 2).is_none());
    }
}
