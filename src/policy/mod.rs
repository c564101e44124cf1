//! May they: rules, globs and the decision. Pure: no await, no clock, no I/O.

pub mod mask;
pub mod permit;
pub mod sight;
