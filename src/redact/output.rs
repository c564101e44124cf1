//! What was made but may not leave yet, and what left: slices of the input, copies of short pieces, runs of white space.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces of fewer bytes are copied together: behind one that leaves by itself come a buffer, a write and a digest.
const SHORT: usize = 1024;
/// Room of which copied pieces are cut, in bytes; it is used again once none of them is in use.
const COPY_ROOM: usize = 32 * 1024;
/// Most bytes that are copied together as they leave; a piece of half of it leaves by itself. What one piece of input makes
/// is less where many read.
const FRAME: usize = 256 * 1024;
/// White space is handed out from here.
static SPACES: [u8; 16 * 1024] = [b' '; 16 * 1024];

/// Bytes that may leave, in order. Iterating takes them out.
///
/// White space is held as a count until it is taken, so that a hidden gigabyte costs nothing.
#[derive(Debug, Default)]
pub struct Shown {
    pieces: VecDeque<Piece>,
    len: u64,
}

#[derive(Debug)]
enum Piece {
    Slice(Bytes),
    Spaces(u64),
}

impl Shown {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes white space that comes next, if it is held as a count.
    pub(super) fn pop_spaces(&mut self) -> Option<u64> {
        let Some(Piece::Spaces(count)) = self.pieces.front() else { return None };
        let count = *count;
        self.pieces.pop_front();
        self.len -= count;
        Some(count)
    }

    /// Puts it back.
    pub(super) fn unpop_spaces(&mut self, count: u64) {
        self.len += count;
        self.pieces.push_front(Piece::Spaces(count));
    }

    /// Adds so many spaces.
    pub(super) fn push_spaces(&mut self, count: u64) {
        self.len += count;
        self.pieces.push_back(Piece::Spaces(count));
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len() as u64;
        self.pieces.push_back(Piece::Slice(bytes));
    }

    /// Moves the first bytes, at most so many, behind those of `other`.
    pub(super) fn move_to(&mut self, other: &mut Shown, mut most: u64) {
        while most > 0
            && let Some(piece) = self.pieces.pop_front()
        {
            let piece = if piece.len() <= most {
                piece
            } else {
                let (first, rest) = piece.split(most);
                self.pieces.push_front(rest);
                first
            };
            most -= piece.len();
            self.len -= piece.len();
            other.len += piece.len();
            other.pieces.push_back(piece);
        }
    }
}

impl Shown {
    /// Takes the next piece, at most `most` bytes of it; `None` where nothing waits or `most` is 0.
    pub fn pop(&mut self, most: u64) -> Option<Bytes> {
        if most == 0 {
            return None;
        }
        let piece = self.pieces.pop_front()?;
        let room = if matches!(piece, Piece::Spaces(_)) { most.min(SPACES.len() as u64) } else { most };
        let piece = if piece.len() <= room {
            piece
        } else {
            let (first, rest) = piece.split(room);
            self.pieces.push_front(rest);
            first
        };
        self.len -= piece.len();
        Some(match piece {
            Piece::Slice(bytes) => bytes,
            Piece::Spaces(count) => Bytes::from_static(&SPACES[..count as usize]),
        })
    }
}

impl Shown {
    /// As [`Shown::pop`], but what waits in small pieces is copied together: each piece that leaves costs a write, a
    /// digest and a look at the caller's rights, whatever its length.
    pub fn pop_together(&mut self, most: u64) -> Option<Bytes> {
        let first = self.pop(most)?;
        let most = most.min(FRAME as u64);
        let whole = (first.len() as u64 + self.len).min(most) as usize;
        if first.len() >= FRAME / 2 || first.len() == whole {
            return Some(first);
        }
        let mut all = BytesMut::with_capacity(whole);
        all.extend_from_slice(&first);
        while let Some(next) = self.pop(most - all.len() as u64) {
            all.extend_from_slice(&next);
        }
        Some(all.freeze())
    }
}

impl Iterator for Shown {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.pop(u64::MAX)
    }
}

