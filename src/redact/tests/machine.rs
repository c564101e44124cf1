//! The machine, on every tier, against the grammar alone: the same bytes, counts, verdicts and offsets.

use super::super::machine::Instructions;
use super::super::machine::tests::tiers;
use super::*;
use crate::limits;

fn read_with(
    instructions: Instructions,
    plan: &Arc<Plan>,
    format: Format,
    text: &[u8],
    size: impl FnMut() -> usize,
) -> Outcome {
    feed_to(Redactor::new(plan.clone(), format, 0).with(instructions), text, size)
}

/// Checks one object on every tier, in pieces that cut it everywhere.
pub(super) fn check(plan: &Arc<Plan>, format: Format, object: &[u8], random: &mut Random) {
    let expected = read_with(Instructions::Bytes, plan, format, object, || usize::MAX);
    let most = [2, 70, 130, 1000][random.below(4)];
    let fixed = [1, 63, 64, 65][random.below(4)];
    for tier in tiers() {
        for way in 0..3 {
            let found = read_with(tier, plan, format, object, || match way {
                0 => usize::MAX,
                1 => fixed,
                _ => 1 + random.below(most),
            });
            assert!(found == expected, "{tier:?} {}: {:?} {:?}", text(object), found.1, expected.1);
        }
    }
}

/// Under masks that find names anywhere, those that follow paths, and those for which everything is told.
#[test]
fn every_tier_gives_what_the_grammar_gives() {
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (mut masks, format) = (random.masks(), random.format());
        match random.below(3) {
            0 => masks.rules.iter_mut().for_each(|rule| {
                let last = rule.field.steps.iter().rfind(|step| matches!(step, Step::Name(_) | Step::Glob(_)));
                rule.field.steps = vec![Step::Descend, last.cloned().unwrap_or(Step::Name("a".into()))];
            }),
            1 => masks
                .rules
                .retain(|rule| !rule.field.steps.iter().any(|step| matches!(step, Step::Index(_) | Step::AnyIndex))),
            _ => {}
        }
        if random.one_in(2) {
            masks.rules.iter_mut().filter(|rule| rule.action == Drop).for_each(|rule| rule.action = Mask);
        }
        if random.one_in(5) {
            masks.on_broken = OnBroken::Cut;
        }
        let mut object = random.object(format);
        while random.one_in(2) {
            object.extend_from_slice(if format == Format::Jsonl { b"\n" } else { b" " });
            object.extend(random.object(format));
        }
        if format == Format::Json && random.one_in(2) {
            object = [b"[", object.as_slice(), b",", &random.object(format), b"]"].concat();
        }
        if random.one_in(2) {
            random.mutate(&mut object);
        }
        check(&plan(&masks), format, &object, &mut random);
    }
}

/// What may stand, or may not, between a comma and a bracket.
const HURTS: &[&str] = &[
    "1 2",
    "1,",
    ",1",
    "01",
    "-01",
    "1.",
    ".5",
    "1.5.2",
    "1e5.2",
    "1e5e2",
    "1e",
    "1e+",
    "-",
    "--1",
    "1-2",
    "+1",
    "1e5-2",
    "tru",
    "truee",
    "true1",
    "1true",
    "truefalse",
    "nul",
    "falsy",
    "NaN",
    "-Infinity",
    "Infinity",
    "Nan",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"\\u123\"",
    "\"\\ud800\"",
    "\"\t\"",
    "\"a",
    "a\"",
    "\\\"a\"",
    "\u{c}",
    "\u{1a}",
    "\u{7f}",
    "\0",
    "{\"a\" 1}",
    "{\"a\"}",
    "{1:2}",
    "{\"a\":1,}",
    "{,}",
    "[}",
    "{]",
    "[1}",
    "}{",
    "][",
    "\"a\"\"b\"",
    "\"a\":1",
    "[1,,2]",
    "\u{FEFF}",
    "'a'",
    "//",
    "{\"k\":[\"\\\\\",\"\\\"\"]}",
    "1.5e-3",
    "0",
    "-0.0E+1",
    "\"\\\\\\\"\"",
    "[[],{},\"\"]",
];

