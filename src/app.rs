//! From a configuration to a running façade: the parts built once, the tasks that keep them fresh, an orderly end.
//!
//! Whatever could only be served wrongly stops the start: no policy set, no key ring, a log that cannot be written.

pub mod admin;
pub mod lock;
mod quota;
mod readiness;
mod refresh;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use object_store::local::LocalFileSystem;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::tlog::SigningKeys;
use crate::audit::{Event, Journal, JournalOptions, Recovery, Unavailable};
use crate::backend::Backend;
use crate::backend::aws::{self, AwsOptions, Credentials, Timeouts};
use crate::backend::memory::Memory;
use crate::config::{BackendConfig, Config, IssuerConfig, Mistake, RenderingsConfig};
use crate::gateway::creates::CreateProofs;
use crate::gateway::{self, Gateway, Rules};
use crate::identity::authority::Authority;
use crate::identity::issuer::{IssuerEntry, IssuerTerms};
use crate::identity::rate::DoorRate;
use crate::identity::revocation::Revocations;
use crate::identity::revocation_log::RevocationLog;
use crate::identity::secret::SecretText;
use crate::identity::session::Sessions;
use crate::keyring::{self, KeyRing, Purpose};
use crate::policy::{Ruleset, lint};
use crate::quota::Quotas;
use crate::redact::Redaction;
use crate::redact::packed::Renderings;
use crate::rim::{Rim, write::Underway};
use crate::s3::host::HostNames;
use crate::server::{self, Listener, tls};
use crate::telemetry::Metrics;

/// A façade whose sockets are bound and whose parts are ready; it serves once [`App::run`] is awaited.
pub struct App {
    rim: Arc<Rim>,
    http: Vec<Listener>,
    https: Vec<Listener>,
    admin: Option<tokio::net::TcpListener>,
    bounds: crate::config::Bounds,
    tasks: JoinSet<()>,
    journal: Journal,
}

/// Where a running façade can be reached.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// HTTP.
    pub http: Vec<SocketAddr>,
    /// HTTPS.
    pub https: Vec<SocketAddr>,
    /// Health and metrics.
    pub admin: Option<SocketAddr>,
}

/// Mistakes of files as one error, a line each.
pub fn all<M: std::fmt::Display>(mistakes: &[M]) -> anyhow::Error {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    anyhow!("{}", lines.join("\n"))
}

/// Reads the configuration file.
pub fn config(file: &Path) -> Result<Config> {
    Config::load(file).map_err(|mistakes: Vec<Mistake>| all(&mistakes))
}

/// The issuers' URLs by the names that policies call them by.
pub fn issuer_names(config: &Config) -> BTreeMap<String, String> {
    config.issuers.iter().map(|issuer| (issuer.name.clone(), issuer.url.clone())).collect()
}

/// Loads the policy set of a configuration; warnings go to the application's log.
pub fn rules(config: &Config) -> Result<Rules> {
    let loaded = Ruleset::load_with(&config.policies, &issuer_names(config));
    let (set, warnings) = loaded.map_err(|mistakes| all(&mistakes))?;
    for warning in warnings.into_iter().chain(lint::expired(&set, Timestamp::now())) {
        tracing::warn!("{warning}");
    }
    Ok(Rules::new(set))
}

/// The issuers of a configuration, as identity believes them.
pub fn issuers(config: &Config) -> Result<Vec<IssuerTerms>> {
    let terms = |issuer: &IssuerConfig| -> Result<IssuerTerms> {
        let algorithms = issuer.algorithms.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let ca_pem = match &issuer.ca {
            Some(file) => Some(std::fs::read_to_string(file).with_context(|| file.display().to_string())?),
            None => None,
        };
        Ok(IssuerTerms::new(IssuerEntry {
            name: issuer.name.clone(),
            issuer: issuer.url.clone(),
            audiences: issuer.audiences.clone(),
            algorithms,
            jwks_uri: issuer.jwks.clone(),
            ca_pem,
            immutable_claims: issuer.immutable_claims.iter().cloned().collect(),
            name_claim: issuer.name_claim.clone(),
            group_claims: issuer.group_claims.iter().cloned().collect(),
        })?)
    };
    config.issuers.iter().map(|issuer| terms(issuer).with_context(|| format!("issuer {:?}", issuer.name))).collect()
}

/// The backend of a configuration.
pub async fn backend(config: &Config) -> Result<Arc<dyn Backend>> {
    if let Some(options) = aws_options(config)? {
        return Ok(Arc::new(aws::connect(options).await?));
    }
    let memory = Memory::new();
    for outside in config.buckets.keys() {
        memory.create_bucket(outside);
    }
    if let BackendConfig::Memory { seed: Some(dir) } = &config.backend {
        memory.seed_from(dir).context("the seed")?;
    }
    Ok(Arc::new(memory))
}

