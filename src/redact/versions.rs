//! A page of a bucket's versions, as one caller may see them: a version obeys the rules of its key, at its own age.
//!
//! The backend's listing is walked flat and rolled up here, so that a common prefix is shown only for a version that is
//! visible below it. Where the role's globs say that nothing visible comes for a while, it is skipped; the work of a page
//! is bounded, and one that would cost more ends early, truncated, perhaps empty.

use jiff::Timestamp;

use super::Redacted;
use super::listing::Sighted;
use super::listing::walk::Eyes as _;
use super::places::{Place, Places};
use crate::audit::Intent;
use crate::backend::{Backend, Trouble, VersionsAsk};
use crate::keyring::KeyRing;
use crate::limits;
use crate::policy::permit::Permit;
use crate::s3::answer::{Listed, MarkerListed, VersionBatch, VersionItem, VersionListed};
use crate::s3::error::Refusal;
use crate::s3::operation::ETag;
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::order;

/// One page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VersionsPage {
    /// Versions, delete markers and common prefixes, in S3's order. Entity tags are those of the view.
    pub items: Vec<VersionItem>,
    /// The sealed place where the next page starts; `None` if this one is the last.
    pub next: Option<String>,
}

/// The page that the permit names.
///
/// # Errors
/// The refusal to answer.
pub async fn page(
    backend: &dyn Backend,
    intent: Intent<'_, Permit<ListObjectVersions>>,
    ring: &KeyRing,
    now: Timestamp,
) -> Result<Redacted<VersionsPage>, Refusal> {
    let op = intent.op();
    let places = Places::of("versions", intent.who(), (&op.bucket, &op.prefix, op.delimiter.as_deref()), ring);
    let mut after = places.sent(op.key_marker.as_deref(), op.version_marker.as_deref())?;
    let mut filled = Filled { page: VersionsPage::default(), eyes: Sighted::of(intent.view(), &op.bucket, ring, now) };
    if op.max_keys == 0 {
        return Ok(Redacted::of(filled.page));
    }
    for _ in 0..limits::LIST_BACKEND_PAGES_MAX {
        let ask = VersionsAsk {
            prefix: op.prefix.as_str().to_owned(),
            after: after.clone(),
            delimiter: None,
            max: limits::PAGE_KEYS_MAX,
        };
        let batch = backend.versions(intent, ask).await.map_err(|trouble| trouble.refusal(true))?.open();
        let more = batch.more_after.clone();
        if more.is_some() && more.as_ref().map(|more| &more.0) < after.as_ref().map(|after| &after.0) {
            return Err(Trouble::Broken("its listing of versions does not get on".to_owned()).refusal(true));
        }
        if let Some(full) = filled.take(batch, op, after) {
            filled.page.next = full.map(|after| places.sealed(&after));
            return Ok(Redacted::of(filled.page));
        }
        after = match more.and_then(|more| filled.ahead(more)) {
            None => return Ok(Redacted::of(filled.page)),
            ahead => ahead,
        };
    }
    filled.page.next = after.map(|after| places.sealed(&after));
    Ok(Redacted::of(filled.page))
}

/// A page that fills.
struct Filled {
    page: VersionsPage,
    eyes: Sighted,
}

impl Filled {
    /// Takes what is visible; once it is full, where the next page goes on.
    fn take(
        &mut self,
        batch: VersionBatch,
        op: &ListObjectVersions,
        mut after: Option<Place>,
    ) -> Option<Option<Place>> {
        for item in batch.items {
            let here = match &item {
                VersionItem::Version(version) => {
                    Some((version.object.key.as_str().to_owned(), Some(version.id.to_string())))
                }
                VersionItem::DeleteMarker(marker) => {
                    Some((marker.key.as_str().to_owned(), Some(marker.id.to_string())))
                }
                VersionItem::Common(_) => None,
            };
            if let Some(shown) = self.shown(item, op)
                && self.page.items.last() != Some(&shown)
            {
                if self.page.items.len() >= op.max_keys as usize {
                    return Some(after);
                }
                self.page.items.push(shown);
            }
            after = here.or(after);
        }
        None
    }

    /// The item as the caller sees it, rolled up; `None` if they do not.
    fn shown(&self, item: VersionItem, op: &ListObjectVersions) -> Option<VersionItem> {
        let seen = match item {
            VersionItem::Version(version) => {
                let object = self.eyes.shows(version.object)?;
                VersionItem::Version(VersionListed { object, ..version })
            }
            VersionItem::DeleteMarker(marker) => {
                self.eyes.shows(as_listed(&marker))?;
                VersionItem::DeleteMarker(marker)
            }
            // Not asked for; what cannot be looked into is not shown.
            VersionItem::Common(_) => return None,
        };
        let rolled = op.delimiter.as_deref();
        match rolled.and_then(|delimiter| order::common_prefix(seen.name(), op.prefix.as_str(), delimiter)) {
            Some(common) => common.parse().ok().map(VersionItem::Common),
            None => Some(seen),
        }
    }

    /// Where to go on behind that place: there, or where the next visible key can be.
    fn ahead(&self, more: Place) -> Option<Place> {
        let to = self.eyes.seek(&more.0)?;
        Some(if to > more.0 { (order::before(&to).filter(|to| *to > more.0).unwrap_or(more.0), None) } else { more })
    }
}

/// A delete marker as an object of its age, which is what rules on age go by.
fn as_listed(marker: &MarkerListed) -> Listed {
    Listed {
        key: marker.key.clone(),
        size: 0,
        etag: ETag("".into()),
        last_modified: marker.last_modified,
        storage_class: None,
    }
}
