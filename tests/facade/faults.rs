//! A bucket that fails: the right error of S3, or an answer cut in its framing; never the backend's words, never a short
//! answer that looks whole, and the log says how it ended.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;

use super::facade::{Facade, content, within};
use super::wire::{self, Answer, Ask};

/// What the backend says, and must not leave.
const WORDS: &str = "inner-traces at 10.0.0.7 says AKIASECRET";

fn troubles() -> Vec<(Trouble, u16, &'static str)> {
    vec![
        (Trouble::NoSuchKey, 404, "NoSuchKey"),
        (Trouble::NoSuchBucket, 404, "NoSuchBucket"),
        (Trouble::InvalidRange { size: Some(5) }, 416, "InvalidRange"),
        (Trouble::InvalidRange { size: None }, 416, "InvalidRange"),
        (Trouble::Changed, 412, "PreconditionFailed"),
        (Trouble::Archived, 403, "InvalidObjectState"),
        (Trouble::KeyService(WORDS.into()), 403, "AccessDenied"),
        (Trouble::Refused(WORDS.into()), 503, "ServiceUnavailable"),
        (Trouble::Busy, 503, "SlowDown"),
        (Trouble::Timeout, 503, "ServiceUnavailable"),
        (Trouble::Broken(WORDS.into()), 503, "ServiceUnavailable"),
    ]
}

fn check_silent(answer: &Answer) {
    let all = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    for word in WORDS.split(' ') {
        assert!(word.len() < 4 || !all.contains(word), "the backend's words leave: {all}");
    }
    assert!(!all.contains("inner-"), "{all}");
}

#[tokio::test]
async fn each_trouble_is_its_own_error_of_s3() {
    let facade = Facade::start().await;
    facade.put("a.json", "{\"n\":1}");
    let mut expected = 0;
    for (trouble, status, code) in troubles() {
        for fault in [Fault::Before(trouble.clone()), Fault::After(trouble.clone())] {
            for (role, ask) in [
                ("raw", Ask::get("/traces/a.json")),
                ("masked", Ask::get("/traces/a.json")),
                ("raw", Ask::head("/traces/a.json")),
                ("raw", Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "ETag")),
            ] {
                facade.backend.cue(fault.clone());
                let answer = facade.as_role(role, ask.clone()).await;
                let what = format!("{fault:?} {role} {} {}: {}", ask.method, ask.target, answer.text());
                assert_eq!(answer.status, status, "{what}");
                assert!(ask.method == "HEAD" || answer.code() == code, "{what}");
                assert!(answer.whole, "{what}");
                check_silent(&answer);
                expected += 1;
            }
        }
    }
    let log = facade.stopped().await;
    let outcomes: Vec<_> =
        log.of_kind("s3.intent").into_iter().filter(|row| row.outcome.as_deref() == Some("refused")).collect();
    assert_eq!(outcomes.len(), expected, "each is on the record with its outcome");
    assert!(!format!("{:?}", log.entries).contains("AKIASECRET"));
}

#[tokio::test]
async fn a_listing_that_fails_is_an_error() {
    let facade = Facade::start().await;
    facade.put("a", "a");
    for (trouble, status, code) in [
        (Trouble::NoSuchBucket, 404, "NoSuchBucket"),
        (Trouble::Busy, 503, "SlowDown"),
        (Trouble::Timeout, 503, "ServiceUnavailable"),
        (Trouble::Refused(WORDS.into()), 503, "ServiceUnavailable"),
        (Trouble::Broken(WORDS.into()), 503, "ServiceUnavailable"),
    ] {
        facade.backend.cue(Fault::After(trouble));
        let answer = facade.as_role("raw", Ask::get("/traces?list-type=2")).await;
        assert_eq!((answer.status, answer.code()), (status, code));
        check_silent(&answer);
    }
}

