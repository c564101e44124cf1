//! Jobs that only write: the page's blocks `sh ingest …`, run beside a demo in its role `ingest`.
//!
//! The block `sh ingest` comes before each: it makes the files and names the job's own prefix, `RUN`. What a client puts
//! there is named like its file. Twice the same is run, with other bytes the second time: that must fail (or, with a client
//! that is known for it, skip what is there), and leave what the first time brought.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

use libtest_mimic::Trial;

use super::catalogue::{self, Client};
use super::matrix::trial;
use super::page;
use super::support::clients::{curl, said};
use super::support::documents::{Block, all, blocks};

/// What the blocks begin with: once, by an admin, and then by each job.
const ADMIN: &str = "sh ingest-token";
const JOB: &str = "sh ingest";

/// One for each block and client. Those whose clients are not there anyway are marked as ignored.
pub(crate) fn trials() -> Vec<Trial> {
    let ways = all().into_iter().flat_map(|block| {
        let slugs = block.info.strip_prefix("sh ingest ").unwrap_or_default().to_owned();
        let clients = slugs.split_whitespace().map(client).collect::<Vec<_>>();
        clients.into_iter().map(move |client| (client, block.clone()))
    });
    let trials = ways.enumerate().map(|(number, (client, block))| {
        let name = format!("{}::creates_and_never_overwrites::{}", client.slug, block.line);
        trial(name, move || creates_once(client, &block, number)).with_ignored_flag(!client.is_there_anyway())
    });
    trials.collect()
}

fn client(slug: &str) -> &'static Client {
    catalogue::ALL.iter().find(|client| client.slug == slug).unwrap_or_else(|| panic!("there is no client {slug}"))
}

fn creates_once(client: &Client, block: &Block, number: usize) {
    a_token_is_made();
    let (place, run) = (tempfile::tempdir().unwrap(), format!("model-D/2026/11/20/run-{number}"));
    let [job] = &blocks(JOB)[..] else { panic!("the page has one block `{JOB}`") };
    let script = format!("export RUN={run}\n{}\n{}", job.text, block.text);
    let shown =
        |done: &Output| format!("{}: {}\n{}", block.place(), done.status, String::from_utf8_lossy(&done.stderr));
    let done = page::run(client, &script, place.path());
    assert!(done.status.success(), "{}", shown(&done));
    let first = stored(&run);
    assert!(!first.is_empty(), "{}: it put nothing", block.place());
    for (name, bytes) in &first {
        assert!(*bytes == std::fs::read(place.path().join(name)).unwrap(), "{}: {name}", block.place());
    }
    let again = page::run(client, &script, place.path());
    if !client.is_the_older() && client.skips_by.is_some_and(|command| block.text.contains(command)) {
        assert!(again.status.success(), "it does not skip what is there any more: {}", shown(&again));
    } else {
        let refused =
            ["412", "PreconditionFailed"].iter().any(|word| String::from_utf8_lossy(&again.stderr).contains(word));
        assert!(!again.status.success() && refused, "it is not told that the key is taken: {}", shown(&again));
    }
    let changed = first.iter().all(|(name, bytes)| *bytes != std::fs::read(place.path().join(name)).unwrap());
    assert!(changed, "{}: the second time puts the same bytes", block.place());
    assert!(stored(&run) == first, "{}: the second time changed something", block.place());
}

/// By the page's own block, once for all.
fn a_token_is_made() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let (place, [admin]) = (tempfile::tempdir().unwrap(), &blocks(ADMIN)[..]) else {
            panic!("the page has one block `{ADMIN}`")
        };
        said(&page::run(&catalogue::ALL[0], &admin.text, place.path()));
    });
}

/// What a reader of unmasked traces finds below a job's prefix: bytes by the rest of the key.
fn stored(run: &str) -> BTreeMap<String, Vec<u8>> {
    let demo = page::demo().exported().into_iter().collect::<BTreeMap<_, _>>();
    let token = std::fs::read_to_string(Path::new(&demo["DEMO"]).join("alice.jwt")).unwrap();
    let bearer = format!("Authorization: Bearer {}", token.trim());
    let get = |target: &str| {
        let done = curl(["--fail", "--header", &bearer, &format!("{}{target}", demo["URL"])]);
        assert!(done.status.success(), "{target}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    let listed = String::from_utf8(get(&format!("/traces?list-type=2&prefix={run}/"))).unwrap();
    let keys = listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
    let names = keys.map(|key| key.strip_prefix(run).unwrap().trim_start_matches('/').to_owned());
    names.map(|name| (name.clone(), get(&format!("/traces/{run}/{name}")))).collect()
}
