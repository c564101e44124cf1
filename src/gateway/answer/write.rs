//! The outputs of operations that change a bucket.

use http::{HeaderName, HeaderValue};
use s3s::S3Response;
use s3s::dto::{
    self, AbortMultipartUploadOutput, CompleteMultipartUploadOutput, CopyObjectOutput, CopyObjectResult,
    CopyPartResult, CreateMultipartUploadOutput, DeleteObjectOutput, DeleteObjectTaggingOutput, DeleteObjectsOutput,
    DeletedObject, GetObjectTaggingOutput, Initiator, ListMultipartUploadsOutput, ListPartsOutput, MultipartUpload,
    Part, PutObjectOutput, PutObjectTaggingOutput, TagSet, UploadPartCopyOutput, UploadPartOutput,
};

use super::{owner, tag, time, written_as};
use crate::redact::Redacted;
use crate::redact::uploads::UploadsPage;
use crate::s3::answer::{Copied, Deleted, PartPage, Stored, Tag};
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::error::Refusal;
use crate::s3::operation::write::{CompleteMultipartUpload, CreateMultipartUpload, ListMultipartUploads, ListParts};

/// The answer of `PutObject`.
pub(in crate::gateway) type PutAnswer = S3Response<PutObjectOutput>;
/// The answer of `CreateMultipartUpload`.
pub(in crate::gateway) type BeginAnswer = S3Response<CreateMultipartUploadOutput>;
/// The answer of `UploadPart`.
pub(in crate::gateway) type PartAnswer = S3Response<UploadPartOutput>;
/// The answer of `CompleteMultipartUpload`.
pub(in crate::gateway) type CompleteAnswer = S3Response<CompleteMultipartUploadOutput>;
/// The answer of `AbortMultipartUpload`.
pub(in crate::gateway) type AbortAnswer = S3Response<AbortMultipartUploadOutput>;
/// The answer of `ListParts`.
pub(in crate::gateway) type PartsAnswer = S3Response<ListPartsOutput>;
/// The answer of `ListMultipartUploads`.
pub(in crate::gateway) type UploadsAnswer = S3Response<ListMultipartUploadsOutput>;
/// The answer of `CopyObject`.
pub(in crate::gateway) type CopyAnswer = S3Response<CopyObjectOutput>;
/// The answer of `UploadPartCopy`.
pub(in crate::gateway) type PartCopyAnswer = S3Response<UploadPartCopyOutput>;
/// The answer of `DeleteObject`.
pub(in crate::gateway) type DeleteAnswer = S3Response<DeleteObjectOutput>;
/// The answer of `DeleteObjects`.
pub(in crate::gateway) type DeletesAnswer = S3Response<DeleteObjectsOutput>;
/// The answer of `GetObjectTagging`.
pub(in crate::gateway) type TagsAnswer = S3Response<GetObjectTaggingOutput>;
/// The answer of `PutObjectTagging`.
pub(in crate::gateway) type PutTagsAnswer = S3Response<PutObjectTaggingOutput>;
/// The answer of `DeleteObjectTagging`.
pub(in crate::gateway) type DeleteTagsAnswer = S3Response<DeleteObjectTaggingOutput>;

/// A checksum, taken apart into the fields that outputs have for it.
struct Fields {
    crc32: Option<String>,
    crc32c: Option<String>,
    crc64nvme: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
}

impl Fields {
    fn of(checksum: Option<&Checksum>) -> Self {
        let of = |wanted: Algorithm| {
            checksum.filter(|checksum| checksum.algorithm == wanted).map(|checksum| checksum.value.to_string())
        };
        Self {
            crc32: of(Algorithm::Crc32),
            crc32c: of(Algorithm::Crc32c),
            crc64nvme: of(Algorithm::Crc64Nvme),
            sha1: of(Algorithm::Sha1),
            sha256: of(Algorithm::Sha256),
        }
    }
}

fn checksum_type(full_object: Option<bool>) -> Option<dto::ChecksumType> {
    let word = if full_object? { dto::ChecksumType::FULL_OBJECT } else { dto::ChecksumType::COMPOSITE };
    Some(dto::ChecksumType::from_static(word))
}

/// `PutObject`
pub(in crate::gateway) fn put(shown: Redacted<Stored>) -> PutAnswer {
    let stored = shown.into_inner();
    let mut response = S3Response::new(PutObjectOutput {
        checksum_type: stored.checksum.as_ref().and_then(|_| checksum_type(stored.full_object)),
        e_tag: stored.etag.as_ref().map(tag),
        version_id: stored.version_id.as_ref().map(ToString::to_string),
        ..PutObjectOutput::default()
    });
    response.headers.extend(checksum_header(&stored));
    response
}

