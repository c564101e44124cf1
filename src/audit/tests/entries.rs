//! Entries stay sound JSON under their bound whatever a caller sent, and hold nothing that undoes a mask.

use proptest::prelude::*;

use super::*;
use crate::audit::shape;
use crate::audit::wire;
use crate::audit::{Auditable, Ended, Event, ListingShown, Outcome, Tally};
use crate::identity::Claims;
use crate::limits;
use crate::policy::mask::{FieldPath, MaskAction, MaskRule, Masks, Step};
use crate::policy::permit::{Denial, PolicyDigest};
use crate::policy::rows::{RowFilter, Rows};
use crate::s3::operation::{ETag, ListObjects, ListVersion, OpName, RangeAsk, Tags};

/// What the committer puts in front of an entry, with its frame.
const FRONT_BYTES: usize = 160 + limits::LOG_ORIGIN_BYTES_MAX + 8;

fn key() -> SecretKey {
    SecretKey::from_bytes([0xAB; 32])
}

fn entry(what: &impl Auditable, facts: &RequestFacts) -> Value {
    let bytes = what.entry(facts, &key());
    assert!(bytes.len() + FRONT_BYTES <= limits::ENTRY_BYTES_MAX, "{} bytes", bytes.len());
    serde_json::from_slice(&bytes).unwrap()
}

fn masks(profiles: &[&str]) -> Arc<Masks> {
    let rule = |profile: &&str| MaskRule {
        profile: (*profile).into(),
        field: FieldPath { steps: vec![Step::Name("x".into())] },
        action: MaskAction::Mask,
    };
    Arc::new(Masks { digest: [9; 32], ..Masks::of(profiles.iter().map(rule).collect()) })
}

#[test]
fn an_intent_says_who_what_and_under_which_rule() {
    let mut op = get("model-A/run \"1\".jsonl");
    op.range = Some(RangeAsk::Span { first: 0, last: Some(9) });
    let facts = facts();
    let who = Arc::new(Identity::for_test("dana", "auditor"));
    let permit = Permit::for_test(who, op, Some(masks(&["pii"])));
    assert_eq!(
        entry(&permit, &facts),
        serde_json::json!({
            "kind": "s3.intent", "id": facts.id.as_str(), "op": "GetObject",
            "target": {"bucket": "traces", "key": "model-A/run \"1\".jsonl"}, "range": "bytes=0-9",
            "actor": {"iss": "https://issuer.example", "sub": "dana"},
            "session": {"id": "ASIATEST", "role": "auditor", "issued": "1970-01-01T00:00:00Z",
                        "expires": Timestamp::MAX.to_string(), "proof": "sigv4"},
            "client": {"ip": "192.0.2.7", "tls": true, "ua": "Boto3/1.44.5", "host": "s3.example"},
            "decision": {"effect": "allow", "rule": "test/rule", "policy": PolicyDigest([7; 32]).to_string(),
                         "masks": hex::encode([9; 32])},
        })
    );
}

/// A view's digest that holds claims could be found by who tries all of them.
#[test]
fn the_digest_of_a_view_with_rows_is_keyed() {
    let rows = Rows::parse("$.t == \"acme\"").unwrap();
    let with_rows = Masks { rows: RowFilter::of([&rows], &Claims::new()), ..(*masks(&["pii"])).clone() };
    let permit = Permit::for_test(Arc::new(Identity::for_test("dana", "auditor")), get("a"), Some(Arc::new(with_rows)));
    let found = entry(&permit, &facts())["decision"]["masks"].as_str().unwrap().to_owned();
    assert!(found.starts_with("keyed:") && found.len() == 38 && !found.contains(&hex::encode([9; 8])), "{found}");
}

#[test]
fn tags_are_hashed_where_the_view_hides() {
    let original = "d41d8cd98f00b204e9800998ecf8427e";
    for (masks, shown) in [(None, true), (Some(masks(&["pii"])), false)] {
        let mut op = get("a");
        op.preconditions.if_none_match = Some(Tags::These(vec![ETag(original.into())]));
        let permit = Permit::for_test(Arc::new(Identity::for_test("dana", "auditor")), op, masks);
        let text = entry(&permit, &facts())["cond"]["if_none_match"].to_string();
        assert_eq!(text.contains(original), shown, "{text}");
        assert_ne!(text, "null");
    }
}

#[test]
fn times_have_microseconds_and_end_with_z() {
    let time: Timestamp = "2026-11-20T09:14:07.4Z".parse().unwrap();
    assert_eq!(shape::stamp(time), "2026-11-20T09:14:07.400000Z");
}

