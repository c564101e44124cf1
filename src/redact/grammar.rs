//! JSON as RFC 8259 has it, read byte by byte in any pieces: what begins, what ends, and where it is broken.
//!
//! This is the judge and the reference: [`machine`](super::machine) reads faster, and asks here whenever it doubts. Knows
//! nothing of masks. Beyond the RFC only `NaN`, `Infinity` and `-Infinity` pass, as scalars, because Python writes them.
//! State is one bit per open bracket and one name; nothing recurses.

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

    /// Whether it is JSON to other readers, and only more of it than is read here.
    pub(super) fn is_beyond(&self) -> bool {
        matches!(self.reason, TOO_DEEP | TOO_LONG)
    }
}

const TOO_DEEP: &str = "it is nested too deeply";
const TOO_LONG: &str = "a member's name is too long";

/// The four ways in which a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    /// Numbers, `true`, `false`, `null`, `NaN` and infinities.
    Scalar,
}

/// Who is told what is found. Indices are those of the chunk.
pub(super) trait Events {
    /// A value begins at its first byte. An error refuses the record.
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken>;
    /// The innermost value that began ended just before `at`.
    fn end(&mut self, at: usize, kind: Kind);
    /// The record's, or document's, value ended just before `at`; told after its end.
    fn root_ends(&mut self, at: usize);
    /// The opening quote of a member's name. An error refuses the record.
    fn name_begins(&mut self, at: usize) -> Result<(), Broken>;
    /// A member's name as it is written between its quotes.
    fn name(&mut self, written: &[u8]);
    /// A comma between members (not elements).
    fn comma(&mut self, at: usize);
    /// Newlines, the last one at that index, end so many records, and blank lines. Nothing else is told in between.
    fn lines_end(&mut self, at: usize, records: u64);
    /// What has to be told besides the names that may matter.
    fn attention(&self) -> Attention;
    /// What it wants to be told of the brackets that begin and end records.
    fn roots(&self) -> Roots;
    /// Whether it wants to be told of strings that may hold JSON, too.
    fn watches_texts(&self) -> bool;
}

/// What a listener waits for. One that is told more takes it, and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    /// Nothing.
    Names,
    /// The beginning of the value that the name just told is of.
    Value,
    /// The end of the string that was begun.
    String,
    /// The end of the scalar that was begun.
    Scalar,
    /// Every bracket, up to the one that ends the value that was begun.
    Brackets,
}

/// Which brackets of records are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Roots {
    All,
    Ends,
    /// Ends where something else is told near them, else none: ends that nothing was waiting for are none that matter.
    Owed,
}

/// A member's name that is read, in any pieces.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// Offset of its opening quote.
    pub(super) open: u64,
    /// Index in the chunk of its first byte there.
    from: usize,
    /// What of it stood in earlier chunks.
    head: Vec<u8>,
}

impl Name {
    /// Its opening quote stands at that offset, and that index of the chunk.
    pub(super) fn begins(&mut self, offset: u64, at: usize) {
        self.open = offset;
        self.from = at + 1;
        self.head.clear();
    }

    /// The name, whose closing quote stands at that index.
    pub(super) fn closes<'a>(&'a mut self, chunk: &'a [u8], at: usize) -> &'a [u8] {
        if self.head.is_empty() {
            return &chunk[self.from..at];
        }
        self.head.extend_from_slice(&chunk[self.from..at]);
        &self.head
    }

    /// The chunk ends within the name.
    pub(super) fn goes_on(&mut self, chunk: &[u8]) {
        self.head.extend_from_slice(&chunk[self.from..]);
        self.from = 0;
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.head.capacity()
    }
}

/// Where reading stands between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
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
    InName,
    InString,
    InNumber(Number),
    /// Within a word of which so many bytes were seen.
    InWord(&'static [u8], usize),
}

/// The part of a number that was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
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
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grammar {
    pub(super) state: State,
    pub(super) text: Text,
    /// Open brackets, `true` for an object.
    pub(super) open: Vec<bool>,
    /// Whether a member's colon was read.
    pub(super) members: bool,
    /// A newline outside of strings ends the record, and is legal only between values of the top; these are objects and
    /// arrays.
    lines: bool,
    /// Behind a value of the top another one may begin; these are objects and arrays.
    several: bool,
    /// Numbers are also what lenient readers take for one: `01`, `+1`, `.5`, `5.`.
    lenient: bool,
}

impl Grammar {
    /// Before the first byte of a document, or of a record if `lines`.
    pub(super) fn new(lines: bool) -> Self {
        Self {
            state: State::Value,
            text: Text::default(),
            open: Vec::new(),
            members: false,
            lines,
            several: false,
            lenient: false,
        }
    }

    /// The same for documents that follow each other, with white space between them or without.
    pub(super) fn several(mut self) -> Self {
        self.several = true;
        self
    }

    /// The same for texts of which nothing is promised but what a reader finds in them.
    pub(super) fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Whether they may.
    pub(super) fn reads_several(&self) -> bool {
        self.several
    }

    /// Forgets everything: the next byte begins a record.
    pub(super) fn restart(&mut self) {
        self.state = State::Value;
        self.text = Text::default();
        self.open.clear();
        self.members = false;
    }

    /// Whether nothing but white space was seen.
    pub(super) fn is_blank(&self) -> bool {
        self.state == State::Value && self.open.is_empty()
    }

