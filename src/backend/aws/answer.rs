//! The backend's answers as ours. An answer that lacks what S3 always sends, or contradicts itself, is [`Trouble::Broken`].

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::operation::get_object_attributes::GetObjectAttributesOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Checksum;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::thin::{Answer, Arriving};
use crate::backend::{Fetch, Trouble};
use crate::s3::answer::{Attributes, Body, BodyError, ContentRange, Headed, Object, ObjectHead};
use crate::s3::conditional::date;
use crate::s3::operation::{ETag, RangeAsk};

/// An object with its bytes: all of them, or the range or part that was asked for.
pub(super) fn object(found: Answer, fetch: &Fetch, idle: Duration) -> Result<Object, Trouble> {
    let Extent { length, range, size } = extent(&found.head, fetch.part, fetch.range)?;
    Ok(Object { head: object_head(Headers(&found.head.headers), size)?, range, body: body(found.body, length, idle) })
}

/// The head of an object, or of the part that was asked for.
pub(super) fn head(found: &Answer, part: Option<u32>) -> Result<Headed, Trouble> {
    let Extent { range, size, .. } = extent(&found.head, part, None)?;
    Ok(Headed { head: object_head(Headers(&found.head.headers), size)?, range })
}

/// What of an object an answer holds, in bytes.
struct Extent {
    length: u64,
    /// `None` is all of it.
    range: Option<ContentRange>,
    /// Of the whole object.
    size: u64,
}

/// A 200 without `Content-Range` is the whole object, and that only where the whole was asked for; a 206 is the range of its
/// `Content-Range` (RFC 9110, 15.3.7). Whatever fits neither is no answer: a piece taken for the whole would be served, and
/// judged, as the object.
fn extent(head: &Parts, part: Option<u32>, asked: Option<RangeAsk>) -> Result<Extent, Trouble> {
    let told = Headers(&head.headers);
    let length = told.number("content-length")?.ok_or_else(|| broken("it did not send a length"))?;
    let whole = || Ok(Extent { length, range: None, size: length });
    let of_part = part.is_some() || asked.is_some();
    match (head.status, told.text("content-range")?.map(content_range).transpose()?) {
        // Nothing has no range: some stores send it whole.
        (StatusCode::OK, None) if !of_part || length == 0 => whole(),
        (StatusCode::OK, None) => Err(broken("it ignores what range or part it is asked for")),
        // The first part of an object is empty only if the object is.
        (StatusCode::PARTIAL_CONTENT, None) if part == Some(1) && length == 0 => whole(),
        (StatusCode::PARTIAL_CONTENT, None) => Err(broken("it sent a range and does not say which")),
        (StatusCode::PARTIAL_CONTENT, Some((range, size)))
            if of_part && range.len() == length && answers(range, size, asked) =>
        {
            Ok(Extent { length, range: Some(range), size })
        }
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, Some(_)) => Err(broken("its range is not the one asked for")),
        (status, _) => Err(unexpected(status)),
    }
}

/// A status that is no error, and that S3 does not answer with.
pub(super) fn unexpected(status: StatusCode) -> Trouble {
    broken(&format!("it answered with an unexpected status: {}", status.as_u16()))
}

/// What GetObject and HeadObject tell of an object.
fn object_head(told: Headers<'_>, size: u64) -> Result<ObjectHead, Trouble> {
    let kept = |name| told.text(name).map(|text| text.map(str::to_owned));
    let changed = told.text("last-modified")?.and_then(date).and_then(|at| Timestamp::from_second(at.as_second()).ok());
    Ok(ObjectHead {
        size,
        etag: tag(kept("etag")?)?,
        last_modified: changed.ok_or_else(no_time)?,
        content_type: kept("content-type")?,
        content_encoding: kept("content-encoding")?,
        content_disposition: kept("content-disposition")?,
        content_language: kept("content-language")?,
        cache_control: kept("cache-control")?,
        expires: kept("expires")?,
        storage_class: kept("x-amz-storage-class")?,
        version_id: kept("x-amz-version-id")?,
        parts_count: told.number("x-amz-mp-parts-count")?.and_then(|count| u32::try_from(count).ok()),
        user_metadata: told.metadata()?,
    })
}

/// The headers of an answer. Their values are text, or the answer is none.
#[derive(Clone, Copy)]
struct Headers<'a>(&'a HeaderMap);

impl<'a> Headers<'a> {
    fn text(self, name: &str) -> Result<Option<&'a str>, Trouble> {
        self.0.get(name).map(text).transpose()
    }

    fn number(self, name: &str) -> Result<Option<u64>, Trouble> {
        self.text(name)?.map(|text| text.parse().map_err(|_| unreadable())).transpose()
    }

    /// `x-amz-meta-*`
    fn metadata(self) -> Result<BTreeMap<String, String>, Trouble> {
        let named = self.0.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix("x-amz-meta-")?, value)));
        named.map(|(name, value)| Ok((name.to_owned(), text(value)?.to_owned()))).collect()
    }
}

