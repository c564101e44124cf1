//! From what s3s has read to our own operations. Every name is parsed here, once; ranges and conditions were read by
//! the rim from the headers themselves.

pub(super) mod write;

use http::HeaderValue;
use s3s::S3Request;
use s3s::dto::{
    GetObjectAttributesInput, GetObjectInput, HeadObjectInput, ListBucketsInput, ListObjectVersionsInput,
    ListObjectsInput, ListObjectsV2Input, ObjectAttributes, TimestampFormat,
};

use super::call::Call;
use crate::limits;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::{Bucket, Key, Prefix};
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::operation::{
    AttributesWanted, GetObject, GetObjectAttributes, HeadObject, ListObjects, ListVersion, Overrides,
};

/// The bucket of that outside name.
pub(super) fn bucket(text: &str) -> Result<Bucket, Refusal> {
    text.parse().map_err(|error| Refusal::new(Code::InvalidBucketName, format!("The bucket name {error}.")))
}

fn key(text: &str) -> Result<Key, Refusal> {
    text.parse().map_err(|error| Refusal::new(Code::InvalidArgument, format!("The key {error}.")))
}

fn prefix(text: Option<&str>) -> Result<Prefix, Refusal> {
    let parsed = text.unwrap_or_default().parse();
    parsed.map_err(|error| Refusal::new(Code::InvalidArgument, format!("The prefix {error}.")))
}

