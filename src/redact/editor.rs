//! Rewrites what the grammar finds: hides the values that the plan names, lets everything else pass as it is.

mod carried;
mod names;
mod values;

use std::sync::Arc;

use bytes::Bytes;

use super::grammar::{Attention, Broken, Kind};
use super::output::{Output, Shown};
use super::partial::Tail;
use super::plan::Plan;
use super::reading::{Reading, decoded};
use super::tally::Tally;
use super::token;
use crate::limits;
use crate::policy::mask::{LengthRule, MaskAction, OnBroken};
pub(super) use carried::Carried;

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
    /// The positions of the value that comes next, and the rule that hides it, once its name was told.
    next: Vec<u64>,
    verdict: Option<usize>,
    named: bool,
    /// A name without its escapes.
    decoded: Vec<u8>,
    hidden: Option<Hidden>,
    undecided: Option<Mark>,
    /// The name that is read and will be hidden, and the rule that says so.
    renaming: Option<(Mark, usize)>,
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
    object: bool,
    /// Elements that began; of an object, members whose names were hidden, and those among them that got letters.
    elements: u64,
    letters: u32,
    /// Whether a member was kept: only then does a comma belong before the next one.
    kept: bool,
}

/// A value that is not looked into: hidden, or shown as it is.
#[derive(Debug, Clone)]
struct Hidden {
    /// Brackets open within it, its own included.
    open: u32,
    /// Whether it is between the name of a dropped member and its value.
    due: bool,
    /// Where the input that it replaces begins.
    offset: u64,
    /// Bytes in its place that were made before it is over.
    made: u64,
    kind: Kind,
    with: With,
}

