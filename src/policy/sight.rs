//! What one role, with one set of claim values, sees of any key: the automaton over all its globs.

use std::sync::Arc;

use jiff::Timestamp;

use super::mask::Masks;
use super::permit::Conditions;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// See the module.
#[derive(Debug)]
pub struct Sight {}

/// What a role may do with a key: by which rule, under which conditions, behind which masks.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The rule that allows it: `role/id`.
    pub rule: Arc<str>,
    /// What must hold of the object.
    pub conditions: Conditions,
    /// What is hidden of it; `None` shows it raw.
    pub masks: Option<Arc<Masks>>,
}

/// What of the keys below a prefix may be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// None, whatever their names.
    Nothing,
    /// Some, depending on their names or on the objects.
    Perhaps,
    /// All, whatever their names and objects.
    Everything,
}

impl Sight {
    /// Whether the action on that key is allowed at that time, and how.
    pub fn look(&self, _bucket: &Bucket, _key: &Key, _action: Action, _now: Timestamp) -> Option<Seen> {
        None
    }

    /// Which keys that begin with `prefix` (also an incomplete segment) may be listed.
    pub fn below(&self, _bucket: &Bucket, _prefix: &str, _now: Timestamp) -> Below {
        Below::Nothing
    }

    /// The smallest text `s`, in byte order, for which holds: every key at or behind `from` that may be listed is at or
    /// behind `s`. `None`: no key at or behind `from` may be listed. At least `from`; as far ahead as the globs tell.
    pub fn seek(&self, _bucket: &Bucket, _from: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
impl Sight {
    /// A sight of nothing, for unit tests.
    pub(crate) fn for_test() -> Self {
        Self {}
    }
}
