//! A hidden scalar that is read as it passes, in any pieces: to be hashed, or for its end.

use super::grammar::Kind;
use super::partial::Tail;
use super::text::Text;

/// What is made of the bytes of a scalar: those of a string decoded, without its quotes, others as written.
pub(super) trait Sink {
    /// Takes the next ones.
    fn take(&mut self, bytes: &[u8]);
}

impl Sink for blake3::Hasher {
    fn take(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }
}

/// The reading of one scalar.
#[derive(Debug, Clone)]
pub(super) struct Reading<S> {
    pub(super) sink: S,
    text: Text,
    /// Index of its first byte that is not read yet, in the chunk or in the text that it lies in.
    from: usize,
}

impl<S: Sink> Reading<S> {
    /// Begins with the value that begins at that index.
    pub(super) fn new(sink: S, at: usize, kind: Kind) -> Self {
        Self { sink, text: Text::default(), from: at + usize::from(kind == Kind::String) }
    }

    /// Reads what of the value stands before that index, its closing quote included. Unless [told](Reading::go_on),
    /// the chunk has no more of it.
    pub(super) fn read(&mut self, chunk: &[u8], until: usize, kind: Kind) {
        let from = std::mem::take(&mut self.from);
        if kind == Kind::String {
            let sink = &mut self.sink;
            // A fault is one of a record that is broken: nothing is made of this.
            self.text.scan(&chunk[..until], from, &mut |bytes: &[u8]| sink.take(bytes)).ok();
        } else {
            self.sink.take(&chunk[from..until]);
        }
    }

    /// More of the value stands from that index on.
    pub(super) fn go_on(&mut self, from: usize) {
        self.from = from;
    }
}

/// The name that is so written.
pub(super) fn decoded<'a>(written: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    if !written.contains(&b'\\') {
        return written;
    }
    room.clear();
    let mut text = Text::default();
    let mut push = |bytes: &[u8]| room.extend_from_slice(bytes);
    let read = text.scan(written, 0, &mut push).and_then(|_| text.scan(b"\"", 0, &mut push));
    debug_assert!(read.is_ok(), "only what was checked is looked up");
    room
}
