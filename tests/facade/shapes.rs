//! Keys in prose, over HTTP: what looks like one is hidden in whole objects, in ranges that begin or end within it, in
//! several pieces, and in compressed objects, at the size that every answer tells.

use std::io::{Read as _, Write as _};

use super::facade::{Facade, Wish, role_file};
use super::wire::Ask;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const ESCAPED: &str = "\\u0041KIAIOSFODNN7EXAMPLE";
const TICKET: &str = "ACME-123456";

async fn start() -> Facade {
    let profile =
        "[[redact]]\nname = \"keys\"\npaths = [\"traces/*\"]\nshapes = [\"key-shapes\"]\nvalues = ['ACME-[0-9]{6}']\n";
    let rule = "actions = [\"get\", \"list\"]\npaths = [\"traces/*\"]";
    let roles = vec![("plain", role_file("plain", "", rule))];
    Facade::start_with(Wish { roles, global: profile.to_owned(), ..Wish::default() }).await
}

fn records(key: &str, escaped: &str, ticket: &str) -> String {
    let inner = format!("{{\\\"env\\\":\\\"KEY={key} \\\"}}");
    (0..3000)
        .map(|n| format!("{{\"n\":{n},\"prompt\":\"use {key}, or {escaped} \u{e9}\",\"args\":\"{inner}\",\"see\":\"{ticket}\"}}\n"))
        .collect()
}

/// The text that a reader sees, and the same with what is looked for written over.
fn texts() -> (String, String) {
    let stars = |text: &str| "*".repeat(text.len());
    (records(KEY, ESCAPED, TICKET), records(&stars(KEY), &stars(ESCAPED), &stars(TICKET)))
}

#[tokio::test]
async fn keys_in_prose_are_hidden_whole_and_in_ranges() {
    let facade = start().await;
    let (stored, shown) = texts();
    let document = |text: &str| format!("[{}0]", text.replace('\n', ","));
    for (key, stored, shown) in
        [("a.jsonl", stored.clone(), shown.clone()), ("b.json", document(&stored), document(&shown))]
    {
        facade.put(key, stored.clone());
        let path = format!("/traces/{key}");
        let whole = facade.as_role("plain", Ask::get(&path)).await;
        assert!(whole.status == 200 && whole.text() == shown, "{key}: {}", &whole.text()[..200]);
        let head = facade.as_role("plain", Ask::head(&path)).await;
        assert_eq!(head.header("content-length"), Some(&*stored.len().to_string()), "{key}");
        assert_eq!(head.header("etag"), whole.header("etag"), "{key}");
        // From within one, into one, and nothing but a part of one.
        let found = stored[stored.len() / 2..].find(KEY).unwrap() + stored.len() / 2;
        for (first, last) in [(found + 3, found + 700), (found - 700, found + 9), (found + 5, found + 11), (0, found)] {
            let part = facade.as_role("plain", Ask::get(&path).with("range", &*format!("bytes={first}-{last}"))).await;
            assert_eq!(part.status, 206, "{key} {first}-{last}: {}", part.text());
            assert!(part.body == shown.as_bytes()[first..=last], "{key} {first}-{last}: {}", part.text());
        }
    }
}

#[tokio::test]
async fn keys_in_compressed_prose_are_hidden() {
    let facade = start().await;
    let (stored, shown) = texts();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(stored.as_bytes()).unwrap();
    let stored = encoder.finish().unwrap();
    facade.put("a.jsonl.gz", stored.clone());
    let answer = facade.as_role("plain", Ask::get("/traces/a.jsonl.gz")).await;
    assert_eq!((answer.status, answer.body.len()), (200, stored.len()), "{}", answer.text());
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.trim_end(), shown.trim_end());
}
