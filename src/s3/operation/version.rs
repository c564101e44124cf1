//! The listing of versions. Reading, copying and deleting one are the operations on objects, with a `versionId`.

use super::{Op, OpName, Touch};
use crate::s3::answer::VersionBatch;
use crate::s3::name::{Bucket, Prefix};

/// `ListObjectVersions`: every version and delete marker, by key, the newest of a key first.
#[derive(Debug, Clone)]
pub struct ListObjectVersions {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Only keys that begin so.
    pub prefix: Prefix,
    /// Roll keys up to the first occurrence of this after the prefix; never empty.
    pub delimiter: Option<String>,
    /// `key-marker`, as sent: a text, or the sealed one of an earlier page.
    pub key_marker: Option<String>,
    /// `version-id-marker`, as sent; counts only beside a `key-marker`.
    pub version_marker: Option<String>,
    /// Most versions, delete markers and common prefixes, at most [`crate::limits::PAGE_KEYS_MAX`].
    pub max_keys: u32,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

impl Op for ListObjectVersions {
    type Found = VersionBatch;
    fn name(&self) -> OpName {
        OpName::ListObjectVersions
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Listing(&self.bucket, &self.prefix)]
    }
}
