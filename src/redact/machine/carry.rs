//! What the machine knows between two blocks, and how that is said in the grammar's words.
//!
//! Both say the same of every prefix of every text: this is how the machine hands over to the grammar, and back.

use super::super::grammar::{Grammar, Number, State};
use super::super::text::Text;
use super::block::NAME_BLOCKS_MAX;
use super::tier::LEAD;

/// Most brackets that may be open for the machine: one bit each, above a bit that says where they end.
pub(super) const DEPTH_MAX: u32 = 63;

/// What is carried from block to block. Where not said otherwise 1 is yes, 0 is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carry {
    /// The next byte is escaped.
    pub(super) escaped: u64,
    /// The `u` of `\u` escapes among the last 64 bytes; the top bit is the last byte.
    pub(super) units: u64,
    /// Within a character.
    pub(super) cut: bool,
    /// Within a string: all ones.
    pub(super) string: u64,
    /// Within a member's name, of which so many bytes fill blocks.
    pub(super) name: u64,
    pub(super) name_bytes: u64,
    /// Whether the filter found something in that name, and whether something ended at its last byte.
    pub(super) found: u64,
    pub(super) pair: u64,
    /// What the last token was: an opening bracket, a comma, a colon, a member's name, the start of a line.
    pub(super) open: u64,
    pub(super) comma: u64,
    pub(super) colon: u64,
    pub(super) named: u64,
    pub(super) line: u64,
    /// Not 0 once a member's colon was read.
    pub(super) members: u64,
    /// The last byte is one of a scalar.
    pub(super) scalar: u64,
    pub(super) number: NumberCarry,
    /// Bytes of a word that are to come, and were checked, as a mask of the next block.
    pub(super) word: u64,
    /// The word that the mask is the rest of: 0 where there is none, else its place in [`WORDS`] and 1.
    pub(super) word_is: u8,
    /// Open brackets, the innermost lowest, 1 for an object; above them a 1.
    pub(super) brackets: u64,
}

/// The words of JSON that the machine knows.
pub(super) const WORDS: [&[u8]; 3] = [b"true", b"false", b"null"];

/// What the last byte is of a number: a set of the flags below; none where it is not of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NumberCarry(pub(super) u64);

impl NumberCarry {
    pub(super) const DIGIT: u32 = 0;
    /// A zero at the start, or behind a minus there.
    pub(super) const ZERO: u32 = 1;
    /// A minus at the start.
    pub(super) const MINUS: u32 = 2;
    pub(super) const POINT: u32 = 3;
    /// An `e`.
    pub(super) const EXPONENT: u32 = 4;
    /// Any sign.
    pub(super) const SIGN: u32 = 5;
    /// A sign behind an `e`.
    pub(super) const EXPONENT_SIGN: u32 = 6;
    /// Behind a point, and digits.
    pub(super) const IN_FRACTION: u32 = 7;
    /// Behind an `e`, and digits.
    pub(super) const IN_EXPONENT: u32 = 8;

    /// That flag, 0 or 1.
    #[inline(always)]
    pub(super) fn flag(self, flag: u32) -> u64 {
        self.0 >> flag & 1
    }

    /// Whether nothing but digits of a whole number were read, if any.
    #[inline(always)]
    pub(super) fn is_whole(self) -> bool {
        self.0 & !(1 << Self::DIGIT | 1 << Self::ZERO) == 0
    }

    fn state(self) -> Number {
        let is = |flag| self.flag(flag) == 1;
        if is(Self::MINUS) {
            Number::Minus
        } else if is(Self::EXPONENT_SIGN) {
            Number::ESign
        } else if is(Self::ZERO) {
            Number::Zero
        } else if is(Self::POINT) {
            Number::Point
        } else if is(Self::EXPONENT) {
            Number::E
        } else if is(Self::IN_EXPONENT) {
            Number::Exponent
        } else if is(Self::IN_FRACTION) {
            Number::Fraction
        } else {
            Number::Whole
        }
    }
}

impl Carry {
    /// Before the first byte of a record of lines, or of a document.
    pub(super) fn at_line() -> Self {
        Self { line: 1, ..Self::within(1) }
    }

