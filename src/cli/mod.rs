//! The command line: one file per command. Prints for people by default, and as JSON where a script may ask.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command line does")]

pub mod audit;
mod certificate;
mod check;
mod credentials;
mod demo;
mod init;
mod keys;
mod lock;
mod login;
pub mod policy;
mod redact;
mod revoke;
mod scan;
mod serve;
mod token;
mod viewer;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::app;
use crate::identity::revocation_log::RevocationLog;
use crate::keyring;

/// An S3-compatible façade that redacts, filters and records every read of a bucket of AI reasoning traces.
#[derive(Debug, Parser)]
#[command(name = "tracegate", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Begin with `tracegate demo`: it needs nothing but itself.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job in seconds, on sample traces, then stay up for your own client.
    Demo(demo::DemoArgs),
    /// Set up what a configuration needs once: key ring, control store, log folder.
    Init(init::InitArgs),
    /// Serve a real bucket.
    Serve(serve::ServeArgs),
    /// Say what a configuration would serve, or every mistake in it.
    Check(check::CheckArgs),
    /// Check, explain, test and show the policy set.
    Policy(policy::PolicyArgs),
    /// Show an object as a role would see it, from a file or a pipe.
    Redact(redact::RedactArgs),
    /// Say what a role's view would make of every object of a bucket, before it is served.
    Scan(scan::ScanArgs),
    /// Follow, search and check the audit log.
    Audit(audit::AuditArgs),
    /// Make a self-signed certificate, for trying out HTTPS.
    Certificate(certificate::CertificateArgs),
    /// Make and rotate the façade's own keys.
    Keys(keys::KeysArgs),
    /// Close the real bucket's other doors, and prove that they are shut.
    Lock(lock::LockArgs),
    /// Make a token for a team or job without an identity provider.
    Token(token::TokenArgs),
    /// End sessions: of one session, subject or role, or all.
    Revoke(revoke::RevokeArgs),
    /// Log in at an identity provider, for `credentials`.
    Login(login::LoginArgs),
    /// Print credentials for AWS's `credential_process`.
    Credentials(credentials::CredentialsArgs),
    /// Print shell completions.
    ///
    /// Example: tracegate completions bash > ~/.local/share/bash-completion/completions/tracegate
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
    match command {
        Command::Demo(args) => done(wait(demo::run(args))),
        Command::Init(args) => done(wait(init::run(args))),
        Command::Serve(args) => done(wait(serve::run(args))),
        Command::Check(args) => wait(check::run(args)),
        Command::Policy(args) => policy::run(args),
        Command::Redact(args) => redact::run(args),
        Command::Scan(args) => wait(scan::run(args)),
        Command::Audit(args) => audit::run(args),
        Command::Certificate(args) => done(certificate::run(args)),
        Command::Keys(args) => done(wait(keys::run(args))),
        Command::Lock(args) => wait(lock::run(args)),
        Command::Token(args) => done(wait(token::run(args))),
        Command::Revoke(args) => done(wait(async {
            let log = revocation_log(args.config.as_deref(), args.control.as_deref())?;
            revoke::run(args, &log).await
        })),
        Command::Login(args) => done(wait(login::run(args))),
        Command::Credentials(args) => done(wait(credentials::run(args))),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tracegate", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The log of revocations that a configuration names.
fn revocation_log(config: Option<&Path>, control: Option<&Path>) -> anyhow::Result<RevocationLog> {
    let config = app::config(config.unwrap_or(Path::new("tracegate.toml")))?;
    let ring = keyring::file::read(&config.keys)?;
    app::revocation_log(control.unwrap_or(&config.control), &Arc::new(ArcSwap::from_pointee(ring)))
}

/// Writes a line to standard output; a closed pipe is an error, not a panic.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Writes a line for the person at the terminal, apart from the output.
fn tell(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr().lock(), "{line}")?)
}

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
