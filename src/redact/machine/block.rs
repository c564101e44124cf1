//! One block read: JSON's grammar as arithmetic over words of 64 bits, of which bit `i` speaks of byte `i`.
//!
//! No token is visited but brackets and words. What may come next after a set of tokens is one addition: a carry runs
//! through the blanks behind each token to the first byte that is none. Whatever is not surely right is a *doubt*, and
//! leaves everything as it was before the block: the [`Grammar`](super::super::grammar::Grammar) then reads it, and judges.

use super::super::filter::Filter;
use super::carry::Carry;
use super::tier::{BLOCK, LEAD, Structure, Tier, Window};
use crate::limits;

/// Most bytes of a name in blocks that it fills; two more blocks may hold the rest of it.
pub(super) const NAME_BLOCKS_MAX: u64 = (limits::JSON_NAME_BYTES_MAX - 2 * BLOCK) as u64;

/// What stands where in a block. Everything is sound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Closing quotes of members' names, and those among them that the filter lets through.
    pub(super) names: u64,
    pub(super) candidates: u64,
    /// Opening quotes, also of names, and closing quotes.
    pub(super) opening: u64,
    pub(super) closing: u64,
    /// Opening quotes of names.
    pub(super) name_opening: u64,
    pub(super) open: u64,
    pub(super) close: u64,
    /// Those of the brackets that are braces.
    pub(super) curly: u64,
    /// Brackets that begin or end a record.
    pub(super) roots: u64,
    /// Commas between members.
    pub(super) commas: u64,
    /// First bytes of members' values.
    pub(super) values: u64,
    /// Opening quotes of values that may hold JSON: behind them stands a bracket, a blank, an escape, a byte order mark, or
    /// what is not known.
    pub(super) texts: u64,
    /// Bytes of scalars, their first ones, and the bytes right behind them.
    pub(super) scalar: u64,
    pub(super) starts: u64,
    pub(super) ends: u64,
    /// Ends of lines, and those of blank ones.
    pub(super) newlines: u64,
    pub(super) blank_lines: u64,
}

/// What blocks are read for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// All ones where newlines end records, else 0.
    pub(super) lines: u64,
    pub(super) filter: &'a Filter,
    /// Whether strings that may hold JSON matter.
    pub(super) texts: bool,
}

/// A block to be read.
pub(super) struct Block<'a, T: Tier, const WHOLE: bool> {
    pub(super) tier: T,
    pub(super) window: &'a Window,
    pub(super) loaded: T::Loaded,
    /// Bytes of it that are there, from 1 to 64; all where it is `WHOLE`.
    len: u32,
    /// The bytes behind it that are known.
    pub(super) behind: &'a [u8],
}

/// What is known of strings.
struct Strings {
    opening: u64,
    closing: u64,
    /// From an opening quote up to the byte before the closing one.
    inside: u64,
    backslash: u64,
    /// Bytes of characters beyond ASCII.
    high: u64,
}

impl<'a, T: Tier, const WHOLE: bool> Block<'a, T, WHOLE> {
    #[inline(always)]
    pub(super) fn new(tier: T, window: &'a Window, len: u32, behind: &'a [u8]) -> Self {
        Self { tier, window, loaded: tier.load(window), len, behind }
    }

    /// Reads it, and goes on to the next block. `None` is a doubt.
    #[inline(always)]
    pub(super) fn read(&self, carry: &mut Carry, wanted: Wanted<'_>) -> Option<Found> {
        let mut next = *carry;
        let (strings, wrong) = self.strings(&mut next);
        let found = if WHOLE && strings.inside == !0 && strings.opening | carry.name == 0 {
            // Nothing but text: what is carried of the structure is none.
            (wrong == 0).then(Found::default)?
        } else {
            self.structure(&strings, &mut next, wanted, wrong)?
        };
        *carry = next;
        Some(found)
    }

    /// The bytes that are there.
    #[inline(always)]
    pub(super) fn valid(&self) -> u64 {
        if WHOLE { !0 } else { !0 >> (BLOCK as u32 - self.len) }
    }

    /// The bit at the last byte's place.
    #[inline(always)]
    fn last_bit(&self) -> u64 {
        if WHOLE { 1 << 63 } else { 1 << (self.len - 1) }
    }

    /// The bit of the last byte.
    #[inline(always)]
    pub(super) fn last(&self, bits: u64) -> u64 {
        if WHOLE { bits >> 63 } else { bits >> (self.len - 1) & 1 }
    }

