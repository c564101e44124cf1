//! From requests that change a bucket to our own operations. Names come from s3s, everything else from the headers as
//! they were sent; bodies in XML were read whole and verified before.

use s3s::S3Request;
use s3s::dto::{
    AbortMultipartUploadInput, CompleteMultipartUploadInput, CopyObjectInput, CreateMultipartUploadInput,
    DeleteObjectInput, DeleteObjectTaggingInput, GetObjectTaggingInput, ListMultipartUploadsInput, ListPartsInput,
    ObjectIdentifier, PutObjectInput, PutObjectTaggingInput, UploadPartCopyInput, UploadPartInput,
};
use s3s::path::S3Path;

use super::{bucket, delimiter, key, part, position, prefix, url_encoded};
use crate::gateway::call::Call;
use crate::identity::Identity;
use crate::keyring::KeyRing;
use crate::limits;
use crate::redact::upload::{self, Use};
use crate::s3::answer::Tag;
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::error::{Code, Refusal};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeleteObject, Foreseen,
    GetObjectTagging, ListMultipartUploads, ListParts, PartNamed, PutObject, PutObjectTagging, UploadId, UploadPart,
    UploadPartCopy,
};
use crate::s3::operation::{ETag, OpName};
use crate::s3::written;

/// `PutObject`
pub(in crate::gateway) fn put(request: &S3Request<PutObjectInput>, call: &Call) -> Result<PutObject, Refusal> {
    Ok(PutObject {
        bucket: bucket(&request.input.bucket)?,
        key: key(&request.input.key)?,
        head: written::new_head(&call.headers)?,
        only_if: written::only_if(&call.headers)?,
    })
}

/// `CreateMultipartUpload`
pub(in crate::gateway) fn begin(
    request: &S3Request<CreateMultipartUploadInput>,
    call: &Call,
) -> Result<CreateMultipartUpload, Refusal> {
    Ok(CreateMultipartUpload {
        bucket: bucket(&request.input.bucket)?,
        key: key(&request.input.key)?,
        head: written::new_head(&call.headers)?,
        checksum: written::checksum_plan(&call.headers)?,
    })
}

/// Opens the ids of uploads: for one caller, with our keys.
pub(in crate::gateway) struct Opener<'a> {
    pub(in crate::gateway) who: &'a Identity,
    pub(in crate::gateway) ring: &'a KeyRing,
}

impl Opener<'_> {
    fn open(&self, sent: &str, bucket: &Bucket, key: &Key, wanted: Use) -> Result<UploadId, Refusal> {
        upload::open(sent, self.who, bucket, key, self.ring, wanted)
    }
}

/// `UploadPart`
pub(in crate::gateway) fn put_part(
    request: &S3Request<UploadPartInput>,
    opener: &Opener<'_>,
) -> Result<UploadPart, Refusal> {
    let input = &request.input;
    let (bucket, key) = (bucket(&input.bucket)?, key(&input.key)?);
    let upload = opener.open(&input.upload_id, &bucket, &key, Use::Continue)?;
    Ok(UploadPart { upload, part: part_number(input.part_number)?, bucket, key })
}

/// `CompleteMultipartUpload`
pub(in crate::gateway) fn complete(
    request: &S3Request<CompleteMultipartUploadInput>,
    call: &Call,
    opener: &Opener<'_>,
) -> Result<CompleteMultipartUpload, Refusal> {
    let input = &request.input;
    let (bucket, key) = (bucket(&input.bucket)?, key(&input.key)?);
    let upload = opener.open(&input.upload_id, &bucket, &key, Use::Continue)?;
    let sent = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_deref()).unwrap_or_default();
    if sent.is_empty() || sent.len() > limits::PARTS_MAX as usize {
        return Err(Refusal::new(Code::MalformedXml, "You must specify at least one part, and at most 10000"));
    }
    let mut parts = Vec::with_capacity(sent.len());
    for named in sent {
        let tag = named.e_tag.as_ref().ok_or_else(|| Refusal::new(Code::MalformedXml, "A part has no ETag."))?;
        parts.push(PartNamed {
            part: part_number(named.part_number.unwrap_or_default())?,
            etag: ETag(tag.value().into()),
            checksum: one_checksum([
                (Algorithm::Crc32, &named.checksum_crc32),
                (Algorithm::Crc32c, &named.checksum_crc32c),
                (Algorithm::Crc64Nvme, &named.checksum_crc64nvme),
                (Algorithm::Sha1, &named.checksum_sha1),
                (Algorithm::Sha256, &named.checksum_sha256),
            ])?,
        });
    }
    if parts.windows(2).any(|pair| pair[0].part >= pair[1].part) {
        return Err(Refusal::new(
            Code::InvalidPartOrder,
            "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
        ));
    }
    Ok(CompleteMultipartUpload {
        checksum: written::whole_checksum(&call.headers)?,
        full_object: written::full_object(&call.headers)?,
        size: written::whole_size(&call.headers)?,
        only_if: written::only_if(&call.headers)?,
        bucket,
        key,
        upload,
        parts,
    })
}

