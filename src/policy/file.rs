//! What stands in the files of a policy set, read into rules. Every mistake is noted, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::glob::{PathGlob, Sense};
use super::keydate::KeyDate;
use super::mask::{LengthRule, OnBroken};
use super::quota::Quota;
use super::rows::Rows;
use super::rules::{Actions, Age, Allow, Deny, Profile, Role};
use super::selection::Selection;
use super::source::{At, Book, Entry, Fields, Node, Value, text, texts};
use super::window::Hours;
use crate::identity::RoleName;
use crate::identity::roles::{Bind, StaticToken};
use crate::limits;
use crate::s3::operation::Action;

/// What stands in `_global.toml`.
#[derive(Debug, Default)]
pub(super) struct Global {
    /// The other files of the set.
    pub(super) files: Vec<At<String>>,
    /// Short names of issuers and their URLs.
    pub(super) issuers: BTreeMap<String, String>,
    pub(super) profiles: Vec<Profile>,
    pub(super) denies: Vec<Deny>,
    pub(super) static_tokens: Vec<StaticToken>,
    /// Roles that are named, to be looked up once all are read.
    pub(super) roles_named: Vec<At<RoleName>>,
}

/// Reads `_global.toml`.
pub(super) fn global(root: &Node, overrides: &BTreeMap<String, String>, book: &mut Book<'_>) -> Global {
    let mut fields = Fields::of(root, book);
    let sense = head(&mut fields, book);
    let mut global = Global { files: fields.texts("files", book), ..Global::default() };
    if let Some(entry) = fields.take("issuers") {
        for entry in Fields::of(&entry.node, book).rest() {
            issuer(entry, overrides, &mut global, book);
        }
    }
    for mut fields in fields.tables("redact", book) {
        if let Some(profile) = profile(&mut fields, sense, &mut global, book) {
            global.profiles.push(profile);
        }
        fields.done(book);
    }
    global.denies = denies(&mut fields, "_global", sense, book);
    for mut fields in fields.tables("static_token", book) {
        if let Some(token) = static_token(&mut fields, &mut global, book) {
            global.static_tokens.push(token);
        }
        fields.done(book);
    }
    bound(root.at, "[[redact]]", global.profiles.len(), limits::PROFILES_MAX, book);
    let tests = global.profiles.iter().filter_map(|profile| profile.rows.as_ref()).map(Rows::tests).sum();
    bound(root.at, "tests of `rows`", tests, limits::ROW_TESTS_MAX, book);
    fields.done(book);
    global
}

/// Reads the file of one role; `stem` is its name without the ending.
pub(super) fn role(root: &Node, stem: &str, global: &Global, book: &mut Book<'_>) -> Option<Role> {
    let mut fields = Fields::of(root, book);
    let sense = head(&mut fields, book);
    let mut role = role_head(&mut fields, stem, book);
    let name = role.as_ref().map_or(stem, |role| role.name.as_str()).to_owned();
    let quota = fields.take("quota").map(|entry| Quota::read(&entry.node, book));
    let mut binds = Vec::new();
    for mut fields in fields.tables("bind", book) {
        binds.extend(bind(&mut fields, global, book));
        fields.done(book);
    }
    let mut allows = Vec::new();
    let mut ids = BTreeSet::new();
    for mut fields in fields.tables("allow", book) {
        allows.extend(allow(&mut fields, &name, sense, global, &mut ids, book));
        fields.done(book);
    }
    bound(root.at, "[[allow]]", allows.len(), limits::ALLOWS_MAX, book);
    let denies = denies(&mut fields, &name, sense, book);
    fields.done(book);
    if let Some(role) = &mut role {
        (role.quota, role.binds, role.allows, role.denies) = (quota, binds, allows, denies);
    }
    role
}

