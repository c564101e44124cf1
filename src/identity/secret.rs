//! A text that nobody may print: secret keys, tokens, bodies that hold them.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text. Its `Debug` says nothing, it is wiped when dropped, and it compares in constant time.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// A secret of that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// A secret that nobody knows: 256 random bits as 64 hexadecimal digits.
    pub fn random() -> Self {
        Self::new(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The text, for the one place that needs it: a signature, a seal, a response body.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

#[cfg(test)]
mod tests {
    use super::SecretText;

    #[test]
    fn debug_says_nothing() {
        let secret = SecretText::new("hunter2hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "SecretText(..) Some(SecretText(..))");
        assert_eq!(secret, SecretText::new("hunter2hunter2"));
        assert_ne!(secret, SecretText::new("hunter2hunter3"));
    }
}
