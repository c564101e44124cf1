//! What redaction means, said a second time and naively: the whole text in memory, a tree of spans, recursion, and a
//! matcher over whole paths. Shares no code with the engine.

mod places;
mod texts;
mod values;

use places::{Place, goes_on, matches};

use crate::keyring::SecretKey;
use crate::policy::mask::{FieldPath, Format, LengthRule, MaskAction, Masks, OnBroken, Step};

/// The redacted text, or `None` where the object as a whole is refused.
pub(in crate::redact) fn redact(text: &[u8], format: Format, masks: &Masks, key: &SecretKey) -> Option<Vec<u8>> {
    let mut shown = unpadded(text, format, masks, key)?;
    if masks.length == Some(LengthRule::Hidden) {
        let ending = [&b"\r\n"[..], b"\n", b""].into_iter().find(|ending| text.ends_with(ending)).unwrap();
        assert!(shown.ends_with(ending));
        let at = shown.len() - ending.len();
        shown.splice(at..at, vec![b' '; rounded(text.len()) - shown.len()]);
    }
    values::hide(&mut shown, &masks.values);
    Some(shown)
}

fn rounded(size: usize) -> usize {
    let power = (0..60).map(|bits| 1 << bits).filter(|power| *power <= size).max().unwrap_or(0);
    (0..).map(|times| times * (power / 16).max(64)).find(|class| *class >= size).unwrap()
}

