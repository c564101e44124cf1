//! The façade that all clients meet, who they are there, and what a plain request by curl gets: the truth that each
//! client is held against.

use std::sync::OnceLock;

use super::catalogue::{self, Client};
use super::support::clients::curl;
use super::support::facade::{Backend, Facade, Settings};
use super::support::http::{self, Answer};
use super::support::install::repository;
use super::support::{self, seed};

/// Somebody who holds the roles of all clients. Each has one of its own, called like it, so that the log tells who asked.
const USER: &str = "carol";

/// Below this prefix lie more keys than fit into a page.
pub(crate) const PAGES: &str = "model-B/pages/";
const PAGES_KEYS: usize = 1050;
/// A redacted object of a few KiB.
pub(crate) const KEY: &str = "model-B/2026/11/19/run-004420.jsonl";
/// A range of it: the first and the last byte, both within records.
pub(crate) const RANGE: (usize, usize) = (3000, 6999);
/// A redacted object of 24 MB.
pub(crate) const BIG: &str = seed::BIG;
/// What is copied as a tree; keys with spaces, signs and other scripts lie in it.
pub(crate) const TREE: &str = "model-C/";
/// The sum of the column `tokens` of the table `table` in the bucket `plain`: 0 + 1 + … + 199.
pub(crate) const TOKENS: &str = "19900";

/// The façade, with the embedded bucket behind it.
pub(crate) fn facade() -> &'static Facade {
    static SHARED: OnceLock<Facade> = OnceLock::new();
    SHARED.get_or_init(|| {
        Facade::start(&Settings {
            roles: catalogue::ALL.iter().map(|client| role(client.slug)).collect(),
            objects: pages().chain(table()).collect(),
            ..Settings::with_one_provider(Backend::Memory)
        })
    })
}

/// Below this prefix of the bucket `plain` a client may put.
pub(crate) fn uploads(client: &str) -> String {
    format!("uploads/{client}/")
}

/// Reads both buckets, `traces` behind the masks of everybody, and puts below a prefix of its own.
fn role(name: &'static str) -> (&'static str, String) {
    let role = format!(
        "version = 1\n[role]\nname = \"{name}\"\ndescription = \"Reads both buckets, and puts\"\nowner = \"tests@acme.example\"\n\
             max_session = \"12h\"\n[[bind]]\nissuer = \"demo\"\nclaims = {{ groups = [\"support\"] }}\n\
             [[allow]]\nid = \"read\"\nactions = [\"get\", \"list\"]\npaths = [\"traces/*\", \"plain/*\"]\n\
             [[allow]]\nid = \"put\"\nactions = [\"put\"]\npaths = [\"plain/{}*\"]\n",
        uploads(name)
    );
    (name, role)
}

fn pages() -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..PAGES_KEYS).map(|number| {
        let record = format!("{{\"trace_id\":\"tr-{number}\",\"email\":\"{number}@customer.example\"}}\n");
        (format!("traces/{PAGES}run-{number:04}.jsonl"), record.into_bytes())
    })
}

/// A Delta table with the columns `run` and `tokens`, as deltalake 1.6.6 wrote it: one Parquet file and its log.
fn table() -> impl Iterator<Item = (String, Vec<u8>)> {
    let folder = repository().join("tests/clients/table");
    let log = folder.join("_delta_log");
    [("", folder), ("_delta_log/", log)].into_iter().flat_map(|(prefix, folder)| {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).map(move |path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            (format!("plain/table/{prefix}{name}"), std::fs::read(&path).unwrap())
        })
    })
}

fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| support::oidc_provider().token(USER))
}

/// The file with their token.
pub(crate) fn token_file() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = facade().work().join(format!("{USER}.jwt"));
        std::fs::write(&file, token()).unwrap();
        file.to_str().unwrap().to_owned()
    })
}

/// One request by curl, with their token for this role; `target` begins behind the host.
pub(crate) fn ask(role: &str, target: &str) -> Answer {
    let (bearer, role) = (format!("Authorization: Bearer {}", token()), format!("x-tracegate-role: {role}"));
    let options =
        ["--include", "--path-as-is", "--globoff", "--max-time", "100", "--header", &bearer, "--header", &role];
    let output = curl([&options[..], &[&format!("{}{target}", facade().http())]].concat());
    let answer = http::parse(&output.stdout).unwrap_or_else(|| panic!("{target}: no HTTP answer: {output:?}"));
    assert!(output.status.success() && answer.status == 200, "{target}: {}", answer.text());
    answer
}

/// How many ranges of the object [`BIG`] this client has asked for.
pub(crate) fn ranges(client: &Client) -> usize {
    let rows = facade().rows(&["--role", client.slug, "--op", "GetObject", "--key", &format!("traces/{BIG}")]);
    rows.iter().filter(|row| row["range"].is_string()).count()
}

/// An object of the bucket `plain` as curl gets it.
pub(crate) fn stored(role: &str, key: &str) -> Vec<u8> {
    ask(role, &format!("/plain/{key}")).body
}

/// An object of the bucket `traces` as curl gets it: redacted.
pub(crate) fn object(role: &str, key: &str) -> Vec<u8> {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');
    let target = format!("/traces/{}", percent_encoding::utf8_percent_encode(key, &KEPT));
    let body = ask(role, &target).body;
    let original = std::fs::read(facade().seeded("traces").join(key)).unwrap();
    assert!(body.len() == original.len() && body != original, "{key} is not redacted");
    body
}

/// The keys of the bucket `traces` below a prefix, each with its size: those of the original, which redaction keeps.
pub(crate) fn keys(prefix: &str) -> Vec<(u64, String)> {
    let (root, mut found) = (facade().seeded("traces"), Vec::new());
    let mut folders = vec![root.join(prefix)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((path.metadata().unwrap().len(), key));
            }
        }
    }
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}
