//! What every test of the engine uses: masks in short form, feeding in pieces, and random documents.

#![allow(clippy::unwrap_used, reason = "they are tests, for fuzzers, too")]
#![cfg_attr(fuzzing, allow(dead_code, unused_imports, reason = "fuzz targets use a part of it"))]

#[cfg(test)]
mod alike;
#[cfg(test)]
mod aside;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hidden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod language;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod objects;
pub(super) mod oracle;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod rows_reference;
#[cfg(test)]
mod several;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod values;

use std::sync::Arc;

use bytes::Bytes;

use super::output::Shown;
use super::plan::Plan;
use super::redactor::{Fault, Redactor};
use super::tally::Tally;
use crate::keyring::SecretKey;
use crate::policy::mask::{
    FieldPath, Format, KeepRule, LengthRule, MaskAction, MaskRule, Masks, NameRule, OnBroken, Step,
};

use MaskAction::{Drop, Hmac, Mask, Partial};

pub(super) fn key() -> SecretKey {
    SecretKey::from_bytes([42; 32])
}

/// Steps, separated by blanks: `** user_id`, `steps [*] prompt`, `a [0]`.
fn field(text: &str) -> FieldPath {
    let step = |word: &str| match word {
        "**" => Step::Descend,
        "[*]" => Step::AnyIndex,
        _ if word.starts_with('[') => Step::Index(word[1..word.len() - 1].parse().unwrap()),
        _ if word.contains(['*', '?']) => Step::Glob(word.into()),
        _ => Step::Name(word.into()),
    };
    FieldPath { steps: text.split(' ').map(step).collect() }
}

pub(in crate::redact) fn masks(rules: &[(&str, MaskAction)]) -> Masks {
    let rule = |(at, (text, action)): (usize, &(&str, MaskAction))| MaskRule {
        profile: ["first", "second"][at % 2].into(),
        field: field(text),
        action: *action,
    };
    Masks { pseudonym_scope: "role/profile".into(), ..Masks::of(rules.iter().enumerate().map(rule).collect()) }
}

/// Rules on the names of members, each with the glob `*` as its last step.
fn names(members: &[&str]) -> Vec<NameRule> {
    members.iter().map(|members| NameRule { profile: "names".into(), members: field(members) }).collect()
}

/// An allow-list.
fn keep(fields: &[&str]) -> KeepRule {
    KeepRule { profile: "kept".into(), fields: fields.iter().map(|text| field(text)).collect() }
}

pub(super) fn plan(masks: &Masks) -> Arc<Plan> {
    Arc::new(Plan::compile(masks, &key()))
}

/// What came out, how it ended, what was counted.
pub(super) type Outcome = (Vec<u8>, Result<(), Fault>, Tally);

/// Feeds the text in pieces of the sizes that `size` names.
pub(super) fn feed(plan: &Arc<Plan>, format: Format, text: &[u8], size: impl FnMut() -> usize) -> Outcome {
    feed_to(Redactor::new(plan.clone(), format, 0), text, size)
}

pub(super) fn feed_to(mut redactor: Redactor, text: &[u8], mut size: impl FnMut() -> usize) -> Outcome {
    let (mut shown, mut out, mut rest) = (Shown::new(), Vec::new(), text);
    let mut ended = Ok(());
    while !rest.is_empty() && ended.is_ok() {
        let (piece, more) = rest.split_at(size().clamp(1, rest.len()));
        ended = redactor.write(Bytes::copy_from_slice(piece), &mut shown);
        shown.by_ref().for_each(|bytes| out.extend_from_slice(&bytes));
        rest = more;
    }
    if ended.is_ok() {
        ended = redactor.end(&mut shown);
        shown.by_ref().for_each(|bytes| out.extend_from_slice(&bytes));
    }
    assert!(redactor.write(Bytes::from_static(b"{}"), &mut shown).is_err() && shown.is_empty(), "poisoned or ended");
    (out, ended, redactor.tally().clone())
}

