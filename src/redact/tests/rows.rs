//! `rows` by example: what is compared, what is counted, where the hold ends, and records that are made to hurt.

use super::*;
use crate::identity::Claims;
use crate::limits;
use crate::policy::rows::{RowFilter, Rows};
use crate::redact::machine::tests::tiers;

const HOLD: usize = limits::HOLD_BYTES_MAX;

fn with_rows(written: &str, rules: &[(&str, MaskAction)]) -> Masks {
    let claims = Claims::from([("tenant".to_owned(), vec!["acme".to_owned()])]);
    let rows = Rows::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
    Masks { rows: RowFilter::of([&rows], &claims), ..masks(rules) }
}

const OWN: &str = "$.tenant == ${claims.tenant}";

/// Checks which of the records, one for a line, are shown.
fn check(written: &str, records: &[(&str, bool)]) {
    let masks = with_rows(written, &[]);
    for (record, shown) in records {
        let object = format!("{{}}\n {record} \r\n");
        let expected = if *shown { object.clone() } else { format!("{{}}\n {:w$} \r\n", "{}", w = record.len()) };
        // The first record shows that `{}` fits nothing; it looks as if it were withheld.
        for size in [usize::MAX, 1, 3] {
            let (out, ended, tally) = feed(&plan(&masks), Format::Jsonl, object.as_bytes(), || size);
            assert_eq!((text(&out), ended), (expected.clone(), Ok(())), "{written} {size}");
            assert_eq!(tally.records_withheld, 1 + u64::from(!shown), "{written} {record}");
        }
    }
}

