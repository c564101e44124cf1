//! What a view hides: fields, actions and length rules, as policies say them. Plain data, parsed once.
//!
//! How a document is rewritten by them is the redactor's matter.

use std::collections::BTreeSet;
use std::fmt;

/// One step of a field path, from the root of a record or document inwards.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member of that name. Arrays on the way are transparent: `customer.email` finds `customer: [{email}]`.
    Name(Box<str>),
    /// A member whose name matches: `*` any run of characters, `?` one character.
    Glob(Box<str>),
    /// `[n]`: the element of an array at that place, from 0.
    Index(u32),
    /// `[*]`: every element of an array.
    AnyIndex,
    /// `**`: any number of steps, also none.
    Descend,
}

/// A path to fields. `user_id` and `*_token` (no `$`, no dot) mean a member of that name at any depth.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    /// The steps, at least one, of which the last is not [`Step::Descend`].
    pub steps: Vec<Step>,
}

/// What happens to a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaskAction {
    /// A constant token per kind of value.
    Mask,
    /// The member disappears: its name, too.
    Drop,
    /// A keyed pseudonym of fixed width: the same value gives the same pseudonym within one role and profile.
    Hmac,
}

/// How the size of what is hidden is kept, so that LIST, HEAD, GET and ranges agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LengthRule {
    /// The slack stands as white space at the end of the record (JSONL), or of the document.
    Record,
    /// The slack stands as white space in place of the value.
    Field,
}

/// What becomes of a JSONL record that is not sound JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnBroken {
    /// `{}` and white space of the record's length, counted and recorded.
    #[default]
    Blank,
    /// The response is cut short.
    Cut,
}

/// How the bytes of an object are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON document.
    Json,
    /// One JSON value per line.
    Jsonl,
}

/// One rule: this field, this action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MaskRule {
    /// The profile that it comes from; the word of the log's counts.
    pub profile: Box<str>,
    /// Which fields.
    pub field: FieldPath,
    /// What happens to them.
    pub action: MaskAction,
}

/// Everything that one view hides of one object: the union of the profiles that apply. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks {
    /// The rules, in the order of the profiles; the first that matches a field decides.
    pub rules: Vec<MaskRule>,
    /// `None` is the default: [`LengthRule::Record`] for JSONL, [`LengthRule::Field`] for a document.
    pub length: Option<LengthRule>,
    /// What becomes of broken records.
    pub on_broken: OnBroken,
    /// Whether strings that hold JSON are read as such, and the rules hold in them, too.
    pub embedded: bool,
    /// Names of user metadata that every profile lets through: lower case, without `x-amz-meta-`.
    pub shown_metadata: BTreeSet<Box<str>>,
    /// Keys of tags that every profile lets through.
    pub shown_tags: BTreeSet<Box<str>>,
    /// Separates pseudonyms: role and profiles with their paths, so that a writer elsewhere cannot look values up.
    pub pseudonym_scope: String,
    /// SHA-256 over the canonical form of the above and the redactor's own version: alters only if what is shown may.
    pub digest: [u8; 32],
}

impl Masks {
    /// These rules alone and every default, for what shows bytes without a policy set, as measurements do.
    ///
    /// The digest is that of no set: plans of such masks are compiled, and not kept by it.
    pub fn of(rules: Vec<MaskRule>) -> Self {
        Self {
            rules,
            length: None,
            on_broken: OnBroken::Blank,
            embedded: true,
            shown_metadata: BTreeSet::new(),
            shown_tags: BTreeSet::new(),
            pseudonym_scope: String::new(),
            digest: [0; 32],
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.steps {
            match step {
                Step::Name(name) | Step::Glob(name) => write!(f, ".{name}")?,
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::AnyIndex => f.write_str("[*]")?,
                Step::Descend => f.write_str(".**")?,
            }
        }
        Ok(())
    }
}
