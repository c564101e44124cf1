//! Writes through the façade: what is stored, what is refused before a byte is read, what becomes of a body that is not
//! what was said of it, and what the log holds of it all.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;
use tracegate::identity::revocation_log::Target;

use super::facade::{Facade, Wish, role_file, within};
use super::wire::{self, Answer, Ask};

/// `writer` does everything unmasked below `w/`, `creator` creates only, `mover` may read `masked/` only redacted.
fn roles() -> Wish {
    let rules = |text: &str| text.to_owned();
    let writer = "actions = [\"get\", \"list\", \"put\", \"delete\"]\npaths = [\"traces/w/*\"]\nredact = []";
    let roles = vec![
        ("writer", role_file("writer", "presign = \"15m\"", writer)),
        ("creator", role_file("creator", "", "actions = [\"create\"]\npaths = [\"traces/c/*\"]")),
        (
            "mover",
            rules(&role_file("mover", "", "actions = [\"get\"]\npaths = [\"traces/*\"]"))
                + "[[allow]]\nid = \"into\"\nactions = [\"put\"]\npaths = [\"empty/*\"]\n",
        ),
        (
            "recent",
            rules(&role_file(
                "recent",
                "",
                "actions = [\"get\", \"delete\"]\nmax_age = \"1d\"\npaths = [\"traces/w/*\"]",
            )) + "[[allow]]\nid = \"into\"\nactions = [\"put\"]\npaths = [\"empty/*\"]\n",
        ),
    ];
    // The profiles of the tests cover all of `traces`; these roles see it as it is.
    Wish { roles, reveal_to: vec!["writer", "creator", "recent"], ..Wish::default() }
}

pub(crate) async fn facade() -> Facade {
    Facade::start_with(roles()).await
}

pub(crate) fn put(target: &str, body: &str) -> Ask {
    Ask::new("PUT", target).with("content-length", body.len().to_string()).carrying(body)
}

pub(crate) fn post(target: &str, body: &str) -> Ask {
    Ask { method: "POST", ..put(target, body) }
}

pub(crate) fn delete(target: &str) -> Ask {
    Ask::new("DELETE", target)
}

pub(crate) fn etag(answer: &Answer) -> String {
    answer
        .header("etag")
        .map(str::to_owned)
        .or_else(|| answer.element("ETag").map(|tag| tag.replace("&quot;", "\"")))
        .unwrap()
}

#[tokio::test]
async fn what_is_put_is_what_is_read_with_all_that_was_said_of_it() {
    let facade = facade().await;
    let ask = put("/traces/w/a.json", "{\"n\":1}")
        .with("content-type", "application/json")
        .with("cache-control", "max-age=60")
        .with("x-amz-meta-run", "7")
        .with("x-amz-tagging", "team=red");
    let stored = facade.as_role("writer", ask).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let read = facade.as_role("writer", Ask::get("/traces/w/a.json")).await;
    assert_eq!((read.status, read.text()), (200, "{\"n\":1}"));
    assert_eq!(etag(&stored), etag(&read));
    assert_eq!(read.header("x-amz-meta-run"), Some("7"));
    assert_eq!(read.header("content-type"), Some("application/json"));
    assert_eq!(read.header("cache-control"), Some("private, max-age=60"));
    let tags = facade.as_role("writer", Ask::get("/traces/w/a.json?tagging")).await;
    assert_eq!((tags.element("Key"), tags.element("Value")), (Some("team"), Some("red")), "{}", tags.text());
    let log = facade.stopped().await;
    let entry = |kind: &str, op: &str| {
        log.entries.iter().find(|entry| entry["kind"] == kind && (op.is_empty() || entry["op"] == op)).cloned().unwrap()
    };
    let intent = entry("s3.intent", "PutObject");
    assert_eq!(intent["target"]["key"], "w/a.json");
    let outcome = log.entries.iter().find(|entry| entry["kind"] == "s3.complete" && entry["id"] == intent["id"]);
    assert_eq!(outcome.unwrap()["received"], 7);
    assert_eq!(outcome.unwrap()["outcome"], "ok");
}

