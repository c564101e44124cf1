//! The machine that reads JSON 64 bytes at a time, and tells what its listener waits for: as the
//! [`Grammar`] does, but only that, and several times as fast.
//!
//! A block is read as a whole ([`block`]) before anything of it is told. Where one is not surely right, the grammar reads
//! it byte by byte from the same state ([`carry`]): it finds the fault, or that there is none. So the grammar alone says
//! what JSON is, and every verdict is its own; the machine has only to be right where it has no doubt, on any tier.

mod block;
mod carry;
mod portable;
mod scalars;
mod tier;
mod visit;

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::filter::Filter;
use super::grammar::{Attention, Broken, Events, Grammar, Kind, Name, State};
use super::text::Text;
use block::{Block, Found, Wanted, escapes};
use carry::Carry;
use portable::Portable;
use tier::{BLOCK, LEAD, Tier, Window};
use visit::lines_end;

/// What the listener wants to be told of sound JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// Members' names that pass the filter, the ends of records, and what it pays attention to.
    Names(Filter),
    /// Every bracket, too.
    Brackets(Filter),
    /// Everything, as the grammar tells it.
    Tokens,
}

/// Which instructions blocks are read with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    Portable,
    /// None: the grammar reads everything. The reference.
    #[cfg(any(test, fuzzing))]
    Bytes,
}

/// Bytes of which [`Instructions::escaping`] tells at once.
pub(super) const ESCAPING: usize = BLOCK;

impl Instructions {
    /// The best that this machine has.
    pub(super) fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(tier) = avx2::Avx2::detected() {
            return Instructions::Avx2(tier);
        }
        Instructions::Portable
    }

    /// Which of these bytes of a string's text, of which the first one is not escaped, are backslashes that escape.
    #[inline]
    pub(super) fn escaping(self, text: &[u8; ESCAPING]) -> u64 {
        let backslash = match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(tier) => tier.backslashes(text),
            Instructions::Portable => Portable.backslashes(text),
            #[cfg(any(test, fuzzing))]
            Instructions::Bytes => Portable.backslashes(text),
        };
        if backslash == 0 { 0 } else { escapes(backslash, 0).1 }
    }

    /// Of such bytes the quotes that are not escaped, and the backslashes that escape.
    #[inline]
    pub(super) fn quotes(self, text: &[u8; ESCAPING]) -> (u64, u64) {
        let (quote, backslash) = match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(tier) => tier.quotes(text),
            Instructions::Portable => Portable.quotes(text),
            #[cfg(test)]
            Instructions::Bytes => Portable.quotes(text),
        };
        let escaping = if backslash == 0 { 0 } else { escapes(backslash, 0).1 };
        (quote & !(escaping << 1), escaping)
    }
}

/// Most bytes that the grammar reads at a stretch after a doubt; after one doubt it reads a block.
const STRETCH_MAX: u64 = 4096;

/// What stands before a record, as far as it counts.
const LINE_END: [u8; LEAD] = [b'\n'; LEAD];

/// Reads JSON in any pieces. State is constant in size, but for the name that is read.
pub(super) struct Machine {
    instructions: Instructions,
    lines: bool,
    /// Whether `carry` or `grammar` says where reading stands.
    pace: Pace,
    carry: Carry,
    grammar: Grammar,
    name: Name,
    /// The last bytes that were read.
    lead: [u8; LEAD],
    /// Bytes that the grammar is to read after the next doubt, and the offset up to which it read after the last one.
    stretch: u64,
    judged: u64,
}

/// Where reading stands outside of names, on any tier: in the grammar's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    state: State,
    text: Text,
    /// Open brackets, 1 for an object, the outermost lowest; and how many.
    open: Box<[u64]>,
    depth: u32,
    lead: [u8; LEAD],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Blocks,
    /// The grammar reads up to that offset at least, and until blocks can go on.
    Bytes(u64),
}

impl Machine {
    /// Before the first byte of a document, or of a record if `lines`.
    pub(super) fn new(lines: bool) -> Self {
        Self::with(Instructions::detected(), lines)
    }

