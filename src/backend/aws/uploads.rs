//! Uploads in parts: begun, put together, given up, listed.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType};

use super::trouble::Asked;
use super::write::{conditions, expires, tagging, with_checksum, with_head};
use super::{Aws, part_number, quoted, stored};
use crate::backend::{Trouble, UploadsAsk};
use crate::limits;
use crate::s3::answer::{PartPage, Stored, UploadBatch};
use crate::s3::name::Bucket;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, ListParts, OnlyIf, PartNamed, UploadId,
};

impl Aws {
    pub(super) async fn create_upload(&self, op: &CreateMultipartUpload) -> Result<UploadId, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let plan = op.checksum.as_ref();
        let request = with_head!(self.client.create_multipart_upload(), &op.head)
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .set_tagging(tagging(&op.head.tags))
            .set_checksum_algorithm(plan.map(|plan| ChecksumAlgorithm::from(plan.algorithm.word())))
            .set_checksum_type(plan.and_then(|plan| checksum_type(plan.full_object)));
        let expires = expires(&op.head)?;
        let request = request.customize().mutate_request(move |request| {
            expires.iter().for_each(|at| drop(request.headers_mut().try_insert("expires", at.clone())));
        });
        let found = self.settled(Asked::Write, request.send()).await?;
        let id = found.upload_id.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Trouble::Broken("it sent no id of the upload".to_owned()))?;
        Ok(UploadId { inside: id.into() })
    }

    pub(super) async fn complete_upload(
        &self,
        op: &CompleteMultipartUpload,
        only_if: &OnlyIf,
    ) -> Result<Stored, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let parts = op.parts.iter().map(completed).collect();
        let (if_match, if_none_match) = conditions(only_if);
        let request = with_checksum!(self.client.complete_multipart_upload(), op.checksum.as_ref())
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .upload_id(&*op.upload.inside)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_checksum_type(checksum_type(op.full_object))
            .set_mpu_object_size(op.size.map(u64::cast_signed))
            .set_if_match(if_match)
            .set_if_none_match(if_none_match);
        let found = self.settled_late(Asked::Upload, request.send()).await?;
        stored::completed(&found)
    }

    pub(super) async fn abort_upload(&self, op: &AbortMultipartUpload) -> Result<(), Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let request = self.client.abort_multipart_upload().bucket(self.inside(&op.bucket)?).key(op.key.as_str());
        self.settled(Asked::Upload, request.upload_id(&*op.upload.inside).send()).await.map(drop)
    }

    pub(super) async fn list_parts(&self, op: &ListParts) -> Result<PartPage, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let max = op.max_parts.min(limits::PAGE_KEYS_MAX);
        let request = self
            .client
            .list_parts()
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .upload_id(&*op.upload.inside)
            .part_number_marker(op.after.to_string())
            .max_parts(max.cast_signed());
        stored::parts(self.settled(Asked::Upload, request.send()).await?, max)
    }

    pub(super) async fn list_uploads(&self, bucket: &Bucket, ask: UploadsAsk) -> Result<UploadBatch, Trouble> {
        let (key_marker, id_marker) = ask.after.unzip();
        let max = ask.max.min(limits::PAGE_KEYS_MAX);
        let request = self
            .client
            .list_multipart_uploads()
            .bucket(self.inside(bucket)?)
            .prefix(ask.prefix)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .encoding_type(EncodingType::Url)
            .max_uploads(max.cast_signed());
        stored::uploads(self.settled(Asked::Bucket, request.send()).await?, max)
    }
}

fn completed(named: &PartNamed) -> CompletedPart {
    let part = CompletedPart::builder().part_number(part_number(named.part)).e_tag(quoted(&named.etag));
    with_checksum!(part, named.checksum.as_ref()).build()
}

fn checksum_type(full_object: Option<bool>) -> Option<ChecksumType> {
    full_object.map(|full| if full { ChecksumType::FullObject } else { ChecksumType::Composite })
}
