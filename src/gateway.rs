//! The stages called in order, then S3's operations: about three lines each.
//!
//! Nothing is decided here. A request comes in as a [`Call`], its identity confirmed; it leaves as what `redact` made,
//! with the open entry of the log in the call's slot for the rim to close.

mod access;
mod answer;
mod ask;
pub mod call;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use s3s::dto::{
    GetBucketLocationInput, GetBucketLocationOutput, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
};
use s3s::host::MultiDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};

use crate::audit::journal::Journal;
use crate::audit::{Queued, Recorded, Unavailable};
use crate::backend::{Backend, Trouble};
use crate::identity::Identity;
use crate::identity::authority::Authority;
use crate::keyring::KeyRing;
use crate::limits;
use crate::policy::permit::Permit;
use crate::policy::{self, Decision, Ruleset};
use crate::redact::{self, Redacted, Redaction};
use crate::s3::error::{Code, Refusal};
use crate::s3::name::Bucket;
use crate::s3::operation::{GetBucketLocation, HeadBucket, ListBuckets, ListObjects, Op};
use call::{Call, Left};

/// What every request needs, in one plain struct.
pub struct Gateway {
    /// The rules, swapped whole when the files change.
    pub rules: Arc<ArcSwap<Ruleset>>,
    /// The log.
    pub journal: Journal,
    /// The real bucket.
    pub backend: Arc<dyn Backend>,
    /// Our keys.
    pub keys: Arc<KeyRing>,
    /// Plans and keys of the redaction.
    pub redaction: Redaction,
    /// The buckets served, in order.
    pub buckets: Vec<Bucket>,
    /// What `ListBuckets` says of when they were made.
    pub since: Timestamp,
}

/// The gateway as s3s serves it. `host_names` are those below which a bucket may stand.
///
/// # Errors
/// A host name that is none.
pub fn service(
    gateway: Arc<Gateway>,
    authority: Arc<Authority>,
    host_names: &[String],
) -> Result<S3Service, s3s::host::DomainError> {
    let mut builder = S3ServiceBuilder::new(Served(gateway));
    builder.set_auth(access::Secrets(authority));
    builder.set_access(access::Admission);
    builder.set_route(access::VerifyOnly);
    if !host_names.is_empty() {
        builder.set_host(MultiDomain::new(host_names)?);
    }
    Ok(builder.build())
}

impl Gateway {
    /// From an operation to the right to do it, with the journal; a denial is on the record before it is answered.
    async fn permit<O: Op>(&self, call: &Call, op: O) -> Result<Queued<Permit<O>>, Refusal> {
        for touch in op.touches() {
            self.served(touch.bucket())?;
        }
        match policy::decide(&self.rules.load(), who(call)?, op, call.now) {
            Decision::Allow(permit) => Ok(self.journal.queue(permit, &call.facts).map_err(unavailable)?),
            Decision::Deny(denial) => {
                let denied = self.journal.queue(denial, &call.facts).map_err(unavailable)?;
                let denial = denied.durable_alone().await.map_err(unavailable)?;
                call.slot.leave(|left| left.denied = true);
                let code = if denial.looks_missing() { Code::NoSuchKey } else { Code::AccessDenied };
                Err(Refusal::new(code, denial.reason()))
            }
        }
    }

    /// A bucket that is not configured looks like one in which nothing may be seen.
    fn served(&self, bucket: Option<&Bucket>) -> Result<(), Refusal> {
        match bucket {
            Some(bucket) if !self.buckets.contains(bucket) => Err(Refusal::new(Code::AccessDenied, "Access Denied")),
            Some(_) | None => Ok(()),
        }
    }

