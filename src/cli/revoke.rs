//! `tracegate revoke`: ends sessions before their time, within seconds and on every replica.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use super::say;
use crate::identity::RoleName;
use crate::identity::revocation_log::{Entry, RevocationLog, Target};

/// What to revoke, and where.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate revoke --session ASIAEXAMPLE234567ABC --reason 'laptop lost' --config tracegate.toml
  tracegate revoke --subject https://login.example.com ada@example.com --reason 'left the company'
  tracegate revoke --role support --reason 'role under review'
  tracegate revoke --all --reason 'keys may have leaked'

Everything that was issued up to now for the target stops working within seconds, and streams in flight are cut. Who may
still hold the role can log in again.")]
pub struct RevokeArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Why, for the log.
    #[arg(long)]
    reason: String,
    /// Who revokes, for the log; the user name of this machine if not given.
    #[arg(long)]
    by: Option<String>,
    /// The server's configuration, which names the control store and the key ring.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The control store, if not the configured one.
    #[arg(long, value_name = "DIR")]
    pub control: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// One session: its access key id, or `bearer-…` as the audit log names it.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// All sessions and tokens of one person or job: the issuer (`tracegate` for static tokens) and the subject.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    subject: Option<Vec<String>>,
    /// All sessions of one role.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// All sessions and tokens.
    #[arg(long)]
    all: bool,
}

impl TargetArgs {
    fn target(self) -> anyhow::Result<Target> {
        let Self { session, subject, role, all } = self;
        match (session, subject.as_deref(), role, all) {
            (Some(session), None, None, false) => Ok(Target::Session(session)),
            (None, Some([issuer, subject]), None, false) => {
                Ok(Target::Subject { issuer: issuer.clone(), subject: subject.clone() })
            }
            (None, None, Some(role), false) => {
                let role: RoleName = role.parse().map_err(anyhow::Error::msg).context("--role")?;
                Ok(Target::Role(role.to_string()))
            }
            (None, None, None, true) => Ok(Target::Everything),
            _ => anyhow::bail!("name one of --session, --subject, --role and --all"),
        }
    }
}

/// Appends the revocation to the log that `--config` or `--control` names.
pub async fn run(args: RevokeArgs, log: &RevocationLog) -> anyhow::Result<()> {
    let by = args.by.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unknown".to_owned());
    let entry = Entry { target: args.target.target()?, before: Timestamp::now(), by, reason: args.reason };
    let number = log.append(&entry).await.context("nothing was revoked")?;
    say(&format!("revoked, as number {number}; running servers obey it within seconds"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: RevokeArgs,
    }

    #[test]
    fn exactly_one_target() {
        Cli::command().debug_assert();
        let check = |words: &str, want: Option<Target>| {
            let words = format!("x --reason r {words}");
            let got = Cli::try_parse_from(words.split_whitespace()).ok().and_then(|cli| cli.args.target.target().ok());
            assert_eq!(got, want, "{words}");
        };
        check("--all", Some(Target::Everything));
        check("--session ASIA", Some(Target::Session("ASIA".into())));
        check("--role support", Some(Target::Role("support".into())));
        check("--subject i s", Some(Target::Subject { issuer: "i".into(), subject: "s".into() }));
        check("--role Support", None);
        check("--subject i", None);
        check("", None);
        check("--all --role support", None);
    }
}
