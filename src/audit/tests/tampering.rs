//! Every way to change a log behind its back is found and called by its name, with the first entry that it shows at.

use std::fs;
use std::path::PathBuf;

use super::sealing::{checkpoint, log_of, record, verified};
use super::*;
use crate::audit::segment::{self, Found};
use crate::audit::tiles;
use crate::audit::tlog::tile::bytes_of;
use crate::audit::tlog::{Checkpoint, Hash, SigningKeys, Tree};
use crate::audit::verify::{Finding, Tampering, Terms, VerifyError, verify};
use crate::keyring::KeyRing;

/// Two full tiles and a beginning of a third, with `log.start` and `log.stop`.
const EVENTS: u64 = 700;
const SIZE: u64 = EVENTS + 2;

/// Writes a segment anew, as whoever knows the format would: with sound frames.
pub(super) fn rewrite(segment: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let file = fs::File::open(segment).unwrap();
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Found::Frame { entry, next } = segment::read_frame(&file, at).unwrap() {
        entries.push(entry);
        at = next;
    }
    change(&mut entries);
    let mut bytes = Vec::new();
    for entry in &entries {
        let first = bytes.is_empty();
        segment::push_frame(&mut bytes, &[entry], first);
    }
    bytes.resize(bytes.len().max(file.metadata().unwrap().len() as usize), 0);
    fs::write(segment, bytes).unwrap();
}

fn last_segment(dir: &Path) -> PathBuf {
    segment::list(dir).unwrap().pop().unwrap().path
}

fn finding(dir: &Path) -> Option<Finding> {
    verified(dir, &signing("spring").verifiers()).finding
}

/// What is found in a copy of the log that was changed so.
fn found_after(change: impl FnOnce(&Path)) -> (Tampering, u64) {
    static SOUND: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let sound = SOUND.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(log_of(dir.path(), EVENTS))).join().unwrap());
        // On a slow machine the run kept more of them on its way.
        for kept in tiles::kept(dir.path()).unwrap().iter().rev().skip(1) {
            fs::remove_file(kept).unwrap();
        }
        assert_eq!(finding(dir.path()), None, "it holds before");
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    copy(sound.path(), dir.path());
    change(dir.path());
    let found = finding(dir.path()).expect("it is found");
    (found.done, found.entry)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// The same of a change of the entries.
