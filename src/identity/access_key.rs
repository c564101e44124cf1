//! Access key ids of sessions: `ASIA`, three characters that name the ring key, thirteen random ones.
//!
//! The secret of a session must follow from its access key id alone, because the signature is checked by code that
//! knows nothing else of the session. The three characters say which key of the ring it follows from.

use std::fmt;

use crate::keyring::{KeyRing, Purpose};

use super::secret::SecretText;

const PREFIX: &str = "ASIA";
const TAG_CHARS: usize = 3;
const RANDOM_CHARS: usize = 13;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An access key id that this service may have issued: 20 characters, `ASIA` and base32.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// A fresh id for the ring's active key.
    ///
    /// `None` when another key of the ring has the same tag; an operator renames one of them.
    pub fn fresh(ring: &KeyRing) -> Option<Self> {
        let (active, _) = ring.active(Purpose::SessionSecret);
        let random: [u8; RANDOM_CHARS] = rand::random();
        let id = Self(format!("{PREFIX}{}{}", tag(active), base32(&random)).into());
        (id.ring_key(ring)? == active).then_some(id)
    }

    /// The id that this text is, if it has the shape of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let sound = rest.len() == TAG_CHARS + RANDOM_CHARS && rest.bytes().all(|b| ALPHABET.contains(&b));
        sound.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the ring key that this id names; `None` if none or more than one has its tag.
    pub fn ring_key<'r>(&self, ring: &'r KeyRing) -> Option<&'r str> {
        let wanted = &self.0[PREFIX.len()..PREFIX.len() + TAG_CHARS];
        let mut found = ring.ids().filter(|id| tag(id) == wanted);
        found.next().filter(|_| found.next().is_none())
    }

    /// The secret access key that goes with this id: 64 hexadecimal digits.
    pub fn secret(&self, ring: &KeyRing) -> Option<SecretText> {
        let key = ring.with_id(self.ring_key(ring)?, Purpose::SessionSecret)?;
        Some(SecretText::new(hex::encode(key.prf(&[self.0.as_bytes()]))))
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fifteen bits of a digest of the ring key's public name.
fn tag(ring_key: &str) -> String {
    let digest = blake3::hash(ring_key.as_bytes());
    base32(&digest.as_bytes()[..TAG_CHARS])
}

/// One base32 character for the low five bits of each byte.
fn base32(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{KeyState, RingKey, SecretKey};

    fn ring(ids: &[&str]) -> KeyRing {
        let key = |(at, id): (usize, &&str)| RingKey {
            id: (*id).to_owned(),
            state: if at == 0 { KeyState::Active } else { KeyState::Retired },
            key: SecretKey::from_bytes([u8::try_from(at).unwrap(); 32]),
        };
        KeyRing::new(ids.iter().enumerate().map(key).collect()).unwrap()
    }

    #[test]
    fn the_secret_follows_from_the_id_and_its_key() {
        let ring_a = ring(&["2026-11"]);
        let id = AccessKeyId::fresh(&ring_a).unwrap();
        assert_eq!(AccessKeyId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.secret(&ring_a), id.secret(&ring_a));
        assert_ne!(id.secret(&ring_a), AccessKeyId::fresh(&ring_a).unwrap().secret(&ring_a));
        assert_eq!(id.secret(&ring(&["2026-12"])), None, "a ring without the key knows no secret");
    }

    #[test]
    fn shapes() {
        for text in ["", "ASIA", "AKIAABCDEFGHIJKLMNOP", "ASIAABCDEFGHIJKLMNO1", "ASIAABCDEFGHIJKLMNOPQ", "asiaabcdefghijklmnop"] {
            assert_eq!(AccessKeyId::parse(text), None, "{text}");
        }
        assert!(AccessKeyId::parse("ASIAABCDEFGHIJKLMNOP").is_some());
    }

    #[test]
    fn keys_with_one_tag_are_told_apart_or_refused() {
        let twin = (0..200_000).map(|n| format!("k{n}")).find(|id| tag(id) == tag("2026-11")).unwrap();
        let both = ring(&["2026-11", &twin]);
        assert_eq!(AccessKeyId::fresh(&both), None);
        let before = AccessKeyId::fresh(&ring(&["2026-11"])).unwrap();
        assert_eq!(before.secret(&both), None);
    }
}
