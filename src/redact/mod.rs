//! Show only what the permit shows: [`Raw`] is opened here and nowhere else, [`Redacted`] is all that may leave.
//!
//! The reference engine: [`plan`] compiles masks, [`redactor`] is the push machine, [`stream`] puts it around a body and
//! around ranges of an object, [`format`](mod@format) tells how an object is framed, [`etag`] names what is shown.

pub mod etag;
pub mod format;
pub mod output;
pub mod plan;
pub mod redactor;
pub mod stream;
pub mod tally;

mod editor;
mod glob;
mod grammar;
mod text;
mod token;

/// What the backend brought. Anyone seals, only `redact` opens: no getter, no `Deref`, no `Debug`.
///
/// ```compile_fail
/// fn peek(raw: tracegate::redact::Raw<String>) -> String {
///     raw.0
/// }
/// ```
/// ```
/// fn seal(found: String) -> tracegate::redact::Raw<String> {
///     tracegate::redact::Raw::seal(found)
/// }
/// ```
#[must_use]
pub struct Raw<T>(T);

impl<T> Raw<T> {
    /// Seals what the backend brought.
    pub fn seal(found: T) -> Self {
        Self(found)
    }
}

#[cfg(test)]
mod tests;
