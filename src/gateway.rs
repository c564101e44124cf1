//! The stages called in order, then S3's operations: about three lines each.
//!
//! Nothing is decided here. A request comes in as a [`Call`], its identity confirmed; it leaves as what `redact` made,
//! with the open entry of the log in the call's slot for the rim to close.

mod access;
mod answer;
mod ask;
pub mod call;
mod charge;
pub mod creates;
mod write;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use s3s::dto::{
    AbortMultipartUploadInput, CompleteMultipartUploadInput, CopyObjectInput, CreateBucketInput,
    CreateMultipartUploadInput, DeleteObjectInput, DeleteObjectTaggingInput, DeleteObjectsInput,
    GetBucketLocationInput, GetBucketVersioningInput, GetObjectAttributesInput, GetObjectInput, GetObjectTaggingInput,
    HeadBucketInput, HeadObjectInput, ListBucketsInput, ListMultipartUploadsInput, ListObjectVersionsInput,
    ListObjectsInput, ListObjectsV2Input, ListPartsInput, PutObjectInput, PutObjectTaggingInput, UploadPartCopyInput,
    UploadPartInput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3Request, S3Result};

use crate::audit::journal::Journal;
use crate::audit::{Intent, Queued, Recorded};
use crate::backend::Backend;
use crate::identity::Identity;
use crate::identity::authority::Authority;
use crate::identity::roles::RoleBook;
use crate::keyring::KeyRing;
use crate::policy::permit::Permit;
use crate::policy::{self, Decision, Ruleset};
use crate::quota::Quotas;
use crate::redact::{self, Redacted, Redaction};
use crate::s3::error::{Code, Refusal};
use crate::s3::host::HostNames;
use crate::s3::name::{Bucket, VersionId};
use crate::s3::operation::version::ListObjectVersions;
use crate::s3::operation::{
    CreateBucket, GetBucketLocation, GetBucketVersioning, HeadBucket, ListBuckets, ListObjects, Op,
};
use answer::write as written;
use ask::write as asking;
use call::{Call, Left};
use creates::CreateProofs;
use write::opening;

/// What every request needs, in one plain struct.
pub struct Gateway {
    /// The rules, swapped whole when the files change.
    pub rules: Arc<ArcSwap<Rules>>,
    /// The log.
    pub journal: Journal,
    /// The real bucket.
    pub backend: Arc<dyn Backend>,
    /// Our keys.
    pub keys: Arc<ArcSwap<KeyRing>>,
    /// Plans and keys of the redaction.
    pub redaction: Redaction,
    /// What was written today.
    pub quotas: Arc<Quotas>,
    /// Which buckets keep the condition of writes that must replace nothing.
    pub creates: CreateProofs,
    /// The buckets served, in order.
    pub buckets: Vec<Bucket>,
    /// What `ListBuckets` says of when they were made.
    pub since: Timestamp,
}

/// A policy set in force, with the terms of its roles.
pub struct Rules {
    /// The set.
    pub set: Ruleset,
    /// Who may assume which role; made from the set.
    pub book: RoleBook,
}

impl Rules {
    /// The set, and what follows from it.
    pub fn new(set: Ruleset) -> Self {
        let book = set.role_book();
        Self { set, book }
    }
}

/// The gateway as s3s serves it, for buckets in paths and below these names.
pub fn service(gateway: Arc<Gateway>, authority: Arc<Authority>, host_names: HostNames) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Served(gateway.clone()));
    builder.set_auth(access::Secrets(authority));
    builder.set_access(access::Admission(gateway));
    builder.set_route(access::VerifyOnly);
    builder.set_host(access::Hosts(host_names));
    builder.set_validation(access::Names);
    builder.build()
}

impl Gateway {
    /// From an operation to the right to do it, with the journal; a denial, and a quota that is used up, is on the record
    /// before it is answered.
    async fn permit<O: Op>(&self, call: &Call, op: O) -> Result<Queued<Permit<O>>, Refusal> {
        let permit = self.allowed(call, op).await?;
        match self.charge(call, &permit) {
            Ok(()) => Ok(self.journal.queue(permit, &call.facts)?),
            Err(exceeded) => Err(self.denied(call, permit.over_quota(&exceeded)).await),
        }
    }

    /// From an operation to the right to do it; a denial is on the record before it is answered.
    async fn allowed<O: Op>(&self, call: &Call, op: O) -> Result<Permit<O>, Refusal> {
        let served = op.touches().iter().all(|touch| touch.bucket().is_none_or(|bucket| self.buckets.contains(bucket)));
        match policy::decide(&self.rules.load().set, who(call)?, op, call.now) {
            Decision::Allow(_) if !served => {
                Err(Refusal::new(Code::NoSuchBucket, "The specified bucket does not exist."))
            }
            Decision::Allow(permit) => Ok(permit),
            Decision::Deny(denial) => Err(self.denied(call, denial).await),
        }
    }

