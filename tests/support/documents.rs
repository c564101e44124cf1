//! The documents of the repository, and their fenced blocks.

use std::path::{Path, PathBuf};

use super::install::repository;

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The document, from the root of the repository.
    pub(crate) file: String,
    /// The line of its first line, from 1.
    pub(crate) line: usize,
    /// The info string.
    pub(crate) info: String,
    /// What it holds.
    pub(crate) text: String,
}

impl Block {
    /// Where it stands, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// Every block of the documents whose info string is this one.
pub(crate) fn blocks(info: &str) -> Vec<Block> {
    let found: Vec<Block> = all().into_iter().filter(|block| block.info == info).collect();
    assert!(!found.is_empty(), "no document has a block `{info}`");
    found
}

/// Every block of every document.
pub(crate) fn all() -> Vec<Block> {
    documents().iter().flat_map(|file| of(file)).collect()
}

/// Every document, from the root of the repository.
pub(crate) fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "policies/README.md"].map(PathBuf::from).to_vec();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if repository().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn of(file: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            if !open {
                let (file, info) = (file.display().to_string(), info.trim().to_owned());
                found.push(Block { file, line: number + 2, info, text: String::new() });
            }
            open = !open;
        } else if open && let Some(block) = found.last_mut() {
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!open, "{}: a block does not end", file.display());
    found
}
