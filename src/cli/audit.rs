//! `tracegate audit`: follow the log, ask who read what, and check that it is what was signed.

mod prove;
mod verify;
mod which;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::audit::query::{self, Filter, PathGlob, Reader, Row};
use crate::limits;

/// `tracegate audit …`
#[derive(Debug, Args)]
#[command(
    about = "Follow the log, ask who read what, and check that it is what was signed",
    after_help = "Examples:
  tracegate audit tail --log /var/lib/tracegate/log --follow
  tracegate audit query --log /var/lib/tracegate/log --key 'traces/model-A/*' --from 24h
  tracegate audit query --log /var/lib/tracegate/log --who dana@acme.example --denied --json
  tracegate audit verify --log /var/lib/tracegate/log --key 'traces-1+5e1f0c2d+AX…'"
)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the last entries, one per line
    Tail(TailArgs),
    /// Show requests with their outcome, and other entries, that match every condition given
    Query(Box<QueryArgs>),
    /// Check offline that every entry is what was signed, and name the first that is not
    Verify(verify::VerifyArgs),
    /// Write the proof that a request is in the log, in one file
    Prove(prove::ProveArgs),
    /// Check such a proof, with nothing but the log's verifier key
    CheckProof(prove::CheckProofArgs),
    /// Print the verifier keys of a log, for auditors to keep
    Key(prove::KeyArgs),
    /// Write the log as a folder that can be served or copied: checkpoint, tiles, entries in bundles
    Export(prove::ExportArgs),
}

#[derive(Debug, Args)]
struct TailArgs {
    /// Folder of the log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// How many entries to show
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    lines: usize,
    /// Go on with new entries as they are written
    #[arg(long, short)]
    follow: bool,
    /// One JSON object per line: the entries as they are stored
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate audit query --log DIR --key 'traces/model-A/*' --from 24h
  tracegate audit query --log DIR --who dana@acme.example --op GetObject --from 2026-11-01T00:00:00Z
  tracegate audit query --log DIR --outcome unknown-crash --json

A line per request shows when its outcome is read; requests without one come last.")]
struct QueryArgs {
    /// Folder of the log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// Path BUCKET/KEY; `*` and `?` match `/` too, as in policies
    #[arg(long, value_name = "GLOB")]
    key: Option<String>,
    /// Subject or name of the caller
    #[arg(long, value_name = "TEXT")]
    who: Option<String>,
    /// Role of the caller
    #[arg(long)]
    role: Option<String>,
    /// Operation, in S3's spelling: GetObject, ListObjectsV2…
    #[arg(long)]
    op: Option<String>,
    /// Kind of the entry: s3.intent, s3.deny, session.issue, policy.load, refused.unproven…
    #[arg(long)]
    kind: Option<String>,
    /// Request id (x-amz-request-id)
    #[arg(long)]
    id: Option<String>,
    /// How it ended: ok, client-gone, backend, unshowable, refused, cut, aborted, unknown-crash, denied, open
    #[arg(long)]
    outcome: Option<String>,
    /// At or after this time (RFC 3339), or so long ago (90m, 24h)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// Before this time (RFC 3339), or so long ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Timestamp>,
    /// Only denials of callers who proved who they are
    #[arg(long)]
    denied: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// Runs the command, writing to standard output.
///
/// # Errors
/// The log cannot be read or is damaged, or a condition cannot be read; a proof proves nothing.
pub fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = answer(args.command, &mut out);
    match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        // `tracegate audit … | head` is not an error.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => {
            Ok(ExitCode::SUCCESS)
        }
        done => done,
    }
}

fn answer(command: Command, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let done = match command {
        Command::Tail(args) => tail(&args, out),
        Command::Query(args) => ask(*args, out),
        Command::Verify(args) => return verify::run(&args, out),
        Command::Prove(args) => prove::run(&args, out),
        Command::CheckProof(args) => return prove::check(&args, out),
        Command::Key(args) => prove::keys(&args, out),
        Command::Export(args) => prove::write_out(&args, out),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn tail(args: &TailArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut reader = Reader::open(&args.log)?;
    let mut last = VecDeque::new();
    while let Some(entry) = reader.next_entry()? {
        last.push_back(entry);
        if last.len() > args.lines {
            last.pop_front();
        }
    }
    if !args.json {
        writeln!(out, "{HEADINGS}")?;
    }
    last.iter().try_for_each(|entry| show_entry(entry, args.json, out))?;
    if args.follow { follow(reader, args.json, out) } else { Ok(()) }
}

/// Until the process is ended, or nobody reads what it writes.
fn follow(mut reader: Reader, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    loop {
        out.flush()?;
        std::thread::sleep(limits::LOG_FOLLOW_POLL);
        while let Some(entry) = reader.next_entry()? {
            show_entry(&entry, json, out)?;
        }
    }
}

fn show_entry(entry: &[u8], json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        out.write_all(entry)?;
        return Ok(writeln!(out)?);
    }
    let row = query::row_of(entry).context("the log holds an entry that this version cannot read; try --json")?;
    Ok(writeln!(out, "{}", line(&row))?)
}

fn ask(args: QueryArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let json = args.json;
    let mut filter = Filter {
        path: args.key.as_deref().map(PathGlob::new).transpose()?,
        principal: args.who,
        role: args.role,
        op: args.op,
        kind: args.kind,
        id: args.id,
        outcome: args.outcome,
        from: args.from,
        to: args.to,
        denied: args.denied,
    };
    if !json {
        writeln!(out, "{HEADINGS}")?;
    }
    query::query(&args.log, &mut filter, |row| -> anyhow::Result<()> {
        let text = if json { serde_json::to_string(row)? } else { line(row) };
        Ok(writeln!(out, "{text}")?)
    })
}

/// The headings over [`line`]s.
pub(super) const HEADINGS: &str = "TIME                         ENTRY            OUTCOME          BYTES  WHO                       ROLE               WHAT";

/// One row for people.
pub(super) fn line(row: &Row) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    let entry = row.op.as_deref().unwrap_or(&row.kind);
    let outcome = match row.status {
        Some(status) if status > 0 => format!("{} {status}", text(&row.outcome)),
        Some(_) | None => text(&row.outcome),
    };
    let bytes = row.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
    let who = row.name.clone().or_else(|| row.sub.clone()).or_else(|| row.ip.clone()).unwrap_or_else(|| "-".to_owned());
    let mut what = row.path.clone().or_else(|| row.policy.clone()).unwrap_or_default();
    for (name, count) in [("hidden", row.redacted), ("listed", row.listed), ("count", row.count)] {
        if let Some(count) = count {
            what.push_str(&format!("  {name}={count}"));
        }
    }
    if let Some(reason) = &row.reason {
        what.push_str(&format!("  ({reason})"));
    }
    let time = format!("{:.6}", row.time);
    let (entry, outcome, who, role, what) =
        (visible(entry), visible(&outcome), visible(&who), visible(&text(&row.role)), visible(what.trim()));
    format!("{time:<28} {entry:<16} {outcome:<14} {bytes:>7}  {who:<25} {role:<18} {what}")
}

