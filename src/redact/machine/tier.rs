//! What the machine needs of an instruction set: of 64 bytes, which are what. Bit `i` speaks of byte `i`.

use super::super::filter::Filter;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// Bytes before a block that are looked at, too.
pub(super) const LEAD: usize = 4;
/// A block behind its lead.
pub(super) type Window = [u8; LEAD + BLOCK];

/// What tells strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) quote: u64,
    pub(super) backslash: u64,
    /// Bytes below 0x20.
    pub(super) control: u64,
    /// Bytes from 0x80 on.
    pub(super) high: u64,
}

/// What counts outside of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Structure {
    pub(super) open: u64,
    pub(super) close: u64,
    /// Those of the brackets that are braces; what else is set says nothing.
    pub(super) curly: u64,
    pub(super) colon: u64,
    pub(super) comma: u64,
    pub(super) newline: u64,
    /// Space, tab, carriage return, and newline.
    pub(super) blank: u64,
}

/// Digits, and those that are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) digit: u64,
    pub(super) zero: u64,
}

/// What else numbers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) minus: u64,
    pub(super) plus: u64,
    pub(super) point: u64,
    /// `e` and `E`.
    pub(super) exponent: u64,
}

/// What may follow a backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escapes {
    /// `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`, `u`.
    pub(super) legal: u64,
    /// `u`.
    pub(super) unit: u64,
}

/// Pairs of the filter, each by its second byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pairs {
    pub(super) ends: u64,
    pub(super) inside: u64,
}

/// One instruction set. Every tier says the same of the same bytes.
pub(super) trait Tier: Copy {
    /// A block as it is read.
    type Loaded: Copy;

    fn load(self, window: &Window) -> Self::Loaded;
    /// The backslashes among bytes that stand in no window.
    fn backslashes(self, bytes: &[u8; BLOCK]) -> u64;
    /// The quotes, and the backslashes, among such bytes.
    fn quotes(self, bytes: &[u8; BLOCK]) -> (u64, u64);
    fn text(self, loaded: Self::Loaded) -> Text;
    /// Whether none of them is a quote, a backslash, a control character, or beyond ASCII.
    fn is_plain(self, bytes: &[u8; BLOCK]) -> bool;
    fn structure(self, loaded: Self::Loaded) -> Structure;
    fn digits(self, loaded: Self::Loaded) -> Digits;
    fn marks(self, loaded: Self::Loaded) -> Marks;
    fn escapes(self, loaded: Self::Loaded) -> Escapes;
    /// Hexadecimal digits.
    fn hex(self, loaded: Self::Loaded) -> u64;
    /// Bytes at which the block, behind its lead, is not UTF-8. That a character goes on behind the block is no fault.
    fn not_utf8(self, window: &Window) -> u64;
    /// Pairs of the filter whose second byte is one of `at`; others may be told, too.
    fn pairs(self, window: &Window, filter: &Filter, at: u64) -> Pairs;
    /// Each bit is the exclusive or of all bits up to it.
    fn prefix_xor(self, bits: u64) -> u64;
}
