//! JSON in strings by example: which texts are read, where paths lead, what is cut, and that a reader finds no more.

use super::*;
use crate::limits;

/// Checks one object in pieces of many sizes.
fn check(masks: &Masks, format: Format, object: &str, expected: &str) {
    let plan = plan(masks);
    for size in [usize::MAX, 1, 2, 7, 63, 64, 65] {
        let (out, ended, _) = feed(&plan, format, object.as_bytes(), || size);
        assert_eq!((text(&out).as_str(), ended), (expected, Ok(())), "{object} in pieces of {size}");
    }
    assert_eq!(
        oracle::redact(object.as_bytes(), format, masks, &key()).as_deref().map(text).as_deref(),
        Some(expected)
    );
}

/// The text as a string, within so many further strings.
fn written(text: &str, levels: usize) -> String {
    (0..=levels).fold(text.to_owned(), |text, _| serde_json::to_string(&text).unwrap())
}

#[test]
fn rules_hold_within_strings() {
    for (path, object, expected) in [
        ("** user_id", r#"{"arguments":"{\"user_id\":\"u1\"}"}"#, r#"{"arguments":"{\"user_id\":\"\"  }"}"#),
        ("** user_id", r#"{"a":"{\"user_id\":\"anna@example\"}"}"#, r#"{"a":"{\"user_id\":\"[REDACTED]\"  }"}"#),
        ("** user_id", r#"["[{\"user_id\":false}]","{\"b\":1}"]"#, r#"["[{\"user_id\":null }]","{\"b\":1}"]"#),
        ("** user_id", r#""{\"user_id\":12}""#, r#""{\"user_id\":0 }""#),
        // The string's document stands in its place.
        (
            "a user_id",
            r#"{"a":"{\"user_id\":1}","b":"{\"user_id\":1}"}"#,
            r#"{"a":"{\"user_id\":0}","b":"{\"user_id\":1}"}"#,
        ),
        ("a b c", r#"{"a":{"b":"[{\"c\":1},{\"d\":{\"c\":1}}]"}}"#, r#"{"a":{"b":"[{\"c\":0},{\"d\":{\"c\":1}}]"}}"#),
        ("a [1]", r#"{"a":"[7,8,9]","b":"[7,8]"}"#, r#"{"a":"[7,0,9]","b":"[7,8]"}"#),
        ("user_id", r#"{"a":"{\"user_id\":1}"}"#, r#"{"a":"{\"user_id\":1}"}"#),
        // Escapes of any level, in names, too.
        (
            "** user_id",
            r#"{"a":"\u007b\"user\u005fi\\u0064\"\u003a\u0031}"}"#,
            r#"{"a":"\u007b\"user\u005fi\\u0064\"\u003anull  }"}"#,
        ),
        (
            "** \u{1F600}",
            r#"{"a":"{\"\\ud83d\\uDE00\":1,\"\ud83d\ude00\":2}"}"#,
            r#"{"a":"{\"\\ud83d\\uDE00\":0,\"\ud83d\ude00\":0}"}"#,
        ),
        // White space before it, and several values one behind the other.
        ("** k", r#"{"a":" \n\t\r{\"k\":1}\n{\"k\":2} [3]\n"}"#, r#"{"a":" \n\t\r{\"k\":0}\n{\"k\":0} [3]\n"}"#),
    ] {
        check(&masks(&[(path, Mask)]), Format::Json, object, expected);
    }
}

#[test]
fn a_token_is_written_as_its_level_wants_it() {
    let hidden = masks(&[("** user_id", Mask)]);
    for levels in 0..limits::EMBEDDED_LEVELS_MAX {
        let object = written(r#"{"user_id":"somebody else","b":1}"#, levels);
        let (out, ended, tally) = at_once(&plan(&hidden), Format::Json, object.as_bytes());
        assert_eq!((ended, tally.fields[0], out.len()), (Ok(()), 1, object.len()));
        let mut shown = text(&out);
        for _ in 0..=levels {
            shown = serde_json::from_str::<String>(&shown).unwrap();
        }
        assert_eq!(shown, r#"{"user_id":"[REDACTED]"   ,"b":1}"#);
    }
}

/// Below the last level nothing is read, so nothing that begins as JSON is shown.
#[test]
fn what_lies_too_deep_is_cut() {
    let hidden = masks(&[("** user_id", Mask)]);
    let object = written(r#"{"b":1}"#, limits::EMBEDDED_LEVELS_MAX);
    let (out, ended, _) = at_once(&plan(&hidden), Format::Json, object.as_bytes());
    assert!(ended.is_ok() && out.len() == object.len() && !text(&out).contains('b'), "{}", text(&out));
    let object = written("plain words", limits::EMBEDDED_LEVELS_MAX);
    check(&hidden, Format::Json, &object, &object);
}

#[test]
fn slack_follows_the_rule_of_length() {
    let record = Masks { length: Some(LengthRule::Record), ..masks(&[("** k", Mask)]) };
    let object = r#"{"a":"{\"k\":\"0123456789\",\"b\":\"{\\\"k\\\":false}\"}","c":1}"#;
    let expected = r#"{"a":"{\"k\":\"[REDACTED]\",\"b\":\"{\\\"k\\\":null}\"}","c":1} "#;
    check(&record, Format::Jsonl, object, expected);
    let object = r#"{"a":"{\"k\":\"0123456789ab\"}","b":"{\"k\":1, oops"}"#;
    check(&record, Format::Jsonl, object, r#"{"a":"{\"k\":\"[REDACTED]\"}","b":"{\"k\":0, ***"}   "#);
}

/// No member was seen in them, so no reader of JSON finds one.
#[test]
fn prose_passes() {
    let everything = masks(&[("** *", Mask), ("** user_id", Mask)]);
    for prose in [
        "[INFO] user_id: 5, started",
        "[INFO] {\"user_id\":5}",
        "{name}, your order {order_id} is ready",
        "{'user_id': 'u1'}",
        "{\"a\", \"b\"} is a set",
        "{ \"user_id\" ",
        "[1] Smith et al., [2] Jones",
        "[[link]] and [x] done",
        "\"Quoted\" words: {\"user_id\":5}",
        "\"open",
        "",
        "   ",
        "\n\n# Title\n{\"user_id\":5}",
        "Result: {\"user_id\":5}",
        "[\"a\", \"b\" \"c\"]",
        "{}",
        "[] {} \"text\" [\"a\"] then words",
    ] {
        let object = serde_json::to_string(&[prose]).unwrap();
        check(&everything, Format::Json, &object, &object);
    }
}

/// It is JSON to readers that go deeper, take longer names, skip a mark, or let control characters stand in strings.
#[test]
fn regression_what_others_read_as_json_is_not_prose() {
    let hidden = masks(&[("** k", Mask)]);
    let deep = |open: &str, close: &str| {
        let most = limits::JSON_DEPTH_MAX;
        format!("{}{open}\"k\":\"SECRET\"{close}{}", "[".repeat(most), "]".repeat(most))
    };
    let named = |name: &str| format!("[{{\"{name}\":1,\"k\":\"SECRET\"}},{{\"k\":\"SECRET\"}}]");
    let most = limits::JSON_NAME_BYTES_MAX;
    let texts = [
        deep("{", "}"),
        deep("[[{", "}]]"),
        named(&"n".repeat(most)),
        named(&"n".repeat(most + 1)),
        named(&format!("{}é", "n".repeat(most - 1))),
        named(&format!("{}éé", "n".repeat(most - 1))),
        named(&format!("{}\u{1F600}", "n".repeat(most))),
        named(&"é".repeat(most)),
        named(&"\\u006e".repeat(most / 2)),
        named("a\nb"),
        "[\"a\nb\",{\"k\":\"SECRET\"}]".to_owned(),
        "\u{FEFF}{\"k\":\"SECRET\"}".to_owned(),
        "\u{FEFF}\n[{\"k\":\"SECRET\"}]".to_owned(),
        "[01,-.5,+5.,5.e3,00,{\"k\":\"SECRET\"}]".to_owned(),
    ];
    for text in texts {
        for levels in 0..3 {
            let object = written(&text, levels);
            let expected = oracle::redact(object.as_bytes(), Format::Json, &hidden, &key()).unwrap();
            assert!(!String::from_utf8(expected.clone()).unwrap().contains("SECRET"), "{text}");
            for size in [usize::MAX, 1, 65] {
                let (out, ended, _) = feed(&plan(&hidden), Format::Json, object.as_bytes(), || size);
                assert!((&out, ended) == (&expected, Ok(())), "{text} in pieces of {size}");
            }
        }
    }
    for prose in [
        "\u{FEFF}",
        "\u{FEFF}\u{FEFF}{\"k\":1}",
        " \u{FEFF}{\"k\":1}",
        "\u{FEEF}[",
        "[2026-11-20] {\"k\":1}",
        "[01:23] {\"k\":1}",
        "[+5.3s] {\"k\":1}",
        "[.] x",
        "\"Quoted\n{\"k\":1}",
    ] {
        let object = serde_json::to_string(&[prose]).unwrap();
        check(&hidden, Format::Json, &object, &object);
    }
}

/// Behind a member that was seen, what stops being JSON is not shown.
#[test]
fn what_stops_being_json_is_cut() {
    let hidden = masks(&[("** k", Mask)]);
    for (written, expected) in [
        (r#"{"k":1} and words"#, r#"{"k":0} ***      "#),
        (r#"{"a":1,"b":oops}"#, r#"{"a":1,"b":***  "#),
        (r#"{"a":1} x"#, r#"{"a":1}  "#),
        (r#"{"a":1,}"#, r#"{"a":1, "#),
        // What is hidden when it stops is not shown either.
        (r#"{"a":1,"k":[1,2,oops"#, r#"{"a":1,"k":***      "#),
        (r#"{"a":1,"k":[1,2"#, r#"{"a":1,"k":*** "#),
        (r#"{"a":1,"k":tru"#, r#"{"a":1,"k":***"#),
        // It was cut before it was written: as far as it goes it is JSON.
        (r#"{"k":1,"a":[1,2"#, r#"{"k":0,"a":[1,2"#),
        (r#"{"a":"#, r#"{"a":"#),
    ] {
        let object = serde_json::to_string(&[written]).unwrap();
        check(&hidden, Format::Json, &object, &serde_json::to_string(&[expected]).unwrap());
        let (_, _, tally) = at_once(&plan(&hidden), Format::Json, object.as_bytes());
        // What ends before it is whole is not cut here.
        let whole = ["[1,2", "tru", ":"].iter().any(|end| written.ends_with(end));
        assert_eq!(tally.texts_cut, u64::from(!whole), "{written}");
    }
    // Half a character, which no text has.
    check(&hidden, Format::Json, r#"["{\"a\":\"x\ud83d\",\"k\":1}"]"#, r#"["{\"a\":\"x***              "]"#);
    check(&hidden, Format::Json, r#"["[\"x\ud83d\\ude00\"]"]"#, r#"["[\"x***             "]"#);
    check(&hidden, Format::Json, r#"["[\ud83d] is prose"]"#, r#"["[\ud83d] is prose"]"#);
}

#[test]
fn a_pseudonym_is_the_same_within_a_string() {
    let hashed = masks(&[("** k", Hmac)]);
    let object = r#"{"k":"anna@example.com.au","a":"{\"k\":\"\\u0061nna\u0040example.com.au\"}","b":"{\"k\":12345678901234567890123}"}"#;
    let (out, ended, _) = at_once(&plan(&hashed), Format::Jsonl, object.as_bytes());
    assert_eq!((ended, out.len()), (Ok(()), object.len()));
    let shown: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let inner = |name: &str| serde_json::from_str::<serde_json::Value>(shown[name].as_str().unwrap()).unwrap();
    assert!(shown["k"].as_str().unwrap().starts_with("p_"));
    assert_eq!(inner("a")["k"], shown["k"]);
    assert_ne!(inner("b")["k"], shown["k"]);
}

/// A member keeps its name within a string, and only its value goes.
#[test]
fn a_dropped_member_within_a_string_is_null() {
    let dropped = masks(&[("** k", Drop)]);
    check(
        &dropped,
        Format::Json,
        r#"{"k":1,"a":"{\"k\":\"secret\",\"b\":1,\"k\":[]}"}"#,
        r#"{      "a":"{\"k\":null      ,\"b\":1,\"k\":0 }"}"#,
    );
}

#[test]
fn strings_are_passed_where_the_masks_say_so() {
    let shallow = Masks { embedded: false, ..masks(&[("** k", Mask)]) };
    let object = r#"{"a":"{\"k\":1}","k":"{\"k\":1}"}"#;
    check(&shallow, Format::Json, object, r#"{"a":"{\"k\":1}","k":"***"      }"#);
}

/// Said by `serde_json`, level by level: under a hidden name a reader finds a token, or nothing that he can read.
#[test]
fn a_reader_of_strings_finds_no_hidden_value() {
    fn look(value: &serde_json::Value, level: usize, found: &mut usize) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    if name == "user_id" {
                        let token = matches!(value.as_str(), Some("[REDACTED]" | "***" | "")) || value.is_null();
                        assert!(token || *value == serde_json::json!(0), "{value} at level {level}");
                        *found += usize::from(level > 0);
                    } else {
                        look(value, level, found);
                    }
                }
            }
            serde_json::Value::Array(elements) => elements.iter().for_each(|element| look(element, level, found)),
            serde_json::Value::String(text) => {
                // One value, or several; numbers and words are prose.
                let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
                let sound = values.map_while(Result::ok);
                let read = sound.take_while(|value| value.is_object() || value.is_array() || value.is_string());
                read.for_each(|value| look(&value, level + 1, found));
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let mut found = 0;
    for seed in seeds(6000) {
        let mut random = Random(seed);
        let mut object = Vec::new();
        let held = random.embedded(0);
        object.push(b'[');
        random.quoted(&mut object, &held);
        object.push(b']');
        let most = 1 + random.below(60);
        let (out, ended, _) = feed(&plan, Format::Json, &object, || 1 + random.below(most));
        if ended.is_ok()
            && let Ok(shown) = serde_json::from_slice(&out)
        {
            look(&shown, 0, &mut found);
        }
    }
    assert!(found > 300, "{found}");
}

/// An escape that is not read to its end waits, however long the record is; nothing else does.
#[test]
fn beyond_the_hold_only_an_open_escape_waits() {
    /// A character of the innermost level: twelve of one level, each of six bytes of the one below.
    const WIDEST: u64 = 12 * 6 * 6;
    let wide =
        |text: &str| text.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect::<String>();
    let innermost = "{\"b\":\"\\ud83d\\ude00\",\"k\":\"secret\"}";
    let object = format!(
        "{{\"pad\":\"{}\",\"a\":\"[\\\"{}\\\"]\"}}",
        "p".repeat(limits::HOLD_BYTES_MAX),
        wide(&wide(innermost))
    );
    let mut redactor = Redactor::new(plan(&masks(&[("** k", Mask)])), Format::Jsonl, 0);
    let (mut shown, mut out, mut waited) = (Shown::new(), Vec::new(), 0);
    for (at, byte) in object.bytes().enumerate() {
        redactor.write(Bytes::copy_from_slice(&[byte]), &mut shown).unwrap();
        shown.by_ref().for_each(|bytes| out.extend_from_slice(&bytes));
        if at > limits::HOLD_BYTES_MAX && !text(&out).contains("k") {
            waited = waited.max(at as u64 + 1 - out.len() as u64);
        }
    }
    redactor.end(&mut shown).unwrap();
    assert!((100..WIDEST).contains(&waited), "{waited}");
}

/// An object that ends, or breaks, within an escape of a text: what waits does not leave, in any pieces.
#[test]
fn an_escape_that_never_ends_does_not_leave() {
    let plan = plan(&masks(&[("** k", Mask)]));
    let pad = "p".repeat(2 * limits::HOLD_BYTES_MAX);
    for (end, waits) in [("", 0), ("\\", 1), ("\\u00", 4), ("\\u005cu00", 9), ("\\\\ud83d\\u005c", 13), ("x", 0)] {
        for broken in ["", "\0"] {
            let object = format!("{{\"pad\":\"{pad}\",\"a\":\"[\\\"{end}{broken}");
            for size in [usize::MAX, 1, 1000, 65_536] {
                let (out, ended, _) = feed(&plan, Format::Json, object.as_bytes(), || size);
                let fault = object.len() - broken.len();
                assert_eq!((ended.unwrap_err().offset as usize, out.len()), (fault, fault - waits), "{end:?} {size}");
            }
        }
    }
}

/// The end of a text would have to be escaped anew, and might not fit.
#[test]
fn of_a_text_within_a_string_no_end_is_shown() {
    check(
        &masks(&[("** k", Partial)]),
        Format::Json,
        r#"{"k":"0123456789ab","a":"{\"k\":\"0123456789ab\"}"}"#,
        r#"{"k":"***89ab"     ,"a":"{\"k\":\"[REDACTED]\"  }"}"#,
    );
}

#[test]
fn an_object_within_a_string_whose_names_are_hidden_is_hidden() {
    let hidden = Masks { names: names(&["people *"]), ..masks(&[]) };
    for (object, expected) in [
        (r#"{"people":"{\"anna\":1}","b":"{\"anna\":1}"}"#, r#"{"people":"null        ","b":"{\"anna\":1}"}"#),
        (r#"{"people":"[{\"anna\":1},2]"}"#, r#"{"people":"[null        ,2]"}"#),
        (r#"{"people":{"anna":"{\"anna\":1}"}}"#, r#"{"people":{"*1"  :"{\"anna\":1}"}}"#),
        (r#"{"people":"[\"{\\\"anna\\\":1}\"]"}"#, r#"{"people":"[\"null            \"]"}"#),
    ] {
        check(&hidden, Format::Json, object, expected);
    }
}

/// Of a string that is not kept as a whole nothing is.
#[test]
fn allow_lists_do_not_go_into_strings() {
    let kept = |path: &str| Masks { keeps: vec![keep(&[path])], ..masks(&[("** k", Mask)]) };
    for (path, object, expected) in [
        ("a", r#"{"a":"{\"k\":1,\"b\":2}","c":"{\"k\":1}"}"#, r#"{"a":"{\"k\":0,\"b\":2}","c":"***"      }"#),
        ("a b", r#"{"a":"{\"b\":1}"}"#, r#"{"a":"***"      }"#),
    ] {
        check(&kept(path), Format::Json, object, expected);
    }
}

#[test]
fn hidden_lengths_are_hidden_within_strings() {
    let hidden = Masks { length: Some(LengthRule::Hidden), ..masks(&[("** k", Mask)]) };
    let object = r#"{"a":"{\"k\":\"0123456789abcdef\"}"}"#;
    check(&hidden, Format::Jsonl, object, &format!("{:64}", r#"{"a":"{\"k\":\"[REDACTED]\"}"}"#));
}

/// Where no path leads, nothing is to be hidden, and a text is not taken apart.
#[test]
fn strings_that_no_path_leads_to_pass() {
    check(
        &masks(&[("a b", Mask)]),
        Format::Json,
        r#"{"a":"{\"b\":1} x y z","c":"{\"b\":1} x y z"}"#,
        r#"{"a":"{\"b\":0} ***  ","c":"{\"b\":1} x y z"}"#,
    );
}
