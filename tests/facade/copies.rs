//! Copies and versions: what may be read by them, what they leave on the record, and answers that take long.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;
use tracegate::limits;
use tracegate::s3::answer::Versioning;

use super::wire::{self, Ask};
use super::writes::{delete, etag, facade, post, put};

#[tokio::test]
async fn a_copy_needs_the_source_unmasked_and_unaged() {
    let facade = facade().await;
    facade.put("w/a.json", "{\"email\":\"ada@example.com\"}");
    facade.put("masked/a.json", "{\"email\":\"ada@example.com\"}");
    let copy = |target: &str, source: &str| put(target, "").with("x-amz-copy-source", source);
    let done = facade.as_role("writer", copy("/traces/w/b.json", "/traces/w/a.json")).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let read = facade.as_role("writer", Ask::get("/traces/w/b.json")).await;
    assert_eq!(read.text(), "{\"email\":\"ada@example.com\"}");
    for (role, target, source) in [
        ("mover", "/empty/a.json", "traces/masked/a.json"),
        ("writer", "/traces/w/c.json", "traces/masked/a.json"),
        ("writer", "/traces/x/c.json", "traces/w/a.json"),
        ("recent", "/empty/a.json", "traces/w/a.json"),
    ] {
        let answer = facade.as_role(role, copy(target, source)).await;
        assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{role} {source}: {}", answer.text());
    }
    // Also part by part, and by a presigned upload to which a source was added.
    let begun = facade.as_role("mover", post("/empty/a.json?uploads", "")).await;
    let id = begun.element("UploadId").unwrap();
    let part = copy(&format!("/empty/a.json?partNumber=1&uploadId={id}"), "traces/masked/a.json");
    assert_eq!(facade.as_role("mover", part).await.code(), "AccessDenied");
    let session = facade.session("writer").await;
    let presigned = session.presign(facade.ask("PUT", "/traces/w/d.json"));
    let smuggled =
        facade.send(presigned.with("x-amz-copy-source", "traces/w/a.json").with("content-length", "0")).await;
    assert_eq!(smuggled.status, 403, "{}", smuggled.text());
    let none = facade.as_role("writer", copy("/traces/w/c.json", "traces/w/none")).await;
    assert_eq!((none.status, none.code()), (404, "NoSuchKey"));
    let tag = etag(&read);
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", tag.as_str(), 200),
        ("x-amz-copy-source-if-match", "\"other\"", 412),
        ("x-amz-copy-source-if-none-match", tag.as_str(), 412),
        ("x-amz-copy-source-if-modified-since", "whenever", 400),
    ] {
        let ask = copy("/traces/w/e.json", "traces/w/b.json").with(name, value);
        assert_eq!(facade.as_role("writer", ask).await.status, status, "{name}: {value}");
    }
    let itself = facade.as_role("writer", copy("/traces/w/a.json", "traces/w/a.json")).await;
    assert_eq!((itself.status, itself.code()), (400, "InvalidRequest"));
    let fresh = copy("/traces/w/a.json", "traces/w/a.json")
        .with("x-amz-metadata-directive", "REPLACE")
        .with("x-amz-meta-run", "9");
    assert_eq!(facade.as_role("writer", fresh).await.status, 200);
    let head = facade.as_role("writer", Ask::head("/traces/w/a.json")).await;
    assert_eq!(head.header("x-amz-meta-run"), Some("9"));
}

#[tokio::test]
async fn a_copy_has_the_checksum_and_the_encryption_that_were_asked_for() {
    let facade = facade().await;
    facade.put("w/a", "hello");
    let copy = |target: &str| put(target, "").with("x-amz-copy-source", "traces/w/a");
    let ask = copy("/traces/w/b").with("x-amz-checksum-algorithm", "SHA1");
    let done = facade.as_role("writer", ask).await;
    assert_eq!(done.element("ChecksumSHA1"), Some("qvTGHdzF6KLavt4PO0gs2a6pQ00="), "{}", done.text());
    let attributes = Ask::get("/traces/w/b?attributes").with("x-amz-object-attributes", "Checksum");
    let told = facade.as_role("writer", attributes).await;
    assert_eq!(told.element("ChecksumSHA1"), Some("qvTGHdzF6KLavt4PO0gs2a6pQ00="), "{}", told.text());
    for (name, value, want) in [
        ("x-amz-server-side-encryption", "AES256", (200, "")),
        ("x-amz-server-side-encryption", "aws:kms", (501, "NotImplemented")),
        ("x-amz-checksum-algorithm", "CRC16", (400, "InvalidRequest")),
        ("x-amz-checksum-algorithm", "CRC32", (400, "InvalidRequest")),
    ] {
        // Onto itself, something must change: the encryption does, a checksum does not.
        let answer = facade.as_role("writer", copy("/traces/w/a").with(name, value)).await;
        assert_eq!((answer.status, answer.code()), want, "{name}: {value}: {}", answer.text());
    }
}

