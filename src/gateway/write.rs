//! The stages called in order for operations that change a bucket: what each does between its permit and its answer.
//!
//! A change is on the record, durable, before the backend hears of it, and a body is asked for only then.

use std::sync::Arc;

use s3s::S3Request;
use s3s::dto::DeleteObjectsInput;

use super::answer::write::DeletedRow;
use super::ask::write as ask;
use super::call::Call;
use super::{Gateway, who};
use crate::audit::{Ended, EntryId, Outcome, Recorded};
use crate::limits;
use crate::policy::permit::Permit;
use crate::redact::{self, Redacted};
use crate::s3::answer::{Copied, Deleted, PartPage, Stored, Tag};
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::Op;
use crate::s3::operation::write::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CreateMultipartUpload, DeleteObject, GetObjectTagging,
    ListMultipartUploads, ListParts, PutObject, PutObjectTagging, UploadPart, UploadPartCopy,
};
use crate::s3::payload::{Upload, UploadError};

impl Gateway {
    /// The right to change something, durable on the record. What only the object itself could settle (its age) is not
    /// looked at for these, so rules that ask for it do not allow them.
    async fn recorded_change<O: Op>(&self, call: &Call, op: O) -> Result<Recorded<Permit<O>>, Refusal> {
        let recorded = self.recorded_alone(call, op).await?;
        if recorded.conditions().ask_the_object() {
            return Err(by_age());
        }
        self.creates.settle(&recorded, self.backend.as_ref()).await?;
        Ok(recorded)
    }

