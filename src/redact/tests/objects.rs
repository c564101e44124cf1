//! Objects under a permit: what a range costs the backend, and that the head decides before the range does.

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use futures::StreamExt as _;
use jiff::Timestamp;

use super::*;
use crate::audit::journal::SpaceLeft;
use crate::audit::tlog::SigningKeys;
use crate::audit::{EntryId, Intent, Journal, JournalOptions, RequestFacts};
use crate::backend::Backend;
use crate::backend::faulty::Faulty;
use crate::backend::memory::{Content, Memory};
use crate::identity::Identity;
use crate::keyring::KeyRing;
use crate::limits;
use crate::policy::permit::Permit;
use crate::policy::{Decision, Ruleset, decide};
use crate::redact::object::{first_fetch, show};
use crate::redact::packed::Renderings;
use crate::redact::size::rounded;
use crate::redact::{Keyed, Redaction};
use crate::s3::answer::ObjectHead;
use crate::s3::conditional::resolve;
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::{ETag, GetObject, IfRange, Preconditions, RangeAsk, Tags};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// A bucket, a role that reads `raw/*` as it is, `recent/*` if it is recent, `masked/*` redacted, and `hidden/*` without its
/// lengths, too, and a journal.
struct World {
    /// It notes what is fetched from it.
    backend: Arc<Faulty<Memory>>,
    rules: Ruleset,
    redaction: Redaction,
    journal: Journal,
    _dir: tempfile::TempDir,
}

/// What was answered, and how many requests it cost the backend.
#[derive(Debug)]
struct Answer {
    head: ObjectHead,
    range: Option<(u64, u64)>,
    bytes: Vec<u8>,
    fetches: usize,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions {
            dir: dir.path().to_owned(),
            log_name: "gw.example/audit/r1".into(),
            digest_key: key(),
            signing: SigningKeys::of(&KeyRing::ephemeral(), "gw.example/audit/r1"),
            retention: None,
            space: SpaceLeft { warn: 0, min: 0 },
            clock: || NOW,
        };
        let (journal, _) = Journal::open(options).unwrap();
        let renderings = Renderings::open(dir.path().to_owned(), 1 << 20).unwrap();
        let redaction = Redaction::new(Arc::new(ArcSwap::from_pointee(KeyRing::ephemeral())), renderings);
        Self { backend: Arc::new(Faulty::new(Memory::new())), rules: rules(), redaction, journal, _dir: dir }
    }

    fn put(&self, name: &str, content: Content) {
        self.backend.inner().put(&"traces".parse().unwrap(), name, content);
    }

    async fn get(&self, name: &str, range: Option<RangeAsk>, preconditions: Preconditions) -> Result<Answer, Refusal> {
        drop(self.backend.take_fetches());
        let (bucket, key) = ("traces".parse().unwrap(), name.parse().unwrap());
        let op =
            GetObject { bucket, key, range, part: None, preconditions, overrides: Default::default(), version: None };
        let who = Arc::new(Identity::for_test("ann", "analyst"));
        let Decision::Allow(permit) = decide(&self.rules, who, op, NOW) else { panic!("{name} may be read") };
        let facts = RequestFacts {
            id: EntryId::random(),
            batch: None,
            peer: "192.0.2.7".parse().unwrap(),
            user_agent: None,
            tls: true,
            host: None,
        };
        let backend: Arc<dyn Backend> = self.backend.clone();
        let fetch = async |intent: Intent<'_, Permit<_>>| backend.get(intent, first_fetch(&intent)).await;
        let (recorded, raw) = self.journal.queue(permit, &facts).unwrap().durable_with(fetch).await.unwrap();
        let mut object = show(raw, recorded, &self.redaction, &backend).await?.object.into_inner();
        let mut bytes = Vec::new();
        while let Some(chunk) = object.body.next().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        let fetches = self.backend.take_fetches().len();
        let range = object.range.map(|range| (range.first, range.last));
        Ok(Answer { head: object.head, range, bytes, fetches })
    }

    /// The head of some object that is shown as it is.
    async fn raw_head(&self) -> ObjectHead {
        self.put("raw/a", content("{}"));
        self.whole("raw/a").await.head
    }

    async fn whole(&self, name: &str) -> Answer {
        self.get(name, None, Preconditions::default()).await.unwrap()
    }

    /// Each range is the slice of the whole, and costs the backend no more than that many requests.
    async fn check(&self, name: &str, asks: &[RangeAsk], fetches_max: usize) {
        let whole = self.whole(name).await;
        assert_eq!((whole.fetches, whole.range), (1, None));
        for &ask in asks {
            let range = resolve(ask, whole.head.size).unwrap();
            let found = self.get(name, Some(ask), Preconditions::default()).await.unwrap();
            assert!(found.bytes == whole.bytes[range.first as usize..=range.last as usize], "{name} {ask:?}");
            assert_eq!((found.range, &found.head), (Some((range.first, range.last)), &whole.head), "{name} {ask:?}");
            assert!(found.fetches <= fetches_max, "{name} {ask:?} cost {} requests", found.fetches);
        }
    }
}

