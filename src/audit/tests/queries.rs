//! Asking the log: each filter, the join, reading while it is written, listings.

use super::*;
use crate::audit::query::{self, Filter, PathGlob, QueryError, Row};
use crate::audit::{Ended, Event, Outcome, Unproven};
use crate::policy::permit::Denial;
use crate::s3::error::Code;
use crate::s3::operation::{HeadBucket, OpName};

fn ask(dir: &Path, mut filter: Filter) -> Vec<Row> {
    let mut rows = Vec::new();
    query::query(dir, &mut filter, |row| -> Result<(), QueryError> {
        rows.push(row.clone());
        Ok(())
    })
    .unwrap();
    rows
}

/// Three reads of two people, a denial, a dropped request and a refused stranger.
pub(crate) async fn some_log(dir: &Path) {
    let (journal, _) = open(dir);
    for (who, role, key, ended) in [
        ("dana", "auditor", "model-A/2026/run.jsonl", Ended::Ok),
        ("dana", "owner", "model-B/run.jsonl", Ended::ClientGone),
        ("kim", "auditor", "model-A/x", Ended::Refused(Code::PreconditionFailed)),
    ] {
        let permit = Permit::for_test(Arc::new(Identity::for_test(who, role)), get(key), None);
        let (_, entry) = journal.queue(permit, &facts()).unwrap().durable().await.unwrap().into_parts();
        entry.tally().hidden("pii", 3);
        entry.close(Outcome { bytes: 9, ..Outcome::new(200, ended) });
    }
    let who = Arc::new(Identity::for_test("kim", "auditor"));
    let denial = Denial::for_test(Arc::clone(&who), OpName::GetObject, "traces/model-C/x", "auditor lacks get");
    drop(journal.queue(denial, &facts()).unwrap().durable().await.unwrap());
    let head = HeadBucket { bucket: "traces".parse().unwrap() };
    drop(journal.queue(Permit::for_test(who, head, None), &facts()).unwrap().durable().await.unwrap());
    journal.refused("192.0.2.1".parse().unwrap(), Unproven::Session("expired"), clock());
    journal.close().await;
}

#[tokio::test]
async fn each_filter_admits_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path()).await;
    let all = ask(dir.path(), Filter::default());
    assert_eq!(all.len(), 8, "{all:#?}");
    let text = |text: &str| Some(text.to_owned());
    let glob = |glob: &str| Some(PathGlob::new(glob).unwrap());
    let check = |name: &str, filter: Filter, paths: &[&str]| {
        let found: Vec<String> = ask(dir.path(), filter).into_iter().map(|row| row.path.unwrap_or(row.kind)).collect();
        assert_eq!(found, paths, "{name}");
    };
    let (a, b, x, c) =
        ("traces/model-A/2026/run.jsonl", "traces/model-B/run.jsonl", "traces/model-A/x", "traces/model-C/x");
    check("key", Filter { path: glob("traces/model-A/*"), ..Filter::default() }, &[a, x]);
    check("key, one segment is not the whole", Filter { path: glob("model-A/*"), ..Filter::default() }, &[]);
    check("key, alternatives", Filter { path: glob("*/{run.jsonl,x}"), ..Filter::default() }, &[a, b, x, c]);
    check("who", Filter { principal: text("dana"), ..Filter::default() }, &[a, b]);
    check("role", Filter { role: text("owner"), ..Filter::default() }, &[b]);
    check("op", Filter { op: text("HeadBucket"), ..Filter::default() }, &["traces"]);
    check("kind", Filter { kind: text("session.refuse"), ..Filter::default() }, &["session.refuse"]);
    check("outcome", Filter { outcome: text("client-gone"), ..Filter::default() }, &[b]);
    check("aborted", Filter { outcome: text("aborted"), ..Filter::default() }, &["traces"]);
    check("denied", Filter { denied: true, ..Filter::default() }, &[c]);
    check("id", Filter { id: all[1].id.clone(), ..Filter::default() }, &[a]);
    let second = all[2].time;
    check("to", Filter { to: Some(second), ..Filter::default() }, &["log.start", a]);
    let both = Filter { from: Some(second), op: text("GetObject"), ..Filter::default() };
    check("from", both, &[b, x, c]);
}

#[tokio::test]
async fn a_row_joins_the_request_with_its_outcome() {
    let dir = tempfile::tempdir().unwrap();
    some_log(dir.path()).await;
    let row = ask(dir.path(), Filter { outcome: Some("refused".into()), ..Filter::default() }).remove(0);
    assert_eq!((row.sub.as_deref(), row.role.as_deref(), row.bytes), (Some("kim"), Some("auditor"), Some(9)));
    assert_eq!((row.reason.as_deref(), row.rule.as_deref()), (Some("PreconditionFailed"), Some("test/rule")));
    assert!(row.complete.unwrap() > row.seq);
    let summary = ask(dir.path(), Filter { kind: Some("session.refuse".into()), ..Filter::default() }).remove(0);
    assert_eq!((summary.count, summary.ip.as_deref()), (Some(1), Some("192.0.2.0/24")));
}

