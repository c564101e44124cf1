//! docs/CLIENTS.md: its blocks, which are run, and its two tables, which are what the tests saw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use super::catalogue::{self, Client};
use super::limits::Limit;
use super::probe::{How, Step};
use super::support::clients::without_own_settings;
use super::support::demo::Demo;
use super::support::documents::{Block, all};
use super::support::install::repository;
use super::ways::{Door, Transport, Way, nowhere_else};

const PAGE: &str = "docs/CLIENTS.md";
/// If it is set, what was seen is written into the page.
const BLESS: &str = "BLESS_CLIENTS";

/// The block of a client.
pub(crate) fn block(client: &Client) -> Block {
    let mut found: Vec<Block> =
        all().into_iter().filter(|block| shown(block).any(|slug| slug == client.slug)).collect();
    assert_eq!(found.len(), 1, "{PAGE} has one block `sh client {}`", client.slug);
    found.remove(0)
}

/// What a client does beside a demo: the script in this folder, with the client and `tracegate` on the PATH.
pub(crate) fn run(client: &Client, script: &str, place: &Path) -> Output {
    let (bin, mut command) = (place.join(".bin"), Command::new("bash"));
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tracegate"), bin.join("tracegate")).unwrap();
    }
    let path = client.path();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap();
    without_own_settings(&mut command);
    command.args(["-euo", "pipefail", "-c", script]).current_dir(place);
    command.env("HOME", place).env("PATH", path).envs(client.modules()).envs(demo().exported());
    command.envs(nowhere_else()).output().unwrap()
}

/// The one that all blocks of the page run beside.
pub(crate) fn demo() -> &'static Demo {
    static SHARED: OnceLock<Demo> = OnceLock::new();
    SHARED.get_or_init(|| Demo::start(&["demo".to_owned()]))
}

/// The clients that a block shows: what stands behind `sh client` is their slugs.
fn shown(block: &Block) -> impl Iterator<Item = &str> {
    block.info.strip_prefix("sh client ").into_iter().flat_map(|slugs| slugs.split(' '))
}

/// The row of a client, of what is open to it and what it has.
pub(crate) fn row(client: &Client, version: &str, open: impl Fn(Way) -> bool, done: &BTreeMap<Step, How>) -> String {
    let doors = Door::ALL.map(|door| {
        let open = Transport::ALL.into_iter().filter(|transport| open(Way(door, *transport)));
        or_none(&open.map(Transport::title).collect::<Vec<_>>().join(", ")).to_owned()
    });
    let steps = Step::ALL.map(|step| done.get(&step).map_or("–", |how| how.title()).to_owned());
    let cells = [client.name.to_owned(), version.to_owned()].into_iter().chain(doors).chain(steps);
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

/// The cells of a client's row, as the page has it.
pub(crate) fn cells(client: &Client) -> Vec<String> {
    let row = published(client).unwrap_or_else(|| panic!("{PAGE} has no row for {}", client.name));
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Holds a row that was seen against the page, or writes it there.
pub(crate) fn hold(client: &Client, seen: &str) {
    if std::env::var_os(BLESS).is_none() {
        assert_eq!(published(client).as_deref(), Some(seen), "{PAGE}; {BLESS}=1 writes what was seen");
        return;
    }
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap();
    let rows: Vec<String> = catalogue::ALL
        .iter()
        .filter_map(|other| if other.slug == client.slug { Some(seen.to_owned()) } else { published(other) })
        .collect();
    write("matrix", &[heading()].into_iter().chain(rows).collect::<Vec<_>>().join("\n"));
}

/// The table of what clients cannot do is that of the catalogue.
pub(crate) fn limits_are_published() {
    let head = "| client | cannot use | because | instead |\n|---|---|---|---|".to_owned();
    let table = [head].into_iter().chain(limit_rows()).collect::<Vec<_>>().join("\n");
    if std::env::var_os(BLESS).is_some() {
        write("limits", &table);
    }
    assert_eq!(between(&page(), "limits").trim(), table, "{PAGE}; {BLESS}=1 writes it");
}

/// One row for the clients that cannot do the same for the same reason.
fn limit_rows() -> Vec<String> {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for client in &catalogue::ALL {
        for row in client.limits.iter().map(|limit| limit_row(limit)) {
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, names)) => names.push(client.name),
                None => rows.push((row, vec![client.name])),
            }
        }
    }
    rows.into_iter().map(|(row, names)| format!("| {} | {row} |", names.join(", "))).collect()
}

/// The page has a row for each client, and for nobody else; and a block.
pub(crate) fn every_client_is_published() {
    let page = page();
    let rows: Vec<&str> = between(&page, "matrix").trim().lines().collect();
    assert_eq!(rows[..2].join("\n"), heading());
    let names: Vec<&str> =
        rows[2..].iter().map(|row| row.trim_matches('|').split('|').next().unwrap().trim()).collect();
    assert_eq!(names, catalogue::ALL.each_ref().map(|client| client.name));
    let blocks = all();
    let in_blocks: BTreeSet<&str> = blocks.iter().flat_map(shown).collect();
    let with_a_block = catalogue::ALL.iter().filter(|client| client.has_a_block()).map(|client| client.slug);
    assert_eq!(in_blocks, with_a_block.collect());
}

fn heading() -> String {
    let columns = Door::ALL.map(Door::title).into_iter().chain(Step::ALL.map(Step::name));
    let columns: Vec<&str> = ["client", "version"].into_iter().chain(columns).collect();
    format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))
}

fn limit_row(limit: &Limit) -> String {
    let list = |texts: Vec<&str>| texts.join(", ");
    let doors = if limit.doors.len() == Door::ALL.len() {
        "any door".to_owned()
    } else {
        list(limit.doors.iter().map(|door| door.title()).collect())
    };
    let transports = if limit.transports.len() == Transport::ALL.len() {
        String::new()
    } else {
        format!(" over {}", list(limit.transports.iter().map(|transport| transport.title()).collect()))
    };
    format!("{doors}{transports} | {} | {}", limit.because, limit.instead)
}

fn published(client: &Client) -> Option<String> {
    let start = format!("| {} |", client.name);
    between(&page(), "matrix").lines().find(|line| line.starts_with(&start)).map(str::to_owned)
}

fn page() -> String {
    std::fs::read_to_string(repository().join(PAGE)).unwrap()
}

/// What stands between two marks of the page.
fn between<'p>(page: &'p str, name: &str) -> &'p str {
    parts(page, name)[1]
}

fn write(name: &str, table: &str) {
    let page = page();
    let [before, _, after] = parts(&page, name);
    // In one step: other tests read the page meanwhile.
    let fresh = repository().join("target").join("CLIENTS.md");
    std::fs::write(&fresh, format!("{before}\n{table}\n{after}")).unwrap();
    std::fs::rename(fresh, repository().join(PAGE)).unwrap();
}

/// What stands up to the first mark with it, between the marks, and from the second on.
fn parts<'p>(page: &'p str, name: &str) -> [&'p str; 3] {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let at = |mark: &str| page.find(mark).unwrap_or_else(|| panic!("{PAGE} has {mark}"));
    let (first, second) = (at(&open) + open.len(), at(&close));
    [&page[..first], &page[first..second], &page[second..]]
}
