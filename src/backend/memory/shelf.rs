//! One bucket in memory: its keys, whether it keeps versions, its uploads under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Content;
use super::history::{self, History, Version};
use super::uploads::Pending;
use crate::backend::Trouble;
use crate::s3::answer::{Deleted, ObjectHead, Tag, Versioning};
use crate::s3::name::{Key, VersionId};
use crate::s3::operation::write::OnlyIf;

/// A bucket. Keys are in the order of their bytes, and may be ones that [`Key`] rules out: real buckets have them, too.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) keys: BTreeMap<Box<str>, History>,
    /// What the bucket says of its versions.
    pub(super) versioning: Option<Versioning>,
    /// By key and id; ids are in the order of their beginning.
    pub(super) uploads: BTreeMap<(Box<str>, Box<str>), Pending>,
}

/// An object that was found, with what the bucket knows of it beside its content.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) content: Arc<Content>,
    /// Its version, where the bucket keeps versions.
    pub(super) version: Option<VersionId>,
    pub(super) tags: Vec<Tag>,
}

impl Found {
    /// The head; it counts the parts where one was asked for, as S3 does.
    pub(super) fn head(&self, part: Option<u32>) -> ObjectHead {
        let version_id = self.version.as_ref().map(|version| version.as_str().to_owned());
        ObjectHead { version_id, ..self.content.head_of(part) }
    }
}

impl Shelf {
    /// Whether what is written gets a version of its own.
    fn versioned(&self) -> bool {
        self.versioning == Some(Versioning::Enabled)
    }

    /// The object, or that version of it.
    pub(super) fn find(&self, key: &Key, version: Option<&VersionId>) -> Result<Found, Trouble> {
        let history = self.keys.get(key.as_str());
        let version = match version {
            None => history.and_then(History::current).filter(|version| version.object.is_some()),
            Some(id) => Some(history.and_then(|history| history.find(id)).ok_or(Trouble::NoSuchVersion)?),
        };
        let version = version.ok_or(Trouble::NoSuchKey)?;
        let content = version.object.clone().ok_or(Trouble::DeleteMarker)?;
        let id = self.versioned().then(|| version.id.clone());
        Ok(Found { content, version: id, tags: version.tags.clone() })
    }

    /// Whether a write may replace what is there.
    pub(super) fn admit(&self, key: &Key, only_if: &OnlyIf) -> Result<(), Trouble> {
        let there = self.keys.get(key.as_str()).and_then(History::live);
        match (only_if, there) {
            (OnlyIf::Always, _) | (OnlyIf::Absent, None) => Ok(()),
            (OnlyIf::Matches(tag), Some(content)) if *tag == content.head.etag => Ok(()),
            (OnlyIf::Absent | OnlyIf::Matches(_), Some(_)) => Err(Trouble::Occupied),
            (OnlyIf::Matches(_), None) => Err(Trouble::NoSuchKey),
        }
    }

    /// Puts an object under a key. Its version, where the bucket keeps versions.
    pub(super) fn store(&mut self, key: &str, content: Arc<Content>, tags: Vec<Tag>) -> Option<VersionId> {
        let id = self.next_id();
        let at = content.head.last_modified;
        let version = Version { id: id.clone(), at, object: Some(content), tags };
        self.keys.entry(key.into()).or_default().push(version);
        self.versioned().then_some(id)
    }

    /// Deletes a version for good; without one the object, or puts a delete marker over it. What is not there is as
    /// good as deleted.
    pub(super) fn delete(&mut self, key: &str, version: Option<&VersionId>, now: Timestamp) -> Deleted {
        if version.is_none() && self.versioned() {
            let id = history::fresh();
            let marker = Version { id: id.clone(), at: now, object: None, tags: Vec::new() };
            self.keys.entry(key.into()).or_default().push(marker);
            return Deleted { version_id: Some(id), delete_marker: true };
        }
        let id = version.cloned().unwrap_or_else(history::null);
        let Some(history) = self.keys.get_mut(key) else {
            return Deleted { version_id: version.cloned(), delete_marker: false };
        };
        let gone = history.remove(&id);
        if history.is_empty() {
            self.keys.remove(key);
        }
        let delete_marker = gone.is_some_and(|gone| gone.object.is_none());
        Deleted { version_id: version.cloned(), delete_marker }
    }

    /// All tags of an object, or of that version of it, anew.
    pub(super) fn tag(&mut self, key: &Key, version: Option<&VersionId>, tags: Vec<Tag>) -> Result<(), Trouble> {
        self.find(key, version)?;
        let history = self.keys.get_mut(key.as_str()).ok_or(Trouble::NoSuchKey)?;
        let version = match version {
            None => history.current_mut(),
            Some(id) => history.find_mut(id),
        };
        version.ok_or(Trouble::NoSuchKey)?.tags = tags;
        Ok(())
    }

    fn next_id(&self) -> VersionId {
        if self.versioned() { history::fresh() } else { history::null() }
    }
}
