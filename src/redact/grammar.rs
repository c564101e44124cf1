//! JSON as RFC 8259 has it, read byte by byte in any pieces: what begins, what ends, and where it is broken.
//!
//! Knows nothing of masks. Beyond the RFC only `NaN`, `Infinity` and `-Infinity` pass, as scalars, because Python writes
//! them. State is one bit per open bracket and one name; nothing recurses.

use super::text::{Scanned, Text};
use crate::limits;

/// Where a chunk stops being JSON, and the class of the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Index in the chunk of the first byte that cannot stand there.
    pub(super) at: usize,
    /// Never holds bytes of the object.
    pub(super) reason: &'static str,
}

impl Broken {
    pub(super) fn text(at: usize, byte: u8) -> Self {
        let reason = if byte < 0x20 { "a control character within a string" } else { "a string is not UTF-8" };
        Self { at, reason }
    }
}

/// The four ways in which a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    /// Numbers, `true`, `false`, `null`, `NaN` and infinities.
    Scalar,
}

/// Who is told what the grammar finds. Indices are those of the chunk.
pub(super) trait Events {
    /// A value begins at its first byte. An error refuses the record.
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken>;
    /// The innermost value that began ended just before `at`.
    fn end(&mut self, at: usize, kind: Kind);
    /// The opening quote of a member's name. An error refuses the record.
    fn name_begins(&mut self, at: usize) -> Result<(), Broken>;
    /// A member's name, decoded.
    fn name(&mut self, decoded: &[u8]);
    /// A comma between members (not elements).
    fn comma(&mut self, at: usize);
    /// What of the text that comes next is to be handed over.
    fn reads(&self) -> Reads;
    /// The next bytes of that scalar: a string's decoded, another's as written.
    fn text(&mut self, bytes: &[u8]);
}

/// What the listener reads besides the structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) names: bool,
    pub(super) text: bool,
}

