//! Where a bucket is: its address, and what requests to it are signed for. By the SDK's own rules of endpoints.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use http::Uri;
use jiff::civil::Date;

use super::credentials::Credential;
use super::origin::Origin;
use super::sign::DayKey;
use crate::backend::Trouble;
use crate::backend::aws::AwsError;

/// What a signature is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) region: Box<str>,
    /// `s3`, but for a few kinds of buckets.
    pub(super) service: Box<str>,
}

/// Where one bucket is, by the SDK's rules.
pub(super) struct Found {
    /// Scheme, host and port.
    pub(super) origin: Uri,
    /// What stands before `/KEY`: nothing, or `/BUCKET`.
    pub(super) path: String,
    pub(super) scope: Scope,
}

/// One bucket, ready to be asked.
pub(super) struct Place {
    pub(super) origin: Arc<Origin>,
    pub(super) path: String,
    scope: Scope,
    key: ArcSwapOption<DayKey>,
}

impl Place {
    pub(super) fn new(found: Found, origin: Arc<Origin>) -> Self {
        Self { origin, path: found.path, scope: found.scope, key: ArcSwapOption::empty() }
    }

    /// The key that signs for it on that day. Derived once a day and credential.
    pub(super) fn key(&self, credential: &Arc<Credential>, day: Date) -> Result<Arc<DayKey>, Trouble> {
        if let Some(key) = &*self.key.load()
            && key.is_of(credential, day)
        {
            return Ok(key.clone());
        }
        let key = Arc::new(DayKey::new(credential.clone(), &self.scope, day)?);
        self.key.store(Some(key.clone()));
        Ok(key)
    }
}

/// Where the bucket of that name is.
///
/// # Errors
/// A name or region that makes no address, or a kind of bucket that is signed for otherwise than by Signature Version 4.
pub(super) async fn find(
    endpoint: Option<&str>,
    region: &str,
    path_style: bool,
    bucket: &str,
) -> Result<Found, AwsError> {
    let unusable = |why: String| AwsError::Client(format!("bucket {bucket:?}: {why}"));
    if bucket.is_empty() {
        // The rules would give the store's own address, below which the first segment of a key names a bucket.
        return Err(unusable("it has no name".to_owned()));
    }
    let params = Params::builder()
        .bucket(bucket)
        .region(region)
        .set_endpoint(endpoint.map(str::to_owned))
        .force_path_style(path_style)
        .disable_s3_express_session_auth(true)
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let found = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| unusable(error.to_string()))?;
    let url: Uri = found.url().parse().map_err(|_| unusable("it makes no address".to_owned()))?;
    let scheme =
        found.auth_schemes().iter().find(|scheme| scheme.name().starts_with("sigv4") && scheme.name() != "sigv4a");
    let scheme = scheme.ok_or_else(|| unusable("it is not signed for by Signature Version 4".to_owned()))?;
    let said =
        |name: &str, otherwise: &str| scheme.get(name).and_then(|value| value.as_string()).unwrap_or(otherwise).into();
    let scope = Scope { region: said("signingRegion", region), service: said("signingName", "s3") };
    let path = url.path().trim_end_matches('/').to_owned();
    let mut parts = url.into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    let origin = Uri::from_parts(parts).map_err(|_| unusable("it makes no address".to_owned()))?;
    Ok(Found { origin, path, scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bucket_is_where_the_sdk_finds_it() {
        let (minio, virtual_host) = (Some("http://minio:9000"), Some("https://store.example"));
        for (endpoint, region, path_style, bucket, origin, path) in [
            (None, "eu-central-1", false, "traces", "https://traces.s3.eu-central-1.amazonaws.com/", ""),
            (None, "eu-central-1", true, "traces", "https://s3.eu-central-1.amazonaws.com/", "/traces"),
            (None, "us-east-1", false, "a.b", "https://s3.us-east-1.amazonaws.com/", "/a.b"),
            (None, "cn-north-1", false, "traces", "https://traces.s3.cn-north-1.amazonaws.com.cn/", ""),
            (minio, "us-east-1", true, "traces", "http://minio:9000/", "/traces"),
            (minio, "us-east-1", false, "traces", "http://traces.minio:9000/", ""),
            (virtual_host, "us-east-1", false, "traces", "https://traces.store.example/", ""),
            (Some("http://127.0.0.1:80/"), "us-east-1", false, "traces", "http://127.0.0.1:80/", "/traces"),
        ] {
            let found = find(endpoint, region, path_style, bucket).await.unwrap();
            assert_eq!(
                (found.origin.to_string().as_str(), found.path.as_str()),
                (origin, path),
                "{endpoint:?} {bucket}"
            );
            assert_eq!(found.scope, Scope { region: region.into(), service: "s3".into() });
        }
        let elsewhere = "arn:aws:s3:us-west-2:123456789012:accesspoint/reader";
        let found = find(None, "eu-central-1", false, elsewhere).await.unwrap();
        assert_eq!(found.origin.host(), Some("reader-123456789012.s3-accesspoint.us-west-2.amazonaws.com"));
        assert_eq!(&*found.scope.region, "us-west-2");
        let many_regions = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap";
        for (region, bucket) in [("eu-central-1", many_regions), ("no region", "traces"), ("eu-central-1", "")] {
            assert!(find(None, region, false, bucket).await.is_err(), "{region} {bucket}");
        }
    }
}
