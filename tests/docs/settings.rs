//! The configurations and policies of the documents, read by what reads them in production.

use std::collections::BTreeMap;
use std::path::Path;

use tracegate::config::Config;
use tracegate::policy::Ruleset;

use super::support::documents::{Block, all, blocks};
use super::support::install::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

fn parsed(text: &str, place: &str) -> Config {
    Config::parse(text, Path::new(place), Path::new("/etc/tracegate")).unwrap_or_else(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{place}:\n{}", lines.join("\n"))
    })
}

#[test]
fn every_configuration_is_sound() {
    for block in blocks("toml config") {
        parsed(&block.text, &block.place());
    }
    for file in ["tracegate.example.toml", "docker/tracegate.toml"] {
        parsed(&read(file), file);
    }
}

/// Whoever looks for a key finds it in the example, and its default is what it says.
#[test]
fn the_example_holds_every_key() {
    let written = read("src/config/written.rs") + &read("src/config/written/lock.rs");
    let example = read("tracegate.example.toml");
    let fields = written.lines().filter_map(|line| line.trim().strip_prefix("pub "));
    let keys: Vec<&str> = fields.filter_map(|field| field.split_once(": ").map(|(name, _)| name)).collect();
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        let stands = example.lines().map(|line| line.trim_start_matches("# ")).any(|line| {
            let table = line.trim_matches(['[', ']']);
            table.rsplit('.').next() == Some(key) || line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "))
        });
        assert!(stands, "tracegate.example.toml does not hold `{key}`");
    }
}

/// The keys that are commented out are read too, where they belong.
#[test]
fn what_the_example_leaves_out_is_sound_as_well() {
    let example = read("tracegate.example.toml");
    let with = |keys: &[&str]| {
        let mut text = example.clone();
        for key in keys {
            let (before, after) = (format!("# {key} = "), format!("{key} = "));
            assert!(text.contains(&before), "{key} is not commented out");
            text = text.replace(&before, &after);
        }
        parsed(&text, "tracegate.example.toml")
    };
    with(&["access_key_id", "secret_access_key_file", "jwks"]);
    // `ca` stands twice: at the backend and at an issuer.
    let config = with(&["ca"]);
    assert!(config.issuers[0].ca.is_some());
}

/// The example set with changed texts.
fn example_set() -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for entry in std::fs::read_dir(repository().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            texts.insert(name, std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

fn sound(texts: &BTreeMap<String, String>, block: &Block) -> Ruleset {
    match Ruleset::from_texts(texts, &BTreeMap::new()) {
        Ok((set, _)) => set,
        Err(mistakes) => {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            panic!("{}:\n{}", block.place(), lines.join("\n"))
        }
    }
}

#[test]
fn every_role_and_global_rule_is_sound() {
    let without = sound(&example_set(), &blocks("toml role")[0]);
    for block in blocks("toml role") {
        let mut texts = example_set();
        let named = block.text.lines().find_map(|line| line.strip_prefix("name = \"")).expect("a role has a name");
        let file = format!("{}.toml", named.trim_end_matches('"'));
        let global = texts["_global.toml"].replace("files = [\n", &format!("files = [\n  \"{file}\",\n"));
        texts.insert("_global.toml".into(), global);
        texts.insert(file, block.text.clone());
        assert_eq!(sound(&texts, &block).roles().count(), without.roles().count() + 1, "{}", block.place());
    }
    for block in blocks("toml global") {
        let mut texts = example_set();
        texts.get_mut("_global.toml").unwrap().push_str(&block.text);
        assert_ne!(sound(&texts, &block).digest(), without.digest(), "{} says something", block.place());
    }
}

#[test]
fn json_is_json() {
    for block in all().iter().filter(|block| block.info == "json") {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
        assert!(read.is_ok(), "{}: {read:?}", block.place());
    }
}
