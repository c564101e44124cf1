//! What a request's head says of its body: its framing, its length, and what must hold of its bytes. Pure.
//!
//! A head that contradicts itself, or says something that we could not verify, is refused before a byte is read. Codes and
//! texts are S3's, where it has some ("Checking object integrity", "Authenticating Requests: Using the Authorization
//! Header" in its API reference).

use http::{HeaderMap, header};

use crate::limits::UPLOAD_BYTES_MAX;
use crate::s3::checksum::{Algorithm, Checksum, HEADER_PREFIX};
use crate::s3::error::{Code, Refusal};

/// What a request's head says of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyHead {
    /// Bytes of the decoded body, at most [`UPLOAD_BYTES_MAX`].
    pub length: u64,
    /// `Content-Length`: bytes on the wire.
    pub wire_length: Option<u64>,
    /// How the body is wrapped.
    pub framing: Framing,
    /// `x-amz-content-sha256`, where it is a digest.
    pub sha256: Option<[u8; 32]>,
    /// `Content-MD5`
    pub md5: Option<Checksum>,
    /// The checksum among the headers.
    pub checksum: Option<Checksum>,
    /// The checksum that `x-amz-trailer` announces.
    pub trailer: Option<Algorithm>,
}

/// How a body is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Not at all.
    Plain,
    /// In `aws-chunked`.
    Chunked {
        /// Whether each chunk is signed.
        signed: bool,
        /// Whether a trailer may follow.
        trailers: bool,
    },
}

/// What the checksums among a request's headers are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumsOf {
    /// The request's body.
    Body,
    /// An object that the request is about (`CompleteMultipartUpload`); they are another's to read.
    Object,
}

impl BodyHead {
    /// Reads a request's headers.
    pub fn read(headers: &HeaderMap, checksums: ChecksumsOf) -> Result<Self, Refusal> {
        let (framing, sha256) = content_sha256(single(headers, "x-amz-content-sha256")?)?;
        let wire_length = number(headers, header::CONTENT_LENGTH.as_str())?;
        let length = length(headers, framing, wire_length)?;
        let trailer = announced(headers, framing)?;
        let checksum = match checksums {
            ChecksumsOf::Body => {
                let checksum = stated(headers)?;
                check_named(headers, checksum.as_ref().map(|checksum| checksum.algorithm).or(trailer))?;
                checksum
            }
            ChecksumsOf::Object => None,
        };
        if checksum.is_some() && trailer.is_some() {
            return Err(several_checksums());
        }
        Ok(Self { length, wire_length, framing, sha256, md5: content_md5(headers)?, checksum, trailer })
    }

    /// The same, with the checksum that is stated beside the headers, in a presigned query.
    pub fn with_presigned(self, stated: Option<Checksum>) -> Result<Self, Refusal> {
        match (&self.checksum, &self.trailer, stated) {
            (_, _, None) => Ok(self),
            (None, None, Some(stated)) => Ok(Self { checksum: Some(stated), ..self }),
            (Some(same), None, Some(stated)) if *same == stated => Ok(self),
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Err(several_checksums()),
        }
    }
}

/// `Content-Encoding` as it is stored: without `aws-chunked`, which is the request's alone; `None` where nothing is left.
pub fn stored_encoding(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers.get_all(header::CONTENT_ENCODING).iter().collect();
    let text = lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect::<Vec<_>>().join(",");
    let framing = |coding: &str| coding.eq_ignore_ascii_case(AWS_CHUNKED);
    let codings: Vec<&str> = text.split(',').map(str::trim).filter(|coding| !coding.is_empty()).collect();
    match codings.iter().filter(|coding| !framing(coding)).count() {
        0 => None,
        kept if kept == codings.len() => Some(text),
        _ => Some(codings.into_iter().filter(|coding| !framing(coding)).collect::<Vec<_>>().join(",")),
    }
}

const AWS_CHUNKED: &str = "aws-chunked";

/// The framing and the digest that `x-amz-content-sha256` names. Without it, a body is plain and nothing is said of it.
fn content_sha256(value: Option<&str>) -> Result<(Framing, Option<[u8; 32]>), Refusal> {
    let chunked = |signed, trailers| Ok((Framing::Chunked { signed, trailers }, None));
    match value {
        None | Some("UNSIGNED-PAYLOAD") => Ok((Framing::Plain, None)),
        Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") => chunked(true, false),
        Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") => chunked(true, true),
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => chunked(false, true),
        Some(other) if other.starts_with("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") => {
            Err(Refusal::new(Code::NotImplemented, "Signature Version 4A is not served: sign with AWS4-HMAC-SHA256."))
        }
        Some(digest) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(digest, &mut bytes).map_err(|_| {
                let text = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                     STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
                Refusal::new(Code::InvalidArgument, text)
            })?;
            Ok((Framing::Plain, Some(bytes)))
        }
    }
}