    /// The intent durable, the backend asked meanwhile; the entry is with the rim before anything else can fail.
    async fn recorded<O: Op, R>(
        &self,
        call: &Call,
        queued: Queued<Permit<O>>,
        ask: impl AsyncFnOnce(crate::audit::Intent<'_, Permit<O>>) -> R,
    ) -> Result<(Recorded<Permit<O>>, R), Refusal> {
        let (recorded, entry, found) = queued.durable_with(ask).await.map_err(unavailable)?;
        call.slot.leave(|left| {
            left.until = recorded.conditions().until();
            left.entry = Some(entry);
        });
        Ok((recorded, found))
    }

    /// For operations that the façade answers by itself.
    async fn recorded_alone<O: Op>(&self, call: &Call, op: O) -> Result<Recorded<Permit<O>>, Refusal> {
        let queued = self.permit(call, op).await?;
        Ok(self.recorded(call, queued, async |_| ()).await?.0)
    }

    async fn page(&self, call: &Call, op: ListObjects) -> Result<Redacted<redact::listing::Page>, Refusal> {
        let queued = self.permit(call, op).await?;
        let (_recorded, page) = self
            .recorded(call, queued, async |intent| {
                redact::listing::page(self.backend.as_ref(), intent, &self.keys, call.now).await
            })
            .await?;
        let page = page?;
        let shown = self.journal.store_listing(page.names()).await.map_err(unavailable)?;
        call.slot.leave(|left| {
            if let Some(entry) = &left.entry {
                entry.listed(shown);
            }
        });
        Ok(page.shown())
    }
}

fn who(call: &Call) -> Result<Arc<Identity>, Refusal> {
    let mut who = None;
    call.slot.leave(|left: &mut Left| who = left.who.clone());
    who.ok_or_else(|| Refusal::new(Code::AccessDenied, "Nobody is proven to ask."))
}

/// The log cannot take it: nothing is served.
pub fn unavailable(why: Unavailable) -> Refusal {
    match why {
        Unavailable::Busy => Refusal::new(Code::SlowDown, "Please reduce your request rate."),
        Unavailable::Full | Unavailable::Dead => {
            Refusal::new(Code::ServiceUnavailable, "The audit log cannot record; nothing is served until it can.")
        }
    }
}

/// What the caller learns of trouble behind us: S3's own codes, never the backend's words.
pub fn trouble(why: &Trouble, may_list: bool) -> Refusal {
    match why {
        Trouble::NoSuchKey => missing(may_list),
        Trouble::NoSuchBucket => Refusal::new(Code::NoSuchBucket, "The specified bucket does not exist."),
        Trouble::InvalidRange { size } => {
            let refusal = Refusal::new(Code::InvalidRange, "The requested range cannot be satisfied.");
            match size {
                Some(size) => refusal.with_header("content-range", format!("bytes */{size}")),
                None => refusal,
            }
        }
        Trouble::Changed => Refusal::new(Code::PreconditionFailed, "The object changed while it was read; try again."),
        Trouble::Archived => Refusal::new(
            Code::InvalidObjectState,
            "The object is archived: it must be restored in the real bucket before it can be read.",
        ),
        Trouble::KeyService(_) => {
            Refusal::new(Code::KmsAccessDenied, "The object's encryption key refused the service that reads it.")
        }
        Trouble::Refused(_) => Refusal::new(
            Code::ServiceUnavailable,
            "The service cannot read the real bucket with its own credential; its operators must act.",
        ),
        Trouble::Busy => Refusal::new(Code::SlowDown, "Please reduce your request rate."),
        Trouble::Timeout | Trouble::Broken(_) => {
            Refusal::new(Code::ServiceUnavailable, "The real bucket does not answer; try again later.")
        }
    }
}

/// Missing, or not to be known: the same, unless the caller may list there.
pub fn missing(may_list: bool) -> Refusal {
    if may_list {
        Refusal::new(Code::NoSuchKey, "The specified key does not exist.")
    } else {
        Refusal::new(Code::AccessDenied, "Access Denied")
    }
}

/// The gateway behind s3s.
struct Served(Arc<Gateway>);

impl Served {
    /// The call of a request, and how a refusal of it leaves.
    fn call<T>(request: &S3Request<T>) -> S3Result<Call> {
        let call = request.extensions.get::<Call>().cloned();
        call.ok_or_else(|| S3Error::with_message(s3s::S3ErrorCode::InternalError, "The request has no call."))
    }
}

/// A refusal becomes an error of S3, and its code is left for the log.
fn out<T>(call: &Call, result: Result<T, Refusal>) -> S3Result<T> {
    result.map_err(|refusal| {
        call.slot.leave(|left| left.refused = Some(refusal.code));
        answer::refusal(&refusal, call.facts.id.as_str())
    })
}

#[async_trait::async_trait]
impl S3 for Served {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let queued = gateway.permit(&call, ask::get_object(&request, &call)?).await?;
            let get = async |intent: crate::audit::Intent<'_, Permit<_>>| {
                gateway.backend.get(intent, redact::object::first_fetch(&intent)).await
            };
            let (recorded, raw) = gateway.recorded(&call, queued, get).await?;
            redact::object::show(raw, recorded, &gateway.redaction, &gateway.backend, &call.tally()).await
        };
        out(&call, shown.await).map(answer::object)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let op = ask::head_object(&request, &call)?;
            let overrides = op.overrides.clone();
            let queued = gateway.permit(&call, op).await?;
            let head = async |intent: crate::audit::Intent<'_, Permit<_>>| gateway.backend.head(intent).await;
            let (recorded, raw) = gateway.recorded(&call, queued, head).await?;
            Ok((redact::object::show_head(raw, recorded, &gateway.redaction)?, overrides))
        };
        out(&call, shown.await).map(|(shown, overrides)| answer::head(shown, &overrides))
    }

    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let op = ask::attributes(&request)?;
            let wanted = op.wanted;
            let queued = gateway.permit(&call, op).await?;
            let attributes =
                async |intent: crate::audit::Intent<'_, Permit<_>>| gateway.backend.attributes(intent).await;
            let (recorded, raw) = gateway.recorded(&call, queued, attributes).await?;
            Ok((redact::object::show_attributes(raw, recorded, &gateway.redaction)?, wanted))
        };
        out(&call, shown.await).map(|(shown, wanted)| answer::attributes(shown, wanted))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let call = Self::call(&request)?;
        let op = out(&call, ask::list_v1(&request))?;
        out(&call, self.0.page(&call, op.clone()).await).map(|page| answer::list_v1(&op, page))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let call = Self::call(&request)?;
        let op = out(&call, ask::list_v2(&request))?;
        out(&call, self.0.page(&call, op.clone()).await).map(|page| answer::list_v2(&op, page))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let recorded = out(&call, gateway.recorded_alone(&call, ListBuckets).await)?;
        Ok(answer::buckets(redact::buckets(&recorded, &gateway.buckets), gateway.since))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let op = out(&call, ask::bucket(&request.input.bucket))?;
        let recorded = out(&call, gateway.recorded_alone(&call, HeadBucket { bucket: op }).await)?;
        Ok(answer::bucket(redact::nothing(&recorded)))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let op = out(&call, ask::bucket(&request.input.bucket))?;
        let recorded = out(&call, gateway.recorded_alone(&call, GetBucketLocation { bucket: op }).await)?;
        Ok(answer::location(redact::nothing(&recorded)))
    }
}

/// The region of every bucket, in a header that SDKs read.
pub const REGION_HEADER: (&str, &str) = ("x-amz-bucket-region", limits::REGION);
