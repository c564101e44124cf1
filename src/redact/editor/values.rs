//! What becomes of a value that begins where allow-lists say what is shown, and whether brackets are gone into.

use super::{Editor, Hidden, Level, Of, Spot, With};
use crate::policy::mask::MaskAction;
use crate::redact::grammar::Kind;

impl Editor {
    /// A value begins under allow-lists, and nothing around it is hidden.
    pub(super) fn begin_under_keeps(&mut self, spot: Spot, kind: Kind) {
        let bracket = matches!(kind, Kind::Object | Kind::Array);
        // A record stays a record, whatever is kept of it.
        let may_be_unkept = !(bracket && self.levels.is_empty());
        let rule = self.rule_of_next();
        if may_be_unkept && let Some(keep) = self.unkept(kind, rule) {
            self.count_for(self.plan.profile_of_keep(keep));
            self.hide_with(spot.chunk, kind, With::Token);
        } else if let Some(rule) = rule {
            self.hide(spot, kind, rule);
        } else if bracket {
            self.enter(spot.chunk, kind);
        }
    }

    /// The allow-list that hides a value of that kind, if one does: also from a rule that would show something of it, and
    /// from none that drops it.
    fn unkept(&self, kind: Kind, rule: Option<usize>) -> Option<usize> {
        let dropped = rule.is_some_and(|rule| self.plan.rule(rule).action == MaskAction::Drop);
        if dropped { None } else { self.plan.paths().unkept(&self.next, kind) }
    }

    /// Brackets begin that no rule hides. What is in them is looked at, unless nothing there can matter.
    #[inline]
    pub(super) fn enter(&mut self, at: usize, kind: Kind) {
        let of = if kind == Kind::Object { Of::Object } else { Of::Array };
        if self.texts > 0 {
            self.enter_within_text(at, kind, of);
        } else if self.plan.paths().is_settled(&self.next) {
            self.hidden = Some(Hidden::new(self.offset(at), kind, With::Itself));
        } else {
            self.descend(of);
        }
    }

    /// The same within a string: there names stay as they are, so that an object whose names are to be hidden is hidden.
    fn enter_within_text(&mut self, at: usize, kind: Kind, of: Of) {
        let renamed = if of == Of::Object { self.plan.paths().renames(&self.next) } else { None };
        match renamed {
            Some(rule) => {
                self.count_for(self.plan.profile_of_name(rule));
                self.hide_with(at, kind, With::Token);
            }
            None => self.descend(of),
        }
    }

    /// What begins now lies within another thing.
    pub(super) fn descend(&mut self, of: Of) {
        if self.plan.paths().are_nested() {
            self.levels.push(Level { of, elements: 0, letters: 0, kept: false });
            self.positions.extend_from_slice(&self.next);
        }
    }
}
