//! One match that is being read, from its fixed text on.

use super::Rules;
use super::character;
use super::stretches::Stretches;
use crate::limits::{VALUE_AHEAD_BYTES, VALUE_MATCH_BYTES_MAX};
use crate::policy::values::{State, ValuePattern};

/// A match that may come about, or that goes on. Its places are indices of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Walk {
    pub(super) rule: usize,
    pub(super) state: State,
    /// The first byte that is not read.
    pub(super) at: usize,
    /// The levels of escapes that it is read through, first and last: up to here they all read the same.
    pub(super) levels: (usize, usize),
    /// From where on it hides, up to the end of the next match.
    pub(super) from: usize,
    /// The last place at which it began, or a match ended.
    pub(super) since: usize,
}

/// What it reads in, and where that leaves what it finds.
pub(super) struct Reading<'a> {
    pub(super) rules: &'a Rules,
    /// The window up to the string's end, or its own.
    pub(super) text: &'a [u8],
    pub(super) hidden: &'a mut Stretches,
    /// Walks of other levels that part from those that read.
    pub(super) parted: &'a mut Vec<Walk>,
}

impl Walk {
    /// Whether both go on in the same way.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let way = |walk: &Self| (walk.rule, walk.state, walk.at, walk.levels);
        way(self) == way(other)
    }

    /// Reads the characters that begin before that index. Whether it goes on.
    pub(super) fn read(&mut self, to: usize, reading: &mut Reading<'_>) -> bool {
        let pattern = reading.rules.pattern(self.rule);
        let mut open = true;
        while open && self.at < to {
            let (at, byte) = (self.at, reading.text[self.at]);
            if byte.is_ascii() && byte != b'\\' {
                self.at += 1;
                open = self.step(pattern, byte, at, reading);
            } else {
                open = self.character(pattern, reading);
            }
            open &= self.at - self.since <= VALUE_MATCH_BYTES_MAX;
            if self.at - self.from > VALUE_MATCH_BYTES_MAX {
                self.from = self.since;
            }
        }
        open
    }

    /// The string ended before it was read on.
    pub(super) fn end(&mut self, reading: &mut Reading<'_>) {
        let pattern = reading.rules.pattern(self.rule);
        self.state = pattern.end(self.state);
        if pattern.is_match(self.state) {
            self.matches(reading.text.len(), reading);
        }
    }

    /// One that is written in several bytes, or with an escape. Where this level reads a backslash the ones below read more.
    fn character(&mut self, pattern: &ValuePattern, reading: &mut Reading<'_>) -> bool {
        let known = reading.text.len().min(self.at + VALUE_AHEAD_BYTES);
        let (first, last) = self.levels;
        let Some(character) = character::read(&reading.text[..known], self.at, first) else { return false };
        if character.is_backslash() && first < last {
            reading.parted.push(Self { levels: (first + 1, last), ..*self });
            self.levels = (first, first);
        }
        let at = self.at;
        self.at += character.width;
        // A match that ends within a character hides all of it.
        let ends = [at].into_iter().chain(std::iter::repeat(self.at));
        character.bytes().iter().zip(ends).all(|(byte, ends)| self.step(pattern, *byte, ends, reading))
    }

    /// One byte; a match that ends before it ends at that index. Whether it goes on.
    #[inline]
    fn step(&mut self, pattern: &ValuePattern, byte: u8, ends: usize, reading: &mut Reading<'_>) -> bool {
        self.state = pattern.next(self.state, byte);
        if !pattern.is_special(self.state) {
            return true;
        }
        if pattern.is_match(self.state) {
            self.matches(ends, reading);
        }
        !pattern.is_dead(self.state)
    }

    fn matches(&mut self, ends: usize, reading: &mut Reading<'_>) {
        if ends > self.from {
            reading.hidden.add(self.from, ends, reading.rules.bit(self.rule));
        }
        (self.from, self.since) = (ends, ends);
    }
}
