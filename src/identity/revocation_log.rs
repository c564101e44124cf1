//! The log of revocations in the control store: numbered objects, each authenticated and naming the one before.
//!
//! `revocations/0000000000.json` founds the log and revokes nothing; a store without it is not an empty log but a
//! missing one. Each further object is created, never overwritten; its MAC (keyed BLAKE3, key ring) covers its number
//! and the MAC of the object before it. So whoever can write to the store can neither forge nor reorder revocations,
//! and a removed one shows as a gap, or as a change behind a reader's position. A removed *end* shows to every process
//! that has read it, and cannot show to one that never has; nor can an older state of the log put in its place.
//!
//! Before a key leaves the ring, the log is sealed anew with another ([`RevocationLog::reseal`]): all entries are copied
//! into a new folder, and one last entry of the old folder says where the log goes on. That entry is the switch: it is
//! created where the next revocation would stand, so that either it or the revocation comes first, and none is lost; a
//! crash before it leaves the old log and an unused folder. A reader that is behind it needs no key of the old folder:
//! the new one must verify as a whole with the reader's ring, and tell the same up to the reader's position. While a
//! ring has no key of the new folder yet, the log does not verify, and nobody is served until the ring comes.

mod chain;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::keyring::KeyRing;
use crate::limits::{REVOCATION_BYTES_MAX, REVOCATION_FOLDERS_MAX, REVOCATIONS_MAX};
use chain::{Link, Stored};

/// Where the log begins; it goes on in folders of this name, `-` and sixteen hexadecimal digits.
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
    /// Nothing: the log goes on in that folder, where it is sealed with another key.
    Continued(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Nothing | Target::Continued(_) => f.write_str("nothing"),
            Target::Session(session) => write!(f, "session {session}"),
            Target::Subject { issuer, subject } => write!(f, "subject {subject} of {issuer}"),
            Target::Role(role) => write!(f, "role {role}"),
            Target::Everything => f.write_str("everything"),
        }
    }
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

