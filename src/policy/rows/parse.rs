//! The language of `rows`: `$.tenant == ${claims.tenant} and ($.level in [1, 2] or $.path startswith "public/")`.

use super::{Comparison, Condition, Operand, Scalar, Test, Text};
use crate::limits;
use crate::policy::field;
use crate::policy::mask::Step;

/// Why a condition was refused. `at` is the offset in it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct RowsError {
    /// Offset in the condition, in bytes.
    pub at: usize,
    /// What is wrong, and what to do.
    pub what: &'static str,
}

/// Reads a whole condition.
pub(super) fn condition(text: &str) -> Result<(Vec<Test>, Condition), RowsError> {
    let mut reader = Reader { text, at: 0, depth: 0, tests: Vec::new() };
    if text.len() > limits::ROWS_BYTES_MAX {
        return Err(reader.fail("is longer than a condition may be"));
    }
    let condition = reader.any()?;
    if reader.rest().is_empty() {
        return Ok((reader.tests, condition));
    }
    Err(reader.fail("`and`, `or` or the end is expected here"))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Open parentheses.
    depth: usize,
    tests: Vec<Test>,
}

impl<'t> Reader<'t> {
    /// Tests joined by `or`.
    fn any(&mut self) -> Result<Condition, RowsError> {
        let mut all = vec![self.all()?];
        while self.word("or") {
            all.push(self.all()?);
        }
        Ok(joined(all, Condition::Any))
    }

