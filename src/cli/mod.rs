//! One file per command. Only here are errors `anyhow` and is the terminal written to.

pub mod credentials;
pub mod login;
pub mod revoke;
pub mod token;

use std::io::Write as _;

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
