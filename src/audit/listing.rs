//! What listings showed: one compressed blob each, named by the keyed digest of the names, so that a page that is asked
//! for again is stored once. A listing cannot be computed again later; this is its only trace.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

use jiff::Timestamp;

use super::disk::Disk;
use super::entry::ListingShown;
use crate::keyring::SecretKey;

const ZSTD_LEVEL: i32 = 3;

/// A listing, ready to be stored.
pub(super) struct Blob {
    pub(super) shown: ListingShown,
    /// The names, one per line; names hold no line feed.
    lines: Vec<u8>,
}

impl Blob {
    pub(super) fn new(names: impl Iterator<Item = impl AsRef<str>>, key: &SecretKey) -> Self {
        let (mut lines, mut count) = (Vec::new(), 0);
        let (mut first, mut last) = (None, None);
        for name in names {
            let name = name.as_ref();
            lines.extend_from_slice(name.as_bytes());
            lines.push(b'\n');
            count += 1;
            first.get_or_insert_with(|| name.to_owned());
            last = Some(name.to_owned());
        }
        let digest = key.prf(&[b"listing", &lines]);
        Self { shown: ListingShown { count, first, last, digest }, lines }
    }

    fn path(&self, dir: &Path) -> PathBuf {
        path_of(dir, &hex::encode(self.shown.digest))
    }

    fn compressed(&self) -> io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.lines, ZSTD_LEVEL)
    }
}

/// All blobs of one log.
pub(super) struct Blobs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Shared by whoever stores, so that no blob is removed between being found old and being stored again.
    removal: RwLock<()>,
}

impl Blobs {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self { disk, dir, removal: RwLock::default() }
    }

    /// Durable when it returns. A blob that is there already is as young as a new one.
    pub(super) fn store(&self, blob: &Blob) -> io::Result<()> {
        let bytes = blob.compressed()?;
        let _not_removed = self.removal.read().unwrap_or_else(PoisonError::into_inner);
        self.disk.store(&blob.path(&self.dir), &bytes)
    }

    /// Removes those that were last stored before that time.
    pub(super) fn remove_older(&self, before: Timestamp) -> io::Result<()> {
        let folder = folder(&self.dir);
        if !folder.exists() {
            return Ok(());
        }
        for shard in fs::read_dir(folder)? {
            for blob in fs::read_dir(shard?.path())? {
                let path = blob?.path();
                let _not_stored = self.removal.write().unwrap_or_else(PoisonError::into_inner);
                if is_older(&path, before)? {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }
}

/// What was renamed or removed in the meantime is not.
fn is_older(path: &Path, before: Timestamp) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(Timestamp::try_from(found.modified()?).map_err(io::Error::other)? < before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where the blob of that digest (in hex) lies.
pub(super) fn path_of(dir: &Path, digest: &str) -> PathBuf {
    folder(dir).join(digest.get(..2).unwrap_or_default()).join(format!("{digest}.zst"))
}

/// The folder of all blobs.
pub(super) fn folder(dir: &Path) -> PathBuf {
    dir.join("listings")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::audit::disk::SystemDisk;

    /// Long ago, but behind what is aged.
    const BEFORE: Timestamp = Timestamp::constant(1_000_000_000, 0);

    fn aged(path: &Path) {
        fs::File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    /// A page that is listed again keeps its blob as long as its last entry, also if the old ones are removed right then.
    #[test]
    fn regression_a_blob_is_as_old_as_its_last_listing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(Arc::new(SystemDisk), dir.path().to_owned());
        let key = SecretKey::from_bytes([1; 32]);
        let (again, once) = (Blob::new(["a", "b"].iter(), &key), Blob::new(["c"].iter(), &key));
        let (kept, removed) = (again.path(dir.path()), once.path(dir.path()));
        blobs.store(&again).unwrap();
        for _ in 0..30 {
            blobs.store(&once).unwrap();
            aged(&kept);
            aged(&removed);
            std::thread::scope(|both| {
                both.spawn(|| blobs.remove_older(BEFORE).unwrap());
                both.spawn(|| blobs.store(&again).unwrap());
            });
            assert!(kept.exists() && !removed.exists());
            blobs.remove_older(BEFORE).unwrap();
            assert!(kept.exists());
        }
    }
}
