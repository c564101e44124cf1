//! Objects that differ in what is hidden alone, and not in its size, come out alike: no value is told by where its slack
//! stands. Under `length = "record"` its size is that of all that is hidden in a record.

use proptest::prelude::*;

use super::*;

/// Values of one kind that cannot be told apart once hidden, though as written they differ in length.
const CLASSES: [&[&str]; 4] = [
    &["true", "false", "null", "1234", "-0.5e10", "[1,2,3]", "{\"x\":\"y\"}"],
    &["0", "7", "42", "-1", "[]", "{}"],
    &["\"low\"", "\"high\"", "\"medium\"", "\"a\\u00e9b\""],
    &["\"approved by all\"", "\"denied, as it was before\"", "\"\\u0070ending until\""],
];

/// A record of hidden members, each of its class, that is made as long as it may become by one more, which is hidden, too.
fn record(members: &[(usize, usize)], open: &str, wide: usize) -> String {
    let values = members.iter().map(|(class, choice)| CLASSES[*class][choice % CLASSES[*class].len()]);
    let mut record: String =
        values.enumerate().map(|(at, value)| format!("\"k{at}\":{value},\"s\":\"{open}\",")).collect();
    record.insert(0, '{');
    let pad = wide.checked_sub(record.len() + "\"k\":\"\"}".len()).expect("room for all of it");
    format!("{record}\"k\":\"{}\"}}", "p".repeat(pad))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn records_that_differ_in_hidden_values_alone_come_out_alike(
        members in prop::collection::vec((0..CLASSES.len(), 0..20_usize, 0..20_usize), 1..8),
        open in "[a-z é]{0,12}",
        action in prop::sample::select(vec![Mask, Drop, Partial]),
        hidden in any::<bool>(),
    ) {
        let length = if hidden { LengthRule::Hidden } else { LengthRule::Record };
        let view = plan(&Masks { length: Some(length), ..masks(&[("** k*", action)]) });
        // Of long texts `partial` shows the end: no two of them are alike.
        let members: Vec<_> = members.into_iter().filter(|(class, ..)| action != Partial || *class < 3).collect();
        let choices: [Vec<(usize, usize)>; 2] = [
            members.iter().map(|(class, one, _)| (*class, *one)).collect(),
            members.iter().map(|(class, _, other)| (*class, *other)).collect(),
        ];
        let wide = 100 + 80 * members.len();
        let [one, other] = choices.map(|choices| {
            let record = record(&choices, &open, wide);
            let object = format!("{record}\n[1]\n{record}\n");
            at_once(&view, Format::Jsonl, object.as_bytes())
        });
        prop_assert_eq!(text(&one.0), text(&other.0));
        prop_assert_eq!((one.1, one.2), (other.1, other.2));
    }
}

/// In place, under `length = "field"`, the width of a value shows: what is said of records does not hold there.
#[test]
fn in_place_the_width_of_a_value_shows() {
    let view = plan(&Masks { length: Some(LengthRule::Field), ..masks(&[("** k*", Mask)]) });
    let [one, other] = ["{\"k1\":true,\"k2\":\"abcdef\"}", "{\"k1\":false,\"k2\":\"abcde\"}"]
        .map(|record| text(&at_once(&view, Format::Jsonl, record.as_bytes()).0));
    assert_eq!(one, "{\"k1\":null,\"k2\":\"***\"   }");
    assert_eq!(other, "{\"k1\":null ,\"k2\":\"***\"  }");
}
