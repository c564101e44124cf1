//! Runs a client's probe on one way in, and judges what it brought.
//!
//! A probe finds in its environment, besides what the [way](super::ways) sets: `OUT`, an empty folder and its home; `CA`,
//! the certificate to trust; `ENDPOINT`; `PAGES`, `KEY`, `FIRST`, `LAST`, `BIG` and `TREE` as [`super::facade`] tells; and
//! the files `SIX` and `LARGE`, to be put into the bucket `plain` below `TO`.
//!
//! It leaves one file for each step that its client has, named like the step: what the step brought, or, with `.error`
//! behind the name, why it failed. It judges nothing itself.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::catalogue::Client;
use super::facade::{self, BIG, KEY, PAGES, RANGE, TOKENS, TREE, facade};
use super::support::clients::without_own_settings;
use super::support::install::repository;
use super::support::server;
use super::uploads;
use super::ways::Way;

/// From how many pieces of the 24 MB on they are parts.
pub(crate) const PARTS_MIN: usize = 3;
/// How long a probe may take for all its steps.
const PATIENCE: Duration = Duration::from_secs(180);

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Lists what fills more than a page.
    List,
    /// Gets a redacted object whole.
    Get,
    /// Gets a range of it.
    Range,
    /// Gets 24 MB of redacted records; side by side in parts, where it can.
    Big,
    /// Copies a tree twice; the second time there is nothing to do.
    Sync,
    /// Reads a column of a table, without masks.
    Columns,
    /// Puts 6 MiB.
    Put,
    /// Puts 24 MB; side by side in parts, where it can.
    Multipart,
}

impl Step {
    /// All, in the order of the page's columns.
    pub(crate) const ALL: [Self; 8] =
        [Self::List, Self::Get, Self::Range, Self::Big, Self::Sync, Self::Columns, Self::Put, Self::Multipart];

    /// The heading of its column, and the name of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Range => "range",
            Self::Big => "big",
            Self::Sync => "sync",
            Self::Columns => "columns",
            Self::Put => "put 6 MiB",
            Self::Multipart => "multipart",
        }
    }

    /// How it went, or what is wrong with what a client brought or put.
    fn judge(self, client: &Client, out: &Path, truth: &Truth, ranges: usize) -> Result<How, String> {
        let brought = std::fs::read(out.join(self.name())).unwrap();
        let text = || String::from_utf8_lossy(&brought);
        let put = |upload: uploads::Upload| upload.judge(client, &uploads::prefix(client, out), &text());
        let well = |judged: Result<(), String>| judged.map(|()| How::Well);
        match self {
            Self::List => well(same_keys(&text(), &truth.pages)),
            Self::Get => well(same(&brought, &truth.get)),
            Self::Range => well(same(&brought, &truth.get[RANGE.0..=RANGE.1])),
            Self::Big if ranges >= PARTS_MIN => same(&brought, &truth.big).map(|()| How::InParts),
            Self::Big => well(same(&brought, &truth.big)),
            Self::Sync => well(same_tree(out, &truth.tree)),
            Self::Columns => well(same(&brought, TOKENS.as_bytes())),
            Self::Put => put(uploads::SIX),
            Self::Multipart => put(uploads::LARGE),
        }
    }
}

/// How a client took a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Well.
    Well,
    /// Well, and in parts: the façade's log has them.
    InParts,
}

impl How {
    /// As the page says it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Well => "✔",
            Self::InParts => "in parts",
        }
    }
}

/// What a client did on one way in.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its version, as it says itself.
    pub(crate) version: String,
    /// The steps that it has, each with how it went, or why not.
    pub(crate) steps: BTreeMap<Step, Result<How, String>>,
}

/// What curl gets in the role of a client: pseudonyms are a role's own.
pub(crate) struct Truth {
    pages: Vec<(u64, String)>,
    get: Vec<u8>,
    big: Vec<u8>,
    tree: Vec<(PathBuf, Vec<u8>)>,
}

impl Truth {
    /// Asks curl.
    pub(crate) fn of(client: &Client) -> Self {
        let object = |key: &str| facade::object(client.slug, key);
        let tree = facade::keys(TREE).into_iter().map(|(_, key)| (key[TREE.len()..].into(), object(&key)));
        let tree: Vec<_> = tree.collect();
        assert!(tree.len() > 4);
        Self { pages: facade::keys(PAGES), get: object(KEY), big: object(BIG), tree }
    }
}

