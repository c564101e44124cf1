//! The log sealed anew with another key, and readers on both sides of that.

use std::time::Duration;

use object_store::memory::InMemory;

use super::*;
use crate::identity::Identity;
use crate::identity::revocation::{Revocations, Verdict};
use crate::identity::testing::now;
use crate::keyring::{KeyState, RingKey, SecretKey};

type Ring = Arc<ArcSwap<KeyRing>>;

fn keys(of: &[(&str, KeyState)]) -> KeyRing {
    let key = |(id, state): &(&str, KeyState)| {
        let bytes = std::array::from_fn(|_| id.as_bytes()[0]);
        RingKey { id: (*id).to_owned(), state: *state, key: SecretKey::from_bytes(bytes) }
    };
    KeyRing::new(of.iter().map(key).collect()).unwrap()
}

fn ring(of: &[(&str, KeyState)]) -> Ring {
    Arc::new(ArcSwap::from_pointee(keys(of)))
}

fn entry(role: &str) -> Entry {
    Entry { target: Target::Role(role.into()), before: now(), by: "admin".into(), reason: "test".into() }
}

fn verdict(revocations: &Revocations, role: &str) -> Verdict {
    revocations.verdict(&Identity::for_test("ada", role).until(now() + Duration::from_secs(3600)), now())
}

const OLD: [(&str, KeyState); 1] = [("a", KeyState::Active)];
const BOTH: [(&str, KeyState); 2] = [("a", KeyState::Active), ("b", KeyState::Published)];
const NEW: [(&str, KeyState); 1] = [("b", KeyState::Active)];

/// A log under `a` that revokes `r1`, its store, and a running reader with a ring of its own.
async fn world() -> (Arc<InMemory>, RevocationLog, Ring, Revocations) {
    let store = Arc::new(InMemory::new());
    let log = RevocationLog::new(store.clone(), ring(&BOTH));
    log.found("test", now()).await.unwrap();
    log.append(&entry("r1")).await.unwrap();
    let of_reader = ring(&OLD);
    let reader = Revocations::new(RevocationLog::new(store.clone(), of_reader.clone()));
    assert_eq!(reader.poll(now()).await.unwrap(), [entry("r1")]);
    (store, log, of_reader, reader)
}

