//! What a store keeps of its promises, tried in scratch keys: `.tracegate/scratch/` and 32 random digits.
//!
//! What was tried is taken away again, its versions included, also where the trial failed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use md5::{Digest as _, Md5};

use super::Aws;
use super::proof::Proof;
use super::read::has_empty_segment;
use crate::backend::{ConditionalWrites, Fetch, Trouble, VersionsAsk};
use crate::limits;
use crate::s3::answer::{Stored, VersionItem};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, DeleteObject,
    NewHead, OnlyIf, PartNamed, PutObject, UploadId, UploadPart,
};
use crate::s3::operation::{ETag, Preconditions};
use crate::s3::payload::Upload;

/// What is to stay.
const FIRST: &[u8] = b"first";
/// What must not come in its place.
const SECOND: &[u8] = b"second";

impl Aws {
    /// A store on a file system would write a key with empty segments (`a//b`, `/a`) over another (`a/b`, `a`), which
    /// nobody has authorised: before the first such write to a bucket it must prove that it keeps them apart.
    pub(super) async fn check_apart(&self, bucket: &Bucket, key: &Key) -> Result<(), Trouble> {
        if !has_empty_segment(key) {
            return Ok(());
        }
        let trials = self.trials.get(bucket).ok_or(Trouble::NoSuchBucket)?;
        match trials.apart.answer(async || self.keeps_apart(bucket).await).await? {
            true => Ok(()),
            false => Err(Trouble::Unable("keep keys with empty segments apart")),
        }
    }

