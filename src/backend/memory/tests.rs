//! The embedded bucket against S3's documented behaviour.

use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;

use super::*;
use crate::backend::suite::{Knows, Suite, suite};
use crate::s3::answer::Item;
use crate::s3::operation::{ETag, RangeAsk};

fn bucket() -> Bucket {
    "traces".parse().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

async fn got(memory: &Memory, name: &str, fetch: Fetch) -> Result<(Option<(u64, u64)>, Vec<u8>), Trouble> {
    let object = Source::get(memory, &bucket(), &key(name), fetch).await?;
    let chunks: Vec<Bytes> = object.body.try_collect().await.unwrap();
    Ok((object.range.map(|range| (range.first, range.last)), chunks.concat()))
}

fn ranged(range: RangeAsk) -> Fetch {
    Fetch { range: Some(range), ..Fetch::default() }
}

#[tokio::test]
async fn ranges_are_those_of_rfc_9110() {
    let memory = Memory::new();
    memory.put(&bucket(), "k", Content::new("0123456789", Timestamp::UNIX_EPOCH));
    memory.put(&bucket(), "empty", Content::new("", Timestamp::UNIX_EPOCH));
    let span = |first, last| RangeAsk::Span { first, last };
    let outside = |size| Err(Trouble::InvalidRange { size: Some(size) });
    for (name, range, want) in [
        ("k", span(0, Some(3)), Ok((Some((0, 3)), b"0123".to_vec()))),
        ("k", span(8, Some(100)), Ok((Some((8, 9)), b"89".to_vec()))),
        ("k", span(9, None), Ok((Some((9, 9)), b"9".to_vec()))),
        ("k", span(10, None), outside(10)),
        ("k", RangeAsk::Suffix(2), Ok((Some((8, 9)), b"89".to_vec()))),
        ("k", RangeAsk::Suffix(99), Ok((Some((0, 9)), b"0123456789".to_vec()))),
        ("k", RangeAsk::Suffix(0), outside(10)),
        ("empty", span(0, None), outside(0)),
        ("empty", RangeAsk::Suffix(1), outside(0)),
    ] {
        assert_eq!(got(&memory, name, ranged(range)).await, want, "{name} {range:?}");
    }
    assert_eq!(got(&memory, "empty", Fetch::default()).await, Ok((None, vec![])));
}

#[tokio::test]
async fn a_large_body_comes_whole_in_chunks() {
    let memory = Memory::new();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    memory.put(&bucket(), "k", Content::new(bytes.clone(), Timestamp::UNIX_EPOCH));
    assert_eq!(got(&memory, "k", Fetch::default()).await, Ok((None, bytes)));
    let object = Source::get(&memory, &bucket(), &key("k"), Fetch::default()).await.unwrap();
    let chunks: Vec<Bytes> = object.body.try_collect().await.unwrap();
    assert!(chunks.iter().all(|chunk| chunk.len() <= limits::MEMORY_CHUNK_BYTES));
}

#[tokio::test]
async fn parts_are_counted_and_their_tag_is_a_tag_of_tags() {
    let memory = Memory::new();
    let parts = [Bytes::from_static(b"aaa"), Bytes::from_static(b"bb")];
    memory.put(&bucket(), "parts", Content::from_parts(&parts, Timestamp::UNIX_EPOCH));
    memory.put(&bucket(), "whole", Content::new("abc", Timestamp::UNIX_EPOCH).with_crc32c());
    let part = |part| Fetch { part: Some(part), ..Fetch::default() };
    assert_eq!(got(&memory, "parts", part(1)).await, Ok((Some((0, 2)), b"aaa".to_vec())));
    assert_eq!(got(&memory, "parts", part(2)).await, Ok((Some((3, 4)), b"bb".to_vec())));
    assert_eq!(got(&memory, "parts", part(3)).await, Err(Trouble::InvalidRange { size: Some(5) }));
    assert_eq!(got(&memory, "parts", part(0)).await, Err(Trouble::InvalidRange { size: Some(5) }));
    assert_eq!(got(&memory, "whole", part(1)).await, Ok((Some((0, 2)), b"abc".to_vec())));

    let head = Source::head(&memory, &bucket(), &key("parts"), None, Some(1)).await.unwrap().head;
    // md5(md5("aaa") ‖ md5("bb")), computed apart.
    assert_eq!((&*head.etag.0, head.parts_count), ("b9975d734c52a2de0f970f525cb96ad3-2", Some(2)));
    let head = Source::head(&memory, &bucket(), &key("whole"), None, None).await.unwrap().head;
    assert_eq!((&*head.etag.0, head.parts_count), ("900150983cd24fb0d6963f7d28e17f72", None));

    let found = Source::attributes(&memory, &bucket(), &key("whole"), None).await.unwrap();
    assert_eq!(found.checksums.get("ChecksumCRC32C").map(String::as_str), Some("Nks/tw=="));
    let found = Source::attributes(&memory, &bucket(), &key("parts"), None).await.unwrap();
    assert_eq!((found.parts, found.checksums.len()), (Some(2), 0));
}

#[tokio::test]
async fn what_is_missing_changed_or_archived_is_said_so() {
    let memory = Memory::new();
    memory.put(&bucket(), "k", Content::new("a", Timestamp::UNIX_EPOCH));
    memory.put(&bucket(), "cold", Content::new("a", Timestamp::UNIX_EPOCH).archived());
    let other: Bucket = "other".parse().unwrap();
    let pin = |tag: &str| Fetch { pin: Some(ETag(tag.into())), ..Fetch::default() };
    assert_eq!(got(&memory, "none", Fetch::default()).await, Err(Trouble::NoSuchKey));
    assert_eq!(got(&memory, "k", pin("0cc175b9c0f1b6a831c399e269772661")).await, Ok((None, b"a".to_vec())));
    assert_eq!(got(&memory, "k", pin("old")).await, Err(Trouble::Changed));
    assert_eq!(got(&memory, "cold", Fetch::default()).await, Err(Trouble::Archived));
    assert!(Source::head(&memory, &bucket(), &key("cold"), None, None).await.is_ok());
    assert_eq!(Source::probe(&memory, &other).await, Err(Trouble::NoSuchBucket));
    memory.delete(&bucket(), "k");
    assert_eq!(got(&memory, "k", Fetch::default()).await, Err(Trouble::NoSuchKey));
}

async fn names(memory: &Memory, prefix: &str, after: &str, delimiter: &str, max: u32) -> (Vec<String>, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let ask = Ask { prefix: prefix.to_owned(), after: some(after), delimiter: some(delimiter), max };
    let batch = Source::list(memory, &bucket(), ask).await.unwrap();
    (batch.items.iter().map(|item| item.name().to_owned()).collect(), batch.more_after)
}

#[tokio::test]
async fn listings_are_those_of_list_objects_v2() {
    let memory = Memory::new();
    for name in ["a", "a!", "a/", "a/b", "a/b/c", "a/d", "a0", "é", "\u{FFFD}", "😀"] {
        memory.put(&bucket(), name, Content::new("", Timestamp::UNIX_EPOCH));
    }
    for (prefix, after, delimiter, max, want, more) in [
        ("", "", "", 1000, &["a", "a!", "a/", "a/b", "a/b/c", "a/d", "a0", "é", "\u{FFFD}", "😀"][..], None),
        ("", "", "/", 1000, &["a", "a!", "a/", "a0", "é", "\u{FFFD}", "😀"], None),
        ("a/", "", "/", 1000, &["a/", "a/b", "a/b/", "a/d"], None),
        ("a/", "", "/", 3, &["a/", "a/b", "a/b/"], Some("a/b/")),
        ("", "a/b/c", "/", 2, &["a/", "a0"], Some("a0")),
        ("", "a/d", "/", 2, &["a0", "é"], Some("é")),
        ("a/b", "a", "", 1, &["a/b"], Some("a/b")),
        ("a/", "b", "", 1, &[], None),
        ("", "", "", 0, &[], None),
    ] {
        let (found, found_more) = names(&memory, prefix, after, delimiter, max).await;
        assert_eq!((found, found_more.as_deref()), (want.iter().map(ToString::to_string).collect(), more), "{after}");
    }
    assert_eq!(memory.pages_served(), 9);
}

#[tokio::test]
async fn keys_that_cannot_be_named_are_counted_and_left_out() {
    let memory = Memory::new();
    for name in ["a/../b", "a\nb", "b"] {
        memory.put(&bucket(), name, Content::new("", Timestamp::UNIX_EPOCH));
    }
    let ask = Ask { prefix: String::new(), after: None, delimiter: None, max: 1000 };
    let batch = Source::list(&memory, &bucket(), ask).await.unwrap();
    assert_eq!((batch.items.len(), batch.unnameable), (1, 2));
    assert!(matches!(&batch.items[0], Item::Key(listed) if listed.key == key("b")));
}

#[tokio::test]
async fn a_folder_becomes_buckets() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("traces/model-a/run.jsonl", "{}\n");
    put("traces/model-a/run.jsonl.gz", "not really");
    put("other/top.json", "{}");
    let memory = Memory::new();
    assert_eq!(memory.seed_from(folder.path()).unwrap(), 3);
    let head = Source::head(&memory, &bucket(), &key("model-a/run.jsonl.gz"), None, None).await.unwrap().head;
    assert_eq!(head.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(head.content_type.as_deref(), Some("application/x-ndjson"));
    put("Bad_Bucket/x", "");
    assert!(memory.seed_from(folder.path()).is_err());
}

#[cfg(unix)]
#[test]
fn a_link_in_a_seed_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("traces")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("traces/link")).unwrap();
    assert!(Memory::new().seed_from(folder.path()).is_err());
}

