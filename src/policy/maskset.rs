//! From a set of redact profiles to the one [`Masks`] that they make together, compiled once per role and set.

use std::collections::BTreeSet;
use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::mask::{FieldPath, KeepRule, LengthRule, MaskAction, MaskRule, Masks, NameRule, OnBroken, ValueRule};
use super::rows::{RowFilter, Rows};
use super::rules::Profile;
use super::values::ValuePattern;
use crate::identity::{Claims, RoleName};
use crate::limits;

/// Version of the redactor as far as what it shows is concerned; altering it alters every view's ETag.
const ENGINE: &str = "tracegate redact v4";

/// The profiles of a policy set as one role with its claims meets them. A set of profiles is a word: bit `n` is profile `n`.
pub(super) struct MaskSets {
    role: RoleName,
    profiles: Arc<[Profile]>,
    claims: Claims,
    made: Cache<u64, Arc<Masks>>,
}

impl MaskSets {
    /// For one role, and one set of claim values.
    pub(super) fn new(role: RoleName, profiles: Arc<[Profile]>, claims: Claims) -> Self {
        Self { role, profiles, claims, made: Cache::new(limits::MASK_SETS_MAX) }
    }

    /// The claims that are put into conditions on records.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The profiles that stand in the set.
    pub(super) fn of(&self, set: u64) -> impl Iterator<Item = &Profile> {
        self.profiles.iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0).map(|(_, profile)| profile)
    }

    /// What the set hides; `None` for the empty set.
    pub(super) fn masks(&self, set: u64) -> Option<Arc<Masks>> {
        (set != 0).then(|| self.made.get_with(set, || Arc::new(self.compile(set))))
    }

    fn compile(&self, set: u64) -> Masks {
        let rules: Vec<MaskRule> = self
            .of(set)
            .flat_map(|profile| {
                profile.fields.iter().map(|field| MaskRule {
                    profile: profile.name.clone(),
                    field: field.clone(),
                    action: profile.action,
                })
            })
            .collect();
        let names = self.of(set).flat_map(|profile| {
            let rule = |members: &FieldPath| NameRule { profile: profile.name.clone(), members: members.clone() };
            profile.mask_keys.iter().map(rule)
        });
        let keeps = self.of(set).filter(|profile| !profile.keep.is_empty());
        let keeps = keeps.map(|profile| KeepRule { profile: profile.name.clone(), fields: profile.keep.clone() });
        let values = self.of(set).flat_map(|profile| {
            let rule =
                |pattern: &Arc<ValuePattern>| ValueRule { profile: profile.name.clone(), pattern: pattern.clone() };
            profile.values.iter().map(rule)
        });
        // Where profiles differ, what hides more counts: white space at the record's end tells less than in place.
        let length = self.of(set).filter_map(|profile| profile.length).max();
        let cut = self.of(set).any(|profile| profile.on_broken == OnBroken::Cut);
        let on_broken = if cut { OnBroken::Cut } else { OnBroken::Blank };
        // What the objects are, one profile may know.
        let concatenated = self.of(set).any(|profile| profile.concatenated);
        let embedded = self.of(set).any(|profile| profile.embedded);
        let shown_metadata = self.shown(set, |profile| &profile.show_metadata);
        let shown_tags = self.shown(set, |profile| &profile.show_tags);
        let rows: Vec<&Rows> = self.of(set).filter_map(|profile| profile.rows.as_ref()).collect();
        let mut masks = Masks {
            rules,
            rows: RowFilter::of(rows, &self.claims),
            names: names.collect(),
            keeps: keeps.collect(),
            values: values.collect(),
            length,
            on_broken,
            concatenated,
            embedded,
            shown_metadata,
            shown_tags,
            pseudonym_scope: self.pseudonym_scope(set),
            digest: [0; 32],
        };
        masks.digest = digest(&masks);
        masks
    }

    /// The names that every profile of the set lets through.
    fn shown(&self, set: u64, names: impl Fn(&Profile) -> &BTreeSet<Box<str>>) -> BTreeSet<Box<str>> {
        let all = self.of(set).map(|profile| names(profile).clone());
        all.reduce(|shown, more| &shown & &more).unwrap_or_default()
    }

    /// Role and pseudonymising profiles with their paths; empty where nothing is pseudonymised, so that roles which
    /// see the same then share a digest.
    fn pseudonym_scope(&self, set: u64) -> String {
        let hmac: Vec<&Profile> = self.of(set).filter(|profile| profile.action == MaskAction::Hmac).collect();
        if hmac.is_empty() {
            return String::new();
        }
        let paths = |profile: &&Profile| profile.paths.iter().map(|path| path.as_str().to_owned()).collect::<Vec<_>>();
        let profiles: Vec<_> = hmac.iter().map(|profile| (&*profile.name, paths(profile))).collect();
        format!("{} {profiles:?}", self.role)
    }
}

