//! The text of a string without its escapes, a window at a time, and where each byte of it is written.
//!
//! What is read was read as JSON before: an escape that JSON does not have is a fault all the same, and ends the text.

use std::ops::Range;

use super::super::machine::{ESCAPING, Instructions};
use crate::limits;

const WINDOW: usize = limits::EMBEDDED_WINDOW_BYTES;
/// Room for a window, and what is copied behind it.
const ROOM: usize = WINDOW + 2 * ESCAPING;
/// The first window is a small one: most prose is told from JSON by a few bytes.
const FIRST_WINDOW: usize = 256;
/// Bytes that are copied at once.
const RUN: usize = 16;

/// A window of text. An escape may begin in one and end in a later one.
pub(super) struct Unescaped {
    instructions: Instructions,
    text: Box<[u8; ROOM]>,
    len: usize,
    /// Bytes that the next window is read from, at most.
    window: usize,
    /// From each of these places of the text on it is written byte by byte from that place of what was read on, up to
    /// the next one of them. Both count from the window's start.
    runs: Vec<(u16, u16)>,
    /// Where what comes before the first of these is written: it began in an earlier window.
    carried: u64,
    escape: Escape,
    /// Where the escape begins that is not read to its end.
    since: u64,
}

/// Where reading stands between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// Behind a backslash; and behind a high surrogate, if one waits for its pair.
    Backslash(Option<u16>),
    /// Within the digits of a unit of UTF-16.
    Unit {
        high: Option<u16>,
        left: u8,
        unit: u16,
    },
    /// Behind a high surrogate.
    High(u16),
}

/// How far a window was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Up to that index of what is read.
    To(usize),
    /// The escape that is being read stands for half a character, or for none.
    Half,
}

impl Unescaped {
    pub(super) fn new(instructions: Instructions) -> Self {
        Self {
            instructions,
            text: Box::new([0; ROOM]),
            len: 0,
            window: WINDOW,
            runs: Vec::with_capacity(WINDOW / 2 + 2),
            carried: 0,
            escape: Escape::None,
            since: 0,
        }
    }

    /// Before the first byte of a string.
    pub(super) fn restart(&mut self) {
        (self.escape, self.len, self.window) = (Escape::None, 0, FIRST_WINDOW);
    }

    /// The window's text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// Where the escape begins that is not read to its end, if one is not.
    pub(super) fn since(&self) -> Option<u64> {
        (self.escape != Escape::None).then_some(self.since)
    }

    /// Where the byte at that place of the text is written: by its place behind the window's start in what was read, or
    /// (`Err`) where it was said that its escape began.
    pub(super) fn written(&self, at: usize) -> Result<usize, u64> {
        let behind = self.runs.partition_point(|(text, _)| usize::from(*text) <= at);
        match behind.checked_sub(1).and_then(|last| self.runs.get(last)) {
            Some((text, read)) => Ok(usize::from(*read) + at - usize::from(*text)),
            None => Err(self.carried),
        }
    }

    /// Begins a window.
    pub(super) fn begin(&mut self) {
        (self.len, self.carried) = (0, self.since);
        self.runs.clear();
        if self.escape == Escape::None {
            self.runs.push((0, 0));
        }
    }

    /// Reads one character or a part of its escape from `at` on, into a window that begins at `from`; `place` tells of an
    /// index where it is written.
    pub(super) fn one(&mut self, read: &[u8], from: usize, at: usize, place: impl Fn(usize) -> u64) -> Filled {
        let byte = read[at];
        if self.escape == Escape::None && byte == b'\\' {
            self.since = place(at);
        }
        match self.step(byte) {
            Some(Step::Within) => {}
            Some(Step::Plain(byte)) => self.push(&[byte]),
            Some(Step::Escaped(character)) => {
                self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.runs.push((self.len as u16, (at + 1 - from) as u16));
            }
            None => return Filled::Half,
        }
        Filled::To(at + 1)
    }

    /// Fills the window that begins at `from` from `at` on.
    pub(super) fn fill(&mut self, read: &[u8], from: usize, at: usize, place: impl Fn(usize) -> u64) -> Filled {
        let end = read.len().min(from + self.window);
        self.window = WINDOW;
        let mut at = at;
        while at < end {
            if self.escape == Escape::None {
                let most = end - at;
                at += match read[at..].first_chunk::<{ ESCAPING + RUN }>() {
                    Some(block) if most >= ESCAPING => self.block(block, ESCAPING, at - from),
                    Some(_) | None => self.block(&padded(&read[at..end]), most.min(ESCAPING), at - from),
                };
                // Where that stops is an escape, which is read below.
                if at == end || read[at] != b'\\' {
                    continue;
                }
            }
            match self.one(read, from, at, &place) {
                Filled::To(next) => at = next,
                Filled::Half => return Filled::Half,
            }
        }
        Filled::To(at)
    }