/// `version` and `globs`, which stand in every file.
fn head(fields: &mut Fields<'_>, book: &mut Book<'_>) -> Sense {
    if let Some(version) = fields.must("version", book)
        && !matches!(version.value, Value::Integer(1))
    {
        book.note(version.at, "this program reads `version = 1`");
    }
    let words = [("iam", Sense::Iam), ("path", Sense::Path)];
    word(fields, "globs", &words, book).unwrap_or_default()
}

fn role_head(fields: &mut Fields<'_>, stem: &str, book: &mut Book<'_>) -> Option<Role> {
    let node = fields.must("role", book)?;
    let mut fields = Fields::of(node, book);
    let name = fields.must_text("name", book).and_then(|name| name.try_map(book, |name| name.parse::<RoleName>()));
    if let Some(name) = &name
        && name.it.as_str() != stem
    {
        book.note(name.at, format!("the role {} must stand in a file of its name, not in one named {stem:?}", name.it));
    }
    let description = fields.must_text("description", book);
    let owner = fields.must_text("owner", book);
    let max_session = duration(&mut fields, "max_session", book);
    if let Some(length) = &max_session
        && !(limits::SESSION_LIFETIME_MIN..=limits::SESSION_LIFETIME_MAX).contains(&length.it)
    {
        book.note(length.at, "a session lasts from \"15m\" to \"12h\"");
    }
    let presign = duration(&mut fields, "presign", book);
    if let Some(length) = &presign
        && length.it > limits::PRESIGN_LIFETIME_MAX
    {
        book.note(length.at, "a presigned URL lasts at most \"7d\"");
    }
    let expires = moment(&mut fields, "expires", book);
    let exclusive = fields.flag("exclusive", book);
    fields.done(book);
    Some(Role {
        description: description?.it,
        owner: owner?.it,
        max_session: max_session.map(|length| length.it),
        expires,
        presign: presign.map(|length| length.it),
        exclusive,
        ..Role::without_rights(name?.it)
    })
}

fn issuer(entry: &Entry, overrides: &BTreeMap<String, String>, global: &mut Global, book: &mut Book<'_>) {
    let Some(url) = text(&entry.node, book) else { return };
    if !url.it.starts_with("https://") && !url.it.starts_with("http://") {
        book.note(url.at, "an issuer is a URL, exactly as in its tokens' `iss`");
    }
    let url = overrides.get(&entry.name).cloned().unwrap_or(url.it);
    global.issuers.insert(entry.name.clone(), url);
}

fn bind(fields: &mut Fields<'_>, global: &Global, book: &mut Book<'_>) -> Option<Bind> {
    let issuer = fields.must_text("issuer", book);
    let mut claims = BTreeMap::new();
    if let Some(entry) = fields.take("claims") {
        flatten("", &entry.node, &mut claims, book);
    }
    let subjects: Vec<String> = fields.texts("subjects", book).into_iter().map(|subject| subject.it).collect();
    if claims.is_empty() && subjects.is_empty() {
        book.note(fields.at(), "this bind admits everybody whom the issuer knows; add `claims` or `subjects`");
    }
    let issuer = issuer?.try_map(book, |name| {
        let known = || global.issuers.keys().cloned().collect::<Vec<_>>().join(", ");
        global.issuers.get(&name).cloned().ok_or_else(|| {
            format!("issuer {name:?} is not among the `[issuers]` of _global.toml ({}); name one or add it", known())
        })
    })?;
    Some(Bind { issuer: issuer.it, claims, subjects })
}

/// Claims by dotted path: nested tables are paths, too.
fn flatten(prefix: &str, node: &Node, claims: &mut BTreeMap<String, Vec<String>>, book: &mut Book<'_>) {
    for entry in Fields::of(node, book).rest() {
        let path = if prefix.is_empty() { entry.name.clone() } else { format!("{prefix}.{}", entry.name) };
        if matches!(entry.node.value, Value::Table(_)) {
            flatten(&path, &entry.node, claims, book);
            continue;
        }
        let values: Vec<String> = texts(&entry.node, book).into_iter().map(|value| value.it).collect();
        if values.is_empty() {
            book.note(entry.at, format!("claim `{path}` needs at least one value, as a text"));
        }
        claims.insert(path, values);
    }
}

