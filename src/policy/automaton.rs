//! Many expressions as one automaton over bytes: a dense table of our own, or the same expressions matched lazily.
//!
//! Both say, for a whole text, which of the expressions match it. Only the table can be explored. What the patterns
//! mean is the caller's matter.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton, dense};
use regex_automata::hybrid::dfa::{Cache, DFA as LazyDfa};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternSet};

use crate::limits;

/// A state of a [`Table`].
pub(super) type State = u32;

/// Why no automaton was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BuildError {
    /// It would be larger than [`limits::AUTOMATON_DENSE_BYTES_MAX`].
    #[error("the globs need more than {} bytes as a table", limits::AUTOMATON_DENSE_BYTES_MAX)]
    TooLarge,
    /// An expression that cannot be compiled at all.
    #[error("the globs cannot be compiled: {0}")]
    Unusable(String),
}

/// A deterministic automaton as a table: complete, exploreable, without search machinery.
#[derive(Clone)]
pub(super) struct Table {
    /// Class of each byte.
    class: [u8; 256],
    /// One byte of each class.
    sample: Vec<u8>,
    /// `next[state * classes + class]`.
    next: Vec<State>,
    /// Which set of patterns matches a text that ends in the state.
    set_of: Vec<u32>,
    /// The sets, each ascending.
    sets: Vec<Box<[u32]>>,
    start: State,
}

impl Table {
    /// Builds the table; a text matches a pattern as a whole.
    pub(super) fn build(patterns: &[String]) -> Result<Self, BuildError> {
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(regex_automata::dfa::StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(limits::AUTOMATON_DENSE_BYTES_MAX))
            .determinize_size_limit(Some(limits::AUTOMATON_DETERMINIZE_BYTES_MAX));
        let dfa = dense::Builder::new()
            .configure(config)
            .syntax(syntax_config())
            .thompson(thompson_config())
            .build_many(&anchored(patterns))
            .map_err(|e| if e.is_size_limit_exceeded() { BuildError::TooLarge } else { unusable(&e) })?;
        Self::explore(&dfa)
    }

    fn explore(dfa: &dense::DFA<Vec<u32>>) -> Result<Self, BuildError> {
        let sample: Vec<u8> = dfa.byte_classes().representatives(0..=255).filter_map(|unit| unit.as_u8()).collect();
        let mut class = [0; 256];
        for byte in 0..=255u8 {
            class[usize::from(byte)] = dfa.byte_classes().get(byte);
        }
        let first = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).map_err(|e| unusable(&e))?;
        let mut numbers: HashMap<StateID, State> = HashMap::from([(first, 0)]);
        let mut queue = vec![first];
        let (mut next, mut set_of) = (Vec::new(), Vec::new());
        let mut sets = Interned::default();
        let mut done = 0;
        while let Some(&state) = queue.get(done) {
            done += 1;
            set_of.push(sets.number(matched(dfa, state)));
            for &byte in &sample {
                let target = dfa.next_state(state, byte);
                let fresh = State::try_from(numbers.len()).map_err(|_| BuildError::TooLarge)?;
                next.push(*numbers.entry(target).or_insert_with(|| {
                    queue.push(target);
                    fresh
                }));
            }
        }
        Ok(Self { class, sample, next, set_of, sets: sets.list, start: 0 })
    }

    /// The state before any byte.
    pub(super) fn start(&self) -> State {
        self.start
    }

    /// The state after one more byte.
    pub(super) fn step(&self, state: State, byte: u8) -> State {
        self.next[state as usize * self.sample.len() + usize::from(self.class[usize::from(byte)])]
    }

    /// The state after more text.
    pub(super) fn walk(&self, state: State, text: &str) -> State {
        text.bytes().fold(state, |state, byte| self.step(state, byte))
    }

    /// Which of [`Table::sets`] matches a text that ends here.
    pub(super) fn set_at(&self, state: State) -> usize {
        self.set_of[state as usize] as usize
    }

    /// All sets of patterns that match some text together, each ascending.
    pub(super) fn sets(&self) -> &[Box<[u32]>] {
        &self.sets
    }

    /// Number of states.
    pub(super) fn states(&self) -> usize {
        self.set_of.len()
    }

    /// The states that follow a state, one per class of bytes, with a byte of the class.
    pub(super) fn edges(&self, state: State) -> impl Iterator<Item = (u8, State)> {
        let row = state as usize * self.sample.len();
        self.sample.iter().enumerate().map(move |(class, &byte)| (byte, self.next[row + class]))
    }

    /// Its size, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.next[..]) + size_of_val(&self.set_of[..])
    }

    /// For every state, what `own` says of it joined with what it says of every state that can be reached from it.
    pub(super) fn reach(&self, own: impl Fn(State) -> u64) -> Vec<u64> {
        let mut reach: Vec<u64> = (0..self.states()).map(|state| own(state as State)).collect();
        self.to_fixpoint(&mut reach, |at, after| at | after);
        reach
    }

    /// For every state, whether `own` holds of it and of every state that can be reached from it.
    pub(super) fn always(&self, own: impl Fn(State) -> bool) -> Vec<bool> {
        let mut always: Vec<bool> = (0..self.states()).map(|state| own(state as State)).collect();
        self.to_fixpoint(&mut always, |at, after| at && after);
        always
    }

    /// Joins into each state what its successors hold, until nothing alters. Linear in the table: a state is looked at
    /// again only when a successor altered.
    fn to_fixpoint<T: Copy + PartialEq>(&self, values: &mut [T], join: impl Fn(T, T) -> T) {
        let width = self.sample.len();
        let mut before: Vec<Vec<State>> = vec![Vec::new(); self.states()];
        for (from, row) in self.next.chunks(width).enumerate() {
            for &to in row {
                if before[to as usize].last() != Some(&(from as State)) {
                    before[to as usize].push(from as State);
                }
            }
        }
        let mut work: Vec<State> = (0..self.states() as State).collect();
        while let Some(changed) = work.pop() {
            for &from in &before[changed as usize] {
                let joined = join(values[from as usize], values[changed as usize]);
                if joined != values[from as usize] {
                    values[from as usize] = joined;
                    work.push(from);
                }
            }
        }
    }
}

