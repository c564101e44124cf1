//! The few file operations that the journal needs, so that tests can stand between it and the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

/// Files of the log. Every operation that creates or renames is durable when it returns.
pub(super) trait Disk: Send + Sync + 'static {
    /// A new file of that many zero bytes, all of them written, so that later syncs alter no metadata.
    /// Given up, with nothing left behind, once it is `unwanted`.
    fn create_zeroed(&self, path: &Path, bytes: u64, unwanted: &AtomicBool) -> io::Result<Box<dyn SegmentFile>>;
    /// An existing file.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
    /// A new name in the same folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A small file at once, whole or not at all. One that is there already counts as stored now.
    fn store(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// A small file in the place of what is there, whole or not at all, in a folder that is made where none is. Durable
    /// only with [`Disk::settle`].
    fn place(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// The same, durable at once.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what was placed below that folder.
    fn settle(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that are left to us on the disk of that folder.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// A segment that is written to.
pub(super) trait SegmentFile: Send {
    /// Writes some of these bytes there, and says how many.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// `fdatasync`
    fn sync_data(&self) -> io::Result<()>;
}

/// Whether an error says that the disk, or our share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// The operating system's disk.
#[derive(Debug)]
pub(super) struct SystemDisk;

const MODIFIED_NOW: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
};

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Disk for SystemDisk {
    fn create_zeroed(&self, path: &Path, bytes: u64, unwanted: &AtomicBool) -> io::Result<Box<dyn SegmentFile>> {
        let unfinished = path.with_extension("tmp");
        let made = fill(&unfinished, bytes, unwanted);
        let file = made.inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        self.rename(&unfinished, path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        sync_parent(to)
    }

    fn store(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(dir) = path.parent()
            && !dir.exists()
        {
            fs::create_dir_all(dir)?;
            sync_parent(dir)?;
        }
        if path.exists() {
            let file = File::open(path)?;
            rustix::fs::futimens(&file, &MODIFIED_NOW)?;
            file.sync_all()?;
            return sync_parent(path);
        }
        // Two pages may store the same names at the same time: each writes its own file, and either may win.
        let unfinished = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        let stored = (|| {
            let mut file = private().create_new(true).open(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            self.rename(&unfinished, path)
        })();
        stored.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    fn place(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        written_anew(path, bytes, false)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        written_anew(path, bytes, true)?;
        sync_parent(path)
    }

    fn settle(&self, dir: &Path) -> io::Result<()> {
        // One call for the whole file system: thousands of tiles may be waiting.
        Ok(rustix::fs::syncfs(File::open(dir)?)?)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl SegmentFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// The log names people and keys: only its owner may read it.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Writes a file beside the one of that name, and gives it the name. One writer at a time.
fn written_anew(path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    let create = || private().create(true).truncate(true).open(&unfinished);
    let mut file = match create() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let dir = path.parent().unwrap_or(path);
            fs::create_dir_all(dir)?;
            if synced {
                sync_parent(dir)?;
            }
            create()?
        }
        opened => opened?,
    };
    let written = file.write_all(bytes).and_then(|()| if synced { file.sync_data() } else { Ok(()) });
    written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

fn fill(path: &Path, bytes: u64, unwanted: &AtomicBool) -> io::Result<File> {
    let file = private().create(true).truncate(true).open(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        // Some file systems cannot reserve; writing the zeros takes the space there.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    let mut at = 0;
    while at < bytes {
        if unwanted.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let some = usize::try_from(bytes - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        file.write_all_at(&ZEROS[..some], at)?;
        at += some as u64;
    }
    file.sync_all()?;
    Ok(file)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
