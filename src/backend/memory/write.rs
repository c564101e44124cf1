//! Writes to the embedded bucket. A body is read to its end before anything is stored, or looked at, under the lock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use md5::{Digest as _, Md5};

use super::content::Content;
use super::shelf::Found;
use super::uploads::Part;
use super::{Memory, Trouble};
use crate::limits;
use crate::s3::answer::{Copied, ObjectHead, PartCopied, Stored};
use crate::s3::checksum::Checksum;
use crate::s3::operation::ETag;
use crate::s3::operation::write::{CopyObject, CopySource, OnlyIf, PutObject, UploadPart, UploadPartCopy};
use crate::s3::payload::{Upload, UploadError};

impl Memory {
    pub(super) async fn put_object(&self, op: &PutObject, only_if: &OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        self.read(&op.bucket, |shelf| shelf.admit(&op.key, only_if))??;
        let (bytes, checksum) = received(upload).await?;
        let content = Content::new(bytes, (self.clock)()).described(&op.head).with_checksum(checksum.clone());
        let etag = Some(content.head.etag.clone());
        self.write(&op.bucket, |shelf| {
            shelf.admit(&op.key, only_if)?;
            let version_id = shelf.store(op.key.as_str(), content.into(), op.head.tags.clone());
            let full_object = checksum.is_some().then_some(true);
            Ok(Stored { etag, version_id, checksum, full_object })
        })?
    }

    pub(super) async fn upload_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        self.read(&op.bucket, |shelf| shelf.upload(&op.key, &op.upload).map(drop))??;
        let (bytes, checksum) = received(upload).await?;
        let part = Part::new(bytes, checksum, (self.clock)());
        self.write(&op.bucket, |shelf| shelf.add_part(&op.key, &op.upload, op.part, part))?
    }

    pub(super) fn copy_object(&self, op: &CopyObject, only_if: &OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        let source = self.pinned(&op.source, pin)?;
        let itself = op.source.version.is_none() && op.source.bucket == op.bucket && op.source.key == op.key;
        if itself && op.head.is_none() && op.storage_class.is_none() && !op.encrypted {
            return Err(Trouble::Invalid("copy of an object onto itself"));
        }
        let bytes = source.content.bytes.clone();
        let checksum = match op.checksum {
            Some(algorithm) => Some(Checksum::computed(algorithm, &bytes)),
            None => source.content.checksum.clone(),
        };
        let copy = Content::new(bytes, (self.clock)()).with_checksum(checksum.clone());
        let mut copy = match &op.head {
            Some(head) => copy.described(head),
            None => copy.headed_as(&source.content),
        };
        copy.head.storage_class = op.storage_class.clone().or(copy.head.storage_class);
        let tags = op.tags.clone().unwrap_or(source.tags);
        let (etag, last_modified) = (copy.head.etag.clone(), copy.head.last_modified);
        self.write(&op.bucket, |shelf| {
            shelf.admit(&op.key, only_if)?;
            let version_id = shelf.store(op.key.as_str(), copy.into(), tags);
            let full_object = checksum.is_some().then_some(true);
            let stored = Stored { etag: Some(etag), version_id, checksum, full_object };
            Ok(Copied { stored, last_modified, source_version: source.version })
        })?
    }

    pub(super) fn upload_part_copy(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        let source = self.pinned(&op.source, pin)?;
        let bytes = match op.range.map(|ask| source.content.span(ask)).transpose()? {
            // A range was cut to the object's size when it was settled, so both ends fit into memory's measure.
            Some(range) => source.content.bytes.slice(range.first as usize..=range.last as usize),
            None => source.content.bytes.clone(),
        };
        let part = Part::new(bytes, None, (self.clock)());
        let last_modified = part.at;
        let stored = self.write(&op.bucket, |shelf| shelf.add_part(&op.key, &op.upload, op.part, part))??;
        Ok(Copied { stored, last_modified, source_version: source.version })
    }

    /// What a copy reads, if it still is what was seen.
    fn pinned(&self, source: &CopySource, pin: &ETag) -> Result<Found, Trouble> {
        let found = self.find(&source.bucket, &source.key, source.version.as_ref())?;
        if found.content.head.etag != *pin {
            return Err(Trouble::Changed);
        }
        if found.content.is_archived() { Err(Trouble::Archived) } else { Ok(found) }
    }
}

impl Content {
    /// With the head of another, as a copy has it: all but what tells of the bytes, and of how they are kept.
    fn headed_as(mut self, other: &Content) -> Self {
        let ObjectHead { size, etag, last_modified, .. } = self.head;
        self.head = ObjectHead { size, etag, last_modified, storage_class: None, ..other.head.clone() };
        self
    }
}

/// A body, whole, and the checksum that was said of it, ahead or in a trailer, and holds. What is not as long as was said is not stored.
async fn received(upload: Upload) -> Result<(Bytes, Option<Checksum>), Trouble> {
    let Upload { length, checksum, md5, mut body, fate } = upload;
    if length > limits::UPLOAD_BYTES_MAX {
        return Err(Trouble::TooLarge);
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(|error| fate.failed().unwrap_or(error))?);
        if bytes.len() as u64 > length {
            return Err(UploadError::Malformed.into());
        }
    }
    if (bytes.len() as u64) < length {
        return Err(UploadError::Incomplete.into());
    }
    if md5.is_some_and(|said| *said != *STANDARD.encode(Md5::digest(&bytes))) {
        return Err(Trouble::BadDigest);
    }
    Ok((bytes.freeze(), checksum.or_else(|| fate.checksum().cloned())))
}
