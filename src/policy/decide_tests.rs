//! `decide` over each kind of touch, by a small policy set.

use std::sync::Arc;

use jiff::Timestamp;

use super::permit::{Denial, Permit};
use super::{Decision, Ruleset, decide};
use crate::identity::Identity;
use crate::s3::name::Bucket;
use crate::s3::operation::write::{Foreseen, OnlyIf};
use crate::s3::operation::{
    ETag, GetBucketLocation, HeadBucket, HeadObject, ListBuckets, ListObjects, ListVersion, Op,
};

const GLOBAL: &str = r#"
version = 1
files = ["reader.toml", "dead.toml", "cleaner.toml"]
issuers = { demo = "https://idp.example" }
[[redact]]
name = "secrets"
paths = ["traces/m/*"]
fields = "api_key"
[[deny]]
id = "hr"
actions = "*"
paths = "*/hr/*"
"#;

const READER: &str = r#"
version = 1
[role]
name = "reader"
description = "reads"
owner = "o"
[[bind]]
issuer = "demo"
subjects = "someone"
[[allow]]
id = "read"
actions = ["get", "list"]
paths = ["traces/m/*"]
[[allow]]
id = "blind"
actions = "get"
paths = "traces/blind/*"
[[allow]]
id = "office"
actions = "get"
paths = "traces/office/*"
hours = { tz = "UTC", days = "mon-fri", from = "08:00", to = "18:00" }
[[allow]]
id = "drop"
actions = "create"
paths = "inbox/*"
"#;

