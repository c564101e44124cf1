//! One page of `ListObjectsV2` over the sorted map. Its work grows with the page, not with the bucket.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Content;
use super::history::History;
use crate::backend::Ask;
use crate::limits;
use crate::s3::answer::{Batch, Item, Listed};
use crate::s3::order;

/// Keys in the order of their bytes.
type Keys = BTreeMap<Box<str>, History>;

pub(super) fn page(keys: &Keys, ask: &Ask) -> Batch {
    let max = ask.max.min(limits::PAGE_KEYS_MAX);
    let mut batch = Batch::default();
    let mut names = 0;
    let mut last = None;
    let mut from = match &ask.after {
        Some(after) if *after >= ask.prefix => Some(order::just_behind(after)),
        _ => Some(ask.prefix.clone()),
    };
    while let Some((key, content)) = from.take().and_then(|from| next(keys, &from)) {
        if !key.starts_with(&ask.prefix) {
            break;
        }
        if names == max {
            batch.more_after = last;
            break;
        }
        let common = ask.delimiter.as_deref().and_then(|delimiter| order::common_prefix(key, &ask.prefix, delimiter));
        let item = match common {
            Some(common) => common.parse().ok().map(Item::Common),
            None => listed(key, content),
        };
        match item {
            Some(item) => batch.items.push(item),
            None => batch.unnameable += 1,
        }
        names += 1;
        last = Some(common.unwrap_or(key).to_owned());
        from = common.map_or_else(|| Some(order::just_behind(key)), order::past);
    }
    batch
}

/// The first key from there on that has an object; a deleted one has none.
fn next<'a>(keys: &'a Keys, from: &str) -> Option<(&'a str, &'a Content)> {
    let mut rest = keys.range::<str, _>((Bound::Included(from), Bound::Unbounded));
    rest.find_map(|(key, history)| Some((&**key, &**history.live()?)))
}

fn listed(key: &str, content: &Content) -> Option<Item> {
    let head = &content.head;
    Some(Item::Key(Listed {
        key: key.parse().ok()?,
        size: head.size,
        etag: head.etag.clone(),
        last_modified: head.last_modified,
        storage_class: head.storage_class.clone().or_else(|| Some("STANDARD".to_owned())),
    }))
}
