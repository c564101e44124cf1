//! The tasks that take up changes of files: policies and keys. All or nothing; the last good one serves on.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::audit::Event;
use crate::config::Config;
use crate::keyring::{self, KeyRing};
use crate::limits;
use crate::rim::Rim;

/// Loads the policy set anew when a file of its folder changes, and records what came of it.
pub(super) async fn policies(rim: Arc<Rim>, config: Config) {
    let mut seen = folder(&config.policies);
    loop {
        tokio::time::sleep(limits::POLICY_POLL).await;
        let now = folder(&config.policies);
        if now == seen {
            continue;
        }
        seen = now;
        let gateway = &rim.gateway;
        let before = gateway.rules.load().set.digest();
        let event = match super::rules(&config) {
            Ok(rules) if rules.set.digest() == before => continue,
            Ok(rules) => {
                let (digest, roles) = (rules.set.digest(), rules.set.roles().count());
                gateway.rules.store(Arc::new(rules));
                rim.metrics.policy_loads.inc();
                tracing::info!(%digest, roles, "the changed policy set is in force");
                Event::PolicyLoaded { digest, previous: Some(before), roles }
            }
            Err(error) => {
                rim.metrics.policy_rejects.inc();
                tracing::error!(kept = %before, "the changed policy set was not taken:\n{error:#}");
                Event::PolicyRejected { kept: Some(before), reason: format!("{error:#}") }
            }
        };
        if let Err(error) = gateway.journal.event(event).await {
            tracing::error!(%error, "a change of the policy set could not be recorded");
        }
    }
}

/// Reads the key ring anew when its file changes.
pub(super) async fn keys(ring: Arc<ArcSwap<KeyRing>>, file: PathBuf) {
    let mut seen = stamp(&file);
    loop {
        tokio::time::sleep(limits::POLICY_POLL).await;
        let now = stamp(&file);
        if now == seen {
            continue;
        }
        seen = now;
        match keyring::file::read(&file) {
            Ok(fresh) => {
                ring.store(Arc::new(fresh));
                tracing::info!("the changed key ring is in use");
            }
            Err(error) => tracing::error!(%error, "the changed key ring was not taken; the last one serves on"),
        }
    }
}

/// Changes when a file of the folder is added, removed or written.
fn folder(dir: &Path) -> u64 {
    let mut stamps: Vec<(PathBuf, Option<(std::time::SystemTime, u64)>)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.path(), stamp(&entry.path())))
        .collect();
    stamps.sort();
    let mut hasher = DefaultHasher::new();
    stamps.hash(&mut hasher);
    hasher.finish()
}

fn stamp(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let facts = std::fs::metadata(file).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}
