//! Globs over member names: `*` is any run of characters, `?` one character. Nothing else is special.

use std::fmt::Write as _;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::limits;

/// The globs of a plan, each with the position that it passes: as few automata over a decoded name as are small.
#[derive(Default)]
pub(super) struct Globs {
    patterns: Vec<(Box<str>, usize)>,
    automata: Vec<Globbed>,
    /// Bytes that may end a name that matches, one bit each: a cheap no for most.
    lasts: [u64; 4],
}

/// Some globs that stand one behind the other.
enum Globbed {
    Automaton {
        dfa: Box<dense::DFA<Vec<u32>>>,
        start: StateID,
        /// The place of the first one.
        first: usize,
    },
    /// One that is too large for an automaton.
    One(usize),
}

impl Globs {
    /// Makes them ready.
    pub(super) fn of(patterns: Vec<(Box<str>, usize)>) -> Self {
        let mut lasts = [0; 4];
        for (pattern, _) in &patterns {
            match pattern.as_bytes().last() {
                Some(b'*' | b'?') => lasts = [!0; 4],
                last => set(&mut lasts, last.copied().unwrap_or_default()),
            }
        }
        let mut automata = Vec::new();
        build(&patterns, 0, &mut automata);
        Self { automata, patterns, lasts }
    }

    /// The globs as they are written.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|(pattern, _)| &**pattern)
    }

    /// Tells the position of every glob that matches the whole name.
    pub(super) fn matching(&self, name: &[u8], mut found: impl FnMut(usize)) {
        let last = name.last().copied().unwrap_or_default();
        if self.lasts[usize::from(last / 64)] >> (last % 64) & 1 == 0 {
            return;
        }
        for globbed in &self.automata {
            match globbed {
                Globbed::Automaton { dfa, start, first } => {
                    accepted(dfa, *start, name, |at| found(self.patterns[first + at].1));
                }
                Globbed::One(at) => {
                    let (pattern, position) = &self.patterns[*at];
                    if matches(pattern.as_bytes(), name) {
                        found(*position);
                    }
                }
            }
        }
    }
}

/// Tells every pattern of the automaton that matches the whole name.
fn accepted(dfa: &dense::DFA<Vec<u32>>, start: StateID, name: &[u8], mut found: impl FnMut(usize)) {
    let mut state = start;
    for &byte in name {
        state = dfa.next_state(state, byte);
        if dfa.is_dead_state(state) {
            return;
        }
    }
    state = dfa.next_eoi_state(state);
    if dfa.is_match_state(state) {
        (0..dfa.match_len(state)).for_each(|at| found(dfa.match_pattern(state, at).as_usize()));
    }
}

/// One automaton of all these, of which the first has that place, if it is small; else halves of them.
fn build(patterns: &[(Box<str>, usize)], first: usize, automata: &mut Vec<Globbed>) {
    if patterns.is_empty() {
        return;
    }
    match automaton(patterns) {
        Some((dfa, start)) => automata.push(Globbed::Automaton { dfa: Box::new(dfa), start, first }),
        None if patterns.len() == 1 => automata.push(Globbed::One(first)),
        None => {
            let (before, behind) = patterns.split_at(patterns.len() / 2);
            build(before, first, automata);
            build(behind, first + before.len(), automata);
        }
    }
}

/// One automaton of all these globs; `None` where it would be too large.
fn automaton(patterns: &[(Box<str>, usize)]) -> Option<(dense::DFA<Vec<u32>>, StateID)> {
    let expressions: Vec<String> = patterns.iter().map(|(pattern, _)| expression(pattern)).collect();
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(limits::FIELD_GLOBS_BYTES_MAX))
        .determinize_size_limit(Some(limits::FIELD_GLOBS_BYTES_MAX));
    let dfa = dense::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true))
        .thompson(thompson::Config::new().utf8(false))
        .build_many(&expressions)
        .ok()?;
    let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
    Some((dfa, start))
}

fn set(bits: &mut [u64; 4], byte: u8) {
    bits[usize::from(byte / 64)] |= 1 << (byte % 64);
}

/// The regular expression over bytes that a glob stands for. A character is its first byte and those that continue it.
fn expression(pattern: &str) -> String {
    let mut expression = String::new();
    for character in pattern.chars() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push_str(r"[^\x80-\xBF][\x80-\xBF]*"),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    write!(expression, r"\x{byte:02X}").expect("a string takes all text");
                }
            }
        }
    }
    expression
}

/// Whether the whole name matches. Takes at most `pattern` times `name` steps and no memory.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Most names are ruled out by their last byte already.
    if let Some(last) = pattern.last()
        && !matches!(last, b'*' | b'?')
        && name.last() != Some(last)
    {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stood, and up to where it has eaten: only that one is ever widened.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                n += character(&name[n..]);
                p += 1;
            }
            Some(&byte) if byte == name[n] => {
                n += 1;
                p += 1;
            }
            Some(_) | None => {
                let Some((at, eaten)) = star else { return false };
                let wider = eaten + character(&name[eaten..]);
                star = Some((at, wider));
                (p, n) = (at + 1, wider);
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Bytes of the first character: its first byte and those that continue it.
fn character(text: &[u8]) -> usize {
    1 + text.iter().skip(1).take_while(|&&byte| byte & 0xC0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_is_any_run_and_question_mark_one_character() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("*_token", "access_token", true),
            ("*_token", "_token", true),
            ("*_token", "token", false),
            ("*_token", "access_token_id", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("?", "é", true),
            ("?", "éé", false),
            ("a?c", "a\u{1F600}c", true),
            ("??", "a", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("", "", true),
            ("", "a", false),
            ("*é", "xxé", true),
            ("*\u{80}", "é\u{80}", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
            let others = ["*b*", pattern, "?x", ""].map(|pattern| (pattern.into(), pattern.len()));
            let mut found = Vec::new();
            let globs = Globs::of(others.to_vec());
            globs.matching(name.as_bytes(), |at| found.push(at));
            assert_eq!(found.contains(&pattern.len()), expected, "{pattern} {name}");
        }
    }

    /// One automaton of all of these would need some millions of states.
    #[test]
    fn globs_too_many_for_an_automaton_match_all_the_same() {
        let patterns = (b'a'..b'y').map(|at| (format!("*{0}*x*{0}*", char::from(at)).into(), usize::from(at)));
        let huge: Box<str> = format!("*a{}", "?".repeat(40)).into();
        let globs = Globs::of(patterns.chain([(huge, 1000)]).collect());
        assert!(globs.automata.len() > 1 && globs.automata.iter().any(|one| matches!(one, Globbed::One(_))));
        let found = |name: &str| {
            let mut found = Vec::new();
            globs.matching(name.as_bytes(), |at| found.push(at));
            found
        };
        assert_eq!(found("bacxcb"), [usize::from(b'b'), usize::from(b'c')]);
        assert_eq!(found(&format!("za{}", "q".repeat(40))), [1000]);
    }
}
