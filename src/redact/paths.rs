//! The paths of fields as sets of positions.
//!
//! Every step of every path but `**` is one position. A set of positions says which steps may come next below a value;
//! a position after `**` stays in the set however deep one goes, and a name stays in it through arrays.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::filter::{Anchor, Filter};
use super::glob::Globs;
use super::machine::Sight;
use super::rows::RowPaths;
use crate::policy::mask::Step;

/// All paths of a plan. Sets of positions are `words` words of 64 bits.
pub(super) struct Paths {
    words: usize,
    /// Per position: the rule that it completes; otherwise the next position is its successor.
    completes: Vec<Option<usize>>,
    start: Box<[u64]>,
    /// Positions that stay however deep one goes: those after `**`.
    floating: Box<[u64]>,
    /// Positions that wait for a name: they stay through arrays.
    naming: Box<[u64]>,
    names: HashMap<Box<[u8]>, Box<[u64]>, BuildHasherDefault<NameHasher>>,
    /// By last byte, the lengths of names (63 stands for 63 and more): a cheap no for most members.
    lengths: Box<[u64; 256]>,
    globs: Globs,
    any_index: Box<[u64]>,
    indices: HashMap<u64, Box<[u64]>>,
    indexes: bool,
    /// Whether it matters where one is. It does not where every path is `**` and one name.
    nested: bool,
    drops: bool,
}

impl Paths {
    /// Makes them ready; `drops` where members may be dropped, for which it matters where one is.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a [Step]> + Clone, drops: bool) -> Self {
        let positions = paths.clone().map(|steps| steps.len().max(1) + 1).sum::<usize>();
        let words = positions.div_ceil(64).max(1);
        let none = || vec![0_u64; words].into_boxed_slice();
        let mut patterns = Vec::new();
        let mut all = Self {
            words,
            completes: Vec::new(),
            start: none(),
            floating: none(),
            naming: none(),
            names: HashMap::default(),
            lengths: Box::new([0; 256]),
            globs: Globs::default(),
            any_index: none(),
            indices: HashMap::new(),
            indexes: false,
            nested: drops
                || paths.clone().any(|steps| !matches!(steps, [Step::Descend, Step::Name(_) | Step::Glob(_)])),
            drops,
        };
        for (rule, steps) in paths.enumerate() {
            set(&mut all.start, all.completes.len());
            let mut floats = false;
            for step in steps {
                if *step == Step::Descend {
                    floats = true;
                } else {
                    all.push(step, std::mem::take(&mut floats), &mut patterns);
                }
            }
            // No path ends so, or has no step; if one did, it would hide every member.
            if floats || steps.is_empty() {
                all.push(&Step::Glob("*".into()), true, &mut patterns);
            }
            if let Some(last) = all.completes.last_mut() {
                *last = Some(rule);
            }
        }
        all.globs = Globs::of(patterns);
        all
    }

    fn push(&mut self, step: &Step, floats: bool, patterns: &mut Vec<(Box<str>, usize)>) {
        let at = self.completes.len();
        let words = self.words;
        self.completes.push(None);
        if floats {
            set(&mut self.floating, at);
        }
        match step {
            Step::Name(name) => {
                let bytes = name.as_bytes();
                set(self.names.entry(bytes.into()).or_insert_with(|| vec![0; words].into()), at);
                self.lengths[usize::from(last_byte(bytes))] |= length_bit(bytes);
                set(&mut self.naming, at);
            }
            Step::Glob(pattern) => {
                patterns.push((pattern.clone(), at));
                set(&mut self.naming, at);
            }
            Step::Index(index) => {
                set(self.indices.entry(u64::from(*index)).or_insert_with(|| vec![0; words].into()), at);
                self.indexes = true;
            }
            Step::AnyIndex => {
                set(&mut self.any_index, at);
                self.indexes = true;
            }
            Step::Descend => {}
        }
    }

    /// What has to be looked at for these paths, and for the members that `rows` test.
    pub(super) fn sight(&self, rows: Option<&RowPaths>) -> Sight {
        let literal = self.names.keys().map(|name| Anchor::of_name(name));
        let tested = rows.into_iter().flat_map(RowPaths::anchors);
        let filter = Filter::of(literal.chain(self.globs.patterns().map(Anchor::of_glob)).chain(tested));
        if self.drops || self.indexes {
            Sight::Tokens
        } else if self.nested || rows.is_some() {
            Sight::Brackets(filter)
        } else {
            Sight::Names(filter)
        }
    }

    /// Whether it matters where one is; if not, the set is [`Paths::start`] everywhere.
    pub(super) fn are_nested(&self) -> bool {
        self.nested
    }

    /// The set at the root.
    pub(super) fn start(&self) -> &[u64] {
        &self.start
    }

    /// Steps from a value with the set `from` to its member of that decoded name: the rule that hides the member, if any,
    /// and in `into` the member's own set.
    pub(super) fn member(&self, from: &[u64], name: &[u8], into: &mut [u64]) -> Option<usize> {
        self.unnamed(from, into);
        let mut decided = None;
        if self.lengths[usize::from(last_byte(name))] & length_bit(name) != 0
            && let Some(named) = self.names.get(name)
        {
            decided = self.advance(from, named, into);
        }
        self.globs.matching(name, |at| {
            if from[at / 64] & (1 << (at % 64)) != 0 {
                decided = least(decided, self.pass(at, into));
            }
        });
        decided
    }

    /// The same for a member whose name is that of no step.
    pub(super) fn unnamed(&self, from: &[u64], into: &mut [u64]) {
        for word in 0..self.words {
            into[word] = from[word] & self.floating[word];
        }
    }

    /// The same for an element of an array.
    pub(super) fn element(&self, from: &[u64], index: u64, into: &mut [u64]) -> Option<usize> {
        for word in 0..self.words {
            into[word] = from[word] & (self.floating[word] | self.naming[word]);
        }
        if !self.indexes {
            return None;
        }
        let mut decided = self.advance(from, &self.any_index, into);
        if let Some(indexed) = self.indices.get(&index) {
            decided = least(decided, self.advance(from, indexed, into));
        }
        decided
    }

    /// Passes every position that is both waited for and found.
    fn advance(&self, from: &[u64], found: &[u64], into: &mut [u64]) -> Option<usize> {
        let mut decided = None;
        for word in 0..self.words {
            let mut both = from[word] & found[word];
            while both != 0 {
                let at = word * 64 + both.trailing_zeros() as usize;
                decided = least(decided, self.pass(at, into));
                both &= both - 1;
            }
        }
        decided
    }

    fn pass(&self, at: usize, into: &mut [u64]) -> Option<usize> {
        let completed = self.completes[at];
        if completed.is_none() {
            set(into, at + 1);
        }
        completed
    }
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / 64] |= 1 << (at % 64);
}

/// The first rule decides.
fn least(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn last_byte(name: &[u8]) -> u8 {
    name.last().copied().unwrap_or_default()
}

fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

/// A hash of a few instructions. Whoever chooses the names that are looked up cannot put one in, so that none is slow.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
