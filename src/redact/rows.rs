//! Which records are shown: beside the editor, a judge follows the members that a view's `rows` ask for.
//!
//! A test holds for a record if it holds whichever of the members of one name a reader takes, since readers differ: so one
//! occurrence that does not fit, and one object on the way that lacks the next member, fail it for good. The judge speaks
//! early where it can, and at the end of the hold whatever is known then: what is not decided there is not shown.

use std::sync::Arc;

use super::filter::Anchor;
use super::grammar::{Attention, Kind};
use super::reading::decoded;
use super::text::Text;
use crate::limits;
use crate::policy::rows::{Fits, RowFilter, RowTest, Scalar};

/// The members that are tested, as a tree over their paths.
#[derive(Debug)]
pub(super) struct RowPaths {
    filter: RowFilter,
    /// The first one is the record itself.
    nodes: Vec<Node>,
}

/// A member that is tested, or leads to some.
#[derive(Debug, Default)]
struct Node {
    /// The members within it, by name.
    members: Vec<(Box<[u8]>, usize)>,
    /// The tests of its own value, and those of what lies below.
    own: u64,
    below: u64,
    /// Bytes of a string there that are looked at.
    room: usize,
}

const RECORD: usize = 0;

impl RowPaths {
    pub(super) fn of(filter: &RowFilter) -> Self {
        let mut paths = Self { filter: filter.clone(), nodes: vec![Node::default()] };
        for (at, RowTest { path, fits }) in filter.tests().iter().enumerate() {
            let mut node = RECORD;
            for name in path {
                paths.nodes[node].below |= 1 << at;
                node = paths.member_or_new(node, name.as_bytes());
            }
            let node = &mut paths.nodes[node];
            node.own |= 1 << at;
            node.room = node.room.max(fits.looks_at());
        }
        paths
    }

    /// Where the names that matter show.
    pub(super) fn anchors(&self) -> impl Iterator<Item = Anchor> {
        self.nodes.iter().flat_map(|node| &node.members).map(|(name, _)| Anchor::of_name(name))
    }

    fn member(&self, node: usize, name: &[u8]) -> Option<usize> {
        self.nodes[node].members.iter().position(|(known, _)| **known == *name)
    }

    fn member_or_new(&mut self, node: usize, name: &[u8]) -> usize {
        if let Some(at) = self.member(node, name) {
            return self.nodes[node].members[at].1;
        }
        self.nodes.push(Node::default());
        let new = self.nodes.len() - 1;
        self.nodes[node].members.push((name.into(), new));
        new
    }

    /// Which of the tests of that member's own value fit, given a way to ask one.
    fn fitting(&self, node: usize, fits: impl Fn(&Fits) -> bool) -> u64 {
        let own = self.filter.tests().iter().enumerate().filter(|(at, _)| self.nodes[node].own & (1 << at) != 0);
        own.filter(|(_, test)| fits(&test.fits)).fold(0, |all, (at, _)| all | 1 << at)
    }
}

/// What is to be done about the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Ruling {
    /// Nothing.
    GoOn,
    /// It is not shown; so many of its brackets are open.
    Withhold { open: u32 },
    /// It was shown beyond the hold, and should not have been.
    Cut,
}

/// Judges one record after the other.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    paths: Arc<RowPaths>,
    state: State,
    /// Brackets open in the record.
    open: u32,
    /// The objects on the way to what is tested.
    way: Vec<Step>,
    /// The member whose name was told, and whose value comes next.
    named: Option<usize>,
    reading: Option<Reading>,
    /// What is read of a scalar, and a name without its escapes.
    bytes: Vec<u8>,
    name: Vec<u8>,
    /// Tests that held for some occurrence, and those that failed for one.
    held: u64,
    failed: u64,
    news: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of a record that is judged.
    Outside,
    Undecided,
    /// Shown, as far as it is known beyond the hold.
    Shown,
    Withheld,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    node: usize,
    /// Brackets open just within it.
    open: u32,
    /// Its members that were seen, by their place.
    seen: u64,
}

