//! Documents made to deceive a reader, as the view shows them: names in any spelling and several times, JSON in strings in
//! strings, odd white space, marks, numbers and surrogates, some of them damaged. In all of them what stands under a hidden name
//! holds `Zq` or 770077, and unless they were damaged nothing else does.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tracegate::keyring::SecretKey;
use tracegate::policy::mask::{FieldPath, Format, LengthRule, MaskAction, MaskRule, Masks, Step};
use tracegate::redact::output::Shown;
use tracegate::redact::plan::Plan;
use tracegate::redact::redactor::Redactor;

/// Objects that are made; of JSONL each line is a document.
const OBJECTS: u64 = 6000;

/// What a view shows of one document.
pub(crate) struct Document {
    pub(crate) text: String,
    /// Whether its secrets stand under hidden names alone.
    pub(crate) whole: bool,
}

impl Document {
    /// Whether it has Python's words for numbers that JSON has none for.
    pub(crate) fn has_odd_numbers(&self) -> bool {
        self.text.contains("NaN") || self.text.contains("Infinity")
    }

    pub(crate) fn has_mark(&self) -> bool {
        self.text.starts_with('\u{FEFF}')
    }

    /// Whether half of a pair of surrogates is escaped in it without the other.
    pub(crate) fn has_lone_surrogates(&self) -> bool {
        let (mut rest, mut units, mut lone) = (self.text.as_str(), Vec::new(), false);
        while let Some(at) = rest.find('\\') {
            let behind = &rest[at + 1..];
            if at > 0 {
                lone |= has_half(&std::mem::take(&mut units));
            }
            let unit = behind.strip_prefix('u').and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
            units.extend(unit);
            if unit.is_none() {
                lone |= has_half(&std::mem::take(&mut units));
            }
            rest = &behind[if unit.is_some() { 5 } else { behind.chars().next().map_or(0, char::len_utf8) }..];
        }
        lone || has_half(&units)
    }
}

fn has_half(units: &[u16]) -> bool {
    char::decode_utf16(units.iter().copied()).any(|unit| unit.is_err())
}

/// All of them, made once.
pub(crate) fn shown() -> &'static [Document] {
    static SHOWN: OnceLock<Vec<Document>> = OnceLock::new();
    SHOWN.get_or_init(|| (0..OBJECTS).flat_map(object).collect())
}

/// What is shown of the object of that seed; nothing where it is refused.
fn object(seed: u64) -> Vec<Document> {
    let mut random = Random(seed);
    let format = if random.one_in(2) { Format::Json } else { Format::Jsonl };
    let (mut object, mut whole) = (Vec::new(), true);
    if random.one_in(20) {
        object.extend_from_slice("\u{FEFF}".as_bytes());
    }
    for at in 0..if format == Format::Json { 1 } else { 3 } {
        object.extend_from_slice(if at > 0 { b"\n" } else { b"" });
        let record = random.members("{}", 0, format == Format::Json);
        object.extend_from_slice(record.as_bytes());
    }
    if random.one_in(3) {
        whole = false;
        random.damage(&mut object);
    }
    let masks = random.masks();
    let Some(text) = redacted(&masks, format, &object, 1 + random.below(200)) else { return Vec::new() };
    let lines: Vec<&str> = match format {
        Format::Json => vec![&text],
        Format::Jsonl => text.split('\n').filter(|line| !line.trim().is_empty()).collect(),
    };
    lines.into_iter().map(|text| Document { text: text.to_owned(), whole }).collect()
}

