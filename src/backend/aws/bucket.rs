//! The admin's calls and the probes, through aws-sdk-s3 and aws-sdk-sts; see [`crate::backend::bucket`].
//!
//! The documents travel as JSON in the shape that S3's own XML and the AWS CLI give them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    ObjectLockEnabled, ObjectLockRetentionMode, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration,
};
use serde::{Deserialize, Serialize};

use super::trouble::{self, Asked};
use super::{Aws, AwsError, AwsOptions, checked, http_client, provider};
use crate::backend::Trouble;
use crate::backend::bucket::{Administration, Document, ObjectLock, ScratchKey, Versioning};

/// A real bucket, by the name that it has at the backend, and whose credential asks.
#[derive(Clone)]
pub struct AwsBucket {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) patience: Duration,
}

impl fmt::Debug for AwsBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsBucket").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// Sets up the calls on one bucket, for its admin or for an outsider, by the options' credential.
pub async fn connect(options: AwsOptions, bucket: &str) -> Result<AwsBucket, AwsError> {
    let Aws { client, timeouts, .. } = super::connect(options).await?;
    Ok(AwsBucket { client, bucket: bucket.to_owned(), patience: timeouts.connect + timeouts.head })
}

/// Who the options' credential is, as an ARN: STS `GetCallerIdentity`. Without an address it is AWS's own, of the region.
pub async fn caller(options: AwsOptions, sts_endpoint: Option<String>) -> Result<String, Trouble> {
    let broken = |error: AwsError| Trouble::Broken(error.to_string());
    let region = Region::new(options.region);
    let timeouts = options.timeouts;
    let mut config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http_client(options.ca_pem.as_deref()).map_err(broken)?)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(timeouts.connect).read_timeout(timeouts.head).build());
    if let Some(credentials) = provider(options.credentials, region).await {
        config = config.credentials_provider(credentials);
    }
    if let Some(endpoint) = sts_endpoint {
        config = config.endpoint_url(checked(endpoint).map_err(broken)?);
    }
    let asked = aws_sdk_sts::Client::from_conf(config.build()).get_caller_identity().send();
    let told = tokio::time::timeout(timeouts.connect + timeouts.head, asked).await.map_err(|_| Trouble::Timeout)?;
    let told = told.map_err(|error| trouble::of(Asked::Bucket, &error))?;
    told.arn.ok_or_else(|| Trouble::Broken("its STS does not say who calls".to_owned()))
}

impl AwsBucket {
    /// Waits for an answer, but not for ever.
    pub(super) async fn settled<T, E>(
        &self,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Result<T, SdkError<E, HttpResponse>>, Trouble> {
        tokio::time::timeout(self.patience, sent).await.map_err(|_| Trouble::Timeout)
    }

    /// The answer; `None` where S3 says by this code that nothing is set.
    async fn found<T, E: ProvideErrorMetadata + Error + 'static>(
        &self,
        unset: &str,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, Trouble> {
        match self.settled(sent).await? {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code() == Some(unset) => Ok(None),
            Err(error) => Err(trouble::of(Asked::Bucket, &error)),
        }
    }

    /// That it was done.
    async fn done<T, E: ProvideErrorMetadata + Error + 'static>(
        &self,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<(), Trouble> {
        match self.settled(sent).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(trouble::of(Asked::Bucket, &error)),
        }
    }
}

#[async_trait]
impl Administration for AwsBucket {
    async fn stored(&self, document: Document) -> Result<Option<String>, Trouble> {
        let (client, bucket) = (&self.client, &self.bucket);
        match document {
            Document::Policy => {
                let asked = client.get_bucket_policy().bucket(bucket).send();
                Ok(self.found("NoSuchBucketPolicy", asked).await?.and_then(|found| found.policy))
            }
            Document::PublicAccessBlock => {
                let asked = client.get_public_access_block().bucket(bucket).send();
                let found = self.found("NoSuchPublicAccessBlockConfiguration", asked).await?;
                found.and_then(|found| found.public_access_block_configuration).map(PublicAccess::told).transpose()
            }
            Document::OwnershipControls => {
                let asked = client.get_bucket_ownership_controls().bucket(bucket).send();
                let found = self.found("OwnershipControlsNotFoundError", asked).await?;
                found.and_then(|found| found.ownership_controls).map(Ownership::told).transpose()
            }
        }
    }

    async fn store(&self, document: Document, json: &str) -> Result<(), Trouble> {
        let (client, bucket) = (&self.client, &self.bucket);
        match document {
            Document::Policy => self.done(client.put_bucket_policy().bucket(bucket).policy(json).send()).await,
            Document::PublicAccessBlock => {
                let block = read::<PublicAccess>(json)?.meant();
                let put = client.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
                self.done(put.send()).await
            }
            Document::OwnershipControls => {
                let controls = read::<Ownership>(json)?.meant()?;
                let put = client.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
                self.done(put.send()).await
            }
        }
    }

