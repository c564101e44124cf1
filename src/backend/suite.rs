//! What every kind of bucket must do with writes: one suite, driven through [`Source`].

mod objects;
mod uploads;
mod versions;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};

use super::source::Source;
use super::{Ask, ConditionalWrites, Fetch, Trouble, UploadsAsk, VersionsAsk};
use crate::limits;
use crate::s3::answer::{Deleted, ObjectHead, Stored, Tag, VersionItem};
use crate::s3::checksum::{Algorithm, Checksum, Hasher};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::write::{
    AbortMultipartUpload, ChecksumPlan, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload,
    DeleteObject, GetObjectTagging, ListParts, NewHead, OnlyIf, PartNamed, PutObject, PutObjectTagging, UploadId,
    UploadPart, UploadPartCopy,
};
use crate::s3::operation::{ETag, Preconditions, RangeAsk};
use crate::s3::payload::{Fate, Upload, UploadError};

/// A bucket under test.
pub(super) struct Suite<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) bucket: Bucket,
    pub(super) knows: Knows,
}

/// What not every store knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knows {
    /// Which conditional writes it keeps.
    pub(super) conditions: ConditionalWrites,
    /// To tell the checksum that was sent.
    pub(super) checksums: bool,
    /// That a part which was sent twice is one part.
    pub(super) overwritten_parts: bool,
    /// To tell a delete marker from a version that is missing.
    pub(super) delete_markers: bool,
    /// To list uploads in the order of their keys.
    pub(super) ordered_uploads: bool,
}

impl Knows {
    /// What S3 knows.
    pub(super) fn all() -> Self {
        let conditions = ConditionalWrites { put: true, complete: true, copy: true };
        Self { conditions, checksums: true, overwritten_parts: true, delete_markers: true, ordered_uploads: true }
    }
}

/// A body in pieces of 64 KiB.
pub(super) fn upload(bytes: impl Into<Bytes>) -> Upload {
    let mut rest: Bytes = bytes.into();
    let length = rest.len() as u64;
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(64 * 1024));
        (!piece.is_empty()).then_some(Ok(piece))
    });
    Upload { length, checksum: None, md5: None, body: stream::iter(pieces).boxed(), fate: Arc::default() }
}

