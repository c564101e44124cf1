//! Requests that are no HTTP: hyper answers them by itself, before anybody of ours sees them.

use super::facade::Facade;
use super::wire::send_bytes;

/// A bare status, and no more: nothing of ours could be said, nothing is told, the connection ends.
async fn check(facade: &Facade, what: &str, head: &str, status: u16) {
    let answer = send_bytes(facade.http, head.as_bytes(), false).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.text(), "", "{what}");
    let mut names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["connection", "content-length", "date"], "{what}");
    assert_eq!(answer.header("connection"), Some("close"), "{what}");
}

#[tokio::test]
async fn what_is_no_http_is_answered_with_a_bare_status_and_not_recorded() {
    let facade = Facade::start().await;
    let get = format!("GET /traces/a.txt HTTP/1.1\r\nhost: {}\r\n", facade.http);
    for (what, head, status) in [
        ("no request line", "hello there\r\n\r\n".to_owned(), 400),
        ("a version that is none", get.replace("HTTP/1.1", "HTTP/3.7") + "\r\n", 400),
        ("a space before the colon", format!("{get}x-a : b\r\n\r\n"), 400),
        ("a header without a colon", format!("{get}x-a\r\n\r\n"), 400),
        ("a byte that no target has", get.replace("a.txt", "a\u{1}.txt") + "\r\n", 400),
        ("101 headers", format!("{get}{}\r\n", "x-a: b\r\n".repeat(100)), 431),
        ("70 KiB of headers", format!("{get}x-a: {}\r\n\r\n", "b".repeat(70 * 1024)), 431),
        ("a target of 70 KiB", get.replace("a.txt", &"a".repeat(70 * 1024)) + "\r\n", 431),
    ] {
        check(&facade, what, &head, status).await;
    }
    let log = facade.stopped().await;
    let of_requests = log.rows.iter().filter(|row| row.kind.starts_with("s3.") || row.kind.starts_with("session."));
    assert_eq!(of_requests.count(), 0, "{:?}", log.requests());
}
