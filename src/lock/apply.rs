//! Puts documents in the place of those that are stored, all or none.
//!
//! What is stored is looked at again right before, every document is read back after it was put, and whatever fails
//! behind the first change leads back to what was there.

use std::collections::BTreeMap;

use super::canonical::canonical;
use super::document::Plan;
use super::kept::Kept;
use super::principal::{Caller, PrincipalArn};
use crate::backend::Trouble;
use crate::backend::bucket::{Administration, Document};
use crate::limits;

/// What should be stored; `None` is nothing.
pub type Wanted = BTreeMap<Document, Option<String>>;

/// Why it is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else changed something since it was shown.
    #[error("the {0} was changed by somebody else meanwhile; nothing was changed here, look again")]
    Changed(Document),
    /// It cannot be read again; nothing was changed.
    #[error("the {0} cannot be read ({1}); nothing was changed")]
    Unread(Document, Trouble),
    /// A step failed, and everything stands as before.
    #[error("the {step} was not put: {why}; everything is as it was before")]
    Undone {
        /// Which.
        step: Document,
        /// Why.
        why: String,
    },
    /// A step failed, and so did putting back.
    #[error(
        "the {step} was not put: {why}; and the {left} could not be put back: {then}. Use `tracegate lock restore`"
    )]
    NotUndone {
        /// Which.
        step: Document,
        /// Why.
        why: String,
        /// What is not as it was before.
        left: Document,
        /// Why not.
        then: String,
    },
}

/// Refused, because who applies it could not take it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy would lock out who applies it, {caller}: it leaves in {left_in}. Apply it with the credential of one of \
     those, or name this one with `break_glass` in [lock] or --break-glass"
)]
pub struct LockedOut {
    /// Who applies it.
    pub caller: String,
    /// Who is left in.
    pub left_in: String,
}

/// Whether the caller is left in by the plan.
pub fn leaves_in(plan: &Plan, caller: &Caller) -> Result<(), LockedOut> {
    let left_in = plan.left_in();
    if left_in.iter().any(|principal| caller.acts_as(principal)) {
        return Ok(());
    }
    let names: Vec<&str> = left_in.iter().map(PrincipalArn::as_str).collect();
    Err(LockedOut { caller: caller.to_string(), left_in: names.join(", ") })
}

/// The documents of a plan.
pub fn wanted(plan: &Plan, documents: impl IntoIterator<Item = Document>) -> Wanted {
    documents.into_iter().map(|document| (document, Some(plan.text(document)))).collect()
}

/// The documents that differ, in the order in which they are to be put: what closes comes first, what opens last.
pub fn differing(before: &Kept, wanted: &Wanted) -> Vec<Document> {
    let stored = |document: &Document| before.documents.get(document).cloned().flatten();
    let differs = |document: &Document| !same(stored(document).as_deref(), wanted[document].as_deref());
    Document::ALL.into_iter().filter(|document| wanted.contains_key(document) && differs(document)).collect()
}

/// Puts these documents; `before` is what was shown to whoever decided.
pub async fn apply(
    bucket: &dyn Administration,
    before: &Kept,
    wanted: &Wanted,
    order: &[Document],
) -> Result<(), ApplyError> {
    for document in order {
        let now = bucket.stored(*document).await.map_err(|trouble| ApplyError::Unread(*document, trouble))?;
        if !same(now.as_deref(), before.documents.get(document).and_then(Option::as_deref)) {
            return Err(ApplyError::Changed(*document));
        }
    }
    for (done, document) in order.iter().enumerate() {
        if let Err(why) = put(bucket, *document, wanted.get(document).and_then(Option::as_deref)).await {
            // The one that failed may have been stored all the same.
            return Err(put_back(bucket, before, &order[..=done], *document, why).await);
        }
    }
    Ok(())
}

async fn put_back(
    bucket: &dyn Administration,
    before: &Kept,
    touched: &[Document],
    step: Document,
    why: String,
) -> ApplyError {
    let mut left = None;
    for document in touched.iter().rev() {
        let old = before.documents.get(document).and_then(Option::as_deref);
        let stands = bucket.stored(*document).await.is_ok_and(|now| same(now.as_deref(), old));
        if !stands && let Err(then) = put(bucket, *document, old).await {
            left.get_or_insert((*document, then));
        }
    }
    match left {
        None => ApplyError::Undone { step, why },
        Some((left, then)) => ApplyError::NotUndone { step, why, left, then },
    }
}

/// Puts one document, or takes it away, and reads it back.
async fn put(bucket: &dyn Administration, document: Document, text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) => bucket.store(document, text).await,
        None => bucket.remove(document).await,
    }
    .map_err(|trouble| trouble.to_string())?;
    let mut said = String::new();
    for _ in 0..limits::LOCK_READ_BACK_TRIES {
        said = match bucket.stored(document).await {
            Ok(now) if same(now.as_deref(), text) => return Ok(()),
            Ok(_) => "it reads back otherwise than it was put".to_owned(),
            Err(trouble) => format!("it cannot be read back: {trouble}"),
        };
        // S3 keeps the settings of buckets eventually consistent ("Amazon S3 data consistency model").
        tokio::time::sleep(limits::LOCK_READ_BACK_PAUSE).await;
    }
    Err(said)
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(canonical) == other.map(canonical)
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
