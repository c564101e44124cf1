//! An expression over the text of strings, as redact profiles write it in `values`, ready to be matched byte by byte.
//!
//! Classes, `\w`, `\b` and letter case are those of ASCII. Every match holds one of a few fixed texts ([`literals`]): who
//! looks for these need not look at anything else. An automaton reads on from there, another one back to where the match
//! begins, if something may stand before. Which bytes are the text, and where it ends, is the redactor's matter.
//!
//! [`literals`]: ValuePattern::literals

use std::fmt;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::limits;

/// Why an expression was refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no regular expression.
    #[error("it cannot be read: {0}")]
    Syntax(String),
    /// It is longer than [`limits::VALUE_RULE_BYTES_MAX`].
    #[error("it is longer than {} bytes; split it", limits::VALUE_RULE_BYTES_MAX)]
    TooLong,
    /// It matches the empty text, which is everywhere.
    #[error("it matches the empty text; ask for one character at least")]
    Empty,
    /// Nothing fixed stands in every match.
    #[error(
        "no fixed text stands in every match, so that every string would have to be read; write some, or bound the length of \
         a match to {} bytes, as in `[0-9]{{13,16}}`",
        limits::VALUE_LOOSE_BYTES_MAX
    )]
    Unfixed,
    /// Its automaton is larger than [`limits::VALUE_AUTOMATON_BYTES_MAX`].
    #[error(
        "its automaton needs more than {} bytes; lower the counts in braces, or write `+` and `*` for them",
        limits::VALUE_AUTOMATON_BYTES_MAX
    )]
    TooLarge,
    /// It asks for what no automaton can tell, such as `\b` of Unicode.
    #[error("it cannot be matched byte by byte: {0}")]
    Unmatchable(String),
}

/// One expression, ready to be matched.
pub struct ValuePattern {
    written: Box<str>,
    literals: Literals,
    /// From the fixed text on.
    forward: dense::DFA<Vec<u32>>,
    before: Option<Before>,
}

/// Fixed texts, of which one stands in every match.
type Literals = Box<[Box<[u8]>]>;

/// What may stand in a match before its fixed text.
struct Before {
    backward: dense::DFA<Vec<u32>>,
    bytes: ByteSet,
}

/// Which bytes are meant.
pub type ByteSet = [bool; 256];

/// Where the reading of one match stands, from its fixed text on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(StateID);

impl ValuePattern {
    /// Reads an expression (the syntax of the crate `regex`, on bytes of ASCII unless it says `(?u)`).
    ///
    /// # Errors
    /// What cannot be read, cannot be bounded, or is matched nowhere or everywhere.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        if written.len() > limits::VALUE_RULE_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser.parse(written).map_err(|error| PatternError::Syntax(reason(&error)))?;
        if hir.properties().minimum_len() == Some(0) {
            return Err(PatternError::Empty);
        }
        let mut parts = Vec::new();
        flatten(&hir, &mut parts);
        let (split, literals) = fixed(&parts, hir.properties().maximum_len()).ok_or(PatternError::Unfixed)?;
        let behind = parts.split_off(split);
        let before = if parts.is_empty() {
            None
        } else {
            let mut bytes = [false; 256];
            parts.iter().for_each(|part| collect(part, &mut bytes));
            Some(Before { backward: automaton(&Hir::concat(parts), true)?, bytes })
        };
        let forward = automaton(&Hir::concat(behind), false)?;
        Ok(Self { written: written.into(), literals, forward, before })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The fixed texts of which one stands in every match: printable ASCII without quotes, slashes and backslashes, which
    /// are what JSON may write in more than one way but for `\u`.
    pub fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(|literal| &**literal)
    }

    /// The bytes that may stand in a match before its fixed text, if any may.
    pub fn before(&self) -> Option<&ByteSet> {
        self.before.as_ref().map(|before| &before.bytes)
    }

    /// The first index from which on the text, up to the fixed one that begins at `at`, is the beginning of a match; none
    /// before `floor`. The text begins where the string does, or one byte before `floor`.
    pub fn begins(&self, text: &[u8], floor: usize, at: usize) -> Option<usize> {
        let Some(before) = &self.before else { return Some(at) };
        let input = Input::new(text).span(floor..at).anchored(Anchored::Yes);
        let found = before.backward.try_search_rev(&input).expect("no byte makes it quit, and it is anchored");
        found.map(|found| found.offset())
    }

    /// Before the fixed text, with the byte of the string that stands before it.
    pub fn start(&self, behind: Option<u8>) -> State {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(behind);
        State(self.forward.start_state(&config).expect("no byte makes it quit, and it is anchored"))
    }

    /// Behind one more byte.
    #[inline]
    pub fn next(&self, state: State, byte: u8) -> State {
        State(self.forward.next_state(state.0, byte))
    }

    /// At the end of the string.
    pub fn end(&self, state: State) -> State {
        State(self.forward.next_eoi_state(state.0))
    }

    /// Whether there is something to be told of the state.
    #[inline]
    pub fn is_special(&self, state: State) -> bool {
        self.forward.is_special_state(state.0)
    }

    /// Whether a match ended just before the last byte, or the string's end.
    pub fn is_match(&self, state: State) -> bool {
        self.forward.is_match_state(state.0)
    }

    /// Whether no match follows.
    pub fn is_dead(&self, state: State) -> bool {
        self.forward.is_dead_state(state.0)
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for ValuePattern {}

impl fmt::Debug for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValuePattern({:?})", self.written)
    }
}

