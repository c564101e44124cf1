//! The command line of tracegate; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tracegate::cli::main()
}
