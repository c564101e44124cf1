//! The real bucket: what is asked often through a client of our own (`thin`), the rest through aws-sdk-s3.
//!
//! The SDK is held to one request per call: no retries (the client has its own), no checksums of its own choice, no
//! stalled-stream protection (it takes a slow reader for a dead peer), no redirects, no proxies from the environment.
//! The credential is known only to the signers; nothing here can print it.
//!
//! The SDK's read timeout is off as well: it would count the time that a caller takes to send a body. How long anything may
//! take is bounded here, see [`Timeouts`].

mod answer;
pub mod bucket;
mod copy;
mod delete;
mod listing;
mod outsider;
mod pausing;
mod proof;
mod read;
mod scratch;
mod sending;
mod source;
mod stored;
mod thin;
mod trouble;
mod uploads;
mod versions;
mod write;
mod xml;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod real;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod write_tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials as SdkCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use self::pausing::Pausing;
use self::thin::{Settings, Thin};
use self::trouble::Asked;
use super::Trouble;
use super::trial::Trial;
use crate::identity::secret::SecretText;
use crate::limits;
use crate::s3::answer::Versioning;
use crate::s3::name::{Bucket, VersionId};
use crate::s3::operation::{ETag, RangeAsk};

/// Where the real buckets are, and how they are reached.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// `https://…` or `http://…` of an S3-compatible store; `None` is AWS itself.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket stands in the path and not in the host name.
    pub path_style: bool,
    /// Whose credential signs.
    pub credentials: Credentials,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The outside names that are served, each with the name of the real bucket.
    pub buckets: BTreeMap<Bucket, String>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Where the façade's own credential comes from.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The SDK's default chain: environment, profile (keys, a role or a process), web identity, container, instance.
    Chain,
    /// A profile of AWS's own configuration files.
    Profile(String),
    /// None: requests are not signed. For probes.
    Anonymous,
    /// Given.
    Static {
        /// Access key id.
        access_key_id: SecretText,
        /// Secret access key.
        secret_access_key: SecretText,
        /// Token of a temporary credential.
        session_token: Option<SecretText>,
    },
}

/// How long to wait for the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To reach it.
    pub connect: Duration,
    /// To its response head; of listings and the like, to the end of the answer.
    pub head: Duration,
    /// Between two pieces of a body, in either direction.
    pub idle: Duration,
    /// To the end of a copy's answer, or of that of an upload's completion.
    pub copy: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: limits::BACKEND_CONNECT_TIMEOUT,
            head: limits::BACKEND_HEAD_TIMEOUT,
            idle: limits::BACKEND_IDLE_TIMEOUT,
            copy: limits::BACKEND_COPY_TIMEOUT,
        }
    }
}

/// Why the options cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// The endpoint is not a plain `http` or `https` address. It is not shown: it may hold a password.
    #[error("the backend's endpoint must be http://HOST[:PORT] or https://HOST[:PORT]")]
    Endpoint,
    /// The certificates cannot be read, or there are none.
    #[error("the backend's certificates are not PEM certificates")]
    Certificates,
    /// The client cannot be set up.
    #[error("the backend's client cannot be set up: {0}")]
    Client(String),
}

/// The real buckets. See the module.
#[derive(Clone)]
pub struct Aws {
    client: Client,
    thin: Arc<Thin>,
    buckets: BTreeMap<Bucket, String>,
    timeouts: Timeouts,
    /// What the store of each bucket was seen to keep.
    trials: Arc<BTreeMap<Bucket, Trials>>,
}

/// What is tried of a bucket's store before it is first relied upon.
#[derive(Debug, Default)]
struct Trials {
    /// Whether it keeps keys with empty segments apart.
    apart: Trial<bool>,
    /// Whether it takes `aws-chunked` off what it stores, and off what it says of it.
    unframed: Trial<bool>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("buckets", &self.buckets).finish_non_exhaustive()
    }
}

/// Sets the client up. Nothing is asked of the backend yet; see [`super::Backend::probe`].
pub async fn connect(options: AwsOptions) -> Result<Aws, AwsError> {
    let AwsOptions { endpoint, region, path_style, credentials, ca_pem, buckets, timeouts } = options;
    let endpoint = endpoint.map(checked).transpose()?;
    let provider = provider(credentials, Region::new(region.clone())).await;
    let thin = Thin::new(Settings {
        endpoint: endpoint.as_deref(),
        region: &region,
        path_style,
        buckets: &buckets,
        roots: ca_pem.as_deref().map(roots).transpose()?,
        credentials: provider.clone(),
        timeouts,
    });
    let thin = Arc::new(thin.await?);
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .force_path_style(path_style)
        .disable_s3_express_session_auth(true)
        .http_client(http_client(ca_pem.as_deref())?)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(TimeoutConfig::builder().connect_timeout(timeouts.connect).build());
    config = match provider {
        Some(credentials) => config.credentials_provider(credentials),
        None => config.allow_no_auth(),
    };
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint);
    }
    let trials = buckets.keys().map(|bucket| (bucket.clone(), Trials::default())).collect();
    Ok(Aws { client: Client::from_conf(config.build()), thin, buckets, timeouts, trials: Arc::new(trials) })
}

