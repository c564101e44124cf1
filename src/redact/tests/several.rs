//! JSON objects of several documents: each is what it would be alone, and what stands between them passes.

use super::*;
use crate::limits;

fn masks_of_several(length: Option<LengthRule>) -> Masks {
    Masks { concatenated: true, length, ..masks(&[("** user_id", Mask), ("a [0]", Drop), ("** b", Hmac)]) }
}

/// One after the other, with white space between them or without, on any tier, in any pieces.
#[test]
fn several_documents_are_each_what_it_is_alone() {
    for seed in seeds(600) {
        let mut random = Random(seed);
        let masks = masks_of_several([None, Some(LengthRule::Record)][random.below(2)]);
        let one = Masks { concatenated: false, ..masks.clone() };
        let (mut object, mut expected, mut count) = (Vec::new(), Vec::new(), 0);
        for _ in 0..=random.below(6) {
            let document = loop {
                let mut document = Vec::new();
                random.value(&mut document, 0, true);
                let document = document.trim_ascii().to_vec();
                if document.starts_with(b"{") || document.starts_with(b"[") {
                    break document;
                }
            };
            let between = random.of::<[u8]>(&[b"", b"\n", b" \r\n\t", &[b' '; 90]]);
            object.extend([&document, between].concat());
            let (shown, ended, _) = at_once(&plan(&one), Format::Json, &document);
            assert_eq!(ended, Ok(()));
            expected.extend([&shown, between].concat());
            count += 1;
        }
        let plan = plan(&masks);
        let most = [1, 3, 70, 1000][random.below(4)];
        for tier in super::super::machine::tests::tiers() {
            let redactor = Redactor::new(plan.clone(), Format::Json, 0).with(tier);
            let (out, ended, tally) = feed_to(redactor, &object, || 1 + random.below(most));
            assert_eq!((text(&out), ended), (text(&expected), Ok(())), "seed {seed} {tier:?} {}", text(&object));
            assert_eq!(tally.records, count, "seed {seed}");
        }
        assert!(count < 2 || at_once(&self::plan(&one), Format::Json, &object).1.is_err(), "only where it is said");
    }
}

/// What is broken cuts the object there; documents before it are shown.
#[test]
fn a_broken_one_of_several_documents_cuts_what_follows() {
    let plan = plan(&masks_of_several(None));
    for broken in ["{\"user_id\":1}]", "{}1", "{} \"a\"", "{}{", "[1],[2]", "{}null", "1 2", "", "  ", "{}\u{FEFF}{}"] {
        for size in [1, 1000] {
            let (out, ended, _) = feed(&plan, Format::Json, broken.as_bytes(), || size);
            assert!(ended.is_err() && out.len() < 3 + "{\"user_id\":0}".len(), "{broken} {}", text(&out));
        }
    }
    let sound = "{\"user_id\":\"someone else\"}".repeat(limits::HOLD_BYTES_MAX / 20);
    let (out, ended, _) = at_once(&plan, Format::Json, format!("{sound}{{\"user_id\":\"someone else\"]").as_bytes());
    assert!(ended.is_err() && text(&out) == sound.replace("someone else", "[REDACTED]").replace("\"}", "\"  }"));
}