/// A bucket in memory under test.
struct Store(Memory);

impl Store {
    fn suite(&self) -> Suite<'_> {
        Suite { source: &self.0, bucket: bucket(), knows: Knows::all() }
    }
}

/// The suite that every kind of bucket must pass.
mod writes {
    use super::*;

    async fn store(_name: &str, versioned: bool) -> Store {
        let memory = Memory::new();
        memory.create_bucket(&bucket());
        if versioned {
            memory.set_versioning(&bucket(), Versioning::Enabled);
        }
        Store(memory)
    }

    suite!(store);
}

/// What was written before a bucket kept versions has the version `null`, and keeps it.
#[tokio::test]
async fn what_is_older_than_versioning_is_version_null() {
    let store = Store(Memory::with_clock(|| Timestamp::UNIX_EPOCH));
    let memory = &store.0;
    memory.put(&bucket(), "k", Content::new("old", Timestamp::UNIX_EPOCH));
    let null: VersionId = "null".parse().unwrap();
    let suite = store.suite();
    assert_eq!(suite.read("k", Some(&null)).await.unwrap(), b"old");
    memory.set_versioning(&bucket(), Versioning::Enabled);
    let stored = suite.put("k", b"new", OnlyIf::Always).await.unwrap();
    assert_ne!(stored.version_id.as_ref(), Some(&null));
    assert_eq!(suite.read("k", Some(&null)).await.unwrap(), b"old");
    assert_eq!(suite.read("k", None).await.unwrap(), b"new");
    assert_eq!(suite.read("other", Some(&null)).await, Err(Trouble::NoSuchVersion));
}
