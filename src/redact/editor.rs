//! Rewrites what the grammar finds: hides the values that the plan names, lets everything else pass as it is.

use std::sync::Arc;

use bytes::Bytes;

use super::grammar::{Attention, Broken, Kind};
use super::output::{Output, Shown};
use super::plan::Plan;
use super::tally::Tally;
use super::text::Text;
use super::token;
use crate::limits;
use crate::policy::mask::{LengthRule, MaskAction, OnBroken};

mod hashed;
mod texts;

use hashed::Hashed;

/// The editor of one stream. Positions in the object are *offsets*, those in the chunk *indices*, and those in what was
/// made *places*.
pub(super) struct Editor {
    plan: Arc<Plan>,
    length: LengthRule,
    chunk: Bytes,
    /// Offset of the chunk's first byte.
    offset: u64,
    /// Index from which input passes and is not yet in the output; `None` while nothing passes.
    passing: Option<usize>,
    output: Output,
    /// Open brackets that are not hidden, and below each the positions of the paths. Not kept where they are the same
    /// everywhere.
    levels: Vec<Level>,
    positions: Vec<u64>,
    /// Strings around what is read.
    texts: usize,
    /// The positions of the value that comes next, and the rule that hides it, once its name was told.
    next: Vec<u64>,
    verdict: Option<usize>,
    named: bool,
    /// A name without its escapes.
    decoded: Vec<u8>,
    hidden: Option<Hidden>,
    undecided: Option<Mark>,
    /// Whether the record is not to be shown, because the one before it is broken (see [`super::lines`]).
    unplaced: bool,
    /// White space owed at the end of the record.
    slack: u64,
    /// Fields hidden in this record, by profile.
    fields: Vec<u64>,
    any_fields: bool,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    of: Of,
    /// Elements that began.
    elements: u64,
    /// Whether a member was kept: only then does a comma belong before the next one.
    kept: bool,
}

/// What a level is within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Object,
    Array,
    /// A string that is read as JSON: its documents stand in its place.
    Text,
}

/// A value that does not pass.
struct Hidden {
    /// Brackets open within it, its own included.
    open: u32,
    /// Whether it is between the name of a dropped member and its value.
    due: bool,
    /// Where the input that it replaces begins.
    offset: u64,
    kind: Kind,
    /// Strings around it.
    texts: usize,
    with: With,
}

enum With {
    Nothing,
    Null,
    Token,
    /// That of a record.
    Blank,
    /// What is left of the text of a string.
    Rest,
    Pseudonym(Box<Hashed>),
}

/// The place of a byte: its index in the chunk, and in the text that it lies in, which is the chunk itself but within
/// strings. A character that is escaped stands where its escape begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) chunk: usize,
    pub(super) text: usize,
}

/// A comma (or first name) that may have to be taken back, because the member behind it may be dropped.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: u64,
    place: u64,
}

impl Editor {
    /// Begins at that offset of the object.
    pub(super) fn new(plan: Arc<Plan>, length: LengthRule, offset: u64) -> Self {
        Self {
            length,
            chunk: Bytes::new(),
            offset,
            passing: Some(0),
            output: Output::default(),
            levels: Vec::new(),
            positions: Vec::new(),
            texts: 0,
            next: plan.paths().start().to_vec(),
            verdict: None,
            named: false,
            decoded: Vec::new(),
            hidden: None,
            undecided: None,
            unplaced: false,
            slack: 0,
            fields: vec![0; plan.profiles().len()],
            any_fields: false,
            plan,
        }
    }

    /// Takes the next chunk; its predecessor was wholly used, but for so many bytes that stand in both.
    pub(super) fn take(&mut self, chunk: Bytes, again: usize) {
        if let Some(Hidden { kind, texts: 0, with: With::Pseudonym(hashed), .. }) = &mut self.hidden {
            hashed.hash(&self.chunk, self.chunk.len(), *kind);
            hashed.from = 0;
        }
        self.offset += (self.chunk.len() - again) as u64;
        self.chunk = chunk;
        self.passing = self.passing.map(|_| 0);
    }

