//! The size under which an object is shown: its own, or, where lengths are hidden, that of its class.

use crate::limits::{SIZE_STEP_BITS, SIZE_STEP_BYTES_MIN};
use crate::policy::mask::Masks;

/// The size, in bytes, that a view shows of an object that is stored with that size: in GET, HEAD and listings alike.
pub fn shown(masks: &Masks, stored: u64) -> u64 {
    if masks.hides_length() { rounded(stored) } else { stored }
}

/// The least size of a class that is no smaller.
///
/// Classes are the multiples of 64 bytes up to 2 KiB, and of a sixteenth of the power of two below beyond: 16 for each
/// doubling. An empty object stays empty: it hides nothing. Larger sizes never come out smaller, and a class is its own.
pub(super) fn rounded(size: u64) -> u64 {
    let Some(bits) = size.checked_ilog2() else { return 0 };
    let step = (1 << bits.saturating_sub(SIZE_STEP_BITS)).max(SIZE_STEP_BYTES_MIN);
    size.checked_next_multiple_of(step).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_by_example() {
        for (size, class) in [
            (0, 0),
            (1, 64),
            (64, 64),
            (65, 128),
            (1_000, 1_024),
            (1_025, 1_088),
            (2_048, 2_048),
            (2_049, 2_176),
            (1_000_000, 1_015_808),
            ((1 << 30) + 1, (1 << 30) + (1 << 26)),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(rounded(size), class, "{size}");
        }
    }

    /// Up to some mebibytes each size, and above those around each power of two and each step.
    #[test]
    fn sizes_are_rounded_up_in_order_and_by_little() {
        let large = (20..45).flat_map(|bits| {
            let (power, step) = (1_u64 << bits, 1_u64 << (bits - 4));
            (0..16).flat_map(move |at| [power + at * step - 1, power + at * step, power + at * step + 1])
        });
        let (mut before, mut classes) = (0, std::collections::BTreeSet::new());
        for size in (0..1_048_000).chain(large) {
            let class = rounded(size);
            assert!(class >= size && class >= before && class - size < (size / 16).max(SIZE_STEP_BYTES_MIN), "{size}");
            assert_eq!(rounded(class), class, "{size}");
            before = class;
            classes.insert(class);
        }
        assert!(classes.len() < 32 + 16 * 35, "{} classes", classes.len());
    }
}
