//! What is made of one record after the other: the editor hides, the judge says whether the record is shown at all.

use bytes::Bytes;

use super::super::editor::{Editor, Spot};
use super::super::embedded::{Embedded, may_hold_json};
use super::super::grammar::{Attention, Broken, Events, Kind, Roots};
use super::super::rows::{Judge, Ruling};
use super::super::tally::Tally;
use super::{Fault, HOLD, WITHHELD};

const CONTRADICTED: &str = "a member that `rows` test stands in it again, and does not fit";

/// What is made of one record after the other.
pub(super) struct Rewriter {
    pub(super) editor: Editor,
    /// The editor's, too.
    pub(super) chunk: Bytes,
    pub(super) embedded: Embedded,
    pub(super) tally: Tally,
    pub(super) record: Record,
    /// Where the record's value began, while it is judged.
    pub(super) value: Record,
    pub(super) judge: Option<Judge>,
    /// Whether a record that is not shown is the whole object.
    pub(super) document: bool,
    /// What the judge has found wrong with what is read: nothing behind it is made any more.
    pub(super) halted: Option<Fault>,
    /// Whether a record ends with its value, and another one may begin right behind.
    pub(super) several: bool,
}

/// Where the record, or the document, began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) place: u64,
}

impl Rewriter {
    /// The next chunk begins, of which that much stands in the one before, too.
    pub(super) fn takes(&mut self, chunk: &Bytes, again: usize) {
        self.editor.take(chunk.clone(), again);
        self.chunk = chunk.clone();
        self.embedded.go_on(again);
        if let Some(judge) = &mut self.judge {
            judge.chunk_begins(again);
        }
    }

    /// Everything before that index was read: so is what lies in a string.
    pub(super) fn reads(&mut self, until: usize) {
        self.embedded.read(&self.chunk[..until], &mut self.editor);
    }

    /// Everything before that offset was read: what of the record is beyond the hold is not waited for any more.
    pub(super) fn read_until(&mut self, offset: u64) -> Result<(), Fault> {
        if offset - self.record.offset > HOLD
            && self.halted.is_none()
            && let Some(judge) = &mut self.judge
        {
            let ruling = judge.hold_ends();
            self.obey(ruling, offset);
        }
        self.halted.map_or(Ok(()), Err)
    }

    /// Does what the judge rules of what stands before that offset.
    fn obey(&mut self, ruling: Ruling, offset: u64) {
        match ruling {
            Ruling::GoOn => {}
            Ruling::Withhold { open } => {
                self.embedded.abandon();
                self.editor.withhold(self.value.offset, self.value.place, open);
                if self.document {
                    self.halted = Some(Fault { offset: self.value.offset, reason: WITHHELD });
                }
            }
            Ruling::Cut => self.halted = Some(Fault { offset, reason: CONTRADICTED }),
        }
    }

    /// Something is found at that index: whether it still counts.
    fn goes_on(&mut self, at: usize) -> bool {
        self.judge.is_none() || self.read_until(self.editor.offset(at)).is_ok()
    }

    pub(super) fn restart(&mut self) {
        self.editor.restart();
        if let Some(judge) = &mut self.judge {
            judge.restart();
        }
    }

    /// Lines ended just before that index, so many of them records: what was made of them may leave.
    pub(super) fn lines_end_before(&mut self, at: usize, records: u64) {
        if records > 0 {
            self.tally.records += records;
            // One that is not shown is told by itself.
            self.tally.records_blanked += u64::from(self.editor.is_unplaced());
            self.tally.records_withheld += u64::from(self.judge.as_ref().is_some_and(Judge::withholds));
            self.editor.unplace(false);
        }
        self.editor.count_into(&mut self.tally);
        self.restart();
        self.record = Record { offset: self.editor.offset(at), place: self.editor.place(at) };
    }
}

impl Events for Rewriter {
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken> {
        if !self.goes_on(at) {
            return Ok(());
        }
        if let Some(judge) = &mut self.judge {
            if judge.is_outside() && !self.editor.is_unplaced() {
                self.value = Record { offset: self.editor.offset(at), place: self.editor.place(at) };
                judge.record_begins();
            }
            let ruling = judge.begin(at, kind);
            self.obey(ruling, self.editor.offset(at));
        }
        if self.halted.is_some() {
            return Ok(());
        }
        self.editor.begin(Spot { chunk: at, text: at }, kind)?;
        if kind == Kind::String && self.editor.shows_text() && may_hold_json(self.chunk.get(at + 1)) {
            self.embedded.begin(at + 1, &mut self.editor);
        }
        Ok(())
    }

    fn end(&mut self, at: usize, kind: Kind) {
        if !self.goes_on(at) {
            return;
        }
        // Before the judge speaks: whatever he says of what stands behind, this was read, and may leave.
        if kind == Kind::String {
            self.embedded.end(&self.chunk[..at - 1], &mut self.editor);
        }
        if let Some(judge) = &mut self.judge {
            let ruling = judge.end(&self.chunk, at, kind);
            self.obey(ruling, self.editor.offset(at));
        }
        if self.halted.is_none() {
            self.editor.end(at, kind);
        }
    }

    fn root_ends(&mut self, at: usize) {
        if self.halted.is_none() {
            self.editor.root_ends(at);
            if self.several {
                self.lines_end_before(at, 1);
            }
        }
    }

    fn name_begins(&mut self, at: usize) -> Result<(), Broken> {
        if self.goes_on(at) { self.editor.name_begins(at) } else { Ok(()) }
    }

    fn name(&mut self, written: &[u8]) {
        if self.halted.is_some() {
            return;
        }
        if let Some(judge) = &mut self.judge {
            judge.name(written);
        }
        self.editor.name(written);
    }

    fn comma(&mut self, at: usize) {
        if self.goes_on(at) {
            self.editor.comma(at);
        }
    }

    #[inline]
    fn lines_end(&mut self, at: usize, records: u64) {
        if self.halted.is_none() {
            self.lines_end_before(at + 1, records);
        }
    }

    #[inline]
    fn attention(&self) -> Attention {
        let wanted = || if self.embedded.is_open() { Attention::String } else { self.editor.attention() };
        match &self.judge {
            None => wanted(),
            Some(_) if self.halted.is_some() => Attention::Names,
            Some(judge) => judge.attention(wanted()),
        }
    }

    #[inline]
    fn roots(&self) -> Roots {
        if self.editor.is_unplaced() {
            Roots::All
        } else if self.several || self.judge.is_some() || self.editor.owes_spaces() {
            Roots::Ends
        } else {
            Roots::Owed
        }
    }

    #[inline]
    fn watches_texts(&self) -> bool {
        self.editor.plan().embedded()
    }
}