/// Where compressed objects are kept as views show them.
pub fn renderings(config: &Config) -> Result<Renderings> {
    let RenderingsConfig { dir, size } = &config.renderings;
    Renderings::open(dir.clone(), *size)
        .with_context(|| format!("renderings cannot be kept in {} ([renderings])", dir.display()))
}

/// How the real buckets are reached with our own credential; `None` where the embedded one is served.
pub fn aws_options(config: &Config) -> Result<Option<AwsOptions>> {
    let (endpoint, region, path_style, ca, credentials) = match &config.backend {
        BackendConfig::Memory { .. } => return Ok(None),
        BackendConfig::S3 { endpoint, region, path_style, ca, credentials } => {
            (endpoint, region, path_style, ca, credentials)
        }
    };
    let credentials = match credentials {
        None => Credentials::Chain,
        Some((id, file)) => {
            let secret = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Credentials::Static {
                access_key_id: SecretText::new(id),
                secret_access_key: SecretText::new(secret.trim()),
                session_token: None,
            }
        }
    };
    let ca_pem = match ca {
        Some(file) => Some(std::fs::read(file).with_context(|| file.display().to_string())?),
        None => None,
    };
    let inside = |(name, bucket): (&_, &crate::config::BucketConfig)| (Clone::clone(name), bucket.inside.clone());
    Ok(Some(AwsOptions {
        endpoint: endpoint.clone(),
        region: region.clone(),
        path_style: *path_style,
        credentials,
        ca_pem,
        buckets: config.buckets.iter().map(inside).collect(),
        timeouts: Timeouts::default(),
    }))
}

impl App {
    /// Builds everything and binds the sockets.
    pub async fn start(config: Config) -> Result<Self> {
        let backend = backend(&config).await.context("the backend")?;
        Self::start_with(config, backend).await
    }

    /// The same, with a backend of one's own.
    pub async fn start_with(config: Config, backend: Arc<dyn Backend>) -> Result<Self> {
        crate::identity::fetch::install_crypto_provider();
        let locks = lock::required(&config).await?;
        let keys = keyring::file::read(&config.keys).context("the key ring; `tracegate keys init FILE` makes one")?;
        let rules = rules(&config).context("the policy set")?;
        let (journal, recovery) = open_journal(&config, &keys)?;
        told(&recovery);
        let keys = Arc::new(ArcSwap::from_pointee(keys));
        let (authority, in_force) = authority(&config, &keys).await?;
        let metrics = Arc::new(Metrics::new());
        let started = Timestamp::now();
        let quotas = Arc::new(Quotas::new(started));
        quota::recount(quotas.clone(), config.log.dir.clone(), started).await;
        let gateway = Arc::new(Gateway {
            rules: Arc::new(ArcSwap::from_pointee(rules)),
            journal: journal.clone(),
            backend,
            keys: keys.clone(),
            redaction: Redaction::new(keys.clone(), renderings(&config)?),
            quotas,
            creates: CreateProofs::new(config.buckets.keys().cloned(), metrics.clone()),
            buckets: config.buckets.keys().cloned().collect(),
            since: started,
        });
        let loaded = gateway.rules.load();
        let event =
            Event::PolicyLoaded { digest: loaded.set.digest(), previous: None, roles: loaded.set.roles().count() };
        for event in [event, refresh::revocations_in_force(in_force), refresh::ring_in_use(&keys.load())] {
            journal.event(event).await.map_err(|error| unrecorded(&config, &journal, error))?;
        }
        let mut watch = lock::Watch::new(metrics.clone(), journal.clone());
        watch.take(locks).await;
        let host_names = HostNames::new(&config.host_names);
        let rim = Arc::new(Rim {
            service: gateway::service(gateway.clone(), authority.clone(), host_names.clone()),
            gateway,
            authority: authority.clone(),
            doors: DoorRate::default(),
            trusted_proxies: config.trusted_proxies.clone(),
            host_names,
            metrics,
            underway: Underway::default(),
        });
        let mut tasks = JoinSet::new();
        refresh::creates(rim.gateway.clone()).await;
        tasks.spawn(refresh::revocations(authority.revocations().clone(), journal.clone()));
        tasks.spawn(refresh::policies(rim.clone(), config.clone()));
        tasks.spawn(refresh::keys(keys, config.keys.clone(), journal.clone()));
        if config.lock.require {
            tasks.spawn(lock::keep_watch(config.clone(), watch));
        }
        Self::bind(config, rim, journal, tasks).await
    }

