//! The tier of x86-64 machines with AVX2, chosen when the program runs: 32 bytes at a time.
//!
//! `unsafe` stands here for two reasons only. Instructions that not every processor has: an [`Avx2`] is made by
//! [`Avx2::detected`] alone, which asks the processor first. And loads of 32 bytes, each from a [`Window`] that reaches
//! from [`LEAD`] bytes before a block to its end.
#![allow(unsafe_code, reason = "instructions that a processor may lack, and loads of 32 bytes from an array")]

use std::arch::x86_64::*;

use super::super::filter::Filter;
use super::super::grammar::{Broken, Events};
use super::tier::{BLOCK, Digits, Escapes, LEAD, Marks, Pairs, Structure, Text, Tier, Window};
use super::{Blocks, Ran};

/// Proof that the processor has AVX2, BMI, LZCNT, POPCNT and PCLMULQDQ.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Avx2(());

impl Avx2 {
    /// The tier, where the processor has it.
    pub(super) fn detected() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("pclmulqdq");
        has.then_some(Self(()))
    }

    /// [`Blocks::run`], compiled for this processor.
    pub(super) fn run<E: Events>(
        self,
        blocks: &mut Blocks<'_>,
        chunk: &[u8],
        at: usize,
        events: &mut E,
    ) -> Result<Ran, Broken> {
        // SAFETY: `self` proves that the processor has what the function asks for.
        unsafe { run(self, blocks, chunk, at, events) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
fn run<E: Events>(tier: Avx2, blocks: &mut Blocks<'_>, chunk: &[u8], at: usize, events: &mut E) -> Result<Ran, Broken> {
    blocks.run(tier, chunk, at, events)
}

#[target_feature(enable = "avx2")]
fn backslashes(bytes: &[u8; BLOCK]) -> u64 {
    let (first, second) = bytes.split_at(BLOCK / 2);
    // SAFETY: both are 32 bytes long, and unaligned loads are asked for.
    unsafe { Halves(_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(second.as_ptr().cast())) }.is(b'\\')
}

#[target_feature(enable = "avx2")]
fn quotes(bytes: &[u8; BLOCK]) -> (u64, u64) {
    let (first, second) = bytes.split_at(BLOCK / 2);
    // SAFETY: both are 32 bytes long, and unaligned loads are asked for.
    let halves =
        unsafe { Halves(_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(second.as_ptr().cast())) };
    (halves.is(b'"'), halves.is(b'\\'))
}

/// The two halves of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halves(__m256i, __m256i);

/// The block as it stands `back` bytes, at most [`LEAD`], before its place.
#[inline(always)]
fn shifted(window: &Window, back: usize) -> Halves {
    let from = LEAD - back;
    let (first, second) = (&window[from..from + 32], &window[from + 32..from + 64]);
    // SAFETY: both are 32 bytes long, unaligned loads are asked for, and an `Avx2` was detected by whoever called.
    unsafe { Halves(_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(second.as_ptr().cast())) }
}

impl Halves {
    /// The top bit of each byte.
    #[inline(always)]
    fn bits(self) -> u64 {
        // SAFETY: halves are loaded by a detected tier only.
        let (low, high) = unsafe { (_mm256_movemask_epi8(self.0), _mm256_movemask_epi8(self.1)) };
        u64::from(low as u32) | (u64::from(high as u32) << 32)
    }

    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        self.same(Halves(all(byte), all(byte)))
    }

    /// Bytes that are the other's, too.
    #[inline(always)]
    fn same(self, other: Halves) -> u64 {
        // SAFETY: as above.
        unsafe { Halves(_mm256_cmpeq_epi8(self.0, other.0), _mm256_cmpeq_epi8(self.1, other.1)) }.bits()
    }

    /// Bytes from `least` on of which at most `more` are above it.
    #[inline(always)]
    fn within(self, least: u8, more: u8) -> u64 {
        // SAFETY: as above.
        unsafe {
            let above = Halves(_mm256_sub_epi8(self.0, all(least)), _mm256_sub_epi8(self.1, all(least)));
            above.same(Halves(_mm256_min_epu8(above.0, all(more)), _mm256_min_epu8(above.1, all(more))))
        }
    }

    /// Bytes of which a bit of `wanted` is set.
    #[inline(always)]
    fn any_of(self, wanted: u8) -> u64 {
        // SAFETY: as above.
        unsafe { !Halves(_mm256_and_si256(self.0, all(wanted)), _mm256_and_si256(self.1, all(wanted))).is(0) }
    }

    /// With these bits set.
    #[inline(always)]
    fn with(self, bits: u8) -> Halves {
        // SAFETY: as above.
        unsafe { Halves(_mm256_or_si256(self.0, all(bits)), _mm256_or_si256(self.1, all(bits))) }
    }

    /// Bytes that stand in the table at their own lower half.
    #[inline(always)]
    fn own_entry(self, entries: &[u8; 16]) -> u64 {
        let entries = table(entries);
        // SAFETY: as above.
        unsafe { self.same(Halves(_mm256_shuffle_epi8(entries, self.0), _mm256_shuffle_epi8(entries, self.1))) }
    }
}

/// What two bytes next to each other cannot be, by the upper and lower half of the first and the upper half of the second.
mod utf8 {
    const TOO_SHORT: u8 = 1;
    const TOO_LONG: u8 = 1 << 1;
    const OVERLONG_3: u8 = 1 << 2;
    const TOO_LARGE: u8 = 1 << 3;
    const SURROGATE: u8 = 1 << 4;
    const OVERLONG_2: u8 = 1 << 5;
    const TOO_LARGE_1000: u8 = 1 << 6;
    const OVERLONG_4: u8 = 1 << 6;
    const TWO_CONTINUED: u8 = 1 << 7;
    const ANY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTINUED;
    const LARGE: u8 = ANY | TOO_LARGE | TOO_LARGE_1000;
    const LONG: u8 = TOO_LONG;
    const TWO: u8 = TWO_CONTINUED;
    pub(super) const FIRST_HIGH: [u8; 16] = [
        LONG,
        LONG,
        LONG,
        LONG,
        LONG,
        LONG,
        LONG,
        LONG,
        TWO,
        TWO,
        TWO,
        TWO,
        TOO_SHORT | OVERLONG_2,
        TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE,
        TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4,
    ];
    pub(super) const FIRST_LOW: [u8; 16] = [
        ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
        ANY | OVERLONG_2,
        ANY,
        ANY,
        ANY | TOO_LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE | SURROGATE,
        LARGE,
        LARGE,
    ];
    const CONTINUED: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTINUED;
    pub(super) const SECOND_HIGH: [u8; 16] = [
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        CONTINUED | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
        CONTINUED | OVERLONG_3 | TOO_LARGE,
        CONTINUED | SURROGATE | TOO_LARGE,
        CONTINUED | SURROGATE | TOO_LARGE,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
    ];
}

/// Faults in 32 bytes, given with those one, two and three before each.
#[inline(always)]
fn not_utf8([first_low, first_high, second_high]: [__m256i; 3], [byte, one, two, three]: [__m256i; 4]) -> u32 {
    // SAFETY: as in `all`.
    unsafe {
        let first = by_halves(first_low, first_high, one);
        let upper = _mm256_and_si256(_mm256_srli_epi16(byte, 4), all(0x0F));
        let special = _mm256_and_si256(first, _mm256_shuffle_epi8(second_high, upper));
        let third = _mm256_subs_epu8(two, all(0xE0 - 0x80));
        let fourth = _mm256_subs_epu8(three, all(0xF0 - 0x80));
        let must_continue = _mm256_and_si256(_mm256_or_si256(third, fourth), all(0x80));
        let fault = _mm256_xor_si256(must_continue, special);
        !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(fault, _mm256_setzero_si256())) as u32)
    }
}

