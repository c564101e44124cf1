//! The objects that are read and written: the same bytes in every run, the large one repeated from a small memory.

use std::ops::Range;

use bytes::Bytes;

use crate::common::traces;

/// The end of the small object's key.
pub(crate) const SMALL: &str = "small.jsonl";
/// The end of the large object's key.
pub(crate) const LARGE: &str = "large.jsonl";
/// Size of the small object, in bytes.
pub(crate) const SMALL_BYTES: usize = 4096;
/// Size of the traces that the large object repeats, in bytes at least.
const UNIT_BYTES: usize = 8 << 20;

/// One record of exactly [`SMALL_BYTES`], with values to hide.
pub(crate) fn small() -> Object {
    let (start, end) = ("{\"user_id\":\"user-00000001\",\"email\":\"c@example.com\",\"prompt\":\"", "\"}\n");
    let prompt = "the model checks a refund ".repeat(SMALL_BYTES / 16);
    let record = format!("{start}{}{end}", &prompt[..SMALL_BYTES - start.len() - end.len()]);
    Object { unit: Bytes::from(record), times: 1 }
}

/// As many whole records as fit into so many bytes, less a part of what repeats.
pub(crate) fn large(bytes: u64) -> Object {
    let unit = Bytes::from(traces(UNIT_BYTES.min(usize::try_from(bytes / 2).unwrap_or(UNIT_BYTES))));
    let times = bytes / unit.len() as u64;
    Object { unit, times }
}

/// Bytes that repeat.
pub(crate) struct Object {
    unit: Bytes,
    times: u64,
}

impl Object {
    /// Size in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.unit.len() as u64 * self.times
    }

    /// A range of it, in pieces of so many bytes at most, none of which is copied.
    pub(crate) fn pieces(&self, range: Range<u64>, most: usize) -> impl Iterator<Item = Bytes> + Send + Sync + use<> {
        let (unit, mut at) = (self.unit.clone(), range.start);
        std::iter::from_fn(move || {
            let start = usize::try_from(at % unit.len() as u64).expect("a place in memory");
            let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let piece = unit.slice(start..unit.len().min(start + left.min(most)));
            at += piece.len() as u64;
            (!piece.is_empty()).then_some(piece)
        })
    }
}
