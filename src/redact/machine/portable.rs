//! The tier of every machine: 64 bytes as eight planes, one for each bit of a byte, and boolean algebra over them.

use super::super::filter::Filter;
use super::super::text::Text as Characters;
use super::tier::{BLOCK, Digits, Escapes, LEAD, Marks, Pairs, Structure, Text, Tier, Window};

/// Nothing but words of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

/// Bit `i` of plane `p` is bit `p` of byte `i`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes([u64; 8]);

impl Planes {
    #[inline(always)]
    fn of(window: &Window) -> Self {
        let mut rows = [0_u64; 8];
        for (row, eight) in rows.iter_mut().zip(window[LEAD..].as_chunks::<8>().0) {
            *row = transposed(u64::from_le_bytes(*eight));
        }
        // Byte `p` of row `j` belongs to plane `p`, at byte `j`: a transposition of bytes, in halves of halves.
        for (apart, mask) in [(4, 0x0000_0000_FFFF_FFFF), (2, 0x0000_FFFF_0000_FFFF), (1, 0x00FF_00FF_00FF_00FF)] {
            for first in (0..8).filter(|row| row & apart == 0) {
                let (low, high) = (rows[first], rows[first + apart]);
                rows[first] = (low & mask) | ((high & mask) << (8 * apart));
                rows[first + apart] = ((low >> (8 * apart)) & mask) | (high & !mask);
            }
        }
        Self(rows)
    }

    /// Where the byte is this one.
    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        self.is_but_for(byte, 0)
    }

    /// Where the byte is this one, whatever the bits of `open` are.
    #[inline(always)]
    fn is_but_for(self, byte: u8, open: u8) -> u64 {
        let mut all = !0;
        for (bit, plane) in self.0.iter().enumerate() {
            if open >> bit & 1 == 0 {
                all &= if byte >> bit & 1 == 1 { *plane } else { !*plane };
            }
        }
        all
    }

    /// Digits from 0 to 9, in the lower half of the byte.
    #[inline(always)]
    fn up_to_nine(self) -> u64 {
        !self.0[3] | (!self.0[2] & !self.0[1])
    }
}

/// Where that byte is.
fn found(bytes: &[u8; BLOCK], byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOW: u64 = ONES * 0x7F;
    let mut found = 0;
    for (at, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let other = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        // The top bit of each byte that is the same, and of no other.
        let same = !(((other & LOW) + LOW) | other | LOW);
        // Their bits, gathered in the top byte.
        found |= ((same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * at);
    }
    found
}

impl Tier for Portable {
    type Loaded = Planes;

    #[inline(always)]
    fn load(self, window: &Window) -> Planes {
        Planes::of(window)
    }

    fn backslashes(self, bytes: &[u8; BLOCK]) -> u64 {
        found(bytes, b'\\')
    }

    fn quotes(self, bytes: &[u8; BLOCK]) -> (u64, u64) {
        (found(bytes, b'"'), found(bytes, b'\\'))
    }

    #[inline(always)]
    fn text(self, loaded: Planes) -> Text {
        let [.., five, six, seven] = loaded.0;
        Text { quote: loaded.is(b'"'), backslash: loaded.is(b'\\'), control: !(five | six | seven), high: seven }
    }

    #[inline(always)]
    fn is_plain(self, bytes: &[u8; BLOCK]) -> bool {
        bytes.iter().all(|byte| matches!(byte, b' '..=0x7F) && !matches!(byte, b'"' | b'\\'))
    }

    #[inline(always)]
    fn structure(self, loaded: Planes) -> Structure {
        let newline = loaded.is(b'\n');
        Structure {
            open: loaded.is_but_for(b'{', 0x20),
            close: loaded.is_but_for(b'}', 0x20),
            curly: loaded.0[5],
            colon: loaded.is(b':'),
            comma: loaded.is(b','),
            newline,
            blank: newline | loaded.is(b' ') | loaded.is(b'\t') | loaded.is(b'\r'),
        }
    }

    #[inline(always)]
    fn digits(self, loaded: Planes) -> Digits {
        Digits { digit: loaded.is_but_for(b'0', 0x0F) & loaded.up_to_nine(), zero: loaded.is(b'0') }
    }

    #[inline(always)]
    fn marks(self, loaded: Planes) -> Marks {
        Marks {
            minus: loaded.is(b'-'),
            plus: loaded.is(b'+'),
            point: loaded.is(b'.'),
            exponent: loaded.is_but_for(b'e', 0x20),
        }
    }

    #[inline(always)]
    fn escapes(self, loaded: Planes) -> Escapes {
        let unit = loaded.is(b'u');
        let legal = br#""\/bfnrt"#.iter().fold(unit, |all, byte| all | loaded.is(*byte));
        Escapes { legal, unit }
    }

    #[inline(always)]
    fn hex(self, loaded: Planes) -> u64 {
        let [zero, one, two, three, ..] = loaded.0;
        // `a` to `f` and `A` to `F` end in 1 to 6.
        let letter = !three & (zero | one | two) & !(zero & one & two);
        self.digits(loaded).digit | (loaded.is_but_for(b'`', 0x2F) & letter)
    }

    fn not_utf8(self, window: &Window) -> u64 {
        let first = (1..LEAD).rev().find(|at| window[*at] >= 0xC0).unwrap_or(LEAD);
        let mut at = first;
        while at < window.len() {
            if window[at] < 0x80 {
                at += 1;
                continue;
            }
            let run = window[at..].iter().position(|byte| *byte < 0x80).map_or(window.len(), |run| at + run);
            let mut text = Characters::default();
            let fault = text.scan(&window[..run], at, &mut |_: &[u8]| {}).err().map(|broken| broken.at);
            let short = (run < window.len() && !text.is_plain()).then_some(run);
            match fault.or(short) {
                // What the lead says was judged before.
                Some(fault) if fault >= LEAD => return 1 << (fault - LEAD),
                Some(_) | None => at = run,
            }
        }
        0
    }

    #[inline(always)]
    fn pairs(self, window: &Window, filter: &Filter, at: u64) -> Pairs {
        let mut pairs = Pairs { ends: 0, inside: 0 };
        let mut rest = at;
        while rest != 0 {
            let place = rest.trailing_zeros() as usize;
            let groups = filter.groups(window[LEAD + place - 1], window[LEAD + place]);
            pairs.ends |= u64::from(groups & filter.ends != 0) << place;
            pairs.inside |= u64::from(groups & filter.inside != 0) << place;
            rest &= rest - 1;
        }
        pairs
    }

    #[inline(always)]
    fn prefix_xor(self, mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

/// Eight bytes as a square of bits, turned about its diagonal (Hacker's Delight, 7-3).
#[inline(always)]
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in [(7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0)] {
        let swapped = (bits ^ (bits >> shift)) & mask;
        bits ^= swapped ^ (swapped << shift);
    }
    bits
}

const _: () = assert!(BLOCK == 64);
