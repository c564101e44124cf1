//! Who waits for whom, and what ends a rendering.

use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::*;
use crate::policy::mask::Format;
use crate::redact::format::Unframed;
use crate::redact::packed::tests::{pack, plan, records, work};
use crate::redact::packed::{Codec, Packed};
use crate::redact::stream::Source;
use crate::s3::answer::{Body, BodyError};

const PACKED: Packed = Packed { codec: Codec::Gzip, inside: Some(Format::Jsonl) };

fn caller(subject: &str) -> Caller {
    Caller::of(&Identity::for_test(subject, "analyst"))
}

fn etag(text: &str) -> ETag {
    ETag(text.into())
}

fn open(linger: Duration) -> Renderings {
    Renderings { linger, ..Renderings::open(std::env::temp_dir(), 1 << 30).unwrap() }
}

/// An object that comes once its gate is open, and counts who is at it.
#[derive(Clone)]
struct Gated {
    bytes: Bytes,
    gate: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
    at_it: Arc<AtomicUsize>,
}

/// Counted as long as the object is being read.
struct AtIt(Arc<AtomicUsize>);

impl Drop for AtIt {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gated {
    fn new() -> Self {
        let bytes = Bytes::from(pack(Codec::Gzip, &records()));
        Self { bytes, gate: Arc::new(Semaphore::new(0)), begun: Arc::default(), at_it: Arc::default() }
    }

    fn work(&self) -> Work {
        Work { source: Arc::new(self.clone()), packed: PACKED, plan: plan(), size: self.bytes.len() as u64 }
    }

    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.at_it.load(Ordering::SeqCst))
    }

    /// Waits until so many were begun, and so many are at it.
    async fn reaches(&self, begun: usize, at_it: usize) {
        for _ in 0..2000 {
            if self.counts() == (begun, at_it) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never {begun} and {at_it}: {:?}", self.counts());
    }
}

#[async_trait]
impl Source for Gated {
    async fn read(&self, _first: u64, _last: u64) -> Result<Body, BodyError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.at_it.fetch_add(1, Ordering::SeqCst);
        let (gate, bytes, at_it) = (self.gate.clone(), self.bytes.clone(), AtIt(self.at_it.clone()));
        Ok(stream::once(async move {
            drop(gate.acquire().await);
            drop(at_it);
            Ok(bytes)
        })
        .boxed())
    }
}

type Asked = tokio::task::JoinHandle<Result<(), ShowError>>;

/// Somebody who waits until told to go.
fn ask(renderings: &Renderings, tag: &str, object: &Gated, who: &str) -> Asked {
    let (renderings, tag, work, caller) = (renderings.clone(), etag(tag), object.work(), caller(who));
    tokio::spawn(async move { renderings.of(&tag, work, &caller).await.map(drop) })
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn renderings_are_made_once_and_bounded() {
    let bytes = pack(Codec::Gzip, &records());
    let renderings = Renderings::open(std::env::temp_dir(), bytes.len() as u64).unwrap();
    let of = async |tag: &str, who: &str| renderings.of(&etag(tag), work(PACKED, &bytes), &caller(who)).await.unwrap();
    let (one, other, third) = tokio::join!(of("a", "ann"), of("a", "ann"), of("a", "bob"));
    assert!(Arc::ptr_eq(&one, &other) && Arc::ptr_eq(&one, &third) && Arc::ptr_eq(&one, &of("a", "eve").await));
    assert!(!Arc::ptr_eq(&one, &of("b", "ann").await));
    assert!(renderings.making().is_empty());
    let small = Renderings::open(std::env::temp_dir(), bytes.len() as u64 - 1).unwrap();
    let refused = small.of(&etag("a"), work(PACKED, &bytes), &caller("ann")).await.err();
    assert!(matches!(refused, Some(ShowError::Unframed(Unframed::Packed(Unpackable::TooLarge)))), "{refused:?}");
    assert!(Renderings::open("/nowhere/to/be/found".into(), 1).is_err());
}

/// Whoever asks for many waits for them one after the other, while others are served: also of an object that waits in
/// somebody's long row.
#[tokio::test]
async fn regression_nobody_has_all_turns() {
    const { assert!(limits::RENDERS_PER_CALLER_MAX < limits::RENDERS_MAX) };
    let (renderings, object) = (open(Duration::from_secs(60)), Gated::new());
    let row = |at| ask(&renderings, &format!("mallory/{at}"), &object, "mallory");
    let mut asked: Vec<Asked> = (0..20).map(row).collect();
    object.reaches(1, 1).await;
    a_moment().await;
    assert_eq!(object.counts(), (1, 1), "the others wait");
    asked.push(ask(&renderings, "mallory/19", &object, "bob"));
    object.reaches(2, 2).await;
    asked.push(ask(&renderings, "carol", &object, "carol"));
    a_moment().await;
    assert_eq!(object.counts(), (2, 2), "there are two turns");
    object.gate.close();
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(object.counts(), (21, 0), "each is made once");
    drop(renderings.lane(&caller("dan")));
    assert_eq!(renderings.lanes.lock().unwrap().len(), 1, "of who waits no more nothing is kept");
}

#[tokio::test]
async fn regression_a_rendering_that_nobody_waits_for_stops() {
    let (renderings, object) = (open(Duration::from_millis(20)), Gated::new());
    for round in 1..4 {
        let asked = ask(&renderings, "a", &object, "ann");
        object.reaches(round, 1).await;
        asked.abort();
        object.reaches(round, 0).await;
    }
    within_making(&renderings, 0).await;
    assert_eq!(renderings.turns.available_permits(), limits::RENDERS_MAX);
    object.gate.close();
    ask(&renderings, "a", &object, "ann").await.unwrap().expect("it can be made again");
}

/// As long as one waits, and for a while after, it is the same one.
#[tokio::test]
async fn who_asks_again_finds_what_was_begun() {
    let (renderings, object) = (open(Duration::from_secs(60)), Gated::new());
    for (tag, who) in [("a", "ann"), ("a", "ann"), ("a", "bob"), ("b", "ann")] {
        let asked = ask(&renderings, tag, &object, who);
        object.reaches(1, 1).await;
        a_moment().await;
        asked.abort();
    }
    assert_eq!(object.counts(), (1, 1), "what was left still takes the turn of who began it");
    object.gate.close();
    ask(&renderings, "a", &object, "bob").await.unwrap().unwrap();
    assert_eq!(object.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn regression_a_folder_that_takes_nothing_is_our_fault_and_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("renderings");
    std::fs::create_dir(&folder).unwrap();
    let renderings = Renderings::open(folder.clone(), 1 << 30).unwrap();
    let bytes = pack(Codec::Gzip, &records());
    std::fs::remove_dir(&folder).unwrap();
    for count in 1..3 {
        let failed = renderings.of(&etag("a"), work(PACKED, &bytes), &caller("ann")).await.err();
        assert!(matches!(failed, Some(ShowError::Unkept(_))), "{failed:?}");
        assert_eq!(renderings.unkept(), count);
    }
    std::fs::create_dir(&folder).unwrap();
    assert!(renderings.of(&etag("a"), work(PACKED, &bytes), &caller("ann")).await.is_ok());
    assert_eq!(renderings.unkept(), 2);
}

async fn within_making(renderings: &Renderings, count: usize) {
    for _ in 0..2000 {
        if renderings.making().len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {count}");
}