#[test]
fn no_key_shows_in_entries_or_debug() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let queued = journal.queue(permit("a"), &facts()).unwrap();
    let mut shown = format!("{journal:?} {queued:?} {:?}", options(dir.path()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let recorded = runtime.block_on(queued.durable()).unwrap();
    shown.push_str(&format!("{recorded:?} {:?} {:?}", recorded.intent(), recorded.entry()));
    let (_, open) = recorded.into_parts();
    open.close(Outcome { digest: Some([1; 32]), ..Outcome::new(200, Ended::Ok) });
    runtime.block_on(journal.close());
    shown.extend(entries(dir.path()).iter().map(Value::to_string));
    let planted = [key().to_text().to_string(), hex::encode([0xAB_u8; 8]), "171, 171".into(), "ABABABAB".into()];
    for secret in planted {
        assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{secret} shows");
    }
}

/// Texts that a caller may send: long, with quotes, controls and characters of every width.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        (
            prop::sample::select(vec!["\"", "\\", "\u{0}", "\n", "é", "\u{2028}", "\u{1F600}", "a\u{1b}[2J"]),
            0..9000_usize
        )
            .prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// Names that S3 admits, at their longest and oddest.
fn odd_name() -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["\"", "\\", "é", "\u{1F600}", "x"]), 1..=1024_usize)
        .prop_map(|(text, bytes)| text.repeat((bytes / text.len()).max(1)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn entries_are_sound_and_bounded(
        name in odd_name(), agent in odd_text(), host in odd_text(), after in odd_text(), reason in odd_text(),
        delimiter in odd_text(), tags in 0..40_usize, subject in odd_text(),
    ) {
        let facts = RequestFacts { user_agent: Some(agent), host: Some(host), ..facts() };
        let who = Arc::new(Identity::for_test(&subject, &"r".repeat(64)));
        let list = ListObjects {
            version: ListVersion::V2, bucket: "b".repeat(63).parse().unwrap(), prefix: name.parse().unwrap(),
            delimiter: Some(delimiter), start_after: Some(after.clone()), token: Some(after), max_keys: 1000, url_encoded: false,
        };
        entry(&Permit::for_test(Arc::clone(&who), list, None), &facts);
        let mut op = get(&name);
        let tags: Vec<ETag> = (0..tags).map(|_| ETag(reason.as_str().into())).collect();
        op.version = Some("v".repeat(1024).parse().unwrap());
        op.preconditions.if_match = Some(Tags::These(tags.clone()));
        op.preconditions.if_none_match = Some(Tags::These(tags));
        let intent = entry(&Permit::for_test(Arc::clone(&who), op, None), &facts);
        prop_assert_eq!(intent["target"]["key"].as_str(), Some(name.as_str()), "a key is never cut");
        let path = format!("{}/{name}", "b".repeat(63));
        let denial = Denial::for_test(Arc::clone(&who), OpName::GetObject, &path, &reason);
        let denied = entry(&denial, &facts);
        prop_assert_eq!(denied["target"]["key"].as_str(), Some(name.as_str()));
        for event in [
            Event::PolicyRejected { kept: None, reason: reason.clone() },
            Event::Admin { verb: "revoke", actor: subject.clone(), target: reason.clone() },
            Event::SessionIssued { who, door: "sts", facts },
        ] {
            let bytes = wire::event(&event);
            prop_assert!(bytes.len() + FRONT_BYTES <= limits::ENTRY_BYTES_MAX);
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn outcomes_fit_the_room_that_is_kept(text in odd_text(), profiles in 0..100_usize) {
        let names: Vec<String> = (0..profiles).map(|at| format!("{at}{text}")).collect();
        let tally = Tally::new(names.iter().map(String::as_str));
        names.iter().for_each(|name| tally.hidden(name, u64::MAX / 200));
        tally.blanked(u64::MAX);
        tally.withheld(u64::MAX);
        tally.cut(u64::MAX);
        let listing = ListingShown { count: 2000, first: Some(text.clone()), last: Some(text.clone()), digest: [1; 32] };
        let ended = Ended::Unshowable { offset: u64::MAX, reason: "a reason of some length, as they are" };
        let outcome = Outcome {
            bytes: u64::MAX, digest: Some([2; 32]), version_id: Some(text.clone()), view_etag: Some(text), listing: Some(listing),
            ..Outcome::new(200, ended)
        };
        let bytes = wire::complete(&EntryId::random(), &outcome, &tally);
        prop_assert!((bytes.len() + FRONT_BYTES + 32) as u64 <= limits::OUTCOME_BYTES_MAX, "{}", bytes.len());
        let entry: Value = serde_json::from_slice(&bytes).unwrap();
        let hidden: u64 = entry["redactions"].as_array().into_iter().flatten().map(|pair| pair[1].as_u64().unwrap()).sum();
        prop_assert_eq!(hidden, u64::MAX / 200 * profiles as u64, "no count is lost");
    }

    #[test]
    fn a_clipped_text_fits_and_begins_as_it_was(text in odd_text(), max in 40..2000_usize) {
        let clipped = shape::clip(&text, max);
        prop_assert!(serde_json::to_string(&clipped).unwrap().len() <= max + 2);
        let kept = clipped.rsplit_once('…').map_or(&*clipped, |(kept, _)| if *clipped == *text { &clipped } else { kept });
        prop_assert!(text.starts_with(kept));
    }
}