/// Runs the probe of a client.
pub(crate) fn run(client: &Client, way: Way, truth: &Truth) -> Seen {
    let out = Folder(server::new_folder(client.slug));
    let ranges = facade::ranges(client);
    let error = run_to_its_end(client, way, &out.0);
    let ranges = facade::ranges(client) - ranges;
    let text = |name: &str| std::fs::read_to_string(out.0.join(name)).ok();
    let mut steps = BTreeMap::new();
    for step in Step::ALL {
        if let Some(error) = text(&format!("{}.error", step.name())) {
            steps.insert(step, Err(error));
        } else if out.0.join(step.name()).exists() {
            steps.insert(step, step.judge(client, &out.0, truth, ranges));
        }
    }
    if let Some(error) = error {
        // Where the probe itself broke, no step went well.
        steps.insert(Step::Get, Err(error));
    }
    Seen { version: text("version").unwrap_or_default().trim().to_owned(), steps }
}

/// What it said, if it did not end well.
fn run_to_its_end(client: &Client, way: Way, out: &Path) -> Option<String> {
    let said = out.join("said");
    let log = std::fs::File::create(&said).unwrap();
    let mut command = Command::new(client.program());
    without_own_settings(&mut command);
    command.args(client.arguments()).current_dir(repository().join("tests/clients/probes"));
    command
        .envs(way.environment(facade(), client.slug, out))
        .envs(subjects(client, out))
        .envs(client.environment.iter().copied());
    command.env("PATH", client.path()).envs(client.modules()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (!status.success()).then(|| format!("{status}\n{}", std::fs::read_to_string(&said).unwrap()));
        }
        if began.elapsed() > PATIENCE {
            // With whatever it started: they share its group.
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status().unwrap();
            child.wait().unwrap();
            return Some(format!("not done within {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn subjects(client: &Client, out: &Path) -> [(&'static str, String); 12] {
    let to = uploads::prefix(client, out);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (out, ca) = (text(out), text(&facade().ca()));
    [
        ("TO", to),
        ("SIX", text(&uploads::SIX.file())),
        ("LARGE", text(&uploads::LARGE.file())),
        ("OUT", out.clone()),
        ("HOME", out),
        ("CA", ca),
        ("PAGES", PAGES.to_owned()),
        ("KEY", KEY.to_owned()),
        ("FIRST", RANGE.0.to_string()),
        ("LAST", RANGE.1.to_string()),
        ("BIG", BIG.to_owned()),
        ("TREE", TREE.to_owned()),
    ]
}

/// What is wrong, if they are not the same.
pub(crate) fn same(brought: &[u8], wanted: &[u8]) -> Result<(), String> {
    let at = || brought.iter().zip(wanted).take_while(|(one, other)| one == other).count();
    let lengths = || format!("{} bytes, not {}, and another from byte {}", brought.len(), wanted.len(), at());
    if brought == wanted { Ok(()) } else { Err(lengths()) }
}

/// Lines of size and key, or of keys alone where a client does not tell sizes.
fn same_keys(brought: &str, pages: &[(u64, String)]) -> Result<(), String> {
    let sized = brought.contains('\t');
    let wanted: Vec<String> =
        pages.iter().map(|(size, key)| if sized { format!("{size}\t{key}") } else { key.clone() }).collect();
    let mut lines: Vec<&str> = brought.lines().collect();
    lines.sort_unstable_by_key(|line| line.rsplit('\t').next());
    if lines == wanted {
        Ok(())
    } else {
        Err(format!("{} keys, not {}: {:?}…", lines.len(), wanted.len(), lines.first()))
    }
}

/// Every file is what curl gets, and the second run touched none.
fn same_tree(out: &Path, tree: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    let text = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let (first, again) = (text("sync-files"), text("sync-again"));
    if first.lines().count() != tree.len() || !again.is_empty() {
        return Err(format!("the first run brought\n{first}\nand the second again\n{again}"));
    }
    for (path, wanted) in tree {
        let brought =
            std::fs::read(out.join("tree").join(path)).map_err(|error| format!("{}: {error}", path.display()))?;
        same(&brought, wanted).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// A folder that goes with its user.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
