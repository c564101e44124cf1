//! The operations that we speak: one type each, with every path that it touches.
//!
//! One macro lists them all; the permission matrix, the metrics and the tests walk [`OpName::ALL`]. What is not
//! listed here is refused. An operation says *what* is asked, never who asks or whether they may.

pub mod version;
pub mod write;

use jiff::Timestamp;

use super::answer::{Attributes, Batch, Headed, Object, Versioning};
use super::name::{Bucket, Key, Prefix, VersionId};

/// What a policy grants. `get` covers HEAD; nothing else is implied by anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read an object, its metadata and its attributes.
    Get,
    /// See a key in a listing.
    List,
    /// Write an object, also over an existing one.
    Put,
    /// Write an object where none is; never overwrites.
    Create,
    /// Delete an object.
    Delete,
    /// Read the log about these keys.
    Audit,
}

impl Action {
    /// Every action, in the order in which tables show them.
    pub const ALL: [Action; 6] =
        [Action::Get, Action::List, Action::Put, Action::Create, Action::Delete, Action::Audit];

    /// The word of policies, logs and errors.
    pub fn word(self) -> &'static str {
        match self {
            Action::Get => "get",
            Action::List => "list",
            Action::Put => "put",
            Action::Create => "create",
            Action::Delete => "delete",
            Action::Audit => "audit",
        }
    }

    /// The action of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// One thing that an operation touches, and what it needs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch<'a> {
    /// An object.
    Object(Action, &'a Bucket, &'a Key),
    /// An object that is written: `put`, or `create`, which never overwrites.
    Write(&'a Bucket, &'a Key),
    /// An object whose bytes, or facts about them, go elsewhere than through a view: `get`, unmasked.
    Source(&'a Bucket, &'a Key),
    /// Some key of a bucket, whichever: what a request with many keys needs at least.
    Somewhere(Action, &'a Bucket),
    /// The keys of a bucket under a prefix; which of them are shown is the view's matter.
    Listing(&'a Bucket, &'a Prefix),
    /// A bucket as such.
    Bucket(&'a Bucket),
    /// The service as such: which buckets there are.
    Service,
}

impl<'a> Touch<'a> {
    /// The bucket in which it is.
    pub fn bucket(self) -> Option<&'a Bucket> {
        match self {
            Touch::Object(_, bucket, _)
            | Touch::Write(bucket, _)
            | Touch::Source(bucket, _)
            | Touch::Somewhere(_, bucket)
            | Touch::Listing(bucket, _)
            | Touch::Bucket(bucket) => Some(bucket),
            Touch::Service => None,
        }
    }
}

/// An operation of S3.
pub trait Op: Send + Sync + 'static {
    /// What the backend brings for it.
    type Found: Send + 'static;

    /// Its name in S3's API reference.
    fn name(&self) -> OpName;

    /// Everything that it touches; the decision is over all of it.
    fn touches(&self) -> Vec<Touch<'_>>;

    /// What the log records of it beside what it touches.
    fn details(&self) -> Details<'_> {
        Details::default()
    }
}

/// What the log records of an operation beside what it touches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Details<'a> {
    /// `Range`
    pub range: Option<RangeAsk>,
    /// `partNumber`
    pub part: Option<u32>,
    /// Conditions on the view's object.
    pub preconditions: Option<&'a Preconditions>,
    /// The terms of a listing.
    pub list: Option<&'a ListObjects>,
    /// `versionId`
    pub version: Option<&'a VersionId>,
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// The name of an operation that we speak, as S3's API reference spells it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are S3's own")]
        pub enum OpName { $($name),* }

        impl OpName {
            /// Every operation, in the order of the list.
            pub const ALL: &'static [OpName] = &[$(OpName::$name),*];

            /// S3's own word.
            pub fn as_str(self) -> &'static str {
                match self { $(OpName::$name => stringify!($name)),* }
            }
        }
    };
}

