//! `tracegate audit verify`: whether a log is the one that was signed.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::which::{Believed, NOT_PINNED, Which, bar, moved};
use crate::audit::verify::{Report, Terms, verify};
use crate::cli::tell;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit verify --config tracegate.toml
  tracegate audit verify --log /mnt/copy-of-log --key 'traces-1+5e1f0c2d+AX…'
  tracegate audit verify --log DIR --key KEY --checkpoint kept-in-march   # it must have grown out of that one
  tracegate audit verify --log DIR --key KEY --json

Exit codes: 0, every entry is what was signed; 1, not, and the first wrong entry is named; or the log cannot be read.")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    believed: Believed,
    /// A checkpoint of this log that you kept: the log must have grown out of it; may be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VerifyArgs, out: &mut impl Write) -> Result<ExitCode> {
    let kept = args.checkpoints.iter().map(|file| {
        let note = std::fs::read_to_string(file);
        note.with_context(|| file.display().to_string())
    });
    let terms = Terms { keys: args.believed.or_of(&args.which)?, checkpoints: kept.collect::<Result<_>>()? };
    let bar = bar("verifying");
    let report = verify(&args.which.dir()?, &terms, &mut moved(&bar));
    bar.finish_and_clear();
    let report = report?;
    if !report.pinned {
        tell(NOT_PINNED)?;
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        show(&report, out)?;
    }
    Ok(if report.finding.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report, out: &mut impl Write) -> Result<()> {
    let Report { log, signed, first, unsigned, signers, older, finding, .. } = report;
    writeln!(out, "log        {log}")?;
    if !signers.is_empty() {
        writeln!(out, "signed     {signed} entries, by {}", signers.join(", "))?;
        writeln!(out, "held       from entry {first} on; {unsigned} behind those that are signed")?;
    }
    writeln!(out, "compared   with {older} older checkpoints")?;
    match finding {
        None => writeln!(out, "holds      every entry is what was signed")?,
        Some(finding) => {
            writeln!(out, "TAMPERED   entry {} {}", finding.entry, finding.done)?;
            finding.place.iter().try_for_each(|place| writeln!(out, "           {place}"))?;
        }
    }
    Ok(())
}
