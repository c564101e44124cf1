//! A policy set: all of its files or nothing, checked against each other, with the digest of what they say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::file::{self, Global};
use super::glob::PathGlob;
use super::permit::PolicyDigest;
use super::rows::Rows;
use super::rules::{Deny, Profile, Role};
use super::sight::Sight;
use super::source::{self, Book, Mistake, Node, Value};
use crate::identity::roles::{RoleBook, RoleTerms, StaticToken};
use crate::identity::{Claims, RoleName};
use crate::limits;
use crate::s3::name::Bucket;
use crate::s3::operation::Action;

/// Name of the file that every set has, which names the others.
pub const GLOBAL: &str = "_global.toml";
/// Name of the folder beside the files that holds tables of cases.
pub const TESTS: &str = "tests";

/// A whole policy set, sound. Cheap to share; replaced as a whole.
pub struct Ruleset {
    canonical: String,
    digest: PolicyDigest,
    roles: BTreeMap<RoleName, Arc<Role>>,
    denies: Arc<[Deny]>,
    profiles: Arc<[Profile]>,
    static_tokens: Vec<StaticToken>,
    sights: Cache<(RoleName, Claims), Arc<Sight>>,
}

/// Something that is allowed, and that the writer of a policy should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The rule, role or profile.
    pub about: String,
    /// What to know.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.what)
    }
}

