//! `tracegate audit prove`, `check-proof`, `key` and `export`: what leaves the log for somebody who checks.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use super::which::{Which, bar, moved, names};
use crate::audit::entry::EntryId;
use crate::audit::export::export;
use crate::audit::prove::{self, prove};
use crate::audit::tlog::VerifierKey;
use crate::audit::tlog::evidence::{Evidence, Proven};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit prove K3XOTWB6M7QF2D5A --log DIR > answer.tlog-proof
  tracegate audit prove K3XOTWB6M7QF2D5A --log DIR --outcome --out answer.tlog-proof
  tracegate audit check-proof answer.tlog-proof --key KEY

The proof holds the entry, with the names in it: it is for whoever may know them.")]
pub(super) struct ProveArgs {
    /// The id that the request was answered with (x-amz-request-id; SDKs call it the request id)
    #[arg(value_name = "ID", value_parser = id)]
    id: EntryId,
    #[command(flatten)]
    which: Which,
    /// Prove what was sent, not what was asked
    #[arg(long)]
    outcome: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn id(text: &str) -> Result<EntryId, &'static str> {
    text.parse()
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit check-proof answer.tlog-proof --key 'traces-1+5e1f0c2d+AX…'
  tracegate audit check-proof answer.tlog-proof --key KEY --json

Needs nothing but the file and the key. Exit codes: 0, the entry is in the log; 1, that is not proven.")]
pub(super) struct CheckProofArgs {
    /// The proof
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Verifier key that you keep (`tracegate audit key`); may be given several times
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<VerifierKey>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit key --config tracegate.toml       # from the key ring
  tracegate audit key --log DIR                     # every key that the log lists

The present key comes first. Give it to auditors by a way on which nobody can replace it.")]
pub(super) struct KeyArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit export --log DIR /srv/log
  tracegate audit export --config tracegate.toml /srv/log && aws s3 sync /srv/log s3://audit-copies/traces-1/

Adds what is missing, up to the newest checkpoint: checkpoint, tiles and entries in bundles, as C2SP tlog-tiles says.
Run it again as the log grows. `tracegate audit verify --log` checks such a folder, too.")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    which: Which,
    /// The folder to write to
    #[arg(value_name = "TO")]
    to: PathBuf,
}

pub(super) fn run(args: &ProveArgs, out: &mut impl Write) -> Result<()> {
    let which = if args.outcome { prove::Which::Outcome } else { prove::Which::Intent };
    let bar = bar("looking");
    let evidence = prove(&args.which.dir()?, &args.id, which, &mut moved(&bar));
    bar.finish_and_clear();
    let text = evidence?.to_text();
    match &args.out {
        Some(file) => Ok(std::fs::write(file, text).with_context(|| file.display().to_string())?),
        None => Ok(out.write_all(text.as_bytes())?),
    }
}

#[derive(Serialize)]
struct Checked<'a> {
    log: &'a str,
    entry: u64,
    signed: u64,
    signers: Vec<String>,
    what: Option<&'a RawValue>,
}

pub(super) fn check(args: &CheckProofArgs, out: &mut impl Write) -> Result<ExitCode> {
    let file = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| file.clone())?;
    let checked = Evidence::from_text(&text).and_then(|evidence| {
        let proven = evidence.check(&args.keys)?;
        Ok((evidence, proven))
    });
    let (evidence, Proven { checkpoint, signers }) = checked.with_context(|| file)?;
    let what = std::str::from_utf8(&evidence.entry).ok();
    if args.json {
        let checked = Checked {
            log: &checkpoint.origin,
            entry: evidence.index,
            signed: checkpoint.size,
            signers: signers.iter().map(VerifierKey::short).collect(),
            what: what.and_then(|what| serde_json::from_str(what).ok()),
        };
        writeln!(out, "{}", serde_json::to_string(&checked)?)?;
    } else {
        let (log, size) = (&checkpoint.origin, checkpoint.size);
        writeln!(out, "holds      entry {} of {log}, of {size} signed by {}", evidence.index, names(&signers))?;
        writeln!(out, "{}", super::visible(what.unwrap_or("(the entry is no text)")))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn keys(args: &KeyArgs, out: &mut impl Write) -> Result<()> {
    let keys = match args.which.ring_keys()? {
        Some(keys) => keys,
        None => args.which.listed_keys()?,
    };
    keys.iter().try_for_each(|key| Ok(writeln!(out, "{key}")?))
}

pub(super) fn write_out(args: &ExportArgs, out: &mut impl Write) -> Result<()> {
    let bar = bar("exporting");
    let exported = export(&args.which.dir()?, &args.to, &mut moved(&bar));
    bar.finish_and_clear();
    let exported = exported?;
    Ok(writeln!(out, "{} holds {} entries; {} files are new", args.to.display(), exported.size, exported.files)?)
}
