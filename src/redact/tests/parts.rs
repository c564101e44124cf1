//! Long documents and records that are pulled in many ranges at a time: how much is read of them, by whom, and for whom.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use super::*;
use crate::limits;
use crate::redact::checkpoints::Checkpoints;
use crate::redact::stream::{ShowError, Showing, Source, range, whole};
use crate::redact::tally::TallyCell;
use crate::redact::trail::Distances;
use crate::s3::answer::{Body, BodyError, ContentRange};

/// Parts of one download; the size of one, unless another is asked for.
const PARTS: u64 = 1250;
const PART_BYTES: u64 = 32_000;

/// A long text that is made up as it is read: `head`, `body` over and over, `tail`, white space.
#[derive(Clone)]
struct Long {
    head: Bytes,
    /// As often as fills some pieces.
    body: Bytes,
    tail: Bytes,
    /// Bytes of all bodies, and of the white space behind the tail.
    bodies: u64,
    spaces: u64,
}

impl Long {
    fn new(head: &str, body: &str, times: u64, tail: &str) -> Self {
        let bodies = times * body.len() as u64;
        let body = Bytes::from(body.repeat(200_000 / body.len()));
        Self { head: Bytes::from(head.to_owned()), body, tail: Bytes::from(tail.to_owned()), bodies, spaces: 0 }
    }

    fn size(&self) -> u64 {
        self.head.len() as u64 + self.bodies + self.tail.len() as u64 + self.spaces
    }

    /// Some bytes from that offset on, at most so many.
    fn piece(&self, at: u64, most: u64) -> Bytes {
        let cut = |bytes: &Bytes, at: u64, end: u64| bytes.slice(at as usize..(at + most).min(end) as usize);
        let Some(at) = at.checked_sub(self.head.len() as u64) else {
            return cut(&self.head, at, self.head.len() as u64);
        };
        let Some(at) = at.checked_sub(self.bodies) else {
            let begins = at % self.body.len() as u64;
            return cut(&self.body, begins, (self.body.len() as u64).min(begins + self.bodies - at));
        };
        let Some(at) = at.checked_sub(self.tail.len() as u64) else {
            return cut(&self.tail, at, self.tail.len() as u64);
        };
        Bytes::from(vec![b' '; most.min(self.spaces - at).min(100_000) as usize])
    }
}

/// A backend that counts what it gives, and gives as many pieces as it may.
struct Counting {
    object: Long,
    piece: u64,
    given: Arc<AtomicU64>,
    may: Arc<Semaphore>,
}

impl Counting {
    fn of(object: Long, piece: u64) -> Arc<Self> {
        Arc::new(Self { object, piece, given: Arc::default(), may: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) })
    }

    fn held(object: Long, piece: u64) -> Arc<Self> {
        Arc::new(Self { object, piece, given: Arc::default(), may: Arc::new(Semaphore::new(0)) })
    }

    fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Some bytes, once they may come, as over a network.
    async fn next(&self, at: u64, last: u64) -> Option<Bytes> {
        if at > last {
            return None;
        }
        self.may.acquire().await.ok()?.forget();
        yield_now().await;
        let bytes = self.object.piece(at, self.piece.min(last + 1 - at));
        self.given.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Some(bytes)
    }
}

#[async_trait]
impl Source for Counting {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        let all =
            Self { object: self.object.clone(), piece: self.piece, given: self.given.clone(), may: self.may.clone() };
        let next = async |(at, last, all): (u64, u64, Self)| {
            let bytes = all.next(at, last).await?;
            let behind = at + bytes.len() as u64;
            Some((Ok(bytes), (behind, last, all)))
        };
        Ok(stream::unfold((first, last, all), next).boxed())
    }
}

/// One case: an object, what a view shows of it, and along what its ranges are read.
#[derive(Clone)]
struct Case {
    source: Arc<Counting>,
    shown: Long,
    plan: Arc<Plan>,
    format: Format,
    checkpoints: Checkpoints,
}

impl Case {
    fn showing(&self) -> Showing {
        let (plan, track) = (self.plan.clone(), self.checkpoints.track("object"));
        Showing { tally: TallyCell::new(&plan), plan, format: self.format, track: Some(track) }
    }

