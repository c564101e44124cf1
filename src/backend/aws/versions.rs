//! The listing of versions.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};
use jiff::Timestamp;

use super::answer::{bounded, broken, decoded, natural, tag, time};
use super::trouble::Asked;
use super::{Aws, state_of};
use crate::backend::{Trouble, VersionsAsk};
use crate::limits;
use crate::s3::answer::{Listed, MarkerListed, VersionBatch, VersionItem, VersionListed, Versioning};
use crate::s3::name::Bucket;

impl Aws {
    /// `GetBucketVersioning`
    pub(super) async fn bucket_versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        let request = self.client.get_bucket_versioning().bucket(self.inside(bucket)?);
        state_of(self.settled(Asked::Bucket, request.send()).await?.status())
    }

    pub(super) async fn list_versions(&self, bucket: &Bucket, ask: VersionsAsk) -> Result<VersionBatch, Trouble> {
        let (key_marker, id_marker) = ask.after.unzip();
        let max = ask.max.min(limits::PAGE_KEYS_MAX);
        let request = self
            .client
            .list_object_versions()
            .bucket(self.inside(bucket)?)
            .prefix(ask.prefix)
            .set_key_marker(key_marker)
            .set_version_id_marker(id_marker.flatten())
            .set_delimiter(ask.delimiter)
            .encoding_type(EncodingType::Url)
            .max_keys(max.cast_signed());
        batch(self.settled(Asked::Bucket, request.send()).await?, max)
    }
}

/// Where an item stands: by key, then the current version, then by time, the newest first. S3 sends versions, delete
/// markers and common prefixes apart, each in order; sorting keeps the order of what is alike.
struct Placed {
    name: String,
    id: Option<String>,
    is_latest: bool,
    at: Option<Timestamp>,
    item: Option<VersionItem>,
}

fn batch(found: ListObjectVersionsOutput, max: u32) -> Result<VersionBatch, Trouble> {
    bounded(found.versions().len() + found.delete_markers().len() + found.common_prefixes().len(), max)?;
    let encoded = found.encoding_type == Some(EncodingType::Url);
    let mut placed = Vec::new();
    for version in found.versions.unwrap_or_default() {
        placed.push(version_placed(decoded(version.key(), encoded)?, version)?);
    }
    for marker in found.delete_markers.unwrap_or_default() {
        placed.push(marker_placed(decoded(marker.key(), encoded)?, &marker)?);
    }
    for common in found.common_prefixes.unwrap_or_default() {
        let name = decoded(common.prefix(), encoded)?;
        let item = name.parse().ok().map(VersionItem::Common);
        placed.push(Placed { name, id: None, is_latest: false, at: None, item });
    }
    placed.sort_by(|one, other| {
        one.name.cmp(&other.name).then(other.is_latest.cmp(&one.is_latest)).then(other.at.cmp(&one.at))
    });
    let mut batch = VersionBatch::default();
    if found.is_truncated.unwrap_or_default() {
        // Not every store says where it goes on; where it does, that is behind the last item.
        let last = placed.last().map(|last| (last.name.clone(), last.id.clone()));
        batch.more_after = match found.next_key_marker.as_deref().filter(|marker| !marker.is_empty()) {
            Some(marker) => {
                let id = found.next_version_id_marker.filter(|id| !id.is_empty());
                Some((decoded(Some(marker), encoded)?, id))
            }
            None => Some(last.ok_or_else(|| broken("its listing of versions does not say where it goes on"))?),
        };
    }
    for placed in placed {
        match placed.item {
            Some(item) => batch.items.push(item),
            None => batch.unnameable += 1,
        }
    }
    Ok(batch)
}

fn version_placed(name: String, version: ObjectVersion) -> Result<Placed, Trouble> {
    let last_modified = time(version.last_modified.as_ref())?;
    let is_latest = version.is_latest.unwrap_or_default();
    let (size, etag) = (natural(version.size, "a size")?, tag(version.e_tag)?);
    let storage_class = version.storage_class.map(|class| class.as_str().to_owned());
    let named = name.parse().ok().zip(version.version_id.as_deref().unwrap_or("null").parse().ok());
    let item = named.map(|(key, id)| {
        let object = Listed { key, size, last_modified, etag, storage_class };
        VersionItem::Version(VersionListed { object, id, is_latest })
    });
    Ok(Placed { name, id: version.version_id, is_latest, at: Some(last_modified), item })
}

fn marker_placed(name: String, marker: &DeleteMarkerEntry) -> Result<Placed, Trouble> {
    let last_modified = time(marker.last_modified.as_ref())?;
    let is_latest = marker.is_latest.unwrap_or_default();
    let named = name.parse().ok().zip(marker.version_id().unwrap_or("null").parse().ok());
    let item = named.map(|(key, id)| VersionItem::DeleteMarker(MarkerListed { key, id, is_latest, last_modified }));
    let id = marker.version_id().map(str::to_owned);
    Ok(Placed { name, id, is_latest, at: Some(last_modified), item })
}
