//! The engine against what is simpler than it: the naive oracle, `serde_json`, itself in other pieces, itself again.

use super::*;
use crate::limits;
use crate::redact::size;

/// Documents and damaged documents, in random pieces, under random masks: byte for byte what the oracle says.
#[test]
fn it_gives_what_the_oracle_gives() {
    for seed in seeds(12_000) {
        let mut random = Random(seed);
        let (masks, format) = (random.masks(), random.format());
        let mut object = random.object(format);
        if random.one_in(2) {
            random.mutate(&mut object);
        }
        let expected = oracle::redact(&object, format, &masks, &key());
        let most = 1 + random.below(40);
        let (out, ended, _) = feed(&plan(&masks), format, &object, || 1 + random.below(most));
        let found = ended.is_ok().then_some(out);
        assert_eq!(
            found.as_deref().map(text),
            expected.as_deref().map(text),
            "seed {seed}: {} {masks:?} {ended:?}",
            text(&object)
        );
    }
}

/// Lone surrogates pass in `IgnoredAny`, as they do here; `NaN` and infinities and a byte order mark are ours alone.
#[test]
fn it_accepts_what_serde_json_accepts() {
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let (mut accepted, mut refused) = (0, 0);
    for seed in seeds(20_000) {
        let mut random = Random(seed);
        let mut object = random.object(Format::Json);
        random.mutate(&mut object);
        let lossy = text(&object);
        if lossy.contains("NaN") || lossy.contains("Infinity") || object.starts_with(b"\xEF\xBB\xBF") {
            continue;
        }
        let sound = std::str::from_utf8(&object)
            .is_ok_and(|object| serde_json::from_str::<serde::de::IgnoredAny>(object).is_ok());
        let (_, ended, _) = feed(&plan, Format::Json, &object, || 1 + random.below(9));
        assert_eq!(ended.is_ok(), sound, "seed {seed}: {lossy} {ended:?}");
        *if sound { &mut accepted } else { &mut refused } += 1;
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}

/// Also faults, error prefixes and counts are the same in any pieces, and beyond the hold.
#[test]
fn any_split_gives_the_same() {
    for seed in seeds(1500) {
        let mut random = Random(seed);
        let (mut masks, format) = (random.masks(), random.format());
        if random.one_in(4) {
            masks.on_broken = OnBroken::Cut;
        }
        let mut object = random.object(format);
        if random.one_in(2) {
            random.mutate(&mut object);
        }
        let plan = plan(&masks);
        let expected = at_once(&plan, format, &object);
        for size in [1, 2, 63, 64, 65] {
            assert_eq!(
                feed(&plan, format, &object, || size),
                expected,
                "seed {seed}, pieces of {size}: {}",
                text(&object)
            );
        }
        let pieces = feed(&plan, format, &object, || 1 + random.below(90));
        assert_eq!(pieces, expected, "seed {seed}: {}", text(&object));
    }
}

/// The same where the record is longer than the hold, so that it leaves before its end.
#[test]
fn any_split_gives_the_same_beyond_the_hold() {
    for seed in seeds(60) {
        let mut random = Random(seed);
        let (masks, format) = (random.masks(), random.format());
        let object = long_object(&mut random, format);
        let plan = plan(&masks);
        let expected = at_once(&plan, format, &object);
        let most = [1, 64, 5000, 70_000][random.below(4)];
        let pieces = feed(&plan, format, &object, || 1 + random.below(most));
        assert!(pieces == expected, "seed {seed}: {:?} {:?}", pieces.1, expected.1);
        if let (Ok(()), Some(oracle)) = (expected.1, oracle::redact(&object, format, &masks, &key())) {
            assert!(expected.0 == oracle, "seed {seed}");
        }
    }
}

/// One record, or document, of more than the hold, sometimes broken behind it.
fn long_object(random: &mut Random, format: Format) -> Vec<u8> {
    let mut object = b"[".to_vec();
    while object.len() < limits::HOLD_BYTES_MAX + 500 {
        random.value(&mut object, 1, format == Format::Json);
        object.extend_from_slice(if random.one_in(300) { &[b' '; 20_000] } else { b"" });
        object.push(b',');
    }
    object.extend_from_slice(b"0]");
    if random.one_in(2) {
        let at = object.len() - 1 - random.below(1000);
        object[at] = 0;
    }
    object
}

/// What hides a value hides every trace of it, also in what left before a fault.
#[test]
fn no_secret_leaves() {
    let masks_of = |action| masks(&[("** user_id", action), ("** *_token", action), ("** deep [*] ** secret", action)]);
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (format, action) = (random.format(), [Mask, Drop, Hmac][random.below(3)]);
        let mut object = Vec::new();
        for _ in 0..=random.below(3) {
            let mut record = Vec::new();
            secret_record(&mut random, &mut record);
            if random.one_in(3) {
                record = random.spread(&record);
            }
            object.extend_from_slice(&record);
            object.extend_from_slice(if format == Format::Jsonl { b"\n" } else { b"" });
            if format == Format::Json {
                break;
            }
        }
        if random.one_in(40) {
            // Beyond the hold, so that something left before the fault.
            let pad = format!("{{\"pad\":\"{}\",\"rest\":", "x".repeat(limits::HOLD_BYTES_MAX + 10));
            let until = object.iter().position(|&byte| byte == b'\n').unwrap_or(object.len());
            object.splice(until..until, *b"}");
            object.splice(0..0, pad.into_bytes());
        }
        if random.one_in(2) {
            let at = random.below(object.len() + 1);
            if random.one_in(2) { object.insert(at, 0) } else { object.truncate(at) }
        }
        let most = 1 + random.below(100);
        let (out, ..) = feed(&plan(&masks_of(action)), format, &object, || 1 + random.below(most));
        let out = text(&out);
        assert!(
            !out.contains('Z') && !out.contains("005a") && !out.contains("005A"),
            "seed {seed}: {} gave {out}",
            text(&object)
        );
    }
}

