//! The right to look at a bucket for a survey: what a role would be shown, before anybody is shown it.
//!
//! No request stands behind it, so nothing is recorded; what the backend brings for it is sealed all the same, and
//! leaves `redact` as findings only.

use std::sync::Arc;

use jiff::Timestamp;

use super::mask::Masks;
use super::permit::Facts;
use super::sight::Sight;
use crate::s3::name::{Bucket, Key, Prefix};
use crate::s3::operation::Action;

/// One role's view of one bucket, or of what lies below a prefix of it.
#[derive(Debug)]
pub struct Survey {
    sight: Arc<Sight>,
    bucket: Bucket,
    prefix: Prefix,
    now: Timestamp,
}

/// What the role may do with one object.
pub enum Surveyed {
    /// It may not read it.
    Hidden,
    /// It reads it as it is.
    Raw,
    /// It reads it masked, if it can be redacted.
    Masked(Examined),
}

/// The right to examine this one object. Made by [`Survey::of`] alone.
#[derive(Debug)]
pub struct Examined {
    bucket: Bucket,
    key: Key,
    masks: Arc<Masks>,
}

impl Survey {
    /// A survey of the keys of `bucket` that begin with `prefix`, as at that time.
    pub fn new(sight: Arc<Sight>, bucket: Bucket, prefix: Prefix, now: Timestamp) -> Self {
        Self { sight, bucket, prefix, now }
    }

    /// Which bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Which keys of it.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What the role may do with that object.
    pub fn of(&self, key: &Key, facts: &Facts) -> Surveyed {
        let seen = self.sight.look(&self.bucket, key, Action::Get, self.now);
        match seen.filter(|seen| key.as_str().starts_with(self.prefix.as_str()) && seen.conditions.hold_for(facts)) {
            None => Surveyed::Hidden,
            Some(seen) => seen.masks.map_or(Surveyed::Raw, |masks| {
                Surveyed::Masked(Examined { bucket: self.bucket.clone(), key: key.clone(), masks })
            }),
        }
    }
}

impl Examined {
    /// Its bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What is hidden of it.
    pub fn masks(&self) -> &Arc<Masks> {
        &self.masks
    }
}
