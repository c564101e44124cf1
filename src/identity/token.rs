//! A token as sent, and its parts as text: nothing of it is verified here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::json::Json;
use super::oidc::TokenError;
use super::secret::SecretText;
use crate::limits::{JWT_BYTES_MAX, JWT_KID_BYTES_MAX};

/// A token that nobody has verified: 1 to 20,000 bytes of visible ASCII. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedToken(SecretText);

impl UnverifiedToken {
    /// The token that this text is; white space around it (the newline at a file's end) is dropped.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() || text.len() > JWT_BYTES_MAX {
            return Err(TokenError::Malformed("it must have 1 to 20,000 bytes"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::Malformed("it holds bytes that no token has"));
        }
        Ok(Self(SecretText::new(text)))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// SHA-256 of the text, by which it is looked up and named.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose().as_bytes()).into()
    }
}

impl fmt::Debug for UnverifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken(..)")
    }
}

/// The parts of a signed JSON Web Token (RFC 7515 compact form), read but not verified.
pub(super) struct Jwt<'t> {
    /// `alg`: which signature it claims to have.
    pub(super) algorithm: String,
    /// `kid`: which key it claims to be signed with.
    pub(super) key_id: Option<String>,
    /// The claims.
    pub(super) claims: Json,
    /// The signed text.
    pub(super) message: &'t str,
    /// The signature, in base64url.
    pub(super) signature: &'t str,
}

impl<'t> Jwt<'t> {
    pub(super) fn parse(token: &'t UnverifiedToken) -> Result<Self, TokenError> {
        let text = token.expose();
        let (message, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed("it is no JSON Web Token"))?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Malformed("it is no JSON Web Token"))?;
        if claims.contains('.') {
            return Err(TokenError::Malformed("it has more than three parts"));
        }
        let header = object(header)?;
        check_header(&header)?;
        let name = |name: &str| header.member(name).and_then(Json::text).map(str::to_owned);
        let algorithm = name("alg").ok_or(TokenError::Malformed("its header names no algorithm"))?;
        if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
            return Err(TokenError::Algorithm(algorithm));
        }
        let key_id = name("kid");
        if header.member("kid").is_some() && key_id.as_ref().is_none_or(|kid| kid.len() > JWT_KID_BYTES_MAX) {
            return Err(TokenError::Malformed("its key id (kid) is no text, or too long"));
        }
        Ok(Self { algorithm, key_id, claims: object(claims)?, message, signature })
    }
}

fn object(part: &str) -> Result<Json, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("its parts are not base64url"))?;
    match Json::parse(&bytes) {
        Ok(json @ Json::Object(_)) => Ok(json),
        Ok(_) => Err(TokenError::Malformed("its parts are not JSON objects")),
        Err(_) => Err(TokenError::Malformed("its parts are not JSON, or a name stands twice")),
    }
}

/// Keys come from the issuer's key set, never from the token; extensions that we do not know are critical to somebody.
fn check_header(header: &Json) -> Result<(), TokenError> {
    for name in ["jku", "x5u", "jwk", "crit", "zip", "enc"] {
        if header.member(name).is_some() {
            return Err(TokenError::Header(name));
        }
    }
    let known = |typ: &str| ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| known.eq_ignore_ascii_case(typ));
    match header.member("typ") {
        None => Ok(()),
        Some(typ) if typ.text().is_some_and(known) => Ok(()),
        Some(_) => Err(TokenError::Header("typ")),
    }
}
