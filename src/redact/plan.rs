//! Masks made ready to run: the paths of fields, the key of pseudonyms, the rules of length.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use moka::sync::Cache;

use super::machine::Sight;
use super::paths::Paths;
use super::rows::RowPaths;
use super::size;
use super::values;
use crate::keyring::{KeyRing, Purpose, SecretKey};
use crate::limits;
use crate::policy::mask::{Format, LengthRule, MaskAction, Masks, OnBroken};

/// What one view hides, ready to run. Immutable; shared by every stream under that view.
pub struct Plan {
    rules: Vec<Rule>,
    /// Per rule on names, and per allow-list, the place of its profile.
    names: Vec<usize>,
    keeps: Vec<usize>,
    profiles: Arc<[Box<str>]>,
    length: Option<LengthRule>,
    on_broken: OnBroken,
    concatenated: bool,
    embedded: bool,
    pseudonyms: SecretKey,
    drops: bool,
    paths: Paths,
    rows: Option<Arc<RowPaths>>,
    sight: Sight,
    values: Option<Arc<values::Rules>>,
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
        let mut place = |profile: &str| {
            let known = profiles.iter().position(|name| **name == *profile);
            known.unwrap_or_else(|| {
                profiles.push(profile.into());
                profiles.len() - 1
            })
        };
        let rules =
            masks.rules.iter().map(|rule| Rule { action: rule.action, profile: place(&rule.profile) }).collect();
        let names = masks.names.iter().map(|rule| place(&rule.profile)).collect();
        let keeps = masks.keeps.iter().map(|rule| place(&rule.profile)).collect();
        let values = values::Rules::of(&masks.values, &mut place);
        let paths = Paths::of(masks);
        let rows = masks.rows.as_ref().map(|rows| Arc::new(RowPaths::of(rows)));
        Self {
            sight: paths.sight(rows.as_deref()),
            paths,
            rows,
            drops: masks.rules.iter().any(|rule| rule.action == MaskAction::Drop),
            rules,
            names,
            keeps,
            profiles: profiles.into(),
            length: masks.length,
            on_broken: masks.on_broken,
            concatenated: masks.concatenated,
            embedded: masks.embedded,
            values,
            pseudonyms: SecretKey::from_bytes(pseudonym_key.prf(&[masks.pseudonym_scope.as_bytes()])),
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

    /// Whether sizes are shown rounded up.
    pub(super) fn hides_length(&self) -> bool {
        self.length == Some(LengthRule::Hidden)
    }

    /// The size, in bytes, that is shown of an object that is stored with that size.
    pub(super) fn shown_size(&self, stored: u64) -> u64 {
        if self.hides_length() { size::rounded(stored) } else { stored }
    }

    pub(super) fn on_broken(&self) -> OnBroken {
        self.on_broken
    }

    /// Whether objects so framed may hold several documents, one after the other.
    pub fn holds_several(&self, format: Format) -> bool {
        match format {
            Format::Json => self.concatenated,
            Format::Jsonl => false,
        }
    }

    /// Whether strings are read as JSON, too.
    #[inline]
    pub(super) fn embedded(&self) -> bool {
        self.embedded
    }

    /// The profile of each rule: plans that differ in no more than this hide alike, and count apart.
    pub(super) fn counts(&self) -> String {
        let rules = self.rules.iter().map(|rule| &rule.profile).chain(&self.names).chain(&self.keeps);
        rules.map(|profile| format!("{} ", self.profiles[*profile])).collect()
    }

    pub(super) fn rule(&self, rule: usize) -> Rule {
        self.rules[rule]
    }

    /// The place of the profile of a rule on names.
    pub(super) fn profile_of_name(&self, rule: usize) -> usize {
        self.names[rule]
    }

    /// The place of the profile of an allow-list.
    pub(super) fn profile_of_keep(&self, keep: usize) -> usize {
        self.keeps[keep]
    }

    /// Whether allow-lists say what is shown.
    pub(super) fn keeps(&self) -> bool {
        !self.keeps.is_empty()
    }

    /// Whether names of members are hidden anywhere.
    pub(super) fn renames(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether any rule drops members: only then are commas held back.
    pub(super) fn drops(&self) -> bool {
        self.drops
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The members by which records are chosen, if some are not shown.
    pub(super) fn rows(&self) -> Option<&Arc<RowPaths>> {
        self.rows.as_ref()
    }

    /// What is hidden of text that is shown otherwise, if anything is.
    pub(super) fn values(&self) -> Option<&Arc<values::Rules>> {
        self.values.as_ref()
    }

    /// What the machine has to look at.
    pub(super) fn sight(&self) -> &Sight {
        &self.sight
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

/// Compiled plans by the digest of their masks, and the names of the profiles by which they count, of which a digest says
/// nothing; at most [`limits::PLANS_MAX`].
pub struct Plans {
    key: SecretKey,
    compiled: Cache<([u8; 32], u64), Arc<Plan>>,
}

impl Plans {
    /// No plans yet; pseudonyms come from the ring's active key.
    pub fn new(ring: &KeyRing) -> Self {
        Self { key: ring.active(Purpose::Pseudonym).1, compiled: Cache::new(limits::PLANS_MAX) }
    }

    /// The plan of these masks, compiled at most once while it is kept.
    pub fn of(&self, masks: &Arc<Masks>) -> Arc<Plan> {
        let mut profiles = DefaultHasher::new();
        masks.profiles().for_each(|profile| profile.hash(&mut profiles));
        let plan = || Arc::new(Plan::compile(masks, &self.key));
        self.compiled.get_with((masks.digest, profiles.finish()), plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(digest: u8) -> Arc<Masks> {
        Arc::new(Masks { digest: [digest; 32], ..crate::redact::tests::masks(&[("** user_id", MaskAction::Mask)]) })
    }

    #[test]
    fn plans_are_compiled_once_by_digest() {
        let plans = Plans::new(&KeyRing::ephemeral());
        let one = plans.of(&masks(1));
        assert!(Arc::ptr_eq(&one, &plans.of(&masks(1))));
        assert!(!Arc::ptr_eq(&one, &plans.of(&masks(2))));
    }

    /// Roles that see the same under profiles of other names share a digest, and not the names that the log counts by.
    #[test]
    fn regression_plans_count_by_the_profiles_of_their_own_masks() {
        let plans = Plans::new(&KeyRing::ephemeral());
        let mut renamed = (*masks(1)).clone();
        renamed.rules.iter_mut().for_each(|rule| rule.profile = "other".into());
        let (one, other) = (plans.of(&masks(1)), plans.of(&Arc::new(renamed)));
        assert_eq!([&*one.profiles()[0], &*other.profiles()[0]], ["first", "other"]);
        assert_ne!(one.counts(), other.counts());
    }

    #[test]
    fn a_plan_prints_no_key() {
        let printed = format!("{:?}", Plan::compile(&masks(1), &SecretKey::from_bytes([0xAB; 32])));
        assert_eq!(printed, r#"Plan { rules: 1, profiles: ["first"], .. }"#);
    }

    #[test]
    fn length_is_kept_per_record_or_in_place_by_default() {
        let plan = Plan::compile(&masks(1), &SecretKey::from_bytes([0; 32]));
        assert_eq!(plan.length(Format::Jsonl), LengthRule::Record);
        assert_eq!(plan.length(Format::Json), LengthRule::Field);
    }
}