fn rules() -> Ruleset {
    let global = "version = 1\nfiles = [\"analyst.toml\"]\n[[redact]]\nname = \"pii\"\npaths = [\"traces/masked/*\"]\n\
                  fields = [\"user_id\"]\n[[redact]]\nname = \"sized\"\npaths = [\"traces/hidden/*\"]\n\
                  fields = [\"user_id\"]\nlength = \"hidden\"\n\
                  [[redact]]\nname = \"several\"\npaths = [\"traces/masked/several/*\"]\n\
                  fields = [\"user_id\"]\nformat = \"concatenated\"\n";
    let allow = |id: &str, more: &str| {
        format!("[[allow]]\nid = \"{id}\"\nactions = [\"get\"]\npaths = [\"traces/{id}/*\"]\n{more}\n")
    };
    let role = "version = 1\n[role]\nname = \"analyst\"\ndescription = \"d\"\nowner = \"o\"\n".to_owned()
        + &[allow("raw", ""), allow("masked", ""), allow("hidden", ""), allow("recent", "max_age = \"7d\"")].concat();
    let files = BTreeMap::from([("_global.toml".to_owned(), global.to_owned()), ("analyst.toml".to_owned(), role)]);
    Ruleset::from_texts(&files, &BTreeMap::new()).map_err(|mistakes| format!("{mistakes:?}")).unwrap().0
}

fn content(bytes: impl Into<Bytes>) -> Content {
    Content::new(bytes, NOW)
}

/// JSONL of at least so many bytes, in records of some hundred.
fn records(bytes: usize) -> String {
    let mut object = String::new();
    while object.len() < bytes {
        let pad = "p".repeat(object.len() % 700);
        object.push_str(&format!("{{\"n\":{},\"user_id\":\"u-{:09}\",\"pad\":\"{pad}\"}}\n", object.len(), 7));
    }
    object
}

fn span(first: u64, last: u64) -> RangeAsk {
    RangeAsk::Span { first, last: Some(last) }
}

#[tokio::test]
async fn a_range_of_jsonl_costs_one_request() {
    let world = World::new();
    let object = records(500_000);
    let size = object.len() as u64;
    world.put("masked/a.jsonl", content(object));
    let mut asks = vec![
        span(0, 0),
        span(0, size + 9),
        span(size - 1, size - 1),
        span(limits::LOOK_BACK_BYTES, limits::LOOK_BACK_BYTES),
        span(limits::LOOK_BACK_BYTES + 1, 3 * limits::LOOK_BACK_BYTES),
        RangeAsk::Span { first: 1, last: None },
        RangeAsk::Span { first: 300_000, last: None },
        RangeAsk::Suffix(1),
        RangeAsk::Suffix(8),
        RangeAsk::Suffix(200_000),
        RangeAsk::Suffix(u64::MAX),
    ];
    let mut random = Random(7);
    asks.extend((0..100).map(|_| {
        let first = random.below(size as usize) as u64;
        span(first, first + random.below(40_000) as u64)
    }));
    world.check("masked/a.jsonl", &asks, 1).await;
}

#[tokio::test]
async fn a_range_of_anything_else_costs_a_look_at_the_start_and_a_read() {
    let world = World::new();
    let array = format!("[{}1]", "{\"user_id\":\"someone-else\"},".repeat(20_000));
    world.put("masked/a.json", content(array.clone()));
    world.put("masked/undetermined", content(array));
    world.put("masked/typed", content(records(500_000)).with_type("application/x-ndjson"));
    let asks = [span(0, 0), span(4090, 4100), span(300_000, 301_000), RangeAsk::Suffix(10)];
    world.check("masked/a.json", &asks, 2).await;
    world.check("masked/undetermined", &asks, 2).await;
    // Here the record in which the range begins has to be looked for.
    world.check("masked/typed", &asks, 3).await;
}