/// A checksum as a header: s3s has fields for some algorithms only.
fn checksum_header(stored: &Stored) -> Option<(HeaderName, HeaderValue)> {
    let checksum = stored.checksum.as_ref()?;
    Some((HeaderName::from_static(checksum.algorithm.header()), HeaderValue::from_str(&checksum.value).ok()?))
}

/// `CreateMultipartUpload`
pub(in crate::gateway) fn begun(op: &CreateMultipartUpload, shown: Redacted<String>) -> BeginAnswer {
    S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(op.bucket.to_string()),
        key: Some(op.key.to_string()),
        upload_id: Some(shown.into_inner()),
        checksum_algorithm: op.checksum.as_ref().map(|plan| plan.algorithm.word().to_owned().into()),
        checksum_type: op.checksum.as_ref().and_then(|plan| checksum_type(plan.full_object)),
        ..CreateMultipartUploadOutput::default()
    })
}

/// `UploadPart`
pub(in crate::gateway) fn part(shown: Redacted<Stored>) -> PartAnswer {
    let stored = shown.into_inner();
    let mut response =
        S3Response::new(UploadPartOutput { e_tag: stored.etag.as_ref().map(tag), ..UploadPartOutput::default() });
    response.headers.extend(checksum_header(&stored));
    response
}

/// `CompleteMultipartUpload`; the location is a path, since only the caller knows by which name they came.
pub(in crate::gateway) fn completed(op: &CompleteMultipartUpload, shown: Redacted<Stored>) -> CompleteAnswer {
    let stored = shown.into_inner();
    let sums = Fields::of(stored.checksum.as_ref());
    S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(op.bucket.to_string()),
        key: Some(op.key.to_string()),
        location: Some(format!("/{}/{}", op.bucket, op.key)),
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: checksum_type(stored.full_object),
        e_tag: stored.etag.as_ref().map(tag),
        version_id: stored.version_id.map(|id| id.to_string()),
        ..CompleteMultipartUploadOutput::default()
    })
}

/// `AbortMultipartUpload`
pub(in crate::gateway) fn aborted(_shown: Redacted<()>) -> AbortAnswer {
    S3Response::new(AbortMultipartUploadOutput::default())
}

/// `ListParts`
pub(in crate::gateway) fn parts(op: &ListParts, sent_id: &str, shown: Redacted<PartPage>) -> PartsAnswer {
    let page = shown.into_inner();
    let rows = page.parts.into_iter().map(|row| {
        let sums = Fields::of(row.checksum.as_ref());
        Part {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            e_tag: Some(tag(&row.etag)),
            last_modified: Some(time(row.last_modified)),
            part_number: i32::try_from(row.part).ok(),
            size: i64::try_from(row.size).ok(),
        }
    });
    S3Response::new(ListPartsOutput {
        bucket: Some(op.bucket.to_string()),
        key: Some(op.key.to_string()),
        upload_id: Some(sent_id.to_owned()),
        part_number_marker: i32::try_from(op.after).ok(),
        next_part_number_marker: page.more_after.and_then(|after| i32::try_from(after).ok()),
        is_truncated: Some(page.more_after.is_some()),
        max_parts: i32::try_from(op.max_parts).ok(),
        parts: Some(rows.collect()),
        initiator: Some(initiator()),
        owner: Some(owner()),
        storage_class: Some(page.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
        checksum_algorithm: page.algorithm.map(|algorithm| algorithm.word().to_owned().into()),
        ..ListPartsOutput::default()
    })
}

/// `ListMultipartUploads`
pub(in crate::gateway) fn uploads(op: &ListMultipartUploads, shown: Redacted<UploadsPage>) -> UploadsAnswer {
    let page = shown.into_inner();
    let written = |text: &str| written_as(op.url_encoded, text);
    let rows = page.uploads.into_iter().map(|row| MultipartUpload {
        initiated: Some(time(row.initiated)),
        initiator: Some(initiator()),
        key: Some(written(row.key.as_str())),
        owner: Some(owner()),
        storage_class: Some(row.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
        upload_id: Some(row.id),
        ..MultipartUpload::default()
    });
    let common = page.common.iter().map(|prefix| dto::CommonPrefix { prefix: Some(written(prefix.as_str())) });
    S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(op.bucket.to_string()),
        common_prefixes: Some(common.collect()),
        delimiter: op.delimiter.as_deref().map(written),
        encoding_type: op.url_encoded.then(|| dto::EncodingType::from_static(dto::EncodingType::URL)),
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(written(op.key_marker.as_deref().unwrap_or_default())),
        max_uploads: i32::try_from(op.max_uploads).ok(),
        // One token leads on; clients send both markers back as they got them.
        next_upload_id_marker: page.next.clone(),
        next_key_marker: page.next,
        prefix: Some(written(op.prefix.as_str())),
        uploads: Some(rows.collect()),
        ..ListMultipartUploadsOutput::default()
    })
}

