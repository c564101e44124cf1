//! One object in memory: its bytes, its parts, its head, as S3 would keep them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use crate::backend::Trouble;
use crate::s3::answer::{Attributes, ContentRange, ObjectHead};
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::operation::write::NewHead;
use crate::s3::operation::{ETag, RangeAsk};

/// The storage class of an object that must be restored before it can be read.
const ARCHIVED: &str = "GLACIER";
/// The type of an object that was put without one.
const UNTYPED: &str = "binary/octet-stream";

/// What is put under a key.
#[derive(Debug, Clone)]
pub struct Content {
    pub(super) bytes: Bytes,
    pub(super) head: ObjectHead,
    /// Sizes of the parts, if it was uploaded in parts.
    parts: Option<Vec<u64>>,
    pub(super) checksum: Option<Checksum>,
}

impl Content {
    /// An object put at once: its tag is the MD5 of its bytes. S3 keeps times in whole seconds.
    pub fn new(bytes: impl Into<Bytes>, last_modified: Timestamp) -> Self {
        let bytes = bytes.into();
        let etag = md5_tag(&bytes);
        Self::of(bytes, etag, last_modified)
    }

    /// An object uploaded in parts: its tag is the MD5 of the parts' MD5s, and their number.
    pub fn from_parts(parts: &[Bytes], last_modified: Timestamp) -> Self {
        let sums: Vec<u8> = parts.iter().flat_map(Md5::digest).collect();
        let etag = ETag(format!("{}-{}", hex::encode(Md5::digest(&sums)), parts.len()).into());
        let sizes = parts.iter().map(|part| part.len() as u64).collect();
        Self { parts: Some(sizes), ..Self::of(Bytes::from(parts.concat()), etag, last_modified) }
    }

    fn of(bytes: Bytes, etag: ETag, last_modified: Timestamp) -> Self {
        let head = ObjectHead {
            size: bytes.len() as u64,
            etag,
            last_modified: whole_seconds(last_modified),
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
        Self { bytes, head, parts: None, checksum: None }
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
        let value = STANDARD.encode(crc32c::crc32c(&self.bytes).to_be_bytes()).into();
        self.checksum = Some(Checksum { algorithm: Algorithm::Crc32c, value });
        self
    }

    /// As an archived object: it is listed and has a head, but its bytes are not to be had.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.head.storage_class = Some(ARCHIVED.to_owned());
        self
    }

    /// With what a write says of it.
    pub(super) fn described(mut self, new: &NewHead) -> Self {
        self.head = ObjectHead {
            content_type: new.content_type.clone().or_else(|| Some(UNTYPED.to_owned())),
            content_encoding: new.content_encoding.clone(),
            content_disposition: new.content_disposition.clone(),
            content_language: new.content_language.clone(),
            cache_control: new.cache_control.clone(),
            expires: new.expires.clone(),
            storage_class: new.storage_class.clone(),
            user_metadata: new.user_metadata.clone(),
            ..self.head
        };
        self
    }

    /// With this checksum of all bytes, which was verified before.
    pub(super) fn with_checksum(mut self, checksum: Option<Checksum>) -> Self {
        self.checksum = checksum;
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
        let element = |sum: &Checksum| (element(sum.algorithm), sum.value.to_string());
        let checksums: BTreeMap<_, _> = self.checksum.iter().map(element).collect();
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

/// The tag of bytes that were put at once.
pub(super) fn md5_tag(bytes: &[u8]) -> ETag {
    ETag(hex::encode(Md5::digest(bytes)).into())
}

/// S3 keeps times in whole seconds.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn element(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "ChecksumCRC32",
        Algorithm::Crc32c => "ChecksumCRC32C",
        Algorithm::Crc64Nvme => "ChecksumCRC64NVME",
        Algorithm::Sha1 => "ChecksumSHA1",
        Algorithm::Sha256 => "ChecksumSHA256",
        Algorithm::Sha512 => "ChecksumSHA512",
        Algorithm::Md5 => "ChecksumMD5",
        Algorithm::Xxhash64 => "ChecksumXXHASH64",
        Algorithm::Xxhash3 => "ChecksumXXHASH3",
        Algorithm::Xxhash128 => "ChecksumXXHASH128",
    }
}