    /// Where strings are, and what is wrong in them.
    #[inline(always)]
    fn strings(&self, next: &mut Carry) -> (Strings, u64) {
        let valid = self.valid();
        let text = self.tier.text(self.loaded);
        let backslash = text.backslash & valid;
        let mut wrong = 0;
        let (escaped, escaping) = escapes(backslash, next.escaped);
        let is = self.tier.escapes(self.loaded);
        let units = escaped & is.unit & valid;
        wrong |= escaped & !is.legal;
        if units | next.units >> 60 != 0 {
            let due = |back: u32| units << back | next.units >> (64 - back);
            wrong |= (due(1) | due(2) | due(3) | due(4)) & !self.tier.hex(self.loaded);
        }
        let quote = text.quote & !escaped & valid;
        let inside = self.tier.prefix_xor(quote) ^ next.string;
        wrong |= text.control & inside;
        // Seldom known beforehand: it costs less than to guess wrong whether there is anything beyond ASCII.
        wrong |= self.tier.not_utf8(self.window);
        next.cut = false;
        if self.last(text.high & valid) != 0 {
            let read = &self.window[..LEAD + self.len as usize];
            wrong |= if begins_nothing(read) { valid } else { 0 };
            next.cut = is_cut(read);
        }
        next.escaped = self.last(escaping);
        next.units = self.history(next.units, units);
        next.string = (inside as i64 >> 63) as u64;
        (
            Strings { opening: quote & inside, closing: quote & !inside, inside, backslash, high: text.high },
            wrong & valid,
        )
    }

    /// The bits of the last 64 bytes, the top one the last.
    #[inline(always)]
    fn history(&self, before: u64, bits: u64) -> u64 {
        if WHOLE || self.len == BLOCK as u32 { bits } else { before >> self.len | bits << (BLOCK as u32 - self.len) }
    }

    /// What stands outside of strings, and which strings are names. `None` is a doubt.
    #[inline(always)]
    fn structure(&self, strings: &Strings, next: &mut Carry, wanted: Wanted<'_>, mut wrong: u64) -> Option<Found> {
        let valid = self.valid();
        let Strings { opening, closing, inside, .. } = *strings;
        let is = self.tier.structure(self.loaded);
        let outside = !inside & !closing & valid;
        let (open, close, colon, comma) =
            (is.open & outside, is.close & outside, is.colon & outside, is.comma & outside);
        let newlines = is.newline & outside & wanted.lines;
        let blank = is.blank & outside & !newlines;
        let scalar = outside & !(open | close | colon | comma | newlines | blank);
        let blank = blank | !valid;

        let before = scalar << 1 | next.scalar;
        let (starts, ends) = (scalar & !before, before & !scalar & valid);
        if scalar | next.scalar != 0 {
            wrong |= self.scalars(scalar, starts, next)?;
        }
        let levels = levels(self.tier, &Structure { open, close, ..is }, &mut next.brackets)?;
        let opened = after(open, &mut next.open, blank);
        let parted = after(comma, &mut next.comma, blank);
        let values = after(colon, &mut next.colon, blank);
        let name_due = (opened | parted) & levels.objects;
        let value_due = ((opened | parted) & !levels.objects) | values;

        // A name's opening quote, added to the string that it begins, carries to its closing quote.
        let name_opening = opening & name_due;
        let (sum, carries) = add(inside, name_opening, next.name);
        let names = sum & closing;
        let colon_due = after(names, &mut next.named, blank);

        let tokens = opening | open | close | colon | comma | starts;
        let may_close = close & opened;
        wrong |= value_due & !(opening | open | starts | may_close);
        wrong |= name_due & !(opening | may_close);
        wrong |= colon_due & !colon;
        // At the top stand only objects and arrays: of lines each behind a newline, else one at the start.
        let mut lined = 0;
        if newlines | levels.top | next.line != 0 {
            lined = after(newlines, &mut next.line, blank);
            wrong |= newlines & !levels.top | levels.top & (tokens & !open | open & !lined);
        }
        wrong |= levels.wrong | tokens & !(value_due | name_due | colon_due | lined | comma | close);
        if wrong & valid != 0 {
            return None;
        }
        next.members |= colon;
        let texts = if wanted.texts { self.texts(strings, &is) & !name_opening } else { 0 };
        let carried = std::mem::replace(&mut next.name, carries);
        let named = Names { within: inside & !sum, closing: names, carried };
        let candidates = self.filtered(&named, strings.backslash, next, wanted.filter)?;
        Some(Found {
            names,
            candidates,
            opening,
            closing,
            name_opening,
            open,
            close,
            curly: is.curly,
            roots: levels.roots,
            commas: comma & levels.objects,
            values,
            texts,
            scalar,
            starts,
            ends,
            newlines,
            blank_lines: newlines & lined,
        })
    }

    /// Opening quotes behind which JSON may stand.
    #[inline(always)]
    fn texts(&self, strings: &Strings, is: &Structure) -> u64 {
        strings.opening & ((is.open | is.blank | strings.backslash | strings.high) >> 1 | self.last_bit())
    }

