//! Large pieces are redacted on a thread of their own: the bytes, faults and counts are those of small pieces, whoever
//! gives up waiting, and whatever becomes of the thread.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::Semaphore;

use super::*;
use crate::limits;
use crate::redact::run::{Input, Run, State};
use crate::redact::stream::{Showing, whole};
use crate::redact::tally::TallyCell;
use crate::s3::answer::{Body, BodyError};

const PIECE: usize = limits::REDACT_ASIDE_BYTES_MIN;

/// Records with values to hide, some longer than a piece, of so many bytes at least.
fn records(bytes: usize) -> Vec<u8> {
    let mut object = Vec::new();
    for number in 0.. {
        if object.len() >= bytes {
            break;
        }
        let pad = if number % 100 == 99 { PIECE + 77 } else { 13 * number % 3000 };
        let record = format!("{{\"user_id\":\"user-{number:08}\",\"n\":{number},\"pad\":\"{}\"}}\n", "p".repeat(pad));
        object.extend_from_slice(record.as_bytes());
    }
    object
}

fn hiding() -> Arc<Plan> {
    plan(&masks(&[("** user_id", Mask)]))
}

/// Pieces of those sizes, again and again.
fn pieces(object: &[u8], sizes: &[usize]) -> Vec<Result<Bytes, BodyError>> {
    let object = Bytes::copy_from_slice(object);
    let (mut at, mut sizes, mut pieces) = (0, sizes.iter().cycle(), Vec::new());
    while at < object.len() {
        let next = object.len().min(at + sizes.next().copied().unwrap_or(PIECE));
        pieces.push(Ok(object.slice(at..next)));
        at = next;
    }
    pieces
}

fn places(count: usize) -> &'static Semaphore {
    Box::leak(Box::new(Semaphore::new(count)))
}

fn run(body: Body, size: usize, places: &'static Semaphore) -> Run {
    let size = size as u64;
    let input = Input { source: None, body: Some(body), next: 0, body_ends: size, size, step: 0 };
    Run::new(input, Redactor::new(hiding(), Format::Jsonl, 0), 0).with(places)
}

