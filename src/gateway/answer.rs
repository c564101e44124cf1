//! From what may be shown to what s3s writes: the only file that names the outputs of S3, and the only one that makes
//! an error of S3 from a [`Refusal`].

pub(super) mod write;

use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::dto::{
    self, BucketVersioningStatus, CommonPrefix, CreateBucketOutput, GetBucketLocationOutput, GetBucketVersioningOutput,
    GetObjectAttributesOutput, GetObjectAttributesParts, GetObjectOutput, HeadBucketOutput, HeadObjectOutput,
    ListBucketsOutput, ListObjectVersionsOutput, ListObjectsOutput, ListObjectsV2Output, StreamingBlob,
};
use s3s::{S3Error, S3ErrorCode, S3Response};

use futures::StreamExt as _;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::limits;
use crate::redact::Redacted;
use crate::redact::listing::Page;
use crate::redact::versions::VersionsPage;
use crate::s3::answer::{Attributes, Headed, Item, Object, ObjectHead, VersionItem, VersionListed, Versioning};
use crate::s3::error::Refusal;
use crate::s3::name::Bucket;
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::operation::{AttributesWanted, ETag, ListObjects, Overrides};

/// What s3s writes; named here only, so that what leaves is made here only.
pub(super) type ObjectAnswer = S3Response<GetObjectOutput>;
/// The answer of `HeadObject`.
pub(super) type HeadAnswer = S3Response<HeadObjectOutput>;
/// The answer of `GetObjectAttributes`.
pub(super) type AttributesAnswer = S3Response<GetObjectAttributesOutput>;
/// The answer of `ListObjects`.
pub(super) type ListV1Answer = S3Response<ListObjectsOutput>;
/// The answer of `ListObjectsV2`.
pub(super) type ListV2Answer = S3Response<ListObjectsV2Output>;
/// The answer of `ListObjectVersions`.
pub(super) type VersionsAnswer = S3Response<ListObjectVersionsOutput>;
/// The answer of `ListBuckets`.
pub(super) type BucketsAnswer = S3Response<ListBucketsOutput>;
/// The answer of `CreateBucket`; there is none but a refusal.
pub(super) type NewBucketAnswer = S3Response<CreateBucketOutput>;

/// The answer of `HeadBucket`.
pub(super) type BucketAnswer = S3Response<HeadBucketOutput>;
/// The answer of `GetBucketLocation`.
pub(super) type LocationAnswer = S3Response<GetBucketLocationOutput>;
/// The answer of `GetBucketVersioning`.
pub(super) type VersioningAnswer = S3Response<GetBucketVersioningOutput>;

/// What S3 leaves as it is under `encoding-type=url`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'*');

