//! Compressed objects under a view: what is shown is redacted, and as long as what is stored.

use std::io::{Read as _, Write as _};

use super::facade::{Facade, content};
use super::wire::Ask;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn unzstd(bytes: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap()
}

fn records() -> String {
    (0..5000_u32)
        .map(|n| format!("{{\"email\":\"person-{}@example.com\",\"n\":{n}}}\n", n.wrapping_mul(2_654_435_761)))
        .collect()
}

#[tokio::test]
async fn compressed_objects_are_served_redacted_at_their_own_size() {
    let facade = Facade::start().await;
    let text = records();
    facade.put("plain.jsonl", text.clone());
    let plain = facade.as_role("masked", Ask::get("/traces/plain.jsonl")).await;
    let shown = String::from_utf8(plain.body).unwrap();
    assert!(!shown.contains("@example.com") && shown.len() == text.len());
    type Unpack = fn(&[u8]) -> String;
    let cases: [(&str, Vec<u8>, Option<&str>, Unpack); 4] = [
        ("a.jsonl.gz", gzip(&text), None, gunzip),
        ("b.jsonl.zst", zstd(&text), None, unzstd),
        ("c.jsonl", gzip(&text), Some("gzip"), gunzip),
        ("d.jsonl", zstd(&text), Some("zstd"), unzstd),
    ];
    for (key, stored, encoding, unpack) in cases {
        let path = format!("/traces/{key}");
        facade
            .put_content(key, encoding.map_or(content(stored.clone()), |it| content(stored.clone()).with_encoding(it)));
        let size = stored.len().to_string();
        let head = facade.as_role("masked", Ask::head(&path)).await;
        let whole = facade.as_role("masked", Ask::get(&path)).await;
        assert_eq!((head.status, whole.status), (200, 200), "{key}: {}", whole.text());
        for name in ["etag", "content-length", "content-encoding", "last-modified"] {
            assert_eq!(head.header(name), whole.header(name), "{key} {name}");
        }
        assert_eq!((whole.header("content-length"), whole.header("content-encoding")), (Some(&*size), encoding));
        assert!(unpack(&whole.body) == shown, "{key}");
        let (first, last) = (stored.len() / 3, stored.len() / 2);
        let range = Ask::get(&path).with("range", format!("bytes={first}-{last}"));
        let range = facade.as_role("masked", range).await;
        assert_eq!(range.status, 206, "{key}");
        assert!(range.body == whole.body[first..=last], "{key}");
        let suffix = facade.as_role("masked", Ask::get(&path).with("range", "bytes=-7")).await;
        assert!(suffix.body == whole.body[stored.len() - 7..], "{key}");
        let again = Ask::get(&path).with("if-none-match", whole.header("etag").unwrap());
        assert_eq!(facade.as_role("masked", again).await.status, 304, "{key}");
        let list = facade.as_role("masked", Ask::get(format!("/traces?list-type=2&prefix={key}"))).await;
        assert_eq!((list.element("Size"), list.element("ETag")), (Some(&*size), whole.header("etag")));
        assert_eq!(facade.as_role("raw", Ask::get(&path)).await.body, stored, "{key}");
    }
    let log = facade.stopped().await;
    let hidden = log
        .entries_of("s3.complete")
        .into_iter()
        .filter(|entry| entry["redactions"] == serde_json::json!([["pii", 5000]]));
    assert!(hidden.count() >= 5);
}

#[tokio::test]
async fn compressed_objects_that_cannot_be_shown_are_refused_with_the_reason() {
    let facade = Facade::start().await;
    let bomb = gzip(&" ".repeat(17 << 20));
    let hidden = [gzip("{\"n\":1}\n"), b"{\"email\":\"ada@example.com\"}".to_vec()].concat();
    for (key, stored, why) in [
        ("a.jsonl.gz", b"{\"email\":\"ada@example.com\"}".to_vec(), "no sound gzip or zstd"),
        ("b.jsonl.zst", gzip("{}"), "no sound gzip or zstd"),
        ("c.jsonl.gz", bomb, "more than a compressed trace does"),
        ("d.jsonl.gz", gzip("plain text\n").repeat(2), ""),
        ("e.gz", gzip("plain text\n"), "only JSON and JSONL"),
        ("f.json.gz", gzip("{\"email\":"), "not sound JSON"),
        ("g.jsonl.gz", hidden, "no sound gzip or zstd"),
        ("h.jsonl.gz.gz", gzip("{}"), "compressed once"),
    ] {
        facade.put(key, stored);
        let answer = facade.as_role("masked", Ask::get(format!("/traces/{key}"))).await;
        if why.is_empty() {
            assert!(gunzip(&answer.body).lines().all(|line| line.starts_with("{}")), "{key}");
            continue;
        }
        assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{key}: {}", answer.text());
        assert!(answer.text().contains(why) && !answer.text().contains("ada"), "{key}: {}", answer.text());
    }
}
