//! Later stages may name earlier ones, and nothing else may: the order of the modules in `src/lib.rs` is the order of
//! the flow. A stage is a module with a folder of its own. What stands behind the last stage ties them together, in
//! its own order.

use super::files::{Source, sources};
use super::scan::named_roots;

/// The locks: an earlier stage seals in a later stage's type, which only that later stage opens.
const LOCKS: [(&str, &str); 1] = [("backend", "redact")];

#[test]
fn each_stage_names_only_earlier_ones() {
    let lib = std::fs::read_to_string(super::support::install::repository().join("src/lib.rs")).unwrap();
    let order = modules(&lib);
    assert!(order.len() > 5, "the modules of src/lib.rs were not understood: {order:?}");
    let files: Vec<Source> = sources().into_iter().filter(|file| file.path.starts_with("src/")).collect();
    let wrong = violations(&order, &LOCKS, &files);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The modules of a `lib.rs`, in their order.
fn modules(lib: &str) -> Vec<String> {
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod "));
    declared.filter_map(|rest| rest.strip_suffix(';')).map(str::to_owned).collect()
}

/// What breaks the order, a line each; and every lock that nothing uses, so that the list of locks only shrinks.
fn violations(order: &[String], locks: &[(&str, &str)], files: &[Source]) -> Vec<String> {
    let position = |module: &str| order.iter().position(|known| known == module);
    let mut used = vec![false; locks.len()];
    let mut wrong = Vec::new();
    for file in files {
        let Some(stage) = stage_of(&file.path) else { continue };
        let Some(own) = position(stage) else {
            wrong.push(format!("{}: its stage is not in src/lib.rs", file.path));
            continue;
        };
        for (named, line) in named_roots(&file.code, order) {
            if let Some(lock) = locks.iter().position(|lock| *lock == (stage, named.as_str())) {
                used[lock] = true;
            } else if position(&named).is_some_and(|other| other > own) {
                wrong.push(format!("{}:{line}: `{stage}` names `{named}`, which comes later", file.path));
            }
        }
    }
    let stale = locks.iter().zip(used).filter(|(_, used)| !used);
    wrong.extend(
        stale.map(|((from, to), _)| format!("the lock {from} -> {to} is used by nothing: take it off the list")),
    );
    wrong
}

/// `policy` for `src/policy/permit.rs`; none for a file that lies in no folder.
fn stage_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split_once('/').map(|(stage, _)| stage)
}

#[test]
fn a_planted_arrow_is_found() {
    let order: Vec<String> =
        modules("mod limits;\npub mod s3;\n\npub mod policy;\npub mod backend;\npub mod redact;\npub mod rim;\n");
    assert_eq!(order, ["limits", "s3", "policy", "backend", "redact", "rim"]);
    let found = |path: &str, code: &str| violations(&order, &[], &[Source::new(path, code)]).len();
    for (path, code, wrong) in [
        ("src/policy/mod.rs", "use crate::s3::Key; use crate::limits; use crate::policy::Rule;", 0),
        ("src/policy/mod.rs", "// crate::redact is only named in a comment", 0),
        ("src/policy/mod.rs", "use crate::redact::Raw;", 1),
        ("src/policy/deep/file.rs", "use crate::{s3::Key, redact::Raw};", 1),
        ("src/policy/file.rs", "use super::super::backend::Backend;", 1),
        ("src/policy/file.rs", "fn f() -> crate::rim::Slot { x }", 1),
        ("src/unknown/file.rs", "", 1),
        ("src/gateway.rs", "use crate::redact::Raw;", 0),
    ] {
        assert_eq!(found(path, code), wrong, "{path}: {code}");
    }
    let lock = [("backend", "redact")];
    let with_lock = |code: &str| violations(&order, &lock, &[Source::new("src/backend/mod.rs", code)]);
    assert!(with_lock("use crate::redact::Raw;").is_empty());
    assert_eq!(with_lock("use crate::s3::Key;").len(), 1, "a lock that nothing uses");
}
