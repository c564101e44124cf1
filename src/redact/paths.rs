//! The paths of fields as sets of positions.
//!
//! Every step of every path but `**` is one position. A set of positions says which steps may come next below a value;
//! a position after `**` stays in the set however deep one goes, and a name stays in it through arrays.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::filter::{Anchor, Filter};
use super::glob::Globs;
use super::grammar::Kind;
use super::machine::Sight;
use super::rows::RowPaths;
use crate::policy::mask::{KeepRule, MaskAction, Masks, Step};

/// All paths of a plan. Sets of positions are `words` words of 64 bits.
pub(super) struct Paths {
    words: usize,
    passed: Vec<Passed>,
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
    /// The positions below which names are hidden, and the rules on names that say so.
    renames: Vec<(usize, usize)>,
    keeps: Vec<Keep>,
    /// The positions of being kept.
    kept: Box<[u64]>,
    /// Whether there can be places below which no path goes on.
    settles: bool,
    /// Whether it matters where one is. It does not where every path is `**` and one name.
    nested: bool,
    drops: bool,
}

/// An allow-list.
struct Keep {
    /// The position that stays wherever something is kept: in that, and in all that is in it.
    kept: usize,
    /// The positions of its paths, and those of them that a member's name may pass.
    paths: Box<[u64]>,
    names: Box<[u64]>,
}

impl Keep {
    /// Whether a value of that kind with that set is shown, or something in it may be.
    fn shows(&self, set: &[u64], kind: Kind) -> bool {
        let awaits = |paths: &[u64]| set.iter().zip(paths).any(|(set, paths)| set & paths != 0);
        has(set, self.kept)
            || match kind {
                Kind::Object => awaits(&self.names),
                Kind::Array => awaits(&self.paths),
                Kind::String | Kind::Scalar => false,
            }
    }
}

/// What becomes of a position that is passed.
#[derive(Debug, Clone, Copy)]
enum Passed {
    /// It leads to that one.
    Leads(usize),
    /// It completes that rule.
    Hides(usize),
}

impl Paths {
    /// Makes the paths of these masks ready.
    pub(super) fn of(masks: &Masks) -> Self {
        let fields = masks.rules.iter().map(|rule| rule.field.steps.as_slice());
        let members = masks.names.iter().map(|rule| rule.members.steps.as_slice());
        let kept = masks.keeps.iter().flat_map(|rule| &rule.fields).map(|field| field.steps.as_slice());
        let steps = fields.clone().chain(members).chain(kept).map(|steps| steps.len().max(1) + 1).sum::<usize>();
        let positions = steps + masks.keeps.len();
        let words = positions.div_ceil(64).max(1);
        let none = || vec![0_u64; words].into_boxed_slice();
        let drops = masks.rules.iter().any(|rule| rule.action == MaskAction::Drop);
        let anywhere = |steps: &[Step]| matches!(steps, [Step::Descend, Step::Name(_) | Step::Glob(_)]);
        let mut patterns = Vec::new();
        let mut all = Self {
            words,
            passed: Vec::new(),
            start: none(),
            floating: none(),
            naming: none(),
            names: HashMap::default(),
            lengths: Box::new([0; 256]),
            globs: Globs::default(),
            any_index: none(),
            indices: HashMap::new(),
            indexes: false,
            renames: Vec::new(),
            keeps: Vec::new(),
            kept: none(),
            settles: false,
            nested: drops || !masks.names.is_empty() || !masks.keeps.is_empty() || !fields.clone().all(anywhere),
            drops,
        };
        for (rule, steps) in fields.enumerate() {
            // No path has no step; if one did, it would hide every member.
            all.path(if steps.is_empty() { &[Step::Descend] } else { steps }, &mut patterns);
            if let Some(last) = all.passed.last_mut() {
                *last = Passed::Hides(rule);
            }
        }
        for (rule, masked) in masks.names.iter().enumerate() {
            all.renamed(rule, &masked.members.steps, &mut patterns);
        }
        for rule in &masks.keeps {
            all.keep(rule, &mut patterns);
        }
        all.settles = all.floating.iter().zip(&all.kept).all(|(floating, kept)| floating & !kept == 0);
        all.globs = Globs::of(patterns);
        all
    }