impl std::fmt::Debug for MaskSets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MaskSets({}, {} profiles)", self.role, self.profiles.len())
    }
}

/// SHA-256 over everything that alters what is shown, each part with its length. Profile names alter only counts.
fn digest(masks: &Masks) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut part = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    };
    part(ENGINE);
    part(match masks.length {
        None => "length-default",
        Some(LengthRule::Record) => "record",
        Some(LengthRule::Field) => "field",
        Some(LengthRule::Hidden) => "hidden",
    });
    part(match masks.on_broken {
        OnBroken::Blank => "blank",
        OnBroken::Cut => "cut",
    });
    // Said only where it is so: views that were there before keep their tags.
    if masks.concatenated {
        part("concatenated");
    }
    if !masks.embedded {
        part("not-embedded");
    }
    part(&masks.pseudonym_scope);
    for (what, names) in [("show-metadata", &masks.shown_metadata), ("show-tags", &masks.shown_tags)] {
        names.iter().for_each(|name| part(&format!("{what} {name}")));
    }
    if let Some(rows) = &masks.rows {
        part(&format!("rows {rows:?}"));
    }
    for rule in &masks.rules {
        part(action_word(rule.action));
        // The steps as data: two paths that differ must never be written alike.
        part(&format!("{:?}", rule.field.steps));
    }
    for rule in &masks.names {
        part("mask-keys");
        part(&format!("{:?}", rule.members.steps));
    }
    for rule in &masks.keeps {
        part("keep");
        rule.fields.iter().for_each(|field| part(&format!("{:?}", field.steps)));
    }
    for rule in &masks.values {
        part("value");
        part(rule.pattern.as_str());
    }
    hasher.finalize().into()
}

/// The word of policies.
pub(super) fn action_word(action: MaskAction) -> &'static str {
    match action {
        MaskAction::Mask => "mask",
        MaskAction::Partial => "partial",
        MaskAction::Drop => "drop",
        MaskAction::Hmac => "hmac",
    }
}

#[cfg(test)]
mod tests {
    use super::super::field;
    use super::super::glob::{PathGlob, Sense};
    use super::*;

    fn profile(name: &str, path: &str, fields: &[&str], action: MaskAction) -> Profile {
        Profile {
            name: name.into(),
            paths: vec![PathGlob::parse(path, Sense::Iam).unwrap()],
            fields: fields.iter().map(|path| field::parse(path).unwrap()).collect(),
            rows: None,
            keep: Vec::new(),
            mask_keys: Vec::new(),
            values: Vec::new(),
            shapes: Vec::new(),
            action,
            length: None,
            on_broken: OnBroken::Blank,
            concatenated: false,
            embedded: true,
            show_metadata: Default::default(),
            show_tags: Default::default(),
            reveal_to: Default::default(),
        }
    }

    fn masks(role: &str, profiles: Vec<Profile>, set: u64) -> Arc<Masks> {
        masks_of(role, &Claims::new(), profiles, set)
    }

    fn masks_of(role: &str, claims: &Claims, profiles: Vec<Profile>, set: u64) -> Arc<Masks> {
        MaskSets::new(role.parse().unwrap(), profiles.into(), claims.clone()).masks(set).unwrap()
    }