fn part(number: Option<i32>) -> Result<Option<u32>, Refusal> {
    let wrong = || Refusal::new(Code::InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive");
    number.map(|n| u32::try_from(n).ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(wrong)).transpose()
}

/// A part and a range exclude each other, as in S3.
fn not_both(part: Option<u32>, call: &Call) -> Result<(), Refusal> {
    if part.is_some() && call.range.is_some() {
        return Err(Refusal::new(
            Code::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter.",
        ));
    }
    Ok(())
}

/// `response-*`, which GetObject and HeadObject name alike in two types of s3s.
macro_rules! overrides {
    ($input:expr) => {
        Overrides {
            cache_control: header_text(&$input.response_cache_control)?,
            content_disposition: header_text(&$input.response_content_disposition)?,
            content_language: header_text(&$input.response_content_language)?,
            content_type: header_text(&$input.response_content_type)?,
            expires: $input.response_expires.as_ref().map(http_date).transpose()?,
        }
    };
}

/// `GetObject`
pub(super) fn get_object(request: &S3Request<GetObjectInput>, call: &Call) -> Result<GetObject, Refusal> {
    let input = &request.input;
    let part = part(input.part_number)?;
    not_both(part, call)?;
    Ok(GetObject {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        range: call.range,
        part,
        preconditions: call.preconditions.clone(),
        overrides: overrides!(input),
        version: write::version(input.version_id.as_deref())?,
    })
}

/// `HeadObject`
pub(super) fn head_object(request: &S3Request<HeadObjectInput>, call: &Call) -> Result<HeadObject, Refusal> {
    let input = &request.input;
    let part = part(input.part_number)?;
    not_both(part, call)?;
    Ok(HeadObject {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        range: call.range,
        part,
        preconditions: call.preconditions.clone(),
        overrides: overrides!(input),
        version: write::version(input.version_id.as_deref())?,
    })
}

/// A text that a header can hold.
fn header_text(text: &Option<String>) -> Result<Option<String>, Refusal> {
    let wrong = |_| Refusal::new(Code::InvalidArgument, "A response-* parameter holds what no header can.");
    text.as_ref().map(|text| HeaderValue::from_str(text).map(|_| text.clone()).map_err(wrong)).transpose()
}

fn http_date(at: &s3s::dto::Timestamp) -> Result<String, Refusal> {
    let wrong = |_| Refusal::new(Code::InvalidArgument, "response-expires is no date.");
    let mut text = Vec::new();
    at.format(TimestampFormat::HttpDate, &mut text).map_err(wrong)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// `GetObjectAttributes`
pub(super) fn attributes(request: &S3Request<GetObjectAttributesInput>) -> Result<GetObjectAttributes, Refusal> {
    let input = &request.input;
    let mut wanted = AttributesWanted::default();
    for attribute in input.object_attributes.iter().flat_map(|list| list.as_str().split(',')) {
        match attribute.trim() {
            ObjectAttributes::ETAG => wanted.etag = true,
            ObjectAttributes::CHECKSUM => wanted.checksum = true,
            ObjectAttributes::OBJECT_PARTS => wanted.object_parts = true,
            ObjectAttributes::STORAGE_CLASS => wanted.storage_class = true,
            ObjectAttributes::OBJECT_SIZE => wanted.object_size = true,
            _ => {
                return Err(Refusal::new(Code::InvalidArgument, "x-amz-object-attributes names an unknown attribute."));
            }
        }
    }
    Ok(GetObjectAttributes {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        wanted,
        version: write::version(input.version_id.as_deref())?,
    })
}

/// `ListObjectVersions`
pub(super) fn versions(request: &S3Request<ListObjectVersionsInput>) -> Result<ListObjectVersions, Refusal> {
    let input = &request.input;
    let key_marker = position(input.key_marker.as_deref())?;
    let version_marker = position(input.version_id_marker.as_deref())?;
    if version_marker.is_some() && key_marker.is_none() {
        let why = "A version-id marker cannot be specified without a key marker.";
        return Err(Refusal::new(Code::InvalidArgument, why));
    }
    Ok(ListObjectVersions {
        bucket: bucket(&input.bucket)?,
        prefix: prefix(input.prefix.as_deref())?,
        delimiter: delimiter(input.delimiter.as_deref()),
        key_marker,
        version_marker,
        max_keys: max_keys(input.max_keys)?,
        url_encoded: url_encoded(input.encoding_type.as_ref().map(s3s::dto::EncodingType::as_str))?,
    })
}

/// `ListBuckets`: the prefix. All buckets stand on one page, so a page must be large enough for them.
pub(super) fn buckets(request: &S3Request<ListBucketsInput>, all: usize) -> Result<String, Refusal> {
    let most = request.input.max_buckets.map_or(Ok(usize::MAX), usize::try_from).unwrap_or(0);
    if most < all {
        return Err(Refusal::new(Code::InvalidArgument, "max-buckets must be at least the number of buckets."));
    }
    Ok(request.input.prefix.clone().unwrap_or_default())
}

/// `ListObjects`
pub(super) fn list_v1(request: &S3Request<ListObjectsInput>) -> Result<ListObjects, Refusal> {
    let input = &request.input;
    Ok(ListObjects {
        version: ListVersion::V1,
        bucket: bucket(&input.bucket)?,
        prefix: prefix(input.prefix.as_deref())?,
        delimiter: delimiter(input.delimiter.as_deref()),
        start_after: position(input.marker.as_deref())?,
        token: None,
        max_keys: max_keys(input.max_keys)?,
        url_encoded: url_encoded(input.encoding_type.as_ref().map(s3s::dto::EncodingType::as_str))?,
    })
}

/// `ListObjectsV2`
pub(super) fn list_v2(request: &S3Request<ListObjectsV2Input>) -> Result<ListObjects, Refusal> {
    let input = &request.input;
    Ok(ListObjects {
        version: ListVersion::V2,
        bucket: bucket(&input.bucket)?,
        prefix: prefix(input.prefix.as_deref())?,
        delimiter: delimiter(input.delimiter.as_deref()),
        start_after: position(input.start_after.as_deref())?,
        token: input.continuation_token.clone(),
        max_keys: max_keys(input.max_keys)?,
        url_encoded: url_encoded(input.encoding_type.as_ref().map(s3s::dto::EncodingType::as_str))?,
    })
}

fn delimiter(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A place in the order of keys. It need not be a key, but it must be text that a key could be compared with.
fn position(text: Option<&str>) -> Result<Option<String>, Refusal> {
    match text {
        None | Some("") => Ok(None),
        Some(text) if text.len() <= limits::PAGE_TOKEN_BYTES_MAX => Ok(Some(text.to_owned())),
        Some(_) => Err(Refusal::new(Code::InvalidArgument, "The marker is longer than any key.")),
    }
}

fn max_keys(given: Option<i32>) -> Result<u32, Refusal> {
    let wrong = |_| Refusal::new(Code::InvalidArgument, "max-keys must not be negative.");
    let asked = given.map_or(Ok(limits::PAGE_KEYS_MAX), u32::try_from).map_err(wrong)?;
    Ok(asked.min(limits::PAGE_KEYS_MAX))
}

fn url_encoded(given: Option<&str>) -> Result<bool, Refusal> {
    match given {
        None => Ok(false),
        Some("url") => Ok(true),
        Some(_) => Err(Refusal::new(Code::InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}
