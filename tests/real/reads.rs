//! Promises 4, 5 and 6 against real buckets: one suite in front of LocalStack, of SeaweedFS (which refuses what is not
//! signed rightly) and of the embedded one. Clients come over HTTPS to the first two, and over HTTP to the last. What is
//! expected is computed from the files that were put into the bucket.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::doors::presigned;
use crate::people::{Session, ask_as, ask_at, code, facade, keys, path, script, token};
use crate::support::facade::{Backend, Facade, Settings, Upstream};
use crate::support::seed;

const JSONL: &str = "model-A/2026/11/19/run-004211.jsonl";
const JSON: &str = "model-B/2026/11/19/run-004421.json";
const ODD: &str = "model-C/2026/11/17/東京+lab run%2F7.jsonl";

#[test]
fn reads_in_front_of_localstack() {
    check_reads(Backend::LocalStack);
}

#[test]
fn reads_in_front_of_seaweedfs() {
    check_reads(Backend::SeaweedFs);
}

#[test]
fn reads_of_the_embedded_bucket() {
    check_reads(Backend::Memory);
}

fn check_reads(backend: Backend) {
    let facade = facade(backend);
    assert!(keys(facade, "plain").len() > 15);
    for (user, bucket) in [("ci", "plain"), ("alice", "traces"), ("bob", "traces")] {
        for key in [JSONL, JSON, ODD] {
            check_object(facade, user, bucket, key);
        }
    }
    check_refusals(facade);
    check_presigned(facade);
    for user in ["ci", "alice", "bob", "carol", "dave"] {
        check_listing(facade, user, backend != Backend::SeaweedFs);
    }
}

/// One object in every way that it can be read: all of them tell of the same bytes.
fn check_object(facade: &Facade, user: &str, bucket: &str, key: &str) {
    let target = path(bucket, key);
    let original = std::fs::read(facade.seeded(bucket).join(key)).unwrap();
    let context = format!("{user} {bucket}/{key}");
    let ask = |options: &[&str]| ask_as(facade, user, options, &target);

    let whole = ask(&[]);
    assert_eq!((whole.status, whole.body.len()), (200, original.len()), "{context}: {}", code(&whole));
    let etag = whole.header("etag").unwrap().to_owned();
    // The owner sees the traces as they are; `plain` has no masks for anybody.
    if bucket == "plain" || user == "alice" {
        assert_eq!(whole.body, original, "{context}");
    } else {
        check_masked(&context, &original, &whole.body);
        assert!(etag.len() == 36 && etag.ends_with("-1\""), "{context}: the view's own tag, not {etag}");
    }
    let head = ask(&["--head"]);
    let length = original.len().to_string();
    assert_eq!((head.status, head.header("content-length")), (200, Some(length.as_str())), "{context}");
    for name in ["etag", "last-modified", "content-type", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{context} {name}");
        assert!(head.header(name).is_some(), "{context} {name}");
    }
    for (range, from, to) in
        [("10-29", 10, 30), ("-20", original.len() - 20, original.len()), ("700-", 700, original.len())]
    {
        let part = ask(&["--range", range]);
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[from..to]), "{context} {range}");
        let span = format!("bytes {from}-{}/{length}", to - 1);
        assert_eq!(part.header("content-range"), Some(span.as_str()), "{context} {range}");
        assert_eq!(part.header("etag"), Some(etag.as_str()), "{context} {range}");
    }
    let modified = whole.header("last-modified").unwrap();
    for (header, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-Match: {etag}"), 200),
        ("If-None-Match: \"0123\"".to_owned(), 200),
        ("If-Match: \"0123\"".to_owned(), 412),
        (format!("If-Modified-Since: {modified}"), 304),
        (format!("If-Unmodified-Since: {modified}"), 200),
        ("If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT".to_owned(), 412),
        ("Range: bytes=99999999-".to_owned(), 416),
    ] {
        let answer = ask(&["--header", &header]);
        assert_eq!(answer.status, status, "{context} {header}: {}", code(&answer));
    }
}

/// Every record is there with the same names; secrets, persons and prompts are gone.
fn check_masked(context: &str, original: &[u8], shown: &[u8]) {
    let records = |bytes: &[u8]| -> Vec<Value> {
        serde_json::Deserializer::from_slice(bytes).into_iter().map(|record| record.expect(context)).collect()
    };
    let (before, after) = (records(original), records(shown));
    assert_eq!(before.len(), after.len(), "{context}");
    for (before, after) in before.iter().zip(&after) {
        let names = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(before), names(after), "{context}");
        assert_eq!((&before["trace_id"], &before["scores"]), (&after["trace_id"], &after["scores"]), "{context}");
        assert_eq!(after["api_key"], "[REDACTED]", "{context}");
        assert_ne!(before["user_id"], after["user_id"], "{context}");
        assert_ne!(before["system_prompt"], after["system_prompt"], "{context}");
    }
}

