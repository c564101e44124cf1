//! The demo as a user meets it: what it shows, what it tells to paste, and the blocks of the documents beside it.

use std::sync::OnceLock;
use std::time::Instant;

use super::commands::{Place, succeeded};
use super::support::demo::{Demo, PATIENCE};
use super::support::documents::{Block, blocks};
use super::support::install::repository;

/// Started as README.md says, but on free ports.
pub(crate) fn demo() -> &'static Demo {
    static SHARED: OnceLock<Demo> = OnceLock::new();
    SHARED.get_or_init(|| Demo::start(&readme_command()))
}

/// The arguments of the first command that README.md tells a reader to run.
fn readme_command() -> Vec<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let line = readme.lines().find_map(|line| line.strip_prefix("cargo run --release -- ")).expect("README.md runs it");
    line.split(" #").next().unwrap().split_whitespace().map(str::to_owned).collect()
}

fn run(script: &str) -> String {
    let block = Block { file: "the demo".into(), line: 0, info: "sh demo".into(), text: script.to_owned() };
    succeeded(&block, &Place::new().run(script, &[]))
}

#[test]
fn it_shows_the_main_job_and_ends() {
    let started = Instant::now();
    let said = run("tracegate demo --no-stay --port 0 2>&1");
    for line in [
        "alice as trace-owner: HTTP 200",
        "bob as compliance-auditor: HTTP 200",
        "carol as support-engineer: HTTP 403",
        "role support-engineer has no `get` on traces/model-A/",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let part = |from: &str, to: &str| said.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
    let (raw, redacted) = (part("alice as", "bob as"), part("bob as", "carol as"));
    assert!(raw.contains("usr_erik_") && raw.contains("\"system_prompt\":\"You are model-A"), "{raw}");
    assert!(
        !redacted.contains("usr_erik_")
            && redacted.contains("\"user_id\":\"p_")
            && redacted.contains("\"system_prompt\":\"[REDACTED]\""),
        "{redacted}"
    );
    let size = |part: &str| part.split("HTTP 200, ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(size(&raw), size(&redacted), "the redacted object keeps its size");
    for (role, seen) in [("trace-owner", "20"), ("compliance-auditor", "20"), ("data-scientist", "6")] {
        let line = said.lines().find(|line| line.contains(&format!("as {role}")) && line.contains(" objects, in "));
        assert!(line.is_some_and(|line| line.contains(&format!(" {seen} objects"))), "{line:?}");
    }
    for entry in ["GetObject        ok 200", "GetObject        denied 403", "listed=20", "hidden="] {
        assert!(said.contains(entry), "{entry}\n{said}");
    }
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    assert!(started.elapsed() < PATIENCE, "the show takes seconds");
}

/// Every line of a transcript in the documents is one that the demo prints.
#[test]
fn transcripts_are_what_it_prints() {
    let shape = |line: &str| {
        let digits = line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>();
        digits
            .split('#')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("#")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let printed: Vec<String> = demo().said.lines().map(shape).collect();
    for block in blocks("text demo") {
        for line in block.text.lines().filter(|line| !line.trim().is_empty() && line.trim() != "…") {
            assert!(printed.contains(&shape(line)), "{}: the demo does not print `{line}`", block.place());
        }
    }
}

#[test]
fn what_it_tells_to_paste_works_for_each_persona() {
    let aws = demo().pasted("# Then any client");
    for (persona, sees, not) in [
        ("alice", "hr/", "none"),
        ("bob", "hr/", "none"),
        ("carol", "model-B/", "model-A/"),
        ("dave", "model-B/", "model-C/"),
    ] {
        let environment = demo().pasted(&format!("# {persona} as "));
        let listed = run(&format!("{environment}\n{aws}"));
        assert!(listed.contains(sees) && !listed.contains(not), "{persona}: {listed}");
    }
}

#[test]
fn https_curl_and_host_names_work_as_it_says() {
    let bob = demo().pasted("# bob as ");
    let aws = demo().pasted("# Then any client");
    let https = demo().pasted("# The same over HTTPS");
    assert!(run(&format!("{bob}\n{https}\n{aws}")).contains("model-A/"));
    assert!(run(&demo().pasted("# curl, by a bearer token")).contains("<Key>hr/"));
    let host = demo().pasted("# For clients that put the bucket into the host name");
    let url = host.trim().split_once('=').unwrap().1.replace("s3.localhost", "traces.s3.localhost");
    let port = url.rsplit(':').next().unwrap();
    let curl = format!(
        "curl --fail --silent --resolve traces.s3.localhost:{port}:127.0.0.1 -H \"Authorization: Bearer $(cat \"$DEMO\"/dave.jwt)\" '{url}/?list-type=2'"
    );
    let block = Block { file: "the demo".into(), line: 0, info: "sh demo".into(), text: curl.clone() };
    let listed = succeeded(&block, &Place::new().run(&curl, &demo().exported()));
    assert!(listed.contains("<Key>model-B/") && !listed.contains("<Key>model-A/"), "{listed}");
}

#[test]
fn every_block_beside_a_demo_runs() {
    assert!(demo().server.work().exists());
    for block in blocks("sh demo") {
        let said = succeeded(&block, &Place::new().run(&block.text, &demo().exported()));
        assert!(!said.trim().is_empty(), "{}: it shows nothing\n{}", block.place(), block.text);
    }
}
