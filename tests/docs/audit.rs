//! docs/verify_log.py, which knows nothing of tracegate, and the log of a demo: whether both say the same.

use std::path::Path;
use std::process::Command;

use super::demo::demo;
use super::support::install::{repository, tool};

fn tracegate(args: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_tracegate")).args(args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What the verifier says of a folder, and whether it holds. The provider's environment has `cryptography`.
fn in_python(folder: &Path, key: &str) -> (bool, String) {
    let python = tool("oidc-provider-mock").join("bin/python");
    let script = repository().join("docs/verify_log.py");
    let done = Command::new(python).arg(script).arg(folder).arg(key).output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}

#[test]
fn a_verifier_in_python_agrees() {
    let log = demo().exported().into_iter().find(|(name, _)| name == "DEMO").unwrap().1 + "/log";
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().to_str().unwrap();
    tracegate(&["audit", "export", "--log", &log, folder]);
    let keys = tracegate(&["audit", "key", "--log", &log]);
    let key = keys.lines().next().unwrap();
    let (holds, said) = in_python(copy.path(), key);
    assert!(holds && said.contains("every one of "), "{said}");

    let whole = copy.path().join("tile/entries/000");
    let part = || std::fs::read_dir(copy.path().join("tile/entries/000.p")).unwrap().next().unwrap().unwrap().path();
    let bundle = if whole.exists() { whole } else { part() };
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let (holds, said) = in_python(copy.path(), key);
    assert!(!holds && said.contains("are not those that were signed"), "{said}");
    let ours =
        Command::new(env!("CARGO_BIN_EXE_tracegate")).args(["audit", "verify", "--log", folder]).output().unwrap();
    assert!(String::from_utf8_lossy(&ours.stdout).contains("TAMPERED   entry 0 was changed"), "{ours:?}");
}
