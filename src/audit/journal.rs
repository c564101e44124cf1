//! The journal as the rest of the program sees it: a cheap handle on the thread that owns the log.
//!
//! Nothing is served that it did not take: a full queue, a full disk or a dead journal are [`Unavailable`]. There is no
//! setting that says otherwise.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use tokio::sync::oneshot;

use super::committer::{Committer, Message};
use super::disk::{Disk, SystemDisk, is_full};
use super::entry::{Event, ListingShown, RequestFacts, Unproven};
use super::gauges::{Gauges, State, Stats};
use super::outcomes::Outcomes;
use super::recover::{self, Scanned};
use super::sealer::{Growth, Sealer, Sealing};
use super::thread::Joined;
use super::tlog::{CheckpointError, SigningKeys, note};
use super::wire::{self, sealed::Asked};
use super::writer::{Class, Item, NEVER, SPARE, SeqCell, Sizes, Writer};
use super::{Auditable, OpenEntry, Queued, listing};
use crate::keyring::SecretKey;
use crate::limits;
use crate::s3::error::{Code, Refusal};

/// What a journal needs.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Its folder, used by one process at a time.
    pub dir: PathBuf,
    /// The log's name, the same for its whole life: `HOST/audit/REPLICA`. 1 to 255 visible ASCII characters, no `"`, `\`
    /// or `+`.
    pub log_name: String,
    /// What its checkpoints are signed with, in that name.
    pub signing: SigningKeys,
    /// Key of the digests of what was sent.
    pub digest_key: SecretKey,
    /// Age at which whole segments are removed; `None` keeps everything.
    pub retention: Option<Duration>,
    /// When the disk's free space is too little.
    pub space: SpaceLeft,
    /// The time, for entries.
    pub clock: fn() -> Timestamp,
}

/// Free space of the log's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceLeft {
    /// Below it a warning shows.
    pub warn: u64,
    /// Below it nothing new is served.
    pub min: u64,
}

impl Default for SpaceLeft {
    fn default() -> Self {
        Self { warn: limits::LOG_SPACE_WARN_BYTES, min: limits::LOG_SPACE_MIN_BYTES }
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes this log.
    #[error("another process writes the log in {0}")]
    Locked(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The log is damaged where no interrupted write can have done it.
    #[error("{path} is damaged at byte {offset}: restore it from a copy; nothing was changed", path = path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Offset of the first frame that is not as it must be.
        offset: u64,
    },
    /// The log's name does not fit.
    #[error("a log's name is 1 to 255 visible ASCII characters without `\"`, `\\` and `+`")]
    Name,
    /// The newest checkpoint cannot be one of this log.
    #[error("{path}: {error}", path = path.display())]
    Checkpoint {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        error: CheckpointError,
    },
    /// The entries are not those that were signed.
    #[error(
        "its first {size} entries are not those that were signed: `tracegate audit verify` says which; nothing was changed"
    )]
    Contradicted {
        /// How many were signed.
        size: u64,
    },
    /// The first entries are gone, and the log does not say that their retention ended.
    #[error(
        "it begins with entry {first}, and does not say that those before it ended their retention; nothing was changed"
    )]
    Beheaded {
        /// The first that is held.
        first: u64,
    },
    /// Entries that were signed are gone.
    #[error(
        "{signed} entries were signed, and it holds {entries}: it was cut off, or an older copy was put in its place; \
         nothing was changed"
    )]
    RolledBack {
        /// How many the log holds.
        entries: u64,
        /// How many its checkpoint covers.
        signed: u64,
    },
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The interrupted write that was cut off.
    pub torn: Option<Torn>,
    /// Requests that were in flight and are now closed as `unknown-crash`.
    pub orphans: usize,
    /// Entries that the log held.
    pub entries: u64,
}

/// An interrupted write at the end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where the write began.
    pub offset: u64,
    /// How many bytes of it there were.
    pub bytes: u64,
}

/// Why an entry was not taken. Then nothing is answered but this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too many entries wait for the disk.
    #[error("too many requests wait for the log")]
    Busy,
    /// The disk of the log is full, or nearly.
    #[error("the log has no space")]
    Full,
    /// The log could not be written, or is stopped.
    #[error("the log is down")]
    Down,
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::Busy => Refusal::new(Code::SlowDown, "Too many requests wait for the audit log. Try again."),
            Unavailable::Full | Unavailable::Down => Refusal::new(
                Code::ServiceUnavailable,
                "The audit log cannot be written, and nothing is served without it. Tell your administrator.",
            ),
        }
    }
}

/// The journal. Clones are the same journal; the drop of the last one waits until nothing is written any more.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

