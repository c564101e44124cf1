//! How an object's bytes are framed, as far as it can be told: by its name, its head, or its first bytes.
//!
//! The answer never widens what is shown: whatever is not surely JSON or JSONL is refused under a redacting view.

use super::packed::{Codec, Packed, Unpackable};
use crate::policy::mask::Format;
use crate::s3::answer::ObjectHead;

/// What is known of an object's framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It is framed so, or will be refused while it is read.
    Known(Format),
    /// It is compressed, and is shown compressed again, or will be refused.
    Packed(Packed),
    /// Name and head do not tell: the first bytes decide, see [`of_bytes`].
    Undetermined,
    /// It cannot be shown under a redacting view.
    Refused(Unframed),
}

/// Why an object cannot be shown under a redacting view. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unframed {
    /// Compressed in another way than the one that name or header say once.
    #[error(
        "only objects compressed once, by gzip or zstd, and called so by their name (.gz, .zst) or Content-Encoding can be \
         redacted: store it so, or uncompressed, or ask for a role without masks"
    )]
    Compressed,
    /// Compressed by gzip or zstd, and not to be shown so.
    #[error("the object is compressed, and {0}; or ask for a role without masks")]
    Packed(#[from] Unpackable),
    /// A `Content-Encoding` that is not known to leave the bytes as they are.
    #[error("this Content-Encoding cannot be redacted: store the object without one, or ask for a role without masks")]
    Encoded,
    /// Neither JSON nor JSONL.
    #[error(
        "only JSON and JSONL can be redacted: name the object .json, .jsonl or .ndjson, \
         or set its Content-Type to application/json or application/x-ndjson"
    )]
    NotJson,
}

/// The framing by the key's suffix alone, as for a listing.
pub fn of_key(key: &str) -> Framing {
    if let Some((inside, suffix)) = key.rsplit_once('.')
        && let Some(codec) = Codec::of_suffix(suffix)
    {
        return packed(codec, of_key(inside));
    }
    let ends = |suffix: &str| {
        key.len() >= suffix.len() && key.as_bytes()[key.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
    };
    if [".bz2", ".xz", ".zip", ".br", ".lz4"].into_iter().any(ends) {
        return Framing::Refused(Unframed::Compressed);
    }
    if ends(".jsonl") || ends(".ndjson") {
        return Framing::Known(Format::Jsonl);
    }
    if ends(".json") { Framing::Known(Format::Json) } else { Framing::Undetermined }
}

/// The framing by name and head, as for HEAD and GET. A name and a header that say the same compression say it once.
pub fn of_head(key: &str, head: &ObjectHead) -> Framing {
    let coding = match coding(head.content_encoding.as_deref()) {
        Ok(coding) => coding,
        Err(refused) => return Framing::Refused(refused),
    };
    let typed = || head.content_type.as_deref().map_or(Framing::Undetermined, of_content_type);
    let by_name = match of_key(key) {
        Framing::Undetermined => typed(),
        Framing::Packed(Packed { codec, inside: None }) => match typed() {
            Framing::Known(format) => Framing::Packed(Packed { codec, inside: Some(format) }),
            Framing::Undetermined | Framing::Packed(_) | Framing::Refused(_) => {
                Framing::Packed(Packed { codec, inside: None })
            }
        },
        known @ (Framing::Known(_) | Framing::Packed(_) | Framing::Refused(_)) => known,
    };
    match (coding, by_name) {
        (None, by_name) => by_name,
        (Some(codec), Framing::Packed(named)) if named.codec == codec => Framing::Packed(named),
        (Some(codec), inside) => packed(codec, inside),
    }
}

/// What is compressed once is told by what is inside.
fn packed(codec: Codec, inside: Framing) -> Framing {
    match inside {
        Framing::Known(format) => Framing::Packed(Packed { codec, inside: Some(format) }),
        Framing::Undetermined => Framing::Packed(Packed { codec, inside: None }),
        Framing::Packed(_) => Framing::Refused(Unframed::Compressed),
        Framing::Refused(why) => Framing::Refused(why),
    }
}

/// Settles the framing by the object's first bytes. `all` says that these are all of its bytes.
///
/// Compressed bytes are refused whatever the name says. [`Framing::Undetermined`] comes back only where every byte so
/// far is white space and more may follow.
pub fn of_bytes(so_far: Framing, first: &[u8], all: bool) -> Framing {
    if first.starts_with(&[0x1f, 0x8b]) || first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Framing::Refused(Unframed::Compressed);
    }
    match so_far {
        Framing::Undetermined => {
            let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
            match text.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
                Some(b'{' | b'[') => Framing::Known(Format::Json),
                None if !all => Framing::Undetermined,
                Some(_) | None => Framing::Refused(Unframed::NotJson),
            }
        }
        known @ (Framing::Known(_) | Framing::Packed(_) | Framing::Refused(_)) => known,
    }
}

