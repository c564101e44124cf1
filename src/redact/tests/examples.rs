//! The engine's behaviour by example: paths, actions, lengths, framing, and every counterexample that was ever found.

use super::*;

/// Checks one object in one piece and byte by byte.
fn check(rules: &[(&str, MaskAction)], format: Format, object: &str, expected: &str) {
    check_masks(&masks(rules), format, object.as_bytes(), Some(expected.as_bytes()));
}

pub(super) fn check_masks(masks: &Masks, format: Format, object: &[u8], expected: Option<&[u8]>) {
    let plan = plan(masks);
    for size in [usize::MAX, 1] {
        let (out, ended, _) = feed(&plan, format, object, || size);
        let found = ended.is_ok().then_some(out);
        assert_eq!(found.as_deref().map(text), expected.map(text), "{} {ended:?}", text(object));
    }
}

pub(super) fn with(length: LengthRule, rules: &[(&str, MaskAction)]) -> Masks {
    Masks { length: Some(length), ..masks(rules) }
}

fn refused(format: Format, object: &[u8]) {
    let cut = Masks { on_broken: OnBroken::Cut, ..masks(&[("** user_id", Mask)]) };
    check_masks(&cut, format, object, None);
}

#[test]
fn tokens_by_kind_and_size() {
    for (object, expected) in [
        (r#"{"k":"0123456789"}"#, r#"{"k":"[REDACTED]"}"#),
        (r#"{"k":"012345678"}"#, r#"{"k":"***"      }"#),
        (r#"{"k":"012"}"#, r#"{"k":"***"}"#),
        (r#"{"k":"01"}"#, r#"{"k":""  }"#),
        (r#"{"k":""}"#, r#"{"k":""}"#),
        (r#"{"k":true}"#, r#"{"k":null}"#),
        (r#"{"k":false}"#, r#"{"k":null }"#),
        (r#"{"k":123}"#, r#"{"k":0  }"#),
        (r#"{"k":5}"#, r#"{"k":0}"#),
        (r#"{"k":{"x":[1,2]}}"#, r#"{"k":null       }"#),
        (r#"{"k":[]}"#, r#"{"k":0 }"#),
        (r#"{"k":-Infinity,"l":NaN}"#, r#"{"k":null     ,"l":NaN}"#),
    ] {
        check(&[("k", Mask)], Format::Json, object, expected);
    }
}

#[test]
fn slack_stands_at_the_end_of_the_record() {
    let record = with(LengthRule::Record, &[("k", Mask)]);
    for (format, object, expected) in [
        (Format::Jsonl, "{\"k\":false,\"a\":1}\n{\"k\":12}\r\n", "{\"k\":null,\"a\":1} \n{\"k\":0} \r\n"),
        (Format::Jsonl, "{\"k\":\"abcdefghijklmnop\"} ", "{\"k\":\"[REDACTED]\"}       "),
        (Format::Json, "{\"k\":[1,2,3],\n\"a\":1}\n", "{\"k\":null,\n\"a\":1}   \n"),
    ] {
        check_masks(&record, format, object.as_bytes(), Some(expected.as_bytes()));
    }
}

/// A record's bytes tell the sum of what it hides, never which of its fields had which length.
#[test]
fn a_masked_digit_enum_or_boolean_does_not_show_in_its_record() {
    let plan = plan(&masks(&[("** v", Mask), ("** w", Mask)]));
    for (one, other) in [
        (r#"{"v":true,"a":1,"w":false,"b":"x"}"#, r#"{"v":false,"a":1,"w":true,"b":"x"}"#),
        (r#"{"v":12,"w":345}"#, r#"{"v":999,"w":10}"#),
        (r#"{"v":"administrator","w":"some other user"}"#, r#"{"v":"some other user","w":"administrator"}"#),
        (r#"{"v":"red","w":"green"}"#, r#"{"v":"green","w":"red"}"#),
    ] {
        let shown = |object: &str| text(&at_once(&plan, Format::Jsonl, object.as_bytes()).0);
        assert_eq!(shown(one), shown(other));
    }
}

#[test]
fn paths_find_fields() {
    for (path, object, expected) in [
        (
            "** user_id",
            r#"{"user_id":1,"a":{"user_id":[2]},"b":[[{"user_id":3}]]}"#,
            r#"{"user_id":0,"a":{"user_id":0  },"b":[[{"user_id":0}]]}"#,
        ),
        ("customer email", r#"{"customer":[{"email":7}],"email":8}"#, r#"{"customer":[{"email":0}],"email":8}"#),
        (
            "customer email",
            r#"{"customer":{"x":{"email":7},"email":9}}"#,
            r#"{"customer":{"x":{"email":7},"email":0}}"#,
        ),
        ("a [1]", r#"{"a":[7,8,9],"b":[7,8]}"#, r#"{"a":[7,0,9],"b":[7,8]}"#),
        ("a [*] p", r#"{"a":[{"p":7},[{"p":8}],9],"p":6}"#, r#"{"a":[{"p":0},[{"p":0}],9],"p":6}"#),
        ("a [*]", r#"{"a":[7,[8]],"b":[7]}"#, r#"{"a":[0,0  ],"b":[7]}"#),
        ("a ** p", r#"{"a":{"b":[{"c":{"p":7}}],"p":8},"p":9}"#, r#"{"a":{"b":[{"c":{"p":0}}],"p":0},"p":9}"#),
        ("** *_token", r#"{"x_token":7,"_token":8,"token":9}"#, r#"{"x_token":0,"_token":0,"token":9}"#),
        ("a", r#"[{"a":7},[{"a":8}]]"#, r#"[{"a":0},[{"a":0}]]"#),
        ("[0]", r#"[7,8]"#, r#"[0,8]"#),
        ("k", r#"{"k":1,"k":2,"\u006b":3}"#, r#"{"k":0,"k":0,"\u006b":0}"#),
        ("a/b", r#"{"a\/b":1,"a/b":2}"#, r#"{"a\/b":0,"a/b":0}"#),
        ("** \u{1F600}", r#"{"\ud83d\uDE00":1,"😀":2,"\ud83d":3}"#, r#"{"\ud83d\uDE00":0,"😀":0,"\ud83d":3}"#),
        ("api_key", r#"{"\u0061pi_ke\u0079":1}"#, r#"{"\u0061pi_ke\u0079":0}"#),
    ] {
        check(&[(path, Mask)], Format::Json, object, expected);
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    check(&[("k", Mask), ("** k", Drop)], Format::Json, r#"{"k":1,"a":{"k":2}}"#, r#"{"k":0,"a":{     }}"#);
    check(&[("** k", Drop), ("k", Mask)], Format::Json, r#"{"k":1,"a":{"k":2}}"#, r#"{      "a":{     }}"#);
}

#[test]
fn dropped_members_take_their_comma() {
    for (object, field, record) in [
        (r#"{"k":1}"#, r#"{     }"#, r#"{}     "#),
        (r#"{"k":1,"a":2}"#, r#"{      "a":2}"#, r#"{"a":2}      "#),
        (r#"{"a":2,"k":1}"#, r#"{"a":2      }"#, r#"{"a":2}      "#),
        (r#"{"a":2 , "k" : 1 , "b":3}"#, r#"{"a":2           , "b":3}"#, r#"{"a":2  , "b":3}         "#),
        (r#"{"k":1,"k":[{"k":2}],"b":3}"#, r#"{                    "b":3}"#, r#"{"b":3}                    "#),
        (r#"[{"k":1},{"k":{}}]"#, r#"[{     },{      }]"#, r#"[{},{}]           "#),
    ] {
        for (length, expected) in [(LengthRule::Field, field), (LengthRule::Record, record)] {
            check_masks(&with(length, &[("** k", Drop)]), Format::Json, object.as_bytes(), Some(expected.as_bytes()));
        }
    }
    check(&[("a [*]", Drop)], Format::Json, r#"{"a":[12345,"x"]}"#, r#"{"a":[null ,0  ]}"#);
}

#[test]
fn pseudonyms_are_of_the_decoded_value_and_fit() {
    let plan = plan(&masks(&[("** k", Hmac)]));
    let shown = |value: &str| {
        let (out, ended, _) = at_once(&plan, Format::Jsonl, format!("{{\"k\":{value}}}").as_bytes());
        assert_eq!(ended, Ok(()));
        serde_json::from_slice::<serde_json::Value>(&out).unwrap()["k"].clone()
    };
    let pseudonym = shown(r#""anna@example.com.au""#);
    let characters = pseudonym.as_str().unwrap().strip_prefix("p_").unwrap();
    assert!(characters.len() == 16 && characters.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')));
    assert_eq!(pseudonym, shown(r#""\u0061nna@example.com.a\u0075""#));
    assert_ne!(pseudonym, shown(r#""anna@example.com.at""#));
    assert_ne!(shown(r#""12345678901234567890""#), shown("12345678901234567890"));
    assert_eq!(shown(r#""anna@example.com""#), "[REDACTED]");
    assert_eq!(shown(r#"{"anna":"anna@example.com.au"}"#), serde_json::Value::Null);
    let elsewhere = Masks { pseudonym_scope: "another role".into(), ..masks(&[("** k", Hmac)]) };
    let (out, ..) = at_once(&super::plan(&elsewhere), Format::Jsonl, br#"{"k":"anna@example.com.au"}"#);
    assert!(!text(&out).contains(characters));
}

#[test]
fn broken_records_become_blank_and_are_counted() {
    let object =
        "{\"user_id\":1}\nnot json\n\n{\"a\":\r\n1\nx\n\r\n{\"user_id\":22}\n{\"user_id\":33}\n{\"user_id\":\"torn";
    let expected = "{\"user_id\":0}\n{}      \n\n{}   \r\n \n \n\r\n{}            \n{\"user_id\":0} \n{}              ";
    let plan = plan(&masks(&[("** user_id", Mask)]));
    for size in [usize::MAX, 1, 7] {
        let (out, ended, tally) = feed(&plan, Format::Jsonl, object.as_bytes(), || size);
        assert_eq!((text(&out).as_str(), ended), (expected, Ok(())));
        assert_eq!(tally, Tally { fields: vec![2], records: 8, records_blanked: 6, records_withheld: 0, texts_cut: 0 });
    }
    let cut = Masks { on_broken: OnBroken::Cut, ..masks(&[("** user_id", Mask)]) };
    let (out, ended, _) = at_once(&super::plan(&cut), Format::Jsonl, object.as_bytes());
    assert_eq!((text(&out).as_str(), ended.unwrap_err().offset), ("{\"user_id\":0}\n", 14));
}

/// A reader of lines would see `$.api_key` where a reader of documents sees `$.a.api_key`.
#[test]
fn a_newline_within_a_record_breaks_it() {
    for object in ["{\"a\":\n{\"user_id\":1}}", "{\"a\":\"\n\"}", "[\n]", "{\n}", "[1\n,2]"] {
        refused(Format::Jsonl, object.as_bytes());
        let (out, ended, _) = at_once(&plan(&masks(&[("a user_id", Mask)])), Format::Jsonl, object.as_bytes());
        assert!(ended.is_ok() && !text(&out).contains("user_id"), "{}", text(&out));
    }
}

#[test]
fn counts_are_by_profile() {
    let plan = plan(&masks(&[("** a", Mask), ("** b", Drop), ("** c", Hmac)]));
    let (_, _, tally) =
        at_once(&plan, Format::Jsonl, b"{\"a\":1,\"b\":{\"a\":2},\"c\":3}\n{\"a\":[]}\n{\"a\":1,}\n{\"a\":4}\n");
    assert_eq!(&plan.profiles()[..], [Box::<str>::from("first"), "second".into()]);
    assert_eq!(tally, Tally { fields: vec![3, 1], records: 4, records_blanked: 2, records_withheld: 0, texts_cut: 0 });
}

#[test]
fn empty_objects() {
    for (object, json, jsonl) in [
        ("", None, ""),
        (" \n", None, " \n"),
        ("\u{FEFF}", None, "\u{FEFF}"),
        ("0", Some("0"), " "),
        ("\"text\"", Some("\"text\""), "{}    "),
        ("[]", Some("[]"), "[]"),
    ] {
        for (format, expected) in [(Format::Json, json), (Format::Jsonl, Some(jsonl))] {
            check_masks(&masks(&[("** k", Mask)]), format, object.as_bytes(), expected.map(str::as_bytes));
        }
    }
}

/// The inside of a bigger value is not shown as if it were a record, since rules that begin further out do not find it.
#[test]
fn regression_lines_of_a_document_are_no_records() {
    let rules = [("messages", Mask), ("customer", Mask), ("secret ** x", Mask)];
    let blank = |line: &str| match line.len() {
        0 | 1 => " ".repeat(line.len()),
        width => format!("{{}}{}", " ".repeat(width - 2)),
    };
    for lines in [
        &[("{", None), ("\"customer\":", None), ("\"Alice Secret\"", None), ("}", None), ("", None)][..],
        &[("{\"customer\":", None), (" 98765", None), ("}", None)],
        &[("{\"messages\":[", None), ("{\"content\":\"hidden\"}", None), ("]}", None)],
        &[("{\"messages\":[", None), ("{\"content\":1},", None), ("[2]", None), ("]}", None)],
        &[("[", None), ("", None), ("{\"messages\":1}", None), ("]", None), ("{\"n\":1}", None)],
        &[("{\"secret\":{\"a\":", None), ("{\"x\":1}", None), ("}}", None), ("[0]", None), ("[1]", Some("[1]"))],
        // The next writer went on below a torn line: its second record is shown.
        &[
            ("{\"n\":1}", Some("{\"n\":1}")),
            ("{\"n\":\"tor", None),
            ("{\"n\":2}", None),
            ("{\"customer\":3}", Some("{\"customer\":0}")),
        ],
    ] {
        let object: Vec<_> = lines.iter().map(|(line, _)| *line).collect();
        let shown: Vec<_> =
            lines.iter().map(|(line, shown)| shown.map_or_else(|| blank(line), str::to_owned)).collect();
        check(&rules, Format::Jsonl, &object.join("\n"), &shown.join("\n"));
        let cut = Masks { on_broken: OnBroken::Cut, ..masks(&rules) };
        check_masks(&cut, Format::Jsonl, object.join("\n").as_bytes(), None);
    }
}

/// A record of any length that is not shown because of the one before it: that it is long is no fault.
#[test]
fn a_long_record_behind_a_broken_one_is_blank() {
    let pad = "p".repeat(2 * crate::limits::HOLD_BYTES_MAX);
    let object = format!("[\n{{\"a\":\"{pad}\"}}\n{{\"a\":\"{pad}\"}}\n");
    let expected = format!(" \n{{}}{}\n{{\"a\":\"{pad}\"}}\n", " ".repeat(pad.len() + 6));
    for size in [usize::MAX, 7000] {
        let (out, ended, tally) = feed(&plan(&masks(&[("** k", Mask)])), Format::Jsonl, object.as_bytes(), || size);
        assert!(ended.is_ok() && out == expected.as_bytes());
        assert_eq!((tally.records, tally.records_blanked), (3, 2));
    }
}

#[test]
fn a_byte_order_mark_stands_only_at_the_start() {
    check(&[("k", Mask)], Format::Json, "\u{FEFF}{\"k\":1}", "\u{FEFF}{\"k\":0}");
    check(&[("k", Mask)], Format::Jsonl, "\u{FEFF}{\"k\":1}\n", "\u{FEFF}{\"k\":0}\n");
    for object in ["\u{FEFF}\u{FEFF}1", " \u{FEFF}1", "1\u{FEFF}", "1\n\u{FEFF}2"] {
        refused(Format::Jsonl, object.as_bytes());
    }
    refused(Format::Json, b"\xEF\xBB1");
    refused(Format::Json, b"\xEF");
}

#[test]
fn what_only_lenient_readers_take_is_refused() {
    for object in [
        &b"[1,]"[..],
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{a:1}",
        b"[1 2]",
        b"// x\n1",
        b"{}{}",
        b"[] []",
        b"{\"a\" 1}",
        b"[1}",
        b"{]",
        b"01",
        b"-",
        b"1.",
        b".5",
        b"1e",
        b"+1",
        b"0x1",
        b"--1",
        b"-nan",
        b"nan",
        b"Nan",
        b"tru",
        b"truee",
        b"\"\\x\"",
        b"\"\\u12g4\"",
        b"\"\t\"",
        b"\"\x00\"",
        b"\"a",
        b"\"\xC1\xA1\"",
        b"\"\xED\xA0\x80\"",
        b"\"\xF4\x90\x80\x80\"",
        b"\"\xE2\x82\"",
        b"\x00",
        b"1\x00",
        b"{\"a\":1]",
        b"\xFE\xFF",
        b"{\"a\":1,,\"b\":2}",
        b"{,}",
        b"[,]",
        b"{\"a\"}",
        b"{1:2}",
        b"]",
        b"}",
        b":",
        b",",
    ] {
        refused(Format::Json, object);
        refused(Format::Jsonl, object);
    }
}

#[test]
fn regression_control_bytes_are_no_structure() {
    for object in [&b"[\x0C]"[..], b"[1\x0C2]", b"{\"a\"\x1A1}", b"{\"a\":1\x0C\"b\":2}", b"[\x0B1]", b"\x0C1"] {
        refused(Format::Json, object);
    }
}

#[test]
fn regression_a_word_complete_at_the_end_of_a_piece_goes_on() {
    let plan = plan(&masks(&[("** k", Mask)]));
    for (object, cut) in [("[true6]", 5), ("[null0]", 5), ("[1true]", 2), ("[-]", 2), ("true6", 4)] {
        let mut sizes = [cut, usize::MAX].into_iter();
        let (out, ended, _) = feed(&plan, Format::Json, object.as_bytes(), || sizes.next().unwrap());
        assert!(ended.is_err() && out.is_empty(), "{object}");
    }
}

#[test]
fn regression_the_end_of_a_masked_scalar_leaves_the_bracket_behind_it() {
    let rules = [("a k", Mask), ("b", Mask)];
    check(&rules, Format::Json, r#"{"a":{"k":12},"b":3,"c":{"b":4}}"#, r#"{"a":{"k":0 },"b":0,"c":{"b":4}}"#);
    check(&rules, Format::Json, r#"{"a":[{"k":12}],"b":3}"#, r#"{"a":[{"k":0 }],"b":0}"#);
}

#[test]
fn regression_escapes_across_pieces_keep_their_width() {
    check(&[("k", Mask)], Format::Json, r#"{"k":"\u00e9\\\"\ud83d\ude00"}"#, r#"{"k":"[REDACTED]"            }"#);
}
