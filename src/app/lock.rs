//! The lock of the configured buckets: who is left in, how the buckets are looked at, and the watch while serving.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use futures::future::join_all;

use super::aws_options;
use crate::audit::{Event, Journal};
use crate::backend::aws::bucket::{self, AwsBucket};
use crate::backend::aws::{AwsOptions, Credentials};
use crate::backend::bucket::Outsider;
use crate::config::Config;
use crate::limits;
use crate::lock::Terms;
use crate::lock::document::Plan;
use crate::lock::principal::{Caller, PrincipalArn};
use crate::lock::report::{Finding, Report, Verdict};
use crate::lock::verify::{Outsiders, verify};
use crate::s3::name::Bucket;
use crate::telemetry::{BucketLabel, Metrics};

/// The options of the real buckets; the embedded one has no lock.
pub fn options(config: &Config) -> Result<AwsOptions> {
    crate::identity::fetch::install_crypto_provider();
    aws_options(config)?.context("the embedded bucket (`memory`) has no other doors, and so no lock")
}

/// Who a credential is, where there is somebody to ask; `None` where there is not.
pub async fn caller(config: &Config, options: AwsOptions) -> Result<Option<Caller>> {
    let sts_endpoint = config.lock.sts_endpoint.clone();
    if options.endpoint.is_some() && sts_endpoint.is_none() {
        return Ok(None);
    }
    let told = bucket::caller(options, sts_endpoint).await.context("STS does not say who calls")?;
    Ok(Some(Caller::told(&told)))
}

/// Who is tracegate at the backend: as declared, else as STS says of our own credential.
pub async fn principals(config: &Config, terms: &Terms) -> Result<Vec<PrincipalArn>> {
    if !terms.principals.is_empty() {
        return Ok(terms.principals.clone());
    }
    let set = "set `principals` in [lock], or give --principal";
    match caller(config, options(config)?).await.context(set)? {
        Some(Caller::User(arn)) => Ok(vec![arn]),
        Some(Caller::Session { account, role, .. }) => bail!(
            "STS does not tell the path of a role, and a policy that names the role without it locks everybody out: \
             {set}. It is arn:aws:iam::{account}:role/{role}, unless the role has a path"
        ),
        Some(Caller::Other(arn)) => bail!("our own credential is {arn}, whom a bucket policy cannot name: {set}"),
        None => bail!("the backend is not AWS, and [lock] has no `sts_endpoint` to ask who we are: {set}"),
    }
}

/// The lock of one bucket, for these principals.
pub fn plan(config: &Config, name: &Bucket, principals: &[PrincipalArn], terms: &Terms) -> Result<Plan> {
    let bucket = config.buckets.get(name).with_context(|| format!("there is no [[bucket]] {name}"))?;
    let over_tls = options(config)?.endpoint.is_none_or(|endpoint| endpoint.starts_with("https://"));
    Ok(Plan::new(&bucket.inside, principals, &terms.break_glass, over_tls)?)
}

/// Looks at these buckets with our own credential, with the second identity and with none.
pub async fn look(config: &Config, names: &[Bucket], terms: &Terms) -> Result<Vec<Report>> {
    let options = options(config)?;
    // Without documents nobody needs to be named.
    let principals = if terms.documents.is_empty() { Ok(Vec::new()) } else { principals(config, terms).await };
    let principals = principals.map_err(|error| format!("{error:#}"));
    let probe = match &config.lock.probe {
        None => Err("[lock.probe] names no second identity to try".to_owned()),
        Some(probe) => probe.read(),
    };
    let looks = names.iter().map(|name| look_at(config, name, terms, &options, &principals, &probe));
    join_all(looks).await.into_iter().collect()
}

async fn look_at(
    config: &Config,
    name: &Bucket,
    terms: &Terms,
    options: &AwsOptions,
    principals: &Result<Vec<PrincipalArn>, String>,
    probe: &Result<Credentials, String>,
) -> Result<Report> {
    let inside = &config.buckets.get(name).with_context(|| format!("there is no [[bucket]] {name}"))?.inside;
    let plan = principals.clone().and_then(|principals| {
        if terms.documents.is_empty() {
            return Err("no document is declared".to_owned());
        }
        plan(config, name, &principals, terms).map_err(|error| format!("{error:#}"))
    });
    let own = bucket::connect(options.clone(), inside).await?;
    let unsigned = as_other(options, Credentials::Anonymous, inside).await?;
    let other = match probe {
        Ok(credentials) => Ok(as_other(options, credentials.clone(), inside).await?),
        Err(why) => Err(why.as_str()),
    };
    let other = other.as_ref().map(|other| other as &dyn Outsider).map_err(|why| *why);
    let plan = plan.as_ref().map_err(String::as_str);
    Ok(verify(name.as_str(), terms, plan, &own, &Outsiders { other, unsigned: &unsigned }).await)
}

async fn as_other(options: &AwsOptions, credentials: Credentials, inside: &str) -> Result<AwsBucket> {
    Ok(bucket::connect(AwsOptions { credentials, ..options.clone() }, inside).await?)
}

/// What the lock is at start, where the configuration requires one.
///
/// # Errors
/// It is not verified: nothing may be served.
pub async fn required(config: &Config) -> Result<Vec<Report>> {
    if !config.lock.require {
        return Ok(Vec::new());
    }
    let names: Vec<Bucket> = config.buckets.keys().cloned().collect();
    let reports = look(config, &names, &config.lock.terms).await.context("[lock]")?;
    let bad: Vec<&Report> = reports.iter().filter(|report| report.verdict != Verdict::Verified).collect();
    if bad.is_empty() {
        return Ok(reports);
    }
    let texts: String = bad.iter().map(|report| report.text()).collect();
    Err(anyhow!(
        "[lock] requires buckets without a side door, and these are not known to be:\n{texts}`tracegate lock verify` \
                 looks again; docs/LOCKDOWN.md says what to do"
    ))
}

