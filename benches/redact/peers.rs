//! The same redaction by others: a tree (`serde_json`), and a walk over tokens that copies what stays (`jiter`).

use jiter::{Jiter, Peek};
use serde_json::Value;

use super::is_hidden;

const TOKEN: &str = "[REDACTED]";

/// Parses each value to a tree, hides, and writes the tree.
pub(crate) fn serde(values: &[&[u8]], mut sink: impl FnMut(Vec<u8>)) {
    for value in values {
        let mut tree: Value = serde_json::from_slice(value).expect("the corpus is sound");
        hide(&mut tree);
        sink(serde_json::to_vec(&tree).expect("a value can be written"));
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_hidden(name) {
                    *member = Value::from(TOKEN);
                } else {
                    hide(member);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Walks the tokens of each value; what is not hidden is copied as it stands. The fastest correct way found among others'
/// parsers that keeps the bytes; it needs a whole value at a time.
pub(crate) fn jiter(values: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    let mut out = Vec::new();
    for value in values {
        out.clear();
        let mut walk = Walk { jiter: Jiter::new(value), text: value, copied: 0, out: &mut out };
        let first = walk.jiter.peek().expect("the corpus is sound");
        walk.value(first);
        walk.jiter.finish().expect("the corpus is sound");
        walk.copy(value.len());
        sink(&out);
    }
}

struct Walk<'a, 'o> {
    jiter: Jiter<'a>,
    text: &'a [u8],
    copied: usize,
    out: &'o mut Vec<u8>,
}

impl Walk<'_, '_> {
    fn copy(&mut self, until: usize) {
        self.out.extend_from_slice(&self.text[self.copied..until]);
        self.copied = until;
    }

    fn value(&mut self, peek: Peek) {
        match peek {
            Peek::Object => {
                let mut name = self.jiter.known_object().expect("the corpus is sound").map(is_hidden);
                while let Some(hidden) = name {
                    let peek = self.jiter.peek().expect("the corpus is sound");
                    if hidden {
                        self.copy(self.jiter.current_index());
                        self.jiter.known_skip(peek).expect("the corpus is sound");
                        self.out.extend_from_slice(b"\"[REDACTED]\"");
                        self.copied = self.jiter.current_index();
                    } else {
                        self.value(peek);
                    }
                    name = self.jiter.next_key().expect("the corpus is sound").map(is_hidden);
                }
            }
            Peek::Array => {
                let mut element = self.jiter.known_array().expect("the corpus is sound");
                while let Some(peek) = element {
                    self.value(peek);
                    element = self.jiter.array_step().expect("the corpus is sound");
                }
            }
            scalar => self.jiter.known_skip(scalar).expect("the corpus is sound"),
        }
    }
}