    async fn body(&self, part: &Range<u64>) -> Result<Body, ShowError> {
        let asked = ContentRange { first: part.start, last: part.end - 1 };
        range(None, self.source.clone(), self.source.object.size(), asked, self.showing()).await
    }

    /// Takes a part to its end, which is what it should be.
    async fn check(self, part: Range<u64>) {
        let mut body = self.body(&part).await.unwrap();
        let mut at = part.start;
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.unwrap();
            while !chunk.is_empty() {
                let expected = self.shown.piece(at, chunk.len() as u64);
                assert!(chunk.split_to(expected.len()) == expected, "{part:?} at {at}");
                at += expected.len() as u64;
            }
        }
        assert_eq!(at, part.end);
    }

    /// Pulls all parts at a time; gives how often the object was read for it.
    async fn pull(&self, parts: &[Range<u64>]) -> f64 {
        let before = self.source.given();
        let mut all = JoinSet::new();
        parts.iter().for_each(|part| drop(all.spawn(self.clone().check(part.clone()))));
        all.join_all().await;
        (self.source.given() - before) as f64 / self.source.object.size() as f64
    }
}

/// All distances of one size of parts.
fn scaled(part: u64) -> Distances {
    let usual = Distances::default();
    let scaled = |bytes: u64| bytes * part / 8_000_000;
    Distances {
        every: scaled(usual.every),
        near: scaled(usual.near),
        ahead: scaled(usual.ahead),
        look_back: scaled(usual.look_back),
        look_back_near: scaled(usual.look_back) * (usual.look_back_near / usual.look_back),
        look_back_most: scaled(usual.look_back) * (usual.look_back_most / usual.look_back),
        stall: usual.stall,
    }
}

const RECORD: &str = "{\"n\":-12.5e3,\"user_id\":\"someone-0123456789\",\"steps\":[{\"text\":\"a \\\"word\\\" or two\",\"ok\":true}]},\n";
const SHOWN: &str = "{\"n\":-12.5e3,\"user_id\":\"[REDACTED]\"        ,\"steps\":[{\"text\":\"a \\\"word\\\" or two\",\"ok\":true}]},\n";

/// One document of at least so many bytes, or one record behind a short one.
fn case(format: Format, bytes: u64, piece: u64, distances: Distances) -> Case {
    let times = bytes / RECORD.len() as u64;
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let (source, shown) = match format {
        Format::Json => (Long::new("[\n", RECORD, times, "0]\n"), Long::new("[\n", SHOWN, times, "0]\n")),
        Format::Jsonl => {
            let (record, shown) = (RECORD.replace('\n', " "), SHOWN.replace('\n', " ").replace("        ,", ","));
            let mut shown = Long::new("{\"a\":1}\n[", &shown, times, "0]");
            shown.spaces = 8 * times;
            (Long::new("{\"a\":1}\n[", &record, times, "0]"), shown)
        }
    };
    assert_eq!(source.size(), shown.size());
    Case { source: Counting::of(source, piece), shown, plan, format, checkpoints: Checkpoints::with(distances) }
}

fn in_parts(size: u64, part: u64) -> Vec<Range<u64>> {
    (0..size.div_ceil(part)).map(|at| at * part..((at + 1) * part).min(size)).collect()
}

/// As `aws s3 cp` and others pull a large object, all at once; once more now that it is known; and in any order.
///
/// With `RANGE_PART_BYTES=8000000` the object has 10 GB, and all distances are those of the program.
#[tokio::test]
async fn an_object_in_1250_parts_is_read_little_more_than_once() {
    let part = std::env::var("RANGE_PART_BYTES").map_or(PART_BYTES, |bytes| bytes.parse().unwrap());
    let piece = (limits::BACKEND_READ_BYTES_MAX as u64 * part / 8_000_000).max(1024);
    for format in [Format::Json, Format::Jsonl] {
        let case = case(format, PARTS * part, piece, scaled(part));
        let parts = in_parts(case.source.object.size(), part);
        assert!((PARTS - 1..=PARTS).contains(&(parts.len() as u64)));
        let first = case.pull(&parts).await;
        let again = case.pull(&parts).await;
        println!("{format:?}: read {first:.3} times, and {again:.3} times again");
        assert!(first <= 1.6 && again <= 1.6, "{format:?} {first} {again}");
        let mut random = Random(5);
        let mut shuffled = parts;
        (1..shuffled.len()).for_each(|at| shuffled.swap(at, random.below(at + 1)));
        let case = Case { checkpoints: Checkpoints::with(scaled(part)), ..case };
        let found = case.pull(&shuffled).await;
        println!("{format:?}: in any order {found:.3} times");
        assert!(found <= 1.6, "{format:?} {found}");
    }
}