fn allow(
    fields: &mut Fields<'_>,
    role: &str,
    sense: Sense,
    global: &Global,
    ids: &mut BTreeSet<String>,
    book: &mut Book<'_>,
) -> Option<Allow> {
    let id = identifier(fields, role, ids, book);
    let (actions, paths) = (actions(fields, book), paths(fields, sense, book));
    let age = age(fields, sense, book);
    let hours = fields.take("hours").and_then(|entry| hours(&entry.node, book));
    let expires = moment(fields, "expires", book);
    let mut redact = 0;
    for name in fields.texts("redact", book) {
        match global.profiles.iter().position(|profile| *profile.name == *name.it) {
            Some(at) => redact |= 1u64.checked_shl(at as u32).unwrap_or(0),
            None => {
                book.note(name.at, format!("no `[[redact]]` profile {:?} in _global.toml; name one or add it", name.it))
            }
        }
    }
    Some(Allow { id: id?, actions, paths, age, hours, expires, redact })
}

fn denies(fields: &mut Fields<'_>, role: &str, sense: Sense, book: &mut Book<'_>) -> Vec<Deny> {
    let mut ids = BTreeSet::new();
    let at = fields.at();
    let mut all = Vec::new();
    for mut fields in fields.tables("deny", book) {
        let id = identifier(&mut fields, role, &mut ids, book);
        let (actions, paths) = (actions(&mut fields, book), paths(&mut fields, sense, book));
        fields.done(book);
        all.extend(id.map(|id| Deny { id, actions, paths }));
    }
    bound(at, "[[deny]]", all.len(), limits::DENIES_MAX, book);
    all
}

fn age(fields: &mut Fields<'_>, sense: Sense, book: &mut Book<'_>) -> Age {
    let max_age = duration(fields, "max_age", book);
    let key_date = fields.text("key_date", book);
    let key_date_at = key_date.as_ref().map(|template| template.at);
    let key_date = key_date.and_then(|template| template.try_map(book, |template| KeyDate::parse(&template, sense)));
    match (max_age, key_date_at) {
        (None, None) => Age::Any,
        (None, Some(at)) => {
            book.note(at, "`key_date` says where the date stands; add `max_age`, which says how old it may be");
            Age::Any
        }
        (Some(age), None) => Age::Modified(age.it),
        (Some(age), Some(_)) => {
            let day = Duration::from_secs(24 * 3600);
            let days = u32::try_from(age.it.as_secs() / day.as_secs()).ok();
            let whole = days.filter(|days| day * *days == age.it && *days <= limits::KEY_DATE_DAYS_MAX);
            if whole.is_none() {
                book.note(age.at, "by the date in the key, age is a number of whole days, such as \"7d\"");
            }
            match key_date.zip(whole) {
                Some((date, days)) => Age::InKey(Box::new(date.it), days),
                None => Age::Any,
            }
        }
    }
}

fn hours(node: &Node, book: &mut Book<'_>) -> Option<Hours> {
    let mut fields = Fields::of(node, book);
    let tz = fields.must_text("tz", book);
    let days = fields.must("days", book).map(|node| texts(node, book));
    let from = fields.must_text("from", book);
    let to = fields.must_text("to", book);
    fields.done(book);
    let days: Vec<String> = days?.into_iter().map(|day| day.it).collect();
    let hours = Hours::parse(&tz?.it, &days.join(","), &from?.it, &to?.it);
    hours.map_err(|what| book.note(node.at, what)).ok()
}

