//! How far a scan has come, kept in a file, so that it can go on after an interruption.
//!
//! The file of findings is cut back to what the kept state knows of, so that no object stands in it twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::Outcome;
use super::report::{Odd, Told, Totals};
use crate::redact::survey::Entry;

/// What a scan is of. Findings of two do not mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Of {
    pub(super) role: String,
    pub(super) claims: Vec<String>,
    /// `BUCKET[/PREFIX]`.
    pub(super) what: String,
    /// The policy set's digest.
    pub(super) policy: String,
}

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    of: Of,
    now: Timestamp,
    /// The last key that was looked at.
    after: Option<String>,
    done: bool,
    /// Length of the file of findings, in bytes; `None` where none is written.
    findings_bytes: Option<u64>,
    totals: Totals,
}

/// See the module.
pub(super) struct State {
    kept: Kept,
    file: Option<PathBuf>,
    findings: Option<File>,
}

const VERSION: u32 = 1;

impl State {
    /// The state in that file, or that of a scan that begins. An error if it is another scan's.
    pub(super) fn open(file: Option<&Path>, findings: Option<&Path>, of: Of, now: Timestamp) -> Result<Self> {
        let kept = match file.map(fs::read) {
            None => None,
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Some(read) => {
                let place = || file.map(|file| file.display().to_string()).unwrap_or_default();
                Some(serde_json::from_slice::<Kept>(&read.with_context(place)?).with_context(place)?)
            }
        };
        if let Some(kept) = &kept
            && (kept.version != VERSION || kept.of != of)
        {
            let file = file.unwrap_or(Path::new("")).display();
            bail!(
                "{file} is of a scan of {} as {} under {}; name another file",
                kept.of.what,
                kept.of.role,
                kept.of.policy
            );
        }
        let is_fresh = kept.is_none();
        let fresh = || Kept {
            version: VERSION,
            of,
            now,
            after: None,
            done: false,
            findings_bytes: findings.map(|_| 0),
            totals: Totals::default(),
        };
        let kept = kept.unwrap_or_else(fresh);
        let findings = match (findings, kept.findings_bytes) {
            (None, None) => None,
            (Some(path), Some(length)) => Some(at(path, length, is_fresh)?),
            (None, Some(_)) => bail!("the scan that goes on here writes findings: name their file with --findings"),
            (Some(_), None) => bail!("the scan that goes on here writes no findings: begin another for them"),
        };
        Ok(Self { kept, file: file.map(Path::to_owned), findings })
    }

    /// The time as of which the rules count.
    pub(super) fn now(&self) -> Timestamp {
        self.kept.now
    }

    /// The last key that was looked at.
    pub(super) fn after(&self) -> Option<&str> {
        self.kept.after.as_deref()
    }

    pub(super) fn is_done(&self) -> bool {
        self.kept.done
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.kept.totals
    }

    /// One more object was looked at.
    pub(super) fn note(&mut self, entry: &Entry, outcome: &Outcome) -> Result<()> {
        if let (Some(file), Some(odd)) = (&mut self.findings, Odd::of(entry, outcome)) {
            let mut line = serde_json::to_vec(&odd)?;
            line.push(b'\n');
            file.write_all(&line).context("the file of findings")?;
            self.kept.findings_bytes = self.kept.findings_bytes.map(|length| length + line.len() as u64);
        }
        self.kept.totals.add(entry.size, outcome);
        self.kept.after = Some(entry.key.as_str().to_owned());
        Ok(())
    }

    /// All objects of a page were looked at; `more_after` is where the next one begins.
    pub(super) fn page_ends(&mut self, more_after: Option<String>, unnameable: u32) {
        self.kept.totals.skip_unnameable(unnameable);
        match more_after {
            Some(after) => self.kept.after = Some(after),
            None => self.kept.done = true,
        }
    }

    /// Keeps the state, if a file was named: all of it or none.
    pub(super) fn save(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let save = || {
            if let Some(findings) = &self.findings {
                findings.sync_data()?;
            }
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut partial = NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut partial, &self.kept)?;
            partial.as_file().sync_data()?;
            partial.persist(file)?;
            Ok::<_, anyhow::Error>(())
        };
        save().with_context(|| file.display().to_string())
    }

    /// What is printed at the end.
    pub(super) fn told(&self) -> Told<'_> {
        let Kept { of, totals, .. } = &self.kept;
        Told { of, objects: totals.objects(), bytes: totals.bytes(), totals }
    }
}

/// The file of findings, cut back to that length; a new one where the scan begins.
fn at(path: &Path, length: u64, is_fresh: bool) -> Result<File> {
    let open = || {
        if is_fresh && fs::metadata(path).is_ok_and(|found| found.len() > 0) {
            return Err(io::Error::other("it is there already, and not of this scan; remove it, or name another file"));
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        if file.metadata()?.len() < length {
            return Err(io::Error::other("it is shorter than the state says; name the file that belongs to it"));
        }
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    };
    open().with_context(|| path.display().to_string())
}
