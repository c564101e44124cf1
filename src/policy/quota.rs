//! The `[quota]` of a role: how much it may write a day and how fast. Plain arithmetic; what was written is counted
//! elsewhere.

use std::fmt;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::Serialize;

use super::source::{Book, Fields, Node};
use crate::limits;
use crate::s3::error::Code;
use crate::s3::operation::OpName;

/// How much a role may write. Days are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Most objects a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects_per_day: Option<u64>,
    /// Most bytes a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Most requests that change something, a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Whose writes are counted together.
    pub per: Per,
}

/// Whose writes are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Those of one subject of one issuer.
    #[default]
    Subject,
    /// Those of everybody in the role.
    Role,
}

/// What was written on one day, or what one write brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Objects.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What of a day's quota is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Objects; `None` is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// Bytes; `None` is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When all of it is there again: the next midnight, UTC.
    pub resets: Timestamp,
}

/// Why a quota does not admit a write. The text is the end of a sentence about the role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// More requests than a second allows.
    #[error("makes at most {0} changing requests a second")]
    TooFast(NonZeroU32),
    /// The day's objects are used up.
    #[error("has written the {allowed} objects that its quota allows a day; the next may come at {resets}")]
    Objects {
        /// A day's.
        allowed: u64,
        /// When the next day begins.
        resets: Timestamp,
    },
    /// The day's bytes do not suffice.
    #[error("has {left} of the {allowed} bytes left that its quota allows a day, until {resets}; this takes {asked}")]
    Bytes {
        /// A day's.
        allowed: u64,
        /// What is left of them.
        left: u64,
        /// What the write brings.
        asked: u64,
        /// When the next day begins.
        resets: Timestamp,
    },
    /// What was written earlier in the day is not known.
    #[error("has a quota, and what was written earlier today is not known: {0}")]
    Unknown(String),
    /// No more callers can be counted.
    #[error("has a quota, and too many callers wrote today to count another one; the next day begins at {resets}")]
    TooMany {
        /// When the next day begins.
        resets: Timestamp,
    },
}

impl Written {
    /// What an operation brings that carries so many bytes.
    pub fn by(op: OpName, bytes: u64) -> Self {
        let makes = matches!(op, OpName::PutObject | OpName::CompleteMultipartUpload | OpName::CopyObject);
        Self { objects: u64::from(makes), bytes }
    }
}

impl Exceeded {
    /// S3's code: what passes soon by itself may be tried again.
    pub fn code(&self) -> Code {
        match self {
            Exceeded::TooFast(_) => Code::SlowDown,
            Exceeded::Objects { .. } | Exceeded::Bytes { .. } => Code::AccessDenied,
            Exceeded::Unknown(_) | Exceeded::TooMany { .. } => Code::ServiceUnavailable,
        }
    }
}

impl Quota {
    /// Whether it bounds a day, and not only the pace.
    pub fn bounds_a_day(&self) -> bool {
        self.objects_per_day.is_some() || self.bytes_per_day.is_some()
    }

    /// Whether so much more may be written on the day of `now`, on which that was written before.
    ///
    /// # Errors
    /// Which bound it would pass.
    pub fn admits(&self, today: Written, more: Written, now: Timestamp) -> Result<(), Exceeded> {
        let resets = day_after(now);
        let passes = |allowed: u64, used: u64, more: u64| more > 0 && used.saturating_add(more) > allowed;
        if let Some(allowed) = self.objects_per_day.filter(|allowed| passes(*allowed, today.objects, more.objects)) {
            return Err(Exceeded::Objects { allowed, resets });
        }
        if let Some(allowed) = self.bytes_per_day.filter(|allowed| passes(*allowed, today.bytes, more.bytes)) {
            let left = allowed.saturating_sub(today.bytes);
            return Err(Exceeded::Bytes { allowed, left, asked: more.bytes, resets });
        }
        Ok(())
    }

    /// What is left of the day of `now`, on which that was written.
    pub fn left(&self, today: Written, now: Timestamp) -> Left {
        Left {
            objects: self.objects_per_day.map(|allowed| allowed.saturating_sub(today.objects)),
            bytes: self.bytes_per_day.map(|allowed| allowed.saturating_sub(today.bytes)),
            resets: day_after(now),
        }
    }