fn rules() -> Ruleset {
    let dead = READER.replace("\"reader\"", "\"dead\"").replace("owner = \"o\"", "owner = \"o\"\nexpires = 2026-01-01");
    let cleaner = READER
        .replace("\"reader\"", "\"cleaner\"")
        .replace("actions = \"create\"\npaths = \"inbox/*\"", "actions = \"delete\"\npaths = \"traces/old/*\"");
    let files = [
        ("_global.toml", GLOBAL.to_owned()),
        ("reader.toml", READER.to_owned()),
        ("dead.toml", dead),
        ("cleaner.toml", cleaner),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    Ruleset::from_texts(&files, &Default::default()).unwrap().0
}

/// A Friday in office hours.
fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn session_end() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn ask<O: Op>(role: &str, op: O, now: Timestamp) -> Result<Permit<O>, Denial> {
    let who = Arc::new(Identity::for_test("someone", role).until(session_end()));
    match decide(&rules(), who, op, now) {
        Decision::Allow(permit) => Ok(permit),
        Decision::Deny(denial) => Err(denial),
    }
}

fn head(bucket: &str, key: &str) -> HeadObject {
    HeadObject {
        bucket: bucket.parse().unwrap(),
        key: key.parse().unwrap(),
        range: None,
        part: None,
        preconditions: Default::default(),
        overrides: Default::default(),
        version: None,
    }
}

fn list(bucket: &str, prefix: &str) -> ListObjects {
    ListObjects {
        version: ListVersion::V2,
        bucket: bucket.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        delimiter: None,
        start_after: None,
        token: None,
        max_keys: 1000,
        url_encoded: false,
    }
}

#[test]
fn an_object_is_read_by_a_rule_behind_its_masks_until_the_session_ends() {
    let permit = ask("reader", head("traces", "m/run"), now()).unwrap();
    assert_eq!(permit.rule(), "reader/read");
    assert!(permit.view().masks().is_some());
    assert!(permit.may_list());
    assert_eq!(permit.conditions().until(), Some(session_end()));
    assert_eq!(permit.policy(), rules().digest());
    let blind = ask("reader", head("traces", "blind/run"), now()).unwrap();
    assert!(blind.view().masks().is_none());
    assert!(!blind.may_list());
}

#[test]
fn a_window_ends_the_permit_and_opens_none_outside() {
    let permit = ask("reader", head("traces", "office/run"), now()).unwrap();
    assert_eq!(permit.conditions().until(), Some("2026-11-20T18:00:00Z".parse().unwrap()));
    let night: Timestamp = "2026-11-20T20:00:00Z".parse().unwrap();
    assert!(ask("reader", head("traces", "office/run"), night).is_err());
}

#[test]
fn a_denial_names_role_permission_and_rule() {
    let denial = ask("reader", head("traces", "other/run"), now()).unwrap_err();
    assert_eq!(denial.reason(), "role reader has no `get` on traces/other/run");
    assert_eq!((denial.rule(), denial.path(), denial.looks_missing()), (None, "traces/other/run", false));
    let denial = ask("reader", head("traces", "m/hr/run"), now()).unwrap_err();
    assert_eq!(denial.rule(), Some("_global/hr"));
}

#[test]
fn the_name_of_a_folder_with_visible_keys_looks_missing() {
    assert!(ask("reader", head("traces", "m"), now()).unwrap_err().looks_missing());
    assert!(!ask("reader", head("traces", "blind"), now()).unwrap_err().looks_missing());
    assert!(!ask("reader", head("traces", "m/hr/run"), now()).unwrap_err().looks_missing());
}

#[test]
fn any_prefix_may_be_listed_where_something_may() {
    for prefix in ["", "m", "m/x", "elsewhere/"] {
        let permit = ask("reader", list("traces", prefix), now()).unwrap();
        assert_eq!(permit.rule(), "reader/read", "{prefix}");
    }
    let denial = ask("reader", list("inbox", ""), now()).unwrap_err();
    assert_eq!(denial.reason(), "role reader has no `list` in bucket inbox");
}

#[test]
fn a_bucket_is_seen_where_something_in_it_is() {
    let bucket = |name: &str| HeadBucket { bucket: name.parse().unwrap() };
    assert!(ask("reader", bucket("traces"), now()).is_ok());
    assert!(ask("reader", bucket("inbox"), now()).is_ok());
    assert!(ask("reader", bucket("other"), now()).is_err());
    assert!(ask("reader", GetBucketLocation { bucket: "other".parse().unwrap() }, now()).is_err());
    assert!(ask("reader", ListBuckets { prefix: String::new() }, now()).is_ok());
}

/// What a body of XML is for is decided before it is read: by its key, or, of many keys, by whether any could go.
#[test]
fn what_a_body_is_for_is_foreseen() {
    let (traces, inbox): (Bucket, Bucket) = ("traces".parse().unwrap(), "inbox".parse().unwrap());
    let key = || "m/run".parse().unwrap();
    let reason = |op: Foreseen| ask("reader", op, now()).map_err(|denial| denial.reason().to_owned()).map(drop);
    for (op, want) in [
        (Foreseen::Complete(inbox.clone(), key(), OnlyIf::Always), Ok(())),
        (Foreseen::Complete(inbox.clone(), key(), OnlyIf::Matches(ETag("x".into()))), Err("no `put` on inbox/m/run")),
        (Foreseen::Complete(traces.clone(), key(), OnlyIf::Absent), Err("neither `put` nor `create` on traces/m/run")),
        (Foreseen::Tags(inbox.clone(), key()), Err("no `put` on inbox/m/run")),
        (Foreseen::Deletes(traces.clone()), Err("`delete` on nothing in bucket traces")),
        (Foreseen::Deletes(inbox), Err("`delete` on nothing in bucket inbox")),
    ] {
        let want = want.map_err(|why: &str| format!("role reader has {why}"));
        let what = format!("{op:?}");
        assert_eq!(reason(op), want, "{what}");
    }
    let permit = ask("cleaner", Foreseen::Deletes(traces), now()).unwrap();
    assert_eq!(permit.rule(), "cleaner/drop");
}

#[test]
fn a_role_that_is_over_or_unknown_sees_nothing() {
    for role in ["dead", "nobody"] {
        assert!(ask(role, head("traces", "m/run"), now()).is_err(), "{role}");
        assert!(ask(role, list("traces", ""), now()).is_err(), "{role}");
        assert!(ask(role, HeadBucket { bucket: "traces".parse().unwrap() }, now()).is_err(), "{role}");
    }
    let before: Timestamp = "2025-12-31T23:59:59Z".parse().unwrap();
    let permit = ask("dead", head("traces", "m/run"), before).unwrap();
    assert_eq!(permit.conditions().until(), Some("2026-01-01T00:00:00Z".parse().unwrap()));
}
