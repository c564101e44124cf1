//! Copies within the store: no byte passes through here.

use aws_sdk_s3::types::{ChecksumAlgorithm, MetadataDirective, ServerSideEncryption, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::trouble::Asked;
use super::write::{conditions, expires, storage_class, tagging, with_head};
use super::{Aws, part_number, quoted, range_header, stored};
use crate::backend::Trouble;
use crate::s3::answer::{Copied, PartCopied};
use crate::s3::operation::ETag;
use crate::s3::operation::write::{CopyObject, CopySource, OnlyIf, UploadPartCopy};

/// What stands as it is in `x-amz-copy-source`: the rest is percent-encoded.
pub(super) const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

impl Aws {
    pub(super) async fn copy_object(&self, op: &CopyObject, only_if: &OnlyIf, pin: &ETag) -> Result<Copied, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let (if_match, if_none_match) = conditions(only_if);
        let mut request = self
            .client
            .copy_object()
            .copy_source(self.source_header(&op.source).await?)
            .copy_source_if_match(quoted(pin))
            .set_if_match(if_match)
            .set_if_none_match(if_none_match);
        if let Some(head) = &op.head {
            request = with_head!(request, head).metadata_directive(MetadataDirective::Replace);
        }
        if let Some(tags) = &op.tags {
            request = request.tagging_directive(TaggingDirective::Replace).set_tagging(tagging(tags));
        }
        if op.storage_class.is_some() {
            request = request.set_storage_class(storage_class(op.storage_class.as_deref()));
        }
        if op.encrypted {
            request = request.server_side_encryption(ServerSideEncryption::Aes256);
        }
        if let Some(algorithm) = op.checksum {
            request = request.checksum_algorithm(ChecksumAlgorithm::from(algorithm.word()));
        }
        let expires = op.head.as_ref().map(expires).transpose()?.flatten();
        let request = request.bucket(self.inside(&op.bucket)?).key(op.key.as_str());
        let request = request.customize().mutate_request(move |request| {
            expires.iter().for_each(|at| drop(request.headers_mut().try_insert("expires", at.clone())));
        });
        match self.settled_late(Asked::Copy, request.send()).await {
            Ok(found) => stored::copied(&found).map(|copied| versioned(copied, &op.source)),
            Err(Trouble::Changed) => Err(self.which_condition(op, only_if, pin).await?),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn upload_part_copy(&self, op: &UploadPartCopy, pin: &ETag) -> Result<PartCopied, Trouble> {
        self.check_apart(&op.bucket, &op.key).await?;
        let request = self
            .client
            .upload_part_copy()
            .copy_source(self.source_header(&op.source).await?)
            .copy_source_if_match(quoted(pin))
            .set_copy_source_range(op.range.map(range_header))
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .upload_id(&*op.upload.inside)
            .part_number(part_number(op.part));
        let found = self.settled_late(Asked::Copy, request.send()).await?;
        stored::part_copied(&found).map(|copied| versioned(copied, &op.source))
    }

    /// `x-amz-copy-source`
    async fn source_header(&self, source: &CopySource) -> Result<String, Trouble> {
        self.check_unfolded(&source.bucket, &source.key, source.version.as_ref()).await?;
        let (bucket, key) = (self.inside(&source.bucket)?, utf8_percent_encode(source.key.as_str(), PLAIN));
        Ok(match &source.version {
            None => format!("{bucket}/{key}"),
            Some(version) => {
                format!("{bucket}/{key}?versionId={}", utf8_percent_encode(version.as_str(), NON_ALPHANUMERIC))
            }
        })
    }

    /// A 412 does not say whether it is about the source or about what is there: a look at the source does.
    async fn which_condition(&self, op: &CopyObject, only_if: &OnlyIf, pin: &ETag) -> Result<Trouble, Trouble> {
        if *only_if == OnlyIf::Always {
            return Ok(Trouble::Changed);
        }
        let source = &op.source;
        let found = self.head_object(&source.bucket, &source.key, source.version.as_ref(), None).await?;
        Ok(if found.head.etag == *pin { Trouble::Occupied } else { Trouble::Changed })
    }
}

/// Not every store tells the version that it copied, but where one was named it is that one.
fn versioned(copied: Copied, source: &CopySource) -> Copied {
    Copied { source_version: copied.source_version.or_else(|| source.version.clone()), ..copied }
}
