//! The permission matrix as text: role × operation × key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::cases::Case;
use super::load::Ruleset;
use crate::identity::{Claims, RoleName};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// What a matrix shows: keys, a time, and which claims a role's holder has.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The keys.
    pub keys: BTreeSet<(Bucket, Key)>,
    /// Claims of the holder of each role; none for others.
    pub claims: BTreeMap<RoleName, Claims>,
}

impl Plan {
    /// The keys of a set's cases; for each role the claims of its first case.
    pub fn of_cases(cases: &[Case]) -> Self {
        let mut plan = Self::default();
        for case in cases {
            plan.keys.insert((case.bucket.clone(), case.key.clone()));
            plan.claims.entry(case.role.clone()).or_insert_with(|| case.claims.clone());
        }
        plan
    }
}

/// The matrix: `✔` allowed, `◌` allowed and redacted, `✘` not. Conditions on the object count as met.
pub fn matrix(rules: &Ruleset, plan: &Plan, now: Timestamp) -> String {
    let mut out = String::new();
    let roles: Vec<&RoleName> = rules.roles().map(|role| &role.name).collect();
    let wide = roles.iter().map(|role| role.as_str().len()).max().unwrap_or(0);
    let none = Claims::new();
    for (bucket, key) in &plan.keys {
        let head: Vec<String> = Action::ALL.iter().map(|action| format!("{:<6}", action.word())).collect();
        line(&mut out, &format!("{bucket}/{key}"));
        line(&mut out, &format!("  {:<wide$}  {}", "", head.join(" ")));
        for role in &roles {
            let sight = rules.sight(role, plan.claims.get(*role).unwrap_or(&none));
            let cells = Action::ALL.map(|action| {
                let sign = match sight.look(bucket, key, action, now) {
                    None => "✘",
                    Some(seen) if action == Action::Get && seen.masks.is_some() => "◌",
                    Some(_) => "✔",
                };
                format!("{sign:<6}")
            });
            line(&mut out, &format!("  {:<wide$}  {}", role.as_str(), cells.join(" ")));
        }
        line(&mut out, "");
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a text cannot fail.
    writeln!(out, "{}", text.trim_end()).unwrap_or_default();
}
