//! May they: rules, globs and the decision. Pure: no await, no clock; only [`load`] reads files.

mod automaton;
pub mod cases;
#[cfg(test)]
mod decide_tests;
pub mod explain;
pub mod field;
mod file;
pub mod glob;
pub mod keydate;
pub mod lint;
pub mod load;
pub mod mask;
mod maskset;
pub mod matrix;
pub mod permit;
pub mod quota;
pub mod rows;
pub mod rules;
mod seek;
mod selection;
pub mod shapes;
pub mod sight;
#[cfg(test)]
mod sight_tests;
pub mod source;
pub mod survey;
pub mod values;
mod verdict;
pub mod window;

use std::sync::Arc;

use jiff::Timestamp;

use crate::identity::Identity;
use crate::s3::error::Code;
use crate::s3::operation::{Action, Op, Touch};
use permit::{Conditions, Denial, Permit, View};
use sight::{Below, Seen, Sight};

pub use load::Ruleset;

/// What the rules say of one operation of one caller.
#[derive(Debug)]
#[must_use]
pub enum Decision<O: Op> {
    /// They may, so.
    Allow(Permit<O>),
    /// They may not.
    Deny(Denial),
}

/// Decides one operation over everything that it touches. Pure and total: the same rules, caller, operation and time
/// give the same decision.
pub fn decide<O: Op>(rules: &Ruleset, who: Arc<Identity>, op: O, now: Timestamp) -> Decision<O> {
    let sight = rules.sight(who.role(), who.claims());
    let mut grant = Grant::default();
    for touch in op.touches() {
        match judge(&sight, touch, now) {
            Ok(more) => grant = grant.and(more),
            Err(no) => {
                let (op, policy) = (op.name(), rules.digest());
                let No { path, rule, reason, looks_missing } = no;
                let code = if looks_missing { Code::NoSuchKey } else { Code::AccessDenied };
                return Decision::Deny(Denial { who, op, path, rule, reason, policy, code });
            }
        }
    }
    let Some(rule) = grant.rule else {
        let (op, policy, path) = (op.name(), rules.digest(), String::new());
        let reason = "the operation touches nothing".to_owned();
        return Decision::Deny(Denial { who, op, path, rule: None, reason, policy, code: Code::AccessDenied });
    };
    let until = rules::earlier(grant.conditions.until, Some(who.expires()));
    Decision::Allow(Permit {
        who,
        op,
        rule,
        view: View { masks: grant.masks, sight },
        conditions: Conditions { until, ..grant.conditions },
        policy: rules.digest(),
        may_list: grant.may_list,
        creates_only: grant.creates_only,
    })
}

/// What the touches judged so far grant together.
#[derive(Default)]
struct Grant {
    rule: Option<Arc<str>>,
    conditions: Conditions,
    masks: Option<Arc<mask::Masks>>,
    may_list: bool,
    creates_only: bool,
}

impl Grant {
    /// Both: the first's rule, the stricter conditions, the masks of whichever shows an object.
    fn and(self, more: Grant) -> Grant {
        let first = self.rule.is_none();
        Grant {
            rule: self.rule.or(more.rule),
            conditions: Conditions {
                modified_since: self.conditions.modified_since.max(more.conditions.modified_since),
                until: rules::earlier(self.conditions.until, more.conditions.until),
            },
            masks: self.masks.or(more.masks),
            may_list: (first || self.may_list) && more.may_list,
            creates_only: self.creates_only || more.creates_only,
        }
    }
}

/// Why a touch is refused.
struct No {
    path: String,
    rule: Option<Arc<str>>,
    reason: String,
    looks_missing: bool,
}

fn judge(sight: &Sight, touch: Touch<'_>, now: Timestamp) -> Result<Grant, No> {
    let role = sight.role();
    let no = |path: String, rule: Option<Arc<str>>, reason: String| No { path, rule, reason, looks_missing: false };
    match touch {
        Touch::Object(action, bucket, key) => {
            let may_list = sight.look(bucket, key, Action::List, now).is_some();
            let Some(Seen { rule, conditions, masks }) = sight.look(bucket, key, action, now) else {
                let path = key.path_in(bucket);
                let reason = format!("role {role} has no `{}` on {path}", action.word());
                let below = sight.below(bucket, &format!("{key}/"), now);
                let looks_missing = action == Action::Get && !may_list && below != Below::Nothing;
                let rule = sight.denied_by(bucket, key, action);
                return Err(No { looks_missing, ..no(path, rule, reason) });
            };
            let masks = masks.filter(|_| action == Action::Get);
            Ok(Grant { rule: Some(rule), conditions, masks, may_list, creates_only: false })
        }
        Touch::Write(bucket, key) => {
            let put = sight.look(bucket, key, Action::Put, now);
            let creates_only = put.is_none();
            let Some(seen) = put.or_else(|| sight.look(bucket, key, Action::Create, now)) else {
                let path = key.path_in(bucket);
                let reason = format!("role {role} has neither `put` nor `create` on {path}");
                let deny = sight.denied_by(bucket, key, Action::Put);
                return Err(no(path, deny.or_else(|| sight.denied_by(bucket, key, Action::Create)), reason));
            };
            // An object that is not there yet has no age that could fail.
            let conditions = Conditions { modified_since: None, ..seen.conditions };
            let may_list = sight.look(bucket, key, Action::List, now).is_some();
            Ok(Grant { rule: Some(seen.rule), conditions, masks: None, may_list, creates_only })
        }
        Touch::Source(bucket, key) => {
            let grant = judge(sight, Touch::Object(Action::Get, bucket, key), now)?;
            if grant.masks.is_some() {
                let path = key.path_in(bucket);
                let reason = format!("role {role} reads {path} redacted: it cannot be copied, nor compared with");
                return Err(no(path, grant.rule, reason));
            }
            Ok(grant)
        }
        Touch::Listing(bucket, prefix) => {
            let Some(rule) = sight.listing_rule(bucket, now) else {
                let reason = format!("role {role} has no `list` in bucket {bucket}");
                return Err(no(format!("{bucket}/{prefix}"), None, reason));
            };
            Ok(Grant { rule: Some(rule.clone()), may_list: true, ..Grant::default() })
        }
        Touch::Somewhere(action, bucket) => {
            let Some(rule) = sight.reaching_rule(bucket, action, now) else {
                let reason = format!("role {role} has `{}` on nothing in bucket {bucket}", action.word());
                return Err(no(bucket.to_string(), None, reason));
            };
            Ok(Grant { rule: Some(rule.clone()), ..Grant::default() })
        }
        Touch::Bucket(bucket) => {
            let Some(rule) = sight.touching_rule(bucket, now) else {
                return Err(no(bucket.to_string(), None, format!("role {role} sees nothing in bucket {bucket}")));
            };
            Ok(Grant { rule: Some(rule.clone()), may_list: true, ..Grant::default() })
        }
        Touch::Service => {
            Ok(Grant { rule: Some(format!("{role}/(session)").into()), may_list: true, ..Grant::default() })
        }
    }
}