    /// The intent durable, the backend asked meanwhile; the entry is with the rim before anything else can fail.
    async fn recorded<O: Op, R>(
        &self,
        call: &Call,
        queued: Queued<Permit<O>>,
        ask: impl AsyncFnOnce(Intent<'_, Permit<O>>) -> R,
    ) -> Result<(Recorded<Permit<O>>, R), Refusal> {
        let (mut recorded, found) = queued.durable_with(ask).await?;
        let entry = recorded.detach();
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

    /// `CreateBucket` makes nothing: who sees the bucket is told that it is there, as by S3; any other name is forbidden.
    async fn made(&self, call: &Call, op: CreateBucket) -> Refusal {
        match self.allowed(call, op).await {
            Ok(_) => Refusal::new(
                Code::BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ),
            Err(refusal) if refusal.code == Code::NoSuchBucket => {
                Refusal::new(Code::AccessDenied, "Buckets are made in the real store.")
            }
            Err(refusal) => refusal,
        }
    }

    async fn page(&self, call: &Call, op: ListObjects) -> Result<Redacted<redact::listing::Page>, Refusal> {
        let queued = self.permit(call, op).await?;
        let (_recorded, page) = self
            .recorded(call, queued, async |intent| {
                redact::listing::page(self.backend.as_ref(), intent, &self.keys.load(), call.now).await
            })
            .await?;
        let page = page?;
        let names = page.items.iter().map(|item| item.name().to_owned());
        call.slot.leave(|left| left.cost = Some(page.cost));
        let shown = self.journal.store_listing(names).await?;
        call.slot.leave(|left| left.listing = Some(shown));
        Ok(page.shown())
    }

    async fn versions(
        &self,
        call: &Call,
        op: ListObjectVersions,
    ) -> Result<Redacted<redact::versions::VersionsPage>, Refusal> {
        let queued = self.permit(call, op).await?;
        let ask = async |intent: Intent<'_, Permit<_>>| {
            redact::versions::page(self.backend.as_ref(), intent, &self.keys.load(), call.now).await
        };
        let page = self.recorded(call, queued, ask).await?.1?;
        let names = page.peek().items.iter().map(|item| item.name().to_owned());
        let shown = self.journal.store_listing(names).await?;
        call.slot.leave(|left| left.listing = Some(shown));
        Ok(page)
    }
}

fn who(call: &Call) -> Result<Arc<Identity>, Refusal> {
    let mut who = None;
    call.slot.leave(|left: &mut Left| who = left.who.clone());
    who.ok_or_else(|| Refusal::new(Code::AccessDenied, "Nobody is proven to ask."))
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
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<answer::ObjectAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let queued = gateway.permit(&call, ask::get_object(&request, &call)?).await?;
            let get = async |intent: Intent<'_, Permit<_>>| {
                gateway.backend.get(intent, redact::object::first_fetch(&intent)).await
            };
            let (recorded, raw) = gateway.recorded(&call, queued, get).await?;
            redact::object::show(raw, recorded, &gateway.redaction, &gateway.backend).await
        };
        let shown = out(&call, shown.await)?;
        call.slot.leave(|left| {
            left.view_etag = Some(shown.object.peek().head.etag.0.to_string());
            left.version_id = shown.object.peek().head.version_id.clone();
            left.tally = shown.tally;
        });
        Ok(answer::object(shown.object))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<answer::HeadAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let op = ask::head_object(&request, &call)?;
            let overrides = op.overrides.clone();
            let queued = gateway.permit(&call, op).await?;
            let head = async |intent: Intent<'_, Permit<_>>| gateway.backend.head(intent, intent.op().part).await;
            let (recorded, raw) = gateway.recorded(&call, queued, head).await?;
            Ok((redact::object::show_head(raw, &recorded, &gateway.redaction)?, overrides))
        };
        out(&call, shown.await).map(|(shown, overrides)| answer::head(shown, &overrides))
    }

    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<answer::AttributesAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let op = ask::attributes(&request)?;
            let wanted = op.wanted;
            let queued = gateway.permit(&call, op).await?;
            let attributes = async |intent: Intent<'_, Permit<_>>| gateway.backend.attributes(intent).await;
            let (recorded, raw) = gateway.recorded(&call, queued, attributes).await?;
            Ok((redact::object::show_attributes(raw, &recorded, &gateway.redaction)?, wanted))
        };
        out(&call, shown.await).map(|(shown, wanted)| answer::attributes(shown, wanted))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<answer::ListV1Answer> {
        let call = Self::call(&request)?;
        let op = out(&call, ask::list_v1(&request))?;
        out(&call, self.0.page(&call, op.clone()).await).map(|page| answer::list_v1(&op, page))
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<answer::ListV2Answer> {
        let call = Self::call(&request)?;
        let op = out(&call, ask::list_v2(&request))?;
        out(&call, self.0.page(&call, op.clone()).await).map(|page| answer::list_v2(&op, page))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<answer::VersionsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, ask::versions(&request))?;
        out(&call, self.0.versions(&call, op.clone()).await).map(|page| answer::versions(&op, page))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<answer::BucketsAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let prefix = out(&call, ask::buckets(&request, gateway.buckets.len()))?;
        let recorded = out(&call, gateway.recorded_alone(&call, ListBuckets { prefix }).await)?;
        Ok(answer::buckets(redact::buckets(&recorded, &gateway.buckets, call.now), gateway.since))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<answer::BucketAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let op = out(&call, ask::bucket(&request.input.bucket))?;
        let recorded = out(&call, gateway.recorded_alone(&call, HeadBucket { bucket: op }).await)?;
        Ok(answer::bucket(redact::nothing(&recorded)))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<answer::NewBucketAnswer> {
        let call = Self::call(&request)?;
        let refusal = match ask::bucket(&request.input.bucket) {
            Ok(bucket) => self.0.made(&call, CreateBucket { bucket }).await,
            Err(refusal) => refusal,
        };
        out(&call, Err(refusal))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<answer::LocationAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let op = out(&call, ask::bucket(&request.input.bucket))?;
        let recorded = out(&call, gateway.recorded_alone(&call, GetBucketLocation { bucket: op }).await)?;
        Ok(answer::location(redact::nothing(&recorded)))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<answer::VersioningAnswer> {
        let (call, gateway) = (Self::call(&request)?, &self.0);
        let shown = async {
            let op = GetBucketVersioning { bucket: ask::bucket(&request.input.bucket)? };
            let queued = gateway.permit(&call, op).await?;
            let versioning = async |intent: Intent<'_, Permit<_>>| gateway.backend.versioning(intent).await;
            let (recorded, raw) = gateway.recorded(&call, queued, versioning).await?;
            redact::versioning(raw, &recorded)
        };
        out(&call, shown.await).map(answer::versioning)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<written::PutAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::put(&request, &call))?;
        out(&call, self.0.put(&call, op).await)
            .map(|stored| told(&call, stored, |stored| stored.version_id.as_ref()))
            .map(written::put)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<written::BeginAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::begin(&request, &call))?;
        out(&call, self.0.begin(&call, op.clone()).await).map(|begun| written::begun(&op, begun))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<written::PartAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, opening(&self.0, &call, |opener| asking::put_part(&request, opener)))?;
        out(&call, self.0.put_part(&call, op).await).map(written::part)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<written::CompleteAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, opening(&self.0, &call, |opener| asking::complete(&request, &call, opener)))?;
        let stored = out(&call, self.0.complete(&call, op.clone()).await)?;
        Ok(written::completed(&op, told(&call, stored, |stored| stored.version_id.as_ref())))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<written::AbortAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, opening(&self.0, &call, |opener| asking::abort(&request, opener)))?;
        out(&call, self.0.abort(&call, op).await).map(written::aborted)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<written::PartsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, opening(&self.0, &call, |opener| asking::parts(&request, opener)))?;
        let page = out(&call, self.0.parts(&call, op.clone()).await)?;
        Ok(written::parts(&op, &request.input.upload_id, page))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<written::UploadsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::uploads(&request))?;
        out(&call, self.0.uploads(&call, op.clone()).await).map(|page| written::uploads(&op, page))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<written::CopyAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::copy(&request, &call))?;
        let copied = out(&call, self.0.copy(&call, op).await)?;
        Ok(written::copied(told(&call, copied, |copied| copied.stored.version_id.as_ref())))
    }

    async fn upload_part_copy(&self, request: S3Request<UploadPartCopyInput>) -> S3Result<written::PartCopyAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, opening(&self.0, &call, |opener| asking::copy_part(&request, &call, opener)))?;
        out(&call, self.0.copy_part(&call, op).await).map(written::part_copied)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<written::DeleteAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::delete(&request))?;
        let deleted = out(&call, self.0.delete(&call, op).await)?;
        Ok(written::deleted(told(&call, deleted, |deleted| deleted.version_id.as_ref())))
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<written::DeletesAnswer> {
        let call = Self::call(&request)?;
        let rows = out(&call, self.0.delete_all(&call, &request).await)?;
        Ok(written::all_deleted(rows, request.input.delete.quiet.unwrap_or_default()))
    }

    async fn get_object_tagging(&self, request: S3Request<GetObjectTaggingInput>) -> S3Result<written::TagsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::tags(&request))?;
        out(&call, self.0.tags(&call, op).await).map(written::tags)
    }

    async fn put_object_tagging(&self, request: S3Request<PutObjectTaggingInput>) -> S3Result<written::PutTagsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::put_tags(&request))?;
        out(&call, self.0.set_tags(&call, op).await).map(written::tags_put)
    }

    async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<written::DeleteTagsAnswer> {
        let call = Self::call(&request)?;
        let op = out(&call, asking::delete_tags(&request))?;
        out(&call, self.0.set_tags(&call, op).await).map(written::tags_deleted)
    }
}

/// Leaves for the log which version was made, or is gone.
fn told<T>(call: &Call, shown: Redacted<T>, version: impl Fn(&T) -> Option<&VersionId>) -> Redacted<T> {
    let version = version(shown.peek()).map(ToString::to_string);
    call.slot.leave(|left| left.version_id = version);
    shown
}
