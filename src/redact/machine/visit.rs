//! What a block holds, told in its order to who listens: of what was found only what the listener waits for is visited.

use super::super::grammar::{Attention, Broken, Events, Kind, Roots};
use super::{Blocks, Found, Sight};

impl Blocks<'_> {
    /// Whether a block of which no name and no text is to be told has nothing to tell but the ends of its lines.
    #[inline(always)]
    pub(super) fn is_quiet<E: Events>(&self, events: &E) -> bool {
        matches!(self.sight, Sight::Names(_)) && events.attention() == Attention::Names && events.roots() == Roots::Owed
    }

    /// Tells what was found in the block at that index of the chunk, of which the bytes of `valid` are there.
    #[inline(always)]
    pub(super) fn tell<E: Events>(
        &mut self,
        found: &Found,
        valid: u64,
        chunk: &[u8],
        at: usize,
        events: &mut E,
    ) -> Result<(), Broken> {
        let marks = found.candidates | found.newlines | found.texts;
        let watched = match self.sight {
            Sight::Tokens => return self.tokens(&Told { found: *found, valid, chunk, at }, events),
            Sight::Names(_) if events.roots() == Roots::All => marks | found.roots,
            Sight::Names(_) => marks | found.roots & found.close,
            Sight::Brackets(_) => marks | found.open | found.close,
        };
        let due = match events.attention() {
            Attention::Names => watched,
            Attention::String => found.closing,
            Attention::Value | Attention::Scalar | Attention::Brackets => !0,
        };
        if due != 0 {
            self.watched(&Told { found: *found, valid, chunk, at }, watched, events)?;
        }
        Ok(())
    }

    /// Tells what is watched, and what the listener waits for in between.
    #[inline(never)]
    fn watched<E: Events>(&mut self, told: &Told<'_>, watched: u64, events: &mut E) -> Result<(), Broken> {
        let found = &told.found;
        let brackets = found.open | found.close;
        let mut rest = told.valid;
        loop {
            let attention = events.attention();
            let due = rest
                & match attention {
                    Attention::Names => watched,
                    Attention::Value => found.values,
                    Attention::String => found.closing,
                    Attention::Scalar => !found.scalar,
                    Attention::Brackets => brackets,
                };
            if due == 0 {
                return Ok(());
            }
            let place = due.trailing_zeros();
            let (bit, at) = (1_u64 << place, told.at + place as usize);
            rest &= !1 << place;
            match attention {
                Attention::Value => events.begin(at, told.kind(at))?,
                Attention::String => events.end(at + 1, Kind::String),
                Attention::Scalar => {
                    events.end(at, Kind::Scalar);
                    // The byte behind it is still to be told.
                    rest |= bit;
                }
                Attention::Names | Attention::Brackets if brackets & bit != 0 => told.bracket(bit, at, events)?,
                Attention::Names | Attention::Brackets if found.newlines & bit != 0 => {
                    events.lines_end(at, u64::from(found.blank_lines & bit == 0));
                }
                Attention::Names | Attention::Brackets if found.opening & bit != 0 => events.begin(at, Kind::String)?,
                Attention::Names | Attention::Brackets => self.name(told, bit, at, events),
            }
        }
    }

    /// Tells everything.
    #[inline(never)]
    fn tokens<E: Events>(&mut self, told: &Told<'_>, events: &mut E) -> Result<(), Broken> {
        let found = &told.found;
        let brackets = found.open | found.close;
        let strings = found.opening | found.closing;
        let all = strings | brackets | found.commas | found.starts | found.ends | found.newlines;
        // Of a value that is not looked into only brackets count.
        let wanted = |events: &E| if events.attention() == Attention::Brackets { brackets } else { all };
        let mut due = wanted(events);
        while due != 0 {
            let place = due.trailing_zeros();
            let (bit, at) = (1_u64 << place, told.at + place as usize);
            due &= due - 1;
            let is = |bits: u64| bits & bit != 0;
            if is(found.ends) {
                events.end(at, Kind::Scalar);
            }
            if is(found.name_opening) {
                events.name_begins(at)?;
            } else if is(found.names) {
                self.name(told, bit, at, events);
            } else if is(found.closing) {
                events.end(at + 1, Kind::String);
            } else if is(found.opening | found.starts) {
                events.begin(at, told.kind(at))?;
            } else if is(brackets) {
                told.bracket(bit, at, events)?;
                due = wanted(events) & !1 << place;
            } else if is(found.commas) {
                events.comma(at);
            } else if is(found.newlines) {
                events.lines_end(at, u64::from(!is(found.blank_lines)));
            }
        }
        Ok(())
    }

    /// Tells the name whose closing quote stands there.
    fn name<E: Events>(&mut self, told: &Told<'_>, bit: u64, at: usize, events: &mut E) {
        let opening = told.found.name_opening & (bit - 1);
        if opening == 0 {
            events.name(self.name.closes(told.chunk, at));
        } else {
            let from = told.at + 64 - opening.leading_zeros() as usize;
            events.name(&told.chunk[from..at]);
        }
    }
}

/// Tells the ends of lines of the block at that index, in which nothing else is to be told.
#[inline(always)]
pub(super) fn lines_end<E: Events>(found: &Found, at: usize, events: &mut E) {
    let last = at + 63 - found.newlines.leading_zeros() as usize;
    events.lines_end(last, u64::from((found.newlines & !found.blank_lines).count_ones()));
}

/// A block of which is told.
struct Told<'a> {
    found: Found,
    valid: u64,
    chunk: &'a [u8],
    /// Index of its first byte in the chunk.
    at: usize,
}

impl Told<'_> {
    fn kind(&self, at: usize) -> Kind {
        match self.chunk[at] {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            _ => Kind::Scalar,
        }
    }

    fn bracket<E: Events>(&self, bit: u64, at: usize, events: &mut E) -> Result<(), Broken> {
        let kind = if self.found.curly & bit != 0 { Kind::Object } else { Kind::Array };
        if self.found.open & bit != 0 {
            return events.begin(at, kind);
        }
        events.end(at + 1, kind);
        if self.found.roots & bit != 0 {
            events.root_ends(at + 1);
        }
        Ok(())
    }
}
