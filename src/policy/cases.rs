//! Tables of cases beside a policy set: what must be allowed, denied and masked. The set's own tests.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::explain::{Explanation, explain};
use super::load::{Ruleset, TESTS};
use super::quota::{Quota, Written};
use super::rows::{RowFilter, Rows, sample};
use super::source::{At, Book, Fields, Mistake, Node, Value};
use crate::identity::roles::{Clash, RoleTerms};
use crate::identity::{Claims, RoleName};
use crate::limits;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::Action;

/// One `[[case]]`.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it stands: `FILE:LINE`.
    pub place: String,
    /// Who.
    pub role: RoleName,
    /// With which claims.
    pub claims: Claims,
    /// When.
    pub now: Timestamp,
    /// The object's last change; without it conditions on the object count as met.
    pub modified: Option<Timestamp>,
    /// What.
    pub action: Action,
    /// Where.
    pub bucket: Bucket,
    /// On which object.
    pub key: Key,
    /// Other roles that the caller's token holds.
    pub also_holds: Vec<RoleName>,
    /// What was written before on that day, where a quota counts it.
    pub written_today: Written,
    /// Size of what is written, in bytes.
    pub size: u64,
    /// Whether it must be allowed.
    pub allow: bool,
    /// The profiles that must apply, all of them, if the case says so.
    pub masks: Option<Vec<String>>,
    /// The user metadata that must be shown under those masks, if the case says so.
    pub show_metadata: Option<Vec<String>>,
    /// The tags that must be shown under those masks, if the case says so.
    pub show_tags: Option<Vec<String>>,
    /// Records, as JSON, of which `rows` must show each.
    pub shows: Vec<String>,
    /// Records of which they must show none.
    pub hides: Vec<String>,
}

/// A case that went otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where the case stands: `FILE:LINE`.
    pub place: String,
    /// What was asked.
    pub case: String,
    /// What was expected and what came.
    pub what: String,
}

/// Reads the tables in `tests/` of a policy folder; none is no mistake.
pub fn read(policies: &Path) -> Result<Vec<Case>, Vec<Mistake>> {
    let dir = policies.join(TESTS);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for (name, text) in super::load::read_folder(&dir)? {
        match parse(&format!("{TESTS}/{name}"), &text) {
            Ok(more) => cases.extend(more),
            Err(more) => mistakes.extend(more),
        }
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(mistakes) }
}

/// Reads one table.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, Vec<Mistake>> {
    let mut book = Book::new(file, text);
    let tree = super::source::read(&mut book);
    let mut fields = Fields::of(&tree, &mut book);
    let mut cases = Vec::new();
    for mut fields in fields.tables("case", &mut book) {
        let line = super::source::mistake(file, text, fields.at(), "").line;
        cases.extend(case(&mut fields, format!("{file}:{line}"), &mut book));
        fields.done(&mut book);
    }
    fields.done(&mut book);
    if book.mistakes.is_empty() { Ok(cases) } else { Err(book.mistakes) }
}

/// Runs the cases; what comes back went otherwise.
pub fn run(rules: &Ruleset, cases: &[Case]) -> Vec<Failure> {
    cases.iter().filter_map(|case| check(rules, case)).collect()
}

fn check(rules: &Ruleset, case: &Case) -> Option<Failure> {
    let asked = format!("{} {} {}/{}", case.role, case.action.word(), case.bucket, case.key);
    let fail = |what: String| Some(Failure { place: case.place.clone(), case: asked.clone(), what });
    if rules.role(&case.role).is_none() {
        return fail(format!("there is no role {}", case.role));
    }
    let sight = rules.sight(&case.role, &case.claims);
    let Explanation { actions, masks, shown, quota, .. } =
        explain(&sight, &case.bucket, &case.key, case.now, case.modified);
    let outcome = actions.into_iter().find(|outcome| outcome.action == case.action.word())?;
    let refused = if outcome.allowed { refused(rules, case, quota) } else { Some(outcome.because.clone()) };
    if refused.is_none() != case.allow {
        let word = if case.allow { "allow" } else { "deny" };
        return fail(format!("expected {word}, but: {}", refused.unwrap_or(outcome.because)));
    }
    let conditions: Vec<Rows> =
        masks.iter().filter_map(|hidden| Rows::parse(&hidden.rows.as_ref()?.only).ok()).collect();
    if let Some(wrong) = misjudged(RowFilter::of(&conditions, &case.claims), case) {
        return fail(wrong);
    }
    let profiles: Vec<String> = masks.into_iter().map(|hidden| hidden.profile).collect();
    let lists = [
        ("masks", &case.masks, profiles),
        ("show_metadata", &case.show_metadata, shown.metadata),
        ("show_tags", &case.show_tags, shown.tags),
    ];
    lists.into_iter().find_map(|(what, wanted, found)| {
        let wanted = wanted.as_ref()?;
        let same = wanted.iter().all(|name| found.contains(name)) && wanted.len() == found.len();
        if same { None } else { fail(format!("expected `{what}` {wanted:?}, but: {found:?}")) }
    })
}

