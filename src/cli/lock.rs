//! `tracegate lock`: what the real bucket must be told so that tracegate is its only door, telling it, and proving it.

mod change;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use super::say;
use crate::app;
use crate::backend::bucket::Document;
use crate::config::Config;
use crate::lock::Terms;
use crate::lock::principal::PrincipalArn;
use crate::lock::report::{Report, Verdict};
use crate::lock::terraform;
use crate::s3::name::Bucket;

/// What `lock` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate lock print                                            # all documents, as JSON
  tracegate lock print --bucket traces --document policy > policy.json
  tracegate lock print --format terraform > lock.tf
  tracegate lock apply --profile bucket-admin                     # shows the difference, asks, keeps what was there
  tracegate lock restore FILE --profile bucket-admin              # the file that apply has named
  tracegate lock verify --json

docs/LOCKDOWN.md goes through it step by step, and says what to do when tracegate is down.")]
pub struct LockArgs {
    #[command(subcommand)]
    command: LockCommand,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Print the documents that leave tracegate as the only door; asks STS who it is, if [lock] does not say.
    Print(PrintArgs),
    /// Put the documents in place of what is stored: shows the difference and asks first, keeps the old ones in a file.
    #[command(
        after_help = "Whatever fails behind the first change leads back to what was stored before. Exit code 0: the \
                            documents stand; 1: they do not, and why is said."
    )]
    Apply(change::ApplyArgs),
    /// Put documents back that `apply` kept.
    Restore(change::RestoreArgs),
    /// Prove that others are refused and that everything stands as declared.
    #[command(after_help = "Exit codes:\n  0  verified: every probe was refused, every document and setting is as \
                            declared\n  1  open: a probe was let in, or something is not as declared\n  2  unknown: \
                            something could not be found out, or the command was misused\n\nThe probes write and delete \
                            nothing but a scratch key of their own.")]
    Verify(VerifyArgs),
}

/// Which buckets, and who is left in.
#[derive(Debug, Args)]
struct Common {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "tracegate.toml")]
    config: PathBuf,
    /// Only the bucket of this outside name; all that are served if not given.
    #[arg(long, value_name = "NAME")]
    bucket: Option<Bucket>,
    /// Who tracegate is at the backend, instead of `principals` in [lock]; may be given more than once.
    #[arg(long, value_name = "ARN")]
    principal: Vec<PrincipalArn>,
    /// Who may reach the bucket in an emergency, instead of `break_glass` in [lock]; may be given more than once.
    #[arg(long, value_name = "ARN")]
    break_glass: Vec<PrincipalArn>,
}

impl Common {
    /// The configuration, and what is declared once the command line has had its say.
    fn read(&self) -> Result<(Config, Terms)> {
        let config = app::config(&self.config)?;
        let mut terms = config.lock.terms.clone();
        if !self.principal.is_empty() {
            terms.principals.clone_from(&self.principal);
        }
        if !self.break_glass.is_empty() {
            terms.break_glass.clone_from(&self.break_glass);
        }
        Ok((config, terms))
    }

    fn buckets(&self, config: &Config) -> Result<Vec<Bucket>> {
        match &self.bucket {
            None => Ok(config.buckets.keys().cloned().collect()),
            Some(name) if config.buckets.contains_key(name) => Ok(vec![name.clone()]),
            Some(name) => anyhow::bail!("{} serves no bucket {name}", self.config.display()),
        }
    }
}

