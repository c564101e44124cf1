//! Rewrites what the grammar finds: hides the values that the plan names, lets everything else pass as it is.

mod carried;
mod hidden;
mod names;
mod texts;
mod values;

use std::sync::Arc;

use bytes::Bytes;

use super::grammar::{Attention, Broken, Kind};
use super::output::{Output, Shown};
use super::plan::Plan;
use super::reading::decoded;
use super::tally::Tally;
use crate::limits;
use crate::policy::mask::{LengthRule, MaskAction, OnBroken};
pub(super) use carried::Carried;
use hidden::{Hidden, With};

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
    /// The name that is read and will be hidden, and the rule that says so.
    renaming: Option<(Mark, usize)>,
    /// Whether the record is not to be shown, because the one before it is broken (see [`super::lines`]).
    unplaced: bool,
    /// White space owed at the end of the record.
    slack: u64,
    /// Fields hidden in this record, by profile.
    fields: Vec<u64>,
    any_fields: bool,
    /// Texts cut in it.
    cuts: u64,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    of: Of,
    /// Elements that began; of an object, members whose names were hidden, and those among them that got letters.
    elements: u64,
    letters: u32,
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
            output: Output::behind(offset),
            levels: Vec::new(),
            positions: Vec::new(),
            texts: 0,
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
            cuts: 0,
            plan,
        }
    }

    /// Takes the next chunk; its predecessor was wholly used, but for so many bytes that stand in both.
    pub(super) fn take(&mut self, chunk: Bytes, again: usize) {
        if let Some(Hidden { kind, texts: 0, with, .. }) = &mut self.hidden {
            with.read(&self.chunk, self.chunk.len(), *kind);
        }
        self.offset += (self.chunk.len() - again) as u64;
        self.chunk = chunk;
        self.passing = self.passing.map(|_| 0);
    }

    /// Offset in the object of that index.
    #[inline]
    pub(super) fn offset(&self, at: usize) -> u64 {
        self.offset + at as u64
    }

    /// Place in the output that the byte at that index has, or would have.
    #[inline]
    pub(super) fn place(&self, at: usize) -> u64 {
        self.output.len() + self.passing.map_or(0, |from| (at - from) as u64)
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
        tally.texts_cut += std::mem::take(&mut self.cuts);
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
        (self.texts, self.cuts) = (0, 0);
        (self.verdict, self.named, self.hidden, self.slack) = (None, false, None, 0);
        (self.undecided, self.renaming) = (None, None);
    }

    /// Nothing of the record is shown, whose value began at that offset and place, and of which so many brackets are open.
    pub(super) fn withhold(&mut self, offset: u64, place: u64, open: u32) {
        self.rewind(place);
        self.restart();
        self.hidden = Some(Hidden { open, ..Hidden::new(offset, Kind::Object, With::Blank) });
    }

    /// Whether the record that comes is behind a broken one. It stays so until it is said anew.
    pub(super) fn unplace(&mut self, unplaced: bool) {
        self.unplaced = unplaced;
    }

    /// See [`Editor::unplace`].
    #[inline]
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
        } else if self.plan.keeps() {
            self.begin_under_keeps(spot, kind);
        } else if let Some(rule) = self.rule_of_next() {
            self.hide(spot, kind, rule);
        } else if bracket && self.plan.paths().are_nested() {
            self.enter(at, kind);
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

    /// Whether white space is owed at the end of the record.
    #[inline]
    pub(super) fn owes_spaces(&self) -> bool {
        self.slack > 0
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
            self.hidden = Some(Hidden { due: true, ..Hidden::new(offset, kind, With::Nothing) });
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