operations! {
    GetObject,
    HeadObject,
    GetObjectAttributes,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListBuckets,
    HeadBucket,
    CreateBucket,
    GetBucketLocation,
    PutObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    ListMultipartUploads,
    CopyObject,
    UploadPartCopy,
    DeleteObject,
    DeleteObjects,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    GetBucketVersioning,
}

/// A byte range as asked (RFC 9110, section 14.1.2), not yet compared with a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAsk {
    /// From `first` to `last`, both included; `None` is "to the end".
    Span {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: Option<u64>,
    },
    /// The last so many bytes.
    Suffix(u64),
}

/// An entity tag as compared: its opaque text without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub Box<str>);

/// `If-Match` and `If-None-Match`: any object, or one of these tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`
    Any,
    /// The tags listed.
    These(Vec<ETag>),
}

/// The conditions of a request, compared with what the caller's view shows (RFC 9110, section 13).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preconditions {
    /// `If-Match`
    pub if_match: Option<Tags>,
    /// `If-None-Match`
    pub if_none_match: Option<Tags>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<Timestamp>,
    /// `If-Range`: the range counts only while this tag, or date, is the object's.
    pub if_range: Option<IfRange>,
}

/// `If-Range`, one validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfRange {
    /// A tag.
    Tag(ETag),
    /// A date.
    Date(Timestamp),
}

/// `response-*`: headers that the caller wants to see instead of the stored ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// `response-cache-control`
    pub cache_control: Option<String>,
    /// `response-content-disposition`
    pub content_disposition: Option<String>,
    /// `response-content-language`
    pub content_language: Option<String>,
    /// `response-content-type`
    pub content_type: Option<String>,
    /// `response-expires`
    pub expires: Option<String>,
}

/// `GetObject`: an object's bytes.
#[derive(Debug, Clone)]
pub struct GetObject {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// `Range`, where it was one range that we can read; others are ignored, as S3 does.
    pub range: Option<RangeAsk>,
    /// `partNumber`
    pub part: Option<u32>,
    /// Conditions on the view's object.
    pub preconditions: Preconditions,
    /// Headers to show instead of the stored ones.
    pub overrides: Overrides,
    /// `versionId`; `None` is the current one.
    pub version: Option<VersionId>,
}

/// `HeadObject`: what GetObject would say, without the bytes.
#[derive(Debug, Clone)]
pub struct HeadObject {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// `Range`, as in [`GetObject`].
    pub range: Option<RangeAsk>,
    /// `partNumber`
    pub part: Option<u32>,
    /// Conditions on the view's object.
    pub preconditions: Preconditions,
    /// Headers to show instead of the stored ones.
    pub overrides: Overrides,
    /// `versionId`; `None` is the current one.
    pub version: Option<VersionId>,
}

/// `GetObjectAttributes`: size, ETag and the like as XML.
#[derive(Debug, Clone)]
pub struct GetObjectAttributes {
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Key of the object.
    pub key: Key,
    /// Which attributes are asked for.
    pub wanted: AttributesWanted,
    /// `versionId`; `None` is the current one.
    pub version: Option<VersionId>,
}

/// `x-amz-object-attributes`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are S3's own")]
pub struct AttributesWanted {
    pub etag: bool,
    pub checksum: bool,
    pub object_parts: bool,
    pub storage_class: bool,
    pub object_size: bool,
}

/// Which of the two listings of S3 was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListVersion {
    /// `ListObjects`: `marker`, `NextMarker`.
    V1,
    /// `ListObjectsV2`: `start-after`, continuation tokens.
    V2,
}