/// What a request with a body of XML needs; `None` of one without.
pub(in crate::gateway) fn foreseen(op: OpName, path: &S3Path, call: &Call) -> Result<Option<Foreseen>, Refusal> {
    Ok(match (op, path) {
        (OpName::CompleteMultipartUpload, S3Path::Object { bucket: of, key: at }) => {
            Some(Foreseen::Complete(bucket(of)?, key(at)?, written::only_if(&call.headers)?))
        }
        (OpName::PutObjectTagging, S3Path::Object { bucket: of, key: at }) => {
            Some(Foreseen::Tags(bucket(of)?, key(at)?))
        }
        (OpName::DeleteObjects, S3Path::Bucket { bucket: of }) => Some(Foreseen::Deletes(bucket(of)?)),
        (_, S3Path::Root | S3Path::Bucket { .. } | S3Path::Object { .. }) => None,
    })
}

/// `AbortMultipartUpload`
pub(in crate::gateway) fn abort(
    request: &S3Request<AbortMultipartUploadInput>,
    opener: &Opener<'_>,
) -> Result<AbortMultipartUpload, Refusal> {
    let (bucket, key) = (bucket(&request.input.bucket)?, key(&request.input.key)?);
    let upload = opener.open(&request.input.upload_id, &bucket, &key, Use::GiveUp)?;
    Ok(AbortMultipartUpload { bucket, key, upload })
}

/// `ListParts`
pub(in crate::gateway) fn parts(
    request: &S3Request<ListPartsInput>,
    opener: &Opener<'_>,
) -> Result<ListParts, Refusal> {
    let input = &request.input;
    let (bucket, key) = (bucket(&input.bucket)?, key(&input.key)?);
    let upload = opener.open(&input.upload_id, &bucket, &key, Use::Continue)?;
    let after = u32::try_from(input.part_number_marker.unwrap_or_default()).ok();
    let after = after
        .filter(|after| *after <= limits::PARTS_MAX)
        .ok_or_else(|| Refusal::new(Code::InvalidArgument, "part-number-marker is not the number of a part."))?;
    Ok(ListParts { bucket, key, upload, after, max_parts: page_size(input.max_parts, "max-parts")? })
}

/// `ListMultipartUploads`
pub(in crate::gateway) fn uploads(
    request: &S3Request<ListMultipartUploadsInput>,
) -> Result<ListMultipartUploads, Refusal> {
    let input = &request.input;
    Ok(ListMultipartUploads {
        bucket: bucket(&input.bucket)?,
        prefix: prefix(input.prefix.as_deref())?,
        delimiter: delimiter(input.delimiter.as_deref()),
        key_marker: position(input.key_marker.as_deref())?,
        max_uploads: page_size(input.max_uploads, "max-uploads")?,
        url_encoded: url_encoded(input.encoding_type.as_ref().map(s3s::dto::EncodingType::as_str))?,
    })
}