/// The one place where a refusal becomes an error of S3.
pub(super) fn refusal(refusal: &Refusal, request_id: &str) -> S3Error {
    let code = S3ErrorCode::from_bytes(refusal.code.as_str().as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, refusal.message.clone());
    if let Ok(status) = StatusCode::from_u16(refusal.code.status()) {
        error.set_status_code(status);
    }
    error.set_request_id(request_id);
    let pairs = refusal
        .headers
        .iter()
        .filter_map(|(name, value)| Some((http::HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
    let headers: HeaderMap = pairs.collect();
    if !headers.is_empty() {
        error.set_headers(headers);
    }
    error
}

/// `GetObject`
pub(super) fn object(shown: Redacted<Object>) -> ObjectAnswer {
    let Object { head, range, body } = shown.into_inner();
    let length = range.map_or(head.size, |range| range.len());
    let frames = body.map(|chunk| chunk.map(Frame::data));
    let output = GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        body: Some(StreamingBlob::from(s3s::Body::http_body_unsync(StreamBody::new(frames)))),
        cache_control: head.cache_control.clone(),
        content_disposition: head.content_disposition.clone(),
        content_encoding: head.content_encoding.clone(),
        content_language: head.content_language.clone(),
        content_length: i64::try_from(length).ok(),
        content_range: range.map(|range| format!("bytes {}-{}/{}", range.first, range.last, head.size)),
        content_type: head.content_type.clone(),
        e_tag: Some(tag(&head.etag)),
        last_modified: Some(time(head.last_modified)),
        metadata: metadata(&head),
        parts_count: head.parts_count.and_then(|parts| i32::try_from(parts).ok()),
        storage_class: head.storage_class.clone().map(Into::into),
        version_id: head.version_id.clone(),
        ..GetObjectOutput::default()
    };
    // s3s itself puts the overrides of GetObject over what stands here.
    with_expires(output, head.expires.as_deref())
}

/// `HeadObject`; `overrides` are s3s' matter only for GetObject.
pub(super) fn head(shown: Redacted<Headed>, overrides: &Overrides) -> HeadAnswer {
    let Headed { head, range } = shown.into_inner();
    let length = range.map_or(head.size, |range| range.len());
    let or = |asked: &Option<String>, stored: &Option<String>| asked.clone().or_else(|| stored.clone());
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        cache_control: or(&overrides.cache_control, &head.cache_control),
        content_disposition: or(&overrides.content_disposition, &head.content_disposition),
        content_encoding: head.content_encoding.clone(),
        content_language: or(&overrides.content_language, &head.content_language),
        content_length: i64::try_from(length).ok(),
        content_range: range.map(|range| format!("bytes {}-{}/{}", range.first, range.last, head.size)),
        content_type: or(&overrides.content_type, &head.content_type),
        e_tag: Some(tag(&head.etag)),
        last_modified: Some(time(head.last_modified)),
        metadata: metadata(&head),
        parts_count: head.parts_count.and_then(|parts| i32::try_from(parts).ok()),
        storage_class: head.storage_class.clone().map(Into::into),
        version_id: head.version_id.clone(),
        ..HeadObjectOutput::default()
    };
    let expires = overrides.expires.clone().or_else(|| head.expires.clone());
    with_expires(output, expires.as_deref())
}

/// `GetObjectAttributes`
pub(super) fn attributes(shown: Redacted<Attributes>, wanted: AttributesWanted) -> AttributesAnswer {
    let Attributes { head, checksums, checksum_type, parts } = shown.into_inner();
    let checksum = (wanted.checksum && !checksums.is_empty()).then(|| {
        let of = |name: &str| checksums.get(name).cloned();
        dto::Checksum {
            checksum_crc32: of("ChecksumCRC32"),
            checksum_crc32c: of("ChecksumCRC32C"),
            checksum_crc64nvme: of("ChecksumCRC64NVME"),
            checksum_sha1: of("ChecksumSHA1"),
            checksum_sha256: of("ChecksumSHA256"),
            checksum_type: checksum_type.map(Into::into),
        }
    });
    let parts = parts.filter(|_| wanted.object_parts).map(|parts| GetObjectAttributesParts {
        total_parts_count: i32::try_from(parts).ok(),
        ..GetObjectAttributesParts::default()
    });
    S3Response::new(GetObjectAttributesOutput {
        checksum,
        e_tag: wanted.etag.then(|| tag(&head.etag)),
        last_modified: Some(time(head.last_modified)),
        object_parts: parts,
        object_size: i64::try_from(head.size).ok().filter(|_| wanted.object_size),
        storage_class: wanted
            .storage_class
            .then(|| head.storage_class.clone().unwrap_or_else(|| "STANDARD".into()).into()),
        ..GetObjectAttributesOutput::default()
    })
}

/// `ListObjects`
pub(super) fn list_v1(asked: &ListObjects, shown: Redacted<Page>) -> ListV1Answer {
    let page = shown.into_inner();
    let (contents, common_prefixes) = rows(asked, page.items);
    S3Response::new(ListObjectsOutput {
        name: Some(asked.bucket.to_string()),
        prefix: Some(written(asked, asked.prefix.as_str())),
        marker: Some(written(asked, asked.start_after.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(asked.max_keys).ok(),
        is_truncated: Some(page.next.is_some()),
        contents,
        common_prefixes,
        delimiter: asked.delimiter.as_deref().map(|text| written(asked, text)),
        next_marker: page.next,
        encoding_type: encoding(asked),
        ..ListObjectsOutput::default()
    })
}

/// `ListObjectsV2`
pub(super) fn list_v2(asked: &ListObjects, shown: Redacted<Page>) -> ListV2Answer {
    let page = shown.into_inner();
    let key_count = i32::try_from(page.items.len()).ok();
    let (contents, common_prefixes) = rows(asked, page.items);
    S3Response::new(ListObjectsV2Output {
        name: Some(asked.bucket.to_string()),
        prefix: Some(written(asked, asked.prefix.as_str())),
        max_keys: i32::try_from(asked.max_keys).ok(),
        key_count,
        continuation_token: asked.token.clone(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next,
        contents,
        common_prefixes,
        delimiter: asked.delimiter.as_deref().map(|text| written(asked, text)),
        encoding_type: encoding(asked),
        start_after: asked.start_after.as_deref().map(|text| written(asked, text)),
        ..ListObjectsV2Output::default()
    })
}

/// `ListObjectVersions`
pub(super) fn versions(asked: &ListObjectVersions, shown: Redacted<VersionsPage>) -> VersionsAnswer {
    let page = shown.into_inner();
    let written = |text: &str| written_as(asked.url_encoded, text);
    let (mut versions, mut markers, mut common) = (Vec::new(), Vec::new(), Vec::new());
    for item in page.items {
        match item {
            VersionItem::Version(VersionListed { object, id, is_latest }) => versions.push(dto::ObjectVersion {
                e_tag: Some(tag(&object.etag)),
                is_latest: Some(is_latest),
                key: Some(written(object.key.as_str())),
                last_modified: Some(time(object.last_modified)),
                owner: Some(owner()),
                size: i64::try_from(object.size).ok(),
                storage_class: Some(object.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
                version_id: Some(id.to_string()),
                ..dto::ObjectVersion::default()
            }),
            VersionItem::DeleteMarker(marker) => markers.push(dto::DeleteMarkerEntry {
                is_latest: Some(marker.is_latest),
                key: Some(written(marker.key.as_str())),
                last_modified: Some(time(marker.last_modified)),
                owner: Some(owner()),
                version_id: Some(marker.id.to_string()),
            }),
            VersionItem::Common(prefix) => common.push(CommonPrefix { prefix: Some(written(prefix.as_str())) }),
        }
    }
    S3Response::new(ListObjectVersionsOutput {
        common_prefixes: Some(common),
        delete_markers: Some(markers),
        delimiter: asked.delimiter.as_deref().map(written),
        encoding_type: asked.url_encoded.then(|| dto::EncodingType::from_static(dto::EncodingType::URL)),
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(written(asked.key_marker.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(asked.max_keys).ok(),
        name: Some(asked.bucket.to_string()),
        // One token leads on; clients send both markers back as they got them.
        next_version_id_marker: page.next.clone(),
        next_key_marker: page.next,
        prefix: Some(written(asked.prefix.as_str())),
        version_id_marker: asked.version_marker.clone(),
        versions: Some(versions),
        ..ListObjectVersionsOutput::default()
    })
}

/// Who owns what is listed, as far as callers are told.
fn owner() -> dto::Owner {
    dto::Owner { display_name: Some("tracegate".into()), id: Some("tracegate".into()) }
}

/// `ListBuckets`
pub(super) fn buckets(shown: Redacted<Vec<Bucket>>, since: Timestamp) -> BucketsAnswer {
    let row = |bucket: Bucket| dto::Bucket {
        bucket_region: Some(limits::REGION.into()),
        creation_date: Some(time(since)),
        name: Some(bucket.to_string()),
    };
    S3Response::new(ListBucketsOutput {
        buckets: Some(shown.into_inner().into_iter().map(row).collect()),
        owner: Some(owner()),
        ..ListBucketsOutput::default()
    })
}

/// `HeadBucket`
pub(super) fn bucket(_shown: Redacted<()>) -> BucketAnswer {
    S3Response::new(HeadBucketOutput { bucket_region: Some(limits::REGION.into()), ..HeadBucketOutput::default() })
}

/// `GetBucketLocation`
pub(super) fn location(_shown: Redacted<()>) -> LocationAnswer {
    let region = dto::BucketLocationConstraint::from(limits::REGION.to_owned());
    S3Response::new(GetBucketLocationOutput { location_constraint: Some(region) })
}

/// `GetBucketVersioning`
pub(super) fn versioning(shown: Redacted<Option<Versioning>>) -> VersioningAnswer {
    let status = shown.into_inner().map(|versioning| match versioning {
        Versioning::Enabled => BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED),
    });
    S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
}

fn rows(asked: &ListObjects, items: Vec<Item>) -> (Option<Vec<dto::Object>>, Option<Vec<CommonPrefix>>) {
    let (mut contents, mut common) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Key(listed) => contents.push(dto::Object {
                e_tag: Some(tag(&listed.etag)),
                key: Some(written(asked, listed.key.as_str())),
                last_modified: Some(time(listed.last_modified)),
                size: i64::try_from(listed.size).ok(),
                storage_class: Some(listed.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
                ..dto::Object::default()
            }),
            Item::Common(prefix) => common.push(CommonPrefix { prefix: Some(written(asked, prefix.as_str())) }),
        }
    }
    (Some(contents), Some(common))
}

/// A name as a listing writes it.
fn written(asked: &ListObjects, text: &str) -> String {
    written_as(asked.url_encoded, text)
}

fn written_as(url_encoded: bool, text: &str) -> String {
    if url_encoded { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
}

fn encoding(asked: &ListObjects) -> Option<dto::EncodingType> {
    asked.url_encoded.then(|| dto::EncodingType::from_static(dto::EncodingType::URL))
}

fn tag(etag: &ETag) -> dto::ETag {
    dto::ETag::Strong(etag.0.to_string())
}

fn time(at: Timestamp) -> dto::Timestamp {
    dto::Timestamp::from(std::time::SystemTime::from(at))
}

fn metadata(head: &ObjectHead) -> Option<dto::Metadata> {
    (!head.user_metadata.is_empty()).then(|| head.user_metadata.clone().into_iter().collect())
}

/// `Expires` is kept as it was stored, also where it is no date.
fn with_expires<T>(output: T, expires: Option<&str>) -> S3Response<T> {
    let mut response = S3Response::new(output);
    if let Some(expires) = expires.and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers.insert(http::header::EXPIRES, expires);
    }
    response
}