/// Where a policy says that objects hold several documents they do, also those that are told by their first bytes.
#[tokio::test]
async fn several_documents_are_shown_where_the_policy_says_so() {
    let world = World::new();
    let object = "{\"user_id\":\"someone-else\"} [1]\n{}[{\"user_id\":5}]".repeat(60_000);
    let shown = object.replace("someone-else", "[REDACTED]").replace("\"} [", "\"  } [").replace("5}", "0}");
    let asks = [span(0, 0), span(4090, 4100), span(300_000, 301_000), RangeAsk::Suffix(10)];
    for name in ["masked/several/a.json", "masked/several/undetermined"] {
        world.put(name, content(object.clone()));
        assert!(world.whole(name).await.bytes == shown.as_bytes(), "{name}");
        world.check(name, &asks, 2).await;
    }
    world.put("masked/a.json", content("{}{}"));
    let refusal = world.get("masked/a.json", None, Preconditions::default()).await.unwrap_err();
    assert!(refusal.code == Code::AccessDenied && refusal.message.contains("more than one value"), "{refusal:?}");
}

/// Deep within a document the first range costs some reads, each twice as long; then what lies before is known.
#[tokio::test]
async fn a_range_deep_within_a_document_costs_a_look_and_a_read_once_it_is_known() {
    let world = World::new();
    let array = format!("[{}1]", "{\"user_id\":\"someone-else\"},".repeat(400_000));
    world.put("masked/a.json", content(array));
    let deep = span(9_000_000, 9_000_100);
    let first = world.get("masked/a.json", Some(deep), Preconditions::default()).await.unwrap();
    assert!((3..=5).contains(&first.fetches), "{} requests", first.fetches);
    for ask in [deep, span(5_000_000, 5_100_000)] {
        let again = world.get("masked/a.json", Some(ask), Preconditions::default()).await.unwrap();
        assert_eq!(again.fetches, 2, "{ask:?}");
    }
    world.check("masked/a.json", &[deep, span(1, 2), span(7_000_000, 9_999_999), RangeAsk::Suffix(10)], 2).await;
}

#[tokio::test]
async fn a_record_longer_than_the_first_look_back_is_looked_for() {
    let world = World::new();
    let long = "x".repeat(5 * limits::LOOK_BACK_BYTES as usize);
    let object = format!("{{\"a\":1}}\n{{\"user_id\":\"{long}\",\"b\":\"{long}\"}}\n{{\"a\":2}}\n");
    let size = object.len() as u64;
    world.put("masked/a.jsonl", content(object));
    let asks = [span(9, 9), span(100_000, 100_001), span(500_000, 600_000), RangeAsk::Suffix(9), span(size - 1, size)];
    world.check("masked/a.jsonl", &asks, 8).await;
}

/// Where lengths are hidden, what stands at an offset is known from the object's start alone.
#[tokio::test]
async fn a_range_where_lengths_are_hidden_costs_a_look_at_the_start_and_a_read() {
    let world = World::new();
    let object = records(300_000);
    let stored = object.len() as u64;
    let size = rounded(stored);
    for name in ["hidden/a.jsonl", "hidden/a.json", "hidden/typed"] {
        let object = if name.ends_with("json") { format!("[{}0]", object.replace('\n', ",")) } else { object.clone() };
        world.put(name, content(object).with_type("application/x-ndjson"));
        assert_eq!(world.whole(name).await.head.size, size, "{name}");
        let asks =
            [span(0, 0), span(4090, 4100), span(200_000, 201_000), RangeAsk::Suffix(10), span(stored - 5, size + 9)];
        world.check(name, &asks, 2).await;
        let refusal = world.get(name, Some(span(size, size)), Preconditions::default()).await.unwrap_err();
        assert_eq!(refusal.headers, [("content-range", format!("bytes */{size}"))], "{name}");
    }
}

/// A range outside of the object is refused with the size that the view shows, also where more was asked of the
/// backend, and that lies within.
#[tokio::test]
async fn a_range_outside_of_the_object_is_refused() {
    let world = World::new();
    let size = 100;
    for name in ["masked/a.jsonl", "masked/a.json", "raw/a.jsonl"] {
        world.put(name, content("[1]\n".repeat(25)));
        for ask in [span(size, size), span(size + 1_000_000, u64::MAX), RangeAsk::Suffix(0)] {
            let refusal = world.get(name, Some(ask), Preconditions::default()).await.unwrap_err();
            assert_eq!(refusal.code, Code::InvalidRange, "{name} {ask:?}");
            assert_eq!(refusal.headers, [("content-range", "bytes */100".to_owned())], "{name} {ask:?}");
        }
    }
    for name in ["masked/empty.jsonl", "raw/empty.jsonl"] {
        world.put(name, content(""));
        for ask in [span(0, 0), RangeAsk::Suffix(5)] {
            let refusal = world.get(name, Some(ask), Preconditions::default()).await.unwrap_err();
            assert_eq!(refusal.code, Code::InvalidRange, "{name} {ask:?}");
        }
    }
}