/// What was last seen of each lock, and where changes are told: metric, audit log, application's log.
pub struct Watch {
    metrics: Arc<Metrics>,
    journal: Journal,
    seen: BTreeMap<String, Verdict>,
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(metrics: Arc<Metrics>, journal: Journal) -> Self {
        Self { metrics, journal, seen: BTreeMap::new() }
    }

    /// Takes up what a look found. The log gets an entry where a verdict is another than before; the warning comes with
    /// every look.
    pub async fn take(&mut self, reports: Vec<Report>) {
        for report in reports {
            let verified = report.verdict == Verdict::Verified;
            let label = BucketLabel { bucket: report.bucket.clone() };
            self.metrics.lock_verified.get_or_create(&label).set(i64::from(verified));
            if !verified {
                let verdict = report.verdict.word();
                tracing::warn!(bucket = %report.bucket, verdict, "the bucket is not locked: {}", report.trouble());
            }
            if self.seen.insert(report.bucket.clone(), report.verdict) == Some(report.verdict) {
                continue;
            }
            let target = format!("{}: {} {}", report.bucket, report.verdict.word(), report.trouble());
            let event = Event::Admin { verb: "lock", actor: "tracegate".to_owned(), target: target.trim().to_owned() };
            if let Err(error) = self.journal.event(event).await {
                tracing::error!(%error, "a change of the lock could not be recorded");
            }
        }
    }
}

/// Looks at every bucket again and again. Serving goes on whatever it finds: who finds an open door shuts the door.
pub(super) async fn keep_watch(config: Config, mut watch: Watch) {
    let names: Vec<Bucket> = config.buckets.keys().cloned().collect();
    loop {
        tokio::time::sleep(limits::LOCK_VERIFY_EVERY).await;
        watch.take(looked(&config, &names).await).await;
    }
}

/// The reports of a look; one that could not be made leaves every bucket unknown.
async fn looked(config: &Config, names: &[Bucket]) -> Vec<Report> {
    match look(config, names, &config.lock.terms).await {
        Ok(reports) => reports,
        Err(error) => {
            let why = format!("{error:#}");
            let unknown = |name: &Bucket| {
                Report::new(name.as_str(), vec![Finding::new("a look", Verdict::Unknown, why.as_str())])
            };
            names.iter().map(unknown).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::JournalOptions;
    use crate::audit::journal::SpaceLeft;
    use crate::audit::query::{Filter, QueryError, query};
    use crate::audit::tlog::SigningKeys;
    use crate::config::LEAST;
    use crate::keyring::{KeyRing, SecretKey};

    fn report(verdict: Verdict) -> Vec<Report> {
        vec![Report::new("traces", vec![Finding::new("GetObject, unsigned", verdict, "was let in (200)")])]
    }

    #[tokio::test]
    async fn the_metric_follows_every_look_and_the_log_every_change() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions {
            dir: dir.path().to_owned(),
            log_name: "lock".into(),
            digest_key: SecretKey::from_bytes([7; 32]),
            signing: SigningKeys::of(&KeyRing::ephemeral(), "lock"),
            retention: None,
            space: SpaceLeft { warn: 0, min: 0 },
            clock: jiff::Timestamp::now,
        };
        let (journal, _) = Journal::open(options).unwrap();
        let metrics = Arc::new(Metrics::new());
        let mut watch = Watch::new(metrics.clone(), journal.clone());
        for (verdict, gauge) in [
            (Verdict::Verified, 1),
            (Verdict::Verified, 1),
            (Verdict::Open, 0),
            (Verdict::Open, 0),
            (Verdict::Unknown, 0),
            (Verdict::Verified, 1),
        ] {
            watch.take(report(verdict)).await;
            let line = format!("tracegate_lock_verified{{bucket=\"traces\"}} {gauge}");
            assert!(metrics.text().contains(&line), "{verdict:?}: {}", metrics.text());
        }
        journal.close().await;
        let mut told = Vec::new();
        let mut wanted = Filter { kind: Some("admin.lock".into()), ..Filter::default() };
        query(dir.path(), &mut wanted, |row| -> Result<(), QueryError> {
            told.push(row.reason.clone().unwrap());
            Ok(())
        })
        .unwrap();
        let open = "traces: OPEN GetObject, unsigned: was let in (200)";
        let unknown = "traces: unknown GetObject, unsigned: was let in (200)";
        assert_eq!(told, ["traces: verified", open, unknown, "traces: verified"]);
    }

    #[tokio::test]
    async fn a_look_that_fails_leaves_every_bucket_unknown() {
        let text = LEAST
            .replace("kind = \"memory\"", "kind = \"s3\"\naccess_key_id = \"AK\"\nsecret_access_key_file = \"none\"")
            .replace("name = \"traces\"", "name = \"one\"\n[[bucket]]\nname = \"two\"");
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(&text, &dir.path().join("t.toml"), dir.path()).unwrap();
        let names: Vec<Bucket> = config.buckets.keys().cloned().collect();
        let reports = looked(&config, &names).await;
        assert!(reports.len() == 2 && reports.iter().all(|report| report.verdict == Verdict::Unknown));
        assert!(reports[0].trouble().contains("none"), "{}", reports[0].trouble());
    }
}
