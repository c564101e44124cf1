//! Objects made to hurt: whatever they hold, memory stays constant and what is too much is refused.

use super::*;
use crate::limits;

pub(super) const PIECE: usize = 64 * 1024;
/// The hold, what is held twice while pieces are copied together, the stacks, and the windows of texts within texts.
const MEMORY_MAX: usize = 3 * limits::HOLD_BYTES_MAX
    + 32 * limits::JSON_DEPTH_MAX
    + (limits::EMBEDDED_LEVELS_MAX + 1) * (6 * limits::EMBEDDED_WINDOW_BYTES + limits::JSON_NAME_BYTES_MAX);

/// Feeds `head`, then `body` over and over up to `total` bytes, then `tail`; gives the end and the bytes shown.
pub(super) fn flood(
    masks: &Masks,
    format: Format,
    head: &str,
    body: &str,
    total: usize,
    tail: &str,
) -> (Result<(), Fault>, u64) {
    let mut redactor = Redactor::new(plan(masks), format, 0);
    let (mut shown, mut left) = (Shown::new(), 0);
    let repeated = Bytes::from(body.repeat(PIECE / body.len()));
    let pieces = std::iter::once(Bytes::from(head.to_owned()))
        .chain(std::iter::repeat_n(repeated, total / PIECE))
        .chain([Bytes::from(tail.to_owned())]);
    for piece in pieces {
        let written = redactor.write(piece, &mut shown);
        assert!(redactor.footprint() <= MEMORY_MAX, "{} bytes kept", redactor.footprint());
        while let Some(bytes) = shown.pop(u64::MAX) {
            left += bytes.len() as u64;
        }
        if written.is_err() {
            return (written, left);
        }
    }
    let ended = redactor.end(&mut shown);
    (ended, left + shown.map(|bytes| bytes.len() as u64).sum::<u64>())
}

#[test]
fn memory_is_constant() {
    const TOTAL: usize = 24 * 1024 * 1024;
    let record = |action| Masks { length: Some(LengthRule::Record), ..masks(&[("** k", action)]) };
    let renamed = || Masks { names: names(&["*"]), ..record(Mask) };
    let kept = || Masks { keeps: vec![keep(&["a", "** n x"])], ..record(Mask) };
    for (masks, head, body, tail, sound) in [
        (record(Mask), "[", "[", "", false),
        (record(Mask), "{\"", "n", "", false),
        (record(Mask), "{\"a\":\"", "text ", "\"}", true),
        (record(Mask), "{\"k\":\"", "text ", "\"}", true),
        (record(Hmac), "{\"k\":\"", "te\\u00e9", "\"}", true),
        (record(Drop), "{\"a\":1,\"k\":\"", "text ", "\",\"b\":2}", true),
        (record(Mask), "{\"a\":\"{\\\"b\\\":\\\"", "text", "\\\"}\"}", true),
        (record(Mask), "{\"a\":\"{\\\"k\\\":\\\"", "text", "\\\"}\"}", true),
        (record(Mask), "{\"a\":\"{\\\"b\\\":", "    ", "1}\"}", true),
        (record(Mask), "{\"a\":\"{\\\"", "name", "\\\":1}\"}", true),
        (record(Mask), "{\"a\":\"{\\\"b\\\":\\\"[\\\\\\\"", "\\\\\\\\\\\\n", "\"}", true),
        (record(Mask), "{\"a\":\"[", "[{},", "\"}", true),
        (record(Mask), "{\"a\":[", "\"{\\\"k\\\":1}\",", "0]}", true),
        (record(Mask), "{\"a\":\"", "\\u007b", "\"}", true),
        (record(Mask), "{\"a\":", "1234", "}", true),
        (record(Mask), "{\"k\":", "1234", "}", true),
        (record(Mask), "{\"k\":[", "[],{},", "0]}", true),
        (record(Mask), "[", "{\"k\":12345},", "0]", true),
        (record(Drop), "{\"a\":1", ",\"k\":12", ",\"b\":2}", true),
        (record(Drop), "{", "\"k\":12,", "\"b\":2}", true),
        (record(Partial), "{\"k\":\"", "te\\u00e9", "\"}", true),
        (renamed(), "{\"a\":1", ",\"kk\":12", "}", true),
        (renamed(), "{\"a\":1,", "    ", "\"b\":2}", true),
        (renamed(), "{\"", "n", "", false),
        (kept(), "{\"a\":[", "[],{},", "0]}", true),
        (kept(), "{\"b\":[", "[],{},", "0]}", true),
        (kept(), "{\"b\":\"", "text ", "\"}", true),
        (record(Mask), "{\"a\":1,", "    ", "\"b\":2}", true),
        (record(Drop), "{\"a\":1,", "    ", "\"b\":2}", false),
        (record(Mask), "{}", "    ", "", true),
        (record(Mask), "", "not json ", "", false),
    ] {
        for format in [Format::Json, Format::Jsonl] {
            let (ended, left) = flood(&masks, format, head, body, TOTAL, tail);
            assert_eq!(ended.is_ok(), sound, "{format:?} {head} {body} {ended:?}");
            let expected = (head.len() + TOTAL / PIECE * (PIECE / body.len() * body.len()) + tail.len()) as u64;
            assert!(
                if sound { left == expected } else { left < expected },
                "{format:?} {head} {body}: {left} of {expected}"
            );
        }
    }
}

