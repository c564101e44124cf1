//! What operations find: objects, heads, attributes, listings. Plain data; who may see it is decided elsewhere.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::checksum::{Algorithm, Checksum};
use super::name::{Key, Prefix, VersionId};
use super::operation::ETag;

/// The bytes of an object as they come. An error ends them.
pub type Body = BoxStream<'static, Result<Bytes, BodyError>>;

/// Why a body ended before its end. The text is for our own log, never for a client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The backend's connection broke, stalled, or it sent another length than it had said.
    #[error("the backend's body broke off: {0}")]
    Backend(String),
    /// What we keep of the object ourselves cannot be read back.
    #[error("what is kept of the object cannot be read: {0}")]
    Unkept(String),
    /// The object could not be shown under the view: the offset of the fault and its class, never its bytes.
    #[error("the object cannot be shown from byte {offset} on: {reason}")]
    Unshowable {
        /// Offset in the object.
        offset: u64,
        /// Class of the fault.
        reason: &'static str,
    },
}

/// What is known of an object without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectHead {
    /// Size of the whole object, in bytes.
    pub size: u64,
    /// Entity tag.
    pub etag: ETag,
    /// Time of the last change; S3 gives whole seconds.
    pub last_modified: Timestamp,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Content-Encoding`
    pub content_encoding: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Expires`, as stored
    pub expires: Option<String>,
    /// `x-amz-storage-class`
    pub storage_class: Option<String>,
    /// `x-amz-version-id`
    pub version_id: Option<String>,
    /// `x-amz-mp-parts-count`, where a part was asked for
    pub parts_count: Option<u32>,
    /// `x-amz-meta-*`, names in lower case without the prefix
    pub user_metadata: BTreeMap<String, String>,
}

/// A part of an object, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte.
    pub last: u64,
}

impl ContentRange {
    /// How many bytes that is.
    #[expect(clippy::len_without_is_empty, reason = "a range has at least one byte")]
    pub fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// What HeadObject tells: the head, and which bytes GetObject would send.
#[derive(Debug, Clone, PartialEq)]
pub struct Headed {
    /// The head; its size is the whole object's.
    pub head: ObjectHead,
    /// The bytes of the part that was asked for; `None` is all of them.
    pub range: Option<ContentRange>,
}

/// An object's head and its bytes, or those of one range.
pub struct Object {
    /// The head; its size is the whole object's.
    pub head: ObjectHead,
    /// Which bytes these are; `None` is all of them.
    pub range: Option<ContentRange>,
    /// The bytes.
    pub body: Body,
}

/// What `GetObjectAttributes` tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributes {
    /// Size, tag and time.
    pub head: ObjectHead,
    /// Checksums by S3's element name (`ChecksumCRC32`…).
    pub checksums: BTreeMap<&'static str, String>,
    /// `COMPOSITE` or `FULL_OBJECT`
    pub checksum_type: Option<String>,
    /// Number of parts of a multipart object.
    pub parts: Option<u32>,
}

/// Whether a bucket keeps versions (`VersioningConfiguration`); one that never did says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are S3's own")]
pub enum Versioning {
    Enabled,
    Suspended,
}

/// One key of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// Size in bytes.
    pub size: u64,
    /// Entity tag.
    pub etag: ETag,
    /// Time of the last change.
    pub last_modified: Timestamp,
    /// `STANDARD`…
    pub storage_class: Option<String>,
}

/// One page of the backend's own listing: what our listing is made of.
///
/// `items` are in the backend's order (UTF-8 bytes). Keys that [`Key`] rules out are left out and counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Keys and common prefixes, in order.
    pub items: Vec<Item>,
    /// Where the backend says that more follows: the last name it looked at (`start-after` of the next page).
    pub more_after: Option<String>,
    /// Keys that cannot be named and were left out.
    pub unnameable: u32,
}

/// A key or a common prefix.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A key.
    Key(Listed),
    /// All keys that begin so, rolled up.
    Common(Prefix),
}

