//! Signed notes (C2SP signed-note) with Ed25519: the keys, signing a text, and checking who signed one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::keyring::{KeyRing, KeyState, Purpose};
use crate::limits;

/// What the specification calls the signature type of Ed25519.
const ED25519_TYPE: u8 = 0x01;

/// A public key as auditors keep it: `NAME+ID+KEY`, the id in 8 hexadecimal digits, the key in base64.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: u32,
    public: [u8; 32],
}

/// A text that is no verifier key for Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a verifier key is NAME+ID+KEY: a name without spaces and `+`, 8 hexadecimal digits that fit the rest, an Ed25519 key in base64"
)]
pub struct NoVerifierKey;

impl VerifierKey {
    fn new(name: &str, public: [u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519_TYPE]).chain_update(public).finalize();
        Self { name: name.to_owned(), id: u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]), public }
    }

    /// Whose it is: for a log's key the log's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and id, as they stand in front of its signatures; short enough for people.
    pub fn short(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    fn signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoVerifierKey;

    fn from_str(text: &str) -> Result<Self, NoVerifierKey> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoVerifierKey);
        };
        let key = STANDARD.decode(key).map_err(|_| NoVerifierKey)?;
        let Some((&ED25519_TYPE, public)) = key.split_first() else { return Err(NoVerifierKey) };
        let verifier = Self::new(name, public.try_into().map_err(|_| NoVerifierKey)?);
        let fits = is_key_name(name) && id == format!("{:08x}", verifier.id);
        if fits { Ok(verifier) } else { Err(NoVerifierKey) }
    }
}

/// Whether a key may have this name.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The keys that sign for a log: the present one, and those before it that are still in the key ring, so that who knows
/// only one of these can still check. Cannot be printed.
#[derive(Clone)]
pub struct SigningKeys(Arc<[SigningKey]>);

struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl SigningKeys {
    /// The keys of the log of that name: of the ring's active key, then of its retired ones, the last retired first.
    pub fn of(ring: &KeyRing, log_name: &str) -> Self {
        let (active, _) = ring.active(Purpose::LogSigning);
        let retired = ring.keys().iter().rev().filter(|key| key.state == KeyState::Retired).map(|key| key.id.as_str());
        let seeds = [active].into_iter().chain(retired).filter_map(|id| ring.with_id(id, Purpose::LogSigning));
        Self(seeds.map(|key| SigningKey::new(log_name, &key.prf(&[log_name.as_bytes()]))).collect())
    }

    /// The present key.
    pub fn present(&self) -> &VerifierKey {
        &self.0.first().expect("a ring has an active key").verifier
    }

    /// All of them, the present one first.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.0.iter().map(|key| key.verifier.clone()).collect()
    }

    /// A text with the signature of each key; the text ends with a line feed.
    pub fn sign(&self, text: &str) -> String {
        let mut note = format!("{text}\n");
        for key in &*self.0 {
            let mut bytes = key.verifier.id.to_be_bytes().to_vec();
            bytes.extend_from_slice(key.pair.sign(text.as_bytes()).as_ref());
            note.push_str(&format!("\u{2014} {} {}\n", key.verifier.name, STANDARD.encode(bytes)));
        }
        note
    }
}

impl SigningKey {
    fn new(name: &str, seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed of Ed25519");
        let public = pair.public_key().as_ref().try_into().expect("a public key of Ed25519 is 32 bytes");
        Self { verifier: VerifierKey::new(name, public), pair }
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.verifier)).finish()
    }
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a text, an empty line and signatures.
    #[error("is no signed note")]
    Malformed,
    /// None of its signatures is of a key that is known.
    #[error("is signed by {}, and by no key that is known", .0.join(", "))]
    Unknown(Vec<String>),
    /// The signature of a known key is not of this text.
    #[error("the signature of {0} is not of this text")]
    Forged(String),
}

/// The text of a note that at least one of these keys signed, and which of them did.
///
/// # Errors
/// It is no note, none of the keys signed it, or one of them did not sign this text.
pub fn open<'n, 'k>(note: &'n str, keys: &'k [VerifierKey]) -> Result<(&'n str, Vec<&'k VerifierKey>), NoteError> {
    let (text, signatures) = parts(note)?;
    let (mut signers, mut names) = (Vec::new(), Vec::new());
    for line in signatures.lines() {
        let (name, id, signature) = signature(line).ok_or(NoteError::Malformed)?;
        names.push(format!("{name}+{id:08x}"));
        if let Some(key) = keys.iter().find(|key| key.name == name && key.id == id) {
            if !key.signed(text, &signature) {
                return Err(NoteError::Forged(key.short()));
            }
            signers.push(key);
        }
    }
    if signers.is_empty() { Err(NoteError::Unknown(names)) } else { Ok((text, signers)) }
}