/// What it makes to its end, how that was, what was counted, and how often it went on aside. `impatient` gives up waiting
/// each time until something is there at once.
async fn pull(mut run: Run, impatient: bool) -> (Vec<u8>, State, Tally, usize) {
    let (mut out, mut shown, mut aside) = (Vec::new(), Shown::new(), 0);
    while matches!(run.state(), State::Reading) {
        if impatient {
            while run.pull().now_or_never().is_none() {
                tokio::task::yield_now().await;
            }
        } else {
            run.pull().await;
        }
        run.go_on();
        aside += usize::from(run.is_aside());
        run.give(u64::MAX, &mut shown);
        out.extend(shown.by_ref().flatten());
    }
    (out, run.state().clone(), run.tally().cloned().unwrap_or_default(), aside)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_redacted_aside_is_the_same() {
    let object = records(24 * PIECE);
    let (all, ended, tally) = at_once(&hiding(), Format::Jsonl, &object);
    assert!(ended.is_ok() && tally.fields[0] > 100);
    for sizes in [&[PIECE][..], &[4 * PIECE + 1], &[PIECE, 1, 2 * PIECE, 900], &[PIECE - 1]] {
        for impatient in [false, true] {
            let body = stream::iter(pieces(&object, sizes)).boxed();
            let (out, state, counted, aside) = pull(run(body, object.len(), places(1)), impatient).await;
            assert!(out == all && matches!(state, State::Ended), "{sizes:?}: {state:?}");
            assert_eq!(counted, tally, "{sizes:?}");
            assert_eq!(aside > 0, sizes.iter().all(|size| *size >= PIECE), "{sizes:?}: {aside} times aside");
        }
    }
}

#[tokio::test]
async fn without_a_place_it_is_redacted_in_the_stream() {
    let object = records(4 * PIECE);
    let (all, ..) = at_once(&hiding(), Format::Jsonl, &object);
    let body = stream::iter(pieces(&object, &[PIECE])).boxed();
    let (out, state, _, aside) = pull(run(body, object.len(), places(0)), false).await;
    assert!(out == all && matches!(state, State::Ended) && aside == 0);
    // A place that is taken while another piece is under way: that piece is not redacted before what was made has left.
    let one = places(1);
    let mut run = run(stream::iter(pieces(&object, &[PIECE])).boxed(), object.len(), one);
    run.pull().await;
    let (made, taken) = (run.made(), one.acquire().await.unwrap());
    run.go_on();
    assert!(!run.is_aside() && run.made() == made && made > 0);
    run.pull().await;
    assert!(!run.is_aside() && run.made() > made);
    drop(taken);
}

#[tokio::test]
async fn a_place_is_free_again_once_its_piece_is_made_or_unwanted() {
    let (object, one) = (records(8 * PIECE), places(1));
    let mut first = run(stream::iter(pieces(&object, &[PIECE])).boxed(), object.len(), one);
    first.pull().await;
    first.go_on();
    drop(first);
    tokio::time::timeout(Duration::from_secs(60), one.acquire()).await.unwrap().unwrap().forget();
    one.add_permits(1);
    let body = stream::iter(pieces(&object, &[PIECE])).boxed();
    let (.., aside) = pull(run(body, object.len(), one), false).await;
    assert!(aside > 0 && one.available_permits() == 1);
}

/// A fault that is found aside, one of the backend behind it, and a body that is too short or too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_those_of_small_pieces() {
    let sound = records(6 * PIECE);
    let broken = [&sound[..], b"{\"user_id\":\"", &vec![b'x'; 2 * PIECE], b"\x01\"}\n", &sound].concat();
    let gone = || Err(BodyError::Backend("gone".to_owned()));
    for (object, end, size) in [
        (&broken, None, broken.len()),
        (&sound, Some(gone()), sound.len() + 1),
        (&sound, None, sound.len() + 1),
        (&sound, None, sound.len() - 1),
    ] {
        let outcome = async |sizes: &[usize], places| {
            let body = stream::iter(pieces(object, sizes).into_iter().chain(end.clone())).boxed();
            let (out, state, tally, _) = pull(run(body, size, places), false).await;
            assert!(matches!(state, State::Failed(_)), "{state:?}");
            (out, format!("{state:?}"), tally)
        };
        // The last of these is cut where the piece begins that is too long.
        let small = outcome(&[PIECE, 700], places(0)).await;
        assert!(small == outcome(&[PIECE, 700], places(1)).await, "{}", small.1);
    }
}

/// What was made leaves, whenever more comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_pauses_holds_nothing_back() {
    let object = records(8 * PIECE);
    let half = pieces(&object, &[PIECE]).into_iter().take(4);
    let body = stream::iter(half).chain(stream::pending()).boxed();
    let (plan, size) = (hiding(), object.len() as u64);
    let tally = TallyCell::new(&plan);
    let showing = Showing { plan, format: Format::Jsonl, tally, track: None };
    let mut body = whole(body, size, showing).await.unwrap();
    let mut came = 0;
    while came < 4 * PIECE - limits::HOLD_BYTES_MAX {
        let more = tokio::time::timeout(Duration::from_secs(60), body.next()).await;
        came += more.expect("it comes").unwrap().unwrap().len();
    }
}

/// The runtime has ended: it takes no piece any more.
#[test]
fn what_does_not_come_back_cuts_the_body() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    let object = records(4 * PIECE);
    let mut run = run(stream::iter(pieces(&object, &[PIECE])).boxed(), object.len(), places(1));
    futures::executor::block_on(run.pull());
    let State::Failed(BodyError::Unshowable { offset: 0, reason }) = run.state() else { panic!("{:?}", run.state()) };
    assert!(reason.contains("broke down") && run.made() == 0 && run.tally().is_none());
}
