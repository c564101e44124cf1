//! The tree, its tiles, proofs, notes and checkpoints against another implementation: the crates `tlog_tiles` and
//! `signed_note`, which are Go's `sumdb/tlog` and `sumdb/note` in Rust. Whatever one makes, the other must accept.

use std::collections::HashMap;
use std::convert::Infallible;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles as theirs;

use super::tile::{bytes_of, hashes_of};
use super::{Checkpoint, Hash, SigningKeys, TileAt, Tree, proof};
use crate::keyring::KeyRing;

/// The tiles of a tree of some size by their path: what a folder of them would hold.
struct Folder {
    files: HashMap<String, Vec<u8>>,
    tree: Tree,
}

impl Folder {
    fn of(size: u64) -> Self {
        let (mut files, mut tree) = (HashMap::new(), Tree::default());
        for nth in 0..size {
            tree.push(leaf(nth), |full| drop(files.insert(full.at.path(), bytes_of(&full.hashes))));
        }
        files.extend(tree.partial_tiles().map(|(at, hashes)| (at.path(), bytes_of(hashes))));
        Self { files, tree }
    }

    fn root(&self) -> theirs::Hash {
        theirs::Hash(*self.tree.root().as_bytes())
    }

    fn reader(&self) -> theirs::TileHashReader<'_> {
        theirs::TileHashReader::new(self.tree.size(), self.root(), self)
    }
}

impl proof::Tiles for Folder {
    type Error = Infallible;

    fn tile(&mut self, at: TileAt) -> Result<Vec<Hash>, Infallible> {
        Ok(hashes_of(&self.files[&at.path()], at.width).unwrap())
    }
}

impl theirs::TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[theirs::Tile]) -> Result<Vec<Vec<u8>>, theirs::Error> {
        // Their paths name the height, as those of the checksum database do.
        Ok(tiles.iter().map(|tile| self.files[&tile.path().replacen("tile/8/", "tile/", 1)].clone()).collect())
    }

    fn save_tiles(&self, _: &[theirs::Tile], _: &[Vec<u8>]) {}
}

fn leaf(nth: u64) -> Hash {
    Hash::of_leaf(format!("entry {nth}").as_bytes())
}

fn to_theirs(hashes: &[Hash]) -> Vec<theirs::Hash> {
    hashes.iter().map(|hash| theirs::Hash(*hash.as_bytes())).collect()
}

