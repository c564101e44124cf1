//! What stands in place of a hidden value. Every token fits into the value that it replaces.

use super::grammar::Kind;
use super::output::Output;
use crate::limits;

/// Bytes of a pseudonym as written: `"p_`, 16 characters, `"`.
pub(super) const PSEUDONYM_BYTES: u64 = 20;
/// Stands in place of a record that is not shown.
pub(super) const BLANK_RECORD: &[u8] = b"{}";

/// From this width on a constant token is the same whatever the width, in bytes.
pub(super) const SETTLED_BYTES: u64 = 12;

/// Bytes by which two quotes are longer within so many strings: each level escapes the backslashes of the one below.
pub(super) fn quotes(texts: usize) -> u64 {
    2 * ((1 << texts) - 1)
}

/// Writes a token as it stands within so many strings.
pub(super) fn write(token: &[u8], texts: usize, output: &mut Output) {
    const BACKSLASHES: [u8; (1 << limits::EMBEDDED_LEVELS_MAX) - 1] = [b'\\'; (1 << limits::EMBEDDED_LEVELS_MAX) - 1];
    if texts == 0 {
        return output.copy(token);
    }
    let backslashes = &BACKSLASHES[..(1 << texts) - 1];
    let Some(bare) = token.strip_prefix(b"\"").and_then(|token| token.strip_suffix(b"\"")) else {
        return output.copy(token);
    };
    for part in [backslashes, b"\"", bare, backslashes, b"\""] {
        output.copy(part);
    }
}

/// What is left in place of the rest of a string's text.
pub(super) fn rest(width: u64) -> &'static [u8] {
    if width >= 3 { b"***" } else { b"" }
}

/// The constant token for a value of that kind and width as written, where quotes are one byte each.
///
/// It tells the kind (string or not) and the width only within three classes, and never grows.
pub(super) fn constant(kind: Kind, width: u64) -> &'static [u8] {
    match (kind, width) {
        (Kind::String, SETTLED_BYTES..) => b"\"[REDACTED]\"",
        (Kind::String, 5..) => b"\"***\"",
        (Kind::String, _) => b"\"\"",
        (Kind::Object | Kind::Array | Kind::Scalar, _) => null(width),
    }
}

/// The token of an element that would be dropped: an array keeps its places.
pub(super) fn null(width: u64) -> &'static [u8] {
    if width >= 4 { b"null" } else { b"0" }
}

/// The pseudonym of a hashed scalar: 80 bits of the digest in lower-case base32 (RFC 4648).
pub(super) fn pseudonym(hasher: &blake3::Hasher) -> [u8; PSEUDONYM_BYTES as usize] {
    let digest = hasher.finalize();
    let mut bits = [0; 16];
    bits[6..].copy_from_slice(&digest.as_bytes()[..10]);
    let bits = u128::from_be_bytes(bits);
    let mut token = *b"\"p_0000000000000000\"";
    for (place, character) in token[3..19].iter_mut().enumerate() {
        let five = bits >> (75 - 5 * place) & 0x1F;
        *character = b"abcdefghijklmnopqrstuvwxyz234567"[five as usize];
    }
    token
}

/// What is hashed before a scalar, so that the string `"5"` and the number `5` are different values.
pub(super) fn domain(kind: Kind) -> Option<&'static [u8]> {
    match kind {
        Kind::String => Some(b"s"),
        Kind::Scalar => Some(b"v"),
        Kind::Object | Kind::Array => None,
    }
}
