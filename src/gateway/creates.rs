//! Whether a bucket keeps the condition of a write that must replace nothing (`If-None-Match: *`): tried before a role
//! that may only create writes there.
//!
//! Some stores take the header and overwrite all the same. What a store ignores is refused (501); while it is not
//! known, nothing is created (503).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::backend::trial::Trial;
use crate::backend::{Backend, ConditionalWrites, Trouble};
use crate::policy::permit::Permit;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::Bucket;
use crate::s3::operation::{Op, OpName};
use crate::telemetry::Metrics;

/// What is known of each bucket.
pub struct CreateProofs {
    buckets: BTreeMap<Bucket, Trial<ConditionalWrites>>,
    metrics: Arc<Metrics>,
}

impl CreateProofs {
    /// Nothing is known yet of these buckets.
    pub fn new(buckets: impl IntoIterator<Item = Bucket>, metrics: Arc<Metrics>) -> Self {
        Self { buckets: buckets.into_iter().map(|bucket| (bucket, Trial::default())).collect(), metrics }
    }

    /// Whether the operation may be sent: its permit may replace something, or the store keeps it from doing so.
    ///
    /// # Errors
    /// The refusal to answer.
    pub async fn settle<O: Op>(&self, permit: &Permit<O>, backend: &dyn Backend) -> Result<(), Refusal> {
        let Some(kind) = Kind::of(permit.op().name()).filter(|_| permit.creates_only()) else { return Ok(()) };
        let touches = permit.op().touches();
        let Some(bucket) = touches.first().and_then(|touch| touch.bucket()) else { return Ok(()) };
        kind.allowed_by(self.of(bucket, backend).await, bucket)
    }

    /// What the bucket keeps, tried now if that is not known; `None` if it cannot be known yet. Said to the operators.
    pub async fn of(&self, bucket: &Bucket, backend: &dyn Backend) -> Option<ConditionalWrites> {
        self.tried(bucket, async || backend.conditional_writes(bucket).await).await
    }

    async fn tried(
        &self,
        bucket: &Bucket,
        probe: impl AsyncFnOnce() -> Result<ConditionalWrites, Trouble>,
    ) -> Option<ConditionalWrites> {
        let asked = async || {
            let kept = probe().await.inspect_err(|trouble| {
                tracing::error!(%bucket, %trouble, "whether conditional writes are kept cannot be tried; nothing is created");
            })?;
            self.told(bucket, kept);
            Ok(kept)
        };
        self.buckets.get(bucket)?.answer(asked).await.ok()
    }

    fn told(&self, bucket: &Bucket, kept: ConditionalWrites) {
        for kind in Kind::ALL {
            self.metrics.conditional_writes(bucket.as_str(), kind.operation(), kind.kept(kept));
        }
        let ignored = ignored(kept);
        if ignored.is_empty() {
            tracing::info!(%bucket, "writes that must replace nothing are kept by the store");
        } else {
            let operations = ignored.join(", ");
            tracing::warn!(%bucket, operations, "the store ignores If-None-Match, so these are refused to roles that only create");
        }
    }
}

/// The operations of which the store ignores the condition, by S3's names.
pub fn ignored(kept: ConditionalWrites) -> Vec<&'static str> {
    Kind::ALL.into_iter().filter(|kind| !kind.kept(kept)).map(Kind::operation).collect()
}

