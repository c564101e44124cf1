//! What a sound policy set may still do that its writer should know, and what no set may do.
//!
//! Everything here is asked of the roles' automata, where a claim stands for every value that it could have; so a "no"
//! is a proof, and a "yes" comes with a key that shows it.

use jiff::Timestamp;

use super::automaton::Table;
use super::glob::Unknown;
use super::load::{Ruleset, Warning};
use super::rows::Rows;
use super::rules::{Actions, Age, Allow, Profile, Role};
use super::sight::{Cost, Sight};
use super::source::{Mistake, mistake};
use super::verdict::{Verdict, bits, granted};
use crate::identity::Claims;
use crate::identity::roles::Bind;
use crate::s3::operation::Action;

/// The warnings of a set; or the mistakes that only show once all of its rules are compiled.
pub(super) fn check(rules: &Ruleset) -> Result<Vec<Warning>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let mut sights = Vec::new();
    for role in rules.roles() {
        let file = format!("{}.toml", role.name);
        match Sight::of_anyone(role.clone(), rules.denies().clone(), rules.profiles().clone()) {
            Ok(sight) => {
                mistakes.extend(writes_what_it_reads_masked(&sight, role).map(|what| mistake(&file, "", 0, what)));
                warnings.extend(of_role(rules, role, &sight));
                sights.push(sight);
            }
            Err(error) => mistakes.push(mistake(&file, "", 0, format!("{error}; write fewer or simpler globs"))),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    warnings.extend(unused_profiles(rules, &sights));
    warnings.extend(views_that_unmask_together(rules, &sights));
    warnings.extend(tokens_that_see_no_record(rules, &sights));
    warnings.sort();
    Ok(warnings)
}

/// What is over at that time: roles, rules and static tokens.
pub fn expired(rules: &Ruleset, now: Timestamp) -> Vec<Warning> {
    let roles = rules.roles().map(|role| (role.name.to_string(), role.expires));
    let allows = rules.roles().flat_map(|role| role.allows.iter().map(|allow| (allow.id.to_string(), allow.expires)));
    let tokens = rules.static_tokens().iter().map(|token| (format!("static token {}", token.id), Some(token.expires)));
    let all = roles.chain(allows).chain(tokens);
    all.filter_map(|(about, end)| {
        let end = end.filter(|end| *end <= now)?;
        Some(Warning { about, what: format!("expired at {end}; renew or remove it") })
    })
    .collect()
}

/// Edits through a mask would destroy the original, and write access would turn ETags and pseudonyms into oracles.
fn writes_what_it_reads_masked(sight: &Sight, role: &Role) -> Option<String> {
    let reads = role.allows.iter().any(|allow| allow.actions.contains(Action::Get));
    if !writes(role) || !reads {
        return None;
    }
    let Some(dense) = sight.dense() else {
        return Some(
            "the role both reads and writes, and its globs are too many to prove that it never writes what it \
                     reads masked; split it into a role that reads and one that writes"
                .into(),
        );
    };
    let both = |verdict: Verdict| {
        let written = Actions::WRITES.iter().any(|action| granted(verdict, sight.grants(), action) != 0);
        written && masked(verdict, role) != 0 && granted(verdict, sight.grants(), Action::Get) != 0
    };
    let witness = witness(&dense.table, |state| both(dense.verdict_at(state)))?;
    Some(format!(
        "the role may write a key that it reads masked, such as `{witness}`; split it into a role that reads and one \
         that writes, or lift the profile by `reveal_to`"
    ))
}

fn writes(role: &Role) -> bool {
    role.allows.iter().any(|allow| !allow.actions.and(Actions::WRITES).is_empty())
}

/// The profiles that hide something of a key with that verdict, as a set of their numbers.
fn masked(verdict: Verdict, role: &Role) -> u64 {
    bits(verdict.allows).map(|at| role.allows[at].redact).fold(verdict.profiles, |set, redact| set | redact)
}

fn of_role(rules: &Ruleset, role: &Role, sight: &Sight) -> Vec<Warning> {
    let warn = |about: &str, what: &str| Warning { about: about.to_owned(), what: what.to_owned() };
    let mut found = Vec::new();
    if role.binds.is_empty() && !rules.static_tokens().iter().any(|token| token.role == role.name) {
        found.push(warn(role.name.as_str(), "nobody can hold it; add a `[[bind]]` or a static token"));
    }
    if role.quota.is_some() && !writes(role) {
        found.push(warn(role.name.as_str(), "its `[quota]` counts writes, and it writes nothing"));
    }
    for (at, allow) in role.allows.iter().enumerate() {
        if matches!(allow.age, Age::Modified(_)) {
            let what = "`max_age` goes by LastModified, which copying an object makes young again; where keys hold a \
                        date, use `key_date`";
            found.push(warn(&allow.id, what));
        }
        if allow.paths.iter().any(|path| path.as_str().starts_with('*')) {
            found.push(warn(&allow.id, "reaches into every bucket; begin its paths with a bucket's name"));
        }
        found.extend(scanned(allow).map(|what| warn(&allow.id, &what)));
        if let Some(dense) = sight.dense() {
            for action in allow.actions.iter() {
                let counts = dense.verdicts.iter().any(|v| granted(*v, sight.grants(), action) & (1 << at) != 0);
                if !counts {
                    found.push(warn(&allow.id, &format!("`{}` is denied wherever it is allowed", action.word())));
                }
            }
        }
    }
    match sight.cost() {
        Cost::Dense { .. } => {}
        Cost::Sparse { scans: false } => {
            found.push(warn(
                role.name.as_str(),
                "its globs do not fit a table: listings skip only to literal beginnings",
            ));
        }
        Cost::Sparse { scans: true } => {
            let what = "its globs do not fit a table and one has no literal beginning: listings are scanned, a bounded \
                        number of pages at a time";
            found.push(warn(role.name.as_str(), what));
        }
    }
    found
}

/// A glob of the rule through which a listing cannot skip.
fn scanned(allow: &Allow) -> Option<String> {
    let list = allow.actions.contains(Action::List);
    let mut globs = allow.paths.iter().filter(|_| list).flat_map(|glob| {
        // A claim's value is a literal, so any value stands for all.
        let claims: Claims = glob.claims().map(|name| (name.to_owned(), vec!["x".to_owned()])).collect();
        glob.expand(&claims, Unknown::Nothing).into_iter().map(move |expression| (glob.as_str(), expression))
    });
    let (glob, expression) = globs.find(|(_, expression)| expression.scans())?;
    Some(format!(
        "a listing through `{glob}` looks at every key that begins with `{}`, a bounded number of pages at a time; \
         begin the glob with what its keys begin with",
        expression.literal()
    ))
}

fn unused_profiles(rules: &Ruleset, sights: &[Sight]) -> Vec<Warning> {
    let mut used = 0;
    for sight in sights {
        let own = sight.rules().allows.iter().fold(0, |set, allow| set | allow.redact);
        used |= own;
        match sight.dense() {
            Some(dense) => {
                let read = dense.verdicts.iter().filter(|v| granted(**v, sight.grants(), Action::Get) != 0);
                used |= read.fold(0, |set, verdict| set | verdict.profiles);
            }
            // What cannot be explored may use any.
            None => used = u64::MAX,
        }
    }
    let profiles = rules.profiles().iter().enumerate().filter(|(at, _)| used & (1 << at) == 0);
    let what = "no role reads anything that it would hide; check its `paths` and `reveal_to`".to_owned();
    profiles.map(|(_, profile)| Warning { about: format!("profile {}", profile.name), what: what.clone() }).collect()
}

/// Static tokens have no claims, so that what is compared with one holds for no record that they are shown.
fn tokens_that_see_no_record(rules: &Ruleset, sights: &[Sight]) -> Vec<Warning> {
    let mut found = Vec::new();
    for token in rules.static_tokens() {
        let Some(sight) = sights.iter().find(|sight| *sight.role() == token.role) else { continue };
        for (at, profile) in rules.profiles().iter().enumerate() {
            let claims: Vec<&str> = profile.rows.iter().flat_map(Rows::claims).collect();
            if !claims.is_empty() && may_hide(sight, at) {
                let what = format!(
                    "has no claim {}, so that in `rows` of profile {} what is compared with it holds for no record; \
                     write the value there, or give the token a role that the profile is lifted from",
                    claims.join(", "),
                    profile.name
                );
                found.push(Warning { about: format!("static token {}", token.id), what });
            }
        }
    }
    found
}

/// Whether the profile of that number applies to something that the role reads.
fn may_hide(sight: &Sight, at: usize) -> bool {
    let hides = |verdict: &Verdict| {
        granted(*verdict, sight.grants(), Action::Get) != 0 && masked(*verdict, sight.rules()) & (1 << at) != 0
    };
    // What cannot be explored may be hidden.
    sight.dense().is_none_or(|dense| dense.verdicts.iter().any(hides))
}

/// Roles that one person may hold, of which one sees what the other has masked. `sights` are those of all roles.
fn views_that_unmask_together(rules: &Ruleset, sights: &[Sight]) -> Vec<Warning> {
    let readers: Vec<&Sight> = sights.iter().filter(|sight| own_profiles(sight.rules()).is_some()).collect();
    let mut found = Vec::new();
    for (at, one) in readers.iter().enumerate() {
        for other in &readers[at + 1..] {
            let (one_role, other_role) = (one.rules(), other.rules());
            if !may_be_held_together(one_role, other_role) {
                continue;
            }
            let names = |(_, profile): (usize, &'_ Profile)| profile.name.to_string();
            let profiles = rules.profiles().iter().enumerate();
            let lifted: Vec<String> = profiles.filter(|of| unmasks(one, other, *of)).map(names).collect();
            if !lifted.is_empty() {
                let what = format!(
                    "one person may hold both, and {} hidden from one is shown to the other; see that your identity \
                     provider gives nobody both",
                    lifted.join(", ")
                );
                found.push(Warning { about: format!("{} and {}", one_role.name, other_role.name), what });
            }
        }
    }
    found
}

/// Whether what a profile hides from one of the two may be shown to the other: one lifts it and the other does not, or
/// one masks it by `redact` in an allow and the other reads something without it.
fn unmasks(one: &Sight, other: &Sight, (at, profile): (usize, &Profile)) -> bool {
    let lifts = |sight: &Sight| profile.reveal_to.contains(&sight.rules().name);
    let own = |sight: &Sight| own_profiles(sight.rules()).unwrap_or_default() & (1 << at) != 0;
    let shows = |sight: &Sight| match sight.dense() {
        Some(dense) => dense.verdicts.iter().any(|verdict| {
            granted(*verdict, sight.grants(), Action::Get) != 0 && masked(*verdict, sight.rules()) & (1 << at) == 0
        }),
        // What cannot be explored may show it.
        None => true,
    };
    let against = |hides: &Sight, shown: &Sight| own(hides) && !own(shown) && shows(shown);
    lifts(one) != lifts(other) || against(one, other) || against(other, one)
}

/// The profiles that a role's own allows of `get` name, as a set of their numbers; `None` if it reads nothing.
fn own_profiles(role: &Role) -> Option<u64> {
    let reads = role.allows.iter().filter(|allow| allow.actions.contains(Action::Get));
    reads.map(|allow| allow.redact).reduce(|set, redact| set | redact)
}

/// Whether one token may open both: no exclusive role is among them, and a bind of each may admit it.
fn may_be_held_together(one: &Role, other: &Role) -> bool {
    let both_admit = || one.binds.iter().any(|a| other.binds.iter().any(|b| may_both_admit(a, b)));
    !one.exclusive && !other.exclusive && both_admit()
}

/// Whether one token may satisfy both: the same issuer, and no list of subjects that keeps them apart.
fn may_both_admit(one: &Bind, other: &Bind) -> bool {
    let apart = !one.subjects.is_empty()
        && !other.subjects.is_empty()
        && !one.subjects.iter().any(|subject| other.subjects.contains(subject));
    one.issuer == other.issuer && !apart
}

/// The shortest `BUCKET/KEY` that ends in a wanted state, of letters where that is possible.
fn witness(table: &Table, wanted: impl Fn(u32) -> bool) -> Option<String> {
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    enum Place {
        Start,
        Bucket,
        Slash,
        Key,
    }
    let mut queue = vec![(table.start(), Place::Start, usize::MAX, 0u8)];
    let mut seen = std::collections::HashSet::from([(table.start(), Place::Start)]);
    let mut at = 0;
    while let Some(&(state, place, _, _)) = queue.get(at) {
        if place == Place::Key && wanted(state) {
            let mut bytes = Vec::new();
            let mut back = at;
            while let Some(&(_, _, before, byte)) = queue.get(back).filter(|entry| entry.2 != usize::MAX) {
                bytes.push(byte);
                back = before;
            }
            bytes.reverse();
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        for (byte, target) in
            [b'a', b'/'].map(|byte| (byte, table.step(state, byte))).into_iter().chain(table.edges(state))
        {
            let next = match (place, byte == b'/') {
                (_, _) if byte < 0x20 => continue,
                (Place::Start, true) => continue,
                (Place::Start | Place::Bucket, false) => Place::Bucket,
                (Place::Bucket, true) => Place::Slash,
                (Place::Slash | Place::Key, _) => Place::Key,
            };
            if seen.insert((target, next)) {
                queue.push((target, next, at, byte));
            }
        }
        at += 1;
    }
    None
}
