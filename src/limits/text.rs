//! The bounds of rules on the text of strings (`shapes` and `values` of redact profiles).

/// Most expressions over the text of strings (`values`) of one profile, those of its shapes included.
pub const VALUE_RULES_MAX: usize = 64;
/// Longest of these expressions, in bytes.
pub const VALUE_RULE_BYTES_MAX: usize = 1024;
/// Largest automaton of one of them, in bytes, and as much again for what may stand before its fixed text.
pub const VALUE_AUTOMATON_BYTES_MAX: usize = 512 * 1024;
/// Memory in which one of these automatons is made, in bytes.
pub const VALUE_DETERMINIZE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Fixed texts of which one must stand in whatever such an expression matches; with more it has none.
pub const VALUE_LITERALS_MAX: usize = 64;
/// Bytes of a fixed text that are looked for.
pub const VALUE_LITERAL_BYTES_MAX: usize = 16;
/// Longest match of an expression that has no fixed text but single characters, in bytes.
pub const VALUE_LOOSE_BYTES_MAX: usize = 256;
/// Bytes of a string, as written, that may stand between the beginning of a match and where it is certain, and from there to
/// where it is certain again.
pub const VALUE_MATCH_BYTES_MAX: usize = 4096;
/// Bytes of a string, as written, that a match may have before its fixed text.
pub const VALUE_BEFORE_BYTES_MAX: usize = 960;
/// Bytes of a string that are kept back behind what may be before a fixed text that comes next.
pub const VALUE_CONTEXT_BYTES: usize = VALUE_BEFORE_BYTES_MAX + 64;
/// Bytes of a string, as written, that are known beyond each place before it is judged: a fixed text, or a character in
/// escapes within escapes, is no longer.
pub const VALUE_AHEAD_BYTES: usize = 512;
/// Matches that may be open at one place of a string; of more, what is left of the string is hidden.
pub const VALUE_WALKS_MAX: usize = 128;
