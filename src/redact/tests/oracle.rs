//! What redaction means, said a second time and naively: the whole text in memory, a tree of spans, recursion, and a
//! matcher over whole paths. Shares no code with the engine.

mod texts;

use crate::keyring::SecretKey;
use crate::policy::mask::{Format, LengthRule, MaskAction, Masks, OnBroken, Step};

/// The redacted text, or `None` where the object as a whole is refused.
pub(super) fn redact(text: &[u8], format: Format, masks: &Masks, key: &SecretKey) -> Option<Vec<u8>> {
    let (bom, body) = match text.strip_prefix(b"\xEF\xBB\xBF") {
        Some(body) => (&text[..3], body),
        None => (&text[..0], text),
    };
    let length = masks.length.unwrap_or(match format {
        Format::Json => LengthRule::Field,
        Format::Jsonl => LengthRule::Record,
    });
    let view = View { masks, length, key: SecretKey::from_bytes(key.prf(&[masks.pseudonym_scope.as_bytes()])) };
    if format == Format::Json {
        return Some([bom, &view.record(body, false)?].concat());
    }
    let (mut out, mut behind_record) = (Vec::new(), true);
    for (at, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let ending = if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) };
        let (line, ending) = line.split_at(line.len() - ending);
        let bom = if at == 0 { bom.len() } else { 0 };
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        if line[bom..].iter().all(blank) {
            out.extend_from_slice(line);
        } else if let Some(shown) = view.record(&line[bom..], true) {
            out.extend_from_slice(&line[..bom]);
            out.extend_from_slice(&if behind_record { shown } else { unplaced(line) });
            behind_record = true;
        } else if masks.on_broken == OnBroken::Cut || line.len() > crate::limits::HOLD_BYTES_MAX {
            return None;
        } else {
            let mut blanked = vec![b' '; line.len()];
            if line.len() >= 2 {
                blanked[..2].copy_from_slice(b"{}");
            }
            out.extend_from_slice(&blanked);
            behind_record = false;
        }
        out.extend_from_slice(ending);
    }
    Some(out)
}

/// A record behind a broken one: only the white space around it is left.
fn unplaced(line: &[u8]) -> Vec<u8> {
    let blank = |byte: &&u8| b" \t\r".contains(*byte);
    let (before, after) = (line.iter().take_while(blank).count(), line.iter().rev().take_while(blank).count());
    let width = line.len() - before - after;
    [&line[..before], b"{}", &vec![b' '; width - 2], &line[line.len() - after..]].concat()
}

struct View<'a> {
    masks: &'a Masks,
    length: LengthRule,
    key: SecretKey,
}

enum Node {
    Text(Vec<u8>),
    Word,
    Array(Vec<Value>),
    Object(Vec<Member>),
}

struct Value {
    from: usize,
    to: usize,
    node: Node,
}

struct Member {
    /// Where the comma before it stands, if one does.
    comma: Option<usize>,
    from: usize,
    name: Vec<u8>,
    value: Value,
}

#[derive(Clone)]
enum Place {
    Member(Vec<u8>),
    Element(u32),
}