    /// Reads on from `at`, a chunk whose first byte has that offset. `name` is the name that is read, if one is.
    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        offset: u64,
        name: &mut Name,
        events: &mut impl Events,
    ) -> Result<(), Broken> {
        while let Some(&byte) = chunk.get(at) {
            at = match self.state {
                State::InString => self.string(chunk, at, events)?,
                State::InName => self.name(chunk, at, offset, name, events)?,
                State::InNumber(number) => self.number(chunk, at, number, events)?,
                State::InWord(word, seen) => self.word(chunk, at, word, seen, events)?,
                State::Value
                | State::ElementOrClose
                | State::NameOrClose
                | State::Name
                | State::Colon
                | State::After => match byte {
                    b' ' | b'\t' | b'\r' => at + 1,
                    b'\n' if self.lines => self.line_ends(at, events)?,
                    b'\n' => at + 1,
                    b'"' if matches!(self.state, State::NameOrClose | State::Name) => {
                        events.name_begins(at)?;
                        name.begins(offset + at as u64, at);
                        self.text = Text::default();
                        self.state = State::InName;
                        at + 1
                    }
                    _ => self.structural(at, byte, events)?,
                },
            };
        }
        Ok(())
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
        self.open.capacity()
    }

    /// Whether a value was read to its end, and nothing but white space behind it.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::After && self.open.is_empty()
    }

    fn line_ends(&mut self, at: usize, events: &mut impl Events) -> Result<usize, Broken> {
        if !self.is_whole() && !self.is_blank() {
            return Err(Broken { at, reason: "a line ends within a value" });
        }
        events.lines_end(at, u64::from(!self.is_blank()));
        self.restart();
        Ok(at + 1)
    }

    fn structural(&mut self, at: usize, byte: u8, events: &mut impl Events) -> Result<usize, Broken> {
        match (self.state, byte) {
            (State::Value | State::ElementOrClose, _) if byte != b']' => self.value(at, byte, events)?,
            (State::Colon, b':') => {
                self.members = true;
                self.state = State::Value;
            }
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
            (State::After, b'{' | b'[') if self.several && self.open.is_empty() => self.value(at, byte, events)?,
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
            b'+' if self.lenient => (Kind::Scalar, State::InNumber(Number::Minus)),
            b'.' if self.lenient => (Kind::Scalar, State::InNumber(Number::Point)),
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
        if matches!(kind, Kind::String | Kind::Scalar) && self.several && self.open.is_empty() {
            return Err(Broken { at, reason: "one of several documents is neither an object nor an array" });
        }
        if matches!(kind, Kind::Object | Kind::Array) {
            if self.open.len() == limits::JSON_DEPTH_MAX {
                return Err(Broken { at, reason: TOO_DEEP });
            }
            self.open.push(kind == Kind::Object);
        }
        events.begin(at, kind)?;
        self.text = Text::default();
        self.state = state;
        Ok(())
    }

    fn close(&mut self, at: usize, kind: Kind, events: &mut impl Events) {
        self.open.pop();
        self.value_ends(at + 1, kind, events);
    }

    fn value_ends(&mut self, at: usize, kind: Kind, events: &mut impl Events) {
        self.state = State::After;
        events.end(at, kind);
        if self.open.is_empty() {
            events.root_ends(at);
        }
    }

    fn string(&mut self, chunk: &[u8], at: usize, events: &mut impl Events) -> Result<usize, Broken> {
        match self.text.scan(chunk, at, &mut |_: &[u8]| {})? {
            Scanned::Closed(after) => {
                self.value_ends(after, Kind::String, events);
                Ok(after)
            }
            Scanned::More => Ok(chunk.len()),
        }
    }

    /// Never looks at more than one character beyond the longest name, so that the fault is the same in any pieces. It is
    /// told where a character begins, so that what stands before it is whole.
    fn name(
        &mut self,
        chunk: &[u8],
        at: usize,
        offset: u64,
        name: &mut Name,
        events: &mut impl Events,
    ) -> Result<usize, Broken> {
        let end = name.open + 2 + limits::JSON_NAME_BYTES_MAX as u64;
        let room = end.saturating_sub(offset + at as u64).max(1);
        let until = usize::try_from(room).map_or(chunk.len(), |room| chunk.len().min(at.saturating_add(room)));
        let scanned = self.text.scan(&chunk[..until], at, &mut |_: &[u8]| {})?;
        let read = offset + until as u64;
        match scanned {
            Scanned::Closed(after) if offset + after as u64 <= end => {
                self.state = State::Colon;
                events.name(name.closes(chunk, after - 1));
                Ok(after)
            }
            Scanned::More if read < end || chunk[until - 1] & 0xC0 == 0x80 => Ok(until),
            Scanned::Closed(_) | Scanned::More => Err(Broken { at: until - 1, reason: TOO_LONG }),
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
        if seen + 1 < word.len() {
            self.state = State::InWord(word, seen + 1);
        } else {
            self.value_ends(at + 1, Kind::Scalar, events);
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
        while let Some(next) = chunk.get(at).and_then(|byte| number.then(*byte, self.lenient)) {
            number = next;
            at += 1;
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
                self.value_ends(at, Kind::Scalar, events);
                Ok(())
            }
            Number::Point if self.lenient => {
                self.value_ends(at, Kind::Scalar, events);
                Ok(())
            }
            Number::Minus | Number::Point | Number::E | Number::ESign => Err(Broken { at, reason: "not a number" }),
        }
    }
}

impl Number {
    /// The state after one more byte, or `None` where the byte is no longer the number's.
    fn then(self, byte: u8, lenient: bool) -> Option<Self> {
        match (self, byte) {
            (Self::Zero, b'0'..=b'9') if lenient => Some(Self::Whole),
            (Self::Minus, b'.') if lenient => Some(Self::Point),
            (Self::Point, b'e' | b'E') if lenient => Some(Self::E),
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