/// A scalar that is tested.
#[derive(Debug, Clone)]
struct Reading {
    node: usize,
    kind: Kind,
    text: Text,
    /// Index of its first byte that was not read.
    from: usize,
}

impl Judge {
    pub(super) fn new(paths: Arc<RowPaths>) -> Self {
        Self {
            paths,
            state: State::Outside,
            open: 0,
            way: Vec::new(),
            named: None,
            reading: None,
            bytes: Vec::new(),
            name: Vec::new(),
            held: 0,
            failed: 0,
            news: false,
        }
    }

    /// Whether no record is judged.
    pub(super) fn is_outside(&self) -> bool {
        self.state == State::Outside
    }

    /// Whether the record is not shown.
    pub(super) fn withholds(&self) -> bool {
        self.state == State::Withheld
    }

    /// A record begins with the next value.
    pub(super) fn record_begins(&mut self) {
        self.restart();
        self.state = State::Undecided;
    }

    /// Forgets everything of the record.
    pub(super) fn restart(&mut self) {
        self.way.clear();
        (self.state, self.open, self.named, self.reading) = (State::Outside, 0, None, None);
        (self.held, self.failed, self.news) = (0, 0, false);
    }

    /// The hold has ended: what is not known to be shown now is not.
    pub(super) fn hold_ends(&mut self) -> Ruling {
        self.decide(self.open)
    }

    /// A value begins at that index.
    pub(super) fn begin(&mut self, at: usize, kind: Kind) -> Ruling {
        if !self.is_on() {
            return Ruling::GoOn;
        }
        let open = self.open;
        self.open += u32::from(matches!(kind, Kind::Object | Kind::Array));
        let node = if open == 0 { Some(RECORD) } else { self.named.take() };
        let Some(node) = node else { return Ruling::GoOn };
        let Node { own, below, .. } = self.paths.nodes[node];
        match kind {
            Kind::Object => {
                self.fail(own);
                if below != 0 {
                    self.way.push(Step { node, open: self.open, seen: 0 });
                }
            }
            Kind::Array => self.fail(own | below),
            Kind::String | Kind::Scalar => {
                self.fail(below);
                if own != 0 {
                    self.bytes.clear();
                    let from = at + usize::from(kind == Kind::String);
                    self.reading = Some(Reading { node, kind, text: Text::default(), from });
                }
            }
        }
        self.rule(open)
    }

    /// A member's name, as it is written.
    pub(super) fn name(&mut self, written: &[u8]) {
        if !self.is_on() {
            return;
        }
        let Some(step) = self.way.last_mut().filter(|step| step.open == self.open) else { return };
        let member = self.paths.member(step.node, decoded(written, &mut self.name));
        if let Some(at) = member {
            step.seen |= 1 << at;
            self.named = Some(self.paths.nodes[step.node].members[at].1);
        }
    }

    /// The innermost value ended before that index of the chunk.
    pub(super) fn end(&mut self, chunk: &[u8], at: usize, kind: Kind) -> Ruling {
        if !self.is_on() {
            return Ruling::GoOn;
        }
        let open = self.open;
        if matches!(kind, Kind::Object | Kind::Array) {
            if let Some(step) = self.way.pop_if(|step| step.open == open) {
                self.leave(step);
            }
            self.open -= 1;
        } else if let Some(mut reading) = self.reading.take() {
            self.read(&mut reading, &chunk[..at]);
            self.compare(&reading);
        }
        let ruling = self.rule(open);
        // All members were seen, or missed: what is not known to hold by now does not.
        if self.open == 0 && ruling == Ruling::GoOn { self.decide(open) } else { ruling }
    }

    /// The chunk ends, and another one may follow.
    pub(super) fn chunk_ends(&mut self, chunk: &[u8]) {
        if let Some(mut reading) = self.reading.take() {
            self.read(&mut reading, chunk);
            self.reading = Some(reading);
        }
    }

    /// The next chunk begins, of which that much was read.
    pub(super) fn chunk_begins(&mut self, again: usize) {
        if let Some(reading) = &mut self.reading {
            reading.from = again;
        }
    }