/// The text of a note, whoever signed it.
///
/// # Errors
/// It is no note.
pub fn text_of(note: &str) -> Result<&str, NoteError> {
    parts(note).map(|(text, _)| text)
}

/// The text with its last line feed, and the lines of signatures.
fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    let sound = note.len() <= limits::NOTE_BYTES_MAX
        && note.ends_with('\n')
        && !note.contains(|c: char| c.is_ascii_control() && c != '\n');
    let at = note.rfind("\n\n").filter(|_| sound).ok_or(NoteError::Malformed)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let some = (1..=limits::NOTE_SIGNATURES_MAX).contains(&signatures.lines().count());
    if some && !text.is_empty() { Ok((text, signatures)) } else { Err(NoteError::Malformed) }
}

/// Key name, key id and signature of a line.
fn signature(line: &str) -> Option<(&str, u32, Vec<u8>)> {
    let (name, rest) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(rest).ok().filter(|_| is_key_name(name))?;
    let (id, signature) = bytes.split_first_chunk::<4>().filter(|(_, signature)| !signature.is_empty())?;
    Some((name, u32::from_be_bytes(*id), signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{RingKey, SecretKey};

    fn ring(keys: &[(&str, KeyState)]) -> KeyRing {
        let key = |(id, state): &(&str, KeyState)| RingKey {
            id: (*id).to_owned(),
            state: *state,
            key: SecretKey::from_bytes([id.as_bytes()[0]; 32]),
        };
        KeyRing::new(keys.iter().map(key).collect()).unwrap()
    }

    /// The example of the specification; its key is that of Go's package `sumdb/note`.
    #[test]
    fn a_note_of_somebody_else_is_read() {
        let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let keys = [key];
        assert_eq!(open(note, &keys).unwrap().1, [&keys[0]]);
        let changed = note.replace("answer", "enswer");
        assert_eq!(open(&changed, &keys), Err(NoteError::Forged("PeterNeumann+c74f20a3".into())));
    }

    #[test]
    fn whoever_knows_one_of_the_keys_can_check() {
        let old = SigningKeys::of(&ring(&[("a", KeyState::Active), ("b", KeyState::Published)]), "log");
        let both = SigningKeys::of(&ring(&[("a", KeyState::Retired), ("b", KeyState::Active)]), "log");
        let new = SigningKeys::of(&ring(&[("b", KeyState::Active)]), "log");
        assert_eq!(
            (old.verifiers().len(), both.verifiers().len()),
            (1, 2),
            "a key that is only published signs nothing"
        );
        assert_eq!(both.present(), new.present());
        let note = both.sign("text\n");
        for keys in [old.verifiers(), new.verifiers()] {
            assert_eq!(open(&note, &keys).unwrap(), ("text\n", vec![&keys[0]]));
        }
        assert_eq!(open(&note, &both.verifiers()).unwrap().1.len(), 2);
        let others = SigningKeys::of(&ring(&[("a", KeyState::Active)]), "another log").verifiers();
        assert!(matches!(open(&note, &others), Err(NoteError::Unknown(names)) if names.len() == 2));
    }

    #[test]
    fn a_key_comes_back_from_its_text_and_a_changed_one_does_not() {
        let key = SigningKeys::of(&KeyRing::ephemeral(), "gw.example/audit/r1").present().clone();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        for changed in
            [text.replacen("gw", "gx", 1), text.replacen('+', "", 1), format!("{text}AAAA"), "a b+00000000+AQ==".into()]
        {
            assert_eq!(changed.parse::<VerifierKey>(), Err(NoVerifierKey), "{changed}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let keys = SigningKeys::of(&KeyRing::ephemeral(), "log");
        let note = keys.sign("text\n");
        for wrong in [
            note.trim_end().to_owned(),
            note.replace("\n\n", "\n"),
            note.replace('\u{2014}', "-"),
            note.replace("text", "te\txt"),
            "\n\n".to_owned(),
            String::new(),
            format!("{note}{}", "\u{2014} other AAAAAAAA\n".repeat(limits::NOTE_SIGNATURES_MAX)),
        ] {
            assert_eq!(open(&wrong, &keys.verifiers()), Err(NoteError::Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_of_a_private_key_can_be_printed() {
        let keys = SigningKeys::of(&KeyRing::ephemeral(), "log");
        assert_eq!(format!("{keys:?}"), format!("[{}]", keys.present()));
    }
}
