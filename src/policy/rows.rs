//! Which records a view shows: `rows = '$.tenant == ${claims.tenant}'`, parsed once; and the same with a caller's claims.
//!
//! Everything here fails closed. No test can be negated, so that what is unknown (a claim that is missing, a member that is
//! missing, a value of another kind) can only hide a record. Strings are compared decoded, numbers by their exact value.

mod number;
mod parse;
pub mod sample;

use std::collections::BTreeSet;

pub use number::Decimal;
pub use parse::RowsError;

use crate::identity::Claims;
use crate::limits;

/// The condition of one profile, as written. Known to parse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rows {
    written: Box<str>,
    tests: Vec<Test>,
    condition: Condition,
}

/// How tests are joined. A number is a test's place in its list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test(usize),
}

/// One member of the record, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Test {
    path: Box<[Box<str>]>,
    with: Comparison,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Comparison {
    /// `==`: a claim in it must have exactly one value.
    Equal(Operand),
    /// `in`: any value of any of them.
    In(Vec<Operand>),
    /// `!=`: of the literal's kind, and another one.
    Other(Scalar),
    /// `startswith`.
    StartsWith(Text),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Operand {
    Text(Text),
    Word(Scalar),
}

/// A text in which one claim may stand: its name, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Text {
    before: Box<str>,
    claim: Option<(Box<str>, Box<str>)>,
}

/// A value that a record's member is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A string, decoded.
    Text(Box<str>),
    /// A number.
    Number(Decimal),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// What a record must be to be shown: the conditions of all profiles that apply, with the caller's claims put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFilter {
    tests: Vec<RowTest>,
    condition: Condition,
}

/// One test of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowTest {
    /// The names of members from the root on, at least one.
    pub path: Box<[Box<str>]>,
    /// What the value there must be. An object or array is nothing of it.
    pub fits: Fits,
}

/// What a scalar must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fits {
    /// One of these; none fits an empty list.
    OneOf(Vec<Scalar>),
    /// Of the same kind as this one, and not it.
    Other(Scalar),
    /// A string that begins with one of these.
    StartsWith(Vec<Box<str>>),
}

impl Rows {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(written: &str) -> Result<Self, RowsError> {
        let (tests, condition) = parse::condition(written)?;
        Ok(Self { written: written.into(), tests, condition })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// How many tests it has.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// The claims that stand in it.
    pub fn claims(&self) -> BTreeSet<&str> {
        let operands = self.tests.iter().flat_map(|test| match &test.with {
            Comparison::Equal(operand) => std::slice::from_ref(operand).iter().filter_map(Operand::text).collect(),
            Comparison::In(operands) => operands.iter().filter_map(Operand::text).collect(),
            Comparison::StartsWith(text) => vec![text],
            Comparison::Other(_) => Vec::new(),
        });
        operands.filter_map(|text| text.claim.as_ref().map(|(name, _)| &**name)).collect()
    }
}

impl RowFilter {
    /// All of these conditions together, for a caller with these claims; `None` without a condition.
    pub fn of<'r>(all: impl IntoIterator<Item = &'r Rows>, claims: &Claims) -> Option<Self> {
        let (mut tests, mut conditions) = (Vec::new(), Vec::new());
        for rows in all {
            conditions.push(rows.condition.behind(tests.len()));
            tests.extend(rows.tests.iter().map(|test| test.resolve(claims)));
        }
        // A set of tests is a word: the tests of a whole policy set were counted when it was read.
        debug_assert!(tests.len() <= limits::ROW_TESTS_MAX);
        (!conditions.is_empty()).then_some(Self { tests, condition: Condition::All(conditions) })
    }

    /// The tests, at most [`limits::ROW_TESTS_MAX`].
    pub fn tests(&self) -> &[RowTest] {
        &self.tests
    }

    /// Whether the record is shown if exactly these tests hold: bit `n` is test `n`. With more of them it still is.
    pub fn holds(&self, tests: u64) -> bool {
        self.condition.holds(tests)
    }
}

impl Fits {
    /// Whether a string fits, given by its decoded bytes, of which those behind [`Fits::looks_at`] may be missing.
    pub fn text(&self, found: &[u8]) -> bool {
        match self {
            Fits::OneOf(all) => all.iter().any(|one| one.is_text(found)),
            Fits::Other(one) => matches!(one, Scalar::Text(_)) && !one.is_text(found),
            Fits::StartsWith(all) => all.iter().any(|start| found.starts_with(start.as_bytes())),
        }
    }

