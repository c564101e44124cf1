//! What views can say beyond hiding whole values, by example: the end of a text.

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