#[tokio::test]
async fn versions_obey_the_rules_of_their_key() {
    let facade = facade().await;
    facade.backend.inner().set_versioning(&facade.bucket, Versioning::Enabled);
    let mut ids = Vec::new();
    for body in ["{\"email\":\"one\"}", "{\"email\":\"two\"}"] {
        let stored = facade.as_role("writer", put("/traces/w/a.json", body)).await;
        ids.push(stored.header("x-amz-version-id").unwrap().to_owned());
    }
    facade.put("x/hidden", "1");
    let marked = facade.as_role("writer", delete("/traces/w/a.json")).await;
    assert_eq!((marked.status, marked.header("x-amz-delete-marker")), (204, Some("true")));
    assert_eq!(facade.as_role("writer", Ask::get("/traces/w/a.json")).await.status, 404);
    let old =
        async |role: &str, id: &str| facade.as_role(role, Ask::get(format!("/traces/w/a.json?versionId={id}"))).await;
    assert_eq!(old("writer", &ids[0]).await.text(), "{\"email\":\"one\"}");
    assert!(!old("masked", &ids[0]).await.text().contains("one"), "an old version is redacted like any");
    assert_eq!(old("reader", &ids[0]).await.status, 403);
    assert_eq!(old("writer", "nonsense").await.status, 404);
    let listed = facade.as_role("writer", Ask::get("/traces?versions")).await;
    assert_eq!(listed.elements("Version").len(), 2, "{}", listed.text());
    assert_eq!(listed.elements("DeleteMarker").len(), 1);
    assert!(!listed.text().contains("x/hidden"));
    assert_eq!(facade.as_role("lister", Ask::get("/traces?versions")).await.elements("Version").len(), 0);
    // Page by page it is the same, each page leading on by a sealed marker.
    let (mut keys, mut marker) = (Vec::new(), String::new());
    loop {
        let page = facade.as_role("writer", Ask::get(format!("/traces?versions&max-keys=1{marker}"))).await;
        keys.extend(page.elements("VersionId").into_iter().map(str::to_owned));
        let Some(next) = page.element("NextKeyMarker") else { break };
        assert!(!next.contains("w/a"), "{next}");
        marker = format!("&key-marker={next}&version-id-marker={next}");
    }
    assert_eq!(keys.len(), 3);
    let gone = facade.as_role("writer", delete(&format!("/traces/w/a.json?versionId={}", ids[0]))).await;
    assert_eq!((gone.status, gone.header("x-amz-version-id")), (204, Some(ids[0].as_str())));
    assert_eq!(old("writer", &ids[0]).await.status, 404);
    let copied = put("/traces/w/b.json", "").with("x-amz-copy-source", format!("traces/w/a.json?versionId={}", ids[1]));
    assert_eq!(facade.as_role("writer", copied).await.status, 200);
    let stolen = put("/empty/b.json", "").with("x-amz-copy-source", format!("traces/w/a.json?versionId={}", ids[1]));
    assert_eq!(facade.as_role("mover", stolen).await.status, 403, "an old version is no way around the mask");
}

#[tokio::test]
async fn an_answer_that_takes_long_is_kept_alive_and_its_error_recorded_as_what_it_was() {
    let facade = facade().await;
    facade.put("w/a", "1");
    facade.backend.cue(None);
    facade.backend.cue(Fault::Late(Duration::from_secs(12), Trouble::Busy));
    let ask = put("/traces/w/b", "").with("x-amz-copy-source", "traces/w/a").bearer(&facade.token("writer"));
    let mut socket = wire::open(facade.http, &ask).await;
    let mut early = [0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(11), socket.read(&mut early)).await.expect("a sign of life");
    assert!(String::from_utf8_lossy(&early[..read.unwrap()]).starts_with("HTTP/1.1 200 OK"));
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    let text = String::from_utf8_lossy(&rest).into_owned();
    assert!(text.contains("<Error><Code>SlowDown</Code>") && !text[5..].contains("<?xml"), "{text}");
    let log = facade.stopped().await;
    let outcome = log.entries.iter().find(|entry| entry["kind"] == "s3.complete").unwrap();
    assert_eq!((outcome["status"].as_u64(), outcome["reason"].as_str()), (Some(503), Some("SlowDown")));
}

/// XML that comes slowly is not an answer that takes long: its status says what it is.
#[tokio::test]
async fn an_answer_does_not_begin_before_its_xml_was_read() {
    let facade = facade().await;
    let xml = "<CompleteMultipartUpload></CompleteMultipartUpload>";
    let ask = Ask::new("POST", "/traces/w/a?uploadId=u").with("content-length", xml.len().to_string());
    let mut socket = wire::open(facade.http, &ask.bearer(&facade.token("writer"))).await;
    tokio::time::sleep(limits::KEEP_ALIVE_INTERVAL + Duration::from_secs(1)).await;
    socket.write_all(xml.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 404") && text.contains("<Code>NoSuchUpload</Code>"), "{text}");
}