#[test]
fn strings_are_compared_decoded_and_numbers_by_their_value() {
    check(
        OWN,
        &[
            (r#"{"tenant":"acme"}"#, true),
            (r#"{"n":[1,{"tenant":"emca"}],"tenant" : "acme","m":{}}"#, true),
            (r#"{"\u0074en\u0061nt":"\u0061cm\u0065"}"#, true),
            (r#"{"tenant":"acme "}"#, false),
            (r#"{"tenant":"acm"}"#, false),
            (r#"{"tenant":"Acme"}"#, false),
            (r#"{"tenant":"ac\u0000me"}"#, false),
            (r#"{"Tenant":"acme"}"#, false),
            (r#"{"tenant":["acme"]}"#, false),
            (r#"{"tenant":{"tenant":"acme"}}"#, false),
            (r#"{"tenant":null}"#, false),
            (r#"{"x":{"tenant":"acme"}}"#, false),
            (r#"[{"tenant":"acme"}]"#, false),
            ("[]", false),
        ],
    );
    check(
        "$.n in [5, 1e400, -0.5] or $['\u{1F600}'] == true",
        &[
            (r#"{"n":5}"#, true),
            (r#"{"n":5.00}"#, true),
            (r#"{"n":50e-1}"#, true),
            (r#"{"n":"5"}"#, false),
            (r#"{"n":55}"#, false),
            (r#"{"n":1e400}"#, true),
            (r#"{"n":1e401}"#, false),
            (r#"{"n":10E+399}"#, true),
            (r#"{"n":-5e-1}"#, true),
            (r#"{"n":NaN}"#, false),
            (r#"{"n":5.0000000000000000000000000000001}"#, false),
            (r#"{"n":5,"😀":false}"#, true),
            (r#"{"\ud83d\ude00":true}"#, true),
            (r#"{"\ud83d":true}"#, false),
        ],
    );
    check(
        "$.a.b startswith \"pub/\" and $.level != \"debug\"",
        &[
            (r#"{"a":{"b":"pub/x"},"level":"info"}"#, true),
            (r#"{"a":{"b":"p\u0075b\/"},"level":""}"#, true),
            (r#"{"a":{"b":"pub"},"level":"info"}"#, false),
            (r#"{"a":{"b":"pub/x"},"level":"d\u0065bug"}"#, false),
            (r#"{"a":{"b":"pub/x"},"level":5}"#, false),
            (r#"{"a":{"b":"pub/x"}}"#, false),
            (r#"{"a":[{"b":"pub/x"}],"level":"info"}"#, false),
        ],
    );
}

/// Readers differ in which of two members of one name they take: each way must fit.
#[test]
fn each_occurrence_of_a_member_must_fit() {
    check(
        OWN,
        &[
            (r#"{"tenant":"acme","tenant":"acme"}"#, true),
            (r#"{"tenant":"acme","tenant":"emca"}"#, false),
            (r#"{"tenant":"emca","tenant":"acme"}"#, false),
            (r#"{"tenant":"acme","\u0074enant":null}"#, false),
            (r#"{"tenant":"acme","tenant":{}}"#, false),
        ],
    );
    check(
        "$.a.b == 1",
        &[
            (r#"{"a":{"b":1},"a":{"b":1,"b":1.0}}"#, true),
            (r#"{"a":{"b":1},"a":{}}"#, false),
            (r#"{"a":{},"a":{"b":1}}"#, false),
            (r#"{"a":{"b":1},"a":[]}"#, false),
            (r#"{"a":{"b":1},"a":1}"#, false),
            (r#"{"a":{"b":1},"c":{"b":2}}"#, true),
        ],
    );
}

#[test]
fn a_claim_that_is_missing_shows_no_record() {
    check("$.tenant == ${claims.other}", &[(r#"{"tenant":"acme"}"#, false), (r#"{"tenant":""}"#, false)]);
    check(
        "$.tenant == ${claims.other} or $.open == true",
        &[(r#"{"tenant":"","open":true}"#, true), (r#"{"tenant":"acme"}"#, false)],
    );
}

/// What is masked can be tested, whole and in part, and what is withheld is counted apart from what is broken.
#[test]
fn masked_members_are_tested_and_withheld_records_counted_apart() {
    let object = "{\"tenant\":{\"id\":\"acme\"},\"k\":\"secret\"}\n{\"tenant\":{\"id\":\"emca\"},\"k\":\"secret\"}\n\
                  {\"k\":\n{\"tenant\":{\"id\":\"acme\"}}\n{\"tenant\":{\"id\":\"emca\"}}\n{\"tenant\":{\"id\":\"acme\"}}";
    let (null, blank) = ("\"tenant\":null", |width: usize| format!("{:width$}\n", "{}"));
    let expected = format!(
        "{{{null},\"k\":\"***\"}}{}\n{}{}{}{}{{{null}}}{}",
        " ".repeat(12),
        blank(37),
        blank(5),
        blank(24),
        blank(24),
        " ".repeat(9)
    );
    for (path, action) in [("tenant", Mask), ("** tenant", Mask), ("** tenant", Hmac)] {
        let masks = with_rows("$.tenant.id == \"acme\"", &[(path, action), ("** k", Mask)]);
        for size in [usize::MAX, 1, 64] {
            let (out, ended, tally) = feed(&plan(&masks), Format::Jsonl, object.as_bytes(), || size);
            assert_eq!((text(&out), ended), (expected.clone(), Ok(())), "{path}");
            let expected =
                Tally { fields: vec![2, 1], records: 6, records_blanked: 2, records_withheld: 2, texts_cut: 0 };
            assert_eq!(tally, expected, "{path}");
        }
    }
}

/// What outcomes are, on every tier and in pieces that cut everywhere: they must not differ.
fn judged(masks: &Masks, format: Format, object: &[u8]) -> Outcome {
    let plan = plan(masks);
    let expected = at_once(&plan, format, object);
    let mut random = Random(object.len() as u64);
    for tier in tiers() {
        for most in [64, 5000, 70_000] {
            let redactor = Redactor::new(plan.clone(), format, 0).with(tier);
            let found = feed_to(redactor, object, || 1 + random.below(most));
            assert!(found == expected, "{tier:?} {most}: {:?} {:?}", found.1, expected.1);
        }
    }
    expected
}

/// One record between two others: which end it has, by how far its member stands from its start.
#[test]
fn what_is_not_decided_within_the_hold_is_withheld() {
    let masks = with_rows(OWN, &[]);
    let member = "\"tenant\":\"acme\"";
    for (pad, shown) in [(HOLD - 40, true), (HOLD - 23, true), (HOLD - 22, false), (HOLD + 1000, false)] {
        for behind in [0, 100_000] {
            let record = format!("{{\"p\":\"{}\",{member},\"q\":\"{}\"}}", "x".repeat(pad), "y".repeat(behind));
            let object = format!("{{{member}}}\n{record}\n{{{member}}}\n");
            let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
            assert_eq!((ended, out.len()), (Ok(()), object.len()), "{pad}");
            assert_eq!((tally.records, tally.records_withheld), (3, u64::from(!shown)), "{pad} {behind}");
            let found = &text(&out)[18..18 + record.len()];
            assert!(if shown { found == record } else { found.trim_end() == "{}" }, "{pad} {behind}");
            assert!(out.starts_with(format!("{{{member}}}\n").as_bytes()) && out.ends_with(b"\"acme\"}\n"));
        }
    }
    // White space counts, too: the record begins with its line.
    let object = format!("{}{{{member}}}\n{{{member}}}\n", " ".repeat(HOLD - 5));
    let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
    assert_eq!((ended, out.len(), tally.records_withheld), (Ok(()), object.len(), 1));
}

/// It was shown, and a reader that takes the last member would see another's record: the response is cut.
#[test]
fn a_record_that_contradicts_itself_beyond_the_hold_cuts_the_response() {
    let masks = with_rows(OWN, &[("** k", Mask)]);
    let own = "{\"tenant\":\"acme\"}\n";
    for (late, at) in [("\"tenant\":\"emca\"", 15), ("\"tenant\":{}", 9), ("\"tenant\":[1]", 9), ("\"tenant\": 7 ", 11)]
    {
        let head = format!("{{\"tenant\":\"acme\",\"k\":\"secret\",\"p\":\"{}\",", "x".repeat(2 * HOLD));
        let object = format!("{own}{head}{late},\"z\":\"ZZZ\"}}\n{own}");
        let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
        let fault = ended.unwrap_err();
        assert_eq!(fault.offset as usize, own.len() + head.len() + at, "{late}: {fault}");
        assert!(!text(&out).contains("ZZZ") && !fault.is_withheld(), "{late}");
        assert_eq!((tally.records, tally.records_withheld), (1, 0));
    }
    // Within the hold it is withheld, and what only adds to it does no harm.
    let object = format!("{{\"tenant\":\"acme\",\"p\":\"{}\",\"tenant\":1}}\n{own}", "x".repeat(HOLD / 2));
    let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
    assert_eq!((ended, tally.records_withheld), (Ok(()), 1));
    assert!(out.ends_with(format!(" \n{own}").as_bytes()));
    let object = format!("{{\"tenant\":\"acme\",\"p\":\"{}\",\"tenant\":\"acme\"}}\n", "x".repeat(2 * HOLD));
    let (out, ended, _) = judged(&masks, Format::Jsonl, object.as_bytes());
    assert_eq!((text(&out), ended), (object, Ok(())));
}

#[test]
fn a_document_is_one_record() {
    let masks = with_rows(OWN, &[("** k", Mask)]);
    let long = "x".repeat(2 * HOLD);
    for (object, shown) in [
        ("{\"tenant\":\"acme\",\n\"a\":1}".to_owned(), true),
        ("{\"tenant\":\"emca\"}".to_owned(), false),
        ("[{\"tenant\":\"acme\"}]".to_owned(), false),
        ("\"acme\"".to_owned(), false),
        ("7".to_owned(), false),
        ("{}".to_owned(), false),
        (format!("{{\"tenant\":\"acme\",\"p\":\"{long}\"}}"), true),
        (format!("{{\"p\":\"{long}\",\"tenant\":\"acme\"}}"), false),
        (format!("{}{{\"tenant\":\"acme\"}}", " ".repeat(2 * HOLD)), false),
    ] {
        let (out, ended, _) = judged(&masks, Format::Json, object.as_bytes());
        if shown {
            assert_eq!((text(&out), ended), (object, Ok(())));
        } else {
            assert!(ended.unwrap_err().is_withheld(), "{ended:?}");
            assert_eq!(text(&out).trim(), "");
        }
    }
    // A broken one is broken before anything else, where that comes first.
    let (_, ended, _) = judged(&masks, Format::Json, b"{\"tenant\" \"emca\"}");
    assert!(!ended.unwrap_err().is_withheld());
}

/// A broken record is blanked as ever, the one behind it too, whatever its members; a long one cuts.
#[test]
fn broken_records_are_broken_whosever_they_are() {
    let masks = with_rows(OWN, &[]);
    let own = "{\"tenant\":\"acme\"}\n";
    for (broken, cut) in [
        ("{\"tenant\":\"emca\",}\n".to_owned(), false),
        ("{\"tenant\":\"acme\",}\n".to_owned(), false),
        (format!("{{\"tenant\":\"emca\",\"p\":\"{}\n", "x".repeat(2 * HOLD)), true),
    ] {
        let object = format!("{own}{broken}{own}{own}");
        let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
        assert_eq!(ended.is_err(), cut);
        assert!(out.starts_with(own.as_bytes()) && !text(&out).contains("emca"));
        if !cut {
            assert_eq!((tally.records, tally.records_blanked, tally.records_withheld), (4, 2, 0));
            assert!(out.ends_with(own.as_bytes()) && out.len() == object.len());
        }
    }
    let cut = Masks { on_broken: OnBroken::Cut, ..masks };
    let (out, ended, _) = judged(&cut, Format::Jsonl, format!("{own}{{\"tenant\":\"emca\"}}\n{{]\n{own}").as_bytes());
    assert!(ended.is_err() && text(&out) == format!("{own}{:17}\n", "{}"));
}

#[test]
fn records_made_to_hurt_are_judged_in_constant_memory() {
    let masks = with_rows("$.tenant == \"acme\" and $.a.a.a == 1", &[("** k", Mask)]);
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for (record, shown) in [
        (format!("{{{}\"a\":{}}}", "\"tenant\":\"acme\",".repeat(2000), nested(2)), true),
        (format!("{{\"a\":{}{}}}", nested(2), ",\"tenant\":\"acme\"".repeat(2000)), true),
        (format!("{{\"a\":{}{},\"tenant\":0}}", nested(2), ",\"tenant\":\"acme\"".repeat(10_000)), false),
        (format!("{{\"tenant\":\"acme\",\"a\":{}}}", nested(900)), false),
        (format!("{{\"tenant\":\"acme\",\"a\":{},\"b\":{}}}", nested(2), nested(1000)), true),
        (format!("{{\"tenant\":\"acme\",\"a\":{{\"a\":{{\"a\":1{}}}}}}}", "0".repeat(10_000)), false),
        (format!("{{\"tenant\":\"{}\",\"a\":{}}}", "acme".repeat(10_000), nested(2)), false),
        ("{\"tenant\":\"acme\",\"a\":{\"a\":{\"a\":1e400}}}".to_owned(), false),
    ] {
        let object = format!("{record}\n");
        let contradicts = record.len() > HOLD && record.contains("\"tenant\":0");
        let (out, ended, tally) = judged(&masks, Format::Jsonl, object.as_bytes());
        if contradicts {
            assert!(ended.is_err() && object.starts_with(&text(&out)));
            continue;
        }
        assert_eq!((ended, tally.records_withheld), (Ok(()), u64::from(!shown)), "{}", &record[..60]);
        assert!(if shown { text(&out) == object } else { text(&out).trim_end() == "{}" }, "{}", &record[..60]);
    }
    for (head, body, tail) in [
        ("{\"tenant\":\"", "acme", "\"}\n"),
        ("{\"p\":[", "{\"tenant\":\"acme\"},", "0]}\n"),
        ("{\"tenant\":", "1234", "}\n"),
        ("{\"tenant\":\"acme\",\"a\":{\"a\":{\"a\":1}},\"p\":[", "{\"tenant\":\"acme\"},", "0]}\n"),
        ("{", "\"tenant\":\"acme\",", "\"a\":{\"a\":{\"a\":1}}}\n"),
    ] {
        let (ended, left) = hostile::flood(&masks, Format::Jsonl, head, body, 8 << 20, tail);
        let length = head.len() + (8 << 20) / hostile::PIECE * (hostile::PIECE / body.len()) * body.len() + tail.len();
        assert_eq!((ended, left), (Ok(()), length as u64), "{head}");
    }
}

#[tokio::test]
async fn ranges_of_records_longer_than_the_hold_are_slices_of_the_whole() {
    let plan = plan(&with_rows(OWN, &[("** k", Mask)]));
    let long = |tenant: &str, pad: usize| {
        format!("{{\"k\":\"secret\",\"tenant\":\"{tenant}\",\"p\":\"{}\",\"tenant\":\"{tenant}\"}}\n", "x".repeat(pad))
    };
    let late = format!("{{\"p\":\"{}\",\"tenant\":\"acme\"}}\n", "x".repeat(HOLD));
    let object =
        [long("acme", 3 * HOLD), long("emca", 3 * HOLD), long("acme", 10), late, long("acme", 2 * HOLD)].concat();
    let (all, ended, tally) = at_once(&plan, Format::Jsonl, object.as_bytes());
    assert_eq!((ended, tally.records, tally.records_withheld), (Ok(()), 5, 2));
    let source = ranges::InMemory::of(object, 10_000);
    let mut random = Random(3);
    for _ in 0..60 {
        let first = random.below(all.len());
        let most = [10, 1000, 100_000][random.below(3)];
        let last = first + random.below((all.len() - first).min(most));
        let found = ranges::slice(&source, &plan, Format::Jsonl, first as u64, last as u64).await.unwrap();
        assert!(found == all[first..=last], "{first}-{last}");
    }
}

/// It is read twice, for the test and as JSON, whose escapes wait for their end: the test sees each byte once, and no member.
#[test]
fn a_string_that_is_tested_and_read_is_compared_as_it_is() {
    let masks = with_rows("$.a == \"[5,67]\" and $.tenant == \"acme\"", &[("** k", Mask)]);
    let shown = r#"{"a":"[5\u002c\u0036\u0037]","tenant":"acme","c":"{\"\\u006b\":1}"}"#;
    let other = r#"{"a":"[5,67]","b":"{\"tenant\":\"acme\"}"}"#;
    let object = format!("{shown}\n{other}\n");
    let expected = format!("{}\n{:w$}\n", shown.replace(":1}", ":0}"), "{}", w = other.len());
    for size in 1..40 {
        let (out, ended, tally) = feed(&plan(&masks), Format::Jsonl, object.as_bytes(), || size);
        assert_eq!((text(&out), ended, tally.records_withheld), (expected.clone(), Ok(()), 1), "{size}");
    }
}
