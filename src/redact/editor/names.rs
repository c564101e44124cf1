//! Names that are hidden: in their place stand others, which tell only where in its object a member stands.
//!
//! `"*1"`, `"*2"`… by place, so that no two members of an object have one name and a reader keeps them all. Where a name, as
//! written, has no room for that, it becomes a letter, or several, which are counted by themselves: 26 names of one byte,
//! 702 up to two, and so on. Only where these do not fit either is it `"*"` or `""`, and may stand twice.

use super::{Editor, Mark};

/// The longest: two quotes, and an asterisk before the digits of any count.
const NAME_MAX: usize = 2 + 1 + 20;

impl Editor {
    /// Puts another name in place of the one just read, that is so written.
    pub(super) fn rename(&mut self, mark: Mark, rule: usize, written: &[u8]) {
        self.renaming = None;
        let Some(level) = self.levels.last_mut() else { return };
        let name = next(&mut level.elements, &mut level.letters, written.len());
        self.count_for(self.plan.profile_of_name(rule));
        self.rewind(mark.place);
        let width = written.len() as u64 + 2;
        let shown = self.token(name.as_bytes());
        self.owe(width - shown);
        self.passing = Some((mark.offset + width - self.offset) as usize);
    }

    /// The positions of the innermost value that is open.
    pub(super) fn innermost(&self) -> &[u64] {
        match self.positions.len() {
            0 => self.plan.paths().start(),
            all => &self.positions[all - self.next.len()..],
        }
    }
}

/// The name of the next member, in place of one of so many bytes between its quotes. Before it, so many names of its object
/// were hidden, and so many of these became letters.
fn next(names: &mut u64, letters: &mut u32, room: usize) -> Name {
    *names += 1;
    let by_place = Name::of_place(*names);
    if by_place.fits(room) {
        return by_place;
    }
    let by_letters = Name::of_letters(*letters + 1);
    if by_letters.fits(room) {
        *letters += 1;
        return by_letters;
    }
    Name::of(if room == 0 { b"" } else { b"*" })
}

/// A name with its quotes, filled from the end.
struct Name {
    bytes: [u8; NAME_MAX],
    from: usize,
}

impl Name {
    fn of(text: &[u8]) -> Self {
        let mut name = Self { bytes: [b'"'; NAME_MAX], from: NAME_MAX - 1 };
        text.iter().rev().for_each(|byte| name.push(*byte));
        name
    }

    fn of_place(mut place: u64) -> Self {
        let mut name = Self::of(b"");
        while place > 0 {
            name.push(b'0' + (place % 10) as u8);
            place /= 10;
        }
        name.push(b'*');
        name
    }

    /// `A` to `Z`, `AA`, `AB`…
    fn of_letters(mut place: u32) -> Self {
        let mut name = Self::of(b"");
        while place > 0 {
            place -= 1;
            name.push(b'A' + (place % 26) as u8);
            place /= 26;
        }
        name
    }

    fn push(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    fn fits(&self, room: usize) -> bool {
        NAME_MAX - 1 - self.from <= room
    }

    /// The byte before the first one is a quote, as is the last.
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.from - 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_place_then_by_letters_then_none() {
        let (mut names, mut letters) = (0, 0);
        let mut next =
            |room: usize| String::from_utf8(next(&mut names, &mut letters, room).as_bytes().to_vec()).unwrap();
        assert_eq!([next(9), next(2), next(1), next(0), next(1)].join(" "), r#""*1" "*2" "A" "" "B""#);
        (6..=9).for_each(|place| assert_eq!(next(2), format!("\"*{place}\"")));
        assert_eq!([next(2), next(3), next(2)].join(" "), r#""C" "*11" "D""#);
        let rest: Vec<String> = (0..23).map(|_| next(1)).collect();
        assert_eq!((rest[21].as_str(), rest[22].as_str()), (r#""Z""#, r#""*""#));
        assert_eq!([next(2), next(1), next(2)].join(" "), r#""AA" "*" "AB""#);
        assert_eq!(Name::of_letters(702).as_bytes(), b"\"ZZ\"");
        assert_eq!(Name::of_place(u64::MAX).as_bytes(), b"\"*18446744073709551615\"");
    }

    /// As long as no two names of an object were equal, no two are: for any number of them that are as short as can be.
    #[test]
    fn numbers_in_order_never_share_a_name() {
        let (mut names, mut letters) = (0, 0);
        let mut seen = std::collections::HashSet::new();
        for number in 0..100_000_u32 {
            let name = next(&mut names, &mut letters, number.to_string().len());
            assert!(seen.insert(name.as_bytes().to_vec()), "{number}");
        }
    }
}
