//! How many entries per second become durable, and how long each waits, with 64 writers on this machine's disk; then how
//! fast all of them are verified.
//!
//! The folder is that of `TMPDIR`; on a file system in memory the figures say nothing.

mod common;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracegate::audit::journal::SpaceLeft;
use tracegate::audit::tlog::SigningKeys;
use tracegate::audit::verify::{Terms, verify};
use tracegate::audit::{Event, Journal, JournalOptions};
use tracegate::keyring::{KeyRing, SecretKey};

use common::figure;

const WRITERS: usize = 64;
const RUN: Duration = Duration::from_secs(5);

fn main() {
    let dir = tempfile::tempdir().expect("a folder for the log");
    let signing = SigningKeys::of(&KeyRing::ephemeral(), "bench/audit/r1");
    let terms = Terms { keys: signing.verifiers(), ..Terms::default() };
    let options = JournalOptions {
        dir: dir.path().to_owned(),
        log_name: "bench/audit/r1".into(),
        digest_key: SecretKey::random(),
        signing,
        retention: None,
        space: SpaceLeft { warn: 0, min: 0 },
        clock: Timestamp::now,
    };
    let (journal, _) = Journal::open(options).expect("a fresh log opens");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let mut waits = runtime.block_on(write_for(&journal, RUN));
    runtime.block_on(journal.close());
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    figure("audit_entries_per_s_64", waits.len() as f64 / RUN.as_secs_f64(), "1/s");
    figure("audit_p99_ms_64", p99.as_secs_f64() * 1000.0, "ms");
    let began = Instant::now();
    let report = verify(dir.path(), &terms, &mut |_, _| {}).expect("the log can be read");
    assert!(report.finding.is_none() && report.signed > waits.len() as u64, "{report:?}");
    figure("audit_verified_per_s", report.signed as f64 / began.elapsed().as_secs_f64(), "1/s");
}

/// Every writer records one entry after the other, each about as large as that of a request.
async fn write_for(journal: &Journal, time: Duration) -> Vec<Duration> {
    let end = Instant::now() + time;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while Instant::now() < end {
                    let began = Instant::now();
                    let event = Event::Admin { verb: "bench", actor: "x".repeat(100), target: "y".repeat(600) };
                    journal.event(event).await.expect("the disk has room for a bench");
                    waits.push(began.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for writer in writers {
        waits.extend(writer.await.expect("a writer ends"));
    }
    waits
}
