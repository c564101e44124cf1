//! A place within an object from which its redaction can go on, without what lies before it.

use super::editor::Carried;
use super::machine::Standing;
use super::values::Values;

/// The whole state of a [`Redactor`](super::redactor::Redactor) between two bytes, at a place where it is small: outside of
/// names, where nothing waits to leave, and not within a value of which a pseudonym is made.
///
/// It holds no byte that a view hides, but for some of a string in which expressions are looked for, and says what is open around the place; whoever could forge one could show what is
/// hidden. So it lives in this process's memory and is never written anywhere: it needs no seal.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    /// Offset in the object of the next byte to be read.
    pub(super) input: u64,
    /// Offset in what the view shows of the next byte to be shown. It is `input`, but where white space is owed at the end
    /// of the record or a hidden value has just begun.
    pub(super) output: u64,
    /// Offset in the object at which the record, or the document, begins.
    pub(super) record: u64,
    pub(super) reading: Standing,
    pub(super) editing: Carried,
    /// What was made and may yet be hidden as text.
    pub(super) values: Option<Box<Values>>,
    /// The two bytes before it.
    pub(super) last: [u8; 2],
}

impl Checkpoint {
    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let values = self.values.as_ref().map_or(0, |values| size_of::<Values>() + values.heap_bytes());
        size_of::<Self>() + self.reading.heap_bytes() + self.editing.heap_bytes() + values
    }
}
