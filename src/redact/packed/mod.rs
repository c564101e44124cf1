//! Compressed objects as a view shows them: decoded, redacted, compressed again, and exactly as long as the original.
//!
//! A rendering is made of a whole object, once for each version and view, and kept for a while ([`Renderings`]), so that
//! GET, HEAD, listings and any range agree. It comes out the same each time it is made by one build of this program. A
//! build with other compressors must alter `ENGINE` in `policy::maskset`, so that no client puts ranges of two together:
//! `the_bytes_are_those_of_this_engine` fails until then.

mod decoder;
mod encoder;
mod render;
mod renderings;
mod spool;
#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub(crate) mod trial;

pub use render::{Packed, Rendering, once};
pub use renderings::Renderings;

pub(super) use render::Work;
pub(super) use renderings::Caller;

/// A compression that can be redacted through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

impl Codec {
    /// By the suffix of a key.
    pub(super) fn of_suffix(suffix: &str) -> Option<Self> {
        match suffix.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// By the word of `Content-Encoding` (RFC 9110, 8.4.1; RFC 8878, 7.2).
    pub(super) fn of_coding(coding: &str) -> Option<Self> {
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Why a compressed object cannot be shown under a redacting view. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unpackable {
    /// It is not what its name or `Content-Encoding` says, or ends in the middle.
    #[error("it is no sound gzip or zstd, whatever its name or Content-Encoding says: store it anew")]
    Broken,
    /// A few bytes stand for too many.
    #[error("it would unpack to more than a compressed trace does: store it uncompressed")]
    Bomb,
    /// zstd with a larger window than we give memory for.
    #[error("its zstd window is too large: compress it without --long and --ultra")]
    Window,
    /// It is larger than what can be kept of renderings.
    #[error(
        "it is too large to be kept as this view shows it: store it in smaller objects, or raise `size` in [renderings]"
    )]
    TooLarge,
    /// As shown it is longer than the original, at every level of compression that we try.
    #[error("compressed again it does not fit its own size: store it uncompressed, or compressed at a usual level")]
    DoesNotFit,
}
