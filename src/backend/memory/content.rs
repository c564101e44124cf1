//! One object in memory: its bytes, its parts, its head, as S3 would keep them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use crate::backend::Trouble;
use crate::s3::answer::{Attributes, ContentRange, ObjectHead};
use crate::s3::operation::{ETag, RangeAsk};

/// The storage class of an object that must be restored before it can be read.
const ARCHIVED: &str = "GLACIER";

/// What is put under a key.
#[derive(Debug, Clone)]
pub struct Content {
    pub(super) bytes: Bytes,
    pub(super) head: ObjectHead,
    /// Sizes of the parts, if it was uploaded in parts.
    parts: Option<Vec<u64>>,
    crc32c: Option<String>,
}

impl Content {
    /// An object put at once: its tag is the MD5 of its bytes. S3 keeps times in whole seconds.
    pub fn new(bytes: impl Into<Bytes>, last_modified: Timestamp) -> Self {
        let bytes = bytes.into();
        let etag = hex::encode(Md5::digest(&bytes));
        Self::of(bytes, etag, last_modified)
    }

    /// An object uploaded in parts: its tag is the MD5 of the parts' MD5s, and their number.
    pub fn from_parts(parts: &[Bytes], last_modified: Timestamp) -> Self {
        let sums: Vec<u8> = parts.iter().flat_map(Md5::digest).collect();
        let etag = format!("{}-{}", hex::encode(Md5::digest(&sums)), parts.len());
        let sizes = parts.iter().map(|part| part.len() as u64).collect();
        Self { parts: Some(sizes), ..Self::of(Bytes::from(parts.concat()), etag, last_modified) }
    }

    fn of(bytes: Bytes, etag: String, last_modified: Timestamp) -> Self {
        let head = ObjectHead {
            size: bytes.len() as u64,
            etag: ETag(etag.into()),
            last_modified: Timestamp::from_second(last_modified.as_second()).unwrap_or(last_modified),
            content_type: None,
            content_encoding: None,
            content_disposition: None,
            content_language: None,
            cache_control: None,
            expires: None,
            storage_class: None,
            version_id: None,
            parts_count: None,
            user_metadata: BTreeMap::new(),
        };
        Self { bytes, head, parts: None, crc32c: None }
    }

    /// With a `Content-Type`.
    #[must_use]
    pub fn with_type(mut self, content_type: &str) -> Self {
        self.head.content_type = Some(content_type.to_owned());
        self
    }

    /// With a `Content-Encoding`.
    #[must_use]
    pub fn with_encoding(mut self, encoding: &str) -> Self {
        self.head.content_encoding = Some(encoding.to_owned());
        self
    }

    /// With one more `x-amz-meta-*`; the name in lower case, without that prefix.
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: &str) -> Self {
        self.head.user_metadata.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a CRC-32C of all bytes, as a client sends it that asks for that checksum.
    #[must_use]
    pub fn with_crc32c(mut self) -> Self {
        self.crc32c = Some(STANDARD.encode(crc32c::crc32c(&self.bytes).to_be_bytes()));
        self
    }

    /// As an archived object: it is listed and has a head, but its bytes are not to be had.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.head.storage_class = Some(ARCHIVED.to_owned());
        self
    }

    pub(super) fn is_archived(&self) -> bool {
        self.head.storage_class.as_deref() == Some(ARCHIVED)
    }

    /// The head; it counts the parts where one was asked for, as S3 does.
    pub(super) fn head_of(&self, part: Option<u32>) -> ObjectHead {
        let parts_count = part.and(self.parts_count());
        ObjectHead { parts_count, ..self.head.clone() }
    }

    pub(super) fn attributes(&self) -> Attributes {
        let checksums: BTreeMap<_, _> = self.crc32c.iter().map(|sum| ("ChecksumCRC32C", sum.clone())).collect();
        Attributes {
            head: self.head.clone(),
            checksum_type: (!checksums.is_empty()).then(|| "FULL_OBJECT".to_owned()),
            checksums,
            parts: self.parts_count(),
        }
    }

    /// The bytes of that part, counted from 1; an object put at once is one part. `None` is an empty one.
    pub(super) fn part(&self, part: u32) -> Result<Option<ContentRange>, Trouble> {
        let whole = [self.head.size];
        let sizes = self.parts.as_deref().unwrap_or(&whole);
        let at = (part as usize).checked_sub(1).filter(|&at| at < sizes.len());
        let at = at.ok_or(Trouble::InvalidRange { size: Some(self.head.size) })?;
        let first: u64 = sizes[..at].iter().sum();
        Ok(sizes[at].checked_sub(1).map(|rest| ContentRange { first, last: first + rest }))
    }

    /// The bytes of that range (RFC 9110, section 14.1.2).
    pub(super) fn span(&self, ask: RangeAsk) -> Result<ContentRange, Trouble> {
        let size = self.head.size;
        let (first, last) = match ask {
            RangeAsk::Span { first, last } => (first, last.unwrap_or(u64::MAX).min(size.saturating_sub(1))),
            RangeAsk::Suffix(bytes) => (size.saturating_sub(bytes), size.saturating_sub(1)),
        };
        match first < size && first <= last {
            true => Ok(ContentRange { first, last }),
            false => Err(Trouble::InvalidRange { size: Some(size) }),
        }
    }

    fn parts_count(&self) -> Option<u32> {
        self.parts.as_ref().and_then(|parts| u32::try_from(parts.len()).ok())
    }
}
