//! `tracegate check`: what a configuration would serve, or every mistake in it. Changes nothing; listens nowhere.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::app;
use crate::backend::{ConditionalWrites, Trouble};
use crate::config::{BackendConfig, Config};
use crate::gateway::creates::ignored;
use crate::keyring;
use crate::policy::Ruleset;
use crate::s3::name::Bucket;

/// What `check` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tracegate check --config tracegate.toml\n  tracegate check --config tracegate.toml \
                        --online   # also asks the backend\n  tracegate check --config tracegate.toml --json"
)]
pub struct CheckArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
    /// Also ask the backend for each bucket, with the façade's own credential; where a role may only create, write and
    /// remove a scratch key, to see whether the bucket keeps it from overwriting.
    #[arg(long)]
    online: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    serves: Vec<String>,
    warnings: Vec<String>,
    mistakes: Vec<String>,
}

/// Runs `check`. The exit code is 1 if there is a mistake.
pub async fn run(args: CheckArgs) -> Result<ExitCode> {
    let mut report = Report::default();
    match Config::load(&args.config) {
        Err(mistakes) => report.mistakes.extend(mistakes.iter().map(ToString::to_string)),
        Ok(config) => {
            described(&config, &mut report);
            let rules = parts(&config, &mut report);
            if let Some(rules) = rules.filter(|_| args.online && report.mistakes.is_empty()) {
                online(&config, &rules, &mut report).await;
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(config: &Config, report: &mut Report) {
    let serves = &mut report.serves;
    serves.extend(config.http.iter().map(|address| format!("http://{address}")));
    serves.extend(config.https.iter().map(|address| format!("https://{address}")));
    serves.extend(config.admin.iter().map(|address| format!("health and metrics on http://{address}")));
    let backend = match &config.backend {
        BackendConfig::S3 { endpoint, region, .. } => {
            format!("{} ({region})", endpoint.as_deref().unwrap_or("AWS S3"))
        }
        BackendConfig::Memory { .. } => "the embedded bucket, in memory".to_owned(),
    };
    for (name, bucket) in &config.buckets {
        serves.push(format!("bucket {name} = {} at {backend}", bucket.inside));
    }
    serves.extend(config.issuers.iter().map(|issuer| format!("tokens of {} ({})", issuer.name, issuer.url)));
    serves.push(format!("log {} in {}", config.log.name, config.log.dir.display()));
    let exposed = config.http.iter().any(|address| !address.ip().is_loopback());
    if exposed && config.trusted_proxies.is_empty() {
        report.warnings.push(
            "a plain HTTP listener is open to others: tokens sent there are refused; use `https`, or name the TLS \
             proxy in `trusted_proxies`"
                .to_owned(),
        );
    }
}

/// The policy set, if it is sound.
fn parts(config: &Config, report: &mut Report) -> Option<Ruleset> {
    if let Err(error) = keyring::file::read(&config.keys) {
        report.mistakes.push(format!("{error}; `tracegate keys init` makes a key file"));
    }
    let rules = match Ruleset::load_with(&config.policies, &app::issuer_names(config)) {
        Ok((set, warnings)) => {
            report.serves.push(format!("{} roles, policy {}", set.roles().count(), set.digest()));
            report.warnings.extend(warnings.iter().map(ToString::to_string));
            Some(set)
        }
        Err(mistakes) => {
            report.mistakes.extend(mistakes.iter().map(ToString::to_string));
            None
        }
    };
    if let Err(error) = app::issuers(config) {
        report.mistakes.push(format!("{error:#}"));
    }
    if let Some(tls) = &config.tls
        && let Err(error) = crate::server::tls::settings(tls)
    {
        report.mistakes.push(error.to_string());
    }
    rules
}

async fn online(config: &Config, rules: &Ruleset, report: &mut Report) {
    crate::identity::fetch::install_crypto_provider();
    match app::backend(config).await {
        Err(error) => report.mistakes.push(format!("{error:#}")),
        Ok(backend) => {
            for bucket in config.buckets.keys() {
                match backend.probe(bucket).await {
                    Ok(()) => report.serves.push(format!("bucket {bucket} answers")),
                    Err(trouble) => report.mistakes.push(format!("bucket {bucket}: {trouble}")),
                }
                if rules.creates_in(bucket) {
                    conditional(bucket, backend.conditional_writes(bucket).await, report);
                }
            }
        }
    }
}

/// What is said of a bucket in which some role may only create.
fn conditional(bucket: &Bucket, kept: Result<ConditionalWrites, Trouble>, report: &mut Report) {
    match kept.map(ignored) {
        Ok(ignored) if ignored.is_empty() => {
            report.serves.push(format!("bucket {bucket} keeps roles that only create from overwriting"));
        }
        Ok(ignored) => report.warnings.push(format!(
            "bucket {bucket} ignores the condition that keeps a role with `create` from overwriting: {} will be refused",
            ignored.join(", ")
        )),
        // Everything else is served all the same, also with a credential that may only read.
        Err(trouble) => report.warnings.push(format!(
            "bucket {bucket}: whether it keeps roles that only create from overwriting cannot be tried, and until it \
             can they are refused: {trouble}"
        )),
    }
}

fn print(report: &Report) {
    for mistake in &report.mistakes {
        eprintln!("error: {mistake}");
    }
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    if report.mistakes.is_empty() {
        println!("This would serve:");
        for line in &report.serves {
            println!("  {line}");
        }
    }
}
