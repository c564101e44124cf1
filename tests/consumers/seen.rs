//! A document as readers in this process read it: every occurrence of a name, and in strings whatever is JSON in them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::documents::Document;

const DEPTH_MAX: usize = 8;
const SECRET_NUMBER: f64 = 770_077.0;

/// A value.
#[derive(Debug)]
pub(crate) enum Seen {
    Object(Vec<(String, Seen)>),
    Array(Vec<Seen>),
    Text(String),
    Number(f64),
    Bool,
    Null,
}

/// What a reader says of a document: `ok`, `refused: …` or `found: …`.
pub(crate) fn found<E: fmt::Display>(document: &Document, read: impl Fn(&str) -> Result<Seen, E>) -> String {
    match read(&document.text) {
        Err(error) => format!("refused: {error}"),
        Ok(value) => value.found(document.whole, 0, &read).map_or("ok".to_owned(), |what| format!("found: {what}")),
    }
}

/// By `serde_json`.
pub(crate) fn read_by(text: &str) -> Result<Seen, serde_json::Error> {
    serde_json::from_str(text)
}

fn is_hidden(name: &str) -> bool {
    matches!(name, "user_id" | "api_key") || name.ends_with("_token")
}

impl Seen {
    fn is_token(&self) -> bool {
        match self {
            Seen::Text(text) => {
                let pseudonym = text.strip_prefix("p_").is_some_and(|rest| rest.len() == 16);
                pseudonym || matches!(text.as_str(), "" | "***" | "[REDACTED]")
            }
            Seen::Number(number) => *number == 0.0,
            Seen::Null => true,
            Seen::Object(_) | Seen::Array(_) | Seen::Bool => false,
        }
    }

    /// What should not be there.
    fn found<E>(&self, whole: bool, level: usize, read: &impl Fn(&str) -> Result<Seen, E>) -> Option<String> {
        match self {
            Seen::Object(members) => members.iter().find_map(|(name, value)| match is_hidden(name) {
                _ if whole && name.contains("Zq") => Some("a secret in a name".to_owned()),
                true if !value.is_token() => Some(format!("a hidden value: {value:?}")),
                true => None,
                false => value.found(whole, level, read),
            }),
            Seen::Array(elements) => elements.iter().find_map(|element| element.found(whole, level, read)),
            Seen::Text(text) if whole && text.contains("Zq") => Some(format!("a secret: {text}")),
            Seen::Text(text) if level < DEPTH_MAX => read(text).ok()?.found(whole, level + 1, read),
            Seen::Number(number) if whole && *number == SECRET_NUMBER => Some("a secret number".to_owned()),
            Seen::Text(_) | Seen::Number(_) | Seen::Bool | Seen::Null => None,
        }
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Seen::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Seen, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Seen::Array(elements))
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        Ok(Seen::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
        Ok(Seen::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Seen, E> {
        Ok(Seen::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Seen, E> {
        Ok(Seen::Number(number))
    }
}
