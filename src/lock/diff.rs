//! Two texts, line by line, as people read differences: `-` is stored, `+` is wanted.

use crate::limits;

/// Lines around a difference that are shown with it.
const CONTEXT: usize = 3;

/// The differences; `None` where there are none. Characters that a terminal could obey are escaped.
pub fn diff(stored: &str, wanted: &str) -> Option<String> {
    if stored == wanted {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (stored.lines().collect(), wanted.lines().collect());
    let lines = if old.len().max(new.len()) > limits::LOCK_DIFF_LINES_MAX {
        let removed = old.iter().map(|line| ('-', *line));
        removed.chain(new.iter().map(|line| ('+', *line))).collect()
    } else {
        aligned(&old, &new)
    };
    Some(shown(&lines))
}

/// The longest common subsequence, the rest as removed and added.
fn aligned<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (i, removed) in old.iter().enumerate().rev() {
        for (j, added) in new.iter().enumerate().rev() {
            common[i][j] =
                if removed == added { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    lines
}

fn shown(lines: &[(char, &str)]) -> String {
    let near = |at: usize| {
        let around = &lines[at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len())];
        around.iter().any(|(mark, _)| *mark != ' ')
    };
    let (mut text, mut skipping) = (String::new(), false);
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            text.push(*mark);
            text.push(' ');
            text.extend(line.chars().flat_map(printable));
            text.push('\n');
        } else if !skipping {
            text.push_str("  …\n");
        }
        skipping = !near(at);
    }
    text
}

/// The character, or its escape where it is not plain ASCII.
fn printable(c: char) -> impl Iterator<Item = char> {
    let plain = c == ' ' || c.is_ascii_graphic();
    plain.then_some(c).into_iter().chain((!plain).then(|| c.escape_unicode()).into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_stand_among_their_neighbours() {
        assert_eq!(diff("a\nb", "a\nb"), None);
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9";
        assert_eq!(diff(old, &old.replace('6', "six")).unwrap(), "  …\n  3\n  4\n  5\n- 6\n+ six\n  7\n  8\n  9\n");
        assert_eq!(diff("", "a").unwrap(), "+ a\n");
        assert_eq!(diff("a", "").unwrap(), "- a\n");
        assert_eq!(diff("x\u{1b}[2J\u{202e}y", "").unwrap(), "- x\\u{1b}[2J\\u{202e}y\n");
    }

    #[test]
    fn long_texts_are_told_without_being_aligned() {
        let long = "x\n".repeat(limits::LOCK_DIFF_LINES_MAX + 1);
        let told = diff(&long, "x\n").unwrap();
        assert_eq!(told.matches("- x\n").count(), limits::LOCK_DIFF_LINES_MAX + 1);
        assert!(told.ends_with("+ x\n"), "{}", told.len());
    }

    proptest::proptest! {
        /// Without the `+` lines it is the old text, without the `-` lines the new one.
        #[test]
        fn both_texts_can_be_read_off(old in "[ab]{0,6}", new in "[ab]{0,6}") {
            let split = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
            let (old, new) = (split(&old), split(&new));
            let (old, new): (Vec<&str>, Vec<&str>) = (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let lines = aligned(&old, &new);
            let without = |gone: char| lines.iter().filter(|(mark, _)| *mark != gone).map(|(_, line)| *line).collect::<Vec<_>>();
            proptest::prop_assert_eq!(without('+'), old);
            proptest::prop_assert_eq!(without('-'), new);
        }
    }
}