/// The top bit is set of each byte that is a quote, a backslash, a control character, or beyond ASCII.
#[inline(always)]
fn not_plain(bytes: __m256i) -> __m256i {
    // SAFETY: as in `all`.
    unsafe {
        let mark = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, all(b'"')), _mm256_cmpeq_epi8(bytes, all(b'\\')));
        // As signed numbers, those beyond ASCII are the least.
        _mm256_or_si256(mark, _mm256_cmpgt_epi8(all(b' '), bytes))
    }
}

#[inline(always)]
fn all(byte: u8) -> __m256i {
    // SAFETY: called for halves only, which are loaded by a detected tier only.
    unsafe { _mm256_set1_epi8(byte as i8) }
}

/// A table of 16 bytes, in both lanes.
#[inline(always)]
fn table(entries: &[u8; 16]) -> __m256i {
    let entries = u128::from_le_bytes(*entries);
    // SAFETY: as in `all`.
    unsafe { _mm256_broadcastsi128_si256(_mm_set_epi64x((entries >> 64) as i64, entries as i64)) }
}

/// The entries of a table by the lower and of another by the upper half of each byte, both.
#[inline(always)]
fn by_halves(low: __m256i, high: __m256i, bytes: __m256i) -> __m256i {
    // SAFETY: as in `all`.
    unsafe {
        let lower = _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, all(0x0F)));
        let upper = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), all(0x0F)));
        _mm256_and_si256(lower, upper)
    }
}

impl Tier for Avx2 {
    type Loaded = Halves;

    #[inline(always)]
    fn load(self, window: &Window) -> Halves {
        shifted(window, 0)
    }

