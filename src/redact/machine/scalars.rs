//! Numbers and words in a block, as arithmetic. A number's grammar (RFC 8259, section 6) says of each of its bytes what the
//! one before it may be; that there is one point and one exponent, in this order, one addition each tells.

use super::block::Block;
use super::carry::{Carry, NumberCarry, WORDS};
use super::tier::{BLOCK, Digits, LEAD, Tier};

impl<T: Tier, const WHOLE: bool> Block<'_, T, WHOLE> {
    /// What is wrong in these bytes of scalars, of which `starts` are the first ones. `None` is a doubt.
    #[inline(always)]
    pub(super) fn scalars(&self, scalar: u64, starts: u64, next: &mut Carry) -> Option<u64> {
        let Digits { digit, zero } = self.tier.digits(self.loaded);
        if scalar & !digit == 0 && next.number.is_whole() && next.word == 0 {
            let zero = zero & starts;
            // A word may have ended just before.
            let begins = scalar & 1 & !starts & !(next.number.flag(NumberCarry::DIGIT));
            let wrong = begins | (zero << 1 | next.number.flag(NumberCarry::ZERO)) & scalar;
            next.number = NumberCarry(self.last(scalar) << NumberCarry::DIGIT | self.last(zero) << NumberCarry::ZERO);
            next.scalar = self.last(scalar);
            return Some(wrong);
        }
        self.numbers_and_words(scalar, starts, Digits { digit, zero }, next)
    }

    #[inline(always)]
    fn numbers_and_words(&self, scalar: u64, starts: u64, is: Digits, next: &mut Carry) -> Option<u64> {
        let carried = next.number;
        let marks = self.tier.marks(self.loaded);
        let words = next.word | self.words(starts & !is.digit & !marks.minus, next)?;
        let bytes = scalar & !words;
        let digit = is.digit & bytes;
        let (minus, plus) = (marks.minus & bytes, marks.plus & bytes);
        let (point, exponent) = (marks.point & bytes, marks.exponent & bytes);
        let behind = |bits: u64, flag| bits << 1 | carried.flag(flag);
        let sign = minus | plus;
        let behind_exponent = behind(exponent, NumberCarry::EXPONENT);
        let behind_point = behind(point, NumberCarry::POINT);
        // Only a scalar's first byte begins a number: behind a word none does.
        let mut wrong = bytes & !(bytes << 1 | u64::from(carried.0 != 0)) & !starts;
        wrong |= bytes & !(digit | sign | point | exponent);
        wrong |= minus & !(starts | behind_exponent);
        wrong |= plus & !behind_exponent;
        wrong |= (point | exponent) & !behind(digit, NumberCarry::DIGIT);
        wrong |= (behind_point | behind(sign, NumberCarry::SIGN)) & !digit;
        wrong |= behind_exponent & !(digit | sign);
        let first_minus = minus & starts;
        let first_zero = is.zero & bytes & (starts | behind(first_minus, NumberCarry::MINUS));
        wrong |= behind(first_zero, NumberCarry::ZERO) & digit;

        // The first bytes behind a fraction's digits, and behind an exponent's.
        let digits = digit | !self.valid();
        let run = |begins: u64, flag| (begins | carried.flag(flag)).overflowing_add(digits);
        let exponent_sign = sign & behind_exponent;
        let power = behind_exponent & !sign | behind(exponent_sign, NumberCarry::EXPONENT_SIGN);
        let (behind_fraction, in_fraction) = run(behind_point, NumberCarry::IN_FRACTION);
        let (behind_power, in_exponent) = run(power, NumberCarry::IN_EXPONENT);
        wrong |= behind_fraction & !digits & point;
        wrong |= behind_power & !digits & (point | exponent);

        next.scalar = self.last(scalar);
        next.number = NumberCarry(
            self.last(digit) << NumberCarry::DIGIT
                | self.last(first_zero) << NumberCarry::ZERO
                | self.last(first_minus) << NumberCarry::MINUS
                | self.last(point) << NumberCarry::POINT
                | self.last(exponent) << NumberCarry::EXPONENT
                | self.last(sign) << NumberCarry::SIGN
                | self.last(exponent_sign) << NumberCarry::EXPONENT_SIGN
                | u64::from(in_fraction) << NumberCarry::IN_FRACTION
                | u64::from(in_exponent) << NumberCarry::IN_EXPONENT,
        );
        Some(wrong)
    }

    /// The bytes of the words that begin at these, and what is to come of one behind the block. `None` where one is no
    /// word, or is not wholly at hand.
    #[inline(always)]
    fn words(&self, starts: u64, next: &mut Carry) -> Option<u64> {
        (next.word, next.word_is) = (0, 0);
        let (mut bytes, mut rest) = (0, starts);
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let place = WORDS.iter().position(|word| word[0] == self.window[LEAD + at])?;
            let word = WORDS[place];
            if at + word.len() <= BLOCK {
                let here = &self.window[LEAD + at..];
                let same =
                    if word.len() == 4 { here[..4] == *b"true" || here[..4] == *b"null" } else { here[..5] == *word };
                if !same {
                    return None;
                }
                bytes |= ((1 << word.len()) - 1) << at;
            } else {
                let here = self.window[LEAD + at..].iter().chain(self.behind);
                if !here.take(word.len()).eq(word) {
                    return None;
                }
                bytes |= !0 << at;
                next.word = (1 << (at + word.len() - BLOCK)) - 1;
                next.word_is = place as u8 + 1;
            }
        }
        Some(bytes)
    }
}
