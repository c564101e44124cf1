//! Checkpoints: signed soon, over nothing but what is durable, and never contradicted by what a start finds.

use std::fs;
use std::sync::atomic::Ordering;

use super::*;
use crate::audit::segment;
use crate::audit::tlog::{Checkpoint, CheckpointError, VerifierKey};
use crate::audit::verify::{Report, Tampering, Terms, verify};
use crate::audit::{Event, State, tiles};
use crate::limits;

/// A log of that many events between `log.start` and `log.stop`.
pub(super) async fn log_of(dir: &Path, events: u64) {
    let (journal, _) = open(dir);
    record(&journal, events).await;
    journal.close().await;
}

pub(super) async fn record(journal: &Journal, events: u64) {
    let event = |nth: u64| Event::Admin { verb: "test", actor: format!("person {nth}"), target: "t".repeat(60) };
    let all = futures::future::join_all((0..events).map(|nth| journal.event(event(nth)))).await;
    all.into_iter().collect::<Result<(), _>>().unwrap();
}

/// The newest checkpoint, whoever signed it.
pub(super) fn checkpoint(dir: &Path) -> Option<Checkpoint> {
    tiles::text(&tiles::checkpoint_path(dir)).unwrap().map(|note| Checkpoint::unchecked(&note).unwrap())
}

pub(super) fn verified(dir: &Path, keys: &[VerifierKey]) -> Report {
    verify(dir, &Terms { keys: keys.to_vec(), checkpoints: Vec::new() }, &mut |_, _| {}).unwrap()
}

/// A copy of a log's folder: the checkpoint and the tiles as they were before the segments, which are read from the end
/// backwards, so that nothing stands in it without what was written before.
fn copy_while_it_runs(from: &Path, to: &Path) {
    let copy = |name: &Path| {
        if let Ok(bytes) = fs::read(from.join(name)) {
            fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
            fs::write(to.join(name), bytes).unwrap();
        }
    };
    copy(Path::new("checkpoint"));
    copy(Path::new("verifier-keys"));
    let mut folders = vec![std::path::PathBuf::from("tile")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(from.join(&folder)).into_iter().flatten() {
            let path = folder.join(entry.unwrap().file_name());
            if from.join(&path).is_dir() { folders.push(path) } else { copy(&path) }
        }
    }
    for segment in segment::list(from).unwrap().iter().rev() {
        let mut bytes = fs::read(&segment.path).unwrap();
        let file = fs::File::open(&segment.path).unwrap();
        for page in (0..bytes.len()).step_by(4096).rev() {
            let end = bytes.len().min(page + 4096);
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes[page..end], page as u64).unwrap();
        }
        fs::write(to.join(segment.path.file_name().unwrap()), bytes).unwrap();
    }
}

#[tokio::test]
async fn entries_are_signed_soon_and_the_rest_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    record(&journal, 3).await;
    eventually("it is signed", || checkpoint(dir.path()).is_some_and(|signed| signed.size == 4)).await;
    eventually("nothing waits", || journal.stats().unsigned_for.is_zero()).await;
    assert_eq!(journal.stats().signed, 4);
    record(&journal, 1).await;
    journal.close().await;
    assert_eq!(checkpoint(dir.path()).unwrap().size, 6, "with `log.stop`");
    let keys = signing("spring").verifiers();
    let report = verified(dir.path(), &keys);
    assert_eq!((report.finding, report.signed, report.unsigned, report.pinned), (None, 6, 0, true));
    assert_eq!(report.signers, [keys[0].short()]);
}

