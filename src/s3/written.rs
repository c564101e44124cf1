//! What the headers of a write say beside its bytes: what is stored with an object, what it may replace, what it copies.
//!
//! An allow-list, too: a header that asks for what we do not do is refused, since the caller would take it for done. Read
//! from the headers as sent; whatever s3s makes of them is not asked.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use super::answer::Tag;
use super::checksum::{Algorithm, Checksum};
use super::conditional;
use super::error::{Code, Refusal};
use super::name::{Bucket, Key, VersionId};
use super::operation::write::{ChecksumPlan, CopySource, NewHead, OnlyIf};
use super::operation::{OpName, Preconditions, RangeAsk, Tags};
use super::payload;
use super::shape::shape;
use crate::limits;

const META: &str = "x-amz-meta-";

/// Headers `x-amz-*` that ask for nothing, or are the signature's and the framing's matter.
const HARMLESS: [&str; 10] = [
    "x-amz-api-version",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// How large an object made of parts must be.
const SIZE: &str = "x-amz-mp-object-size";

/// Refuses headers of a write that ask for what is not done, each by its name.
pub fn known_headers(op: OpName, headers: &HeaderMap) -> Result<(), Refusal> {
    let shape = shape(op);
    let not_served =
        |name: &str| Refusal::new(Code::NotImplemented, format!("The header {name} is not served on {}.", op.as_str()));
    let asking = headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    if let Some(name) = asking.into_iter().find(|name| !HARMLESS.contains(name) && !shape.takes(name)) {
        return Err(not_served(name));
    }
    let conditions = [header::IF_MATCH, header::IF_NONE_MATCH];
    match conditions.iter().find(|name| !shape.conditional && headers.contains_key(*name)) {
        Some(name) => Err(not_served(name.as_str())),
        None => Ok(()),
    }
}

/// What is stored with a new object.
pub fn new_head(headers: &HeaderMap) -> Result<NewHead, Refusal> {
    check_acl(headers)?;
    Ok(NewHead {
        content_type: text(headers, "content-type")?,
        content_encoding: payload::stored_encoding(headers),
        content_disposition: text(headers, "content-disposition")?,
        content_language: text(headers, "content-language")?,
        cache_control: text(headers, "cache-control")?,
        expires: text(headers, "expires")?,
        storage_class: text(headers, "x-amz-storage-class")?,
        user_metadata: user_metadata(headers)?,
        tags: match text(headers, "x-amz-tagging")? {
            Some(tags) => header_tags(&tags)?,
            None => Vec::new(),
        },
        encrypted: encrypted(headers)?,
    })
}

/// `If-None-Match: *` and `If-Match: TAG`.
pub fn only_if(headers: &HeaderMap) -> Result<OnlyIf, Refusal> {
    let Preconditions { if_match, if_none_match, .. } = conditional::preconditions(headers);
    let unread = headers.contains_key(header::IF_MATCH) && if_match.is_none()
        || headers.contains_key(header::IF_NONE_MATCH) && if_none_match.is_none();
    if unread {
        return Err(Refusal::new(Code::InvalidArgument, "If-Match or If-None-Match cannot be read."));
    }
    match (if_match, if_none_match) {
        (None, None) => Ok(OnlyIf::Always),
        (None, Some(Tags::Any)) => Ok(OnlyIf::Absent),
        (Some(Tags::These(tags)), None) if tags.len() == 1 => {
            tags.into_iter().next().map(OnlyIf::Matches).ok_or_else(unserved_condition)
        }
        (Some(_), _) | (_, Some(_)) => Err(unserved_condition()),
    }
}

fn unserved_condition() -> Refusal {
    Refusal::new(Code::NotImplemented, "A write takes If-None-Match: * or If-Match with one tag, and nothing else.")
}

/// `x-amz-checksum-algorithm` and `x-amz-checksum-type`.
pub fn checksum_plan(headers: &HeaderMap) -> Result<Option<ChecksumPlan>, Refusal> {
    let full_object = full_object(headers)?;
    Ok(checksum_algorithm(headers)?.map(|algorithm| ChecksumPlan { algorithm, full_object }))
}

/// `x-amz-checksum-algorithm`
pub fn checksum_algorithm(headers: &HeaderMap) -> Result<Option<Algorithm>, Refusal> {
    let wrong =
        || Refusal::new(Code::InvalidRequest, "x-amz-checksum-algorithm names an algorithm that is not served.");
    let word = text(headers, "x-amz-checksum-algorithm")?;
    word.map(|word| Algorithm::from_word(&word).ok_or_else(wrong)).transpose()
}

/// `x-amz-checksum-type`: whether a checksum is of the whole object.
pub fn full_object(headers: &HeaderMap) -> Result<Option<bool>, Refusal> {
    match text(headers, "x-amz-checksum-type")?.as_deref() {
        None => Ok(None),
        Some("FULL_OBJECT") => Ok(Some(true)),
        Some("COMPOSITE") => Ok(Some(false)),
        Some(_) => Err(Refusal::new(Code::InvalidRequest, "x-amz-checksum-type is FULL_OBJECT or COMPOSITE.")),
    }
}

/// `x-amz-mp-object-size`: how large an object made of parts must be, in bytes.
pub fn whole_size(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(sent) = text(headers, SIZE)? else { return Ok(None) };
    let size = sent.parse().ok().filter(|size| *size <= i64::MAX.cast_unsigned());
    size.map(Some).ok_or_else(|| Refusal::new(Code::InvalidArgument, format!("{SIZE} is a number of bytes.")))
}

/// `x-amz-copy-source` with its conditions: `[/]BUCKET/KEY[?versionId=ID]`, percent-encoded.
pub fn copy_source(headers: &HeaderMap) -> Result<CopySource, Refusal> {
    let wrong = |why: &str| {
        Refusal::new(Code::InvalidArgument, format!("Copy Source must mention the source bucket and key: {why}."))
    };
    let sent = text(headers, "x-amz-copy-source")?.ok_or_else(|| wrong("there is none"))?;
    if sent.starts_with("arn:") {
        return Err(Refusal::new(Code::NotImplemented, "x-amz-copy-source is not served as an ARN: name BUCKET/KEY."));
    }
    let (path, version) = match sent.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (sent.as_str(), None),
    };
    if path.contains('?') {
        return Err(wrong("a `?` in a key is written %3F"));
    }
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| wrong("it is not UTF-8"))?;
    let decoded = decoded.strip_prefix('/').unwrap_or(&decoded);
    let (bucket, key) = decoded.split_once('/').ok_or_else(|| wrong("it has no `/`"))?;
    let bucket: Bucket = bucket.parse().map_err(|error| wrong(&format!("the bucket {error}")))?;
    let key: Key = key.parse().map_err(|error| wrong(&format!("the key {error}")))?;
    let version: Option<VersionId> = match version {
        Some(version) => Some(version.parse().map_err(|error| wrong(&format!("the version {error}")))?),
        None => None,
    };
    Ok(CopySource { bucket, key, version, preconditions: conditional::source_preconditions(headers)? })
}

