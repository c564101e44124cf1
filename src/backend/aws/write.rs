//! Objects, parts and tags are written.

use std::collections::HashMap;

use aws_sdk_s3::types::{ServerSideEncryption, StorageClass, Tag as SdkTag, Tagging};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::proof::{self, Proof};
use super::read::asked;
use super::trouble::Asked;
use super::{Aws, id, part_number, quoted, sending, stored};
use crate::backend::Trouble;
use crate::limits;
use crate::s3::answer::{Stored, Tag};
use crate::s3::operation::write::{GetObjectTagging, NewHead, OnlyIf, PutObject, PutObjectTagging, UploadPart};
use crate::s3::payload::Upload;

/// What stands as it is in a query (RFC 3986, section 2.3).
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a new object is stored with, as three requests of the SDK take it alike.
macro_rules! with_head {
    ($request:expr, $head:expr) => {{
        let head: &$crate::s3::operation::write::NewHead = $head;
        $request
            .set_content_type(head.content_type.clone())
            .set_content_encoding(head.content_encoding.clone())
            .set_content_disposition(head.content_disposition.clone())
            .set_content_language(head.content_language.clone())
            .set_cache_control(head.cache_control.clone())
            .set_storage_class(head.storage_class.as_deref().map(Into::into))
            .set_server_side_encryption($crate::backend::aws::write::encryption(head))
            .set_metadata($crate::backend::aws::write::metadata(head))
    }};
}
pub(super) use with_head;

/// A checksum, in the field that the SDK has for its algorithm.
macro_rules! with_checksum {
    ($request:expr, $checksum:expr) => {{
        use $crate::s3::checksum::Algorithm;
        let checksum: Option<&$crate::s3::checksum::Checksum> = $checksum;
        match checksum.map(|checksum| (checksum.algorithm, checksum.value.to_string())) {
            None => $request,
            Some((Algorithm::Crc32, value)) => $request.checksum_crc32(value),
            Some((Algorithm::Crc32c, value)) => $request.checksum_crc32_c(value),
            Some((Algorithm::Crc64Nvme, value)) => $request.checksum_crc64_nvme(value),
            Some((Algorithm::Sha1, value)) => $request.checksum_sha1(value),
            Some((Algorithm::Sha256, value)) => $request.checksum_sha256(value),
            Some((Algorithm::Sha512, value)) => $request.checksum_sha512(value),
            Some((Algorithm::Md5, value)) => $request.checksum_md5(value),
            Some((Algorithm::Xxhash64, value)) => $request.checksum_xxhash64(value),
            Some((Algorithm::Xxhash3, value)) => $request.checksum_xxhash3(value),
            Some((Algorithm::Xxhash128, value)) => $request.checksum_xxhash128(value),
        }
    }};
}
pub(super) use with_checksum;

