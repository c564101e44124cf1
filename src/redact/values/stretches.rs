//! What of the window is to be hidden, and how much was.

/// Stretches of the window, each with the profiles that hide it; and how the last one ended that left.
#[derive(Debug, Clone, Default)]
pub(super) struct Stretches {
    found: Vec<Stretch>,
    /// Whether the byte before the window was hidden, and for which profiles that was counted.
    goes_on: bool,
    counted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    from: usize,
    to: usize,
    /// Bit `n` is the profile at place `n`.
    profiles: u64,
}

impl Stretches {
    /// Hides from one index up to another, for these profiles.
    pub(super) fn add(&mut self, from: usize, to: usize, profiles: u64) {
        match self.found.last_mut() {
            Some(last) if last.to == from && last.profiles == profiles => last.to = to,
            _ => self.found.push(Stretch { from, to, profiles }),
        }
    }

    /// Writes over what is hidden of the window's first bytes, which leave, and counts it: what lies side by side once for
    /// each profile.
    pub(super) fn leave(&mut self, first: &mut [u8], counts: &mut impl FnMut(usize)) {
        self.found.sort_unstable();
        let mut until = 0;
        let leaves = self.found.partition_point(|stretch| stretch.from < first.len());
        for stretch in &self.found[..leaves] {
            if stretch.from > until || (until == 0 && !self.goes_on) {
                self.counted = 0;
            }
            let mut new = stretch.profiles & !self.counted;
            self.counted |= new;
            while new != 0 {
                counts(new.trailing_zeros() as usize);
                new &= new - 1;
            }
            let to = stretch.to.min(first.len());
            first[stretch.from..to].fill(b'*');
            until = until.max(to);
            self.goes_on = true;
        }
        if !first.is_empty() {
            self.goes_on = until == first.len();
        }
        let gone = first.len();
        self.found.retain_mut(|stretch| {
            *stretch =
                Stretch { from: stretch.from.saturating_sub(gone), to: stretch.to.saturating_sub(gone), ..*stretch };
            stretch.to > 0
        });
    }

    /// Bytes of memory that it takes beside its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.found.len() * size_of::<Stretch>()
    }
}