/// A body that breaks off before its last piece.
pub(super) fn broken_upload(length: usize, error: UploadError) -> Upload {
    let fate = Arc::new(Fate::default());
    let failing = fate.clone();
    let half = (length > 1).then(|| Ok(Bytes::from(vec![b'x'; length / 2])));
    let failed = stream::once(async move {
        failing.fail(error);
        Err(error)
    });
    let body = stream::iter(half).chain(failed).boxed();
    Upload { length: length as u64, checksum: None, md5: None, body, fate }
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

fn md5_tag(bytes: &[u8]) -> ETag {
    ETag(hex::encode(Md5::digest(bytes)).into())
}

fn etag(stored: &Stored) -> ETag {
    stored.etag.clone().unwrap()
}

/// Bytes that no two parts share.
fn bytes(length: usize, seed: u32) -> Bytes {
    (0..length as u32).map(|n| (n.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

impl Suite<'_> {
    pub(super) fn put_op(&self, name: &str, only_if: OnlyIf) -> PutObject {
        PutObject { bucket: self.bucket.clone(), key: key(name), head: NewHead::default(), only_if }
    }

    pub(super) async fn put(&self, name: &str, body: &[u8], only_if: OnlyIf) -> Result<Stored, Trouble> {
        let op = self.put_op(name, only_if.clone());
        self.source.put(&op, only_if, upload(body.to_vec())).await
    }

    pub(super) async fn read(&self, name: &str, version: Option<&VersionId>) -> Result<Vec<u8>, Trouble> {
        let fetch = Fetch { version: version.cloned(), ..Fetch::default() };
        let object = self.source.get(&self.bucket, &key(name), fetch).await?;
        Ok(object.body.try_collect::<Vec<Bytes>>().await.unwrap().concat())
    }

    async fn head(&self, name: &str) -> Result<ObjectHead, Trouble> {
        Ok(self.source.head(&self.bucket, &key(name), None, None).await?.head)
    }

    async fn delete(&self, name: &str, version: Option<&VersionId>) -> Result<Deleted, Trouble> {
        self.source.delete(&self.delete_op(name, version)).await
    }

    pub(super) fn delete_op(&self, name: &str, version: Option<&VersionId>) -> DeleteObject {
        DeleteObject { bucket: self.bucket.clone(), key: key(name), version: version.cloned() }
    }

    async fn tags(&self, name: &str) -> Result<Vec<Tag>, Trouble> {
        let op = GetObjectTagging { bucket: self.bucket.clone(), key: key(name), version: None };
        let mut tags = self.source.tags(&op).await?;
        tags.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(tags)
    }

    async fn set_tags(&self, name: &str, tags: Option<Vec<Tag>>) -> Result<(), Trouble> {
        let op = PutObjectTagging { bucket: self.bucket.clone(), key: key(name), version: None, tags };
        self.source.set_tags(&op).await
    }

    async fn begin(&self, name: &str, head: NewHead) -> UploadId {
        let op = CreateMultipartUpload { bucket: self.bucket.clone(), key: key(name), head, checksum: None };
        self.source.begin(&op).await.unwrap()
    }

    async fn part(&self, name: &str, id: &UploadId, part: u32, body: Bytes) -> Result<PartNamed, Trouble> {
        let op = UploadPart { bucket: self.bucket.clone(), key: key(name), upload: id.clone(), part };
        let stored = self.source.put_part(&op, upload(body)).await?;
        Ok(PartNamed { part, etag: etag(&stored), checksum: None })
    }

    async fn complete(
        &self,
        name: &str,
        id: &UploadId,
        parts: &[PartNamed],
        only_if: OnlyIf,
    ) -> Result<Stored, Trouble> {
        let op = CompleteMultipartUpload {
            bucket: self.bucket.clone(),
            key: key(name),
            upload: id.clone(),
            parts: parts.to_vec(),
            checksum: None,
            full_object: None,
            size: None,
            only_if: only_if.clone(),
        };
        self.source.complete(&op, only_if).await
    }

    async fn abort(&self, name: &str, id: &UploadId) -> Result<(), Trouble> {
        let op = AbortMultipartUpload { bucket: self.bucket.clone(), key: key(name), upload: id.clone() };
        self.source.abort(&op).await
    }

    fn copy_source(&self, name: &str, version: Option<&VersionId>) -> CopySource {
        let preconditions = Preconditions::default();
        CopySource { bucket: self.bucket.clone(), key: key(name), version: version.cloned(), preconditions }
    }

    fn copy_op(&self, from: &str, to: &str) -> CopyObject {
        CopyObject {
            source: self.copy_source(from, None),
            bucket: self.bucket.clone(),
            key: key(to),
            head: None,
            tags: None,
            storage_class: None,
            encrypted: false,
            checksum: None,
            only_if: OnlyIf::Always,
        }
    }

    pub(super) async fn version_names(&self, prefix: &str, delimiter: Option<&str>, max: u32) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = None;
        for _ in 0..100 {
            let (prefix, delimiter) = (prefix.to_owned(), delimiter.map(str::to_owned));
            let ask = VersionsAsk { prefix, after: after.take(), delimiter, max };
            let page = self.source.versions(&self.bucket, ask).await.unwrap();
            assert!(page.items.len() <= max as usize);
            names.extend(page.items.iter().map(described));
            after = page.more_after;
            if after.is_none() {
                return names;
            }
        }
        panic!("the listing of versions never ends: {names:?}");
    }
}

fn described(item: &VersionItem) -> String {
    let latest = |is_latest| if is_latest { "*" } else { "" };
    match item {
        VersionItem::Version(version) => {
            format!("{}{} {}", version.object.key, latest(version.is_latest), version.object.size)
        }
        VersionItem::DeleteMarker(marker) => format!("{}{} deleted", marker.key, latest(marker.is_latest)),
        VersionItem::Common(prefix) => format!("{prefix}…"),
    }
}

/// Runs the whole suite: a test for each topic, each in a bucket of its own, plain or versioned.
macro_rules! suite {
    ($store:expr) => {
        $crate::backend::suite::suite! { $store;
            plain: objects_are_put_with_their_heads, checksums_are_passed_on, what_breaks_off_is_not_stored,
                writes_hold_their_conditions, parts_become_an_object, parts_carry_their_checksums, wrong_parts_become_none, uploads_are_listed,
                objects_are_copied, parts_are_copied, keys_are_deleted, tags_are_set, conditional_writes_are_tried;
            versioned: versions_are_kept, trials_leave_no_versions;
        }
    };
    ($store:expr; plain: $($plain:ident),*; versioned: $($versioned:ident),*;) => {
        $(
            #[tokio::test]
            async fn $plain() {
                let store = $store(&stringify!($plain).replace('_', "-"), false).await;
                store.suite().$plain().await;
            }
        )*
        $(
            #[tokio::test]
            async fn $versioned() {
                let store = $store(&stringify!($versioned).replace('_', "-"), true).await;
                store.suite().$versioned().await;
            }
        )*
    };
}
pub(super) use suite;
