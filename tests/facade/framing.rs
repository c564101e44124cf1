//! Bytes of HTTP that must not get further than the rim: bodies where none belong, two readings of one request.

use super::facade::Facade;
use super::wire::{Answer, Ask, send_bytes};
use super::writes;

const MIB: u64 = 1024 * 1024;

/// What is announced is never read: the answer comes while nothing of the body was sent.
async fn check_announced(facade: &Facade, ask: Ask, status: u16, code: &str) {
    let what = format!("{} {} {:?}", ask.method, ask.target, ask.headers);
    let answer = facade.send(ask).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    if !answer.body.is_empty() {
        assert_eq!(answer.code(), code, "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_large_form_upload_is_refused_at_once() {
    let facade = Facade::start().await;
    for target in ["/traces", "/traces/", "/", "/traces/key"] {
        let ask = Ask::new("POST", target)
            .with("content-type", "multipart/form-data; boundary=x")
            .with("content-length", (512 * MIB).to_string());
        let (status, code) = if target == "/" { (400, "InvalidRequest") } else { (501, "NotImplemented") };
        check_announced(&facade, ask, status, code).await;
    }
}

#[tokio::test]
async fn a_read_has_no_body() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let session = facade.session("raw").await;
    for method in ["GET", "HEAD"] {
        for (name, value) in
            [("content-length", "5"), ("content-length", "536870912"), ("transfer-encoding", "chunked")]
        {
            let ask = facade.ask(method, "/traces/a.txt").with(name, value);
            check_announced(&facade, ask.clone().bearer(&facade.token("raw")), 400, "InvalidRequest").await;
            check_announced(&facade, session.sign(ask), 400, "InvalidRequest").await;
        }
    }
    let none = facade.ask("GET", "/traces/a.txt").with("content-length", "0").bearer(&facade.token("raw"));
    assert_eq!(facade.send(none).await.status, 200);
    let door = Ask::get("/-/credentials").with("content-length", "5").bearer(&facade.token("raw"));
    let answer = facade.send(door).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("InvalidRequest")));
}

#[tokio::test]
async fn what_changes_the_bucket_is_refused_before_its_body() {
    let facade = Facade::start().await;
    for (method, target, status, code) in [
        ("PUT", "/traces/a.txt", 403, "AccessDenied"),
        ("PUT", "/traces", 409, "BucketAlreadyOwnedByYou"),
        ("DELETE", "/traces", 501, "NotImplemented"),
        ("POST", "/traces?delete", 403, "AccessDenied"),
        ("POST", "/traces/a.txt?uploads", 400, "InvalidRequest"),
        ("DELETE", "/traces/a.txt", 400, "InvalidRequest"),
        ("PATCH", "/traces/a.txt", 405, "MethodNotAllowed"),
    ] {
        let ask = Ask::new(method, target)
            .with("content-type", "application/xml")
            .with("content-length", (512 * MIB).to_string())
            .bearer(&facade.token("raw"));
        check_announced(&facade, ask, status, code).await;
    }
}

/// The XML is announced and never sent: an answer that waits for it does not come.
#[tokio::test]
async fn who_may_not_is_told_so_before_the_xml_is_read() {
    let facade = writes::facade().await;
    let denied = [
        ("raw", "POST", "/traces/w/a?uploadId=u"),
        ("writer", "POST", "/traces/x/a?uploadId=u"),
        ("creator", "POST", "/traces/w/a?uploadId=u"),
        ("raw", "PUT", "/traces/w/a?tagging"),
        ("creator", "PUT", "/traces/c/a?tagging"),
        ("raw", "POST", "/traces?delete"),
        ("creator", "POST", "/traces?delete"),
        ("writer", "POST", "/empty?delete"),
    ];
    let announced = |method, target: &str, bytes: u64| {
        facade.ask(method, target).with("content-length", bytes.to_string()).with("expect", "100-continue")
    };
    let asked = facade.backend.calls();
    for (role, method, target) in denied {
        let session = facade.session(role).await;
        for ask in [
            announced(method, target, 1000).bearer(&facade.token(role)),
            announced(method, target, 512 * MIB).bearer(&facade.token(role)),
            session.sign(announced(method, target, 1000)),
        ] {
            check_announced(&facade, ask, 403, "AccessDenied").await;
        }
    }
    // Who may is told what is wrong with the announcement, or asked for the bytes.
    for (target, method) in
        [("/traces/w/a?uploadId=u", "POST"), ("/traces/w/a?tagging", "PUT"), ("/traces?delete", "POST")]
    {
        let ask = announced(method, target, 512 * MIB).bearer(&facade.token("writer"));
        check_announced(&facade, ask, 400, "EntityTooLarge").await;
    }
    assert_eq!(facade.backend.calls(), asked, "nobody was asked");
    let log = facade.stopped().await;
    assert_eq!(log.of_kind("s3.deny").len(), 3 * denied.len(), "{:?}", log.requests());
    assert!(log.of_kind("s3.intent").is_empty(), "nothing was begun");
    let batch = log.of_kind("s3.deny").into_iter().find(|row| row.op.as_deref() == Some("DeleteObjects")).unwrap();
    assert_eq!(batch.path.as_deref(), Some("traces"));
}

