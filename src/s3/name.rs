//! Bucket, key and prefix, parsed once. Past this file no raw string names anything in a bucket.
//!
//! They are narrower than S3 on purpose: what a file system, a shell or a second parser could read in two ways is ruled
//! out here, and a key that cannot be named cannot be served.

use std::fmt;
use std::str::FromStr;

use crate::limits;

/// Why a name was refused. Says what is wrong, never the name itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty where S3 wants at least one byte.
    #[error("is empty")]
    Empty,
    /// Longer than S3 allows.
    #[error("is longer than S3 allows")]
    TooLong,
    /// A NUL, another control character, or a line separator.
    #[error("holds a control character")]
    Control,
    /// A path segment that is `.` or `..`.
    #[error("has a segment that is `.` or `..`")]
    DotSegment,
    /// A character or shape that S3's bucket naming rules do not allow.
    #[error("does not follow the bucket naming rules of S3")]
    BucketRules,
}

/// The outside name of a bucket.
///
/// Rules out (S3, "Bucket naming rules"): fewer than 3 or more than 63 bytes; anything but `a-z 0-9 . -`; a first or
/// last character that is not a letter or digit; two dots in a row; the form of an IPv4 address.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(Box<str>);

/// The key of an object: 1 to 1,024 bytes of UTF-8.
///
/// Rules out: the empty key; control characters (C0, DEL, C1, U+2028, U+2029); a segment between slashes that is `.` or
/// `..`. Empty segments (`a//b`, a leading or trailing slash) are legal: S3 keys have them, and they are compared byte
/// for byte.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<str>);

/// The beginning of keys, as a listing names it: 0 to 1,024 bytes of UTF-8 without control characters.
///
/// A prefix may end within a segment, so `..` is not ruled out; it names nothing by itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Prefix(Box<str>);

/// The id of a version of an object: 1 to 1,024 bytes of visible ASCII; `null` is that of an object that was written
/// while its bucket kept no versions.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(Box<str>);

impl VersionId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "" => Err(NameError::Empty),
            _ if text.len() > limits::KEY_BYTES_MAX => Err(NameError::TooLong),
            _ if !text.bytes().all(|b| b.is_ascii_graphic()) => Err(NameError::Control),
            _ => Ok(Self(text.into())),
        }
    }
}

impl Bucket {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// The key, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `BUCKET/KEY`, the form in which policies name an object.
    pub fn path_in(&self, bucket: &Bucket) -> String {
        format!("{bucket}/{self}")
    }
}

impl Prefix {
    /// The prefix, possibly empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Bucket {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > limits::BUCKET_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let sound = text.len() >= limits::BUCKET_BYTES_MIN
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
            && edge(text.bytes().next())
            && edge(text.bytes().next_back())
            && !text.contains("..")
            && text.parse::<std::net::Ipv4Addr>().is_err();
        if sound { Ok(Self(text.into())) } else { Err(NameError::BucketRules) }
    }
}

impl FromStr for Key {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        check_characters(text)?;
        if text.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(NameError::DotSegment);
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for Prefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_characters(text)?;
        Ok(Self(text.into()))
    }
}

fn check_characters(text: &str) -> Result<(), NameError> {
    if text.len() > limits::KEY_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{2029}') {
        return Err(NameError::Control);
    }
    Ok(())
}

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}
shown_as_text!(Bucket, Key, Prefix, VersionId);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<(), NameError> {
        text.parse::<Key>().map(drop)
    }

    #[test]
    fn keys_that_have_one_reading_are_names() {
        for text in ["a", "a/b", "a//b", "/a", "a/", "..a", "a..", "a/.b", "%2e%2e/a", "é/\u{1F600}", "a b+c%25\\'*"] {
            assert_eq!(key(text), Ok(()), "{text:?}");
        }
        assert_eq!(key(&"k".repeat(limits::KEY_BYTES_MAX)), Ok(()));
    }

    #[test]
    fn keys_with_two_readings_are_not() {
        assert_eq!(key(""), Err(NameError::Empty));
        assert_eq!(key(&"k".repeat(limits::KEY_BYTES_MAX + 1)), Err(NameError::TooLong));
        for text in [".", "..", "../a", "a/../b", "a/..", "a/./b", "./a"] {
            assert_eq!(key(text), Err(NameError::DotSegment), "{text:?}");
        }
        for text in ["a\0b", "a\nb", "a\rb", "\u{7f}", "\u{85}", "a\u{2028}b"] {
            assert_eq!(key(text), Err(NameError::Control), "{text:?}");
        }
    }

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for text in ["abc", "traces", "a-b.c", "1a2", &"b".repeat(63)] {
            assert!(text.parse::<Bucket>().is_ok(), "{text:?}");
        }
        for text in ["", "ab", "Abc", "a_b", "-abc", "abc-", "a..b", "192.168.0.1", "a/b", &"b".repeat(64)] {
            assert!(text.parse::<Bucket>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_prefix_may_be_empty_and_end_anywhere() {
        for text in ["", "a", "a/", "a/..", "é"] {
            assert!(text.parse::<Prefix>().is_ok(), "{text:?}");
        }
        assert_eq!("a\n".parse::<Prefix>(), Err(NameError::Control));
    }
}