    async fn remove(&self, document: Document) -> Result<(), Trouble> {
        let (client, bucket) = (&self.client, &self.bucket);
        match document {
            Document::Policy => self.done(client.delete_bucket_policy().bucket(bucket).send()).await,
            Document::PublicAccessBlock => self.done(client.delete_public_access_block().bucket(bucket).send()).await,
            Document::OwnershipControls => {
                self.done(client.delete_bucket_ownership_controls().bucket(bucket).send()).await
            }
        }
    }

    async fn versioning(&self) -> Result<Versioning, Trouble> {
        let asked = self.client.get_bucket_versioning().bucket(&self.bucket).send();
        let found = self.settled(asked).await?.map_err(|error| trouble::of(Asked::Bucket, &error))?;
        super::state_of(found.status.as_ref()).map(Versioning::from)
    }

    async fn object_lock(&self) -> Result<ObjectLock, Trouble> {
        let asked = self.client.get_object_lock_configuration().bucket(&self.bucket).send();
        let found = self.found("ObjectLockConfigurationNotFoundError", asked).await?;
        let Some(lock) = found.and_then(|found| found.object_lock_configuration) else { return Ok(ObjectLock::Off) };
        if lock.object_lock_enabled != Some(ObjectLockEnabled::Enabled) {
            return Ok(ObjectLock::Off);
        }
        match lock.rule.and_then(|rule| rule.default_retention).and_then(|retention| retention.mode) {
            None => Ok(ObjectLock::Enabled),
            Some(ObjectLockRetentionMode::Governance) => Ok(ObjectLock::Governance),
            Some(ObjectLockRetentionMode::Compliance) => Ok(ObjectLock::Compliance),
            Some(_) => Err(Trouble::Broken("its Object Lock has a mode that S3 does not know".to_owned())),
        }
    }

    async fn any_key(&self) -> Result<Option<String>, Trouble> {
        let asked = self.client.list_objects_v2().bucket(&self.bucket).max_keys(1).send();
        let found = self.settled(asked).await?.map_err(|error| trouble::of(Asked::Bucket, &error))?;
        Ok(found.contents.unwrap_or_default().into_iter().find_map(|object| object.key))
    }

    async fn remove_scratch(&self, key: &ScratchKey) -> Result<(), Trouble> {
        self.done(self.client.delete_object().bucket(&self.bucket).key(key.as_str()).send()).await
    }
}

/// `PublicAccessBlockConfiguration`; what is not said is off.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
struct PublicAccess {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

impl PublicAccess {
    fn told(found: PublicAccessBlockConfiguration) -> Result<String, Trouble> {
        written(&Self {
            block_public_acls: found.block_public_acls.unwrap_or_default(),
            ignore_public_acls: found.ignore_public_acls.unwrap_or_default(),
            block_public_policy: found.block_public_policy.unwrap_or_default(),
            restrict_public_buckets: found.restrict_public_buckets.unwrap_or_default(),
        })
    }

    fn meant(self) -> PublicAccessBlockConfiguration {
        PublicAccessBlockConfiguration::builder()
            .block_public_acls(self.block_public_acls)
            .ignore_public_acls(self.ignore_public_acls)
            .block_public_policy(self.block_public_policy)
            .restrict_public_buckets(self.restrict_public_buckets)
            .build()
    }
}

/// `OwnershipControls`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Ownership {
    rules: Vec<OwnershipRule>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct OwnershipRule {
    object_ownership: String,
}

impl Ownership {
    fn told(found: OwnershipControls) -> Result<String, Trouble> {
        let rule = |rule: OwnershipControlsRule| OwnershipRule { object_ownership: rule.object_ownership.to_string() };
        written(&Self { rules: found.rules.into_iter().map(rule).collect() })
    }

    fn meant(self) -> Result<OwnershipControls, Trouble> {
        let broken = |error: aws_sdk_s3::error::BuildError| Trouble::Broken(error.to_string());
        let rule = |rule: OwnershipRule| {
            let ownership = ObjectOwnership::from(rule.object_ownership.as_str());
            OwnershipControlsRule::builder().object_ownership(ownership).build().map_err(broken)
        };
        let rules = self.rules.into_iter().map(rule).collect::<Result<_, _>>()?;
        OwnershipControls::builder().set_rules(Some(rules)).build().map_err(broken)
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Trouble> {
    serde_json::from_str(json).map_err(|error| Trouble::Broken(format!("not a document of its kind: {error}")))
}

fn written(document: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string(document).map_err(|error| Trouble::Broken(error.to_string()))
}
