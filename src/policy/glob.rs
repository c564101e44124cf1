//! One path glob as written, and the regular expressions that it stands for once claims are put in.
//!
//! globset is used as a parser only ([`globset::Glob::regex`]): its own matcher disagrees with that expression on some
//! keys. Matching is the automaton's matter. Expressions are over bytes, case-sensitive, and `.` is any byte.

use std::collections::BTreeSet;

use globset::GlobBuilder;

use crate::identity::Claims;
use crate::limits;

/// What `*` means in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sense {
    /// As in IAM: `*` matches any run of characters, `/` too; `?` is one character.
    #[default]
    Iam,
    /// `globs = "path"`: `*` and `?` stay within a segment, `**` as a whole segment crosses.
    Path,
}

/// A glob over `BUCKET/KEY`, possibly with `${claims.NAME}` in it. Known to parse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathGlob {
    written: Box<str>,
    sense: Sense,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(Box<str>),
    Claim(Box<str>),
}

/// Why a glob was refused: what is wrong, and what to do. `at` is the offset in the glob, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct GlobError {
    /// Offset in the glob, in bytes.
    pub at: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What a variable without a sound value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing: the glob does not match. For what allows.
    Nothing,
    /// Any text: the glob matches whatever stands there. For what denies or hides.
    Anything,
    /// Every value that a claim could have; claims are not looked at. For checks of a policy set without a person.
    AnyValue,
}

/// A regular expression over the bytes of a whole path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expression {
    regex: String,
    literal: String,
}

/// Stands in a glob for a variable that is not a literal; no glob may hold it (a private-use character).
const HOLE: char = '\u{E000}';
/// How globset writes [`HOLE`].
const HOLE_ESCAPED: &str = r"\xee\x80\x80";

impl PathGlob {
    /// Reads a glob over whole paths.
    pub fn parse(written: &str, sense: Sense) -> Result<Self, GlobError> {
        if !written.contains(['/', '*', '?', '[', '{', '$']) {
            let what = "a path is BUCKET/KEY, and this names no key; write `BUCKET/*` for a whole bucket";
            return Err(GlobError { at: 0, what: what.into() });
        }
        Self::parse_side(written, sense)
    }

    /// Reads a glob over a part of a path.
    pub(super) fn parse_side(written: &str, sense: Sense) -> Result<Self, GlobError> {
        let fail = |at: usize, what: &str| Err(GlobError { at, what: what.to_owned() });
        if written.len() > limits::GLOB_BYTES_MAX {
            return fail(0, &format!("a glob has at most {} bytes; split it", limits::GLOB_BYTES_MAX));
        }
        if let Some(at) = written.find(|c: char| c == HOLE || c.is_control()) {
            return fail(at, "a glob holds no control or private-use characters, since no key has them; remove it");
        }
        let glob = Self { written: written.into(), sense, parts: split(written)? };
        glob.express(&Claims::new(), Unknown::AnyValue)?;
        Ok(glob)
    }

    /// The glob as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// What `*` means in it.
    pub fn sense(&self) -> Sense {
        self.sense
    }

    /// The claims that stand in it.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Claim(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// The expressions that it stands for: one for each combination of the claims' values.
    pub fn expand(&self, claims: &Claims, unknown: Unknown) -> Vec<Expression> {
        // That every part parses was seen when the glob was read; values are literals and cannot alter that. Should it
        // fail all the same, the safe side is what an unknown value means.
        self.express(claims, unknown).unwrap_or_else(|_| match unknown {
            Unknown::Nothing => Vec::new(),
            Unknown::Anything | Unknown::AnyValue => vec![Expression::anything()],
        })
    }

    fn express(&self, claims: &Claims, unknown: Unknown) -> Result<Vec<Expression>, GlobError> {
        let names: BTreeSet<&str> = self.claims().collect();
        let mut choices: Vec<Vec<(&str, String)>> = vec![Vec::new()];
        for name in names {
            let values = values(claims, name, unknown);
            if choices.len() * values.len() > limits::GLOB_EXPANSIONS_MAX {
                return Err(GlobError { at: 0, what: "too many combinations of claim values".into() });
            }
            choices = choices
                .iter()
                .flat_map(|chosen| values.iter().map(|value| [&chosen[..], &[(name, value.clone())]].concat()))
                .collect();
        }
        choices.iter().map(|chosen| self.fill(chosen, unknown)).collect()
    }