impl View<'_> {
    fn record(&self, text: &[u8], line: bool) -> Option<Vec<u8>> {
        let mut parser = Parser { text, at: 0, newline: !line };
        parser.blanks();
        let root = parser.value(1)?;
        parser.blanks();
        if parser.at != text.len() || (line && matches!(root.node, Node::Text(_) | Node::Word)) {
            return None;
        }
        let (mut out, mut slack) = (text[..root.from].to_vec(), 0);
        self.show(text, &root, &mut Vec::new(), &mut out, &mut slack);
        out.extend(std::iter::repeat_n(b' ', slack));
        out.extend_from_slice(&text[root.to..]);
        Some(out)
    }

    fn rule(&self, path: &[Place]) -> Option<MaskAction> {
        self.masks.rules.iter().find(|rule| matches(&rule.field.steps, path)).map(|rule| rule.action)
    }

    fn owe(&self, count: usize, out: &mut Vec<u8>, slack: &mut usize) {
        match self.length {
            LengthRule::Record => *slack += count,
            LengthRule::Field => out.extend(std::iter::repeat_n(b' ', count)),
        }
    }

    fn show(&self, text: &[u8], value: &Value, path: &mut Vec<Place>, out: &mut Vec<u8>, slack: &mut usize) {
        let width = value.to - value.from;
        if let Some(action) = self.rule(path) {
            let token = self.token(text, value, action);
            out.extend_from_slice(&token);
            self.owe(width - token.len(), out, slack);
            return;
        }
        let mut done = value.from;
        match &value.node {
            Node::Word => {}
            Node::Text(_) => {
                for edit in self.text(text, value.from + 1..value.to - 1, path) {
                    out.extend_from_slice(&text[done..edit.from]);
                    out.extend_from_slice(&edit.token);
                    self.owe(edit.to - edit.from - edit.token.len(), out, slack);
                    done = edit.to;
                }
            }
            Node::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    out.extend_from_slice(&text[done..element.from]);
                    path.push(Place::Element(index as u32));
                    self.show(text, element, path, out, slack);
                    path.pop();
                    done = element.to;
                }
            }
            Node::Object(members) => {
                let mut kept = false;
                for member in members {
                    path.push(Place::Member(member.name.clone()));
                    let dropped = self.rule(path) == Some(MaskAction::Drop);
                    if dropped {
                        // A comma goes with the member behind it, unless nothing was kept before it.
                        let from = member.comma.unwrap_or(member.from);
                        out.extend_from_slice(&text[done..from]);
                        self.owe(member.value.to - from, out, slack);
                    } else {
                        let mut from = done;
                        if let (Some(comma), false) = (member.comma, kept) {
                            out.extend_from_slice(&text[done..comma]);
                            self.owe(1, out, slack);
                            from = comma + 1;
                        }
                        out.extend_from_slice(&text[from..member.value.from]);
                        self.show(text, &member.value, path, out, slack);
                        kept = true;
                    }
                    done = member.value.to;
                    path.pop();
                }
            }
        }
        out.extend_from_slice(&text[done..value.to]);
    }

    fn token(&self, text: &[u8], value: &Value, action: MaskAction) -> Vec<u8> {
        let written = &text[value.from..value.to];
        let hashed = match &value.node {
            Node::Text(decoded) => Some([b"s", decoded.as_slice()].concat()),
            Node::Word => Some([b"v", written].concat()),
            Node::Array(_) | Node::Object(_) => None,
        };
        self.token_of(matches!(value.node, Node::Text(_)), hashed, written.len(), action)
    }

    /// That of a value so wide, where quotes are one byte each.
    fn token_of(&self, string: bool, hashed: Option<Vec<u8>>, width: usize, action: MaskAction) -> Vec<u8> {
        let null = if width >= 4 { &b"null"[..] } else { b"0" };
        if action == MaskAction::Drop {
            return null.to_vec();
        }
        if let (MaskAction::Hmac, Some(hashed), 20..) = (action, hashed, width) {
            let mut hasher = self.key.hasher();
            hasher.update(&hashed);
            let digest = hasher.finalize();
            let bits: String = digest.as_bytes()[..10].iter().map(|byte| format!("{byte:08b}")).collect();
            let characters = (0..16).map(|at| {
                let five = usize::from_str_radix(&bits[at * 5..at * 5 + 5], 2).unwrap();
                char::from(b"abcdefghijklmnopqrstuvwxyz234567"[five])
            });
            return format!("\"p_{}\"", characters.collect::<String>()).into_bytes();
        }
        match (string, width) {
            (true, 12..) => b"\"[REDACTED]\"".to_vec(),
            (true, 5..) => b"\"***\"".to_vec(),
            (true, _) => b"\"\"".to_vec(),
            (false, _) => null.to_vec(),
        }
    }
}

