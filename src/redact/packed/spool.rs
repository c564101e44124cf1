//! A temporary file that nobody else can read: without a name from the start, and encrypted with a key that only this
//! value holds. Whatever ends the process, nothing of it is left.
//!
//! AES-256-GCM (NIST SP 800-38D) over blocks; the nonce is the number of the block, and no key serves two spools.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;

/// Of plain text, in bytes.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;
const TAG_BYTES: usize = 16;

/// While it is written.
pub(super) struct Spool {
    file: File,
    key: LessSafeKey,
    /// Less than a block.
    pending: Vec<u8>,
    blocks: u64,
}

/// Once it is complete.
pub(super) struct Sealed {
    file: File,
    key: LessSafeKey,
    len: u64,
}

impl Spool {
    /// An empty one in that folder.
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let key: [u8; 32] = rand::random();
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| failed())?;
        let pending = Vec::with_capacity(BLOCK_BYTES + TAG_BYTES);
        Ok(Self { file: tempfile::tempfile_in(dir)?, key: LessSafeKey::new(key), pending, blocks: 0 })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (fits, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(fits);
            bytes = rest;
            if self.pending.len() == BLOCK_BYTES {
                self.put()?;
            }
        }
        Ok(())
    }

    /// No more is written.
    pub(super) fn seal(mut self) -> io::Result<Sealed> {
        let len = self.blocks * BLOCK_BYTES as u64 + self.pending.len() as u64;
        if !self.pending.is_empty() {
            self.put()?;
        }
        Ok(Sealed { file: self.file, key: self.key, len })
    }

    fn put(&mut self) -> io::Result<()> {
        let sealed = self.key.seal_in_place_append_tag(nonce(self.blocks), Aad::empty(), &mut self.pending);
        sealed.map_err(|_| failed())?;
        self.file.write_all_at(&self.pending, place(self.blocks))?;
        self.pending.clear();
        self.blocks += 1;
        Ok(())
    }
}

impl Sealed {
    /// Bytes of plain text.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The block that holds the byte at that offset, from that byte on. Blocks: reads from a disk.
    pub(super) fn read(&self, offset: u64) -> io::Result<Bytes> {
        let block = offset / BLOCK_BYTES as u64;
        let begins = block * BLOCK_BYTES as u64;
        let len = (self.len - begins).min(BLOCK_BYTES as u64) as usize;
        let mut bytes = vec![0; len + TAG_BYTES];
        self.file.read_exact_at(&mut bytes, place(block))?;
        self.key.open_in_place(nonce(block), Aad::empty(), &mut bytes).map_err(|_| failed())?;
        bytes.truncate(len);
        Ok(Bytes::from(bytes).slice((offset - begins) as usize..))
    }
}

fn place(block: u64) -> u64 {
    block * (BLOCK_BYTES + TAG_BYTES) as u64
}

fn nonce(block: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&block.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn failed() -> io::Error {
    io::Error::other("what was kept encrypted cannot be read back")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(bytes: &[u8], piece: usize) -> Sealed {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        bytes.chunks(piece).for_each(|piece| spool.write(piece).unwrap());
        spool.seal().unwrap()
    }

    #[test]
    fn it_gives_back_what_was_written_from_any_place() {
        let text: Vec<u8> = (0..BLOCK_BYTES as u32 * 2 + 7).map(|n| (n % 251) as u8).collect();
        for piece in [1000, BLOCK_BYTES, text.len()] {
            let sealed = spool(&text, piece);
            assert_eq!(sealed.len(), text.len() as u64);
            for offset in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 6] {
                let read = sealed.read(offset as u64).unwrap();
                assert!(!read.is_empty() && text[offset..].starts_with(&read));
            }
        }
        assert_eq!(spool(&[], 1).len(), 0);
    }

    #[test]
    fn the_disk_holds_nothing_readable_and_no_other_byte_counts() {
        let sealed = spool(&b"a secret ".repeat(50_000), 4096);
        let mut stored = vec![0; 100_000];
        sealed.file.read_exact_at(&mut stored, 0).unwrap();
        assert!(!stored.windows(6).any(|bytes| bytes == b"secret"));
        sealed.file.write_all_at(&[stored[5000] ^ 1], 5000).unwrap();
        assert!(sealed.read(0).is_err());
        assert!(sealed.read(BLOCK_BYTES as u64).is_ok());
    }
}
