//! The permission matrix as text: role × operation × key.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

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

/// One role and key: what each action may do, in the order of [`Action::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `BUCKET/KEY`.
    pub path: String,
    /// The role.
    pub role: String,
    /// Per action.
    pub cells: Vec<Cell>,
}

/// What one role may do with one key by one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The action's word.
    pub action: &'static str,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Whether what is read is redacted.
    pub redacted: bool,
}

/// The matrix as rows, by key and then by role. Conditions on the object count as met.
pub fn rows(rules: &Ruleset, plan: &Plan, now: Timestamp) -> Vec<Row> {
    let none = Claims::new();
    let mut rows = Vec::new();
    for (bucket, key) in &plan.keys {
        for role in rules.roles() {
            let sight = rules.sight(&role.name, plan.claims.get(&role.name).unwrap_or(&none));
            let cells = Action::ALL.map(|action| {
                let seen = sight.look(bucket, key, action, now);
                let redacted = action == Action::Get && seen.as_ref().is_some_and(|seen| seen.masks.is_some());
                Cell { action: action.word(), allowed: seen.is_some(), redacted }
            });
            rows.push(Row { path: key.path_in(bucket), role: role.name.to_string(), cells: cells.to_vec() });
        }
    }
    rows
}

/// The matrix as text: `✔` allowed, `◌` allowed and redacted, `✘` not.
pub fn matrix(rules: &Ruleset, plan: &Plan, now: Timestamp) -> String {
    let rows = rows(rules, plan, now);
    let wide = rows.iter().map(|row| row.role.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for key in rows.chunk_by(|one, next| one.path == next.path) {
        lines.push(key[0].path.clone());
        lines.push(format!("  {:<wide$}  {}", "", Action::ALL.map(|action| format!("{:<6}", action.word())).join(" ")));
        for row in key {
            let signs: Vec<String> = row.cells.iter().map(|cell| format!("{:<6}", cell.sign())).collect();
            lines.push(format!("  {:<wide$}  {}", row.role, signs.join(" ")));
        }
        lines.push(String::new());
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

impl Cell {
    fn sign(&self) -> &'static str {
        match (self.allowed, self.redacted) {
            (false, _) => "✘",
            (true, false) => "✔",
            (true, true) => "◌",
        }
    }
}