#[derive(Debug, Args)]
struct PrintArgs {
    #[command(flatten)]
    common: Common,
    /// How.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Only this document, as S3 and the AWS CLI take it; needs one bucket.
    #[arg(long, value_enum, conflicts_with = "format")]
    document: Option<DocumentArg>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    common: Common,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object: bucket names, and below each its documents.
    Json,
    /// Resources of Terraform's AWS provider.
    Terraform,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DocumentArg {
    /// For `aws s3api put-bucket-policy`.
    Policy,
    /// For `aws s3api put-public-access-block`.
    PublicAccessBlock,
    /// For `aws s3api put-bucket-ownership-controls`.
    OwnershipControls,
}

impl DocumentArg {
    fn document(self) -> Document {
        match self {
            Self::Policy => Document::Policy,
            Self::PublicAccessBlock => Document::PublicAccessBlock,
            Self::OwnershipControls => Document::OwnershipControls,
        }
    }
}

/// Runs `lock`.
pub async fn run(args: LockArgs) -> Result<ExitCode> {
    match args.command {
        LockCommand::Print(args) => print(args).await.map(|()| ExitCode::SUCCESS),
        LockCommand::Apply(args) => change::apply(args).await.map(|()| ExitCode::SUCCESS),
        LockCommand::Restore(args) => change::restore(args).await.map(|()| ExitCode::SUCCESS),
        LockCommand::Verify(args) => match verify(args).await {
            Ok(code) => Ok(code),
            Err(error) => {
                // Whatever keeps us from looking leaves the lock unknown: 1 would say that it is open.
                super::tell(&format!("error: {error:#}"))?;
                Ok(ExitCode::from(UNKNOWN))
            }
        },
    }
}

async fn print(args: PrintArgs) -> Result<()> {
    let (config, terms) = args.common.read()?;
    let names = args.common.buckets(&config)?;
    let principals = app::lock::principals(&config, &terms).await?;
    let mut plans = Vec::new();
    for name in names {
        let plan = app::lock::plan(&config, &name, &principals, &terms)?;
        warn_of_plain_http(&plan)?;
        plans.push((name, plan));
    }
    if let Some(document) = args.document {
        let [(_, plan)] = &plans[..] else {
            anyhow::bail!("more than one bucket is served: name one by --bucket");
        };
        return say(&plan.text(document.document()));
    }
    match args.format {
        Format::Terraform => {
            let texts = plans.iter().map(|(name, plan)| terraform::text(name, plan, &terms.documents));
            say(texts.collect::<Vec<_>>().join("\n").trim_end())
        }
        Format::Json => {
            let mut buckets = Map::new();
            for (name, plan) in &plans {
                let mut documents = Map::from_iter([("bucket".to_owned(), Value::from(plan.bucket()))]);
                for document in &terms.documents {
                    documents.insert(document.word().to_owned(), serde_json::from_str(&plan.text(*document))?);
                }
                buckets.insert(name.to_string(), documents.into());
            }
            say(&serde_json::to_string_pretty(&buckets)?)
        }
    }
}

fn warn_of_plain_http(plan: &crate::lock::document::Plan) -> Result<()> {
    if plan.over_tls() {
        return Ok(());
    }
    super::tell(
        "warning: [backend] reaches the bucket over plain HTTP, so the policy cannot refuse it: the statement \
         DenyPlainHttp is left out",
    )
}

/// Exit code of an open lock.
const OPEN: u8 = 1;
/// Exit code where nobody knows.
const UNKNOWN: u8 = 2;

async fn verify(args: VerifyArgs) -> Result<ExitCode> {
    let (config, terms) = args.common.read()?;
    let names = args.common.buckets(&config)?;
    let reports = app::lock::look(&config, &names, &terms).await?;
    if args.json {
        say(&serde_json::to_string_pretty(&reports)?)?;
    } else {
        let texts: String = reports.iter().map(Report::text).collect();
        say(texts.trim_end())?;
    }
    let worst = reports.iter().map(|report| report.verdict).max().unwrap_or(Verdict::Unknown);
    Ok(match worst {
        Verdict::Verified => ExitCode::SUCCESS,
        Verdict::Open => ExitCode::from(OPEN),
        Verdict::Unknown => ExitCode::from(UNKNOWN),
    })
}

/// An error of the lock's own modules, with the bucket that it is about.
fn of_bucket<T, E: std::error::Error + Send + Sync + 'static>(name: &Bucket, result: Result<T, E>) -> Result<T> {
    result.with_context(|| format!("bucket {name}"))
}
