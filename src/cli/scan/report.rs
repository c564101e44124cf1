//! What a scan has found so far, in numbers, and how it is told.

use std::collections::BTreeMap;
use std::fmt;

use indicatif::{HumanBytes, HumanCount};
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::state::Of;
use crate::redact::survey::{Entry, Finding};

/// Objects, and what they hold together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    objects: u64,
    bytes: u64,
}

/// What was found. Every object counts in one of the shares.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    /// What the role may not read.
    hidden: Share,
    /// What it reads as it is.
    raw: Share,
    /// What it reads redacted, with every record.
    redacted: Share,
    /// What it reads redacted, with records replaced by `{}`.
    blanked: Share,
    /// What is cut in the middle.
    cut: Share,
    /// What is refused.
    refused: Share,
    /// What went, or changed, while it was looked at.
    gone: Share,
    /// Keys that are never served, because their names cannot be told.
    unnameable: u64,
    records: u64,
    records_blanked: u64,
    #[serde(default)]
    records_withheld: u64,
    texts_cut: u64,
    /// Fields hidden, by profile.
    fields: BTreeMap<String, u64>,
    /// Of what is cut or refused, why.
    reasons: BTreeMap<String, Share>,
}

impl Share {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl Totals {
    fn shares(&self) -> [(&'static str, Share); 7] {
        [
            ("raw", self.raw),
            ("redacted", self.redacted),
            ("with blanks", self.blanked),
            ("cut", self.cut),
            ("refused", self.refused),
            ("not readable", self.hidden),
            ("gone meanwhile", self.gone),
        ]
    }

    /// Objects looked at.
    pub(super) fn objects(&self) -> u64 {
        self.shares().iter().map(|(_, share)| share.objects).sum()
    }

    /// What they hold together, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.shares().iter().map(|(_, share)| share.bytes).sum()
    }

    pub(super) fn skip_unnameable(&mut self, count: u32) {
        self.unnameable += u64::from(count);
    }

    /// Counts one object.
    pub(super) fn add(&mut self, size: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Hidden => self.hidden.add(size),
            Outcome::Raw => self.raw.add(size),
            Outcome::Masked(Finding::Gone) => self.gone.add(size),
            Outcome::Masked(Finding::Cut(fault)) => {
                self.cut.add(size);
                self.reasons.entry(fault.reason.to_owned()).or_default().add(size);
            }
            Outcome::Masked(Finding::Refused(why)) => {
                self.refused.add(size);
                self.reasons.entry(why.to_string()).or_default().add(size);
            }
            Outcome::Masked(Finding::Shown(cell)) => {
                let tally = cell.read();
                self.records += tally.records;
                self.records_blanked += tally.records_blanked;
                self.records_withheld += tally.records_withheld;
                self.texts_cut += tally.texts_cut;
                for (profile, count) in cell.profiles().iter().zip(tally.fields) {
                    *self.fields.entry(profile.to_string()).or_default() += count;
                }
                if tally.records_blanked > 0 { self.blanked.add(size) } else { self.redacted.add(size) }
            }
        }
    }
}

/// One object that is not shown whole.
#[derive(Debug, Serialize)]
pub(super) struct Odd<'a> {
    key: &'a str,
    bytes: u64,
    becomes: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_byte: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_blanked: Option<u64>,
}

impl<'a> Odd<'a> {
    /// `None` where the object is shown whole, is not to be read, or went.
    pub(super) fn of(entry: &'a Entry, outcome: &Outcome) -> Option<Self> {
        let odd = |becomes| Self {
            key: entry.key.as_str(),
            bytes: entry.size,
            becomes,
            because: None,
            at_byte: None,
            records_blanked: None,
        };
        match outcome {
            Outcome::Hidden | Outcome::Raw | Outcome::Masked(Finding::Gone) => None,
            Outcome::Masked(Finding::Shown(cell)) => {
                let blanked = cell.read().records_blanked;
                (blanked > 0).then(|| Self { records_blanked: Some(blanked), ..odd("with blanks") })
            }
            Outcome::Masked(Finding::Cut(fault)) => {
                Some(Self { because: Some(fault.reason.to_owned()), at_byte: Some(fault.offset), ..odd("cut") })
            }
            Outcome::Masked(Finding::Refused(why)) => {
                Some(Self { because: Some(why.to_string()), at_byte: why.offset(), ..odd("refused") })
            }
        }
    }
}

/// What is printed at the end.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) of: &'a Of,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    #[serde(flatten)]
    pub(super) totals: &'a Totals,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, objects, bytes, totals } = self;
        writeln!(f, "{} as {}: {} objects, {}", of.what, of.role, HumanCount(*objects), HumanBytes(*bytes))?;
        for (name, share) in totals.shares().iter().filter(|(_, share)| share.objects > 0) {
            let (by_objects, by_bytes) = (percent(share.objects, *objects), percent(share.bytes, *bytes));
            let (count, size) = (HumanCount(share.objects).to_string(), HumanBytes(share.bytes).to_string());
            writeln!(f, "  {name:<14} {count:>12} objects {by_objects:>6}  {size:>12} {by_bytes:>6}")?;
        }
        for (reason, share) in &totals.reasons {
            writeln!(f, "      {} objects: {reason}", HumanCount(share.objects))?;
        }
        if totals.unnameable > 0 {
            writeln!(f, "  {} keys cannot be named, and are never served", HumanCount(totals.unnameable))?;
        }
        let (records, blanked) = (HumanCount(totals.records), HumanCount(totals.records_blanked));
        write!(f, "  {records} records and documents read, {blanked} of them blanked")?;
        if totals.records_withheld > 0 {
            write!(f, ", {} withheld by `rows`", HumanCount(totals.records_withheld))?;
        }
        if totals.texts_cut > 0 {
            write!(f, ", {} texts within strings cut", HumanCount(totals.texts_cut))?;
        }
        for (profile, count) in &totals.fields {
            write!(f, "\n  {profile}: {} fields hidden", HumanCount(*count))?;
        }
        Ok(())
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}
