//! The tier of x86-64 machines with AVX2, chosen when the program runs: 32 bytes at a time.
//!
//! `unsafe` stands here for two reasons only. Instructions that not every processor has: an [`Avx2`] is made by
//! [`Avx2::detected`] alone, which asks the processor first. And loads of 32 bytes, each from a [`Window`] that reaches
//! from [`LEAD`] bytes before a block to its end.
#![allow(unsafe_code, reason = "instructions that a processor may lack, and loads of 32 bytes from an array")]

use std::arch::x86_64::*;

use super::super::filter::Filter;
use super::super::grammar::{Broken, Events};
use super::tier::{Digits, Escapes, LEAD, Marks, Pairs, Structure, Text, Tier, Window};
use super::{Blocks, Ran};

/// Proof that the processor has AVX2, BMI, LZCNT, POPCNT and PCLMULQDQ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

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
fn run<E: Events>(
    tier: Avx2,
    blocks: &mut Blocks<'_>,
    chunk: &[u8],
    at: usize,
    events: &mut E,
) -> Result<Ran, Broken> {
    blocks.run(tier, chunk, at, events)
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
    /// The bits of both halves, each made by `of`.
    #[inline(always)]
    fn bits(self, of: impl Fn(__m256i) -> __m256i) -> u64 {
        // SAFETY: halves are loaded by a detected tier only.
        let bits = |half| u64::from(unsafe { _mm256_movemask_epi8(of(half)) } as u32);
        bits(self.0) | (bits(self.1) << 32)
    }

    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        // SAFETY: as above.
        self.bits(|half| unsafe { _mm256_cmpeq_epi8(half, all(byte)) })
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

    #[inline(always)]
    fn text(self, loaded: Halves) -> Text {
        Text {
            quote: loaded.is(b'"'),
            backslash: loaded.is(b'\\'),
            // SAFETY: `self` is a detected tier.
            control: loaded.bits(|half| unsafe { _mm256_cmpeq_epi8(_mm256_min_epu8(half, all(0x1F)), half) }),
            high: loaded.bits(|half| half),
        }
    }

    #[inline(always)]
    fn structure(self, loaded: Halves) -> Structure {
        // Each entry stands at the lower half of its own byte.
        const BLANKS: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];
        let blanks = table(&BLANKS);
        // SAFETY: `self` is a detected tier.
        unsafe {
            let upper = Halves(_mm256_or_si256(loaded.0, all(0x20)), _mm256_or_si256(loaded.1, all(0x20)));
            Structure {
                open: upper.is(b'{'),
                close: upper.is(b'}'),
                curly: loaded.bits(|half| _mm256_slli_epi16(half, 2)),
                colon: loaded.is(b':'),
                comma: loaded.is(b','),
                newline: loaded.is(b'\n'),
                blank: loaded.bits(|half| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(blanks, half), half)),
            }
        }
    }

    #[inline(always)]
    fn digits(self, loaded: Halves) -> Digits {
        let digit = |half| {
            // SAFETY: `self` is a detected tier.
            unsafe {
                let value = _mm256_sub_epi8(half, all(b'0'));
                _mm256_cmpeq_epi8(_mm256_min_epu8(value, all(9)), value)
            }
        };
        Digits { digit: loaded.bits(digit), zero: loaded.is(b'0') }
    }

    #[inline(always)]
    fn marks(self, loaded: Halves) -> Marks {
        // SAFETY: `self` is a detected tier.
        let exponent = |half| unsafe { _mm256_cmpeq_epi8(_mm256_or_si256(half, all(0x20)), all(b'e')) };
        Marks {
            minus: loaded.is(b'-'),
            plus: loaded.is(b'+'),
            point: loaded.is(b'.'),
            exponent: loaded.bits(exponent),
        }
    }

    #[inline(always)]
    fn escapes(self, loaded: Halves) -> Escapes {
        // Each entry stands at the lower half of its own byte; `"`, `b` and `r` share theirs.
        const LEGAL: [u8; 16] = [0xFF, 0, b'"', 0, b't', b'u', b'f', 0, 0, 0, 0, 0, b'\\', 0, b'n', b'/'];
        let legal = table(&LEGAL);
        let legal = |half| {
            // SAFETY: `self` is a detected tier.
            unsafe {
                let own = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(legal, half), half);
                _mm256_or_si256(own, _mm256_cmpeq_epi8(_mm256_or_si256(half, all(0x10)), all(b'r')))
            }
        };
        Escapes { legal: loaded.bits(legal), unit: loaded.is(b'u') }
    }

    #[inline(always)]
    fn hex(self, loaded: Halves) -> u64 {
        let letter = |half| {
            // SAFETY: `self` is a detected tier.
            unsafe {
                let value = _mm256_sub_epi8(_mm256_or_si256(half, all(0x20)), all(b'a'));
                _mm256_cmpeq_epi8(_mm256_min_epu8(value, all(5)), value)
            }
        };
        self.digits(loaded).digit | loaded.bits(letter)
    }

    /// J. Keiser and D. Lemire, Validating UTF-8 in less than one instruction per byte (2021): what two bytes next to
    /// each other cannot be, by three halves of them; and that the third and fourth byte of a character continue it.
    #[inline(always)]
    fn not_utf8(self, window: &Window) -> u64 {
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
        const FIRST_HIGH: [u8; 16] = [
            LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWO, TWO, TWO, TWO,
            TOO_SHORT | OVERLONG_2,
            TOO_SHORT,
            TOO_SHORT | OVERLONG_3 | SURROGATE,
            TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4,
        ];
        const FIRST_LOW: [u8; 16] = [
            ANY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
            ANY | OVERLONG_2,
            ANY, ANY,
            ANY | TOO_LARGE,
            LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE,
            LARGE | SURROGATE,
            LARGE, LARGE,
        ];
        const CONTINUED: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTINUED;
        const SECOND_HIGH: [u8; 16] = [
            TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
            CONTINUED | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
            CONTINUED | OVERLONG_3 | TOO_LARGE,
            CONTINUED | SURROGATE | TOO_LARGE,
            CONTINUED | SURROGATE | TOO_LARGE,
            TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        ];
        let fault = |byte: __m256i, one: __m256i, two: __m256i, three: __m256i| {
            // SAFETY: `self` is a detected tier.
            unsafe {
                let first = by_halves(table(&FIRST_LOW), table(&FIRST_HIGH), one);
                let upper = _mm256_and_si256(_mm256_srli_epi16(byte, 4), all(0x0F));
                let special = _mm256_and_si256(first, _mm256_shuffle_epi8(table(&SECOND_HIGH), upper));
                let third = _mm256_subs_epu8(two, all(0xE0 - 0x80));
                let fourth = _mm256_subs_epu8(three, all(0xF0 - 0x80));
                let must_continue = _mm256_and_si256(_mm256_or_si256(third, fourth), all(0x80));
                let fault = _mm256_xor_si256(must_continue, special);
                !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(fault, _mm256_setzero_si256())) as u32)
            }
        };
        let [zero, one, two, three] = [0, 1, 2, 3].map(|back| shifted(window, back));
        let low = fault(zero.0, one.0, two.0, three.0);
        let high = fault(zero.1, one.1, two.1, three.1);
        u64::from(low) | (u64::from(high) << 32)
    }

    #[inline(always)]
    fn pairs(self, window: &Window, filter: &Filter, _at: u64) -> Pairs {
        let (second, first) = (shifted(window, 0), shifted(window, 1));
        let [first_low, first_high] = [table(&filter.first[0]), table(&filter.first[1])];
        let [second_low, second_high] = [table(&filter.second[0]), table(&filter.second[1])];
        // SAFETY: `self` is a detected tier.
        let groups = |first, second| unsafe {
            _mm256_and_si256(by_halves(first_low, first_high, first), by_halves(second_low, second_high, second))
        };
        let groups = Halves(groups(first.0, second.0), groups(first.1, second.1));
        let of = |wanted: u8| {
            // SAFETY: as above.
            !groups.bits(|half| unsafe {
                _mm256_cmpeq_epi8(_mm256_and_si256(half, all(wanted)), _mm256_setzero_si256())
            })
        };
        Pairs { ends: of(filter.ends), inside: if filter.inside == 0 { 0 } else { of(filter.inside) } }
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        // SAFETY: `self` is a detected tier, which has carry-less multiplication.
        unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1), 0)) as u64 }
    }
}