    /// The positions of a path, each of which leads to the next one.
    fn path(&mut self, steps: &[Step], patterns: &mut Vec<(Box<str>, usize)>) {
        set(&mut self.start, self.passed.len());
        let mut floats = false;
        for step in steps {
            if *step == Step::Descend {
                floats = true;
            } else {
                self.push(step, std::mem::take(&mut floats), patterns);
            }
        }
        // No path ends so; if one did, it would mean every member.
        if floats {
            self.push(&Step::Glob("*".into()), true, patterns);
        }
    }

    /// The positions of a path to members whose names are hidden: that of its last step waits for any name and is never
    /// passed; where it is waited for, names are hidden.
    fn renamed(&mut self, rule: usize, members: &[Step], patterns: &mut Vec<(Box<str>, usize)>) {
        let object = members.split_last().map_or(members, |(_, object)| object);
        let anchored = object.strip_suffix(&[Step::Descend]).unwrap_or(object);
        self.path(anchored, patterns);
        let at = self.passed.len();
        self.passed.push(Passed::Leads(at));
        set(&mut self.naming, at);
        if anchored.len() < object.len() {
            set(&mut self.floating, at);
        }
        self.renames.push((at, rule));
    }

    /// The positions of an allow-list. What is in a kept value is kept.
    fn keep(&mut self, rule: &KeepRule, patterns: &mut Vec<(Box<str>, usize)>) {
        let kept = self.passed.len();
        self.passed.push(Passed::Leads(kept));
        set(&mut self.floating, kept);
        set(&mut self.kept, kept);
        // No path has no name or place as its last step; one that had none would keep nothing.
        for field in rule.fields.iter().filter(|field| !matches!(field.steps.last(), None | Some(Step::Descend))) {
            self.path(&field.steps, patterns);
            if let Some(last) = self.passed.last_mut() {
                *last = Passed::Leads(kept);
            }
        }
        let mut paths = vec![0; self.words].into_boxed_slice();
        (kept + 1..self.passed.len()).for_each(|at| set(&mut paths, at));
        let names = paths.iter().zip(self.naming.iter().zip(&self.floating));
        let names = names.map(|(paths, (naming, floating))| paths & (naming | floating)).collect();
        self.keeps.push(Keep { kept, paths, names });
    }

    fn push(&mut self, step: &Step, floats: bool, patterns: &mut Vec<(Box<str>, usize)>) {
        let at = self.passed.len();
        let words = self.words;
        self.passed.push(Passed::Leads(at + 1));
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
        if self.drops || self.indexes || !self.renames.is_empty() || !self.keeps.is_empty() {
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

    /// The rule by which the names of the members of an object with that set are hidden, if one says so.
    pub(super) fn renames(&self, set: &[u64]) -> Option<usize> {
        self.renames.iter().find(|(at, _)| has(set, *at)).map(|(_, rule)| *rule)
    }

    /// The first allow-list that neither shows a value of that kind with that set nor what may be in it.
    pub(super) fn unkept(&self, set: &[u64], kind: Kind) -> Option<usize> {
        self.keeps.iter().position(|keep| !keep.shows(set, kind))
    }

    /// Whether nothing in a value with that set is to be looked at: no path goes on in it, and it is kept where that counts.
    pub(super) fn is_settled(&self, set: &[u64]) -> bool {
        self.settles
            && self.keeps.iter().all(|keep| has(set, keep.kept))
            && set.iter().zip(&self.kept).all(|(set, kept)| set & !kept == 0)
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
        match self.passed[at] {
            Passed::Leads(to) => {
                set(into, to);
                None
            }
            Passed::Hides(rule) => Some(rule),
        }
    }
}

fn has(bits: &[u64], at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
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
