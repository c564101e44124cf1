//! A sight against a plain reference: each glob by itself, matched by hand, over every short key of a small alphabet.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::glob::{PathGlob, Sense};
use super::mask::{LengthRule, MaskAction, OnBroken};
use super::rules::{Actions, Age, Allow, Deny, Profile, Role};
use super::sight::{Below, Cost, Sight};
use crate::identity::Claims;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// Every key of up to five characters of this alphabet that is a key.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for _ in 0..5 {
        longest = longest.iter().flat_map(|key| ["a", "b", "/", ".", "é"].map(|c| format!("{key}{c}"))).collect();
        all.extend(longest.clone());
    }
    let mut keys: Vec<Key> = all.iter().filter_map(|key| key.parse().ok()).collect();
    keys.sort();
    keys
});

/// Whether a glob in IAM's sense matches: by characters, without any automaton.
fn matches(glob: &[char], text: &[char]) -> bool {
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            matches(rest, text) || text.split_first().is_some_and(|(_, text)| matches(glob, text))
        }
        (Some(('?', rest)), Some((_, text))) => matches(rest, text),
        (Some((c, rest)), Some((d, text))) => c == d && matches(rest, text),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn any(globs: &[String], path: &str) -> bool {
    let text: Vec<char> = path.chars().collect();
    globs.iter().any(|glob| matches(&glob.chars().collect::<Vec<_>>(), &text))
}

fn globs(written: &[String]) -> Vec<PathGlob> {
    written.iter().map(|glob| PathGlob::parse(glob, Sense::Iam).unwrap()).collect()
}

fn allow(id: &str, actions: Actions, paths: &[String]) -> Allow {
    let paths = globs(paths);
    Allow { id: id.into(), actions, paths, age: Age::Any, hours: None, expires: None, redact: 0 }
}

fn role(allows: Vec<Allow>, denies: Vec<Deny>) -> Arc<Role> {
    Arc::new(Role { allows, denies, ..Role::without_rights("tester".parse().unwrap()) })
}

fn profile(name: &str, paths: &[&str], reveal_to: &[&str]) -> Profile {
    Profile {
        name: name.into(),
        paths: globs(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()),
        fields: vec![super::field::parse("secret").unwrap()],
        rows: None,
        keep: Vec::new(),
        mask_keys: Vec::new(),
        values: Vec::new(),
        shapes: Vec::new(),
        action: MaskAction::Mask,
        length: Some(LengthRule::Record),
        on_broken: OnBroken::Blank,
        concatenated: false,
        embedded: true,
        show_metadata: Default::default(),
        show_tags: Default::default(),
        reveal_to: reveal_to.iter().map(|role| role.parse().unwrap()).collect(),
    }
}

fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn bucket() -> Bucket {
    "abc".parse().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// A glob over paths of the bucket: mostly inside it, sometimes with a free beginning.
fn any_glob() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "/", ".", "é", "*", "?", "a/", "*/"]);
    let inside = prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat());
    let start = prop::sample::select(vec!["abc/", "abc/", "abc/", "ab?/", "*/", "*"]);
    (start, inside).prop_map(|(start, inside)| {
        let mut glob = format!("{start}{inside}");
        while glob.contains("**") {
            glob = glob.replace("**", "*");
        }
        glob
    })
}

fn some_globs(most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any_glob(), 0..=most)
}

