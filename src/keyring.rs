//! The façade's own keys: a ring of master keys, and one derived key per purpose.
//!
//! A ring holds keys in three states, so that every replica knows a key before one of them uses it: *published* (opens,
//! never seals), *active* (seals and opens), *retired* (opens). Ending all sessions at once is removing every key but a
//! new one. Nothing here can be printed.

pub mod file;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pasetors::Local;
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use zeroize::Zeroizing;

/// What a derived key is for. Two purposes never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Sealing session tokens.
    Session,
    /// Deriving a session's secret access key from its access key id.
    SessionSecret,
    /// Sealing continuation tokens of listings.
    PageToken,
    /// Sealing the ids of uploads in parts.
    UploadId,
    /// Deriving the ETags of redacted objects.
    ETag,
    /// Pseudonyms of masked values.
    Pseudonym,
    /// Digests in the log of what was sent.
    LogDigest,
    /// Authenticating objects of the control store.
    Control,
    /// Deriving the keys that sign the log's checkpoints.
    LogSigning,
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Purpose::Session => "tracegate 2026 session token v1",
            Purpose::SessionSecret => "tracegate 2026 session secret v1",
            Purpose::PageToken => "tracegate 2026 page token v1",
            Purpose::UploadId => "tracegate 2026 upload id v1",
            Purpose::ETag => "tracegate 2026 view etag v1",
            Purpose::Pseudonym => "tracegate 2026 pseudonym v1",
            Purpose::LogDigest => "tracegate 2026 log digest v1",
            Purpose::Control => "tracegate 2026 control store v1",
            Purpose::LogSigning => "tracegate 2026 log signing v1",
        }
    }
}

/// A 256-bit key that cannot be printed and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// A key from 32 bytes that the caller vouches for.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh random key.
    pub fn random() -> Self {
        Self::from_bytes(rand::random())
    }

    /// The key that [`SecretKey::to_text`] wrote: 43 characters of base64url.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).ok()?);
        Some(Self::from_bytes(<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
    }

    /// The key as text, for the one place that stores it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// Keyed BLAKE3 over the parts, each with its length, so that no two lists of parts are the same input.
    pub fn prf(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// Keyed BLAKE3, to be fed in pieces.
    pub fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }

    fn derive(&self, purpose: Purpose) -> SecretKey {
        SecretKey::from_bytes(blake3::derive_key(purpose.context(), &*self.0))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Whether a key of the ring seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Known to every replica, not yet used.
    Published,
    /// Seals new tokens.
    Active,
    /// Opens old tokens only.
    Retired,
}

impl KeyState {
    /// The word of the key file and of the log.
    pub fn word(self) -> &'static str {
        match self {
            KeyState::Published => "published",
            KeyState::Active => "active",
            KeyState::Retired => "retired",
        }
    }
}

/// One master key with its id.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// Shows in sealed tokens, so that the right key opens them: 1 to 32 of `a-z A-Z 0-9 _ -`.
    pub id: String,
    /// Whether it seals.
    pub state: KeyState,
    /// The key.
    pub key: SecretKey,
}

/// Why a ring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// None, or more than one, key is active.
    #[error("a key ring needs exactly one active key, this one has {0}")]
    NotOneActive(usize),
    /// An id that is not 1 to 32 of `a-z A-Z 0-9 _ -`.
    #[error("key id {0:?} must be 1 to 32 letters, digits, `_` or `-`")]
    BadId(String),
    /// Two keys with one id.
    #[error("key id {0:?} stands twice in the ring")]
    SameId(String),
}

/// The ring: exactly one active key, and those that still open.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    active: usize,
}

/// A sealed text did not open: forged, of an unknown key, or sealed for something else. Which of them is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token was not sealed by this service, or for another use")]
pub struct NotOurs;

impl KeyRing {
    /// A ring of these keys.
    pub fn new(keys: Vec<RingKey>) -> Result<Self, RingError> {
        for (at, key) in keys.iter().enumerate() {
            let sound = (1..=32).contains(&key.id.len())
                && key.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            if !sound {
                return Err(RingError::BadId(key.id.clone()));
            }
            if keys[..at].iter().any(|earlier| earlier.id == key.id) {
                return Err(RingError::SameId(key.id.clone()));
            }
        }
        let active: Vec<usize> = (0..keys.len()).filter(|&at| keys[at].state == KeyState::Active).collect();
        match active[..] {
            [active] => Ok(Self { keys, active }),
            _ => Err(RingError::NotOneActive(active.len())),
        }
    }

    /// A ring of one fresh key, for tests and for processes that need not be understood by others.
    pub fn ephemeral() -> Self {
        let key = RingKey { id: "ephemeral".into(), state: KeyState::Active, key: SecretKey::random() };
        Self { keys: vec![key], active: 0 }
    }

    /// The keys, in the order of the ring.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The active key's derived key for a purpose, and the active key's id.
    pub fn active(&self, purpose: Purpose) -> (&str, SecretKey) {
        let key = &self.keys[self.active];
        (&key.id, key.key.derive(purpose))
    }

