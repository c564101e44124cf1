//! Reads: objects, heads, attributes, listings of keys.

use aws_sdk_s3::types::{EncodingType, ObjectAttributes};

use super::trouble::Asked;
use super::{Aws, answer, id, part_number, quoted, range_header};
use crate::backend::{Ask, Fetch, Trouble, VersionsAsk};
use crate::limits;
use crate::s3::answer::{Attributes, Batch, Headed, Object};
use crate::s3::name::{Bucket, Key, VersionId};

impl Aws {
    pub(super) async fn get_object(&self, bucket: &Bucket, key: &Key, fetch: &Fetch) -> Result<Object, Trouble> {
        self.check_unfolded(bucket, key, fetch.version.as_ref()).await?;
        let request = self
            .client
            .get_object()
            .bucket(self.inside(bucket)?)
            .key(key.as_str())
            .set_version_id(fetch.version.as_ref().map(id))
            .set_range(fetch.range.map(range_header))
            .set_part_number(fetch.part.map(part_number))
            .set_if_match(fetch.pin.as_ref().map(quoted));
        let found = self.settled(asked(fetch.version.as_ref()), request.send()).await?;
        answer::object(found, fetch, self.timeouts.idle)
    }

    pub(super) async fn head_object(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        self.check_unfolded(bucket, key, version).await?;
        let request = self
            .client
            .head_object()
            .bucket(self.inside(bucket)?)
            .key(key.as_str())
            .set_version_id(version.map(id))
            .set_part_number(part.map(part_number));
        answer::head(self.settled(asked(version), request.send()).await?)
    }

    pub(super) async fn object_attributes(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
    ) -> Result<Attributes, Trouble> {
        self.check_unfolded(bucket, key, version).await?;
        let mut request = self
            .client
            .get_object_attributes()
            .bucket(self.inside(bucket)?)
            .key(key.as_str())
            .set_version_id(version.map(id));
        for wanted in [
            ObjectAttributes::Etag,
            ObjectAttributes::Checksum,
            ObjectAttributes::ObjectParts,
            ObjectAttributes::StorageClass,
            ObjectAttributes::ObjectSize,
        ] {
            request = request.object_attributes(wanted);
        }
        answer::attributes(self.settled(asked(version), request.send()).await?)
    }

    pub(super) async fn list_objects(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        let max = ask.max.min(limits::PAGE_KEYS_MAX);
        let request = self
            .client
            .list_objects_v2()
            .bucket(self.inside(bucket)?)
            .prefix(ask.prefix)
            .set_start_after(ask.after)
            .set_delimiter(ask.delimiter)
            .encoding_type(EncodingType::Url)
            .max_keys(max.cast_signed());
        let mut token = None;
        for _ in 0..limits::LIST_EMPTY_PAGES_MAX {
            let sent = request.clone().set_continuation_token(token.take()).send();
            let found = self.settled(Asked::Bucket, sent).await?;
            // A page may be empty and still not be the last; only the backend's own token leads on from there.
            token = found.next_continuation_token().map(str::to_owned);
            let batch = answer::batch(found)?;
            if batch.is_some() || max == 0 {
                return Ok(batch.unwrap_or_default());
            }
        }
        Err(Trouble::Broken("its listing sends one empty page after the other".to_owned()))
    }

    pub(super) async fn probe_bucket(&self, bucket: &Bucket) -> Result<(), Trouble> {
        let request = self.client.list_objects_v2().bucket(self.inside(bucket)?).max_keys(1);
        self.settled(Asked::Bucket, request.send()).await.map(drop)
    }

    /// A store on a file system may fold empty segments (`a//b`, `/a`) and answer with the object of another key, which
    /// nobody has authorised: such a key is read only where the store lists an object of exactly that name.
    pub(super) async fn check_unfolded(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
    ) -> Result<(), Trouble> {
        if !has_empty_segment(key) || self.lists(bucket, key, version.is_some()).await? {
            return Ok(());
        }
        Err(if version.is_some() { Trouble::NoSuchVersion } else { Trouble::NoSuchKey })
    }

    /// Whether exactly that key is listed, with an object or, if `deleted` counts, with any version.
    pub(super) async fn lists(&self, bucket: &Bucket, key: &Key, deleted: bool) -> Result<bool, Trouble> {
        let (prefix, name) = (key.as_str().to_owned(), key.as_str());
        // No key that begins so stands before the key itself.
        if deleted {
            let ask = VersionsAsk { prefix, after: None, delimiter: None, max: 1 };
            return Ok(self.list_versions(bucket, ask).await?.items.iter().any(|item| item.name() == name));
        }
        let ask = Ask { prefix, after: None, delimiter: None, max: 1 };
        Ok(self.list_objects(bucket, ask).await?.items.iter().any(|item| item.name() == name))
    }
}

/// Whether a store on a file system could take it for another key.
pub(super) fn has_empty_segment(key: &Key) -> bool {
    key.as_str().starts_with('/') || key.as_str().contains("//")
}

/// What an answer without a body is about.
pub(super) fn asked(version: Option<&VersionId>) -> Asked {
    version.map_or(Asked::Object, |_| Asked::Version)
}
