//! Range and conditional headers: read from the request, compared with what the caller's view shows (RFC 9110).
//!
//! What cannot be read is ignored, as S3 does: several ranges, another unit, a date that is none.

use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::answer::{ContentRange, ObjectHead};
use super::error::{Code, Refusal};
use super::operation::{ETag, IfRange, Preconditions, RangeAsk, Tags};

/// The headers that this file reads; nothing behind it needs them.
pub const HEADERS: [HeaderName; 6] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// `Range`, where it is one range of bytes (RFC 9110, 14.1.2).
pub fn range(headers: &HeaderMap) -> Option<RangeAsk> {
    range_of(single(headers, &header::RANGE)?)
}

/// One range of bytes, as `Range` writes it.
pub fn range_of(text: &str) -> Option<RangeAsk> {
    let spec = text.trim().strip_prefix("bytes=")?.trim();
    let (first, last) = spec.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", suffix) => number(suffix).map(RangeAsk::Suffix),
        (first, "") => Some(RangeAsk::Span { first: number(first)?, last: None }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeAsk::Span { first, last: Some(last) })
        }
    }
}

/// The conditions of a request.
pub fn preconditions(headers: &HeaderMap) -> Preconditions {
    Preconditions {
        if_match: tags(headers, &header::IF_MATCH),
        if_none_match: tags(headers, &header::IF_NONE_MATCH),
        if_modified_since: single(headers, &header::IF_MODIFIED_SINCE).and_then(date),
        if_unmodified_since: single(headers, &header::IF_UNMODIFIED_SINCE).and_then(date),
        if_range: single(headers, &header::IF_RANGE).and_then(if_range),
    }
}

/// The conditions that a copy puts to its source (`x-amz-copy-source-if-*`).
///
/// # Errors
/// One cannot be read: a copy that S3 would have refused must not be made.
pub fn source_preconditions(headers: &HeaderMap) -> Result<Preconditions, Refusal> {
    const NAMES: [HeaderName; 4] = [
        HeaderName::from_static("x-amz-copy-source-if-match"),
        HeaderName::from_static("x-amz-copy-source-if-none-match"),
        HeaderName::from_static("x-amz-copy-source-if-modified-since"),
        HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
    ];
    let [if_match, if_none_match, modified, unmodified] = &NAMES;
    let found = Preconditions {
        if_match: tags(headers, if_match),
        if_none_match: tags(headers, if_none_match),
        if_modified_since: single(headers, modified).and_then(date),
        if_unmodified_since: single(headers, unmodified).and_then(date),
        if_range: None,
    };
    let read = [
        found.if_match.is_some(),
        found.if_none_match.is_some(),
        found.if_modified_since.is_some(),
        found.if_unmodified_since.is_some(),
    ];
    match NAMES.iter().zip(read).find(|(name, read)| headers.contains_key(*name) && !read) {
        Some((name, _)) => Err(Refusal::new(Code::InvalidArgument, format!("The header {name} cannot be read."))),
        None => Ok(found),
    }
}

/// Whether a copy's source is the one that was meant. Unlike a read, a failed condition is always 412.
pub fn settle_source(asked: &Preconditions, head: &ObjectHead) -> Result<(), Refusal> {
    settle(asked, head).map(drop).map_err(|refusal| {
        if refusal.code != Code::NotModified {
            return refusal;
        }
        Refusal::new(Code::PreconditionFailed, "At least one of the preconditions did not hold.")
    })
}

fn number(text: &str) -> Option<u64> {
    // `u64::from_str` would take a sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut found = Vec::new();
    for value in headers.get_all(name) {
        for tag in value.to_str().ok()?.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            if tag == "*" {
                return Some(Tags::Any);
            }
            found.push(etag(tag));
        }
    }
    (!found.is_empty()).then_some(Tags::These(found))
}

/// A tag with or without its quotes: SDK users pass both, and S3 takes both.
fn etag(text: &str) -> ETag {
    let text = text.strip_prefix("W/").unwrap_or(text);
    ETag(text.trim_matches('"').into())
}

