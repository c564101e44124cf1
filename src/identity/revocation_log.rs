//! The log of revocations in the control store: numbered objects, each authenticated and naming the one before.
//!
//! `revocations/0000000000.json` founds the log and revokes nothing; a store without it is not an empty log but a
//! missing one. Each further object is created, never overwritten; its MAC (keyed BLAKE3, key ring) covers its number
//! and the MAC of the object before it. So whoever can write to the store can neither forge nor reorder revocations,
//! and a removed one shows as a gap, or as a change behind a reader's position. A removed *end* shows to every process
//! that has read it, and cannot show to one that never has.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::keyring::{KeyRing, Purpose, SecretKey};
use crate::limits::{REVOCATION_BYTES_MAX, REVOCATIONS_MAX};

const FOLDER: &str = "revocations";
/// Times that an append is tried when others append at the same moment.
const APPEND_TRIES: u32 = 16;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Nothing: the founding entry.
    Nothing,
    /// One session, by its access key id, or `bearer-…` as the log names it.
    Session(String),
    /// All that was issued to one person or job.
    Subject {
        /// `iss`, or `tracegate` for static tokens.
        issuer: String,
        /// `sub`, or the static token's id.
        subject: String,
    },
    /// All that was issued for one role.
    Role(String),
    /// All that was issued.
    Everything,
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What is revoked.
    pub target: Target,
    /// What was issued up to this moment is revoked.
    pub before: Timestamp,
    /// Who revoked it, for people; not proven.
    pub by: String,
    /// Why, for people.
    pub reason: String,
}

/// An entry as stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    entry: Entry,
    /// The ring key of the MAC.
    key: String,
    mac: String,
}

/// How far a reader is: the last entry it verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    number: u32,
    mac: [u8; 32],
}

/// Why the log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store does not answer, for now.
    #[error("the control store cannot be reached: {0}")]
    OutOfReach(#[source] object_store::Error),
    /// An object is missing, changed, forged, or sealed with a key that the ring no longer has.
    #[error("revocation {number} {why}")]
    Broken {
        /// Number of the entry.
        number: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The log has as many entries as it may have.
    #[error("the log of revocations is full")]
    Full,
    /// Others kept appending at the same moment.
    #[error("others append to the log of revocations at the same moment; try again")]
    Contended,
}

/// The log, for reading and appending.
#[derive(Clone)]
pub struct RevocationLog {
    store: Arc<dyn ObjectStore>,
    ring: Arc<ArcSwap<KeyRing>>,
}

impl fmt::Debug for RevocationLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationLog({})", self.store)
    }
}

impl RevocationLog {
    /// The log in that store, authenticated with that ring.
    pub fn new(store: Arc<dyn ObjectStore>, ring: Arc<ArcSwap<KeyRing>>) -> Self {
        Self { store, ring }
    }

    /// Founds the log in a new control store. Returns whether it was missing. Not to be called by itself when a log is
    /// missing: that is how a store that was emptied would pass for a new one.
    pub async fn found(&self, by: &str, now: Timestamp) -> Result<bool, LogError> {
        let entry = Entry { target: Target::Nothing, before: now, by: by.to_owned(), reason: "founded".to_owned() };
        self.create(0, &[0; 32], entry).await
    }

    /// Appends a revocation and returns its number. The whole log is verified first.
    pub async fn append(&self, entry: &Entry) -> Result<u32, LogError> {
        let mut position = None;
        for _ in 0..APPEND_TRIES {
            let (last, _) = self.read_on(position.as_ref()).await?;
            if last.number + 1 >= REVOCATIONS_MAX {
                return Err(LogError::Full);
            }
            if self.create(last.number + 1, &last.mac, entry.clone()).await? {
                return Ok(last.number + 1);
            }
            position = Some(last);
        }
        Err(LogError::Contended)
    }

