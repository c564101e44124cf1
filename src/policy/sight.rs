//! What one role, with one set of claim values, sees of any key: the automaton over all its globs.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::automaton::{BuildError, Lazy};
use super::mask::Masks;
use super::maskset::MaskSets;
use super::permit::Conditions;
use super::rules::{Actions, Deny, Profile, Role, Terms};
use super::seek;
use super::verdict::{Dense, Engine, Expressions, Verdict, bits, granted};
use crate::identity::{Claims, RoleName};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// See the module.
pub struct Sight {
    role: Arc<Role>,
    global: Arc<[Deny]>,
    /// Per allow, the actions that it grants.
    grants: Vec<Actions>,
    engine: Engine,
    masks: MaskSets,
    /// The patterns of the denies, and their automaton once a denial must be named.
    denies: (Vec<String>, OnceLock<Option<Lazy>>),
}

/// What a role may do with a key: by which rule, under which conditions, behind which masks.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The rule that allows it: `role/id`.
    pub rule: Arc<str>,
    /// What must hold of the object.
    pub conditions: Conditions,
    /// What is hidden of it; `None` shows it raw.
    pub masks: Option<Arc<Masks>>,
}

/// What of the keys below a prefix may be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// None, whatever their names.
    Nothing,
    /// Some, depending on their names or on the objects.
    Perhaps,
    /// All, whatever their names and objects.
    Everything,
}

/// How a role's globs are matched, and what a listing through them costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// As a table of that many bytes: a listing skips all that is not visible.
    Dense {
        /// Size of the table, in bytes.
        bytes: usize,
    },
    /// Too large for a table: a listing skips to where the globs' literal beginnings say.
    Sparse {
        /// Whether some glob has no literal beginning, so that listings must be scanned, page by bounded page.
        scans: bool,
    },
}

impl Sight {
    /// Puts the claims into a role's globs and builds their automaton.
    pub(super) fn build(
        role: Arc<Role>,
        global: Arc<[Deny]>,
        profiles: Arc<[Profile]>,
        claims: &Claims,
    ) -> Result<Self, BuildError> {
        let expressions = Expressions::of(&role, &global, &profiles, claims);
        Self::over(&expressions, role, global, profiles, claims, Engine::build)
    }

    /// The same by the engine for globs that do not fit a table.
    #[cfg(test)]
    pub(super) fn build_sparse(
        role: Arc<Role>,
        global: Arc<[Deny]>,
        profiles: Arc<[Profile]>,
        claims: &Claims,
    ) -> Result<Self, BuildError> {
        let expressions = Expressions::of(&role, &global, &profiles, claims);
        let engine = |expressions: &Expressions, grants: &[Actions], _| Engine::sparse(expressions, grants);
        Self::over(&expressions, role, global, profiles, claims, engine)
    }

    /// The sight of anyone who holds the role, whatever their claims; for checks of a policy set.
    pub(super) fn of_anyone(
        role: Arc<Role>,
        global: Arc<[Deny]>,
        profiles: Arc<[Profile]>,
    ) -> Result<Self, BuildError> {
        let expressions = Expressions::of_anyone(&role, &global, &profiles);
        Self::over(&expressions, role, global, profiles, &Claims::new(), Engine::build)
    }

    /// The sight of a role that sees nothing.
    pub(super) fn blind(role: RoleName) -> Self {
        let role = Arc::new(Role::without_rights(role));
        let masks = MaskSets::new(role.name.clone(), Arc::new([]), Claims::new());
        Self {
            role,
            global: Arc::new([]),
            grants: Vec::new(),
            engine: Engine::Nothing,
            masks,
            denies: (Vec::new(), OnceLock::new()),
        }
    }

    fn over(
        expressions: &Expressions,
        role: Arc<Role>,
        global: Arc<[Deny]>,
        profiles: Arc<[Profile]>,
        claims: &Claims,
        engine: impl FnOnce(&Expressions, &[Actions], u64) -> Result<Engine, BuildError>,
    ) -> Result<Self, BuildError> {
        let grants: Vec<Actions> = role.allows.iter().map(|allow| allow.actions).collect();
        let free = role.allows.iter().enumerate().filter(|(_, allow)| allow.is_unconditional());
        let unconditional = free.fold(0, |set, (at, _)| set | 1 << at);
        let engine = engine(expressions, &grants, unconditional)?;
        let masks = MaskSets::new(role.name.clone(), profiles, claims.clone());
        let denies = (expressions.deny_patterns(), OnceLock::new());
        Ok(Self { role, global, grants, engine, masks, denies })
    }

    /// The role whose sight it is.
    pub fn role(&self) -> &RoleName {
        &self.role.name
    }