/// `CopyObject`
pub(in crate::gateway) fn copied(shown: Redacted<Copied>) -> CopyAnswer {
    let copied = shown.into_inner();
    let sums = Fields::of(copied.stored.checksum.as_ref());
    S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: checksum_type(copied.stored.full_object),
            e_tag: copied.stored.etag.as_ref().map(tag),
            last_modified: Some(time(copied.last_modified)),
        }),
        copy_source_version_id: copied.source_version.map(|id| id.to_string()),
        version_id: copied.stored.version_id.map(|id| id.to_string()),
        ..CopyObjectOutput::default()
    })
}

/// `UploadPartCopy`
pub(in crate::gateway) fn part_copied(shown: Redacted<Copied>) -> PartCopyAnswer {
    let copied = shown.into_inner();
    let sums = Fields::of(copied.stored.checksum.as_ref());
    S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            e_tag: copied.stored.etag.as_ref().map(tag),
            last_modified: Some(time(copied.last_modified)),
        }),
        copy_source_version_id: copied.source_version.map(|id| id.to_string()),
        ..UploadPartCopyOutput::default()
    })
}

/// `DeleteObject`
pub(in crate::gateway) fn deleted(shown: Redacted<Deleted>) -> DeleteAnswer {
    let deleted = shown.into_inner();
    S3Response::new(DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        version_id: deleted.version_id.map(|id| id.to_string()),
        ..DeleteObjectOutput::default()
    })
}

/// One key of `DeleteObjects`: as sent, and what became of it.
pub(in crate::gateway) struct DeletedRow {
    pub(in crate::gateway) key: String,
    pub(in crate::gateway) version: Option<String>,
    pub(in crate::gateway) outcome: Result<Redacted<Deleted>, Refusal>,
}

/// `DeleteObjects`; `quiet` tells of the failed ones only.
pub(in crate::gateway) fn all_deleted(rows: Vec<DeletedRow>, quiet: bool) -> DeletesAnswer {
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for row in rows {
        match row.outcome {
            Ok(_) if quiet => {}
            Ok(shown) => {
                let Deleted { version_id, delete_marker } = shown.into_inner();
                let told = version_id.map(|id| id.to_string());
                deleted.push(DeletedObject {
                    delete_marker: delete_marker.then_some(true),
                    delete_marker_version_id: told.filter(|_| delete_marker),
                    key: Some(row.key),
                    version_id: row.version,
                });
            }
            Err(refusal) => errors.push(dto::Error {
                code: Some(refusal.code.as_str().to_owned()),
                key: Some(row.key),
                message: Some(refusal.message),
                version_id: row.version,
            }),
        }
    }
    S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    })
}

/// `GetObjectTagging`
pub(in crate::gateway) fn tags(shown: Redacted<Vec<Tag>>) -> TagsAnswer {
    let tag_set: TagSet =
        shown.into_inner().into_iter().map(|tag| dto::Tag { key: Some(tag.key), value: Some(tag.value) }).collect();
    S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None })
}

/// `PutObjectTagging`
pub(in crate::gateway) fn tags_put(_shown: Redacted<()>) -> PutTagsAnswer {
    S3Response::new(PutObjectTaggingOutput::default())
}

/// `DeleteObjectTagging`
pub(in crate::gateway) fn tags_deleted(_shown: Redacted<()>) -> DeleteTagsAnswer {
    let mut response = S3Response::new(DeleteObjectTaggingOutput::default());
    response.status = Some(http::StatusCode::NO_CONTENT);
    response
}

/// Who began an upload, as far as callers are told.
fn initiator() -> Initiator {
    Initiator { display_name: Some("tracegate".into()), id: Some("tracegate".into()) }
}
