//! Checkpoints (C2SP tlog-checkpoint): a log's name, how many entries it has, and the hash over all of them, signed.

use super::note::{self, NoteError, SigningKeys, VerifierKey};
use super::{Hash, plain_number};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Its signatures.
    #[error("the checkpoint {0}")]
    Note(#[from] NoteError),
    /// Its text is not a name, a size and a root.
    #[error("the checkpoint is not three lines of name, size and root")]
    Malformed,
    /// Whoever signed it signs for another log.
    #[error("the checkpoint is of the log {0}, signed by a key of another")]
    OfAnother(String),
}

impl Checkpoint {
    /// It as a note, signed with each of these keys.
    pub fn sign(&self, keys: &SigningKeys) -> String {
        keys.sign(&format!("{}\n{}\n{}\n", self.origin, self.size, self.root))
    }

    /// What a note says that at least one of these keys signed, and which of them did.
    ///
    /// # Errors
    /// None of them signed it, one of them did not sign this text, or the text is no checkpoint of that log.
    pub fn open<'k>(note: &str, keys: &'k [VerifierKey]) -> Result<(Self, Vec<&'k VerifierKey>), CheckpointError> {
        let (text, signers) = note::open(note, keys)?;
        let checkpoint = Self::of_text(text)?;
        match signers.iter().any(|key| key.name() == checkpoint.origin) {
            true => Ok((checkpoint, signers)),
            false => Err(CheckpointError::OfAnother(checkpoint.origin)),
        }
    }

    /// What a note says, whoever signed it.
    ///
    /// # Errors
    /// It is no checkpoint.
    pub fn unchecked(note: &str) -> Result<Self, CheckpointError> {
        Self::of_text(note::text_of(note)?)
    }

    fn of_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Malformed);
        };
        let (size, root) = (plain_number(size), Hash::from_base64(root));
        let (Some(size), Some(root)) = (size, root) else { return Err(CheckpointError::Malformed) };
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(CheckpointError::Malformed);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::KeyRing;

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let keys = SigningKeys::of(&KeyRing::ephemeral(), "log");
        let known = keys.verifiers();
        let checkpoint = Checkpoint { origin: "log".into(), size: 7, root: Hash::of_leaf(b"x") };
        let note = checkpoint.sign(&keys);
        assert_eq!(Checkpoint::open(&note, &known).unwrap().0, checkpoint);
        let forged = CheckpointError::Note(NoteError::Forged(keys.present().short()));
        assert_eq!(Checkpoint::open(&note.replace("\n7\n", "\n8\n"), &known), Err(forged));
        let root = Hash::of_leaf(b"x");
        for (text, error) in [
            (format!("other\n7\n{root}\n"), CheckpointError::OfAnother("other".into())),
            (format!("log\n07\n{root}\n"), CheckpointError::Malformed),
            (format!("log\n-7\n{root}\n"), CheckpointError::Malformed),
            (format!("log\n\n{root}\n"), CheckpointError::Malformed),
            ("log\n7\nAAAA\n".to_owned(), CheckpointError::Malformed),
            ("log\n7\n".to_owned(), CheckpointError::Malformed),
        ] {
            assert_eq!(Checkpoint::open(&keys.sign(&text), &known), Err(error), "{text:?}");
        }
    }
}
