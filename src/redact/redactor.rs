//! The push machine: chunks of an object in, redacted bytes out, the same for any split into chunks, in constant memory.
//!
//! Output lags behind input only where it must: a record (or document) is held until it is known to be sound or longer
//! than [`limits::HOLD_BYTES_MAX`]. No path copies input past the point up to which it was validated; after the first
//! fault nothing is accepted any more.
//!
//! Of JSONL only records are shown that stand where [`lines`](super::lines) says that they may.

use std::sync::Arc;

use bytes::Bytes;

use super::editor::{Editor, Spot};
use super::embedded::{Embedded, may_hold_json};
use super::grammar::{Attention, Broken, Events, Kind};
use super::machine::{Instructions, Machine};
use super::output::Shown;
use super::plan::Plan;
use super::tally::Tally;
use super::token;
use crate::limits;
use crate::policy::mask::{Format, OnBroken};

const HOLD: u64 = limits::HOLD_BYTES_MAX as u64;
/// Bytes of the next chunk that are read behind an escape that began in the one before.
const JOINED: usize = 1024;
const TOO_FAR_APART: &str = "too much white space before a member";
const BOM: [u8; 3] = *b"\xEF\xBB\xBF";

/// Why, and from where on, an object cannot be shown. Never holds its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the object cannot be shown from byte {offset} on: {reason}")]
pub struct Fault {
    /// Offset in the object of the first byte that cannot stand there.
    pub offset: u64,
    /// Class of the fault.
    pub reason: &'static str,
}

/// Redacts one object, or the part of a JSONL object that begins at a record.
///
/// What comes out has, once [`Redactor::end`] was called, exactly the length of what was put in; under
/// [`LengthRule::Field`](crate::policy::mask::LengthRule::Field) at every point, else at the end of every record.
pub struct Redactor {
    format: Format,
    on_broken: OnBroken,
    plan: Arc<Plan>,
    machine: Machine,
    rewriter: Rewriter,
    /// The broken record that is skipped.
    skipping: Option<Fault>,
    fault: Option<Fault>,
    /// Bytes of a byte order mark that were seen; 3 also where there is none.
    bom: usize,
    /// The last byte of the chunk before.
    last: u8,
    /// The last bytes of the chunk before, which belong to an escape that goes on in the next one.
    again: Bytes,
}

/// What is made of one record after the other.
struct Rewriter {
    editor: Editor,
    /// The editor's, too.
    chunk: Bytes,
    embedded: Embedded,
    tally: Tally,
    record: Record,
}

/// Where the record, or the document, began.
#[derive(Debug, Clone, Copy)]
struct Record {
    offset: u64,
    place: u64,
}

impl Redactor {
    /// Begins at `offset` of the object: its start, or for JSONL the start of any record.
    pub fn new(plan: Arc<Plan>, format: Format, offset: u64) -> Self {
        Self {
            format,
            on_broken: plan.on_broken(),
            machine: Machine::new(format == Format::Jsonl),
            rewriter: Rewriter {
                tally: Tally::new(&plan),
                editor: Editor::new(plan.clone(), plan.length(format), offset),
                chunk: Bytes::new(),
                embedded: Embedded::new(Instructions::detected()),
                record: Record { offset, place: 0 },
            },
            plan,
            skipping: None,
            fault: None,
            bom: if offset == 0 { 0 } else { BOM.len() },
            last: b'\n',
            again: Bytes::new(),
        }
    }

    /// The same behind a record that is broken (see [`lines`](super::lines)): the first one here is not shown.
    pub fn behind_broken(mut self) -> Self {
        self.rewriter.editor.unplace(true);
        self
    }

    /// The same, read with these instructions.
    #[cfg(test)]
    pub(super) fn with(mut self, instructions: Instructions) -> Self {
        self.machine = Machine::with(instructions, self.format == Format::Jsonl);
        self.rewriter.embedded = Embedded::new(instructions);
        self
    }

    /// Takes the next bytes of the object and adds to `shown` what may leave now.
    ///
    /// After an error what was added is sound, and is all that may ever leave.
    pub fn write(&mut self, mut chunk: Bytes, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        while !self.again.is_empty() && !chunk.is_empty() {
            let more = chunk.split_to(chunk.len().min(JOINED));
            let again = std::mem::take(&mut self.again);
            self.piece([again.as_ref(), &more].concat().into(), again.len(), shown)?;
        }
        if chunk.is_empty() { Ok(()) } else { self.piece(chunk, 0, shown) }
    }

    /// Says that all bytes were written, and adds the rest to `shown`. Nothing can be written afterwards.
    pub fn end(&mut self, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        let again = std::mem::take(&mut self.again);
        let at = again.len();
        self.rewriter.editor.take(again, at);
        let finished = self.finish(at);
        self.settle(finished, at, shown)?;
        self.fault = Some(Fault { offset: self.rewriter.editor.offset(at), reason: "it has ended" });
        Ok(())
    }

