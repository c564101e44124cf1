//! One character of a string's text, read through so many levels of escapes: the string's own, and those of texts within it
//! that are JSON, or source, or a log of such.
//!
//! Beyond the first level nothing says that a text is escaped at all: a backslash that begins no escape is itself.

/// A character, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Character {
    bytes: [u8; 4],
    len: usize,
    /// Bytes that it is written with.
    pub(super) width: usize,
}

impl Character {
    /// In UTF-8; of half a pair of surrogates the three bytes that it would have.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn is_backslash(&self) -> bool {
        self.bytes() == b"\\"
    }

    fn ascii(byte: u8, width: usize) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1, width }
    }

    fn of_code(code: u32, width: usize) -> Self {
        let mut bytes = [0; 4];
        if let Some(character) = char::from_u32(code) {
            let len = character.encode_utf8(&mut bytes).len();
            return Self { bytes, len, width };
        }
        let continued = |shift: u32| 0x80 | (code >> shift & 0x3F) as u8;
        Self { bytes: [0xE0 | (code >> 12) as u8, continued(6), continued(0), 0], len: 3, width }
    }
}

/// The character that begins there, `levels` of escapes below; `None` at the text's end. There are few levels, and each
/// reads its characters from the one above.
pub(super) fn read(text: &[u8], at: usize, levels: usize) -> Option<Character> {
    let Some(above) = levels.checked_sub(1) else { return written(text, at) };
    let first = read(text, at, above)?;
    if !first.is_backslash() {
        return Some(first);
    }
    Some(escaped(text, at, first.width, above).unwrap_or(first))
}

/// As it is written.
fn written(text: &[u8], at: usize) -> Option<Character> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let len = match rest[0] {
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
    };
    let len = len.min(rest.len());
    let mut bytes = [0; 4];
    bytes[..len].copy_from_slice(&rest[..len]);
    Some(Character { bytes, len, width: len })
}

/// The escape that begins there with a backslash of that width.
fn escaped(text: &[u8], at: usize, backslash: usize, above: usize) -> Option<Character> {
    let kind = read(text, at + backslash, above)?;
    let width = backslash + kind.width;
    match kind.bytes() {
        [byte @ (b'"' | b'\\' | b'/')] => Some(Character::ascii(*byte, width)),
        b"b" => Some(Character::ascii(0x08, width)),
        b"f" => Some(Character::ascii(0x0C, width)),
        b"n" => Some(Character::ascii(b'\n', width)),
        b"r" => Some(Character::ascii(b'\r', width)),
        b"t" => Some(Character::ascii(b'\t', width)),
        b"u" => {
            let (unit, width) = digits(text, at, width, above)?;
            let low = if matches!(unit, 0xD800..=0xDBFF) { low(text, at, width, above) } else { None };
            Some(match low {
                Some((low, width)) => Character::of_code(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00), width),
                None => Character::of_code(unit, width),
            })
        }
        _ => None,
    }
}

/// The four digits that stand that far behind, and how far it is then.
fn digits(text: &[u8], at: usize, mut width: usize, above: usize) -> Option<(u32, usize)> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = read(text, at + width, above)?;
        let [byte] = digit.bytes() else { return None };
        unit = unit << 4 | char::from(*byte).to_digit(16)?;
        width += digit.width;
    }
    Some((unit, width))
}

/// The second half of a pair of surrogates, likewise.
fn low(text: &[u8], at: usize, mut width: usize, above: usize) -> Option<(u32, usize)> {
    for expected in [b"\\", b"u"] {
        let next = read(text, at + width, above)?;
        if next.bytes() != expected {
            return None;
        }
        width += next.width;
    }
    digits(text, at, width, above).filter(|(unit, _)| matches!(unit, 0xDC00..=0xDFFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, levels: usize) -> String {
        let (mut at, mut out) = (0, Vec::new());
        while let Some(character) = read(text.as_bytes(), at, levels) {
            out.extend_from_slice(character.bytes());
            at += character.width;
        }
        assert_eq!(at, text.len());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn characters_are_read_through_levels() {
        for (text, levels, expected) in [
            (r"a\n\u0041é", 0, r"a\n\u0041é"),
            (r"a\n\u0041é", 1, "a\nAé"),
            (r"a\\n\\u0041", 1, r"a\n\u0041"),
            (r"a\\n\\u0041", 2, "a\nA"),
            (r#"\\\"x\\\\"#, 1, r#"\"x\\"#),
            (r#"\\\"x\\\\"#, 2, r#""x\"#),
            (r"\ud83d\ude00\ud83d", 1, "\u{1F600}\u{FFFD}\u{FFFD}\u{FFFD}"),
            (r"\\\u00750041", 2, "A"),
            (r"C:\\q\\Users\\u00zz", 3, r"C:\q\Users\u00zz"),
            (r"\\\\\\\\\\\\\\\\u0041", 4, r"\u0041"),
            (r"\\\\\\\\u0041", 4, "A"),
        ] {
            assert_eq!(decoded(text, levels), expected, "{text} {levels}");
        }
    }
}
