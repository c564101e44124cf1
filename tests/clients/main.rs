//! The client matrix: unmodified S3 clients, each by every door, over HTTP and HTTPS, held against docs/CLIENTS.md.
//!
//! `cargo test` runs some ways of some clients; `cargo test --test clients -- --include-ignored` runs every way of every
//! client, and each block of the page. With `BLESS_CLIENTS=1` the second writes what it saw into the page.
//!
//! A client is a line of [`catalogue`] and a probe: a script in `probes/` that knows nothing of doors or façades, only
//! how its client lists, gets, puts and so on. A step more is a variant of [`probe::Step`], and a line in the probe of each
//! client that has it; the page's table grows a column by itself. What jobs that only write do are the page's own blocks:
//! [`ingest`]. Beside them stands [`crowd`]: many clients at once.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests, but built without `cfg(test)`")]

mod catalogue;
mod crowd;
mod facade;
mod ingest;
mod limits;
mod matrix;
mod object_store;
mod origin;
mod own;
mod page;
mod probe;
mod rust_sdk;
#[path = "../support/mod.rs"]
mod support;
mod uploads;
mod ways;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(done) = std::env::args().nth(1).and_then(|argument| own::probe(&argument)) {
        return done;
    }
    let asked = libtest_mimic::Arguments::from_args();
    let conclusion = libtest_mimic::run(&asked, matrix::trials());
    if conclusion.num_ignored > 0 && !asked.list {
        eprintln!("Every way of every client: cargo test --test clients -- --include-ignored\n");
    }
    conclusion.exit_code()
}