    #[test]
    fn a_digest_alters_with_the_records_that_are_shown() {
        let claims = |tenant: &str| Claims::from([("tenant".to_owned(), vec![tenant.to_owned()])]);
        let plain = profile("own", "t/*", &["a"], MaskAction::Mask);
        let digest = |rows: Option<&str>, claims: &Claims| {
            let rows = rows.map(|rows| Rows::parse(rows).unwrap());
            masks_of("one", claims, vec![Profile { rows, ..plain.clone() }], 1).digest
        };
        let own = Some("$.tenant == ${claims.tenant}");
        let all = [
            digest(None, &claims("acme")),
            digest(own, &claims("acme")),
            digest(own, &claims("emca")),
            digest(own, &Claims::new()),
            digest(Some("$.tenant in ${claims.tenant} or $.open == true"), &claims("acme")),
            digest(Some("$.tenant in ${claims.tenant} and $.open == true"), &claims("acme")),
        ];
        let different: BTreeSet<[u8; 32]> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
        // What is shown is the same, and who sees it does not count.
        assert_eq!(digest(own, &claims("acme")), digest(Some("$.tenant == \"acme\""), &claims("emca")));
        assert_eq!(digest(None, &claims("acme")), digest(None, &claims("emca")));
    }

    #[test]
    fn conditions_of_several_profiles_add_up() {
        let with = |name: &str, rows: &str| Profile {
            rows: Some(Rows::parse(rows).unwrap()),
            ..profile(name, "t/*", &[], MaskAction::Mask)
        };
        let both = vec![with("one", "$.a == 1"), with("two", "$.b == 1")];
        let rows = masks("one", both.clone(), 0b11).rows.clone().unwrap();
        assert_eq!([0b01, 0b10, 0b11].map(|tests| rows.holds(tests)), [false, false, true]);
        assert!(masks("one", both, 0b01).rows.clone().unwrap().holds(0b1));
    }

    #[test]
    fn a_digest_alters_only_with_what_is_shown() {
        let secrets = |path: &str| profile("secrets", path, &["api_key"], MaskAction::Mask);
        let here = masks("one", vec![secrets("t/*")], 1);
        assert_eq!(
            here.digest,
            masks("two", vec![secrets("t/*"), profile("x", "x/*", &["x"], MaskAction::Drop)], 1).digest
        );
        assert_eq!(here.digest, masks("one", vec![secrets("t/m/*")], 1).digest);
        let dropped = profile("secrets", "t/*", &["api_key"], MaskAction::Drop);
        assert_ne!(here.digest, masks("one", vec![dropped], 1).digest);
        let other = profile("secrets", "t/*", &["$.api_key"], MaskAction::Mask);
        assert_ne!(here.digest, masks("one", vec![other], 1).digest);
        let names = Profile { mask_keys: vec![field::parse_members("$.by_user").unwrap()], ..secrets("t/*") };
        assert_ne!(here.digest, masks("one", vec![names], 1).digest);
        let keeps = |one: &[&str], other: &[&str]| {
            let keep = |name: &str, paths: &[&str]| {
                let keep = paths.iter().map(|path| field::parse(path).unwrap()).collect();
                Profile { keep, ..profile(name, "t/*", &[], MaskAction::Mask) }
            };
            masks("one", vec![keep("one", one), keep("other", other)], 0b11).digest
        };
        // What two allow-lists keep together is less than what one keeps that is as long.
        assert_ne!(keeps(&["a", "b"], &["c"]), keeps(&["a"], &["b", "c"]));
        let cut = Profile { on_broken: OnBroken::Cut, ..secrets("t/*") };
        assert_ne!(here.digest, masks("one", vec![cut], 1).digest);
        let concatenated = Profile { concatenated: true, ..secrets("t/*") };
        assert_ne!(here.digest, masks("one", vec![concatenated], 1).digest);
    }

    /// What a view shows that uses nothing new is what it showed: so must its tag be, or every client reads all again.
    #[test]
    fn the_digest_of_a_view_stays_while_it_shows_the_same() {
        let fields = ["api_key", "$.steps[*].prompt", "*_token"];
        let here = masks("one", vec![profile("secrets", "t/*", &fields, MaskAction::Mask)], 1);
        let mut parts = vec![ENGINE.to_owned(), "length-default".into(), "blank".into(), String::new()];
        for field in fields {
            parts.extend(["mask".to_owned(), format!("{:?}", field::parse(field).unwrap().steps)]);
        }
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        assert_eq!(here.digest, <[u8; 32]>::from(hasher.finalize()));
    }

