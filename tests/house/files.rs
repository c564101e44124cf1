//! What holds for every file of the repository.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::scan::{code_of, functions};
use super::support::install::repository;

/// Most lines of a Rust file, its tests included.
const FILE_LINES_MAX: usize = 500;
/// Most lines of a function: it fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// A Rust file.
pub(crate) struct Source {
    /// From the root of the repository.
    pub(crate) path: String,
    text: String,
    /// The text without comments and texts, line for line.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: code_of(text) }
    }
}

/// Every Rust file of the repository.
pub(crate) fn sources() -> Vec<Source> {
    let paths = tracked().into_iter().filter(|path| path.ends_with(".rs"));
    paths.map(|path| Source::new(&path, &std::fs::read_to_string(repository().join(&path)).unwrap())).collect()
}

/// Every file that git keeps or would keep, from the root of the repository.
fn tracked() -> Vec<String> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let done = Command::new("git").args(listing).current_dir(repository()).output();
    let done = done.expect("git is needed to know which files are the project's: install git");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names = String::from_utf8(done.stdout).unwrap();
    let names = names.split_terminator('\0').filter(|name| repository().join(name).is_file());
    names.map(str::to_owned).collect()
}

fn fails_where<'a>(rule: &str, places: impl IntoIterator<Item = &'a String>) {
    let places: Vec<&str> = places.into_iter().map(String::as_str).collect();
    assert!(places.is_empty(), "{rule}:\n{}\n", places.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let sources = sources();
    fails_where(
        "opens without `//!`",
        sources.iter().filter(|file| !file.text.starts_with("//!")).map(|file| &file.path),
    );
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines, {FILE_LINES_MAX} at most", file.path));
        }
        let functions = functions(&file.code).into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX);
        long.extend(functions.map(|(name, line, lines)| format!("{}:{line}: `{name}` has {lines} lines", file.path)));
    }
    fails_where("too long", &long);
}

/// s3s calls us in one file, and its answers are made in one file and its folder: what leaves leaves there.
#[test]
fn s3s_is_met_in_one_place() {
    for (what, is_named) in [
        ("impl S3 for", (|code: &str| code.contains("impl S3 for")) as fn(&str) -> bool),
        ("s3s::dto::…Output", names_an_output),
    ] {
        let sources = sources();
        let own = sources.iter().filter(|file| file.path.starts_with("src/"));
        let naming: Vec<&String> = own.filter(|file| is_named(&file.code)).map(|file| &file.path).collect();
        let places: BTreeSet<&str> = naming
            .iter()
            .map(|path| path.split_once("/write.rs").map_or(path.trim_end_matches(".rs"), |(dir, _)| dir))
            .collect();
        assert!(places.len() <= 1, "`{what}` is named in more than one file: {naming:?}");
    }
}

/// Whether code that imports from `s3s::dto` (or names it in full) names a type whose name ends in `Output`.
fn names_an_output(code: &str) -> bool {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    code.contains("s3s::dto") && words.into_iter().any(|word| word.len() > "Output".len() && word.ends_with("Output"))
}

#[test]
fn an_output_is_seen_however_it_is_named() {
    assert!(names_an_output("use s3s::dto::{GetObjectInput, GetObjectOutput};"));
    assert!(names_an_output("fn f() -> s3s::dto::HeadObjectOutput {}"));
    assert!(!names_an_output("use s3s::dto::ETag; type Output = u8;"));
    assert!(!names_an_output("use std::process::Output; struct ListOutput;"));
}

#[test]
fn nothing_is_left_unfinished() {
    // Put together, so that this file does not name them.
    let unfinished = [["todo", "!("].concat(), ["unimplemented", "!("].concat(), ["#[", "ignore"].concat()];
    let mut places = Vec::new();
    for file in sources() {
        let named = unfinished.iter().filter(|word| file.code.contains(*word));
        places.extend(named.map(|word| format!("{}: {word}", file.path)));
    }
    fails_where("unfinished or switched off", &places);
}

/// Packages are asked for by name, from whichever registry a machine is set up for; and a path of the machine that
/// something was written on means nothing on another.
#[test]
fn no_file_names_a_machine_or_a_registry() {
    let mut places = Vec::new();
    for path in tracked().into_iter().filter(|path| path != "Cargo.lock") {
        let bytes = std::fs::read(repository().join(&path)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let named = machine_or_registry(&text);
        places.extend(named.into_iter().map(|(line, word)| format!("{path}:{line}: {word}")));
    }
    fails_where("a path of one machine, or a registry's address", &places);
}

fn machine_or_registry(text: &str) -> Vec<(usize, String)> {
    let places = [
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
        ["/Us", "ers/"].concat(),
        ["/wo", "rk/"].concat(),
        ["\"reso", "lved\""].concat(),
        ["--index", "-url"].concat(),
        ["--extra-index", "-url"].concat(),
        ["registry.npm", "js.org"].concat(),
        ["pypi", ".org"].concat(),
        ["files.python", "hosted.org"].concat(),
        ["index.crates", ".io"].concat(),
        ["gh", "cr.io/"].concat(),
        ["gc", "r.io/"].concat(),
    ];
    let here = repository().to_string_lossy().into_owned();
    let home = std::env::var("HOME").ok().filter(|home| Path::new(home).components().count() > 1);
    let own = [Some(here), home.map(|home| format!("{home}/"))].into_iter().flatten();
    let words: Vec<String> = places.into_iter().chain(own).collect();
    let mut found = Vec::new();
    for (line, text) in text.lines().enumerate() {
        found.extend(words.iter().filter(|word| text.contains(*word)).map(|word| (line + 1, word.clone())));
    }
    found
}

#[test]
fn a_planted_path_is_found() {
    assert_eq!(machine_or_registry(&["ok\nsee /ho", "me/someone/x"].concat()).len(), 1);
    assert!(machine_or_registry("https://docs.rs/s3s and $HOME/.aws and ~/.pyenv").is_empty());
}