    /// The names that the filter lets through. `None` if one may be too long.
    #[inline(always)]
    fn filtered(&self, names: &Names, backslash: u64, next: &mut Carry, filter: &Filter) -> Option<u64> {
        if names.within | names.closing == 0 {
            return Some(0);
        }
        // Only what fills whole blocks can be too long.
        if names.within == !0 && names.carried == 1 {
            next.name_bytes += u64::from(self.len);
            if next.name_bytes > NAME_BLOCKS_MAX {
                return None;
            }
        } else {
            next.name_bytes = 0;
        }
        if filter.all {
            return Some(names.closing);
        }
        let within = names.within & self.valid();
        let pairs = self.tier.pairs(self.window, filter, within);
        // As for names: what was found in one, added to it, carries to its closing quote. So does every escape.
        let found = (pairs.inside | backslash) & within;
        let (sum, carries) = add(names.within, found, next.found & names.carried);
        let ended = pairs.ends & within;
        let candidates = names.closing & (sum | ended << 1 | next.pair);
        next.found = carries;
        next.pair = self.last(ended);
        Some(candidates)
    }
}

/// The names of a block.
struct Names {
    /// From an opening quote up to the byte before the closing one.
    within: u64,
    closing: u64,
    /// Whether the block begins within a name.
    carried: u64,
}

/// Which bytes are escaped, and which backslashes escape: of a run of backslashes every second one, by one subtraction
/// that runs through it (G. Langdale and D. Lemire, Parsing gigabytes of JSON per second, 2019).
#[inline(always)]
pub(super) fn escapes(backslash: u64, carried: u64) -> (u64, u64) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    let begins = backslash & !carried;
    let codes = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
    (codes ^ (backslash | carried), codes & backslash)
}

/// Whether the last character is not whole.
#[inline(always)]
fn is_cut(bytes: &[u8]) -> bool {
    let [.., three, two, one] = bytes else { return false };
    let goes_on = |byte: &u8| byte & 0xC0 == 0x80;
    *one >= 0xC0 || (goes_on(one) && (*two >= 0xE0 || (goes_on(two) && *three >= 0xF0)))
}

/// Whether the last byte is one that no character begins with, nor goes on: it alone is the fault, not what comes next.
#[inline(always)]
fn begins_nothing(bytes: &[u8]) -> bool {
    matches!(bytes.last(), Some(0xC0 | 0xC1 | 0xF5..))
}

/// The sum, and what carries over its end.
#[inline(always)]
fn add(one: u64, other: u64, carried: u64) -> (u64, u64) {
    let (sum, over) = one.overflowing_add(other);
    let (sum, over_too) = sum.overflowing_add(carried);
    (sum, u64::from(over | over_too))
}

/// The first bytes behind `tokens` and the blanks behind them. `carried`: one more token is the last byte before the
/// block, or only blanks stand between; it becomes the same for the next block.
#[inline(always)]
pub(super) fn after(tokens: u64, carried: &mut u64, blank: u64) -> u64 {
    let (sum, over) = (tokens << 1 | *carried).overflowing_add(blank);
    *carried = u64::from(over) | tokens >> 63;
    sum & !blank
}

/// Where one is by the brackets.
struct Levels {
    /// Bytes whose innermost bracket, their own left out, is a brace.
    objects: u64,
    /// Bytes in no bracket, their own left out.
    top: u64,
    /// Brackets that begin or end a record.
    roots: u64,
    wrong: u64,
}

/// Follows the brackets; each that closes closes what was opened last. `None` if there may be too many.
#[inline(always)]
fn levels<T: Tier>(tier: T, is: &Structure, brackets: &mut u64) -> Option<Levels> {
    let mut stack = *brackets;
    let all = |bit: bool| 0_u64.wrapping_sub(u64::from(bit));
    let (object, top) = (all(stack & 1 == 1), all(stack == 1));
    let mut rest = is.open | is.close;
    if rest == 0 {
        return Some(Levels { objects: object, top, roots: 0, wrong: 0 });
    }
    if is.open.count_ones() > stack.leading_zeros() {
        return None;
    }
    let (mut turns, mut roots, mut wrong) = (0, 0, 0);
    while rest != 0 {
        let at = rest.trailing_zeros();
        rest &= rest - 1;
        let curly = is.curly >> at & 1;
        let was = stack;
        if is.open >> at & 1 == 1 {
            stack = was << 1 | curly;
        } else {
            stack = was >> 1;
            wrong |= was ^ curly;
        }
        turns |= ((was ^ stack) & 1) << at;
        // The lesser of the two is the one outside.
        if was.min(stack) == 1 {
            roots |= 1 << at;
        }
    }
    // One that is wrong is all wrong.
    let wrong = all(wrong & 1 == 1);
    *brackets = stack;
    // All ones behind every second of them.
    let behind = |turns: u64| tier.prefix_xor(turns << 1);
    let top = if roots == 0 { top } else { behind(roots) ^ top };
    Some(Levels { objects: behind(turns) ^ object, top, roots, wrong })
}