/// The one compression of a `Content-Encoding`, beside what leaves the bytes as they are: `identity`, and what S3 stores
/// of `aws-chunked` uploads.
fn coding(encoding: Option<&str>) -> Result<Option<Codec>, Unframed> {
    let mut found = None;
    for coding in encoding.unwrap_or_default().split(',').map(str::trim) {
        match coding.to_ascii_lowercase().as_str() {
            "" | "identity" | "aws-chunked" => {}
            "deflate" | "br" | "compress" | "x-compress" => return Err(Unframed::Compressed),
            other => match (Codec::of_coding(other), found) {
                (Some(codec), None) => found = Some(codec),
                (Some(_), Some(_)) => return Err(Unframed::Compressed),
                (None, _) => return Err(Unframed::Encoded),
            },
        }
    }
    Ok(found)
}

fn of_content_type(content_type: &str) -> Framing {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Framing::Known(Format::Jsonl)
        }
        "application/json" => Framing::Known(Format::Json),
        "application/gzip" | "application/x-gzip" => packed(Codec::Gzip, Framing::Undetermined),
        "application/zstd" => packed(Codec::Zstd, Framing::Undetermined),
        "application/zip" => Framing::Refused(Unframed::Compressed),
        _ => Framing::Undetermined,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const JSON: Framing = Framing::Known(Format::Json);
    const JSONL: Framing = Framing::Known(Format::Jsonl);
    const GZIP: Framing = Framing::Packed(Packed { codec: Codec::Gzip, inside: Some(Format::Jsonl) });
    const COMPRESSED: Framing = Framing::Refused(Unframed::Compressed);
    const NOT_JSON: Framing = Framing::Refused(Unframed::NotJson);

    fn head(content_type: Option<&str>, content_encoding: Option<&str>) -> ObjectHead {
        ObjectHead {
            size: 1,
            etag: crate::s3::operation::ETag("x".into()),
            last_modified: jiff::Timestamp::UNIX_EPOCH,
            content_type: content_type.map(str::to_owned),
            content_encoding: content_encoding.map(str::to_owned),
            content_disposition: None,
            content_language: None,
            cache_control: None,
            expires: None,
            storage_class: None,
            version_id: None,
            parts_count: None,
            user_metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn name_then_content_type_decide() {
        for (key, content_type, encoding, expected) in [
            ("a/b.jsonl", None, None, JSONL),
            ("a/b.NDJSON", Some("application/json"), None, JSONL),
            ("a/b.json", Some("application/x-ndjson"), Some("identity"), JSON),
            ("a/b.json", None, Some("aws-chunked"), JSON),
            ("a/b", Some("application/x-ndjson; charset=utf-8"), None, JSONL),
            ("a/b", Some("Application/JSON"), None, JSON),
            ("a/b", Some("text/plain"), None, Framing::Undetermined),
            ("é", None, None, Framing::Undetermined),
            ("a/b.jsonl.gz", None, None, GZIP),
            ("a/b.jsonl.gz", None, Some("gzip"), GZIP),
            ("a/b.jsonl", None, Some("aws-chunked, GZIP"), GZIP),
            ("a/b.GZ", Some("application/x-ndjson"), None, GZIP),
            ("a/b.gz", Some("application/gzip"), None, Framing::Packed(Packed { codec: Codec::Gzip, inside: None })),
            ("a/b", Some("application/zstd"), None, Framing::Packed(Packed { codec: Codec::Zstd, inside: None })),
            ("a/b.json.zst", None, None, Framing::Packed(Packed { codec: Codec::Zstd, inside: Some(Format::Json) })),
            ("a/b.json.zst", None, Some("gzip"), COMPRESSED),
            ("a/b.json.gz.gz", None, None, COMPRESSED),
            ("a/b.json", None, Some("gzip, gzip"), COMPRESSED),
            ("a/b.json", None, Some("br"), COMPRESSED),
            ("a/b.json.xz", None, None, COMPRESSED),
            ("a/b.parquet", Some("application/zip"), None, COMPRESSED),
            ("a/b.json", None, Some("secret-sauce"), Framing::Refused(Unframed::Encoded)),
        ] {
            assert_eq!(of_head(key, &head(content_type, encoding)), expected, "{key} {content_type:?} {encoding:?}");
        }
    }

    #[test]
    fn first_bytes_decide_what_name_and_head_leave_open() {
        for (so_far, first, all, expected) in [
            (Framing::Undetermined, &b" \n\t{"[..], false, JSON),
            (Framing::Undetermined, b"\xEF\xBB\xBF[", false, JSON),
            (Framing::Undetermined, b"  ", false, Framing::Undetermined),
            (Framing::Undetermined, b"  ", true, NOT_JSON),
            (Framing::Undetermined, b"", true, NOT_JSON),
            (Framing::Undetermined, b"hello", false, NOT_JSON),
            (JSONL, b"hello", false, JSONL),
            (JSONL, b"\x1f\x8b\x08", false, COMPRESSED),
            (JSON, b"\x28\xb5\x2f\xfd", false, COMPRESSED),
        ] {
            assert_eq!(of_bytes(so_far, first, all), expected, "{so_far:?} {first:?}");
        }
    }
}