fn profile(fields: &mut Fields<'_>, sense: Sense, global: &mut Global, book: &mut Book<'_>) -> Option<Profile> {
    let name = fields.must_text("name", book);
    if let Some(name) = &name {
        let known = global.profiles.iter().any(|profile| *profile.name == *name.it);
        if known || !is_identifier(&name.it) {
            book.note(name.at, "a profile's name is 1 to 64 of a-z, 0-9 and -, and stands once");
        }
    }
    let paths = paths(fields, sense, book);
    let Selection { fields: hidden, action, keep, mask_keys, values, shapes, rows } = Selection::read(fields, book);
    let length = word(fields, "length", &LENGTHS, book);
    let on_broken = word(fields, "on_broken", &[("blank", OnBroken::Blank), ("cut", OnBroken::Cut)], book);
    let on_broken = on_broken.unwrap_or_default();
    let concatenated = word(fields, "format", &[("concatenated", true)], book).unwrap_or_default();
    // Off must be said.
    let embedded = fields.flag_or("embedded", true, book);
    let (show_metadata, show_tags) = (shown(fields, &METADATA, book), shown(fields, &TAGS, book));
    let mut reveal_to = BTreeSet::new();
    for role in fields.texts("reveal_to", book) {
        if let Some(role) = role.try_map(book, |role| role.parse::<RoleName>()) {
            reveal_to.insert(role.it.clone());
            global.roles_named.push(role);
        }
    }
    let name = name?.it.into();
    Some(Profile {
        name,
        paths,
        fields: hidden,
        keep,
        mask_keys,
        values,
        shapes,
        rows,
        action,
        length,
        on_broken,
        concatenated,
        embedded,
        show_metadata,
        show_tags,
        reveal_to,
    })
}

const LENGTHS: [(&str, LengthRule); 3] =
    [("record", LengthRule::Record), ("field", LengthRule::Field), ("hidden", LengthRule::Hidden)];

/// Names that a profile lets through: the key of its list, which names can stand there, and what to write.
struct Shown {
    key: &'static str,
    admits: fn(&str) -> bool,
    wrong: &'static str,
}

const METADATA: Shown = Shown {
    key: "show_metadata",
    admits: |name| {
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
        !name.is_empty() && !name.starts_with("x-amz-meta-") && name.bytes().all(token)
    },
    wrong: "a name of user metadata stands in lower case and without `x-amz-meta-`, such as \"run-id\"",
};

const TAGS: Shown = Shown {
    key: "show_tags",
    admits: |key| (1..=limits::TAG_KEY_CHARS_MAX).contains(&key.chars().count()),
    wrong: "a tag's key is 1 to 128 characters, exactly as stored",
};

fn shown(fields: &mut Fields<'_>, what: &Shown, book: &mut Book<'_>) -> BTreeSet<Box<str>> {
    let written = fields.texts(what.key, book);
    bound(fields.at(), what.key, written.len(), limits::SHOWN_NAMES_MAX, book);
    let mut names = BTreeSet::new();
    for name in written {
        if (what.admits)(&name.it) {
            names.insert(name.it.into());
        } else {
            book.note(name.at, what.wrong);
        }
    }
    names
}

fn static_token(fields: &mut Fields<'_>, global: &mut Global, book: &mut Book<'_>) -> Option<StaticToken> {
    let id = fields.must_text("id", book);
    let role = fields.must_text("role", book).and_then(|role| role.try_map(book, |role| role.parse::<RoleName>()));
    let sha256 = fields.must_text("sha256", book).and_then(|hash| {
        hash.try_map(book, |hash| {
            let bytes = hex::decode(&hash).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.ok_or("write the SHA-256 of the token as 64 hexadecimal digits, never the token itself")
        })
    });
    let expires_at = fields.at();
    let expires = moment(fields, "expires", book);
    if expires.is_none() {
        book.note(expires_at, "a static token needs `expires`, a date");
    }
    if let Some(id) = &id
        && global.static_tokens.iter().any(|token| token.id == id.it)
    {
        book.note(id.at, format!("static token {:?} stands twice; give each its own id", id.it));
    }
    global.roles_named.extend(role.clone());
    Some(StaticToken { id: id?.it, sha256: sha256?.it, role: role?.it, expires: expires? })
}

