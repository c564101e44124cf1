//! Globs over member names: `*` is any run of characters, `?` one character. Nothing else is special.

/// Whether the whole name matches. Takes at most `pattern` times `name` steps and no memory.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Most names are ruled out by their last byte already.
    if let Some(last) = pattern.last()
        && !matches!(last, b'*' | b'?')
        && name.last() != Some(last)
    {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stood, and up to where it has eaten: only that one is ever widened.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                n += character(&name[n..]);
                p += 1;
            }
            Some(&byte) if byte == name[n] => {
                n += 1;
                p += 1;
            }
            Some(_) | None => {
                let Some((at, eaten)) = star else { return false };
                let wider = eaten + character(&name[eaten..]);
                star = Some((at, wider));
                (p, n) = (at + 1, wider);
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Bytes of the first character: its first byte and those that continue it.
fn character(text: &[u8]) -> usize {
    1 + text.iter().skip(1).take_while(|&&byte| byte & 0xC0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn star_is_any_run_and_question_mark_one_character() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("*_token", "access_token", true),
            ("*_token", "_token", true),
            ("*_token", "token", false),
            ("*_token", "access_token_id", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("?", "é", true),
            ("?", "éé", false),
            ("a?c", "a\u{1F600}c", true),
            ("??", "a", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("", "", true),
            ("", "a", false),
            ("*é", "xxé", true),
            ("*\u{80}", "é\u{80}", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
