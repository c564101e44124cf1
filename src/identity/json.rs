//! JSON of tokens, read strictly: a member name that stands twice in one object is an error.
//!
//! RFC 7519 section 4 lets a parser keep the last of two equal names. Two parsers that keep different ones see two
//! different tokens, so we refuse. Not for objects of the bucket: those are never read into memory.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value without duplicate names.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An integer that fits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// The value that this text is, and nothing behind it.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The member of an object.
    pub fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.get(name),
            Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::Text(_) | Json::List(_) => None,
        }
    }

    /// What a dotted path (`realm_access.roles`) names. A member whose own name holds the dots goes first, because
    /// names such as `https://example.com/roles` are common.
    pub fn at(&self, path: &str) -> Option<&Json> {
        if let Some(found) = self.member(path) {
            return Some(found);
        }
        path.match_indices('.').find_map(|(dot, _)| self.member(&path[..dot])?.at(&path[dot + 1..]))
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Float(_) | Json::List(_) | Json::Object(_) => None,
        }
    }

    /// What a policy compares with: a string, number or boolean as one text, an array of those as its texts. Anything
    /// else has none.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Json::Text(text) => vec![text.clone()],
            Json::Integer(number) => vec![number.to_string()],
            Json::Bool(value) => vec![value.to_string()],
            Json::List(items) => items.iter().filter(|item| !matches!(item, Json::List(_))).flat_map(Json::texts).collect(),
            Json::Null | Json::Float(_) | Json::Object(_) => Vec::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate names")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "only numbers that no claim of ours can be become floats")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_names_are_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"a":2}}"#, r#"[{"a":1,"\u0061":2}]"#, r#"{"a":1} x"#, "{"] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(br#"{"a":{"a":1},"b":[1,-2,1.5,null,true,"x"]}"#).is_ok());
    }

    #[test]
    fn paths_and_texts() {
        let json = Json::parse(
            br#"{"realm_access":{"roles":["a",2,true,["no"],{"n":0}]},"https://x.y/roles":"r","a":{"b.c":"d"},"n":1.5}"#,
        )
        .unwrap();
        let check = |path: &str, want: &[&str]| {
            assert_eq!(json.at(path).map(Json::texts).unwrap_or_default(), want, "{path}");
        };
        check("realm_access.roles", &["a", "2", "true"]);
        check("https://x.y/roles", &["r"]);
        check("a.b.c", &["d"]);
        check("realm_access", &[]);
        check("realm_access.role", &[]);
        check("n", &[]);
        check("", &[]);
    }
}