#[tokio::test]
async fn nothing_is_signed_that_is_not_durable() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    eventually("the start is signed", || checkpoint(dir.path()).is_some()).await;
    faults.hold_sync.store(true, Ordering::SeqCst);
    let queued = journal.queue(permit("a"), &facts()).unwrap();
    eventually("the disk is at it", || faults.in_sync.load(Ordering::SeqCst)).await;
    tokio::time::sleep(3 * limits::LOG_SIGN_EVERY).await;
    assert_eq!(entries(dir.path()).len(), 2, "it is written");
    assert_eq!(checkpoint(dir.path()).unwrap().size, 1, "and not signed");
    faults.hold_sync.store(false, Ordering::SeqCst);
    drop(queued.durable().await.unwrap());
    eventually("it is signed", || checkpoint(dir.path()).unwrap().size > 1).await;
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_never_contradicted_by_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let writing = {
        let journal = journal.clone();
        tokio::spawn(async move {
            for _ in 0..60 {
                record(&journal, 40).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let (mut crashes, mut signed) = (0, std::collections::BTreeSet::new());
    while !writing.is_finished() {
        let crashed = tempfile::tempdir().unwrap();
        copy_while_it_runs(dir.path(), crashed.path());
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Not taken at one moment: where the log went on to another segment meanwhile, it proves nothing.
        if segment::list(crashed.path()).unwrap().len() != segment::list(dir.path()).unwrap().len() {
            continue;
        }
        let before = checkpoint(crashed.path());
        reopen(crashed.path()).unwrap();
        let report = verified(crashed.path(), &signing("spring").verifiers());
        assert_eq!(report.finding, None, "{before:?}");
        assert!(before.as_ref().is_none_or(|before| report.signed > before.size));
        signed.extend(before.map(|before| before.size));
        crashes += 1;
    }
    writing.await.unwrap();
    journal.close().await;
    assert!(crashes > 1 && signed.len() > 1, "{crashes} {signed:?}");
}

/// The start says no, and leaves everything as it is.
async fn refused(dir: &Path, expected: impl Fn(&JournalError) -> bool) {
    let before: Vec<Vec<u8>> = segment::list(dir).unwrap().iter().map(|it| fs::read(&it.path).unwrap()).collect();
    let error = reopen(dir).unwrap_err();
    assert!(expected(&error), "{error}");
    let after: Vec<Vec<u8>> = segment::list(dir).unwrap().iter().map(|it| fs::read(&it.path).unwrap()).collect();
    assert!(before == after, "a log that is refused is not changed");
}

#[tokio::test]
async fn a_log_that_is_not_what_was_signed_is_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    log_of(dir.path(), 10).await;
    let path = segment::list(dir.path()).unwrap().pop().unwrap().path;
    let sound = fs::read(&path).unwrap();
    super::tampering::rewrite(&path, |entries| {
        entries[5].windows(6).position(|it| it == b"person").map_or((), |at| entries[5][at] = b'P')
    });
    refused(dir.path(), |error| matches!(error, JournalError::Contradicted { size: 12 })).await;
    fs::write(&path, &sound).unwrap();
    super::tampering::rewrite(&path, |entries| entries.truncate(11));
    refused(dir.path(), |error| matches!(error, JournalError::RolledBack { entries: 11, signed: 12 })).await;
    // A torn end is cut where no checkpoint covers it only.
    fs::write(&path, &sound[..sound.iter().rposition(|&byte| byte != 0).unwrap()]).unwrap();
    refused(dir.path(), |error| matches!(error, JournalError::RolledBack { entries: 11, signed: 12 })).await;
    fs::write(&path, &sound).unwrap();
    let note = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    fs::write(dir.path().join("checkpoint"), note.replace("\n12\n", "\n11\n")).unwrap();
    refused(dir.path(), |error| matches!(error, JournalError::Checkpoint { error: CheckpointError::Note(_), .. }))
        .await;
    fs::write(dir.path().join("checkpoint"), note.replace("/r1", "/r2")).unwrap();
    refused(dir.path(), |error| matches!(error, JournalError::Checkpoint { error: CheckpointError::OfAnother(_), .. }))
        .await;
    fs::write(dir.path().join("checkpoint"), note).unwrap();
    reopen(dir.path()).unwrap();
}

#[tokio::test]
async fn missing_and_changed_tiles_are_made_again_by_a_start() {
    let dir = tempfile::tempdir().unwrap();
    log_of(dir.path(), 600).await;
    let keys = signing("spring").verifiers();
    fs::remove_file(dir.path().join("tile/0/000")).unwrap();
    fs::write(dir.path().join("tile/0/001"), [7; 8192]).unwrap();
    assert!(matches!(verified(dir.path(), &keys).finding.unwrap().done, Tampering::Tile { .. }));
    reopen(dir.path()).unwrap();
    assert_eq!(verified(dir.path(), &keys).finding, None);
    // One that is not full, as a loss of power may leave it, and that the next checkpoint needs as well.
    fs::write(dir.path().join("tile/1/000.p/2"), []).unwrap();
    let found = verified(dir.path(), &keys).finding.unwrap().done;
    assert_eq!(found, Tampering::Tile { path: "tile/1/000.p/2".into() });
    reopen(dir.path()).unwrap();
    assert_eq!(verified(dir.path(), &keys).finding, None);
}

#[tokio::test]
async fn whoever_keeps_a_key_can_check_across_its_rotation() {
    let dir = tempfile::tempdir().unwrap();
    log_of(dir.path(), 3).await;
    let run = async |keys: &[(&str, KeyState)]| {
        let options = JournalOptions { signing: signing_of(keys), ..options(dir.path()) };
        let (journal, _) = Journal::open_on(Arc::new(SystemDisk), options, SIZES).unwrap();
        journal.close().await;
    };
    let (spring, winter) = (signing("spring").verifiers(), signing("winter").verifiers());
    assert!(of_kind(dir.path(), "log.key").is_empty());
    for _ in 0..2 {
        run(&[("spring", KeyState::Retired), ("winter", KeyState::Active)]).await;
        let switch = of_kind(dir.path(), "log.key");
        assert_eq!(switch.len(), 1, "the switch is an entry");
        assert_eq!(switch[0]["verifier"], winter[0].to_string());
        assert_eq!(switch[0]["previous"], spring[0].to_string());
        for keys in [&spring, &winter] {
            let report = verified(dir.path(), keys);
            assert_eq!((report.finding, &report.signers[..]), (None, &[keys[0].short()][..]));
        }
    }
    assert_eq!(tiles::verifier_keys(dir.path()).unwrap(), [spring.clone(), winter.clone()].concat());
    run(&[("winter", KeyState::Active)]).await;
    assert_eq!(verified(dir.path(), &winter).finding, None);
    let finding = verified(dir.path(), &spring).finding.unwrap();
    assert_eq!(finding.done, Tampering::Resigned { by: vec![winter[0].short()] });
    assert_eq!(verified(dir.path(), &[]).finding, None, "by the keys that the log lists");
}

#[tokio::test]
async fn a_full_disk_puts_the_signature_off_and_a_broken_one_ends_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let journal = open_faulty(dir.path(), &faults);
    eventually("the start is signed", || checkpoint(dir.path()).is_some()).await;
    faults.no_new_files.store(true, Ordering::SeqCst);
    record(&journal, 300).await;
    tokio::time::sleep(3 * limits::LOG_SIGN_EVERY).await;
    assert_eq!(checkpoint(dir.path()).unwrap().size, 1);
    assert!(journal.stats().unsigned_for >= limits::LOG_SIGN_EVERY && journal.stats().state != State::Dead);
    faults.no_new_files.store(false, Ordering::SeqCst);
    eventually("it is signed", || checkpoint(dir.path()).unwrap().size == 301).await;
    assert_eq!(verified(dir.path(), &signing("spring").verifiers()).finding, None);
    faults.fail_files.store(true, Ordering::SeqCst);
    record(&journal, 1).await;
    tokio::time::timeout(Duration::from_secs(20), journal.died()).await.unwrap();
}