/// Who signs; `None` is nobody.
async fn provider(credentials: Credentials, region: Region) -> Option<SharedCredentialsProvider> {
    let source = match credentials {
        Credentials::Anonymous => return None,
        Credentials::Chain => {
            SharedCredentialsProvider::new(DefaultCredentialsChain::builder().region(region).build().await)
        }
        Credentials::Profile(name) => {
            SharedCredentialsProvider::new(ProfileFileCredentialsProvider::builder().profile_name(name).build())
        }
        Credentials::Static { access_key_id, secret_access_key, session_token } => {
            SharedCredentialsProvider::new(SdkCredentials::from_keys(
                access_key_id.expose(),
                secret_access_key.expose(),
                session_token.map(|token| token.expose().to_owned()),
            ))
        }
    };
    Some(SharedCredentialsProvider::new(Pausing::new(source)))
}

fn checked(endpoint: String) -> Result<String, AwsError> {
    let uri: http::Uri = endpoint.parse().map_err(|_| AwsError::Endpoint)?;
    let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    match (uri.scheme_str(), host, uri.path(), uri.query()) {
        (Some("http" | "https"), Some(_), "/" | "", None) => Ok(endpoint),
        _ => Err(AwsError::Endpoint),
    }
}

fn http_client(ca_pem: Option<&[u8]>) -> Result<SharedHttpClient, AwsError> {
    let trust = match ca_pem {
        None => TrustStore::default(),
        Some(pem) => {
            // The connector would only find out, and panic, on its first connection.
            roots(pem)?;
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let context = TlsContext::builder().with_trust_store(trust).build();
    let context = context.map_err(|error| AwsError::Client(error.to_string()))?;
    Ok(aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(limits::BACKEND_POOL_IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

fn roots(pem: &[u8]) -> Result<RootCertStore, AwsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| AwsError::Certificates)?;
        roots.add(certificate).map_err(|_| AwsError::Certificates)?;
    }
    if roots.is_empty() { Err(AwsError::Certificates) } else { Ok(roots) }
}

impl Aws {
    /// The real bucket of an outside name.
    fn inside(&self, bucket: &Bucket) -> Result<&str, Trouble> {
        self.buckets.get(bucket).map(String::as_str).ok_or(Trouble::NoSuchBucket)
    }

    /// Waits for an answer, but not for ever: the SDK's own timeouts cover neither the credential nor an answer's end.
    async fn settled<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        asked: Asked,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Trouble> {
        within(self.timeouts.connect + self.timeouts.head, asked, sent).await
    }

    /// The same, for what the store may take long for.
    async fn settled_late<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        asked: Asked,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Trouble> {
        within(self.timeouts.connect + self.timeouts.copy, asked, sent).await
    }
}

async fn within<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
    limit: Duration,
    asked: Asked,
    sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, sent).await {
        Ok(answer) => answer.map_err(|error| trouble::of(asked, &error)),
        Err(_) => Err(Trouble::Timeout),
    }
}

fn state_of(versioning: Option<&BucketVersioningStatus>) -> Result<Option<Versioning>, Trouble> {
    match versioning {
        None => Ok(None),
        Some(BucketVersioningStatus::Enabled) => Ok(Some(Versioning::Enabled)),
        Some(BucketVersioningStatus::Suspended) => Ok(Some(Versioning::Suspended)),
        // The SDK's enum is open.
        Some(_) => Err(Trouble::Broken("its state of versioning cannot be read".to_owned())),
    }
}

fn range_header(ask: RangeAsk) -> String {
    match ask {
        RangeAsk::Span { first, last: Some(last) } => format!("bytes={first}-{last}"),
        RangeAsk::Span { first, last: None } => format!("bytes={first}-"),
        RangeAsk::Suffix(bytes) => format!("bytes=-{bytes}"),
    }
}

/// A number that is too large for the SDK is too large for S3, too, which says so.
fn part_number(part: u32) -> i32 {
    i32::try_from(part).unwrap_or(i32::MAX)
}

fn id(version: &VersionId) -> String {
    version.as_str().to_owned()
}

fn quoted(tag: &ETag) -> String {
    format!("\"{}\"", tag.0)
}
