//! What was hidden, in numbers: the words of the log's entry. Never a name or a value of the object.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::plan::Plan;

/// Counts of one response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Fields hidden, and stretches of text, by profile, in the order of [`Plan::profiles`].
    pub fields: Vec<u64>,
    /// Records (or documents) read to their end; blank lines are none.
    pub records: u64,
    /// Records that were replaced by `{}` and white space, as broken or right behind a broken one; counted in `records`,
    /// too.
    pub records_blanked: u64,
    /// Sound records that were replaced likewise, because the view's `rows` do not show them; counted in `records`, too.
    pub records_withheld: u64,
    /// Texts within strings whose rest was replaced by `***` and white space, because they stop being JSON. Each level counts.
    pub texts_cut: u64,
}

impl Tally {
    /// All zero, for that plan.
    pub fn new(plan: &Plan) -> Self {
        Self { fields: vec![0; plan.profiles().len()], ..Self::default() }
    }

    /// What was counted since then.
    pub(super) fn since(&self, then: &Self) -> Self {
        let before = then.fields.iter().copied().chain(std::iter::repeat(0));
        Self {
            fields: self.fields.iter().zip(before).map(|(now, then)| now - then).collect(),
            records: self.records - then.records,
            records_blanked: self.records_blanked - then.records_blanked,
            records_withheld: self.records_withheld - then.records_withheld,
            texts_cut: self.texts_cut - then.texts_cut,
        }
    }
}

/// A [`Tally`] that can be read while, and after, a stream fills it.
#[derive(Debug)]
pub struct TallyCell {
    profiles: Arc<[Box<str>]>,
    fields: Box<[AtomicU64]>,
    records: AtomicU64,
    records_blanked: AtomicU64,
    records_withheld: AtomicU64,
    texts_cut: AtomicU64,
}

impl TallyCell {
    /// All zero, for that plan. A cell belongs to one response.
    pub fn new(plan: &Plan) -> Arc<Self> {
        Arc::new(Self {
            profiles: plan.profiles().clone(),
            fields: plan.profiles().iter().map(|_| AtomicU64::new(0)).collect(),
            records: AtomicU64::new(0),
            records_blanked: AtomicU64::new(0),
            records_withheld: AtomicU64::new(0),
            texts_cut: AtomicU64::new(0),
        })
    }

    /// The names that [`Tally::fields`] counts by.
    pub fn profiles(&self) -> &[Box<str>] {
        &self.profiles
    }

    /// The counts up to now.
    pub fn read(&self) -> Tally {
        Tally {
            fields: self.fields.iter().map(|count| count.load(Ordering::Acquire)).collect(),
            records: self.records.load(Ordering::Acquire),
            records_blanked: self.records_blanked.load(Ordering::Acquire),
            records_withheld: self.records_withheld.load(Ordering::Acquire),
            texts_cut: self.texts_cut.load(Ordering::Acquire),
        }
    }

    /// Takes over a redactor's counts, which only grow.
    pub(super) fn set(&self, tally: &Tally) {
        for (cell, count) in self.fields.iter().zip(&tally.fields) {
            cell.store(*count, Ordering::Release);
        }
        self.records.store(tally.records, Ordering::Release);
        self.records_blanked.store(tally.records_blanked, Ordering::Release);
        self.records_withheld.store(tally.records_withheld, Ordering::Release);
        self.texts_cut.store(tally.texts_cut, Ordering::Release);
    }
}