impl Aws {
    pub(super) async fn put_object(&self, op: &PutObject, only_if: &OnlyIf, upload: Upload) -> Result<Stored, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        self.put_unchecked(op, only_if, upload).await
    }

    /// The same, also where a key with empty segments may be taken for another.
    pub(super) async fn put_unchecked(
        &self,
        op: &PutObject,
        only_if: &OnlyIf,
        upload: Upload,
    ) -> Result<Stored, Trouble> {
        let (upload, whole) = sending::peeked(upload).await?;
        let mut proof = Proof::of(&upload, whole.as_ref(), Some(proof::OWN));
        if proof.trailing.is_some() && !self.unframes(&op.bucket).await {
            proof = proof.unframed();
        }
        self.put_proven(op, only_if, upload, &proof).await
    }

    pub(super) async fn put_proven(
        &self,
        op: &PutObject,
        only_if: &OnlyIf,
        upload: Upload,
        proof: &Proof,
    ) -> Result<Stored, Trouble> {
        let length = length(&upload)?;
        let (if_match, if_none_match) = conditions(only_if);
        let request = with_checksum!(self.client.put_object(), proof.ahead.as_ref());
        let request = with_head!(request, &op.head)
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .set_content_length(proof.trailing.is_none().then_some(length))
            .set_checksum_algorithm(proof.trailing.clone())
            .set_content_md5(proof.md5.clone())
            .set_tagging(tagging(&op.head.tags))
            .set_if_match(if_match)
            .set_if_none_match(if_none_match);
        let expires = expires(&op.head)?;
        let (body, watch) = sending::body(upload, self.timeouts);
        let request = request.body(body).customize().config_override(proof.computing());
        let request = request.mutate_request(move |request| {
            expires.iter().for_each(|at| drop(request.headers_mut().try_insert("expires", at.clone())));
        });
        let found = self.sent(Asked::Write, request.send(), watch).await?;
        stored::put(&found)
    }

    /// A part without the caller's checksum goes without: whether its upload takes one, and which, was said when it was
    /// begun.
    pub(super) async fn upload_part(&self, op: &UploadPart, upload: Upload) -> Result<Stored, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let length = length(&upload)?;
        let (upload, whole) = sending::peeked(upload).await?;
        let proof = Proof::of(&upload, whole.as_ref(), None);
        let request = with_checksum!(self.client.upload_part(), proof.ahead.as_ref())
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .upload_id(&*op.upload.inside)
            .part_number(part_number(op.part))
            .set_content_length(proof.trailing.is_none().then_some(length))
            .set_checksum_algorithm(proof.trailing.clone())
            .set_content_md5(proof.md5.clone());
        let (body, watch) = sending::body(upload, self.timeouts);
        let request = request.body(body).customize().config_override(proof.computing());
        let found = self.sent(Asked::Upload, request.send(), watch).await?;
        stored::part(&found)
    }

    pub(super) async fn object_tags(&self, op: &GetObjectTagging) -> Result<Vec<Tag>, Trouble> {
        let version = op.version.as_ref();
        self.check_unfolded(&op.bucket, &op.key, version).await?;
        let request = self
            .client
            .get_object_tagging()
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .set_version_id(version.map(id));
        let found = self.settled(asked(version), request.send()).await?;
        let tag = |tag: SdkTag| Tag { key: tag.key, value: tag.value };
        Ok(found.tag_set.into_iter().map(tag).collect())
    }

    pub(super) async fn set_object_tags(&self, op: &PutObjectTagging) -> Result<(), Trouble> {
        let (version, bucket) = (op.version.as_ref(), self.inside(&op.bucket)?);
        self.check_unfolded(&op.bucket, &op.key, version).await?;
        let Some(tags) = &op.tags else {
            let request = self.client.delete_object_tagging().bucket(bucket).key(op.key.as_str());
            let sent = request.set_version_id(version.map(id)).send();
            return self.settled(asked(version), sent).await.map(drop);
        };
        let wrong = |_| Trouble::Invalid("tag");
        let tag = |tag: &Tag| SdkTag::builder().key(&tag.key).value(&tag.value).build().map_err(wrong);
        let tags = tags.iter().map(tag).collect::<Result<_, _>>()?;
        let request = self
            .client
            .put_object_tagging()
            .bucket(bucket)
            .key(op.key.as_str())
            .set_version_id(version.map(id))
            .tagging(Tagging::builder().set_tag_set(Some(tags)).build().map_err(wrong)?);
        self.settled(asked(version), request.send()).await.map(drop)
    }
}

/// The length of a body in the SDK's measure.
fn length(upload: &Upload) -> Result<i64, Trouble> {
    if upload.length > limits::UPLOAD_BYTES_MAX {
        return Err(Trouble::TooLarge);
    }
    i64::try_from(upload.length).map_err(|_| Trouble::TooLarge)
}

/// `If-Match` and `If-None-Match`.
pub(super) fn conditions(only_if: &OnlyIf) -> (Option<String>, Option<String>) {
    match only_if {
        OnlyIf::Always => (None, None),
        OnlyIf::Absent => (None, Some("*".to_owned())),
        OnlyIf::Matches(tag) => (Some(quoted(tag)), None),
    }
}

/// `Expires` as it was sent; the SDK would take a date only, and S3 keeps any text.
pub(super) fn expires(head: &NewHead) -> Result<Option<String>, Trouble> {
    let Some(text) = &head.expires else { return Ok(None) };
    http::HeaderValue::from_str(text).map(|_| Some(text.clone())).map_err(|_| Trouble::Invalid("Expires"))
}

/// `x-amz-tagging`
pub(super) fn tagging(tags: &[Tag]) -> Option<String> {
    let encoded = |text| utf8_percent_encode(text, UNRESERVED);
    let pairs: Vec<String> = tags.iter().map(|tag| format!("{}={}", encoded(&tag.key), encoded(&tag.value))).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

pub(super) fn encryption(head: &NewHead) -> Option<ServerSideEncryption> {
    head.encrypted.then_some(ServerSideEncryption::Aes256)
}

pub(super) fn metadata(head: &NewHead) -> Option<HashMap<String, String>> {
    (!head.user_metadata.is_empty()).then(|| head.user_metadata.clone().into_iter().collect())
}

pub(super) fn storage_class(word: Option<&str>) -> Option<StorageClass> {
    word.map(StorageClass::from)
}
