//! What views can say beyond hiding whole values, by example: the end of a text, the names of members.

use super::examples::{check_masks, with};
use super::*;

#[test]
fn the_last_four_characters_of_a_long_text_stay() {
    for (object, expected) in [
        (r#"{"k":"0123456789ab"}"#, r#"{"k":"***89ab"     }"#),
        (r#"{"k":"0123456789a"}"#, r#"{"k":"[REDACTED]" }"#),
        (r#"{"k":"012345678"}"#, r#"{"k":"***"      }"#),
        (r#"{"k":"éééééééééé-1"}"#, r#"{"k":"***éé-1"             }"#),
        (r#"{"k":"\u00e9ééééééééé-1"}"#, r#"{"k":"***éé-1"                 }"#),
        (r#"{"k":"01234567\ud83d\ude00\"\\\u000A"}"#, "{\"k\":\"***\u{1F600}\\\"\\\\\\n\"                 }"),
        (r#"{"k":"01234567\/\ud800\u00e9x"}"#, r#"{"k":"***/\ud800éx"          }"#),
        (r#"{"k":123456789012345}"#, r#"{"k":null           }"#),
        (r#"{"k":["0123456789ab"]}"#, r#"{"k":null            }"#),
    ] {
        check_masks(&masks(&[("** k", Partial)]), Format::Json, object.as_bytes(), Some(expected.as_bytes()));
    }
    let record = with(LengthRule::Record, &[("** k", Partial)]);
    let (object, expected) = (r#"{"k":"0123456789ab","n":1}"#, r#"{"k":"***89ab","n":1}     "#);
    check_masks(&record, Format::Jsonl, object.as_bytes(), Some(expected.as_bytes()));
}

/// However long the text is and wherever a piece ends, what is kept of it is constant.
#[test]
fn the_end_of_a_text_is_found_in_any_pieces() {
    let plan = plan(&with(LengthRule::Record, &[("** k", Partial)]));
    let long = "\u{1F600}".repeat(50_000);
    for end in ["abcd", "\\ud83d\\ude01é\\n", "\u{1F601}\u{1F602}\\u0001\\\\"] {
        let object = format!("{{\"k\":\"{long}{end}\",\"n\":1}}");
        let expected = at_once(&plan, Format::Jsonl, object.as_bytes());
        for size in [1, 3, 64, 65_537] {
            assert!(feed(&plan, Format::Jsonl, object.as_bytes(), || size) == expected, "{end} {size}");
        }
        let shown: serde_json::Value = serde_json::from_slice(&expected.0).unwrap();
        let text = serde_json::from_str::<String>(&format!("\"{end}\"")).unwrap();
        let last: String = format!("{long}{text}").chars().rev().take(4).collect();
        assert_eq!(shown["k"], format!("***{}", last.chars().rev().collect::<String>()));
    }
}

fn check_names(members: &[&str], rules: &[(&str, MaskAction)], object: &str, expected: &str) {
    let masks = Masks { names: names(members), ..with(LengthRule::Field, rules) };
    check_masks(&masks, Format::Json, object.as_bytes(), Some(expected.as_bytes()));
}

#[test]
fn names_below_an_object_are_hidden_and_its_values_stay() {
    for (members, object, expected) in [
        (
            "by_user *",
            r#"{"by_user":{"ada@example.com":{"n":1},"bob@example.com" : 2},"n":3}"#,
            r#"{"by_user":{"*1"             :{"n":1},"*2"              : 2},"n":3}"#,
        ),
        ("by_user *", r#"{"by_user":[{"ada":1},{"bob":2}]}"#, r#"{"by_user":[{"*1" :1},{"*1" :2}]}"#),
        ("by_user *", r#"{"a":{"by_user":{"ada":1}}}"#, r#"{"a":{"by_user":{"ada":1}}}"#),
        ("** by_user *", r#"{"a":{"by_user":{"ada":1}}}"#, r#"{"a":{"by_user":{"*1" :1}}}"#),
        ("*", r#"{"ada":{"bob":1}}"#, r#"{"*1" :{"bob":1}}"#),
        ("** *", r#"{"ada":[{"bob":1}]}"#, r#"{"*1" :[{"*1" :1}]}"#),
        ("a [1] *", r#"{"a":[{"ada":1},{"ada":1}]}"#, r#"{"a":[{"ada":1},{"*1" :1}]}"#),
        // Names of one and no byte; such that stand twice; one with escapes.
        ("*", r#"{"a":1,"b":2,"":3,"c":4}"#, r#"{"A":1,"B":2,"":3,"C":4}"#),
        ("*", r#"{"ada":1,"ada":2}"#, r#"{"*1" :1,"*2" :2}"#),
        ("*", r#"{"\u0061da":1,"\"":2}"#, r#"{"*1"      :1,"*2":2}"#),
    ] {
        check_names(&[members], &[], object, expected);
    }
    let record = Masks { names: names(&["*"]), ..with(LengthRule::Record, &[]) };
    check_masks(&record, Format::Jsonl, b"{\"ada\":1,\"bob\" :2}\n{}\n", Some(b"{\"*1\":1,\"*2\" :2}  \n{}\n"));
}

/// What other rules look for is what was written.
#[test]
fn rules_below_hidden_names_see_the_names_as_they_are() {
    let object = r#"{"by":{"ada":{"email":12,"n":1},"bob":3,"eve":{"email":4}}}"#;
    for (rules, expected) in [
        (("by * email", Mask), r#"{"by":{"*1" :{"email":0 ,"n":1},"*2" :3,"*3" :{"email":0}}}"#),
        (("by bob", Mask), r#"{"by":{"*1" :{"email":12,"n":1},"*2" :0,"*3" :{"email":4}}}"#),
        (("by bob", Drop), r#"{"by":{"*1" :{"email":12,"n":1}        ,"*2" :{"email":4}}}"#),
        (("by ada", Drop), r#"{"by":{                         "*1" :3,"*2" :{"email":4}}}"#),
        (("by", Mask), r#"{"by":null                                                }"#),
    ] {
        check_names(&["by *"], &[rules], object, expected);
    }
    let tally = at_once(&plan(&Masks { names: names(&["by *"]), ..masks(&[]) }), Format::Json, object.as_bytes()).2;
    assert_eq!(tally.fields, [3]);
}

/// A name that came with an earlier piece is still there to be replaced, also beyond the hold.
#[test]
fn hidden_names_in_any_pieces() {
    let plan = plan(&Masks { names: names(&["by *"]), ..masks(&[]) });
    let long = "n".repeat(crate::limits::JSON_NAME_BYTES_MAX - 5);
    let members: String = (0..40).map(|at| format!(",\"{at:05}{long}\":{at}")).collect();
    let object = format!("{{\"pad\":0,\"by\":{{\"first\":0{members}}}}}");
    let expected = at_once(&plan, Format::Json, object.as_bytes());
    assert!(expected.1.is_ok() && !text(&expected.0).contains("nnn") && expected.0.len() == object.len());
    let shown: serde_json::Value = serde_json::from_slice(&expected.0).unwrap();
    assert_eq!((shown["by"].as_object().unwrap().len(), &shown["by"]["*41"]), (41, &39.into()));
    for size in [1, 63, 64, 65, 4096, 70_000] {
        assert!(feed(&plan, Format::Json, object.as_bytes(), || size) == expected, "{size}");
    }
    let torn = &object.as_bytes()[..object.len() - 2000];
    let (out, ended, _) = at_once(&plan, Format::Json, torn);
    assert!(ended.is_err() && !text(&out).contains("nnn") && out.len() > crate::limits::HOLD_BYTES_MAX);
}

fn check_kept(keeps: &[&[&str]], rules: &[(&str, MaskAction)], object: &str, expected: &str) {
    let keeps = keeps.iter().map(|fields| keep(fields)).collect();
    let masks = Masks { keeps, ..with(LengthRule::Field, rules) };
    check_masks(&masks, Format::Json, object.as_bytes(), Some(expected.as_bytes()));
}

#[test]
fn only_what_is_kept_is_shown() {
    for (kept, object, expected) in [
        (&["a"][..], r#"{"a":{"b":[1,"x"]},"c":12,"d":"text"}"#, r#"{"a":{"b":[1,"x"]},"c":0 ,"d":"***" }"#),
        (&["a b"], r#"{"a":{"b":1,"c":2},"b":{"a":1}}"#, r#"{"a":{"b":1,"c":0},"b":null   }"#),
        (&["a b"], r#"{"a":[7,[{"b":1}],{"c":[]}]}"#, r#"{"a":[0,[{"b":1}],{"c":0 }]}"#),
        (&["a b"], r#"{"a":7,"x":{}}"#, r#"{"a":0,"x":0 }"#),
        // Anywhere: whatever has brackets is gone into.
        (&["** n"], r#"{"x":{"n":1,"m":2},"y":[[3]],"z":{}}"#, r#"{"x":{"n":1,"m":0},"y":[[0]],"z":{}}"#),
        (&["a [1]"], r#"{"a":[7,{"b":8},9]}"#, r#"{"a":[0,{"b":8},0]}"#),
        // An element is none of an object's, a member none of an array's.
        (&["a [1]"], r#"{"a":{"b":8}}"#, r#"{"a":null   }"#),
        (&["a", "b c"], r#"{"b":{"c":1,"d":2},"a":3}"#, r#"{"b":{"c":1,"d":0},"a":3}"#),
        // The outermost brackets stay, and a scalar that stands alone does not.
        (&["[0]"], r#"{"a":7,"b":{}}"#, r#"{"a":0,"b":0 }"#),
        (&["a"], r#"[{"a":7},8]"#, r#"[{"a":7},0]"#),
        (&["a"], r#""some text""#, r#""***"      "#),
        (&["a"], "12 ", "0  "),
        (&["a"], r#"{"\u0061":7,"A":8}"#, r#"{"\u0061":7,"A":0}"#),
    ] {
        check_kept(&[kept], &[], object, expected);
    }
}

#[test]
fn what_several_allow_lists_show_is_what_all_of_them_keep() {
    let object = r#"{"a":{"b":1,"c":2},"d":3,"e":{"b":4}}"#;
    for (keeps, expected) in [
        (&[&["a"][..], &["** b"]][..], r#"{"a":{"b":1,"c":0},"d":0,"e":null   }"#),
        (&[&["** b"], &["a", "d"]], r#"{"a":{"b":1,"c":0},"d":0,"e":null   }"#),
        (&[&["a"], &["d"]], r#"{"a":null         ,"d":0,"e":null   }"#),
        (&[&["a", "d"], &["d"], &["d", "e"]], r#"{"a":null         ,"d":3,"e":null   }"#),
    ] {
        check_kept(keeps, &[], object, expected);
    }
}

#[test]
fn other_rules_count_within_what_is_kept() {
    let object = r#"{"a":{"id":"0123456789abcdef0123","n":1},"id":"0123456789abcdef0123"}"#;
    for (rules, expected) in [
        (&[("** id", Mask)][..], r#"{"a":{"id":"[REDACTED]"          ,"n":1},"id":"[REDACTED]"          }"#),
        (&[("** id", Partial)], r#"{"a":{"id":"***0123"             ,"n":1},"id":"[REDACTED]"          }"#),
        (&[("id", Drop)], r#"{"a":{"id":"0123456789abcdef0123","n":1}                            }"#),
        (&[("a", Mask)], r#"{"a":null                               ,"id":"[REDACTED]"          }"#),
    ] {
        check_kept(&[&["a"]], rules, object, expected);
    }
    let masks = Masks { keeps: vec![keep(&["a"])], names: names(&["*"]), ..with(LengthRule::Field, &[]) };
    let (object, expected) = (r#"{"a":{"b":1},"user":2}"#, r#"{"A":{"b":1},"*2"  :0}"#);
    check_masks(&masks, Format::Json, object.as_bytes(), Some(expected.as_bytes()));
    let tally = at_once(&plan(&masks), Format::Json, object.as_bytes()).2;
    assert_eq!((tally.fields, plan(&masks).profiles().to_vec()), (vec![2, 1], vec!["names".into(), "kept".into()]));
}
