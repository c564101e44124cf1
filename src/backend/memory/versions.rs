//! One page of `ListObjectVersions` over the sorted map.

use std::ops::Bound;

use super::content;
use super::history::{History, Version};
use super::shelf::Shelf;
use crate::backend::VersionsAsk;
use crate::limits;
use crate::s3::answer::{Listed, MarkerListed, VersionBatch, VersionItem, VersionListed};
use crate::s3::order;

/// A page that is being filled.
struct Page {
    batch: VersionBatch,
    left: u32,
    /// Where the last item stands, as the markers of the next page.
    last: Option<(String, Option<String>)>,
}

pub(super) fn page(shelf: &Shelf, ask: &VersionsAsk) -> VersionBatch {
    let mut page = Page { batch: VersionBatch::default(), left: ask.max.min(limits::PAGE_KEYS_MAX), last: None };
    let mut from = match &ask.after {
        Some((key, _)) if *key >= ask.prefix => Some(key.clone()),
        _ => Some(ask.prefix.clone()),
    };
    while let Some((key, history)) = from.take().and_then(|from| next(shelf, &from)) {
        if !key.starts_with(&ask.prefix) {
            break;
        }
        let common = ask.delimiter.as_deref().and_then(|delimiter| order::common_prefix(key, &ask.prefix, delimiter));
        let full = match common {
            Some(common) => page.add_common(common, ask),
            None => page.add_versions(key, history, ask),
        };
        if full {
            page.batch.more_after = page.last;
            break;
        }
        from = common.map_or_else(|| Some(order::just_behind(key)), order::past);
    }
    page.batch
}

fn next<'a>(shelf: &'a Shelf, from: &str) -> Option<(&'a str, &'a History)> {
    let (key, history) = shelf.keys.range::<str, _>((Bound::Included(from), Bound::Unbounded)).next()?;
    Some((key, history))
}

impl Page {
    /// Whether there is no room for it, and so more to come.
    fn add_common(&mut self, common: &str, ask: &VersionsAsk) -> bool {
        if ask.after.as_ref().is_some_and(|(after, _)| after == common) {
            return false;
        }
        self.add(common.parse().ok().map(VersionItem::Common), (common.to_owned(), None))
    }

    /// The versions of a key that stand behind the markers; whether there is no room for one.
    fn add_versions(&mut self, key: &str, history: &History, ask: &VersionsAsk) -> bool {
        let after = ask.after.as_ref().filter(|(after, _)| after == key).map(|(_, id)| id.as_deref());
        let versions = history.newest_first().skip_while(|(version, _)| match after {
            None => false,
            Some(None) => true,
            Some(Some(id)) => version.id.as_str() != id,
        });
        // The version that the marker names was on the page before.
        let shown = usize::from(matches!(after, Some(Some(_))));
        for (version, is_latest) in versions.skip(shown) {
            let place = (key.to_owned(), Some(version.id.as_str().to_owned()));
            if self.add(listed(key, version, is_latest), place) {
                return true;
            }
        }
        false
    }

    fn add(&mut self, item: Option<VersionItem>, place: (String, Option<String>)) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return true };
        self.left = left;
        self.last = Some(place);
        match item {
            Some(item) => self.batch.items.push(item),
            None => self.batch.unnameable += 1,
        }
        false
    }
}

fn listed(key: &str, version: &Version, is_latest: bool) -> Option<VersionItem> {
    let (key, id) = (key.parse().ok()?, version.id.clone());
    Some(match &version.object {
        None => {
            let last_modified = content::whole_seconds(version.at);
            VersionItem::DeleteMarker(MarkerListed { key, id, is_latest, last_modified })
        }
        Some(content) => {
            let object = Listed {
                key,
                size: content.head.size,
                etag: content.head.etag.clone(),
                last_modified: content.head.last_modified,
                storage_class: content.head.storage_class.clone().or_else(|| Some("STANDARD".to_owned())),
            };
            VersionItem::Version(VersionListed { object, id, is_latest })
        }
    })
}
