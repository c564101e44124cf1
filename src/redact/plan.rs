//! Masks made ready to run: field paths as sets of positions, the key of pseudonyms, the rules of length.
//!
//! Every step of every path but `**` is one position. A set of positions says which steps may come next below a value;
//! a position after `**` stays in the set however deep one goes, and a name stays in it through arrays.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use moka::sync::Cache;

use super::glob;
use crate::keyring::{KeyRing, Purpose, SecretKey};
use crate::limits;
use crate::policy::mask::{Format, LengthRule, MaskAction, Masks, OnBroken, Step};

/// What one view hides, ready to run. Immutable; shared by every stream under that view.
pub struct Plan {
    rules: Vec<Rule>,
    profiles: Arc<[Box<str>]>,
    length: Option<LengthRule>,
    on_broken: OnBroken,
    pseudonyms: SecretKey,
    drops: bool,
    paths: Paths,
}

/// What happens to a field that matched, and the place of its profile in [`Plan::profiles`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) action: MaskAction,
    pub(super) profile: usize,
}

impl Plan {
    /// Compiles masks. `pseudonym_key` is the derived key of [`Purpose::Pseudonym`]; the masks' scope separates it further.
    pub fn compile(masks: &Masks, pseudonym_key: &SecretKey) -> Self {
        let mut profiles: Vec<Box<str>> = Vec::new();
        let mut rules = Vec::with_capacity(masks.rules.len());
        for rule in &masks.rules {
            let known = profiles.iter().position(|name| *name == rule.profile);
            let profile = known.unwrap_or_else(|| {
                profiles.push(rule.profile.clone());
                profiles.len() - 1
            });
            rules.push(Rule { action: rule.action, profile });
        }
        Self {
            drops: rules.iter().any(|rule| rule.action == MaskAction::Drop),
            rules,
            profiles: profiles.into(),
            length: masks.length,
            on_broken: masks.on_broken,
            pseudonyms: SecretKey::from_bytes(pseudonym_key.prf(&[masks.pseudonym_scope.as_bytes()])),
            paths: Paths::of(masks.rules.iter().map(|rule| rule.field.steps.as_slice())),
        }
    }

    /// The profiles that [`Tally::fields`](super::tally::Tally::fields) counts by, in the order of the masks.
    pub fn profiles(&self) -> &Arc<[Box<str>]> {
        &self.profiles
    }

    /// The rule of length for objects so framed.
    pub fn length(&self, format: Format) -> LengthRule {
        self.length.unwrap_or(match format {
            Format::Jsonl => LengthRule::Record,
            Format::Json => LengthRule::Field,
        })
    }

    pub(super) fn on_broken(&self) -> OnBroken {
        self.on_broken
    }

    pub(super) fn rule(&self, rule: usize) -> Rule {
        self.rules[rule]
    }

    /// Whether any rule drops members: only then are commas held back.
    pub(super) fn drops(&self) -> bool {
        self.drops
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Hashes one scalar into its pseudonym.
    pub(super) fn pseudonym_hasher(&self) -> blake3::Hasher {
        self.pseudonyms.hasher()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("rules", &self.rules.len())
            .field("profiles", &self.profiles)
            .finish_non_exhaustive()
    }
}

/// Compiled plans by the digest of their masks; at most [`limits::PLANS_MAX`].
pub struct Plans {
    key: SecretKey,
    compiled: Cache<[u8; 32], Arc<Plan>>,
}

impl Plans {
    /// No plans yet; pseudonyms come from the ring's active key.
    pub fn new(ring: &KeyRing) -> Self {
        Self { key: ring.active(Purpose::Pseudonym).1, compiled: Cache::new(limits::PLANS_MAX) }
    }