fn if_range(text: &str) -> Option<IfRange> {
    match date(text) {
        Some(date) => Some(IfRange::Date(date)),
        // A weak tag never matches a range (RFC 9110, 13.1.5): keep its mark, so that it equals no tag of ours.
        None if text.starts_with("W/") => Some(IfRange::Tag(ETag(text.into()))),
        None => Some(IfRange::Tag(etag(text.trim()))),
    }
}

/// An HTTP date, also in the form with an offset that some SDKs send, or RFC 3339.
pub fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let http = text.strip_suffix("GMT").map(|text| format!("{text}+0000"));
    let zoned = rfc2822::DateTimeParser::new().parse_timestamp(http.as_deref().unwrap_or(text)).ok();
    zoned.or_else(|| text.parse().ok())
}

/// How HTTP writes a time: `Fri, 20 Nov 2026 09:14:07 GMT`.
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What follows from the conditions, in the order of RFC 9110, 13.2.2.
///
/// `Err` is the 304 or 412 to answer, with the headers that a 304 must repeat. `Ok` says whether a range still counts.
pub fn settle(asked: &Preconditions, head: &ObjectHead) -> Result<bool, Refusal> {
    let changed = whole_seconds(head.last_modified);
    let has = |tags: &Tags| match tags {
        Tags::Any => true,
        Tags::These(tags) => tags.contains(&head.etag),
    };
    let failed = match (&asked.if_match, asked.if_unmodified_since) {
        (Some(tags), _) => !has(tags),
        (None, Some(since)) => changed > whole_seconds(since),
        (None, None) => false,
    };
    if failed {
        return Err(Refusal::new(Code::PreconditionFailed, "At least one of the preconditions did not hold."));
    }
    let unmodified = match (&asked.if_none_match, asked.if_modified_since) {
        (Some(tags), _) => has(tags),
        (None, Some(since)) => changed <= whole_seconds(since),
        (None, None) => false,
    };
    if unmodified {
        return Err(Refusal::new(Code::NotModified, "Not modified.")
            .with_header("etag", format!("\"{}\"", head.etag.0))
            .with_header("last-modified", http_date(head.last_modified)));
    }
    Ok(match &asked.if_range {
        None => true,
        Some(IfRange::Tag(tag)) => *tag == head.etag,
        Some(IfRange::Date(date)) => whole_seconds(*date) == changed,
    })
}

fn whole_seconds(at: Timestamp) -> i64 {
    at.as_second()
}