/// A URL that the AWS CLI signed opens the object for whoever has it, as its signer sees it.
fn check_presigned(facade: &Facade) {
    let session = Session::open(facade, &token("bob"));
    let target = presigned(&session, &facade.url(), 60);
    let whole = ask_as(facade, "bob", &[], &path("traces", JSON));
    let (got, part) = (ask_at(facade, &[], &target), ask_at(facade, &["--range", "10-29"], &target));
    assert_eq!((got.status, &got.body, got.header("etag")), (200, &whole.body, whole.header("etag")), "{}", code(&got));
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..30]), "{}", code(&part));
}

/// Missing where one may list is missing; where one may not, missing and forbidden look the same.
fn check_refusals(facade: &Facade) {
    for (user, target, status, want) in [
        ("ci", "/plain/no-such-key", 404, "NoSuchKey"),
        ("ci", "/traces/model-A/2026/11/19/run-004211.jsonl", 403, "AccessDenied"),
        ("ci", "/traces/no-such-key", 403, "AccessDenied"),
        ("ci", "/nowhere/key", 403, "AccessDenied"),
        ("ci", "/traces", 403, "AccessDenied"),
        ("bob", "/traces/no-such-key", 404, "NoSuchKey"),
        ("bob", "/plain/model-B/2026/11/19/run-004421.json", 403, "AccessDenied"),
        ("bob", "/traces/model-B/2026/11/19/run-004420.txt", 403, "AccessDenied"),
        ("bob", "/traces/model-A/.tracegate/control.json", 403, "AccessDenied"),
        ("carol", "/traces/model-A/2026/11/19/run-004211.jsonl", 403, "AccessDenied"),
        ("dave", "/traces/model-A/2026/11/19/run-004211.jsonl", 403, "AccessDenied"),
        ("dave", "/traces/model-B/nothing", 404, "NoSuchKey"),
    ] {
        let answer = ask_as(facade, user, &[], target);
        assert_eq!((answer.status, code(&answer).as_str()), (status, want), "{user} {target}: {}", answer.text());
        // Whether a text is JSON after all is told by its first bytes, which HEAD does not read.
        if !target.ends_with(".txt") {
            let head = ask_as(facade, user, &["--head"], target);
            assert_eq!((head.status, head.body.len()), (status, 0), "{user} HEAD {target}");
        }
    }
}

/// What a role may list, by what the policies say in prose.
fn visible(facade: &Facade, user: &str) -> (&'static str, Vec<String>) {
    let bucket = if user == "ci" { "plain" } else { "traces" };
    let shown = |key: &String| match user {
        "ci" => true,
        "dave" => key.starts_with("model-B/"),
        "carol" => !key.starts_with("model-A/") && is_recent(key),
        _ => key != seed::FORBIDDEN,
    };
    (bucket, keys(facade, bucket).into_iter().filter(shown).collect())
}

/// Whether the date in a key lies within the last seven days.
fn is_recent(key: &str) -> bool {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let parts: Vec<&str> = key.split('/').collect();
    let date = parts.windows(3).find_map(|three| three.join("-").parse::<jiff::civil::Date>().ok());
    date.is_some_and(|date| (today - date).get_days() <= 7)
}

const LISTINGS: &str = "
bucket = BUCKET
def keys(pages): return [entry['Key'] for page in pages for entry in page.get('Contents', [])]
def walk(name, **more): return list(s3.get_paginator(name).paginate(Bucket=bucket, **more))
small = {'PaginationConfig': {'PageSize': 3}}
v2 = walk('list_objects_v2', **small)
folders = lambda pages: [entry['Prefix'] for page in pages for entry in page.get('CommonPrefixes', [])]
entries = [entry for page in walk('list_objects_v2') for entry in page.get('Contents', [])]
heads = [s3.head_object(Bucket=bucket, Key=entry['Key']) for entry in entries[::5]]
print(json.dumps({
    'v2': keys(v2), 'v2_largest': max(page['KeyCount'] for page in v2),
    'v1': keys(walk('list_objects', **small)), 'whole': [entry['Key'] for entry in entries],
    'below': keys(walk('list_objects_v2', Prefix='model-B/', **small)),
    'after': keys(walk('list_objects_v2', StartAfter='model-B/2026/11/19/run-004420.jsonl', **small)),
    'folders_v2': folders(walk('list_objects_v2', Delimiter='/', PaginationConfig={'PageSize': 1})),
    'folders_v1': folders(walk('list_objects', Delimiter='/', PaginationConfig={'PageSize': 1})),
    'sizes': [entry['Size'] for entry in entries], 'heads': [head['ContentLength'] for head in heads],
    'tags': [entry['ETag'] for entry in entries][::5], 'head_tags': [head['ETag'] for head in heads],
    'buckets': [bucket['Name'] for bucket in s3.list_buckets()['Buckets']],
}))
";

