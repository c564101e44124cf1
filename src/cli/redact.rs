//! `tracegate redact`: what a role would be shown of one object, from a file or a pipe. Asks no server and no bucket.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use futures::StreamExt as _;
use futures::executor::block_on;
use futures::stream;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;

use super::tell;
use super::viewer::Viewer;
use crate::app;
use crate::keyring::{self, KeyRing, Purpose};
use crate::limits;
use crate::policy::Ruleset;
use crate::policy::cases;
use crate::policy::explain::explain;
use crate::policy::mask::{Format, MaskAction, Masks};
use crate::redact::format::{Framing, of_key};
use crate::redact::output::Shown;
use crate::redact::packed::{Packed, once};
use crate::redact::plan::Plan;
use crate::redact::redactor::Redactor;
use crate::redact::stream::{Source, framed};
use crate::redact::tally::Tally;
use crate::s3::answer::{Body, BodyError};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// What `redact` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate redact --role compliance-auditor traces/model-A/run.jsonl < run.jsonl
  tracegate redact --role data-scientist --claim namespace=model-B traces/model-B/run.json -i run.json -o shown.json
  tracegate redact --role compliance-auditor traces/model-A/run.jsonl < run.jsonl | diff run.jsonl - | less

Exit codes: 0, the whole object was shown; 1, it, or the rest of it from some byte on, would be refused. What is hidden, and how
often, is said on standard error.")]
pub struct RedactArgs {
    /// The folder of the policy set.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    #[command(flatten)]
    viewer: Viewer,
    /// The object's last change; conditions on it count as met without it.
    #[arg(long, value_name = "TIME")]
    modified: Option<Timestamp>,
    /// The key file of the server, for the pseudonyms that it would show; without it they come from a key for this run.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Read this file instead of standard input.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write this file instead of standard output: complete, or not at all.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say what was hidden as JSON.
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Say nothing but errors.
    #[arg(short, long)]
    quiet: bool,
    /// Under which name the object lies in the bucket: `BUCKET/KEY`.
    #[arg(value_name = "BUCKET/KEY")]
    path: String,
}

