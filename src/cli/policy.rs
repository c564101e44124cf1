//! temp
use clap::Args;
#[derive(Debug, Args)]
pub struct PolicyArgs {}
pub fn run(_args: PolicyArgs) -> anyhow::Result<std::process::ExitCode> { anyhow::bail!("x") }
