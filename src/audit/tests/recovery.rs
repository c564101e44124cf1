//! What a start finds after a crash: interrupted writes are cut, requests in flight are closed, damage is refused.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::*;
use crate::audit::query::QueryError;
use crate::audit::segment::{self, Found};
use crate::audit::{Ended, Outcome};

/// A log of three requests, closed in order; and its only segment.
async fn log_of_three(dir: &Path) -> PathBuf {
    let (journal, _) = open(dir);
    for key in ["a", "b", "c"] {
        let (_, entry) = journal.queue(permit(key), &facts()).unwrap().durable().await.unwrap().into_parts();
        entry.close(Outcome::new(200, Ended::Ok));
    }
    journal.close().await;
    segment::list(dir).unwrap().pop().unwrap().path
}

/// Where each frame of a segment begins, and where the last one ends.
fn frames(path: &Path) -> Vec<u64> {
    let file = fs::File::open(path).unwrap();
    let mut at = vec![0];
    while let Found::Frame { next, .. } = segment::read_frame(&file, *at.last().unwrap()).unwrap() {
        at.push(next);
    }
    at
}

fn write(path: &Path, offset: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

/// A copy as a crash would leave it: read from the end backwards, so that no write stands in it without those before.
fn copy(from: &Path) -> tempfile::TempDir {
    const PAGE: usize = 4096;
    let to = tempfile::tempdir().unwrap();
    for segment in segment::list(from).unwrap().iter().rev() {
        let file = fs::File::open(&segment.path).unwrap();
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        for page in (0..bytes.len()).step_by(PAGE).rev() {
            let end = bytes.len().min(page + PAGE);
            file.read_exact_at(&mut bytes[page..end], page as u64).unwrap();
        }
        fs::write(to.path().join(segment.path.file_name().unwrap()), bytes).unwrap();
    }
    to
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_and_that_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = log_of_three(dir.path()).await;
    let frames = frames(&path);
    let (last, end) = (frames[frames.len() - 2], frames[frames.len() - 1]);
    let whole = fs::read(&path).unwrap();
    let count = entries(dir.path()).len();
    for cut in last..end {
        let torn = copy(dir.path());
        let path = torn.path().join(path.file_name().unwrap());
        write(&path, cut, &vec![0; (end - cut) as usize]);
        let recovery = reopen(torn.path()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert_eq!(recovery.entries, count as u64 - 1, "cut at {cut}");
        let found = recovery.torn.map(|torn| torn.offset);
        assert_eq!(found, (cut > last).then_some(last), "cut at {cut}");
        let after = entries(torn.path());
        let kinds: Vec<&str> = after[count - 1..].iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
        let expected: &[&str] = if cut > last { &["log.recovered", "log.start"] } else { &["log.start"] };
        assert_eq!(kinds, expected, "cut at {cut}");
        assert_eq!(fs::read(&path).unwrap()[..last as usize], whole[..last as usize], "nothing before it changes");
    }
}

#[tokio::test]
async fn damage_before_the_last_write_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = log_of_three(dir.path()).await;
    let whole = fs::read(&path).unwrap();
    let frames = frames(&path);
    for pair in frames.windows(2).take(frames.len() - 2) {
        for offset in [pair[0], pair[0] + 3, pair[0] + 4, pair[0] + 8, pair[1] - 1] {
            let damaged = copy(dir.path());
            let path = damaged.path().join(path.file_name().unwrap());
            write(&path, offset, &[whole[offset as usize] ^ 1]);
            match reopen(damaged.path()) {
                Err(JournalError::Damaged { path: named, offset: at }) => {
                    assert_eq!((named, at), (path.clone(), pair[0]))
                }
                other => panic!("byte {offset}: {other:?}"),
            }
            let mut reader = Reader::open(damaged.path()).unwrap();
            let end = loop {
                match reader.next_entry() {
                    Ok(entry) => assert!(entry.is_some(), "byte {offset}: the damage is passed over"),
                    Err(end) => break end,
                }
            };
            assert!(
                matches!(end, QueryError::Damaged { offset, .. } if offset == pair[0]),
                "a reader says so, too: {end}"
            );
            let mut expected = whole.clone();
            expected[offset as usize] ^= 1;
            assert!(fs::read(&path).unwrap() == expected, "byte {offset}");
        }
    }
}

#[tokio::test]
async fn a_missing_or_foreign_segment_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = log_of_three(dir.path()).await;
    fs::rename(&path, dir.path().join(format!("{:020}.seg", 5))).unwrap();
    assert!(matches!(reopen(dir.path()), Err(JournalError::Damaged { offset: 0, .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_crash_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (journal, acknowledged) = (journal.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for turn in 0..60 {
                    let queued = journal.queue(permit(&format!("{writer}/{turn}")), &facts()).unwrap();
                    let (_, entry) = queued.durable().await.unwrap().into_parts();
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    entry.close(Outcome::new(200, Ended::Ok));
                }
            })
        })
        .collect();
    let mut crashes = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let before = acknowledged.load(Ordering::SeqCst);
        let crashed = copy(dir.path());
        // A copy is not taken at one moment: where the log went on to another segment meanwhile, it proves nothing.
        if segment::list(crashed.path()).unwrap().len() == segment::list(dir.path()).unwrap().len() {
            let recovery = reopen(crashed.path()).unwrap();
            let intents = of_kind(crashed.path(), "s3.intent").len();
            assert!(intents as u64 >= before, "{intents} of {before}: {recovery:?}");
            let crashed_now = of_kind(crashed.path(), "s3.complete");
            assert_eq!(crashed_now.len(), intents, "every intent has an outcome");
            let unknown = crashed_now.iter().filter(|entry| entry["outcome"] == "unknown-crash").count();
            assert_eq!(unknown, recovery.orphans);
            crashes += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(crashes > 0);
    journal.close().await;
}

#[tokio::test]
async fn requests_in_flight_are_closed_once() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let recorded = journal.queue(permit("a"), &facts()).unwrap().durable().await.unwrap();
    let crashed = copy(dir.path());
    assert_eq!(reopen(crashed.path()).unwrap().orphans, 1);
    let outcome = of_kind(crashed.path(), "s3.complete").pop().unwrap();
    assert_eq!((&outcome["outcome"], &outcome["intent"]), (&"unknown-crash".into(), &1.into()));
    assert_eq!(outcome["id"], recorded.entry().id().as_str());
    eventually("the copy is free", || reopen(crashed.path()).is_ok_and(|again| again.orphans == 0)).await;
    drop(recorded);
    journal.close().await;
}

#[tokio::test]
async fn old_segments_end_with_their_retention_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { retention: Some(Duration::from_millis(50)), ..options(dir.path()) };
    let (journal, _) = Journal::open_on(Arc::new(SystemDisk), options, SIZES).unwrap();
    while journal.stats().segments < 3 {
        let (_, entry) =
            journal.queue(permit(&"k".repeat(1000)), &facts()).unwrap().durable().await.unwrap().into_parts();
        entry.close(Outcome::new(200, Ended::Ok));
    }
    eventually("old segments are removed", || {
        clock();
        journal.stats().segments == 1
    })
    .await;
    journal.close().await;
    let pruned = of_kind(dir.path(), "log.pruned");
    let first = entries(dir.path())[0]["seq"].clone();
    assert_eq!(pruned.last().unwrap()["before"], first);
    assert_eq!(reopen(dir.path()).unwrap().orphans, 0);
}
