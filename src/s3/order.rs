//! The order of names in a listing: the bytes of UTF-8, which is also the order of code points (S3, "ListObjectsV2").
//!
//! Plain functions on texts, since a place in a listing need not be a key. All are exact but [`before`].

use crate::limits;

/// The first text behind `text`: nothing fits in between.
pub fn just_behind(text: &str) -> String {
    format!("{text}\0")
}

/// The first text behind everything that begins with `prefix`; `None` if there is none, as for the empty prefix.
pub fn past(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = following(last) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// A text before `at` that a backend takes as `start-after`, so that its page begins at `at`, or a little before it.
///
/// Exact for what [`just_behind`] gave. Otherwise keys in between are those that go on behind a U+10FFFF, or, where
/// `at` is nearly as long as a key can be or would need a control character, those that share all but its last
/// character: callers pass over what comes before `at`. `None` is the start of the bucket.
pub fn before(at: &str) -> Option<String> {
    if let Some(text) = at.strip_suffix('\0') {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let mut text = at.to_owned();
    let last = text.pop()?;
    let fits = text.len() + 2 * char::MAX.len_utf8() <= limits::KEY_BYTES_MAX;
    if let Some(lower) = preceding(last).filter(|lower| fits && !lower.is_control()) {
        text.push(lower);
        text.push(char::MAX);
    }
    (!text.is_empty()).then_some(text)
}

/// The common prefix that a delimiter rolls `name` up to, if `name` begins with `prefix` and goes on to a delimiter.
pub fn common_prefix<'a>(name: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let at = name.strip_prefix(prefix)?.find(delimiter)?;
    Some(&name[..prefix.len() + at + delimiter.len()])
}

fn following(c: char) -> Option<char> {
    match c {
        '\u{D7FF}' => Some('\u{E000}'),
        _ => char::from_u32(u32::from(c) + 1),
    }
}

fn preceding(c: char) -> Option<char> {
    match c {
        '\u{E000}' => Some('\u{D7FF}'),
        _ => u32::from(c).checked_sub(1).and_then(char::from_u32),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn past_is_behind_everything_that_begins_so() {
        for (prefix, want) in [
            ("a/", Some("a0")),
            ("a\u{10FFFF}", Some("b")),
            ("\u{D7FF}", Some("\u{E000}")),
            ("\u{7f}", Some("\u{80}")),
            ("", None),
            ("\u{10FFFF}", None),
        ] {
            assert_eq!(past(prefix).as_deref(), want, "{prefix:?}");
        }
    }

    #[test]
    fn before_names_no_control_character_and_no_text_longer_than_a_key() {
        let long = "k".repeat(limits::KEY_BYTES_MAX);
        for (at, want) in [
            ("", None),
            ("k\0", Some("k")),
            ("b", Some("a\u{10FFFF}")),
            ("a/", Some("a.\u{10FFFF}")),
            ("x ", Some("x")),
            (" ", None),
            ("\u{E000}", Some("\u{D7FF}\u{10FFFF}")),
            (&long, Some(&long[1..])),
        ] {
            assert_eq!(before(at).as_deref(), want, "{at:?}");
        }
    }

    #[test]
    fn a_common_prefix_ends_with_the_first_delimiter_behind_the_prefix() {
        for (name, prefix, delimiter, want) in [
            ("a/b/c", "", "/", Some("a/")),
            ("a/b/c", "a/", "/", Some("a/b/")),
            ("a//b", "a/", "/", Some("a//")),
            ("a/b", "a/b", "/", None),
            ("b/c", "a/", "/", None),
            ("a--b--c", "a", "--", Some("a--")),
        ] {
            assert_eq!(common_prefix(name, prefix, delimiter), want, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_lie_where_they_should(a in "\\PC{0,6}", b in "\\PC{0,6}") {
            prop_assert!(just_behind(&a) > a);
            prop_assert!(b <= a || b >= just_behind(&a));
            if let Some(past) = past(&a) {
                prop_assert_eq!(b >= past, b > a && !b.starts_with(&a));
            }
            if let Some(before) = before(&a) {
                prop_assert!(before < a);
            }
        }
    }
}
