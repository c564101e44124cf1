//! What a request of each operation is beside its line: whether it changes a bucket, what its body is, which headers it
//! takes. One table; whoever asks for one of these looks here.

use super::operation::OpName;
use crate::limits;

/// What a request is beside its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether it changes a bucket.
    pub changes: bool,
    /// What its body is.
    pub carries: Carries,
    /// Headers `x-amz-*` of a write that ask for something which is done; one that ends with `-` begins names.
    pub takes: &'static [&'static [&'static str]],
    /// Whether a write takes `If-Match` and `If-None-Match`.
    pub conditional: bool,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// There is none.
    Nothing,
    /// Whatever it is, nobody reads it.
    Unread,
    /// The bytes of an object, which stream through.
    Bytes,
    /// XML of at most so many bytes, which is read whole once the caller may do what it is for.
    Xml(usize),
}

impl Shape {
    /// Whether a header of that name is taken.
    pub fn takes(&self, name: &str) -> bool {
        let is = |known: &str| name == known || known.ends_with('-') && name.starts_with(known);
        self.takes.iter().any(|names| names.iter().any(|known| is(known)))
    }
}

/// What is stored with an object beside its bytes.
const STORED: &[&str] =
    &["x-amz-acl", "x-amz-meta-", "x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-tagging"];

/// The checksum of what is sent.
const CHECKSUM: &[&str] = &[
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-md5",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-sha512",
    "x-amz-checksum-xxhash128",
    "x-amz-checksum-xxhash3",
    "x-amz-checksum-xxhash64",
];

const ALGORITHM: &[&str] = &["x-amz-checksum-algorithm"];
const CHECKSUM_TYPE: &[&str] = &["x-amz-checksum-type"];
const SIZE: &[&str] = &["x-amz-mp-object-size"];

const SOURCE: &[&str] = &[
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
];
const SOURCE_RANGE: &[&str] = &["x-amz-copy-source-range"];
const DIRECTIVES: &[&str] = &["x-amz-metadata-directive", "x-amz-tagging-directive"];

/// Nothing is made, so nothing could be taken for done.
const ANYTHING: &[&str] = &["x-amz-"];

const READS: Shape = Shape { changes: false, carries: Carries::Nothing, takes: &[], conditional: false };
const CHANGES: Shape = Shape { changes: true, ..READS };

/// What a request of the operation is beside its line.
pub fn shape(op: OpName) -> Shape {
    let (bytes, xml) = (Carries::Bytes, Carries::Xml(limits::XML_BODY_BYTES_MAX));
    match op {
        OpName::PutObject => Shape { carries: bytes, takes: &[STORED, CHECKSUM], conditional: true, ..CHANGES },
        OpName::UploadPart => Shape { carries: bytes, takes: &[CHECKSUM], ..CHANGES },
        OpName::CreateMultipartUpload => Shape { takes: &[STORED, ALGORITHM, CHECKSUM_TYPE], ..CHANGES },
        OpName::CompleteMultipartUpload => Shape {
            carries: Carries::Xml(limits::COMPLETE_BODY_BYTES_MAX),
            takes: &[CHECKSUM, CHECKSUM_TYPE, SIZE],
            conditional: true,
            ..CHANGES
        },
        OpName::CopyObject => Shape { takes: &[STORED, ALGORITHM, SOURCE, DIRECTIVES], conditional: true, ..CHANGES },
        OpName::UploadPartCopy => Shape { takes: &[SOURCE, SOURCE_RANGE], ..CHANGES },
        OpName::DeleteObjects | OpName::PutObjectTagging => Shape { carries: xml, takes: &[CHECKSUM], ..CHANGES },
        OpName::AbortMultipartUpload | OpName::DeleteObject | OpName::DeleteObjectTagging => CHANGES,
        OpName::CreateBucket => Shape { carries: Carries::Unread, takes: &[ANYTHING], ..READS },
        OpName::GetObject
        | OpName::HeadObject
        | OpName::GetObjectAttributes
        | OpName::ListObjects
        | OpName::ListObjectsV2
        | OpName::ListObjectVersions
        | OpName::ListBuckets
        | OpName::HeadBucket
        | OpName::GetBucketLocation
        | OpName::GetBucketVersioning
        | OpName::ListParts
        | OpName::ListMultipartUploads
        | OpName::GetObjectTagging => READS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::checksum::Algorithm;

    #[test]
    fn every_checksum_is_taken_by_its_header() {
        assert!(Algorithm::ALL.iter().all(|algorithm| CHECKSUM.contains(&algorithm.header())));
        assert_eq!(CHECKSUM.len(), Algorithm::ALL.len());
    }

    #[test]
    fn what_has_a_body_or_takes_headers_is_no_read() {
        for op in OpName::ALL {
            let shape = shape(*op);
            let plain = shape.carries == Carries::Nothing && shape.takes.is_empty() && !shape.conditional;
            assert!(shape.changes || plain || *op == OpName::CreateBucket, "{op:?}");
        }
    }
}