/// Every text of few bytes that hurt, in every place of a block.
#[test]
fn what_is_no_json_is_refused_in_every_place() {
    let mut random = Random(7);
    let cut = Masks { on_broken: OnBroken::Cut, ..masks(&[("** k", Mask)]) };
    let plan = plan(&cut);
    for inner in HURTS {
        for pad in (0..70).step_by(3).chain([61, 62, 64, 65]) {
            let object = format!("[{}\"{}\",{inner}]", " ".repeat(pad % 5), "é".repeat(pad / 2));
            check(&plan, Format::Json, object.as_bytes(), &mut random);
            check(&plan, Format::Jsonl, format!("{object}\n{{\"k\":1}}\n").as_bytes(), &mut random);
        }
    }
}

/// Beyond what the machine follows the grammar reads, and the machine goes on behind it.
#[test]
fn names_and_nesting_beyond_the_machine_are_read_all_the_same() {
    let mut random = Random(8);
    let plan = plan(&masks(&[("** user_id", Mask), ("a ** b", Mask)]));
    for depth in [60, 61, 62, 63, 64, 65, 200] {
        let deep =
            format!("{}\"user_id\":{{\"x\":1}},\"b\":[1]{}", "{\"a\":[{".repeat(depth / 2), "}]}".repeat(depth / 2));
        let object = format!("[{{\"user_id\":1}},{deep},{{\"user_id\":2}}]");
        check(&plan, Format::Json, object.as_bytes(), &mut random);
    }
    let most = limits::JSON_NAME_BYTES_MAX;
    for length in [63, 64, 65, most - 130, most - 64, most - 1, most, most + 1, most + 64] {
        for pad in [0, 1, 62, 63] {
            let name = "n".repeat(length);
            let object = format!("{{\"{}\":0,\"{name}\":1,\"user_id\":2}}", "p".repeat(pad));
            check(&plan, Format::Json, object.as_bytes(), &mut random);
        }
    }
}

/// A text that fills a block but for its quote is a value that begins there.
#[test]
fn regression_a_text_that_begins_with_its_block_is_a_value() {
    let (mut random, plan) = (Random(9), plan(&masks(&[("** user_id", Mask)])));
    for pad in 0..130 {
        let object = format!("[\"{}\",{{\"user_id\":\t\"{}\"}}]", "p".repeat(pad), "s".repeat(200));
        check(&plan, Format::Json, object.as_bytes(), &mut random);
    }
}

/// Whole blocks of plain text are passed over: not what stands among them, at any place of one.
#[test]
fn what_stands_in_a_long_plain_text_is_found() {
    let (mut random, plan) = (Random(10), plan(&masks(&[("** user_id", Mask)])));
    let odd = ["\"", "\\n", "\\u00e9", "\\", "\t", "\n", "\u{7f}", "é", "\u{1F600}", "\",\"user_id\":\"s"];
    for at in (130..330).chain([640, 1023]) {
        let odd = odd[random.below(odd.len())];
        let (before, behind) = ("p".repeat(at), "q".repeat(random.below(300)));
        let object = format!("{{\"a\":\"{before}{odd}{behind}\",\"user_id\":\"{before}\"}}");
        check(&plan, Format::Json, object.as_bytes(), &mut random);
        check(&plan, Format::Jsonl, format!("{object}\n{{\"user_id\":1}}\n").as_bytes(), &mut random);
    }
}

/// Such a byte is the fault, and not the one behind it, which may come with the next piece.
#[test]
fn regression_a_byte_that_begins_no_character_is_the_fault() {
    let plan = plan(&masks(&[("** k", Mask)]));
    for byte in [0xC0, 0xC1, 0xF5, 0xFF] {
        for size in [1, 5, 6, usize::MAX] {
            for tier in tiers() {
                let object = [b"[\"abc", &[byte][..], b"def\"]"].concat();
                let (_, ended, _) = read_with(tier, &plan, Format::Json, &object, || size);
                assert_eq!(ended, Err(Fault { offset: 5, reason: "a string is not UTF-8" }), "{byte:x} {size}");
            }
        }
    }
}

/// What is copied is copied to the same place again, once what was made there is gone.
#[test]
fn copies_use_their_room_again() {
    let mut redactor = Redactor::new(plan(&masks(&[("** k", Mask)])), Format::Jsonl, 0);
    let mut shown = Shown::new();
    let piece = Bytes::from("{\"k\":\"some text\",\"a\":[1,2,3]}\n".repeat(1000));
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..100 {
        redactor.write(piece.clone(), &mut shown).unwrap();
        shown.by_ref().for_each(|bytes| {
            places.insert(bytes.as_ptr() as usize >> 17);
        });
    }
    assert!(places.len() < 6, "{}", places.len());
}
