//! The right to do one operation, and its refusal. Minted only in `policy`, by `decide`.
//!
//! ```compile_fail
//! // A permit cannot be made elsewhere.
//! use tracegate::policy::permit::Permit;
//! use tracegate::s3::operation::HeadBucket;
//! fn forge(op: HeadBucket, other: Permit<HeadBucket>) -> Permit<HeadBucket> {
//!     Permit { op, ..other }
//! }
//! ```
//! ```compile_fail
//! // A permit cannot be used twice.
//! use tracegate::policy::permit::Permit;
//! fn twice(permit: Permit<tracegate::s3::operation::HeadBucket>) -> (Permit<tracegate::s3::operation::HeadBucket>, Permit<tracegate::s3::operation::HeadBucket>) {
//!     (permit.clone(), permit)
//! }
//! ```
//! ```
//! // What can be done with one: read it.
//! use tracegate::policy::permit::Permit;
//! fn read(permit: &Permit<tracegate::s3::operation::HeadBucket>) -> &str {
//!     permit.rule()
//! }
//! ```

use std::sync::Arc;

use jiff::Timestamp;

use super::mask::Masks;
use super::quota::Exceeded;
use super::sight::Sight;
use crate::identity::Identity;
use crate::s3::error::Code;
use crate::s3::operation::{Op, OpName, Touch};

/// The right of one caller to do this one operation under this view and these conditions.
#[derive(Debug)]
#[must_use]
pub struct Permit<O: Op> {
    pub(in crate::policy) who: Arc<Identity>,
    pub(in crate::policy) op: O,
    pub(in crate::policy) rule: Arc<str>,
    pub(in crate::policy) view: View,
    pub(in crate::policy) conditions: Conditions,
    pub(in crate::policy) policy: PolicyDigest,
    pub(in crate::policy) may_list: bool,
    pub(in crate::policy) creates_only: bool,
}

/// SHA-256 of a policy set's canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyDigest(pub [u8; 32]);

impl std::fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

/// What a permit shows: of the object it names, and of any key in a listing.
#[derive(Debug, Clone)]
pub struct View {
    /// What is hidden of the object; `None` shows it raw. For listings, see [`Sight::look`].
    pub(in crate::policy) masks: Option<Arc<Masks>>,
    /// What the role sees of any key.
    pub(in crate::policy) sight: Arc<Sight>,
}

impl View {
    /// What is hidden of the object that the permit names; `None` shows it raw.
    pub fn masks(&self) -> Option<&Arc<Masks>> {
        self.masks.as_ref()
    }
    /// What the role sees of any key.
    pub fn sight(&self) -> &Arc<Sight> {
        &self.sight
    }
}

/// Conditions on what only the object, or time, brings. Settled against the backend's response head, before a byte is
/// opened; failing looks like missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Objects last changed before this moment are not seen. Of several rules that allow, the most generous counts.
    pub(in crate::policy) modified_since: Option<Timestamp>,
    /// The end of the rule's window, or of the role, or of the session: streams are cut then.
    pub(in crate::policy) until: Option<Timestamp>,
}

/// What the backend's response head says, as far as conditions ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Time of the object's last change.
    pub last_modified: Timestamp,
    /// Size of the object, in bytes.
    pub size: u64,
}

