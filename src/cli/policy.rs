//! `tracegate policy`: check a policy set, explain a key, run its cases, print its matrix.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::viewer::Viewer;
use crate::identity::{Claims, RoleName};
use crate::policy::cases;
use crate::policy::explain::{explain, still_shows};
use crate::policy::lint;
use crate::policy::load::{Ruleset, Warning};
use crate::policy::matrix::{Plan, matrix, rows};
use crate::policy::sight::Cost;
use crate::policy::source::Mistake;

/// Check, explain and test policies.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a policy set and say every mistake in it, and what its writer should know.
    #[command(
        after_help = "Examples:\n  tracegate policy check\n  tracegate policy check --policies ./policies --json"
    )]
    Check {
        #[command(flatten)]
        set: Set,
    },
    /// Say what a role may do with one key, by which rule, and what is hidden.
    #[command(after_help = "Examples:\n  \
        tracegate policy explain --role compliance-auditor traces/model-A/2026/11/19/run-004211.jsonl\n  \
        tracegate policy explain --role data-scientist --claim namespace=model-B \\\n      \
        --now 2026-11-20T10:00:00Z traces/model-B/2026/11/19/run-000001.jsonl")]
    Explain {
        #[command(flatten)]
        set: Set,
        #[command(flatten)]
        viewer: Viewer,
        /// The object's last change; without it conditions on it are only named.
        #[arg(long, value_name = "TIME")]
        modified: Option<Timestamp>,
        /// `BUCKET/KEY`.
        #[arg(value_name = "BUCKET/KEY")]
        path: String,
    },
    /// Run the tables of cases in `tests/` of the policy folder.
    #[command(after_help = "Examples:\n  tracegate policy test\n  tracegate policy test --policies ./policies --json")]
    Test {
        #[command(flatten)]
        set: Set,
    },
    /// Print role × operation × key: ✔ allowed, ◌ allowed and redacted, ✘ not.
    #[command(
        after_help = "Examples:\n  tracegate policy matrix\n  tracegate policy matrix traces/model-A/2026/11/19/run-004211.jsonl"
    )]
    Matrix {
        #[command(flatten)]
        set: Set,
        /// The time of the requests; now by default.
        #[arg(long, value_name = "TIME")]
        now: Option<Timestamp>,
        /// Keys to show; by default those of the set's cases, whose claims count in any case.
        #[arg(value_name = "BUCKET/KEY")]
        paths: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Set {
    /// The folder of the policy set.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Exit code 1 where the set has mistakes or a case went otherwise.
pub fn run(args: PolicyArgs) -> anyhow::Result<ExitCode> {
    run_to(args, &mut std::io::stdout().lock())
}

/// The same, printing to `out`.
pub fn run_to(args: PolicyArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check { set } => check(&set, out),
        Command::Explain { set, viewer, modified, path } => explain_one(&set, &viewer, modified, &path, out),
        Command::Test { set } => test(&set, out),
        Command::Matrix { set, now, paths } => print_matrix(&set, now, &paths, out),
    }
}

fn explain_one(
    set: &Set,
    viewer: &Viewer,
    modified: Option<Timestamp>,
    path: &str,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (bucket, key) = cases::split_path(path).map_err(anyhow::Error::msg)?;
    let Some(rules) = load(set, out)? else { return Ok(ExitCode::FAILURE) };
    let explanation = explain(&*viewer.sight(&rules)?, &bucket, &key, viewer.now(), modified);
    if set.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_matrix(set: &Set, now: Option<Timestamp>, paths: &[String], out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Some(rules) = load(set, out)? else { return Ok(ExitCode::FAILURE) };
    let Some(cases) = sound(cases::read(&set.policies), set.json, out)? else { return Ok(ExitCode::FAILURE) };
    let mut plan = Plan::of_cases(&cases);
    if !paths.is_empty() {
        let keys: Result<BTreeSet<_>, String> = paths.iter().map(|path| cases::split_path(path)).collect();
        plan.keys = keys.map_err(anyhow::Error::msg)?;
    }
    let now = now.unwrap_or_else(Timestamp::now);
    if set.json {
        writeln!(out, "{:#}", json!({ "now": now.to_string(), "matrix": rows(&rules, &plan, now) }))?;
    } else {
        write!(out, "{}", matrix(&rules, &plan, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(set: &Set, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let loaded = Ruleset::load(&set.policies);
    let Some((rules, mut warnings)) = sound(loaded, set.json, out)? else { return Ok(ExitCode::FAILURE) };
    warnings.extend(lint::expired(&rules, Timestamp::now()));
    if set.json {
        let warnings: Vec<_> = warnings.iter().map(|w| json!({ "about": w.about, "what": w.what })).collect();
        let roles: Vec<_> = rules
            .roles()
            .map(|role| json!({ "role": role.name.as_str(), "matching": matching(&rules, &role.name) }))
            .collect();
        let all = json!({ "digest": rules.digest().to_string(), "roles": roles, "warnings": warnings, "mistakes": [] });
        writeln!(out, "{all:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} is sound: {}", set.policies.display(), rules.digest())?;
    for role in rules.roles() {
        writeln!(out, "  role {}: {}", role.name, matching(&rules, &role.name))?;
    }
    for profile in rules.profiles().iter() {
        if let Some(rows) = &profile.rows {
            writeln!(out, "  profile {} shows only records where {}", profile.name, rows.as_str())?;
            for claim in rows.claims() {
                writeln!(
                    out,
                    "      what is compared with the claim {claim} holds for no record where a token lacks it"
                )?;
            }
        }
        writeln!(out, "  profile {} still shows: {}", profile.name, still_shows(profile).join("; "))?;
    }
    for warning in &warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn test(set: &Set, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Some(rules) = load(set, out)? else { return Ok(ExitCode::FAILURE) };
    let Some(cases) = sound(cases::read(&set.policies), set.json, out)? else { return Ok(ExitCode::FAILURE) };
    if cases.is_empty() {
        bail!("there are no cases in {}", set.policies.join("tests").display());
    }
    let failures = cases::run(&rules, &cases);
    if set.json {
        writeln!(out, "{:#}", json!({ "cases": cases.len(), "failures": failures }))?;
    } else {
        for failure in &failures {
            writeln!(out, "{}: {}: {}", failure.place, failure.case, failure.what)?;
        }
        writeln!(out, "{} cases, {} went otherwise", cases.len(), failures.len())?;
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load(set: &Set, out: &mut impl Write) -> anyhow::Result<Option<Ruleset>> {
    let loaded: Option<(Ruleset, Vec<Warning>)> = sound(Ruleset::load(&set.policies), set.json, out)?;
    Ok(loaded.map(|(rules, _)| rules))
}

/// What was read, or its mistakes printed.
fn sound<T>(read: Result<T, Vec<Mistake>>, as_json: bool, out: &mut impl Write) -> anyhow::Result<Option<T>> {
    let mistakes = match read {
        Ok(read) => return Ok(Some(read)),
        Err(mistakes) => mistakes,
    };
    if as_json {
        let listed: Vec<_> = mistakes
            .iter()
            .map(|m| json!({ "file": m.file, "line": m.line, "column": m.column, "what": m.what }))
            .collect();
        writeln!(out, "{:#}", json!({ "mistakes": listed }))?;
    } else {
        for mistake in &mistakes {
            writeln!(out, "{mistake}")?;
        }
        writeln!(out, "{} mistakes; nothing is served under this set", mistakes.len())?;
    }
    Ok(None)
}

fn matching(rules: &Ruleset, role: &RoleName) -> String {
    match rules.sight(role, &Claims::new()).cost() {
        Cost::Dense { bytes } => format!("dense, {bytes} bytes; listings skip what is hidden"),
        Cost::Sparse { scans: false } => "lazy; listings skip to literal beginnings".to_owned(),
        Cost::Sparse { scans: true } => "lazy, without a literal beginning; listings are scanned".to_owned(),
    }
}