fn matches(steps: &[Step], path: &[Place]) -> bool {
    let Some((step, steps_after)) = steps.split_first() else { return path.is_empty() };
    let Some((place, path_after)) = path.split_first() else { return false };
    match (step, place) {
        (Step::Descend, _) => matches(steps_after, path) || matches(steps, path_after),
        (Step::Name(name), Place::Member(member)) => name.as_bytes() == member && matches(steps_after, path_after),
        (Step::Glob(glob), Place::Member(member)) => {
            let member: Vec<char> = String::from_utf8_lossy(member).chars().collect();
            globbed(&glob.chars().collect::<Vec<_>>(), &member) && matches(steps_after, path_after)
        }
        (Step::Name(_) | Step::Glob(_), Place::Element(_)) => matches(steps, path_after),
        (Step::Index(wanted), Place::Element(index)) => wanted == index && matches(steps_after, path_after),
        (Step::AnyIndex, Place::Element(_)) => matches(steps_after, path_after),
        (Step::Index(_) | Step::AnyIndex, Place::Member(_)) => false,
    }
}

fn globbed(glob: &[char], name: &[char]) -> bool {
    match (glob.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some(('*', rest)), None) => globbed(rest, name),
        (Some(('*', rest)), Some((_, after))) => globbed(rest, name) || globbed(glob, after),
        (Some(('?', rest)), Some((_, after))) => globbed(rest, after),
        (Some((one, rest)), Some((other, after))) => one == other && globbed(rest, after),
        (Some(_), None) => false,
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    newline: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) || (self.newline && self.peek() == Some(b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let from = self.at;
        let node = match self.peek()? {
            b'"' => Node::Text(self.string()?),
            b'{' | b'[' if depth > crate::limits::JSON_DEPTH_MAX => return None,
            b'{' => Node::Object(self.object(depth)?),
            b'[' => Node::Array(self.array(depth)?),
            _ => {
                while matches!(self.peek(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.')) {
                    self.at += 1;
                }
                let word = std::str::from_utf8(&self.text[from..self.at]).ok()?;
                let extra = ["NaN", "Infinity", "-Infinity"].contains(&word);
                if !extra && serde_json::from_str::<serde::de::IgnoredAny>(word).is_err() {
                    return None;
                }
                Node::Word
            }
        };
        Some(Value { from, to: self.at, node })
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Value>> {
        self.eat(b'[')?;
        let mut elements = Vec::new();
        self.blanks();
        if self.eat(b']').is_some() {
            return Some(elements);
        }
        loop {
            self.blanks();
            elements.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']').is_some() {
                return Some(elements);
            }
            self.eat(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<Member>> {
        self.eat(b'{')?;
        let (mut members, mut comma) = (Vec::new(), None);
        self.blanks();
        if self.eat(b'}').is_some() {
            return Some(members);
        }
        loop {
            self.blanks();
            let from = self.at;
            let name = self.string()?;
            if self.at - from - 2 > crate::limits::JSON_NAME_BYTES_MAX {
                return None;
            }
            self.blanks();
            self.eat(b':')?;
            self.blanks();
            members.push(Member { comma, from, name, value: self.value(depth + 1)? });
            self.blanks();
            if self.eat(b'}').is_some() {
                return Some(members);
            }
            comma = Some(self.at);
            self.eat(b',')?;
        }
    }

    /// UTF-16 units are collected first, and paired afterwards.
    fn string(&mut self) -> Option<Vec<u8>> {
        self.eat(b'"')?;
        let from = self.at;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        let raw = std::str::from_utf8(self.text.get(from..self.at)?).ok()?;
        self.at += 1;
        let mut units = Vec::new();
        let mut characters = raw.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => {
                    let code = match characters.next()? {
                        'u' => {
                            let digits: String = characters.by_ref().take(4).collect();
                            if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                                return None;
                            }
                            u16::from_str_radix(&digits, 16).ok()?
                        }
                        plain @ ('"' | '\\' | '/') => plain as u16,
                        'b' => 8,
                        'f' => 12,
                        'n' => 10,
                        'r' => 13,
                        't' => 9,
                        _ => return None,
                    };
                    units.push(code);
                }
                '\0'..='\x1F' => return None,
                _ => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            }
        }
        let mut decoded = Vec::new();
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(character) => decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(lone) => {
                    let code = lone.unpaired_surrogate();
                    decoded.extend([
                        0xE0 | (code >> 12) as u8,
                        0x80 | (code >> 6 & 0x3F) as u8,
                        0x80 | (code & 0x3F) as u8,
                    ]);
                }
            }
        }
        Some(decoded)
    }
}
