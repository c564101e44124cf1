//! A scalar that becomes a pseudonym, hashed as it is read.

use super::super::grammar::Kind;
use super::super::text::Text;

/// A scalar that is hashed as it passes.
pub(super) struct Hashed {
    pub(super) hasher: blake3::Hasher,
    pub(super) text: Text,
    /// Index of its first byte that is not hashed yet, in the chunk or in the text that it lies in.
    pub(super) from: usize,
}

impl Hashed {
    /// Hashes what of the value stands before that index, its closing quote included.
    pub(super) fn hash(&mut self, chunk: &[u8], at: usize, kind: Kind) {
        let hasher = &mut self.hasher;
        if kind == Kind::String {
            let mut update = |bytes: &[u8]| {
                hasher.update(bytes);
            };
            // A fault is one of a record that is broken: nothing is made of this hash.
            self.text.scan(&chunk[..at], self.from, &mut update).ok();
        } else {
            hasher.update(&chunk[self.from..at]);
        }
    }
}
