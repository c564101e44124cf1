//! The rules of a policy set as data: roles, what they allow and deny, and the redact profiles. Parsed, cross-checked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::glob::PathGlob;
use super::keydate::KeyDate;
use super::mask::{FieldPath, LengthRule, MaskAction, OnBroken};
use super::quota::Quota;
use super::rows::Rows;
use super::values::ValuePattern;
use super::window::Hours;
use crate::identity::RoleName;
use crate::identity::roles::Bind;
use crate::s3::operation::Action;

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Actions = Actions(0);
    /// Every action: `"*"`.
    pub const ALL: Actions = Actions(0b11_1111);
    /// The actions that alter a bucket.
    pub const WRITES: Actions = Actions(Self::bit(Action::Put) | Self::bit(Action::Create) | Self::bit(Action::Delete));

    /// The set of one action.
    pub const fn only(action: Action) -> Self {
        Self(Self::bit(action))
    }
    /// Whether the action is in the set.
    pub fn contains(self, action: Action) -> bool {
        self.0 & Self::bit(action) != 0
    }
    /// What is in either.
    pub fn with(self, other: Actions) -> Self {
        Self(self.0 | other.0)
    }
    /// What is in both.
    pub fn and(self, other: Actions) -> Self {
        Self(self.0 & other.0)
    }
    /// What is here and not there.
    pub fn without(self, other: Actions) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The actions in it, in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.contains(action))
    }

    const fn bit(action: Action) -> u8 {
        match action {
            Action::Get => 1,
            Action::List => 2,
            Action::Put => 4,
            Action::Create => 8,
            Action::Delete => 16,
            Action::Audit => 32,
        }
    }
}

/// A role: its terms, and what it may.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What it is for, in one sentence.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Longest session.
    pub max_session: Option<Duration>,
    /// The role is dead from then on.
    pub expires: Option<Timestamp>,
    /// Longest life of a presigned URL; `None` allows none.
    pub presign: Option<Duration>,
    /// Whether a token that also holds another role opens none.
    pub exclusive: bool,
    /// How much it may write; `None` sets no bound.
    pub quota: Option<Quota>,
    /// Ways to come to it.
    pub binds: Vec<Bind>,
    /// What it allows, at most [`crate::limits::ALLOWS_MAX`].
    pub allows: Vec<Allow>,
    /// What it denies, whatever it allows.
    pub denies: Vec<Deny>,
}

/// One `[[allow]]`.
#[derive(Debug, Clone)]
pub struct Allow {
    /// `role/id`.
    pub id: Arc<str>,
    /// Which actions.
    pub actions: Actions,
    /// On which paths.
    pub paths: Vec<PathGlob>,
    /// How old an object may be.
    pub age: Age,
    /// When the rule counts.
    pub hours: Option<Hours>,
    /// The rule is dead from then on.
    pub expires: Option<Timestamp>,
    /// Profiles that apply wherever this rule allows, as a set of their numbers.
    pub redact: u64,
}

/// How old an object may be, and by what.
#[derive(Debug, Clone)]
pub enum Age {
    /// Any age.
    Any,
    /// By `LastModified`.
    Modified(Duration),
    /// By the date in its key: dated so many days before today, in UTC, or later.
    InKey(Box<KeyDate>, u32),
}

/// One `[[deny]]`.
#[derive(Debug, Clone)]
pub struct Deny {
    /// `role/id`, or `_global/id`.
    pub id: Arc<str>,
    /// Which actions.
    pub actions: Actions,
    /// On which paths.
    pub paths: Vec<PathGlob>,
}

/// One `[[redact]]` profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: Box<str>,
    /// Where it applies.
    pub paths: Vec<PathGlob>,
    /// Which fields it hides.
    pub fields: Vec<FieldPath>,
    /// Which records it shows; `None` shows all.
    pub rows: Option<Rows>,
    /// Which fields alone it shows; none where it is no allow-list.
    pub keep: Vec<FieldPath>,
    /// Below which objects it hides the names of members, as [`NameRule::members`](super::mask::NameRule::members).
    pub mask_keys: Vec<FieldPath>,
    /// What it hides of the text of strings, those of `shapes` included.
    pub values: Vec<Arc<ValuePattern>>,
    /// The names of shipped [`shapes`](super::shapes) among these.
    pub shapes: Vec<Box<str>>,
    /// How it hides fields.
    pub action: MaskAction,
    /// How sizes are kept; `None` is the default of the format.
    pub length: Option<LengthRule>,
    /// What becomes of broken records.
    pub on_broken: OnBroken,
    /// Whether a JSON object may hold several documents, one after the other (`format = "concatenated"`).
    pub concatenated: bool,
    /// Whether strings that hold JSON are read as such. Other profiles may want it all the same.
    pub embedded: bool,
    /// Names of user metadata that stay visible, in lower case and without `x-amz-meta-`. All others are hidden.
    pub show_metadata: BTreeSet<Box<str>>,
    /// Keys of tags that stay visible. All others are hidden.
    pub show_tags: BTreeSet<Box<str>>,
    /// The roles for which it does not apply. Empty: nothing lifts it.
    pub reveal_to: BTreeSet<RoleName>,
}

/// What an allow asks beyond the path, at one moment: until when it holds, and how old an object may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Objects last changed before this are not seen.
    pub modified_since: Option<Timestamp>,
    /// The rule ends then.
    pub until: Option<Timestamp>,
}

impl Role {
    /// A role that may nothing.
    pub fn without_rights(name: RoleName) -> Self {
        Self {
            name,
            description: String::new(),
            owner: String::new(),
            max_session: None,
            expires: None,
            presign: None,
            exclusive: false,
            quota: None,
            binds: Vec::new(),
            allows: Vec::new(),
            denies: Vec::new(),
        }
    }
}

impl Allow {
    /// Whether the rule asks nothing beyond path and action.
    pub fn is_unconditional(&self) -> bool {
        matches!(self.age, Age::Any) && self.hours.is_none() && self.expires.is_none()
    }

    /// What the rule asks of an object of that path at that time; `None` if it does not count then.
    pub fn terms(&self, path: &str, now: Timestamp) -> Option<Terms> {
        let mut terms = self.in_force(now)?;
        match &self.age {
            Age::Any => {}
            Age::Modified(age) => terms.modified_since = Some(before(now, *age)),
            Age::InKey(date, days) => terms.until = earlier(terms.until, Some(date.seen_until(path, *days, now)?)),
        }
        Some(terms)
    }

    /// The terms apart from any object; `None` if the rule does not count at that time.
    pub fn in_force(&self, now: Timestamp) -> Option<Terms> {
        if self.expires.is_some_and(|end| now >= end) {
            return None;
        }
        let closes = match &self.hours {
            Some(hours) => Some(hours.open_until(now)?),
            None => None,
        };
        Some(Terms { modified_since: None, until: earlier(self.expires, closes) })
    }
}

impl Terms {
    /// Orders terms by how much they let through: older objects first, then a later end.
    pub fn more_generous_than(&self, other: &Terms) -> bool {
        // `None` asks nothing, so it sorts as the smallest start and as the largest end.
        let end = |terms: &Terms| (terms.until.is_none(), terms.until);
        self.modified_since < other.modified_since
            || (self.modified_since == other.modified_since && end(self) > end(other))
    }
}

/// The earlier of two ends, where `None` is no end.
pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    // An age beyond the calendar's beginning asks nothing of any object that a bucket may hold.
    SignedDuration::try_from(age).ok().and_then(|age| now.checked_sub(age).ok()).unwrap_or(Timestamp::MIN)
}