/// Runs the command.
pub fn run(args: RedactArgs) -> anyhow::Result<ExitCode> {
    let (bucket, key) = cases::split_path(&args.path).map_err(anyhow::Error::msg)?;
    let masks = masks(&args, &bucket, &key)?;
    let (input, size) = input(args.input.as_deref())?;
    let progress = progress(size, args.quiet || (args.output.is_none() && io::stdout().is_terminal()));
    let body = body(input, progress.clone());
    let told = match args.output.as_deref() {
        None => show(body, &key, masks, args.keys.as_deref(), &mut io::stdout().lock())?,
        Some(file) => into_file(file, |out| show(body, &key, masks, args.keys.as_deref(), out))?,
    };
    progress.finish_and_clear();
    if !args.quiet {
        tell(&if args.json { told.json(&args.path) } else { told.text(&args.path, &args.viewer) })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is hidden of the object; `None` if nothing is. An error where the role may not read it.
fn masks(args: &RedactArgs, bucket: &Bucket, key: &Key) -> anyhow::Result<Option<Arc<Masks>>> {
    let (rules, _) = Ruleset::load(&args.policies).map_err(|mistakes| app::all(&mistakes))?;
    let (sight, now) = (args.viewer.sight(&rules)?, args.viewer.now());
    let explanation = explain(&sight, bucket, key, now, args.modified);
    let outcome = explanation.actions.into_iter().find(|outcome| outcome.action == Action::Get.word());
    match sight.look(bucket, key, Action::Get, now).zip(outcome) {
        Some((seen, outcome)) if outcome.allowed => Ok(seen.masks),
        Some((_, outcome)) => bail!("{} may not read {}: {}", args.viewer.role, args.path, outcome.because),
        None => bail!(
            "{} may not read {}; `tracegate policy explain --role {} {}` says why",
            args.viewer.role,
            args.path,
            args.viewer.role,
            args.path
        ),
    }
}

/// What was shown, in numbers.
struct Told {
    bytes: u64,
    /// The format and what was hidden, by profile; `None` where the view is raw.
    masked: Option<(Format, Vec<Box<str>>, Tally)>,
}

fn show(
    body: Body,
    key: &Key,
    masks: Option<Arc<Masks>>,
    keys: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<Told> {
    let Some(masks) = masks else { return raw(body, out) };
    let plan = Arc::new(plan(&masks, keys)?);
    if let Framing::Packed(packed) = of_key(key.as_str()) {
        return show_packed(body, packed, plan, out);
    }
    let (format, mut body) = block_on(framed(of_key(key.as_str()), body)).context("nothing is shown")?;
    let mut redactor = Redactor::new(plan.clone(), format, 0);
    let (mut shown, mut bytes) = (Shown::new(), 0);
    loop {
        let chunk = block_on(body.next()).transpose()?;
        let written = match chunk.clone() {
            Some(chunk) => redactor.write(chunk, &mut shown),
            None => redactor.end(&mut shown),
        };
        for piece in shown.by_ref() {
            bytes += piece.len() as u64;
            out.write_all(&piece)?;
        }
        if let Err(fault) = written {
            out.flush()?;
            bail!("{fault}; {bytes} bytes before it are shown");
        }
        if chunk.is_none() {
            out.flush()?;
            return Ok(Told { bytes, masked: Some((format, plan.profiles().to_vec(), redactor.tally().clone())) });
        }
    }
}

/// A compressed object is read more than once, and its size must be known: it is kept aside first.
fn show_packed(mut body: Body, packed: Packed, plan: Arc<Plan>, out: &mut impl Write) -> anyhow::Result<Told> {
    let (dir, mut aside) = (std::env::temp_dir(), tempfile::tempfile()?);
    while let Some(chunk) = block_on(body.next()).transpose()? {
        aside.write_all(&chunk)?;
    }
    let size = aside.metadata()?.len();
    let profiles = plan.profiles().to_vec();
    super::wait(async {
        let mut tally = Tally::new(&plan);
        let mut bytes = 0;
        if size > 0 {
            let (mut body, hidden) =
                once(Arc::new(Aside(aside)), packed, plan, size, &dir).await.context("nothing is shown")?;
            tally = hidden;
            while let Some(piece) = body.next().await.transpose()? {
                bytes += piece.len() as u64;
                out.write_all(&piece)?;
            }
        }
        out.flush()?;
        Ok(Told { bytes, masked: Some((packed.inside.unwrap_or(Format::Json), profiles, tally)) })
    })
}

/// An object that is kept aside.
struct Aside(File);

#[async_trait]
impl Source for Aside {
    async fn read(&self, first: u64, last: u64) -> Result<Body, BodyError> {
        let broken = |error: io::Error| BodyError::Backend(error.to_string());
        let mut file = self.0.try_clone().map_err(broken)?;
        file.seek(SeekFrom::Start(first)).map_err(broken)?;
        Ok(self::body(Box::new(file.take(last - first + 1)), ProgressBar::hidden()))
    }
}

fn raw(mut body: Body, out: &mut impl Write) -> anyhow::Result<Told> {
    let mut bytes = 0;
    while let Some(chunk) = block_on(body.next()).transpose()? {
        out.write_all(&chunk)?;
        bytes += chunk.len() as u64;
    }
    out.flush()?;
    Ok(Told { bytes, masked: None })
}

fn plan(masks: &Masks, keys: Option<&Path>) -> anyhow::Result<Plan> {
    let ring = match keys {
        Some(file) => keyring::file::read(file)?,
        None => KeyRing::ephemeral(),
    };
    if keys.is_none() && masks.rules.iter().any(|rule| rule.action == MaskAction::Hmac) {
        tell("note: the pseudonyms are of this run only; --keys names the file for those of the server")?;
    }
    Ok(Plan::compile(masks, &ring.active(Purpose::Pseudonym).1))
}

/// Where the object is read from, and its size in bytes, if that is known.
fn input(file: Option<&Path>) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    let Some(path) = file else { return Ok((Box::new(io::stdin()), None)) };
    let open = || {
        let file = File::open(path)?;
        let size = file.metadata()?;
        Ok::<_, io::Error>((file, size.is_file().then_some(size.len())))
    };
    let (file, size) = open().with_context(|| path.display().to_string())?;
    Ok((Box::new(file), size))
}

fn body(mut from: Box<dyn Read + Send>, progress: ProgressBar) -> Body {
    let chunks = std::iter::from_fn(move || {
        let mut chunk = vec![0; limits::MEMORY_CHUNK_BYTES];
        match from.read(&mut chunk) {
            Ok(0) => None,
            Ok(read) => {
                progress.inc(read as u64);
                chunk.truncate(read);
                Some(Ok(Bytes::from(chunk)))
            }
            Err(error) => Some(Err(BodyError::Backend(error.to_string()))),
        }
    });
    stream::iter(chunks).boxed()
}

/// Shows itself on a terminal only.
fn progress(size: Option<u64>, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let (bar, line) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(line).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The file appears once everything is in it.
fn into_file(file: &Path, fill: impl FnOnce(&mut File) -> anyhow::Result<Told>) -> anyhow::Result<Told> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut partial = NamedTempFile::new_in(folder).with_context(|| folder.display().to_string())?;
    let told = fill(partial.as_file_mut())?;
    partial.persist(file).with_context(|| file.display().to_string())?;
    Ok(told)
}

impl Told {
    fn text(&self, path: &str, viewer: &Viewer) -> String {
        let Some((format, profiles, tally)) = &self.masked else {
            return format!("{path} as {}: {} bytes, nothing is hidden", viewer.role, self.bytes);
        };
        let withheld = match tally.records_withheld {
            0 => String::new(),
            records => format!(", {records} withheld by `rows`"),
        };
        let records = match format {
            Format::Jsonl => {
                format!("{} records of JSONL, {} of them blanked{withheld}", tally.records, tally.records_blanked)
            }
            Format::Json if tally.records > 1 => format!("{} JSON documents{withheld}", tally.records),
            Format::Json => "one JSON document".to_owned(),
        };
        let hidden =
            profiles.iter().zip(&tally.fields).map(|(name, count)| format!("\n  {name}: {count} fields hidden"));
        let cut = match tally.texts_cut {
            0 => String::new(),
            texts => format!(", {texts} texts within strings cut"),
        };
        format!("{path} as {}: {} bytes, {records}{cut}{}", viewer.role, self.bytes, hidden.collect::<String>())
    }

    fn json(&self, path: &str) -> String {
        let Some((format, profiles, tally)) = &self.masked else {
            return json!({ "path": path, "bytes": self.bytes, "masked": false }).to_string();
        };
        let fields: serde_json::Map<_, _> =
            profiles.iter().zip(&tally.fields).map(|(name, count)| (name.to_string(), (*count).into())).collect();
        let format = match format {
            Format::Json => "json",
            Format::Jsonl => "jsonl",
        };
        json!({
            "path": path,
            "bytes": self.bytes,
            "masked": true,
            "format": format,
            "records": tally.records,
            "records_blanked": tally.records_blanked,
            "records_withheld": tally.records_withheld,
            "texts_cut": tally.texts_cut,
            "fields": fields,
        })
        .to_string()
    }
}