/// The text with everything escaped that could move a terminal's cursor, or turn the direction of what is read.
fn visible(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            write!(shown, "{}", c.escape_unicode()).expect("a string takes all text");
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A time, or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago = text.parse::<SignedDuration>().map_err(|_| "use RFC 3339 (2026-11-20T09:00:00Z) or a time ago (24h)")?;
    Timestamp::now().checked_sub(ago.abs()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tlog::SigningKeys;
    use crate::keyring::KeyRing;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        audit: AuditArgs,
    }

    #[test]
    fn the_arguments_are_sound_and_the_examples_parse() {
        use clap::{CommandFactory as _, Parser as _};
        Cli::command().debug_assert();
        let args =
            ["x", "query", "--log", "d", "--key", "traces/*", "--from", "24h", "--who", "dana", "--denied", "--json"];
        Cli::try_parse_from(args).unwrap();
        Cli::try_parse_from(["x", "tail", "--log", "d", "--follow"]).unwrap();
        assert!(Cli::try_parse_from(["x", "query", "--log", "d", "--from", "yesterday"]).is_err());
        let key = SigningKeys::of(&KeyRing::ephemeral(), "log").present().to_string();
        for args in [
            &["verify", "--config", "tracegate.toml"][..],
            &["verify", "--log", "d", "--key", &key, "--key", &key, "--checkpoint", "c", "--json"],
            &["prove", "K3XOTWB6M7QF2D5A", "--log", "d", "--outcome", "--out", "f"],
            &["check-proof", "f", "--key", &key],
            &["key", "--log", "d"],
            &["export", "--config", "c", "to"],
        ] {
            Cli::try_parse_from(["x"].iter().chain(args)).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        }
        for args in [
            &["verify"][..],
            &["verify", "--log", "d", "--config", "c"],
            &["verify", "--log", "d", "--key", "log+00000000+AAAA"],
            &["prove", "no id", "--log", "d"],
            &["check-proof", "f"],
        ] {
            assert!(Cli::try_parse_from(["x"].iter().chain(args)).is_err(), "{args:?}");
        }
    }

    fn shown(args: &[&str], dir: &std::path::Path) -> anyhow::Result<String> {
        use clap::Parser as _;
        let args = ["x", args[0], "--log", dir.to_str().unwrap()].into_iter().chain(args[1..].iter().copied());
        let mut out = Vec::new();
        answer(Cli::try_parse_from(args).unwrap().audit.command, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn what_is_asked_is_shown_as_a_table_and_as_json() {
        let dir = tempfile::tempdir().unwrap();
        assert!(shown(&["query"], dir.path()).unwrap_err().to_string().contains("there is no log"));
        crate::audit::tests::queries::some_log(dir.path()).await;

        let table = shown(&["query", "--who", "dana"], dir.path()).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, HEADINGS));
        assert!(
            lines[1].contains("ok 200") && lines[1].ends_with("traces/model-A/2026/run.jsonl  hidden=3"),
            "{table}"
        );
        let json = shown(&["query", "--denied", "--json"], dir.path()).unwrap();
        let row: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&row["sub"], &row["status"]), (&"kim".into(), &403.into()));
        let last = shown(&["tail", "-n", "2", "--json"], dir.path()).unwrap();
        let kinds: Vec<String> = last
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].to_string())
            .collect();
        assert_eq!(kinds, [r#""session.refuse""#, r#""log.stop""#]);
    }

    #[test]
    fn nothing_in_a_row_reaches_the_terminal_as_control() {
        let entry = r#"{"seq":1,"time":"2026-11-20T09:14:07.412331Z","kind":"s3.deny","op":"GetObject",
            "target":{"bucket":"traces","key":"a\u001b[2Jb\u202e"},"actor":{"iss":"i","sub":"s\nforged line"},
            "decision":{"reason":"no\r\u0007","status":403}}"#;
        let shown = line(&query::row_of(entry.as_bytes()).unwrap());
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
        assert!(shown.contains("denied 403") && shown.contains("traces/a\\u{1b}[2Jb"), "{shown}");
    }
}