fn identifier(
    fields: &mut Fields<'_>,
    role: &str,
    ids: &mut BTreeSet<String>,
    book: &mut Book<'_>,
) -> Option<std::sync::Arc<str>> {
    let id = fields.must_text("id", book)?;
    if !is_identifier(&id.it) {
        book.note(id.at, "an id is 1 to 64 of a-z, 0-9 and -");
    }
    if !ids.insert(id.it.clone()) {
        book.note(id.at, format!("the id {:?} stands twice; give each rule its own", id.it));
    }
    Some(format!("{role}/{}", id.it).into())
}

fn is_identifier(text: &str) -> bool {
    text.parse::<RoleName>().is_ok()
}

fn actions(fields: &mut Fields<'_>, book: &mut Book<'_>) -> Actions {
    let words = fields.texts("actions", book);
    if words.is_empty() {
        book.note(fields.at(), "`actions` is missing or empty; name at least one");
    }
    let mut actions = Actions::NONE;
    for word in words {
        match (word.it.as_str(), Action::from_word(&word.it)) {
            ("*", _) => actions = Actions::ALL,
            (_, Some(action)) => actions = actions.with(Actions::only(action)),
            (_, None) => {
                let known: Vec<&str> = Action::ALL.into_iter().map(Action::word).collect();
                book.note(word.at, format!("no action {:?}; there are: {}, *", word.it, known.join(", ")));
            }
        }
    }
    actions
}

fn paths(fields: &mut Fields<'_>, sense: Sense, book: &mut Book<'_>) -> Vec<PathGlob> {
    let written = fields.texts("paths", book);
    if written.is_empty() {
        book.note(fields.at(), "`paths` is missing or empty; write at least one `BUCKET/KEY` glob");
    }
    bound(fields.at(), "paths", written.len(), limits::RULE_GLOBS_MAX, book);
    let mut globs = Vec::new();
    for path in written {
        match PathGlob::parse(&path.it, sense) {
            Ok(glob) => globs.push(glob),
            Err(error) => book.note(path.at + 1 + error.at, format!("path {:?}: {}", path.it, error.what)),
        }
    }
    globs
}

pub(super) fn word<T: Copy>(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &[(&str, T)],
    book: &mut Book<'_>,
) -> Option<T> {
    let written = fields.text(name, book)?;
    let found = words.iter().find(|(word, _)| *word == written.it).map(|(_, it)| *it);
    if found.is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        book.note(written.at, format!("`{name}` is one of {}", known.join(", ")));
    }
    found
}

fn bound(at: usize, what: &str, count: usize, most: usize, book: &mut Book<'_>) {
    if count > most {
        book.note(at, format!("at most {most} {what} may stand here, these are {count}; split or merge them"));
    }
}

/// `90s`, `15m`, `1h`, `7d`, `2w`.
fn duration(fields: &mut Fields<'_>, name: &'static str, book: &mut Book<'_>) -> Option<At<Duration>> {
    fields.text(name, book)?.try_map(book, |text| {
        let unit = match text.bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 24 * 3600,
            Some(b'w') => 7 * 24 * 3600,
            _ => 0,
        };
        let digits = text.get(..text.len().saturating_sub(1)).unwrap_or("");
        let number = digits.parse::<u32>().ok().filter(|number| *number > 0 && unit > 0);
        let number =
            number.ok_or_else(|| format!("`{name}` is a number and s, m, h, d or w, such as \"15m\", not {text:?}"))?;
        Ok::<_, String>(Duration::from_secs(u64::from(number) * unit))
    })
}

/// A date, which ends as it begins (UTC), or a time with its offset.
fn moment(fields: &mut Fields<'_>, name: &'static str, book: &mut Book<'_>) -> Option<Timestamp> {
    let moment = fields.text(name, book)?.try_map(book, |text| {
        let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-20".len());
        let midnight = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
        let wrong =
            || format!("`{name}` is a date such as 2027-03-31, or a time with its offset such as 2027-03-31T18:00:00Z");
        midnight.or_else(|| text.parse().ok()).ok_or_else(wrong)
    });
    moment.map(|moment| moment.it)
}