/// One after the other, ten at a time, as most clients do.
#[tokio::test]
async fn ten_parts_at_a_time_read_it_once() {
    for format in [Format::Json, Format::Jsonl] {
        let case = case(format, 300 * PART_BYTES, 1024, scaled(PART_BYTES));
        let parts = in_parts(case.source.object.size(), PART_BYTES);
        stream::iter(parts).for_each_concurrent(10, |part| case.clone().check(part)).await;
        let read = case.source.given() as f64 / case.source.object.size() as f64;
        assert!(read <= 1.6, "{format:?} {read}");
    }
}

/// Waits until nothing moves any more.
async fn settle() {
    for _ in 0..2000 {
        yield_now().await;
    }
}

/// Who read for others goes: what was read is not lost for them. Once nobody is left nothing is read.
#[tokio::test]
async fn who_leaves_takes_nothing_from_the_others_and_leaves_nothing_running() {
    let mut case = case(Format::Json, 4_000_000, 1000, scaled(PART_BYTES));
    case.source = Counting::held(case.source.object.clone(), 1000);
    let spawn = |part| tokio::spawn(case.clone().check(part));
    let (far, further) = (spawn(2_000_000..2_100_000), spawn(3_000_000..3_100_000));
    case.source.may.add_permits(1500);
    settle().await;
    let read = case.source.given();
    assert!(read >= 1_490_000, "{read}");
    far.abort();
    settle().await;
    case.source.may.add_permits(1000);
    settle().await;
    assert!(case.source.given() >= read + 900_000, "the other reads on");
    further.abort();
    assert!(further.await.unwrap_err().is_cancelled());
    settle().await;
    let left = case.source.may.available_permits();
    case.source.may.add_permits(5000);
    settle().await;
    assert_eq!(case.source.may.available_permits(), left + 5000, "nobody reads for nobody");
    let read = case.source.given();
    case.clone().check(2_000_000..2_100_000).await;
    assert!(case.source.given() - read < 120_000, "what was read is known");
}

/// A client that does not take what it asked for holds up others for a moment only.
#[tokio::test]
async fn who_takes_nothing_is_not_waited_for() {
    let distances = Distances { stall: Duration::from_millis(50), ..scaled(PART_BYTES) };
    let case = case(Format::Json, 2_000_000, 1000, distances);
    let stalled = case.body(&(100_000..1_000_000)).await.unwrap();
    let parts: Vec<_> = in_parts(case.source.object.size(), PART_BYTES).into_iter().rev().collect();
    let read = tokio::time::timeout(Duration::from_secs(60), case.pull(&parts)).await.unwrap();
    assert!(read < 4.0, "{read}");
    drop(stalled);
    // All bodies are there, and are taken from the last one on.
    let case = Case { checkpoints: Checkpoints::with(distances), ..case };
    let bodies = futures::future::join_all(parts.iter().map(|part| case.body(part)));
    for (body, part) in tokio::time::timeout(Duration::from_secs(60), bodies).await.unwrap().into_iter().zip(&parts) {
        let chunks: Vec<_> = body.unwrap().collect().await;
        let bytes: usize = chunks.into_iter().map(|chunk| chunk.unwrap().len()).sum();
        assert_eq!(bytes as u64, part.end - part.start);
    }
}

