//! What the log holds of each kind of request: its entries, all of them, and nothing that undoes a mask.

use std::time::Duration;

use serde_json::json;
use tracegate::keyring::{Purpose, file};

use super::facade::{Facade, within};
use super::wire::Ask;

const JSON: &str = "{\"email\":\"ada@example.com\",\"api_key\":\"k-123456789\"}";

/// The one request leaves exactly these lines: `kind operation path outcome status`.
async fn check(role: &str, ask: Ask, expected: &[&str]) {
    let facade = Facade::start().await;
    facade.put("a.json", JSON);
    facade.put("narrow/b.json", JSON);
    let what = format!("{role} {} {} {:?}", ask.method, ask.target, ask.headers);
    let answer = facade.as_role(role, ask).await;
    let log = facade.stopped().await;
    assert_eq!(log.requests(), expected, "{what}");
    for row in log.rows.iter().filter(|row| row.kind.starts_with("s3.")) {
        assert_eq!(row.id.as_deref(), answer.header("x-amz-request-id"), "{what}");
        assert_eq!(row.status, Some(answer.status), "{what}: the status that was sent");
        assert_eq!((row.role.as_deref(), row.sub.clone()), (Some(role), Some(format!("{role}-person"))), "{what}");
    }
    assert!(log.of_kind("refused.unproven").is_empty(), "{what}: the caller is known by name");
}

#[tokio::test]
async fn each_request_leaves_its_entries() {
    let object = || Ask::get("/traces/a.json");
    for (role, ask, expected) in [
        ("raw", object(), "s3.intent GetObject traces/a.json ok 200"),
        ("masked", object().with("range", "bytes=0-3"), "s3.intent GetObject traces/a.json ok 206"),
        ("raw", Ask::head("/traces/a.json"), "s3.intent HeadObject traces/a.json ok 200"),
        ("raw", Ask::head("/traces/a.json").with("range", "bytes=0-3"), "s3.intent HeadObject traces/a.json ok 206"),
        ("raw", object().with("if-none-match", "*"), "s3.intent GetObject traces/a.json refused 304"),
        ("raw", object().with("if-match", "\"x\""), "s3.intent GetObject traces/a.json refused 412"),
        ("raw", object().with("range", "bytes=999-"), "s3.intent GetObject traces/a.json refused 416"),
        ("raw", Ask::get("/traces/none"), "s3.intent GetObject traces/none refused 404"),
        ("raw", Ask::get("/traces?list-type=2"), "s3.intent ListObjectsV2 traces/ ok 200"),
        ("raw", Ask::get("/traces?prefix=nar"), "s3.intent ListObjects traces/nar ok 200"),
        ("raw", Ask::get("/"), "s3.intent ListBuckets - ok 200"),
        ("raw", Ask::head("/traces"), "s3.intent HeadBucket traces ok 200"),
        ("raw", Ask::get("/traces?location"), "s3.intent GetBucketLocation traces ok 200"),
        ("raw", Ask::get("/traces?versioning"), "s3.intent GetBucketVersioning traces ok 200"),
        ("masked", Ask::get("/empty?versioning"), "s3.deny GetBucketVersioning empty denied 403"),
        ("narrow", object(), "s3.deny GetObject traces/a.json denied 403"),
        ("narrow", Ask::get("/traces/narrow"), "s3.deny GetObject traces/narrow denied 404"),
        ("reader", Ask::get("/traces?list-type=2"), "s3.deny ListObjectsV2 traces denied 403"),
        ("raw", Ask::get("/unknown/a.json"), "s3.deny GetObject unknown/a.json denied 403"),
        ("masked", Ask::head("/empty"), "s3.deny HeadBucket empty denied 403"),
    ] {
        check(role, ask, &[expected]).await;
    }
    let attributes = Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "ETag");
    check("raw", attributes, &["s3.intent GetObjectAttributes traces/a.json ok 200"]).await;
}

/// A proven caller's request that cannot be read is on the record by name, too.
#[tokio::test]
async fn a_malformed_request_of_a_proven_caller_is_on_the_record() {
    for (ask, status) in [
        (Ask::get("/traces?list-type=2&max-keys=x"), 400),
        (Ask::get("/traces?list-type=2&max-keys=-1"), 400),
        (Ask::get("/traces?encoding-type=base64"), 400),
        (Ask::get("/traces/a.json?partNumber=0"), 400),
        (Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "Everything"), 400),
    ] {
        check("raw", ask, &[&format!("s3.refuse - - - {status}")]).await;
    }
}