impl Conditions {
    /// Whether an object with these facts may be seen.
    pub fn hold_for(&self, facts: &Facts) -> bool {
        self.modified_since.is_none_or(|since| facts.last_modified >= since)
    }
    /// Whether only the object's own facts tell if it may be seen.
    pub fn ask_the_object(&self) -> bool {
        self.modified_since.is_some()
    }
    /// When a stream under this permit is cut.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

impl<O: Op> Permit<O> {
    /// Who may.
    pub fn who(&self) -> &Arc<Identity> {
        &self.who
    }
    /// What they may.
    pub fn op(&self) -> &O {
        &self.op
    }
    /// The rule that decided: `role/id`.
    pub fn rule(&self) -> &str {
        &self.rule
    }
    /// What they see.
    pub fn view(&self) -> &View {
        &self.view
    }
    /// What must hold of the object.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }
    /// The policy set under which it was decided.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }
    /// Whether the caller may know that a key is missing (404), because they may list there.
    pub fn may_list(&self) -> bool {
        self.may_list
    }
    /// The permit given back, since the role's quota does not admit the operation.
    pub fn over_quota(self, exceeded: &Exceeded) -> Denial {
        let path = self.op.touches().first().map(|touch| path_of(*touch)).unwrap_or_default();
        Denial::over_quota(self.who, self.op.name(), path, self.policy, exceeded)
    }
    /// Whether what is written must not replace anything: the role has `create` there, and no `put`.
    pub fn creates_only(&self) -> bool {
        self.creates_only
    }
}

/// A decision against the caller, with what the log needs. Answered only once it is recorded.
#[derive(Debug)]
#[must_use]
pub struct Denial {
    pub(in crate::policy) who: Arc<Identity>,
    pub(in crate::policy) op: OpName,
    pub(in crate::policy) path: String,
    pub(in crate::policy) rule: Option<Arc<str>>,
    pub(in crate::policy) reason: String,
    pub(in crate::policy) policy: PolicyDigest,
    pub(in crate::policy) code: Code,
}

impl Denial {
    /// The denial of what the rules allow and the role's quota does not. Its rule is `role/quota`.
    pub fn over_quota(who: Arc<Identity>, op: OpName, path: String, policy: PolicyDigest, exceeded: &Exceeded) -> Self {
        let rule = Some(format!("{}/quota", who.role()).into());
        let reason = format!("role {} {exceeded}", who.role());
        Self { who, op, path, rule, reason, policy, code: exceeded.code() }
    }

    /// Who may not.
    pub fn who(&self) -> &Arc<Identity> {
        &self.who
    }
    /// What was asked.
    pub fn op(&self) -> OpName {
        self.op
    }
    /// `BUCKET/KEY`, `BUCKET/PREFIX`, `BUCKET` or nothing.
    pub fn path(&self) -> &str {
        &self.path
    }
    /// The deny rule that decided, if one did; else no rule allowed it.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
    /// One sentence for the caller: which role lacked which permission.
    pub fn reason(&self) -> &str {
        &self.reason
    }
    /// The policy set under which it was decided.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }
    /// Whether to answer 404: the key stands where the caller may list, and nothing that they may see has its name.
    pub fn looks_missing(&self) -> bool {
        self.code == Code::NoSuchKey
    }
    /// S3's code of the answer.
    pub fn code(&self) -> Code {
        self.code
    }
}

/// `BUCKET/KEY`, `BUCKET/PREFIX`, `BUCKET` or nothing.
fn path_of(touch: Touch<'_>) -> String {
    match touch {
        Touch::Object(_, bucket, key) | Touch::Write(bucket, key) | Touch::Source(bucket, key) => key.path_in(bucket),
        Touch::Listing(bucket, prefix) => format!("{bucket}/{prefix}"),
        Touch::Somewhere(_, bucket) | Touch::Bucket(bucket) => bucket.to_string(),
        Touch::Service => String::new(),
    }
}

#[cfg(test)]
impl<O: Op> Permit<O> {
    /// A permit under a role that sees nothing else, for unit tests.
    pub(crate) fn for_test(who: Arc<Identity>, op: O, masks: Option<Arc<Masks>>) -> Self {
        let view = View { masks, sight: Arc::new(Sight::blind(who.role().clone())) };
        let (rule, conditions) = ("test/rule".into(), Conditions::default());
        Self { who, op, rule, view, conditions, policy: PolicyDigest([7; 32]), may_list: false, creates_only: false }
    }
}

#[cfg(test)]
impl Denial {
    /// A denial of that operation on that path, for unit tests.
    pub(crate) fn for_test(who: Arc<Identity>, op: OpName, path: &str, reason: &str) -> Self {
        let policy = PolicyDigest([7; 32]);
        Self { who, op, path: path.into(), rule: None, reason: reason.into(), policy, code: Code::AccessDenied }
    }
}
