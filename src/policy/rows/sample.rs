//! Conditions tried on a record that an admin wrote down, for the tables of cases: whole in memory, and simple. How the
//! records of objects are judged is the redactor's matter.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Fits, RowFilter, Scalar};

/// Whether the record is shown; `None` where it is no JSON object.
///
/// Of two members of one name the last one counts here.
pub fn shows(filter: &RowFilter, record: &str) -> Option<bool> {
    members(record)?;
    let tests = filter.tests().iter().enumerate();
    let held = tests.filter(|(_, test)| fits(record, &test.path, &test.fits)).fold(0, |held, (at, _)| held | 1 << at);
    Some(filter.holds(held))
}

fn members(value: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(value).ok()
}

fn fits(value: &str, path: &[Box<str>], how: &Fits) -> bool {
    let Some((name, rest)) = path.split_first() else {
        let word = || Scalar::of_word(value.as_bytes()).is_some_and(|word| how.word(&word));
        return serde_json::from_str::<String>(value).map_or_else(|_| word(), |text| how.text(text.as_bytes()));
    };
    members(value).and_then(|members| Some(fits(members.get(&**name)?.get(), rest, how))).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::Rows;
    use super::*;
    use crate::identity::Claims;

    #[test]
    fn a_record_is_shown_or_not() {
        let rows = Rows::parse("$.tenant == \"acme\" and ($.n != 5 or $.a.b in [null, true])").unwrap();
        let filter = RowFilter::of([&rows], &Claims::new()).unwrap();
        for (record, shown) in [
            (r#"{"tenant":"acme","n":6}"#, Some(true)),
            (r#"{"tenant":"\u0061cme","n":5.0,"a":{"b":null}}"#, Some(true)),
            (r#"{"tenant":"acme","n":50e-1}"#, Some(false)),
            (r#"{"tenant":"acme","n":12345678901234567890123}"#, Some(true)),
            (r#"{"tenant":"acme","n":5,"a":[{"b":true}]}"#, Some(false)),
            (r#"{"tenant":["acme"],"n":6}"#, Some(false)),
            (r#"{"n":6}"#, Some(false)),
            (r#"[{"tenant":"acme","n":6}]"#, None),
            ("tenant", None),
        ] {
            assert_eq!(shows(&filter, record), shown, "{record}");
        }
    }
}
