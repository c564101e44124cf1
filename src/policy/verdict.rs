//! The engine of a sight: which rules of a role match a path, from a table or lazily, and what lies below a prefix.

use super::automaton::{BuildError, Lazy, State, Table};
use super::glob::{Expression, Unknown, union};
use super::rules::{Actions, Deny, Profile, Role};
use crate::identity::Claims;
use crate::limits;
use crate::s3::operation::Action;

/// What a role's rules say of one path, apart from time and object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    /// The allows whose paths match, whatever their actions: bit `n` is allow `n`.
    pub(super) allows: u64,
    /// What is denied.
    pub(super) denied: Actions,
    /// The profiles that apply: bit `n` is profile `n`.
    pub(super) profiles: u64,
}

/// All expressions of a role with its claims, in the roles that they play.
pub(super) struct Expressions {
    /// Per allow.
    allows: Vec<Vec<Expression>>,
    /// Per deny rule: what it denies.
    denies: Vec<(Actions, Vec<Expression>)>,
    /// Per profile that the role does not see through: its number.
    profiles: Vec<(usize, Vec<Expression>)>,
}

/// For each allow, the actions that it grants.
pub(super) type Grants = [Actions];

impl Expressions {
    /// Puts the claims into the globs. An unknown claim matches nothing in an allow, anything in a deny or a profile.
    pub(super) fn of(role: &Role, global: &[Deny], profiles: &[Profile], claims: &Claims) -> Self {
        Self::with(role, global, profiles, claims, Unknown::Nothing, Unknown::Anything)
    }

    /// For checks without a person: an allow stands for every claim value, a deny with a variable for none.
    pub(super) fn of_anyone(role: &Role, global: &[Deny], profiles: &[Profile]) -> Self {
        Self::with(role, global, profiles, &Claims::new(), Unknown::AnyValue, Unknown::Nothing)
    }

    fn with(
        role: &Role,
        global: &[Deny],
        profiles: &[Profile],
        claims: &Claims,
        in_allow: Unknown,
        in_deny: Unknown,
    ) -> Self {
        let allows = role.allows.iter().map(|allow| expand(&allow.paths, claims, in_allow)).collect();
        let denies = global.iter().chain(&role.denies);
        let denies = denies.map(|deny| (deny.actions, expand(&deny.paths, claims, in_deny))).collect();
        let hidden = profiles.iter().enumerate().filter(|(_, profile)| !profile.reveal_to.contains(&role.name));
        // A profile hides more the more it matches, so its unknown claims match anything in every use.
        let profiles = hidden.map(|(at, profile)| (at, expand(&profile.paths, claims, Unknown::Anything))).collect();
        Self { allows, denies, profiles }
    }

    /// One pattern per allow, one per set of denied actions, one per profile: few patterns keep the table small.
    fn grouped(&self) -> (Vec<String>, Vec<Part>) {
        let mut patterns = Vec::new();
        let mut parts = Vec::new();
        for (at, allow) in self.allows.iter().enumerate() {
            patterns.push(union(allow));
            parts.push(Part::Allow(at));
        }
        let mut sets: Vec<Actions> = self.denies.iter().map(|(actions, _)| *actions).collect();
        sets.sort_unstable();
        sets.dedup();
        for actions in sets {
            let same = self.denies.iter().filter(|(of, _)| *of == actions);
            patterns.push(union(&same.flat_map(|(_, paths)| paths.clone()).collect::<Vec<_>>()));
            parts.push(Part::Deny(actions));
        }
        for (at, profile) in &self.profiles {
            patterns.push(union(profile));
            parts.push(Part::Profile(*at));
        }
        (patterns, parts)
    }

    /// One pattern per deny rule, for naming the one that decided.
    pub(super) fn deny_patterns(&self) -> Vec<String> {
        self.denies.iter().map(|(_, paths)| union(paths)).collect()
    }

    /// What every path that an allow with the action matches begins with; ascending, none the beginning of another.
    fn literals(&self, grants: &Grants, action: impl Fn(Actions) -> bool) -> Vec<String> {
        let granting = self.allows.iter().zip(grants).filter(|(_, actions)| action(**actions));
        let mut all: Vec<&str> = granting.flat_map(|(paths, _)| paths.iter().map(Expression::literal)).collect();
        all.sort_unstable();
        let mut kept: Vec<String> = Vec::new();
        for literal in all {
            if !kept.last().is_some_and(|shorter| literal.starts_with(shorter.as_str())) {
                kept.push(literal.to_owned());
            }
        }
        kept
    }
}

/// What a pattern of the automaton stands for.
#[derive(Debug, Clone, Copy)]
enum Part {
    Allow(usize),
    Deny(Actions),
    Profile(usize),
}

/// The engine.
pub(super) enum Engine {
    /// Everything is known of every beginning.
    Dense(Box<Dense>),
    /// Only whole paths are judged; of beginnings, the allows' literal beginnings are known.
    Sparse(Box<Sparse>),
    /// Nothing is allowed.
    Nothing,
}

