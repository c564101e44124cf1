//! Where the pinned tools lie, installing them on first use. The work is done by `install.py`, which `.ci/run` starts
//! too, so that installs run while cargo compiles.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of an installed tool, by its name in `install.py`.
///
/// # Panics
/// Where it cannot be installed; the message says what this machine lacks.
pub(crate) fn tool(name: &str) -> PathBuf {
    let done = Command::new(python())
        .arg(repository().join("tests/support/install.py"))
        .arg(name)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit()) // progress shows while it runs, whatever the test harness captures
        .output()
        .unwrap();
    assert!(done.status.success(), "{name} cannot be installed; the lines of `test tools:` above say why");
    let folders: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    PathBuf::from(folders[name].as_str().unwrap())
}

/// A Python that runs, new enough for `install.py` and `watchdog.py`.
pub(crate) fn python() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let names = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
        let found = names.into_iter().find(|name| runs(name));
        found.expect("Python 3.10 or newer is needed: install python3 and python3-venv").into()
    })
}

/// Asked by running it: a name on the PATH may be a shim of a version that is not there.
fn runs(python: &str) -> bool {
    let probe = "import sys; sys.exit(sys.version_info < (3, 10))";
    let status = Command::new(python).args(["-c", probe]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
