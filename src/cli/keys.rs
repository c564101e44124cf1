//! `tracegate keys`: the façade's own key ring, made once and rotated in steps that no replica stumbles over.
//!
//! Revocations are authenticated with keys of the ring, so before a key goes, they are sealed with the one that stays.
//! In this order a crash at any point leaves a ring that reads them: the new key is in the file, then in the control
//! store, then the old key goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arc_swap::ArcSwap;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::app;
use crate::keyring::file::{read, write};
use crate::keyring::{KeyRing, KeyState, RingKey, SecretKey};

/// What `keys` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tracegate keys init keys.toml\n  tracegate keys publish keys.toml 2027-01    # give \
                        the file to every replica, wait\n  tracegate keys activate keys.toml 2027-01   # sessions are \
                        sealed with it from now on\n  tracegate keys drop keys.toml 2026-11       # when the last old \
                        session has ended\n  tracegate keys end-all keys.toml 2027-02    # emergency: every session \
                        ends at once"
)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key file with one active key; refuses to overwrite one.
    Init {
        /// The file; it will be readable by you only.
        file: PathBuf,
        /// The new key's id.
        #[arg(default_value = "first")]
        id: String,
    },
    /// List ids and states; never a key.
    Ls {
        /// The file.
        file: PathBuf,
    },
    /// Add a new key that opens but does not seal yet.
    Publish {
        /// The file.
        file: PathBuf,
        /// The new key's id.
        id: String,
    },
    /// Let a published key seal; the active one is retired.
    Activate {
        /// The file.
        file: PathBuf,
        /// Which key.
        id: String,
    },
    /// Remove a retired key: what it has sealed ends, but for revocations.
    Drop {
        /// The file.
        file: PathBuf,
        /// Which key.
        id: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Put one new key in the place of all: every session, page token, redacted ETag and pseudonym ends.
    EndAll {
        /// The file.
        file: PathBuf,
        /// The new key's id.
        id: String,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Where the revocations are, which must outlive the key that goes.
#[derive(Debug, Args)]
struct StoreArgs {
    /// The server's configuration, which names the control store; tracegate.toml if not given.
    #[arg(long, value_name = "FILE", conflicts_with = "control")]
    config: Option<PathBuf>,
    /// The control store itself.
    #[arg(long, value_name = "DIR")]
    control: Option<PathBuf>,
}

/// Runs `keys`.
pub async fn run(args: KeysArgs) -> Result<()> {
    match args.command {
        KeysCommand::Init { file, id } => init(&file, id),
        KeysCommand::Ls { file } => list(&file),
        KeysCommand::Publish { file, id } => change(&file, |keys| {
            keys.push(fresh(id, KeyState::Published));
            Ok(())
        }),
        KeysCommand::Activate { file, id } => change(&file, |keys| activate(keys, &id)),
        KeysCommand::Drop { file, id, store } => {
            let control = store.control(&file)?;
            let mut keys = read(&file)?.keys().to_vec();
            drop_retired(&mut keys, &id)?;
            replace(&file, &control, KeyRing::new(keys)?).await
        }
        KeysCommand::EndAll { file, id, store } => {
            let control = store.control(&file)?;
            let new = fresh(id, KeyState::Active);
            change(&file, |keys| {
                if keys.iter().any(|key| key.id == new.id) {
                    bail!("the new key needs an id that the ring does not have");
                }
                keys.push(RingKey { state: KeyState::Published, ..new.clone() });
                Ok(())
            })?;
            replace(&file, &control, KeyRing::new(vec![new])?).await
        }
    }
}

impl StoreArgs {
    /// The control store's folder; a configuration must be the one of this key file.
    fn control(self, file: &Path) -> Result<PathBuf> {
        if let Some(control) = self.control {
            return Ok(control);
        }
        let path = self.config.unwrap_or_else(|| PathBuf::from("tracegate.toml"));
        let because = "the revocations in the control store are sealed with the key that goes: name the configuration by \
                       --config, or the control store by --control";
        let config = app::config(&path).context(because)?;
        let real = |file: &Path| file.canonicalize().with_context(|| file.display().to_string());
        if real(&config.keys)? != real(file)? {
            bail!("{} is not the key file of {}", file.display(), path.display());
        }
        Ok(config.control)
    }
}

/// Puts a ring of fewer keys in the place of the file's, once everything in the control store can be read with it. All
/// of its keys are in the file already.
async fn replace(file: &Path, control: &Path, fewer: KeyRing) -> Result<()> {
    let log = |ring: KeyRing| app::revocation_log(control, &Arc::new(ArcSwap::from_pointee(ring)));
    let stays = "the key ring still has all of its keys";
    let after = log(fewer.clone())?;
    if after.verify().await.is_err() {
        let resealed = log(read(file)?)?.reseal(&fewer, "tracegate keys", Timestamp::now()).await;
        resealed.with_context(|| format!("{}; {stays}", control.display()))?;
        after.verify().await.with_context(|| format!("{}; {stays}", control.display()))?;
    }
    write(file, &fewer)?;
    list(file)
}

fn fresh(id: String, state: KeyState) -> RingKey {
    RingKey { id, state, key: SecretKey::random() }
}

fn init(file: &Path, id: String) -> Result<()> {
    if file.exists() {
        bail!("{} exists; `keys publish` adds a key to it", file.display());
    }
    write(file, &KeyRing::new(vec![fresh(id, KeyState::Active)])?)?;
    println!("{} holds a new key; keep it as you would a password", file.display());
    Ok(())
}

fn list(file: &Path) -> Result<()> {
    for key in read(file)?.keys() {
        let state = match key.state {
            KeyState::Published => "published: opens, does not seal yet",
            KeyState::Active => "active: seals and opens",
            KeyState::Retired => "retired: opens only",
        };
        println!("{}  {state}", key.id);
    }
    Ok(())
}

fn change(file: &Path, how: impl FnOnce(&mut Vec<RingKey>) -> Result<()>) -> Result<()> {
    let mut keys = read(file)?.keys().to_vec();
    how(&mut keys)?;
    write(file, &KeyRing::new(keys)?)?;
    list(file)
}

fn activate(keys: &mut [RingKey], id: &str) -> Result<()> {
    let chosen = keys.iter().position(|key| key.id == id).with_context(|| format!("there is no key {id:?}"))?;
    for key in keys.iter_mut().filter(|key| key.state == KeyState::Active) {
        key.state = KeyState::Retired;
    }
    keys[chosen].state = KeyState::Active;
    Ok(())
}

fn drop_retired(keys: &mut Vec<RingKey>, id: &str) -> Result<()> {
    let key = keys.iter().find(|key| key.id == id).with_context(|| format!("there is no key {id:?}"))?;
    if key.state == KeyState::Active {
        bail!("{id:?} is active; activate another one first");
    }
    keys.retain(|key| key.id != id);
    Ok(())
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