    /// Whether the next byte is one of a string that is no name, and not of an escape or a character that began before it.
    #[inline(always)]
    pub(super) fn is_plain_text(&self) -> bool {
        self.string != 0 && self.name | self.escaped | self.units == 0 && !self.cut
    }

    fn within(brackets: u64) -> Self {
        Self {
            escaped: 0,
            units: 0,
            cut: false,
            string: 0,
            name: 0,
            name_bytes: 0,
            found: 0,
            pair: 0,
            open: 0,
            comma: 0,
            colon: 0,
            named: 0,
            line: 0,
            members: 0,
            scalar: 0,
            number: NumberCarry::default(),
            word: 0,
            word_is: 0,
            brackets,
        }
    }

    /// The carry of that state, if the machine can go on from it: not within a word, a number, an escape or a character,
    /// nor too deep, nor in a string at the top. `name_bytes` were read of the name, if one is.
    pub(super) fn of(grammar: &Grammar, name_bytes: u64) -> Option<Self> {
        let depth = grammar.open.len() as u32;
        if depth >= DEPTH_MAX {
            return None;
        }
        let mut carry = Self::within(grammar.open.iter().fold(1, |all, object| all << 1 | u64::from(*object)));
        carry.members = u64::from(grammar.members);
        match grammar.state {
            State::Value if depth == 0 => carry.line = 1,
            State::Value if grammar.open.last() == Some(&false) => carry.comma = 1,
            State::Value => carry.colon = 1,
            State::ElementOrClose | State::NameOrClose => carry.open = 1,
            State::Name => carry.comma = 1,
            State::Colon => carry.named = 1,
            State::After => {}
            State::InString if grammar.text.is_plain() && depth > 0 => carry.string = !0,
            State::InName if grammar.text.is_plain() && name_bytes <= NAME_BLOCKS_MAX => {
                // What the filter would have found in the name's head is not known: it counts as found.
                (carry.string, carry.name, carry.name_bytes, carry.found) = (!0, 1, name_bytes, 1);
            }
            State::InName | State::InString | State::InNumber(_) | State::InWord(..) => return None,
        }
        Some(carry)
    }

    /// Puts the grammar where the machine stands. `lead` are the last bytes that were read.
    pub(super) fn tell(&self, lead: [u8; LEAD], grammar: &mut Grammar) {
        let depth = 63 - self.brackets.leading_zeros();
        grammar.open.clear();
        grammar.open.extend((0..depth).rev().map(|level| self.brackets >> level & 1 == 1));
        grammar.text = self.text(lead);
        grammar.members = self.members != 0;
        grammar.state = self.state();
    }

    fn text(&self, lead: [u8; LEAD]) -> Text {
        if self.escaped == 1 {
            Text::escaped_next()
        } else if self.units >> 60 != 0 {
            Text::digits_next(4 - self.units.leading_zeros() as u8)
        } else if self.cut {
            let begins = lead.iter().rposition(|byte| *byte >= 0xC0).unwrap_or(0);
            Text::within_character(&lead[begins..])
        } else {
            Text::default()
        }
    }

    /// Where the machine stands.
    pub(super) fn state(&self) -> State {
        let object = self.brackets & 1 == 1;
        if self.string != 0 {
            return if self.name == 1 { State::InName } else { State::InString };
        }
        if self.word_is != 0 {
            let word = WORDS[usize::from(self.word_is) - 1];
            return State::InWord(word, word.len() - self.word.count_ones() as usize);
        }
        if self.scalar == 1 && self.number != NumberCarry::default() {
            return State::InNumber(self.number.state());
        }
        match (self.open | self.comma, self.colon | self.line, self.named) {
            (1, _, _) if self.open == 1 => {
                if object {
                    State::NameOrClose
                } else {
                    State::ElementOrClose
                }
            }
            (1, _, _) => {
                if object {
                    State::Name
                } else {
                    State::Value
                }
            }
            (_, 1, _) => State::Value,
            (_, _, 1) => State::Colon,
            _ => State::After,
        }
    }
}