/// How far a reader is: the last entry it verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    folder: String,
    number: u32,
    link: Link,
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
        Ok(self.create(&self.ring.load_full(), FOLDER, 0, &Link::START, &entry).await?.is_some())
    }

    /// Appends a revocation and returns its number. The whole log is verified first.
    pub async fn append(&self, entry: &Entry) -> Result<u32, LogError> {
        let mut position = None;
        for _ in 0..APPEND_TRIES {
            let (last, _) = self.read_on(position.as_ref()).await?;
            let number = last.number + 1;
            // One place stays free, for the entry that says where the log goes on.
            if number + 1 >= REVOCATIONS_MAX {
                return Err(LogError::Full);
            }
            if self.create(&self.ring.load_full(), &last.folder, number, &last.link, entry).await?.is_some() {
                return Ok(number);
            }
            position = Some(last);
        }
        Err(LogError::Contended)
    }

    /// Verifies the whole log and returns the number of its last entry.
    pub async fn verify(&self) -> Result<u32, LogError> {
        Ok(self.read_on(None).await?.0.number)
    }

    /// Seals the whole log anew with the active key of `under`, so that it outlives the keys that it is sealed with now.
    /// The log's own ring must have that key too, at least as a published one.
    pub async fn reseal(&self, under: &KeyRing, by: &str, now: Timestamp) -> Result<(), LogError> {
        let folder = format!("{FOLDER}-{}", hex::encode(rand::random::<[u8; 8]>()));
        let (mut last, read) = self.read_on(None).await?;
        let founding = self.stored(&last.folder, 0).await?.entry;
        let mut entries = [vec![founding], read].concat();
        let (mut number, mut link) = (0, Link::START);
        let because = "sealed with another key".to_owned();
        let closing =
            Entry { target: Target::Continued(folder.clone()), before: now, by: by.to_owned(), reason: because };
        for _ in 0..APPEND_TRIES {
            for entry in entries {
                link = self.create(under, &folder, number, &link, &entry).await?.ok_or(LogError::Contended)?;
                number += 1;
            }
            if !link.tells_the_same_as(&last.link) {
                return Err(LogError::Broken { number: last.number, why: "was changed" });
            }
            let ring = self.ring.load_full();
            if self.create(&ring, &last.folder, last.number + 1, &last.link, &closing).await?.is_some() {
                return Ok(());
            }
            // A revocation came first, and is copied, too.
            (last, entries) = self.read_on(Some(&last)).await?;
        }
        Err(LogError::Contended)
    }

    /// The entries behind a position, and the new position. What was at the position must still be there.
    pub(super) async fn read_on(&self, from: Option<&Position>) -> Result<(Position, Vec<Entry>), LogError> {
        let mut at = match from {
            Some(position) => {
                let stored = self.stored(&position.folder, position.number).await?;
                if !stored.is(&position.link) {
                    return Err(LogError::Broken { number: position.number, why: "was changed" });
                }
                position.clone()
            }
            None => self.founding(self.newest().await?).await?,
        };
        let mut entries = Vec::new();
        for _ in 0..REVOCATION_FOLDERS_MAX {
            match self.read_folder(&mut at, &mut entries).await? {
                None => return Ok((at, entries)),
                Some(next) => at = self.continued(&at, next).await?,
            }
        }
        Err(LogError::Broken { number: at.number, why: "goes on without an end" })
    }

    /// Reads to the end of a folder; returns the one in which the log goes on.
    async fn read_folder(&self, at: &mut Position, entries: &mut Vec<Entry>) -> Result<Option<String>, LogError> {
        let end = self.last_number(&at.folder, at.number).await?;
        let ring = self.ring.load_full();
        while at.number < end {
            let number = at.number + 1;
            let broken = |why| LogError::Broken { number, why };
            let stored = self.stored(&at.folder, number).await?;
            let known = ring.ids().any(|id| id == stored.key);
            if let Target::Continued(next) = &stored.entry.target {
                if number != end {
                    return Err(broken("stands behind the log's end"));
                }
                // Its key may be the one that is gone; then the new folder has to prove itself, which it has to anyway.
                if known {
                    stored.verify(&ring, number, &at.link).map_err(broken)?;
                }
                return Ok(Some(folder_name(next).ok_or_else(|| broken("cannot be read"))?));
            }
            at.link = stored.verify(&ring, number, &at.link).map_err(broken)?;
            at.number = number;
            entries.push(stored.entry);
        }
        Ok(None)
    }

    /// The same position in the folder in which the log goes on. All entries up to there must be the same.
    async fn continued(&self, at: &Position, folder: String) -> Result<Position, LogError> {
        let mut there = self.founding(folder).await?;
        let ring = self.ring.load_full();
        while there.number < at.number {
            let number = there.number + 1;
            let stored = self.stored(&there.folder, number).await?;
            let verified = stored.verify(&ring, number, &there.link);
            there.link = verified.map_err(|why| LogError::Broken { number, why })?;
            there.number = number;
        }
        if there.link.tells_the_same_as(&at.link) {
            Ok(there)
        } else {
            Err(LogError::Broken { number: at.number, why: "is another where the log goes on" })
        }
    }

    /// The position of a folder's first entry.
    async fn founding(&self, folder: String) -> Result<Position, LogError> {
        let stored = self.stored(&folder, 0).await?;
        let link = stored.verify(&self.ring.load(), 0, &Link::START);
        Ok(Position { folder, number: 0, link: link.map_err(|why| LogError::Broken { number: 0, why })? })
    }

    /// The folder in which the log goes on last. Nothing of it is verified: the keys of older folders may be gone.
    async fn newest(&self) -> Result<String, LogError> {
        let mut folder = FOLDER.to_owned();
        for _ in 0..REVOCATION_FOLDERS_MAX {
            let number = self.last_number(&folder, 0).await?;
            let Target::Continued(next) = self.stored(&folder, number).await?.entry.target else {
                return Ok(folder);
            };
            folder = folder_name(&next).ok_or(LogError::Broken { number, why: "cannot be read" })?;
        }
        Err(LogError::Broken { number: 0, why: "goes on without an end" })
    }

    /// The number of a folder's last object, none missing between.
    async fn last_number(&self, folder: &str, from: u32) -> Result<u32, LogError> {
        let listed = self.store.list_with_offset(Some(&Path::from(folder)), &path(folder, from));
        let mut found: Vec<String> =
            listed.map_ok(|meta| meta.location.to_string()).try_collect().await.map_err(LogError::OutOfReach)?;
        found.sort_unstable();
        for (number, name) in (from + 1..REVOCATIONS_MAX).zip(&found) {
            if *name != path(folder, number).as_ref() {
                return Err(LogError::Broken { number, why: "is missing" });
            }
        }
        let more = u32::try_from(found.len()).map_err(|_| LogError::Full)?;
        from.checked_add(more).filter(|last| *last < REVOCATIONS_MAX).ok_or(LogError::Full)
    }

    /// One entry, not verified.
    async fn stored(&self, folder: &str, number: u32) -> Result<Stored, LogError> {
        let broken = |why| LogError::Broken { number, why };
        let found = match self.store.get(&path(folder, number)).await {
            Ok(found) if found.meta.size > REVOCATION_BYTES_MAX => return Err(broken("is too large")),
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(broken("is missing")),
            Err(error) => return Err(LogError::OutOfReach(error)),
        };
        let body = found.bytes().await.map_err(LogError::OutOfReach)?;
        serde_json::from_slice(&body).map_err(|_| broken("cannot be read"))
    }

    /// Writes an entry unless its number is taken. Returns its link if it was written.
    async fn create(
        &self,
        ring: &KeyRing,
        folder: &str,
        number: u32,
        before: &Link,
        entry: &Entry,
    ) -> Result<Option<Link>, LogError> {
        let (stored, link) = Stored::seal(ring, number, before, entry);
        let body =
            serde_json::to_vec_pretty(&stored).map_err(|_| LogError::Broken { number, why: "cannot be written" })?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path(folder, number), body.into(), options).await {
            Ok(_) => Ok(Some(link)),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(LogError::OutOfReach(error)),
        }
    }
}

fn path(folder: &str, number: u32) -> Path {
    Path::from(format!("{folder}/{number:010}.json"))
}

/// The folder that an entry names, if it is one of ours.
fn folder_name(text: &str) -> Option<String> {
    let digits = text.strip_prefix(FOLDER)?.strip_prefix('-')?;
    let sound = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    sound.then(|| text.to_owned())
}

#[cfg(test)]
#[path = "revocation_log_tests.rs"]
mod tests;
