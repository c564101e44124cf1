//! Bodies: a range is the slice of the whole, a fault within the hold is a clean refusal, a later one cuts the body.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};

use super::*;
use crate::limits;
use crate::redact::checkpoints::Checkpoints;
use crate::redact::size;
use crate::redact::stream::{ShowError, Showing, Source, range, whole};
use crate::redact::tally::TallyCell;
use crate::s3::answer::{Body, BodyError, ContentRange};

/// An object in memory that counts what is read of it.
pub(super) struct InMemory {
    object: Bytes,
    piece: usize,
    read: AtomicU64,
}

impl InMemory {
    pub(super) fn of(object: impl Into<Bytes>, piece: usize) -> Arc<Self> {
        Arc::new(Self { object: object.into(), piece, read: AtomicU64::new(0) })
    }
}

fn body(object: &Bytes, piece: usize) -> Body {
    let pieces: Vec<_> = (0..object.len())
        .step_by(piece)
        .map(|from| Ok(object.slice(from..object.len().min(from.saturating_add(piece)))))
        .collect();
    stream::iter(pieces).boxed()
}

#[async_trait]
impl Source for InMemory {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        self.read.fetch_add(last - first + 1, Ordering::Relaxed);
        Ok(body(&self.object.slice(first as usize..=last as usize), self.piece))
    }
}

/// All bytes of a body, and the error that ended it.
async fn drain(mut body: Body) -> (Vec<u8>, Option<BodyError>) {
    let mut out = Vec::new();
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => out.extend_from_slice(&bytes),
            Err(error) => return (out, Some(error)),
        }
    }
    (out, None)
}

fn showing(plan: &Arc<Plan>, format: Format, tally: Arc<TallyCell>) -> Showing {
    Showing { plan: plan.clone(), format, tally, track: Some(Checkpoints::new().track("object")) }
}

pub(super) async fn slice(
    source: &Arc<InMemory>,
    plan: &Arc<Plan>,
    format: Format,
    first: u64,
    last: u64,
) -> Result<Vec<u8>, ShowError> {
    let size = source.object.len() as u64;
    let showing = showing(plan, format, TallyCell::new(plan));
    let body = range(None, source.clone(), size, ContentRange { first, last }, showing).await?;
    let (out, error) = drain(body).await;
    error.map_or(Ok(out), |error| Err(error.into()))
}

#[tokio::test]
async fn a_range_is_the_slice_of_the_whole() {
    for seed in seeds(400) {
        let mut random = Random(seed);
        let (masks, format) = (random.masks(), random.format());
        let mut object = random.object(format);
        if format == Format::Jsonl && random.one_in(2) {
            random.mutate(&mut object);
        }
        let plan = plan(&masks);
        let (all, ended, _) = at_once(&plan, format, &object);
        if ended.is_err() || object.is_empty() {
            continue;
        }
        let source = InMemory::of(object, 1 + random.below(50));
        for _ in 0..8 {
            let first = random.below(all.len());
            let last = first + random.below(all.len() - first);
            let found = slice(&source, &plan, format, first as u64, last as u64).await.unwrap();
            assert_eq!(text(&found), text(&all[first..=last]), "seed {seed} {first}-{last}");
        }
    }
}

#[tokio::test]
async fn a_range_of_many_records_looks_back_no_further_than_it_must() {
    let mut object = String::new();
    while object.len() < 2 * 1024 * 1024 {
        let pad = "p".repeat(object.len() % 700);
        object.push_str(&format!(
            "{{\"n\":{},\"user_id\":\"u-{:09}\",\"pad\":\"{pad}\"}}\n",
            object.len(),
            object.len()
        ));
    }
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let (all, ..) = at_once(&plan, Format::Jsonl, object.as_bytes());
    let source = InMemory::of(object, 16 * 1024);
    let mut random = Random(1);
    for _ in 0..30 {
        let first = random.below(all.len() - 5000);
        let last = first + random.below(5000);
        source.read.store(0, Ordering::Relaxed);
        let found = slice(&source, &plan, Format::Jsonl, first as u64, last as u64).await.unwrap();
        assert!(found == all[first..=last], "{first}-{last}");
        let read = source.read.load(Ordering::Relaxed);
        assert!(read <= (last - first) as u64 + 3 * limits::LOOK_BACK_BYTES, "{read} bytes read");
    }
}