    /// Tests joined by `and`, which binds closer.
    fn all(&mut self) -> Result<Condition, RowsError> {
        let mut all = vec![self.one()?];
        while self.word("and") {
            all.push(self.one()?);
        }
        Ok(joined(all, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, RowsError> {
        if !self.take("(") {
            let test = self.test()?;
            self.tests.push(test);
            if self.tests.len() > limits::ROW_TESTS_MAX {
                return Err(self.fail("has more tests than a policy set may have"));
            }
            return Ok(Condition::Test(self.tests.len() - 1));
        }
        self.depth += 1;
        if self.depth > limits::ROW_DEPTH_MAX {
            return Err(self.fail("has too many parentheses within each other"));
        }
        let inner = self.any()?;
        self.depth -= 1;
        if self.take(")") { Ok(inner) } else { Err(self.fail("`)` is missing here")) }
    }

    fn test(&mut self) -> Result<Test, RowsError> {
        let path = self.path()?;
        let with = if self.take("==") {
            Comparison::Equal(self.operand()?)
        } else if self.take("!=") {
            self.other()?
        } else if self.word("in") {
            Comparison::In(self.operands()?)
        } else if self.word("startswith") {
            Comparison::StartsWith(self.start()?)
        } else {
            return Err(self.fail("`==`, `!=`, `in` or `startswith` is expected here"));
        };
        Ok(Test { path, with })
    }

    /// A path of plain names from the root: `$.a.b`, `$['odd.name']`.
    fn path(&mut self) -> Result<Box<[Box<str>]>, RowsError> {
        let start = self.skip_blanks();
        if !self.rest().starts_with('$') || self.rest().starts_with("${") {
            return Err(self.fail("a member of the record is expected here, such as `$.tenant`"));
        }
        let written = &self.rest()[..path_len(self.rest())];
        let steps = field::parse(written).map_err(|error| RowsError { at: start + error.at, what: error.what })?.steps;
        self.at += written.len();
        let name = |step| match step {
            Step::Name(name) => Ok(name),
            Step::Glob(_) | Step::Index(_) | Step::AnyIndex | Step::Descend => {
                let what = "names one member from the root: no `*`, `?`, `**` nor `[n]` may stand in it";
                Err(RowsError { at: start, what })
            }
        };
        let names = steps.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
        if names.len() > limits::ROW_STEPS_MAX {
            return Err(RowsError { at: start, what: "lies deeper than a tested member may" });
        }
        Ok(names.into())
    }

    /// What stands behind `!=`: a literal with others of its kind.
    fn other(&mut self) -> Result<Comparison, RowsError> {
        let at = self.skip_blanks();
        match self.operand()? {
            Operand::Text(Text { before, claim: None }) => Ok(Comparison::Other(Scalar::Text(before))),
            Operand::Text(Text { claim: Some(_), .. }) => {
                Err(RowsError { at, what: "a claim says what is shown: compare it with `==`, `in` or `startswith`" })
            }
            Operand::Word(Scalar::Null) => {
                Err(RowsError { at, what: "`null` has no other of its kind; write what the member may be" })
            }
            Operand::Word(scalar) => Ok(Comparison::Other(scalar)),
        }
    }

    /// What stands behind `in`: a list, or a claim with any number of values.
    fn operands(&mut self) -> Result<Vec<Operand>, RowsError> {
        if !self.take("[") {
            let at = self.skip_blanks();
            return match self.operand()? {
                claim @ Operand::Text(Text { claim: Some(_), .. }) => Ok(vec![claim]),
                Operand::Text(_) | Operand::Word(_) => {
                    Err(RowsError { at, what: "behind `in` stands `[…]` or a claim; one value is compared by `==`" })
                }
            };
        }
        let mut all = vec![self.operand()?];
        while self.take(",") {
            all.push(self.operand()?);
        }
        if all.len() > limits::ROW_VALUES_MAX {
            return Err(self.fail("lists more values than a test may"));
        }
        if self.take("]") { Ok(all) } else { Err(self.fail("`,` or `]` is expected here")) }
    }

    /// What stands behind `startswith`.
    fn start(&mut self) -> Result<Text, RowsError> {
        let at = self.skip_blanks();
        match self.operand()? {
            Operand::Text(Text { claim: Some((_, after)), .. }) if after.is_empty() => {
                let what = "a beginning that ends in a claim also fits longer names; write what ends it, such as \
                            `\"${claims.team}/\"`";
                Err(RowsError { at, what })
            }
            Operand::Text(Text { before, claim: None }) if before.is_empty() => {
                Err(RowsError { at, what: "every text begins with nothing; write a beginning" })
            }
            Operand::Text(text) => Ok(text),
            Operand::Word(_) => Err(RowsError { at, what: "only texts begin with something; write a text" }),
        }
    }

    fn operand(&mut self) -> Result<Operand, RowsError> {
        let at = self.skip_blanks();
        let rest = self.rest();
        if rest.starts_with("${") {
            let (name, after) = claim(rest, at)?;
            self.at += rest.len() - after.len();
            return Ok(Operand::Text(Text { before: "".into(), claim: Some((name.into(), "".into())) }));
        }
        if rest.starts_with('"') {
            return self.quoted(at).map(Operand::Text);
        }
        if rest.starts_with('\'') {
            return Err(self.fail("texts stand in double quotes"));
        }
        let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = Scalar::of_word(&rest.as_bytes()[..len]);
        self.at += len;
        let what = "a text in quotes, a number, `true`, `false`, `null` or `${claims.NAME}` is expected here";
        word.map(Operand::Word).ok_or(RowsError { at, what })
    }

    /// A string of JSON, in which one claim may stand.
    fn quoted(&mut self, at: usize) -> Result<Text, RowsError> {
        let fail = |what| RowsError { at, what };
        let mut escaped = false;
        let close = self.rest().char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        let (close, _) = close.ok_or(fail("the quote is not closed"))?;
        let text: String = serde_json::from_str(&self.rest()[..=close])
            .map_err(|_| fail("the text is not written as JSON writes one"))?;
        self.at += close + 1;
        if text.len() > limits::ROW_TEXT_BYTES_MAX {
            return Err(fail("is longer than a text may be"));
        }
        let Some(open) = text.find("${") else { return Ok(Text { before: text.into(), claim: None }) };
        let (name, after) = claim(&text[open..], at)?;
        if after.contains("${") {
            return Err(fail("holds more than one claim"));
        }
        Ok(Text { before: text[..open].into(), claim: Some((name.into(), after.into())) })
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fail(&self, what: &'static str) -> RowsError {
        RowsError { at: self.at, what }
    }

    /// Where the next token begins.
    fn skip_blanks(&mut self) -> usize {
        self.at = self.text.len() - self.rest().trim_ascii_start().len();
        self.at
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    /// A word that nothing like a name follows.
    fn word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let there = self.rest().strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        there && self.take(word)
    }
}

/// One condition is itself.
fn joined(mut all: Vec<Condition>, join: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => join(all.into_iter().chain(last).collect()),
    }
}

/// The name in the `${claims.NAME}` that the text begins with, and what follows it.
fn claim(text: &str, at: usize) -> Result<(&str, &str), RowsError> {
    let inner = text.strip_prefix("${").and_then(|rest| rest.split_once('}'));
    let (inner, after) = inner.ok_or(RowsError { at, what: "`${` is not closed; write `${claims.NAME}`" })?;
    let name = inner.strip_prefix("claims.").filter(|name| !name.is_empty());
    Ok((name.ok_or(RowsError { at, what: "only `${claims.NAME}` may stand here" })?, after))
}

/// Length of the path that the text begins with: up to what cannot stand in one outside of quotes.
fn path_len(text: &str) -> usize {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c.is_whitespace() || "=!<>(),".contains(c) => return at,
            None => {}
        }
    }
    text.len()
}
