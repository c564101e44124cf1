//! JSON that stands as a string within JSON, as the arguments of a tool's call do: the rules of a view hold in it, too.
//!
//! A text that begins with `{`, `[` or `"`, behind white space or a byte order mark, is read as JSON, one value or several one behind the
//! other, and so is a text in it, up to [`limits::EMBEDDED_LEVELS_MAX`] levels. Its values stand in the place of the
//! string: paths go through it, as through arrays.
//!
//! A text that stops being JSON is prose if no member was seen in it: nothing in it has a name yet, and no reader of
//! JSON finds anything in what follows. It passes as it is. Else it is *cut*: what follows is not shown. So is what is
//! JSON to other readers: nested deeper, or with longer names, than is read here, or with a control character within a
//! string of it. Numbers are what lenient readers take for them.
//!
//! Nothing is kept of a text but a window of it without its escapes, at each level, and the bytes of an escape that is
//! not read to its end.

mod unescape;
mod within;

use std::sync::Arc;

use super::editor::Editor;
use super::grammar::Broken;
use super::machine::{Instructions, Machine};
use super::plan::Plan;
use crate::limits;
use unescape::{Filled, Unescaped};
use within::{Below, Within};

pub(super) use within::may_hold_json;

const BOM: [u8; 3] = *b"\xEF\xBB\xBF";

/// The strings that are read as JSON, one within the other.
pub(super) struct Embedded {
    instructions: Instructions,
    outermost: Option<Box<Level>>,
}

/// A string that is read, or was.
struct Level {
    /// From 1: strings around what is read.
    number: usize,
    instructions: Instructions,
    plan: Arc<Plan>,
    reading: Reading,
    machine: Machine,
    unescaped: Unescaped,
    /// Bytes of the text before the window.
    offset: u64,
    /// From where on what lies below is not read yet.
    from: usize,
    /// What the editor wants at the end.
    floor: usize,
    /// Bytes of a byte order mark that were seen; 3 also where there can be none any more.
    bom: usize,
    /// Whether a member was seen in it, or deeper.
    committed: bool,
    deeper: Option<Box<Level>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// No string is read.
    Nothing,
    /// White space, up to now.
    Blank,
    Json,
    Prose,
    /// What is left is hidden.
    Cut,
}

impl Embedded {
    pub(super) fn new(instructions: Instructions) -> Self {
        Self { instructions, outermost: None }
    }

    /// A string begins whose text begins at that index of the chunk.
    pub(super) fn begin(&mut self, from: usize, editor: &mut Editor) {
        let instructions = self.instructions;
        self.outermost.get_or_insert_with(|| Level::new(1, instructions, editor.plan())).begin(from, editor);
    }

    /// Whether one is read.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        is_open(&self.outermost)
    }

    /// Reads on to the end of these first bytes of the editor's chunk.
    pub(super) fn read(&mut self, bytes: &[u8], editor: &mut Editor) {
        if let Some(level) = open(&mut self.outermost) {
            level.read(&Below::Chunk { bytes, offset: editor.offset(0) }, editor);
        }
    }

    /// The string's closing quote stands behind these bytes of the chunk.
    pub(super) fn end(&mut self, bytes: &[u8], editor: &mut Editor) {
        self.read(bytes, editor);
        if let Some(level) = open(&mut self.outermost) {
            level.end(bytes.len(), editor);
        }
    }

    /// The next chunk begins, and that much of it was read.
    pub(super) fn go_on(&mut self, again: usize) {
        if let Some(level) = open(&mut self.outermost) {
            level.from = again;
        }
    }

    /// Where an escape begins that is not read to its end, and whose character may yet be hidden.
    pub(super) fn since(&self) -> Option<u64> {
        self.outermost.as_ref().and_then(|level| level.since())
    }

    /// Forgets what is open.
    pub(super) fn abandon(&mut self) {
        if let Some(level) = open(&mut self.outermost) {
            level.abandon();
        }
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let levels = std::iter::successors(self.outermost.as_deref(), |level| level.deeper.as_deref());
        levels.map(|level| size_of::<Level>() + 3 * limits::EMBEDDED_WINDOW_BYTES + level.machine.footprint()).sum()
    }
}

fn is_open(level: &Option<Box<Level>>) -> bool {
    level.as_ref().is_some_and(|level| level.reading != Reading::Nothing)
}

fn open(level: &mut Option<Box<Level>>) -> Option<&mut Level> {
    level.as_deref_mut().filter(|level| level.reading != Reading::Nothing)
}

impl Level {
    fn new(number: usize, instructions: Instructions, plan: &Arc<Plan>) -> Box<Self> {
        Box::new(Self {
            number,
            instructions,
            plan: plan.clone(),
            reading: Reading::Nothing,
            machine: Machine::with(instructions, false).lenient(),
            unescaped: Unescaped::new(instructions),
            offset: 0,
            from: 0,
            floor: 0,
            bom: 0,
            committed: false,
            deeper: None,
        })
    }

    /// A string begins whose text begins at that index of what lies below.
    fn begin(&mut self, from: usize, editor: &mut Editor) {
        (self.reading, self.committed, self.from, self.offset) = (Reading::Blank, false, from, 0);
        self.bom = 0;
        self.machine.restart();
        self.unescaped.restart();
        self.floor = editor.text_begins();
    }