#[tokio::test]
async fn who_may_not_write_is_told_so_before_a_byte_is_read() {
    let facade = facade().await;
    for (role, target) in [("raw", "/traces/w/a"), ("writer", "/traces/x/a"), ("creator", "/traces/w/a")] {
        // The body is announced and never sent: an answer that waits for it does not come.
        for ask in [
            Ask::new("PUT", target).with("content-length", "5368709120"),
            Ask::new("PUT", target).with("content-length", "10").with("expect", "100-continue"),
            Ask::new("PUT", format!("{target}?partNumber=1&uploadId=u")).with("content-length", "10"),
        ] {
            let part = ask.target.contains("uploadId");
            let answer = facade.as_role(role, ask).await;
            let want = if part { (404, "NoSuchUpload") } else { (403, "AccessDenied") };
            assert_eq!((answer.status, answer.code()), want, "{role} {target}: {}", answer.text());
            assert!(part || answer.text().contains("neither `put` nor `create`"), "{}", answer.text());
        }
    }
    let anonymous = facade.send(Ask::new("PUT", "/traces/w/a").with("content-length", "10")).await;
    assert_eq!(anonymous.status, 403);
    let log = facade.stopped().await;
    assert_eq!(log.of_kind("s3.deny").len(), 6);
    assert!(log.of_kind("s3.intent").is_empty(), "nothing was begun");
}

#[tokio::test]
async fn a_creator_overwrites_nothing_by_any_way() {
    let facade = facade().await;
    let first = facade.as_role("creator", put("/traces/c/a", "first")).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = facade.as_role("creator", put("/traces/c/a", "second")).await;
    assert_eq!((again.status, again.code()), (412, "PreconditionFailed"));
    // In parts: the end is what must not overwrite.
    let begun = facade.as_role("creator", post("/traces/c/a?uploads", "")).await;
    let id = begun.element("UploadId").unwrap().to_owned();
    let part = facade.as_role("creator", put(&format!("/traces/c/a?partNumber=1&uploadId={id}"), "third")).await;
    assert_eq!(part.status, 200, "{}", part.text());
    let ended = facade.as_role("creator", post(&format!("/traces/c/a?uploadId={id}"), &complete(&[etag(&part)]))).await;
    assert_eq!((ended.status, ended.code()), (412, "PreconditionFailed"), "{}", ended.text());
    for ask in [
        Ask::get("/traces/c/a"),
        Ask::get("/traces?list-type=2"),
        delete("/traces/c/a"),
        put("/traces/c/b", "").with("x-amz-copy-source", "traces/c/a"),
        put("/traces/c/a?tagging", &tagging()),
    ] {
        let what = format!("{} {}", ask.method, ask.target);
        assert_eq!(facade.as_role("creator", ask).await.status, 403, "{what}");
    }
    let kept = facade.as_role("raw", Ask::get("/traces/c/a")).await;
    assert_eq!(kept.text(), "first");
}

fn complete(tags: &[String]) -> String {
    let parts = tags.iter().enumerate().map(|(at, tag)| {
        format!("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", at + 1, tag.replace('"', "&quot;"))
    });
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>())
}

fn tagging() -> String {
    "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>".to_owned()
}

const PART: usize = 5 * 1024 * 1024;

