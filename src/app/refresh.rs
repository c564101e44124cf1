//! The tasks that take up what changes: policies, keys, revocations. All or nothing; the last good one serves on, and
//! the log says what was taken up.
//!
//! A file is taken up once it looks the same in two looks in a row: whoever copies files into the folder must not see
//! half of them in force.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::audit::{Event, Journal};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::identity::revocation::Revocations;
use crate::identity::revocation_log::Entry;
use crate::keyring::{self, KeyRing};
use crate::limits;
use crate::rim::Rim;

/// Who is named in the log where a file changed and nobody says who changed it.
const OURSELVES: &str = "tracegate";

/// Loads the policy set anew when a file of its folder changes, and records what came of it.
pub(super) async fn policies(rim: Arc<Rim>, config: Config) {
    let mut settled = Settled::new(folder(&config.policies));
    loop {
        tokio::time::sleep(limits::POLICY_POLL).await;
        let stamps = folder(&config.policies);
        if !settled.is_news(&stamps) {
            continue;
        }
        let gateway = &rim.gateway;
        let before = gateway.rules.load().set.digest();
        let read = super::rules(&config);
        if folder(&config.policies) != stamps {
            // It changed while it was read: what was read may never have been meant.
            continue;
        }
        settled.take(stamps);
        let event = match read {
            Ok(rules) if rules.set.digest() == before => continue,
            Ok(rules) => {
                let (digest, roles) = (rules.set.digest(), rules.set.roles().count());
                gateway.rules.store(Arc::new(rules));
                rim.metrics.policy_loads.inc();
                tracing::info!(%digest, roles, "the changed policy set is in force");
                Event::PolicyLoaded { digest, previous: Some(before), roles }
            }
            Err(error) => {
                rim.metrics.policy_rejects.inc();
                tracing::error!(kept = %before, "the changed policy set was not taken:\n{error:#}");
                Event::PolicyRejected { kept: Some(before), reason: format!("{error:#}") }
            }
        };
        record(&gateway.journal, event).await;
    }
}

/// Tries once, at the start, which buckets keep roles that may only create from overwriting, and waits a moment for it.
pub(super) async fn creates(gateway: Arc<Gateway>) {
    let tries = tokio::spawn(async move {
        let rules = gateway.rules.load_full();
        for bucket in gateway.buckets.iter().filter(|bucket| rules.set.creates_in(bucket)) {
            gateway.creates.of(bucket, gateway.backend.as_ref()).await;
        }
    });
    if tokio::time::timeout(limits::START_PATIENCE, tries).await.is_err() {
        tracing::info!("what the buckets keep of conditional writes is still being tried");
    }
}

/// Reads the key ring anew when its file changes.
pub(super) async fn keys(ring: Arc<ArcSwap<KeyRing>>, file: PathBuf, journal: Journal) {
    let mut settled = Settled::new(stamp(&file));
    loop {
        tokio::time::sleep(limits::POLICY_POLL).await;
        let now = stamp(&file);
        if !settled.is_news(&now) {
            continue;
        }
        let read = keyring::file::read(&file);
        if stamp(&file) != now {
            continue;
        }
        settled.take(now);
        match read {
            Ok(fresh) => {
                let event = ring_in_use(&fresh);
                ring.store(Arc::new(fresh));
                tracing::info!("the changed key ring is in use");
                record(&journal, event).await;
            }
            Err(error) => tracing::error!(%error, "the changed key ring was not taken; the last one serves on"),
        }
    }
}

/// Reads the revocations anew, for ever.
pub(super) async fn revocations(revocations: Arc<Revocations>, journal: Journal) {
    let mut ticks = tokio::time::interval(limits::REVOCATION_POLL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match revocations.poll(Timestamp::now()).await {
            Ok(taken) => {
                if failing {
                    tracing::info!("revocations can be read again");
                }
                failing = false;
                for entry in &taken {
                    record(&journal, revoked(entry)).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "revocations cannot be read; soon nobody is served");
                failing = true;
            }
        }
    }
}

/// What the log says of a revocation that was taken up.
fn revoked(entry: &Entry) -> Event {
    Event::Admin { verb: "revoke", actor: entry.by.clone(), target: format!("{}: {}", entry.target, entry.reason) }
}

/// What the log says at start of the revocations that were there before.
pub(super) fn revocations_in_force(count: usize) -> Event {
    Event::Admin { verb: "revocations", actor: OURSELVES.to_owned(), target: format!("{count} in force") }
}

/// What the log says of a ring that is in use from now on: ids and states.
pub(super) fn ring_in_use(ring: &KeyRing) -> Event {
    let keys: Vec<String> = ring.keys().iter().map(|key| format!("{} {}", key.id, key.state.word())).collect();
    Event::Admin { verb: "keys", actor: OURSELVES.to_owned(), target: keys.join(", ") }
}

async fn record(journal: &Journal, event: Event) {
    if let Err(error) = journal.event(event).await {
        tracing::error!(%error, "a change could not be recorded");
    }
}

/// What was seen of something that others write, until it has come to rest.
struct Settled<T> {
    taken: T,
    last: T,
}

impl<T: PartialEq + Clone> Settled<T> {
    fn new(taken: T) -> Self {
        Self { last: taken.clone(), taken }
    }

    /// Whether it is not what was taken up, and looks as it did the last time.
    fn is_news(&mut self, now: &T) -> bool {
        let rests = self.last == *now;
        self.last = now.clone();
        rests && self.taken != *now
    }

    fn take(&mut self, now: T) {
        self.taken = now;
    }
}

/// Changes when a file of the folder is added, removed or written.
fn folder(dir: &Path) -> u64 {
    let mut stamps: Vec<(PathBuf, Option<(std::time::SystemTime, u64)>)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.path(), stamp(&entry.path())))
        .collect();
    stamps.sort();
    let mut hasher = DefaultHasher::new();
    stamps.hash(&mut hasher);
    hasher.finish()
}

fn stamp(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let facts = std::fs::metadata(file).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::revocation_log::Target;
    use crate::keyring::{KeyState, RingKey, SecretKey};

    #[test]
    fn regression_a_folder_that_is_being_written_is_not_taken_up() {
        let mut settled = Settled::new(0);
        let looks = [(0, false), (1, false), (2, false), (2, true), (2, true)];
        for (now, news) in looks {
            assert_eq!(settled.is_news(&now), news, "{now}");
        }
        settled.take(2);
        assert!(!settled.is_news(&2), "once");
        assert!(!settled.is_news(&0) && !settled.is_news(&2), "gone back before it came to rest");
    }

    #[test]
    fn what_the_log_says_of_revocations_and_rings() {
        let key = |id: &str, state| RingKey { id: id.into(), state, key: SecretKey::from_bytes([7; 32]) };
        let ring = KeyRing::new(vec![key("a", KeyState::Retired), key("b", KeyState::Active)]).unwrap();
        let Event::Admin { verb, target, .. } = ring_in_use(&ring) else { panic!("an admin's entry") };
        assert_eq!((verb, &*target), ("keys", "a retired, b active"));
        let role = Target::Role("support".into());
        let entry = Entry { target: role, before: Timestamp::UNIX_EPOCH, by: "eve".into(), reason: "review".into() };
        let Event::Admin { verb, actor, target } = revoked(&entry) else { panic!("an admin's entry") };
        assert_eq!((verb, &*actor, &*target), ("revoke", "eve", "role support: review"));
    }
}