impl Ruleset {
    /// Reads the set in a folder, or returns every mistake in it.
    pub fn load(dir: &Path) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        Self::load_with(dir, &BTreeMap::new())
    }

    /// The same, with other URLs for some of the issuers' short names.
    pub fn load_with(
        dir: &Path,
        issuer_overrides: &BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        Self::from_texts(&read_folder(dir)?, issuer_overrides)
    }

    /// The same from the files' names and texts; pure.
    pub fn from_texts(
        files: &BTreeMap<String, String>,
        issuer_overrides: &BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        let (global_name, text) =
            files.get_key_value(GLOBAL).or_else(|| files.get_key_value("_global.json")).ok_or_else(|| {
                vec![source::mistake(GLOBAL, "", 0, "is missing; a set needs it, and it names the others")]
            })?;
        let mut mistakes = Vec::new();
        let mut trees = BTreeMap::new();
        let mut book = Book::new(global_name, text);
        let tree = source::read(&mut book);
        let global = file::global(&tree, issuer_overrides, &mut book);
        trees.insert(global_name.as_str(), tree);
        let listed = listed(&global, files, global_name, &mut book);
        mistakes.extend(book.mistakes);
        let mut roles = BTreeMap::new();
        for name in listed {
            let mut book = Book::new(name, &files[name]);
            let tree = source::read(&mut book);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            if let Some(role) = file::role(&tree, stem, &global, &mut book)
                && roles.insert(role.name.clone(), Arc::new(role)).is_some()
            {
                book.note(0, "the role stands in another file, too; keep one of them");
            }
            trees.insert(name, tree);
            mistakes.extend(book.mistakes);
        }
        for named in global.roles_named.iter().filter(|named| !roles.contains_key(&named.it)) {
            let what = format!("there is no role {}; name one of the set, or add its file", named.it);
            mistakes.push(source::mistake(global_name, text, named.at, what));
        }
        if !mistakes.is_empty() {
            mistakes.sort();
            mistakes.dedup();
            return Err(mistakes);
        }
        Self::assemble(canonical(&trees, issuer_overrides), global, roles)
    }

    fn assemble(
        canonical: String,
        global: Global,
        roles: BTreeMap<RoleName, Arc<Role>>,
    ) -> Result<(Self, Vec<Warning>), Vec<Mistake>> {
        let rules = Self {
            digest: PolicyDigest(Sha256::digest(&canonical).into()),
            canonical,
            roles,
            denies: global.denies.into(),
            profiles: global.profiles.into(),
            static_tokens: global.static_tokens,
            sights: sight_cache(),
        };
        let warnings = super::lint::check(&rules)?;
        Ok((rules, warnings))
    }

    /// SHA-256 of [`Ruleset::canonical`].
    pub fn digest(&self) -> PolicyDigest {
        self.digest
    }

    /// What the set says, in one form: JSON, members sorted, without comments.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The roles, in the order of their names.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    /// A role.
    pub fn role(&self, name: &RoleName) -> Option<&Arc<Role>> {
        self.roles.get(name)
    }

    /// The redact profiles, in the order in which they stand.
    pub fn profiles(&self) -> &Arc<[Profile]> {
        &self.profiles
    }

    /// The denies that hold for every role.
    pub fn denies(&self) -> &Arc<[Deny]> {
        &self.denies
    }

    /// The tokens of teams without an identity provider.
    pub fn static_tokens(&self) -> &[StaticToken] {
        &self.static_tokens
    }

    /// What a role with these claims sees. Kept for a while, since building it costs up to some milliseconds. A role
    /// that the set does not hold sees nothing.
    pub fn sight(&self, role: &RoleName, claims: &Claims) -> Arc<Sight> {
        let used = self.claims_used(role);
        let claims: Claims = claims.iter().filter(|(name, _)| used.contains(&name.as_str())).map(owned).collect();
        self.sights.get_with_by_ref(&(role.clone(), claims.clone()), || {
            let rules = self.roles.get(role).cloned().unwrap_or_else(|| Arc::new(Role::without_rights(role.clone())));
            let sight = Sight::build(rules, self.denies.clone(), self.profiles.clone(), &claims);
            // Claim values are literals and bounded, so what was built when the set was read builds again; if it ever
            // does not, nothing is seen.
            Arc::new(sight.unwrap_or_else(|_| Sight::blind(role.clone())))
        })
    }

    /// Whether some role may create objects in the bucket, at any time and with any claims.
    pub fn creates_in(&self, bucket: &Bucket) -> bool {
        let creates = |role: &&Arc<Role>| role.allows.iter().any(|allow| allow.actions.contains(Action::Create));
        self.roles.values().filter(creates).any(|role| {
            match Sight::of_anyone(role.clone(), self.denies.clone(), self.profiles.clone()) {
                Ok(sight) => sight.may_reach(bucket, Action::Create),
                // The set was read, so it builds; if it ever does not, it may.
                Err(_) => true,
            }
        })
    }

    /// The roles as identity needs them.
    pub fn role_book(&self) -> RoleBook {
        let terms = |role: &Arc<Role>| RoleTerms {
            name: role.name.clone(),
            max_session: role.max_session,
            expires: role.expires,
            presign: role.presign,
            exclusive: role.exclusive,
            binds: role.binds.clone(),
            claims_used: self.claims_used(&role.name).into_iter().map(str::to_owned).collect(),
        };
        RoleBook { roles: self.roles.values().map(terms).collect(), static_tokens: self.static_tokens.clone() }
    }

    /// The claims that stand in paths, and in conditions on records, that concern a role.
    fn claims_used(&self, role: &RoleName) -> Vec<&str> {
        let own = self.roles.get(role);
        let own = own.into_iter().flat_map(|role| {
            role.allows.iter().map(|allow| &allow.paths).chain(role.denies.iter().map(|deny| &deny.paths))
        });
        let global = self.denies.iter().map(|deny| &deny.paths);
        let profiles = self.profiles.iter().map(|profile| &profile.paths);
        let rows = self.profiles.iter().filter_map(|profile| profile.rows.as_ref()).flat_map(Rows::claims);
        own.chain(global).chain(profiles).flatten().flat_map(PathGlob::claims).chain(rows).collect()
    }
}

impl fmt::Debug for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ruleset({}, {} roles)", self.digest, self.roles.len())
    }
}

