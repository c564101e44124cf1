//! What a look at a lock found: findings, each with its verdict; the worst one counts.

use std::fmt::Write as _;

use serde::Serialize;

/// How one thing stands, or all of them. The later the worse: what is open is open, whatever else is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Shut, or as declared.
    Verified,
    /// Nobody can say: no answer, no permission to look, nothing to look with. Not verified.
    Unknown,
    /// Open, or not as declared.
    Open,
}

impl Verdict {
    /// As it is written for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unknown => "unknown",
            Self::Open => "OPEN",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: `GetObject, unsigned`, `bucket policy`…
    pub what: String,
    /// How it stands.
    pub verdict: Verdict,
    /// In words.
    pub said: String,
    /// How what is stored differs from what it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl Finding {
    /// A finding without a difference to show.
    pub fn new(what: impl Into<String>, verdict: Verdict, said: impl Into<String>) -> Self {
        Self { what: what.into(), verdict, said: said.into(), diff: None }
    }
}

/// All about one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The outside name.
    pub bucket: String,
    /// The worst of its findings.
    pub verdict: Verdict,
    /// In the order in which they were made.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The report of these findings; of none, nothing is known.
    pub fn new(bucket: impl Into<String>, findings: Vec<Finding>) -> Self {
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown);
        Self { bucket: bucket.into(), verdict, findings }
    }

    /// What keeps it from being verified, on one line; empty where nothing does.
    pub fn trouble(&self) -> String {
        let bad = self.findings.iter().filter(|finding| finding.verdict != Verdict::Verified);
        let said: Vec<String> = bad.map(|finding| format!("{}: {}", finding.what, finding.said)).collect();
        said.join("; ")
    }

    /// For people: a line per finding, and the differences.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.bucket, self.verdict.word());
        for finding in &self.findings {
            // Writing to a String cannot fail.
            writeln!(text, "  {:<8}  {}: {}", finding.verdict.word(), finding.what, finding.said).ok();
            for line in finding.diff.iter().flat_map(|diff| diff.lines()) {
                writeln!(text, "            {line}").ok();
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_nothing_is_not_verified() {
        use Verdict::{Open, Unknown, Verified};
        let check = |verdicts: &[Verdict], want| {
            let findings = verdicts.iter().map(|verdict| Finding::new("x", *verdict, "y")).collect();
            assert_eq!(Report::new("b", findings).verdict, want, "{verdicts:?}");
        };
        check(&[], Unknown);
        check(&[Verified, Verified], Verified);
        check(&[Verified, Unknown], Unknown);
        check(&[Unknown, Open, Verified], Open);
    }
}
