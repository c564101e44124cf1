//! The log of revocations against people who can write to its store.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::identity::testing::{now, ring};
use crate::identity::{Claims, Proof};

fn identity(role: &str) -> Identity {
    Identity {
        issuer: "https://login.example".into(),
        subject: "ada".into(),
        name: None,
        role: role.parse().unwrap(),
        claims: Claims::new(),
        session: "ASIAABCDEFGHIJKLMNOP".into(),
        session_name: None,
        parent: None,
        issued: now(),
        expires: now() + Duration::from_secs(3600),
        proof: Proof::Signature,
    }
}

fn entry(role: &str) -> Entry {
    Entry { target: Target::Role(role.into()), before: now(), by: "admin".into(), reason: "test".into() }
}

fn at(number: u32) -> Path {
    Path::from(format!("revocations/{number:010}.json"))
}

/// A log with the roles `r1`, `r2` and `r3` revoked, and its store.
async fn three() -> (Arc<InMemory>, RevocationLog) {
    let store = Arc::new(InMemory::new());
    let log = RevocationLog::new(store.clone(), ring());
    log.found("test", now()).await.unwrap();
    for number in 1..=3 {
        assert_eq!(log.append(&entry(&format!("r{number}"))).await.unwrap(), number);
    }
    (store, log)
}

async fn bytes(store: &InMemory, number: u32) -> Vec<u8> {
    store.get(&at(number)).await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn read_in_order_and_obeyed() {
    let (_, log) = three().await;
    let revocations = Revocations::new(log.clone());
    assert_eq!(revocations.verdict(&identity("r0"), now()), Verdict::Unknown, "before the first look");
    revocations.poll(now()).await.unwrap();
    assert_eq!(revocations.verdict(&identity("r0"), now()), Verdict::Stands);
    assert_eq!(revocations.verdict(&identity("r3"), now()), Verdict::Revoked);
    log.append(&entry("r0")).await.unwrap();
    assert!(revocations.allows(&identity("r0"), now()), "not yet read");
    revocations.poll(now()).await.unwrap();
    assert!(!revocations.allows(&identity("r0"), now()));
    assert_eq!(revocations.verdict(&identity("r9"), now() + Duration::from_secs(61)), Verdict::Unknown, "stale");
}

#[tokio::test]
async fn a_store_without_a_founding_entry_is_not_an_empty_log() {
    let log = RevocationLog::new(Arc::new(InMemory::new()), ring());
    let revocations = Revocations::new(log.clone());
    assert!(matches!(revocations.poll(now()).await, Err(LogError::Broken { number: 0, .. })));
    assert!(!revocations.allows(&identity("r0"), now()));
    assert!(log.append(&entry("r1")).await.is_err());
    assert!(log.found("test", now()).await.unwrap());
    assert!(!log.found("test", now()).await.unwrap(), "founded once");
    revocations.poll(now()).await.unwrap();
    assert!(revocations.allows(&identity("r0"), now()));
}

#[tokio::test]
async fn whatever_is_done_to_the_store_closes_both_new_and_old_readers() {
    type Change = fn(&[Vec<u8>]) -> Vec<(u32, Option<Vec<u8>>)>;
    let cases: [(&str, Change); 7] = [
        ("a middle one removed", |_| vec![(2, None)]),
        ("the first removed", |_| vec![(0, None)]),
        ("two swapped", |all| vec![(1, Some(all[2].clone())), (2, Some(all[1].clone()))]),
        ("one copied to the end", |all| vec![(4, Some(all[3].clone()))]),
        ("a role changed", |all| {
            let text = String::from_utf8(all[3].clone()).unwrap().replace("r3", "r7");
            vec![(3, Some(text.into_bytes()))]
        }),
        ("garbage added", |_| vec![(4, Some(b"{}".to_vec()))]),
        ("a number left out", |all| vec![(9, Some(all[3].clone()))]),
    ];
    for (what, change) in cases {
        let (store, log) = three().await;
        let mut all = Vec::new();
        for number in 0..=3 {
            all.push(bytes(&store, number).await);
        }
        for (number, body) in change(&all) {
            match body {
                Some(body) => drop(store.put(&at(number), body.into()).await.unwrap()),
                None => store.delete(&at(number)).await.unwrap(),
            }
        }
        let revocations = Revocations::new(log);
        assert!(matches!(revocations.poll(now()).await, Err(LogError::Broken { .. })), "{what}");
        assert!(!revocations.allows(&identity("r9"), now()), "{what}");
    }
}

#[tokio::test]
async fn a_removed_or_rewritten_end_shows_to_whoever_has_read_it() {
    let (store, log) = three().await;
    let revocations = Revocations::new(log.clone());
    revocations.poll(now()).await.unwrap();
    store.delete(&at(3)).await.unwrap();
    assert!(matches!(revocations.poll(now()).await, Err(LogError::Broken { number: 3, .. })));
    assert!(!revocations.allows(&identity("r9"), now()));
    assert_eq!(revocations.verdict(&identity("r3"), now()), Verdict::Revoked, "what was known stays known");

    assert_eq!(log.append(&entry("r5")).await.unwrap(), 3, "a fresh process does not know better");
    assert!(matches!(revocations.poll(now()).await, Err(LogError::Broken { number: 3, why: "was changed" })));
}

#[tokio::test]
async fn another_ring_writes_nothing_that_counts() {
    let (store, log) = three().await;
    let forger = RevocationLog::new(store.clone(), ring());
    assert!(matches!(forger.append(&entry("r8")).await, Err(LogError::Broken { number: 0, .. })));
    let mut forged: serde_json::Value = serde_json::from_slice(&bytes(&store, 3).await).unwrap();
    forged["mac"] = "00".repeat(32).into();
    store.put(&at(4), serde_json::to_vec(&forged).unwrap().into()).await.unwrap();
    assert!(Revocations::new(log).poll(now()).await.is_err());
}

#[tokio::test]
async fn many_append_at_once_and_none_is_lost() {
    let (_, log) = three().await;
    let append = |n: usize| {
        let log = log.clone();
        tokio::spawn(async move { log.append(&entry(&format!("p{n}"))).await })
    };
    let mut numbers = Vec::new();
    for appended in (0..8).map(append).collect::<Vec<_>>() {
        numbers.push(appended.await.unwrap().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (4..12).collect::<Vec<_>>());
    let revocations = Revocations::new(log);
    revocations.poll(now()).await.unwrap();
    assert!((0..8).all(|n| !revocations.allows(&identity(&format!("p{n}")), now())));
}

#[tokio::test]
async fn on_a_real_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let log = RevocationLog::new(store, ring());
    log.found("test", now()).await.unwrap();
    let revocations = Revocations::new(log.clone());
    revocations.poll(now()).await.unwrap();
    assert!(revocations.allows(&identity("r1"), now()));
    assert_eq!(log.append(&entry("r1")).await.unwrap(), 1);
    revocations.poll(now()).await.unwrap();
    assert!(!revocations.allows(&identity("r1"), now()));
    std::fs::remove_dir_all(folder.path().join("revocations")).unwrap();
    assert!(matches!(revocations.poll(now()).await, Err(LogError::Broken { number: 1, .. })));
    assert!(!revocations.allows(&identity("r9"), now()));
}
