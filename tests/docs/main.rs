//! Runs the documents: every command, configuration, policy and transcript of README.md, docs/ and policies/README.md.
//!
//! A fenced block says by its info string what it is:
//!
//! | block | is |
//! |---|---|
//! | `sh test` | run in a copy of the repository's files, with `tracegate` on the PATH; those of a document one after the other |
//! | `sh demo` | the same beside a running demo, with what it says of itself: DEMO, URL, HTTPS_URL |
//! | `sh lock` | run in that order beside LocalStack, whose address the document's configuration gets, with profiles for it |
//! | `sh client NAME` | the same with that client, by `tests/clients` |
//! | `sh` | a command that no test can run: cargo and docker, and nothing else |
//! | `toml config` | a whole configuration; a document's first is `tracegate.toml` for its commands |
//! | `toml role`, `toml global` | a role's file; an addition to `_global.toml` of the example set |
//! | `toml cases` | cases of the example set |
//! | `text demo` | what `tracegate demo` prints, trimmed; digits count for nothing, `…` stands for what was left out |
//! | `text`, `ini`, `json` | anything; JSON must be JSON |

#[cfg(test)]
mod audit;
#[cfg(test)]
mod blocks;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod settings;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
