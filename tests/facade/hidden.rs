//! Lengths that are hidden: GET, HEAD, attributes, listings and ranges agree on a size that is that of a class.

use std::io::{Read as _, Write as _};

use tracegate::backend::memory::Content;
use tracegate::s3::answer::Versioning;

use super::facade::{CHANGED, Facade, Wish, role_file};
use super::wire::Ask;

/// A role that sees all objects by the classes of their sizes.
async fn start() -> Facade {
    let profile = "[[redact]]\nname = \"sized\"\npaths = [\"none/*\"]\nfields = [\"note\"]\nlength = \"hidden\"\n";
    let rule = "actions = [\"get\", \"list\"]\npaths = [\"traces/*\"]\nredact = [\"sized\"]";
    let roles = vec![("sized", role_file("sized", "", rule))];
    Facade::start_with(Wish { roles, global: profile.to_owned(), ..Wish::default() }).await
}

/// The least multiple of a sixteenth of the power of two below, or of 64, that is no smaller.
fn class(size: usize) -> usize {
    let power = (0..40).map(|bits| 1 << bits).filter(|power| *power <= size).max().unwrap_or(0);
    (0..).map(|times| times * (power / 16).max(64)).find(|class| *class >= size).unwrap()
}

fn records(note: &str) -> String {
    (0..2000).map(|n| format!("{{\"email\":\"person-{n}@example.com\",\"note\":\"{note}\",\"n\":{n}}}\n")).collect()
}

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

#[tokio::test]
async fn where_lengths_are_hidden_every_answer_tells_the_size_of_the_class() {
    let facade = start().await;
    facade.backend.inner().set_versioning(&facade.bucket, Versioning::Enabled);
    let text = records("a note of some length");
    let document = format!("[{}0]\n", text.replace('\n', ","));
    for (key, stored) in [
        ("a.json", b"{\"email\":\"ada@example.com\",\"n\":1}".to_vec()),
        ("b.jsonl", text.clone().into_bytes()),
        ("c", document.clone().into_bytes()),
        ("d.jsonl.gz", gzip(&text)),
        ("e.json.zst", zstd::encode_all(document.as_bytes(), 3).unwrap()),
        ("f.json", Vec::new()),
    ] {
        facade.put(key, stored.clone());
        let (path, size) = (format!("/traces/{key}"), class(stored.len()));
        assert!(stored.is_empty() || size != stored.len(), "{key}: of a size that is no class");
        let told = size.to_string();
        let get = facade.as_role("sized", Ask::get(&path)).await;
        assert_eq!((get.status, get.body.len()), (200, size), "{key}: {}", get.text());
        let head = facade.as_role("sized", Ask::head(&path)).await;
        for name in ["etag", "content-length", "last-modified"] {
            assert_eq!(get.header(name), head.header(name), "{key} {name}");
        }
        assert_eq!(get.header("content-length"), Some(&*told), "{key}");
        let ask = Ask::get(format!("{path}?attributes")).with("x-amz-object-attributes", "ObjectSize");
        assert_eq!(facade.as_role("sized", ask).await.element("ObjectSize"), Some(&*told), "{key}");
        for listing in ["?list-type=2&prefix=", "?prefix=", "?versions&prefix="] {
            let listed = facade.as_role("sized", Ask::get(format!("/traces{listing}{key}"))).await;
            let etag = listed.element("ETag").map(|tag| tag.replace("&quot;", "\""));
            assert_eq!(
                (listed.element("Size"), etag.as_deref()),
                (Some(&*told), get.header("etag")),
                "{key} {listing}"
            );
        }
        let raw = facade.as_role("raw", Ask::head(&path)).await;
        assert_eq!(raw.header("content-length"), Some(&*stored.len().to_string()), "{key}");
    }
}

