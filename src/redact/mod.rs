//! Show only what the permit shows: [`Raw`] is opened here and nowhere else, [`Redacted`] is all that may leave.

pub mod etag;
pub mod listing;

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

    /// Opens the seal, for the redactor alone.
    pub(in crate::redact) fn open(self) -> T {
        self.0
    }
}