#[tokio::test]
async fn an_upload_in_parts_is_its_callers_alone() {
    let facade = facade().await;
    let begun = facade.as_role("writer", post("/traces/w/big?uploads", "").with("x-amz-meta-run", "8")).await;
    let id = begun.element("UploadId").unwrap().to_owned();
    let parts = ["x".repeat(PART), "y".repeat(10)];
    let mut tags = Vec::new();
    for (at, body) in parts.iter().enumerate() {
        let target = format!("/traces/w/big?partNumber={}&uploadId={id}", at + 1);
        let part = facade.as_role("writer", put(&target, body)).await;
        assert_eq!(part.status, 200, "{}", part.text());
        tags.push(etag(&part));
    }
    let listed = facade.as_role("writer", Ask::get(format!("/traces/w/big?uploadId={id}"))).await;
    assert_eq!(listed.elements("Size"), [PART.to_string(), "10".into()], "{}", listed.text());
    assert_eq!(listed.element("UploadId"), Some(id.as_str()));
    // Somebody else with the same rights, another key, an id that was made up: no such upload.
    let other = facade.issuer.token("somebody-else", &["writer"]);
    let stolen = put(&format!("/traces/w/big?partNumber=3&uploadId={id}"), "z").bearer(&other);
    assert_eq!(facade.send(stolen).await.code(), "NoSuchUpload");
    for target in
        [format!("/traces/w/other?partNumber=3&uploadId={id}"), "/traces/w/big?partNumber=3&uploadId=1".into()]
    {
        assert_eq!(facade.as_role("writer", put(&target, "z")).await.code(), "NoSuchUpload", "{target}");
    }
    // An id from the listing of uploads gives up, and neither looks nor puts anything in.
    let uploads = facade.as_role("writer", Ask::get("/traces?uploads&prefix=w/")).await;
    let seen = uploads.element("UploadId").unwrap().to_owned();
    assert_ne!(seen, id);
    let into = put(&format!("/traces/w/big?partNumber=3&uploadId={seen}"), "z");
    assert_eq!(facade.as_role("writer", into).await.code(), "NoSuchUpload");
    let looked = facade.as_role("writer", Ask::get(format!("/traces/w/big?uploadId={seen}"))).await;
    assert_eq!(looked.code(), "NoSuchUpload", "the tags of another's parts are digests of their bytes");
    assert_eq!(facade.as_role("lister", Ask::get("/traces?uploads")).await.elements("Key"), Vec::<&str>::new());
    let swapped = [tags[1].clone(), tags[0].clone()];
    let wrong = facade.as_role("writer", post(&format!("/traces/w/big?uploadId={id}"), &complete(&swapped))).await;
    assert_eq!((wrong.status, wrong.code()), (400, "InvalidPart"), "{}", wrong.text());
    let end = |size: usize| {
        let ask = post(&format!("/traces/w/big?uploadId={id}"), &complete(&tags));
        facade.as_role("writer", ask.with("x-amz-mp-object-size", size.to_string()))
    };
    let short = end(PART).await;
    assert_eq!((short.status, short.code()), (400, "InvalidArgument"), "{}", short.text());
    let ended = end(PART + 10).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert!(etag(&ended).ends_with("-2\""), "{}", ended.text());
    let read = facade.as_role("writer", Ask::get("/traces/w/big")).await;
    assert!(read.text() == parts.concat(), "the parts in order");
    assert_eq!(read.header("x-amz-meta-run"), Some("8"));
    let over = facade.as_role("writer", delete(&format!("/traces/w/big?uploadId={id}"))).await;
    assert_eq!((over.status, over.code()), (404, "NoSuchUpload"));
}