    async fn keeps_apart(&self, bucket: &Bucket) -> Result<bool, Trouble> {
        let scratch = Scratch { aws: self, bucket };
        let name = fresh();
        for (odd, folded) in [(format!("{name}//x"), format!("{name}/x")), (format!("/{name}/y"), format!("{name}/y"))]
        {
            let (odd, folded) = (key(&odd)?, key(&folded)?);
            let apart = scratch.is_apart(&odd).await;
            scratch.clear(&[&odd, &folded]).await;
            if !apart? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Some stores write down that a body was framed (`Content-Encoding: aws-chunked`), and clients then cannot read what
    /// is not: before the first such body a bucket must show that it does not. Of one that cannot be tried it is not
    /// expected.
    pub(super) async fn unframes(&self, bucket: &Bucket) -> bool {
        let Some(trials) = self.trials.get(bucket) else { return false };
        trials.unframed.answer(async || self.takes_framing_off(bucket).await).await.unwrap_or(false)
    }

    async fn takes_framing_off(&self, bucket: &Bucket) -> Result<bool, Trouble> {
        let (scratch, key) = (Scratch { aws: self, bucket }, key(&fresh())?);
        let tried = scratch.is_unframed(&key).await;
        scratch.clear(&[&key]).await;
        tried
    }

    /// See [`crate::backend::Backend::conditional_writes`].
    pub(super) async fn try_conditional_writes(&self, bucket: &Bucket) -> Result<ConditionalWrites, Trouble> {
        let scratch = Scratch { aws: self, bucket };
        let name = fresh();
        let (there, other) = (key(&name)?, key(&format!("{name}-other"))?);
        let tried = scratch.conditional_writes(&there, &other).await;
        scratch.clear(&[&there, &other]).await;
        tried
    }
}

/// A bucket in which something is tried.
struct Scratch<'a> {
    aws: &'a Aws,
    bucket: &'a Bucket,
}

impl Scratch<'_> {
    /// Whether what is written under that key is listed under it.
    async fn is_apart(&self, odd: &Key) -> Result<bool, Trouble> {
        match self.write(odd, FIRST, &OnlyIf::Always).await {
            Ok(_) => self.aws.lists(self.bucket, odd, false).await,
            Err(Trouble::Invalid(_) | Trouble::Unable(_)) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether nothing is left of a body's framing.
    async fn is_unframed(&self, key: &Key) -> Result<bool, Trouble> {
        let op = self.put_op(key, &OnlyIf::Always);
        match self.aws.put_proven(&op, &OnlyIf::Always, body(FIRST), &Proof::framed()).await {
            Ok(_) => {}
            Err(Trouble::Invalid(_) | Trouble::Unable(_)) => return Ok(false),
            Err(trouble) => return Err(trouble),
        }
        let head = self.aws.head_object(self.bucket, key, None, None).await?.head;
        Ok(head.content_encoding.is_none_or(|coding| !coding.contains("aws-chunked")))
    }

    async fn conditional_writes(&self, there: &Key, other: &Key) -> Result<ConditionalWrites, Trouble> {
        let first = held_back(self.write(there, FIRST, &OnlyIf::Absent).await.map(drop))? == Held::Written;
        let put = self.write(there, SECOND, &OnlyIf::Absent).await.map(drop);
        let put = self.kept(there, put).await? && first;
        let complete = self.complete_over(there).await;
        let complete = self.kept(there, complete).await?;
        let source = self.write(other, SECOND, &OnlyIf::Always).await?;
        let copy = self.copy_over(other, &source, there).await;
        let copy = self.kept(there, copy).await?;
        Ok(ConditionalWrites { put, complete, copy })
    }

    /// Whether a second write was refused and the first bytes are still there. Puts them there again.
    async fn kept(&self, there: &Key, second: Result<(), Trouble>) -> Result<bool, Trouble> {
        let held = held_back(second)?;
        if self.read(there).await?.as_deref() == Some(FIRST) {
            return Ok(held == Held::Refused);
        }
        self.write(there, FIRST, &OnlyIf::Always).await?;
        Ok(false)
    }

    async fn complete_over(&self, there: &Key) -> Result<(), Trouble> {
        let (bucket, key) = (self.bucket.clone(), there.clone());
        let op = CreateMultipartUpload { bucket, key, head: NewHead::default(), checksum: None };
        let upload = self.aws.create_upload(&op).await?;
        let completed = self.complete(there, &upload).await;
        let (bucket, key) = (self.bucket.clone(), there.clone());
        match self.aws.abort_upload(&AbortMultipartUpload { bucket, key, upload }).await {
            Ok(()) | Err(Trouble::NoSuchUpload) => {}
            Err(trouble) => tracing::warn!(%trouble, "a scratch upload could not be given up"),
        }
        completed
    }

    async fn complete(&self, there: &Key, upload: &UploadId) -> Result<(), Trouble> {
        let (bucket, key) = (self.bucket.clone(), there.clone());
        let part = UploadPart { bucket, key, upload: upload.clone(), part: 1 };
        let etag = tag_of(self.aws.upload_part(&part, body(SECOND)).await?)?;
        let (bucket, key) = (self.bucket.clone(), there.clone());
        let op = CompleteMultipartUpload {
            bucket,
            key,
            upload: upload.clone(),
            parts: vec![PartNamed { part: 1, etag, checksum: None }],
            checksum: None,
            full_object: None,
            size: None,
            only_if: OnlyIf::Absent,
        };
        self.aws.complete_upload(&op, &OnlyIf::Absent).await.map(drop)
    }

    async fn copy_over(&self, other: &Key, source: &Stored, there: &Key) -> Result<(), Trouble> {
        let (bucket, key) = (self.bucket.clone(), other.clone());
        let preconditions = Preconditions::default();
        let op = CopyObject {
            source: CopySource { bucket, key, version: None, preconditions },
            bucket: self.bucket.clone(),
            key: there.clone(),
            head: None,
            tags: None,
            storage_class: None,
            encrypted: false,
            checksum: None,
            only_if: OnlyIf::Absent,
        };
        self.aws.copy_object(&op, &OnlyIf::Absent, &tag_of(source.clone())?).await.map(drop)
    }

    async fn write(&self, key: &Key, bytes: &'static [u8], only_if: &OnlyIf) -> Result<Stored, Trouble> {
        self.aws.put_unchecked(&self.put_op(key, only_if), only_if, body(bytes)).await
    }

    fn put_op(&self, key: &Key, only_if: &OnlyIf) -> PutObject {
        let (bucket, key) = (self.bucket.clone(), key.clone());
        PutObject { bucket, key, head: NewHead::default(), only_if: only_if.clone() }
    }

    /// What is there, if anything is.
    async fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Trouble> {
        let object = match self.aws.get_object(self.bucket, key, &Fetch::default()).await {
            Err(Trouble::NoSuchKey) => return Ok(None),
            found => found?,
        };
        if object.head.size > FIRST.len().max(SECOND.len()) as u64 {
            return Ok(None);
        }
        let pieces: Vec<Bytes> = object.body.try_collect().await.map_err(|error| Trouble::Broken(error.to_string()))?;
        Ok(Some(pieces.concat()))
    }

    /// Takes away what was tried. What cannot be taken away is told in the log: the trial's answer does not hang on it.
    async fn clear(&self, keys: &[&Key]) {
        for key in keys {
            let versions = self.versions(key).await.unwrap_or_default();
            let cleared = !versions.is_empty() && self.delete_versions(key, versions).await.is_ok();
            if !cleared && let Err(trouble) = self.delete(key, None).await {
                tracing::warn!(%trouble, "a scratch key could not be taken away");
            }
        }
    }

    /// Every version of a key; none where the store does not list them.
    async fn versions(&self, key: &Key) -> Result<Vec<VersionId>, Trouble> {
        let prefix = key.as_str().to_owned();
        let ask = VersionsAsk { prefix, after: None, delimiter: None, max: limits::PAGE_KEYS_MAX };
        let items = self.aws.list_versions(self.bucket, ask).await?.items;
        let id = |item| match item {
            VersionItem::Version(version) => (version.object.key == *key).then_some(version.id),
            VersionItem::DeleteMarker(marker) => (marker.key == *key).then_some(marker.id),
            VersionItem::Common(_) => None,
        };
        Ok(items.into_iter().filter_map(id).collect())
    }

    async fn delete_versions(&self, key: &Key, versions: Vec<VersionId>) -> Result<(), Trouble> {
        for version in versions {
            self.delete(key, Some(version)).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: &Key, version: Option<VersionId>) -> Result<(), Trouble> {
        let (bucket, key) = (self.bucket.clone(), key.clone());
        self.aws.delete_object(&DeleteObject { bucket, key, version }).await.map(drop)
    }
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Written,
    Refused,
    /// The store does not speak of conditions.
    Unable,
}

/// Trouble that is no answer to the question stays trouble.
fn held_back(written: Result<(), Trouble>) -> Result<Held, Trouble> {
    match written {
        Ok(()) => Ok(Held::Written),
        Err(Trouble::Occupied) => Ok(Held::Refused),
        Err(Trouble::Unable(_) | Trouble::Invalid(_)) => Ok(Held::Unable),
        Err(trouble) => Err(trouble),
    }
}

fn fresh() -> String {
    format!(".tracegate/scratch/{}", hex::encode(rand::random::<[u8; 16]>()))
}

fn key(name: &str) -> Result<Key, Trouble> {
    name.parse().map_err(|_| Trouble::Broken("a scratch key cannot be named".to_owned()))
}

fn tag_of(stored: Stored) -> Result<ETag, Trouble> {
    stored.etag.ok_or_else(|| Trouble::Broken("it sent no ETag".to_owned()))
}

/// With `Content-MD5`, which a bucket that locks its objects asks for, of parts, too, whatever their upload was begun with.
fn body(bytes: &'static [u8]) -> Upload {
    Upload {
        length: bytes.len() as u64,
        checksum: None,
        md5: Some(STANDARD.encode(Md5::digest(bytes)).into()),
        body: stream::once(future::ready(Ok(Bytes::from_static(bytes)))).boxed(),
        fate: Arc::default(),
    }
}
