//! What is found in the text of a string, told to the editor by its places in the chunk.

use super::super::editor::{Editor, Spot};
use super::super::grammar::{Attention, Broken, Events, Kind, Roots};
use super::super::machine::Instructions;
use super::unescape::Unescaped;
use super::{Level, is_open, open};

/// What a string's text is read from.
#[derive(Clone, Copy)]
pub(super) enum Below<'a> {
    /// The editor's chunk; its first byte has that offset in the object.
    Chunk { bytes: &'a [u8], offset: u64 },
    /// The window of a text, which begins at that index of what lies below it.
    Text { bytes: &'a [u8], unescaped: &'a Unescaped, from: usize, below: &'a Below<'a> },
}

impl<'a> Below<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self {
            Below::Chunk { bytes, .. } | Below::Text { bytes, .. } => bytes,
        }
    }

    /// The same, but for what stands from that index on.
    fn until(self, until: usize) -> Self {
        match self {
            Below::Chunk { bytes, offset } => Below::Chunk { bytes: &bytes[..until], offset },
            Below::Text { bytes, unescaped, from, below } => {
                Below::Text { bytes: &bytes[..until], unescaped, from, below }
            }
        }
    }

    /// The offset in the object of that index.
    pub(super) fn place(&self, at: usize) -> u64 {
        match self {
            Below::Chunk { offset, .. } => offset + at as u64,
            Below::Text { unescaped, from, below, .. } => below.place_of(unescaped, *from, at),
        }
    }

    /// The index in the editor's chunk of a byte in the window of a text that is read from here.
    pub(super) fn index(&self, unescaped: &Unescaped, from: usize, at: usize, editor: &Editor) -> usize {
        (self.place_of(unescaped, from, at) - editor.offset(0)) as usize
    }

    fn place_of(&self, unescaped: &Unescaped, from: usize, at: usize) -> u64 {
        unescaped.written(at).map_or_else(|since| since, |read| self.place(from + read))
    }
}

/// Listens to the machine that reads a text.
pub(super) struct Within<'a> {
    pub(super) editor: &'a mut Editor,
    /// The text, as those within it are read from it.
    pub(super) here: Below<'a>,
    /// Strings around it.
    pub(super) number: usize,
    pub(super) instructions: Instructions,
    pub(super) deeper: &'a mut Option<Box<Level>>,
    /// Whether something was found that is hidden, or a member deeper.
    pub(super) committed: bool,
}

impl Within<'_> {
    /// The index in the editor's chunk.
    pub(super) fn index(&self, at: usize) -> usize {
        (self.here.place(at) - self.editor.offset(0)) as usize
    }

    /// The machine has read up to there, and stops: so does what listens to it.
    pub(super) fn ends_at(&mut self, until: usize) {
        if let Some(deeper) = open(self.deeper) {
            deeper.read(&self.here.until(until), self.editor);
        } else {
            self.editor.hash(self.here.bytes(), until);
        }
    }
}

impl Events for Within<'_> {
    fn begin(&mut self, at: usize, kind: Kind) -> Result<(), Broken> {
        self.editor.begin(Spot { chunk: self.index(at), text: at }, kind)?;
        if self.editor.hides() {
            self.committed = true;
        } else if kind == Kind::String && may_hold_json(self.here.bytes().get(at + 1)) {
            let new = || Level::new(self.number + 1, self.instructions, self.editor.plan());
            let deeper = self.deeper.get_or_insert_with(new);
            deeper.begin(at + 1, self.editor);
        }
        Ok(())
    }

    fn end(&mut self, at: usize, kind: Kind) {
        if kind == Kind::String
            && let Some(deeper) = open(self.deeper)
        {
            deeper.read(&self.here.until(at - 1), self.editor);
            self.committed |= deeper.is_committed();
            deeper.end((self.here.place(at - 1) - self.editor.offset(0)) as usize, self.editor);
        }
        self.editor.hash(self.here.bytes(), at);
        self.editor.end(self.index(at), kind);
    }

    fn root_ends(&mut self, _at: usize) {}

    fn name_begins(&mut self, _at: usize) -> Result<(), Broken> {
        Ok(())
    }

    fn name(&mut self, written: &[u8]) {
        self.editor.name(written);
    }

    fn comma(&mut self, _at: usize) {}

    fn lines_end(&mut self, _at: usize, _records: u64) {}

    #[inline]
    fn attention(&self) -> Attention {
        if is_open(self.deeper) { Attention::String } else { self.editor.attention() }
    }

    fn roots(&self) -> Roots {
        Roots::Owed
    }

    fn watches_texts(&self) -> bool {
        true
    }
}

/// Whether a text that begins with that byte, which may not be known yet, may be JSON.
pub(in crate::redact) fn may_hold_json(first: Option<&u8>) -> bool {
    matches!(first, None | Some(b'{' | b'[' | b' ' | b'\\' | 0xEF))
}