/// The conditional writes that a store may keep one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Put,
    Complete,
    Copy,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Put, Kind::Complete, Kind::Copy];

    /// An upload in parts is not begun where it could not be completed. Parts alone replace nothing.
    fn of(op: OpName) -> Option<Self> {
        match op {
            OpName::PutObject => Some(Kind::Put),
            OpName::CreateMultipartUpload | OpName::CompleteMultipartUpload => Some(Kind::Complete),
            OpName::CopyObject => Some(Kind::Copy),
            OpName::GetObject
            | OpName::HeadObject
            | OpName::GetObjectAttributes
            | OpName::ListObjects
            | OpName::ListObjectsV2
            | OpName::ListObjectVersions
            | OpName::ListBuckets
            | OpName::HeadBucket
            | OpName::CreateBucket
            | OpName::GetBucketLocation
            | OpName::GetBucketVersioning
            | OpName::UploadPart
            | OpName::AbortMultipartUpload
            | OpName::ListParts
            | OpName::ListMultipartUploads
            | OpName::UploadPartCopy
            | OpName::DeleteObject
            | OpName::DeleteObjects
            | OpName::GetObjectTagging
            | OpName::PutObjectTagging
            | OpName::DeleteObjectTagging => None,
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Kind::Put => OpName::PutObject.as_str(),
            Kind::Complete => OpName::CompleteMultipartUpload.as_str(),
            Kind::Copy => OpName::CopyObject.as_str(),
        }
    }

    fn kept(self, of: ConditionalWrites) -> bool {
        match self {
            Kind::Put => of.put,
            Kind::Complete => of.complete,
            Kind::Copy => of.copy,
        }
    }

    fn allowed_by(self, kept: Option<ConditionalWrites>, bucket: &Bucket) -> Result<(), Refusal> {
        match kept {
            Some(kept) if self.kept(kept) => Ok(()),
            Some(_) => Err(Refusal::new(
                Code::NotImplemented,
                format!(
                    "The role may only create objects, and the store of bucket {bucket} ignores the condition of {} that \
                     keeps it from overwriting.",
                    self.operation()
                ),
            )),
            None => Err(Refusal::new(
                Code::ServiceUnavailable,
                format!(
                    "The role may only create objects, and whether the store of bucket {bucket} keeps it from overwriting \
                     cannot be tried at the moment. Try again."
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ConditionalWrites = ConditionalWrites { put: true, complete: true, copy: true };

    fn bucket() -> Bucket {
        "traces".parse().unwrap()
    }

    fn proofs() -> CreateProofs {
        CreateProofs::new([bucket()], Arc::new(Metrics::new()))
    }

    #[tokio::test]
    async fn a_bucket_that_is_not_served_is_not_tried() {
        let (proofs, other) = (proofs(), "other".parse().unwrap());
        assert_eq!(proofs.tried(&bucket(), async || Ok(ALL)).await, Some(ALL));
        assert_eq!(proofs.tried(&other, async || -> Result<_, Trouble> { panic!("tried") }).await, None);
    }

    #[test]
    fn what_a_store_ignores_is_refused_and_what_is_not_known_may_be_tried_again() {
        let only_put = ConditionalWrites { put: true, ..ConditionalWrites::default() };
        for (op, kept, refused) in [
            (OpName::PutObject, Some(only_put), None),
            (OpName::CreateMultipartUpload, Some(only_put), Some(Code::NotImplemented)),
            (OpName::CompleteMultipartUpload, Some(only_put), Some(Code::NotImplemented)),
            (OpName::CopyObject, Some(only_put), Some(Code::NotImplemented)),
            (OpName::CopyObject, Some(ALL), None),
            (OpName::PutObject, None, Some(Code::ServiceUnavailable)),
        ] {
            let answer = Kind::of(op).unwrap().allowed_by(kept, &bucket());
            assert_eq!(answer.err().map(|refusal| refusal.code), refused, "{op:?} {kept:?}");
        }
        assert_eq!(ignored(only_put), ["CompleteMultipartUpload", "CopyObject"]);
        assert!(Kind::of(OpName::UploadPart).is_none() && Kind::of(OpName::GetObject).is_none());
    }

    #[tokio::test]
    async fn operators_see_what_each_bucket_keeps() {
        let (proofs, only_put) = (proofs(), ConditionalWrites { put: true, ..ConditionalWrites::default() });
        proofs.tried(&bucket(), async || Ok(only_put)).await;
        let text = proofs.metrics.text();
        assert!(text.contains("tracegate_conditional_writes{bucket=\"traces\",operation=\"PutObject\"} 1"), "{text}");
        assert!(text.contains("tracegate_conditional_writes{bucket=\"traces\",operation=\"CopyObject\"} 0"), "{text}");
    }
}