#[tokio::test]
async fn a_range_within_a_long_record_is_that_of_the_whole() {
    let long = "x".repeat(5 * limits::LOOK_BACK_BYTES as usize);
    let object = format!("{{\"a\":1}}\n{{\"user_id\":\"{long}\",\"b\":\"{long}\"}}\n{{\"a\":2}}\n");
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let (all, ended, _) = at_once(&plan, Format::Jsonl, object.as_bytes());
    assert_eq!(ended, Ok(()));
    let source = InMemory::of(object, 10_000);
    for first in [0, 5, 8, 9, 100, 300_000, 400_000, 640_000, all.len() - 9, all.len() - 1] {
        let last = (first + 70_000).min(all.len() - 1);
        let found = slice(&source, &plan, Format::Jsonl, first as u64, last as u64).await.unwrap();
        assert!(found == all[first..=last], "{first}");
    }
}

/// White space without an end, or nearly.
struct Blank(AtomicU64);

#[async_trait]
impl Source for Blank {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        self.0.fetch_add(last - first + 1, Ordering::Relaxed);
        const PIECE: u64 = 1 << 20;
        let piece = Bytes::from(vec![b' '; PIECE as usize]);
        let left = last - first + 1;
        let sizes = (0..left.div_ceil(PIECE)).map(move |at| PIECE.min(left - at * PIECE));
        Ok(stream::iter(sizes.map(move |size| Ok(piece.slice(..size as usize)))).boxed())
    }
}

#[tokio::test]
async fn ranges_too_far_within_one_value_are_refused() {
    let size = limits::RANGE_AHEAD_BYTES_MAX + limits::CHECKPOINT_NEAR;
    let plan = plan(&masks(&[("** user_id", Mask)]));
    for (format, most) in [(Format::Json, 0), (Format::Jsonl, 2 * limits::LOOK_BACK_BYTES_MAX)] {
        let source = Arc::new(Blank(AtomicU64::new(0)));
        let asked = ContentRange { first: size - 2, last: size - 1 };
        let found = range(None, source.clone(), size, asked, showing(&plan, format, TallyCell::new(&plan))).await;
        assert!(matches!(found, Err(ShowError::TooFar)), "{format:?}");
        assert!(source.0.load(Ordering::Relaxed) <= most, "{format:?}");
    }
}

/// Where lengths are hidden, it is not known what lies where but by reading from the start: so far, and no further.
#[tokio::test]
async fn ranges_too_far_within_hidden_lengths_are_refused() {
    let record = format!("{{\"n\":1,\"k\":\"{}\"}}\n", "x".repeat(1 << 20));
    let object = Bytes::from(record.repeat(limits::HIDDEN_AHEAD_BYTES_MAX as usize / record.len() + 2));
    let hidden = Masks { length: Some(LengthRule::Hidden), ..masks(&[("k", Mask)]) };
    let (plan, size) = (plan(&hidden), size::rounded(object.len() as u64));
    let shown = "{\"n\":1,\"k\":\"[REDACTED]\"}\n";
    let source = InMemory::of(object, 1 << 20);
    for (first, last, expected) in [
        (0, 24, Some(shown)),
        (25 * 40 + 1, 25 * 41 - 1, Some(&shown[1..])),
        (10_000, 10_009, None),
        (size - 1, size - 1, None),
    ] {
        match (slice(&source, &plan, Format::Jsonl, first, last).await, expected) {
            (Ok(found), Some(expected)) => assert_eq!(text(&found), expected),
            (Err(ShowError::TooFarIn), None) => {}
            (found, _) => panic!("{first}-{last} {:?}", found.map(|found| text(&found))),
        }
    }
}

