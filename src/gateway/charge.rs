//! What a write takes from its role's quota, before anything is asked of the backend. A refusal is on the record like a
//! denial, under the rule `role/quota`.

use super::call::Call;
use super::{Gateway, who};
use crate::identity::RoleName;
use crate::policy::Ruleset;
use crate::policy::permit::{Denial, Permit};
use crate::policy::quota::{Exceeded, Quota, Written};
use crate::quota::Reservation;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::Bucket;
use crate::s3::operation::{Op, OpName};
use crate::s3::shape::shape;

impl Gateway {
    /// Takes what the operation brings, and leaves it in the call's slot; what does not change a bucket takes nothing.
    pub(super) fn charge<O: Op>(&self, call: &Call, permit: &Permit<O>) -> Result<(), Exceeded> {
        let op = permit.op().name();
        // The keys of a batch were charged with it, as one request.
        if !shape(op).changes || call.facts.batch.is_some() {
            return Ok(());
        }
        let more = Written::by(op, call.upload.announced());
        let quota = quota_of(&self.rules.load().set, permit.who().role());
        let reserved = self.quotas.reserve(quota, permit.who(), more, call.now)?;
        call.slot.leave(|left| left.reserved = Some(reserved));
        Ok(())
    }

    /// The same for a batch of deletions, which is one request.
    pub(super) async fn charge_batch(&self, call: &Call, bucket: &Bucket) -> Result<(), Refusal> {
        let (rules, who) = (self.rules.load_full(), who(call)?);
        let quota = quota_of(&rules.set, who.role());
        let Err(exceeded) = self.quotas.reserve(quota, &who, Written::default(), call.now).map(Reservation::keep)
        else {
            return Ok(());
        };
        let (path, policy) = (bucket.to_string(), rules.set.digest());
        Err(self.denied(call, Denial::over_quota(who, OpName::DeleteObjects, path, policy, &exceeded)).await)
    }

    /// Takes what a copy brings, now that its source is known. The copy is on the record already, so a refusal is its
    /// outcome.
    pub(super) fn charge_copy(&self, call: &Call, bytes: u64) -> Result<(), Refusal> {
        let mut grown = Ok(());
        call.slot.leave(|left| {
            left.copied = Some(bytes);
            if let Some(reserved) = &mut left.reserved {
                grown = reserved.grow(bytes, call.now);
            }
        });
        let role = who(call)?;
        grown.map_err(|exceeded| Refusal::new(exceeded.code(), format!("role {} {exceeded}", role.role())))
    }

    /// What a denial answers, once it is on the record.
    pub(super) async fn denied(&self, call: &Call, denial: Denial) -> Refusal {
        let queued = match self.journal.queue(denial, &call.facts) {
            Ok(queued) => queued,
            Err(unavailable) => return unavailable.into(),
        };
        match queued.durable().await {
            Err(unavailable) => unavailable.into(),
            Ok(denial) => {
                call.slot.leave(|left| left.on_record = true);
                if denial.looks_missing() {
                    Refusal::new(Code::NoSuchKey, "The specified key does not exist.")
                } else {
                    Refusal::new(denial.code(), denial.reason())
                }
            }
        }
    }
}

fn quota_of(rules: &Ruleset, role: &RoleName) -> Option<Quota> {
    rules.role(role).and_then(|role| role.quota)
}