fn check_listing(facade: &Facade, user: &str, exact: bool) {
    let session = Session::open(facade, &token(user));
    let (bucket, visible) = visible(facade, user);
    assert!(!visible.is_empty() || user == "carol");
    let found = script(facade, &session, &LISTINGS.replace("BUCKET", &format!("{bucket:?}")));
    let context = format!("{user} {bucket}");
    if !exact && matches!(user, "carol" | "dave") {
        // SeaweedFS sorts a folder by its name without the slash, so that a `start-after` between `a-` and `a/` passes
        // over all of it: less may be shown, never more.
        let shown = found["whole"].as_array().unwrap();
        assert!(shown.iter().all(|key| visible.iter().any(|visible| key == visible)), "{context}: {shown:?}");
        return;
    }
    for whole in ["v2", "v1", "whole"] {
        assert_eq!(found[whole], json!(visible), "{context} {whole}");
    }
    assert!(found["v2_largest"].as_u64().unwrap() <= 3, "{context}");
    let some = |wanted: &dyn Fn(&str) -> bool| visible.iter().filter(|key| wanted(key)).collect::<Vec<_>>();
    assert_eq!(found["below"], json!(some(&|key| key.starts_with("model-B/"))), "{context}");
    assert_eq!(found["after"], json!(some(&|key| key > "model-B/2026/11/19/run-004420.jsonl")), "{context}");
    let folders: BTreeSet<String> =
        visible.iter().filter_map(|key| Some(format!("{}/", key.split_once('/')?.0))).collect();
    if exact {
        assert_eq!(found["folders_v2"], json!(folders), "{context}");
        assert_eq!(found["folders_v1"], json!(folders), "{context}");
    }
    let sizes: Vec<u64> =
        visible.iter().map(|key| std::fs::metadata(facade.seeded(bucket).join(key)).unwrap().len()).collect();
    assert_eq!(found["sizes"], json!(sizes), "{context}");
    let every_fifth: Vec<u64> = sizes.into_iter().step_by(5).collect();
    assert_eq!(found["heads"], json!(every_fifth), "{context}");
    assert_eq!(found["tags"], found["head_tags"], "{context}: a listing's tags are those of HEAD");
    assert_eq!(found["buckets"], json!([bucket]), "{context}");
}

#[test]
fn a_wrong_upstream_secret_is_our_trouble_and_shows_nothing() {
    let wrong = "not-the-secret-of-the-bucket";
    let settings = Settings { upstream: Upstream::Mistaken(wrong), ..Settings::of(Backend::SeaweedFs) };
    let facade = Facade::start(&settings);
    assert_eq!(facade.admin("/readyz").status, 503);
    let session = Session::open(&facade, &token("bob"));
    let asked = "print(json.dumps([code(s3.get_object, Bucket='traces', Key='model-B/2026/11/19/run-004421.json'),\
        code(s3.list_objects_v2, Bucket='traces')]))";
    assert_eq!(script(&facade, &session, asked), json!(["ServiceUnavailable", "ServiceUnavailable"]));
    for target in ["/traces/model-B/2026/11/19/run-004421.json", "/traces?list-type=2"] {
        let answer = ask_as(&facade, "bob", &[], target);
        assert_eq!((answer.status, code(&answer).as_str()), (503, "ServiceUnavailable"), "{}", answer.text());
        let all = format!("{:?}{}", answer.headers(), answer.text());
        for leak in [wrong, "Signature", "admin", "real-traces", "SeaweedFS"] {
            assert!(!all.contains(leak), "{leak}: {all}");
        }
        assert!(!facade.said().contains(wrong), "what the façade says holds the secret");
    }
    let rows = facade.rows_once(&["--op", "GetObject"], |rows| rows.len() >= 2);
    assert!(rows.iter().all(|row| row["status"] == 503), "{rows:#?}");
}