    /// What has to be told, where the editor waits for `other`.
    pub(super) fn attention(&self, other: Attention) -> Attention {
        if !self.is_on() {
            return other;
        }
        match (&self.reading, self.named, other) {
            (Some(Reading { kind: Kind::String, .. }), _, _) => Attention::String,
            (Some(_), _, _) => Attention::Scalar,
            (None, Some(_), _) => Attention::Value,
            // Within what the editor hides names are wanted here all the same.
            (None, None, Attention::Brackets) => Attention::Names,
            (None, None, other) => other,
        }
    }

    /// Bytes that are kept between chunks.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        self.way.capacity() * size_of::<Step>() + self.bytes.capacity() + self.name.capacity()
    }

    fn is_on(&self) -> bool {
        matches!(self.state, State::Undecided | State::Shown)
    }

    fn holds(&self) -> bool {
        self.paths.filter.holds(self.held & !self.failed)
    }

    fn fail(&mut self, tests: u64) {
        self.news |= tests & !self.failed != 0;
        self.failed |= tests;
    }

    /// An object on the way ends: what it lacks is missing.
    fn leave(&mut self, step: Step) {
        let missing = |(at, (_, member)): (usize, &(Box<[u8]>, usize))| {
            let node = &self.paths.nodes[*member];
            if step.seen & (1 << at) == 0 { node.own | node.below } else { 0 }
        };
        let missing = self.paths.nodes[step.node].members.iter().enumerate().map(missing).fold(0, |all, one| all | one);
        self.fail(missing);
    }

    /// Takes what stands before the end of `read` of the scalar.
    fn read(&mut self, reading: &mut Reading, read: &[u8]) {
        let room = match reading.kind {
            Kind::String => self.paths.nodes[reading.node].room,
            // One more tells that it is too long to be compared.
            Kind::Scalar | Kind::Object | Kind::Array => limits::ROW_NUMBER_BYTES_MAX + 1,
        };
        if self.bytes.len() >= room {
            return;
        }
        let bytes = &mut self.bytes;
        let mut take = |more: &[u8]| {
            let more = &more[..more.len().min(room - bytes.len().min(room))];
            bytes.extend_from_slice(more);
        };
        if reading.kind == Kind::String {
            // A fault is one of a record that is broken: nothing comes of what was read.
            reading.text.scan(read, reading.from, &mut take).ok();
        } else {
            take(&read[reading.from..]);
        }
    }

    /// The scalar was read.
    fn compare(&mut self, reading: &Reading) {
        let own = self.paths.nodes[reading.node].own;
        let fitting = if reading.kind == Kind::String {
            self.paths.fitting(reading.node, |fits| fits.text(&self.bytes))
        } else {
            let word = Scalar::of_word(&self.bytes);
            self.paths.fitting(reading.node, |fits| word.as_ref().is_some_and(|word| fits.word(word)))
        };
        self.held |= fitting;
        self.fail(own & !fitting);
    }

    /// What follows from what has failed; so many brackets were open before.
    fn rule(&mut self, open: u32) -> Ruling {
        if !std::mem::take(&mut self.news) {
            return Ruling::GoOn;
        }
        match self.state {
            State::Undecided if !self.paths.filter.holds(!self.failed) => self.withhold(open),
            State::Shown if !self.holds() => Ruling::Cut,
            State::Outside | State::Undecided | State::Shown | State::Withheld => Ruling::GoOn,
        }
    }

    /// Decides by what is known now; so many brackets are open.
    fn decide(&mut self, open: u32) -> Ruling {
        match self.state {
            State::Undecided if self.holds() => {
                self.state = State::Shown;
                Ruling::GoOn
            }
            State::Undecided => self.withhold(open),
            State::Outside | State::Shown | State::Withheld => Ruling::GoOn,
        }
    }

    fn withhold(&mut self, open: u32) -> Ruling {
        (self.state, self.named, self.reading) = (State::Withheld, None, None);
        Ruling::Withhold { open }
    }
}