/// Which bytes a range names in an object of that size, or the 416 to answer.
pub fn resolve(asked: RangeAsk, size: u64) -> Result<ContentRange, Refusal> {
    let found = match asked {
        RangeAsk::Span { first, last } if first < size => {
            Some(ContentRange { first, last: last.unwrap_or(u64::MAX).min(size - 1) })
        }
        RangeAsk::Suffix(length) if length > 0 && size > 0 => {
            Some(ContentRange { first: size.saturating_sub(length), last: size - 1 })
        }
        RangeAsk::Span { .. } | RangeAsk::Suffix(_) => None,
    };
    found.ok_or_else(|| {
        Refusal::new(Code::InvalidRange, "The requested range cannot be satisfied.")
            .with_header("content-range", format!("bytes */{size}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn head() -> ObjectHead {
        ObjectHead {
            size: 10,
            etag: ETag("aa-1".into()),
            last_modified: "2026-11-20T09:14:07.5Z".parse().unwrap(),
            content_type: None,
            content_encoding: None,
            content_disposition: None,
            content_language: None,
            cache_control: None,
            expires: None,
            storage_class: None,
            version_id: None,
            parts_count: None,
            user_metadata: Default::default(),
        }
    }

    #[test]
    fn one_range_is_read_and_anything_else_is_ignored() {
        let read = |value: &str| range(&headers(&[(header::RANGE, value)]));
        assert_eq!(read("bytes=0-9"), Some(RangeAsk::Span { first: 0, last: Some(9) }));
        assert_eq!(read("bytes=5-"), Some(RangeAsk::Span { first: 5, last: None }));
        assert_eq!(read("bytes=-3"), Some(RangeAsk::Suffix(3)));
        for odd in ["bytes=0-1,3-4", "bytes=", "bytes=-", "bytes=9-1", "lines=0-1", "bytes=+1-2", "bytes=a-b"] {
            assert_eq!(read(odd), None, "{odd}");
        }
        assert_eq!(range(&headers(&[(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=2-3")])), None);
    }

    #[test]
    fn ranges_resolve_as_s3_does() {
        let resolved = |asked, size| resolve(asked, size).map(|r| (r.first, r.last)).map_err(|r| r.code);
        assert_eq!(resolved(RangeAsk::Span { first: 2, last: Some(99) }, 10), Ok((2, 9)));
        assert_eq!(resolved(RangeAsk::Span { first: 2, last: None }, 10), Ok((2, 9)));
        assert_eq!(resolved(RangeAsk::Suffix(3), 10), Ok((7, 9)));
        assert_eq!(resolved(RangeAsk::Suffix(99), 10), Ok((0, 9)));
        for (asked, size) in [
            (RangeAsk::Span { first: 10, last: None }, 10),
            (RangeAsk::Suffix(0), 10),
            (RangeAsk::Span { first: 0, last: None }, 0),
            (RangeAsk::Suffix(1), 0),
        ] {
            assert_eq!(resolved(asked, size), Err(Code::InvalidRange));
        }
    }

    #[test]
    fn conditions_are_settled_in_the_order_of_the_rfc() {
        let check = |pairs: &[(HeaderName, &str)]| settle(&preconditions(&headers(pairs)), &head()).map_err(|r| r.code);
        let (same, before, after) =
            ("Fri, 20 Nov 2026 09:14:07 GMT", "Fri, 20 Nov 2026 09:14:06 GMT", "Fri, 20 Nov 2026 09:14:08 GMT");
        assert_eq!(check(&[]), Ok(true));
        assert_eq!(check(&[(header::IF_MATCH, "\"aa-1\"")]), Ok(true));
        assert_eq!(check(&[(header::IF_MATCH, "aa-1")]), Ok(true));
        assert_eq!(check(&[(header::IF_MATCH, "\"x\", \"aa-1\"")]), Ok(true));
        assert_eq!(check(&[(header::IF_MATCH, "\"x\"")]), Err(Code::PreconditionFailed));
        assert_eq!(check(&[(header::IF_MATCH, "*"), (header::IF_UNMODIFIED_SINCE, before)]), Ok(true));
        assert_eq!(check(&[(header::IF_UNMODIFIED_SINCE, before)]), Err(Code::PreconditionFailed));
        assert_eq!(check(&[(header::IF_UNMODIFIED_SINCE, same)]), Ok(true));
        assert_eq!(check(&[(header::IF_NONE_MATCH, "W/\"aa-1\"")]), Err(Code::NotModified));
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, after)]), Ok(true));
        assert_eq!(check(&[(header::IF_MODIFIED_SINCE, same)]), Err(Code::NotModified));
        assert_eq!(check(&[(header::IF_MODIFIED_SINCE, before)]), Ok(true));
        assert_eq!(check(&[(header::IF_MODIFIED_SINCE, "soon")]), Ok(true));
        assert_eq!(check(&[(header::IF_RANGE, "\"aa-1\"")]), Ok(true));
        assert_eq!(check(&[(header::IF_RANGE, "W/\"aa-1\"")]), Ok(false));
        assert_eq!(check(&[(header::IF_RANGE, "\"x\"")]), Ok(false));
        assert_eq!(check(&[(header::IF_RANGE, same)]), Ok(true));
        assert_eq!(check(&[(header::IF_RANGE, before)]), Ok(false));
    }
}
