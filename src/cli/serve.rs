//! `tracegate serve`: the façade in front of a real bucket, until it is told to stop.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::{self, App};
use crate::telemetry;

/// What `serve` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tracegate serve --config tracegate.toml\n\nSIGTERM and Ctrl-C stop it: no new \
                        connection is taken, requests in flight may finish.\nPolicies, keys and certificates are read \
                        anew when their files change.")]
pub struct ServeArgs {
    /// The configuration; tracegate.example.toml explains every line.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
}

/// Runs `serve`.
pub async fn run(args: ServeArgs) -> Result<()> {
    let config = app::config(&args.config)?;
    telemetry::start(&config.logging);
    let app = App::start(config).await?;
    let addresses = app.addresses()?;
    tracing::info!(http = ?addresses.http, https = ?addresses.https, admin = ?addresses.admin, "tracegate serves");
    app.run(stop()?).await?;
    tracing::info!("tracegate stopped in order");
    Ok(())
}

/// Turns true at SIGTERM or Ctrl-C.
pub(super) fn stop() -> Result<watch::Receiver<bool>> {
    let (tell, told) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.send_replace(true);
    });
    Ok(told)
}
