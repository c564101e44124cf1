//! A policy file as a tree of values with their places: TOML or JSON, and every mistake in it rather than the first.
//!
//! Serde would stop at the first mistake; reading a file here goes on, so that one run of `policy check` shows all.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

/// One mistake in a policy set: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file, as named in its folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

/// The mistakes of one file, found so far.
#[derive(Debug)]
pub(super) struct Book<'t> {
    file: &'t str,
    text: &'t str,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'t> Book<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, mistakes: Vec::new() }
    }

    /// Notes a mistake at an offset of the file, in bytes.
    pub(super) fn note(&mut self, at: usize, what: impl Into<String>) {
        self.mistakes.push(mistake(self.file, self.text, at, what));
    }
}

/// A mistake at an offset of a file's text, in bytes.
pub(super) fn mistake(file: &str, text: &str, at: usize, what: impl Into<String>) -> Mistake {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Mistake { file: file.to_owned(), line, column, what: what.into() }
}

/// A value and where it stands, in bytes from the beginning of its file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

/// What policy files are made of. Dates are texts here.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
    /// What no policy holds: its name.
    Other(&'static str),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A member of a table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) node: Node,
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Other(name) => name,
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Reads a file; what is wrong with its syntax is noted, and what could be read is returned.
pub(super) fn read(book: &mut Book<'_>) -> Node {
    if book.file.ends_with(".json") { read_json(book) } else { read_toml(book) }
}

fn read_toml(book: &mut Book<'_>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(book.text);
    for error in errors {
        book.note(error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()));
    }
    Node { at: 0, value: toml_table(table.get_ref()) }
}

fn toml_table(table: &DeTable<'_>) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(name, value)| Entry {
            at: name.span().start,
            name: name.get_ref().to_string(),
            node: Node { at: value.span().start, value: toml_value(value.get_ref()) },
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Value::Table(entries)
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("a number out of range"),
        },
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(bool) => Value::Bool(*bool),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(list) => Value::List(
            list.iter().map(|item| Node { at: item.span().start, value: toml_value(item.get_ref()) }).collect(),
        ),
        DeValue::Table(table) => toml_table(table),
    }
}

/// A member's name and the text of its value, in the order of the file, names that stand twice included.
struct Members<'j>(Vec<(String, &'j RawValue)>);

impl<'j> Deserialize<'j> for Members<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'j> Visitor<'j> for Collect {
            type Value = Members<'j>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Members<'j>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'j RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn read_json(book: &mut Book<'_>) -> Node {
    let text = book.text;
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => json_value(book, raw),
        Err(error) => {
            let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            book.note(line_start + error.column().saturating_sub(1), format!("not JSON: {error}"));
            Node { at: 0, value: Value::Table(Vec::new()) }
        }
    }
}

/// The whole text was seen to be JSON, so each part of it is.
fn json_value(book: &mut Book<'_>, raw: &RawValue) -> Node {
    let text = raw.get();
    let at = (text.as_ptr() as usize).saturating_sub(book.text.as_ptr() as usize);
    let value = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Members<'_>>(text).map(|members| json_table(book, members)),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .map(|items| Value::List(items.into_iter().map(|item| json_value(book, item)).collect())),
        Some(b'"') => serde_json::from_str(text).map(Value::Text),
        Some(b't' | b'f') => serde_json::from_str(text).map(Value::Bool),
        Some(b'n') => Ok(Value::Other("null")),
        _ => Ok(text.parse().map_or(Value::Other("a number with a fraction"), Value::Integer)),
    };
    Node { at, value: value.unwrap_or(Value::Other("not JSON")) }
}

fn json_table(book: &mut Book<'_>, members: Members<'_>) -> Value {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, raw) in members.0 {
        let node = json_value(book, raw);
        if entries.iter().any(|earlier| earlier.name == name) {
            book.note(node.at, format!("`{name}` stands twice; keep one of them"));
        }
        entries.push(Entry { at: node.at, name, node });
    }
    Value::Table(entries)
}

/// A value with where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) at: usize,
    pub(super) it: T,
}

impl<T> At<T> {
    /// Turns the value into another, or notes at its place why that cannot be.
    pub(super) fn try_map<U, E: fmt::Display>(
        self,
        book: &mut Book<'_>,
        to: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<At<U>> {
        match to(self.it) {
            Ok(it) => Some(At { at: self.at, it }),
            Err(error) => {
                book.note(self.at, error.to_string());
                None
            }
        }
    }
}

/// The members of one table, taken one by one; what was not taken is unknown.
pub(super) struct Fields<'n> {
    at: usize,
    entries: Vec<&'n Entry>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The members of a table; of anything else none, which is noted.
    pub(super) fn of(node: &'n Node, book: &mut Book<'_>) -> Self {
        let entries = if let Value::Table(entries) = &node.value {
            entries.iter().collect()
        } else {
            book.note(node.at, format!("a table is expected here, not {}", node.value.kind()));
            Vec::new()
        };
        Self { at: node.at, entries, known: Vec::new() }
    }

