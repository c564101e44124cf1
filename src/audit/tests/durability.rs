//! Nothing is answered before its entry is on the disk, and every entry gets its outcome.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::*;
use crate::audit::{Ended, Intent, Outcome, Recorded, Unavailable, Unproven};
use crate::policy::permit::Denial;
use crate::s3::operation::OpName;

#[tokio::test]
async fn nothing_is_recorded_before_its_sync() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    faults.hold_sync.store(true, Ordering::SeqCst);
    let before = faults.syncs.load(Ordering::SeqCst);

    let queued = journal.queue(permit("a"), &facts()).unwrap();
    let ask = async |intent: Intent<'_, Permit<GetObject>>| {
        eventually("the disk is at it", || faults.in_sync.load(Ordering::SeqCst)).await;
        let syncs = faults.syncs.load(Ordering::SeqCst);
        faults.hold_sync.store(false, Ordering::SeqCst);
        (intent.op().key.clone(), syncs)
    };
    let (recorded, (key, syncs_when_asked)) = queued.durable_with(ask).await.unwrap();
    assert_eq!(key.as_str(), "a");
    assert_eq!(syncs_when_asked, before, "the backend is asked while the disk still syncs");
    assert!(faults.syncs.load(Ordering::SeqCst) > before, "and nothing is handed out before it has");
    assert_eq!(recorded.intent().op().key.as_str(), "a");
    drop(recorded);
    journal.close().await;
}

#[tokio::test]
async fn an_entry_ends_as_it_is_told_or_as_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let ids: Vec<RequestFacts> = (0..4).map(|_| facts()).collect();

    let (_, entry) = journal.queue(permit("told"), &ids[0]).unwrap().durable().await.unwrap().into_parts();
    entry.close(Outcome { bytes: 42, ..Outcome::new(206, Ended::Cut("revoked")) });
    let mut proof = journal.queue(permit("split"), &ids[1]).unwrap().durable().await.unwrap();
    let entry = proof.detach();
    drop(proof);
    entry.tally().blanked(2);
    drop(entry);
    drop(journal.queue(permit("dropped while it waits"), &ids[2]).unwrap());
    let gone = journal.queue(permit("client gone"), &ids[3]).unwrap();
    let waiting = gone.durable_with(async |_| std::future::pending::<()>().await);
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    journal.close().await;

    let outcomes = of_kind(dir.path(), "s3.complete");
    let of = |facts: &RequestFacts| {
        let all: Vec<&Value> = outcomes.iter().filter(|entry| entry["id"] == facts.id.as_str()).collect();
        assert_eq!(all.len(), 1, "one outcome each");
        all[0]
    };
    let told = of(&ids[0]);
    assert_eq!((&told["outcome"], &told["reason"], &told["bytes"]), (&"cut".into(), &"revoked".into(), &42.into()));
    assert_eq!(told["status"], 206);
    let split = of(&ids[1]);
    assert_eq!((&split["outcome"], &split["bytes"], &split["blanked"]), (&"aborted".into(), &0.into(), &2.into()));
    assert_eq!(of(&ids[2])["outcome"], "aborted");
    assert_eq!(of(&ids[3])["outcome"], "aborted");
    let intents = of_kind(dir.path(), "s3.intent");
    for outcome in &outcomes {
        let intent = intents.iter().find(|intent| intent["id"] == outcome["id"]).unwrap();
        assert_eq!(outcome["intent"], intent["seq"]);
    }
}

