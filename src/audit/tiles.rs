//! The files of the tree in a log's folder: `checkpoint`, the newest; `tile/…`, as C2SP tlog-tiles names them;
//! `checkpoints/SIZE`, older ones that are kept; `verifier-keys`, every key that ever signed, the last one the present one.
//!
//! All but the checkpoints can be made again from the entries, so tiles are not synced one by one: what a crash took is
//! made anew at the next start. Only before entries are removed, their tiles must be on the disk.

use std::io;
use std::path::{Path, PathBuf};

use super::tlog::proof::Tiles;
use super::tlog::tile::{bundle_path, hashes_of};
use super::tlog::{Hash, TileAt, VerifierKey};
use crate::limits;

/// The newest checkpoint.
pub(super) fn checkpoint_path(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

/// The checkpoint of that size, where it is kept.
pub(super) fn kept_path(dir: &Path, size: u64) -> PathBuf {
    dir.join("checkpoints").join(format!("{size:020}"))
}

/// Every key that ever signed, one on a line.
pub(super) fn keys_path(dir: &Path) -> PathBuf {
    dir.join("verifier-keys")
}

/// A file's text; `None` where there is no such file.
pub(super) fn text(path: &Path) -> io::Result<Option<String>> {
    absent(std::fs::read_to_string(path))
}

/// The checkpoints that are kept, by their size, the smallest first.
pub(super) fn kept(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(files) = absent(std::fs::read_dir(dir.join("checkpoints")))? else { return Ok(Vec::new()) };
    let mut paths = files.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_none());
    paths.sort_unstable();
    Ok(paths)
}

/// The keys of the file of keys; lines that are none are left out.
pub(super) fn verifier_keys(dir: &Path) -> io::Result<Vec<VerifierKey>> {
    let text = text(&keys_path(dir))?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// The hashes of a tile: from its file, or from that of a larger tree in its place. `None` where none is there.
pub(super) fn tile(dir: &Path, at: TileAt) -> io::Result<Option<Vec<Hash>>> {
    for width in at.width..=limits::TILE_HASHES {
        let there = TileAt { width, ..at };
        let bytes = absent(std::fs::read(dir.join(there.path())))?;
        if let Some(mut hashes) = bytes.and_then(|bytes| hashes_of(&bytes, there.width)) {
            hashes.truncate(at.width);
            return Ok(Some(hashes));
        }
    }
    Ok(None)
}

/// The bytes of a bundle of entries in a folder that holds bundles.
pub(super) fn bundle(dir: &Path, index: u64, width: usize) -> io::Result<Option<Vec<u8>>> {
    absent(std::fs::read(dir.join(bundle_path(index, width))))
}

/// The tiles of a folder, for proofs.
pub(super) struct TilesOf<'a>(pub(super) &'a Path);

impl Tiles for TilesOf<'_> {
    type Error = io::Error;

    fn tile(&mut self, at: TileAt) -> io::Result<Vec<Hash>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{} is missing", at.path()));
        tile(self.0, at)?.ok_or_else(missing)
    }
}

fn absent<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
