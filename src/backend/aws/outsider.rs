//! The probes: what somebody else's credential, or none, can do with a bucket.
//!
//! An answer counts as a refusal only if it refuses *that identity*: a wrong secret is refused everywhere, and proves
//! nothing about the bucket.

use async_trait::async_trait;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use super::bucket::AwsBucket;
use super::trouble::{self, Asked};
use crate::backend::bucket::{Attempt, Outcome, Outsider};

/// S3's codes for a credential that it does not believe ("Error responses").
const NO_CREDENTIAL: [&str; 10] = [
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// What a probe writes, where it may.
const SCRATCH: &[u8] = b"tracegate lock verify: whoever wrote this could write to a bucket that is said to be locked\n";

#[async_trait]
impl Outsider for AwsBucket {
    async fn attempt(&self, attempt: Attempt<'_>) -> Outcome {
        let (client, bucket) = (&self.client, &self.bucket);
        match attempt {
            Attempt::Get(key) => {
                self.outcome(client.get_object().bucket(bucket).key(key).range("bytes=0-0").send()).await
            }
            Attempt::Head(key) => self.outcome(client.head_object().bucket(bucket).key(key).send()).await,
            Attempt::List => self.outcome(client.list_objects_v2().bucket(bucket).max_keys(1).send()).await,
            Attempt::Put(key) => {
                let put = client.put_object().bucket(bucket).key(key.as_str()).if_none_match("*");
                self.outcome(put.body(ByteStream::from_static(SCRATCH)).send()).await
            }
            Attempt::Delete(key) => self.outcome(client.delete_object().bucket(bucket).key(key.as_str()).send()).await,
        }
    }
}

impl AwsBucket {
    async fn outcome<T, E: ProvideErrorMetadata>(
        &self,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Outcome {
        match self.settled(sent).await {
            Ok(Ok(_)) => Outcome::Let(200),
            Ok(Err(error)) => of(&error),
            Err(trouble) => Outcome::Unclear(trouble.to_string()),
        }
    }
}

/// What an error says about the identity that was met with it.
fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Outcome {
    let unclear = || Outcome::Unclear(trouble::of(Asked::Bucket, error).to_string());
    let Some(raw) = error.raw_response() else { return unclear() };
    let meta = error.meta();
    let of_a_key = meta.message().is_some_and(|message| message.to_ascii_lowercase().contains("kms"));
    match (raw.status().as_u16(), meta.code().unwrap_or_default()) {
        (status, code) if NO_CREDENTIAL.contains(&code) => {
            Outcome::Unclear(format!("the backend does not believe its credential: {}", trouble::shown(status, code)))
        }
        (403, _) if of_a_key => Outcome::Unclear("only the key service refused".to_owned()),
        (401 | 403, _) => Outcome::Refused,
        (404, "NoSuchBucket") => Outcome::Unclear("there is no such bucket".to_owned()),
        (status @ (304 | 404 | 412 | 416), _) => Outcome::Let(status),
        _ => unclear(),
    }
}