/// A range sees no more than the whole: also the inside of a value, which it cannot see the beginning of, stays hidden.
#[tokio::test]
async fn regression_a_range_shows_no_inside_of_a_value() {
    let pad = " ".repeat(limits::LOOK_BACK_BYTES as usize + 100);
    let plan = plan(&masks(&[("messages", Mask)]));
    for object in [
        "{\"messages\":[\n{\"content\":\"hidden\"}\n]}\n[1]\n{\"n\":1}\n".to_owned(),
        "{\"messages\":\n\n \r\n\"hidden\"\n}\n[1]\n\n{\"n\":1}".to_owned(),
        format!("{{\"messages\":[{pad}\n{{\"content\":\"hidden\"}}\n]}}\n[1]\n{{\"n\":1}}\n"),
        format!("{{\"messages\":[\n{pad}\n{{\"content\":\"hidden\"}}\n]}}\n[1]\n{{\"n\":1}}\n"),
    ] {
        let source = InMemory::of(object.clone(), 999);
        // One record cannot be blanked beyond the hold; nor is it shown then.
        let (all, ended, _) = at_once(&plan, Format::Jsonl, object.as_bytes());
        assert!(!text(&all).contains("hidden"));
        for first in object.len() - 36..object.len() {
            let found = slice(&source, &plan, Format::Jsonl, first as u64, object.len() as u64 - 1).await;
            if ended.is_ok() {
                assert_eq!(text(found.as_ref().unwrap()), text(&all[first..]), "{first}");
            }
            let found = found.map_or_else(|_| String::new(), |found| text(&found));
            assert!(!found.contains("hidden") && !found.contains("den\""), "{first} {found}");
            let n = object.rfind("{\"n\"").unwrap();
            assert!(first > n || found.contains("{\"n\":1}"), "{first} {found}");
        }
    }
}

/// Where a broken record cuts the object, the one behind it is not shown either; later ones are.
#[tokio::test]
async fn a_range_right_behind_a_broken_record_is_cut() {
    let object = "{\"a\":1}\nbroken\n{\"a\":2}\n{\"a\":3}\n";
    let cut = Masks { on_broken: OnBroken::Cut, ..masks(&[("** user_id", Mask)]) };
    let (plan, source) = (plan(&cut), InMemory::of(object, 5));
    for (first, last, expected) in
        [(0, 7, Some("{\"a\":1}\n")), (8, 9, None), (16, 17, None), (15, 30, None), (23, 30, Some("{\"a\":3}\n"))]
    {
        match (slice(&source, &plan, Format::Jsonl, first, last).await, expected) {
            (Ok(found), Some(expected)) => assert_eq!(text(&found), expected),
            (Err(ShowError::Unshowable(_)), None) => {}
            (found, _) => panic!("{first}-{last} {:?}", found.map(|found| text(&found))),
        }
    }
}

async fn shown(
    object: &str,
    piece: usize,
    size: usize,
    format: Format,
) -> Result<(Vec<u8>, Option<BodyError>), ShowError> {
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let tally = TallyCell::new(&plan);
    let body = whole(body(&Bytes::from(object.to_owned()), piece), size as u64, showing(&plan, format, tally)).await?;
    Ok(drain(body).await)
}

#[tokio::test]
async fn a_fault_within_the_hold_is_an_error_of_the_call() {
    for object in ["{\"user_id\":1,}", "", "[1", "[1]]"] {
        for piece in [1, 100] {
            let found = shown(object, piece, object.len(), Format::Json).await;
            assert!(matches!(found, Err(ShowError::Unshowable(_))), "{object}");
        }
    }
}

