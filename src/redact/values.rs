//! What matches in the text of strings is written over with `*`, byte for byte, whatever else is shown of them.
//!
//! It is the last thing that happens to what an object shows: strings are told from the rest by their quotes, and in them
//! a [`Finder`] looks for fixed texts of which every match has one. Only from such a place on is text read character by
//! character, through escapes ([`character`]): what stands escaped in a string, or in JSON within it, is found as well.
//! Each byte that belongs to any match of any rule is hidden. Length stays, so that offsets stay what they are.
//!
//! What is made of a string depends on its text alone, not on the pieces in which it comes: nothing is decided before
//! [`limits::VALUE_AHEAD_BYTES`] behind it are known, or the string's end.

mod character;
mod finder;
mod places;
mod stretches;
mod strings;
mod walk;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;

use super::machine::Instructions;
use super::output::Shown;
use crate::limits::{EMBEDDED_LEVELS_MAX, VALUE_AHEAD_BYTES, VALUE_CONTEXT_BYTES, VALUE_WALKS_MAX};
use crate::policy::mask::ValueRule;
use crate::policy::values::{ByteSet, ValuePattern};
use finder::{Finder, Known};
use places::{Decoded, Plain, plain, run, whole};
use stretches::Stretches;
use strings::{Strings, Text};
use walk::{Reading, Walk};

/// Levels of escapes that text is read through: a string's own, and those of texts in it.
const LEVELS: usize = 1 + EMBEDDED_LEVELS_MAX;
/// Digits and the letter of an escape, which tell whether what follows belongs to it.
const ESCAPE: usize = 5;

/// The expressions of a plan, ready to be looked for. Immutable; shared by every stream.
pub(super) struct Rules {
    rules: Vec<Rule>,
    finder: Finder,
    /// Bytes that an escaped match, or its beginning, may be written with.
    around: Box<ByteSet>,
}

struct Rule {
    pattern: Arc<ValuePattern>,
    /// The place of its profile.
    profile: usize,
    /// Bytes that may be written before its fixed text, if any may.
    before: Option<Box<ByteSet>>,
}

impl Rules {
    /// Makes them ready; `place` tells the place of a profile. `None` where there are none.
    pub(super) fn of(rules: &[ValueRule], mut place: impl FnMut(&str) -> usize) -> Option<Arc<Self>> {
        if rules.is_empty() {
            return None;
        }
        let finder = Finder::of(rules.iter().map(|rule| &*rule.pattern));
        let mut around: Box<ByteSet> =
            Box::new(std::array::from_fn(|byte| escapes(byte as u8) || finder.may_hold(byte as u8)));
        let rule = |rule: &ValueRule| {
            let before = rule.pattern.before().map(|bytes| {
                around.iter_mut().zip(bytes).for_each(|(around, byte)| *around |= byte);
                Box::new(std::array::from_fn(|byte| bytes[byte] || escapes(byte as u8)))
            });
            Rule { pattern: rule.pattern.clone(), profile: place(&rule.profile), before }
        };
        let rules = rules.iter().map(rule).collect();
        Some(Arc::new(Self { rules, finder, around }))
    }

    fn pattern(&self, rule: usize) -> &ValuePattern {
        &self.rules[rule].pattern
    }

    /// The profile of a rule, as a set.
    fn bit(&self, rule: usize) -> u64 {
        1 << self.rules[rule].profile
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Values({} bytes held)", self.window.len())
    }
}

/// Whether that byte may be a part of an escape.
fn escapes(byte: u8) -> bool {
    byte == b'\\' || byte.is_ascii_alphanumeric()
}

/// The last stage of one stream.
#[derive(Clone)]
pub(super) struct Values {
    rules: Arc<Rules>,
    /// What was made and has not left.
    window: BytesMut,
    instructions: Instructions,
    strings: Strings,
    known: Known,
    /// Matches that begin before that index are found; those of escaped texts before that one.
    sought: usize,
    settled: usize,
    walks: Vec<Walk>,
    /// Those that begin further on, the first one first.
    due: VecDeque<Walk>,
    /// Where the rest of the string is hidden from, because too much in it may match, and for which profiles.
    flood: Option<(usize, u64)>,
    hidden: Stretches,
}

impl Values {
    /// Outside of any string.
    pub(super) fn new(rules: Arc<Rules>, instructions: Instructions) -> Self {
        Self {
            rules,
            window: BytesMut::new(),
            instructions,
            strings: Strings::default(),
            known: Known::default(),
            sought: 0,
            settled: 0,
            walks: Vec::new(),
            due: VecDeque::new(),
            flood: None,
            hidden: Stretches::default(),
        }
    }

