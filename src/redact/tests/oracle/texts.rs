//! What strings are that hold JSON, said naively: the whole text as characters with their places, taken apart by
//! recursion, level by level; what stops being JSON is tried out one character at a time.

use std::ops::Range;

use super::{MaskAction, Place, View};
use crate::limits;

/// What is written instead of a part of the object.
pub(super) struct Edit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) token: Vec<u8>,
}

/// A character of a text, and where it stands in the object; `None` is half of one, that unit of UTF-16.
#[derive(Clone, Copy)]
struct Atom {
    character: Option<char>,
    half: u16,
    from: usize,
    to: usize,
}

/// Reading does not go on: at the text's end, or at a character that cannot stand there.
enum Stop {
    End,
    At(usize),
}

struct Reader<'a> {
    view: &'a View<'a>,
    atoms: &'a [Atom],
    level: usize,
    at: usize,
    edits: Vec<Edit>,
    path: Vec<Place>,
    depth: usize,
    /// Where what is hidden began, and has not ended.
    hidden: Option<usize>,
    committed: bool,
}

impl View<'_> {
    /// What is hidden within the string whose text stands there.
    pub(super) fn text(&self, object: &[u8], text: Range<usize>, path: &[Place]) -> Vec<Edit> {
        if !self.masks.embedded || self.is_settled(path) {
            return Vec::new();
        }
        let written = std::str::from_utf8(&object[text.clone()]).unwrap();
        let atoms: Vec<Atom> = written
            .char_indices()
            .map(|(at, character)| {
                let from = text.start + at;
                Atom { character: Some(character), half: 0, from, to: from + character.len_utf8() }
            })
            .collect();
        let mut reader = Reader::new(self, &[], 0, path);
        reader.string(&unescaped(&atoms, true), Some(text.end));
        reader.edits
    }
}

impl<'a> Reader<'a> {
    fn new(view: &'a View<'a>, atoms: &'a [Atom], level: usize, path: &[Place]) -> Self {
        let path = path.to_vec();
        Self { view, atoms, level, at: 0, edits: Vec::new(), path, depth: 0, hidden: None, committed: false }
    }

    /// A string within what is read, which is closed there, or not at all.
    fn string(&mut self, atoms: &[Atom], closed: Option<usize>) {
        let mut inner = Reader::new(self.view, atoms, self.level + 1, &self.path);
        inner.read();
        self.edits.append(&mut inner.edits);
        self.committed |= inner.committed;
        match (inner.hidden, closed) {
            (Some(from), Some(to)) => {
                let token = if to - from >= 3 { b"***".to_vec() } else { Vec::new() };
                self.edits.push(Edit { from, to, token });
            }
            (hidden, _) => self.hidden = hidden,
        }
    }

