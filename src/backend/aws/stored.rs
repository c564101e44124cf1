//! The SDK's answers to writes as ours.

use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::operation::copy_object::CopyObjectOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_parts::ListPartsOutput;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::operation::upload_part_copy::UploadPartCopyOutput;
use aws_sdk_s3::types::{ChecksumType, EncodingType, MultipartUpload, Part};

use super::answer::{bounded, broken, decoded, natural, tag, time};
use crate::backend::Trouble;
use crate::s3::answer::{Copied, PartCopied, PartListed, PartPage, Stored, UploadBatch, UploadListed};
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::name::VersionId;

/// The checksum that an answer tells; the SDK has a field for each algorithm.
macro_rules! checksum {
    ($found:expr) => {{
        let told = [
            (Algorithm::Crc64Nvme, $found.checksum_crc64_nvme()),
            (Algorithm::Crc32c, $found.checksum_crc32_c()),
            (Algorithm::Crc32, $found.checksum_crc32()),
            (Algorithm::Sha256, $found.checksum_sha256()),
            (Algorithm::Sha1, $found.checksum_sha1()),
            (Algorithm::Sha512, $found.checksum_sha512()),
            (Algorithm::Md5, $found.checksum_md5()),
            (Algorithm::Xxhash64, $found.checksum_xxhash64()),
            (Algorithm::Xxhash3, $found.checksum_xxhash3()),
            (Algorithm::Xxhash128, $found.checksum_xxhash128()),
        ];
        told.into_iter().find_map(|(algorithm, value)| Some(Checksum { algorithm, value: value?.into() }))
    }};
}

pub(super) fn put(found: &PutObjectOutput) -> Result<Stored, Trouble> {
    Ok(Stored {
        etag: Some(tag(found.e_tag.clone())?),
        version_id: version(found.version_id())?,
        checksum: checksum!(found),
        full_object: full_object(found.checksum_type()),
    })
}

pub(super) fn part(found: &UploadPartOutput) -> Result<Stored, Trouble> {
    let (etag, checksum) = (Some(tag(found.e_tag.clone())?), checksum!(found));
    Ok(Stored { etag, checksum, ..Stored::default() })
}

pub(super) fn completed(found: &CompleteMultipartUploadOutput) -> Result<Stored, Trouble> {
    Ok(Stored {
        etag: Some(tag(found.e_tag.clone())?),
        version_id: version(found.version_id())?,
        checksum: checksum!(found),
        full_object: full_object(found.checksum_type()),
    })
}

pub(super) fn copied(found: &CopyObjectOutput) -> Result<Copied, Trouble> {
    let result = found.copy_object_result().ok_or_else(|| broken("it says nothing of the copy"))?;
    let stored = Stored {
        etag: Some(tag(result.e_tag.clone())?),
        version_id: version(found.version_id())?,
        checksum: checksum!(result),
        full_object: full_object(result.checksum_type()),
    };
    let source_version = version(found.copy_source_version_id())?;
    Ok(Copied { stored, last_modified: time(result.last_modified())?, source_version })
}

pub(super) fn part_copied(found: &UploadPartCopyOutput) -> Result<PartCopied, Trouble> {
    let result = found.copy_part_result().ok_or_else(|| broken("it says nothing of the copy"))?;
    let (etag, checksum) = (Some(tag(result.e_tag.clone())?), checksum!(result));
    let stored = Stored { etag, checksum, ..Stored::default() };
    let source_version = version(found.copy_source_version_id())?;
    Ok(Copied { stored, last_modified: time(result.last_modified())?, source_version })
}

pub(super) fn parts(found: ListPartsOutput, max: u32) -> Result<PartPage, Trouble> {
    bounded(found.parts().len(), max)?;
    let parts: Vec<PartListed> = found.parts().iter().map(part_listed).collect::<Result<_, _>>()?;
    let more_after = match (found.is_truncated.unwrap_or_default(), parts.last()) {
        (false, _) => None,
        (true, Some(last)) => Some(last.part),
        (true, None) => return Err(broken("its listing of parts does not say where it goes on")),
    };
    Ok(PartPage {
        parts,
        more_after,
        storage_class: found.storage_class().map(|class| class.as_str().to_owned()),
        algorithm: found.checksum_algorithm().and_then(|algorithm| Algorithm::from_word(algorithm.as_str())),
    })
}

fn part_listed(part: &Part) -> Result<PartListed, Trouble> {
    let number = part.part_number.and_then(|number| u32::try_from(number).ok());
    Ok(PartListed {
        part: number.ok_or_else(|| broken("it sent no number of a part"))?,
        size: natural(part.size, "a size")?,
        etag: tag(part.e_tag.clone())?,
        last_modified: time(part.last_modified())?,
        checksum: checksum!(part),
    })
}

pub(super) fn uploads(found: ListMultipartUploadsOutput, max: u32) -> Result<UploadBatch, Trouble> {
    bounded(found.uploads().len(), max)?;
    let encoded = found.encoding_type == Some(EncodingType::Url);
    let mut batch = UploadBatch::default();
    for upload in found.uploads() {
        batch.uploads.extend(upload_listed(upload, encoded)?);
    }
    if found.is_truncated.unwrap_or_default() {
        // Not every store says where it goes on; where it does, that is behind the last upload.
        let told = found.next_key_marker().zip(found.next_upload_id_marker()).filter(|(key, _)| !key.is_empty());
        let last = found.uploads().last().and_then(|upload| upload.key().zip(upload.upload_id()));
        let (key, id) = told.or(last).ok_or_else(|| broken("its listing of uploads does not say where it goes on"))?;
        batch.more_after = Some((decoded(Some(key), encoded)?, id.to_owned()));
    }
    Ok(batch)
}

fn upload_listed(upload: &MultipartUpload, encoded: bool) -> Result<Option<UploadListed>, Trouble> {
    let Ok(key) = decoded(upload.key(), encoded)?.parse() else { return Ok(None) };
    Ok(Some(UploadListed {
        key,
        id: upload.upload_id().ok_or_else(|| broken("it sent no id of an upload"))?.into(),
        initiated: time(upload.initiated())?,
        storage_class: upload.storage_class().map(|class| class.as_str().to_owned()),
    }))
}

/// `x-amz-version-id`
pub(super) fn version(told: Option<&str>) -> Result<Option<VersionId>, Trouble> {
    let told = told.filter(|id| !id.is_empty());
    told.map(|id| id.parse().map_err(|_| broken("its version id cannot be read"))).transpose()
}

fn full_object(told: Option<&ChecksumType>) -> Option<bool> {
    told.map(|kind| *kind == ChecksumType::FullObject)
}