#[derive(Debug, Clone)]
enum With {
    /// It passes.
    Itself,
    Nothing,
    Null,
    Token,
    /// That of a record.
    Blank,
    Pseudonym(Box<Reading<blake3::Hasher>>),
    Partial(Box<Reading<Tail>>),
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
            output: Output::behind(offset),
            levels: Vec::new(),
            positions: Vec::new(),
            next: plan.paths().start().to_vec(),
            verdict: None,
            named: false,
            decoded: Vec::new(),
            hidden: None,
            undecided: None,
            renaming: None,
            unplaced: false,
            slack: 0,
            fields: vec![0; plan.profiles().len()],
            any_fields: false,
            plan,
        }
    }

    /// Takes the next chunk; its predecessor was wholly used.
    pub(super) fn take(&mut self, chunk: Bytes) {
        if let Some(Hidden { kind, with, .. }) = &mut self.hidden {
            with.read(&self.chunk, self.chunk.len(), *kind);
        }
        self.offset += self.chunk.len() as u64;
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

    /// The chunk that indices are of.
    pub(super) fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// Offset behind the chunk.
    pub(super) fn end_of_chunk(&self) -> u64 {
        self.offset(self.chunk.len())
    }

    /// Puts what passes before that index into the output, and what stands there in place of a value that does not.
    pub(super) fn flush(&mut self, at: usize) {
        self.hide_until(at);
        if let Some(from) = self.passing
            && from < at
        {
            self.output.slice(&self.chunk, from, at);
            self.passing = Some(at);
        }
    }

    /// How much of the output is decided, once flushed.
    pub(super) fn decided(&self) -> u64 {
        let open = self.undecided.or(self.renaming.map(|(mark, _)| mark));
        open.map_or(self.output.len(), |mark| mark.place)
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

    /// Whether what is shorter as shown leaves no trace where it stands.
    pub(super) fn hides_length(&self) -> bool {
        self.length == LengthRule::Hidden
    }

    /// Input passes again from that index on.
    pub(super) fn resume(&mut self, at: usize) {
        self.passing = Some(at);
    }

    /// Lets what is made up to that place leave, but for so many of the newest bytes.
    pub(super) fn release(&mut self, place: u64, held: u64, shown: &mut Shown) {
        self.output.release(place.min(self.output.len().saturating_sub(held)), shown);
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
        (self.verdict, self.named, self.hidden, self.slack) = (None, false, None, 0);
        (self.undecided, self.renaming) = (None, None);
    }

    /// Nothing of the record is shown, whose value began at that offset and place, and of which so many brackets are open.
    pub(super) fn withhold(&mut self, offset: u64, place: u64, open: u32) {
        self.rewind(place);
        self.restart();
        self.hidden = Some(Hidden { open, due: false, offset, made: 0, kind: Kind::Object, with: With::Blank });
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
        if !level.object {
            let index = level.elements;
            level.elements += 1;
            return self.plan.paths().element(top, index, &mut self.next);
        }
        if !named {
            self.plan.paths().unnamed(top, &mut self.next);
        }
        self.verdict.take()
    }

    fn hide(&mut self, at: usize, kind: Kind, rule: usize) {
        let with = match self.plan.rule(rule).action {
            MaskAction::Mask => With::Token,
            MaskAction::Partial if kind == Kind::String => {
                With::Partial(Box::new(Reading::new(Tail::default(), at, kind)))
            }
            MaskAction::Partial => With::Token,
            MaskAction::Drop => With::Null,
            MaskAction::Hmac => token::domain(kind).map_or(With::Token, |domain| {
                let mut hasher = self.plan.pseudonym_hasher();
                hasher.update(domain);
                With::Pseudonym(Box::new(Reading::new(hasher, at, kind)))
            }),
        };
        self.count(rule);
        self.hide_with(at, kind, with);
    }

    fn hide_with(&mut self, at: usize, kind: Kind, with: With) {
        self.flush(at);
        self.passing = None;
        self.hidden = Some(Hidden { open: 1, due: false, offset: self.offset(at), made: 0, kind, with });
    }

    /// Where white space stands in place of a value, it is made as the value passes: of one that is as long as the object
    /// nothing has to be waited for.
    fn hide_until(&mut self, at: usize) {
        let end = self.offset(at);
        let Some(hidden) = &mut self.hidden else { return };
        let width = end.saturating_sub(hidden.offset);
        if self.length != LengthRule::Field || hidden.due || width < token::SETTLED_BYTES {
            return;
        }
        if hidden.made == 0 {
            let token = match &hidden.with {
                With::Nothing => b"",
                With::Blank => token::BLANK_RECORD,
                With::Null => token::null(width),
                With::Token => token::constant(hidden.kind, width),
                With::Itself | With::Pseudonym(_) | With::Partial(_) => return,
            };
            self.output.copy(token);
            hidden.made = token.len() as u64;
        }
        self.output.spaces(width - hidden.made);
        hidden.made = width;
    }

    fn count(&mut self, rule: usize) {
        self.count_for(self.plan.rule(rule).profile);
    }

    fn count_for(&mut self, profile: usize) {
        self.fields[profile] += 1;
        self.any_fields = true;
    }

    /// The hidden value ended: its token, and its slack.
    fn show_token(&mut self, at: usize, mut hidden: Hidden) {
        if matches!(hidden.with, With::Itself) {
            return;
        }
        let width = self.offset(at) - hidden.offset;
        hidden.with.read(&self.chunk, at, hidden.kind);
        let usual = token::constant(hidden.kind, width);
        let written = match &hidden.with {
            _ if hidden.made > 0 => hidden.made,
            With::Itself | With::Nothing => 0,
            With::Blank => self.token(token::BLANK_RECORD),
            With::Null => self.token(token::null(width)),
            With::Pseudonym(hashed) if width >= token::PSEUDONYM_BYTES => self.token(&token::pseudonym(&hashed.sink)),
            With::Partial(tail) => match tail.sink.token() {
                Some(token) => self.token(token.as_bytes()),
                None => self.token(usual),
            },
            With::Token | With::Pseudonym(_) => self.token(usual),
        };
        self.owe(width - written);
        self.passing = Some(at);
    }

    /// Writes it, and tells how many bytes it has.
    fn token(&mut self, token: &[u8]) -> u64 {
        self.output.copy(token);
        token.len() as u64
    }

    fn owe(&mut self, spaces: u64) {
        match self.length {
            LengthRule::Record => self.slack += spaces,
            LengthRule::Field => self.output.spaces(spaces),
            // All of it follows at the object's end.
            LengthRule::Hidden => {}
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

    pub(super) fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken> {
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
        } else if self.plan.keeps() {
            self.begin_under_keeps(at, kind);
        } else if let Some(rule) = self.rule_of_next() {
            self.hide(at, kind, rule);
        } else if bracket && self.plan.paths().are_nested() {
            self.descend(at, kind);
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
        if self.hidden.is_some() {
            return Ok(());
        }
        let here = Mark { offset: self.offset(at), place: self.place(at) };
        if self.plan.renames() {
            self.renaming = self.plan.paths().renames(self.innermost()).map(|rule| (here, rule));
        }
        if !self.plan.drops() {
            return Ok(());
        }
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
            (self.verdict, self.named, self.renaming) = (None, false, None);
            self.count(rule);
            self.rewind(mark.place);
            let (offset, kind) = (mark.offset, Kind::Scalar);
            self.hidden = Some(Hidden { open: 1, due: true, offset, made: 0, kind, with: With::Nothing });
            return;
        }
        if let Some(level) = self.levels.last_mut() {
            level.kept = true;
        }
        if let Some((mark, rule)) = self.renaming {
            self.rename(mark, rule, written);
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

impl With {
    /// Reads what of the hidden value stands before that index of the chunk.
    fn read(&mut self, chunk: &[u8], until: usize, kind: Kind) {
        match self {
            With::Itself | With::Nothing | With::Null | With::Token | With::Blank => {}
            With::Pseudonym(hashed) => hashed.read(chunk, until, kind),
            With::Partial(tail) => tail.read(chunk, until, kind),
        }
    }
}