    #[test]
    fn pseudonyms_are_apart_by_role_and_path() {
        let users = |path: &str| vec![profile("users", path, &["user_id"], MaskAction::Hmac)];
        let here = masks("one", users("t/*"), 1);
        assert_ne!(here.pseudonym_scope, masks("two", users("t/*"), 1).pseudonym_scope);
        assert_ne!(here.pseudonym_scope, masks("one", users("u/*"), 1).pseudonym_scope);
        assert_ne!(here.digest, masks("two", users("t/*"), 1).digest);
    }

    #[test]
    fn of_several_profiles_what_hides_more_counts() {
        let a = Profile { length: Some(LengthRule::Field), ..profile("a", "t/*", &["a"], MaskAction::Mask) };
        let b = Profile { length: Some(LengthRule::Record), ..profile("b", "t/*", &["b"], MaskAction::Mask) };
        let c = Profile { on_broken: OnBroken::Cut, ..profile("c", "t/*", &["c"], MaskAction::Mask) };
        let all = masks("one", vec![a.clone(), b, c], 0b111);
        assert_eq!((all.length, all.on_broken), (Some(LengthRule::Record), OnBroken::Cut));
        assert_eq!(all.rules.iter().map(|rule| &*rule.profile).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(masks("one", vec![a.clone()], 1).length, Some(LengthRule::Field));
        let hidden = Profile { length: Some(LengthRule::Hidden), ..profile("d", "t/*", &["d"], MaskAction::Mask) };
        let record = Profile { length: Some(LengthRule::Record), ..a.clone() };
        assert_eq!(masks("one", vec![a, hidden, record], 0b111).length, Some(LengthRule::Hidden));
    }

    #[test]
    fn strings_are_left_alone_only_if_every_profile_says_so() {
        let read = profile("read", "t/*", &["a"], MaskAction::Mask);
        let left = |name: &str| Profile { embedded: false, ..profile(name, "t/*", &["a"], MaskAction::Mask) };
        let all = vec![read, left("one"), left("two")];
        let embedded = |set: u64| masks("one", all.clone(), set).embedded;
        assert_eq!([0b001, 0b010, 0b110, 0b011].map(embedded), [true, false, false, true]);
        assert_ne!(masks("one", all.clone(), 0b001).digest, masks("one", all, 0b010).digest);
    }

    #[test]
    fn only_what_every_profile_lets_through_is_shown() {
        let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<BTreeSet<Box<str>>>();
        let plain = profile("plain", "t/*", &["a"], MaskAction::Mask);
        let shows = |name: &str, metadata: &[&str], tags: &[&str]| Profile {
            show_metadata: names(metadata),
            show_tags: names(tags),
            ..profile(name, "t/*", &["a"], MaskAction::Mask)
        };
        let all =
            vec![plain, shows("one", &["run-id", "host"], &["team"]), shows("two", &["run-id"], &["team", "cost"])];
        let shown = |set: u64| {
            let masks = masks("one", all.clone(), set);
            (masks.shown_metadata.clone(), masks.shown_tags.clone())
        };
        assert_eq!(shown(0b001), (names(&[]), names(&[])));
        assert_eq!(shown(0b010), (names(&["run-id", "host"]), names(&["team"])));
        assert_eq!(shown(0b110), (names(&["run-id"]), names(&["team"])));
        assert_eq!(shown(0b111), (names(&[]), names(&[])));
    }

    #[test]
    fn what_is_shown_besides_the_bytes_is_part_of_the_digest() {
        let with = |metadata: &[&str], tags: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
            let plain = profile("p", "t/*", &["a"], MaskAction::Mask);
            let profile = Profile { show_metadata: names(metadata), show_tags: names(tags), ..plain };
            masks("one", vec![profile], 1).digest
        };
        let digests =
            [with(&[], &[]), with(&["a"], &[]), with(&[], &["a"]), with(&["a", "b"], &[]), with(&["a"], &["b"])];
        let different: BTreeSet<[u8; 32]> = digests.into_iter().collect();
        assert_eq!(different.len(), digests.len());
    }
}
