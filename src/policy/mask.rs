//! What a view hides: fields, actions and length rules, as policies say them. Plain data, parsed once.
//!
//! How a document is rewritten by them is the redactor's matter.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::rows::RowFilter;
use super::values::ValuePattern;

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
    /// Of a long text its last characters stay; everything else becomes its token.
    Partial,
    /// The member disappears: its name, too.
    Drop,
    /// A keyed pseudonym of fixed width: the same value gives the same pseudonym within one role and profile.
    Hmac,
}

/// What becomes of the slack, the bytes by which a token is shorter than the value that it stands for; so that LIST, HEAD,
/// GET and ranges agree. In the order of how little it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LengthRule {
    /// It stands as white space in place of the value.
    Field,
    /// It stands as white space at the end of the record (JSONL), or of the document.
    Record,
    /// It stands as white space at the end of the object, whose size is shown rounded up.
    Hidden,
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

/// The names of these members are hidden; what becomes of their values other rules say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameRule {
    /// As [`MaskRule::profile`].
    pub profile: Box<str>,
    /// Which members: the last step is the glob `*`, so that all of an object's names are hidden or none.
    pub members: FieldPath,
}

/// An allow-list: of an object only this is shown, and the brackets and names on the way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeepRule {
    /// As [`MaskRule::profile`].
    pub profile: Box<str>,
    /// The values that are kept, with all that is in them; at least one.
    pub fields: Vec<FieldPath>,
}

/// What of the text of strings matches is written over, wherever it stands: in values and in the names of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueRule {
    /// As [`MaskRule::profile`].
    pub profile: Box<str>,
    /// What matches.
    pub pattern: Arc<ValuePattern>,
}

/// Everything that one view hides of one object: the union of the profiles that apply. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks {
    /// The rules, in the order of the profiles; the first that matches a field decides.
    pub rules: Vec<MaskRule>,
    /// What a record must be to be shown; `None` shows all.
    pub rows: Option<RowFilter>,
    /// Members whose names are hidden.
    pub names: Vec<NameRule>,
    /// Allow-lists, of which each hides what it does not keep, whatever else the rules say; but [`MaskAction::Drop`] drops.
    pub keeps: Vec<KeepRule>,
    /// What is hidden of text that is shown otherwise.
    pub values: Vec<ValueRule>,
    /// `None` is the default: [`LengthRule::Record`] for JSONL, [`LengthRule::Field`] for a document.
    pub length: Option<LengthRule>,
    /// What becomes of broken records.
    pub on_broken: OnBroken,
    /// Whether a JSON object may hold several documents, one after the other.
    pub concatenated: bool,
    /// Whether strings that hold JSON are read as such, and the rules hold in them, too.
    pub embedded: bool,
    /// Names of user metadata that every profile lets through: lower case, without `x-amz-meta-`.
    pub shown_metadata: BTreeSet<Box<str>>,
    /// Keys of tags that every profile lets through.
    pub shown_tags: BTreeSet<Box<str>>,
    /// Separates pseudonyms: role and profiles with their paths, so that a writer elsewhere cannot look values up.
    pub pseudonym_scope: String,
    /// SHA-256 over the canonical form of the above and the redactor's own version: alters only if what is shown may. Under
    /// `rows` it holds claims of the caller, and must be keyed where it is told.
    pub digest: [u8; 32],
}

impl Masks {
    /// These rules alone and every default, for what shows bytes without a policy set, as measurements do.
    ///
    /// The digest is that of no set: plans of such masks are compiled, and not kept by it.
    pub fn of(rules: Vec<MaskRule>) -> Self {
        Self {
            rules,
            rows: None,
            names: Vec::new(),
            keeps: Vec::new(),
            values: Vec::new(),
            length: None,
            on_broken: OnBroken::Blank,
            concatenated: false,
            embedded: true,
            shown_metadata: BTreeSet::new(),
            shown_tags: BTreeSet::new(),
            pseudonym_scope: String::new(),
            digest: [0; 32],
        }
    }

    /// The profiles that something is hidden by, in the order in which hidden fields are counted; some several times.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().map(|rule| &*rule.profile);
        let names = self.names.iter().map(|rule| &*rule.profile);
        let keeps = self.keeps.iter().map(|rule| &*rule.profile);
        rules.chain(names).chain(keeps).chain(self.values.iter().map(|rule| &*rule.profile))
    }

    /// Whether sizes are shown rounded up.
    pub fn hides_length(&self) -> bool {
        self.length == Some(LengthRule::Hidden)
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
