//! Why a key is seen or not: the rule that decided, what is masked and what that still reveals, the nearest miss.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::mask::{FieldPath, LengthRule, MaskAction};
use super::maskset::action_word;
use super::permit::Facts;
use super::quota::Quota;
use super::rows::Rows;
use super::rules::{Age, Allow, Profile};
use super::shapes;
use super::sight::Sight;
use super::verdict::granted;
use crate::identity::Claims;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// What the rules say of one key, for every action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The role.
    pub role: String,
    /// Whether a token that also holds another role opens none.
    pub exclusive: bool,
    /// How much the role may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// `BUCKET/KEY`.
    pub path: String,
    /// Per action, in the order of [`Action::ALL`].
    pub actions: Vec<Outcome>,
    /// What is hidden from who reads it; empty where it may not be read.
    pub masks: Vec<Hidden>,
    /// Of the object's user metadata and tags, what is shown beside those masks.
    pub shown: Shown,
}

/// What of an object's user metadata and tags a masked view shows; of a raw one all is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Shown {
    /// Names of user metadata.
    pub metadata: Vec<String>,
    /// Keys of tags.
    pub tags: Vec<String>,
}

/// What the rules say of one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The action's word.
    pub action: &'static str,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The rule that decided: `role/id`.
    pub rule: Option<String>,
    /// Why, or under which conditions.
    pub because: String,
}

/// What one profile hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The profile's name.
    pub profile: String,
    /// How.
    pub action: &'static str,
    /// Which fields.
    pub fields: Vec<HiddenField>,
    /// Which records are shown, where not all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<ShownRows>,
    /// Of an allow-list the paths that it keeps: everything else is hidden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
    /// Paths of the members whose names it hides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What it hides of the text of strings: names of shapes, and expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// What a reader still learns.
    pub still_shows: Vec<&'static str>,
}

/// The condition by which a profile shows records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownRows {
    /// The condition, as the policy says it.
    pub only: String,
    /// The claims in it that the caller does not have: tests with one of them hold for no record.
    pub missing_claims: Vec<String>,
}

/// One field that a profile hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HiddenField {
    /// Its path, from the root.
    pub path: String,
    /// The earlier profile that hides the same path, and decides how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}

/// Explains one key. `modified` is the object's last change, where it is known.
pub fn explain(sight: &Sight, bucket: &Bucket, key: &Key, now: Timestamp, modified: Option<Timestamp>) -> Explanation {
    let path = key.path_in(bucket);
    let actions = Action::ALL.map(|action| outcome(sight, bucket, key, action, now, modified)).to_vec();
    let read = actions.iter().any(|outcome| outcome.allowed && outcome.action == Action::Get.word());
    let verdict = sight.verdict(&path, now).filter(|_| read);
    let set = verdict.map_or(0, |verdict| sight.profile_set(verdict, &path, now));
    let masks = hidden(&sight.mask_sets().of(set).collect::<Vec<_>>(), sight.mask_sets().claims());
    let texts = |names: &BTreeSet<Box<str>>| names.iter().map(ToString::to_string).collect();
    let shown = sight
        .mask_sets()
        .masks(set)
        .map(|masks| Shown { metadata: texts(&masks.shown_metadata), tags: texts(&masks.shown_tags) });
    let (exclusive, quota) = (sight.rules().exclusive, sight.rules().quota);
    Explanation {
        role: sight.role().to_string(),
        exclusive,
        quota,
        path,
        actions,
        masks,
        shown: shown.unwrap_or_default(),
    }
}

/// What a reader under a profile still learns of what it hides.
pub fn still_shows(profile: &Profile) -> Vec<&'static str> {
    let hides = [&profile.fields, &profile.keep, &profile.mask_keys].into_iter().any(|paths| !paths.is_empty());
    let mut shown = if hides { of_fields(profile) } else { Vec::new() };
    if !profile.values.is_empty() {
        shown.extend([
            "where text is written over, and how long it was, stays",
            "text that no expression matches as it stands in a string stays: coded otherwise than by JSON, or cut in two",
        ]);
    }
    if profile.rows.is_some() {
        shown.push("how many other records there are, and how long each is, stays");
    }
    shown.push("the size of a compressed object can confirm a guess of a value");
    shown
}