/// See [`Engine::Dense`].
pub(super) struct Dense {
    /// The automaton.
    pub(super) table: Table,
    /// Per set of the table.
    pub(super) verdicts: Vec<Verdict>,
    /// Per set of the table: whether a key with that verdict is listed.
    listed: Vec<bool>,
    /// Per state: the allows through which some key from here on is listed.
    pub(super) lists: Vec<u64>,
    /// Per state: the allows through which some key from here on is read, listed or written.
    pub(super) touches: Vec<u64>,
    /// Per state: every key from here on is listed, by an allow without conditions.
    pub(super) whole: Vec<bool>,
}

/// See [`Engine::Sparse`].
pub(super) struct Sparse {
    lazy: Lazy,
    parts: Vec<Part>,
    /// Beginnings of what may be listed.
    pub(super) lists: Vec<String>,
    /// Beginnings of what may be read, listed or written.
    pub(super) touches: Vec<String>,
}

impl Engine {
    /// Builds it: dense where that fits, else sparse. `unconditional` are the allows that ask nothing but the path.
    pub(super) fn build(expressions: &Expressions, grants: &Grants, unconditional: u64) -> Result<Self, BuildError> {
        let (patterns, parts) = expressions.grouped();
        match Table::build(&patterns) {
            Ok(table) => Ok(Engine::Dense(Box::new(Dense::new(table, &parts, grants, unconditional)))),
            Err(BuildError::TooLarge) => Self::sparse(expressions, grants),
            Err(error @ BuildError::Unusable(_)) => Err(error),
        }
    }

    /// The engine for globs that do not fit a table.
    pub(super) fn sparse(expressions: &Expressions, grants: &Grants) -> Result<Self, BuildError> {
        let (patterns, parts) = expressions.grouped();
        let lists = expressions.literals(grants, |actions| actions.contains(Action::List));
        let touches = expressions.literals(grants, |actions| !actions.without(AUDIT).is_empty());
        Ok(Engine::Sparse(Box::new(Sparse { lazy: Lazy::build(&patterns)?, parts, lists, touches })))
    }

    /// The most memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Engine::Dense(dense) => {
                let per_state = size_of_val(&dense.lists[..]) + size_of_val(&dense.touches[..]) + dense.whole.len();
                dense.table.bytes() + per_state
            }
            Engine::Sparse(_) => limits::AUTOMATON_LAZY_BYTES_MAX,
            Engine::Nothing => 0,
        }
    }

    /// What the rules say of a path; `None` allows nothing.
    pub(super) fn verdict(&self, path: &str) -> Option<Verdict> {
        match self {
            Engine::Dense(dense) => Some(dense.verdict_at(dense.table.walk(dense.table.start(), path))),
            Engine::Sparse(sparse) => Some(join(&sparse.lazy.matched(path)?, &sparse.parts)),
            Engine::Nothing => None,
        }
    }
}

const AUDIT: Actions = Actions::only(Action::Audit);

impl Dense {
    fn new(table: Table, parts: &[Part], grants: &Grants, unconditional: u64) -> Self {
        let verdicts: Vec<Verdict> = table.sets().iter().map(|set| join(set, parts)).collect();
        let verdict = |state: State| verdicts[table.set_at(state)];
        let listed = verdicts.iter().map(|verdict| granted(*verdict, grants, Action::List) != 0).collect();
        let lists = table.reach(|state| granted(verdict(state), grants, Action::List));
        let touches = table.reach(|state| {
            let actions = Action::ALL.into_iter().filter(|action| *action != Action::Audit);
            actions.fold(0, |all, action| all | granted(verdict(state), grants, action))
        });
        let whole = table.always(|state| granted(verdict(state), grants, Action::List) & unconditional != 0);
        Self { verdicts, listed, lists, touches, whole, table }
    }

    /// Whether a key that ends in that state is listed.
    pub(super) fn ends_listed(&self, state: State) -> bool {
        self.listed[self.table.set_at(state)]
    }

    /// What the rules say of a path that ends in that state.
    pub(super) fn verdict_at(&self, state: State) -> Verdict {
        self.verdicts[self.table.set_at(state)]
    }
}

/// The allows of a verdict that grant the action; none where it is denied.
pub(super) fn granted(verdict: Verdict, grants: &Grants, action: Action) -> u64 {
    if verdict.denied.contains(action) {
        return 0;
    }
    bits(verdict.allows).filter(|&at| grants[at].contains(action)).fold(0, |set, at| set | 1 << at)
}

/// The numbers of the bits that are set, ascending.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = set.trailing_zeros();
        if set == 0 {
            return None;
        }
        set &= set - 1;
        Some(at as usize)
    })
}

fn join(set: &[u32], parts: &[Part]) -> Verdict {
    let mut verdict = Verdict::default();
    for pattern in set {
        match parts[*pattern as usize] {
            Part::Allow(at) => verdict.allows |= 1 << at,
            Part::Deny(actions) => verdict.denied = verdict.denied.with(actions),
            Part::Profile(at) => verdict.profiles |= 1 << at,
        }
    }
    verdict
}

fn expand(paths: &[super::glob::PathGlob], claims: &Claims, unknown: Unknown) -> Vec<Expression> {
    paths.iter().flat_map(|path| path.expand(claims, unknown)).collect()
}