    async fn bind(config: Config, rim: Arc<Rim>, journal: Journal, mut tasks: JoinSet<()>) -> Result<Self> {
        let settings = match &config.tls {
            Some(files) => {
                let (settings, keep_fresh) = tls::settings(files).context("[tls]")?;
                tasks.spawn(keep_fresh);
                Some(settings)
            }
            None => None,
        };
        let (mut http, mut https) = (Vec::new(), Vec::new());
        for address in &config.http {
            http.push(Listener::bind(*address, None).await.with_context(|| format!("listening on {address}"))?);
        }
        for address in &config.https {
            let settings = settings.clone().context("[listen] has `https`, but there is no [tls]")?;
            https.push(
                Listener::bind(*address, Some(settings)).await.with_context(|| format!("listening on {address}"))?,
            );
        }
        let admin = match config.admin {
            Some(address) => {
                Some(tokio::net::TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?)
            }
            None => None,
        };
        Ok(Self { rim, http, https, admin, bounds: config.bounds, tasks, journal })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Result<Addresses> {
        let of = |listeners: &[Listener]| listeners.iter().map(Listener::address).collect::<Result<Vec<_>, _>>();
        Ok(Addresses {
            http: of(&self.http)?,
            https: of(&self.https)?,
            admin: self.admin.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?,
        })
    }

    /// The rim, for those who want to ask it without a socket.
    pub fn rim(&self) -> &Arc<Rim> {
        &self.rim
    }

    /// Serves until `stop` turns true, lets requests in flight finish, and closes the log.
    ///
    /// # Errors
    /// The log's disk failed: nothing was served from then on.
    pub async fn run(mut self, stop: watch::Receiver<bool>) -> Result<()> {
        if let Some(socket) = self.admin.take() {
            self.tasks.spawn(admin::serve(socket, self.rim.clone()));
        }
        let mut listeners = self.http;
        listeners.append(&mut self.https);
        let (end, ended) = watch::channel(false);
        let serving = server::serve(listeners, self.rim.clone(), &self.bounds, ended);
        tokio::pin!(serving);
        let mut stop = stop;
        let died = tokio::select! {
            () = &mut serving => None,
            () = stopped(&mut stop) => None,
            () = self.journal.died() => Some(()),
        };
        end.send_replace(true);
        if died.is_none() {
            serving.await;
            // Writes outlive their connections, so that the log tells what came of them.
            tokio::time::timeout(self.bounds.drain_timeout, self.rim.underway.over()).await.ok();
        }
        self.tasks.shutdown().await;
        match died {
            None => {
                self.journal.close().await;
                Ok(())
            }
            Some(()) => Err(anyhow!("the audit log could not be written, so nothing can be served: see its disk")),
        }
    }
}

/// Waits until it turns true, or nobody can say so any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

fn open_journal(config: &Config, keys: &KeyRing) -> Result<(Journal, Recovery)> {
    let (_, digest_key) = keys.active(Purpose::LogDigest);
    let options = JournalOptions {
        dir: config.log.dir.clone(),
        log_name: config.log.name.clone(),
        signing: SigningKeys::of(keys, &config.log.name),
        digest_key,
        retention: config.log.retention,
        space: config.log.space,
        clock: Timestamp::now,
    };
    Journal::open(options).with_context(|| format!("the log in {}", config.log.dir.display()))
}

/// Why a start ends that cannot be recorded.
fn unrecorded(config: &Config, journal: &Journal, error: Unavailable) -> anyhow::Error {
    let (dir, free, min) = (config.log.dir.display(), journal.stats().free_bytes, config.log.space.min);
    anyhow!("the log in {dir}: {error}; {free} bytes are free on its disk, and `space_min` is {min}")
}

fn told(recovery: &Recovery) {
    if recovery.torn.is_some() || recovery.orphans > 0 {
        tracing::warn!(
            torn = recovery.torn.is_some(),
            orphans = recovery.orphans,
            "the log was not closed in order; it was repaired, and says so"
        );
    }
}

/// The log of revocations in a control store, which is made where none is.
pub fn revocation_log(control: &Path, keys: &Arc<ArcSwap<KeyRing>>) -> Result<RevocationLog> {
    std::fs::create_dir_all(control).with_context(|| control.display().to_string())?;
    // What was revoked stays revoked, also when the machine loses power in the next moment.
    let store = LocalFileSystem::new_with_prefix(control)?.with_fsync(true);
    Ok(RevocationLog::new(Arc::new(store), keys.clone()))
}

/// The authority, and how many revocations are in force.
async fn authority(config: &Config, keys: &Arc<ArcSwap<KeyRing>>) -> Result<(Arc<Authority>, usize)> {
    let revocations = Arc::new(Revocations::new(revocation_log(&config.control, keys)?));
    // A store that is empty may have been emptied: it is never set up by starting.
    let read = revocations.poll(Timestamp::now()).await;
    let in_force = read.context("the revocations (`tracegate init` sets up a control store)")?.len();
    Ok((Arc::new(Authority::new(issuers(config)?, Sessions::new(keys.clone()), revocations)?), in_force))
}