/// The first line that says why; the rest is a drawing.
fn reason(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The parts of an expression that follow each other, groups opened.
fn flatten(hir: &Hir, parts: &mut Vec<Hir>) {
    match hir.kind() {
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Capture(group) => flatten(&group.sub, parts),
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Alternation(_) => parts.push(hir.clone()),
    }
}

/// The part from which on one of a few texts stands there, and these: the longest, the fewest, the first.
fn fixed(parts: &[Hir], longest: Option<usize>) -> Option<(usize, Literals)> {
    const ENOUGH: usize = 4;
    let found = |digits: usize| {
        let at = |at: usize| Some((at, texts(&Hir::concat(parts[at..].to_vec()), digits)?));
        let rank = |(at, texts): &(usize, Literals)| {
            let shortest = texts.iter().map(|text| text.len()).min().unwrap_or_default().min(ENOUGH);
            (shortest, std::cmp::Reverse(texts.len()), std::cmp::Reverse(*at))
        };
        (0..parts.len()).filter_map(at).max_by_key(rank)
    };
    const DIGITS: usize = 10;
    let loose = |(_, texts): &(usize, Literals)| texts.iter().any(|text| text.len() == 1) && texts.len() > 3;
    let short = longest.is_some_and(|longest| longest <= limits::VALUE_LOOSE_BYTES_MAX);
    let close = found(DIGITS).filter(|found| short || !loose(found));
    close.or_else(|| found(limits::VALUE_LITERALS_MAX).filter(|_| short))
}

/// The texts of which one begins every match, cut before what JSON may write in several ways. Of a class of more characters
/// than that none is made.
fn texts(hir: &Hir, class: usize) -> Option<Literals> {
    let mut extractor = Extractor::new();
    extractor
        .limit_class(class)
        .limit_literal_len(limits::VALUE_LITERAL_BYTES_MAX)
        .limit_total(limits::VALUE_LITERALS_MAX);
    let found = extractor.extract(hir);
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !b"\"\\/".contains(byte);
    let cut = |text: &[u8]| -> Box<[u8]> { text.iter().copied().take_while(plain).collect() };
    let mut texts: Vec<Box<[u8]>> = found.literals()?.iter().map(|literal| cut(literal.as_bytes())).collect();
    texts.sort();
    texts.dedup();
    let any = !texts.is_empty() && texts.iter().all(|text| !text.is_empty());
    any.then(|| texts.into())
}

/// Every byte that may stand in a match of that part.
fn collect(hir: &Hir, bytes: &mut ByteSet) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| bytes[usize::from(*byte)] = true),
        HirKind::Class(Class::Bytes(class)) => {
            class
                .ranges()
                .iter()
                .for_each(|range| bytes[usize::from(range.start())..=usize::from(range.end())].fill(true));
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                let byte = |c: char| u8::try_from(c).ok().filter(u8::is_ascii).map_or(0x80, usize::from);
                bytes[byte(range.start())..=byte(range.end())].fill(true);
                if range.end() > '\u{7F}' {
                    bytes[0x80..].fill(true);
                }
            }
        }
        HirKind::Repetition(repeated) => collect(&repeated.sub, bytes),
        HirKind::Capture(group) => collect(&group.sub, bytes),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| collect(part, bytes)),
    }
}

