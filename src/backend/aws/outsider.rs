//! The probes: what somebody else's credential, or none, can do with a bucket.
//!
//! An answer counts as a refusal only if it refuses *that identity*: a wrong secret is refused everywhere, and proves
//! nothing about the bucket. So each request also offers to pay: where the requester pays, one that does not is refused
//! whoever asks (S3 "Using Requester Pays buckets").

use std::error::Error;

use async_trait::async_trait;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, RequestPayer};

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
        let (client, bucket, pays) = (&self.client, &self.bucket, RequestPayer::Requester);
        match attempt {
            Attempt::Get(key) => {
                let get = client.get_object().bucket(bucket).key(key).range("bytes=0-0");
                self.outcome(get.request_payer(pays).send()).await
            }
            Attempt::Head(key) => {
                self.outcome(client.head_object().bucket(bucket).key(key).request_payer(pays).send()).await
            }
            Attempt::List => {
                self.outcome(client.list_objects_v2().bucket(bucket).max_keys(1).request_payer(pays).send()).await
            }
            Attempt::Put(key) => {
                let put = client.put_object().bucket(bucket).key(key.as_str()).if_none_match("*");
                // Under Object Lock S3 takes no upload without a checksum.
                let put = put.checksum_algorithm(ChecksumAlgorithm::Crc32).request_payer(pays);
                self.outcome(put.body(ByteStream::from_static(SCRATCH)).send()).await
            }
            Attempt::Delete(key) => {
                let delete = client.delete_object().bucket(bucket).key(key.as_str());
                self.outcome(delete.request_payer(pays).send()).await
            }
        }
    }
}

impl AwsBucket {
    async fn outcome<T, E: ProvideErrorMetadata + Error + 'static>(
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
fn of<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> Outcome {
    let Some(raw) = error.raw_response() else {
        return Outcome::Unclear(trouble::of(Asked::Bucket, error).to_string());
    };
    let meta = error.meta();
    let about_a_key = meta.message().is_some_and(|message| message.to_ascii_lowercase().contains("kms"));
    said(raw.status().as_u16(), meta.code().unwrap_or_default(), about_a_key)
}

fn said(status: u16, code: &str, about_a_key: bool) -> Outcome {
    let unclear = |what: &str| Outcome::Unclear(format!("{what}: {}", trouble::shown(status, code)));
    match (status, code) {
        _ if NO_CREDENTIAL.contains(&code) => unclear("the backend does not believe its credential"),
        // Said of an archived object once the identity may read it.
        (403, "InvalidObjectState") => Outcome::Let(status),
        (403, _) if about_a_key => unclear("only the key service refused"),
        (401 | 403, _) => Outcome::Refused,
        (404, "NoSuchBucket") => unclear("there is no such bucket"),
        (304 | 404 | 412 | 416, _) => Outcome::Let(status),
        _ => unclear("the answer says neither"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_of_that_identity_and_of_nothing_else() {
        let unclear = |status, code, about_a_key| matches!(said(status, code, about_a_key), Outcome::Unclear(_));
        for (status, code) in [(403, "AccessDenied"), (403, ""), (403, "AllAccessDisabled"), (401, "Unauthorized")] {
            assert_eq!(said(status, code, false), Outcome::Refused, "{status} {code}");
        }
        for (status, code) in [
            (404, "NoSuchKey"),
            (404, ""),
            (412, "PreconditionFailed"),
            (416, "InvalidRange"),
            (304, ""),
            (403, "InvalidObjectState"),
        ] {
            assert_eq!(said(status, code, false), Outcome::Let(status), "{status} {code}");
        }
        for code in NO_CREDENTIAL {
            assert!(unclear(403, code, false) && unclear(400, code, false), "{code}");
        }
        for (status, code) in
            [(404, "NoSuchBucket"), (301, "PermanentRedirect"), (400, "InvalidRequest"), (503, "SlowDown")]
        {
            assert!(unclear(status, code, false), "{status} {code}");
        }
        assert!(unclear(403, "AccessDenied", true), "the key service, not the bucket");
    }
}
