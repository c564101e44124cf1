//! The strings of sound JSON, told from the rest by their quotes.

use super::super::machine::{ESCAPING, Instructions};

/// Which bytes of the window were read, and whether a string is open there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strings {
    read: usize,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    /// Where its text begins; `None` before the window.
    from: Option<usize>,
}

/// The text of a string, a member's name among them, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// Where it begins; `None` before the window.
    pub(super) from: Option<usize>,
    /// Where its closing quote stands, or the window ends.
    pub(super) to: usize,
    pub(super) ended: bool,
}

impl Strings {
    /// Reads up to that index, and tells of no string.
    pub(super) fn skip(&mut self, window: &[u8], until: usize, instructions: Instructions) {
        while self.read < until {
            let rest = &window[self.read..];
            let count = rest.len().min(until - self.read).min(ESCAPING);
            let mut padded = [0; ESCAPING];
            let block = rest.first_chunk().unwrap_or_else(|| {
                padded[..rest.len()].copy_from_slice(rest);
                &padded
            });
            let (quotes, escaping) = instructions.quotes(block);
            let quotes = quotes & (u64::MAX >> (ESCAPING - count));
            if quotes != 0 {
                let opens = self.open.is_some() == (quotes.count_ones() % 2 == 0);
                let last = self.read + 63 - quotes.leading_zeros() as usize;
                self.open = opens.then_some(Open { from: Some(last + 1) });
            }
            // What is escaped ends nothing; it may not be there yet.
            self.read += count + (escaping >> (count - 1) & 1) as usize;
        }
    }

    /// Whether reading stands within a string.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The text that is open, or the next one; `None` where none is up to the window's end.
    pub(super) fn next(&mut self, window: &[u8]) -> Option<Text> {
        let Open { from } = match self.open {
            Some(open) => open,
            None => {
                let quote = memchr::memchr(b'"', window.get(self.read..).unwrap_or_default());
                let Some(quote) = quote.map(|quote| self.read + quote) else {
                    self.read = window.len();
                    return None;
                };
                self.read = quote + 1;
                Open { from: Some(self.read) }
            }
        };
        let begun = self.read;
        for at in memchr::memchr2_iter(b'"', b'\\', window.get(begun..).unwrap_or_default()) {
            let at = begun + at;
            if at < self.read {
                continue;
            }
            if window[at] == b'"' {
                (self.read, self.open) = (at + 1, None);
                return Some(Text { from, to: at, ended: true });
            }
            // What is escaped ends nothing; it may not be there yet.
            self.read = at + 2;
        }
        (self.read, self.open) = (self.read.max(window.len()), Some(Open { from }));
        Some(Text { from, to: window.len(), ended: false })
    }

    /// That many of the window's first bytes left.
    pub(super) fn move_by(&mut self, gone: usize) {
        self.read = self.read.saturating_sub(gone);
        if let Some(Open { from }) = &mut self.open {
            *from = from.and_then(|from| from.checked_sub(gone));
        }
    }
}

impl Text {
    /// The byte of the text before that index; `None` where it begins there.
    pub(super) fn byte_before(&self, window: &[u8], at: usize) -> Option<u8> {
        if self.from == Some(at) { None } else { at.checked_sub(1).map(|before| window[before]) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::machine::tests::tiers;
    use super::super::super::tests::Random;
    use super::*;

    #[test]
    fn strings_are_found_in_any_pieces() {
        let json = br#"{"a":"b\"c\\","":["\\\"",1]} "open"#;
        let mut strings = Strings::default();
        let mut texts = Vec::new();
        while let Some(text) = strings.next(json) {
            texts.push((String::from_utf8_lossy(&json[text.from.unwrap()..text.to]).into_owned(), text.ended));
            if !text.ended {
                break;
            }
        }
        let expected = [("a", true), (r#"b\"c\\"#, true), ("", true), (r#"\\\""#, true), ("open", false)];
        assert_eq!(texts, expected.map(|(text, ended)| (text.to_owned(), ended)));
        for cut in 0..json.len() {
            let mut strings = Strings::default();
            let mut ends = Vec::new();
            for window in [&json[..cut], &json[..]] {
                while let Some(text) = strings.next(window) {
                    ends.extend(text.ended.then_some(text.to));
                    if !text.ended {
                        break;
                    }
                }
            }
            assert_eq!(ends, [3, 12, 15, 23], "{cut}");
        }
    }

    #[test]
    fn strings_that_are_skipped_are_those_that_are_read() {
        for seed in 0..300 {
            let mut random = Random(seed);
            let mut json = b"[".to_vec();
            for _ in 0..random.below(20) {
                json.push(b'"');
                (0..random.below(30))
                    .for_each(|_| json.extend_from_slice([&b"x"[..], b"\\\\", b"\\\""][random.below(3)]));
                json.extend_from_slice(b"\",1");
            }
            for instructions in tiers() {
                let until = random.below(json.len() + 1);
                let (mut skipped, mut read) = (Strings::default(), Strings::default());
                let first = random.below(until + 1);
                skipped.skip(&json[..first], first, instructions);
                skipped.skip(&json[..until], until, instructions);
                while read.next(&json[..until]).is_some_and(|text| text.ended) {}
                let open = |strings: &Strings| strings.open.map(|open| open.from);
                assert_eq!((skipped.read, open(&skipped)), (read.read, open(&read)), "seed {seed}, {until}");
            }
        }
    }
}
