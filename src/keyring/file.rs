//! The key ring's file: TOML, readable by its owner only, changed by `tracegate keys` and read anew when it changes.
//!
//! The order in which a new key comes into use is *publish* (every replica learns it), *activate*, *retire*; whoever
//! ends all sessions at once puts a new key in the place of all.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{KeyRing, KeyState, RingError, RingKey, SecretKey};

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// It is readable by others than its owner.
    #[error("{0}: others than its owner may read it; run `chmod 600` on it")]
    TooOpen(String),
    /// It is not what we write. The text names line and key, never a secret.
    #[error("{0}: is not a key file: {1}")]
    Unreadable(String, String),
    /// A key is not 43 characters of base64url.
    #[error("{0}: the key {1:?} is not 256 bits of base64url")]
    NoKey(String, String),
    /// The ring itself is wrong.
    #[error("{0}: {1}")]
    Ring(String, RingError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    key: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: String,
    #[zeroize(skip)]
    state: WrittenState,
    key: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenState {
    Published,
    Active,
    Retired,
}

/// Reads a ring; refuses a file that others may read.
pub fn read(file: &Path) -> Result<KeyRing, KeyFileError> {
    let name = file.display().to_string();
    let io = |error| KeyFileError::Io(name.clone(), error);
    let mode = std::fs::metadata(file).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyFileError::TooOpen(name));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(io)?);
    // The error's own text would quote the line, and so a key.
    let written: Written = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        KeyFileError::Unreadable(name.clone(), format!("line {line}"))
    })?;
    let keys = written.key.iter().map(|key| {
        let secret = SecretKey::from_text(&key.key).ok_or_else(|| KeyFileError::NoKey(name.clone(), key.id.clone()))?;
        Ok(RingKey { id: key.id.clone(), state: state(key.state), key: secret })
    });
    KeyRing::new(keys.collect::<Result<_, _>>()?).map_err(|error| KeyFileError::Ring(name, error))
}

/// Writes a ring in the place of the file, or where none is; whole or not at all.
pub fn write(file: &Path, ring: &KeyRing) -> Result<(), KeyFileError> {
    let name = file.display().to_string();
    let io = |error| KeyFileError::Io(name.clone(), error);
    let key = ring.keys().iter().map(|key| WrittenKey {
        id: key.id.clone(),
        state: match key.state {
            KeyState::Published => WrittenState::Published,
            KeyState::Active => WrittenState::Active,
            KeyState::Retired => WrittenState::Retired,
        },
        key: key.key.to_text().to_string(),
    });
    let written = Written { version: 1, key: key.collect() };
    let text = toml::to_string(&written).map_err(|error| KeyFileError::Unreadable(name.clone(), error.to_string()))?;
    let text = zeroize::Zeroizing::new(text);
    let fresh = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    let mut out = open.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(io)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(io)?;
    std::fs::rename(&fresh, file).map_err(io)
}

fn state(written: WrittenState) -> KeyState {
    match written {
        WrittenState::Published => KeyState::Published,
        WrittenState::Active => KeyState::Active,
        WrittenState::Retired => KeyState::Retired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_others_may_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        let ring = KeyRing::ephemeral();
        write(&file, &ring).unwrap();
        let sealed = ring.seal(super::super::Purpose::Session, "text", b"bound");
        let again = read(&file).unwrap();
        assert_eq!(&**again.open(super::super::Purpose::Session, &sealed, b"bound").unwrap(), "text");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&file), Err(KeyFileError::TooOpen(_))));
    }

    #[test]
    fn no_error_quotes_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
        std::fs::write(&file, format!("version = 1\n[[key]]\nid = \"a\"\nstate = \"odd\"\nkey = \"{secret}\""))
            .unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains("line 4") && !error.contains(secret), "{error}");
    }
}