    /// Offset in the object of that index.
    pub(super) fn offset(&self, at: usize) -> u64 {
        self.offset + at as u64
    }

    /// Place in the output that the byte at that index has, or would have.
    pub(super) fn place(&self, at: usize) -> u64 {
        self.output.len() + self.passing.map_or(0, |from| (at - from) as u64)
    }

    /// Puts what passes before that index into the output.
    pub(super) fn flush(&mut self, at: usize) {
        if let Some(from) = self.passing
            && from < at
        {
            self.output.slice(&self.chunk, from, at);
            self.passing = Some(at);
        }
    }

    /// How much of the output is decided, once flushed.
    pub(super) fn decided(&self) -> u64 {
        self.undecided.map_or(self.output.len(), |mark| mark.place)
    }

    /// Offset from which on it is open whether a member is dropped.
    pub(super) fn undecided_since(&self) -> Option<u64> {
        self.undecided.map(|mark| mark.offset)
    }

    /// Takes back everything after that place; nothing passes until [`Editor::resume`].
    pub(super) fn rewind(&mut self, place: u64) {
        if let Some(from) = self.passing.take()
            && place > self.output.len()
        {
            let run = (place - self.output.len()) as usize;
            self.output.slice(&self.chunk, from, from + run);
        }
        self.output.truncate(place);
    }

    /// Writes a constant and white space instead of input.
    pub(super) fn replace(&mut self, token: &'static [u8], spaces: u64) {
        self.output.copy(token);
        self.output.spaces(spaces);
    }

    /// Input passes again from that index on.
    pub(super) fn resume(&mut self, at: usize) {
        self.passing = Some(at);
    }

    /// Lets what is made up to that place leave.
    pub(super) fn release(&mut self, place: u64, shown: &mut Shown) {
        self.output.release(place, shown);
    }

    /// Counts the fields that were hidden in this record.
    pub(super) fn count_into(&mut self, tally: &mut Tally) {
        if std::mem::take(&mut self.any_fields) {
            for (total, fields) in tally.fields.iter_mut().zip(&mut self.fields) {
                *total += std::mem::take(fields);
            }
        }
    }

    /// Forgets everything of the record, also what it would have counted.
    pub(super) fn restart(&mut self) {
        if std::mem::take(&mut self.any_fields) {
            self.fields.fill(0);
        }
        self.levels.clear();
        self.positions.clear();
        self.texts = 0;
        (self.verdict, self.named, self.hidden, self.undecided, self.slack) = (None, false, None, None, 0);
    }

    /// Whether the record that comes is behind a broken one. It stays so until it is said anew.
    pub(super) fn unplace(&mut self, unplaced: bool) {
        self.unplaced = unplaced;
    }

    /// See [`Editor::unplace`].
    pub(super) fn is_unplaced(&self) -> bool {
        self.unplaced
    }

