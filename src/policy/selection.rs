//! What a redact profile says of JSON: which fields it hides and how, or which alone it keeps, below which objects it hides the
//! names of members, what it hides of the text of strings, and which records it shows.

use std::sync::Arc;

use super::field::{self, FieldError};
use super::file::word;
use super::mask::{FieldPath, MaskAction};
use super::rows::Rows;
use super::shapes;
use super::source::{At, Book, Entry, Fields, texts};
use super::values::ValuePattern;
use crate::limits;

/// `fields` with `action`, or `keep`, and `mask_keys`, `values`, `shapes` and `rows`, of one profile; at least one of them
/// says something.
#[derive(Debug)]
pub(super) struct Selection {
    /// The fields that are hidden.
    pub(super) fields: Vec<FieldPath>,
    /// How they are.
    pub(super) action: MaskAction,
    /// The fields that alone are shown; none where it is no allow-list.
    pub(super) keep: Vec<FieldPath>,
    /// The members whose names are hidden, as [`NameRule::members`](super::mask::NameRule::members) has them.
    pub(super) mask_keys: Vec<FieldPath>,
    /// What is hidden of the text of strings, and the names of shipped shapes that are among it.
    pub(super) values: Vec<Arc<ValuePattern>>,
    pub(super) shapes: Vec<Box<str>>,
    /// The records that are shown; `None` shows all.
    pub(super) rows: Option<Rows>,
}

const ACTIONS: [(&str, MaskAction); 4] = [
    ("mask", MaskAction::Mask),
    ("partial", MaskAction::Partial),
    ("drop", MaskAction::Drop),
    ("hmac", MaskAction::Hmac),
];

impl Selection {
    /// Reads it from the profile's table.
    pub(super) fn read(fields: &mut Fields<'_>, book: &mut Book<'_>) -> Self {
        let [hidden, keep] = ["fields", "keep"].map(|name| paths(fields, name, field::parse, book));
        let mask_keys = paths(fields, "mask_keys", field::parse_members, book);
        let (values, shapes) = values(fields, book);
        let written = fields.text("rows", book);
        let paths = hidden.is_some() || keep.is_some() || mask_keys.is_some();
        if !paths && values.is_none() && written.is_none() {
            book.note(
                fields.at(),
                "a profile hides something: name fields in `fields`, what alone it shows in `keep`, objects in `mask_keys`, \
                 text in `values` or `shapes`, or the records to show by `rows`",
            );
        }
        if hidden.is_some() && keep.is_some() {
            book.note(fields.at(), "`keep` hides all other fields: write `fields` in a profile of its own");
        }
        let action = word(fields, "action", &ACTIONS, book);
        if action.is_some() && hidden.is_none() {
            book.note(fields.at(), "`action` says how `fields` are hidden, and there are none; leave it out");
        }
        let [fields, keep, mask_keys] = [hidden, keep, mask_keys].map(Option::unwrap_or_default);
        let rows = written.and_then(|rows| condition(&rows, book));
        let (values, action) = (values.unwrap_or_default(), action.unwrap_or(MaskAction::Mask));
        Self { fields, action, keep, mask_keys, values, shapes, rows }
    }
}

/// The expressions over the text of strings, shipped and written, if either stands there; and the names of those shipped.
fn values(fields: &mut Fields<'_>, book: &mut Book<'_>) -> (Option<Vec<Arc<ValuePattern>>>, Vec<Box<str>>) {
    let (mut found, mut named, mut said) = (Vec::new(), Vec::new(), false);
    if let Some(entry) = fields.take("shapes") {
        said = true;
        for name in filled("shapes", "name at least one shape", entry, book) {
            match shapes::of(&name.it) {
                Some(patterns) => found.extend(patterns),
                None => {
                    let known: Vec<&str> = shapes::names().collect();
                    book.note(name.at, format!("no shape {:?}; there are: {}", name.it, known.join(", ")));
                }
            }
            named.push(name.it.into());
        }
    }
    if let Some(entry) = fields.take("values") {
        said = true;
        for written in filled("values", "write at least one expression", entry, book) {
            match ValuePattern::parse(&written.it) {
                Ok(pattern) => found.push(Arc::new(pattern)),
                Err(error) => book.note(written.at, format!("expression {:?}: {error}", written.it)),
            }
        }
    }
    if found.len() > limits::VALUE_RULES_MAX {
        let most = limits::VALUE_RULES_MAX;
        book.note(fields.at(), format!("a profile has at most {most} expressions, this one {}; split it", found.len()));
    }
    (said.then_some(found), named)
}

/// The texts of a list; one that is empty is a mistake.
fn filled(name: &str, what: &str, entry: &Entry, book: &mut Book<'_>) -> Vec<At<String>> {
    let written = texts(&entry.node, book);
    if written.is_empty() {
        book.note(entry.at, format!("`{name}` is empty; {what}"));
    }
    written
}

/// A condition on records.
fn condition(written: &At<String>, book: &mut Book<'_>) -> Option<Rows> {
    Rows::parse(&written.it)
        .map_err(|error| book.note(written.at + 1 + error.at, format!("`rows`: {}", error.what)))
        .ok()
}

/// The paths of a list, if it stands there; one that is empty is a mistake.
fn paths(
    fields: &mut Fields<'_>,
    name: &'static str,
    parse: fn(&str) -> Result<FieldPath, FieldError>,
    book: &mut Book<'_>,
) -> Option<Vec<FieldPath>> {
    let entry = fields.take(name)?;
    let mut found = Vec::new();
    for path in filled(name, "name at least one field", entry, book) {
        match parse(&path.it) {
            Ok(path) => found.push(path),
            Err(error) => book.note(path.at + 1 + error.at, format!("field path {:?}: {}", path.it, error.what)),
        }
    }
    Some(found)
}