#[test]
fn globs_match_bytes_as_a_whole() {
    for (glob, path, matches) in [
        ("traces/*", "traces/a/b\nc", true),
        ("traces/?", "traces//", true),
        ("traces/*", "xtraces/a", false),
        ("traces/a", "traces/ab", false),
        ("*.json", "traces/..", false),
        ("**/..", "traces/..", true),
    ] {
        assert_eq!(PathGlob::new(glob).unwrap().matches(path), matches, "{glob} {path:?}");
    }
    assert!(PathGlob::new("a[").is_err());
}

#[tokio::test]
async fn a_reader_follows_the_writer_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut reader = Reader::open(dir.path()).unwrap();
    let mut seen = 0;
    while journal.stats().segments < 3 {
        let (_, entry) =
            journal.queue(permit(&"k".repeat(1000)), &facts()).unwrap().durable().await.unwrap().into_parts();
        entry.close(Outcome::new(200, Ended::Ok));
        while let Some(entry) = reader.next_entry().unwrap() {
            let entry: Value = serde_json::from_slice(&entry).unwrap();
            assert_eq!(entry["seq"], seen);
            seen += 1;
        }
    }
    journal.close().await;
    while reader.next_entry().unwrap().is_some() {
        seen += 1;
    }
    assert_eq!(seen, journal.stats().entries);
}

#[tokio::test]
async fn what_a_listing_shows_is_stored_once_under_its_keyed_digest() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let names = ["a/", "a/b", "z"];
    let shown = journal.store_listing(names.iter()).await.unwrap();
    assert_eq!((shown.count, shown.first.as_deref(), shown.last.as_deref()), (3, Some("a/"), Some("z")));
    assert_eq!(journal.store_listing(names.iter()).await.unwrap(), shown);
    let path = crate::audit::listing::path_of(dir.path(), &hex::encode(shown.digest));
    let lines = zstd::bulk::decompress(&std::fs::read(path).unwrap(), 1 << 20).unwrap();
    assert_eq!(lines, b"a/\na/b\nz\n");
    assert_ne!(shown.digest, *blake3::hash(&lines).as_bytes(), "without the key, a guess cannot be confirmed");
    assert_ne!(shown, journal.store_listing(["a/", "a/b"].iter()).await.unwrap());
    let empty = journal.store_listing(std::iter::empty::<&str>()).await.unwrap();
    assert_eq!((empty.count, empty.first), (0, None));
    journal.close().await;
}

#[tokio::test]
async fn reading_since_a_time_leaves_out_what_is_older_and_says_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let long = "k".repeat(1000);
    while journal.stats().segments < 3 {
        let queued = journal.queue(permit(&long), &facts()).unwrap();
        drop(queued.durable().await.unwrap());
    }
    journal.close().await;
    let all = entries(dir.path());
    let time = |at: usize| all[at]["time"].as_str().unwrap().parse().unwrap();
    let first = |from| {
        let (mut reader, whole) = Reader::since(dir.path(), from).unwrap();
        let entry: Value = serde_json::from_slice(&reader.next_entry().unwrap().unwrap()).unwrap();
        (entry["seq"].as_u64().unwrap(), whole)
    };
    assert_eq!(first(time(0)), (0, true), "an unbroken log holds everything");
    let (second, _) = first(time(all.len() - 1));
    assert!(second > 0, "whole segments that are older are left out");
    let segments = crate::audit::segment::list(dir.path()).unwrap();
    std::fs::remove_file(&segments[0].path).unwrap();
    let kept = segments[1].base;
    assert_eq!(first(time(0)), (kept, false));
    assert_eq!(first(time(kept as usize)), (kept, false), "an entry of that very time may have gone");
    assert!(first(time(all.len() - 1)).1);
    segments[1..].iter().for_each(|segment| std::fs::remove_file(&segment.path).unwrap());
    assert!(matches!(Reader::since(dir.path(), time(0)), Err(QueryError::NoLog(_))));
}

#[tokio::test]
async fn regression_what_administrators_did_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let event = Event::Admin { verb: "revoke", actor: "eve".into(), target: "role support: under review".into() };
    journal.event(event).await.unwrap();
    journal.close().await;
    let rows = ask(dir.path(), Filter { kind: Some("admin.revoke".into()), ..Filter::default() });
    let [row] = &rows[..] else { panic!("{rows:#?}") };
    assert_eq!((row.name.as_deref(), row.reason.as_deref()), (Some("eve"), Some("role support: under review")));
}
