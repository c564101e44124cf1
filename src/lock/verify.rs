//! Whether a bucket is locked: others are refused, and everything stands as declared.
//!
//! Two kinds of proof, because each misses something. The probes show what the backend *does*, but only to the
//! identities that were tried; the stored documents say what it is *told* about everybody, but not that it obeys.
//!
//! An answer that proves neither is "unknown", and so not verified. No key of an object is named in a finding: findings
//! go to logs that more people read than the bucket.

use super::Terms;
use super::canonical::{canonical, pretty};
use super::diff::diff;
use super::document::Plan;
use super::report::{Finding, Report, Verdict};
use crate::backend::Trouble;
use crate::backend::bucket::{Administration, Attempt, Document, Outcome, Outsider, ScratchKey};

/// Who is sent to try the doors.
pub struct Outsiders<'a> {
    /// A second identity, which could read if the bucket let it; or why there is none, and the lock is not verified.
    pub other: Result<&'a dyn Outsider, &'a str>,
    /// Nobody: requests without a signature.
    pub unsigned: &'a dyn Outsider,
}

/// Looks at one bucket, which is called `name` outside. `plan` is the lock that it should have, or why that is not
/// known; where the backend keeps none of the documents (`documents = []`), it does not matter.
pub async fn verify(
    name: &str,
    terms: &Terms,
    plan: Result<&Plan, &str>,
    bucket: &dyn Administration,
    outsiders: &Outsiders<'_>,
) -> Report {
    let mut findings = Vec::new();
    for document in &terms.documents {
        findings.push(document_stands(*document, plan, bucket).await);
    }
    findings.extend(settings(terms, bucket).await);
    let (key, finding) = match bucket.any_key().await {
        Ok(Some(key)) => (Some(key), None),
        Ok(None) => {
            let said = "the bucket is empty, and a missing key is refused in an open bucket too: put a first object";
            (None, Some(Finding::new("an object to try", Verdict::Unknown, said)))
        }
        Err(trouble) => {
            let said = format!("tracegate itself cannot list the bucket: {trouble}");
            (None, Some(Finding::new("an object to try", Verdict::Unknown, said)))
        }
    };
    findings.extend(finding);
    match outsiders.other {
        Ok(other) => findings.extend(probes("by another identity", other, key.as_deref(), bucket).await),
        Err(why) => findings.push(Finding::new("another identity", Verdict::Unknown, why)),
    }
    findings.extend(probes("unsigned", outsiders.unsigned, key.as_deref(), bucket).await);
    Report::new(name, findings)
}

async fn document_stands(document: Document, plan: Result<&Plan, &str>, bucket: &dyn Administration) -> Finding {
    let what = document.to_string();
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => return Finding::new(what, Verdict::Unknown, why),
    };
    let wanted = plan.text(document);
    match bucket.stored(document).await {
        Err(trouble) => {
            let said = format!("it cannot be read: {trouble}; if the backend has none, leave it out of `documents`");
            Finding::new(what, Verdict::Unknown, said)
        }
        Ok(Some(stored)) if canonical(&stored) == canonical(&wanted) => {
            Finding::new(what, Verdict::Verified, "as printed")
        }
        Ok(stored) => {
            let said = if stored.is_some() { "differs from what `lock print` says" } else { "there is none" };
            let before = stored.map(|stored| pretty(&stored)).unwrap_or_default();
            let diff = diff(&before, &pretty(&wanted));
            Finding { diff, ..Finding::new(what, Verdict::Open, said) }
        }
    }
}

async fn settings(terms: &Terms, bucket: &dyn Administration) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(wanted) = terms.versioning {
        findings.push(as_declared("versioning", wanted, bucket.versioning().await));
    }
    if let Some(wanted) = terms.object_lock {
        findings.push(as_declared("Object Lock", wanted, bucket.object_lock().await));
    }
    findings
}

fn as_declared<T: PartialEq + std::fmt::Display>(what: &str, wanted: T, found: Result<T, Trouble>) -> Finding {
    match found {
        Ok(found) if found == wanted => Finding::new(what, Verdict::Verified, format!("{found}, as declared")),
        Ok(found) => Finding::new(what, Verdict::Open, format!("{found}, not {wanted}")),
        Err(trouble) => Finding::new(what, Verdict::Unknown, format!("it cannot be read: {trouble}")),
    }
}

/// Everything that one outsider tries. What it manages to write is deleted again.
async fn probes(who: &str, outsider: &dyn Outsider, key: Option<&str>, bucket: &dyn Administration) -> Vec<Finding> {
    let scratch = ScratchKey::random();
    let mut attempts = vec![Attempt::List];
    attempts.extend(key.map(Attempt::Get));
    attempts.extend(key.map(Attempt::Head));
    attempts.extend([Attempt::Put(&scratch), Attempt::Delete(&scratch)]);
    let (mut findings, mut wrote, mut deleted) = (Vec::new(), false, false);
    for attempt in attempts {
        let outcome = outsider.attempt(attempt).await;
        wrote |= matches!((attempt, &outcome), (Attempt::Put(_), Outcome::Let(200) | Outcome::Unclear(_)));
        deleted |= matches!((attempt, &outcome), (Attempt::Delete(_), Outcome::Let(200)));
        findings.push(finding(format!("{}, {who}", operation(attempt)), outcome));
    }
    if wrote
        && !deleted
        && let Err(trouble) = bucket.remove_scratch(&scratch).await
    {
        let said = format!("{} may be left in the bucket: {trouble}", scratch.as_str());
        findings.push(Finding::new(format!("cleaning up, {who}"), Verdict::Unknown, said));
    }
    findings
}

fn operation(attempt: Attempt<'_>) -> &'static str {
    match attempt {
        Attempt::Get(_) => "GetObject",
        Attempt::Head(_) => "HeadObject",
        Attempt::List => "ListObjectsV2",
        Attempt::Put(_) => "PutObject",
        Attempt::Delete(_) => "DeleteObject",
    }
}

fn finding(what: String, outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Refused => Finding::new(what, Verdict::Verified, "refused"),
        Outcome::Let(status) => Finding::new(what, Verdict::Open, format!("was let in ({status})")),
        Outcome::Unclear(why) => Finding::new(what, Verdict::Unknown, why),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