    /// What was hidden up to now, in records that ended.
    pub fn tally(&self) -> &Tally {
        &self.rewriter.tally
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.machine.footprint() + self.rewriter.editor.footprint() + self.rewriter.embedded.footprint()
    }

    fn live(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    /// Reads a chunk from `at` on; what stands before it was the end of the last one.
    fn piece(&mut self, chunk: Bytes, at: usize, shown: &mut Shown) -> Result<(), Fault> {
        let Some(&last) = chunk.last() else { return Ok(()) };
        self.rewriter.editor.take(chunk.clone(), at);
        self.rewriter.chunk = chunk.clone();
        self.rewriter.embedded.go_on(at);
        let read = self.read(&chunk, at);
        self.last = last;
        self.settle(read, chunk.len(), shown)?;
        self.again = chunk.slice(self.readable(chunk.len())..);
        Ok(())
    }

    fn read(&mut self, chunk: &[u8], mut at: usize) -> Result<(), Fault> {
        while at < chunk.len() {
            at = if self.skipping.is_some() {
                self.skip(chunk, at)?
            } else if self.bom < BOM.len() {
                self.byte_order_mark(chunk, at)?
            } else {
                let offset = self.rewriter.editor.offset(0);
                let read = self.machine.feed(chunk, at, offset, self.plan.sight(), &mut self.rewriter);
                self.rewriter.reads(read.map_or_else(|broken| broken.at, |()| chunk.len()));
                match read {
                    Ok(()) => chunk.len(),
                    Err(broken) => {
                        self.broken(broken.at, broken.reason)?;
                        broken.at
                    }
                }
            };
        }
        Ok(())
    }

    /// All ends before that index.
    fn finish(&mut self, at: usize) -> Result<(), Fault> {
        if self.skipping.is_none() && self.bom > 0 && self.bom < BOM.len() {
            self.broken(at, "not JSON")?;
        }
        if self.skipping.is_none()
            && let Err(broken) = self.machine.finish(&mut self.rewriter)
        {
            self.broken(at, broken.reason)?;
        }
        if self.skipping.take().is_some() {
            self.blank(at, false);
        }
        self.rewriter.line_ends_before(at, self.machine.is_blank());
        Ok(())
    }

    /// Allowed at the object's first byte only, and passed.
    fn byte_order_mark(&mut self, chunk: &[u8], at: usize) -> Result<usize, Fault> {
        if chunk[at] == BOM[self.bom] {
            self.bom += 1;
            return Ok(at + 1);
        }
        let partial = std::mem::replace(&mut self.bom, BOM.len()) > 0;
        if partial {
            self.broken(at, "not JSON")?;
        }
        Ok(at)
    }

    /// The record, or document, cannot be read on from that index: it is skipped if it may be blanked.
    fn broken(&mut self, at: usize, reason: &'static str) -> Result<(), Fault> {
        self.bom = BOM.len();
        let mut fault = Fault { offset: self.rewriter.editor.offset(at), reason };
        if let Some(since) = self.rewriter.editor.undecided_since()
            && fault.offset - since > HOLD
        {
            fault = Fault { offset: since + HOLD, reason: TOO_FAR_APART };
        }
        let may_blank = self.format == Format::Jsonl && self.on_broken == OnBroken::Blank;
        if !may_blank || fault.offset - self.rewriter.record.offset > HOLD {
            return Err(fault);
        }
        self.rewriter.editor.rewind(self.rewriter.record.place);
        self.rewriter.embedded.abandon();
        self.skipping = Some(fault);
        Ok(())
    }

    /// Refuses to hold back more than white space of [`HOLD`] and one name before it is known whether a member is dropped.
    fn overdue(&mut self, len: usize) -> Result<(), Fault> {
        const MOST: u64 = HOLD + 2 + limits::JSON_NAME_BYTES_MAX as u64;
        match self.rewriter.editor.undecided_since() {
            Some(since) if self.rewriter.editor.offset(len) - since > MOST => self.broken(len, TOO_FAR_APART),
            Some(_) | None => Ok(()),
        }
    }

    /// Looks for the end of a broken record, which has to lie within the hold.
    fn skip(&mut self, chunk: &[u8], at: usize) -> Result<usize, Fault> {
        let newline = chunk[at..].iter().position(|&byte| byte == b'\n').map(|run| at + run);
        let until = newline.unwrap_or(chunk.len());
        if self.rewriter.editor.offset(until) - self.rewriter.record.offset > HOLD {
            return self.skipping.map_or(Ok(until), Err);
        }
        let Some(newline) = newline else { return Ok(until) };
        let before = newline.checked_sub(1).map_or(self.last, |before| chunk[before]);
        self.skipping = None;
        self.blank(newline, before == b'\r' && self.rewriter.editor.offset(newline) > self.rewriter.record.offset);
        self.rewriter.line_ends_before(newline + 1, true);
        Ok(newline + 1)
    }

    /// Replaces the record that ends just before that index.
    fn blank(&mut self, at: usize, carriage_return: bool) {
        let width = self.rewriter.editor.offset(at) - self.rewriter.record.offset - u64::from(carriage_return);
        if width >= 2 {
            self.rewriter.editor.replace(token::BLANK_RECORD, width - 2);
        } else {
            self.rewriter.editor.replace(b"", width);
        }
        if carriage_return {
            self.rewriter.editor.replace(b"\r", 0);
        }
        self.rewriter.editor.resume(at);
        self.rewriter.editor.restart();
        self.machine.restart();
        self.rewriter.tally.records += 1;
        self.rewriter.tally.records_blanked += 1;
        self.rewriter.editor.unplace(true);
    }

    /// How much is decided of what is read up to that index: not yet an escape in a string that is read as JSON.
    fn readable(&self, until: usize) -> usize {
        let since = self.rewriter.embedded.since().map(|since| since - self.rewriter.editor.offset(0));
        since.map_or(until, |since| until.min(since as usize))
    }

    /// After a chunk of that length was read: what is sound leaves.
    fn settle(&mut self, read: Result<(), Fault>, len: usize, shown: &mut Shown) -> Result<(), Fault> {
        // A record longer than the hold leaves as far as it was validated, also up to a fault in it.
        let sound_until = read.map_or_else(|fault| fault.offset, |()| self.rewriter.editor.offset(len));
        if self.skipping.is_none() && sound_until - self.rewriter.record.offset > HOLD {
            let at = sound_until.saturating_sub(self.rewriter.editor.offset(0)) as usize;
            self.rewriter.editor.flush(self.readable(at));
            self.rewriter.editor.release(self.rewriter.editor.decided(), shown);
        } else if read.is_ok() {
            self.rewriter.editor.flush(self.readable(len));
            self.rewriter.editor.release(self.rewriter.record.place, shown);
        } else {
            self.rewriter.editor.rewind(self.rewriter.record.place);
            self.rewriter.editor.release(self.rewriter.record.place, shown);
        }
        let read = read.and_then(|()| self.overdue(len));
        if let Err(fault) = read {
            self.fault = Some(fault);
            self.rewriter.editor.count_into(&mut self.rewriter.tally);
        }
        read
    }
}

impl Rewriter {
    /// Everything before that index was read: so is what lies in a string.
    fn reads(&mut self, until: usize) {
        self.embedded.read(&self.chunk[..until], &mut self.editor);
    }

