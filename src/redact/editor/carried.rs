//! What an editor carries from one byte of an object to the next, kept apart from it: for [checkpoints](super::super::checkpoint).

use super::super::grammar::Kind;
use super::super::output::Output;
use super::{Editor, Hidden, Level, Of, With};

/// What an editor carries from one byte to the next where it holds nothing back: enough to go on from there.
#[derive(Debug, Clone)]
pub(in crate::redact) struct Carried {
    /// For each open bracket, outermost first, what is known of it and its positions: numbers in LEB128, most of them one
    /// byte.
    levels: Box<[u8]>,
    hidden: Option<Box<Hidden>>,
    unplaced: bool,
    slack: u64,
}

impl Editor {
    /// What is to be carried on behind the chunk, if little is: nothing that waits to leave, no name whose value comes, no
    /// scalar that is hidden, no string that is read as JSON, and nothing that is hashed. Of the record's fields that were counted it says nothing.
    ///
    /// Every field stands here, so that one that is new cannot be left out.
    pub(in crate::redact) fn carried(&self) -> Option<Carried> {
        let Self {
            plan: _,
            length: _,
            chunk: _,
            offset: _,
            passing: _,
            output,
            levels,
            positions,
            texts,
            next,
            verdict,
            named,
            decoded: _,
            hidden,
            undecided,
            renaming,
            unplaced,
            slack,
            fields: _,
            any_fields: _,
            cuts: _,
        } = self;
        let between = *texts == 0
            && verdict.is_none()
            && !named
            && undecided.is_none()
            && renaming.is_none()
            && output.has_left();
        if !between || hidden.as_ref().is_some_and(|hidden| !hidden.is_small()) {
            return None;
        }
        let mut packed = Vec::with_capacity(2 * levels.len());
        for (level, positions) in levels.iter().zip(positions.chunks(next.len().max(1))) {
            push(&mut packed, level.packed());
            push(&mut packed, u64::from(level.letters));
            positions.iter().for_each(|word| push(&mut packed, *word));
        }
        let (levels, hidden) = (packed.into(), hidden.clone().map(Box::new));
        Some(Carried { levels, hidden, unplaced: *unplaced, slack: *slack })
    }

    /// The same, at that offset of the object and place of the output, with what was carried there.
    pub(in crate::redact) fn resumed(mut self, offset: u64, place: u64, carried: &Carried) -> Self {
        let Carried { levels, hidden, unplaced, slack } = carried;
        (self.offset, self.output) = (offset, Output::behind(place));
        let mut rest = &**levels;
        while !rest.is_empty() {
            self.levels.push(Level::unpacked(take(&mut rest), take(&mut rest)));
            self.positions.extend((0..self.next.len()).map(|_| take(&mut rest)));
        }
        let passes = hidden.as_ref().is_none_or(|hidden| matches!(hidden.with, With::Itself));
        self.passing = passes.then_some(0);
        self.hidden = hidden.as_deref().cloned();
        (self.unplaced, self.slack) = (*unplaced, *slack);
        self
    }
}

impl Carried {
    /// Bytes that it takes beside its own.
    pub(in crate::redact) fn heap_bytes(&self) -> usize {
        self.levels.len() + self.hidden.as_ref().map_or(0, |_| size_of::<Hidden>())
    }
}

impl Level {
    fn packed(self) -> u64 {
        let object = match self.of {
            Of::Object => 1,
            // Of texts none is carried.
            Of::Array | Of::Text => 0,
        };
        self.elements << 2 | u64::from(self.kept) << 1 | object
    }

    fn unpacked(bits: u64, letters: u64) -> Self {
        let of = if bits & 1 == 1 { Of::Object } else { Of::Array };
        Self { of, kept: bits & 2 == 2, elements: bits >> 2, letters: letters as u32 }
    }
}

impl Hidden {
    /// Whether all of it is said in a few bytes, none of them made of the value.
    fn is_small(&self) -> bool {
        let of_value = matches!(self.with, With::Pseudonym(_) | With::Partial(_));
        !of_value && !self.due && self.kind != Kind::Scalar
    }
}

/// The number in groups of seven bits, the lowest first; a set top bit says that more follow.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    number
}