    fn fill(&self, chosen: &[(&str, String)], unknown: Unknown) -> Result<Expression, GlobError> {
        let filled: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => &**text,
                Part::Claim(name) => chosen.iter().find(|(of, _)| *of == &**name).map_or("", |(_, value)| value),
            })
            .collect();
        let within = self.sense == Sense::Path;
        let mut builder = GlobBuilder::new(&filled);
        let glob = builder.literal_separator(within).backslash_escape(true).empty_alternates(true).build();
        let glob = glob.map_err(|e| GlobError { at: 0, what: format!("{}; write it as a glob", e.kind()) })?;
        let inner = glob.regex().strip_prefix("(?-u)^").and_then(|regex| regex.strip_suffix('$'));
        let inner = inner.ok_or(GlobError { at: 0, what: "cannot be read as a glob".into() })?;
        let hole = if unknown == Unknown::AnyValue { "[A-Za-z0-9._=@-]+" } else { ".*" };
        let regex = by_character(inner)?.replace(HOLE_ESCAPED, hole);
        let end = filled.find(['*', '?', '[', '{', '\\', HOLE]).unwrap_or(filled.len());
        Ok(Expression { regex, literal: filled[..end].to_owned() })
    }
}

impl Expression {
    /// The expression, without anchors.
    pub fn regex(&self) -> &str {
        &self.regex
    }

    /// What every path that matches begins with.
    pub fn literal(&self) -> &str {
        &self.literal
    }

    /// Whether some run of any characters stands before the end: a listing must look at every key below the literal.
    pub fn scans(&self) -> bool {
        self.regex.strip_suffix(".*").unwrap_or(&self.regex).contains(".*")
    }

    fn anything() -> Self {
        Self { regex: ".*".into(), literal: String::new() }
    }
}

/// One expression for all of these. Those that end in "anything" share that end: once one of them has matched, the
/// automaton need not remember which, and a dozen globs like `*/x/*` stay small.
pub fn union(expressions: &[Expression]) -> String {
    let unique: BTreeSet<&str> = expressions.iter().map(Expression::regex).collect();
    let (open, closed): (Vec<&str>, Vec<&str>) = unique.into_iter().partition(|regex| regex.ends_with(".*"));
    let heads: Vec<&str> = open.iter().map(|regex| &regex[..regex.len() - 2]).collect();
    let mut all: Vec<String> = closed.iter().map(|&regex| regex.to_owned()).collect();
    if !heads.is_empty() {
        all.push(format!("(?:{}).*", heads.join("|")));
    }
    // An empty class matches nothing.
    if all.is_empty() { "[a&&b]".into() } else { format!("(?:{})", all.join("|")) }
}

/// Splits at `${claims.NAME}`.
fn split(written: &str) -> Result<Vec<Part>, GlobError> {
    let mut parts = Vec::new();
    let mut rest = written;
    while let Some(open) = rest.find("${") {
        let at = written.len() - rest.len() + open;
        let fail = |what: &str| GlobError { at, what: what.to_owned() };
        let close =
            rest[open..].find('}').map(|n| open + n).ok_or(fail("`${` is not closed; write `${claims.NAME}`"))?;
        let name = rest[open + 2..close].strip_prefix("claims.").filter(|name| !name.is_empty());
        let name = name.ok_or(fail("only `${claims.NAME}` may stand in a path"))?;
        let before = &rest[..open];
        if before.rfind('[').is_some_and(|bracket| !before[bracket..].contains(']')) {
            return Err(fail("a variable cannot stand inside `[…]`; use `{…,…}`"));
        }
        if before.ends_with('\\') {
            return Err(fail("`\\$` is not an escape; a literal `${` cannot stand in a path"));
        }
        parts.push(Part::Text(before.into()));
        parts.push(Part::Claim(name.into()));
        rest = &rest[close + 1..];
    }
    parts.push(Part::Text(rest.into()));
    Ok(parts)
}

/// What stands for a claim in the glob: its values, or [`HOLE`].
fn values(claims: &Claims, name: &str, unknown: Unknown) -> Vec<String> {
    let hole = || vec![HOLE.to_string()];
    let all = claims.get(name).map_or(&[][..], Vec::as_slice);
    let sound = all.len() <= limits::CLAIM_VALUES_MAX && !all.is_empty() && all.iter().all(|value| is_sound(value));
    match unknown {
        Unknown::AnyValue => hole(),
        Unknown::Anything if !sound => hole(),
        Unknown::Nothing if all.len() > limits::CLAIM_VALUES_MAX => Vec::new(),
        Unknown::Anything | Unknown::Nothing => all.iter().filter(|value| is_sound(value)).cloned().collect(),
    }
}

