//! What rules on text hide, naively: each string of what is shown, decoded as a whole at each level, and from each of its
//! bytes on the longest match of each rule by itself.

use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::policy::mask::ValueRule;

/// A character, and where it is written.
#[derive(Clone)]
struct Unit {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

/// Hides what matches in sound JSON.
pub(super) fn hide(shown: &mut [u8], rules: &[ValueRule]) {
    let mut hidden = Vec::new();
    for (from, to) in strings(shown) {
        let mut units = written(&shown[from..to], from);
        for _ in 0..4 {
            units = unescaped(&units);
            rules.iter().for_each(|rule| matches(rule.pattern.as_str(), &units, &mut hidden));
        }
        for (begins, _) in hidden.iter_mut().filter(|(begins, _)| *begins >= from) {
            *begins = from + whole(&shown[from..*begins]);
        }
    }
    hidden.into_iter().for_each(|(from, to)| shown[from..to].fill(b'*'));
}

fn strings(shown: &[u8]) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(open) = shown[at..].iter().position(|byte| *byte == b'"') {
        let from = at + open + 1;
        let mut to = from;
        while shown[to] != b'"' {
            to += 1 + usize::from(shown[to] == b'\\');
        }
        found.push((from, to));
        at = to + 1;
    }
    found
}

fn written(text: &[u8], from: usize) -> Vec<Unit> {
    let text = std::str::from_utf8(text).unwrap();
    let unit = |(at, character): (usize, char)| {
        let to = from + at + character.len_utf8();
        Unit { bytes: character.to_string().into_bytes(), from: from + at, to }
    };
    text.char_indices().map(unit).collect()
}

/// One level of escapes less; a backslash that begins none stays.
fn unescaped(units: &[Unit]) -> Vec<Unit> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(unit) = units.get(at) {
        let (bytes, count) = escape(&units[at..]).unwrap_or_else(|| (unit.bytes.clone(), 1));
        out.push(Unit { bytes, from: unit.from, to: units[at + count - 1].to });
        at += count;
    }
    out
}

fn escape(units: &[Unit]) -> Option<(Vec<u8>, usize)> {
    let is = |at: usize, text: &str| units.get(at).is_some_and(|unit| unit.bytes == text.as_bytes());
    if !is(0, "\\") {
        return None;
    }
    for (letter, stands_for) in
        [("\"", '"'), ("\\", '\\'), ("/", '/'), ("b", '\u{8}'), ("f", '\u{c}'), ("n", '\n'), ("r", '\r'), ("t", '\t')]
    {
        if is(1, letter) {
            return Some((vec![stands_for as u8], 2));
        }
    }
    let code = |at: usize| -> Option<u32> {
        let digits: Vec<u8> = units.get(at..at + 4)?.iter().flat_map(|unit| unit.bytes.clone()).collect();
        let digits = std::str::from_utf8(&digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let unit = code(2).filter(|_| is(1, "u"))?;
    if (0xD800..0xDC00).contains(&unit)
        && is(6, "\\")
        && is(7, "u")
        && let Some(low) = code(8).filter(|low| (0xDC00..0xE000).contains(low))
    {
        let pair = char::decode_utf16([unit as u16, low as u16]).next()?.ok()?;
        return Some((pair.to_string().into_bytes(), 12));
    }
    let half = || vec![0xE0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8];
    Some((char::from_u32(unit).map_or_else(half, |it| it.to_string().into_bytes()), 6))
}

fn matches(pattern: &str, units: &[Unit], hidden: &mut Vec<(usize, usize)>) {
    let dfa = DFA::builder()
        .configure(DFA::config().match_kind(MatchKind::All))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build(pattern)
        .unwrap();
    let mut cache = dfa.create_cache();
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.bytes.clone()).collect();
    let places: Vec<(usize, usize)> = units.iter().flat_map(|it| it.bytes.iter().map(|_| (it.from, it.to))).collect();
    for from in 0..bytes.len() {
        let input = Input::new(&bytes).span(from..bytes.len()).anchored(Anchored::Yes);
        if let Some(found) = dfa.try_search_fwd(&mut cache, &input).unwrap() {
            hidden.push((places[from].0, places[found.offset() - 1].1));
        }
    }
}

/// Where what is hidden behind that text begins: with the escape that may go on there.
fn whole(before: &[u8]) -> usize {
    for letters in (0..=5).take_while(|letters| *letters <= before.len()) {
        let (rest, tail) = before.split_at(before.len() - letters);
        let escape = tail.iter().all(u8::is_ascii_alphanumeric) && tail.first().is_none_or(|first| *first == b'u');
        let backslashes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escape && (1..=32).contains(&backslashes) {
            return rest.len() - backslashes;
        }
    }
    before.len()
}
