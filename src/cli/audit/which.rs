//! Which log a command is about, and which keys it believes.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app;
use crate::audit::listed_keys;
use crate::audit::tlog::{SigningKeys, VerifierKey};
use crate::keyring;

/// A log by its folder, or by the configuration of the service that writes it.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Folder of the log, or of an exported one
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    log: Option<PathBuf>,
    /// Configuration of the service that writes it: names the folder, and the key ring that the log's keys come from
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    config: Option<PathBuf>,
}

/// Which keys are believed.
#[derive(Debug, Args)]
pub(super) struct Believed {
    /// Verifier key that you keep (`tracegate audit key`); may be given several times
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<VerifierKey>,
}

impl Which {
    /// The folder.
    pub(super) fn dir(&self) -> Result<PathBuf> {
        match (&self.log, &self.config) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(file)) => Ok(app::config(file)?.log.dir),
            (None, None) => anyhow::bail!("name the log by `--log` or `--config`"),
        }
    }

    /// The keys of a configuration's ring, the present one first; `None` where there is no configuration.
    pub(super) fn ring_keys(&self) -> Result<Option<Vec<VerifierKey>>> {
        let Some(file) = &self.config else { return Ok(None) };
        let config = app::config(file)?;
        let ring = keyring::file::read(&config.keys)?;
        Ok(Some(SigningKeys::of(&ring, &config.log.name).verifiers()))
    }

    /// The keys that the log itself lists, the present one first.
    pub(super) fn listed_keys(&self) -> Result<Vec<VerifierKey>> {
        let dir = self.dir()?;
        let mut keys = listed_keys(&dir).with_context(|| dir.display().to_string())?;
        anyhow::ensure!(
            !keys.is_empty(),
            "{} lists no verifier key: is a log there that was ever signed?",
            dir.display()
        );
        keys.reverse();
        Ok(keys)
    }
}

impl Believed {
    /// Those that were given, else those of the configuration's ring; none where neither says.
    pub(super) fn or_of(&self, which: &Which) -> Result<Vec<VerifierKey>> {
        if self.keys.is_empty() { Ok(which.ring_keys()?.unwrap_or_default()) } else { Ok(self.keys.clone()) }
    }
}

/// What is said where nobody gave a key.
pub(super) const NOT_PINNED: &str = "warning: the key is the one that the log itself lists. Whoever can write there could have \
                                     signed anew with another: give the key that you keep (`--key`)";

/// A bar over entries, shown on a terminal only.
pub(super) fn bar(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} entries, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(doing)
}

/// Moves it.
pub(super) fn moved(bar: &ProgressBar) -> impl FnMut(u64, u64) + '_ {
    move |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    }
}

/// The checkpoint's signers, for people.
pub(super) fn names(keys: &[VerifierKey]) -> String {
    keys.iter().map(VerifierKey::short).collect::<Vec<_>>().join(", ")
}