/// Where reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the end of the chunk.
    Chunk,
    /// At a newline that ends a record, at this index; it is not yet taken.
    Newline(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value must come.
    Value,
    /// After `[`.
    ElementOrClose,
    /// After `{`.
    NameOrClose,
    /// After a comma in an object.
    Name,
    Colon,
    /// After a value: comma, closing bracket, or the end.
    After,
    InName {
        open: u64,
    },
    InString,
    InNumber(Number),
    /// Within a word of which so many bytes were seen.
    InWord(&'static [u8], usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
}

/// The machine. [`Grammar::feed`] it every byte once, in order.
pub(super) struct Grammar {
    state: State,
    text: Text,
    /// Open brackets, `true` for an object.
    open: Vec<bool>,
    name: Vec<u8>,
    /// A newline outside of strings ends the record, and is legal only between values of the top; these are objects and
    /// arrays.
    lines: bool,
    /// Bytes fed in earlier chunks of this record.
    before: u64,
}

impl Grammar {
    /// Before the first byte of a document, or of a record if `lines`.
    pub(super) fn new(lines: bool) -> Self {
        Self { state: State::Value, text: Text::default(), open: Vec::new(), name: Vec::new(), lines, before: 0 }
    }

    /// Forgets everything: the next byte begins a record.
    pub(super) fn restart(&mut self) {
        self.state = State::Value;
        self.text = Text::default();
        self.open.clear();
        self.name.clear();
        self.before = 0;
    }

    /// Whether nothing but white space was seen.
    pub(super) fn is_blank(&self) -> bool {
        self.state == State::Value && self.open.is_empty()
    }

    /// Reads on from `at`.
    pub(super) fn feed(&mut self, chunk: &[u8], mut at: usize, events: &mut impl Events) -> Result<Stop, Broken> {
        let begun = at;
        while let Some(&byte) = chunk.get(at) {
            at = match self.state {
                State::InString => self.string(chunk, at, events)?,
                State::InName { open } => self.name(chunk, at, open, begun, events)?,
                State::InNumber(number) => self.number(chunk, at, number, events)?,
                State::InWord(word, seen) => self.word(chunk, at, word, seen, events)?,
                State::Value
                | State::ElementOrClose
                | State::NameOrClose
                | State::Name
                | State::Colon
                | State::After => match byte {
                    b' ' | b'\t' | b'\r' => at + 1,
                    b'\n' if !self.lines => at + 1,
                    b'\n' if self.is_whole() || self.is_blank() => return Ok(Stop::Newline(at)),
                    b'\n' => return Err(Broken { at, reason: "a line ends within a value" }),
                    _ => self.structural(at, byte, begun, events)?,
                },
            };
        }
        self.before += (at - begun) as u64;
        Ok(Stop::Chunk)
    }

    /// The end of all bytes, after an empty chunk: closes a number, and refuses what is open.
    pub(super) fn finish(&mut self, events: &mut impl Events) -> Result<(), Broken> {
        if let State::InNumber(number) = self.state {
            self.number_ends(0, number, events)?;
        }
        if self.is_whole() || (self.lines && self.is_blank()) {
            return Ok(());
        }
        let reason = if self.is_blank() { "there is no value" } else { "it ends within a value" };
        Err(Broken { at: 0, reason })
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.open.capacity() + self.name.capacity()
    }

    fn is_whole(&self) -> bool {
        self.state == State::After && self.open.is_empty()
    }

    fn structural(&mut self, at: usize, byte: u8, begun: usize, events: &mut impl Events) -> Result<usize, Broken> {
        match (self.state, byte) {
            (State::Value | State::ElementOrClose, _) if byte != b']' => self.value(at, byte, events)?,
            (State::NameOrClose | State::Name, b'"') => {
                events.name_begins(at)?;
                self.name.clear();
                self.text = Text::default();
                self.state = State::InName { open: self.before + (at - begun) as u64 };
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => match self.open.last() {
                Some(true) => {
                    events.comma(at);
                    self.state = State::Name;
                }
                Some(false) => self.state = State::Value,
                None => return Err(Broken { at, reason: "more than one value" }),
            },
            (State::After | State::ElementOrClose, b']') if self.open.last() == Some(&false) => {
                self.close(at, Kind::Array, events);
            }
            (State::After | State::NameOrClose, b'}') if self.open.last() == Some(&true) => {
                self.close(at, Kind::Object, events);
            }
            (State::After, _) if self.open.is_empty() => return Err(Broken { at, reason: "more than one value" }),
            _ => return Err(Broken { at, reason: "not JSON" }),
        }
        Ok(at + 1)
    }

    /// The first byte of a value.
    fn value(&mut self, at: usize, byte: u8, events: &mut impl Events) -> Result<(), Broken> {
        let (kind, state) = match byte {
            b'{' => (Kind::Object, State::NameOrClose),
            b'[' => (Kind::Array, State::ElementOrClose),
            b'"' => (Kind::String, State::InString),
            b'-' => (Kind::Scalar, State::InNumber(Number::Minus)),
            b'0' => (Kind::Scalar, State::InNumber(Number::Zero)),
            b'1'..=b'9' => (Kind::Scalar, State::InNumber(Number::Whole)),
            b't' => (Kind::Scalar, State::InWord(b"true", 1)),
            b'f' => (Kind::Scalar, State::InWord(b"false", 1)),
            b'n' => (Kind::Scalar, State::InWord(b"null", 1)),
            b'N' => (Kind::Scalar, State::InWord(b"NaN", 1)),
            b'I' => (Kind::Scalar, State::InWord(b"Infinity", 1)),
            _ => return Err(Broken { at, reason: "not JSON" }),
        };
        if matches!(kind, Kind::String | Kind::Scalar) && self.lines && self.open.is_empty() {
            return Err(Broken { at, reason: "a record is neither an object nor an array" });
        }
        if matches!(kind, Kind::Object | Kind::Array) {
            if self.open.len() == limits::JSON_DEPTH_MAX {
                return Err(Broken { at, reason: "it is nested too deeply" });
            }
            self.open.push(kind == Kind::Object);
        }
        events.begin(at, kind)?;
        self.text = Text::default();
        if kind == Kind::Scalar && events.reads().text {
            events.text(&[byte]);
        }
        self.state = state;
        Ok(())
    }

    fn close(&mut self, at: usize, kind: Kind, events: &mut impl Events) {
        self.open.pop();
        self.state = State::After;
        events.end(at + 1, kind);
    }

    fn string(&mut self, chunk: &[u8], at: usize, events: &mut impl Events) -> Result<usize, Broken> {
        let scanned = if events.reads().text {
            self.text.scan(chunk, at, &mut |decoded: &[u8]| events.text(decoded))?
        } else {
            self.text.scan(chunk, at, &mut |_: &[u8]| {})?
        };
        match scanned {
            Scanned::Closed(after) => {
                self.state = State::After;
                events.end(after, Kind::String);
                Ok(after)
            }
            Scanned::More => Ok(chunk.len()),
        }
    }

    /// Never looks at a byte beyond the longest name, so that the fault is the same in any pieces.
    fn name(
        &mut self,
        chunk: &[u8],
        at: usize,
        open: u64,
        begun: usize,
        events: &mut impl Events,
    ) -> Result<usize, Broken> {
        let here = self.before + (at - begun) as u64;
        let room = (open + 2 + limits::JSON_NAME_BYTES_MAX as u64).saturating_sub(here);
        let until = usize::try_from(room).map_or(chunk.len(), |room| chunk.len().min(at.saturating_add(room)));
        let name = &mut self.name;
        let scanned = if events.reads().names {
            self.text.scan(&chunk[..until], at, &mut |decoded: &[u8]| name.extend_from_slice(decoded))?
        } else {
            self.text.scan(&chunk[..until], at, &mut |_: &[u8]| {})?
        };
        match scanned {
            Scanned::Closed(after) => {
                self.state = State::Colon;
                events.name(&self.name);
                Ok(after)
            }
            Scanned::More if (until - at) as u64 == room => {
                Err(Broken { at: until - 1, reason: "a member's name is too long" })
            }
            Scanned::More => Ok(until),
        }
    }

    fn word(
        &mut self,
        chunk: &[u8],
        at: usize,
        word: &'static [u8],
        seen: usize,
        events: &mut impl Events,
    ) -> Result<usize, Broken> {
        if chunk[at] != word[seen] {
            return Err(Broken { at, reason: "not JSON" });
        }
        if events.reads().text {
            events.text(&chunk[at..=at]);
        }
        if seen + 1 < word.len() {
            self.state = State::InWord(word, seen + 1);
        } else {
            self.state = State::After;
            events.end(at + 1, Kind::Scalar);
        }
        Ok(at + 1)
    }

    fn number(
        &mut self,
        chunk: &[u8],
        from: usize,
        mut number: Number,
        events: &mut impl Events,
    ) -> Result<usize, Broken> {
        if number == Number::Minus && chunk[from] == b'I' {
            return self.word(chunk, from, b"Infinity", 0, events);
        }
        let mut at = from;
        while let Some(next) = chunk.get(at).and_then(|byte| number.then(*byte)) {
            number = next;
            at += 1;
        }
        if events.reads().text {
            events.text(&chunk[from..at]);
        }
        self.state = State::InNumber(number);
        if at < chunk.len() {
            self.number_ends(at, number, events)?;
        }
        Ok(at)
    }

    fn number_ends(&mut self, at: usize, number: Number, events: &mut impl Events) -> Result<(), Broken> {
        match number {
            Number::Zero | Number::Whole | Number::Fraction | Number::Exponent => {
                self.state = State::After;
                events.end(at, Kind::Scalar);
                Ok(())
            }
            Number::Minus | Number::Point | Number::E | Number::ESign => Err(Broken { at, reason: "not a number" }),
        }
    }
}

impl Number {
    /// The state after one more byte, or `None` where the byte is no longer the number's.
    fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::ESign),
            (Self::E | Self::ESign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            _ => None,
        }
    }
}
