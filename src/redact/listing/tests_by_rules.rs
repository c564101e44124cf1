//! Whole pages: real rules, real permits, the embedded bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::executor::block_on;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{ListError, Page, page, token};
use crate::audit::Intent;
use crate::backend::memory::{Content, Memory};
use crate::identity::Identity;
use crate::keyring::KeyRing;
use crate::policy::{Decision, Ruleset, decide};
use crate::s3::answer::Item;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::{Action, ETag, ListObjects, ListVersion};
use crate::s3::order::common_prefix;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn bucket() -> Bucket {
    "traces".parse().unwrap()
}

/// A set with one role, `analyst`.
fn rules(global: &str, role: &str) -> Ruleset {
    let global = format!("version = 1\nfiles = [\"analyst.toml\"]\n{global}");
    let role = format!("version = 1\n[role]\nname = \"analyst\"\ndescription = \"d\"\nowner = \"o\"\n{role}");
    let files = BTreeMap::from([("_global.toml".to_owned(), global), ("analyst.toml".to_owned(), role)]);
    match Ruleset::from_texts(&files, &BTreeMap::new()) {
        Ok((rules, _)) => rules,
        Err(mistakes) => panic!("{mistakes:?}"),
    }
}

fn rule(kind: &str, id: &str, actions: &str, paths: &[&str], more: &str) -> String {
    format!("[[{kind}]]\nid = \"{id}\"\nactions = {actions}\npaths = {paths:?}\n{more}\n")
}

fn op() -> ListObjects {
    ListObjects {
        version: ListVersion::V2,
        bucket: bucket(),
        prefix: "".parse().unwrap(),
        delimiter: None,
        start_after: None,
        token: None,
        max_keys: 1000,
        url_encoded: false,
    }
}

/// One page; `None` if the caller may not list there at all.
fn ask(
    memory: &Memory,
    rules: &Ruleset,
    ring: &KeyRing,
    who: &str,
    op: ListObjects,
) -> Option<Result<Page, ListError>> {
    let who = Identity::for_test(who, "analyst");
    match decide(rules, Arc::new(who), op, NOW) {
        Decision::Allow(permit) => Some(block_on(page(memory, Intent::for_test(&permit), ring, NOW))),
        Decision::Deny(_) => None,
    }
}

fn names(page: &Page) -> Vec<String> {
    page.items.iter().map(|item| item.name().to_owned()).collect()
}

fn etag_of(page: &Page, key: &str) -> ETag {
    let of = |item: &Item| match item {
        Item::Key(listed) if listed.key.as_str() == key => Some(listed.etag.clone()),
        Item::Key(_) | Item::Common(_) => None,
    };
    page.items.iter().find_map(of).unwrap()
}

#[test]
fn tags_are_the_views_and_old_objects_are_not_there() {
    let memory = Memory::new();
    let put = |key: &str, age: i64| {
        let changed = Timestamp::from_second(NOW.as_second() - age).unwrap();
        memory.put(&bucket(), key, Content::new("secret", changed));
    };
    for key in ["raw/a", "masked/a", "listed/a", "recent/new", "aging/new"] {
        put(key, 60);
    }
    put("aging/old", 10 * 86_400);
    put("recent/old", 10 * 86_400);
    put("hidden/a", 60);
    let masks = "[[redact]]\nname = \"pii\"\npaths = [\"traces/masked/*\"]\nfields = [\"email\"]\n";
    let role = [
        rule("allow", "read", "[\"get\", \"list\"]", &["traces/raw/*", "traces/masked/*"], ""),
        rule("allow", "see", "[\"list\"]", &["traces/listed/*"], ""),
        rule("allow", "names", "[\"list\"]", &["traces/aging/*"], ""),
        rule("allow", "aging", "[\"get\"]", &["traces/aging/*"], "max_age = \"7d\""),
        rule("allow", "recent", "[\"get\", \"list\"]", &["traces/recent/*"], "max_age = \"7d\""),
    ];
    let (rules, ring) = (rules(masks, &role.concat()), KeyRing::ephemeral());
    let shown = ask(&memory, &rules, &ring, "ann", op()).unwrap().unwrap();
    assert_eq!(names(&shown), ["aging/new", "aging/old", "listed/a", "masked/a", "raw/a", "recent/new"]);
    let md5 = ETag("5ebe2294ecd0e0f08eab7690d2a6ee69".into());
    for key in ["raw/a", "aging/new"] {
        assert_eq!(etag_of(&shown, key), md5, "{key}");
    }
    for key in ["masked/a", "listed/a", "aging/old"] {
        let tag = etag_of(&shown, key).0;
        assert!(tag.len() == 34 && tag.ends_with("-1") && !tag.contains(&*md5.0), "{key} {tag}");
    }

    let rolled = ListObjects { delimiter: Some("/".to_owned()), ..op() };
    let shown = ask(&memory, &rules, &ring, "ann", rolled).unwrap().unwrap();
    assert_eq!(names(&shown), ["aging/", "listed/", "masked/", "raw/", "recent/"]);
    memory.delete(&bucket(), "recent/new");
    let rolled = ListObjects { delimiter: Some("/".to_owned()), ..op() };
    let shown = ask(&memory, &rules, &ring, "ann", rolled).unwrap().unwrap();
    assert_eq!(names(&shown), ["aging/", "listed/", "masked/", "raw/"], "below recent/ nothing visible is left");
}