    pub(super) async fn put(&self, call: &Call, op: PutObject) -> Result<Redacted<Stored>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        let upload = taken(call).await?;
        let fate = Arc::clone(&upload.fate);
        redact::write::uploaded(self.backend.put(&recorded, upload).await, &recorded, &fate)
    }

    pub(super) async fn begin(&self, call: &Call, op: CreateMultipartUpload) -> Result<Redacted<String>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        let begun = self.backend.begin(&recorded).await.map_err(|trouble| trouble.refusal(recorded.may_list()))?;
        Ok(redact::upload::begun(begun, &recorded, &self.keys.load()))
    }

    pub(super) async fn put_part(&self, call: &Call, op: UploadPart) -> Result<Redacted<Stored>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        let upload = taken(call).await?;
        let fate = Arc::clone(&upload.fate);
        redact::write::uploaded(self.backend.put_part(&recorded, upload).await, &recorded, &fate)
    }

    pub(super) async fn complete(&self, call: &Call, op: CompleteMultipartUpload) -> Result<Redacted<Stored>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        redact::write::stored(self.backend.complete(&recorded).await, &recorded)
    }

    pub(super) async fn abort(&self, call: &Call, op: AbortMultipartUpload) -> Result<Redacted<()>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        redact::write::done(self.backend.abort(&recorded).await, &recorded)
    }

    pub(super) async fn parts(&self, call: &Call, op: ListParts) -> Result<Redacted<PartPage>, Refusal> {
        let queued = self.permit(call, op).await?;
        let (recorded, page) = self.recorded(call, queued, async |intent| self.backend.parts(intent).await).await?;
        redact::write::parts(page, &recorded)
    }

    pub(super) async fn uploads(
        &self,
        call: &Call,
        op: ListMultipartUploads,
    ) -> Result<Redacted<redact::uploads::UploadsPage>, Refusal> {
        let queued = self.permit(call, op).await?;
        let (_recorded, page) = self
            .recorded(call, queued, async |intent| {
                redact::uploads::page(self.backend.as_ref(), intent, &self.keys.load(), call.now).await
            })
            .await?;
        let page = page?;
        let shown = page.peek();
        let names = shown.uploads.iter().map(|row| row.key.to_string());
        let names = names.chain(shown.common.iter().map(ToString::to_string)).collect::<Vec<_>>();
        let shown = self.journal.store_listing(names.into_iter()).await?;
        call.slot.leave(|left| left.listing = Some(shown));
        Ok(page)
    }

    pub(super) async fn copy(&self, call: &Call, op: CopyObject) -> Result<Redacted<Copied>, Refusal> {
        let recorded = self.recorded_alone(call, op).await?;
        self.creates.settle(&recorded, self.backend.as_ref()).await?;
        let source = redact::write::source_of_copy(self.backend.source_of_copy(&recorded).await, &recorded)?;
        self.charge_copy(call, source.bytes)?;
        redact::write::copied(self.backend.copy(&recorded, &source.tag).await, &recorded)
    }

    pub(super) async fn copy_part(&self, call: &Call, op: UploadPartCopy) -> Result<Redacted<Copied>, Refusal> {
        let recorded = self.recorded_alone(call, op).await?;
        let source = redact::write::source_of_part(self.backend.source_of_part(&recorded).await, &recorded)?;
        self.charge_copy(call, source.bytes)?;
        redact::write::copied(self.backend.copy_part(&recorded, &source.tag).await, &recorded)
    }

    pub(super) async fn delete(&self, call: &Call, op: DeleteObject) -> Result<Redacted<Deleted>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        redact::write::deleted(self.backend.delete(&recorded).await, &recorded)
    }

    pub(super) async fn tags(&self, call: &Call, op: GetObjectTagging) -> Result<Redacted<Vec<Tag>>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        redact::write::tags(self.backend.tags(recorded.intent()).await, &recorded)
    }

    pub(super) async fn set_tags(&self, call: &Call, op: PutObjectTagging) -> Result<Redacted<()>, Refusal> {
        let recorded = self.recorded_change(call, op).await?;
        redact::write::done(self.backend.set_tags(&recorded).await, &recorded)
    }

    /// `DeleteObjects`: each key is decided, recorded and answered by itself; the backend is asked once for all that
    /// may go.
    pub(super) async fn delete_all(
        &self,
        call: &Call,
        request: &S3Request<DeleteObjectsInput>,
    ) -> Result<Vec<DeletedRow>, Refusal> {
        let bucket = super::ask::bucket(&request.input.bucket)?;
        let named = &request.input.delete.objects;
        if named.is_empty() || named.len() > limits::DELETES_MAX {
            return Err(Refusal::new(Code::MalformedXml, "DeleteObjects names 1 to 1000 keys."));
        }
        let ops: Vec<_> = named.iter().map(|named| ask::delete_one(&bucket, named)).collect();
        if let Some(refusal) = ops.iter().find_map(|op| op.as_ref().err()).filter(|_| ops.iter().all(Result::is_err)) {
            return Err(refusal.clone());
        }
        self.charge_batch(call, &bucket).await?;
        let decided = futures::future::join_all(ops.into_iter().map(async |op| self.may_go(call, op?).await)).await;
        // Keys are on the record each by itself; the request adds nothing to it, unless none of them got there.
        let mut on_record = false;
        call.slot.leave(|left| on_record = left.on_record);
        if !on_record
            && let Some(refusal) =
                decided.iter().find_map(|decided| decided.as_ref().err()).filter(|_| decided.iter().all(Result::is_err))
        {
            return Err(refusal.clone());
        }
        call.slot.leave(|left| left.on_record = true);
        let (mut outcomes, mut going) = (Vec::with_capacity(decided.len()), Vec::new());
        for decided in decided {
            outcomes.push(match decided {
                Ok(recorded) => {
                    going.push(recorded);
                    None
                }
                Err(refusal) => Some(Err(refusal)),
            });
        }
        let answers = self.backend.delete_all(&going).await;
        let mut settled = going.into_iter().zip(answers).map(|(recorded, answer)| {
            let shown = redact::write::deleted(answer, &recorded);
            close(recorded, &shown);
            shown
        });
        let rows = named.iter().zip(outcomes).filter_map(|(named, outcome)| {
            let outcome = outcome.or_else(|| settled.next())?;
            Some(DeletedRow { key: named.key.clone(), version: named.version_id.clone(), outcome })
        });
        Ok(rows.collect())
    }

    /// The right to delete one key of a batch, durable on the record under an id of its own.
    async fn may_go(&self, call: &Call, op: DeleteObject) -> Result<Recorded<Permit<DeleteObject>>, Refusal> {
        let one =
            Call { facts: Arc::new(call.facts.part(EntryId::random())), slot: call.slot.sibling(), ..call.clone() };
        let permitted = self.permit(&one, op).await;
        if one.slot.take().on_record {
            call.slot.leave(|left| left.on_record = true);
        }
        let recorded = permitted?.durable().await?;
        if recorded.conditions().ask_the_object() {
            call.slot.leave(|left| left.on_record = true);
            let refused = Err(by_age());
            close(recorded, &refused);
            return Err(by_age());
        }
        Ok(recorded)
    }
}

fn by_age() -> Refusal {
    let why = "The rule that allows this sees objects by their age, which is settled for reads and copies only.";
    Refusal::new(Code::AccessDenied, why)
}

/// The outcome of one key of a batch.
fn close(recorded: Recorded<Permit<DeleteObject>>, shown: &Result<Redacted<Deleted>, Refusal>) {
    let (_permit, entry) = recorded.into_parts();
    let mut outcome = match shown {
        Ok(_) => Outcome::new(204, Ended::Ok),
        Err(refusal) => Outcome::new(refusal.code.status(), Ended::Refused(refusal.code)),
    };
    if let Ok(shown) = shown {
        outcome.version_id = shown.peek().version_id.as_ref().map(ToString::to_string);
    }
    entry.close(outcome);
}

/// The body of the request, with its first piece at hand, or known to be empty and sound.
async fn taken(call: &Call) -> Result<Upload, Refusal> {
    let upload = call.upload.take().ok_or_else(|| Refusal::new(Code::InternalError, "The request has no body."))?;
    let fate = Arc::clone(&upload.fate);
    call.slot.leave(|left| left.fate = Some(fate));
    upload.primed().await.map_err(UploadError::refusal)
}

/// Who asks, and our keys, for the ids of uploads.
pub(super) fn opening<T>(
    gateway: &Gateway,
    call: &Call,
    read: impl FnOnce(&ask::Opener<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let who = who(call)?;
    read(&ask::Opener { who: &who, ring: &gateway.keys.load() })
}
