//! The inside of a JSON string, in any pieces: escapes and UTF-8 are checked, and decoded for who wants to read it.

use super::grammar::Broken;

/// Where the text of a string stands between two bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Text {
    state: State,
    /// A high surrogate that was escaped and waits for its low one.
    high: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Plain,
    /// After a backslash.
    Escape,
    /// Within a `\u` escape.
    Hex { left: u8, unit: u16 },
    /// Within a character of several bytes; the next one lies from `low` to `high`.
    Character { left: u8, low: u8, high: u8 },
}

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The closing quote stands just before this index.
    Closed(usize),
    /// The string goes on.
    More,
}

impl Text {
    /// Just after a backslash.
    pub(super) fn escaped_next() -> Self {
        Self { state: State::Escape, high: None }
    }

    /// Within a `\u` escape of which so many digits, 1 to 4, are to come.
    pub(super) fn digits_next(left: u8) -> Self {
        Self { state: State::Hex { left, unit: 0 }, high: None }
    }

    /// Behind the bytes of a character, whole or not, of which the first begins it.
    pub(super) fn within_character(character: &[u8]) -> Self {
        let mut text = Self::default();
        // A fault is one of what comes next, and told there.
        text.scan(character, 0, &mut |_: &[u8]| {}).ok();
        text
    }

    /// The same, without what only matters to a reader: the digits of an escape, and what waits for its pair.
    #[cfg(test)]
    pub(super) fn checked(&self) -> Self {
        let state = match self.state {
            State::Hex { left, .. } => State::Hex { left, unit: 0 },
            state @ (State::Plain | State::Escape | State::Character { .. }) => state,
        };
        Self { state, high: None }
    }

    /// Whether it stands between two characters.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.state, State::Plain)
    }

    /// Reads on from `at`, handing decoded bytes to `reader`.
    ///
    /// Escaped surrogates that make no pair are handed on as three bytes each, as if they were characters, so that
    /// different names stay different.
    pub(super) fn scan(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        reader: &mut impl FnMut(&[u8]),
    ) -> Result<Scanned, Broken> {
        let mut from = at;
        while at < chunk.len() {
            match self.state {
                State::Plain => {
                    at = skip_plain(chunk, at);
                    let Some(&byte) = chunk.get(at) else { break };
                    match byte {
                        b'"' => {
                            self.run(&chunk[from..at], reader);
                            self.unpaired(reader);
                            return Ok(Scanned::Closed(at + 1));
                        }
                        b'\\' => {
                            self.run(&chunk[from..at], reader);
                            self.state = State::Escape;
                        }
                        _ => self.state = first_of_character(byte).ok_or_else(|| Broken::text(at, byte))?,
                    }
                }
                State::Character { left, low, high } => {
                    if !(low..=high).contains(&chunk[at]) {
                        return Err(Broken { at, reason: "a string is not UTF-8" });
                    }
                    self.state = if left == 1 {
                        State::Plain
                    } else {
                        State::Character { left: left - 1, low: 0x80, high: 0xBF }
                    };
                }
                State::Escape | State::Hex { .. } => {
                    self.escaped(chunk[at], reader)
                        .ok_or(Broken { at, reason: "an escape that JSON does not have" })?;
                    from = at + 1;
                }
            }
            at += 1;
        }
        if matches!(self.state, State::Plain | State::Character { .. }) {
            self.run(&chunk[from..at], reader);
        }
        Ok(Scanned::More)
    }

    /// One byte after a backslash; `None` where it cannot stand there.
    fn escaped(&mut self, byte: u8, reader: &mut impl FnMut(&[u8])) -> Option<()> {
        self.state = match self.state {
            State::Hex { left, unit } => {
                let digit = char::from(byte).to_digit(16)?;
                let unit = (unit << 4) | u16::try_from(digit).ok()?;
                if left == 1 {
                    self.unit(unit, reader);
                    State::Plain
                } else {
                    State::Hex { left: left - 1, unit }
                }
            }
            State::Plain | State::Escape | State::Character { .. } => {
                let plain = match byte {
                    b'u' => {
                        self.state = State::Hex { left: 4, unit: 0 };
                        return Some(());
                    }
                    b'"' | b'\\' | b'/' => byte,
                    b'b' => 0x08,
                    b'f' => 0x0C,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => return None,
                };
                self.run(&[plain], reader);
                State::Plain
            }
        };
        Some(())
    }

    fn run(&mut self, bytes: &[u8], reader: &mut impl FnMut(&[u8])) {
        if !bytes.is_empty() {
            self.unpaired(reader);
            reader(bytes);
        }
    }

    /// One UTF-16 unit of a `\u` escape.
    fn unit(&mut self, unit: u16, reader: &mut impl FnMut(&[u8])) {
        match (self.high, unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.high = None;
                let code = 0x1_0000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
                reader(encode(code).as_slice());
            }
            (_, 0xD800..=0xDBFF) => {
                self.unpaired(reader);
                self.high = Some(unit);
            }
            _ => {
                self.unpaired(reader);
                reader(encode(u32::from(unit)).as_slice());
            }
        }
    }

    fn unpaired(&mut self, reader: &mut impl FnMut(&[u8])) {
        if let Some(high) = self.high.take() {
            reader(encode(u32::from(high)).as_slice());
        }
    }
}

/// UTF-8 of a code point, also of a surrogate.
fn encode(code: u32) -> Encoded {
    let continued = |shift: u32| 0x80 | (code >> shift & 0x3F) as u8;
    match code {
        0..=0x7F => Encoded { bytes: [code as u8, 0, 0, 0], len: 1 },
        0x80..=0x7FF => Encoded { bytes: [0xC0 | (code >> 6) as u8, continued(0), 0, 0], len: 2 },
        0x800..=0xFFFF => Encoded { bytes: [0xE0 | (code >> 12) as u8, continued(6), continued(0), 0], len: 3 },
        _ => Encoded { bytes: [0xF0 | (code >> 18) as u8, continued(12), continued(6), continued(0)], len: 4 },
    }
}

struct Encoded {
    bytes: [u8; 4],
    len: usize,
}

impl Encoded {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What may follow the first byte of a character (Unicode, table 3-7): no overlong form, no surrogate, nothing above U+10FFFF.
fn first_of_character(byte: u8) -> Option<State> {
    let (left, low, high) = match byte {
        0xC2..=0xDF => (1, 0x80, 0xBF),
        0xE0 => (2, 0xA0, 0xBF),
        0xE1..=0xEC | 0xEE..=0xEF => (2, 0x80, 0xBF),
        0xED => (2, 0x80, 0x9F),
        0xF0 => (3, 0x90, 0xBF),
        0xF1..=0xF3 => (3, 0x80, 0xBF),
        0xF4 => (3, 0x80, 0x8F),
        _ => return None,
    };
    Some(State::Character { left, low, high })
}

/// Index of the first byte from `at` on that is not plain ASCII text, eight bytes at a time.
fn skip_plain(chunk: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    // The top bit of each byte that is zero; above the first one there may be false ones, below it never.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    while let Some(&eight) = chunk.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let special =
            control | (word & TOPS) | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = chunk.get(at)
        && !matches!(byte, 0..=0x1F | b'"' | b'\\' | 0x80..)
    {
        at += 1;
    }
    at
}