    /// Whether the action on that key is allowed at that time, and how.
    pub fn look(&self, bucket: &Bucket, key: &Key, action: Action, now: Timestamp) -> Option<Seen> {
        let path = key.path_in(bucket);
        let verdict = self.verdict(&path, now)?;
        let (rule, terms) = self.most_generous(granted(verdict, &self.grants, action), &path, now)?;
        let set = self.profile_set(verdict, &path, now);
        let until = super::rules::earlier(terms.until, self.role.expires);
        Some(Seen {
            rule: self.role.allows[rule].id.clone(),
            conditions: Conditions { modified_since: terms.modified_since, until },
            masks: self.masks.masks(set),
        })
    }

    /// Which keys that begin with `prefix` (also an incomplete segment) may be listed.
    pub fn below(&self, bucket: &Bucket, prefix: &str, now: Timestamp) -> Below {
        let path = format!("{bucket}/{prefix}");
        if self.first_in_force(self.listed_through(&path), now).is_none() {
            return Below::Nothing;
        }
        match &self.engine {
            Engine::Dense(dense) if dense.whole[dense.table.walk(dense.table.start(), &path) as usize] => {
                Below::Everything
            }
            Engine::Dense(_) | Engine::Sparse(_) => Below::Perhaps,
            Engine::Nothing => Below::Nothing,
        }
    }

    /// The smallest text `s`, in byte order, for which holds: every key at or behind `from` that may be listed is at or
    /// behind `s`. `None`: no key at or behind `from` may be listed. At least `from`; as far ahead as the globs tell.
    pub fn seek(&self, bucket: &Bucket, from: &str) -> Option<String> {
        let start = format!("{bucket}/");
        match &self.engine {
            Engine::Dense(dense) => seek::dense(dense, dense.table.walk(dense.table.start(), &start), from),
            Engine::Sparse(sparse) => {
                let inside = sparse.lists.iter().filter_map(|beginning| inside(beginning, &start));
                seek::sparse(inside, from)
            }
            Engine::Nothing => None,
        }
    }

    /// Whether some key of the bucket may be read, listed or written at that time.
    pub fn sees_bucket(&self, bucket: &Bucket, now: Timestamp) -> bool {
        self.touching_rule(bucket, now).is_some()
    }

    /// The first rule by which some key of the bucket may be read, listed or written at that time: `role/id`.
    pub(super) fn touching_rule(&self, bucket: &Bucket, now: Timestamp) -> Option<&Arc<str>> {
        self.first_in_force(self.touched_in(bucket), now)
    }

    /// The first rule that reaches into the bucket at that time and grants the action: `role/id`. Where there is none, no
    /// key of the bucket may be met by the action; where there is one, denies may still leave none.
    pub(super) fn reaching_rule(&self, bucket: &Bucket, action: Action, now: Timestamp) -> Option<&Arc<str>> {
        let granting = self.allows_with(|actions| actions.contains(action));
        self.first_in_force(self.touched_in(bucket) & granting, now)
    }

    /// The allows by which some key of the bucket may be read, listed or written, whatever the time.
    fn touched_in(&self, bucket: &Bucket) -> u64 {
        let path = format!("{bucket}/");
        match &self.engine {
            Engine::Dense(dense) => dense.touches[dense.table.walk(dense.table.start(), &path) as usize],
            Engine::Sparse(sparse) if may_lie_below(&sparse.touches, &path) => {
                self.allows_with(|actions| actions != Actions::only(Action::Audit))
            }
            Engine::Sparse(_) | Engine::Nothing => 0,
        }
    }

    /// The first rule by which some key of the bucket may be listed at that time: `role/id`.
    pub(super) fn listing_rule(&self, bucket: &Bucket, now: Timestamp) -> Option<&Arc<str>> {
        self.first_in_force(self.listed_through(&format!("{bucket}/")), now)
    }

    /// Whether some key of the bucket may be met by the action, whatever the time; what cannot be explored may.
    pub(super) fn may_reach(&self, bucket: &Bucket, action: Action) -> bool {
        match &self.engine {
            Engine::Dense(dense) => {
                let start = dense.table.walk(dense.table.start(), &format!("{bucket}/"));
                let granting = |state| granted(dense.verdict_at(state), &self.grants, action);
                dense.table.reach(granting)[start as usize] != 0
            }
            Engine::Sparse(_) => true,
            Engine::Nothing => false,
        }
    }