/// `x-amz-copy-source-range`; S3 takes `bytes=FIRST-LAST` only.
pub fn copy_range(headers: &HeaderMap) -> Result<Option<RangeAsk>, Refusal> {
    let Some(sent) = text(headers, "x-amz-copy-source-range")? else { return Ok(None) };
    match conditional::range_of(&sent) {
        Some(range @ RangeAsk::Span { last: Some(_), .. }) => Ok(Some(range)),
        Some(RangeAsk::Span { last: None, .. } | RangeAsk::Suffix(_)) | None => Err(Refusal::new(
            Code::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

/// Whether a copy takes new metadata (`REPLACE`) or the source's.
pub fn replaces(headers: &HeaderMap, name: &'static str) -> Result<bool, Refusal> {
    match text(headers, name)?.as_deref() {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(Refusal::new(Code::InvalidArgument, format!("{name} is COPY or REPLACE."))),
    }
}

/// `x-amz-tagging`: `KEY=VALUE&…`, form-encoded.
pub fn header_tags(sent: &str) -> Result<Vec<Tag>, Refusal> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| invalid_tag("is not UTF-8"))
    };
    let pairs = sent.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok(Tag { key: decode(key)?, value: decode(value)? })
    });
    let tags = pairs.collect::<Result<Vec<Tag>, Refusal>>()?;
    check_tags(&tags)?;
    Ok(tags)
}

/// Whether these tags may stand on one object (S3, "Categorizing your objects using tags").
pub fn check_tags(tags: &[Tag]) -> Result<(), Refusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::new(Code::InvalidTag, "Object tags cannot be greater than 10"));
    }
    for (at, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > limits::TAG_KEY_CHARS_MAX {
            return Err(invalid_tag("has a key of no or too many characters"));
        }
        if tag.value.chars().count() > limits::TAG_VALUE_CHARS_MAX {
            return Err(invalid_tag("has a value of too many characters"));
        }
        if tag.key.chars().chain(tag.value.chars()).any(char::is_control) {
            return Err(invalid_tag("holds a control character"));
        }
        if tag.key.starts_with("aws:") {
            return Err(invalid_tag("begins with aws:, which is reserved"));
        }
        if tags[..at].iter().any(|earlier| earlier.key == tag.key) {
            return Err(invalid_tag("stands twice"));
        }
    }
    Ok(())
}

fn invalid_tag(why: &str) -> Refusal {
    Refusal::new(Code::InvalidTag, format!("A tag {why}."))
}

