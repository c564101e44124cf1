//! `lock apply` and `lock restore`: shown, asked, kept, put, read back; or put back.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;

use super::super::{say, tell};
use super::{Common, of_bucket, warn_of_plain_http};
use crate::app;
use crate::backend::aws::bucket::{self, AwsBucket};
use crate::backend::aws::{AwsOptions, Credentials};
use crate::backend::bucket::Document;
use crate::config::Config;
use crate::lock::apply::{self, Wanted, differing, leaves_in};
use crate::lock::canonical::pretty;
use crate::lock::diff::diff;
use crate::lock::kept::Kept;
use crate::lock::principal::Caller;
use crate::s3::name::Bucket;

/// What `lock apply` takes.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// What `lock restore` takes.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file that `apply` named.
    file: PathBuf,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// With whose credential; tracegate's own if nothing is given.
#[derive(Debug, Args)]
struct WhoArgs {
    /// With the credential of this profile of AWS's configuration files, instead of tracegate's own.
    #[arg(long, value_name = "NAME", conflicts_with = "environment")]
    profile: Option<String>,
    /// With the credential that AWS's default chain finds (environment, profile, instance), instead of tracegate's own.
    #[arg(long)]
    environment: bool,
}

#[derive(Debug, Args)]
struct HowArgs {
    /// Do not ask; for scripts.
    #[arg(long)]
    yes: bool,
    /// The folder that gets the file with what was stored before.
    #[arg(long, value_name = "DIR", default_value = ".")]
    keep: PathBuf,
    /// Whose credential it is, where the backend has no STS that could say so.
    #[arg(long, value_name = "ARN")]
    caller: Option<String>,
}

impl WhoArgs {
    fn options(&self, config: &Config) -> Result<AwsOptions> {
        let own = app::lock::options(config)?;
        let credentials = match (&self.profile, self.environment) {
            (Some(name), _) => Credentials::Profile(name.clone()),
            (None, true) => Credentials::Chain,
            (None, false) => own.credentials.clone(),
        };
        Ok(AwsOptions { credentials, ..own })
    }
}

/// Runs `lock apply`.
pub async fn apply(args: ApplyArgs) -> Result<()> {
    let (config, terms) = args.common.read()?;
    if terms.documents.is_empty() {
        bail!("[lock] says `documents = []`: the backend keeps none, so there is nothing to apply");
    }
    let options = args.who.options(&config)?;
    let principals = app::lock::principals(&config, &terms).await?;
    let caller = caller(&config, &options, &args.how).await?;
    for name in args.common.buckets(&config)? {
        let plan = app::lock::plan(&config, &name, &principals, &terms)?;
        warn_of_plain_http(&plan)?;
        if terms.documents.contains(&Document::Policy) {
            of_bucket(&name, leaves_in(&plan, &caller))?;
        }
        let bucket = bucket::connect(options.clone(), plan.bucket()).await?;
        let before = Kept::take(plan.bucket(), &bucket, terms.documents.iter().copied(), Timestamp::now()).await;
        let before = of_bucket(&name, before)?;
        let wanted = apply::wanted(&plan, terms.documents.iter().copied());
        let order = differing(&before, &wanted);
        change(&name, &bucket, &before, &wanted, &order, &args.how).await?;
    }
    Ok(())
}

/// Runs `lock restore`.
pub async fn restore(args: RestoreArgs) -> Result<()> {
    let config = app::config(&args.config)?;
    let kept = Kept::read(&args.file)?;
    let served = config.buckets.iter().find(|(_, bucket)| bucket.inside == kept.bucket).map(|(name, _)| name);
    let Some(name) = served else {
        bail!("{} serves no bucket that is called {} at the backend", args.config.display(), kept.bucket);
    };
    let bucket = bucket::connect(args.who.options(&config)?, &kept.bucket).await?;
    let before = Kept::take(&kept.bucket, &bucket, kept.documents.keys().copied(), Timestamp::now()).await;
    let before = of_bucket(name, before)?;
    // The way back: a policy may only be put once the public access block lets it.
    let order: Vec<Document> = differing(&before, &kept.documents).into_iter().rev().collect();
    change(name, &bucket, &before, &kept.documents, &order, &args.how).await
}

/// Who applies: what STS says, or, where there is none, what was stated.
async fn caller(config: &Config, options: &AwsOptions, how: &HowArgs) -> Result<Caller> {
    match (app::lock::caller(config, options.clone()).await?, &how.caller) {
        (Some(told), _) => Ok(told),
        (None, Some(stated)) => Ok(Caller::told(stated)),
        (None, None) => bail!(
            "nobody can say whose credential this is, and so whether the policy would lock it out: set `sts_endpoint` in \
             [lock], or state it by --caller"
        ),
    }
}

async fn change(
    name: &Bucket,
    bucket: &AwsBucket,
    before: &Kept,
    wanted: &Wanted,
    order: &[Document],
    how: &HowArgs,
) -> Result<()> {
    if order.is_empty() {
        return say(&format!("{name}: nothing to change"));
    }
    for document in order {
        let side =
            |text: Option<&Option<String>>| text.cloned().flatten().map(|text| pretty(&text)).unwrap_or_default();
        let shown = diff(&side(before.documents.get(document)), &side(wanted.get(document))).unwrap_or_default();
        say(&format!("{name}: {document} of {}\n{shown}", before.bucket))?;
    }
    if !how.yes {
        agreed()?;
    }
    let file = of_bucket(name, before.write(&how.keep))?;
    tell(&format!("{name}: what was stored before is kept in {}", file.display()))?;
    of_bucket(name, apply::apply(bucket, before, wanted, order).await)?;
    say(&format!("{name}: done, and read back; `tracegate lock restore {}` undoes it", file.display()))
}

/// Asks the person at the terminal.
fn agreed() -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("nothing was changed: there is no terminal to ask on; --yes answers for scripts");
    }
    tell("Put this in place? Write yes:")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing was changed");
    }
    Ok(())
}
