//! `tracegate demo`: the whole façade in one process on loopback, with sample traces and an identity provider.
//!
//! First it shows the main job by itself; then it stays up and prints, for each persona, what to paste into a shell.

mod excerpt;
mod idp;
mod seed;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use clap::Args;
use jiff::Timestamp;

use super::certificate;
use crate::app::{self, Addresses, App};
use crate::audit::journal::SpaceLeft;
use crate::backend::Backend;
use crate::backend::memory::Memory;
use crate::config::lock::LockConfig;
use crate::config::{
    BackendConfig, Bounds, BucketConfig, Config, IssuerConfig, LogConfig, Logging, RenderingsConfig, TlsFiles,
};
use crate::keyring::{KeyRing, KeyState, RingKey, SecretKey, file};
use crate::limits;
use crate::s3::name::Bucket;
use crate::telemetry;
use idp::{AUDIENCE, PERSONAS, Provider};

/// The name below which the bucket has a name of its own (virtual-host style); systems resolve it to loopback.
const HOST_NAME: &str = "s3.localhost";
/// The bucket's own name.
const TRACES_HOST_NAME: &str = "traces.s3.localhost";

/// What `demo` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tracegate demo            # show, then stay up until Ctrl-C\n  tracegate demo --no-stay  \
                        # show, then end: for scripts"
)]
pub struct DemoArgs {
    /// End after the show.
    #[arg(long)]
    no_stay: bool,
    /// Port of plain HTTP; HTTPS takes the next one, the identity provider the one after. 0 takes free ports.
    #[arg(long, default_value_t = 9000)]
    port: u16,
}

/// Everything that the demo has, while it runs.
pub(super) struct Demo {
    provider: Provider,
    addresses: Addresses,
    dir: PathBuf,
}

/// Runs `demo`.
pub async fn run(args: DemoArgs) -> Result<()> {
    let dir = tempdir()?;
    let outcome = in_dir(&args, &dir).await;
    // What the demo has written is of use to nobody afterwards.
    std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    outcome
}

async fn in_dir(args: &DemoArgs, dir: &Path) -> Result<()> {
    // The example set has warnings for whoever binds people to roles; here the personas hold one role each.
    telemetry::start(&Logging { json: false, level: "error".into() });
    crate::identity::fetch::install_crypto_provider();
    let now = Timestamp::now();
    let provider = Provider::start(loopback(args.port, 2)).await?;
    let bucket: Bucket = "traces".parse().context("the demo's bucket")?;
    let memory = Memory::new();
    memory.create_bucket(&bucket);
    let objects = seed::fill(&memory, &bucket, now)?;
    seed::policies(&dir.join("policies"))?;
    let names = ["localhost", "127.0.0.1", HOST_NAME, TRACES_HOST_NAME].map(str::to_owned);
    certificate::write(dir, names.to_vec())?;
    let ring = KeyRing::new(vec![RingKey { id: "demo".into(), state: KeyState::Active, key: SecretKey::random() }])?;
    file::write(&dir.join("keys.toml"), &ring)?;
    write_tokens(&provider, dir, now)?;
    let ring = Arc::new(ArcSwap::from_pointee(ring));
    app::revocation_log(&dir.join("control"), &ring)?.found("demo", now).await?;

    let backend: Arc<dyn Backend> = Arc::new(memory);
    let app = App::start_with(config(args, dir, &provider, bucket), backend).await?;
    let demo = Demo { provider, addresses: app.addresses()?, dir: dir.to_owned() };
    let stop = super::serve::stop()?;
    let (end, ended) = tokio::sync::watch::channel(false);
    let served = tokio::spawn(app.run(ended));
    println!("tracegate demo: {objects} sample traces in bucket `traces`, in memory, on loopback only\n");
    story::tell(&demo, now).await?;
    if !args.no_stay {
        story::invite(&demo);
        stay(&demo, stop).await?;
    }
    end.send_replace(true);
    served.await.context("the server")?
}

/// Until Ctrl-C; tokens are renewed long before they end.
async fn stay(demo: &Demo, mut stop: tokio::sync::watch::Receiver<bool>) -> Result<()> {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(limits::DEMO_TOKEN_RENEWAL) => write_tokens(&demo.provider, &demo.dir, Timestamp::now())?,
        }
    }
    println!("\nThe demo ends; nothing of it stays.");
    Ok(())
}

fn loopback(port: u16, offset: u16) -> SocketAddr {
    let port = if port == 0 { 0 } else { port.saturating_add(offset) };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn config(args: &DemoArgs, dir: &Path, provider: &Provider, bucket: Bucket) -> Config {
    let inside = bucket.to_string();
    Config {
        http: vec![loopback(args.port, 0)],
        https: vec![loopback(args.port, 1)],
        admin: None,
        host_names: vec![HOST_NAME.into()],
        trusted_proxies: Vec::new(),
        tls: Some(TlsFiles { certificate: dir.join(certificate::CERTIFICATE), key: dir.join(certificate::KEY) }),
        backend: BackendConfig::Memory { seed: None },
        buckets: [(bucket, BucketConfig { inside })].into(),
        issuers: vec![IssuerConfig {
            name: "demo".into(),
            url: provider.issuer().to_owned(),
            audiences: vec![AUDIENCE.into()],
            algorithms: vec!["ES256".into()],
            jwks: None,
            ca: None,
            immutable_claims: vec!["namespace".into(), "groups".into()],
            name_claim: Some("email".into()),
            group_claims: vec!["groups".into()],
        }],
        policies: dir.join("policies"),
        keys: dir.join("keys.toml"),
        log: LogConfig { dir: dir.join("log"), name: "demo".into(), retention: None, space: SpaceLeft::default() },
        renderings: RenderingsConfig { dir: dir.to_owned(), size: limits::RENDERINGS_BYTES },
        control: dir.join("control"),
        bounds: Bounds {
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            header_timeout: limits::HEADER_READ_TIMEOUT,
            drain_timeout: std::time::Duration::from_secs(2),
        },
        logging: Logging { json: false, level: "warn".into() },
        lock: LockConfig::default(),
    }
}

fn write_tokens(provider: &Provider, dir: &Path, now: Timestamp) -> Result<()> {
    for persona in &PERSONAS {
        certificate::write_private(&dir.join(format!("{}.jwt", persona.name)), &provider.token(persona, now)?)?;
    }
    Ok(())
}

/// A folder of our own that nobody else can have prepared.
fn tempdir() -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let dir = std::env::temp_dir().join(format!("tracegate-demo-{:016x}", rand::random::<u64>()));
    std::fs::DirBuilder::new().mode(0o700).create(&dir).with_context(|| dir.display().to_string())?;
    Ok(dir)
}