/// The same expressions, determinised while they match; of bounded memory, never given up.
pub(super) struct Lazy {
    dfa: LazyDfa,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>,
}

impl Lazy {
    /// Compiles the expressions; a text matches a pattern as a whole.
    pub(super) fn build(patterns: &[String]) -> Result<Self, BuildError> {
        let config = LazyDfa::config()
            .match_kind(MatchKind::All)
            .cache_capacity(limits::AUTOMATON_LAZY_BYTES_MAX)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(None);
        let dfa = LazyDfa::builder()
            .configure(config)
            .syntax(syntax_config())
            .thompson(thompson_config())
            .build_many(&anchored(patterns))
            .map_err(|e| unusable(&e))?;
        let maker = dfa.clone();
        Ok(Self { dfa, caches: Pool::new(Box::new(move || maker.create_cache())) })
    }

    /// The patterns that match the text, ascending; `None` if the search failed, which must count as "not allowed".
    pub(super) fn matched(&self, text: &str) -> Option<Vec<u32>> {
        let mut found = PatternSet::new(self.dfa.pattern_len());
        let input = Input::new(text.as_bytes()).anchored(Anchored::Yes);
        let mut cache = self.caches.get();
        self.dfa.try_which_overlapping_matches(&mut cache, &input, &mut found).ok()?;
        Some(found.iter().map(|pattern| pattern.as_u32()).collect())
    }
}

#[derive(Default)]
struct Interned {
    numbers: HashMap<Box<[u32]>, u32>,
    list: Vec<Box<[u32]>>,
}

impl Interned {
    fn number(&mut self, set: Box<[u32]>) -> u32 {
        let fresh = self.list.len() as u32;
        let list = &mut self.list;
        *self.numbers.entry(set).or_insert_with_key(|set| {
            list.push(set.clone());
            fresh
        })
    }
}

fn matched(dfa: &dense::DFA<Vec<u32>>, state: StateID) -> Box<[u32]> {
    let end = dfa.next_eoi_state(state);
    if !dfa.is_match_state(end) {
        return Box::default();
    }
    let mut set: Vec<u32> = (0..dfa.match_len(end)).map(|at| dfa.match_pattern(end, at).as_u32()).collect();
    set.sort_unstable();
    set.into()
}

fn anchored(patterns: &[String]) -> Vec<String> {
    patterns.iter().map(|pattern| format!(r"(?:{pattern})\z")).collect()
}

fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true)
}

fn thompson_config() -> thompson::Config {
    thompson::Config::new().utf8(false).nfa_size_limit(Some(limits::AUTOMATON_NFA_BYTES_MAX))
}

fn unusable(error: &dyn std::error::Error) -> BuildError {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    BuildError::Unusable(format!("{error}{cause}"))
}