#[tokio::test]
async fn a_denial_is_one_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let who = Arc::new(Identity::for_test("mallory", "guest"));
    let denial = Denial::for_test(who, OpName::GetObject, "traces/a/b", "guest lacks get");
    let recorded = journal.queue(denial, &facts()).unwrap().durable().await.unwrap();
    assert_eq!(recorded.reason(), "guest lacks get");
    drop(recorded);
    journal.close().await;
    let denials = of_kind(dir.path(), "s3.deny");
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0]["target"], serde_json::json!({"bucket": "traces", "key": "a/b"}));
    assert_eq!(denials[0]["decision"]["status"], 403);
    assert!(of_kind(dir.path(), "s3.complete").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_share_syncs_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    faults.sync_millis.store(1, Ordering::SeqCst);
    let journal = open_faulty(dir.path(), &faults);
    let tasks: Vec<_> = (0..64)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for turn in 0..20 {
                    let queued = journal.queue(permit(&format!("{writer}/{turn}")), &facts()).unwrap();
                    let (_, entry) = queued.durable().await.unwrap().into_parts();
                    entry.close(Outcome::new(200, Ended::Ok));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    journal.close().await;
    let all = entries(dir.path());
    let count = |kind: &str| all.iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!((count("s3.intent"), count("s3.complete")), (64 * 20, 64 * 20));
    assert!(all.iter().enumerate().all(|(at, entry)| entry["seq"] == at as u64), "numbers without a gap");
    assert!(all.windows(2).all(|pair| pair[0]["time"].as_str() <= pair[1]["time"].as_str()), "time never goes back");
    assert!(journal.stats().fsyncs < 64 * 20 / 4, "batches: {:?}", journal.stats());
    assert!(journal.stats().segments > 1, "the test is to change segments: {:?}", journal.stats());
    assert_eq!(journal.stats().queued, 0);
    assert_eq!(reopen(dir.path()).unwrap().orphans, 0);
}

/// Many requests that end while the disk is busy: their outcomes go out in batches of bounded size, and none is lost.
#[tokio::test]
async fn regression_outcomes_count_towards_the_size_of_a_batch() {
    const REQUESTS: usize = 6000;
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let disk = Arc::new(FaultyDisk(Arc::clone(&faults)));
    let (journal, _) = Journal::open_on(disk, options(dir.path()), Sizes::STANDARD).unwrap();
    let queued: Vec<_> = (0..REQUESTS).map(|_| journal.queue(permit("a"), &facts()).unwrap()).collect();
    let mut open = Vec::new();
    for queued in queued {
        open.push(queued.durable().await.unwrap().into_parts().1);
    }
    faults.hold_sync.store(true, Ordering::SeqCst);
    let busy = journal.queue(permit("b"), &facts()).unwrap();
    eventually("the disk is at it", || faults.in_sync.load(Ordering::SeqCst)).await;
    faults.largest_write.store(0, Ordering::SeqCst);
    let version = Some("v".repeat(crate::limits::LOG_TEXT_BYTES_MAX));
    for entry in open {
        entry.close(Outcome { version_id: version.clone(), ..Outcome::new(200, Ended::Ok) });
    }
    faults.hold_sync.store(false, Ordering::SeqCst);
    drop(busy.durable().await.unwrap());
    journal.close().await;
    let largest = faults.largest_write.load(Ordering::SeqCst) as usize;
    let bodies = crate::limits::JOURNAL_BATCH_BYTES_MAX;
    // Beside its body each entry has a frame and a front, of at most a third of these bodies.
    assert!(bodies / 2 < largest && largest < bodies + bodies / 3, "{largest}");
    let outcomes = of_kind(dir.path(), "s3.complete");
    assert_eq!(outcomes.iter().filter(|entry| entry["outcome"] == "ok").count(), REQUESTS);
    assert_eq!(reopen(dir.path()).unwrap().orphans, 0);
}

#[tokio::test]
async fn a_full_queue_refuses_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    faults.hold_sync.store(true, Ordering::SeqCst);
    let first = journal.queue(permit("a"), &facts()).unwrap();
    eventually("the disk is at it", || faults.in_sync.load(Ordering::SeqCst)).await;
    let waiting: Vec<_> =
        (0..crate::limits::JOURNAL_QUEUE_MAX).map(|_| journal.queue(permit("b"), &facts()).unwrap()).collect();
    assert_eq!(journal.queue(permit("c"), &facts()).unwrap_err(), Unavailable::Busy);
    drop(waiting); // Outcomes are taken all the same.
    faults.hold_sync.store(false, Ordering::SeqCst);
    drop(first.durable().await.unwrap());
    eventually("the queue drains", || journal.stats().queued == 0).await;
    drop(journal.queue(permit("d"), &facts()).unwrap().durable().await.unwrap());
    journal.close().await;
    let intents = of_kind(dir.path(), "s3.intent").len();
    assert_eq!((intents, of_kind(dir.path(), "s3.complete").len()), (crate::limits::JOURNAL_QUEUE_MAX + 2, intents));
}

