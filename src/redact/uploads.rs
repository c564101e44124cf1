//! A page of the uploads under way, as one caller may see them: those of keys that they may list.
//!
//! Uploads are few, so the backend's listing is walked as it is, page by bounded page, and rolled up here. Where the next
//! page starts is sealed, since it may be the name of a key that the caller may not see.

use jiff::Timestamp;

use super::places::Places;
use super::{Redacted, upload};
use crate::audit::Intent;
use crate::backend::{Backend, UploadsAsk};
use crate::keyring::KeyRing;
use crate::limits;
use crate::policy::permit::Permit;
use crate::s3::answer::UploadListed;
use crate::s3::error::Refusal;
use crate::s3::name::{Key, Prefix};
use crate::s3::operation::Action;
use crate::s3::operation::write::ListMultipartUploads;
use crate::s3::order;

/// One page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UploadsPage {
    /// The uploads, in order.
    pub uploads: Vec<UploadShown>,
    /// Common prefixes below which an upload is under way.
    pub common: Vec<Prefix>,
    /// The sealed place where the next page starts; `None` if this one is the last.
    pub next: Option<String>,
}

/// One upload.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadShown {
    /// Key of the object to be.
    pub key: Key,
    /// Its id, sealed for the caller.
    pub id: String,
    /// When it began.
    pub initiated: Timestamp,
    /// `STANDARD`…
    pub storage_class: Option<String>,
}

/// The page that the permit names.
///
/// # Errors
/// The refusal to answer.
pub async fn page(
    backend: &dyn Backend,
    intent: Intent<'_, Permit<ListMultipartUploads>>,
    ring: &KeyRing,
    now: Timestamp,
) -> Result<Redacted<UploadsPage>, Refusal> {
    let op = intent.op();
    let places = Places::of("uploads", intent.who(), (&op.bucket, &op.prefix, op.delimiter.as_deref()), ring);
    // Everything behind a key that the caller names: no upload of that key itself.
    let mut after = places.sent(op.key_marker.as_deref(), None)?;
    let mut page = UploadsPage::default();
    if op.max_uploads == 0 {
        return Ok(Redacted::of(page));
    }
    for _ in 0..limits::LIST_BACKEND_PAGES_MAX {
        let behind = after.clone().map(|(key, id)| (key, id.unwrap_or_default()));
        let ask = UploadsAsk { prefix: op.prefix.as_str().to_owned(), after: behind, max: limits::PAGE_KEYS_MAX };
        let batch = backend.uploads(intent, ask).await.map_err(|trouble| trouble.refusal(true))?.open();
        for listed in batch.uploads {
            let here = (listed.key.as_str().to_owned(), Some(listed.id.to_string()));
            if !take(&mut page, listed, intent, ring, now) {
                page.next = after.as_ref().map(|after| places.sealed(after));
                return Ok(Redacted::of(page));
            }
            after = Some(here);
        }
        after = match batch.more_after {
            None => return Ok(Redacted::of(page)),
            Some((key, id)) => Some((key, Some(id))),
        };
    }
    page.next = after.as_ref().map(|after| places.sealed(after));
    Ok(Redacted::of(page))
}

/// Shows an upload, if the caller may see it; `false` if there is no room left.
fn take(
    page: &mut UploadsPage,
    listed: UploadListed,
    intent: Intent<'_, Permit<ListMultipartUploads>>,
    ring: &KeyRing,
    now: Timestamp,
) -> bool {
    let op = intent.op();
    if intent.view().sight().look(&op.bucket, &listed.key, Action::List, now).is_none() {
        return true;
    }
    let common = op.delimiter.as_deref();
    let common = common.and_then(|delimiter| order::common_prefix(listed.key.as_str(), op.prefix.as_str(), delimiter));
    let common: Option<Prefix> = common.and_then(|text| text.parse().ok());
    if common.is_some() && page.common.last() == common.as_ref() {
        return true;
    }
    if page.uploads.len() + page.common.len() >= op.max_uploads as usize {
        return false;
    }
    match common {
        Some(common) => page.common.push(common),
        None => page.uploads.push(UploadShown {
            id: upload::listed(ring, intent.who(), &op.bucket, &listed.key, &listed.id),
            key: listed.key,
            initiated: listed.initiated,
            storage_class: listed.storage_class,
        }),
    }
    true
}
