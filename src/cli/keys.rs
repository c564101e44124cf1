//! `tracegate keys`: the façade's own key ring, made once and rotated in steps that no replica stumbles over.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};

use crate::keyring::file::{read, write};
use crate::keyring::{KeyRing, KeyState, RingKey, SecretKey};

/// What `keys` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tracegate keys init keys.toml\n  tracegate keys publish keys.toml 2027-01    # give \
                        the file to every replica, wait\n  tracegate keys activate keys.toml 2027-01   # sessions are \
                        sealed with it from now on\n  tracegate keys drop keys.toml 2026-11       # when the last old \
                        session has ended\n  tracegate keys end-all keys.toml 2027-02    # emergency: every session \
                        ends at once")]
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
    /// Remove a retired key: what it has sealed ends.
    Drop {
        /// The file.
        file: PathBuf,
        /// Which key.
        id: String,
    },
    /// Put one new key in the place of all: every session, page token, redacted ETag and pseudonym ends.
    EndAll {
        /// The file.
        file: PathBuf,
        /// The new key's id.
        id: String,
    },
}

/// Runs `keys`.
pub fn run(args: KeysArgs) -> Result<()> {
    match args.command {
        KeysCommand::Init { file, id } => init(&file, id),
        KeysCommand::Ls { file } => list(&file),
        KeysCommand::Publish { file, id } => change(&file, |keys| {
            keys.push(fresh(id, KeyState::Published));
            Ok(())
        }),
        KeysCommand::Activate { file, id } => change(&file, |keys| activate(keys, &id)),
        KeysCommand::Drop { file, id } => change(&file, |keys| drop_retired(keys, &id)),
        KeysCommand::EndAll { file, id } => change(&file, |keys| {
            if keys.iter().any(|key| key.id == id) {
                bail!("the new key needs an id that the ring does not have");
            }
            *keys = vec![fresh(id, KeyState::Active)];
            Ok(())
        }),
    }
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
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_rotated_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        let states = || read(&file).unwrap().keys().iter().map(|key| (key.id.clone(), key.state)).collect::<Vec<_>>();
        let step = |command| run(KeysArgs { command });
        let (f, id) = (|| file.clone(), |id: &str| id.to_owned());
        step(KeysCommand::Init { file: f(), id: id("a") }).unwrap();
        assert!(step(KeysCommand::Init { file: f(), id: id("b") }).is_err());
        step(KeysCommand::Publish { file: f(), id: id("b") }).unwrap();
        step(KeysCommand::Activate { file: f(), id: id("b") }).unwrap();
        assert_eq!(states(), [(id("a"), KeyState::Retired), (id("b"), KeyState::Active)]);
        assert!(step(KeysCommand::Drop { file: f(), id: id("b") }).is_err());
        step(KeysCommand::Drop { file: f(), id: id("a") }).unwrap();
        assert_eq!(states(), [(id("b"), KeyState::Active)]);
        assert!(step(KeysCommand::EndAll { file: f(), id: id("b") }).is_err());
        step(KeysCommand::EndAll { file: f(), id: id("c") }).unwrap();
        assert_eq!(states(), [(id("c"), KeyState::Active)]);
    }
}