#[tokio::test]
async fn regression_a_running_reader_follows_in_whichever_order_ring_and_store_change() {
    for ring_first in [true, false] {
        let (_, log, of_reader, reader) = world().await;
        log.append(&entry("r2")).await.unwrap();
        if ring_first {
            of_reader.store(Arc::new(keys(&NEW)));
            assert!(reader.poll(now()).await.is_err(), "what is new there cannot be verified");
            assert_eq!(verdict(&reader, "r9"), Verdict::Unknown);
            log.reseal(&keys(&NEW), "test", now()).await.unwrap();
        } else {
            log.reseal(&keys(&NEW), "test", now()).await.unwrap();
            assert!(reader.poll(now()).await.is_err(), "the reader has no key of the new folder yet");
            assert_eq!(verdict(&reader, "r9"), Verdict::Unknown);
            of_reader.store(Arc::new(keys(&NEW)));
        }
        assert_eq!(verdict(&reader, "r1"), Verdict::Revoked, "what was known stays known");
        let taken = reader.poll(now()).await.unwrap();
        assert_eq!(taken, [entry("r2")], "told once");
        assert_eq!(verdict(&reader, "r9"), Verdict::Stands);
        assert_eq!(verdict(&reader, "r2"), Verdict::Revoked);
        assert_eq!(reader.poll(now()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_reader_that_has_the_new_key_published_sees_no_gap() {
    let (store, log, _, _) = world().await;
    let reader = Revocations::new(RevocationLog::new(store, ring(&BOTH)));
    reader.poll(now()).await.unwrap();
    log.reseal(&keys(&NEW), "test", now()).await.unwrap();
    log.append(&entry("r2")).await.unwrap();
    assert_eq!(reader.poll(now()).await.unwrap(), [entry("r2")]);
    assert_eq!(verdict(&reader, "r9"), Verdict::Stands);
}

#[tokio::test]
async fn a_log_sealed_twice_is_read_from_its_beginning_with_the_last_key_alone() {
    let (store, log, _, _) = world().await;
    log.reseal(&keys(&NEW), "test", now()).await.unwrap();
    let second = RevocationLog::new(store.clone(), ring(&[("b", KeyState::Active), ("c", KeyState::Published)]));
    assert_eq!(second.append(&entry("r2")).await.unwrap(), 2);
    second.reseal(&keys(&[("c", KeyState::Active)]), "test", now()).await.unwrap();
    let fresh = Revocations::new(RevocationLog::new(store.clone(), ring(&[("c", KeyState::Active)])));
    assert_eq!(fresh.poll(now()).await.unwrap(), [entry("r1"), entry("r2")]);
    let old = RevocationLog::new(store, ring(&OLD));
    assert!(matches!(old.verify().await, Err(LogError::Broken { number: 0, .. })), "the first key reads it no more");
}

#[tokio::test]
async fn a_crash_before_the_switch_leaves_the_old_log() {
    let (store, log, _, reader) = world().await;
    // All that was written before the switch: a folder that nothing names.
    log.create(&keys(&NEW), "revocations-0123456789abcdef", 0, &Link::START, &entry("r8")).await.unwrap();
    assert_eq!(reader.poll(now()).await.unwrap(), []);
    assert_eq!(log.append(&entry("r2")).await.unwrap(), 2);
    log.reseal(&keys(&NEW), "test", now()).await.unwrap();
    assert_eq!(RevocationLog::new(store, ring(&NEW)).verify().await.unwrap(), 2);
}

#[tokio::test]
async fn revocations_at_the_moment_of_the_switch_are_not_lost() {
    let (store, log, _, _) = world().await;
    let append = |n: usize| {
        let log = log.clone();
        tokio::spawn(async move { log.append(&entry(&format!("p{n}"))).await.unwrap() })
    };
    let appending: Vec<_> = (0..6).map(append).collect();
    let sealing = tokio::spawn({
        let log = log.clone();
        async move { log.reseal(&keys(&NEW), "test", now()).await }
    });
    for appended in appending {
        appended.await.unwrap();
    }
    sealing.await.unwrap().unwrap();
    log.reseal(&keys(&NEW), "test", now()).await.unwrap();
    let fresh = Revocations::new(RevocationLog::new(store, ring(&NEW)));
    fresh.poll(now()).await.unwrap();
    assert!((0..6).all(|n| verdict(&fresh, &format!("p{n}")) == Verdict::Revoked));
}

#[tokio::test]
async fn a_reader_is_not_led_to_a_log_that_knows_less() {
    for known in [true, false] {
        let (store, log, of_reader, reader) = world().await;
        // A genuine log of the same service, from before `r1` was revoked.
        let less = "revocations-0123456789abcdef";
        let founding = log.stored(FOLDER, 0).await.unwrap().entry;
        let link = log.create(&keys(&NEW), less, 0, &Link::START, &founding).await.unwrap().unwrap();
        log.create(&keys(&NEW), less, 1, &link, &entry("r7")).await.unwrap();
        let forger = if known { keys(&[("a", KeyState::Active)]) } else { keys(&[("x", KeyState::Active)]) };
        let closing = Entry { target: Target::Continued(less.into()), ..entry("r1") };
        log.create(&forger, FOLDER, 2, &Link::START, &closing).await.unwrap();
        of_reader.store(Arc::new(keys(&BOTH)));
        assert!(matches!(reader.poll(now()).await, Err(LogError::Broken { .. })), "{known}");
        assert_eq!(verdict(&reader, "r9"), Verdict::Unknown);
        drop(store);
    }
}