    /// Reads so many bytes of a block but for escapes that are not read here: gives how far.
    #[inline]
    fn block(&mut self, block: &[u8; ESCAPING + RUN], count: usize, from: usize) -> usize {
        let whole = block.first_chunk().expect("it is longer");
        let mut rest = self.instructions.escaping(whole);
        // Its own, so that it can be kept in a register.
        let mut len = self.len;
        let mut done = 0;
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            copy(block, done..at, &mut self.text, len);
            len += at - done;
            done = at;
            let plain = SHORT[usize::from(block[at + 1])];
            if plain == 0 || at + 1 == count {
                self.len = len;
                return done;
            }
            self.text[len] = plain;
            len += 1;
            done = at + 2;
            self.runs.push((len as u16, (from + done) as u16));
        }
        copy(block, done..count, &mut self.text, len);
        self.len = len + count - done;
        count
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// What one byte says; `None` if it cannot stand there.
    fn step(&mut self, byte: u8) -> Option<Step> {
        let (next, step) = match (self.escape, byte) {
            (Escape::None, b'\\') => (Escape::Backslash(None), Step::Within),
            (Escape::None, _) => (Escape::None, Step::Plain(byte)),
            (Escape::High(high), b'\\') => (Escape::Backslash(Some(high)), Step::Within),
            (Escape::High(_), _) => return None,
            (Escape::Backslash(high), b'u') => (Escape::Unit { high, left: 4, unit: 0 }, Step::Within),
            (Escape::Backslash(None), _) => match SHORT[usize::from(byte)] {
                0 => return None,
                plain => (Escape::None, Step::Escaped(char::from(plain))),
            },
            (Escape::Backslash(Some(_)), _) => return None,
            (Escape::Unit { high, left, unit }, _) => {
                let unit = unit << 4 | u16::try_from(char::from(byte).to_digit(16)?).ok()?;
                match (left, high, unit) {
                    (2.., _, _) => (Escape::Unit { high, left: left - 1, unit }, Step::Within),
                    (_, None, 0xD800..=0xDBFF) => (Escape::High(unit), Step::Within),
                    (_, None, _) => (Escape::None, Step::Escaped(char::from_u32(u32::from(unit))?)),
                    (_, Some(high), _) => {
                        let character = char::decode_utf16([high, unit]).next()?.ok()?;
                        (Escape::None, Step::Escaped(character))
                    }
                }
            }
        };
        self.escape = next;
        Some(step)
    }
}

/// Copies a run of a block to that place: more than it, and what is more is written over.
#[inline(always)]
fn copy(block: &[u8; ESCAPING + RUN], run: Range<usize>, text: &mut [u8; ROOM], to: usize) {
    text[to..to + RUN].copy_from_slice(&block[run.start..run.start + RUN]);
    // Most runs are short.
    for at in (RUN..run.len()).step_by(RUN) {
        text[to + at..to + at + RUN].copy_from_slice(&block[run.start + at..run.start + at + RUN]);
    }
}

/// What is less than a block, as one that ends in zeros.
fn padded(bytes: &[u8]) -> [u8; ESCAPING + RUN] {
    let mut block = [0; ESCAPING + RUN];
    let len = bytes.len().min(ESCAPING);
    block[..len].copy_from_slice(&bytes[..len]);
    block
}

enum Step {
    /// The escape goes on.
    Within,
    /// It is a byte of the text.
    Plain(u8),
    /// It ends the escape of that character.
    Escaped(char),
}

/// What a backslash and one byte stand for; 0 where that is not all.
const SHORT: [u8; 256] = {
    let mut short = [0; 256];
    let pairs = [
        (b'"', b'"'),
        (b'\\', b'\\'),
        (b'/', b'/'),
        (b'b', 0x08),
        (b'f', 0x0C),
        (b'n', b'\n'),
        (b'r', b'\r'),
        (b't', b'\t'),
    ];
    let mut at = 0;
    while at < pairs.len() {
        short[pairs[at].0 as usize] = pairs[at].1;
        at += 1;
    }
    short
};

#[cfg(test)]
mod tests;
