//! What a key of the embedded bucket holds: its versions, as S3 keeps them ("Using versioning in S3 buckets").

use std::sync::Arc;

use jiff::Timestamp;

use super::Content;
use crate::s3::answer::Tag;
use crate::s3::name::VersionId;

/// One version: an object, or the note that it was deleted.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: VersionId,
    /// When it was written.
    pub(super) at: Timestamp,
    /// The object; `None` is a delete marker.
    pub(super) object: Option<Arc<Content>>,
    pub(super) tags: Vec<Tag>,
}

/// The versions of a key, the newest last. Where no versions are kept there is one, whose id is `null`.
#[derive(Debug, Default)]
pub(super) struct History(Vec<Version>);

impl History {
    /// The newest.
    pub(super) fn current(&self) -> Option<&Version> {
        self.0.last()
    }

    /// The newest, to be altered.
    pub(super) fn current_mut(&mut self) -> Option<&mut Version> {
        self.0.last_mut()
    }

    /// The object that is there now.
    pub(super) fn live(&self) -> Option<&Arc<Content>> {
        self.current()?.object.as_ref()
    }

    /// The version of that id.
    pub(super) fn find(&self, id: &VersionId) -> Option<&Version> {
        self.0.iter().find(|version| version.id == *id)
    }

    /// The version of that id, to be altered.
    pub(super) fn find_mut(&mut self, id: &VersionId) -> Option<&mut Version> {
        self.0.iter_mut().find(|version| version.id == *id)
    }

    /// One more version, in place of the one that has its id.
    pub(super) fn push(&mut self, version: Version) {
        self.remove(&version.id);
        self.0.push(version);
    }

    /// Takes the version of that id away for good.
    pub(super) fn remove(&mut self, id: &VersionId) -> Option<Version> {
        let at = self.0.iter().position(|version| version.id == *id)?;
        Some(self.0.remove(at))
    }

    /// Every version, the newest first, and whether it is the newest.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (&Version, bool)> {
        self.0.iter().rev().enumerate().map(|(at, version)| (version, at == 0))
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The id of what is written while a bucket keeps no versions.
pub(super) fn null() -> VersionId {
    "null".parse().expect("four letters are a version id")
}

/// The id of a new version.
pub(super) fn fresh() -> VersionId {
    hex::encode(rand::random::<[u8; 16]>()).parse().expect("hexadecimal digits are a version id")
}