fn found_in(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> (Tampering, u64) {
    found_after(|dir| rewrite(&last_segment(dir), change))
}

/// In the first tile, at the edges of tiles, and in the last one, which is not full.
const PLACES: [usize; 5] = [6, 255, 256, 512, 690];

#[test]
fn regression_a_folder_that_is_not_there_holds_no_log() {
    let dir = tempfile::tempdir().unwrap().path().join("none");
    let found = verify(&dir, &Terms::default(), &mut |_, _| {});
    assert!(matches!(found, Err(VerifyError::NoLog(at)) if at == dir));
}

#[test]
fn a_flipped_bit_is_a_changed_entry() {
    for at in PLACES.into_iter().chain([0, SIZE as usize - 1]) {
        let flip = |entries: &mut Vec<Vec<u8>>| entries[at][30] ^= 1;
        assert_eq!(found_in(flip), (Tampering::Changed, at as u64));
        let raw = |dir: &Path| {
            // Without mending the frame.
            let path = last_segment(dir);
            let mut bytes = fs::read(&path).unwrap();
            let file = fs::File::open(&path).unwrap();
            let mut offset = 0;
            for _ in 0..at {
                let Found::Frame { next, .. } = segment::read_frame(&file, offset).unwrap() else { panic!() };
                offset = next;
            }
            bytes[offset as usize + 20] ^= 0x10;
            fs::write(&path, bytes).unwrap();
        };
        assert_eq!(found_after(raw), (Tampering::Changed, at as u64));
    }
}

#[test]
fn dropped_entries_are_counted() {
    for at in PLACES {
        let one = |entries: &mut Vec<Vec<u8>>| drop(entries.remove(at));
        assert_eq!(found_in(one), (Tampering::Dropped { count: 1 }, at as u64));
        let three = |entries: &mut Vec<Vec<u8>>| drop(entries.drain(at..at + 3));
        assert_eq!(found_in(three), (Tampering::Dropped { count: 3 }, at as u64));
    }
}

#[test]
fn a_duplicate_is_known_by_its_original() {
    for at in PLACES {
        let again = |entries: &mut Vec<Vec<u8>>| entries.insert(at, entries[at - 5].clone());
        assert_eq!(found_in(again), (Tampering::Duplicated { of: at as u64 - 5 }, at as u64));
    }
}

#[test]
fn entries_in_another_order_are_found() {
    for at in PLACES {
        let swap = |entries: &mut Vec<Vec<u8>>| entries.swap(at, at + 4);
        assert_eq!(found_in(swap), (Tampering::Reordered { with: at as u64 + 4 }, at as u64));
    }
}

#[test]
fn an_inserted_entry_is_found() {
    for at in PLACES {
        let insert = |entries: &mut Vec<Vec<u8>>| entries.insert(at, br#"{"v":1,"kind":"forged"}"#.to_vec());
        assert_eq!(found_in(insert), (Tampering::Inserted { count: 1 }, at as u64));
    }
}

#[test]
fn a_log_that_was_cut_off_is_found() {
    for at in PLACES {
        let truncate = |entries: &mut Vec<Vec<u8>>| entries.truncate(at);
        assert_eq!(found_in(truncate), (Tampering::Truncated { missing: SIZE - at as u64 }, at as u64));
    }
    let in_an_entry = |dir: &Path| {
        let path = last_segment(dir);
        let written = fs::read(&path).unwrap().iter().rposition(|&byte| byte != 0).unwrap() as u64;
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(written).unwrap();
    };
    assert_eq!(found_after(in_an_entry), (Tampering::Truncated { missing: 1 }, SIZE - 1));
}

/// The entries changed, and every tile with them, so that both agree.
fn rewritten(dir: &Path, at: usize) -> Tree {
    rewrite(&last_segment(dir), |entries| entries[at][30] ^= 1);
    let (mut tree, mut reader) = (Tree::default(), Reader::open(dir).unwrap());
    while let Some(entry) = reader.next_entry().unwrap() {
        tree.push(Hash::of_leaf(&entry), |full| fs::write(dir.join(full.at.path()), bytes_of(&full.hashes)).unwrap());
    }
    tree.partial_tiles().for_each(|(at, hashes)| fs::write(dir.join(at.path()), bytes_of(hashes)).unwrap());
    tree
}

fn sign(dir: &Path, tree: &Tree, keys: &SigningKeys) {
    let checkpoint = Checkpoint { origin: LOG.into(), size: tree.size(), root: tree.root() };
    fs::write(dir.join("checkpoint"), checkpoint.sign(keys)).unwrap();
}

#[test]
fn entries_that_were_rewritten_with_their_tiles_are_found() {
    assert_eq!(found_after(|dir| drop(rewritten(dir, 300))), (Tampering::Rewritten { before: SIZE }, 0));
}

#[test]
fn a_log_that_was_signed_anew_is_found_by_the_key_that_is_kept() {
    let strangers = SigningKeys::of(&KeyRing::ephemeral(), LOG);
    let resign = |dir: &Path| {
        let tree = rewritten(dir, 300);
        sign(dir, &tree, &strangers);
        fs::remove_dir_all(dir.join("checkpoints")).unwrap();
        fs::write(dir.join("verifier-keys"), format!("{}\n", strangers.present())).unwrap();
        // Against whoever can do all that, the keys that the log lists prove nothing: hence the warning.
        let report = verified(dir, &[]);
        assert_eq!((report.finding, report.pinned), (None, false));
    };
    assert_eq!(found_after(resign), (Tampering::Resigned { by: vec![strangers.present().short()] }, 0));
}

#[test]
fn a_fork_by_the_key_itself_is_found_by_an_older_checkpoint() {
    // The log keeps its older checkpoints by itself.
    let fork = |dir: &Path| {
        let tree = rewritten(dir, 300);
        sign(dir, &tree, &signing("spring"));
    };
    assert_eq!(found_after(fork), (Tampering::Forked { at: SIZE }, 0));
    // And where these are taken away, an auditor has one.
    let without = |dir: &Path| {
        let note = fs::read_to_string(dir.join("checkpoint")).unwrap();
        fork(dir);
        fs::remove_dir_all(dir.join("checkpoints")).unwrap();
        assert_eq!(finding(dir), None, "by itself it holds");
        let terms = Terms { keys: signing("spring").verifiers(), checkpoints: vec![note] };
        let report = verify(dir, &terms, &mut |_, _| {}).unwrap();
        assert_eq!(report.finding.unwrap().done, Tampering::Forked { at: SIZE });
        rewrite(&last_segment(dir), |entries| entries[0][30] ^= 1);
    };
    found_after(without);
}

#[test]
fn a_changed_checkpoint_is_found() {
    let change = |dir: &Path| {
        let note = fs::read_to_string(dir.join("checkpoint")).unwrap();
        fs::write(dir.join("checkpoint"), note.replace(&format!("\n{SIZE}\n"), "\n600\n")).unwrap();
    };
    assert_eq!(found_after(change), (Tampering::Forged, SIZE), "up to the one that the log kept, all is signed");
    let kept = |dir: &Path| {
        let kept = tiles::kept(dir).unwrap().remove(0);
        let note = fs::read_to_string(&kept).unwrap();
        fs::write(kept, note.replace(&format!("\n{SIZE}\n"), "\n600\n")).unwrap();
    };
    assert_eq!(found_after(kept), (Tampering::Forged, 0));
}

#[test]
fn a_tile_that_was_changed_is_no_changed_entry() {
    let tile = |path: &'static str| {
        move |dir: &Path| {
            let mut bytes = fs::read(dir.join(path)).unwrap();
            bytes[40] ^= 1;
            fs::write(dir.join(path), bytes).unwrap();
        }
    };
    for (path, entry) in [("tile/0/001", 257), ("tile/0/002.p/190", 513)] {
        assert_eq!(found_after(tile(path)), (Tampering::Tile { path: path.into() }, entry));
    }
    let gone = |dir: &Path| fs::remove_file(dir.join("tile/0/001")).unwrap();
    assert_eq!(found_after(gone), (Tampering::Tile { path: "tile/0/001".into() }, 256));
}

#[tokio::test]
async fn an_older_state_that_was_put_back_is_found_by_a_later_checkpoint() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    log_of(dir.path(), 5).await;
    copy(dir.path(), old.path());
    log_of(dir.path(), 5).await;
    let later = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let terms = Terms { keys: signing("spring").verifiers(), checkpoints: vec![later] };
    assert_eq!(verify(dir.path(), &terms, &mut |_, _| {}).unwrap().finding, None);
    let found = verify(old.path(), &terms, &mut |_, _| {}).unwrap().finding.unwrap();
    assert_eq!((found.done, found.entry), (Tampering::RolledBack { signed: 14 }, 7));
}

