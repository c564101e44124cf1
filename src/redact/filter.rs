//! Which members' names are worth a look: two bytes that stand next to each other in every name that a rule may find.
//!
//! A filter lets through too much, never too little. Of a name it wants the last two bytes, of a glob the last two, or
//! two that stand anywhere in it. It knows nothing of escapes: a name that is written with one is always let through.

/// Groups of pairs; a byte holds a bit for each.
const GROUPS: usize = 8;
/// Most groups for pairs that may stand anywhere, if there are others.
const INSIDE_GROUPS: usize = 3;

/// Where a name shows that it may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Anchor {
    /// By its last byte, and the one before it (a quote, if it has one byte; `None` is any).
    End(u8, Option<u8>),
    /// By two bytes anywhere; the first may be the opening quote. The second one is named first.
    Inside(u8, u8),
    /// By nothing.
    Nothing,
}

impl Anchor {
    /// That of exactly this name.
    pub(super) fn of_name(name: &[u8]) -> Self {
        match name {
            [] => Anchor::End(b'"', None),
            [only] => Anchor::End(*only, Some(b'"')),
            [.., before, last] => Anchor::End(*last, Some(*before)),
        }
    }

    /// That of any name that the glob matches.
    pub(super) fn of_glob(glob: &str) -> Self {
        let wild = |byte: &u8| matches!(byte, b'*' | b'?');
        let bytes = glob.as_bytes();
        match bytes {
            [.., before, last] if !wild(last) => return Anchor::End(*last, Some(*before).filter(|byte| !wild(byte))),
            [last] if !wild(last) => return Anchor::of_name(bytes),
            _ => {}
        }
        let rarest = bytes.windows(2).filter(|pair| !pair.iter().any(wild)).max_by_key(|pair| rarity(pair));
        match (rarest, bytes.first()) {
            (Some(pair), _) => Anchor::Inside(pair[1], pair[0]),
            (None, Some(first)) if !wild(first) => Anchor::Inside(*first, b'"'),
            (None, _) => Anchor::Nothing,
        }
    }
}

/// How seldom two bytes stand in names: the sum of their places among the letters, the most frequent first.
fn rarity(pair: &[u8]) -> usize {
    const FREQUENT: &[u8] = b"e_taionsrlcdumpghkbfyvwxjqz";
    let place = |byte: &u8| FREQUENT.iter().position(|letter| *letter == byte.to_ascii_lowercase());
    pair.iter().map(|byte| place(byte).unwrap_or(FREQUENT.len())).sum()
}

/// The pairs of all names, as tables over halves of bytes: a pair may be one of group `g` where bit `g` is set in the
/// entries of both halves of both its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Of the first byte, by its lower and upper half.
    pub(super) first: [[u8; 16]; 2],
    /// Of the second byte.
    pub(super) second: [[u8; 16]; 2],
    /// The groups of pairs that have to end the name.
    pub(super) ends: u8,
    /// The groups of pairs that may stand anywhere.
    pub(super) inside: u8,
    /// Whether every name is let through.
    pub(super) all: bool,
}

impl Filter {
    /// The filter of these anchors.
    pub(super) fn of(anchors: impl Iterator<Item = Anchor>) -> Self {
        let mut anchors: Vec<Anchor> = anchors.collect();
        anchors.sort_unstable();
        anchors.dedup();
        let mut filter = Self { all: anchors.contains(&Anchor::Nothing), ..Self::default() };
        let inside = anchors.iter().filter(|anchor| matches!(anchor, Anchor::Inside(..))).count();
        let ends = anchors.iter().filter(|anchor| matches!(anchor, Anchor::End(..))).count();
        let for_inside = if ends == 0 { GROUPS } else { INSIDE_GROUPS }.min(inside);
        // They are sorted by their last byte, so that a group holds few of those.
        for (at, anchor) in anchors.into_iter().enumerate() {
            match anchor {
                Anchor::End(second, first) => {
                    let group = 1 << (at * (GROUPS - for_inside) / ends);
                    filter.ends |= group;
                    filter.add(first, second, group);
                }
                Anchor::Inside(second, first) => {
                    let group = 1 << (GROUPS - for_inside + (at - ends) * for_inside / inside);
                    filter.inside |= group;
                    filter.add(Some(first), second, group);
                }
                Anchor::Nothing => {}
            }
        }
        filter
    }

    /// The groups of two bytes.
    #[inline]
    pub(super) fn groups(&self, first: u8, second: u8) -> u8 {
        let half =
            |table: &[[u8; 16]; 2], byte: u8| table[0][usize::from(byte & 0x0F)] & table[1][usize::from(byte >> 4)];
        half(&self.first, first) & half(&self.second, second)
    }

    fn add(&mut self, first: Option<u8>, second: u8, group: u8) {
        let mut set = |table: usize, byte: u8| {
            let table = if table == 0 { &mut self.first } else { &mut self.second };
            table[0][usize::from(byte & 0x0F)] |= group;
            table[1][usize::from(byte >> 4)] |= group;
        };
        match first {
            Some(byte) => set(0, byte),
            None => (0..=u8::MAX).for_each(|byte| set(0, byte)),
        }
        set(1, second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_taken_from_every_kind_of_pattern() {
        for (glob, expected) in [
            ("*_token", Anchor::End(b'n', Some(b'e'))),
            ("*s", Anchor::End(b's', None)),
            ("s", Anchor::End(b's', Some(b'"'))),
            ("secret_*", Anchor::Inside(b'r', b'c')),
            ("s*", Anchor::Inside(b's', b'"')),
            ("*key*", Anchor::Inside(b'y', b'e')),
            ("*a*", Anchor::Nothing),
            ("*", Anchor::Nothing),
            ("?", Anchor::Nothing),
        ] {
            assert_eq!(Anchor::of_glob(glob), expected, "{glob}");
        }
        assert_eq!(Anchor::of_name(b""), Anchor::End(b'"', None));
        assert_eq!(Anchor::of_name("é".as_bytes()), Anchor::End(0xA9, Some(0xC3)));
    }

    #[test]
    fn every_pair_is_in_a_group_of_its_kind() {
        let ends = (0..100_u8).map(|at| Anchor::End(at, Some(at.wrapping_mul(7))));
        let inside = (0..20_u8).map(|at| Anchor::Inside(at + 100, at));
        let filter = Filter::of(ends.chain(inside));
        assert_eq!((filter.ends & filter.inside, filter.ends | filter.inside, filter.all), (0, 0xFF, false));
        assert!((0..100_u8).all(|at| filter.groups(at.wrapping_mul(7), at) & filter.ends != 0));
        assert!((0..20_u8).all(|at| filter.groups(at, at + 100) & filter.inside != 0));
        let few = Filter::of([Anchor::End(b'd', Some(b'i')), Anchor::End(b'y', Some(b'e'))].into_iter());
        assert_eq!((few.groups(b'i', b'd') != 0, few.groups(b'e', b'd'), few.groups(b'i', b'y')), (true, 0, 0));
    }
}