/// The length of the decoded body.
fn length(headers: &HeaderMap, framing: Framing, wire_length: Option<u64>) -> Result<u64, Refusal> {
    let decoded = number(headers, "x-amz-decoded-content-length")?;
    let length = match framing {
        Framing::Plain => {
            let codings = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
            if codings.flat_map(|line| line.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case(AWS_CHUNKED)) {
                // Stored as it is, the framing would become part of the object.
                return Err(invalid("Content-Encoding: aws-chunked needs x-amz-content-sha256: STREAMING-…"));
            }
            if wire_length.is_some() && decoded.is_some_and(|decoded| Some(decoded) != wire_length) {
                return Err(invalid("x-amz-decoded-content-length is not that of the body."));
            }
            wire_length
        }
        Framing::Chunked { .. } => decoded,
    };
    let length = length.ok_or_else(|| {
        Refusal::new(
            Code::MissingContentLength,
            "You must provide the Content-Length HTTP header (of an aws-chunked body x-amz-decoded-content-length).",
        )
    })?;
    if length > UPLOAD_BYTES_MAX {
        return Err(Refusal::new(Code::EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"));
    }
    Ok(length)
}

/// The one checksum that `x-amz-trailer` announces.
fn announced(headers: &HeaderMap, framing: Framing) -> Result<Option<Algorithm>, Refusal> {
    let Some(value) = single(headers, "x-amz-trailer")? else { return Ok(None) };
    if !matches!(framing, Framing::Chunked { trailers: true, .. }) {
        return Err(invalid("x-amz-trailer goes with x-amz-content-sha256: STREAMING-…-TRAILER."));
    }
    let names = value.split(',').map(|name| Algorithm::from_header(&name.trim().to_ascii_lowercase()));
    let algorithms: Option<Vec<Algorithm>> = names.collect();
    match algorithms.as_deref() {
        Some([one]) => Ok(Some(*one)),
        Some(_) => Err(several_checksums()),
        None => Err(invalid("The value specified in the x-amz-trailer header is not supported")),
    }
}

/// The one checksum among the headers.
fn stated(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let mut found = None;
    for name in headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with(HEADER_PREFIX)) {
        if matches!(name, "x-amz-checksum-algorithm" | "x-amz-checksum-type" | "x-amz-checksum-mode") {
            continue;
        }
        let algorithm = Algorithm::from_header(name).ok_or_else(|| {
            Refusal::new(Code::NotImplemented, format!("The checksum of the header {name} is not known here."))
        })?;
        let value = single(headers, name)?.and_then(|value| Checksum::of_body(algorithm, value));
        let checksum = value.ok_or_else(|| invalid(&format!("Value for {name} header is invalid.")))?;
        if found.replace(checksum).is_some() {
            return Err(several_checksums());
        }
    }
    Ok(found)
}

/// `x-amz-sdk-checksum-algorithm` must name the checksum that follows.
fn check_named(headers: &HeaderMap, following: Option<Algorithm>) -> Result<(), Refusal> {
    let Some(word) = single(headers, "x-amz-sdk-checksum-algorithm")? else { return Ok(()) };
    let named = Algorithm::from_word(word);
    if named.is_none() {
        return Err(invalid("Value for x-amz-sdk-checksum-algorithm header is invalid."));
    }
    if named != following {
        let text = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
        return Err(invalid(text));
    }
    Ok(())
}

fn content_md5(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let Some(value) = single(headers, "content-md5")? else { return Ok(None) };
    let wrong = || Refusal::new(Code::InvalidDigest, "The Content-MD5 you specified was invalid.");
    Checksum::of_body(Algorithm::Md5, value.trim()).ok_or_else(wrong).map(Some)
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = single(headers, name)? else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| invalid(&format!("The header {name} must be a number of bytes.")))
}

/// The header's value if it stands once, as text.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| invalid(&format!("The header {name} is not ASCII.")))
        }
        (Some(_), Some(_)) => Err(invalid(&format!("The header {name} must not stand twice."))),
    }
}

/// That a body has more than one checksum.
pub(in crate::s3) fn several_checksums() -> Refusal {
    invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

fn invalid(text: &str) -> Refusal {
    Refusal::new(Code::InvalidRequest, text)
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
