//! Uploads in parts, as S3 puts them together ("Uploading and copying objects using multipart upload").

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

use super::content::{self, Content};
use super::shelf::Shelf;
use crate::backend::{Trouble, UploadsAsk};
use crate::limits;
use crate::s3::answer::{PartListed, PartPage, Stored, UploadBatch, UploadListed};
use crate::s3::checksum::{Algorithm, Checksum, Hasher};
use crate::s3::name::Key;
use crate::s3::operation::ETag;
use crate::s3::operation::write::{
    ChecksumPlan, CompleteMultipartUpload, CreateMultipartUpload, ListParts, NewHead, OnlyIf, PartNamed, UploadId,
};

/// An upload under way.
#[derive(Debug)]
pub(super) struct Pending {
    head: NewHead,
    plan: Option<ChecksumPlan>,
    initiated: Timestamp,
    parts: BTreeMap<u32, Part>,
}

/// One part of it.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) etag: ETag,
    pub(super) at: Timestamp,
    pub(super) checksum: Option<Checksum>,
}

impl Part {
    pub(super) fn new(bytes: Bytes, checksum: Option<Checksum>, now: Timestamp) -> Self {
        Self { etag: content::md5_tag(&bytes), bytes, at: content::whole_seconds(now), checksum }
    }

    fn stored(&self) -> Stored {
        let (etag, checksum) = (Some(self.etag.clone()), self.checksum.clone());
        Stored { etag, checksum, ..Stored::default() }
    }
}

impl Shelf {
    pub(super) fn begin(&mut self, op: &CreateMultipartUpload, now: Timestamp) -> UploadId {
        // In the order of their beginning; uploads of one millisecond stand as chance has it.
        let id = format!("{:016x}{:016x}", now.as_millisecond(), rand::random::<u64>());
        let (head, plan) = (op.head.clone(), op.checksum.clone());
        let pending = Pending { head, plan, initiated: content::whole_seconds(now), parts: BTreeMap::new() };
        self.uploads.insert((op.key.as_str().into(), id.as_str().into()), pending);
        UploadId { inside: id.into() }
    }

    pub(super) fn upload(&self, key: &Key, upload: &UploadId) -> Result<&Pending, Trouble> {
        self.uploads.get(&place(key, upload)).ok_or(Trouble::NoSuchUpload)
    }

    pub(super) fn add_part(
        &mut self,
        key: &Key,
        upload: &UploadId,
        number: u32,
        part: Part,
    ) -> Result<Stored, Trouble> {
        if !(1..=limits::PARTS_MAX).contains(&number) {
            return Err(Trouble::Invalid("part number"));
        }
        let pending = self.uploads.get_mut(&place(key, upload)).ok_or(Trouble::NoSuchUpload)?;
        let stored = part.stored();
        pending.parts.insert(number, part);
        Ok(stored)
    }

    pub(super) fn abort(&mut self, key: &Key, upload: &UploadId) -> Result<(), Trouble> {
        self.uploads.remove(&place(key, upload)).map(drop).ok_or(Trouble::NoSuchUpload)
    }

    pub(super) fn complete(
        &mut self,
        op: &CompleteMultipartUpload,
        only_if: &OnlyIf,
        now: Timestamp,
    ) -> Result<Stored, Trouble> {
        let pending = self.upload(&op.key, &op.upload)?;
        let parts = pending.named(&op.parts)?;
        self.admit(&op.key, only_if)?;
        let (head, tags) = (pending.head.clone(), pending.head.tags.clone());
        let bytes: Vec<Bytes> = parts.into_iter().map(|part| part.bytes.clone()).collect();
        if op.size.is_some_and(|said| said != bytes.iter().map(|part| part.len() as u64).sum::<u64>()) {
            return Err(Trouble::Invalid("size of the whole"));
        }
        let plan = pending.plan.clone();
        let whole = Whole::of(op, plan.as_ref(), &bytes);
        if op.checksum.as_ref().is_some_and(|said| whole.as_ref().is_none_or(|whole| !whole.is(said))) {
            return Err(Trouble::BadDigest);
        }
        let full_object = whole.as_ref().map(|whole| whole.full_object);
        let checksum = whole.map(|whole| whole.checksum);
        let content = Content::from_parts(&bytes, now).described(&head);
        let content = content.with_checksum(checksum.clone().filter(|_| full_object == Some(true)));
        let etag = Some(content.head.etag.clone());
        self.uploads.remove(&place(&op.key, &op.upload));
        let version_id = self.store(op.key.as_str(), content.into(), tags);
        Ok(Stored { etag, version_id, checksum, full_object })
    }