/// The first record of the case that `rows` judge otherwise.
fn misjudged(rows: Option<RowFilter>, case: &Case) -> Option<String> {
    let expected =
        case.shows.iter().map(|record| (record, true)).chain(case.hides.iter().map(|record| (record, false)));
    expected.into_iter().find_map(|(record, expected)| {
        let shown = rows.as_ref().map_or(Some(true), |rows| sample::shows(rows, record));
        let word = if expected { "shown" } else { "hidden" };
        match shown {
            Some(shown) if shown == expected => None,
            Some(_) => Some(format!("expected {record} to be {word} by `rows`, but it is not")),
            None => Some(format!("{record} is no record: write one JSON object")),
        }
    })
}

/// Why what the rules allow is refused all the same: for the other roles of the token, or for the role's quota.
fn refused(rules: &Ruleset, case: &Case, quota: Option<Quota>) -> Option<String> {
    let book = rules.role_book();
    let held: Vec<&RoleTerms> =
        [&case.role].into_iter().chain(&case.also_holds).filter_map(|name| book.role(name)).collect();
    if let Some(clash) = Clash::among(held.iter().copied()) {
        return Some(clash.to_string());
    }
    let writes = matches!(case.action, Action::Put | Action::Create);
    let more = Written { objects: 1, bytes: case.size };
    let exceeded = quota.filter(|_| writes)?.admits(case.written_today, more, case.now).err()?;
    Some(format!("role {} {exceeded}", case.role))
}

fn case(fields: &mut Fields<'_>, place: String, book: &mut Book<'_>) -> Option<Case> {
    let role = fields.must_text("role", book).and_then(|role| role.try_map(book, |role| role.parse::<RoleName>()));
    let mut claims = BTreeMap::new();
    if let Some(entry) = fields.take("claims") {
        for entry in Fields::of(&entry.node, book).rest() {
            let values = super::source::texts(&entry.node, book).into_iter().map(|value| value.it).collect();
            claims.insert(entry.name.clone(), values);
        }
    }
    let now = fields.must_text("now", book).and_then(|now| time(now, book));
    let modified = fields.text("modified", book).and_then(|modified| time(modified, book));
    let asked: Vec<(Action, At<String>)> =
        Action::ALL.into_iter().filter_map(|action| Some((action, fields.text(action.word(), book)?))).collect();
    let words = [("allow", true), ("deny", false)];
    let allow = super::file::word(fields, "expect", &words, book);
    if allow.is_none() {
        book.note(fields.at(), "a case needs `expect`, \"allow\" or \"deny\"");
    }
    let [masks, show_metadata, show_tags] =
        ["masks", "show_metadata", "show_tags"].map(|name| list(fields, name, book));
    let [shows, hides] = ["shows", "hides"].map(|name| list(fields, name, book).unwrap_or_default());
    let also_holds = fields.texts("also_holds", book).into_iter();
    let also_holds = also_holds.filter_map(|role| role.try_map(book, |role| role.parse::<RoleName>()));
    let also_holds = also_holds.map(|role| role.it).collect();
    let written_today = fields.take("written_today").map(|entry| written(&entry.node, book)).unwrap_or_default();
    let size = bytes(fields, "size", book);
    let [(action, path)]: [(Action, At<String>); 1] = asked
        .try_into()
        .map_err(|_| book.note(fields.at(), "a case asks one thing: `get`, `list`, … = \"BUCKET/KEY\""))
        .ok()?;
    let (bucket, key) = path.try_map(book, |path| split_path(&path))?.it;
    let (role, now, allow) = (role?.it, now?, allow?);
    Some(Case {
        place,
        role,
        claims,
        now,
        modified,
        action,
        bucket,
        key,
        also_holds,
        written_today,
        size,
        allow,
        masks,
        show_metadata,
        show_tags,
        shows,
        hides,
    })
}

fn list(fields: &mut Fields<'_>, name: &'static str, book: &mut Book<'_>) -> Option<Vec<String>> {
    let entry = fields.take(name)?;
    if !matches!(entry.node.value, Value::List(_)) {
        book.note(entry.at, format!("`{name}` is a list of names, possibly empty"));
    }
    Some(super::source::texts(&entry.node, book).into_iter().map(|name| name.it).collect())
}

fn written(node: &Node, book: &mut Book<'_>) -> Written {
    let mut fields = Fields::of(node, book);
    let objects = fields.count("objects", limits::QUOTA_OBJECTS_MAX, book).unwrap_or(0);
    let bytes = bytes(&mut fields, "bytes", book);
    fields.done(book);
    Written { objects, bytes }
}

fn bytes(fields: &mut Fields<'_>, name: &'static str, book: &mut Book<'_>) -> u64 {
    let size = fields.text(name, book).and_then(|text| text.try_map(book, |text| super::quota::size(&text)));
    size.map_or(0, |size| size.it)
}

/// `BUCKET/KEY` in its parts.
pub fn split_path(path: &str) -> Result<(Bucket, Key), String> {
    let (bucket, key) = path.split_once('/').ok_or_else(|| format!("{path:?} is not BUCKET/KEY"))?;
    let bucket = bucket.parse::<Bucket>().map_err(|e| format!("the bucket {e}"))?;
    let key = key.parse::<Key>().map_err(|e| format!("the key {e}"))?;
    Ok((bucket, key))
}

fn time(text: At<String>, book: &mut Book<'_>) -> Option<Timestamp> {
    let wrong = "a time with its offset is expected, such as 2026-11-20T10:00:00Z";
    text.try_map(book, |text| text.parse::<Timestamp>().map_err(|_| wrong)).map(|time| time.it)
}
