//! What one role, with one set of claim values, sees of any key: the automaton over all its globs.

/// See the module.
#[derive(Debug)]
pub struct Sight {}
