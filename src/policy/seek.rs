//! Skipping ahead in a listing: the next text, in byte order, from which on something may be listed.

use super::automaton::State;
use super::verdict::Dense;
use crate::limits;

/// See [`super::sight::Sight::seek`]; in states of the automaton that stand behind `BUCKET/`.
pub(super) fn dense(dense: &Dense, bucket: State, from: &str) -> Option<String> {
    let live = |state: State| dense.lists[state as usize] != 0;
    let mut states = vec![bucket];
    for byte in from.bytes() {
        let state = states[states.len() - 1];
        if !live(state) {
            break;
        }
        states.push(dense.table.step(state, byte));
    }
    let end = states[states.len() - 1];
    if states.len() == from.len() + 1 && live(end) {
        return Some(text(descend(dense, end, from.as_bytes().to_vec()), from));
    }
    // Nothing goes on from here: take the last place where a larger byte leads to something.
    while let Some(state) = states.pop() {
        let at = states.len();
        let Some(&passed) = from.as_bytes().get(at) else { continue };
        let larger = next_byte(dense, state, &from.as_bytes()[..at], u16::from(passed) + 1);
        if let Some((byte, target)) = larger {
            let found = [&from.as_bytes()[..at], &[byte]].concat();
            return Some(text(descend(dense, target, found), from));
        }
    }
    None
}

/// The same where only the beginnings of what may be listed are known, ascending, without `BUCKET/`.
pub(super) fn sparse<'a>(beginnings: impl Iterator<Item = &'a str>, from: &str) -> Option<String> {
    let mut next: Option<&str> = None;
    for beginning in beginnings {
        if from.starts_with(beginning) {
            return Some(from.to_owned());
        }
        if beginning > from && next.is_none_or(|other| beginning < other) {
            next = Some(beginning);
        }
    }
    next.map(str::to_owned)
}

/// Goes on by the smallest byte until a key may end here, or until going on in circles would begin.
fn descend(dense: &Dense, mut state: State, mut found: Vec<u8>) -> Vec<u8> {
    let mut seen = vec![state];
    while found.len() < limits::KEY_BYTES_MAX && !dense.ends_listed(state) {
        let Some((byte, target)) = next_byte(dense, state, &found, 0) else { break };
        if seen.contains(&target) {
            break;
        }
        found.push(byte);
        seen.push(target);
        state = target;
    }
    found
}

/// The smallest byte from `first` on, of those that a key can have there, that leads to something listed.
fn next_byte(dense: &Dense, state: State, before: &[u8], first: u16) -> Option<(u8, State)> {
    let range = if continues(before) { u16::from(least(before))..=0xBF } else { 0x20..=0xF4 };
    let bytes = (first.max(*range.start())..=*range.end()).filter_map(|byte| u8::try_from(byte).ok());
    let possible = bytes.filter(|&byte| continues(before) || !matches!(byte, 0x7F..=0xC1));
    possible.map(|byte| (byte, dense.table.step(state, byte))).find(|(_, target)| dense.lists[*target as usize] != 0)
}

/// Whether the bytes end within a character of UTF-8.
fn continues(bytes: &[u8]) -> bool {
    let tail = bytes.iter().rev().take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    let Some(lead) = bytes.len().checked_sub(tail + 1).map(|at| bytes[at]) else { return false };
    let wanted = match lead {
        0xC2..=0xDF => 1,
        0xE0..=0xEF => 2,
        0xF0..=0xF4 => 3,
        _ => 0,
    };
    tail < wanted
}

/// The smallest byte with which UTF-8 goes on within a character.
fn least(before: &[u8]) -> u8 {
    match before.last() {
        Some(0xE0) => 0xA0,
        Some(0xF0) => 0x90,
        _ => 0x80,
    }
}

/// The bytes as text, completed to the smallest character where they end within one; at least `from`.
fn text(mut bytes: Vec<u8>, from: &str) -> String {
    while continues(&bytes) {
        bytes.push(least(&bytes));
    }
    let found = String::from_utf8(bytes).unwrap_or_default();
    if *found < *from { from.to_owned() } else { found }
}