/// What was made, up to [`Output::len`] bytes since the beginning; the newest may still be taken back.
#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    /// The newest piece, while it is copied together, and room for more of it.
    copied: BytesMut,
    /// Bytes made since the beginning, those that left included.
    len: u64,
    left: u64,
}

impl Output {
    /// Nothing yet, behind so many bytes that left before.
    pub(super) fn behind(len: u64) -> Self {
        Self { len, left: len, ..Self::default() }
    }

    /// Whether everything that was made has left.
    pub(super) fn has_left(&self) -> bool {
        self.len == self.left
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// A run of the input, from one index of it up to another.
    #[inline]
    pub(super) fn slice(&mut self, input: &Bytes, from: usize, to: usize) {
        if to - from >= SHORT {
            self.push(Piece::Slice(input.slice(from..to)));
        } else {
            self.copy(&input[from..to]);
        }
    }

    /// Few bytes that do not last.
    #[inline]
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        if self.copied.capacity() - self.copied.len() < bytes.len() {
            self.renew(bytes.len());
        }
        self.copied.extend_from_slice(bytes);
        self.len += bytes.len() as u64;
    }

    /// So many spaces.
    pub(super) fn spaces(&mut self, count: u64) {
        if count <= SHORT as u64 {
            self.copy(&SPACES[..count as usize]);
        } else {
            self.push(Piece::Spaces(count));
        }
    }

    /// Takes back everything after the first `len` bytes. What left cannot be taken back.
    pub(super) fn truncate(&mut self, len: u64) {
        debug_assert!(len >= self.left);
        if self.len <= len {
            return;
        }
        self.close();
        while self.len > len
            && let Some(piece) = self.pieces.pop_back()
        {
            let start = self.len - piece.len();
            self.len = start;
            if start < len {
                self.push(piece.first((len - start) as usize));
            }
        }
    }

    /// Lets everything up to `len` bytes since the beginning leave.
    pub(super) fn release(&mut self, len: u64, shown: &mut Shown) {
        if len > self.left {
            self.close();
        }
        while self.left < len
            && let Some(piece) = self.pieces.pop_front()
        {
            let may = len - self.left;
            let leaves = if piece.len() <= may {
                piece
            } else {
                let (first, rest) = piece.split(may);
                self.pieces.push_front(rest);
                first
            };
            self.left += leaves.len();
            shown.len += leaves.len();
            shown.pieces.push_back(leaves);
        }
    }

    /// Bytes that are held, and what holding them costs.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        let held = |piece: &Piece| if matches!(piece, Piece::Spaces(_)) { 0 } else { piece.len() };
        self.pieces.iter().map(held).sum::<u64>() as usize + self.pieces.len() * size_of::<Piece>() + COPY_ROOM
    }

    fn push(&mut self, piece: Piece) {
        self.close();
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    /// What is copied together is a piece.
    fn close(&mut self) {
        if !self.copied.is_empty() {
            self.pieces.push_back(Piece::Slice(self.copied.split().freeze()));
        }
    }

    /// New room for at least that many bytes, and used again if nobody has a piece of it any more.
    #[cold]
    fn renew(&mut self, len: usize) {
        self.close();
        self.copied.reserve(len.max(COPY_ROOM));
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Slice(bytes) => bytes.len() as u64,
            Piece::Spaces(count) => *count,
        }
    }

    /// Only the first bytes of it.
    fn first(self, len: usize) -> Self {
        match self {
            Piece::Slice(mut bytes) => {
                bytes.truncate(len);
                Piece::Slice(bytes)
            }
            Piece::Spaces(_) => Piece::Spaces(len as u64),
        }
    }

    fn split(self, at: u64) -> (Self, Self) {
        match self {
            Piece::Slice(mut bytes) => {
                let first = bytes.split_to(at as usize);
                (Piece::Slice(first), Piece::Slice(bytes))
            }
            Piece::Spaces(count) => (Piece::Spaces(at), Piece::Spaces(count - at)),
        }
    }
}