    pub(super) fn parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        let pending = self.upload(&op.key, &op.upload)?;
        let max = op.max_parts.min(limits::PAGE_KEYS_MAX) as usize;
        let mut rest = pending.parts.iter().filter(|(number, _)| **number > op.after);
        let parts: Vec<PartListed> = rest.by_ref().take(max).map(|(number, part)| listed(*number, part)).collect();
        let more_after = rest.next().and_then(|_| parts.last()).map(|last| last.part);
        let storage_class = pending.head.storage_class.clone().or_else(|| Some("STANDARD".to_owned()));
        Ok(PartPage { parts, more_after, storage_class, algorithm: pending.plan.as_ref().map(|plan| plan.algorithm) })
    }

    pub(super) fn uploads(&self, ask: &UploadsAsk) -> UploadBatch {
        let max = ask.max.min(limits::PAGE_KEYS_MAX) as usize;
        let behind = |(key, id): &(Box<str>, Box<str>)| match &ask.after {
            None => true,
            Some((after, from)) => (&**key, &**id) > (after.as_str(), from.as_str()),
        };
        let mut rest = self.uploads.iter().filter(|(at, _)| at.0.starts_with(&ask.prefix) && behind(at));
        let mut batch = UploadBatch::default();
        let mut last = None;
        for (at, pending) in rest.by_ref().take(max) {
            last = Some((at.0.to_string(), at.1.to_string()));
            let Ok(key) = at.0.parse() else { continue };
            let storage_class = pending.head.storage_class.clone().or_else(|| Some("STANDARD".to_owned()));
            batch.uploads.push(UploadListed { key, id: at.1.clone(), initiated: pending.initiated, storage_class });
        }
        batch.more_after = rest.next().and(last);
        batch
    }
}

impl Pending {
    /// The parts that are named, if they make an object.
    fn named(&self, named: &[PartNamed]) -> Result<Vec<&Part>, Trouble> {
        let Some((last, _)) = named.split_last() else { return Err(Trouble::Invalid("list of parts")) };
        if !named.is_sorted_by(|one, next| one.part < next.part) {
            return Err(Trouble::InvalidPartOrder);
        }
        let parts = named.iter().map(|named| self.parts.get(&named.part).filter(|part| part.is(named)));
        let parts: Vec<&Part> = parts.collect::<Option<_>>().ok_or(Trouble::InvalidPart)?;
        let small = |(named, part): (&PartNamed, &&Part)| {
            named.part != last.part && (part.bytes.len() as u64) < limits::PART_BYTES_MIN
        };
        if named.iter().zip(&parts).any(small) { Err(Trouble::TooSmall) } else { Ok(parts) }
    }
}

impl Part {
    fn is(&self, named: &PartNamed) -> bool {
        let same_checksum = match (&self.checksum, &named.checksum) {
            (Some(own), Some(said)) => own == said,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        named.etag == self.etag && same_checksum
    }
}

/// The checksum of an object that was put together: of its bytes, or of its parts' checksums.
struct Whole {
    checksum: Checksum,
    full_object: bool,
}

impl Whole {
    /// What the caller said, or else the plan of the upload, tells which is meant ("Checking object integrity").
    fn of(op: &CompleteMultipartUpload, plan: Option<&ChecksumPlan>, parts: &[Bytes]) -> Option<Self> {
        let said = op.checksum.as_ref();
        let algorithm = said.map(|said| said.algorithm).or(plan.map(|plan| plan.algorithm))?;
        let kind = op.full_object.or(plan.and_then(|plan| plan.full_object));
        let full_object = kind.unwrap_or(algorithm == Algorithm::Crc64Nvme);
        let mut whole = Hasher::new(algorithm);
        for part in parts {
            if full_object {
                whole.update(part);
                continue;
            }
            let mut own = Hasher::new(algorithm);
            own.update(part);
            whole.update(&STANDARD.decode(&*own.finish().value).ok()?);
        }
        let mut checksum = whole.finish();
        if !full_object {
            checksum.value = format!("{}-{}", checksum.value, parts.len()).into();
        }
        Some(Self { checksum, full_object })
    }

    /// Whether that is it; of parts' checksums their number may be left out.
    fn is(&self, said: &Checksum) -> bool {
        let own = &*self.checksum.value;
        said.algorithm == self.checksum.algorithm
            && (*said.value == *own || own.rsplit_once('-').is_some_and(|(value, _)| *said.value == *value))
    }
}

fn listed(number: u32, part: &Part) -> PartListed {
    PartListed {
        part: number,
        size: part.bytes.len() as u64,
        etag: part.etag.clone(),
        last_modified: part.at,
        checksum: part.checksum.clone(),
    }
}

fn place(key: &Key, upload: &UploadId) -> (Box<str>, Box<str>) {
    (key.as_str().into(), upload.inside.clone())
}