    /// A line ended just before that index: what was made of it may leave.
    fn line_ends_before(&mut self, at: usize, blank: bool) {
        if !blank {
            self.tally.records += 1;
            self.tally.records_blanked += u64::from(self.editor.is_unplaced());
            self.editor.unplace(false);
        }
        self.editor.count_into(&mut self.tally);
        self.editor.restart();
        self.record = Record { offset: self.editor.offset(at), place: self.editor.place(at) };
    }
}

impl Events for Rewriter {
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken> {
        self.editor.begin(Spot { chunk: at, text: at }, kind)?;
        if kind == Kind::String && self.editor.shows_text() && may_hold_json(self.chunk.get(at + 1)) {
            self.embedded.begin(at + 1, &mut self.editor);
        }
        Ok(())
    }

    fn end(&mut self, at: usize, kind: Kind) {
        if kind == Kind::String {
            self.embedded.end(&self.chunk[..at - 1], &mut self.editor);
        }
        self.editor.end(at, kind);
    }

    fn root_ends(&mut self, at: usize) {
        self.editor.root_ends(at);
    }

    fn name_begins(&mut self, at: usize) -> Result<(), Broken> {
        self.editor.name_begins(at)
    }

    fn name(&mut self, written: &[u8]) {
        self.editor.name(written);
    }

    fn comma(&mut self, at: usize) {
        self.editor.comma(at);
    }

    #[inline]
    fn line_ends(&mut self, at: usize, blank: bool) {
        self.line_ends_before(at + 1, blank);
    }

    #[inline]
    fn attention(&self) -> Attention {
        if self.embedded.is_open() { Attention::String } else { self.editor.attention() }
    }

    #[inline]
    fn watches_roots(&self) -> bool {
        self.editor.is_unplaced()
    }

    #[inline]
    fn watches_texts(&self) -> bool {
        self.editor.plan().embedded()
    }
}
