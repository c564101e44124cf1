//! What becomes of a value that begins where allow-lists say what is shown, and whether brackets are gone into.

use super::{Editor, Hidden, Level, With};
use crate::policy::mask::MaskAction;
use crate::redact::grammar::Kind;

impl Editor {
    /// A value begins under allow-lists, and nothing around it is hidden.
    pub(super) fn begin_under_keeps(&mut self, at: usize, kind: Kind) {
        let bracket = matches!(kind, Kind::Object | Kind::Array);
        // A record stays a record, whatever is kept of it.
        let may_be_unkept = !(bracket && self.levels.is_empty());
        let rule = self.rule_of_next();
        if may_be_unkept && let Some(keep) = self.unkept(kind, rule) {
            self.count_for(self.plan.profile_of_keep(keep));
            self.hide_with(at, kind, With::Token);
        } else if let Some(rule) = rule {
            self.hide(at, kind, rule);
        } else if bracket {
            self.descend(at, kind);
        }
    }

    /// The allow-list that hides a value of that kind, if one does: also from a rule that would show something of it, and
    /// from none that drops it.
    fn unkept(&self, kind: Kind, rule: Option<usize>) -> Option<usize> {
        let dropped = rule.is_some_and(|rule| self.plan.rule(rule).action == MaskAction::Drop);
        if dropped { None } else { self.plan.paths().unkept(&self.next, kind) }
    }

    /// What is in the brackets is looked at, unless nothing there can matter.
    #[inline]
    pub(super) fn descend(&mut self, at: usize, kind: Kind) {
        if self.plan.paths().is_settled(&self.next) {
            self.hidden =
                Some(Hidden { open: 1, due: false, offset: self.offset(at), made: 0, kind, with: With::Itself });
            return;
        }
        self.levels.push(Level { object: kind == Kind::Object, elements: 0, letters: 0, kept: false });
        self.positions.extend_from_slice(&self.next);
    }
}