#[test]
fn a_token_is_for_one_caller_and_one_query() {
    let memory = Memory::new();
    for key in ["a", "b", "c"] {
        memory.put(&bucket(), key, Content::new("", NOW));
    }
    let rules = rules("", &rule("allow", "all", "[\"list\"]", &["traces/*"], ""));
    let ring = KeyRing::ephemeral();
    let first = ask(&memory, &rules, &ring, "ann", ListObjects { max_keys: 1, ..op() }).unwrap().unwrap();
    assert!(first.next.is_some());
    let next = ListObjects { token: first.next.clone(), ..op() };
    assert_eq!(names(&ask(&memory, &rules, &ring, "ann", next.clone()).unwrap().unwrap()), ["b", "c"]);
    for (who, op) in [
        ("bob", next.clone()),
        ("ann", ListObjects { delimiter: Some("/".to_owned()), ..next.clone() }),
        ("ann", ListObjects { prefix: "b".parse().unwrap(), ..next.clone() }),
        ("ann", ListObjects { version: ListVersion::V1, ..next.clone() }),
        ("ann", ListObjects { token: Some("b".to_owned()), ..next }),
        ("ann", ListObjects { version: ListVersion::V1, start_after: Some(format!("{}x", token::LEAD)), ..op() }),
    ] {
        assert_eq!(ask(&memory, &rules, &ring, who, op.clone()), Some(Err(ListError::BadToken)), "{who} {op:?}");
    }
}

/// What S3 would list of the keys that the rules let the caller list.
fn reference(keys: &BTreeSet<String>, rules: &Ruleset, op: &ListObjects) -> Vec<String> {
    let sight = rules.sight(&"analyst".parse().unwrap(), &BTreeMap::new());
    let sees = |key: &Key| sight.look(&bucket(), key, Action::List, NOW).is_some();
    let mut names: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.parse::<Key>().is_ok_and(|key| sees(&key))) {
        let common = op.delimiter.as_deref().and_then(|delimiter| common_prefix(key, op.prefix.as_str(), delimiter));
        let name = common.unwrap_or(key);
        let behind = op.start_after.as_deref().is_none_or(|start| key.as_str() > start);
        if key.starts_with(op.prefix.as_str()) && behind && names.last().map(String::as_str) != Some(name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn text(most: usize) -> impl Strategy<Value = String> {
    let pieces = ["a", "b", "c", "/", "/", "/", "-", "!", "~", "b.", "é", "😀", "ab"];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..most).prop_map(|pieces| pieces.concat())
}

fn globs(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    let globs = [
        "traces/a/*",
        "traces/*b",
        "traces/?/*",
        "traces/a*/b*",
        "traces/é*",
        "traces/*/*/*",
        "traces/b",
        "traces/c/a*",
        "traces/*!*",
        "traces/{a,b}/[a-b]*",
        "traces/-*",
        "traces/*",
        "t*/b/*",
    ];
    prop::collection::vec(prop::sample::select(globs.to_vec()), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn pages_add_up_to_what_the_rules_show(
        keys in prop::collection::btree_set(text(7), 0..40),
        (allowed, denied) in (globs(4), globs(3)),
        (prefix, start, delimiter) in (text(2), prop::option::of(text(4)), prop::option::of(Just("/".to_owned()))),
        (max_keys, v1) in (1..6u32, any::<bool>()),
    ) {
        let mut role = String::new();
        if !allowed.is_empty() {
            role += &rule("allow", "some", "[\"list\"]", &allowed, "");
        }
        if !denied.is_empty() {
            role += &rule("deny", "not", "[\"list\"]", &denied, "");
        }
        let (rules, ring, memory) = (rules("", &role), KeyRing::ephemeral(), Memory::new());
        memory.create_bucket(&bucket());
        let content = Arc::new(Content::new("", NOW));
        for key in keys.iter().filter(|key| !key.is_empty()) {
            memory.put(&bucket(), key, content.clone());
        }
        let version = if v1 { ListVersion::V1 } else { ListVersion::V2 };
        // A V1 marker that is a common prefix stands behind it; the walk's own test has that.
        let start_after = start.filter(|start| !v1 || !start.ends_with('/'));
        let first = ListObjects { version, prefix: prefix.parse().unwrap(), delimiter, start_after, max_keys, ..op() };
        let want = reference(&keys, &rules, &first);
        let mut next = first.clone();
        let mut found = Vec::new();
        while let Some(page) = ask(&memory, &rules, &ring, "ann", next) {
            let page = page.unwrap();
            prop_assert!(page.items.len() <= max_keys as usize);
            found.extend(names(&page));
            prop_assert!(found.len() <= want.len(), "{:?} {:?}", found, want);
            let Some(sealed) = page.next else { break };
            next = match version {
                ListVersion::V1 => ListObjects { start_after: Some(sealed), ..first.clone() },
                ListVersion::V2 => ListObjects { token: Some(sealed), ..first.clone() },
            };
        }
        prop_assert_eq!(found, want);
    }
}