#[tokio::test]
async fn archived_objects_say_so_and_have_a_head() {
    let facade = Facade::start().await;
    facade.put_content("a.json", content("{}").archived());
    for role in ["raw", "masked"] {
        let get = facade.as_role(role, Ask::get("/traces/a.json")).await;
        assert_eq!((get.status, get.code()), (403, "InvalidObjectState"));
        let head = facade.as_role(role, Ask::head("/traces/a.json")).await;
        assert_eq!((head.status, head.header("x-amz-storage-class")), (200, Some("GLACIER")));
    }
    let listing = facade.as_role("raw", Ask::get("/traces?list-type=2")).await;
    assert_eq!(listing.element("StorageClass"), Some("GLACIER"));
}

/// An answer whose body breaks off: whatever came is a beginning, and the client knows that it is no more.
async fn check_cut(fault: Fault, role: &str, outcome: &str) {
    let facade = Facade::start().await;
    let line = "{\"email\":\"ada@example.com\",\"n\":12345678}\n";
    facade.put("a.jsonl", line.repeat(20_000));
    facade.backend.cue(fault.clone());
    let answer = facade.as_role(role, Ask::get("/traces/a.jsonl")).await;
    assert_eq!(answer.status, 200, "{fault:?} {role}: {}", answer.text());
    assert!(!answer.whole, "{fault:?} {role}: taken for whole");
    check_silent(&answer);
    let log = facade.stopped().await;
    let rows = log.of_kind("s3.intent");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome.as_deref(), Some(outcome), "{fault:?} {role}");
    let counted = rows[0].bytes.unwrap();
    assert!(counted >= answer.body.len() as u64, "{fault:?} {role}: {counted} {}", answer.body.len());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut_in_its_framing() {
    for role in ["raw", "masked"] {
        check_cut(Fault::CutBody(300_000), role, "backend").await;
        check_cut(Fault::LongHead(1), role, "backend").await;
        check_cut(Fault::LongHead(1_000_000), role, "backend").await;
    }
}

#[tokio::test]
async fn an_object_that_changes_between_two_reads_is_not_mixed() {
    let facade = Facade::start().await;
    facade.put("a.json", format!("[{}1]", "{\"email\":\"ada@example.com\"},".repeat(20_000)));
    // A range deep in a document under a mask reads twice: the second read is pinned to the tag of the first, which is another now.
    facade.backend.cue(Fault::OtherTag);
    let answer = facade.as_role("masked", Ask::get("/traces/a.json").with("range", "bytes=400000-400100")).await;
    assert!(answer.status >= 400 || !answer.whole, "{}", answer.text());
    check_silent(&answer);
}

#[tokio::test]
async fn a_backend_that_never_answers_holds_nobody_who_leaves() {
    let facade = Facade::start().await;
    facade.put("a.json", "{}");
    facade.backend.cue(Fault::NoAnswer);
    let ask = Ask::get("/traces/a.json").with("host", facade.http.to_string()).bearer(&facade.token("raw"));
    let mut socket = wire::open(facade.http, &ask).await;
    let mut byte = [0];
    let waited = tokio::time::timeout(Duration::from_millis(300), socket.read(&mut byte)).await;
    assert!(waited.is_err(), "nothing comes");
    drop(socket);
    within(Duration::from_secs(5), "the entry is closed", async || {
        facade.log().of_kind("s3.intent").iter().any(|row| row.outcome.as_deref() == Some("aborted"))
    })
    .await;
    assert_eq!(facade.as_role("raw", Ask::get("/traces/a.json")).await.text(), "{}", "and it serves on");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_is_on_the_record() {
    let facade = Facade::start().await;
    facade.put("a.bin", vec![b'x'; 1_000_000]);
    facade.backend.cue(Fault::StallBody(200_000));
    let ask = Ask::get("/traces/a.bin").with("host", facade.http.to_string()).bearer(&facade.token("raw"));
    let mut socket = wire::open(facade.http, &ask).await;
    let mut read = vec![0; 100_000];
    socket.read_exact(&mut read).await.unwrap();
    socket.shutdown().await.unwrap();
    drop(socket);
    within(Duration::from_secs(5), "the entry is closed", async || {
        let log = facade.log();
        let rows = log.of_kind("s3.intent");
        rows.iter().any(|row| row.outcome.as_deref() == Some("client-gone") && row.bytes == Some(200_000))
    })
    .await;
}
