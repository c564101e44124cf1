//! Field paths as policies write them: `user_id`, `*_token`, `$.steps[*].prompt`, `**.customer.email`, `$['odd.name']`.

use super::mask::{FieldPath, Step};
use crate::limits;

/// Why a field path was refused. `at` is the offset in it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct FieldError {
    /// Offset in the path, in bytes.
    pub at: usize,
    /// What is wrong, and what to do.
    pub what: &'static str,
}

/// Reads a path. With `$` it begins at the root; a single name is a member at any depth; other paths begin at the root.
pub fn parse(text: &str) -> Result<FieldPath, FieldError> {
    let mut reader = Reader { text, at: 0 };
    if text.len() > limits::FIELD_PATH_BYTES_MAX {
        return Err(reader.fail("is longer than a field path may be"));
    }
    let mut steps = Vec::new();
    let rooted = reader.take('$');
    if rooted && reader.rest().is_empty() {
        return Err(reader.fail("names no field; write one behind `$.`"));
    }
    if !rooted && !reader.rest().starts_with('[') {
        steps.push(reader.name()?);
    }
    while !reader.rest().is_empty() {
        steps.push(reader.step()?);
    }
    if !rooted && matches!(steps[..], [Step::Name(_) | Step::Glob(_)]) {
        steps.insert(0, Step::Descend);
    }
    match steps.last() {
        Some(Step::Name(_) | Step::Glob(_) | Step::Index(_) | Step::AnyIndex) => Ok(FieldPath { steps }),
        Some(Step::Descend) => Err(reader.fail("a path cannot end in `**`; name the field, or `*` for all")),
        None => Err(reader.fail("is empty; name a field")),
    }
}

/// Reads a path to objects, of which `$` is the root, as the path to all of their members.
pub fn parse_members(text: &str) -> Result<FieldPath, FieldError> {
    let mut members = if text == "$" { FieldPath { steps: Vec::new() } } else { parse(text)? };
    members.steps.push(Step::Glob("*".into()));
    Ok(members)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fail(&self, what: &'static str) -> FieldError {
        FieldError { at: self.at, what }
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    /// `.name`, `..name` (any depth between), `[…]`.
    fn step(&mut self) -> Result<Step, FieldError> {
        if self.take('[') {
            return self.bracket();
        }
        if !self.take('.') {
            return Err(self.fail("`.` or `[` is expected here"));
        }
        if self.rest().starts_with('.') {
            return Ok(Step::Descend);
        }
        self.name()
    }

    fn name(&mut self) -> Result<Step, FieldError> {
        let rest = self.rest();
        let end = rest.find(['.', '[', ']', '\'', '"', '$', ' ']).unwrap_or(rest.len());
        let name = &rest[..end];
        if rest[end..].starts_with([']', '\'', '"', '$', ' ']) {
            self.at += end;
            return Err(self.fail("this character must be quoted: write the name as `['…']`"));
        }
        if name.is_empty() {
            return Err(self.fail("a name is missing here"));
        }
        if name.contains("**") && name != "**" {
            return Err(self.fail("`**` stands for whole steps only; within a name write `*`"));
        }
        self.at += end;
        Ok(match name {
            "**" => Step::Descend,
            _ if name.contains(['*', '?']) => Step::Glob(name.into()),
            _ => Step::Name(name.into()),
        })
    }

    /// Behind `[`: `*]`, `3]`, `'name']`, `"name"]`.
    fn bracket(&mut self) -> Result<Step, FieldError> {
        let step = if self.take('*') {
            Step::AnyIndex
        } else if let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '\'' | '"')) {
            self.at += 1;
            Step::Name(self.quoted(quote)?)
        } else {
            let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
            let index = self.rest()[..digits].parse().ok();
            let index = index.ok_or(self.fail("within `[…]` stands `*`, a number from 0, or a quoted name"))?;
            self.at += digits;
            Step::Index(index)
        };
        if self.take(']') { Ok(step) } else { Err(self.fail("`]` is missing here")) }
    }

    /// A name up to the closing quote; a backslash makes the next character literal.
    fn quoted(&mut self, quote: char) -> Result<Box<str>, FieldError> {
        let start = self.at;
        let mut name = String::new();
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            if c == quote {
                return Ok(name.into());
            }
            let literal = if c == '\\' { self.rest().chars().next() } else { None };
            self.at += literal.map_or(0, char::len_utf8);
            name.push(literal.unwrap_or(c));
        }
        Err(FieldError { at: start, what: "the quote is not closed" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Step {
        Step::Name(text.into())
    }

    #[test]
    fn every_form_has_its_steps() {
        let cases: [(&str, Vec<Step>); 14] = [
            ("user_id", vec![Step::Descend, name("user_id")]),
            ("*_token", vec![Step::Descend, Step::Glob("*_token".into())]),
            ("$.user_id", vec![name("user_id")]),
            ("customer.email", vec![name("customer"), name("email")]),
            ("steps[*].prompt", vec![name("steps"), Step::AnyIndex, name("prompt")]),
            ("$.steps[*].prompt", vec![name("steps"), Step::AnyIndex, name("prompt")]),
            ("**.customer.email", vec![Step::Descend, name("customer"), name("email")]),
            ("$..email", vec![Step::Descend, name("email")]),
            ("$.a[3].b", vec![name("a"), Step::Index(3), name("b")]),
            ("$['odd.name']", vec![name("odd.name")]),
            ("$[\"it's\"].x", vec![name("it's"), name("x")]),
            (r"$['a\'b']", vec![name("a'b")]),
            ("$[*].é", vec![Step::AnyIndex, name("é")]),
            ("$.a.**.b?", vec![name("a"), Step::Descend, Step::Glob("b?".into())]),
        ];
        for (text, steps) in cases {
            assert_eq!(parse(text), Ok(FieldPath { steps }), "{text}");
        }
    }

    #[test]
    fn members_are_those_of_the_objects_that_are_named() {
        let all = || Step::Glob("*".into());
        for (text, steps) in [
            ("$", vec![all()]),
            ("$.by_user", vec![name("by_user"), all()]),
            ("by_user", vec![Step::Descend, name("by_user"), all()]),
            ("$.a[*]", vec![name("a"), Step::AnyIndex, all()]),
        ] {
            assert_eq!(parse_members(text), Ok(FieldPath { steps }), "{text}");
        }
        assert_eq!(parse_members("$."), parse("$."));
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let cases = [
            ("", 0, "name"),
            ("$", 1, "names no field"),
            ("$.", 2, "missing"),
            ("a.", 2, "missing"),
            ("a..", 3, "missing"),
            ("$.a.**", 6, "end in"),
            ("a[", 2, "within"),
            ("a[x]", 2, "within"),
            ("a[-1]", 2, "within"),
            ("a[99999999999]", 2, "within"),
            ("a[1", 3, "`]`"),
            ("$['a", 3, "not closed"),
            ("$['a'", 5, "`]`"),
            ("$a", 1, "expected"),
            ("a b", 1, "quoted"),
            ("a**b", 0, "whole steps"),
        ];
        for (text, at, word) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.what.contains(word), "{text}: {error}");
        }
    }
}
