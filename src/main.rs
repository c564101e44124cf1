//! The command line of tracegate; everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes a hundred small allocations and more, on whichever thread it is: the system's allocator takes twice
/// as long for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tracegate::cli::main()
}
