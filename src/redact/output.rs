//! What was made but may not leave yet, and what left: slices of the input, tokens, and runs of white space.

use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Pieces of fewer bytes are copied together: a slice of its own costs more.
const SHORT: usize = 64;
/// Room of which copied pieces are cut, in bytes; it is used again once none of them is in use.
const COPY_ROOM: usize = 16 * 1024;
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
    Copied(BytesMut),
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
            Piece::Copied(bytes) => bytes.freeze(),
            Piece::Spaces(count) => Bytes::from_static(&SPACES[..count as usize]),
        })
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
    /// Where the next copied piece is cut from.
    room: BytesMut,
    /// Bytes made since the beginning, those that left included.
    len: u64,
    left: u64,
}

impl Output {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// A run of the input.
    pub(super) fn slice(&mut self, bytes: Bytes) {
        if bytes.len() >= SHORT {
            self.push(Piece::Slice(bytes));
        } else {
            self.copy(&bytes);
        }
    }

    /// A constant.
    pub(super) fn token(&mut self, token: &'static [u8]) {
        if !self.extend(token) && !token.is_empty() {
            self.push(Piece::Slice(Bytes::from_static(token)));
        }
    }

    /// Few bytes that do not last.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.extend(bytes) {
            return;
        }
        if self.room.capacity() < bytes.len().max(SHORT) {
            self.room.reserve(COPY_ROOM);
        }
        self.room.put_slice(bytes);
        let copied = self.room.split();
        self.push(Piece::Copied(copied));
    }

    /// So many spaces.
    pub(super) fn spaces(&mut self, count: u64) {
        if let Some(Piece::Spaces(more)) = self.pieces.back_mut() {
            *more += count;
            self.len += count;
        } else if count > 0 && !(count <= SHORT as u64 && self.extend(&SPACES[..count as usize])) {
            self.push(Piece::Spaces(count));
        }
    }

    /// Takes back everything after the first `len` bytes. What left cannot be taken back.
    pub(super) fn truncate(&mut self, len: u64) {
        debug_assert!(len >= self.left);
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
        let held: u64 =
            self.pieces.iter().map(|piece| if matches!(piece, Piece::Spaces(_)) { 0 } else { piece.len() }).sum();
        held as usize + self.pieces.len() * size_of::<Piece>() + COPY_ROOM
    }

    fn push(&mut self, piece: Piece) {
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    /// Adds to the newest piece if that is a copied one, right before the room that is left.
    fn extend(&mut self, bytes: &[u8]) -> bool {
        let Some(Piece::Copied(copied)) = self.pieces.back_mut() else { return false };
        if self.room.capacity() < bytes.len() {
            return false;
        }
        self.room.put_slice(bytes);
        // Both are of one room, and what is added follows what is there: they become one again without copying.
        copied.unsplit(self.room.split());
        self.len += bytes.len() as u64;
        true
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Slice(bytes) => bytes.len() as u64,
            Piece::Copied(bytes) => bytes.len() as u64,
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
            Piece::Copied(mut bytes) => {
                bytes.truncate(len);
                Piece::Copied(bytes)
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
            Piece::Copied(mut bytes) => {
                let first = bytes.split_to(at as usize);
                (Piece::Copied(first), Piece::Copied(bytes))
            }
            Piece::Spaces(count) => (Piece::Spaces(at), Piece::Spaces(count - at)),
        }
    }
}