pub(super) fn at_once(plan: &Arc<Plan>, format: Format, text: &[u8]) -> Outcome {
    feed(plan, format, text, || usize::MAX)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Seeds of one test; `REDACT_SEEDS=100` runs a hundred times as many.
pub(super) fn seeds(count: u64) -> std::ops::Range<u64> {
    let times: u64 = std::env::var("REDACT_SEEDS").map_or(1, |times| times.parse().unwrap());
    0..count * times
}

/// A small deterministic generator (splitmix64), so that a failure names its seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// A set of masks of every kind of step and action.
    pub(super) fn masks(&mut self) -> Masks {
        const FIELDS: &[&str] = &[
            "** user_id",
            "** *_token",
            "** api_key",
            "a b",
            "a",
            "b [*]",
            "** b [*] a",
            "a [0]",
            "** [1]",
            "[*] a",
            "[0]",
            "a ** b",
            "** é",
            "** ?",
            "** a*",
            "** user_id b",
            "a b c",
            "** b ** a",
            "[*] [*]",
            "** x y",
            "** \u{1F600}",
        ];
        // Sometimes more than one word of positions.
        let most = if self.one_in(8) { 60 } else { 4 };
        let rules: Vec<_> = (0..=self.below(most))
            .map(|_| (*self.of(&FIELDS.iter().collect::<Vec<_>>()), [Mask, Mask, Drop, Hmac, Partial][self.below(5)]))
            .collect();
        let mut masks = masks(&rules);
        if self.one_in(3) {
            const OBJECTS: &[&str] = &["*", "a *", "** b *", "** user_id *", "a [*] *", "b [0] *", "** *", "** a * *"];
            let rules: Vec<_> = (0..=self.below(2)).map(|_| *self.of(&OBJECTS.iter().collect::<Vec<_>>())).collect();
            masks.names = names(&rules);
        }
        if self.one_in(3) {
            const KEPT: &[&str] =
                &["a", "** b", "a b", "** user_id", "a [*] b", "** [1]", "[*] a", "[0]", "** b ** a", "** a*"];
            let paths = |random: &mut Self| -> Vec<_> {
                (0..=random.below(3)).map(|_| *random.of(&KEPT.iter().collect::<Vec<_>>())).collect()
            };
            masks.keeps = (0..=self.below(2)).map(|_| keep(&paths(self))).collect();
            if self.one_in(2) {
                masks.rules.truncate(self.below(2));
            }
        }
        masks.length =
            [None, Some(LengthRule::Record), Some(LengthRule::Field), Some(LengthRule::Hidden)][self.below(4)];
        masks.embedded = !self.one_in(8);
        masks
    }

    pub(super) fn format(&mut self) -> Format {
        if self.one_in(2) { Format::Json } else { Format::Jsonl }
    }

    /// An object: one document, or some lines of which few are broken, or part of a value of many lines.
    pub(super) fn object(&mut self, format: Format) -> Vec<u8> {
        let mut out = if self.one_in(20) { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
        if format == Format::Json {
            self.value(&mut out, 0, true);
            return out;
        }
        for _ in 0..self.below(6) {
            if !self.one_in(8) {
                self.record(&mut out);
            }
            out.extend_from_slice(self.of::<[u8]>(&[b"\n", b"\n", b"\n", b"\r\n", b" \r\n", b"}\n", b"\n\n"]));
        }
        if self.one_in(2) {
            self.record(&mut out);
        }
        out
    }

    /// Mostly an object or array on one line.
    fn record(&mut self, out: &mut Vec<u8>) {
        if self.one_in(8) {
            let newlines = self.one_in(2);
            return self.value(out, 0, newlines);
        }
        self.blanks(out, false);
        let brackets = if self.one_in(4) { b"[]" } else { b"{}" };
        self.members(out, brackets, 0, false);
        self.blanks(out, false);
    }

    /// The same JSON with line breaks between its tokens.
    fn spread(&mut self, json: &[u8]) -> Vec<u8> {
        let (mut out, mut string, mut escaped) = (Vec::new(), false, false);
        for &byte in json {
            let structural = !string && b"{}[],:".contains(&byte);
            if structural && self.one_in(3) {
                out.push(b'\n');
            }
            out.push(byte);
            if structural && self.one_in(3) {
                out.push(b'\n');
            }
            string ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
        }
        out
    }

    fn blanks(&mut self, out: &mut Vec<u8>, newlines: bool) {
        if self.one_in(4) {
            let blank = self.of::<[u8]>(&[b" ", b"  ", b"\t", b"\r", if newlines { b"\n" } else { b"     " }]);
            out.extend_from_slice(blank);
        }
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize, newlines: bool) {
        self.blanks(out, newlines);
        match self.below(if depth < 5 { 9 } else { 5 }) {
            0 | 1 => self.string(out),
            2 => out.extend_from_slice(self.of::<[u8]>(&[b"true", b"false"])),
            3 | 4 => {
                let word = self.of::<str>(&[
                    "0",
                    "-0",
                    "5",
                    "12",
                    "-3.25",
                    "1e9",
                    "0.5E-10",
                    "12345678901234567890123",
                    "null",
                    "NaN",
                    "-Infinity",
                    "false",
                    "Infinity",
                ]);
                out.extend_from_slice(word.as_bytes());
            }
            5 => self.members(out, b"[]", depth, newlines),
            _ => self.members(out, b"{}", depth, newlines),
        }
        self.blanks(out, newlines);
    }

    fn members(&mut self, out: &mut Vec<u8>, brackets: &[u8; 2], depth: usize, newlines: bool) {
        out.push(brackets[0]);
        for at in 0..self.below(5) {
            if at > 0 {
                out.push(b',');
            }
            if brackets[0] == b'{' {
                self.blanks(out, newlines);
                let name = self.of::<str>(&[
                    "a",
                    "b",
                    "c",
                    "user_id",
                    "api_key",
                    "access_token",
                    "a",
                    "b",
                    "é",
                    "x",
                    "y",
                    "",
                    "user_idx",
                    "\u{1F600}",
                ]);
                self.quoted(out, name);
                self.blanks(out, newlines);
                out.push(b':');
            }
            self.value(out, depth + 1, newlines);
        }
        self.blanks(out, newlines);
        out.push(brackets[1]);
    }

    fn string(&mut self, out: &mut Vec<u8>) {
        if self.one_in(6) {
            let text = self.embedded(0);
            return self.quoted(out, &text);
        }
        let mut text = String::new();
        for _ in 0..self.below(8) {
            text.push_str(self.of::<str>(&[
                "x",
                "user",
                "é",
                "\u{1F600}",
                "\"",
                "\\",
                "{",
                "}",
                ",",
                "/",
                "plain words ",
                "\u{7f}",
                "\u{1}",
                "\n",
            ]));
        }
        self.quoted(out, &text);
        if self.one_in(30) {
            out.pop();
            out.extend_from_slice(self.of::<[u8]>(&[
                b"\\ud800\"",
                b"\\udc00\\u0041\"",
                b"\\ud83d\\ude00\"",
                b"\\ud800\\ud800\\n\"",
            ]));
        }
    }

    /// The text of a string that holds JSON, or something like it.
    fn embedded(&mut self, level: usize) -> String {
        let mut json = self.of::<[u8]>(&[b"", b"", b"", b"", b" ", b"\n", b"\t{} ", b"\xEF\xBB\xBF", b"x"]).to_vec();
        if level < 4 && self.one_in(3) {
            let text = self.embedded(level + 1);
            let before = self.of::<str>(&["", "", "[", "{\"user_id\":1,\"b\":", "{\"user_id\":", "{\"b\":[1,"]);
            json.extend_from_slice(before.as_bytes());
            self.quoted(&mut json, &text);
            json.extend_from_slice(self.of::<[u8]>(&[b"", b"]", b"}", b",\"api_key\":12}", b"]}", b" {}"]));
        } else {
            let brackets = if self.one_in(4) { b"[]" } else { b"{}" };
            self.members(&mut json, brackets, 3, true);
        }
        if self.one_in(3) {
            self.mutate(&mut json);
        }
        if self.one_in(12) {
            self.members(&mut json, b"{}", 4, true);
        }
        String::from_utf8_lossy(&json).into_owned()
    }

    /// The text as a JSON string, some of its characters escaped without need.
    fn quoted(&mut self, out: &mut Vec<u8>, text: &str) {
        out.push(b'"');
        for character in text.chars() {
            if character < ' ' || self.one_in(12) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let escape = if self.one_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    out.extend_from_slice(escape.as_bytes());
                }
            } else {
                match character {
                    '\n' => out.extend_from_slice(b"\\n"),
                    '\0'..='\x1F' => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
                    '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
                    '/' if self.one_in(2) => out.extend_from_slice(b"\\/"),
                    _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
        out.push(b'"');
    }

    /// One to three small damages.
    pub(super) fn mutate(&mut self, text: &mut Vec<u8>) {
        const ALPHABET: &[u8] =
            b"{}[]\",:\\ \n\r\t0123456789eE+-.truefalsnNI/u\x0C\x1A\x00\x7F\xEF\xBB\xBF\xC1\xA1\xF0\x9F\x98\x80\xED\xA0";
        for _ in 0..=self.below(3) {
            let at = self.below(text.len() + 1);
            let byte = ALPHABET[self.below(ALPHABET.len())];
            match self.below(5) {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                2 if at < text.len() => drop(text.remove(at)),
                3 if self.one_in(4) => text.truncate(at),
                _ if at < text.len() => {
                    let until = at + self.below(text.len() - at).min(6);
                    let again = text[at..until].to_vec();
                    text.splice(at..at, again);
                }
                _ => text.push(byte),
            }
        }
    }
}