    /// Takes what was made, and lets leave what is decided; `count` is told the place of a profile for each stretch of text
    /// that is hidden for it.
    pub(super) fn pass(&mut self, made: &mut Shown, shown: &mut Shown, mut count: impl FnMut(usize)) {
        loop {
            if let Some(spaces) = made.pop_spaces() {
                self.settle(shown, &mut count);
                if self.window.is_empty() {
                    shown.push_spaces(spaces);
                    continue;
                }
                made.unpop_spaces(spaces);
            }
            let Some(piece) = made.next() else { break };
            self.window.extend_from_slice(&piece);
        }
        self.settle(shown, &mut count);
    }

    /// Bytes that were made and have not left.
    pub(super) fn held(&self) -> usize {
        self.window.len()
    }

    /// Bytes of memory that it takes beside its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.window.len() + (self.walks.len() + self.due.len()) * size_of::<Walk>() + self.hidden.heap_bytes()
    }

    /// Reads everything that is there; what is decided leaves.
    fn settle(&mut self, shown: &mut Shown, count: &mut impl FnMut(usize)) {
        self.known = Known::default();
        let decided = loop {
            if !self.finds() {
                continue;
            }
            match self.strings.next(&self.window) {
                None => break self.window.len(),
                Some(text) => {
                    if text.from.is_some_and(|from| from > self.sought) {
                        self.sought = text.from.unwrap_or_default();
                    }
                    let decided = self.text(text);
                    if !text.ended {
                        break decided;
                    }
                }
            }
        };
        if decided > 0 {
            let mut first = self.window.split_to(decided);
            self.hidden.leave(&mut first, count);
            self.move_by(decided);
            shown.push(first.freeze());
        }
    }

    /// Goes on to where something may match, if nothing is open; whether that is in a string, or behind all there is.
    fn finds(&mut self) -> bool {
        if self.walks.is_empty() && self.due.is_empty() && self.flood.is_none() {
            let found = self.rules.finder.next(&self.window, self.sought, &mut self.known);
            self.strings.skip(&self.window, found, self.instructions);
            if found < self.window.len() && !self.strings.is_open() {
                self.sought = found + 1;
                return false;
            }
        }
        true
    }

    /// That many bytes left.
    fn move_by(&mut self, gone: usize) {
        self.strings.move_by(gone);
        self.known = Known::default();
        self.sought = self.sought.saturating_sub(gone);
        self.settled = self.settled.saturating_sub(gone);
        if let Some((from, _)) = &mut self.flood {
            *from -= gone;
        }
        for walk in self.walks.iter_mut().chain(&mut self.due) {
            (walk.at, walk.from, walk.since) =
                (walk.at.saturating_sub(gone), walk.from.saturating_sub(gone), walk.since.saturating_sub(gone));
        }
    }

    /// Reads on in a string; tells what of the window is decided by that.
    fn text(&mut self, text: Text) -> usize {
        let horizon = if text.ended { text.to } else { text.to.saturating_sub(VALUE_AHEAD_BYTES) };
        while self.flood.is_none() {
            let found = self.rules.finder.next(&self.window, self.sought, &mut self.known);
            let at = self.due.front().map_or(found, |walk| walk.at.min(found));
            if at >= horizon {
                break;
            }
            self.advance(text, at);
            self.merge();
            while let Some(walk) = self.due.pop_front_if(|walk| walk.at == at) {
                self.begin(walk);
            }
            if at == found {
                self.sought = at + 1;
                self.found(text, at);
            }
        }
        self.sought = self.sought.max(horizon);
        self.advance(text, horizon);
        if let Some((from, profiles)) = &mut self.flood
            && horizon > *from
        {
            self.hidden.add(*from, horizon, *profiles);
            *from = horizon;
        }
        if text.ended {
            self.ends(text);
            return text.to;
        }
        let open =
            self.walks.iter().chain(&self.due).map(|walk| walk.from).chain(self.flood.map(|(from, _)| from)).min();
        let kept = horizon.saturating_sub(VALUE_CONTEXT_BYTES).max(text.from.unwrap_or(0).min(text.to));
        kept.min(open.unwrap_or(kept))
    }

    /// Every match that is open is read up to there.
    fn advance(&mut self, text: Text, to: usize) {
        if self.walks.is_empty() {
            return;
        }
        let mut parted = Vec::new();
        let mut reading = Reading {
            rules: &self.rules,
            text: &self.window[..text.to],
            hidden: &mut self.hidden,
            parted: &mut parted,
        };
        let mut walks = std::mem::take(&mut self.walks);
        loop {
            walks.retain_mut(|walk| walk.read(to, &mut reading));
            self.walks.append(&mut walks);
            walks.append(reading.parted);
            if walks.is_empty() {
                break;
            }
        }
    }

    /// Matches that stand alike go on as one, so that there are never many.
    fn merge(&mut self) {
        if self.walks.len() > 1 {
            self.walks.sort_unstable();
            self.walks.dedup_by(|later, kept| {
                let alike = later.is_like(kept);
                if alike {
                    (kept.from, kept.since) = (kept.from.min(later.from), kept.since.max(later.since));
                }
                alike
            });
        }
    }

    /// The string ended, and every open match was read up to its end.
    fn ends(&mut self, text: Text) {
        (self.flood, self.settled) = (None, 0);
        if self.walks.is_empty() {
            return;
        }
        let mut reading = Reading {
            rules: &self.rules,
            text: &self.window[..text.to],
            hidden: &mut self.hidden,
            parted: &mut Vec::new(),
        };
        self.walks.drain(..).for_each(|mut walk| walk.end(&mut reading));
    }

    /// Something may match there.
    fn found(&mut self, text: Text, at: usize) {
        if at < self.settled {
            return;
        }
        let rules = self.rules.clone();
        let window = &self.window[..text.to];
        let literal = rules.finder.rules(&window[at..]);
        let mut begun = Vec::new();
        let mut escaped = rules.finder.is_escape(&window[at..]);
        for rule in literal {
            match plain(&rules.rules[rule], window, text, at) {
                Plain::Escaped => escaped = true,
                Plain::Begins(from) => begun.push((rule, from)),
                Plain::Nothing => {}
            }
        }
        if escaped {
            self.decoded(text, at);
        } else {
            let behind = text.byte_before(window, at);
            for (rule, from) in begun {
                let state = rules.pattern(rule).start(behind);
                self.begin(Walk { rule, state, at, levels: (1, LEVELS), from, since: at });
            }
        }
    }

    /// The same where escapes stand around: every fixed text near it is looked for, at every level.
    fn decoded(&mut self, text: Text, at: usize) {
        let rules = self.rules.clone();
        let known = text.to.min(at + VALUE_AHEAD_BYTES);
        let settles = if text.ended && known == text.to { known } else { at + VALUE_AHEAD_BYTES / 2 };
        let from = run(&rules.around, &self.window, text, at);
        let found = Decoded::all(&self.window[..known], text, from);
        let mut due = Vec::new();
        for (level, decoded) in found.iter().enumerate() {
            let last = if level + 1 == found.len() { LEVELS } else { level + 1 };
            for place in 0..decoded.places.len() {
                let index = decoded.places[place];
                if index >= settles || index < self.settled {
                    continue;
                }
                let bytes = &decoded.bytes[decoded.before..];
                for rule in rules.finder.rules(&bytes[place..]) {
                    let pattern = rules.pattern(rule);
                    let Some(begins) = pattern.begins(&decoded.bytes, decoded.before, decoded.before + place) else {
                        continue;
                    };
                    let behind = (decoded.before + place).checked_sub(1).map(|behind| decoded.bytes[behind]);
                    let begins = whole(&self.window, text, decoded.places[begins - decoded.before]);
                    let (state, levels) = (pattern.start(behind), (level + 1, last));
                    due.push(Walk { rule, state, at: index, levels, from: begins, since: index });
                }
            }
        }
        // Some may begin before what is read: they are behind at once, and read on from there.
        due.sort_unstable_by_key(|walk| (walk.at, *walk));
        due.dedup();
        let (now, later) = due.split_at(due.partition_point(|walk| walk.at <= at));
        now.iter().for_each(|walk| self.begin(*walk));
        self.due.extend(later);
        (self.sought, self.settled) = (settles.max(self.sought), settles);
    }

    /// One more match may come about.
    fn begin(&mut self, walk: Walk) {
        if self.flood.is_some() {
            return;
        }
        self.walks.push(walk);
        if self.walks.len() > VALUE_WALKS_MAX {
            let from = self.walks.iter().chain(&self.due).map(|walk| walk.from).min().unwrap_or(walk.from);
            let profiles = self.walks.iter().fold(0, |all, walk| all | self.rules.bit(walk.rule));
            self.walks.clear();
            self.due.clear();
            self.flood = Some((from, profiles));
        }
    }
}