#[tokio::test]
async fn a_form_of_the_token_service_has_its_bound() {
    let facade = Facade::start().await;
    let padded = |bytes: usize| format!("Action=Nothing&Pad={}", "x".repeat(bytes));
    let fits = facade.send(Ask::form("/", padded(60 * 1024))).await;
    assert_eq!((fits.status, fits.code()), (400, "InvalidAction"));
    let large = facade.send(Ask::form("/", padded(64 * 1024))).await;
    assert_eq!((large.status, large.code()), (400, "InvalidRequest"));
}

/// Bytes on a connection, and the answer; what hyper refuses by itself has no body.
async fn check_bytes(facade: &Facade, what: &str, head: &str, status: u16) {
    let token = facade.token("raw");
    let head = head.replace("HOST", &facade.http.to_string()).replace("TOKEN", &token);
    let answer = send_bytes(facade.http, format!("{head}\r\n").as_bytes(), false).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert!(!answer.text().contains("hello"), "{what}");
}

#[tokio::test]
async fn a_request_has_one_reading() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let get = "GET /traces/a.txt HTTP/1.1\r\nauthorization: Bearer TOKEN\r\nconnection: close\r\n";
    for (what, head, status) in [
        ("two lengths", format!("{get}host: HOST\r\ncontent-length: 0\r\ncontent-length: 5\r\n"), 400),
        ("two lengths in one", format!("{get}host: HOST\r\ncontent-length: 0, 5\r\n"), 400),
        ("length and chunks", format!("{get}host: HOST\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n"), 400),
        ("chunks and length", format!("{get}host: HOST\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n"), 400),
        ("chunks that are not last", format!("{get}host: HOST\r\ntransfer-encoding: chunked, gzip\r\n"), 400),
        ("two hosts", format!("{get}host: HOST\r\nhost: traces.s3.localhost\r\n"), 400),
        ("a folded header", format!("{get}host: HOST\r\nx-a: b\r\n c\r\n"), 400),
        ("a space before the colon", format!("{get}host: HOST\r\nx-a : b\r\n"), 400),
        ("a bare line feed in a value", format!("{get}host: HOST\r\nx-a: b\rc\r\n"), 400),
        ("no host", get.to_owned(), 400),
        ("a URL as target", get.replace("/traces", "http://HOST/traces") + "host: HOST\r\n", 400),
        ("HTTP/1.0", get.replace("HTTP/1.1", "HTTP/1.0") + "host: HOST\r\n", 400),
        ("101 headers", format!("{get}host: HOST\r\n{}", "x-a: b\r\n".repeat(101)), 431),
        ("70 KiB of headers", format!("{get}host: HOST\r\nx-a: {}\r\n", "b".repeat(70 * 1024)), 431),
        ("a long target", get.replace("a.txt", &"a".repeat(17 * 1024)) + "host: HOST\r\n", 400),
    ] {
        check_bytes(&facade, what, &head, status).await;
    }
    let answer: Answer = facade.as_role("raw", Ask::get("/traces/a.txt")).await;
    assert_eq!(answer.text(), "hello", "and it serves on");
}