/// Bounded by memory and, since none weighs less than its share, by number.
fn sight_cache() -> Cache<(RoleName, Claims), Arc<Sight>> {
    let share = limits::AUTOMATA_BYTES_MAX / limits::AUTOMATA_MAX;
    let weigh = move |sight: &Sight| u32::try_from(share.max(sight.bytes() as u64)).unwrap_or(u32::MAX);
    Cache::builder().max_capacity(limits::AUTOMATA_BYTES_MAX).weigher(move |_, sight: &Arc<Sight>| weigh(sight)).build()
}

fn owned((name, values): (&String, &Vec<String>)) -> (String, Vec<String>) {
    (name.clone(), values.clone())
}

/// The files that the set names and that are there; what is missing, or there and not named, is noted.
fn listed<'f>(
    global: &Global,
    files: &'f BTreeMap<String, String>,
    global_name: &str,
    book: &mut Book<'_>,
) -> Vec<&'f str> {
    let mut listed: Vec<&str> = Vec::new();
    for named in &global.files {
        match files.get_key_value(&named.it) {
            Some((name, _)) if name == global_name || listed.contains(&name.as_str()) => {
                book.note(named.at, format!("{name:?} stands here once too often; remove it"));
            }
            Some((name, _)) => listed.push(name),
            None => book.note(named.at, format!("the file {:?} is missing; restore it or remove the name", named.it)),
        }
    }
    for name in files.keys().filter(|name| *name != global_name && !listed.contains(&name.as_str())) {
        book.note(0, format!("the file {name:?} is not named in `files`; name it or remove it"));
    }
    listed
}

/// The texts of all policy files of a folder, by name.
pub(super) fn read_folder(dir: &Path) -> Result<BTreeMap<String, String>, Vec<Mistake>> {
    let named = |name: &str, what: String| source::mistake(name, "", 0, what);
    let folder = dir.display().to_string();
    let fail = |e: std::io::Error| vec![named(&folder, format!("cannot be read: {e}"))];
    let mut files = BTreeMap::new();
    let mut mistakes = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".toml") && !name.ends_with(".json") || name.starts_with('.') {
            continue;
        }
        match read_bounded(&path) {
            Ok(text) => drop(files.insert(name, text)),
            Err(what) => mistakes.push(named(&name, what)),
        }
    }
    if files.len() > limits::POLICY_FILES_MAX {
        mistakes.push(named(&folder, format!("a set has at most {} files", limits::POLICY_FILES_MAX)));
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

fn read_bounded(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    let mut bounded = file.take(limits::POLICY_FILE_BYTES_MAX as u64 + 1);
    bounded.read_to_string(&mut text).map_err(|e| format!("cannot be read: {e}"))?;
    if text.len() > limits::POLICY_FILE_BYTES_MAX {
        return Err(format!("has more than {} bytes; split it", limits::POLICY_FILE_BYTES_MAX));
    }
    Ok(text)
}

/// All files as one JSON text, members sorted; overridden issuers as they count.
fn canonical(trees: &BTreeMap<&str, Node>, overrides: &BTreeMap<String, String>) -> String {
    let files: serde_json::Map<String, serde_json::Value> =
        trees.iter().map(|(name, tree)| ((*name).to_owned(), json(&tree.value))).collect();
    let mut all = serde_json::json!({ "files": files });
    if !overrides.is_empty() {
        all["issuers"] = serde_json::json!(overrides);
    }
    all.to_string()
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Bool(bool) => (*bool).into(),
        Value::Other(_) => serde_json::Value::Null,
        Value::List(items) => items.iter().map(|item| json(&item.value)).collect(),
        Value::Table(entries) => {
            let members = entries.iter().map(|entry| (entry.name.clone(), json(&entry.node.value)));
            // A sorted map first: serde_json keeps the order of insertion where a dependency asks for that.
            let sorted: BTreeMap<String, serde_json::Value> = members.collect();
            serde_json::Value::Object(sorted.into_iter().collect())
        }
    }
}
