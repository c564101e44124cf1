//! Every kind of range, part and condition together, on a document that is long: each answered as S3 does, under a role
//! without masks and under one with, by GET and HEAD alike.

use super::facade::{Facade, content};
use super::wire::Ask;

/// Records of one document of some MiB; what each is under masks.
const RECORD: &str = "{\"email\":\"ada@example.com\",\"n\":1},\n";
const SHOWN: &str = "{\"email\":\"[REDACTED]\"     ,\"n\":1},\n";

/// The same document in full.
fn document(record: &str) -> String {
    format!("[{}0]", record.repeat(120_000))
}

/// What is expected: the whole, these bytes of it, a range that it does not have, or an answer without bytes.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Whole,
    Bytes(usize, usize),
    Outside,
    Status(u16),
}

async fn check(
    facade: &Facade,
    (role, shown): (&str, &str),
    headers: &[(&str, &str)],
    query: &str,
    expected: Expected,
) {
    let size = shown.len();
    let (status, content_range, bytes) = match expected {
        Expected::Whole => (200, None, shown),
        Expected::Bytes(first, last) => (206, Some(format!("bytes {first}-{last}/{size}")), &shown[first..=last]),
        Expected::Outside => (416, Some(format!("bytes */{size}")), ""),
        Expected::Status(status) => (status, None, ""),
    };
    for method in ["GET", "HEAD"] {
        let ask = Ask::new(method, format!("/traces/long.json{query}"));
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.with(name, *value));
        let answer = facade.as_role(role, ask).await;
        let what = format!("{role} {method} {query} {headers:?}");
        assert_eq!(answer.status, status, "{what}");
        // Where nothing lies at a part's number some say the size, as for a range.
        if !matches!(expected, Expected::Status(416)) {
            assert_eq!(answer.header("content-range"), content_range.as_deref(), "{what}");
        }
        if status < 300 {
            assert_eq!(answer.header("content-length"), Some(bytes.len().to_string().as_str()), "{what}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{what}");
            assert!(method == "HEAD" || answer.body == bytes.as_bytes(), "{what}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_range_is_answered_as_s3_does() {
    let facade = Facade::start().await;
    facade.put_content("long.json", content(document(RECORD)).with_type("application/json"));
    let views = [("raw", document(RECORD)), ("masked", document(SHOWN))];
    let (same, before) = ("Sun, 01 Nov 2026 08:30:00 GMT", "Sun, 01 Nov 2026 08:29:59 GMT");
    for (role, shown) in &views {
        let tag = facade.as_role(role, Ask::head("/traces/long.json")).await.header("etag").unwrap().to_owned();
        let (view, size, tag) = ((*role, shown.as_str()), shown.len(), tag.as_str());
        let last = size - 1;
        let deep = ("range", "bytes=3000000-3000099");
        let found = Expected::Bytes(3_000_000, 3_000_099);
        let part = "?partNumber=1";
        for (headers, query, expected) in [
            (vec![deep], "", found),
            (vec![("range", "bytes=4000000-")], "", Expected::Bytes(4_000_000, last)),
            (vec![("range", "bytes=-1")], "", Expected::Bytes(last, last)),
            (vec![("range", "bytes=-500000")], "", Expected::Bytes(size - 500_000, last)),
            (vec![("range", "bytes=-99999999")], "", Expected::Bytes(0, last)),
            (vec![("range", "bytes=-0")], "", Expected::Outside),
            (vec![("range", "bytes=99999999-")], "", Expected::Outside),
            // Several ranges, and what cannot be read, are no range.
            (vec![("range", "bytes=0-9,3000000-3000009")], "", Expected::Whole),
            (vec![("range", "bytes=0-9,-9")], "", Expected::Whole),
            (vec![("range", "bytes=0-9,-9"), ("if-range", tag)], "", Expected::Whole),
            (vec![("range", "bytes=0-9,-9"), ("if-match", "\"x\"")], "", Expected::Status(412)),
            (vec![deep, ("if-range", tag)], "", found),
            (vec![deep, ("if-range", same)], "", found),
            (vec![deep, ("if-range", before)], "", Expected::Whole),
            (vec![deep, ("if-range", "\"x\"")], "", Expected::Whole),
            (vec![("range", "bytes=-7"), ("if-range", tag)], "", Expected::Bytes(size - 7, last)),
            (vec![("range", "bytes=-7"), ("if-range", "\"x\"")], "", Expected::Whole),
            (vec![("range", "bytes=-0"), ("if-range", "\"x\"")], "", Expected::Whole),
            (vec![deep, ("if-match", tag), ("if-range", tag)], "", found),
            (vec![deep, ("if-match", tag), ("if-range", "\"x\"")], "", Expected::Whole),
            (vec![deep, ("if-match", "\"x\""), ("if-range", "\"x\"")], "", Expected::Status(412)),
            (vec![deep, ("if-none-match", tag), ("if-range", tag)], "", Expected::Status(304)),
            (vec![deep, ("if-none-match", "\"x\""), ("if-range", tag)], "", found),
            (vec![deep, ("if-unmodified-since", before)], "", Expected::Status(412)),
            (vec![deep, ("if-modified-since", same)], "", Expected::Status(304)),
            (vec![deep, ("if-modified-since", before)], "", found),
            // An object that was put whole is one part, and so is whatever a view redacts.
            (vec![], part, Expected::Bytes(0, last)),
            (vec![("if-match", tag)], part, Expected::Bytes(0, last)),
            (vec![("if-match", "\"x\"")], part, Expected::Status(412)),
            (vec![("if-none-match", tag)], part, Expected::Status(304)),
            // Without a range there is nothing that `If-Range` could speak of (RFC 9110, 13.1.5).
            (vec![("if-range", "\"x\"")], part, Expected::Bytes(0, last)),
            (vec![("if-range", "\"x\"")], "", Expected::Whole),
            (vec![], "?partNumber=2", Expected::Status(416)),
            (vec![], "?partNumber=0", Expected::Status(400)),
            (vec![deep], part, Expected::Status(400)),
        ] {
            check(&facade, view, &headers, query, expected).await;
        }
    }
}
