//! The last characters of a text that is hidden otherwise: kept as the text passes, and written anew.
//!
//! They are those of the decoded text, so that an escape is neither cut nor counted as several characters.

use crate::limits::{PARTIAL_CHARACTERS_MIN, PARTIAL_CHARACTERS_SHOWN};

/// A character has at most four bytes.
const ROOM: usize = 4 * PARTIAL_CHARACTERS_SHOWN;
/// What is written before them: a quote, and that something is hidden.
const HEAD: &[u8] = b"\"***";
/// The head, each character as an escape, and a quote.
const TOKEN_MAX: usize = HEAD.len() + 6 * PARTIAL_CHARACTERS_SHOWN + 1;

/// The end of a text that comes in any pieces. Constant in size.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    /// The last bytes of the text, those before `len`.
    bytes: [u8; ROOM],
    len: usize,
    /// Its characters, counted until there are enough.
    characters: usize,
}

/// A string as JSON, quotes included: never longer than one was, as written, that ends so and has more characters.
#[derive(Debug)]
pub(super) struct Token {
    bytes: [u8; TOKEN_MAX],
    len: usize,
}

impl Tail {
    /// Takes the next bytes of the decoded text.
    pub(super) fn push(&mut self, decoded: &[u8]) {
        if self.characters < PARTIAL_CHARACTERS_MIN {
            self.characters += decoded.iter().filter(|byte| begins(byte)).take(PARTIAL_CHARACTERS_MIN).count();
        }
        let last = &decoded[decoded.len().saturating_sub(ROOM)..];
        let stay = self.len.min(ROOM - last.len());
        self.bytes.copy_within(self.len - stay..self.len, 0);
        self.bytes[stay..][..last.len()].copy_from_slice(last);
        self.len = stay + last.len();
    }

    /// What is shown; `None` where too little of the text would stay hidden.
    pub(super) fn token(&self) -> Option<Token> {
        if self.characters < PARTIAL_CHARACTERS_MIN {
            return None;
        }
        let text = &self.bytes[..self.len];
        let from = (0..text.len()).rev().filter(|at| begins(&text[*at])).nth(PARTIAL_CHARACTERS_SHOWN - 1)?;
        let mut token = Token { bytes: [0; TOKEN_MAX], len: 0 };
        token.push(HEAD);
        text[from..].chunk_by(|_, next| !begins(next)).for_each(|character| token.character(character));
        token.push(b"\"");
        Some(token)
    }
}

impl Token {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// As short as JSON has it (RFC 8259, 7), so that it never grows.
    fn character(&mut self, character: &[u8]) {
        match *character {
            [byte @ (b'"' | b'\\')] => self.push(&[b'\\', byte]),
            [0x08] => self.push(b"\\b"),
            [b'\t'] => self.push(b"\\t"),
            [b'\n'] => self.push(b"\\n"),
            [0x0C] => self.push(b"\\f"),
            [b'\r'] => self.push(b"\\r"),
            [control @ 0..=0x1F] => self.unit(u16::from(control)),
            // A surrogate without its pair, which was an escape and can be nothing else.
            [0xED, second @ 0xA0..=0xBF, third] => {
                self.unit(0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F));
            }
            _ => self.push(character),
        }
    }

    fn unit(&mut self, unit: u16) {
        let digit = |shift: u32| b"0123456789abcdef"[usize::from(unit >> shift & 0xF)];
        self.push(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
    }
}

/// Whether a character begins with that byte.
fn begins(byte: &u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8], piece: usize) -> Option<String> {
        let mut tail = Tail::default();
        text.chunks(piece).for_each(|piece| tail.push(piece));
        tail.token().map(|token| String::from_utf8(token.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn the_last_characters_are_written_anew() {
        for (text, expected) in [
            ("0123456789ab", Some(r#""***89ab""#)),
            ("0123456789a", None),
            ("éééééééééééé", Some(r#""***éééé""#)),
            ("ééééééééééé", None),
            ("\u{1F600}\u{1F601}\u{1F602}\u{1F603}\u{1F604}\u{1F605}\u{1F606}aaaaaaaa", Some(r#""***aaaa""#)),
            ("aaaaaaaa\u{1F600}\u{1F601}\u{1F602}\u{1F603}", Some("\"***\u{1F600}\u{1F601}\u{1F602}\u{1F603}\"")),
            ("aaaaaaaa\"\\/\n", Some(r#""***\"\\/\n""#)),
            ("aaaaaaaa\u{1}\u{8}\u{c}\u{1f}", Some(r#""***\u0001\b\f\u001f""#)),
            ("aaaaaaaa\t\r\u{7f}\u{0}", Some("\"***\\t\\r\u{7f}\\u0000\"")),
            ("", None),
        ] {
            for piece in [1, 2, 3, 5, 17, 100] {
                assert_eq!(shown(text.as_bytes(), piece).as_deref(), expected, "{text:?} {piece}");
            }
        }
    }

    #[test]
    fn a_surrogate_without_its_pair_is_written_as_it_was() {
        let text = b"aaaaaaaaaa\xED\xA0\x80\xED\xBF\xBFb";
        assert_eq!(shown(text, 1).as_deref(), Some(r#""***a\ud800\udfffb""#));
        assert_eq!(shown(text, 100), shown(text, 1));
    }
}