    /// The plan of these masks, compiled at most once while it is kept.
    pub fn of(&self, masks: &Arc<Masks>) -> Arc<Plan> {
        self.compiled.get_with(masks.digest, || Arc::new(Plan::compile(masks, &self.key)))
    }
}

/// All paths as positions. Sets of positions are `words` words of 64 bits.
pub(super) struct Paths {
    words: usize,
    /// Per position: the rule that it completes; otherwise the next position is its successor.
    completes: Vec<Option<usize>>,
    start: Box<[u64]>,
    /// Positions that stay however deep one goes: those after `**`.
    floating: Box<[u64]>,
    /// Positions that wait for a name: they stay through arrays.
    naming: Box<[u64]>,
    names: HashMap<Box<[u8]>, Box<[u64]>>,
    /// By first byte, the lengths of names (63 stands for 63 and more): a cheap no for most members.
    lengths: Box<[u64; 256]>,
    globs: Vec<(Box<str>, usize)>,
    any_index: Box<[u64]>,
    indices: HashMap<u64, Box<[u64]>>,
    indexes: bool,
}

impl Paths {
    fn of<'a>(paths: impl Iterator<Item = &'a [Step]> + Clone) -> Self {
        let positions = paths.clone().map(|steps| steps.len().max(1) + 1).sum::<usize>();
        let words = positions.div_ceil(64).max(1);
        let none = || vec![0_u64; words].into_boxed_slice();
        let mut all = Self {
            words,
            completes: Vec::new(),
            start: none(),
            floating: none(),
            naming: none(),
            names: HashMap::new(),
            lengths: Box::new([0; 256]),
            globs: Vec::new(),
            any_index: none(),
            indices: HashMap::new(),
            indexes: false,
        };
        for (rule, steps) in paths.enumerate() {
            set(&mut all.start, all.completes.len());
            let mut floats = false;
            for step in steps {
                if *step == Step::Descend {
                    floats = true;
                } else {
                    all.push(step, std::mem::take(&mut floats));
                }
            }
            // No path ends so, or has no step; if one did, it would hide every member.
            if floats || steps.is_empty() {
                all.push(&Step::Glob("*".into()), true);
            }
            if let Some(last) = all.completes.last_mut() {
                *last = Some(rule);
            }
        }
        all
    }

    fn push(&mut self, step: &Step, floats: bool) {
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
                self.lengths[usize::from(first_byte(bytes))] |= length_bit(bytes);
                set(&mut self.naming, at);
            }
            Step::Glob(pattern) => {
                self.globs.push((pattern.clone(), at));
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

    /// Words of a set.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// The set at the root.
    pub(super) fn start(&self) -> &[u64] {
        &self.start
    }

    /// Steps from a value with the set `from` to its member of that decoded name: the rule that hides the member, if any,
    /// and in `into` the member's own set.
    pub(super) fn member(&self, from: &[u64], name: &[u8], into: &mut [u64]) -> Option<usize> {
        for word in 0..self.words {
            into[word] = from[word] & self.floating[word];
        }
        let mut decided = None;
        if self.lengths[usize::from(first_byte(name))] & length_bit(name) != 0
            && let Some(named) = self.names.get(name)
        {
            decided = self.advance(from, named, into);
        }
        for (pattern, at) in &self.globs {
            if from[at / 64] & (1 << (at % 64)) != 0 && glob::matches(pattern.as_bytes(), name) {
                decided = least(decided, self.pass(*at, into));
            }
        }
        decided
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

fn first_byte(name: &[u8]) -> u8 {
    name.first().copied().unwrap_or_default()
}

fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::mask::{FieldPath, MaskRule};

    fn masks(digest: u8) -> Arc<Masks> {
        let field = FieldPath { steps: vec![Step::Descend, Step::Name("user_id".into())] };
        Arc::new(Masks {
            rules: vec![MaskRule { profile: "ids".into(), field, action: MaskAction::Mask }],
            length: None,
            on_broken: OnBroken::Blank,
            shown_metadata: Default::default(),
            shown_tags: Default::default(),
            pseudonym_scope: "role".into(),
            digest: [digest; 32],
        })
    }

    #[test]
    fn plans_are_compiled_once_by_digest() {
        let plans = Plans::new(&KeyRing::ephemeral());
        let one = plans.of(&masks(1));
        assert!(Arc::ptr_eq(&one, &plans.of(&masks(1))));
        assert!(!Arc::ptr_eq(&one, &plans.of(&masks(2))));
    }

    #[test]
    fn a_plan_prints_no_key() {
        let printed = format!("{:?}", Plan::compile(&masks(1), &SecretKey::from_bytes([0xAB; 32])));
        assert_eq!(printed, r#"Plan { rules: 1, profiles: ["ids"], .. }"#);
    }

    #[test]
    fn length_is_kept_per_record_or_in_place_by_default() {
        let plan = Plan::compile(&masks(1), &SecretKey::from_bytes([0; 32]));
        assert_eq!(plan.length(Format::Jsonl), LengthRule::Record);
        assert_eq!(plan.length(Format::Json), LengthRule::Field);
    }
}
