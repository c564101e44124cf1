//! The tests that the documents name are tests of this repository.
//!
//! In a table whose last heading is `test`, the last cell of each row names the tests that hold it, in backticks.

use std::collections::BTreeSet;

use super::files::sources;
use super::support::install::repository;

const DOCUMENTS: [&str; 7] = [
    "docs/ARCHITECTURE.md",
    "docs/AUDIT.md",
    "docs/LOCKDOWN.md",
    "docs/SEMANTICS.md",
    "docs/TESTING.md",
    "docs/THREATS.md",
    "docs/OPERATIONS.md",
];

/// The names of every test function.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources() {
        // Of every `#[test]`, `#[tokio::test]` and the like, the function that follows.
        for (at, word) in file.code.match_indices("test") {
            let rest = &file.code[at + word.len()..];
            if rest.starts_with([']', '('])
                && let Some(function) = rest.split("fn ").nth(1)
            {
                found.insert(function.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    found
}

/// The rows of the tables whose last heading is `test`: where each stands, and the names in its last cell.
fn rows(document: &str, text: &str) -> Vec<(String, Vec<String>)> {
    let (mut rows, mut inside) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            inside &= line.starts_with('|');
            continue;
        };
        let last = cells.rsplit(" | ").next().unwrap_or_default();
        if inside {
            let names = last.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            rows.push((format!("{document}:{}", number + 1), names));
        }
        inside |= last.trim() == "test";
    }
    rows
}

#[test]
fn every_named_test_exists() {
    let (tests, mut wrong, mut named) = (tests(), Vec::new(), 0_usize);
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(repository().join(document)).unwrap();
        for (place, names) in rows(document, &text) {
            if names.is_empty() {
                wrong.push(format!("{place}: names no test"));
            }
            named += names.len();
            wrong.extend(names.into_iter().filter(|name| !tests.contains(name)).map(|name| format!("{place}: {name}")));
        }
    }
    assert!(wrong.is_empty(), "no such test:\n{}", wrong.join("\n"));
    assert!(named > 50, "the tables were read: {named}");
}

#[test]
fn a_row_without_a_test_and_a_name_of_none_are_found() {
    let text = "| what | test |\n|---|---|\n| a | `x`, `y` |\n| b | |\n\n| what | else |\n|---|---|\n| c | `z` |\n";
    let rows: Vec<Vec<String>> = rows("d", text).into_iter().map(|(_, names)| names).collect();
    assert_eq!(rows, [vec!["x".to_owned(), "y".to_owned()], vec![]]);
    let tests = tests();
    assert!(tests.contains("every_named_test_exists") && !tests.contains("rows") && !tests.contains("sources"));
}