fn to_ours(hashes: &[theirs::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

/// Both prove the same leaf, with the same hashes, and each accepts the other's.
fn check_inclusion(folder: &mut Folder, index: u64) {
    let (size, root) = (folder.tree.size(), folder.tree.root());
    let made = proof::inclusion(folder, index, size).unwrap().unwrap();
    let their_leaf = theirs::record_hash(format!("entry {index}").as_bytes());
    assert_eq!(their_leaf.0, *leaf(index).as_bytes());
    let theirs_made = theirs::prove_record(size, index, &folder.reader()).unwrap();
    assert_eq!(to_ours(&theirs_made), made, "leaf {index} of {size}");
    theirs::check_record(&to_theirs(&made), size, folder.root(), index, their_leaf).unwrap();
    assert_eq!(proof::root_by_inclusion(leaf(index), index, size, &made), Some(root), "leaf {index} of {size}");
    for wrong in (0..made.len()).map(|at| changed(&made, at)).chain([made[..made.len().saturating_sub(1)].to_vec()]) {
        let accepted = proof::root_by_inclusion(leaf(index), index, size, &wrong) == Some(root);
        assert_eq!(accepted, wrong == made, "leaf {index} of {size}");
    }
}

/// The same of a tree's growth.
fn check_consistency(folder: &mut Folder, old: u64) {
    let new = folder.tree.size();
    let old_root = Folder::of(old).tree.root();
    let made = proof::consistency(folder, old, new).unwrap().unwrap();
    let theirs_made = theirs::prove_tree(new, old, &folder.reader()).unwrap();
    assert_eq!(to_ours(&theirs_made), made, "{old} in {new}");
    theirs::check_tree(&to_theirs(&made), new, folder.root(), old, theirs::Hash(*old_root.as_bytes())).unwrap();
    let new_head = (new, folder.tree.root());
    assert!(proof::is_consistent((old, old_root), new_head, &made), "{old} in {new}");
    assert!(!proof::is_consistent((old, leaf(old)), new_head, &made), "{old} in {new}");
    for at in 0..made.len() {
        assert!(!proof::is_consistent((old, old_root), new_head, &changed(&made, at)), "{old} in {new}");
    }
}

fn changed(hashes: &[Hash], at: usize) -> Vec<Hash> {
    let mut changed = hashes.to_vec();
    changed[at] = leaf(u64::MAX);
    changed
}

#[test]
fn every_proof_of_small_trees_is_theirs() {
    for size in 1..=40 {
        let mut folder = Folder::of(size);
        (0..size).for_each(|index| check_inclusion(&mut folder, index));
        (1..=size).for_each(|old| check_consistency(&mut folder, old));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_proof_of_larger_trees_is_theirs(size in 200_u64..1500, at in any::<prop::sample::Index>()) {
        let mut folder = Folder::of(size);
        check_inclusion(&mut folder, at.index(size as usize) as u64);
        check_consistency(&mut folder, 1 + at.index(size as usize) as u64);
    }
}

/// Past the first full tile of tiles, where a third level begins.
#[test]
fn proofs_across_three_levels_of_tiles_are_theirs() {
    let mut folder = Folder::of(65_536 + 300);
    for index in [0, 255, 256, 65_535, 65_536, 65_835] {
        check_inclusion(&mut folder, index);
    }
    for old in [1, 256, 65_535, 65_536, 65_537, 65_800] {
        check_consistency(&mut folder, old);
    }
}

#[test]
fn a_proof_is_made_of_what_is_there_only() {
    let mut folder = Folder::of(3);
    assert_eq!(proof::inclusion(&mut folder, 3, 3), Ok(None));
    assert_eq!(proof::consistency(&mut folder, 4, 3), Ok(None));
    assert_eq!(proof::consistency(&mut folder, 0, 3), Ok(None));
    let root = folder.tree.root();
    assert_eq!(proof::root_by_inclusion(leaf(0), 3, 3, &[]), None);
    assert_eq!(proof::root_by_inclusion(leaf(0), 0, 0, &[]), None);
    assert!(proof::is_consistent((3, root), (3, root), &[]));
    assert!(!proof::is_consistent((3, root), (3, root), &[root]));
    assert!(!proof::is_consistent((0, root), (3, root), &[]) && !proof::is_consistent((4, root), (3, root), &[]));
}

#[test]
fn a_checkpoint_is_one_to_them_and_theirs_to_us() {
    let keys = SigningKeys::of(&KeyRing::ephemeral(), "gw.example/audit/r1");
    let checkpoint = Checkpoint { origin: "gw.example/audit/r1".into(), size: 70_000, root: leaf(1) };
    let signed = checkpoint.sign(&keys);
    let verifier = StandardVerifier::new(&keys.present().to_string()).unwrap();
    let note = Note::from_bytes(signed.as_bytes()).unwrap();
    let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let read = theirs::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((read.origin(), read.size(), read.hash().0), ("gw.example/audit/r1", 70_000, *leaf(1).as_bytes()));
    assert_eq!(read.to_bytes(), note.text());

    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = [&[1], pair.public_key().as_ref()].concat();
    let id = signed_note::key_id("log.example", &public);
    let secret = format!("PRIVATE+KEY+log.example+{id:08x}+{}", STANDARD.encode([&[1][..], &[7; 32]].concat()));
    let public = format!("log.example+{id:08x}+{}", STANDARD.encode(public));
    let signer = signed_note::StandardSigner::new(&secret).unwrap();
    let text = theirs::Checkpoint::new("log.example", 5, theirs::Hash(*leaf(2).as_bytes()), "").unwrap().to_bytes();
    let mut note = Note::new(&text, &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let ours = String::from_utf8(note.to_bytes()).unwrap();
    let known = [public.parse().unwrap()];
    assert_eq!(Checkpoint::open(&ours, &known).unwrap().0.root, leaf(2));
}