fn of_fields(profile: &Profile) -> Vec<&'static str> {
    let mut shown = vec!["copies of a value elsewhere, such as in prose, stay"];
    if !profile.mask_keys.is_empty() {
        shown.push("member names stay but for those masked, of which number and order stay");
    } else if profile.action != MaskAction::Drop {
        shown.push("member names stay");
    }
    match profile.action {
        MaskAction::Partial => shown.push("the last 4 characters of a text of 12 or more stay"),
        MaskAction::Hmac => shown.push("equal values show as equal"),
        MaskAction::Mask | MaskAction::Drop => {}
    }
    shown.push(match profile.length {
        Some(LengthRule::Record) => "the total length of a record stays",
        Some(LengthRule::Field) => "the length of each value stays",
        Some(LengthRule::Hidden) => "sizes stay, rounded up by at most a sixteenth; of lengths only what tokens tell",
        None => "lengths stay: of a record in JSONL, of each value in a document",
    });
    shown.push(if profile.embedded {
        "fields in strings that are no JSON from their beginning on stay"
    } else {
        "fields in strings stay, also in those that hold JSON, unless another profile reads these"
    });
    shown
}

/// What it hides of text: a shape by its name, other expressions as they are written.
fn texts(profile: &Profile) -> Vec<String> {
    let shipped: Vec<&str> = profile.shapes.iter().map(|name| &**name).collect();
    let known: Vec<_> = shipped.iter().filter_map(|name| shapes::of(name)).flatten().collect();
    let written = profile.values.iter().filter(|pattern| !known.contains(pattern));
    let shapes = shipped.iter().map(|name| format!("shape {name}"));
    shapes.chain(written.map(|pattern| pattern.as_str().to_owned())).collect()
}

/// What each of the profiles hides, in the order in which they decide.
fn hidden(profiles: &[&Profile], claims: &Claims) -> Vec<Hidden> {
    let field = |at: usize, field: &FieldPath| HiddenField {
        path: field.to_string(),
        decided_by: profiles[..at].iter().find(|earlier| earlier.fields.contains(field)).map(|it| it.name.to_string()),
    };
    let rows = |rows: &Rows| ShownRows {
        only: rows.as_str().to_owned(),
        missing_claims: rows
            .claims()
            .into_iter()
            .filter(|name| !claims.contains_key(*name))
            .map(str::to_owned)
            .collect(),
    };
    let hidden = |(at, profile): (usize, &&Profile)| Hidden {
        profile: profile.name.to_string(),
        action: action_word(profile.action),
        fields: profile.fields.iter().map(|path| field(at, path)).collect(),
        rows: profile.rows.as_ref().map(rows),
        keeps: profile.keep.iter().map(ToString::to_string).collect(),
        names: profile.mask_keys.iter().map(ToString::to_string).collect(),
        texts: texts(profile),
        still_shows: still_shows(profile),
    };
    profiles.iter().enumerate().map(hidden).collect()
}

fn outcome(
    sight: &Sight,
    bucket: &Bucket,
    key: &Key,
    action: Action,
    now: Timestamp,
    modified: Option<Timestamp>,
) -> Outcome {
    let word = action.word();
    let Some(seen) = sight.look(bucket, key, action, now) else {
        let rule = sight.denied_by(bucket, key, action).map(|rule| rule.to_string());
        let because = match &rule {
            Some(_) => "denied, whatever allows it".to_owned(),
            None => nearest_miss(sight, &key.path_in(bucket), action, now),
        };
        return Outcome { action: word, allowed: false, rule, because };
    };
    let conditions = seen.conditions;
    let rule = Some(seen.rule.to_string());
    let holds = modified.is_none_or(|last_modified| conditions.hold_for(&Facts { last_modified, size: 0 }));
    let since = conditions.modified_since.map(|since| format!("if last changed at or after {since}"));
    let until = conditions.until().map(|until| format!("until {until}"));
    let terms: Vec<String> = since.into_iter().chain(until).collect();
    let because = match (holds, terms.is_empty()) {
        (false, _) => format!("allowed only {}, and it was last changed before", terms.join(", ")),
        (true, true) => "allowed".to_owned(),
        (true, false) => format!("allowed {}", terms.join(", ")),
    };
    Outcome { action: word, allowed: holds, rule, because }
}

