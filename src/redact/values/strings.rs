//! The strings of sound JSON, told from the rest by their quotes.

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
}
