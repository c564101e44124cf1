//! The order of stores that walk folders, and what follows from it for who wants the order of S3. Plain functions.
//!
//! Such a store (SeaweedFS) lists a folder where its name *without* the slash stands: `model-B/` and all below it before
//! `model-B-x`, while S3 lists `model-B-x` first, since `-` is less than `/`. The two orders differ only between a
//! folder and a *low sibling*: a name that begins as the folder's and goes on with something less than a slash.
//! `start-after` is a place in the store's order, too: behind `model-B.` it passes over the whole folder `model-B/`.

use std::cmp::Ordering;

use crate::s3::order;

/// Behind the name of a folder, this is behind the folder and before its low siblings: no key holds it.
const OVER: char = '\u{1}';

/// Compares two names as such a store walks.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    one.bytes().map(rank).cmp(other.bytes().map(rank))
}

/// The folders with keys behind `after` in the order of S3 that a `start-after` of it passes over, ascending: only
/// those longer than `within`.
pub(super) fn passed_over(after: &str, within: &str) -> Vec<String> {
    let low = after.bytes().enumerate().skip(within.len()).filter(|(_, byte)| *byte < b'/');
    let whole = (!after.ends_with(OVER)).then_some(after.len());
    let cuts = low.map(|(at, _)| at).chain(whole).rev();
    cuts.map(|at| format!("{}/", &after[..at])).filter(|folder| folder.starts_with(within)).collect()
}

/// The folders in which a name lies that are longer than `within`, from the outermost.
pub(super) fn levels<'a>(name: &'a str, within: &str) -> impl Iterator<Item = &'a str> {
    let slashes = name.bytes().enumerate().skip(within.len()).filter(|(_, byte)| *byte == b'/');
    slashes.map(|(at, _)| &name[..=at])
}

/// The place of a folder's first low sibling, in the order of S3; `folder` ends with its slash.
pub(super) fn low_siblings(folder: &str) -> String {
    order::just_behind(&folder[..folder.len() - 1])
}

/// A `start-after` that passes over a folder, and over nothing else that can be named; `name` is without its slash.
pub(super) fn over(name: &str) -> String {
    format!("{name}{OVER}")
}

/// A text before `at` that such a store takes as `start-after`: as [`order::before`], but before a low sibling it passes
/// over the folder, and behind the folder over its low siblings: S3 has them the other way round.
pub(super) fn before(at: &str) -> Option<String> {
    if let Some(text) = at.strip_suffix(['\0', ' ']) {
        return Some(over(text));
    }
    match at.strip_suffix('0') {
        Some(text) => Some(format!("{text}.{}", char::MAX)),
        None => order::before(at),
    }
}

/// Where S3 goes on when such a store, asked for what is behind `after`, comes to `name`, which S3 has before `after`:
/// behind the folder of `after` whose low sibling `name` is, or is in.
pub(super) fn left(after: &str, name: &str) -> String {
    let same = after.bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count();
    let folder = after.get(..=same).filter(|folder| folder.ends_with('/'));
    folder.and_then(order::past).unwrap_or_else(|| order::just_behind(name))
}

fn rank(byte: u8) -> u16 {
    if byte == b'/' { 0 } else { u16::from(byte) + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_folder_stands_where_its_name_without_the_slash_does() {
        let mut names = ["b.json", "b/z", "b-x/1", "b", "b0", "b/a", "a"];
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(names, ["a", "b", "b/a", "b/z", "b-x/1", "b.json", "b0"]);
    }

    #[test]
    fn what_is_passed_over_begins_as_the_place() {
        for (after, within, want) in [
            ("model-B.\u{10FFFF}", "", &["model-B.\u{10FFFF}/", "model-B/", "model/"][..]),
            ("model-B.\u{10FFFF}", "model-", &["model-B.\u{10FFFF}/", "model-B/"]),
            ("a-b/c", "", &["a-b/c/", "a/"]),
            ("a-b/c", "a-b/", &["a-b/c/"]),
            ("a\u{1}", "", &["a/"]),
            ("", "", &["/"]),
        ] {
            assert_eq!(passed_over(after, within), want, "{after} {within}");
        }
    }

    #[test]
    fn a_place_behind_a_folder_is_behind_its_low_siblings() {
        for (at, want) in [("b0", "b.\u{10FFFF}"), ("b\0", "b\u{1}"), ("b ", "b\u{1}"), ("b1", "b0\u{10FFFF}")] {
            assert_eq!(before(at).as_deref(), Some(want), "{at:?}");
        }
        assert_eq!(left("a/b/7", "a/b-x"), "a/b0");
        assert_eq!(left("a/b/7", "a-x"), "a0");
        assert_eq!(levels("a/b/c", "a/").collect::<Vec<_>>(), ["a/b/"]);
    }

    fn name() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec!["a", "b", "/", "-", "."]);
        prop::collection::vec(pieces, 1..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_else_is_passed_over(after in name(), key in name()) {
            let over = key > after && compare(&key, &after) != Ordering::Greater;
            let told = passed_over(&after, "").iter().any(|folder| key.starts_with(folder));
            prop_assert!(!over || told, "{} {}", after, key);
        }
    }
}
