//! Where in the text of a string escapes begin, so that it can be read from there on, and what is read.

use super::strings::Text;
use super::{ESCAPE, LEVELS, Rule, character};
use crate::limits::VALUE_BEFORE_BYTES_MAX;
use crate::policy::values::ByteSet;

/// Backslashes before the first of which nothing is looked at.
const BACKSLASHES_MAX: usize = 32;

/// What stands at a fixed text that is written plainly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// Escapes may stand before it.
    Escaped,
    /// A match may begin at that index.
    Begins(usize),
    Nothing,
}

/// Looks at what stands before a fixed text at that index.
pub(super) fn plain(rule: &Rule, window: &[u8], text: Text, at: usize) -> Plain {
    let floor = text.from.unwrap_or(0);
    let Some(before) = &rule.before else {
        let letters =
            window[floor..at].iter().rev().take(ESCAPE).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let escaped = at - letters > floor && window[at - letters - 1] == b'\\';
        return if escaped { Plain::Escaped } else { Plain::Begins(at) };
    };
    let floor = floor.max(at.saturating_sub(VALUE_BEFORE_BYTES_MAX));
    let from = at - window[floor..at].iter().rev().take_while(|byte| before[usize::from(**byte)]).count();
    if window[from..at].contains(&b'\\') {
        return Plain::Escaped;
    }
    // What stands before it is looked at, too.
    let base = from - usize::from(text.from != Some(from)).min(from);
    let begins = rule.pattern.begins(&window[base..], from - base, at - base);
    begins.map_or(Plain::Nothing, |begins| Plain::Begins(base + begins))
}

/// Where the run of these bytes begins that ends before that index: no further back than so many bytes, and then at an
/// escape, so that none is read from its middle.
pub(super) fn run(around: &ByteSet, window: &[u8], text: Text, at: usize) -> usize {
    let floor = text.from.unwrap_or(0).max(at.saturating_sub(VALUE_BEFORE_BYTES_MAX));
    let from = at - window[floor..at].iter().rev().take_while(|byte| around[usize::from(**byte)]).count();
    if from > floor || text.from == Some(from) {
        return from;
    }
    let begins = |at: &usize| window[*at] == b'\\' && at.checked_sub(1).is_none_or(|before| window[before] != b'\\');
    (from..at).find(begins).unwrap_or(at)
}

/// The first byte of the escape that goes on at that index, at any level, or the index itself: what is left of an escape
/// would be no JSON in a text that is.
pub(super) fn whole(window: &[u8], text: Text, at: usize) -> usize {
    let before = &window[text.from.unwrap_or(0)..at];
    let letters = before.iter().rev().take(ESCAPE).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let backslashes = before[..before.len() - letters].iter().rev().take_while(|byte| **byte == b'\\').count();
    let within = letters == 0 || window[at - letters] == b'u';
    if within && (1..=BACKSLASHES_MAX).contains(&backslashes) { at - letters - backslashes } else { at }
}

/// A text as it is read at one level.
pub(super) struct Decoded {
    /// Its bytes, behind the one before it, if there is one.
    pub(super) bytes: Vec<u8>,
    /// How many these are.
    pub(super) before: usize,
    /// Where the character of each byte of the text is written.
    pub(super) places: Vec<usize>,
}

impl Decoded {
    /// From that index on to the window's end, at each level, up to one that all below read alike.
    pub(super) fn all(window: &[u8], text: Text, from: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for level in 1..=LEVELS {
            let (decoded, is_last) = Self::of(window, text, from, level);
            all.push(decoded);
            if is_last {
                break;
            }
        }
        all
    }

    fn of(window: &[u8], text: Text, from: usize, level: usize) -> (Self, bool) {
        let bytes: Vec<u8> = text.byte_before(window, from).into_iter().collect();
        let mut decoded = Self { before: bytes.len(), bytes, places: Vec::new() };
        let (mut at, mut is_last) = (from, true);
        while let Some(character) = character::read(window, at, level) {
            is_last &= !character.is_backslash();
            decoded.bytes.extend_from_slice(character.bytes());
            decoded.places.extend(character.bytes().iter().map(|_| at));
            at += character.width;
        }
        (decoded, is_last)
    }
}
