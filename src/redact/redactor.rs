//! The push machine: chunks of an object in, redacted bytes out, the same for any split into chunks, in constant memory.
//!
//! Output lags behind input only where it must: a record (or document) is held until it is known to be sound or longer
//! than [`limits::HOLD_BYTES_MAX`]. No path copies input past the point up to which it was validated; after the first
//! fault nothing is accepted any more.
//!
//! Of JSONL only records are shown that stand where [`lines`](super::lines) says that they may.

use std::sync::Arc;

use bytes::Bytes;

use super::checkpoint::Checkpoint;
use super::editor::Editor;
use super::grammar::{Attention, Broken, Events, Kind};
#[cfg(test)]
use super::machine::Instructions;
use super::machine::Machine;
use super::output::Shown;
use super::plan::Plan;
use super::rows::{Judge, Ruling};
use super::size;
use super::tally::Tally;
use super::token;
use crate::limits;
use crate::policy::mask::{Format, OnBroken};

const HOLD: u64 = limits::HOLD_BYTES_MAX as u64;
const TOO_FAR_APART: &str = "too much white space before a member";
const WITHHELD: &str = "it is not among what `rows` show";
const CONTRADICTED: &str = "a member that `rows` test stands in it again, and does not fit";
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

impl Fault {
    /// Whether it is a sound document that the view's `rows` do not show.
    pub fn is_withheld(&self) -> bool {
        self.reason == WITHHELD
    }
}

/// Redacts one object, or the part of a JSONL object that begins at a record.
///
/// A JSON object is one document; or several, where the plan says so, which are records that end with their value.
///
/// What comes out has, once [`Redactor::end`] was called, exactly the length of what was put in; under
/// [`LengthRule::Field`](crate::policy::mask::LengthRule::Field) at every point, else at the end of every record. Under
/// [`LengthRule::Hidden`](crate::policy::mask::LengthRule::Hidden) it is shorter, until white space at the object's end makes it
/// as long as [`size`](super::size) says; before the line ending that the object ends with, if it does, so that no line is
/// added.
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
    /// The last two bytes of what was written.
    last: [u8; 2],
    /// Whether white space at the end makes up the size, where lengths are hidden.
    pads: bool,
}

