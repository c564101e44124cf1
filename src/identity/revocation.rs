//! What was revoked, as every request sees it: a lock-free picture, to be read anew every two seconds.
//!
//! A picture that is older than a minute, or a log that does not prove itself, means that nobody is served: a
//! revocation that might exist counts as one that does. The log itself is [`super::revocation_log`].

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::Identity;
use super::revocation_log::{Entry, LogError, Position, RevocationLog, Target};
use crate::limits::REVOCATION_STALE_MAX;

/// What is known of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that was revoked reaches it.
    Stands,
    /// It was revoked.
    Revoked,
    /// The log is out of reach or does not prove itself.
    Unknown,
}

/// All revocations, kept up to date by [`Revocations::poll`].
#[derive(Debug)]
pub struct Revocations {
    log: RevocationLog,
    picture: ArcSwap<Picture>,
    reading: Mutex<Option<Position>>,
}

#[derive(Debug, Clone, Default)]
struct Picture {
    /// When the log was last read to its end; `None` while it never was, or after it failed to prove itself.
    read: Option<Timestamp>,
    sessions: HashMap<String, Timestamp>,
    subjects: HashMap<String, HashMap<String, Timestamp>>,
    roles: HashMap<String, Timestamp>,
    everything: Option<Timestamp>,
}

impl Revocations {
    /// Nothing is known, so nobody is served, before the first [`Revocations::poll`].
    pub fn new(log: RevocationLog) -> Self {
        let picture = ArcSwap::from_pointee(Picture::default());
        Self { log, picture, reading: Mutex::new(None) }
    }

    /// What is known of an identity now.
    pub fn verdict(&self, identity: &Identity, now: Timestamp) -> Verdict {
        let picture = self.picture.load();
        let fresh = picture.read.is_some_and(|read| now.duration_since(read).unsigned_abs() <= REVOCATION_STALE_MAX);
        match (fresh, picture.reaches(identity)) {
            (_, true) => Verdict::Revoked,
            (true, false) => Verdict::Stands,
            (false, false) => Verdict::Unknown,
        }
    }

    /// Whether an identity may be served now.
    pub fn allows(&self, identity: &Identity, now: Timestamp) -> bool {
        self.verdict(identity, now) == Verdict::Stands
    }

    /// Reads what is new in the log, and returns it. A log that does not prove itself closes the picture; one that is
    /// out of reach leaves it to grow stale.
    pub async fn poll(&self, now: Timestamp) -> Result<Vec<Entry>, LogError> {
        let mut reading = self.reading.lock().await;
        let mut picture = Picture::clone(&self.picture.load());
        match self.log.read_on(reading.as_ref()).await {
            Ok((position, entries)) => {
                entries.iter().for_each(|entry| picture.add(entry));
                picture.read = Some(now);
                self.picture.store(Arc::new(picture));
                *reading = Some(position);
                Ok(entries)
            }
            Err(error @ LogError::OutOfReach(_)) => Err(error),
            Err(error @ (LogError::Broken { .. } | LogError::Full | LogError::Contended)) => {
                picture.read = None;
                self.picture.store(Arc::new(picture));
                Err(error)
            }
        }
    }
}

impl Picture {
    fn add(&mut self, entry: &Entry) {
        let later = |known: &mut Timestamp| *known = (*known).max(entry.before);
        match &entry.target {
            Target::Nothing | Target::Continued(_) => {}
            Target::Session(session) => later(self.sessions.entry(session.clone()).or_insert(entry.before)),
            Target::Subject { issuer, subject } => {
                let subjects = self.subjects.entry(issuer.clone()).or_default();
                later(subjects.entry(subject.clone()).or_insert(entry.before));
            }
            Target::Role(role) => later(self.roles.entry(role.clone()).or_insert(entry.before)),
            Target::Everything => later(self.everything.get_or_insert(entry.before)),
        }
    }

    /// A session that was revoked by its name is dead, and so is what it was exchanged for; the rest ends what was issued
    /// up to that moment.
    fn reaches(&self, identity: &Identity) -> bool {
        let old = |before: &Timestamp| identity.issued <= *before;
        let subject = self.subjects.get(&identity.issuer).and_then(|subjects| subjects.get(&identity.subject));
        let named = |session: &String| self.sessions.contains_key(session);
        named(&identity.session)
            || identity.parent.as_ref().is_some_and(named)
            || subject.is_some_and(old)
            || self.roles.get(identity.role.as_str()).is_some_and(old)
            || self.everything.as_ref().is_some_and(old)
    }
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