    /// The ids of all keys, which are no secret.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The derived key of the key with that id, whatever its state.
    pub fn with_id(&self, id: &str, purpose: Purpose) -> Option<SecretKey> {
        self.keys.iter().find(|key| key.id == id).map(|key| key.key.derive(purpose))
    }

    /// Seals text (PASETO v4.local): `v4.local.…`, the footer naming the key. `bound_to` must be given again to open.
    pub fn seal(&self, purpose: Purpose, plain: &str, bound_to: &[u8]) -> String {
        let (id, key) = self.active(purpose);
        // PASETO seals no empty text, so a mark stands before each.
        let plain = Zeroizing::new(format!("{SEAL_MARK}{plain}"));
        let sealed = symmetric(&key)
            .and_then(|key| LocalToken::encrypt(&key, plain.as_bytes(), Some(id.as_bytes()), Some(bound_to)).ok());
        sealed.expect("a 256-bit key and the system's random numbers seal any text that is not empty")
    }

    /// Opens what [`KeyRing::seal`] sealed for the same purpose and bound to the same bytes.
    pub fn open(&self, purpose: Purpose, sealed: &str, bound_to: &[u8]) -> Result<Zeroizing<String>, NotOurs> {
        let token = UntrustedToken::<Local, V4>::try_from(sealed).map_err(|_| NotOurs)?;
        let id = std::str::from_utf8(token.untrusted_footer()).map_err(|_| NotOurs)?;
        let key = self.with_id(id, purpose).and_then(|key| symmetric(&key)).ok_or(NotOurs)?;
        let opened = LocalToken::decrypt(&key, &token, Some(id.as_bytes()), Some(bound_to)).map_err(|_| NotOurs)?;
        let plain = opened.payload().strip_prefix(SEAL_MARK).ok_or(NotOurs)?;
        Ok(Zeroizing::new(plain.to_owned()))
    }
}

/// Stands before each sealed text.
const SEAL_MARK: char = '1';

fn symmetric(key: &SecretKey) -> Option<SymmetricKey<V4>> {
    SymmetricKey::<V4>::from(key.0.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, state: KeyState, byte: u8) -> RingKey {
        RingKey { id: id.into(), state, key: SecretKey::from_bytes([byte; 32]) }
    }

    #[test]
    fn a_ring_has_exactly_one_active_key_and_no_id_twice() {
        let ring = |keys: &[(&str, KeyState)]| {
            let keys = keys.iter().map(|(id, state)| key(id, *state, 1)).collect();
            KeyRing::new(keys).map(drop)
        };
        assert_eq!(ring(&[("a", KeyState::Active), ("b", KeyState::Retired), ("c", KeyState::Published)]), Ok(()));
        assert_eq!(ring(&[]), Err(RingError::NotOneActive(0)));
        assert_eq!(ring(&[("a", KeyState::Active), ("b", KeyState::Active)]), Err(RingError::NotOneActive(2)));
        assert_eq!(ring(&[("a", KeyState::Active), ("a", KeyState::Retired)]), Err(RingError::SameId("a".into())));
        assert_eq!(ring(&[("a b", KeyState::Active)]), Err(RingError::BadId("a b".into())));
    }

    #[test]
    fn what_is_sealed_opens_for_the_same_use_only() {
        let old = KeyRing::new(vec![key("a", KeyState::Active, 1)]).unwrap();
        let rotated = KeyRing::new(vec![key("a", KeyState::Retired, 1), key("b", KeyState::Active, 2)]).unwrap();
        let ended = KeyRing::new(vec![key("b", KeyState::Active, 2)]).unwrap();
        let sealed = old.seal(Purpose::Session, "text", b"AK1");
        assert_eq!(&**rotated.open(Purpose::Session, &sealed, b"AK1").unwrap(), "text");
        assert_eq!(rotated.open(Purpose::Session, &sealed, b"AK2"), Err(NotOurs));
        assert_eq!(rotated.open(Purpose::PageToken, &sealed, b"AK1"), Err(NotOurs));
        assert_eq!(ended.open(Purpose::Session, &sealed, b"AK1"), Err(NotOurs));
        assert_eq!(rotated.open(Purpose::Session, "v4.local.AAAA", b"AK1"), Err(NotOurs));
    }

    #[test]
    fn regression_an_empty_text_is_sealed_as_any_other() {
        let ring = KeyRing::ephemeral();
        let sealed = ring.seal(Purpose::PageToken, "", b"");
        assert_eq!(&**ring.open(Purpose::PageToken, &sealed, b"").unwrap(), "");
    }

    #[test]
    fn nothing_of_a_key_can_be_printed() {
        let ring = KeyRing::new(vec![key("a", KeyState::Active, 0xAB)]).unwrap();
        let shown = format!("{ring:?}");
        assert!(shown.contains("SecretKey(..)") && !shown.contains("171") && !shown.to_lowercase().contains("ab, "));
    }
}
