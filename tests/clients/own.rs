//! Clients that are built into this binary: crates. It is started again as one of them, in a process of its own, because
//! they read the environment of their process; its only argument says which it is.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{crowd, object_store, rust_sdk};

/// What a step brought, or why it failed.
pub(crate) type Brought = Result<Vec<u8>, String>;

/// Bytes of a part.
pub(crate) const PART: u64 = 5 << 20;

/// Becomes the client of that argument, if there is one.
pub(crate) fn probe(argument: &str) -> Option<ExitCode> {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    match argument {
        rust_sdk::ARGUMENT => runtime().block_on(rust_sdk::probe()),
        object_store::ARGUMENT => runtime().block_on(object_store::probe()),
        crowd::ARGUMENT => return Some(crowd::probe()),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

/// Leaves what a step brought, as `probe.rs` tells.
pub(crate) fn step(name: &str, brought: Brought) {
    let out = PathBuf::from(var("OUT"));
    match brought {
        Ok(bytes) => std::fs::write(out.join(name), bytes).unwrap(),
        Err(error) => std::fs::write(out.join(format!("{name}.error")), error).unwrap(),
    }
}

/// A variable that the way in, or the runner of probes, has set.
pub(crate) fn var(name: &str) -> String {
    std::env::var(name).unwrap()
}