    /// Whether a number, boolean or null fits.
    pub fn word(&self, found: &Scalar) -> bool {
        match self {
            Fits::OneOf(all) => all.contains(found),
            Fits::Other(one) => std::mem::discriminant(one) == std::mem::discriminant(found) && one != found,
            Fits::StartsWith(_) => false,
        }
    }

    /// How many bytes of a string must be known to tell whether it fits.
    pub fn looks_at(&self) -> usize {
        let longest = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::len).max().unwrap_or_default();
        // One more tells that it is longer.
        1 + match self {
            Fits::OneOf(all) => longest(&mut all.iter().filter_map(Scalar::text)),
            Fits::Other(one) => longest(&mut one.text().into_iter()),
            Fits::StartsWith(all) => longest(&mut all.iter().map(|start| &**start)),
        }
    }
}

impl Scalar {
    /// A number, boolean or null as JSON writes it. `None` for anything else, and for numbers too long to be compared.
    pub fn of_word(written: &[u8]) -> Option<Self> {
        match written {
            b"true" => Some(Scalar::Bool(true)),
            b"false" => Some(Scalar::Bool(false)),
            b"null" => Some(Scalar::Null),
            number => Decimal::parse(number).map(Scalar::Number),
        }
    }

    fn is_text(&self, found: &[u8]) -> bool {
        self.text().is_some_and(|text| text.as_bytes() == found)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            Scalar::Number(_) | Scalar::Bool(_) | Scalar::Null => None,
        }
    }
}

impl Condition {
    /// The same over a list that holds so many other tests before its own.
    fn behind(&self, others: usize) -> Self {
        let all = |conditions: &[Condition]| conditions.iter().map(|condition| condition.behind(others)).collect();
        match self {
            Condition::All(conditions) => Condition::All(all(conditions)),
            Condition::Any(conditions) => Condition::Any(all(conditions)),
            Condition::Test(at) => Condition::Test(at + others),
        }
    }

    fn holds(&self, tests: u64) -> bool {
        match self {
            Condition::All(conditions) => conditions.iter().all(|condition| condition.holds(tests)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.holds(tests)),
            Condition::Test(at) => tests & (1 << at) != 0,
        }
    }
}

impl Test {
    fn resolve(&self, claims: &Claims) -> RowTest {
        let fits = match &self.with {
            Comparison::Equal(operand) if operand.text().is_some_and(|text| text.values(claims).len() > 1) => {
                Fits::OneOf(Vec::new())
            }
            Comparison::Equal(operand) => Fits::OneOf(operand.resolve(claims)),
            Comparison::In(operands) => {
                Fits::OneOf(operands.iter().flat_map(|operand| operand.resolve(claims)).collect())
            }
            Comparison::Other(scalar) => Fits::Other(scalar.clone()),
            Comparison::StartsWith(text) => Fits::StartsWith(text.resolve(claims)),
        };
        RowTest { path: self.path.clone(), fits }
    }
}

impl Operand {
    fn text(&self) -> Option<&Text> {
        match self {
            Operand::Text(text) => Some(text),
            Operand::Word(_) => None,
        }
    }

    fn resolve(&self, claims: &Claims) -> Vec<Scalar> {
        match self {
            Operand::Text(text) => text.resolve(claims).into_iter().map(Scalar::Text).collect(),
            Operand::Word(scalar) => vec![scalar.clone()],
        }
    }
}

impl Text {
    /// The values of its claim, whatever they are.
    fn values<'c>(&self, claims: &'c Claims) -> &'c [String] {
        let claim = self.claim.as_ref().and_then(|(name, _)| claims.get(&**name));
        claim.map_or(&[], Vec::as_slice)
    }

    /// The texts that it stands for: none where its claim is missing, or has too many values.
    fn resolve(&self, claims: &Claims) -> Vec<Box<str>> {
        let Some((_, after)) = &self.claim else { return vec![self.before.clone()] };
        let values = self.values(claims);
        if values.len() > limits::CLAIM_VALUES_MAX {
            return Vec::new();
        }
        let sound = values.iter().filter(|value| (1..=limits::ROW_CLAIM_BYTES_MAX).contains(&value.len()));
        sound.map(|value| format!("{}{value}{after}", self.before).into()).collect()
    }
}

#[cfg(test)]
mod tests;