impl Item {
    /// The name by which listings are ordered.
    pub fn name(&self) -> &str {
        match self {
            Item::Key(listed) => listed.key.as_str(),
            Item::Common(prefix) => prefix.as_str(),
        }
    }
}

/// One page of the backend's own listing of versions.
///
/// `items` are in the order of keys (UTF-8 bytes), of one key the newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VersionBatch {
    /// Versions, delete markers and common prefixes, in order.
    pub items: Vec<VersionItem>,
    /// Where the backend says that more follows: its own markers of key and version.
    pub more_after: Option<(String, Option<String>)>,
    /// Versions and delete markers whose key or id cannot be named, and that were left out.
    pub unnameable: u32,
}

/// A version, a delete marker or a common prefix.
#[derive(Debug, Clone, PartialEq)]
pub enum VersionItem {
    /// A version of an object.
    Version(VersionListed),
    /// A version that says that the object is deleted.
    DeleteMarker(MarkerListed),
    /// All keys that begin so, rolled up.
    Common(Prefix),
}

/// One version of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionListed {
    /// The object, as it was then.
    pub object: Listed,
    /// The version.
    pub id: VersionId,
    /// Whether it is the current one.
    pub is_latest: bool,
}

/// One delete marker of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkerListed {
    /// The key.
    pub key: Key,
    /// The version.
    pub id: VersionId,
    /// Whether it is the current one.
    pub is_latest: bool,
    /// When the object was deleted.
    pub last_modified: Timestamp,
}

impl VersionItem {
    /// The name by which listings are ordered.
    pub fn name(&self) -> &str {
        match self {
            VersionItem::Version(version) => version.object.key.as_str(),
            VersionItem::DeleteMarker(marker) => marker.key.as_str(),
            VersionItem::Common(prefix) => prefix.as_str(),
        }
    }
}

/// What the backend says of what it stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stored {
    /// Tag of the object or part.
    pub etag: Option<ETag>,
    /// `x-amz-version-id`
    pub version_id: Option<VersionId>,
    /// Its checksum, where the backend tells one.
    pub checksum: Option<Checksum>,
    /// Whether that checksum is of the whole object; `None` where the backend does not tell.
    pub full_object: Option<bool>,
}

/// What a copy made.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// The new object.
    pub stored: Stored,
    /// Time of its last change.
    pub last_modified: Timestamp,
    /// The version of the source that was copied.
    pub source_version: Option<VersionId>,
}

/// What copying a part made: as [`Copied`].
pub type PartCopied = Copied;

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version that is gone, or that of the delete marker that was put.
    pub version_id: Option<VersionId>,
    /// Whether a delete marker was put, or one was deleted.
    pub delete_marker: bool,
}

/// A tag of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

/// One part of an upload.
#[derive(Debug, Clone, PartialEq)]
pub struct PartListed {
    /// Its number.
    pub part: u32,
    /// Size in bytes.
    pub size: u64,
    /// Its tag.
    pub etag: ETag,
    /// Time of its upload.
    pub last_modified: Timestamp,
    /// Its checksum, where the backend tells one.
    pub checksum: Option<Checksum>,
}

/// A page of an upload's parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartPage {
    /// The parts, in order.
    pub parts: Vec<PartListed>,
    /// Where more follows: the number of the last one.
    pub more_after: Option<u32>,
    /// `STANDARD`…
    pub storage_class: Option<String>,
    /// The algorithm of the parts' checksums.
    pub algorithm: Option<Algorithm>,
}

/// One upload under way.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadListed {
    /// Key of the object to be.
    pub key: Key,
    /// The backend's id of it.
    pub id: Box<str>,
    /// When it began.
    pub initiated: Timestamp,
    /// `STANDARD`…
    pub storage_class: Option<String>,
}

/// One page of the backend's own listing of uploads under way, in the order of keys and then of their beginning.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UploadBatch {
    /// The uploads. Keys that [`Key`] rules out are left out.
    pub uploads: Vec<UploadListed>,
    /// Where the backend says that more follows: its own markers of key and upload id.
    pub more_after: Option<(String, String)>,
}