fn redacted(masks: &Masks, format: Format, object: &[u8], piece: usize) -> Option<String> {
    let plan = Arc::new(Plan::compile(masks, &SecretKey::from_bytes([7; 32])));
    let (mut redactor, mut shown) = (Redactor::new(plan, format, 0), Shown::new());
    object.chunks(piece).try_for_each(|piece| redactor.write(Bytes::copy_from_slice(piece), &mut shown)).ok()?;
    redactor.end(&mut shown).ok()?;
    let pieces: Vec<Bytes> = shown.collect();
    Some(String::from_utf8(pieces.concat()).expect("what is taken is UTF-8, and so is what is shown of it"))
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    fn masks(&mut self) -> Masks {
        let rule = |last: Step, action| MaskRule {
            profile: "secrets".into(),
            field: FieldPath { steps: vec![Step::Descend, last] },
            action,
        };
        let lasts = [Step::Name("user_id".into()), Step::Name("api_key".into()), Step::Glob("*_token".into())];
        let actions = [MaskAction::Mask, MaskAction::Drop, MaskAction::Hmac];
        let length = [None, Some(LengthRule::Record), Some(LengthRule::Field), Some(LengthRule::Hidden)][self.below(4)];
        let rules = lasts.map(|last| rule(last, actions[self.below(3)])).into();
        Masks { length, ..Masks::of(rules) }
    }

    fn blanks(&mut self, newlines: bool) -> &'static str {
        if self.one_in(4) { self.of(&[" ", "\t", "  \t ", "\r", if newlines { "\n\r\n" } else { " " }]) } else { "" }
    }

    fn members(&mut self, brackets: &str, depth: usize, newlines: bool) -> String {
        let mut out = brackets[..1].to_owned();
        for at in 0..1 + self.below(5) {
            out.push_str(if at > 0 { "," } else { "" });
            out.push_str(self.blanks(newlines));
            let hides = self.one_in(3) && brackets == "{}";
            if brackets == "{}" {
                let name = if hides {
                    self.of(&["user_id", "api_key", "access_token", "_token"])
                } else {
                    self.of(&["a", "b", "a", "user_idx", "tokens", "é", "", "\u{1F600}", "user_id ", "x\"y"])
                };
                let name = self.quoted(name);
                out.extend([&name, self.blanks(newlines), ":", self.blanks(newlines)]);
            }
            out.push_str(&if hides { self.secret(depth) } else { self.value(depth + 1, newlines) });
            out.push_str(self.blanks(newlines));
        }
        out + &brackets[1..]
    }

    fn value(&mut self, depth: usize, newlines: bool) -> String {
        match self.below(if depth < 5 { 9 } else { 3 }) {
            0 => self.of(&["true", "false", "null", "0", "-0.0", "1e5", "12345678901234567890123", "5E-3"]).to_owned(),
            1 if self.one_in(20) => self.of(&["NaN", "-Infinity", "Infinity"]).to_owned(),
            1 if self.one_in(20) => self.of(&["\"\\ud800\"", "\"\\udc00x\"", "\"\\ud800\\ud800\""]).to_owned(),
            1 | 2 => {
                let text = self.of(&[
                    "",
                    "words",
                    "{",
                    "[INFO] done",
                    "é\u{1F600}",
                    "tab\tnewline\n",
                    "\\\"/",
                    "\u{7f}\u{2028}",
                ]);
                self.quoted(text)
            }
            3 | 4 => self.embedded(),
            5 => self.members("[]", depth, newlines),
            _ => self.members("{}", depth, newlines),
        }
    }

    /// JSON in a string, perhaps several levels of it, or several values.
    fn embedded(&mut self) -> String {
        let mut text = self.of(&["", "", "", " ", "\n\t", "\u{FEFF}"]).to_owned();
        text.push_str(&self.members("{}", 4, true));
        if self.one_in(8) {
            text.push_str(&self.members("[]", 4, true));
        }
        for _ in 0..self.below(4) {
            let inner = self.quoted(&text);
            text = if self.one_in(2) { inner } else { format!("[{},{inner}]", self.value(9, true)) };
        }
        self.quoted(&text)
    }

    fn secret(&mut self, depth: usize) -> String {
        let nonce = format!("Zq{:x}", self.next());
        match self.below(if depth < 4 { 7 } else { 4 }) {
            0 => "770077".to_owned(),
            1 => self.quoted("Zq"),
            2 | 3 => self.quoted(&nonce),
            4 => format!("[{},770077,{{\"Zq\":null}}]", self.quoted(&nonce)),
            5 => format!("{{\"user_id\":{},{}:1}}", self.quoted(&nonce), self.quoted(&nonce)),
            _ => {
                let held = format!("{{\"b\":{}}}", self.quoted(&nonce));
                self.quoted(&held)
            }
        }
    }

    /// As a string, some of its characters escaped without need.
    fn quoted(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for character in text.chars() {
            match character {
                '\0'..='\x1F' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
                '"' | '\\' => out.extend(['\\', character]),
                _ if self.one_in(12) => {
                    let upper = self.one_in(2);
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
                    }
                }
                _ => out.push(character),
            }
        }
        out + "\""
    }

    /// Few bytes are others, or gone, or doubled.
    fn damage(&mut self, object: &mut Vec<u8>) {
        const ALPHABET: &[u8] = b"{}[]\",:\\ \n0123456789eE+-.truNI/u\x0C\x00\xEF\xBB\xBF\xED\xA0";
        for _ in 0..=self.below(2) {
            let (at, byte) = (self.below(object.len()), ALPHABET[self.below(ALPHABET.len())]);
            match self.below(3) {
                0 => object.insert(at, byte),
                1 => object[at] = byte,
                _ => drop(object.remove(at)),
            }
        }
    }
}