/// Conditions come before the range, wherever it lies (RFC 9110, 13.2.2).
#[tokio::test]
async fn conditions_come_before_the_range() {
    let world = World::new();
    let other = || Some(IfRange::Tag(ETag("other".into())));
    for name in ["masked/a.jsonl", "masked/a.json", "masked/empty.jsonl", "raw/a.jsonl", "raw/empty.jsonl"] {
        let object = if name.contains("empty") { "" } else { "{\"user_id\":\"someone\"}\n" };
        world.put(name, content(object));
        let whole = world.whole(name).await;
        for ask in [span(3, 5), span(1_000_000, 1_000_001), RangeAsk::Suffix(4)] {
            let asked = Preconditions { if_range: other(), ..Preconditions::default() };
            let found = world.get(name, Some(ask), asked).await.unwrap();
            assert_eq!((found.range, found.bytes), (None, whole.bytes.clone()), "{name} {ask:?}");
            let asked = Preconditions { if_none_match: Some(Tags::Any), ..Preconditions::default() };
            let refusal = world.get(name, Some(ask), asked).await.unwrap_err();
            assert_eq!(refusal.code, Code::NotModified, "{name} {ask:?}");
        }
    }
}

/// Asking for bytes far behind the end tells nothing of an object that is not to be seen.
#[tokio::test]
async fn regression_a_range_does_not_tell_of_what_is_too_old() {
    let world = World::new();
    world.put("recent/old", Content::new("secret", Timestamp::UNIX_EPOCH));
    let missing = world.get("recent/none", Some(span(50, 60)), Preconditions::default()).await.unwrap_err();
    for ask in [span(0, 1), span(50, 60), RangeAsk::Suffix(0)] {
        let refusal = world.get("recent/old", Some(ask), Preconditions::default()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.headers), (missing.code, missing.headers.clone()), "{ask:?}");
    }
}

/// Compressed bytes under a name of JSONL: refused where their mark is seen, else shown as the broken records they are.
#[tokio::test]
async fn compressed_bytes_are_never_shown() {
    let world = World::new();
    let mut object = vec![0x1f, 0x8b, 8, 0];
    object.extend((0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80));
    object.push(b'\n');
    world.put("masked/a.jsonl", content(object.clone()));
    for ask in [None, Some(span(0, 9)), Some(span(1000, 2000))] {
        let refusal = world.get("masked/a.jsonl", ask, Preconditions::default()).await.unwrap_err();
        assert_eq!(refusal.code, Code::AccessDenied, "{ask:?}");
    }
    let refused = world.get("masked/a.jsonl", Some(span(150_000, 150_100)), Preconditions::default()).await;
    assert_eq!(refused.unwrap_err().code, Code::AccessDenied);
    object[..].chunks_mut(1000).for_each(|chunk| chunk[0] = b'\n');
    (object[0], object[1]) = (0x1f, 0x8b);
    world.put("masked/lines.jsonl", content(object));
    let found = world.get("masked/lines.jsonl", Some(span(150_000, 152_000)), Preconditions::default()).await.unwrap();
    assert!(found.bytes.iter().all(|byte| b"{} \n".contains(byte)), "{:?}", text(&found.bytes));
}

/// What a request marks and what it makes are of one reading of the keys, however they change meanwhile.
#[tokio::test]
async fn regression_the_tag_and_the_plan_are_of_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Arc::new(ArcSwap::from_pointee(KeyRing::ephemeral()));
    let redaction = Redaction::new(ring.clone(), Renderings::open(dir.path().to_owned(), 1 << 20).unwrap());
    let masks = Arc::new(masks(&[("** user_id", MaskAction::Hmac)]));
    let text = b"{\"user_id\":\"somebody with a long name, so that the pseudonym fits\"}\n";
    let (bucket, key) = ("traces".parse().unwrap(), "a".parse().unwrap());
    let head = World::new().raw_head().await;
    let both = |keyed: &Keyed| {
        let shown = feed(&keyed.plan(&masks), Format::Jsonl, text, || usize::MAX).0;
        (keyed.head(head.clone(), &bucket, &key, &masks).etag, shown)
    };
    let before = redaction.keyed();
    let first = both(&before);
    ring.store(Arc::new(KeyRing::ephemeral()));
    let after = both(&redaction.keyed());
    assert_eq!(both(&before), first);
    assert!(after.0 != first.0 && after.1 != first.1, "other keys, other tags and pseudonyms");
}