    fn backslashes(self, bytes: &[u8; BLOCK]) -> u64 {
        // SAFETY: `self` proves that the processor has what the function asks for.
        unsafe { backslashes(bytes) }
    }

    fn quotes(self, bytes: &[u8; BLOCK]) -> (u64, u64) {
        // SAFETY: as above.
        unsafe { quotes(bytes) }
    }

    #[inline(always)]
    fn text(self, loaded: Halves) -> Text {
        Text {
            quote: loaded.is(b'"'),
            backslash: loaded.is(b'\\'),
            control: loaded.within(0, 0x1F),
            high: loaded.bits(),
        }
    }

    #[inline(always)]
    fn is_plain(self, bytes: &[u8; BLOCK]) -> bool {
        let (first, second) = bytes.split_at(BLOCK / 2);
        // SAFETY: both are 32 bytes long, unaligned loads are asked for, and `self` is a detected tier.
        unsafe {
            let (low, high) = (_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(second.as_ptr().cast()));
            _mm256_movemask_epi8(_mm256_or_si256(not_plain(low), not_plain(high))) == 0
        }
    }

    #[inline(always)]
    fn structure(self, loaded: Halves) -> Structure {
        const BLANKS: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];
        let either = loaded.with(0x20);
        // SAFETY: `self` is a detected tier.
        let fifth_bits = unsafe { Halves(_mm256_slli_epi16(loaded.0, 2), _mm256_slli_epi16(loaded.1, 2)) };
        Structure {
            open: either.is(b'{'),
            close: either.is(b'}'),
            curly: fifth_bits.bits(),
            colon: loaded.is(b':'),
            comma: loaded.is(b','),
            newline: loaded.is(b'\n'),
            blank: loaded.own_entry(&BLANKS),
        }
    }

    #[inline(always)]
    fn digits(self, loaded: Halves) -> Digits {
        Digits { digit: loaded.within(b'0', 9), zero: loaded.is(b'0') }
    }

    #[inline(always)]
    fn marks(self, loaded: Halves) -> Marks {
        Marks {
            minus: loaded.is(b'-'),
            plus: loaded.is(b'+'),
            point: loaded.is(b'.'),
            exponent: loaded.with(0x20).is(b'e'),
        }
    }

    #[inline(always)]
    fn escapes(self, loaded: Halves) -> Escapes {
        // `"`, `b` and `r` share their lower half: `"` has the place, the others differ in one bit.
        const LEGAL: [u8; 16] = [0xFF, 0, b'"', 0, b't', b'u', b'f', 0, 0, 0, 0, 0, b'\\', 0, b'n', b'/'];
        Escapes { legal: loaded.own_entry(&LEGAL) | loaded.with(0x10).is(b'r'), unit: loaded.is(b'u') }
    }

    #[inline(always)]
    fn hex(self, loaded: Halves) -> u64 {
        self.digits(loaded).digit | loaded.with(0x20).within(b'a', 5)
    }

    /// J. Keiser and D. Lemire, Validating UTF-8 in less than one instruction per byte (2021): what two bytes next to
    /// each other cannot be, by three halves of them; and that the third and fourth byte of a character continue it.
    #[inline(always)]
    fn not_utf8(self, window: &Window) -> u64 {
        let (zero, one) = (shifted(window, 0), shifted(window, 1));
        let (two, three) = (shifted(window, 2), shifted(window, 3));
        let tables = [table(&utf8::FIRST_LOW), table(&utf8::FIRST_HIGH), table(&utf8::SECOND_HIGH)];
        let low = not_utf8(tables, [zero.0, one.0, two.0, three.0]);
        let high = not_utf8(tables, [zero.1, one.1, two.1, three.1]);
        u64::from(low) | (u64::from(high) << 32)
    }

    #[inline(always)]
    fn pairs(self, window: &Window, filter: &Filter, _at: u64) -> Pairs {
        let (second, first) = (shifted(window, 0), shifted(window, 1));
        let [first_low, first_high] = [table(&filter.first[0]), table(&filter.first[1])];
        let [second_low, second_high] = [table(&filter.second[0]), table(&filter.second[1])];
        // SAFETY: `self` is a detected tier.
        let groups = unsafe {
            Halves(
                _mm256_and_si256(
                    by_halves(first_low, first_high, first.0),
                    by_halves(second_low, second_high, second.0),
                ),
                _mm256_and_si256(
                    by_halves(first_low, first_high, first.1),
                    by_halves(second_low, second_high, second.1),
                ),
            )
        };
        let inside = if filter.inside == 0 { 0 } else { groups.any_of(filter.inside) };
        Pairs { ends: groups.any_of(filter.ends), inside }
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        // SAFETY: `self` is a detected tier, which has carry-less multiplication.
        unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1), 0)) as u64 }
    }
}
