//! The push machine: chunks of an object in, redacted bytes out, the same for any split into chunks, in constant memory.
//!
//! Output lags behind input only where it must: a record (or document) is held until it is known to be sound or longer
//! than [`limits::HOLD_BYTES_MAX`]. No path copies input past the point up to which it was validated; after the first
//! fault nothing is accepted any more.
//!
//! Of JSONL only records are shown that stand where [`lines`](super::lines) says that they may.

mod rewriter;

use std::sync::Arc;

use bytes::Bytes;

use super::checkpoint::Checkpoint;
use super::editor::Editor;
use super::embedded::Embedded;
use super::machine::{Instructions, Machine};
use super::output::Shown;
use super::plan::Plan;
use super::rows::Judge;
use super::size;
use super::tally::Tally;
use super::token;
use super::values::Values;
use crate::limits;
use crate::policy::mask::{Format, OnBroken};
use rewriter::{Record, Rewriter};

pub(super) const HOLD: u64 = limits::HOLD_BYTES_MAX as u64;
/// Bytes of the next chunk that are read behind an escape that began in the one before.
const JOINED: usize = 1024;
const TOO_FAR_APART: &str = "too much white space before a member";
pub(super) const WITHHELD: &str = "it is not among what `rows` show";
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
/// as long as `size` says; before the line ending that the object ends with, if it does, so that no line is
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
    /// The last bytes of the chunk before, which belong to an escape that goes on in the next one.
    again: Bytes,
    /// Whether white space at the end makes up the size, where lengths are hidden.
    pads: bool,
    /// What hides text in all that is shown, if anything does.
    values: Option<Box<Values>>,
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
                chunk: Bytes::new(),
                embedded: Embedded::new(Instructions::detected()),
                record: Record { offset, place: offset },
                value: Record { offset, place: offset },
                judge: plan.rows().cloned().map(Judge::new),
                document: format == Format::Json && !plan.holds_several(format),
                halted: None,
            },
            values: plan.values().cloned().map(|rules| Box::new(Values::new(rules, Instructions::detected()))),
            plan,
            skipping: None,
            fault: None,
            bom: if offset == 0 { 0 } else { BOM.len() },
            last: [b' '; 2],
            again: Bytes::new(),
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
    #[cfg(any(test, fuzzing))]
    pub(super) fn with(mut self, instructions: Instructions) -> Self {
        let machine = Machine::with(instructions, self.format == Format::Jsonl);
        self.machine = reading(machine, &self.plan, self.format);
        self.rewriter.embedded = Embedded::new(instructions);
        self.values = self.plan.values().cloned().map(|rules| Box::new(Values::new(rules, instructions)));
        self
    }

    /// Where it stands behind what was written, if little says so; see [`Checkpoint`].
    ///
    /// Every field stands here, so that one that is new cannot be left out.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let Self {
            format: _,
            on_broken: _,
            plan: _,
            machine,
            rewriter,
            skipping,
            fault,
            bom,
            last,
            again,
            pads: _,
            values,
        } = self;
        let Rewriter { editor, chunk: _, embedded, tally: _, record, several: _, value: _, judge, document: _, halted } =
            rewriter;
        // What is known of a record that is judged, or of a string that is read as JSON, is not carried.
        let apart = judge.is_some() || embedded.is_open() || !again.is_empty();
        if skipping.is_some() || fault.is_some() || apart || halted.is_some() || *bom < BOM.len() {
            return None;
        }
        let checkpoint = Checkpoint {
            editing: editor.carried()?,
            reading: machine.standing()?,
            input: editor.end_of_chunk(),
            output: editor.decided() - values.as_ref().map_or(0, |values| values.held() as u64),
            values: values.clone(),
            record: record.offset,
            last: *last,
        };
        (checkpoint.bytes() <= limits::CHECKPOINT_BYTES_MAX).then_some(checkpoint)
    }

    /// The same, where that was taken, of the same object under the same plan and format. What was counted before is not
    /// counted.
    pub(super) fn resumed(mut self, checkpoint: &Checkpoint) -> Self {
        let Checkpoint { input, output, record, reading, editing, values, last } = checkpoint;
        let made = output + values.as_ref().map_or(0, |values| values.held() as u64);
        self.machine = self.machine.resumed(reading);
        self.rewriter.editor = self.rewriter.editor.resumed(*input, made, editing);
        // Where a record was begun, nothing of it waits: all of it lies behind what left.
        self.rewriter.record = Record { offset: *record, place: made };
        self.values.clone_from(values);
        (self.bom, self.last) = (BOM.len(), *last);
        self
    }

    /// Takes the next bytes of the object and adds to `shown` what may leave now.
    ///
    /// After an error what was added is sound, and is all that may ever leave.
    pub fn write(&mut self, chunk: Bytes, shown: &mut Shown) -> Result<(), Fault> {
        self.through_values(shown, |redactor, made| redactor.make(chunk, made))
    }

    /// Says that all bytes were written, and adds the rest to `shown`. Nothing can be written afterwards.
    pub fn end(&mut self, shown: &mut Shown) -> Result<(), Fault> {
        self.through_values(shown, Self::make_rest)
    }

    /// What is made passes what hides text in it, if anything does.
    fn through_values(
        &mut self,
        shown: &mut Shown,
        make: impl FnOnce(&mut Self, &mut Shown) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(mut values) = self.values.take() else { return make(self, shown) };
        let mut fresh = Shown::new();
        let made = make(self, &mut fresh);
        values.pass(&mut fresh, shown, |profile| self.rewriter.tally.fields[profile] += 1);
        self.values = Some(values);
        made
    }

    fn make(&mut self, mut chunk: Bytes, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        while !self.again.is_empty() && !chunk.is_empty() {
            let more = chunk.split_to(chunk.len().min(JOINED));
            let again = std::mem::take(&mut self.again);
            self.piece([again.as_ref(), &more].concat().into(), again.len(), shown)?;
        }
        if chunk.is_empty() { Ok(()) } else { self.piece(chunk, 0, shown) }
    }

    fn make_rest(&mut self, shown: &mut Shown) -> Result<(), Fault> {
        self.live()?;
        let again = std::mem::take(&mut self.again);
        let at = again.len();
        self.rewriter.takes(&again, at);
        let finished = self.finish(at);
        if finished.is_ok() {
            self.pad(at);
        }
        self.settle(finished, at, shown)?;
        self.fault = Some(Fault { offset: self.rewriter.editor.offset(at), reason: "it has ended" });
        Ok(())
    }

    /// What was hidden up to now, in records that ended; of text what left.
    pub fn tally(&self) -> &Tally {
        &self.rewriter.tally
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let judge = self.rewriter.judge.as_ref().map_or(0, Judge::footprint);
        let values = self.values.as_ref().map_or(0, |values| size_of::<Values>() + values.heap_bytes());
        self.machine.footprint()
            + self.rewriter.editor.footprint()
            + self.rewriter.embedded.footprint()
            + judge
            + values
    }

    fn live(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    /// Reads a chunk from `at` on; what stands before it was the end of the last one.
    fn piece(&mut self, chunk: Bytes, at: usize, shown: &mut Shown) -> Result<(), Fault> {
        let last = match chunk[..] {
            [] => return Ok(()),
            [only] => [self.last[1], only],
            [.., before, last] => [before, last],
        };
        self.rewriter.takes(&chunk, at);
        let read = self.read(&chunk, at);
        if let Some(judge) = &mut self.rewriter.judge {
            judge.chunk_ends(&chunk);
        }
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
                self.rewriter.halted.map_or(Ok(()), Err)?;
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
        if self.skipping.is_none() {
            let read = self.machine.finish(&mut self.rewriter);
            self.rewriter.halted.map_or(Ok(()), Err)?;
            if let Err(broken) = read {
                self.broken(at, broken.reason)?;
            }
        }
        if self.skipping.take().is_some() {
            self.blank(at, false);
        }
        // Of several documents each ended with its value.
        let blank = self.machine.is_blank() || self.rewriter.several;
        self.rewriter.lines_end_before(at, u64::from(!blank));
        Ok(())
    }

    /// Makes up the size of an object that ends before that index, where lengths are hidden.
    fn pad(&mut self, at: usize) {
        let editor = &mut self.rewriter.editor;
        if !self.pads || !editor.hides_length() {
            return;
        }
        let (size, made) = (size::rounded(editor.offset(at)), editor.place(at));
        let ending = line_ending(self.last);
        editor.rewind(made.saturating_sub(ending.len() as u64));
        editor.replace(b"", size.saturating_sub(made));
        editor.replace(ending, 0);
        self.rewriter.record.place = editor.place(at);
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
        self.rewriter.lines_end_before(newline + 1, 0);
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

    /// How much is decided of what is read up to that index: not yet an escape in a string that is read as JSON.
    fn readable(&self, until: usize) -> usize {
        let since = self.rewriter.embedded.since().map(|since| since - self.rewriter.editor.offset(0));
        since.map_or(until, |since| until.min(since as usize))
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
            self.rewriter.editor.flush(self.readable(at as usize));
            self.rewriter.editor.release(self.rewriter.editor.decided(), held, shown);
        } else if read.is_ok() {
            self.rewriter.editor.flush(self.readable(len));
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
