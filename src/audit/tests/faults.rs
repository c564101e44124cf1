//! A disk that is full, fails or dawdles: nothing is served then, and what was served keeps its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::audit::{Ended, OpenEntry, Outcome, State, Unavailable, Unproven};

async fn served(journal: &Journal, key: &str) -> Result<OpenEntry, Unavailable> {
    Ok(journal.queue(permit(key), &facts())?.durable().await?.into_parts().1)
}

#[tokio::test]
async fn a_failed_sync_or_write_is_the_end() {
    type Fault = fn(&Faults) -> &AtomicBool;
    let faults_of: [Fault; 2] = [|faults| &faults.fail_sync, |faults| &faults.fail_write];
    for fail in faults_of {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let journal = open_faulty(dir.path(), &faults);
        let entry = served(&journal, "before").await.unwrap();
        fail(&faults).store(true, Ordering::SeqCst);
        assert_eq!(served(&journal, "during").await.unwrap_err(), Unavailable::Down);
        tokio::time::timeout(Duration::from_secs(5), journal.died()).await.expect("whoever waits for it is told");
        fail(&faults).store(false, Ordering::SeqCst);
        assert_eq!(served(&journal, "after").await.unwrap_err(), Unavailable::Down, "a retry would lie");
        assert_eq!(journal.stats().state, State::Dead);
        entry.close(Outcome::new(200, Ended::Ok));
        journal.close().await;
        let recovery = reopen(dir.path()).unwrap();
        assert!(recovery.orphans >= 1, "{recovery:?}");
    }
}

#[tokio::test]
async fn a_failing_disk_ends_the_asking_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    faults.fail_sync.store(true, Ordering::SeqCst);
    let queued = journal.queue(permit("a"), &facts()).unwrap();
    let waiting = queued.durable_with(async |_| std::future::pending::<()>().await);
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it does not wait for the backend");
    assert_eq!(ended.unwrap_err(), Unavailable::Down);
}

#[tokio::test]
async fn a_full_disk_refuses_the_new_and_keeps_room_for_outcomes() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    let mut open = Vec::new();
    for key in 0..10 {
        open.push(served(&journal, &format!("open/{key}")).await.unwrap());
    }
    faults.no_new_files.store(true, Ordering::SeqCst);
    let mut served_until_full = 0;
    let refused = loop {
        match served(&journal, &"k".repeat(1000)).await {
            Ok(entry) => entry.close(Outcome::new(200, Ended::Ok)),
            Err(why) => break why,
        }
        served_until_full += 1;
        assert!(served_until_full < 10_000, "two segments are not endless");
    };
    assert_eq!(refused, Unavailable::Full);
    eventually("the state shows it", || journal.stats().state == State::Full).await;
    assert_eq!(journal.queue(permit("a"), &facts()).unwrap_err(), Unavailable::Full, "before the backend is asked");
    let longest = "x".repeat(10_000);
    for entry in open {
        entry.close(Outcome { version_id: Some(longest.clone()), ..Outcome::new(200, Ended::Ok) });
    }
    journal.refused("192.0.2.1".parse().unwrap(), Unproven::Request("signature"), clock());
    eventually("outcomes are written", || journal.stats().open == 0).await;

    faults.no_new_files.store(false, Ordering::SeqCst);
    eventually("with space comes service", || journal.stats().state == State::Ok).await;
    served(&journal, "again").await.unwrap().close(Outcome::new(200, Ended::Ok));
    journal.close().await;
    assert_eq!(of_kind(dir.path(), "s3.complete").len(), 10 + served_until_full + 1);
    assert_eq!(reopen(dir.path()).unwrap().orphans, 0);
}

#[tokio::test]
async fn a_write_that_the_full_disk_breaks_off_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    let before = served(&journal, "before").await.unwrap();
    // One batch of an outcome and two intents: hold the disk while it gathers.
    faults.hold_sync.store(true, Ordering::SeqCst);
    let held = journal.queue(permit("held"), &facts()).unwrap();
    eventually("the disk is at it", || faults.in_sync.load(Ordering::SeqCst)).await;
    let refused = [permit("one"), permit("two")].map(|permit| journal.queue(permit, &facts()).unwrap());
    before.close(Outcome::new(200, Ended::Ok));
    faults.full_writes.store(2, Ordering::SeqCst);
    faults.hold_sync.store(false, Ordering::SeqCst);
    for queued in refused {
        assert_eq!(queued.durable().await.unwrap_err(), Unavailable::Full);
    }
    drop(held.durable().await.unwrap());
    eventually("outcomes are written", || journal.stats().open == 0).await;
    eventually("with space comes service", || journal.stats().state == State::Ok).await;
    served(&journal, "after").await.unwrap().close(Outcome::new(200, Ended::Ok));
    journal.close().await;
    let keys: Vec<String> = of_kind(dir.path(), "s3.intent").iter().map(|e| e["target"]["key"].to_string()).collect();
    assert_eq!(keys, [r#""before""#, r#""held""#, r#""after""#]);
    assert_eq!(of_kind(dir.path(), "s3.complete").len(), 3);
    assert_eq!(reopen(dir.path()).unwrap().torn, None);
}

#[tokio::test]
async fn short_writes_are_completed() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    faults.short_writes.store(7, Ordering::SeqCst);
    let journal = open_faulty(dir.path(), &faults);
    for key in ["a", "b", "c"] {
        served(&journal, key).await.unwrap().close(Outcome::new(200, Ended::Ok));
    }
    journal.close().await;
    assert_eq!(of_kind(dir.path(), "s3.complete").len(), 3);
    assert_eq!(reopen(dir.path()).unwrap().torn, None);
}

#[tokio::test]
async fn little_free_space_warns_and_less_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let options = JournalOptions { space: SpaceLeft { warn: 2000, min: 1000 }, ..options(dir.path()) };
    let journal = Journal::open_on(Arc::new(FaultyDisk(Arc::clone(&faults))), options, SIZES).unwrap().0;
    faults.free.store(1500, Ordering::SeqCst);
    eventually("it warns", || journal.stats().state == State::SpaceLow).await;
    let entry = served(&journal, "still served").await.unwrap();
    faults.free.store(500, Ordering::SeqCst);
    eventually("it refuses", || journal.stats().state == State::SpaceShort).await;
    assert_eq!(served(&journal, "a").await.unwrap_err(), Unavailable::Full);
    let listing = journal.store_listing(["a"].iter()).await;
    assert_eq!(listing.unwrap_err(), Unavailable::Full, "listings obey, too");
    entry.close(Outcome::new(200, Ended::Ok));
    journal.close().await;
    assert_eq!(of_kind(dir.path(), "s3.complete").len(), 1);
}

#[tokio::test]
async fn a_listing_that_cannot_be_stored_does_not_leave() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    faults.no_new_files.store(true, Ordering::SeqCst);
    assert_eq!(journal.store_listing(["a", "b"].iter()).await.unwrap_err(), Unavailable::Full);
    journal.close().await;
}
