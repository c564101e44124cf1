//! Static tokens: for teams and jobs without an identity provider. Only their hash is in the policy set.
//!
//! A token is `tgs_` and base64url of the time at which it was made (40 bits of seconds) and 256 random bits. The time
//! is part of what is hashed, so a token made after a revocation is told from those before it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::RoleName;
use super::oidc::TokenError;
use super::roles::{RoleBook, StaticToken};
use super::secret::SecretText;
use super::token::UnverifiedToken;

/// The issuer of identities that a static token proves.
pub const ISSUER: &str = "tracegate";

const PREFIX: &str = "tgs_";
const TIME_BYTES: usize = 5;
const RANDOM_BYTES: usize = 32;

/// A token that was just made.
#[derive(Debug)]
pub struct NewStaticToken {
    /// The token; nobody can tell it again.
    pub token: SecretText,
    /// What goes into the policy set.
    pub entry: StaticToken,
}

impl NewStaticToken {
    /// A fresh token for that holder.
    pub fn generate(id: &str, role: RoleName, expires: Timestamp, now: Timestamp) -> Self {
        let mut bytes = Zeroizing::new([0; TIME_BYTES + RANDOM_BYTES]);
        bytes[..TIME_BYTES].copy_from_slice(&now.as_second().to_be_bytes()[8 - TIME_BYTES..]);
        bytes[TIME_BYTES..].copy_from_slice(&rand::random::<[u8; RANDOM_BYTES]>());
        let token = SecretText::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)));
        let sha256 = digest(token.expose());
        Self { token, entry: StaticToken { id: id.to_owned(), sha256, role, expires } }
    }

    /// The block to paste into the policy set.
    pub fn toml(&self) -> String {
        let StaticToken { id, sha256, role, expires } = &self.entry;
        let id = toml::Value::String(id.clone());
        format!(
            "[[static_token]]\nid = {id}\nsha256 = \"{}\"\nrole = \"{role}\"\nexpires = {expires}\n",
            hex::encode(sha256)
        )
    }
}

/// Whether this is meant to be a static token.
pub fn looks_static(token: &UnverifiedToken) -> bool {
    token.expose().starts_with(PREFIX)
}

/// The entry of a static token. Looks at every entry in constant time, whichever matches.
pub fn find<'b>(token: &UnverifiedToken, book: &'b RoleBook, now: Timestamp) -> Result<&'b StaticToken, TokenError> {
    let sha256 = token.digest();
    let mut found = None;
    for entry in &book.static_tokens {
        if bool::from(entry.sha256.ct_eq(&sha256)) {
            found = Some(entry);
        }
    }
    match found {
        Some(entry) if now < entry.expires => Ok(entry),
        Some(_) => Err(TokenError::Expired),
        None => Err(TokenError::Malformed("it is no static token of this service")),
    }
}

/// When a static token was made; one that does not say counts as made before everything, so that any revocation
/// reaches it.
pub fn issued(token: &UnverifiedToken) -> Timestamp {
    let made = || {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(token.expose().strip_prefix(PREFIX)?).ok()?);
        let bytes = <[u8; TIME_BYTES + RANDOM_BYTES]>::try_from(bytes.as_slice()).ok()?;
        let seconds = bytes[..TIME_BYTES].iter().fold(0, |sum, byte| (sum << 8) | i64::from(*byte));
        Timestamp::from_second(seconds).ok()
    };
    made().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn made_found_and_ended() {
        let now = at("2026-11-20T10:00:00Z");
        let made = NewStaticToken::generate("ci", "reader".parse().unwrap(), at("2026-12-01T00:00:00Z"), now);
        let book = RoleBook { static_tokens: vec![made.entry.clone()], ..Default::default() };
        let token = UnverifiedToken::new(&format!("{}\n", made.token.expose())).unwrap();
        assert!(looks_static(&token));
        assert_eq!(find(&token, &book, now).unwrap().id, "ci");
        assert_eq!(issued(&token), now);
        assert_eq!(find(&token, &book, at("2026-12-01T00:00:00Z")), Err(TokenError::Expired));

        let other = NewStaticToken::generate("ci", "reader".parse().unwrap(), at("2026-12-01T00:00:00Z"), now);
        let other = UnverifiedToken::new(other.token.expose()).unwrap();
        assert!(matches!(find(&other, &book, now), Err(TokenError::Malformed(_))));
    }

    #[test]
    fn a_token_without_its_time_is_older_than_any_revocation() {
        for text in ["tgs_", "tgs_!!", "tgs_AAAA"] {
            assert_eq!(issued(&UnverifiedToken::new(text).unwrap()), Timestamp::UNIX_EPOCH, "{text}");
        }
    }

    #[test]
    fn the_block_is_toml_and_the_token_does_not_print() {
        let now = at("2026-11-20T10:00:00Z");
        let made = NewStaticToken::generate("team \"x\"", "reader".parse().unwrap(), at("2026-12-01T00:00:00Z"), now);
        let table: toml::Table = made.toml().parse().unwrap();
        let entry = &table["static_token"][0];
        assert_eq!(entry["id"].as_str(), Some("team \"x\""));
        assert_eq!(entry["sha256"].as_str(), Some(&*hex::encode(made.entry.sha256)));
        assert!(entry["expires"].is_datetime());
        assert!(!format!("{made:?}").contains(&made.token.expose()[4..]));
    }
}