#[test]
fn pieces_of_one_byte_cost_no_more() {
    let plan = plan(&masks(&[("** k", Mask)]));
    let mut redactor = Redactor::new(plan, Format::Json, 0);
    let mut shown = Shown::new();
    for byte in
        b"{\"k\":1,\"a\":[".iter().chain(b"\"abc\",{\"k\":12}, ".iter().cycle().take(limits::HOLD_BYTES_MAX - 20))
    {
        redactor.write(Bytes::copy_from_slice(&[*byte]), &mut shown).unwrap();
        assert!(redactor.footprint() <= MEMORY_MAX, "{}", redactor.footprint());
    }
    assert!(shown.is_empty(), "held");
}

#[test]
fn depth_and_names_are_bounded() {
    let plan = plan(&masks(&[("** k", Mask)]));
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let named = |length: usize| format!("{{\"{}\":1}}", "n".repeat(length));
    for (object, expected) in [
        (nested(limits::JSON_DEPTH_MAX), Ok(())),
        (nested(limits::JSON_DEPTH_MAX + 1), Err((limits::JSON_DEPTH_MAX, "it is nested too deeply"))),
        (named(limits::JSON_NAME_BYTES_MAX), Ok(())),
        (named(limits::JSON_NAME_BYTES_MAX + 1), Err((limits::JSON_NAME_BYTES_MAX + 2, "a member's name is too long"))),
    ] {
        for size in [usize::MAX, 1, 64] {
            let (_, ended, _) = feed(&plan, Format::Json, object.as_bytes(), || size);
            assert_eq!(ended.map_err(|fault| (fault.offset as usize, fault.reason)), expected, "{size}");
        }
    }
}

/// The hold decides what becomes of a broken record: exactly at its end, in any pieces.
#[test]
fn a_broken_record_is_blanked_up_to_the_hold_and_cut_beyond() {
    let plan = plan(&masks(&[("** k", Mask)]));
    for (length, at, cut) in [
        (limits::HOLD_BYTES_MAX, 5, false),
        (limits::HOLD_BYTES_MAX + 1, 5, true),
        (limits::HOLD_BYTES_MAX, limits::HOLD_BYTES_MAX - 1, false),
        (limits::HOLD_BYTES_MAX + 1, limits::HOLD_BYTES_MAX, true),
        (2 * limits::HOLD_BYTES_MAX, 2 * limits::HOLD_BYTES_MAX - 1, true),
    ] {
        let mut object = b"{\"k\":1}\n[\"".to_vec();
        object.resize(8 + length, b'x');
        object[8 + at] = 0;
        object.extend_from_slice(b"\n{\"k\":2}\n");
        let expected = at_once(&plan, Format::Jsonl, &object);
        for size in [1, 1000, 65_536] {
            assert!(feed(&plan, Format::Jsonl, &object, || size) == expected, "{length} {at} {size}");
        }
        let (out, ended, tally) = expected;
        if cut {
            assert_eq!(ended.unwrap_err().offset as usize, 8 + at);
            assert!(
                out.starts_with(b"{\"k\":0}\n") && out.len() == if at > limits::HOLD_BYTES_MAX { 8 + at } else { 8 }
            );
        } else {
            assert_eq!((ended, tally.records_blanked, out.len()), (Ok(()), 2, object.len()));
            assert!(out[8..].starts_with(b"{}  ") && out.ends_with(b"  \n{}     \n"));
        }
    }
}

/// A record that is only found to be broken at its newline, and is as long as the hold.
#[test]
fn a_torn_record_is_blanked_up_to_the_hold() {
    let plan = plan(&masks(&[("** k", Mask)]));
    for (length, sound) in [(limits::HOLD_BYTES_MAX, true), (limits::HOLD_BYTES_MAX + 1, false)] {
        let object = format!("[\"{}\n[]\n", "x".repeat(length - 2));
        for size in [usize::MAX, 1, 65_536] {
            let (_, ended, tally) = feed(&plan, Format::Jsonl, object.as_bytes(), || size);
            assert_eq!((ended.is_ok(), tally.records_blanked), (sound, 2 * u64::from(sound)), "{length} {size}");
        }
    }
}

#[test]
fn a_document_is_held_until_it_is_sound_or_long() {
    let plan = plan(&masks(&[("** k", Mask)]));
    let mut redactor = Redactor::new(plan, Format::Json, 0);
    let mut shown = Shown::new();
    let text = Bytes::from("x".repeat(limits::HOLD_BYTES_MAX - 1));
    redactor.write(Bytes::from_static(b"\""), &mut shown).unwrap();
    redactor.write(text, &mut shown).unwrap();
    assert_eq!(shown.len(), 0);
    redactor.write(Bytes::from_static(b"x"), &mut shown).unwrap();
    assert_eq!(shown.len(), limits::HOLD_BYTES_MAX as u64 + 1);
}