    /// The same, with these instructions.
    pub(super) fn with(instructions: Instructions, lines: bool) -> Self {
        let mut machine = Self {
            instructions,
            lines,
            pace: Pace::Bytes(0),
            carry: Carry::at_line(),
            grammar: Grammar::new(lines),
            name: Name::default(),
            lead: LINE_END,
            stretch: BLOCK as u64,
            judged: 0,
        };
        machine.restart();
        machine
    }

    /// The same for documents that follow each other. Between them the grammar reads.
    pub(super) fn several(mut self) -> Self {
        self.grammar = self.grammar.several();
        self.restart();
        self
    }

    /// The same for texts within strings, see [`Grammar::lenient`]. What JSON has no number of is a doubt, and the grammar's.
    pub(super) fn lenient(mut self) -> Self {
        self.grammar = self.grammar.lenient();
        self
    }

    /// Forgets everything: the next byte begins a record. What a chunk before may have left open, a character, counts no
    /// more.
    pub(super) fn restart(&mut self) {
        self.grammar.restart();
        self.lead = LINE_END;
        self.carry = Carry::at_line();
        self.pace = if self.grammar.reads_several() { Pace::Bytes(0) } else { Pace::Blocks };
        #[cfg(any(test, fuzzing))]
        if matches!(self.instructions, Instructions::Bytes) {
            self.pace = Pace::Bytes(u64::MAX);
        }
    }

    /// The same for a document right behind another one, at that offset: its first bytes are the grammar's, so that many short
    /// ones cost no block each.
    pub(super) fn follow(&mut self, here: u64) {
        self.restart();
        self.pace = Pace::Bytes(here + BLOCK as u64);
    }