/// A record in which every secret is made of `Z`, raw or escaped, and nothing else is.
fn secret_record(random: &mut Random, out: &mut Vec<u8>) {
    let nonce = random.next();
    let secret = match random.below(4) {
        0 => format!("\"Z{nonce:x}Z\""),
        1 => format!("\"\\u005aZ\\u005A{}\"", "Z".repeat(random.below(200))),
        2 => "{\"a\":[\"ZZ\",{\"Z\":null}],\"Z\":\"\\\"Z\"}".to_owned(),
        _ => "[[\"Z\"],\"\u{1F600}Z\"]".to_owned(),
    };
    let record = match random.below(6) {
        4 | 5 => {
            // Several levels of strings, some of their characters escaped without need.
            let mut json = format!("{{\"user_id\" :{secret},\"a\":[{{\"\\u0075ser_id\":{secret}}},1]}}").into_bytes();
            for _ in 0..=random.below(limits::EMBEDDED_LEVELS_MAX + 1) {
                let text = String::from_utf8(json).unwrap();
                json = b"{\"a\":".to_vec();
                random.quoted(&mut json, &text);
                json.push(b'}');
            }
            String::from_utf8(json).unwrap()
        }
        0 => format!("{{\"a\":1, \"user_id\" : {secret} , \"b\":\"x\"}}"),
        1 => format!("{{\"\\u0075ser_i\\u0064\":{secret},\"user_id\":{secret}}}"),
        2 => format!("{{\"deep\":[{{\"x\":{{\"secret\":{secret}}}}},{{\"secret\":[{secret}]}}],\"t\":0}}"),
        _ => format!("{{\"list\":[{{\"access_token\":{secret}}},[[{{\"_token\":{secret}}}]]]}}"),
    };
    out.extend_from_slice(record.as_bytes());
}

/// Every line that is not blank is a record by itself, and so is the nearest one before it: said by `serde_json`.
#[test]
fn only_records_behind_records_are_shown() {
    let plan = plan(&masks(&[("** user_id", Mask)]));
    let is_record =
        |line: &str| line.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    let (mut shown, mut hidden) = (0, 0);
    for seed in seeds(8000) {
        let mut random = Random(seed);
        let mut object = random.object(Format::Jsonl);
        if random.one_in(2) {
            random.mutate(&mut object);
        }
        let (Ok(lines), false) =
            (std::str::from_utf8(&object), text(&object).contains('N') || text(&object).contains('I'))
        else {
            continue;
        };
        let (out, ended, _) = at_once(&plan, Format::Jsonl, &object);
        assert_eq!(ended, Ok(()));
        let out = text(&out);
        let mut behind_record = true;
        let unmarked = |text: &str| text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned();
        for (line, out) in unmarked(lines).split('\n').zip(unmarked(&out).split('\n')) {
            let blank = |text: &str| text.trim_matches([' ', '\t', '\r']).to_owned();
            let (line, out) = (blank(line), blank(out));
            if line.is_empty() {
                continue;
            }
            let record = is_record(&line);
            if record && behind_record {
                assert!(line.contains("user_id") || line.contains('\\') || line == out, "seed {seed}: {line} {out}");
                shown += 1;
            } else {
                assert!(out.is_empty() || out == "{}", "seed {seed}: {line} {out}");
                hidden += 1;
            }
            behind_record = record;
        }
    }
    assert!(shown > 1000 && hidden > 1000, "{shown} {hidden}");
}

#[test]
fn redacting_again_alters_nothing() {
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (mut masks, format) = (random.masks(), random.format());
        masks.rules.iter_mut().for_each(|rule| rule.action = if random.one_in(3) { Drop } else { Mask });
        // A dropped element becomes null, and what lies at a dropped member's place is another one's: names only.
        if masks.rules.iter().any(|rule| rule.field.steps.iter().any(|step| matches!(step, Step::Index(_)))) {
            continue;
        }
        // What rules look for may be a name that the first time hides, or one that stands in its place.
        masks.names.clear();
        let plan = plan(&masks);
        let (once, ended, _) = at_once(&plan, format, &random.object(format));
        if ended.is_ok() {
            let (twice, ended, _) = at_once(&plan, format, &once);
            assert_eq!((text(&twice), ended), (text(&once), Ok(())), "seed {seed} {masks:?}");
        }
    }
}

#[test]
fn every_record_keeps_its_length() {
    for seed in seeds(3000) {
        let mut random = Random(seed);
        let (masks, format) = (random.masks(), random.format());
        let object = random.object(format);
        let (out, ended, _) = at_once(&plan(&masks), format, &object);
        if ended.is_err() {
            continue;
        }
        if masks.hides_length() {
            assert_eq!(out.len() as u64, size::rounded(object.len() as u64), "seed {seed}");
            let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
            assert!(format == Format::Json || lines(&out) == lines(&object), "seed {seed}");
            continue;
        }
        assert_eq!(out.len(), object.len(), "seed {seed}");
        if format == Format::Json {
            continue;
        }
        let newlines = |text: &[u8]| -> Vec<usize> { (0..text.len()).filter(|&at| text[at] == b'\n').collect() };
        assert_eq!(newlines(&out), newlines(&object), "seed {seed}");
    }
}
