//! What a sound policy set may still do that its writer should know, and what no set may do.

use super::load::{Ruleset, Warning};
use super::source::Mistake;

/// The warnings of a set; or the mistakes that only show once all of its rules are compiled.
pub(super) fn check(_rules: &Ruleset) -> Result<Vec<Warning>, Vec<Mistake>> {
    Ok(Vec::new())
}
