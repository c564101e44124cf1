//! Reads: objects, heads, attributes, listings of keys.

use aws_sdk_s3::types::ObjectAttributes;
use futures::StreamExt as _;
use http::header::{IF_MATCH, RANGE};
use http::{HeaderValue, Method};

use super::listing::Page;
use super::thin::Call;
use super::trouble::Asked;
use super::{Aws, answer, id, quoted, range_header};
use crate::backend::{Ask, Fetch, Trouble, VersionsAsk};
use crate::limits;
use crate::s3::answer::{Attributes, Batch, Headed, Object};
use crate::s3::name::{Bucket, Key, VersionId};
use crate::s3::order;

impl Aws {
    pub(super) async fn get_object(&self, bucket: &Bucket, key: &Key, fetch: &Fetch) -> Result<Object, Trouble> {
        self.check_unfolded(bucket, key, fetch.version.as_ref()).await?;
        let range = fetch.range.map(|range| Ok((RANGE, value(&range_header(range))?)));
        let pin = fetch.pin.as_ref().map(|pin| Ok((IF_MATCH, value(&quoted(pin))?)));
        let headers = range.into_iter().chain(pin).collect::<Result<_, Trouble>>()?;
        let query = parameters(fetch.part, fetch.version.as_ref());
        let call = Call { method: Method::GET, bucket, key: Some(key), query, headers };
        let found = self.thin.send(asked(fetch.version.as_ref()), &call).await?;
        answer::object(found, fetch, self.timeouts.idle)
    }

    /// Reads an object to its end and keeps nothing but the number of its bytes: what a read costs by itself.
    ///
    /// # Errors
    /// As of GetObject; a body that breaks off is [`Trouble::Broken`].
    pub async fn read_away(&self, bucket: &Bucket, key: &Key) -> Result<u64, Trouble> {
        let mut body = self.get_object(bucket, key, &Fetch::default()).await?.body;
        let mut bytes = 0;
        while let Some(piece) = body.next().await {
            bytes += piece.map_err(|error| Trouble::Broken(error.to_string()))?.len() as u64;
        }
        Ok(bytes)
    }

    pub(super) async fn head_object(
        &self,
        bucket: &Bucket,
        key: &Key,
        version: Option<&VersionId>,
        part: Option<u32>,
    ) -> Result<Headed, Trouble> {
        self.check_unfolded(bucket, key, version).await?;
        let (query, headers) = (parameters(part, version), Vec::new());
        let call = Call { method: Method::HEAD, bucket, key: Some(key), query, headers };
        answer::head(&self.thin.send(asked(version), &call).await?, part)
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
        let mut token = None;
        for _ in 0..limits::LIST_EMPTY_PAGES_MAX {
            let page = self.page(bucket, &ask, max, token).await?;
            // A page may be empty and still not be the last; only the backend's own token leads on from there.
            token = page.token.clone();
            let batch = page.batch()?;
            if batch.is_some() || max == 0 {
                return Ok(batch.unwrap_or_default());
            }
        }
        Err(Trouble::Broken("its listing sends one empty page after the other".to_owned()))
    }

    pub(super) async fn probe_bucket(&self, bucket: &Bucket) -> Result<(), Trouble> {
        let ask = Ask { prefix: String::new(), after: None, delimiter: None, max: 1 };
        self.page(bucket, &ask, 1, None).await.map(drop)
    }

    /// One page of at most so many keys, from that token on.
    async fn page(&self, bucket: &Bucket, ask: &Ask, max: u32, token: Option<String>) -> Result<Page, Trouble> {
        let parameters = [
            ("continuation-token", token),
            ("delimiter", ask.delimiter.clone()),
            ("encoding-type", Some("url".to_owned())),
            ("list-type", Some("2".to_owned())),
            ("max-keys", Some(max.to_string())),
            ("prefix", Some(ask.prefix.clone())),
            ("start-after", ask.after.clone()),
        ];
        let query = parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let call = Call { method: Method::GET, bucket, key: None, query, headers: Vec::new() };
        Page::read(&self.thin.document(Asked::Bucket, &call, limits::BACKEND_LISTING_BYTES_MAX).await?, max)
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
    ///
    /// Some stores on file systems list what they are asked for under the name that they are asked by: the key's first
    /// empty segment must show, too, where nobody named it.
    pub(super) async fn lists(&self, bucket: &Bucket, key: &Key, deleted: bool) -> Result<bool, Trouble> {
        let name = key.as_str();
        if let Some(at) = empty_segment(name) {
            let (parent, odd) = (&name[..at], &name[..=at]);
            if !self.shows(bucket, parent, order::before(odd), Some("/"), odd, deleted).await? {
                return Ok(false);
            }
        }
        // No key that begins so stands before the key itself.
        self.shows(bucket, name, None, None, name, deleted).await
    }

    /// Whether a listing of what begins so, behind that place, shows that name.
    async fn shows(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<String>,
        delimiter: Option<&str>,
        name: &str,
        deleted: bool,
    ) -> Result<bool, Trouble> {
        let (prefix, delimiter, max) = (prefix.to_owned(), delimiter.map(str::to_owned), limits::LIST_PROBE_KEYS);
        if deleted {
            let ask = VersionsAsk { prefix, after: after.map(|after| (after, None)), delimiter, max };
            return Ok(self.list_versions(bucket, ask).await?.items.iter().any(|item| item.name() == name));
        }
        let ask = Ask { prefix, after, delimiter, max };
        Ok(self.list_objects(bucket, ask).await?.items.iter().any(|item| item.name() == name))
    }
}

/// Whether a store on a file system could take it for another key.
pub(super) fn has_empty_segment(key: &Key) -> bool {
    empty_segment(key.as_str()).is_some()
}

/// Offset of the slash that ends the first empty segment.
fn empty_segment(name: &str) -> Option<usize> {
    if name.starts_with('/') { Some(0) } else { name.find("//").map(|at| at + 1) }
}

/// `partNumber` and `versionId`
fn parameters(part: Option<u32>, version: Option<&VersionId>) -> Vec<(&'static str, String)> {
    let part = part.map(|part| ("partNumber", part.to_string()));
    part.into_iter().chain(version.map(|version| ("versionId", id(version)))).collect()
}

fn value(text: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(text).map_err(|_| Trouble::Broken("the request could not be made".to_owned()))
}

/// What an answer without a body is about.
pub(super) fn asked(version: Option<&VersionId>) -> Asked {
    version.map_or(Asked::Object, |_| Asked::Version)
}
