//! `tracegate scan`: what a role's view would make of every object of a real bucket, before it is served.
//!
//! Reads with the façade's own credential and shows nobody a byte: findings and counts only. It can go on where it was
//! broken off.

mod report;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use arc_swap::ArcSwap;
use clap::Args;
use futures::{StreamExt as _, stream};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::viewer::Viewer;
use super::{say, tell};
use crate::app;
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::keyring;
use crate::limits;
use crate::policy::Ruleset;
use crate::policy::permit::Facts;
use crate::policy::survey::{Survey, Surveyed};
use crate::redact::Redaction;
use crate::redact::survey::{self, Entry, Finding, Page};
use crate::s3::name::{Bucket, Prefix};
use report::Totals;
use state::{Of, State};

/// What `scan` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate scan --role compliance-auditor traces
  tracegate scan --role data-scientist --claim namespace=model-B traces/model-B/ --findings odd.jsonl
  tracegate scan --role compliance-auditor traces --policies draft/ --json > draft.json
  tracegate scan --role compliance-auditor traces --state scan.state    # again after an interruption: it goes on

Exit codes: 0, every object was looked at; 1, not, and why is said; 130, interrupted. The backend's own access log shows the
reads; tracegate's log does not, since nothing is shown to anybody.")]
pub struct ScanArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
    #[command(flatten)]
    viewer: Viewer,
    /// The folder of another policy set than the configuration's, to try one before it is served.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Objects looked at side by side.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Keeps what is known so far in this file, and goes on from there.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Writes a line of JSON to this file for each object that is not shown whole.
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The bucket by its outside name, or what lies below a prefix of it.
    #[arg(value_name = "BUCKET[/PREFIX]")]
    what: String,
}

/// Runs the command.
pub async fn run(args: ScanArgs) -> Result<ExitCode> {
    // Before the first file is written: from then on an interruption leaves a state to go on from.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = app::config(&args.config)?;
    let (bucket, prefix) = below(&args.what, &config)?;
    let dir = args.policies.as_ref().unwrap_or(&config.policies);
    let (rules, _) = Ruleset::load_with(dir, &app::issuer_names(&config)).map_err(|mistakes| app::all(&mistakes))?;
    let sight = args.viewer.sight(&rules)?;
    let of = Of {
        role: args.viewer.role.to_string(),
        claims: args.viewer.claims().to_vec(),
        what: args.what.clone(),
        policy: rules.digest().to_string(),
    };
    let mut state = State::open(args.state.as_deref(), args.findings.as_deref(), of, args.viewer.now())?;
    crate::identity::fetch::install_crypto_provider();
    let ring = keyring::file::read(&config.keys)?;
    let scan = Scan {
        backend: app::backend(&config).await.context("the backend")?,
        redaction: Redaction::new(Arc::new(ArcSwap::from_pointee(ring)), app::renderings(&config)?),
        survey: Survey::new(sight, bucket, prefix, state.now()),
        jobs: usize::from(args.jobs),
        progress: progress(),
    };
    let done = tokio::select! {
        done = scan.walk(&mut state) => Some(done),
        _ = interrupt.recv() => None,
    };
    scan.progress.finish_and_clear();
    state.save()?;
    let Some(done) = done else {
        tell(&interrupted(&args, state.totals()))?;
        return Ok(ExitCode::from(130));
    };
    done?;
    say(&if args.json { serde_json::to_string_pretty(&state.told())? } else { state.told().to_string() })?;
    Ok(ExitCode::SUCCESS)
}

/// The bucket and the prefix that are meant; an error where the configuration does not serve that bucket.
fn below(what: &str, config: &Config) -> Result<(Bucket, Prefix)> {
    let (bucket, prefix) = what.split_once('/').unwrap_or((what, ""));
    let bucket: Bucket = bucket.parse().with_context(|| format!("{bucket:?} is no bucket's name"))?;
    if !config.buckets.contains_key(&bucket) {
        let served: Vec<&str> = config.buckets.keys().map(Bucket::as_str).collect();
        bail!("the configuration serves no bucket {bucket}; it serves: {}", served.join(", "));
    }
    Ok((bucket, prefix.parse().with_context(|| format!("{prefix:?} is no prefix of keys"))?))
}

fn interrupted(args: &ScanArgs, totals: &Totals) -> String {
    let looked_at = format!("interrupted after {} objects", totals.objects());
    match &args.state {
        Some(file) => format!("{looked_at}; the same command goes on from {}", file.display()),
        None => format!("{looked_at}; with --state FILE the next one could go on"),
    }
}

struct Scan {
    backend: Arc<dyn Backend>,
    redaction: Redaction,
    survey: Survey,
    jobs: usize,
    progress: ProgressBar,
}

/// What the role may do with an object, and what the view makes of it.
pub(super) enum Outcome {
    Hidden,
    Raw,
    Masked(Finding),
}

impl Scan {
    /// Looks at every key behind where the state stands.
    async fn walk(&self, state: &mut State) -> Result<()> {
        let mut saved = Instant::now();
        while !state.is_done() {
            let after = state.after().map(str::to_owned);
            let Page { objects, more_after, unnameable } =
                patiently(async || survey::page(&*self.backend, &self.survey, after.clone()).await)
                    .await
                    .context("the listing")?;
            let mut outcomes = stream::iter(objects)
                .map(async |entry| {
                    let outcome = patiently(async || self.look(&entry).await).await;
                    (entry, outcome)
                })
                .buffered(self.jobs);
            while let Some((entry, outcome)) = outcomes.next().await {
                let outcome = outcome.with_context(|| format!("object {}", entry.key.as_str()))?;
                state.note(&entry, &outcome)?;
                self.show(state.totals(), &entry);
                if saved.elapsed() > limits::SCAN_SAVE_EVERY {
                    state.save()?;
                    saved = Instant::now();
                }
            }
            state.page_ends(more_after, unnameable);
        }
        Ok(())
    }

    async fn look(&self, entry: &Entry) -> Result<Outcome, Trouble> {
        let facts = Facts { last_modified: entry.last_modified, size: entry.size };
        match self.survey.of(&entry.key, &facts) {
            Surveyed::Hidden => Ok(Outcome::Hidden),
            Surveyed::Raw => Ok(Outcome::Raw),
            Surveyed::Masked(examined) => self.redaction.examine(&self.backend, examined).await.map(Outcome::Masked),
        }
    }

    fn show(&self, totals: &Totals, entry: &Entry) {
        self.progress.set_position(totals.bytes());
        let key = entry.key.as_str().escape_debug();
        self.progress.set_message(format!("{} objects, {}, at {key}", totals.objects(), HumanBytes(totals.bytes())));
    }
}

/// Tries again where the backend may do better a little later.
async fn patiently<T>(mut attempt: impl AsyncFnMut() -> Result<T, Trouble>) -> Result<T, Trouble> {
    let mut pause = limits::SCAN_RETRY_FIRST;
    for _ in 1..limits::SCAN_TRIES {
        match attempt().await {
            Err(Trouble::Busy | Trouble::Timeout | Trouble::Broken(_)) => tokio::time::sleep(pause).await,
            settled => return settled,
        }
        pause *= 4;
    }
    attempt().await
}

/// Shows itself on a terminal only.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bytes_per_sec} {wide_msg}");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