/// What every open entry keeps of its journal.
pub(super) struct Shared {
    inbox: mpsc::Sender<Message>,
    gauges: Arc<Gauges>,
    digest_key: SecretKey,
    outcomes: Arc<Outcomes>,
    blobs: Arc<listing::Blobs>,
    growth: Arc<Growth>,
    dir: PathBuf,
    /// Ends when the inbox is gone, which is dropped before.
    _thread: Joined,
}

impl Journal {
    /// Opens the log in that folder, mends its end and starts the thread that writes it. Reads the whole log.
    ///
    /// # Errors
    /// The log is in use, damaged, or cannot be written.
    pub fn open(options: JournalOptions) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(Arc::new(SystemDisk), options, Sizes::STANDARD)
    }

    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        sizes: Sizes,
    ) -> Result<(Self, Recovery), JournalError> {
        let JournalOptions { dir, log_name, signing, digest_key, retention, space, clock } = options;
        check_name(&log_name)?;
        let io = |error| JournalError::Io { path: dir.clone(), error };
        make_folders(&dir).map_err(io)?;
        let lock = lock(&dir)?;
        drop(fs::remove_file(dir.join(SPARE)));
        let scanned = recover::scan(&*disk, &dir, sizes, &log_name, &signing)?;
        let Scanned { end, orphans, torn, tree, tiles, verifier } = scanned;
        let recovery = Recovery { torn, orphans: orphans.len(), entries: end.seq };
        let gauges = Arc::new(Gauges::new());
        let growth = Arc::new(Growth::new(tree, tiles));
        let (disk_, gauges_, growth_) = (Arc::clone(&disk), Arc::clone(&gauges), Arc::clone(&growth));
        let mut writer = Writer::new(disk_, dir.clone(), log_name.clone(), sizes, gauges_, growth_, end).map_err(io)?;
        let mut first = first_entries(&recovery, orphans);
        first.extend(start_entries(&digest_key, &signing, verifier.as_deref()));
        writer.commit(first, clock()).map_err(|fatal| io(fatal.error))?;
        let sealing = Sealing {
            growth: Arc::clone(&growth),
            disk: Arc::clone(&disk),
            dir: dir.clone(),
            log_name,
            keys: signing,
            gauges: Arc::clone(&gauges),
        };
        let sealer = Sealer::start(sealing).map_err(io)?;
        let (sender, inbox) = mpsc::channel();
        let blobs = Arc::new(listing::Blobs::new(Arc::clone(&disk), dir.clone()));
        let outcomes = Arc::new(Outcomes::new());
        let committer = Committer {
            writer,
            inbox,
            outcomes: Arc::clone(&outcomes),
            linger: None,
            gauges: Arc::clone(&gauges),
            disk,
            blobs: Arc::clone(&blobs),
            dir: dir.clone(),
            clock,
            space,
            retention,
            sealer,
            lock,
        };
        let thread = Joined::start("audit-journal", move || committer.run()).map_err(io)?;
        let shared = Shared { inbox: sender, gauges, digest_key, outcomes, blobs, growth, dir, _thread: thread };
        Ok((Self { shared: Arc::new(shared) }, recovery))
    }

    /// Hands a permit or a denial to the journal, without waiting.
    ///
    /// # Errors
    /// [`Unavailable::Busy`] if too much waits, else the journal's state.
    pub fn queue<T: Auditable>(&self, what: T, facts: &RequestFacts) -> Result<Queued<T>, Unavailable> {
        let line = Arc::new(AtomicU64::new(NEVER));
        let follows = <T as Asked>::OUTCOME_FOLLOWS;
        let class = if follows { Class::Intent(Arc::clone(&line)) } else { Class::Whole };
        let durable = self.shared.send_new(what.entry(facts, &self.shared.digest_key), class)?;
        let open = OpenEntry::new(Arc::clone(&self.shared), facts.id, follows.then_some(line), what.tally());
        Ok(Queued { what, open, durable })
    }

    /// Records an event, and waits until it is durable.
    ///
    /// # Errors
    /// It could not be made durable: what it tells of must not happen.
    pub async fn event(&self, event: Event) -> Result<(), Unavailable> {
        let durable = self.shared.send_new(wire::event(&event), Class::Whole)?;
        durable.await.unwrap_or(Err(Unavailable::Down))
    }

    /// Stores what a page of a listing shows (names hold no line feed), durable before the page leaves. At most
    /// [`limits::LISTED_KEYS_MAX`] keys, and as many common prefixes.
    ///
    /// # Errors
    /// It could not be made durable: the page must not leave.
    pub async fn store_listing(
        &self,
        names: impl Iterator<Item = impl AsRef<str>>,
    ) -> Result<ListingShown, Unavailable> {
        self.shared.gauges.state().takes_new()?;
        let blob = listing::Blob::new(names, &self.shared.digest_key);
        let shown = blob.shown.clone();
        let shared = Arc::clone(&self.shared);
        let stored = tokio::task::spawn_blocking(move || shared.blobs.store(&blob));
        match stored.await {
            Ok(Ok(())) => Ok(shown),
            Ok(Err(error)) if is_full(&error) => Err(Unavailable::Full),
            Ok(Err(error)) => {
                tracing::error!(%error, "what a listing shows cannot be stored; nothing is served any more");
                self.shared.gauges.become_state(State::Dead);
                Err(Unavailable::Down)
            }
            Err(_) => Err(Unavailable::Down),
        }
    }

    /// Counts a refusal of a caller who proved nothing; summarised by network, reason and
    /// [`limits::REFUSAL_WINDOW`].
    pub fn refused(&self, peer: IpAddr, why: Unproven, now: Timestamp) {
        self.shared.gauges.refusals.fetch_add(1, Ordering::Relaxed);
        self.shared.gauges.refusals().count(peer, why, now);
    }

    /// Writes what waits, and `log.stop`; then the log is free for another process. Requests must have ended before.
    pub async fn close(&self) {
        let (asked, done) = oneshot::channel();
        if self.shared.inbox.send(Message::Stop(asked)).is_ok() {
            done.await.ok();
        }
    }

    /// Returns when a write or sync has failed. Then the process must end with an error; nothing is served any more.
    pub async fn died(&self) {
        let mut state = self.shared.gauges.state.subscribe();
        if state.wait_for(|state| *state == State::Dead).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Numbers for metrics.
    pub fn stats(&self) -> Stats {
        let unsigned_for = self.shared.growth.unsigned_for();
        Stats { unsigned_for, ..self.shared.gauges.stats() }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn digest_key(&self) -> &SecretKey {
        &self.digest_key
    }

    /// Sends an outcome. It is never refused: its room was kept when its intent was taken.
    pub(super) fn outcome(&self, body: Vec<u8>, line: SeqCell) {
        self.outcomes.send(Item { body, class: Class::Outcome(line), done: None }, &self.inbox);
    }

    fn send_new(&self, body: Vec<u8>, class: Class) -> Result<oneshot::Receiver<Result<(), Unavailable>>, Unavailable> {
        self.gauges.enter_queue()?;
        let (done, durable) = oneshot::channel();
        let sent = self.inbox.send(Message::Entry(Item { body, class, done: Some(done) }));
        sent.map_err(|_| Unavailable::Down).map(|()| durable)
    }
}

/// The log names people and keys: only its owner may look.
fn make_folders(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(listing::folder(dir))?;
    fs::File::open(dir)?.sync_all()
}

fn lock(dir: &Path) -> Result<fs::File, JournalError> {
    let path = dir.join("lock");
    let opened = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|error| JournalError::Io { path: path.clone(), error })?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Locked(dir.to_owned())),
        Err(error) => Err(JournalError::Io { path, error: error.into() }),
    }
}

