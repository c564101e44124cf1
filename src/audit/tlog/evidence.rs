//! The proof that an entry is in a log, in one file (C2SP tlog-proof). The entry itself is its `extra` line, so that
//! nothing else is needed but the log's verifier key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Checkpoint, CheckpointError, Hash, VerifierKey, plain_number, proof};
use crate::limits;

/// The first line of the file.
const HEADING: &str = "c2sp.org/tlog-proof@v1";

/// An entry, where it stands, the hashes beside its way to the root, and the checkpoint with that root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Its number in the log, from 0.
    pub index: u64,
    /// From the leaf up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, word for word.
    pub checkpoint: String,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The checkpoint that holds the entry.
    pub checkpoint: Checkpoint,
    /// Who signed it, of the keys that were given.
    pub signers: Vec<VerifierKey>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// It is not in the format, or holds no entry.
    #[error("is no proof of an entry (c2sp.org/tlog-proof@v1 with the entry as its extra data)")]
    Malformed,
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the entry to the checkpoint's root.
    #[error("entry {index} is not in the log of that checkpoint: the entry, its number or a hash was changed")]
    NotIncluded {
        /// The number that the proof gives it.
        index: u64,
    },
}

impl Evidence {
    /// The file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\nextra {}\nindex {}\n", STANDARD.encode(&self.entry), self.index);
        self.hashes.iter().for_each(|hash| text.push_str(&format!("{hash}\n")));
        text.push('\n');
        text + &self.checkpoint
    }

    /// What a file holds. Nothing of it is proven yet.
    ///
    /// # Errors
    /// It is not in the format.
    pub fn from_text(text: &str) -> Result<Self, EvidenceError> {
        Self::read(text).ok_or(EvidenceError::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n").filter(|_| text.len() <= limits::PROOF_BYTES_MAX)?;
        let mut lines = head.split('\n');
        let is_heading = lines.next()? == HEADING;
        let entry = STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok().filter(|_| is_heading)?;
        let index = plain_number(lines.next()?.strip_prefix("index ")?)?;
        let hashes = lines.map(Hash::from_base64).collect::<Option<_>>()?;
        Some(Self { entry, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Whether the hashes lead from the entry to the root of that checkpoint, whoever signed it.
    pub fn leads_to(&self, checkpoint: &Checkpoint) -> bool {
        let leaf = Hash::of_leaf(&self.entry);
        proof::root_by_inclusion(leaf, self.index, checkpoint.size, &self.hashes) == Some(checkpoint.root)
    }

    /// Checks it against the log's verifier keys.
    ///
    /// # Errors
    /// The checkpoint is not signed by one of them, or the entry is not in its tree.
    pub fn check(&self, keys: &[VerifierKey]) -> Result<Proven, EvidenceError> {
        let (checkpoint, signers) = Checkpoint::open(&self.checkpoint, keys)?;
        if !self.leads_to(&checkpoint) {
            return Err(EvidenceError::NotIncluded { index: self.index });
        }
        Ok(Proven { checkpoint, signers: signers.into_iter().cloned().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tlog::{SigningKeys, Tree};
    use crate::keyring::KeyRing;

    fn evidence(keys: &SigningKeys) -> Evidence {
        let (entry, beside) = (b"{\"v\":1}".to_vec(), Hash::of_leaf(b"b"));
        let mut tree = Tree::default();
        [Hash::of_leaf(&entry), beside].into_iter().for_each(|leaf| tree.push(leaf, |_| {}));
        let checkpoint = Checkpoint { origin: "log".into(), size: 2, root: tree.root() }.sign(keys);
        Evidence { entry, index: 0, hashes: vec![beside], checkpoint }
    }

    #[test]
    fn a_proof_holds_with_the_key_and_comes_back_from_its_text() {
        let keys = SigningKeys::of(&KeyRing::ephemeral(), "log");
        let evidence = evidence(&keys);
        let again = Evidence::from_text(&evidence.to_text()).unwrap();
        assert_eq!(again, evidence);
        assert_eq!(again.check(&keys.verifiers()).unwrap().checkpoint.size, 2);
    }

    #[test]
    fn a_proof_with_anything_changed_proves_nothing() {
        let keys = SigningKeys::of(&KeyRing::ephemeral(), "log");
        let (sound, known) = (evidence(&keys), keys.verifiers());
        let not_included = |index| Err(EvidenceError::NotIncluded { index });
        let entry = Evidence { entry: b"{\"v\":2}".to_vec(), ..sound.clone() };
        assert_eq!(entry.check(&known), not_included(0));
        assert_eq!(Evidence { index: 1, ..sound.clone() }.check(&known), not_included(1));
        assert_eq!(Evidence { index: 2, ..sound.clone() }.check(&known), not_included(2));
        assert_eq!(Evidence { hashes: vec![], ..sound.clone() }.check(&known), not_included(0));
        let twice = Evidence { hashes: [&sound.hashes[..], &sound.hashes].concat(), ..sound.clone() };
        assert_eq!(twice.check(&known), not_included(0));
        let others = SigningKeys::of(&KeyRing::ephemeral(), "log").verifiers();
        assert!(matches!(sound.check(&others), Err(EvidenceError::Checkpoint(_))));
        let text = sound.to_text();
        for wrong in [
            text.replace("@v1", "@v2"),
            text.replace("extra ", ""),
            text.replace("index 0", "index 00"),
            text.replace("\n\n", "\n"),
            text.replacen("=\n", "\n", 1),
        ] {
            assert!(Evidence::from_text(&wrong).is_err(), "{wrong}");
        }
    }
}