    /// Where the table begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Takes the member of that name.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(at))
    }

    /// Takes a member, and notes if it is missing.
    pub(super) fn must(&mut self, name: &'static str, book: &mut Book<'_>) -> Option<&'n Node> {
        let taken = self.take(name);
        if taken.is_none() {
            book.note(self.at, format!("`{name}` is missing; add it here"));
        }
        taken.map(|entry| &entry.node)
    }

    pub(super) fn text(&mut self, name: &'static str, book: &mut Book<'_>) -> Option<At<String>> {
        let entry = self.take(name)?;
        text(&entry.node, book)
    }

    pub(super) fn must_text(&mut self, name: &'static str, book: &mut Book<'_>) -> Option<At<String>> {
        let node = self.must(name, book)?;
        text(node, book)
    }

    /// `true` or `false`; absent is `false`.
    pub(super) fn flag(&mut self, name: &'static str, book: &mut Book<'_>) -> bool {
        self.flag_or(name, false, book)
    }

    /// The same, with what counts where it is not said.
    pub(super) fn flag_or(&mut self, name: &'static str, unsaid: bool, book: &mut Book<'_>) -> bool {
        let Some(entry) = self.take(name) else { return unsaid };
        let Value::Bool(flag) = entry.node.value else {
            book.note(entry.node.at, format!("`{name}` is true or false, not {}", entry.node.value.kind()));
            return unsaid;
        };
        flag
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&mut self, name: &'static str, most: u64, book: &mut Book<'_>) -> Option<u64> {
        let entry = self.take(name)?;
        let number = match entry.node.value {
            Value::Integer(number) => u64::try_from(number).ok().filter(|number| (1..=most).contains(number)),
            Value::Text(_) | Value::Bool(_) | Value::Other(_) | Value::List(_) | Value::Table(_) => None,
        };
        if number.is_none() {
            book.note(entry.node.at, format!("`{name}` is a whole number from 1 to {most}"));
        }
        number
    }

    /// A text, or a list of texts.
    pub(super) fn texts(&mut self, name: &'static str, book: &mut Book<'_>) -> Vec<At<String>> {
        self.take(name).map(|entry| texts(&entry.node, book)).unwrap_or_default()
    }

    /// The tables of `[[name]]`.
    pub(super) fn tables(&mut self, name: &'static str, book: &mut Book<'_>) -> Vec<Fields<'n>> {
        let Some(entry) = self.take(name) else { return Vec::new() };
        let Value::List(items) = &entry.node.value else {
            book.note(entry.at, format!("write `[[{name}]]`, a list of tables, not {}", entry.node.value.kind()));
            return Vec::new();
        };
        items.iter().map(|item| Fields::of(item, book)).collect()
    }

    /// The members that were not taken, for tables of free names.
    pub(super) fn rest(self) -> Vec<&'n Entry> {
        self.entries
    }

    /// Notes what was not taken.
    pub(super) fn done(self, book: &mut Book<'_>) {
        for entry in self.entries {
            let near = self.known.iter().find(|known| is_near(known, &entry.name));
            let advice = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("here may stand: {}", self.known.join(", ")),
            };
            book.note(entry.at, format!("unknown key `{}`; {advice}", entry.name));
        }
    }
}

pub(super) fn text(node: &Node, book: &mut Book<'_>) -> Option<At<String>> {
    let Value::Text(text) = &node.value else {
        book.note(node.at, format!("a text is expected here, not {}", node.value.kind()));
        return None;
    };
    Some(At { at: node.at, it: text.clone() })
}

pub(super) fn texts(node: &Node, book: &mut Book<'_>) -> Vec<At<String>> {
    let Value::List(items) = &node.value else { return text(node, book).into_iter().collect() };
    items.iter().filter_map(|item| text(item, book)).collect()
}

/// Whether one name is the other with one letter altered, missing, added or swapped.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() { (&one, &other) } else { (&other, &one) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let swapped = short.len() == long.len()
        && same + 1 < short.len()
        && short[same] == long[same + 1]
        && short[same + 1] == long[same]
        && short[same + 2..] == long[same + 2..];
    let rest = if short.len() == long.len() { same + 1 } else { same };
    swapped || short.get(rest..).unwrap_or(&[]) == long.get(same + 1..).unwrap_or(&[])
}
