//! What a redact profile says of JSON: which fields it hides and how, or which alone it keeps, below which objects it hides the
//! names of members, and which records it shows.

use super::field::{self, FieldError};
use super::file::word;
use super::mask::{FieldPath, MaskAction};
use super::rows::Rows;
use super::source::{At, Book, Fields, texts};

/// `fields` with `action`, or `keep`, and `mask_keys` and `rows`, of one profile; at least one of them says something.
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
        let written = fields.text("rows", book);
        if hidden.is_none() && keep.is_none() && mask_keys.is_none() && written.is_none() {
            book.note(
                fields.at(),
                "a profile hides something: name fields in `fields`, what alone it shows in `keep`, objects in `mask_keys`, or the \
                 records to show by `rows`",
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
        Self { fields, action: action.unwrap_or(MaskAction::Mask), keep, mask_keys, rows }
    }
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
    let written = texts(&entry.node, book);
    if written.is_empty() {
        book.note(entry.at, format!("`{name}` is empty; name at least one field"));
    }
    let mut found = Vec::new();
    for path in written {
        match parse(&path.it) {
            Ok(path) => found.push(path),
            Err(error) => book.note(path.at + 1 + error.at, format!("field path {:?}: {}", path.it, error.what)),
        }
    }
    Some(found)
}