fn text(value: &HeaderValue) -> Result<&str, Trouble> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| unreadable())
}

pub(super) fn attributes(found: GetObjectAttributesOutput) -> Result<Attributes, Trouble> {
    let head = ObjectHead {
        size: natural(found.object_size, "a size")?,
        etag: tag(found.e_tag)?,
        last_modified: time(found.last_modified.as_ref())?,
        content_type: None,
        content_encoding: None,
        content_disposition: None,
        content_language: None,
        cache_control: None,
        expires: None,
        storage_class: found.storage_class.map(|class| class.as_str().to_owned()),
        version_id: found.version_id,
        parts_count: None,
        user_metadata: BTreeMap::new(),
    };
    let parts = found.object_parts.and_then(|parts| parts.total_parts_count);
    let checksum = found.checksum.as_ref();
    Ok(Attributes {
        head,
        checksums: checksum.map(checksums).unwrap_or_default(),
        checksum_type: checksum.and_then(Checksum::checksum_type).map(|kind| kind.as_str().to_owned()),
        parts: parts.and_then(|parts| u32::try_from(parts).ok()),
    })
}

fn checksums(found: &Checksum) -> BTreeMap<&'static str, String> {
    let named = [
        ("ChecksumCRC32", found.checksum_crc32()),
        ("ChecksumCRC32C", found.checksum_crc32_c()),
        ("ChecksumCRC64NVME", found.checksum_crc64_nvme()),
        ("ChecksumSHA1", found.checksum_sha1()),
        ("ChecksumSHA256", found.checksum_sha256()),
    ];
    named.into_iter().filter_map(|(name, sum)| Some((name, sum?.to_owned()))).collect()
}

/// A name as `encoding-type=url` writes it: percent-encoded, and a space may be a plus.
pub(super) fn decoded(name: Option<&str>, encoded: bool) -> Result<String, Trouble> {
    let name = name.ok_or_else(|| broken("its listing lacks a name"))?;
    if !encoded {
        return Ok(name.to_owned());
    }
    let spaced = name.replace('+', " ");
    let text =
        percent_decode_str(&spaced).decode_utf8().map_err(|_| broken("its listing holds a name that is not UTF-8"))?;
    Ok(text.into_owned())
}

/// Refuses a page of a listing that has more entries than it was asked for.
pub(super) fn bounded(entries: usize, max: u32) -> Result<(), Trouble> {
    if entries <= max as usize { Ok(()) } else { Err(broken("its listing has more entries than it was asked for")) }
}

/// `bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
fn content_range(text: &str) -> Result<(ContentRange, u64), Trouble> {
    let parse = || {
        let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, size) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
        (first <= last && last < size).then_some((ContentRange { first, last }, size))
    };
    parse().ok_or_else(|| broken("its Content-Range cannot be read"))
}

/// Whether that range is what was asked for. Without a range asked for, it is a part's.
fn answers(range: ContentRange, size: u64, asked: Option<RangeAsk>) -> bool {
    match asked {
        None => true,
        Some(RangeAsk::Span { first, last }) => {
            range.first == first && range.last == last.unwrap_or(u64::MAX).min(size - 1)
        }
        Some(RangeAsk::Suffix(bytes)) => range.first == size.saturating_sub(bytes) && range.last == size - 1,
    }
}

pub(super) fn tag(text: Option<String>) -> Result<ETag, Trouble> {
    let text = text.ok_or_else(|| broken("it sent no ETag"))?;
    Ok(ETag(text.trim_matches('"').into()))
}

pub(super) fn time(told: Option<&DateTime>) -> Result<Timestamp, Trouble> {
    let time = told.and_then(|time| Timestamp::from_second(time.secs()).ok());
    time.ok_or_else(no_time)
}

pub(super) fn no_time() -> Trouble {
    broken("it sent no time of the last change")
}

pub(super) fn unreadable() -> Trouble {
    broken("its answer cannot be read")
}

pub(super) fn natural(number: Option<i64>, what: &str) -> Result<u64, Trouble> {
    number.and_then(|number| u64::try_from(number).ok()).ok_or_else(|| broken(&format!("it did not send {what}")))
}

pub(super) fn broken(what: &str) -> Trouble {
    Trouble::Broken(what.to_owned())
}

/// The body as it comes, without copying: exactly as long as its head said, and never silent for longer than `idle`.
fn body(arriving: Arriving, length: u64, idle: Duration) -> Body {
    stream::try_unfold((arriving, length), move |(mut arriving, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        match tokio::time::timeout(idle, arriving.next()).await {
            Err(_) => Err(broke("no byte came in time")),
            Ok(None) => Err(broke("it ended early")),
            Ok(Some(Err(_))) => Err(broke("the connection broke")),
            Ok(Some(Ok(chunk))) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Ok::<Option<(Bytes, _)>, _>(Some((chunk, (arriving, left)))),
                None => Err(broke("it is longer than its head said")),
            },
        }
    })
    .boxed()
}

fn broke(what: &str) -> BodyError {
    BodyError::Backend(what.to_owned())
}
