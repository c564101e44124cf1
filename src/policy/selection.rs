//! What a redact profile says of JSON: which fields it hides, and below which objects the names of members.

use super::field::{self, FieldError};
use super::mask::FieldPath;
use super::source::{Book, Fields};

/// `fields` and `mask_keys` of one profile; at least one of them says something.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The fields that are hidden.
    pub(super) fields: Vec<FieldPath>,
    /// The members whose names are hidden, as [`NameRule::members`](super::mask::NameRule::members) has them.
    pub(super) mask_keys: Vec<FieldPath>,
}

impl Selection {
    /// Reads it from the profile's table.
    pub(super) fn read(fields: &mut Fields<'_>, book: &mut Book<'_>) -> Self {
        let selection = Self {
            fields: paths(fields, "fields", field::parse, book),
            mask_keys: paths(fields, "mask_keys", field::parse_members, book),
        };
        if selection.fields.is_empty() && selection.mask_keys.is_empty() {
            book.note(fields.at(), "a profile hides something: name at least one field in `fields`, or an object in `mask_keys`");
        }
        selection
    }
}

fn paths(
    fields: &mut Fields<'_>,
    name: &'static str,
    parse: fn(&str) -> Result<FieldPath, FieldError>,
    book: &mut Book<'_>,
) -> Vec<FieldPath> {
    let mut found = Vec::new();
    for path in fields.texts(name, book) {
        match parse(&path.it) {
            Ok(path) => found.push(path),
            Err(error) => book.note(path.at + 1 + error.at, format!("field path {:?}: {}", path.it, error.what)),
        }
    }
    found
}