/// Whether a claim's value may stand in a path: `[A-Za-z0-9._=@-]{1,64}`.
pub fn is_sound(value: &str) -> bool {
    (1..=limits::CLAIM_VALUE_BYTES_MAX).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._=@-".contains(&b))
}

/// Makes what stands for one character match one character of UTF-8, where globset's expression says one byte.
fn by_character(regex: &str) -> Result<String, GlobError> {
    let mut out = String::with_capacity(regex.len() + 16);
    let mut rest = regex;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' => class_len(rest),
            _ => first.len_utf8(),
        };
        let (atom, after) = rest.split_at(len);
        let one = (first == '.' || first == '[') && !after.starts_with('*');
        if first == '[' && atom.contains("\\x") {
            return Err(GlobError { at: 0, what: "`[…]` holds only ASCII here; use `{…,…}`".into() });
        }
        if one {
            out.extend(["(?u:", atom, ")"])
        } else {
            out.push_str(atom)
        }
        rest = after;
    }
    Ok(out)
}

/// Length of the class that the text begins with, brackets included.
fn class_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::automaton::{Lazy, Table};
    use super::*;

    /// Matches by both engines, which must agree.
    fn matches(glob: &str, sense: Sense, path: &str) -> bool {
        let glob = PathGlob::parse(glob, sense).unwrap();
        let pattern = union(&glob.expand(&Claims::new(), Unknown::Nothing));
        let table = Table::build(std::slice::from_ref(&pattern)).unwrap();
        let dense = !table.sets()[table.set_at(table.walk(table.start(), path))].is_empty();
        let lazy = !Lazy::build(&[pattern]).unwrap().matched(path).unwrap().is_empty();
        assert_eq!(dense, lazy, "the engines differ on {path:?}");
        dense
    }

    #[test]
    fn in_the_sense_of_iam_a_star_crosses_and_a_question_mark_is_one_character() {
        for (glob, path, expected) in [
            ("t/*", "t/a/b/c", true),
            ("t/*", "t", false),
            ("t/*", "t/", true),
            ("t/*", "T/a", false),
            ("t/*", "t/a\nb", true),
            ("t/?", "t/é", true),
            ("t/?", "t/\u{1F600}", true),
            ("t/?", "t/ab", false),
            ("t/[a-c]x", "t/bx", true),
            ("t/[!a-c]x", "t/éx", true),
            ("t/[!a-c]x", "t/ax", false),
            ("t/{a,b/*}", "t/b/c", true),
            ("t/\\*", "t/*", true),
            ("t/\\*", "t/a", false),
            ("*.json", "t/a/b.json", true),
            ("*/..", "t/..", true),
            ("t/a.b", "t/axb", false),
            ("t/é*", "t/éa", true),
            ("t/x{,y}", "t/x", true),
            ("t/x{,y}", "t/xy", true),
        ] {
            assert_eq!(matches(glob, Sense::Iam, path), expected, "{glob} {path:?}");
        }
    }

    #[test]
    fn in_the_sense_of_paths_a_star_stays_within_a_segment() {
        for (glob, path, expected) in [
            ("t/*", "t/a", true),
            ("t/*", "t/a/b", false),
            ("t/**", "t/a/b", true),
            ("t/**", "t", false),
            ("t/**/x", "t/x", true),
            ("t/**/x", "t/a/b/x", true),
            ("t/?", "t//", false),
            ("**/x", "a/b/x", true),
        ] {
            assert_eq!(matches(glob, Sense::Path, path), expected, "{glob} {path:?}");
        }
    }

    #[test]
    fn every_path_that_matches_begins_with_the_literal() {
        for (glob, literal) in [("t/m-*", "t/m-"), ("t/x", "t/x"), ("*/x", ""), ("t/a\\*b", "t/a"), ("t/{a,b}", "t/")] {
            let glob = PathGlob::parse(glob, Sense::Iam).unwrap();
            assert_eq!(glob.expand(&Claims::new(), Unknown::Nothing)[0].literal(), literal);
        }
    }

    #[test]
    fn two_variables_are_all_combinations_and_one_variable_is_one_value() {
        let claims: Claims = [("x", vec!["1", "2"]), ("y", vec!["a", "b"])]
            .map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()))
            .into();
        let count = |glob: &str| PathGlob::parse(glob, Sense::Iam).unwrap().expand(&claims, Unknown::Nothing).len();
        assert_eq!(count("t/${claims.x}/${claims.y}"), 4);
        assert_eq!(count("t/${claims.x}/${claims.x}"), 2);
        assert_eq!(count("t/${claims.x}/${claims.z}"), 0);
    }
}