    /// Reads the chunk from `at` on, behind what was read before. Its first byte has that offset.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does, or what the listener refuses. Then only [`Machine::restart`] is of
    /// use.
    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        offset: u64,
        sight: &Sight,
        events: &mut impl Events,
    ) -> Result<(), Broken> {
        let start = at;
        while at < chunk.len() {
            at = match self.pace {
                Pace::Blocks => match self.blocks(chunk, start, at, offset, sight, events)? {
                    Ran::Through => chunk.len(),
                    Ran::Doubt(doubt) => {
                        self.doubt(chunk, start, doubt, offset, events);
                        doubt
                    }
                },
                Pace::Bytes(until) => {
                    let most = usize::try_from(until.saturating_sub(offset)).unwrap_or(usize::MAX);
                    let until = most.clamp(at + 1, chunk.len());
                    self.grammar.feed(&chunk[..until], at, offset, &mut self.name, events)?;
                    self.go_on(offset + until as u64);
                    until
                }
            };
        }
        let in_name = match self.pace {
            Pace::Blocks => self.carry.name == 1,
            Pace::Bytes(_) => self.grammar.state == State::InName,
        };
        if in_name {
            self.name.goes_on(chunk);
        }
        self.lead = lead(self.lead, &chunk[start..], chunk.len() - start);
        Ok(())
    }

    /// Where reading stands; `None` within a name.
    ///
    /// Every field stands here, so that one that is new cannot be left out.
    pub(super) fn standing(&self) -> Option<Standing> {
        let Self { instructions: _, lines, pace, carry, grammar, name: _, lead, stretch: _, judged: _ } = self;
        let told = match pace {
            Pace::Bytes(_) => grammar.clone(),
            Pace::Blocks => {
                let mut told = Grammar::new(*lines);
                carry.tell(*lead, &mut told);
                told
            }
        };
        let bits = |objects: &[bool]| (0..).zip(objects).fold(0, |bits, (at, object)| bits | u64::from(*object) << at);
        (told.state != State::InName).then(|| Standing {
            state: told.state,
            open: told.open.chunks(64).map(bits).collect(),
            depth: told.open.len() as u32,
            text: told.text,
            lead: *lead,
        })
    }

    /// The same, where that stood.
    pub(super) fn resumed(mut self, standing: &Standing) -> Self {
        let Standing { state, text, open, depth, lead } = standing;
        self.grammar.state = *state;
        self.grammar.text = text.clone();
        self.grammar.open = (0..*depth as usize).map(|at| open[at / 64] >> (at % 64) & 1 == 1).collect();
        self.lead = *lead;
        // The grammar reads, and until blocks can go on.
        self.pace = match self.pace {
            Pace::Bytes(until) => Pace::Bytes(until),
            Pace::Blocks => Pace::Bytes(0),
        };
        self
    }

    /// Tells the end of a word that ended just before that index, which is known without what comes behind it.
    pub(super) fn end_word(&mut self, at: usize, events: &mut impl Events) {
        if self.pace == Pace::Blocks
            && events.attention() == Attention::Scalar
            && !matches!(self.carry.state(), State::InNumber(_) | State::InWord(..))
        {
            events.end(at, Kind::Scalar);
        }
    }

    /// The end of all bytes: refuses what is open.
    pub(super) fn finish(&mut self, events: &mut impl Events) -> Result<(), Broken> {
        self.hand_over(self.lead, 0, events);
        self.grammar.finish(events)
    }

    /// Whether a member was begun in the document, with its name and colon.
    pub(super) fn has_members(&self) -> bool {
        match self.pace {
            Pace::Blocks => self.carry.members != 0,
            Pace::Bytes(_) => self.grammar.members,
        }
    }

    /// Whether reading stands within a string, or a member's name.
    pub(super) fn is_within_text(&self) -> bool {
        match self.pace {
            Pace::Blocks => self.carry.string != 0,
            Pace::Bytes(_) => matches!(self.grammar.state, State::InString | State::InName),
        }
    }

    /// The same, but not within a string that is all of its document.
    pub(super) fn is_within_text_of_brackets(&self) -> bool {
        let open = match self.pace {
            Pace::Blocks => self.carry.brackets > 1,
            Pace::Bytes(_) => !self.grammar.open.is_empty(),
        };
        open && self.is_within_text()
    }

    /// Whether a document was read to its end, before the byte that was refused.
    pub(super) fn is_whole(&self) -> bool {
        self.grammar.is_whole()
    }

    /// Whether nothing but white space was seen, at the end.
    pub(super) fn is_blank(&self) -> bool {
        self.grammar.is_blank()
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        size_of::<Self>() + self.grammar.footprint() + self.name.footprint()
    }

    fn blocks(
        &mut self,
        chunk: &[u8],
        start: usize,
        at: usize,
        offset: u64,
        sight: &Sight,
        events: &mut impl Events,
    ) -> Result<Ran, Broken> {
        let nothing = Filter::default();
        let filter = match sight {
            Sight::Names(filter) | Sight::Brackets(filter) => filter,
            Sight::Tokens => &nothing,
        };
        let texts = events.watches_texts();
        let wanted = Wanted { lines: if self.lines { !0 } else { 0 }, filter, texts };
        let mut blocks =
            Blocks { carry: &mut self.carry, name: &mut self.name, lead: self.lead, start, offset, wanted, sight };
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(tier) => tier.run(&mut blocks, chunk, at, events),
            Instructions::Portable => blocks.run(Portable, chunk, at, events),
            #[cfg(any(test, fuzzing))]
            Instructions::Bytes => Ok(Ran::Doubt(at)),
        }
    }

    /// The grammar reads on from that index, further each time that this did not help.
    fn doubt(&mut self, chunk: &[u8], start: usize, at: usize, offset: u64, events: &mut impl Events) {
        self.hand_over(lead(self.lead, &chunk[start..], at - start), at, events);
        let here = offset + at as u64;
        self.stretch = if here == self.judged { (2 * self.stretch).min(STRETCH_MAX) } else { BLOCK as u64 };
        self.pace = Pace::Bytes(here + self.stretch);
    }

    /// Puts the grammar where the blocks stand, before that index.
    fn hand_over(&mut self, lead: [u8; LEAD], at: usize, events: &mut impl Events) {
        if self.pace != Pace::Blocks {
            return;
        }
        self.carry.tell(lead, &mut self.grammar);
        // That a word has ended the grammar knows at its last byte, the blocks at the next one.
        self.end_word(at, events);
    }

    /// The grammar has read up to that offset: blocks go on, if they can.
    fn go_on(&mut self, here: u64) {
        let Pace::Bytes(until) = self.pace else { return };
        if here < until {
            return;
        }
        let name_bytes = here.saturating_sub(self.name.open + 1);
        if let Some(carry) = Carry::of(&self.grammar, name_bytes) {
            self.carry = carry;
            self.pace = Pace::Blocks;
            self.judged = here;
        }
    }
}