    /// Reads `[quota]`.
    pub(super) fn read(node: &Node, book: &mut Book<'_>) -> Self {
        let (mut fields, mistakes) = (Fields::of(node, book), book.mistakes.len());
        let objects_per_day = fields.count("objects_per_day", limits::QUOTA_OBJECTS_MAX, book);
        let bytes = fields.text("bytes_per_day", book);
        let bytes_per_day = bytes.and_then(|text| text.try_map(book, |text| size(&text))).map(|size| size.it);
        let rate = fields.count("requests_per_second", u64::from(limits::QUOTA_RATE_MAX), book);
        let requests_per_second = rate.and_then(|rate| NonZeroU32::new(u32::try_from(rate).ok()?));
        let words = [("subject", Per::Subject), ("role", Per::Role)];
        let per = super::file::word(&mut fields, "per", &words, book).unwrap_or_default();
        let quota = Self { objects_per_day, bytes_per_day, requests_per_second, per };
        fields.done(book);
        if !quota.bounds_a_day() && quota.requests_per_second.is_none() && book.mistakes.len() == mistakes {
            book.note(
                node.at,
                "this quota bounds nothing; add `objects_per_day`, `bytes_per_day` or `requests_per_second`",
            );
        }
        quota
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = [
            self.objects_per_day.map(|objects| format!("{objects} objects a day")),
            self.bytes_per_day.map(|bytes| format!("{bytes} bytes a day")),
            self.requests_per_second.map(|requests| format!("{requests} changing requests a second")),
        ];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        let per = match self.per {
            Per::Subject => "each subject",
            Per::Role => "everybody in the role together",
        };
        write!(f, "{} for {per}", bounds.join(", "))
    }
}

/// The day of a time: how many of UTC's days passed since 1970.
pub fn day_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(SECONDS_OF_A_DAY)
}

/// When the day of a time begins.
pub fn day_begins(now: Timestamp) -> Timestamp {
    Timestamp::from_second(day_of(now) * SECONDS_OF_A_DAY).unwrap_or(Timestamp::MIN)
}

fn day_after(now: Timestamp) -> Timestamp {
    Timestamp::from_second((day_of(now) + 1) * SECONDS_OF_A_DAY).unwrap_or(Timestamp::MAX)
}

const SECONDS_OF_A_DAY: i64 = 24 * 3600;

/// `500GiB`: a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`. In bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    let bytes = number.zip(unit).and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    bytes.ok_or_else(|| {
        format!("a size is a whole number and B, KiB, MiB, GiB or TiB, such as \"500GiB\", not {text:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("1B", 1), ("10KiB", 10_240), ("500GiB", 536_870_912_000), ("2TiB", 2_199_023_255_552)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0B", "10", "10 GiB", "10GB", "-1B", "1.5GiB", "GiB", "99999999TiB", "1é"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_is_that_of_utc_and_ends_at_midnight() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let late = at("2026-11-20T23:59:59.9Z");
        assert_eq!((day_begins(late), day_after(late)), (at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")));
        assert_eq!(day_of(at("2026-11-21T00:00:00Z")), day_of(late) + 1);
        assert_eq!(day_of(at("1969-12-31T23:59:59Z")), -1);
    }

    #[test]
    fn a_bound_is_what_may_be_reached_and_not_passed() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let quota =
            Quota { objects_per_day: Some(2), bytes_per_day: Some(10), requests_per_second: None, per: Per::Role };
        let written = |objects, bytes| Written { objects, bytes };
        for (today, more, says) in [
            (written(0, 0), written(1, 10), None),
            (written(1, 10), written(1, 0), None),
            (written(2, 0), written(1, 1), Some("the 2 objects")),
            (written(2, 0), written(0, 10), None),
            (written(0, 4), written(0, 7), Some("has 6 of the 10 bytes")),
            (written(0, 99), written(1, 0), None),
            (written(0, 1), written(0, u64::MAX), Some("has 9 of the 10 bytes")),
        ] {
            let said = quota.admits(today, more, now).err();
            assert_eq!(said.is_some(), says.is_some(), "{today:?} {more:?}");
            let text = said.map(|exceeded| exceeded.to_string()).unwrap_or_default();
            assert!(text.contains(says.unwrap_or_default()), "{text}");
            assert!(says.is_none() || text.contains("2026-11-21T00:00:00Z"), "{text}");
        }
        let left = quota.left(written(3, 4), now);
        assert_eq!((left.objects, left.bytes), (Some(0), Some(6)));
    }
}