#[tokio::test]
async fn refusals_of_the_unproven_are_counted_together() {
    let facade = Facade::start().await;
    for _ in 0..3 {
        facade.send(Ask::get("/traces/a.json")).await;
        facade.send(Ask::get("/traces/a.json").bearer("a.b.c")).await;
        facade.send(Ask::get("/traces?acl").bearer(&facade.token("raw"))).await;
        facade.send(Ask::get("/-/credentials").bearer("a.b.c")).await;
        facade.send(Ask::form("/", "Action=Nothing")).await;
    }
    let log = facade.stopped().await;
    assert_eq!(log.requests(), Vec::<String>::new());
    let mut counts: Vec<_> = log
        .rows
        .iter()
        .filter_map(|row| Some((row.kind.as_str(), row.reason.as_deref()?, row.ip.as_deref()?, row.count?)))
        .collect();
    counts.sort_unstable();
    assert_eq!(
        counts,
        [
            ("refused.unproven", "malformed", "127.0.0.0/24", 3),
            ("refused.unproven", "not-served", "127.0.0.0/24", 3),
            ("refused.unproven", "unproven", "127.0.0.0/24", 3),
            ("session.refuse", "malformed", "127.0.0.0/24", 3),
            ("session.refuse", "token", "127.0.0.0/24", 3),
        ]
    );
}

#[tokio::test]
async fn bytes_counts_and_digests_are_those_of_what_left() {
    let facade = Facade::start().await;
    facade.put("a.jsonl", format!("{JSON}\n{JSON}\n"));
    let masked = facade.as_role("masked", Ask::get("/traces/a.jsonl")).await;
    let part = facade.as_role("masked", Ask::get("/traces/a.jsonl").with("range", "bytes=5-30")).await;
    let raw = facade.as_role("raw", Ask::get("/traces/a.jsonl")).await;
    let head = facade.as_role("masked", Ask::head("/traces/a.jsonl")).await;
    let ring = file::read(&facade.file("keys.toml")).unwrap();
    let key = ring.active(Purpose::LogDigest).1;
    let digest = |bytes: &[u8]| {
        let mut hasher = key.hasher();
        hasher.update(bytes);
        json!(hex::encode(hasher.finalize().as_bytes()))
    };
    let log = facade.stopped().await;
    let entries = log.entries_of("s3.complete");
    let tag = |answer: &super::wire::Answer| json!(answer.header("etag").unwrap().trim_matches('"'));
    assert_eq!(entries[0]["digest"], digest(&masked.body));
    assert_eq!(entries[0]["bytes"], json!(masked.body.len()));
    assert_eq!(entries[0]["redactions"], json!([["pii", 2], ["secrets", 2]]));
    assert_eq!(entries[0]["etag"], tag(&masked));
    assert_eq!((&entries[1]["digest"], &entries[1]["bytes"]), (&digest(&part.body), &json!(26)));
    assert_eq!((entries[2].get("digest"), &entries[2]["bytes"]), (None, &json!(raw.body.len())), "raw reads need none");
    assert_eq!(entries[2]["etag"], tag(&raw));
    assert_eq!((&entries[3]["bytes"], tag(&head)), (&json!(0), tag(&masked)));
    let text = serde_json::to_string(&log.entries).unwrap();
    for secret in ["ada@example.com", "k-123456789", "REDACTED"] {
        assert!(!text.contains(secret), "the log unmasks nothing");
    }
}

/// A caller may send the original's tag under a masked view; the log must not keep what the view hides.
#[tokio::test]
async fn tags_that_a_masked_caller_sends_are_hashed() {
    let facade = Facade::start().await;
    facade.put("a.json", JSON);
    let original = "0123456789abcdef0123456789abcdef";
    for role in ["masked", "raw"] {
        facade.as_role(role, Ask::get("/traces/a.json").with("if-match", format!("\"{original}\""))).await;
    }
    let log = facade.stopped().await;
    let conditions: Vec<&serde_json::Value> = log.entries_of("s3.intent").iter().map(|entry| &entry["cond"]).collect();
    assert!(!conditions[0].to_string().contains(original), "{}", conditions[0]);
    assert!(conditions[1].to_string().contains(original), "{}", conditions[1]);
}

#[tokio::test]
async fn a_listing_leaves_the_digest_of_its_names_and_the_names_beside_it() {
    let facade = Facade::start().await;
    for key in ["narrow/a", "narrow/b/c", "narrow/d", "other"] {
        facade.put(key, "x");
    }
    facade.as_role("narrow", Ask::get("/traces?list-type=2&prefix=narrow%2F&delimiter=%2F")).await;
    let dir = facade.file("log");
    within(Duration::from_secs(5), "the outcome is written", async || {
        !facade.log().entries_of("s3.complete").is_empty()
    })
    .await;
    let log = facade.log();
    let shown = log.entries_of("s3.complete")[0]["listing"].clone();
    assert_eq!((&shown["count"], &shown["first"], &shown["last"]), (&json!(3), &json!("narrow/a"), &json!("narrow/d")));
    let digest = shown["digest"].as_str().unwrap();
    let blob = std::fs::read(dir.join("listings").join(&digest[..2]).join(format!("{digest}.zst"))).unwrap();
    let names = zstd::decode_all(&blob[..]).unwrap();
    assert_eq!(String::from_utf8(names).unwrap(), "narrow/a\nnarrow/b/\nnarrow/d\n");
}