#[tokio::test]
async fn each_key_of_a_batch_is_decided_and_recorded_by_itself() {
    let facade = facade().await;
    for key in ["w/a", "w/b", "x/a"] {
        facade.put(key, "1");
    }
    let object = |key: &str| format!("<Object><Key>{key}</Key></Object>");
    let keys = ["w/a", "w/none", "x/a", "w/../x/a", "w/b"];
    let body = format!("<Delete>{}</Delete>", keys.map(object).concat());
    let answer = facade.as_role("writer", post("/traces?delete", &body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let deleted: Vec<&str> = answer.elements("Deleted").iter().map(key_of).collect();
    assert_eq!(deleted, ["w/a", "w/none", "w/b"], "a key that is not there is deleted, as in S3: {}", answer.text());
    let failed: Vec<(&str, &str)> =
        answer.elements("Error").iter().map(|row| (key_of(row), between(row, "Code"))).collect();
    assert_eq!(failed, [("x/a", "AccessDenied"), ("w/../x/a", "InvalidArgument")]);
    assert_eq!(facade.as_role("raw", Ask::get("/traces/x/a")).await.status, 200, "what was denied is there");
    assert_eq!(facade.as_role("raw", Ask::get("/traces/w/a")).await.status, 404);
    let quiet = format!("<Delete><Quiet>true</Quiet>{}</Delete>", ["w/z", "x/a"].map(object).concat());
    let answer = facade.as_role("writer", post("/traces?delete", &quiet)).await;
    assert_eq!((answer.elements("Deleted").len(), answer.elements("Error").len()), (0, 1));
    let aged = facade.as_role("recent", post("/traces?delete", &format!("<Delete>{}</Delete>", object("w/c")))).await;
    assert_eq!(between(aged.text(), "Code"), "AccessDenied", "what depends on age is not deleted blindly");
    let log = facade.stopped().await;
    let of = |kind: &str| -> Vec<&Value> {
        let all = log.entries.iter();
        all.filter(|entry| entry["kind"] == kind && entry["op"] == "DeleteObject").collect()
    };
    let keys: Vec<&str> = of("s3.intent").iter().map(|entry| entry["target"]["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["w/a", "w/none", "w/b", "w/z", "w/c"]);
    assert_eq!(of("s3.deny").len(), 2);
    let batch = &of("s3.intent")[0]["batch"];
    assert!(batch.is_string() && of("s3.intent")[..3].iter().all(|entry| entry["batch"] == *batch));
    for intent in of("s3.intent") {
        let outcome = log.entries.iter().find(|entry| entry["kind"] == "s3.complete" && entry["id"] == intent["id"]);
        assert!(outcome.is_some(), "{intent}");
    }
}

fn key_of<'a>(row: &&'a str) -> &'a str {
    between(row, "Key")
}

fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[tokio::test]
async fn a_body_that_is_not_what_was_said_of_it_is_not_stored() {
    let facade = facade().await;
    let sum = |body: &str| STANDARD.encode(Sha256::digest(body.as_bytes()));
    for (name, value, code) in [
        ("x-amz-checksum-sha256", sum("other"), "BadDigest"),
        ("x-amz-checksum-crc32", "AAAAAQ==".to_owned(), "BadDigest"),
        ("content-md5", STANDARD.encode([0; 16]), "BadDigest"),
        ("x-amz-content-sha256", hex::encode(Sha256::digest(b"other")), "XAmzContentSHA256Mismatch"),
        ("x-amz-checksum-crc32", "nonsense".to_owned(), "InvalidRequest"),
        ("x-amz-checksum-unheard-of", "AAAA".to_owned(), "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE".to_owned(), "NotImplemented"),
        ("x-amz-acl", "public-read".to_owned(), "AccessControlListNotSupported"),
    ] {
        for body in ["body", ""] {
            let answer = facade.as_role("writer", put("/traces/w/a", body).with(name, value.clone())).await;
            assert_eq!(answer.code(), code, "{name}: {}", answer.text());
        }
    }
    let right = facade.as_role("writer", put("/traces/w/ok", "body").with("x-amz-checksum-sha256", sum("body"))).await;
    assert_eq!((right.status, right.header("x-amz-checksum-sha256")), (200, Some(sum("body").as_str())));
    assert_eq!(facade.as_role("raw", Ask::get("/traces/w/a")).await.status, 404, "nothing is stored");
    let long = facade.as_role("writer", Ask::new("PUT", "/traces/w/a").with("content-length", "5368709121")).await;
    assert_eq!(long.code(), "EntityTooLarge");
    let unknown = facade.as_role("writer", Ask::new("PUT", "/traces/w/a").with("transfer-encoding", "chunked")).await;
    assert_eq!((unknown.status, unknown.code()), (411, "MissingContentLength"));
}

/// Whoever signs a checksum into a URL has it verified; that of no bytes, which an SDK signs unasked, says nothing.
#[tokio::test]
async fn regression_a_checksum_in_a_presigned_url_is_verified() {
    let facade = facade().await;
    let session = facade.session("writer").await;
    let sum = |body: &str| STANDARD.encode(Sha256::digest(body.as_bytes())).replace('+', "%2B");
    for (key, query, code) in [
        ("none", String::new(), ""),
        ("nothing", "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32".into(), ""),
        ("right", format!("&x-amz-checksum-sha256={}&x-amz-sdk-checksum-algorithm=SHA256", sum("body")), ""),
        ("go", format!("&X-Amz-Checksum-Sha256={}", sum("body")), ""),
        ("other", format!("&x-amz-checksum-sha256={}", sum("other")), "BadDigest"),
        ("other-go", format!("&X-Amz-Checksum-Sha256={}", sum("other")), "BadDigest"),
        ("nonsense", "&x-amz-checksum-crc32=nonsense".into(), "InvalidRequest"),
    ] {
        let target = format!("/traces/w/{key}?x-id=PutObject{query}");
        let ask = session.presign(facade.ask("PUT", &target)).with("content-length", "4").carrying("body");
        let answer = facade.send(ask).await;
        let stored = facade.as_role("raw", Ask::get(format!("/traces/w/{key}"))).await.status;
        let (status, code_told) = (answer.status, if answer.status == 200 { "" } else { answer.code() });
        assert_eq!(
            (status == 200, code_told, stored == 200),
            (code.is_empty(), code, code.is_empty()),
            "{key}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_caller_who_goes_in_the_middle_leaves_nothing_and_is_on_the_record() {
    let facade = facade().await;
    let ask = Ask::new("PUT", "/traces/w/a").with("content-length", "100").bearer(&facade.token("writer"));
    let mut socket = wire::open(facade.http, &ask.carrying("the beginning")).await;
    socket.flush().await.unwrap();
    within(Duration::from_secs(10), "the intent", async || !facade.log().of_kind("s3.intent").is_empty()).await;
    drop(socket);
    let ended = async || facade.log().entries.iter().any(|entry| entry["kind"] == "s3.complete");
    within(Duration::from_secs(10), "the outcome", ended).await;
    assert_eq!(facade.as_role("raw", Ask::get("/traces/w/a")).await.status, 404);
    let log = facade.stopped().await;
    let outcome = log.entries.iter().find(|entry| entry["kind"] == "s3.complete").unwrap();
    assert_eq!((outcome["outcome"].as_str(), outcome["reason"].as_str()), (Some("refused"), Some("IncompleteBody")));
    assert_eq!(outcome["received"], 13);
}

#[tokio::test]
async fn regression_xml_that_s3s_would_read_otherwise_is_refused() {
    let facade = facade().await;
    facade.put("w/logs", "1");
    for body in [
        "<Delete><Object><Key>w/logs<![CDATA[&2026]]></Key></Object></Delete>",
        "<!DOCTYPE Delete [<!ENTITY x \"2026\">]><Delete><Object><Key>w/logs&x;</Key></Object></Delete>",
    ] {
        let answer = facade.as_role("writer", post("/traces?delete", body)).await;
        assert_eq!((answer.status, answer.code()), (400, "MalformedXML"), "{}", answer.text());
    }
    assert_eq!(facade.as_role("raw", Ask::get("/traces/w/logs")).await.status, 200);
}

#[tokio::test]
async fn a_stop_waits_for_the_outcome_of_a_write_whose_caller_has_gone() {
    let facade = facade().await;
    facade.put("w/a", "1");
    facade.backend.cue(None);
    facade.backend.cue(Fault::Late(Duration::from_millis(400), Trouble::Busy));
    let ask = put("/traces/w/b", "").with("x-amz-copy-source", "traces/w/a").bearer(&facade.token("writer"));
    let socket = wire::open(facade.http, &ask).await;
    within(Duration::from_secs(10), "the intent", async || !facade.log().of_kind("s3.intent").is_empty()).await;
    drop(socket);
    let log = facade.stopped().await;
    let outcome = log.entries.iter().find(|entry| entry["kind"] == "s3.complete").unwrap();
    assert_eq!((outcome["outcome"].as_str(), outcome["reason"].as_str()), (Some("refused"), Some("SlowDown")));
}

#[tokio::test]
async fn a_revocation_breaks_an_upload_off() {
    let facade = facade().await;
    let ask = Ask::new("PUT", "/traces/w/a").with("content-length", "100").bearer(&facade.token("writer"));
    let mut socket = wire::open(facade.http, &ask.carrying("the beginning")).await;
    within(Duration::from_secs(10), "the intent", async || !facade.log().of_kind("s3.intent").is_empty()).await;
    facade.revoke(Target::Role("writer".into())).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    read.expect("an answer, though the body has not ended").unwrap();
    let answer = wire::answer(&answer, false).unwrap();
    assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{}", answer.text());
    assert!(answer.text().contains("The right to write ended"), "{}", answer.text());
    assert_eq!(facade.as_role("raw", Ask::get("/traces/w/a")).await.status, 404, "nothing is stored");
}

#[tokio::test]
async fn both_kinds_of_faults_are_told_apart_by_nobody_but_the_bucket() {
    let facade = facade().await;
    for (fault, stored) in [(Fault::Before(Trouble::Timeout), false), (Fault::After(Trouble::Timeout), true)] {
        let key = format!("/traces/w/{stored}");
        facade.backend.cue(fault);
        let answer = facade.as_role("writer", put(&key, "body")).await;
        assert_eq!((answer.status, answer.code()), (503, "ServiceUnavailable"));
        let found = facade.as_role("writer", Ask::head(&key)).await.status;
        assert_eq!(found, if stored { 200 } else { 404 });
        // Trying again is safe, and is what clients do.
        assert_eq!(facade.as_role("writer", put(&key, "body")).await.status, 200);
    }
    let log = facade.stopped().await;
    let failed = log.entries.iter().filter(|entry| entry["kind"] == "s3.complete" && entry["status"] == 503).count();
    assert_eq!(failed, 2);
}

#[tokio::test]
async fn tags_and_user_metadata_stay_away_under_masks() {
    let facade = facade().await;
    let ask = put("/traces/w/a.json", "{}").with("x-amz-tagging", "secret=red").with("x-amz-meta-secret", "red");
    assert_eq!(facade.as_role("writer", ask).await.status, 200);
    let tags = facade.as_role("masked", Ask::get("/traces/w/a.json?tagging")).await;
    assert_eq!((tags.status, tags.elements("Tag").len()), (200, 0), "{}", tags.text());
    let head = facade.as_role("masked", Ask::head("/traces/w/a.json")).await;
    assert_eq!(head.header("x-amz-meta-secret"), None);
    let set = facade.as_role("writer", put("/traces/w/a.json?tagging", &tagging())).await;
    assert_eq!(set.status, 200, "{}", set.text());
    let tags = facade.as_role("writer", Ask::get("/traces/w/a.json?tagging")).await;
    assert_eq!(tags.elements("Key"), ["k"]);
    assert_eq!(facade.as_role("writer", delete("/traces/w/a.json?tagging")).await.status, 204);
    assert_eq!(facade.as_role("masked", put("/traces/w/a.json?tagging", &tagging())).await.status, 403);
}

#[tokio::test]
async fn a_condition_on_a_write_needs_the_right_to_know() {
    let facade = facade().await;
    facade.put("w/a", "1");
    let tag = etag(&facade.as_role("writer", Ask::head("/traces/w/a")).await);
    for (role, name, value, status) in [
        ("writer", "if-none-match", "*", 412),
        ("writer", "if-match", "\"other\"", 412),
        ("writer", "if-match", tag.as_str(), 200),
        ("writer", "if-none-match", "\"a\"", 501),
        ("creator", "if-match", tag.as_str(), 403),
    ] {
        let target = if role == "creator" { "/traces/c/a" } else { "/traces/w/a" };
        let answer = facade.as_role(role, put(target, "2").with(name, value)).await;
        assert_eq!(answer.status, status, "{role} {name}: {value}: {}", answer.text());
    }
}
