//! What an editor does about strings that are read as JSON: their documents stand in their place.

use super::hidden::{Hidden, With};
use super::{Arc, Editor, Kind, Of, Plan};

impl Editor {
    /// Whether strings are to be read as JSON at all, and the one that begins now passes and may hold what is hidden.
    #[inline]
    pub(in crate::redact) fn shows_text(&self) -> bool {
        self.plan.embedded() && self.hidden.is_none() && !self.plan.paths().is_settled(&self.next)
    }

    /// What the plan wants to be told.
    #[inline]
    pub(in crate::redact) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The string that began just now is read; gives what [`Editor::text_ends`] wants.
    pub(in crate::redact) fn text_begins(&mut self) -> usize {
        let floor = self.levels.len();
        self.texts += 1;
        self.descend(Of::Text);
        floor
    }

    /// Nothing more of the string is read: what is open in it is forgotten, but for what is hidden.
    pub(in crate::redact) fn text_ends(&mut self, floor: usize) {
        self.texts -= 1;
        self.levels.truncate(floor);
        self.positions.truncate(floor * self.next.len());
        (self.verdict, self.named) = (None, false);
    }

    /// The text of the string that is read is hidden from that index on, or from what is hidden already.
    pub(in crate::redact) fn cut(&mut self, at: usize) {
        self.cuts += 1;
        if self.hidden.is_none() {
            self.hide_with(at, Kind::String, With::Rest);
        }
        if let Some(hidden) = &mut self.hidden {
            (hidden.kind, hidden.open, hidden.with) = (Kind::String, 1, With::Rest);
        }
    }

    /// The text of the string that is read ended just before that index. What is hidden in it has no end of its own.
    pub(in crate::redact) fn rest_ends(&mut self, at: usize) {
        if let Some(hidden) = self.hidden.take() {
            self.show_token(at, Hidden { with: With::Rest, ..hidden });
        }
    }

    /// Whether something is hidden.
    pub(in crate::redact) fn hides(&self) -> bool {
        self.hidden.is_some()
    }

    /// Hashes what is to be hashed of the text that is read, up to that index of it.
    pub(in crate::redact) fn hash(&mut self, text: &[u8], until: usize) {
        if let Some(hidden) = &mut self.hidden
            && hidden.texts == self.texts
        {
            hidden.with.read(text, until, hidden.kind);
            hidden.with.go_on(until);
        }
    }

    /// The next piece of the text that is read begins.
    pub(in crate::redact) fn text_goes_on(&mut self) {
        if let Some(hidden) = &mut self.hidden
            && hidden.texts == self.texts
        {
            hidden.with.go_on(0);
        }
    }
}