#[tokio::test]
async fn ranges_are_slices_of_what_is_padded() {
    let facade = start().await;
    let text = records("a note of some length");
    for (key, stored) in [
        ("b.jsonl", text.clone().into_bytes()),
        ("c.json", format!("[{}0]", text.replace('\n', ",")).into_bytes()),
        ("d.jsonl.gz", gzip(&text)),
    ] {
        facade.put(key, stored.clone());
        let (path, size) = (format!("/traces/{key}"), class(stored.len()));
        let whole = facade.as_role("sized", Ask::get(&path)).await.body;
        let stored = stored.len();
        for (range, first, last) in [
            ("bytes=0-0".to_owned(), 0, 0),
            ("bytes=-9".to_owned(), size - 9, size - 1),
            (format!("bytes={}-{}", size / 2, size / 2 + 999), size / 2, size / 2 + 999),
            (format!("bytes={stored}-"), stored, size - 1),
            (format!("bytes={}-{}", stored - 50, size + 50), stored - 50, size - 1),
        ] {
            let answer = facade.as_role("sized", Ask::get(&path).with("range", &*range)).await;
            assert_eq!(answer.status, 206, "{key} {range}: {}", answer.text());
            assert!(answer.body == whole[first..=last], "{key} {range}");
            let told = format!("bytes {first}-{last}/{size}");
            assert_eq!(answer.header("content-range"), Some(&*told), "{key} {range}");
            let head = facade.as_role("sized", Ask::head(&path).with("range", &*range)).await;
            assert_eq!((head.status, head.header("content-range")), (206, Some(&*told)), "{key} {range}");
        }
        for range in [format!("bytes={size}-"), "bytes=99999999-".to_owned()] {
            let answer = facade.as_role("sized", Ask::get(&path).with("range", &*range)).await;
            let told = format!("bytes */{size}");
            assert_eq!((answer.status, answer.header("content-range")), (416, Some(&*told)), "{key} {range}");
        }
        let part = facade.as_role("sized", Ask::get(format!("{path}?partNumber=1"))).await;
        assert_eq!((part.status, part.body.len()), (206, size), "{key}");
    }
    // Where it is broken would tell how long is what comes before.
    facade.put("broken.json", "{\"email\":\"ada@example.com\",}");
    let broken = facade.as_role("sized", Ask::get("/traces/broken.json")).await;
    assert!(broken.status == 403 && broken.text().contains("not sound JSON"), "{}", broken.text());
    assert!(!broken.text().contains("byte"), "{}", broken.text());
    // The backend would tell its own size here.
    let parts = ["{\"email\":\"ada@", "example.com\"}"].map(bytes::Bytes::from);
    facade.put_content("parts.json", Content::from_parts(&parts, CHANGED.parse().unwrap()));
    for (part, status) in [(1, 206), (2, 416), (3, 416)] {
        for method in ["GET", "HEAD"] {
            let answer =
                facade.as_role("sized", Ask::new(method, format!("/traces/parts.json?partNumber={part}"))).await;
            assert_eq!(answer.status, status, "{method} {part}");
            assert!(answer.header("content-range").is_none_or(|told| told.ends_with("/64")), "{method} {part}");
            assert!(!answer.text().contains("ActualObjectSize"), "{}", answer.text());
        }
    }
}

/// Two objects of one class that differ in what is hidden alone.
#[tokio::test]
async fn objects_of_one_class_look_alike_whatever_is_hidden() {
    let facade = start().await;
    let mut shown = Vec::new();
    for (key, note) in [("one.jsonl", "a note of some length"), ("two.jsonl", "another of some length")] {
        let text = records(note);
        facade.put(key, text.clone());
        let answer = facade.as_role("sized", Ask::get(format!("/traces/{key}"))).await;
        assert_eq!(answer.body.len(), class(text.len()));
        assert!(answer.text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(answer.text().lines().count(), 2000);
        let packed = format!("{key}.gz");
        facade.put(&packed, gzip(&text));
        let inside = gunzip(&facade.as_role("sized", Ask::get(format!("/traces/{packed}"))).await.body);
        assert_eq!(inside.trim_end(), answer.text().trim_end());
        shown.push((answer.body, inside));
    }
    assert!(shown[0] == shown[1]);
    let one = "{\"email\":\"[REDACTED]\",\"note\":\"[REDACTED]\",\"n\":0}\n";
    assert!(shown[0].0.starts_with(one.as_bytes()));
}