/// `CopyObject`
pub(in crate::gateway) fn copy(request: &S3Request<CopyObjectInput>, call: &Call) -> Result<CopyObject, Refusal> {
    let headers = &call.headers;
    let head = written::new_head(headers)?;
    let replaces_head = written::replaces(headers, "x-amz-metadata-directive")?;
    let replaces_tags = written::replaces(headers, "x-amz-tagging-directive")?;
    let op = CopyObject {
        source: written::copy_source(headers)?,
        bucket: bucket(&request.input.bucket)?,
        key: key(&request.input.key)?,
        tags: replaces_tags.then(|| head.tags.clone()),
        storage_class: head.storage_class.clone(),
        encrypted: head.encrypted,
        checksum: written::checksum_algorithm(headers)?,
        only_if: written::only_if(headers)?,
        head: replaces_head.then_some(head),
    };
    let same = op.source.bucket == op.bucket && op.source.key == op.key && op.source.version.is_none();
    if same && op.head.is_none() && op.tags.is_none() && op.storage_class.is_none() && !op.encrypted {
        return Err(Refusal::new(
            Code::InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(op)
}

/// `UploadPartCopy`
pub(in crate::gateway) fn copy_part(
    request: &S3Request<UploadPartCopyInput>,
    call: &Call,
    opener: &Opener<'_>,
) -> Result<UploadPartCopy, Refusal> {
    let input = &request.input;
    let (bucket, key) = (bucket(&input.bucket)?, key(&input.key)?);
    let upload = opener.open(&input.upload_id, &bucket, &key, Use::Continue)?;
    Ok(UploadPartCopy {
        source: written::copy_source(&call.headers)?,
        range: written::copy_range(&call.headers)?,
        part: part_number(input.part_number)?,
        bucket,
        key,
        upload,
    })
}

/// `DeleteObject`
pub(in crate::gateway) fn delete(request: &S3Request<DeleteObjectInput>) -> Result<DeleteObject, Refusal> {
    let input = &request.input;
    Ok(DeleteObject {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        version: version(input.version_id.as_deref())?,
    })
}

/// One key of `DeleteObjects`.
pub(in crate::gateway) fn delete_one(within: &Bucket, named: &ObjectIdentifier) -> Result<DeleteObject, Refusal> {
    if named.e_tag.is_some() || named.last_modified_time.is_some() || named.size.is_some() {
        return Err(Refusal::new(Code::NotImplemented, "Deleting under a condition is not served."));
    }
    Ok(DeleteObject { bucket: within.clone(), key: key(&named.key)?, version: version(named.version_id.as_deref())? })
}

/// `GetObjectTagging`
pub(in crate::gateway) fn tags(request: &S3Request<GetObjectTaggingInput>) -> Result<GetObjectTagging, Refusal> {
    let input = &request.input;
    Ok(GetObjectTagging {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        version: version(input.version_id.as_deref())?,
    })
}

/// `PutObjectTagging`
pub(in crate::gateway) fn put_tags(request: &S3Request<PutObjectTaggingInput>) -> Result<PutObjectTagging, Refusal> {
    let input = &request.input;
    let tags = input
        .tagging
        .tag_set
        .iter()
        .map(|tag| Tag { key: tag.key.clone().unwrap_or_default(), value: tag.value.clone().unwrap_or_default() });
    let tags: Vec<Tag> = tags.collect();
    written::check_tags(&tags)?;
    Ok(PutObjectTagging {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        version: version(input.version_id.as_deref())?,
        tags: Some(tags),
    })
}

/// `DeleteObjectTagging`
pub(in crate::gateway) fn delete_tags(
    request: &S3Request<DeleteObjectTaggingInput>,
) -> Result<PutObjectTagging, Refusal> {
    let input = &request.input;
    Ok(PutObjectTagging {
        bucket: bucket(&input.bucket)?,
        key: key(&input.key)?,
        version: version(input.version_id.as_deref())?,
        tags: None,
    })
}

/// `versionId`
pub(in crate::gateway) fn version(text: Option<&str>) -> Result<Option<VersionId>, Refusal> {
    let wrong = |error| Refusal::new(Code::InvalidArgument, format!("Invalid version id specified: it {error}."));
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

fn part_number(number: i32) -> Result<u32, Refusal> {
    part(Some(number))?.ok_or_else(|| Refusal::new(Code::InvalidArgument, "There is no part number."))
}

fn page_size(given: Option<i32>, name: &str) -> Result<u32, Refusal> {
    let wrong = |_| Refusal::new(Code::InvalidArgument, format!("{name} must not be negative."));
    let asked = given.map_or(Ok(limits::PAGE_KEYS_MAX), u32::try_from).map_err(wrong)?;
    Ok(asked.min(limits::PAGE_KEYS_MAX))
}

fn one_checksum<const N: usize>(sent: [(Algorithm, &Option<String>); N]) -> Result<Option<Checksum>, Refusal> {
    let mut found = sent.into_iter().filter_map(|(algorithm, value)| {
        value.as_ref().map(|value| Checksum { algorithm, value: value.as_str().into() })
    });
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Refusal::new(Code::MalformedXml, "A part has two checksums.")),
    }
}