/// Tells every place at which a match ends that begins where reading does.
fn automaton(hir: &Hir, backward: bool) -> Result<dense::DFA<Vec<u32>>, PatternError> {
    let config = thompson::Config::new()
        .utf8(false)
        .reverse(backward)
        .which_captures(thompson::WhichCaptures::None)
        .nfa_size_limit(Some(limits::VALUE_DETERMINIZE_BYTES_MAX));
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).map_err(|error| {
        if error.size_limit().is_some() { PatternError::TooLarge } else { PatternError::Unmatchable(error.to_string()) }
    })?;
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(limits::VALUE_AUTOMATON_BYTES_MAX))
        .determinize_size_limit(Some(limits::VALUE_DETERMINIZE_BYTES_MAX));
    dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|error| {
        if error.is_size_limit_exceeded() {
            PatternError::TooLarge
        } else {
            PatternError::Unmatchable(error.to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(written: &str) -> Vec<String> {
        let pattern = ValuePattern::parse(written).unwrap();
        pattern.literals().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
    }

    #[test]
    fn every_expression_has_a_fixed_text_or_is_short() {
        for (written, expected) in [
            ("AKIA[0-9A-Z]{16}", &["AKIA"][..]),
            (r"\b(?:AKIA|ASIA)[A-Z]{16}\b", &["AKIA", "ASIA"]),
            ("[a-z]{1,64}@[a-z.]+", &["@"]),
            ("(x[a-z]+)(-----BEGIN y)", &["-----BEGIN y"]),
            ("(?i)ab", &["AB", "Ab", "aB", "ab"]),
            (r"gh[po]_\w+", &["gho_", "ghp_"]),
            ("hooks.slack[.]com/x", &["hooks"]),
            ("a{3,}", &["aaa"]),
        ] {
            assert_eq!(literals(written), expected, "{written}");
        }
        assert_eq!(literals("[0-9]{13,16}").len(), 10);
        assert_eq!(literals("[0-9]{3}-[0-9]{2}-[0-9]{4}")[..2], ["-0", "-1"]);
        assert_eq!(literals("[0-9a-f]{32}").len(), 16);
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        for (written, word) in [
            ("(", "cannot be read"),
            ("a*", "empty"),
            ("[a-z]+", "no fixed text"),
            ("[0-9]+x?", "no fixed text"),
            ("[a-z]{300}", "no fixed text"),
            (r"(?u:\b)x", "byte by byte"),
            ("x(?:a|b){40000}", "needs more"),
            (r"x(?u:\w{1,200}){1,200}y", "needs more"),
        ] {
            let error = ValuePattern::parse(written).err().unwrap_or_else(|| panic!("{written}")).to_string();
            assert!(error.contains(word), "{written}: {error}");
        }
        assert_eq!(ValuePattern::parse(&"x".repeat(1025)).err(), Some(PatternError::TooLong));
    }

    #[test]
    fn a_match_begins_where_it_may_at_the_earliest() {
        let mail = ValuePattern::parse("[a-z]{1,3}@[a-z]+").unwrap();
        assert_eq!(mail.begins(b"to abcde@x", 1, 8), Some(5));
        assert_eq!(mail.begins(b" @x", 1, 1), None);
        let word = ValuePattern::parse(r"\b[a-z]+@x").unwrap();
        assert_eq!(
            (word.begins(b"-ab@x", 1, 3), word.begins(b"ab@x", 0, 2), word.begins(b"1ab@x", 1, 3)),
            (Some(1), Some(0), None)
        );
    }
}