/// Everything that a sight says about listing, against the set of keys that are listed.
fn check_listing(sight: &Sight, listed: &[&Key], whole_is_exact: bool) {
    let bucket = bucket();
    for key in KEYS.iter() {
        let seen = sight.look(&bucket, key, Action::List, now()).is_some();
        assert_eq!(seen, listed.binary_search(&key).is_ok(), "look at {key}");
    }
    for prefix in KEYS.iter().map(Key::as_str).filter(|key| key.chars().count() <= 3).chain([""]) {
        let here = || KEYS.iter().filter(|key| key.as_str().starts_with(prefix));
        let shown = listed.iter().filter(|key| key.as_str().starts_with(prefix)).count();
        match sight.below(&bucket, prefix, now()) {
            Below::Nothing => assert_eq!(shown, 0, "nothing below {prefix:?}"),
            Below::Everything => assert_eq!(shown, here().count(), "everything below {prefix:?}"),
            Below::Perhaps => {}
        }
    }
    for from in KEYS.iter().map(Key::as_str).step_by(7).chain(["", "~", "zz", "é\u{10FFFF}"]) {
        let next = listed.iter().map(|key| key.as_str()).find(|key| *key >= from);
        match sight.seek(&bucket, from) {
            None => assert_eq!(next, None, "no key from {from:?} on"),
            Some(found) => {
                assert!(*found >= *from, "{found:?} lies before {from:?}");
                assert!(next.is_none_or(|next| next >= &*found), "{found:?} skips {next:?} from {from:?}");
                // `*` goes over bytes that no text has; they may keep a place behind ASCII alive for nobody.
                if whole_is_exact && found.is_ascii() {
                    assert_ne!(sight.below(&bucket, &found, now()), Below::Nothing, "{found:?} is dead");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_sight_is_its_globs_one_by_one(lists in some_globs(3), gets in some_globs(2), denies in some_globs(2), all_denied in some_globs(1)) {
        let list = Actions::only(Action::List);
        let rules = role(
            vec![allow("t/l", list, &lists), allow("t/g", Actions::only(Action::Get), &gets)],
            vec![
                Deny { id: "t/d".into(), actions: list, paths: globs(&denies) },
                Deny { id: "t/all".into(), actions: Actions::ALL, paths: globs(&all_denied) },
            ],
        );
        let allowed = |allows: &[String], denies: &[&[String]], key: &Key| {
            let path = key.path_in(&bucket());
            any(allows, &path) && !denies.iter().any(|deny| any(deny, &path))
        };
        let listed: Vec<&Key> = KEYS.iter().filter(|key| allowed(&lists, &[&denies, &all_denied], key)).collect();
        let none: Arc<[Deny]> = Arc::new([]);
        let dense = Sight::build(rules.clone(), none.clone(), Arc::new([]), &Claims::new()).unwrap();
        let is_dense = matches!(dense.cost(), Cost::Dense { .. });
        prop_assert!(is_dense);
        let sparse = Sight::build_sparse(rules, none, Arc::new([]), &Claims::new()).unwrap();
        check_listing(&dense, &listed, true);
        check_listing(&sparse, &listed, false);
        for key in KEYS.iter().step_by(3) {
            let read = dense.look(&bucket(), key, Action::Get, now()).is_some();
            prop_assert_eq!(read, allowed(&gets, &[&all_denied], key), "{}", key);
            let named = dense.denied_by(&bucket(), key, Action::Get);
            let denied = any(&all_denied, &key.path_in(&bucket()));
            prop_assert_eq!(named.as_deref(), denied.then_some("t/all"));
        }
    }
}

fn text(globs: &[&str]) -> Vec<String> {
    globs.iter().map(|glob| (*glob).to_owned()).collect()
}

fn listing(globs: &[&str], denies: &[&str]) -> Sight {
    let deny = Deny { id: "t/d".into(), actions: Actions::ALL, paths: self::globs(&text(denies)) };
    let rules = role(vec![allow("t/l", Actions::only(Action::List), &text(globs))], vec![deny]);
    Sight::build(rules, Arc::new([]), Arc::new([]), &Claims::new()).unwrap()
}

#[test]
fn seeking_skips_what_is_dead() {
    let sight = listing(&["abc/m/*", "abc/q?/x*", "abc/é*"], &["abc/m/b*"]);
    for (from, next) in [
        ("", Some("m/")),
        ("a", Some("m/")),
        ("m/az", Some("m/az")),
        ("m/b", Some("m/c")),
        ("m/bzz", Some("m/c")),
        ("m0", Some("q /x")),
        ("qa/y", Some("qb/x")),
        ("qa/w", Some("qa/x")),
        ("r", Some("é")),
        ("ê", None),
        ("\u{10FFFF}", None),
    ] {
        assert_eq!(sight.seek(&bucket(), from).as_deref(), next, "from {from:?}");
    }
    assert_eq!(sight.seek(&"other".parse().unwrap(), ""), None);
    assert_eq!(listing(&["abc/*.json"], &[]).seek(&bucket(), "x"), Some("x".into()));
}

#[test]
fn below_knows_prefixes_that_end_within_a_segment() {
    let sight = listing(&["abc/m/*"], &["abc/m/secret*"]);
    for (prefix, below) in [
        ("", Below::Perhaps),
        ("m", Below::Perhaps),
        ("m/", Below::Perhaps),
        ("m/x", Below::Everything),
        ("m/se", Below::Perhaps),
        ("m/secret", Below::Nothing),
        ("n", Below::Nothing),
    ] {
        assert_eq!(sight.below(&bucket(), prefix, now()), below, "{prefix:?}");
    }
}

#[test]
fn a_dozen_denies_with_two_stars_stay_a_table() {
    let denies: Vec<String> = (0..12).map(|n| format!("*/x{n}/*")).collect();
    let denies: Vec<&str> = denies.iter().map(String::as_str).collect();
    let sight = listing(&["abc/*"], &denies);
    assert!(matches!(sight.cost(), Cost::Dense { .. }), "{:?}", sight.cost());
    assert!(sight.look(&bucket(), &key("a/x11/b"), Action::List, now()).is_none());
    assert!(sight.look(&bucket(), &key("a/x12/b"), Action::List, now()).is_some());
}

#[test]
fn what_explodes_as_a_table_is_matched_lazily_and_alike() {
    let globs: Vec<String> = (0..14).map(|n| format!("abc/*x{n}*y{n}*z{n}")).collect();
    let written: Vec<&str> = globs.iter().map(String::as_str).collect();
    let sight = listing(&written, &[]);
    assert_eq!(sight.cost(), Cost::Sparse { scans: false });
    for (name, seen) in [("x3y3z3", true), ("-x13--y13-z13", true), ("x3y4z3", false), ("z3", false)] {
        assert_eq!(sight.look(&bucket(), &key(name), Action::List, now()).is_some(), seen, "{name}");
    }
}

#[test]
fn the_most_generous_rule_counts_as_a_whole() {
    let list = Actions::only(Action::List);
    let old = Allow { age: Age::Modified(Duration::from_secs(3600)), ..allow("t/hour", list, &text(&["abc/*"])) };
    let older = Allow { age: Age::Modified(Duration::from_secs(7200)), ..allow("t/two", list, &text(&["abc/a*"])) };
    let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let any_age = Allow { expires: Some(end), ..allow("t/any", list, &text(&["abc/ab*"])) };
    let rules = role(vec![old, older, any_age], Vec::new());
    let sight = Sight::build(rules, Arc::new([]), Arc::new([]), &Claims::new()).unwrap();
    let check = |name: &str, now: Timestamp, rule: &str, since: Option<&str>, until: Option<Timestamp>| {
        let seen = sight.look(&bucket(), &key(name), Action::List, now).unwrap();
        assert_eq!(&*seen.rule, rule);
        assert_eq!(seen.conditions.modified_since, since.map(|since| since.parse().unwrap()));
        assert_eq!(seen.conditions.until, until);
    };
    check("b", now(), "t/hour", Some("2026-11-20T09:00:00Z"), None);
    check("a", now(), "t/two", Some("2026-11-20T08:00:00Z"), None);
    check("ab", now(), "t/any", None, Some(end));
    check("ab", end, "t/two", Some("2026-11-30T22:00:00Z"), None);
}

#[test]
fn masks_add_up_over_profiles_and_rules_and_lift_only_by_name() {
    let get = Actions::only(Action::Get);
    let redacting = Allow { redact: 0b100, ..allow("t/redacted", get, &text(&["abc/m/*"])) };
    let profiles: Arc<[Profile]> = Arc::new([
        profile("everywhere", &["*"], &[]),
        profile("lifted", &["*"], &["tester"]),
        profile("by-rule", &["nowhere/*"], &[]),
    ]);
    let rules = role(vec![allow("t/plain", get, &text(&["abc/*"])), redacting], Vec::new());
    let sight = Sight::build(rules, Arc::new([]), profiles, &Claims::new()).unwrap();
    let names = |name: &str| {
        let seen = sight.look(&bucket(), &key(name), Action::Get, now()).unwrap();
        let masks = seen.masks.unwrap();
        masks.rules.iter().map(|rule| rule.profile.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("x"), ["everywhere"]);
    assert_eq!(names("m/x"), ["everywhere", "by-rule"]);
    let (one, other) = (&key("m/x"), &key("m/y"));
    let masks = |key: &Key| sight.look(&bucket(), key, Action::Get, now()).unwrap().masks.unwrap();
    assert!(Arc::ptr_eq(&masks(one), &masks(other)), "masks of one set are shared");
}

#[test]
fn claims_are_literals_and_unknown_ones_close() {
    let get = Actions::only(Action::Get);
    let rules = role(
        vec![allow("t/own", get, &text(&["abc/${claims.team}/*"]))],
        vec![Deny { id: "t/d".into(), actions: get, paths: globs(&text(&["abc/*/not-${claims.site}/*"])) }],
    );
    let check = |claims: &[(&str, &[&str])], name: &str, allowed: bool| {
        let claims: Claims = claims
            .iter()
            .map(|(name, values)| ((*name).into(), values.iter().map(|v| (*v).into()).collect()))
            .collect();
        let sight = Sight::build(rules.clone(), Arc::new([]), Arc::new([]), &claims).unwrap();
        let seen = sight.look(&bucket(), &key(name), Action::Get, now());
        assert_eq!(seen.is_some(), allowed, "{claims:?} {name}");
    };
    let site: (&str, &[&str]) = ("site", &["x"]);
    check(&[("team", &["red"]), site], "red/a", true);
    check(&[("team", &["red"]), site], "blue/a", false);
    check(&[("team", &["red", "blue"]), site], "blue/a", true);
    check(&[("team", &["*"]), site], "red/a", false);
    check(&[("team", &["r.d"]), site], "red/a", false);
    check(&[("team", &[""]), site], "/a", false);
    check(&[site], "red/a", false);
    check(&[("team", &["red"]), site], "red/not-x/a", false);
    check(&[("team", &["red"]), site], "red/not-y/a", true);
    check(&[("team", &["red"])], "red/not-y/a", false);
    check(&[("team", &["red"]), ("site", &["x", "?"])], "red/not-y/a", false);
}

#[test]
fn what_depends_on_object_or_time_is_never_everything() {
    let list = Actions::only(Action::List);
    let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let below = |allow: Allow, expires: Option<Timestamp>, at: Timestamp| {
        let rules = Role { allows: vec![allow], expires, ..Role::without_rights("tester".parse().unwrap()) };
        let sight = Sight::build(Arc::new(rules), Arc::new([]), Arc::new([]), &Claims::new()).unwrap();
        assert_eq!(sight.sees_bucket(&bucket(), at), sight.below(&bucket(), "", at) != Below::Nothing);
        sight.below(&bucket(), "m", at)
    };
    let plain = || allow("t/l", list, &text(&["abc/*"]));
    let aged = || Allow { age: Age::Modified(Duration::from_secs(60)), ..plain() };
    let ending = || Allow { expires: Some(end), ..plain() };
    assert_eq!(below(plain(), None, now()), Below::Everything);
    assert_eq!(below(aged(), None, now()), Below::Perhaps);
    assert_eq!(below(ending(), None, now()), Below::Perhaps);
    assert_eq!(below(ending(), None, end), Below::Nothing);
    assert_eq!(below(plain(), Some(end), now()), Below::Everything);
    assert_eq!(below(plain(), Some(end), end), Below::Nothing);
}
