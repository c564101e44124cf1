//! What listings showed: one compressed blob each, named by the keyed digest of the names, so that a page that is asked
//! for again is stored once. A listing cannot be computed again later; this is its only trace.

use std::path::{Path, PathBuf};

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

    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        path_of(dir, &hex::encode(self.shown.digest))
    }

    pub(super) fn compressed(&self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.lines, ZSTD_LEVEL)
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