fn check_name(log_name: &str) -> Result<(), JournalError> {
    let named = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    let fits = log_name.len() <= limits::LOG_ORIGIN_BYTES_MAX && log_name.bytes().all(named);
    if fits && note::is_key_name(log_name) { Ok(()) } else { Err(JournalError::Name) }
}

fn note_item(body: Vec<u8>) -> Item {
    Item { body, class: Class::Note, done: None }
}

/// What a start writes before anything else: what it mended, and the ends of what was in flight.
fn first_entries(recovery: &Recovery, orphans: Vec<(String, u64)>) -> Vec<Item> {
    let mut items = Vec::new();
    if recovery.torn.is_some() || recovery.orphans > 0 {
        let name = recovery.torn.as_ref().map(|torn| recover::file_name(&torn.path).display().to_string());
        let (offset, bytes) = recovery.torn.as_ref().map_or((0, 0), |torn| (torn.offset, torn.bytes));
        items.push(note_item(wire::recovered(name.as_deref(), offset, bytes, recovery.orphans)));
    }
    for (id, seq) in orphans {
        let class = Class::Outcome(Arc::new(AtomicU64::new(seq)));
        items.push(Item { body: wire::unknown_crash(&id), class, done: None });
    }
    items
}

/// Then that it started; and, where another key signed before, that this one does now.
fn start_entries(digest_key: &SecretKey, signing: &SigningKeys, signed_by: Option<&str>) -> Vec<Item> {
    let verifier = signing.present();
    let previous = signed_by.filter(|previous| *previous != verifier.to_string());
    let changed = previous.map(|previous| wire::key_changed(previous, verifier));
    [wire::started(digest_key, verifier)].into_iter().chain(changed).map(note_item).collect()
}
