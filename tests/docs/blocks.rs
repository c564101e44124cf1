//! What the fenced blocks of the documents may be, and where their links lead.

use super::support::documents::{all, documents};
use super::support::install::repository;

/// What a block may be, so that none is overlooked by the tests.
#[test]
fn every_block_says_what_it_is() {
    let known = [
        "sh test",
        "sh demo",
        "sh lock",
        "sh",
        "toml config",
        "toml role",
        "toml global",
        "toml cases",
        "text demo",
        "text",
        "ini",
        "json",
    ];
    let wrong: Vec<String> = all()
        .iter()
        .filter(|block| {
            let of_clients = ["sh client ", "sh ingest"].iter().any(|start| block.info.starts_with(start));
            !known.contains(&block.info.as_str()) && !of_clients
        })
        .map(|block| format!("{}: `{}`", block.place(), block.info))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What no test runs is cargo's and docker's own matter.
#[test]
fn what_is_not_run_is_cargo_and_docker() {
    for block in all().iter().filter(|block| block.info == "sh") {
        for line in block.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let program = line.split(' ').next().unwrap();
            assert!(["cargo", "docker", "git"].contains(&program), "{}: `{line}` is not run", block.place());
        }
    }
}

/// A link within the repository leads to a file that is there.
#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for file in documents() {
        let text = std::fs::read_to_string(repository().join(&file)).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            let outside = target.is_empty() || target.contains("://");
            if !outside && !repository().join(&file).parent().unwrap().join(target).exists() {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:?}");
}