    /// The entries behind a position, and the new position. What was at the position must still be there.
    pub(super) async fn read_on(&self, from: Option<&Position>) -> Result<(Position, Vec<Entry>), LogError> {
        let start = match from {
            Some(position) => {
                let (_, mac) = self.read(position.number, None).await?;
                if mac != position.mac {
                    return Err(LogError::Broken { number: position.number, why: "was changed" });
                }
                position.clone()
            }
            None => Position { number: 0, mac: self.read(0, Some(&[0; 32])).await?.1 },
        };
        let end = self.last_number(start.number).await?;
        let mut position = start;
        let mut entries = Vec::new();
        while position.number < end {
            let number = position.number + 1;
            let (entry, mac) = self.read(number, Some(&position.mac)).await?;
            entries.push(entry);
            position = Position { number, mac };
        }
        Ok((position, entries))
    }

    /// The number of the last object, none missing between.
    async fn last_number(&self, from: u32) -> Result<u32, LogError> {
        let listed = self.store.list_with_offset(Some(&Path::from(FOLDER)), &path(from));
        let mut found: Vec<String> = listed.map_ok(|meta| meta.location.to_string()).try_collect().await.map_err(LogError::OutOfReach)?;
        found.sort_unstable();
        for (number, name) in (from + 1..REVOCATIONS_MAX).zip(&found) {
            if *name != path(number).as_ref() {
                return Err(LogError::Broken { number, why: "is missing" });
            }
        }
        let more = u32::try_from(found.len()).map_err(|_| LogError::Full)?;
        from.checked_add(more).filter(|last| *last < REVOCATIONS_MAX).ok_or(LogError::Full)
    }

    /// One entry and its MAC. `before` is the MAC of the entry before it; `None` trusts the caller to compare the MAC
    /// with one that was verified.
    async fn read(&self, number: u32, before: Option<&[u8; 32]>) -> Result<(Entry, [u8; 32]), LogError> {
        let broken = |why| LogError::Broken { number, why };
        let found = match self.store.get(&path(number)).await {
            Ok(found) if found.meta.size > REVOCATION_BYTES_MAX => return Err(broken("is too large")),
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(broken("is missing")),
            Err(error) => return Err(LogError::OutOfReach(error)),
        };
        let body = found.bytes().await.map_err(LogError::OutOfReach)?;
        let stored: Stored = serde_json::from_slice(&body).map_err(|_| broken("cannot be read"))?;
        let mut mac = [0; 32];
        hex::decode_to_slice(&stored.mac, &mut mac).map_err(|_| broken("cannot be read"))?;
        if let Some(before) = before {
            let key = self.ring.load().with_id(&stored.key, Purpose::Control);
            let key = key.ok_or_else(|| broken("is authenticated with a key that the ring does not have"))?;
            if !bool::from(authenticate(&key, number, before, &stored.entry).ct_eq(&mac)) {
                return Err(broken("was not written by this service"));
            }
        }
        Ok((stored.entry, mac))
    }

    /// Writes an entry unless its number is taken. Returns whether it was written.
    async fn create(&self, number: u32, before: &[u8; 32], entry: Entry) -> Result<bool, LogError> {
        let body = {
            let ring = self.ring.load();
            let (id, key) = ring.active(Purpose::Control);
            let mac = hex::encode(authenticate(&key, number, before, &entry));
            let stored = Stored { entry, key: id.to_owned(), mac };
            serde_json::to_vec_pretty(&stored).map_err(|_| LogError::Broken { number, why: "cannot be written" })?
        };
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path(number), body.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(LogError::OutOfReach(error)),
        }
    }
}

fn path(number: u32) -> Path {
    Path::from(format!("{FOLDER}/{number:010}.json"))
}

fn authenticate(key: &SecretKey, number: u32, before: &[u8; 32], entry: &Entry) -> [u8; 32] {
    let Entry { target, before: moment, by, reason } = entry;
    let (kind, first, second) = match target {
        Target::Nothing => ("nothing", "", ""),
        Target::Session(session) => ("session", session.as_str(), ""),
        Target::Subject { issuer, subject } => ("subject", issuer.as_str(), subject.as_str()),
        Target::Role(role) => ("role", role.as_str(), ""),
        Target::Everything => ("everything", "", ""),
    };
    let moment = moment.to_string();
    let texts = [kind, first, second, &moment, by, reason].map(str::as_bytes);
    let number = number.to_be_bytes();
    let head: [&[u8]; 3] = [b"revocation", &number, before];
    key.prf(&[head.as_slice(), texts.as_slice()].concat())
}
