//! `tracegate token new`: a static token for a team or a job without an identity provider.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::tell;
use crate::identity::RoleName;
use crate::identity::static_token::NewStaticToken;

/// Longest life of a static token that is made without being asked twice, in days.
const DAYS_MAX: u16 = 366;

/// Static tokens.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Makes a token, prints it once, and prints the block for the policy set, which holds only its hash.
    #[command(
        after_help = "Example:\n  tracegate token new --id nightly-eval --role evaluator --days 90 > nightly-eval.token"
    )]
    New(NewArgs),
}

#[derive(Debug, Args)]
struct NewArgs {
    /// Name of the holder, as the audit log will say it.
    #[arg(long)]
    id: String,
    /// The one role that the token opens.
    #[arg(long)]
    role: String,
    /// Days until the token ends.
    #[arg(long, default_value_t = 90)]
    days: u16,
}

/// Runs the command. The token goes to standard output, the block to standard error.
pub async fn run(args: TokenArgs) -> anyhow::Result<()> {
    let TokenCommand::New(NewArgs { id, role, days }) = args.command;
    if days == 0 || days > DAYS_MAX {
        bail!("--days must be 1 to {DAYS_MAX}");
    }
    let role: RoleName = role.parse().map_err(anyhow::Error::msg).context("--role")?;
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let expires = now.checked_add(Duration::from_secs(u64::from(days) * 24 * 3600))?;
    let made = NewStaticToken::generate(&id, role, expires, now);
    print(made.token.expose())?;
    tell("Paste this into the policy set; the token itself is not stored anywhere:\n")?;
    tell(&made.toml())
}

/// The token, and behind it the end of a line only on a terminal: SDKs read a token file as it is, and refuse to send a
/// line's end in a header.
fn print(token: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if out.is_terminal() { "\n" } else { "" };
    write!(out, "{token}{end}")?;
    Ok(out.flush()?)
}