/// Of the rules that grant the action the one that comes nearest, and where it parts ways with the key.
fn nearest_miss(sight: &Sight, path: &str, action: Action, now: Timestamp) -> String {
    let role = sight.rules();
    if let Some(end) = role.expires.filter(|end| now >= *end) {
        return format!("the role expired at {end}");
    }
    let verdict = sight.verdict(path, now).unwrap_or_default();
    let matching = super::verdict::bits(granted(verdict, sight.grants(), action)).map(|at| &role.allows[at]).next();
    if let Some(allow) = matching {
        return format!("{} covers the key, but {}", allow.id, not_now(allow, now));
    }
    let granting = role.allows.iter().filter(|allow| allow.actions.contains(action));
    let globs = granting.flat_map(|allow| allow.paths.iter().map(move |glob| (allow, glob.as_str())));
    let shared = |glob: &str| glob.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    match globs.max_by_key(|(_, glob)| shared(glob)) {
        Some((allow, glob)) => format!("no rule allows it; nearest is {} with `{glob}`", allow.id),
        None => format!("no rule of the role grants `{}`", action.word()),
    }
}

fn not_now(allow: &Allow, now: Timestamp) -> String {
    match (allow.expires.filter(|end| now >= *end), allow.in_force(now), &allow.age) {
        (Some(end), _, _) => format!("it expired at {end}"),
        (None, None, _) => "not at this hour".to_owned(),
        (None, Some(_), Age::InKey(date, days)) => {
            format!("the date in the key (`{}`) is not within {days} days", date.as_str())
        }
        (None, Some(_), Age::Any | Age::Modified(_)) => "its conditions do not hold".to_owned(),
    }
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "role {} on {}", self.role, self.path)?;
        if self.exclusive {
            writeln!(f, "  exclusive: a token that also holds another role opens none")?;
        }
        if let Some(quota) = &self.quota {
            writeln!(f, "  writes at most {quota}")?;
        }
        for outcome in &self.actions {
            let sign = if outcome.allowed { "✔" } else { "✘" };
            let rule = outcome.rule.as_deref().map(|rule| format!(" [{rule}]")).unwrap_or_default();
            writeln!(f, "  {sign} {:<7}{}{rule}", outcome.action, outcome.because)?;
        }
        let paths = |hidden: &Hidden| {
            let fields = hidden.fields.iter().map(|field| field.path.chars().count());
            fields.chain(hidden.names.iter().chain(&hidden.keeps).map(|path| path.chars().count())).max()
        };
        let width = self.masks.iter().filter_map(paths).max().unwrap_or_default();
        for hidden in &self.masks {
            let Hidden { profile, action, fields, keeps, names, rows, texts, still_shows } = hidden;
            for HiddenField { path, decided_by } in fields {
                let how = decided_by.as_ref().map_or_else(|| action.to_string(), |by| format!("as {by} says"));
                writeln!(f, "  ◌ {path:width$}  {how} [{profile}]")?;
            }
            for path in keeps {
                writeln!(f, "  ◉ {path:width$}  kept [{profile}]")?;
            }
            if !keeps.is_empty() {
                writeln!(f, "  ◌ {:width$}  {action} [{profile}]", "all else")?;
            }
            for path in names {
                writeln!(f, "  ◌ {path:width$}  names [{profile}]")?;
            }
            for text in texts {
                writeln!(f, "  ◌ in any string: {text}  [{profile}]")?;
            }
            if let Some(ShownRows { only, missing_claims }) = rows {
                writeln!(f, "  ◌ only records where {only}  [{profile}]")?;
                if !missing_claims.is_empty() {
                    let missing = missing_claims.join(", ");
                    writeln!(f, "      without the claim {missing} what is compared with it holds for no record")?;
                }
            }
            writeln!(f, "      {profile} still shows: {}", still_shows.join("; "))?;
        }
        if !self.masks.is_empty() {
            let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let Shown { metadata, tags } = &self.shown;
            writeln!(f, "  user metadata shown: {}; tags shown: {}", names(metadata), names(tags))?;
        }
        Ok(())
    }
}
