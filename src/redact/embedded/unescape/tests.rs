//! Against a plain reading of the same text, in any pieces.

use super::super::super::machine::tests::tiers;
use super::super::super::tests::{Random, seeds};
use super::*;

/// Each byte of the text, and where the escape or the byte begins that it is of.
type Written = Vec<(u8, u64)>;

/// What is read of the text in windows, fed in pieces; `None` in place of half a character.
fn read(instructions: Instructions, written: &[u8], size: &mut dyn FnMut() -> usize) -> (Written, Option<u64>) {
    let (mut unescaped, mut out, mut offset) = (Unescaped::new(instructions), Vec::new(), 0);
    unescaped.restart();
    let mut rest = written;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(size().clamp(1, rest.len()));
        let mut at = 0;
        while at < piece.len() {
            let from = at;
            unescaped.begin();
            let filled = unescaped.fill(piece, from, at, |at| (offset + at) as u64);
            for (at, byte) in unescaped.text().iter().enumerate() {
                // Only of a character's first byte is it asked where it stands.
                if byte & 0xC0 != 0x80 {
                    let place = unescaped.written(at).map_or_else(|since| since, |read| (offset + from + read) as u64);
                    out.push((*byte, place));
                } else {
                    out.push((*byte, 0));
                }
            }
            match filled {
                Filled::To(next) => at = next,
                Filled::Half => return (out, unescaped.since()),
            }
        }
        offset += piece.len();
        rest = more;
    }
    (out, unescaped.since())
}

fn plainly(written: &[u8]) -> (Written, Option<u64>) {
    let (mut out, mut at) = (Vec::new(), 0);
    let push = |out: &mut Written, character: char, place: usize| {
        for (at, byte) in character.encode_utf8(&mut [0; 4]).bytes().enumerate() {
            out.push((byte, if at == 0 { place as u64 } else { 0 }));
        }
    };
    let unit = |at: usize| {
        let digits = written.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
        u16::from_str_radix(std::str::from_utf8(&digits[2..]).ok()?, 16).ok()
    };
    while at < written.len() {
        if written[at] != b'\\' {
            out.push((written[at], if written[at] & 0xC0 == 0x80 { 0 } else { at as u64 }));
            at += 1;
            continue;
        }
        let Some(&kind) = written.get(at + 1) else { return (out, Some(at as u64)) };
        if kind != b'u' {
            let at_once = format!("\"\\{}\"", char::from(kind));
            let Ok(character) = serde_json::from_str::<char>(&at_once) else { return (out, Some(at as u64)) };
            push(&mut out, character, at);
            at += 2;
            continue;
        }
        let units: Vec<u16> = unit(at).into_iter().chain(unit(at + 6)).collect();
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(character)) => {
                push(&mut out, character, at);
                at += 6 * character.len_utf16();
            }
            Some(Err(_)) | None => return (out, Some(at as u64)),
        }
    }
    (out, None)
}

#[test]
fn a_text_is_the_same_in_any_pieces_and_every_byte_has_its_place() {
    let parts = [
        "a",
        "plain words of some length ",
        "é",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u00e9",
        "\\u20AC",
        "\\ud83d\\ude00",
        "😀",
    ];
    let faults = ["\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041", "\\u00", "\\"];
    for seed in seeds(2000) {
        let mut random = Random(seed);
        let mut written = String::new();
        let most = if random.one_in(20) { 2000 } else { 40 };
        for _ in 0..random.below(most) {
            written.push_str(parts[random.below(parts.len())]);
        }
        if random.one_in(3) {
            written.push_str(faults[random.below(faults.len())]);
        }
        let expected = plainly(written.as_bytes());
        let most = [1, 3, 80, 9000][random.below(4)];
        for tier in tiers() {
            let found = read(tier, written.as_bytes(), &mut || 1 + random.below(most));
            assert!(found == expected, "seed {seed}: {written}");
        }
    }
}
