//! What leaves the log for somebody who checks: proofs, and the log as a folder of static files.

use std::fs;
use std::path::PathBuf;

use tlog_tiles as theirs;

use super::sealing::{checkpoint, log_of, record, verified};
use super::tampering::rewrite;
use super::*;
use crate::audit::export::{ExportError, Exported, export};
use crate::audit::prove::{ProveError, Which, prove};
use crate::audit::segment;
use crate::audit::tlog::evidence::Evidence;
use crate::audit::tlog::tile::bundle_path;
use crate::audit::{Ended, Outcome};

async fn request(journal: &Journal, key: &str) -> EntryId {
    let facts = facts();
    let (_, entry) = journal.queue(permit(key), &facts).unwrap().durable().await.unwrap().into_parts();
    entry.close(Outcome::new(200, Ended::Ok));
    facts.id
}

#[tokio::test]
async fn a_request_is_proven_by_the_id_it_was_answered_with() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut ids = Vec::new();
    for nth in 0..300 {
        ids.push(request(&journal, &format!("run-{nth}")).await);
    }
    journal.close().await;
    let known = signing("spring").verifiers();
    for nth in [0, 126, 127, 128, 299] {
        for (which, kind) in [(Which::Intent, "s3.intent"), (Which::Outcome, "s3.complete")] {
            let evidence = prove(dir.path(), &ids[nth], which, &mut |_, _| {}).unwrap();
            let entry: Value = serde_json::from_slice(&evidence.entry).unwrap();
            assert_eq!((&entry["kind"], &entry["id"]), (&kind.into(), &ids[nth].as_str().into()));
            assert_eq!(entry["seq"], evidence.index);
            let again = Evidence::from_text(&evidence.to_text()).unwrap();
            assert_eq!(again.check(&known).unwrap().checkpoint, checkpoint(dir.path()).unwrap());
        }
    }
    let unheard_of = prove(dir.path(), &EntryId::random(), Which::Intent, &mut |_, _| {});
    assert!(matches!(unheard_of, Err(ProveError::NotFound { signed: 602, .. })), "{unheard_of:?}");
    let segment = segment::list(dir.path()).unwrap().remove(0).path;
    rewrite(&segment, |entries| {
        entries[1].windows(5).position(|it| it == b"run-0").map_or((), |at| entries[1][at] = b'R')
    });
    let changed = prove(dir.path(), &ids[0], Which::Intent, &mut |_, _| {});
    assert!(matches!(changed, Err(ProveError::Tampered)), "{changed:?}");
}

/// The folder as the other implementation reads it.
struct Served(PathBuf);

impl theirs::TileReader for Served {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[theirs::Tile]) -> Result<Vec<Vec<u8>>, theirs::Error> {
        let path = |tile: &theirs::Tile| self.0.join(tile.path().replacen("tile/8/", "tile/", 1));
        Ok(tiles.iter().map(|tile| fs::read(path(tile)).unwrap()).collect())
    }

    fn save_tiles(&self, _: &[theirs::Tile], _: &[Vec<u8>]) {}
}

/// The entries of a bundle.
fn bundle(path: &Path) -> Vec<Vec<u8>> {
    let (bytes, mut entries) = (fs::read(path).unwrap(), Vec::new());
    let mut rest = &bytes[..];
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (entry, behind) = behind.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        rest = behind;
    }
    entries
}

#[tokio::test]
async fn an_exported_log_is_one_to_another_implementation() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    log_of(dir.path(), 600).await;
    export(dir.path(), out.path(), &mut |_, _| {}).unwrap();
    let signed = checkpoint(out.path()).unwrap();
    assert_eq!(Some(&signed), checkpoint(dir.path()).as_ref());
    let (size, root) = (signed.size, theirs::Hash(*signed.root.as_bytes()));
    let served = Served(out.path().to_owned());
    let reader = theirs::TileHashReader::new(size, root, &served);
    let mut nth = 0;
    for (index, width) in [(0, 256), (1, 256), (2, 90)] {
        for entry in bundle(&out.path().join(bundle_path(index, width))) {
            let proof = theirs::prove_record(size, nth, &reader).unwrap();
            theirs::check_record(&proof, size, root, nth, theirs::record_hash(&entry)).unwrap();
            nth += 1;
        }
    }
    assert_eq!(nth, size);
    assert_eq!(verified(out.path(), &signing("spring").verifiers()).finding, None);
}

fn files(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (std::collections::BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { drop(found.insert(path.clone(), fs::read(path).unwrap())) }
        }
    }
    found
}

#[tokio::test]
async fn an_export_adds_what_is_missing_and_changes_nothing_else() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    log_of(dir.path(), 300).await;
    let first = export(dir.path(), out.path(), &mut |_, _| {}).unwrap();
    assert_eq!(first, Exported { size: 302, files: 3 + 2 }, "tiles, bundles");
    let before = files(out.path());
    assert_eq!(export(dir.path(), out.path(), &mut |_, _| {}).unwrap().files, 0);
    assert_eq!(files(out.path()), before);
    log_of(dir.path(), 300).await;
    export(dir.path(), out.path(), &mut |_, _| {}).unwrap();
    let after = files(out.path());
    for (path, bytes) in before.iter().filter(|(path, _)| !path.ends_with("checkpoint")) {
        assert_eq!(after.get(path), Some(bytes), "{}", path.display());
    }
    assert_eq!(verified(out.path(), &signing("spring").verifiers()).signed, 604);
    assert_eq!(verified(out.path(), &signing("spring").verifiers()).finding, None);
}

#[tokio::test]
async fn what_is_not_what_was_signed_is_not_exported() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    log_of(dir.path(), 300).await;
    rewrite(&segment::list(dir.path()).unwrap().remove(0).path, |entries| entries[280][30] ^= 1);
    let refused = export(dir.path(), out.path(), &mut |_, _| {});
    assert!(matches!(refused, Err(ExportError::Tampered(280))), "{refused:?}");
    assert!(!out.path().join("checkpoint").exists(), "nothing is promised");
}

/// A log whose first entries ended their retention still proves what it holds, and says what it does not.
#[tokio::test]
async fn a_log_without_its_oldest_entries_still_holds() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = JournalOptions { retention: Some(Duration::from_millis(50)), ..options(dir.path()) };
    let (journal, _) = Journal::open_on(Arc::new(SystemDisk), options, SIZES).unwrap();
    while journal.stats().segments < 3 {
        request(&journal, &"k".repeat(1000)).await;
    }
    eventually("old segments are removed", || {
        clock();
        journal.stats().segments == 1
    })
    .await;
    assert!(matches!(export(dir.path(), out.path(), &mut |_, _| {}), Err(ExportError::TooFew)), "no bundle is whole");
    record(&journal, 400).await;
    let id = request(&journal, "last").await;
    journal.close().await;
    let known = signing("spring").verifiers();
    let report = verified(dir.path(), &known);
    assert!(report.first > 0);
    assert_eq!(report.finding, None);
    prove(dir.path(), &id, Which::Outcome, &mut |_, _| {}).unwrap().check(&known).unwrap();
    export(dir.path(), out.path(), &mut |_, _| {}).unwrap();
    let exported = verified(out.path(), &known);
    assert_eq!((exported.finding, exported.signed), (None, report.signed));
    assert_eq!(reopen(dir.path()).unwrap().orphans, 0);
    assert_eq!(verified(dir.path(), &known).finding, None);
}