/// What is made of one record after the other.
struct Rewriter {
    editor: Editor,
    tally: Tally,
    record: Record,
    /// Where the record's value began, while it is judged.
    value: Record,
    judge: Option<Judge>,
    /// Whether a record that is not shown is the whole object.
    document: bool,
    /// What the judge has found wrong with what is read: nothing behind it is made any more.
    halted: Option<Fault>,
    /// Whether a record ends with its value, and another one may begin right behind.
    several: bool,
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
            machine: reading(Machine::new(format == Format::Jsonl), &plan, format),
            rewriter: Rewriter {
                several: plan.holds_several(format),
                tally: Tally::new(&plan),
                editor: Editor::new(plan.clone(), plan.length(format), offset),
                record: Record { offset, place: offset },
                value: Record { offset, place: offset },
                judge: plan.rows().cloned().map(Judge::new),
                document: format == Format::Json && !plan.holds_several(format),
                halted: None,
            },
            plan,
            skipping: None,
            fault: None,
            bom: if offset == 0 { 0 } else { BOM.len() },
            last: [b' '; 2],
            pads: true,
        }
    }

    /// The same without white space at the end: the size is made up elsewhere.
    pub(super) fn unpadded(mut self) -> Self {
        self.pads = false;
        self
    }

    /// The same behind a record that is broken (see [`lines`](super::lines)): the first one here is not shown.
    pub fn behind_broken(mut self) -> Self {
        self.rewriter.editor.unplace(true);
        self
    }

    /// The same, read with these instructions.
    #[cfg(test)]
    pub(super) fn with(mut self, instructions: Instructions) -> Self {
        let machine = Machine::with(instructions, self.format == Format::Jsonl);
        self.machine = reading(machine, &self.plan, self.format);
        self
    }

    /// Where it stands behind what was written, if little says so; see [`Checkpoint`].
    ///
    /// Every field stands here, so that one that is new cannot be left out.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let Self { format: _, on_broken: _, plan: _, machine, rewriter, skipping, fault, bom, last, pads: _ } = self;
        let Rewriter { editor, tally: _, record, several: _, value: _, judge, document: _, halted } = rewriter;
        // What is known of a record that is judged is not carried.
        if skipping.is_some() || fault.is_some() || judge.is_some() || halted.is_some() || *bom < BOM.len() {
            return None;
        }
        let checkpoint = Checkpoint {
            editing: editor.carried()?,
            reading: machine.standing()?,
            input: editor.end_of_chunk(),
            output: editor.decided(),
            record: record.offset,
            last: *last,
        };
        (checkpoint.bytes() <= limits::CHECKPOINT_BYTES_MAX).then_some(checkpoint)
    }

    /// The same, where that was taken, of the same object under the same plan and format. What was counted before is not
    /// counted.
    pub(super) fn resumed(mut self, checkpoint: &Checkpoint) -> Self {
        let Checkpoint { input, output, record, reading, editing, last } = checkpoint;
        self.machine = self.machine.resumed(reading);
        self.rewriter.editor = self.rewriter.editor.resumed(*input, *output, editing);
        // Where a record was begun, nothing of it waits: all of it lies behind what left.
        self.rewriter.record = Record { offset: *record, place: *output };
        (self.bom, self.last) = (BOM.len(), *last);
        self
    }

    /// Takes the next bytes of the object and adds to `shown` what may leave now.
    ///
    /// After an error what was added is sound, and is all that may ever leave.
    pub fn write(&mut self, chunk: Bytes, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        let last = match chunk[..] {
            [] => return Ok(()),
            [only] => [self.last[1], only],
            [.., before, last] => [before, last],
        };
        self.rewriter.editor.take(chunk.clone());
        let read = self.read(&chunk);
        if let Some(judge) = &mut self.rewriter.judge {
            judge.chunk_ends(&chunk);
        }
        self.last = last;
        self.settle(read, chunk.len(), shown)
    }

    /// Says that all bytes were written, and adds the rest to `shown`. Nothing can be written afterwards.
    pub fn end(&mut self, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        self.rewriter.editor.take(Bytes::new());
        let finished = self.finish();
        if finished.is_ok() {
            self.pad();
        }
        self.settle(finished, 0, shown)?;
        self.fault = Some(Fault { offset: self.rewriter.editor.offset(0), reason: "it has ended" });
        Ok(())
    }

    /// What was hidden up to now, in records that ended.
    pub fn tally(&self) -> &Tally {
        &self.rewriter.tally
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let judge = self.rewriter.judge.as_ref().map_or(0, Judge::footprint);
        self.machine.footprint() + self.rewriter.editor.footprint() + judge
    }

    fn live(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn read(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < chunk.len() {
            at = if self.skipping.is_some() {
                self.skip(chunk, at)?
            } else if self.bom < BOM.len() {
                self.byte_order_mark(chunk, at)?
            } else {
                let offset = self.rewriter.editor.offset(0);
                let read = self.machine.feed(chunk, at, offset, self.plan.sight(), &mut self.rewriter);
                self.rewriter.halted.map_or(Ok(()), Err)?;
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

    fn finish(&mut self) -> Result<(), Fault> {
        if self.skipping.is_none() && self.bom > 0 && self.bom < BOM.len() {
            self.broken(0, "not JSON")?;
        }
        if self.skipping.is_none() {
            let read = self.machine.finish(&mut self.rewriter);
            self.rewriter.halted.map_or(Ok(()), Err)?;
            if let Err(broken) = read {
                self.broken(broken.at, broken.reason)?;
            }
        }
        if self.skipping.take().is_some() {
            self.blank(0, false);
        }
        // Of several documents each ended with its value.
        self.rewriter.line_ends_before(0, self.machine.is_blank() || self.rewriter.several);
        Ok(())
    }

    /// Makes up the object's size, where lengths are hidden.
    fn pad(&mut self) {
        let editor = &mut self.rewriter.editor;
        if !self.pads || !editor.hides_length() {
            return;
        }
        let (size, made) = (size::rounded(editor.offset(0)), editor.place(0));
        let ending = line_ending(self.last);
        editor.rewind(made.saturating_sub(ending.len() as u64));
        editor.replace(b"", size.saturating_sub(made));
        editor.replace(ending, 0);
        self.rewriter.record.place = editor.place(0);
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
        self.rewriter.editor.restart();
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
        let before = newline.checked_sub(1).map_or(self.last[1], |before| chunk[before]);
        self.skipping = None;
        self.blank(newline, before == b'\r' && self.rewriter.editor.offset(newline) > self.rewriter.record.offset);
        self.rewriter.line_ends_before(newline + 1, true);
        Ok(newline + 1)
    }

    /// Replaces the record that ends just before that index.
    fn blank(&mut self, at: usize, carriage_return: bool) {
        let width = self.rewriter.editor.offset(at) - self.rewriter.record.offset - u64::from(carriage_return);
        let token = if width >= 2 { token::BLANK_RECORD } else { b"" };
        let slack = if self.rewriter.editor.hides_length() { 0 } else { width - token.len() as u64 };
        self.rewriter.editor.replace(token, slack);
        if carriage_return {
            self.rewriter.editor.replace(b"\r", 0);
        }
        self.rewriter.editor.resume(at);
        self.rewriter.restart();
        self.machine.restart();
        self.rewriter.tally.records += 1;
        self.rewriter.tally.records_blanked += 1;
        self.rewriter.editor.unplace(true);
    }

    /// Bytes of a line ending that may be the object's last, and then stands behind the white space that makes up its size.
    fn held_ending(&self, chunk: usize) -> u64 {
        let open = self.pads && chunk > 0 && self.rewriter.editor.hides_length();
        let ending = if self.last[1] == b'\r' { b"\r" } else { line_ending(self.last) };
        if open { ending.len() as u64 } else { 0 }
    }

    /// After a chunk of that length was read: what is sound leaves.
    fn settle(&mut self, read: Result<(), Fault>, len: usize, shown: &mut Shown) -> Result<(), Fault> {
        let until = read.map_or_else(|fault| fault.offset, |()| self.rewriter.editor.offset(len));
        let read = if self.skipping.is_none() { self.rewriter.read_until(until).and(read) } else { read };
        // A record longer than the hold leaves as far as it was validated, also up to a fault in it.
        let sound_until = read.map_or_else(|fault| fault.offset, |()| self.rewriter.editor.offset(len));
        let held = if read.is_ok() { self.held_ending(len) } else { 0 };
        if self.skipping.is_none() && sound_until - self.rewriter.record.offset > HOLD {
            let at = sound_until.saturating_sub(self.rewriter.editor.offset(0));
            self.rewriter.editor.flush(at as usize);
            self.rewriter.editor.release(self.rewriter.editor.decided(), held, shown);
        } else if read.is_ok() {
            self.rewriter.editor.flush(len);
            self.rewriter.editor.release(self.rewriter.record.place, held, shown);
        } else {
            self.rewriter.editor.rewind(self.rewriter.record.place);
            self.rewriter.editor.release(self.rewriter.record.place, 0, shown);
        }
        let read = read.and_then(|()| self.overdue(len));
        if let Err(fault) = read {
            self.fault = Some(fault);
            self.rewriter.editor.count_into(&mut self.rewriter.tally);
        }
        read
    }
}

/// The line ending at the end of what ends with these bytes.
fn line_ending(last: [u8; 2]) -> &'static [u8] {
    match last {
        [b'\r', b'\n'] => b"\r\n",
        [_, b'\n'] => b"\n",
        _ => b"",
    }
}

fn reading(machine: Machine, plan: &Plan, format: Format) -> Machine {
    if plan.holds_several(format) { machine.several() } else { machine }
}

impl Rewriter {
    /// Everything before that offset was read: what of the record is beyond the hold is not waited for any more.
    fn read_until(&mut self, offset: u64) -> Result<(), Fault> {
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

    fn restart(&mut self) {
        self.editor.restart();
        if let Some(judge) = &mut self.judge {
            judge.restart();
        }
    }

    /// A line ended just before that index: what was made of it may leave.
    fn line_ends_before(&mut self, at: usize, blank: bool) {
        if !blank {
            self.tally.records += 1;
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
        if self.halted.is_some() { Ok(()) } else { self.editor.begin(at, kind) }
    }

    fn end(&mut self, at: usize, kind: Kind) {
        if !self.goes_on(at) {
            return;
        }
        if let Some(judge) = &mut self.judge {
            let ruling = judge.end(self.editor.chunk(), at, kind);
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
                self.line_ends_before(at, false);
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
    fn line_ends(&mut self, at: usize, blank: bool) {
        if self.halted.is_none() {
            self.line_ends_before(at + 1, blank);
        }
    }

    #[inline]
    fn attention(&self) -> Attention {
        match &self.judge {
            None => self.editor.attention(),
            Some(_) if self.halted.is_some() => Attention::Names,
            Some(judge) => judge.attention(self.editor.attention()),
        }
    }

    #[inline]
    fn watches_roots(&self) -> bool {
        self.editor.is_unplaced()
    }
}
