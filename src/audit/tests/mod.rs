//! The journal against a disk with faults. Here: what the tests share.

mod durability;
mod entries;
mod faults;
pub(crate) mod queries;
mod recovery;
mod sealing;
mod shown;
mod tampering;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::disk::{Disk, SegmentFile, SystemDisk};
use super::journal::{Journal, JournalError, JournalOptions, Recovery, SpaceLeft};
use super::query::Reader;
use super::tlog::SigningKeys;
use super::writer::Sizes;
use super::{EntryId, RequestFacts};
use crate::identity::Identity;
use crate::keyring::{KeyRing, KeyState, RingKey, SecretKey};
use crate::policy::permit::Permit;
use crate::s3::operation::{GetObject, Overrides, Preconditions};

const LOG: &str = "gw.example/audit/r1";

/// Small enough to fill, large enough for the outcomes of a dozen requests.
const SIZES: Sizes = Sizes { segment: 256 * 1024, reserve: 16 * 1024 };

/// A clock that goes on by a millisecond with each look at it.
fn clock() -> Timestamp {
    static MILLIS: AtomicI64 = AtomicI64::new(1_800_000_000_000);
    Timestamp::from_millisecond(MILLIS.fetch_add(1, Ordering::Relaxed)).unwrap()
}

fn options(dir: &Path) -> JournalOptions {
    JournalOptions {
        dir: dir.to_owned(),
        log_name: LOG.into(),
        digest_key: SecretKey::from_bytes([0xAB; 32]),
        signing: signing("spring"),
        retention: None,
        space: SpaceLeft { warn: 0, min: 0 },
        clock,
    }
}

/// The keys of a log whose ring has one key.
fn signing(id: &str) -> SigningKeys {
    signing_of(&[(id, KeyState::Active)])
}

fn signing_of(keys: &[(&str, KeyState)]) -> SigningKeys {
    let key = |&(id, state): &(&str, KeyState)| {
        let key = SecretKey::from_bytes([id.as_bytes()[0]; 32]);
        RingKey { id: id.to_owned(), state, key }
    };
    SigningKeys::of(&KeyRing::new(keys.iter().map(key).collect()).unwrap(), LOG)
}

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open_on(Arc::new(SystemDisk), options(dir), SIZES).unwrap()
}

fn open_faulty(dir: &Path, faults: &Arc<Faults>) -> Journal {
    Journal::open_on(Arc::new(FaultyDisk(Arc::clone(faults))), options(dir), SIZES).unwrap().0
}

fn reopen(dir: &Path) -> Result<Recovery, JournalError> {
    Journal::open_on(Arc::new(SystemDisk), options(dir), SIZES).map(|(_, recovery)| recovery)
}

fn facts() -> RequestFacts {
    RequestFacts {
        id: EntryId::random(),
        batch: None,
        peer: "192.0.2.7".parse().unwrap(),
        user_agent: Some("Boto3/1.44.5".into()),
        tls: true,
        host: Some("s3.example".into()),
    }
}

fn get(key: &str) -> GetObject {
    GetObject {
        bucket: "traces".parse().unwrap(),
        key: key.parse().unwrap(),
        range: None,
        part: None,
        preconditions: Preconditions::default(),
        overrides: Overrides::default(),
        version: None,
    }
}

fn permit(key: &str) -> Permit<GetObject> {
    Permit::for_test(Arc::new(Identity::for_test("dana", "auditor")), get(key), None)
}

/// All entries of a log.
fn entries(dir: &Path) -> Vec<Value> {
    let mut reader = Reader::open(dir).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(serde_json::from_slice(&entry).unwrap());
    }
    entries
}

fn of_kind(dir: &Path, kind: &str) -> Vec<Value> {
    entries(dir).into_iter().filter(|entry| entry["kind"] == kind).collect()
}

/// Waits for something that another thread is about to bring about.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

/// What the disk does wrong.
#[derive(Debug, Default)]
struct Faults {
    sync_millis: AtomicU64,
    /// Syncs do not return while this holds.
    hold_sync: AtomicBool,
    in_sync: AtomicBool,
    syncs: AtomicU64,
    fail_sync: AtomicBool,
    fail_write: AtomicBool,
    /// The next write is broken off in its middle, because the disk is full; so many times.
    full_writes: AtomicU64,
    /// Only so few bytes at a time; 0 is no limit.
    short_writes: AtomicU64,
    /// No space for new files.
    no_new_files: AtomicBool,
    /// Small files cannot be written at all.
    fail_files: AtomicBool,
    /// Free bytes that the disk owns up to; 0 is plenty.
    free: AtomicU64,
    /// Bytes of the largest write so far.
    largest_write: AtomicU64,
}

struct FaultyDisk(Arc<Faults>);

struct FaultyFile {
    inner: Box<dyn SegmentFile>,
    faults: Arc<Faults>,
}

impl Disk for FaultyDisk {
    fn create_zeroed(&self, path: &Path, bytes: u64, unwanted: &AtomicBool) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.no_new_files.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inner = SystemDisk.create_zeroed(path, bytes, unwanted)?;
        Ok(Box::new(FaultyFile { inner, faults: Arc::clone(&self.0) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FaultyFile { inner: SystemDisk.open(path)?, faults: Arc::clone(&self.0) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn store(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.no_new_files.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        SystemDisk.store(path, bytes)
    }

    fn place(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.no_new_files.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.0.fail_files.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        SystemDisk.place(path, bytes)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.no_new_files.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.0.fail_files.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        SystemDisk.replace(path, bytes)
    }

    fn settle(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.settle(dir)
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(match self.0.free.load(Ordering::SeqCst) {
            0 => u64::MAX,
            free => free,
        })
    }
}

impl SegmentFile for FaultyFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.faults.largest_write.fetch_max(bytes.len() as u64, Ordering::SeqCst);
        if self.faults.fail_write.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        let full = &self.faults.full_writes;
        if bytes.iter().any(|&byte| byte != 0) && full.load(Ordering::SeqCst) > 0 {
            // The first half is written, and with the next call the disk is full.
            if full.fetch_sub(1, Ordering::SeqCst) % 2 == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            return self.inner.write_at(offset, &bytes[..bytes.len().div_ceil(2)]);
        }
        match self.faults.short_writes.load(Ordering::SeqCst) {
            0 => self.inner.write_at(offset, bytes),
            some => self.inner.write_at(offset, &bytes[..bytes.len().min(some as usize)]),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.faults.sync_millis.load(Ordering::SeqCst)));
        self.faults.in_sync.store(true, Ordering::SeqCst);
        // Not for ever: a test that failed meanwhile waits for this thread.
        for _ in (0..20_000).take_while(|_| self.faults.hold_sync.load(Ordering::SeqCst)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.faults.in_sync.store(false, Ordering::SeqCst);
        if self.faults.fail_sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync_data()
    }
}