/// Also when the fault is the very last thing: a body never reaches its length before it is known to be sound.
#[tokio::test]
async fn a_later_fault_cuts_the_body() {
    let long = "x".repeat(2 * limits::HOLD_BYTES_MAX);
    for broken in [format!("{{\"a\":\"{long}\"}} ]"), format!("{{\"a\":\"{long}\""), format!("[\"{long}\",01]    ")] {
        let (out, error) = shown(&broken, 1000, broken.len(), Format::Json).await.unwrap();
        assert!(out.len() > limits::HOLD_BYTES_MAX && out.len() < broken.len() && broken.starts_with(&text(&out)));
        assert!(matches!(error, Some(BodyError::Unshowable { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_of_another_length_is_an_error() {
    let object = "{\"user_id\":1}\n{\"user_id\":2}\n";
    for (size, piece) in
        [(object.len() + 1, 5), (object.len() - 1, 5), (object.len() - 1, 100), (object.len() + 9, 100), (0, 9)]
    {
        match shown(object, piece, size, Format::Jsonl).await {
            Ok((out, error)) => {
                assert!(matches!(error, Some(BodyError::Backend(_))) && out.len() < size, "{size} {error:?}");
            }
            Err(error) => assert!(matches!(error, ShowError::Backend(_)), "{size} {error}"),
        }
    }
    assert!(shown(object, 3, object.len(), Format::Jsonl).await.unwrap().1.is_none());
}

#[tokio::test]
async fn a_short_read_of_a_range_is_an_error() {
    struct Short;
    #[async_trait]
    impl Source for Short {
        async fn read(&self, _first: u64, _last: u64) -> Result<Body, BodyError> {
            Ok(body(&Bytes::from_static(b"{\"a\":1}\n"), 100))
        }
    }
    let plan = plan(&masks(&[("** user_id", Mask)]));
    for first in [0, 400] {
        let asked = ContentRange { first, last: 500 };
        let showing = showing(&plan, Format::Jsonl, TallyCell::new(&plan));
        let found = range(None, Arc::new(Short), 1000, asked, showing).await;
        let error = match found {
            Err(error) => error,
            Ok(body) => drain(body).await.1.unwrap().into(),
        };
        assert!(matches!(error, ShowError::Backend(_)), "{error}");
    }
}

#[tokio::test]
async fn the_first_bytes_settle_the_framing_and_are_not_lost() {
    use crate::redact::format::{Framing, Unframed};
    use crate::redact::stream::framed;

    const UNKNOWN: Framing = Framing::Undetermined;
    let blanks = " ".repeat(2 * limits::HOLD_BYTES_MAX);
    for (so_far, object, expected) in [
        (UNKNOWN, "  \n {\"a\":1}", Ok(Format::Json)),
        (UNKNOWN, "[", Ok(Format::Json)),
        (UNKNOWN, "plain text", Err(Unframed::NotJson)),
        (UNKNOWN, "", Err(Unframed::NotJson)),
        (UNKNOWN, &blanks, Err(Unframed::NotJson)),
        (Framing::Known(Format::Jsonl), "", Ok(Format::Jsonl)),
        (Framing::Known(Format::Jsonl), "x", Ok(Format::Jsonl)),
        (Framing::Known(Format::Jsonl), "\u{28}\u{35}text", Ok(Format::Jsonl)),
        (Framing::Refused(Unframed::Encoded), "{}", Err(Unframed::Encoded)),
    ] {
        for piece in [1, 3, 1000] {
            match framed(so_far, body(&Bytes::from(object.to_owned()), piece)).await {
                Ok((format, body)) => {
                    assert_eq!(Ok(format), expected);
                    assert_eq!(text(&drain(body).await.0), object);
                }
                Err(ShowError::Unframed(why)) => assert_eq!(Err(why), expected),
                Err(error) => panic!("{error}"),
            }
        }
    }
    let zstd = body(&Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0]), 1);
    let found = framed(Framing::Known(Format::Json), zstd).await;
    assert!(matches!(found, Err(ShowError::Unframed(Unframed::Compressed))));
}

#[tokio::test]
async fn counts_can_be_read_after_the_stream() {
    let object = Bytes::from_static(b"{\"user_id\":1}\nbroken\n{\"user_id\":2}\n");
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let tally = TallyCell::new(&plan);
    let size = object.len() as u64;
    let shown = whole(body(&object, 4), size, showing(&plan, Format::Jsonl, tally.clone())).await.unwrap();
    drop(drain(shown).await);
    assert_eq!(
        tally.read(),
        Tally { fields: vec![1], records: 3, records_blanked: 2, records_withheld: 0, texts_cut: 0 }
    );
    assert_eq!(tally.profiles(), [Box::<str>::from("first")]);
}