/// `ListObjects` and `ListObjectsV2`.
#[derive(Debug, Clone)]
pub struct ListObjects {
    /// Which of the two.
    pub version: ListVersion,
    /// Outside name of the bucket.
    pub bucket: Bucket,
    /// Only keys that begin so.
    pub prefix: Prefix,
    /// Roll keys up to the first occurrence of this after the prefix; never empty.
    pub delimiter: Option<String>,
    /// `start-after` or `marker`: only keys behind this. Text, since it need not name a key; a marker may also be the
    /// `NextMarker` of an earlier page, which is a sealed token.
    pub start_after: Option<String>,
    /// `continuation-token`: the sealed token of an earlier page, as the caller sent it.
    pub token: Option<String>,
    /// Most keys and common prefixes of the page, at most [`crate::limits::PAGE_KEYS_MAX`].
    pub max_keys: u32,
    /// `encoding-type=url`
    pub url_encoded: bool,
}

/// `ListBuckets`: the buckets in which something is visible.
#[derive(Debug, Clone)]
pub struct ListBuckets {
    /// Only names that begin so.
    pub prefix: String,
}

/// `HeadBucket`: whether a bucket is there.
#[derive(Debug, Clone)]
pub struct HeadBucket {
    /// Outside name of the bucket.
    pub bucket: Bucket,
}

/// `CreateBucket`: nothing is made; whoever sees the bucket is told that it is there.
#[derive(Debug, Clone)]
pub struct CreateBucket {
    /// Outside name of the bucket.
    pub bucket: Bucket,
}

/// `GetBucketLocation`: the region, which is ours.
#[derive(Debug, Clone)]
pub struct GetBucketLocation {
    /// Outside name of the bucket.
    pub bucket: Bucket,
}

/// `GetBucketVersioning`: whether the real bucket keeps versions.
#[derive(Debug, Clone)]
pub struct GetBucketVersioning {
    /// Outside name of the bucket.
    pub bucket: Bucket,
}

impl Op for GetObject {
    type Found = Object;
    fn name(&self) -> OpName {
        OpName::GetObject
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Get, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        let (preconditions, version) = (Some(&self.preconditions), self.version.as_ref());
        Details { range: self.range, part: self.part, preconditions, version, list: None }
    }
}

impl Op for HeadObject {
    type Found = Headed;
    fn name(&self) -> OpName {
        OpName::HeadObject
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Get, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        let (preconditions, version) = (Some(&self.preconditions), self.version.as_ref());
        Details { range: self.range, part: self.part, preconditions, version, list: None }
    }
}

impl Op for GetObjectAttributes {
    type Found = Attributes;
    fn name(&self) -> OpName {
        OpName::GetObjectAttributes
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Object(Action::Get, &self.bucket, &self.key)]
    }
    fn details(&self) -> Details<'_> {
        Details { version: self.version.as_ref(), ..Details::default() }
    }
}

impl Op for ListObjects {
    type Found = Batch;
    fn name(&self) -> OpName {
        match self.version {
            ListVersion::V1 => OpName::ListObjects,
            ListVersion::V2 => OpName::ListObjectsV2,
        }
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Listing(&self.bucket, &self.prefix)]
    }
    fn details(&self) -> Details<'_> {
        Details { list: Some(self), ..Details::default() }
    }
}

impl Op for ListBuckets {
    type Found = ();
    fn name(&self) -> OpName {
        OpName::ListBuckets
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Service]
    }
}

impl Op for HeadBucket {
    type Found = ();
    fn name(&self) -> OpName {
        OpName::HeadBucket
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Bucket(&self.bucket)]
    }
}

impl Op for CreateBucket {
    type Found = ();
    fn name(&self) -> OpName {
        OpName::CreateBucket
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Bucket(&self.bucket)]
    }
}

impl Op for GetBucketLocation {
    type Found = ();
    fn name(&self) -> OpName {
        OpName::GetBucketLocation
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Bucket(&self.bucket)]
    }
}

impl Op for GetBucketVersioning {
    type Found = Option<Versioning>;
    fn name(&self) -> OpName {
        OpName::GetBucketVersioning
    }
    fn touches(&self) -> Vec<Touch<'_>> {
        vec![Touch::Bucket(&self.bucket)]
    }
}
