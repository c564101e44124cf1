//! The commands of the documents, run in a copy of the repository's files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::clients::without_own_settings;
use super::support::documents::{Block, blocks};
use super::support::install::repository;
use super::support::{aws_cli, python_clients};

/// A folder with what a block may name, and a PATH on which `tracegate` is the binary under test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["policies", "docker", "localstack/seed"] {
            copy(&repository().join(name), &dir.path().join(name));
        }
        std::fs::copy(repository().join("tracegate.example.toml"), dir.path().join("tracegate.example.toml")).unwrap();
        let bin = dir.path().join(".bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tracegate"), bin.join("tracegate")).unwrap();
        // `cargo run --release -- WORDS` runs the binary that the tests were built with.
        let cargo = bin.join("cargo");
        let script = "#!/bin/sh\n[ \"$1 $2 $3\" = 'run --release --' ] || exit 64\nshift 3\nexec tracegate \"$@\"\n";
        std::fs::write(&cargo, script).unwrap();
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a script there; it ends at the first command that fails.
    pub(crate) fn run(&self, script: &str, env: &[(String, String)]) -> Output {
        let clients =
            [python_clients().python(), aws_cli().program()].map(|program| program.parent().unwrap().to_owned());
        let own = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            [vec![self.path().join(".bin")], clients.to_vec(), std::env::split_paths(&own).collect()].concat();
        let mut command = Command::new("bash");
        without_own_settings(&mut command);
        command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.path())
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("HOME", self.path())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    }
}

fn copy(from: &Path, to: &PathBuf) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a block printed; it must have succeeded.
pub(crate) fn succeeded(block: &Block, done: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}: {}\n{}\n{out}\n{error}", block.place(), done.status, block.text);
    out.into_owned()
}

#[test]
fn every_command_runs() {
    let (commands, configurations) = (blocks("sh test"), blocks("toml config"));
    for of_document in commands.chunk_by(|one, next| one.file == next.file) {
        let place = Place::new();
        if let Some(first) = configurations.iter().find(|block| block.file == of_document[0].file) {
            std::fs::write(place.path().join("tracegate.toml"), &first.text).unwrap();
        }
        for block in of_document {
            succeeded(block, &place.run(&block.text, &[]));
        }
    }
}

#[test]
fn the_cases_of_the_documents_go_as_written() {
    for block in blocks("toml cases") {
        let place = Place::new();
        std::fs::write(place.path().join("policies/tests/of-the-document.toml"), &block.text).unwrap();
        succeeded(&block, &place.run("tracegate policy test", &[]));
    }
}

/// A command that fails does not pass for one that ran.
#[test]
fn a_failing_command_is_seen() {
    let place = Place::new();
    assert!(!place.run("tracegate policy explain --role nobody traces/a\necho done", &[]).status.success());
    assert!(!place.run("cargo build", &[]).status.success());
    assert!(!place.run("false | cat", &[]).status.success());
}
