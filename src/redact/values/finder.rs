//! Where in bytes something may match: a fixed text of an expression, or an escape that may be a character of one.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Input, MatchKind, Span};

use crate::policy::values::{ByteSet, ValuePattern};

/// What is looked for at once.
pub(super) struct Finder {
    /// Fixed texts and the rules that have them, by their first byte.
    literals: Vec<(Box<[u8]>, usize)>,
    /// Where those that begin with a byte begin, and end.
    starts: [usize; 257],
    /// Those of two bytes and more, and what an escape of a printable character is written with.
    several: Several,
    /// Those of one byte.
    single: Vec<u8>,
    singles: ByteSet,
    /// Characters that may be a part of one, or of an escape of one.
    characters: ByteSet,
}

/// Several texts that are looked for at once.
enum Several {
    /// 16 or 32 bytes at a time, where the processor can and they are few enough.
    Packed(Box<Searcher>),
    Automaton(Box<AhoCorasick>),
}

/// What was found in a window, as long as it stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    several: Option<usize>,
    single: Option<usize>,
}

/// How `\u0020` to `\u007f` are written behind the backslash.
const ESCAPES: [&[u8]; 6] = [b"u002", b"u003", b"u004", b"u005", b"u006", b"u007"];

impl Several {
    fn of(texts: &[&[u8]]) -> Self {
        let packed = packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder().extend(texts).build();
        packed.map(|packed| Self::Packed(Box::new(packed))).unwrap_or_else(|| Self::automaton(texts))
    }

    fn automaton(texts: &[&[u8]]) -> Self {
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(texts);
        Self::Automaton(Box::new(automaton.expect("policies have too few and too short expressions to overflow it")))
    }

    /// Where the first one from there on begins.
    fn find(&self, window: &[u8], from: usize) -> Option<usize> {
        let found = match self {
            Self::Packed(packed) => packed.find_in(window, Span::from(from..window.len())),
            Self::Automaton(automaton) => automaton.find(Input::new(window).range(from..)),
        };
        found.map(|found| found.start())
    }
}

impl Finder {
    /// For these expressions, named by their place.
    pub(super) fn of<'a>(patterns: impl Iterator<Item = &'a ValuePattern>) -> Self {
        let mut literals: Vec<(Box<[u8]>, usize)> = patterns
            .enumerate()
            .flat_map(|(rule, pattern)| pattern.literals().map(move |literal| (literal.into(), rule)))
            .collect();
        literals.sort();
        let mut starts = [0; 257];
        for (byte, start) in starts.iter_mut().enumerate() {
            *start = literals.partition_point(|(literal, _)| usize::from(literal[0]) < byte);
        }
        let mut characters = [false; 256];
        literals.iter().flat_map(|(literal, _)| &**literal).for_each(|byte| characters[usize::from(*byte)] = true);
        b"\\u0123456789abcdefABCDEF".iter().for_each(|byte| characters[usize::from(*byte)] = true);
        let several = literals.iter().map(|(literal, _)| &**literal).filter(|literal| literal.len() > 1);
        let mut single: Vec<u8> =
            literals.iter().filter(|(literal, _)| literal.len() == 1).map(|(it, _)| it[0]).collect();
        single.dedup();
        let mut singles = [false; 256];
        single.iter().for_each(|byte| singles[usize::from(*byte)] = true);
        let mut several: Vec<&[u8]> = several.chain(ESCAPES).collect();
        several.dedup();
        let several = Several::of(&several);
        Self { starts, several, single, singles, characters, literals }
    }

    /// The first index from `from` on at which something may match, or the window's end.
    pub(super) fn next(&self, window: &[u8], from: usize, known: &mut Known) -> usize {
        let several = known
            .several
            .filter(|at| *at >= from)
            .unwrap_or_else(|| self.several.find(window, from.min(window.len())).unwrap_or(window.len()));
        let single = known.single.filter(|at| *at >= from).unwrap_or_else(|| self.next_single(window, from));
        *known = Known { several: Some(several), single: Some(single) };
        several.min(single)
    }

    fn next_single(&self, window: &[u8], from: usize) -> usize {
        let rest = window.get(from..).unwrap_or_default();
        let found = match self.single[..] {
            [] => None,
            [one] => memchr::memchr(one, rest),
            [one, two] => memchr::memchr2(one, two, rest),
            [one, two, three] => memchr::memchr3(one, two, three, rest),
            _ => rest.iter().position(|byte| self.singles[usize::from(*byte)]),
        };
        found.map_or(window.len(), |found| from + found)
    }

    /// The rules of which a fixed text begins the rest.
    pub(super) fn rules<'a>(&'a self, rest: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let first = rest
            .first()
            .copied()
            .map_or(0..0, |first| self.starts[usize::from(first)]..self.starts[usize::from(first) + 1]);
        self.literals[first].iter().filter(|(literal, _)| rest.starts_with(literal)).map(|(_, rule)| *rule)
    }

    /// Whether it begins as an escape does, behind its backslash, of a character that counts.
    pub(super) fn is_escape(&self, rest: &[u8]) -> bool {
        let [b'u', b'0', b'0', high, low, ..] = rest else { return false };
        // Whose digit is an escape itself may be any.
        let Some(low) = char::from(*low).to_digit(16) else { return true };
        let code = char::from(*high).to_digit(16).map_or(0, |high| high << 4 | low);
        self.characters[code as usize & 0xFF]
    }

    /// Whether that byte may be one of a fixed text.
    pub(super) fn may_hold(&self, byte: u8) -> bool {
        self.characters[usize::from(byte)]
    }
}