fn unpadded(text: &[u8], format: Format, masks: &Masks, key: &SecretKey) -> Option<Vec<u8>> {
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
            out.extend_from_slice(&if behind_record { shown } else { view.unplaced(line) });
            behind_record = true;
        } else if masks.on_broken == OnBroken::Cut || line.len() > crate::limits::HOLD_BYTES_MAX {
            return None;
        } else {
            let token = if line.len() >= 2 { &b"{}"[..] } else { b"" };
            out.extend_from_slice(token);
            if length != LengthRule::Hidden {
                out.extend(std::iter::repeat_n(b' ', line.len() - token.len()));
            }
            behind_record = false;
        }
        out.extend_from_slice(ending);
    }
    Some(out)
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
    name_to: usize,
    name: Vec<u8>,
    value: Value,
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

    /// A record behind a broken one: only the white space around it is left.
    fn unplaced(&self, line: &[u8]) -> Vec<u8> {
        let blank = |byte: &&u8| b" \t\r".contains(*byte);
        let (before, after) = (line.iter().take_while(blank).count(), line.iter().rev().take_while(blank).count());
        let width = line.len() - before - after;
        let slack = if self.length == LengthRule::Hidden { 0 } else { width - 2 };
        [&line[..before], b"{}", &vec![b' '; slack], &line[line.len() - after..]].concat()
    }

    fn rule(&self, path: &[Place]) -> Option<MaskAction> {
        self.masks.rules.iter().find(|rule| matches(&rule.field.steps, path)).map(|rule| rule.action)
    }

    /// What hides a value, if something does: a rule that drops, an allow-list that does not keep it, another rule.
    fn hides(&self, path: &[Place], node: &Node) -> Option<MaskAction> {
        let rule = self.rule(path);
        let brackets = matches!(node, Node::Array(_) | Node::Object(_));
        let root = path.is_empty() && brackets;
        let kept = |fields: &[FieldPath]| {
            let at_or_above = (1..=path.len()).any(|to| fields.iter().any(|field| matches(&field.steps, &path[..to])));
            let below = |field: &FieldPath| brackets && goes_on(&field.steps, path, matches!(node, Node::Array(_)));
            at_or_above || fields.iter().any(below)
        };
        if rule == Some(MaskAction::Drop) || root || self.masks.keeps.iter().all(|rule| kept(&rule.fields)) {
            return rule;
        }
        Some(MaskAction::Mask)
    }

    /// Whether the names of the members of the object at that place are hidden.
    fn hides_names(&self, path: &[Place]) -> bool {
        let member = [path, &[Place::Member(b"any".to_vec())]].concat();
        self.masks.names.iter().any(|rule| matches(&rule.members.steps, &member))
    }

    /// Whether nothing can be hidden in what is shown at that place. No more is told where paths go any way down.
    fn is_settled(&self, path: &[Place]) -> bool {
        let fields = self.masks.rules.iter().map(|rule| &rule.field);
        let members = self.masks.names.iter().map(|rule| &rule.members);
        let mut paths = fields.chain(members).chain(self.masks.keeps.iter().flat_map(|rule| &rule.fields));
        let kept = |fields: &[FieldPath]| {
            (1..=path.len()).any(|to| fields.iter().any(|field| matches(&field.steps, &path[..to])))
        };
        self.masks.keeps.iter().all(|rule| kept(&rule.fields))
            && paths.all(|field| !field.steps.contains(&Step::Descend) && !goes_on(&field.steps, path, true))
    }

    fn owe(&self, count: usize, out: &mut Vec<u8>, slack: &mut usize) {
        match self.length {
            LengthRule::Record => *slack += count,
            LengthRule::Field => out.extend(std::iter::repeat_n(b' ', count)),
            LengthRule::Hidden => {}
        }
    }

    fn show(&self, text: &[u8], value: &Value, path: &mut Vec<Place>, out: &mut Vec<u8>, slack: &mut usize) {
        let width = value.to - value.from;
        if let Some(action) = self.hides(path, &value.node) {
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
                let (mut kept, mut names) = (false, (0, 0));
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
                        out.extend_from_slice(&text[from..member.from]);
                        let written = &text[member.from..member.name_to];
                        let shown = self.name(path, written, &mut names);
                        out.extend_from_slice(&shown);
                        self.owe(written.len() - shown.len(), out, slack);
                        out.extend_from_slice(&text[member.name_to..member.value.from]);
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

    /// The name of that member, or what stands in its place. `names` are those replaced in its object, and the letters
    /// among them.
    fn name(&self, path: &[Place], written: &[u8], names: &mut (usize, usize)) -> Vec<u8> {
        if !self.masks.names.iter().any(|rule| matches(&rule.members.steps, path)) {
            return written.to_vec();
        }
        names.0 += 1;
        let fits = |name: &String| name.len() + 2 <= written.len();
        let by_letters = Some(letters(names.1 + 1)).filter(fits);
        let name = Some(format!("*{}", names.0)).filter(fits).or_else(|| {
            names.1 += usize::from(by_letters.is_some());
            by_letters
        });
        format!("\"{}\"", name.unwrap_or_else(|| "*"[..usize::from(written.len() > 2)].to_owned())).into_bytes()
    }

    fn token(&self, text: &[u8], value: &Value, action: MaskAction) -> Vec<u8> {
        let written = &text[value.from..value.to];
        let hashed = match &value.node {
            Node::Text(decoded) => Some([b"s", decoded.as_slice()].concat()),
            Node::Word => Some([b"v", written].concat()),
            Node::Array(_) | Node::Object(_) => None,
        };
        if let (MaskAction::Partial, Node::Text(decoded)) = (action, &value.node)
            && let Some(token) = partial(decoded)
        {
            return token;
        }
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

/// `A` to `Z`, `AA` and so on: that of this place, from 1.
fn letters(place: usize) -> String {
    let (before, last) = ((place - 1) / 26, (place - 1) % 26);
    let last = char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[last]);
    if before == 0 { last.to_string() } else { format!("{}{last}", letters(before)) }
}

/// The last four of at least twelve characters, which are decoded and may be lone surrogates.
fn partial(decoded: &[u8]) -> Option<Vec<u8>> {
    let mut characters: Vec<Vec<u8>> = Vec::new();
    for &byte in decoded {
        match characters.last_mut() {
            Some(last) if byte & 0xC0 == 0x80 => last.push(byte),
            _ => characters.push(vec![byte]),
        }
    }
    let mut token = b"\"***".to_vec();
    for character in characters.split_at_checked(8).and_then(|(_, rest)| rest.last_chunk::<4>())? {
        match std::str::from_utf8(character) {
            Ok(text) => {
                let quoted = serde_json::to_string(text).unwrap();
                token.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            }
            Err(_) => {
                let unit = character.iter().fold(0_u32, |unit, byte| unit << 6 | u32::from(byte & 0x3F)) & 0xFFFF;
                token.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
    Some([token, b"\"".to_vec()].concat())
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
            let name_to = self.at;
            if self.at - from - 2 > crate::limits::JSON_NAME_BYTES_MAX {
                return None;
            }
            self.blanks();
            self.eat(b':')?;
            self.blanks();
            members.push(Member { comma, from, name_to, name, value: self.value(depth + 1)? });
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