    /// Bytes that are kept between chunks, but for the chunk itself.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.output.footprint()
            + self.levels.capacity() * size_of::<Level>()
            + self.positions.capacity() * 8
            + self.decoded.capacity()
    }

    /// The rule that hides the value that begins now; its positions are in `next`.
    fn rule_of_next(&mut self) -> Option<usize> {
        let named = std::mem::take(&mut self.named);
        if !self.plan.paths().are_nested() {
            return self.verdict.take();
        }
        let Some(level) = self.levels.last_mut() else {
            self.next.copy_from_slice(self.plan.paths().start());
            return None;
        };
        let top = &self.positions[self.positions.len() - self.next.len()..];
        match level.of {
            Of::Array => {
                let index = level.elements;
                level.elements += 1;
                return self.plan.paths().element(top, index, &mut self.next);
            }
            Of::Object if named => {}
            Of::Object => self.plan.paths().unnamed(top, &mut self.next),
            Of::Text => self.next.copy_from_slice(top),
        }
        self.verdict.take()
    }

    fn hide(&mut self, at: Spot, kind: Kind, rule: usize) {
        let with = match self.plan.rule(rule).action {
            MaskAction::Mask => With::Token,
            MaskAction::Drop => With::Null,
            MaskAction::Hmac => token::domain(kind).map_or(With::Token, |domain| {
                let mut hasher = self.plan.pseudonym_hasher();
                hasher.update(domain);
                let from = at.text + usize::from(kind == Kind::String);
                With::Pseudonym(Box::new(Hashed { hasher, text: Text::default(), from }))
            }),
        };
        self.count(rule);
        self.hide_with(at.chunk, kind, with);
    }

    fn hide_with(&mut self, at: usize, kind: Kind, with: With) {
        self.flush(at);
        self.passing = None;
        let (offset, texts) = (self.offset(at), self.texts);
        self.hidden = Some(Hidden { open: 1, due: false, offset, kind, texts, with });
    }

    fn count(&mut self, rule: usize) {
        self.fields[self.plan.rule(rule).profile] += 1;
        self.any_fields = true;
    }

    /// The hidden value ended: its token, and its slack.
    fn show_token(&mut self, at: usize, mut hidden: Hidden) {
        let width = self.offset(at) - hidden.offset;
        if let With::Pseudonym(hashed) = &mut hidden.with
            && hidden.texts == 0
        {
            hashed.hash(&self.chunk, at, hidden.kind);
        }
        let quotes = token::quotes(hidden.texts);
        let written = match &hidden.with {
            With::Nothing => 0,
            With::Blank => self.constant(token::BLANK_RECORD),
            With::Null => self.constant(token::null(width)),
            With::Rest => self.constant(token::rest(width)),
            With::Pseudonym(hashed) if width >= token::PSEUDONYM_BYTES + quotes => {
                self.quoted(&token::pseudonym(&hashed.hasher), hidden.texts)
            }
            With::Token | With::Pseudonym(_) => {
                let bare = if hidden.kind == Kind::String { width.saturating_sub(quotes) } else { width };
                self.quoted(token::constant(hidden.kind, bare), hidden.texts)
            }
        };
        self.owe(width - written);
        self.passing = Some(at);
    }

    /// What begins now lies within another thing.
    fn descend(&mut self, of: Of) {
        if self.plan.paths().are_nested() {
            self.levels.push(Level { of, elements: 0, kept: false });
            self.positions.extend_from_slice(&self.next);
        }
    }

    /// A token within so many strings.
    fn quoted(&mut self, token: &[u8], texts: usize) -> u64 {
        let before = self.output.len();
        token::write(token, texts, &mut self.output);
        self.output.len() - before
    }

    fn constant(&mut self, token: &'static [u8]) -> u64 {
        self.output.copy(token);
        token.len() as u64
    }

    fn owe(&mut self, spaces: u64) {
        match self.length {
            LengthRule::Record => self.slack += spaces,
            LengthRule::Field => self.output.spaces(spaces),
        }
    }
}

/// What is found, as [`Events`](super::grammar::Events) tells it.
impl Editor {
    #[inline]
    pub(super) fn attention(&self) -> Attention {
        match &self.hidden {
            Some(hidden) if hidden.due => Attention::Value,
            Some(hidden) => match hidden.kind {
                Kind::Object | Kind::Array => Attention::Brackets,
                Kind::String => Attention::String,
                Kind::Scalar => Attention::Scalar,
            },
            None if self.named => Attention::Value,
            None => Attention::Names,
        }
    }

