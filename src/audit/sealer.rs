//! Behind the committer: the tree over all that is durable, its tiles and its signed checkpoints. Nothing waits for it, and
//! nothing is signed that is not durable.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use super::disk::{Disk, is_full};
use super::gauges::{Gauges, State};
use super::thread::{DeadOnPanic, Joined};
use super::tiles;
use super::tlog::tile::bytes_of;
use super::tlog::tree::FullTile;
use super::tlog::{Checkpoint, Hash, SigningKeys, Tree};
use crate::limits;

/// The tree as far as the log is durable; shared by the committer, who adds to it, and the sealer, who signs it.
pub(super) struct Growth(Mutex<Grown>);

struct Grown {
    tree: Tree,
    /// Full tiles that are not written yet.
    tiles: Vec<FullTile>,
    /// Since when there are entries that no checkpoint covers.
    unsigned_since: Option<Instant>,
    /// The same of those that are being signed.
    signing_since: Option<Instant>,
}

impl Growth {
    /// A tree, and full tiles of it that have to be written.
    pub(super) fn new(tree: Tree, tiles: Vec<FullTile>) -> Self {
        Self(Mutex::new(Grown { tree, tiles, unsigned_since: None, signing_since: None }))
    }

    /// Adds entries that are durable.
    pub(super) fn add<'a>(&self, entries: impl Iterator<Item = &'a [u8]>) {
        let leaves: Vec<Hash> = entries.map(Hash::of_leaf).collect();
        let mut grown = self.grown();
        let Grown { tree, tiles, unsigned_since, .. } = &mut *grown;
        leaves.into_iter().for_each(|leaf| tree.push(leaf, |full| tiles.push(full)));
        unsigned_since.get_or_insert_with(Instant::now);
    }

    /// For how long the oldest entry has waited that no checkpoint covers yet.
    pub(super) fn unsigned_for(&self) -> Duration {
        let grown = self.grown();
        let since = grown.signing_since.or(grown.unsigned_since);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn take(&self) -> (Tree, Vec<FullTile>) {
        let mut grown = self.grown();
        grown.signing_since = grown.signing_since.or(grown.unsigned_since);
        grown.unsigned_since = None;
        (grown.tree.clone(), std::mem::take(&mut grown.tiles))
    }

    fn signed(&self) {
        self.grown().signing_since = None;
    }

    fn grown(&self) -> MutexGuard<'_, Grown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sealer's thread. Dropped, it signs what is left, and ends.
pub(super) struct Sealer {
    _end: Sender<()>,
    _thread: Joined,
}

/// What a sealer works with.
pub(super) struct Sealing {
    pub(super) growth: Arc<Growth>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) log_name: String,
    pub(super) keys: SigningKeys,
    pub(super) gauges: Arc<Gauges>,
}

impl Sealer {
    /// Starts the thread, once the keys that sign are listed in the log's folder.
    pub(super) fn start(sealing: Sealing) -> io::Result<Self> {
        list_keys(&*sealing.disk, &sealing.dir, &sealing.keys)?;
        let (end, ended) = mpsc::channel();
        let round = Round { sealing, tiles: Vec::new(), size: None, kept: None, full: false };
        let thread = Joined::start("audit-sealer", move || round.run(&ended))?;
        Ok(Self { _end: end, _thread: thread })
    }
}

/// Where the sealer is.
struct Round {
    sealing: Sealing,
    /// Taken, and not written yet.
    tiles: Vec<FullTile>,
    /// Size of the newest checkpoint.
    size: Option<u64>,
    /// When a checkpoint was last kept for good.
    kept: Option<Instant>,
    /// The disk had no room for it last time.
    full: bool,
}

impl Round {
    fn run(mut self, ended: &Receiver<()>) {
        let _dead = DeadOnPanic(Arc::clone(&self.sealing.gauges));
        let mut goes_on = true;
        loop {
            match self.seal(!goes_on) {
                Ok(()) => self.full = false,
                Err(error) if is_full(&error) => {
                    if !self.full {
                        tracing::warn!("the log's disk has no room for a checkpoint; it is signed once there is some");
                    }
                    self.full = true;
                }
                Err(error) => {
                    tracing::error!(%error, "the log cannot be signed; nothing is served any more");
                    return self.sealing.gauges.become_state(State::Dead);
                }
            }
            if !goes_on {
                return;
            }
            goes_on = ended.recv_timeout(limits::LOG_SIGN_EVERY) == Err(RecvTimeoutError::Timeout);
            if self.sealing.gauges.state() == State::Dead {
                return;
            }
        }
    }

    /// Writes the tiles that are new, then the checkpoint over them.
    fn seal(&mut self, last: bool) -> io::Result<()> {
        let (tree, tiles) = self.sealing.growth.take();
        self.tiles.extend(tiles);
        let Sealing { disk, dir, log_name, keys, gauges, growth } = &self.sealing;
        let keeps = last || self.kept.is_none_or(|kept| kept.elapsed() >= limits::LOG_KEEP_EVERY);
        if tree.size() == 0 || (self.size == Some(tree.size()) && !keeps) {
            return Ok(());
        }
        while let Some(tile) = self.tiles.last() {
            write_full(&**disk, dir, tile)?;
            self.tiles.pop();
        }
        for (at, hashes) in tree.partial_tiles() {
            let path = dir.join(at.path());
            // What is there from another run may be what a crash left of it.
            if self.size.is_none() || !path.exists() {
                disk.place(&path, &bytes_of(hashes))?;
            }
        }
        let checkpoint = Checkpoint { origin: log_name.clone(), size: tree.size(), root: tree.root() };
        let note = checkpoint.sign(keys);
        if self.size != Some(tree.size()) {
            disk.replace(&tiles::checkpoint_path(dir), note.as_bytes())?;
            self.size = Some(tree.size());
            gauges.signed(tree.size());
            growth.signed();
        }
        if keeps {
            disk.replace(&tiles::kept_path(dir, tree.size()), note.as_bytes())?;
            self.kept = Some(Instant::now());
        }
        Ok(())
    }
}

/// Writes a full tile; those that it takes the place of go.
fn write_full(disk: &dyn Disk, dir: &Path, tile: &FullTile) -> io::Result<()> {
    let path = dir.join(tile.at.path());
    disk.place(&path, &bytes_of(&tile.hashes))?;
    match fs::remove_dir_all(path.with_extension("p")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sees to it that the present key is the last one of the file of keys.
fn list_keys(disk: &dyn Disk, dir: &Path, keys: &SigningKeys) -> io::Result<()> {
    let path = tiles::keys_path(dir);
    let mut text = tiles::text(&path)?.unwrap_or_default();
    let present = keys.present().to_string();
    if text.lines().last() == Some(&present) {
        return Ok(());
    }
    text.push_str(&format!("{present}\n"));
    disk.replace(&path, text.as_bytes())
}