#[tokio::test]
async fn one_process_at_a_time_and_none_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    assert!(matches!(reopen(dir.path()), Err(JournalError::Locked(_))));
    journal.close().await;
    assert_eq!(journal.queue(permit("a"), &facts()).unwrap_err(), Unavailable::Down);
    assert_eq!(entries(dir.path()).last().unwrap()["kind"], "log.stop");
    assert_eq!(reopen(dir.path()).unwrap(), Recovery { torn: None, orphans: 0, entries: 2 });
}

#[tokio::test]
async fn refusals_of_strangers_are_summed_up_within_their_part_of_the_space() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for network in 0..2000_u32 {
        for host in 0..3 {
            let peer = std::net::IpAddr::V4((network << 8 | host).into());
            journal.refused(peer, Unproven::Request("signature"), clock());
        }
    }
    journal.close().await;
    let summaries = of_kind(dir.path(), "refused.unproven");
    assert_eq!(summaries.iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>(), 6000, "none is lost");
    let bytes: usize = summaries.iter().map(|entry| entry.to_string().len()).sum();
    assert!(bytes > 0 && bytes as u64 <= SIZES.segment / 100, "{bytes}");
    assert_eq!(journal.stats().refusals, 6000);
}

/// The shape in which the gateway calls: behind a trait object, generic over the backend, in a future that must be
/// `Send`. That it compiles is the test.
#[async_trait]
trait Serve: Send + Sync {
    async fn serve(&self, key: &str) -> Result<Recorded<Permit<GetObject>>, Unavailable>;
}

#[async_trait]
trait Ask: Send + Sync {
    async fn ask(&self, intent: Intent<'_, Permit<GetObject>>, more: &str) -> usize;
}

struct Gateway<B> {
    journal: Journal,
    backend: B,
}

struct Length;

#[async_trait]
impl Ask for Length {
    async fn ask(&self, intent: Intent<'_, Permit<GetObject>>, more: &str) -> usize {
        tokio::task::yield_now().await;
        intent.op().key.as_str().len() + more.len()
    }
}

#[async_trait]
impl<B: Ask> Serve for Gateway<B> {
    async fn serve(&self, key: &str) -> Result<Recorded<Permit<GetObject>>, Unavailable> {
        let queued = self.journal.queue(permit(key), &facts())?;
        let more = String::from("!");
        let ask = async |intent: Intent<'_, Permit<GetObject>>| self.backend.ask(intent, &more).await;
        let (recorded, length) = queued.durable_with(ask).await?;
        assert_eq!(length, self.backend.ask(recorded.intent(), &more).await);
        Ok(recorded)
    }
}

#[tokio::test]
async fn the_wait_works_inside_a_boxed_future_that_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let gateway: Box<dyn Serve> = Box::new(Gateway { journal: open(dir.path()).0, backend: Length });
    let permit = permit("a/b");
    assert_eq!(Length.ask(Intent::for_test(&permit), "!").await, 4);
    let recorded = tokio::spawn(async move { gateway.serve("a/b").await }).await.unwrap().unwrap();
    assert_eq!(recorded.op().key.as_str(), "a/b");
}

/// Segments of full size: when it is dropped, the next one is still being filled.
#[tokio::test]
async fn regression_nothing_is_written_into_the_folder_of_a_journal_that_is_gone() {
    for closed in [false, true] {
        for _ in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let (journal, _) = Journal::open(options(dir.path())).unwrap();
            if closed {
                journal.close().await;
            }
            drop(journal);
            assert!(!dir.path().join("spare.tmp").exists(), "closed: {closed}");
            let (again, _) = Journal::open(options(dir.path())).expect("nobody holds its lock");
            drop(again);
            dir.close().expect("nothing was added while it was removed");
        }
    }
}