/// Access control lists are switched off, as in buckets that enforce their owner: only what changes nothing is taken.
fn check_acl(headers: &HeaderMap) -> Result<(), Refusal> {
    match text(headers, "x-amz-acl")?.as_deref() {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(Refusal::new(Code::AccessControlListNotSupported, "The bucket does not allow ACLs")),
    }
}

fn encrypted(headers: &HeaderMap) -> Result<bool, Refusal> {
    match text(headers, "x-amz-server-side-encryption")?.as_deref() {
        None => Ok(false),
        Some("AES256") => Ok(true),
        Some(_) => Err(Refusal::new(
            Code::NotImplemented,
            "The key of the encryption is the real bucket's matter (its default encryption); a request may ask for AES256.",
        )),
    }
}

fn user_metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Refusal> {
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    for name in headers.keys().filter(|name| name.as_str().starts_with(META)) {
        let value = text(headers, name.as_str())?.unwrap_or_default();
        let name = &name.as_str()[META.len()..];
        if name.is_empty() {
            return Err(Refusal::new(Code::InvalidArgument, "x-amz-meta- names nothing."));
        }
        bytes += name.len() + value.len();
        found.insert(name.to_owned(), value);
    }
    if bytes > limits::USER_METADATA_BYTES_MAX {
        return Err(Refusal::new(
            Code::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    Ok(found)
}

/// A header that stands once and holds text; empty is none, as in S3.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let wrong = |why: &str| Refusal::new(Code::InvalidArgument, format!("The header {name} {why}."));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong("stands twice"));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| wrong("is not UTF-8"))?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// `x-amz-checksum-*` of `CompleteMultipartUpload`: that of the object to be.
pub fn whole_checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let mut found = None;
    for algorithm in Algorithm::ALL {
        if let Some(value) = text(headers, algorithm.header())? {
            if found.is_some() {
                return Err(Refusal::new(Code::InvalidRequest, "A request has one checksum, not two."));
            }
            found = Some(Checksum { algorithm, value: value.into() });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn code<T>(result: Result<T, Refusal>) -> Option<Code> {
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn headers_that_ask_for_what_is_not_done_are_refused_by_name() {
        for (op, name, served) in [
            (OpName::PutObject, "x-amz-meta-run", true),
            (OpName::PutObject, "x-amz-checksum-crc32", true),
            (OpName::PutObject, "x-amz-tagging", true),
            (OpName::PutObject, "x-amz-object-lock-mode", false),
            (OpName::PutObject, "x-amz-grant-read", false),
            (OpName::PutObject, "x-amz-website-redirect-location", false),
            (OpName::PutObject, "x-amz-write-offset-bytes", false),
            (OpName::PutObject, "x-amz-server-side-encryption-aws-kms-key-id", false),
            (OpName::PutObject, "x-amz-copy-source", false),
            (OpName::PutObject, "x-amz-checksum-type", false),
            (OpName::UploadPart, "x-amz-meta-run", false),
            (OpName::UploadPartCopy, "x-amz-copy-source-range", true),
            (OpName::CopyObject, "x-amz-metadata-directive", true),
            (OpName::CopyObject, "x-amz-checksum-algorithm", true),
            (OpName::CopyObject, "x-amz-server-side-encryption", true),
            (OpName::CopyObject, "x-amz-copy-source-range", false),
            (OpName::CopyObject, "x-amz-checksum-crc32", false),
            (OpName::CreateBucket, "x-amz-bucket-object-lock-enabled", true),
            (OpName::CreateMultipartUpload, "x-amz-checksum-algorithm", true),
            (OpName::CreateMultipartUpload, "x-amz-api-version", true),
            (OpName::CompleteMultipartUpload, "x-amz-checksum-type", true),
            (OpName::CompleteMultipartUpload, "x-amz-mp-object-size", true),
            (OpName::PutObject, "x-amz-mp-object-size", false),
            (OpName::DeleteObject, "x-amz-bypass-governance-retention", false),
            (OpName::DeleteObject, "x-amz-mfa", false),
            (OpName::DeleteObject, "if-match", false),
            (OpName::PutObject, "if-match", true),
            (OpName::UploadPart, "if-none-match", false),
            (OpName::DeleteObjects, "x-amz-sdk-checksum-algorithm", true),
        ] {
            let refused = known_headers(op, &headers(&[(name, "x")])).err();
            assert_eq!(refused.is_none(), served, "{name} on {}", op.as_str());
            assert!(refused.is_none_or(|refusal| refusal.message.contains(name)), "{name}");
        }
    }

    #[test]
    fn the_size_of_a_whole_is_a_number_that_the_store_can_be_told() {
        let size = |value: &str| whole_size(&headers(&[(SIZE, value)]));
        assert_eq!(whole_size(&HeaderMap::new()).unwrap(), None);
        assert_eq!(size("24000000").unwrap(), Some(24_000_000));
        for wrong in ["-1", "1.5", "many", "9223372036854775808", "18446744073709551616"] {
            assert_eq!(code(size(wrong)), Some(Code::InvalidArgument), "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_is_read_as_sent_and_bounded() {
        let head = new_head(&headers(&[
            ("content-type", "application/json"),
            ("content-encoding", "aws-chunked,gzip"),
            ("expires", "whenever"),
            ("x-amz-meta-run-id", "7"),
            ("x-amz-tagging", "team=a%20b&empty="),
            ("x-amz-acl", "private"),
        ]))
        .unwrap();
        assert_eq!(head.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(head.expires.as_deref(), Some("whenever"));
        assert_eq!(head.user_metadata.get("run-id").map(String::as_str), Some("7"));
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        assert_eq!(head.tags, [tag("team", "a b"), tag("empty", "")]);
        for (name, value, want) in [
            ("x-amz-acl", "public-read", Code::AccessControlListNotSupported),
            ("x-amz-server-side-encryption", "aws:kms", Code::NotImplemented),
            ("x-amz-tagging", "a=1&a=2", Code::InvalidTag),
            ("x-amz-tagging", "=1", Code::InvalidTag),
            ("x-amz-tagging", "aws:x=1", Code::InvalidTag),
            ("x-amz-tagging", "a=%00", Code::InvalidTag),
            ("x-amz-tagging", "1&2&3&4&5&6&7&8&9&10&11", Code::InvalidTag),
            ("x-amz-meta-", "x", Code::InvalidArgument),
            ("x-amz-meta-big", &"x".repeat(limits::USER_METADATA_BYTES_MAX), Code::MetadataTooLarge),
        ] {
            assert_eq!(code(new_head(&headers(&[(name, value)]))), Some(want), "{name}: {value:.20}");
        }
    }

    #[test]
    fn a_write_takes_one_condition_that_it_can_keep() {
        let tag = || OnlyIf::Matches(crate::s3::operation::ETag("abc".into()));
        for (pairs, want) in [
            (&[][..], Ok(OnlyIf::Always)),
            (&[("if-none-match", "*")], Ok(OnlyIf::Absent)),
            (&[("if-match", "\"abc\"")], Ok(tag())),
            (&[("if-match", "abc")], Ok(tag())),
            (&[("if-match", "*")], Err(Code::NotImplemented)),
            (&[("if-match", "a, b")], Err(Code::NotImplemented)),
            (&[("if-none-match", "\"abc\"")], Err(Code::NotImplemented)),
            (&[("if-none-match", "*"), ("if-match", "abc")], Err(Code::NotImplemented)),
            (&[("if-none-match", "")], Err(Code::InvalidArgument)),
        ] {
            assert_eq!(only_if(&headers(pairs)).map_err(|refusal| refusal.code), want, "{pairs:?}");
        }
    }

    #[test]
    fn a_copys_source_has_one_reading() {
        let read = |sent: &str| {
            let source = copy_source(&headers(&[("x-amz-copy-source", sent)]));
            source.map(|source| (source.key.path_in(&source.bucket), source.version.map(|version| version.to_string())))
        };
        for (sent, path, version) in [
            ("traces/a/b", "traces/a/b", None),
            ("/traces/a%20b", "traces/a b", None),
            ("traces%2Fa", "traces/a", None),
            ("traces/a+b", "traces/a+b", None),
            ("traces//a", "traces//a", None),
            ("traces/a%3Fb?versionId=v.1", "traces/a?b", Some("v.1")),
        ] {
            assert_eq!(read(sent).unwrap(), (path.to_owned(), version.map(str::to_owned)), "{sent}");
        }
        for sent in
            ["traces", "a", "traces/", "traces/a/../b", "traces/%ff", "traces/a?b", "traces/a?versionId=", "tr/a%00"]
        {
            assert_eq!(code(read(sent)), Some(Code::InvalidArgument), "{sent}");
        }
        assert_eq!(code(read("arn:aws:s3:::traces/a")), Some(Code::NotImplemented));
        let with = |name, value| copy_source(&headers(&[("x-amz-copy-source", "traces/a"), (name, value)]));
        assert!(with("x-amz-copy-source-if-match", "abc").unwrap().preconditions.if_match.is_some());
        assert_eq!(code(with("x-amz-copy-source-if-modified-since", "soon")), Some(Code::InvalidArgument));
        for (sent, served) in [("bytes=0-9", true), ("bytes=0-", false), ("bytes=-5", false), ("bytes=0-1,3-4", false)]
        {
            assert_eq!(copy_range(&headers(&[("x-amz-copy-source-range", sent)])).is_ok(), served, "{sent}");
        }
    }
}