#[tokio::test]
async fn a_log_without_the_hashes_of_what_it_removed_cannot_be_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    while journal.stats().segments < 2 {
        record(&journal, 100).await;
    }
    journal.close().await;
    let segments = segment::list(dir.path()).unwrap();
    fs::remove_file(&segments[0].path).unwrap();
    fs::remove_file(dir.path().join("tile/0/000")).unwrap();
    let found = finding(dir.path()).unwrap();
    assert_eq!((found.done, found.entry), (Tampering::HashesGone { path: "tile/0/000".into() }, segments[1].base));
    assert!(matches!(reopen(dir.path()), Err(JournalError::Io { .. })), "nor gone on with");
}

/// A log of several segments, some of which go.
#[tokio::test]
async fn segments_that_are_gone_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    while journal.stats().segments < 4 {
        record(&journal, 100).await;
    }
    journal.close().await;
    assert_eq!(finding(dir.path()), None);
    let segments = segment::list(dir.path()).unwrap();
    let size = checkpoint(dir.path()).unwrap().size;
    for (gone, expected) in [
        (0, (Tampering::Beheaded, segments[1].base)),
        (1, (Tampering::Dropped { count: segments[2].base - segments[1].base }, segments[1].base)),
        (3, (Tampering::Truncated { missing: size - segments[3].base }, segments[3].base)),
    ] {
        let without = tempfile::tempdir().unwrap();
        copy(dir.path(), without.path());
        fs::remove_file(without.path().join(segments[gone].path.file_name().unwrap())).unwrap();
        let found = finding(without.path()).unwrap();
        assert_eq!((found.done, found.entry), expected);
        let refused = reopen(without.path()).unwrap_err();
        let named = match gone {
            0 => matches!(refused, JournalError::Beheaded { .. }),
            1 => matches!(refused, JournalError::Damaged { .. }),
            _ => matches!(refused, JournalError::RolledBack { .. }),
        };
        assert!(named, "without segment {gone}: {refused}");
    }
}
