//! A page of a listing as one caller may see it: exact for every key and common prefix, with bounded work.
//!
//! Keys that the role may not list, and common prefixes below which no visible key lies, are left out before anything
//! is counted, so that a page is filled with what is visible. The role's globs say where the next visible key can be,
//! and the backend is asked from there: the cost grows with what is visible, and a page that would cost more than
//! [`limits::LIST_BACKEND_PAGES_MAX`] backend pages ends early, truncated, perhaps empty. S3 allows that, and clients go
//! on with the token.
//!
//! The page is in the order of S3, also in front of stores that order folders by their names without the slash. Finding
//! that out, and what such a store has yet to list, costs at most [`limits::LIST_ORDER_QUESTIONS_MAX`] requests besides.
//!
//! One thing is taken from the backend as it is: a common prefix of which the role may see everything is shown, also if
//! all keys below it have names that [`crate::s3::name::Key`] rules out.

mod folders;
mod survey;
pub(super) mod token;
pub(super) mod walk;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_by_rules;

use std::sync::Arc;

use jiff::Timestamp;

use self::walk::{Eyes, Query, Step, Walk};
use super::etag::view_etag;
use super::{Redacted, size};
use crate::audit::Intent;
use crate::backend::{Backend, Trouble};
use crate::keyring::{KeyRing, NotOurs, Purpose, SecretKey};
use crate::limits;
use crate::policy::permit::{Facts, Permit, View};
use crate::policy::sight::{Below, Sight};
use crate::s3::answer::{Item, Listed};
use crate::s3::error::{Code, Refusal};
use crate::s3::name::Bucket;
use crate::s3::operation::{Action, ListObjects};

/// One page, as the caller may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Keys and common prefixes, in S3's order. Entity tags are those of the view; `items.len()` is S3's `KeyCount`.
    pub items: Vec<Item>,
    /// S3's `NextContinuationToken` and `NextMarker`: present if and only if the page is truncated.
    pub next: Option<String>,
    /// What it cost, for the log and the metrics; never for the caller.
    pub cost: Cost,
}

impl Page {
    /// The page as what may leave.
    pub fn shown(self) -> Redacted<Self> {
        Redacted::of(self)
    }
}

/// What a page cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Pages asked of the backend.
    pub backend_pages: u32,
    /// Keys and common prefixes that the backend brought and the caller may not see.
    pub hidden: u64,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The continuation token is forged, or of another caller, role or query: S3's `InvalidArgument`.
    #[error("the continuation token provided is incorrect")]
    BadToken,
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] Trouble),
}

impl From<ListError> for Refusal {
    fn from(error: ListError) -> Self {
        match error {
            ListError::BadToken => Self::new(Code::InvalidArgument, "The continuation token provided is incorrect"),
            ListError::Backend(trouble) => trouble.refusal(true),
        }
    }
}

impl From<NotOurs> for ListError {
    fn from(_: NotOurs) -> Self {
        Self::BadToken
    }
}

/// The page that the permit names. Asks the backend as often as it must; nothing of it may leave before the intent is
/// durable, so call it inside [`crate::audit`]'s wait for the disk.
pub async fn page(
    backend: &dyn Backend,
    intent: Intent<'_, Permit<ListObjects>>,
    ring: &KeyRing,
    now: Timestamp,
) -> Result<Page, ListError> {
    let op = intent.op();
    let binding = token::Binding::of(intent.who(), op);
    let query = Query {
        prefix: op.prefix.as_str().to_owned(),
        delimiter: op.delimiter.clone(),
        max: op.max_keys.min(limits::PAGE_KEYS_MAX) as usize,
        budget: limits::LIST_BACKEND_PAGES_MAX,
    };
    let place = match token::sent(op) {
        Some(token) => Some(token::open(ring, &binding, token)?),
        None => query.place(op.version, op.start_after.as_deref()),
    };
    let eyes = Sighted::of(intent.view(), &op.bucket, ring, now);
    let mut walk = Walk::new(eyes, query, place);
    while let Step::Ask(ask) = walk.step() {
        let batch = backend.list(intent, ask).await?.open();
        walk.take(batch).map_err(astray)?;
    }
    let found = walk.finish().map_err(astray)?;
    Ok(Page {
        items: found.items,
        next: found.more.map(|place| token::seal(ring, &binding, &place)),
        cost: Cost { backend_pages: found.pages, hidden: found.hidden },
    })
}

fn astray(_: walk::Astray) -> ListError {
    Trouble::Broken("its listing does not get on in the order of S3".to_owned()).into()
}

/// What a role sees of a bucket at one time.
pub(super) struct Sighted {
    sight: Arc<Sight>,
    bucket: Bucket,
    etag_key: SecretKey,
    now: Timestamp,
}

impl Sighted {
    pub(super) fn of(view: &View, bucket: &Bucket, ring: &KeyRing, now: Timestamp) -> Self {
        let (_, etag_key) = ring.active(Purpose::ETag);
        Self { sight: view.sight().clone(), bucket: bucket.clone(), etag_key, now }
    }
}

impl Eyes for Sighted {
    /// Tag and size are shown as HEAD and GET would show them. Of an object that the role may list but not read (now, or at its
    /// age), the original's tag is never shown: it may be the MD5 of the content, and so confirm a guess.
    fn shows(&self, listed: Listed) -> Option<Listed> {
        let seen = self.sight.look(&self.bucket, &listed.key, Action::List, self.now)?;
        let facts = Facts { last_modified: listed.last_modified, size: listed.size };
        if !seen.conditions.hold_for(&facts) {
            return None;
        }
        let read = self.sight.look(&self.bucket, &listed.key, Action::Get, self.now);
        let (masks, raw) = match read.filter(|read| read.conditions.hold_for(&facts)) {
            Some(read) => (read.masks, true),
            None => (seen.masks, false),
        };
        if masks.is_none() && raw {
            return Some(listed);
        }
        let digest = masks.as_ref().map_or([0; 32], |masks| masks.digest);
        let size = masks.map_or(listed.size, |masks| size::shown(&masks, listed.size));
        let etag = view_etag(&self.etag_key, &self.bucket, &listed.key, &listed.etag, listed.last_modified, &digest);
        Some(Listed { etag, size, ..listed })
    }

    fn below(&self, prefix: &str) -> Below {
        self.sight.below(&self.bucket, prefix, self.now)
    }

    fn seek(&self, from: &str) -> Option<String> {
        self.sight.seek(&self.bucket, from)
    }
}
