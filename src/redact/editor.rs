//! Rewrites what the grammar finds: hides the values that the plan names, lets everything else pass as it is.

use std::sync::Arc;

use bytes::Bytes;

use super::grammar::{Broken, Events, Kind, Reads};
use super::output::{Output, Shown};
use super::plan::Plan;
use super::tally::Tally;
use super::token;
use crate::limits;
use crate::policy::mask::{LengthRule, MaskAction, OnBroken};

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
    /// Open brackets that are not hidden, and below each the positions of the paths.
    levels: Vec<Level>,
    positions: Vec<u64>,
    /// The positions of the value that comes next, and the rule that hides it.
    next: Vec<u64>,
    verdict: Option<usize>,
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
    object: bool,
    /// Elements that began.
    elements: u64,
    /// Whether a member was kept: only then does a comma belong before the next one.
    kept: bool,
}

/// A value that does not pass.
struct Hidden {
    /// Values open within it, itself included; 0 between the name of a dropped member and its value.
    open: u32,
    /// Where the input that it replaces begins.
    offset: u64,
    kind: Kind,
    with: With,
}

enum With {
    Nothing,
    Null,
    Token,
    /// That of a record.
    Blank,
    Pseudonym(Box<blake3::Hasher>),
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
            next: vec![0; plan.paths().words()],
            verdict: None,
            hidden: None,
            undecided: None,
            unplaced: false,
            slack: 0,
            fields: vec![0; plan.profiles().len()],
            any_fields: false,
            plan,
        }
    }

    /// Takes the next chunk; its predecessor was wholly used.
    pub(super) fn take(&mut self, chunk: Bytes) {
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

    /// Puts what passes before that index into the output.
    pub(super) fn flush(&mut self, at: usize) {
        if let Some(from) = self.passing
            && from < at
        {
            self.output.slice(self.chunk.slice(from..at));
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
            self.output.slice(self.chunk.slice(from..from + run));
        }
        self.output.truncate(place);
    }

    /// Writes a constant and white space instead of input.
    pub(super) fn replace(&mut self, token: &'static [u8], spaces: u64) {
        self.output.token(token);
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
        (self.verdict, self.hidden, self.undecided, self.slack) = (None, None, None, 0);
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
        self.output.footprint() + self.levels.capacity() * size_of::<Level>() + self.positions.capacity() * 8
    }

    /// The rule that hides the value that begins now; its positions are in `next`.
    fn rule_of_next(&mut self) -> Option<usize> {
        let Some(level) = self.levels.last_mut() else {
            self.next.copy_from_slice(self.plan.paths().start());
            return None;
        };
        if level.object {
            return self.verdict.take();
        }
        let index = level.elements;
        level.elements += 1;
        let top = &self.positions[self.positions.len() - self.next.len()..];
        self.plan.paths().element(top, index, &mut self.next)
    }

    fn hide(&mut self, at: usize, kind: Kind, rule: usize) {
        let with = match self.plan.rule(rule).action {
            MaskAction::Mask => With::Token,
            MaskAction::Drop => With::Null,
            MaskAction::Hmac => token::domain(kind).map_or(With::Token, |domain| {
                let mut hasher = Box::new(self.plan.pseudonym_hasher());
                hasher.update(domain);
                With::Pseudonym(hasher)
            }),
        };
        self.count(rule);
        self.hide_with(at, kind, with);
    }

    fn hide_with(&mut self, at: usize, kind: Kind, with: With) {
        self.flush(at);
        self.passing = None;
        self.hidden = Some(Hidden { open: 1, offset: self.offset(at), kind, with });
    }

    fn count(&mut self, rule: usize) {
        self.fields[self.plan.rule(rule).profile] += 1;
        self.any_fields = true;
    }

    /// The hidden value ended: its token, and its slack.
    fn show_token(&mut self, at: usize, hidden: &Hidden) {
        let width = self.offset(at) - hidden.offset;
        let written = match &hidden.with {
            With::Nothing => 0,
            With::Blank => self.constant(token::BLANK_RECORD),
            With::Null => self.constant(token::null(width)),
            With::Pseudonym(hasher) if width >= token::PSEUDONYM_BYTES => {
                self.output.slice(Bytes::copy_from_slice(&token::pseudonym(hasher)));
                token::PSEUDONYM_BYTES
            }
            With::Token | With::Pseudonym(_) => self.constant(token::constant(hidden.kind, width)),
        };
        self.owe(width - written);
        self.passing = Some(at);
    }

    fn constant(&mut self, token: &'static [u8]) -> u64 {
        self.output.token(token);
        token.len() as u64
    }

    fn owe(&mut self, spaces: u64) {
        match self.length {
            LengthRule::Record => self.slack += spaces,
            LengthRule::Field => self.output.spaces(spaces),
        }
    }
}

impl Events for Editor {
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken> {
        if let Some(hidden) = &mut self.hidden {
            hidden.open += 1;
        } else if self.unplaced && self.levels.is_empty() {
            if self.plan.on_broken() == OnBroken::Cut {
                return Err(Broken { at, reason: "the record before it is broken" });
            }
            self.hide_with(at, kind, With::Blank);
        } else if let Some(rule) = self.rule_of_next() {
            self.hide(at, kind, rule);
        } else if matches!(kind, Kind::Object | Kind::Array) {
            self.levels.push(Level { object: kind == Kind::Object, elements: 0, kept: false });
            self.positions.extend_from_slice(&self.next);
        }
        Ok(())
    }

    fn end(&mut self, at: usize, kind: Kind) {
        if let Some(hidden) = &mut self.hidden {
            hidden.open -= 1;
            if hidden.open == 0
                && let Some(hidden) = self.hidden.take()
            {
                self.show_token(at, &hidden);
            }
        } else if matches!(kind, Kind::Object | Kind::Array) {
            self.levels.pop();
            self.positions.truncate(self.positions.len() - self.next.len());
        }
        if self.levels.is_empty() && self.slack > 0 {
            self.flush(at);
            self.output.spaces(std::mem::take(&mut self.slack));
        }
    }

    fn name_begins(&mut self, at: usize) -> Result<(), Broken> {
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

    fn name(&mut self, decoded: &[u8]) {
        if self.hidden.is_some() {
            return;
        }
        let top = &self.positions[self.positions.len() - self.next.len()..];
        self.verdict = self.plan.paths().member(top, decoded, &mut self.next);
        let mark = self.undecided.take();
        if let Some(mark) = mark
            && let Some(rule) = self.verdict
            && self.plan.rule(rule).action == MaskAction::Drop
        {
            self.verdict = None;
            self.count(rule);
            self.rewind(mark.place);
            self.hidden = Some(Hidden { open: 0, offset: mark.offset, kind: Kind::Scalar, with: With::Nothing });
        } else if let Some(level) = self.levels.last_mut() {
            level.kept = true;
        }
    }

    fn comma(&mut self, at: usize) {
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

    fn reads(&self) -> Reads {
        match &self.hidden {
            None => Reads { names: true, text: false },
            Some(hidden) => Reads { names: false, text: matches!(hidden.with, With::Pseudonym(_)) },
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        if let Some(Hidden { with: With::Pseudonym(hasher), .. }) = &mut self.hidden {
            hasher.update(bytes);
        }
    }
}