    fn peek(&self) -> Result<char, Stop> {
        match self.atoms.get(self.at) {
            Some(atom) => atom.character.ok_or(Stop::At(self.at)),
            None => Err(Stop::End),
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Ok(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn read(&mut self) {
        self.at += usize::from(matches!(self.peek(), Ok('\u{FEFF}')));
        self.blanks();
        if !matches!(self.peek(), Ok('{' | '[' | '"')) {
            return;
        }
        let deep = self.level > limits::EMBEDDED_LEVELS_MAX;
        self.committed |= deep;
        let mut stop = if deep { Stop::At(self.at) } else { Stop::End };
        while !deep && self.at < self.atoms.len() {
            if let Err(why) = self.value(false) {
                stop = why;
                break;
            }
            self.blanks();
            if !matches!(self.peek(), Ok('{' | '[' | '"') | Err(Stop::End)) {
                stop = Stop::At(self.at);
                break;
            }
        }
        if let Stop::At(at) = stop
            && self.committed
        {
            self.hidden = self.hidden.or(Some(self.atoms[at].from));
        }
    }

    fn eat(&mut self, wanted: char) -> Result<(), Stop> {
        if self.peek()? != wanted {
            return Err(Stop::At(self.at));
        }
        self.at += 1;
        Ok(())
    }

    /// A value that is hidden by the path's rule, or lies within a hidden one, or is shown.
    fn value(&mut self, ruled: bool) -> Result<(), Stop> {
        let first = self.peek()?;
        let too_deep = matches!(first, '{' | '[') && self.depth == limits::JSON_DEPTH_MAX;
        self.committed |= too_deep;
        if too_deep || !matches!(first, '{' | '[' | '"' | '-' | '+' | '.' | '0'..='9' | 't' | 'f' | 'n' | 'N' | 'I') {
            return Err(Stop::At(self.at));
        }
        let action = if self.hidden.is_some() { None } else { self.hides(first, ruled) };
        let from = self.at;
        if action.is_some() {
            self.committed = true;
            self.hidden = Some(self.atoms[from].from);
        }
        let mut decoded = None;
        match first {
            '{' => self.object()?,
            '[' => self.array()?,
            '"' => decoded = Some(self.quoted(self.hidden.is_none(), usize::MAX)?),
            _ => self.word()?,
        }
        if let Some(action) = action {
            self.hidden = None;
            let token = self.token(from, decoded, action);
            self.edits.push(Edit { from: self.atoms[from].from, to: self.atoms[self.at - 1].to, token });
        }
        Ok(())
    }

    /// What hides a value that begins so, if something does: its path's rule, or that its names would have to be hidden.
    fn hides(&self, first: char, ruled: bool) -> Option<MaskAction> {
        let rule = if ruled { self.view.rule(&self.path) } else { None };
        rule.or_else(|| (first == '{' && self.view.hides_names(&self.path)).then_some(MaskAction::Mask))
    }

    fn token(&self, from: usize, decoded: Option<Vec<Atom>>, action: MaskAction) -> Vec<u8> {
        let width = self.atoms[self.at - 1].to - self.atoms[from].from;
        let hashed = match &decoded {
            Some(atoms) => Some([b"s", bytes(atoms).as_slice()].concat()),
            None if matches!(self.atoms[from].character, Some('{' | '[')) => None,
            None => Some([b"v", bytes(&self.atoms[from..self.at]).as_slice()].concat()),
        };
        // The other quotes' backslashes: as many as level by level escapes them.
        let quote = (0..self.level).fold("\"".to_owned(), |quote, _| quote.replace('\\', "\\\\").replace('"', "\\\""));
        let hashed = hashed.filter(|_| width >= 18 + 2 * quote.len());
        let shown_as_string = decoded.is_some() && action != MaskAction::Drop;
        let width = if shown_as_string { width + 2 - 2 * quote.len() } else { width };
        let token = self.view.token_of(decoded.is_some(), hashed, width, action);
        String::from_utf8(token).unwrap().replace('"', &quote).into_bytes()
    }

    fn array(&mut self) -> Result<(), Stop> {
        self.eat('[')?;
        self.depth += 1;
        self.blanks();
        if self.peek()? != ']' {
            for index in 0.. {
                self.blanks();
                self.path.push(Place::Element(index));
                self.value(true)?;
                self.path.pop();
                self.blanks();
                if self.peek()? != ',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.depth -= 1;
        self.eat(']')
    }

    fn object(&mut self) -> Result<(), Stop> {
        self.eat('{')?;
        self.depth += 1;
        self.blanks();
        if self.peek()? != '}' {
            loop {
                self.blanks();
                let name = bytes(&self.quoted(false, limits::JSON_NAME_BYTES_MAX)?);
                self.blanks();
                self.eat(':')?;
                self.committed = true;
                self.blanks();
                self.path.push(Place::Member(name));
                self.value(true)?;
                self.path.pop();
                self.blanks();
                if self.peek()? != ',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.depth -= 1;
        self.eat('}')
    }

    /// The text, of at most so many bytes, of a string without its escapes; if it is `shown`, JSON is looked for in it.
    fn quoted(&mut self, shown: bool, most: usize) -> Result<Vec<Atom>, Stop> {
        self.eat('"')?;
        let from = self.at;
        let ended = self.quoted_ends(most);
        let (to, closed) = match ended {
            Ok(()) => (self.at - 1, true),
            Err(Stop::End) => (self.atoms.len(), false),
            Err(Stop::At(at)) => (at, false),
        };
        let text = unescaped(&self.atoms[from..to], closed);
        if shown {
            self.string(&text, closed.then(|| self.atoms[to].from));
        }
        ended.map(|()| text)
    }

    /// Behind the opening quote of a string of at most so many bytes.
    fn quoted_ends(&mut self, most: usize) -> Result<(), Stop> {
        let (mut escaped, mut bytes) = (0, 0);
        loop {
            let Ok(character) = self.peek() else {
                // Half a character within a text ends it, whatever was seen.
                self.committed |= self.at < self.atoms.len();
                return Err(if self.at < self.atoms.len() { Stop::At(self.at) } else { Stop::End });
            };
            let may = match (escaped, character) {
                (0, '"') if bytes <= most => {
                    self.at += 1;
                    return Ok(());
                }
                (0, '\\') => {
                    escaped = 5;
                    true
                }
                (5, 'u') => {
                    escaped = 4;
                    true
                }
                (5, _) => {
                    escaped = 0;
                    "\"\\/bfnrt".contains(character)
                }
                (1..=4, _) => {
                    escaped -= 1;
                    character.is_ascii_hexdigit()
                }
                _ => character >= ' ',
            };
            self.committed |= bytes >= most || (!may && self.depth > 0);
            if !may || bytes >= most {
                return Err(Stop::At(self.at));
            }
            bytes += character.len_utf8();
            self.at += 1;
        }
    }

    /// A number or another word: as far as there is one that goes on so.
    fn word(&mut self) -> Result<(), Stop> {
        let is_one = |word: &str| {
            ["NaN", "Infinity", "-Infinity", "+Infinity"].contains(&word)
                || is_number(word)
                || ["true", "false", "null"].contains(&word)
        };
        let goes_on = |word: &str| {
            let words = ["NaN", "Infinity", "-Infinity", "+Infinity", "true", "false", "null"];
            words.iter().any(|one| one.starts_with(word)) || is_one(word) || is_one(&format!("{word}0"))
        };
        let mut word = String::new();
        loop {
            let next = self.peek();
            match next {
                Ok(character) if character.is_ascii_graphic() && goes_on(&format!("{word}{character}")) => {
                    word.push(character);
                    self.at += 1;
                }
                // A word has an end of its own, a number has not.
                Err(Stop::End)
                    if !["true", "false", "null", "NaN", "Infinity", "-Infinity", "+Infinity"].contains(&&*word) =>
                {
                    return Err(Stop::End);
                }
                _ if is_one(&word) => return Ok(()),
                _ => return Err(Stop::At(self.at)),
            }
        }
    }
}

/// What C reads as a decimal number, or a point alone.
fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power = power.strip_prefix(['+', '-']).unwrap_or(power);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !mantissa.is_empty() && !power.is_empty() && digits(whole) && digits(fraction) && digits(power)
}

/// UTF-8, also of half a character.
fn bytes(atoms: &[Atom]) -> Vec<u8> {
    let bytes = atoms.iter().flat_map(|atom| match atom.character {
        Some(character) => character.to_string().into_bytes(),
        None => {
            vec![0xE0 | (atom.half >> 12) as u8, 0x80 | (atom.half >> 6 & 0x3F) as u8, 0x80 | (atom.half & 0x3F) as u8]
        }
    });
    bytes.collect()
}

/// The characters without escapes; what is not whole at the end is left out, or half a character if it is `closed`.
fn unescaped(atoms: &[Atom], closed: bool) -> Vec<Atom> {
    let (mut out, mut at) = (Vec::new(), 0);
    let unit = |at: usize| {
        let text: Option<String> = atoms.get(at..at + 6)?.iter().map(|atom| atom.character).collect();
        u16::from_str_radix(text?.strip_prefix("\\u")?, 16).ok()
    };
    while at < atoms.len() {
        let (character, count) = match (atoms[at].character, atoms.get(at + 1).map(|atom| atom.character)) {
            (Some('\\'), Some(Some('u'))) => match (unit(at), unit(at + 6)) {
                (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                    (char::decode_utf16([high, low]).next().unwrap().ok(), 12)
                }
                (Some(0xD800..=0xDBFF), _) if !closed && is_begun(&atoms[at + 6..]) => break,
                (Some(unit), _) => (char::from_u32(u32::from(unit)), 6),
                (None, _) => break,
            },
            (Some('\\'), Some(Some(short))) => match "\"\\/bfnrt".find(short) {
                Some(which) => ("\"\\/\u{8}\u{c}\n\r\t".chars().nth(which), 2),
                None => break,
            },
            (Some('\\'), _) => break,
            (plain, _) => (plain, 1),
        };
        let half = unit(at).unwrap_or_default();
        out.push(Atom { character, half, from: atoms[at].from, to: atoms[at + count - 1].to });
        at += count;
    }
    out
}

/// Whether an escape may go on so behind a high surrogate; nothing is known of an end.
fn is_begun(rest: &[Atom]) -> bool {
    let text: String = rest.iter().take(6).map_while(|atom| atom.character).collect();
    let mut characters = text.chars();
    rest.len() < 6
        && text.chars().count() == rest.len()
        && ['\\', 'u'].into_iter().all(|wanted| characters.next().is_none_or(|found| found == wanted))
        && characters.all(|digit| digit.is_ascii_hexdigit())
}
