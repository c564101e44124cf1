//! `tracegate init`: what a deployment needs once before `serve`. Makes what is missing, changes nothing that is there.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use clap::Args;
use jiff::Timestamp;

use super::say;
use crate::app;
use crate::keyring::{KeyRing, KeyState, RingKey, SecretKey, file};

/// What `init` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tracegate init --config tracegate.toml && tracegate serve --config tracegate.toml\n\nRun \
                        it once, on one machine; give the key file to every replica. A control store that was lost must \
                        not be\nset up again lightly: the revocations in it are gone."
)]
pub struct InitArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
}

/// Runs `init`.
pub async fn run(args: InitArgs) -> Result<()> {
    let config = app::config(&args.config)?;
    let now = Timestamp::now();
    if config.keys.exists() {
        say(&format!("{} is there already", config.keys.display()))?;
    } else {
        let id = now.strftime("%Y-%m").to_string();
        let key = RingKey { id, state: KeyState::Active, key: SecretKey::random() };
        file::write(&config.keys, &KeyRing::new(vec![key])?)?;
        say(&format!("{} holds a new key; keep it as you would a password", config.keys.display()))?;
    }
    let ring = Arc::new(ArcSwap::from_pointee(file::read(&config.keys)?));
    let founded = app::revocation_log(&config.control, &ring)?.found("tracegate init", now).await;
    let founded = founded.with_context(|| config.control.display().to_string())?;
    let state = if founded { "is a new control store" } else { "is a control store already" };
    say(&format!("{} {state}", config.control.display()))?;
    std::fs::create_dir_all(&config.log.dir).with_context(|| config.log.dir.display().to_string())?;
    say(&format!("{} holds the log", config.log.dir.display()))
}
