//! What was written today before this start, counted from the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::query::{self, Filter, QueryError, Reader, Row};
use crate::identity::RoleName;
use crate::limits;
use crate::policy::quota::{Written, day_begins};
use crate::quota::Quotas;
use crate::s3::operation::OpName;

/// Counts, in a thread of its own, and waits a moment for it: meanwhile roles with a quota for the day write nothing.
pub(super) async fn recount(quotas: Arc<Quotas>, log: PathBuf, started: Timestamp) {
    let counting = tokio::task::spawn_blocking(move || count(&quotas, &log, started));
    if tokio::time::timeout(limits::START_PATIENCE, counting).await.is_err() {
        tracing::info!("what was written today is still being counted from the log");
    }
}

fn count(quotas: &Quotas, log: &Path, started: Timestamp) {
    let known = match add_all(quotas, log, started) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err("entries of today were removed from the log by its retention, which is shorter than a day".into())
        }
        Err(error) => Err(format!("the log cannot be read ({error})")),
    };
    if let Err(why) = &known {
        tracing::error!(why, "roles with a quota for the day write nothing until midnight, UTC");
        quotas.earlier_is_known(started, Err(TOLD.to_owned()));
    } else {
        quotas.earlier_is_known(started, Ok(()));
    }
}

/// What callers are told: the reason itself is for the operators.
const TOLD: &str = "the log of today is not whole; tell your administrator, or wait until midnight, UTC";

/// Whether the log holds all of today.
fn add_all(quotas: &Quotas, log: &Path, started: Timestamp) -> Result<bool, QueryError> {
    let begins = day_begins(started);
    let (reader, whole) = Reader::since(log, begins)?;
    // What came after the start is counted as it comes.
    let mut filter = Filter { from: Some(begins), to: Some(started), ..Filter::default() };
    query::rows(reader, &mut filter, |row| {
        if let Some((role, issuer, subject, written)) = brought(row) {
            quotas.add_earlier(role, issuer, subject, written, row.time);
        }
        Ok::<_, QueryError>(())
    })?;
    Ok(whole)
}

/// What one request of the log has written. Of one whose end nobody knows, that it was carried out.
fn brought(row: &Row) -> Option<(RoleName, &str, &str, Written)> {
    let ended = row.outcome.as_deref()?;
    let unknown = ended == "refused" && row.reason.as_deref() == Some("ServiceUnavailable");
    if !unknown && !matches!(ended, "ok" | "aborted" | "unknown-crash" | "open") {
        return None;
    }
    let op = row.op.as_deref()?;
    let op = OpName::ALL.iter().find(|known| known.as_str() == op)?;
    let written = Written::by(*op, row.received.unwrap_or(0));
    Some((row.role.as_deref()?.parse().ok()?, row.iss.as_deref()?, row.sub.as_deref()?, written))
}
