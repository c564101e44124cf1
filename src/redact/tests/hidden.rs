//! Lengths that are hidden: nothing stands where a value was shorter, and the size is that of its class.

use super::examples::{check_masks, with};
use super::*;
use crate::redact::size::rounded;

fn hidden(rules: &[(&str, MaskAction)]) -> Masks {
    with(LengthRule::Hidden, rules)
}

/// Checks an object against what is shown of it but for the white space, which `#` stands for.
fn check(masks: &Masks, format: Format, object: &str, expected: &str) {
    let size = rounded(object.len() as u64) as usize;
    let spaces = " ".repeat(size - (expected.len() - 1));
    check_masks(masks, format, object.as_bytes(), Some(expected.replacen('#', &spaces, 1).as_bytes()));
}

#[test]
fn white_space_stands_at_the_end_of_the_object_alone() {
    let masks = hidden(&[("** k", Mask), ("** d", Drop), ("** e", Partial)]);
    for (format, object, expected) in [
        (Format::Json, r#"{"k":"0123456789","a":1}"#, r#"{"k":"[REDACTED]","a":1}#"#),
        (Format::Json, r#"{"k":false, "d":[1,2] ,"a":1}"#, r#"{"k":null ,"a":1}#"#),
        (Format::Json, "{\"e\":\"0123456789ab\"}\n", "{\"e\":\"***89ab\"}#\n"),
        (Format::Json, "[{\"k\":12345}]\r\n", "[{\"k\":null}]#\r\n"),
        (Format::Json, "{} \n \n", "{} \n #\n"),
        (Format::Jsonl, "{\"k\":\"012345678901\"}\n{\"k\":12}\n", "{\"k\":\"[REDACTED]\"}\n{\"k\":0}#\n"),
        (Format::Jsonl, "{\"k\":false}\r\n{\"d\":1}\r\n", "{\"k\":null}\r\n{}#\r\n"),
        (Format::Jsonl, "{\"k\":[]}\n\n{\"a\":1}", "{\"k\":0}\n\n{\"a\":1}#"),
        // Of broken records no length is told either.
        (Format::Jsonl, "broken and long\nx\n{\"a\":1}\n{\"a\":2}\n", "{}\n\n{}\n{\"a\":2}#\n"),
        (Format::Jsonl, "\n", "#\n"),
    ] {
        check(&masks, format, object, expected);
    }
    check_masks(&masks, Format::Jsonl, b"", Some(b""));
    check(&Masks { names: names(&["*"]), ..hidden(&[]) }, Format::Json, r#"{"ada lovelace":1}"#, r##"{"*1":1}#"##);
}

/// Whatever was hidden, and how long it was: objects of one class that show the same show it byte for byte.
#[test]
fn nothing_but_the_class_is_told() {
    let plan = plan(&Masks { keeps: vec![keep(&["n", "k"])], ..hidden(&[("** k", Mask)]) });
    let shown = |object: String| {
        let (out, ended, _) = at_once(&plan, Format::Jsonl, object.as_bytes());
        assert!(ended.is_ok() && out.len() as u64 == rounded(object.len() as u64));
        (out, object.len())
    };
    let record = |secret: usize, more: usize| {
        let (secret, more) = ("s".repeat(12 + secret), "m".repeat(12 + more));
        format!("{{\"n\":1,\"k\":\"{secret}\"}}\n{{\"n\":2,\"other\":\"{more}\"}}\n")
    };
    let (first, length) = shown(record(0, 100));
    let mut lengths = std::collections::BTreeSet::from([length]);
    for (secret, more) in [(1, 99), (50, 50), (100, 0), (0, 0), (7, 0), (20, 30)] {
        let (other, length) = shown(record(secret, more));
        lengths.insert(length);
        let same = other.len() == first.len();
        assert_eq!(same, rounded(length as u64) == first.len() as u64);
        assert!(!same || other == first, "{secret} {more}");
        let visible = |out: &[u8]| text(out).replace(' ', "");
        assert_eq!(visible(&other), visible(&first));
    }
    assert!(lengths.len() >= 4);
}

/// The line ending that stands behind the white space is the last one, wherever pieces end.
#[test]
fn a_line_ending_is_held_until_it_is_known_to_be_the_last() {
    let plan = plan(&hidden(&[("** k", Mask)]));
    let pad = "p".repeat(crate::limits::HOLD_BYTES_MAX);
    for object in [
        "{\"k\":\"hidden value\"}\r\n{\"k\":[1,2,3]}\r\n".to_owned(),
        "{\"a\":1}\n\r\n\n".to_owned(),
        format!("{{\"a\":\"{pad}\",\"k\":\"hidden\"}} \r \r\n"),
        format!("{{\"k\":1}}\n{{\"a\":\"{pad}\"}}\n"),
    ] {
        for format in [Format::Jsonl, Format::Json] {
            let expected = at_once(&plan, format, object.as_bytes());
            for size in [1, 2, 3, 7, 64, 65_536] {
                assert!(feed(&plan, format, object.as_bytes(), || size) == expected, "{format:?} {size}");
            }
        }
    }
}