#[tokio::test]
async fn a_whole_read_leaves_checkpoints_behind() {
    for format in [Format::Json, Format::Jsonl] {
        let case = case(format, 2_000_000, 1000, scaled(PART_BYTES));
        let size = case.source.object.size();
        let body = case.source.read(0, size - 1).await.unwrap();
        let mut shown = whole(body, size, case.showing()).await.unwrap();
        while let Some(chunk) = shown.next().await {
            chunk.unwrap();
        }
        for first in [900_000, 1_500_000, size - 20_000] {
            let read = case.source.given();
            case.clone().check(first..first + 10_000).await;
            assert!(case.source.given() - read < 40_000, "{format:?} {first} {}", case.source.given() - read);
        }
    }
}

/// A value that is hidden and as long as the object: neither its inside nor what follows has to be read for a range in it.
#[tokio::test]
async fn a_range_within_a_long_hidden_value_reads_little() {
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let source = Counting::of(Long::new("{\"user_id\":\"", "some text ", 200_000, "\"}"), 1000);
    let shown = Long::new("{\"user_id\":\"[REDACTED]\"", " ", source.object.size() - 24, "}");
    assert_eq!(shown.size(), source.object.size());
    let checkpoints = Checkpoints::with(scaled(PART_BYTES));
    let case = Case { source, shown, plan, format: Format::Json, checkpoints };
    case.clone().check(1_500_000..1_510_000).await;
    let read = case.source.given();
    assert!(read < 1_600_000, "{read}");
    case.clone().check(1_200_000..1_210_000).await;
    assert!(case.source.given() - read < 100_000, "{}", case.source.given() - read);
}

/// Any ranges at a time, of documents and lines of any kind, near and far, are slices of the whole.
#[tokio::test]
async fn ranges_along_checkpoints_are_slices_of_the_whole() {
    let distances = Distances {
        every: 3,
        near: 6,
        ahead: 1 << 30,
        look_back: 2,
        look_back_near: 8,
        look_back_most: 64,
        ..Distances::default()
    };
    for seed in seeds(120) {
        let mut random = Random(seed);
        let (masks, format) = (random.masks(), random.format());
        let object = checkpoints::object(&mut random, format);
        let plan = plan(&masks);
        let (all, ended, _) = at_once(&plan, format, &object);
        if ended.is_err() {
            continue;
        }
        let long = Long { head: object.into(), body: Bytes::new(), tail: Bytes::new(), bodies: 0, spaces: 0 };
        let shown = Long { head: all.clone().into(), ..long.clone() };
        let source = Counting::of(long, 1 + random.below(40) as u64 * 20);
        let case = Case { source, shown, plan, format, checkpoints: Checkpoints::with(distances) };
        let ahead = checkpoints::AHEAD.min(all.len() - 1);
        let parts: Vec<_> = (0..12)
            .map(|_| {
                let first = ahead + random.below(all.len() - ahead);
                first as u64..(first + 1 + random.below(all.len() - first)) as u64
            })
            .collect();
        case.pull(&parts[..6]).await;
        case.pull(&parts[6..]).await;
    }
}

/// Beyond its bound every second checkpoint goes, and further ones come at twice the distance.
#[test]
fn a_trail_is_bounded() {
    let trail = crate::redact::trail::Trail::<()>::new(Distances { every: 10, ..Distances::default() });
    let (mut redactor, mut shown) = (Redactor::new(plan(&masks(&[("** k", Mask)])), Format::Json, 0), Shown::new());
    let nested = "[".repeat(1000) + &" ".repeat(limits::HOLD_BYTES_MAX);
    redactor.write(Bytes::from(nested), &mut shown).unwrap();
    let mut checkpoint = redactor.checkpoint().unwrap();
    let mut added = 0;
    for _ in 0..100_000 {
        (checkpoint.input, checkpoint.output) = (checkpoint.input + 10, checkpoint.output + 10);
        added += u64::from(trail.add(checkpoint.clone()));
        assert!(trail.bytes() <= 2 * limits::TRAIL_BYTES_MAX);
    }
    let (kept, readers, waiting) = trail.counts();
    assert!(kept > 5000 && (kept as u64) < added && added < 50_000, "{kept} {added}");
    assert_eq!((readers, waiting), (0, 0));
}
