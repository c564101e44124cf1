//! Trials: functions that take any bytes, and panic where a promise is broken. The fuzz targets in `fuzz/` call them, one
//! each, and the tests below try them on the corpus that is kept there, so that neither can rot.
//!
//! Compiled for tests and for fuzzers (`--cfg fuzzing`, which cargo-fuzz sets) alone.

use std::collections::BTreeMap;

use crate::identity::Claims;
use crate::identity::access_key::AccessKeyId;
use crate::limits;
use crate::policy::glob::{PathGlob, Sense};
use crate::policy::load::Ruleset;
use crate::policy::rows::{RowFilter, Rows};
use crate::policy::{cases, field};
use crate::redact::trials;
use crate::s3::name::{Bucket, Key};

/// One of them.
pub type Trial = fn(&[u8]);

/// Every trial, by the name of its target.
pub const TRIALS: [(&str, Trial); 9] = [
    ("accept", trials::accept),
    ("ids", ids),
    ("leak", trials::leak),
    ("oracle", trials::oracle),
    ("packed", trials::unpack),
    ("policy", policy),
    ("range", trials::slices),
    ("reader", trials::reader),
    ("split", trials::split),
];

/// Runs the trial of that name.
///
/// # Panics
/// Where a promise is broken, or there is no such trial.
pub fn run(name: &str, data: &[u8]) {
    let trial = TRIALS.iter().find(|(known, _)| *known == name);
    trial.expect("a target is named as its trial is").1(data);
}

/// A policy set is read or refused, in whichever of its files, and a condition is what it was written as.
fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(rows) = Rows::parse(text) {
        assert_eq!(Rows::parse(rows.as_str()).as_ref(), Ok(&rows));
        let filter = RowFilter::of([&rows], &Claims::new());
        assert!(filter.is_some_and(|filter| filter.tests().len() <= limits::ROW_TESTS_MAX));
    }
    field::parse(text).ok();
    field::parse_members(text).ok();
    for sense in [Sense::Iam, Sense::Path] {
        PathGlob::parse(text, sense).ok();
    }
    cases::parse("cases.toml", text).ok();
    for role in [None, Some(text)] {
        let global = role.map_or(text, |_| "version = 1\nfiles = [\"role.toml\"]\n");
        let files = [("_global.toml", Some(global)), ("role.toml", role)];
        let files = files.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned())));
        Ruleset::from_texts(&files.collect(), &BTreeMap::new()).ok();
    }
}

/// What is a name is the name that was written.
fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bucket) = text.parse::<Bucket>() {
        assert_eq!(bucket.as_str(), text);
    }
    if let Ok(key) = text.parse::<Key>() {
        assert_eq!(key.as_str(), text);
    }
    if let Ok((bucket, key)) = cases::split_path(text) {
        assert_eq!(format!("{bucket}/{key}"), text);
    }
    if let Some(id) = AccessKeyId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
    }

    /// The names in a folder, without `.rs`.
    fn names(folder: &PathBuf) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.map(|name| name.trim_end_matches(".rs").to_owned()).collect()
    }

    #[test]
    fn the_kept_corpus_breaks_no_promise() {
        for (name, trial) in TRIALS {
            let corpus = folder("corpus").join(name);
            let files = names(&corpus);
            assert!(files.len() >= 10, "{name} has a corpus");
            for file in files {
                let data = fs::read(corpus.join(&file)).unwrap();
                let tried = std::panic::catch_unwind(|| trial(&data));
                assert!(tried.is_ok(), "fuzz/corpus/{name}/{file}: see above");
            }
        }
    }

    /// Small ones, so that each file is a place to begin at.
    #[test]
    fn the_corpus_damaged_breaks_no_promise() {
        for (name, trial) in TRIALS {
            let (corpus, mut tried) = (folder("corpus").join(name), 0_u64);
            for (at, file) in (0..).zip(names(&corpus)) {
                let data = fs::read(corpus.join(&file)).unwrap();
                for seed in trials::damages(10) {
                    let data = trials::damaged(&data, seed << 16 | at);
                    let sound = std::panic::catch_unwind(|| trial(&data));
                    assert!(
                        sound.is_ok(),
                        "fuzz/corpus/{name}/{file}, seed {seed}: {:?}",
                        String::from_utf8_lossy(&data)
                    );
                    tried += 1;
                }
            }
            println!("{name}: {tried}");
        }
    }

    #[test]
    fn every_trial_has_its_target_and_its_corpus() {
        let trials: BTreeSet<String> = TRIALS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder("corpus")), trials);
        assert_eq!(names(&folder("fuzz_targets")), trials);
        let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
        for name in trials {
            assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")), "{name}");
            let target = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
            assert!(target.contains(&format!("run(\"{name}\", data)")), "{name}");
        }
    }
}