impl Standing {
    /// Bytes that it takes beside its own.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.open)
    }
}

/// The last bytes before that index of the chunk, behind those before it.
fn lead(before: [u8; LEAD], chunk: &[u8], at: usize) -> [u8; LEAD] {
    let mut all = [0; 2 * LEAD];
    let from = at.saturating_sub(LEAD);
    all[..LEAD].copy_from_slice(&before);
    all[LEAD..][..at - from].copy_from_slice(&chunk[from..at]);
    *all[at - from..].first_chunk().expect("twice its length, and at most once it was left out")
}

/// How far blocks were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// To the end of the chunk.
    Through,
    /// Up to that index, where a block is not surely right.
    Doubt(usize),
}

/// Blocks of one chunk, read one after the other.
struct Blocks<'a> {
    carry: &'a mut Carry,
    name: &'a mut Name,
    /// The last bytes that were read before the chunk's byte at `start`.
    lead: [u8; LEAD],
    start: usize,
    /// Offset of the chunk's first byte.
    offset: u64,
    wanted: Wanted<'a>,
    sight: &'a Sight,
}

impl Blocks<'_> {
    #[inline(always)]
    fn run<T: Tier, E: Events>(&mut self, tier: T, chunk: &[u8], mut at: usize, events: &mut E) -> Result<Ran, Broken> {
        // Its own, so that it can be kept in registers.
        let mut carry = *self.carry;
        let mut copied: Window = [0; LEAD + BLOCK];
        let mut quiet = self.is_quiet(events);
        while at < chunk.len() {
            let window = at.checked_sub(LEAD).and_then(|from| chunk[from..].first_chunk::<{ LEAD + BLOCK }>());
            let window = window.unwrap_or_else(|| {
                // At the chunk's start or end it is copied together.
                copied = copy(lead(self.lead, &chunk[self.start..], at - self.start), chunk, at);
                &copied
            });
            let len = (chunk.len() - at).min(BLOCK);
            let (found, valid) = if len == BLOCK {
                let block = Block::<T, true>::new(tier, window, BLOCK as u32, &chunk[at + BLOCK..]);
                (block.read(&mut carry, self.wanted), !0)
            } else {
                let block = Block::<T, false>::new(tier, window, len as u32, &[]);
                (block.read(&mut carry, self.wanted), block.valid())
            };
            let Some(found) = found else {
                *self.carry = carry;
                return Ok(Ran::Doubt(at));
            };
            let marks = found.candidates | found.texts;
            if !quiet || marks != 0 {
                self.tell(&found, valid, chunk, at, events)?;
                quiet = self.is_quiet(events);
            } else if found.newlines != 0 {
                lines_end(&found, at, events);
            }
            if carry.is_plain_text() && found.closing | found.opening == 0 {
                // All of the block was: so may the next ones be, of which there is nothing to say.
                let ahead = chunk[at + len..].as_chunks::<BLOCK>().0;
                let plain = ahead.iter().take_while(|bytes| tier.is_plain(bytes)).count();
                at += plain * BLOCK;
            }
            if carry.name == 1 && found.name_opening != 0 {
                let last = at + 63 - found.name_opening.leading_zeros() as usize;
                self.name.begins(self.offset + last as u64, last);
            }
            at += len;
        }
        *self.carry = carry;
        Ok(Ran::Through)
    }
}

/// The block at that index, or what there is of it, behind its lead.
fn copy(lead: [u8; LEAD], chunk: &[u8], at: usize) -> Window {
    let mut window = [0; LEAD + BLOCK];
    let len = (chunk.len() - at).min(BLOCK);
    window[..LEAD].copy_from_slice(&lead);
    window[LEAD..][..len].copy_from_slice(&chunk[at..at + len]);
    window
}

#[cfg(test)]
pub(in crate::redact) mod tests;