    pub(super) fn begin(&mut self, spot: Spot, kind: Kind) -> Result<(), Broken> {
        let at = spot.chunk;
        let bracket = matches!(kind, Kind::Object | Kind::Array);
        if let Some(hidden) = &mut self.hidden {
            if std::mem::take(&mut hidden.due) {
                hidden.kind = kind;
            } else {
                hidden.open += u32::from(bracket);
            }
        } else if self.unplaced && self.levels.is_empty() {
            if self.plan.on_broken() == OnBroken::Cut {
                return Err(Broken { at, reason: "the record before it is broken" });
            }
            self.hide_with(at, kind, With::Blank);
        } else if let Some(rule) = self.rule_of_next() {
            self.hide(spot, kind, rule);
        } else if bracket {
            self.descend(if kind == Kind::Object { Of::Object } else { Of::Array });
        }
        Ok(())
    }

    pub(super) fn end(&mut self, at: usize, kind: Kind) {
        let bracket = matches!(kind, Kind::Object | Kind::Array);
        if let Some(hidden) = &mut self.hidden {
            // Of what lies within a hidden value only brackets are counted.
            if bracket || !matches!(hidden.kind, Kind::Object | Kind::Array) {
                hidden.open -= 1;
                if hidden.open == 0
                    && let Some(hidden) = self.hidden.take()
                {
                    self.show_token(at, hidden);
                }
            }
        } else if bracket && self.plan.paths().are_nested() {
            self.levels.pop();
            self.positions.truncate(self.positions.len() - self.next.len());
        }
    }

    /// The record's value ended just before that index: what is owed follows.
    pub(super) fn root_ends(&mut self, at: usize) {
        if self.slack > 0 {
            self.flush(at);
            self.output.spaces(std::mem::take(&mut self.slack));
        }
    }

    pub(super) fn name_begins(&mut self, at: usize) -> Result<(), Broken> {
        if !self.plan.drops() || self.hidden.is_some() {
            return Ok(());
        }
        let here = Mark { offset: self.offset(at), place: self.place(at) };
        let since = self.undecided.get_or_insert(here).offset;
        if here.offset - since > limits::HOLD_BYTES_MAX as u64 {
            return Err(Broken { at, reason: "too much white space before a member" });
        }
        Ok(())
    }

    pub(super) fn name(&mut self, written: &[u8]) {
        if self.hidden.is_some() {
            return;
        }
        let paths = self.plan.paths();
        let top = match self.positions.len() {
            0 => paths.start(),
            all => &self.positions[all - self.next.len()..],
        };
        self.verdict = paths.member(top, decoded(written, &mut self.decoded), &mut self.next);
        self.named = paths.are_nested() || self.verdict.is_some();
        let mark = self.undecided.take();
        if let Some(mark) = mark
            && let Some(rule) = self.verdict
            && self.plan.rule(rule).action == MaskAction::Drop
        {
            self.verdict = None;
            self.count(rule);
            self.rewind(mark.place);
            let (offset, kind) = (mark.offset, Kind::Scalar);
            self.hidden = Some(Hidden { open: 1, due: true, offset, kind, texts: 0, with: With::Nothing });
        } else if let Some(level) = self.levels.last_mut() {
            level.kept = true;
        }
    }

    pub(super) fn comma(&mut self, at: usize) {
        if self.hidden.is_some() || !self.plan.drops() {
            return;
        }
        if self.levels.last().is_some_and(|level| level.kept) {
            self.undecided = Some(Mark { offset: self.offset(at), place: self.place(at) });
            return;
        }
        // Every member before it was dropped: so is the comma.
        self.flush(at);
        self.owe(1);
        self.passing = Some(at + 1);
        self.undecided = Some(Mark { offset: self.offset(at + 1), place: self.place(at + 1) });
    }
}

/// The name that is so written.
fn decoded<'a>(written: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    if written.iter().all(|byte| *byte != b'\\') {
        return written;
    }
    room.clear();
    let mut text = Text::default();
    let mut push = |bytes: &[u8]| room.extend_from_slice(bytes);
    let read = text.scan(written, 0, &mut push).and_then(|_| text.scan(b"\"", 0, &mut push));
    debug_assert!(read.is_ok(), "only what was checked is looked up");
    room
}