    /// The deny rule that forbids the action on that key, if one does: `role/id`.
    pub fn denied_by(&self, bucket: &Bucket, key: &Key, action: Action) -> Option<Arc<str>> {
        let path = key.path_in(bucket);
        if !self.engine.verdict(&path).is_some_and(|verdict| verdict.denied.contains(action)) {
            return None;
        }
        let (patterns, lazy) = &self.denies;
        let lazy = lazy.get_or_init(|| Lazy::build(patterns).ok()).as_ref()?;
        let rules: Vec<&Deny> = self.global.iter().chain(&self.role.denies).collect();
        let matching = lazy.matched(&path)?.into_iter().map(|at| rules[at as usize]);
        matching.into_iter().find(|deny| deny.actions.contains(action)).map(|deny| deny.id.clone())
    }

    /// The most memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.engine.bytes()
    }

    /// How the globs are matched.
    pub fn cost(&self) -> Cost {
        match &self.engine {
            Engine::Dense(dense) => Cost::Dense { bytes: dense.table.bytes() },
            Engine::Sparse(sparse) => Cost::Sparse { scans: sparse.lists.iter().any(|start| !start.contains('/')) },
            Engine::Nothing => Cost::Dense { bytes: 0 },
        }
    }

    /// The automaton, where it can be explored.
    pub(super) fn dense(&self) -> Option<&Dense> {
        match &self.engine {
            Engine::Dense(dense) => Some(dense),
            Engine::Sparse(_) | Engine::Nothing => None,
        }
    }

    /// Per allow, the actions that it grants.
    pub(super) fn grants(&self) -> &[Actions] {
        &self.grants
    }

    /// The role's rules.
    pub(super) fn rules(&self) -> &Role {
        &self.role
    }

    /// What the rules say of a path at that time.
    pub(super) fn verdict(&self, path: &str, now: Timestamp) -> Option<Verdict> {
        if self.is_over(now) { None } else { self.engine.verdict(path) }
    }

    /// The profiles that hide something of that path at that time: masks add up, over the profiles whose paths match
    /// and the profiles of every allow that matches, so that reading, heading and listing show the same object.
    pub(super) fn profile_set(&self, verdict: Verdict, path: &str, now: Timestamp) -> u64 {
        let allows = bits(verdict.allows).map(|at| &self.role.allows[at]);
        let redacting = allows.filter(|allow| allow.redact != 0 && allow.terms(path, now).is_some());
        redacting.fold(verdict.profiles, |set, allow| set | allow.redact)
    }

    /// The redact profiles, by the numbers of [`Sight::profile_set`].
    pub(super) fn mask_sets(&self) -> &MaskSets {
        &self.masks
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.role.expires.is_some_and(|end| now >= end)
    }

    /// Of several allows the one that lets most through, whole: parts of two never add up to more than either.
    fn most_generous(&self, allows: u64, path: &str, now: Timestamp) -> Option<(usize, Terms)> {
        let counting = bits(allows).filter_map(|at| Some((at, self.role.allows[at].terms(path, now)?)));
        counting.reduce(|best, next| if next.1.more_generous_than(&best.1) { next } else { best })
    }

    /// The allows through which some path that begins so may be listed, whatever the time.
    fn listed_through(&self, path: &str) -> u64 {
        match &self.engine {
            Engine::Dense(dense) => dense.lists[dense.table.walk(dense.table.start(), path) as usize],
            Engine::Sparse(sparse) if may_lie_below(&sparse.lists, path) => {
                self.allows_with(|actions| actions.contains(Action::List))
            }
            Engine::Sparse(_) | Engine::Nothing => 0,
        }
    }

    fn first_in_force(&self, allows: u64, now: Timestamp) -> Option<&Arc<str>> {
        if self.is_over(now) {
            return None;
        }
        let mut allows = bits(allows).map(|at| &self.role.allows[at]);
        allows.find(|allow| allow.in_force(now).is_some()).map(|allow| &allow.id)
    }

    fn allows_with(&self, wanted: impl Fn(Actions) -> bool) -> u64 {
        let granting = self.grants.iter().enumerate().filter(|(_, actions)| wanted(**actions));
        granting.fold(0, |set, (at, _)| set | 1 << at)
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sight({}, {:?})", self.role.name, self.cost())
    }
}

/// Whether something that begins in one of these ways may begin with the path.
fn may_lie_below(beginnings: &[String], path: &str) -> bool {
    beginnings.iter().any(|beginning| beginning.starts_with(path) || path.starts_with(beginning.as_str()))
}

/// The beginning of keys of the bucket that a beginning of paths means, if any; `start` is `BUCKET/`.
fn inside<'a>(beginning: &'a str, start: &str) -> Option<&'a str> {
    if start.starts_with(beginning) { Some("") } else { beginning.strip_prefix(start) }
}