    /// Reads on to the end of what lies below.
    fn read(&mut self, below: &Below<'_>, editor: &mut Editor) {
        let end = below.bytes().len();
        let mut at = self.from;
        while at < end && matches!(self.reading, Reading::Blank | Reading::Json) {
            let from = at;
            self.offset += self.unescaped.text().len() as u64;
            self.unescaped.begin();
            editor.text_goes_on();
            let filled = match self.reading {
                Reading::Json => self.fill(below, from, from),
                Reading::Blank | Reading::Nothing | Reading::Prose | Reading::Cut => self.first(below, from, editor),
            };
            if self.reading == Reading::Json {
                self.feed(below, from, editor);
            }
            match filled {
                Filled::To(next) => at = next,
                Filled::Half => self.half(editor),
            }
        }
        self.from = end;
    }

    fn fill(&mut self, below: &Below<'_>, from: usize, at: usize) -> Filled {
        self.unescaped.fill(below.bytes(), from, at, |at| below.place(at))
    }

    /// Looks for the first byte that is no white space, and fills the window if JSON begins with it.
    fn first(&mut self, below: &Below<'_>, from: usize, editor: &mut Editor) -> Filled {
        let bytes = below.bytes();
        let mut at = from;
        while at < bytes.len() && self.unescaped.text().is_empty() {
            match self.unescaped.one(bytes, from, at, |at| below.place(at)) {
                Filled::To(next) => at = next,
                Filled::Half => return Filled::Half,
            }
        }
        match self.unescaped.text() {
            [] => {}
            mark if !mark.is_empty() && BOM[self.bom..].starts_with(mark) => self.bom += mark.len(),
            _ if (1..BOM.len()).contains(&self.bom) => self.reading = Reading::Prose,
            [b' ' | b'\t' | b'\n' | b'\r', ..] => self.bom = BOM.len(),
            [b'{' | b'[' | b'"', ..] if self.number > limits::EMBEDDED_LEVELS_MAX => {
                self.committed = true;
                self.fail(below.index(&self.unescaped, from, 0, editor), editor);
            }
            [b'{' | b'[' | b'"', ..] => {
                self.reading = Reading::Json;
                return self.fill(below, from, at);
            }
            _ => self.reading = Reading::Prose,
        }
        Filled::To(at)
    }

    /// Reads the window, which begins at that index of what lies below.
    fn feed(&mut self, below: &Below<'_>, from: usize, editor: &mut Editor) {
        let Self { plan, machine, unescaped, deeper, .. } = self;
        if let Some(deeper) = open(deeper) {
            deeper.from = 0;
        }
        let text = unescaped.text();
        let here = Below::Text { bytes: text, unescaped, from, below };
        let mut within =
            Within { editor, here, number: self.number, instructions: self.instructions, deeper, committed: false };
        let mut at = 0;
        let failed = loop {
            let read = machine.feed(text, at, self.offset, plan.sight(), &mut within);
            within.ends_at(read.map_or_else(|broken| broken.at, |()| text.len()));
            match read {
                Ok(()) => {
                    machine.end_word(text.len(), &mut within);
                    break None;
                }
                Err(Broken { at: next, .. }) if machine.is_whole() && matches!(text[next], b'{' | b'[' | b'"') => {
                    within.committed |= machine.has_members();
                    machine.follow(self.offset + next as u64);
                    at = next;
                }
                Err(broken) => {
                    within.committed |= broken.is_beyond() || machine.is_within_text_of_brackets();
                    break Some(within.index(broken.at));
                }
            }
        };
        self.committed |= within.committed;
        if let Some(at) = failed {
            self.fail(at, editor);
        }
    }

    /// Half a character stands where a whole one has to.
    fn half(&mut self, editor: &mut Editor) {
        match self.reading {
            Reading::Blank => self.reading = Reading::Prose,
            Reading::Json => {
                self.committed |= self.machine.is_within_text();
                let at = self.unescaped.since().unwrap_or_default().saturating_sub(editor.offset(0));
                self.fail(at as usize, editor);
            }
            Reading::Nothing | Reading::Prose | Reading::Cut => {}
        }
    }

    /// The text is no JSON from that index of the chunk on.
    fn fail(&mut self, at: usize, editor: &mut Editor) {
        self.committed = self.is_committed();
        if let Some(deeper) = open(&mut self.deeper) {
            deeper.close(editor);
        }
        if self.committed {
            editor.cut(at);
        }
        self.reading = if self.committed { Reading::Cut } else { Reading::Prose };
    }

    fn is_committed(&self) -> bool {
        let deeper = self.deeper.as_ref().filter(|deeper| deeper.reading != Reading::Nothing);
        self.committed || self.machine.has_members() || deeper.is_some_and(|deeper| deeper.is_committed())
    }

    /// The string's closing quote stands at that index of the chunk; everything before it was read.
    fn end(&mut self, at: usize, editor: &mut Editor) {
        if self.unescaped.since().is_some() {
            self.half(editor);
        }
        if editor.hides() {
            editor.rest_ends(at);
        }
        self.close(editor);
    }

    fn close(&mut self, editor: &mut Editor) {
        if let Some(deeper) = open(&mut self.deeper) {
            deeper.close(editor);
        }
        editor.text_ends(self.floor);
        self.reading = Reading::Nothing;
    }

    fn abandon(&mut self) {
        if let Some(deeper) = open(&mut self.deeper) {
            deeper.abandon();
        }
        self.reading = Reading::Nothing;
    }

    fn since(&self) -> Option<u64> {
        match self.reading {
            Reading::Blank | Reading::Json => {
                let deeper = self.deeper.as_ref().and_then(|deeper| deeper.since());
                deeper.into_iter().chain(self.unescaped.since()).min()
            }
            Reading::Nothing | Reading::Prose | Reading::Cut => None,
        }
    }
}
