//! Promise 1, default deny: the example policy set, its matrix and cases, and every mistake that a set may hold.

mod commands;
mod mistakes;

use std::path::{Path, PathBuf};

use tracegate::identity::static_token::NewStaticToken;
use tracegate::policy::cases;
use tracegate::policy::load::Ruleset;
use tracegate::policy::matrix::{Plan, matrix};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn rules() -> Ruleset {
    Ruleset::load(&folder()).expect("the example set is sound").0
}

#[test]
fn the_cases_of_the_example_set_go_as_written() {
    let cases = cases::read(&folder()).expect("the tables can be read");
    assert!(cases.len() >= 30, "the tables hold {} cases", cases.len());
    assert_eq!(cases::run(&rules(), &cases), []);
}

#[test]
fn a_case_that_goes_otherwise_is_reported() {
    let table = r#"
[[case]]
role = "ingest"
now = 2026-11-20T10:00:00Z
get = "traces/model-A/2026/11/19/run-004211.jsonl"
expect = "allow"

[[case]]
role = "trace-owner"
now = 2026-11-20T10:00:00Z
get = "traces/model-A/2026/11/19/run-004211.jsonl"
expect = "allow"
masks = ["secrets"]

[[case]]
role = "ingest"
also_holds = ["support-engineer"]
now = 2026-11-20T10:00:00Z
create = "traces/model-A/2026/11/19/run-004211.jsonl"
expect = "allow"

[[case]]
role = "ingest"
written_today = { objects = 100_000 }
now = 2026-11-20T10:00:00Z
create = "traces/model-A/2026/11/19/run-004211.jsonl"
expect = "allow"

[[case]]
role = "compliance-auditor"
now = 2026-11-20T10:00:00Z
get = "traces/model-A/2026/11/19/run-004211.jsonl"
expect = "allow"
show_metadata = ["run-id", "host"]
"#;
    let cases = cases::parse("table.toml", table).expect("the table can be read");
    let failures = cases::run(&rules(), &cases);
    let places: Vec<&str> = failures.iter().map(|failure| failure.place.as_str()).collect();
    assert_eq!(places, ["table.toml:2", "table.toml:8", "table.toml:15", "table.toml:22", "table.toml:29"]);
    let said: Vec<&str> = failures[2..].iter().map(|failure| failure.what.as_str()).collect();
    assert!(said[0].contains("ingest") && said[0].contains("support-engineer"), "{said:?}");
    assert!(said[1].contains("the 100000 objects that its quota allows a day"), "{said:?}");
    assert!(said[2].contains("`show_metadata` [\"run-id\", \"host\"], but: [\"run-id\"]"), "{said:?}");
}

#[test]
fn a_case_says_which_records_a_role_sees() {
    let rows = "\n[[redact]]\nname = \"own\"\npaths = [\"traces/*\"]\nrows = '$.tenant == ${claims.tenant}'\n";
    let files = mistakes::sound().into_iter().map(|(file, text)| {
        let more = if file == "_global.toml" { rows } else { "" };
        (file.to_owned(), text + more)
    });
    let (rules, _) = Ruleset::from_texts(&files.collect(), &Default::default()).expect("the set is sound");
    let case = |claims: &str, said: &str| {
        let table = format!(
            "[[case]]\nrole = \"reader\"\nclaims = {{{claims}}}\nnow = 2026-11-20T10:00:00Z\nget = \"traces/a.jsonl\"\n\
             expect = \"allow\"\n{said}\n"
        );
        let cases = cases::parse("table.toml", &table).expect("the table can be read");
        cases::run(&rules, &cases).pop().map(|failure| failure.what)
    };
    let (own, other) = (r#"'{"tenant":"acme"}'"#, r#"'{"tenant":"emca"}', '{}'"#);
    let acme = "tenant = [\"acme\"]";
    assert_eq!(case(acme, &format!("shows = [{own}]\nhides = [{other}]")), None);
    assert_eq!(case("", &format!("hides = [{own}, {other}]")), None);
    for (claims, said, word) in [
        (acme, format!("shows = [{other}]"), "to be shown by `rows`, but it is not"),
        (acme, format!("hides = [{own}]"), "to be hidden by `rows`, but it is not"),
        (acme, "shows = ['[]']".to_owned(), "write one JSON object"),
    ] {
        let failed = case(claims, &said).expect("it goes otherwise");
        assert!(failed.contains(word), "{failed}");
    }
}

/// Run with `TRACEGATE_UPDATE=1` to write the matrix anew after a change that is meant.
#[test]
fn the_matrix_is_the_golden_one() {
    let cases = cases::read(&folder()).expect("the tables can be read");
    let now = "2026-11-20T10:00:00Z".parse().expect("a time");
    let found = matrix(&rules(), &Plan::of_cases(&cases), now);
    let path = folder().join("matrix.txt");
    if std::env::var_os("TRACEGATE_UPDATE").is_some() {
        std::fs::write(&path, &found).expect("the matrix can be written");
    }
    let golden = std::fs::read_to_string(&path).expect("policies/matrix.txt is there");
    assert!(
        golden == found,
        "the matrix differs from policies/matrix.txt (- golden, + now):\n{}",
        diff(&golden, &found)
    );
}

/// The lines that differ, each with the key that it stands under.
fn diff(golden: &str, found: &str) -> String {
    let lines = |text: &str| {
        let mut head = String::new();
        let line = |line: &str| {
            if !line.starts_with(' ') {
                head = line.to_owned();
            }
            format!("{head}: {line}")
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    let (golden, found) = (lines(golden), lines(found));
    let gone = golden.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line}\n"));
    let new = found.iter().filter(|line| !golden.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

#[test]
fn the_digest_stands_for_what_is_said_and_not_for_how() {
    let set = mistakes::sound();
    let digest = |set: &mistakes::Files| Ruleset::from_texts(set, &Default::default()).expect("sound").0.digest();
    let mut commented = set.clone();
    commented.entry("reader.toml".into()).and_modify(|text| *text = format!("# a comment\n{text}"));
    assert_eq!(digest(&set), digest(&commented));
    let mut other = set.clone();
    other.entry("reader.toml".into()).and_modify(|text| *text = text.replace("traces/*", "traces/m*"));
    assert_ne!(digest(&set), digest(&other));
}

#[test]
fn json_says_the_same_as_toml() {
    let mut set = mistakes::sound();
    set.remove("reader.toml");
    let json = r#"{ "version": 1,
        "role": { "name": "reader", "description": "Reads", "owner": "o@acme.example" },
        "bind": [ { "issuer": "demo", "claims": { "groups": "readers" } } ],
        "allow": [ { "id": "read", "actions": ["get", "list"], "paths": ["traces/*"] } ] }"#;
    set.insert("reader.json".into(), json.into());
    set.entry("_global.toml".into()).and_modify(|text| *text = text.replace("reader.toml", "reader.json"));
    let (rules, _) = Ruleset::from_texts(&set, &Default::default()).expect("sound");
    assert_eq!(rules.roles().count(), 1);
    assert_eq!(rules.role_book().roles[0].binds[0].issuer, "https://idp.example");
}

#[test]
fn an_issuer_may_be_elsewhere() {
    let elsewhere = [("demo".to_owned(), "http://localhost:1".to_owned())].into();
    let (rules, _) = Ruleset::load_with(&folder(), &elsewhere).expect("sound");
    assert!(rules.role_book().roles.iter().all(|role| role.binds.iter().all(|b| b.issuer == "http://localhost:1")));
    assert_ne!(rules.digest(), self::rules().digest());
}

#[test]
fn what_has_expired_is_said_at_any_later_time() {
    let expired = |now: &str| {
        let warnings = tracegate::policy::lint::expired(&rules(), now.parse().expect("a time"));
        warnings.into_iter().map(|warning| warning.about).collect::<Vec<_>>()
    };
    assert_eq!(expired("2027-12-30T23:59:59Z"), [""; 0]);
    assert_eq!(expired("2027-12-31T00:00:00Z"), ["data-scientist"]);
}

#[test]
fn a_new_static_token_stands_in_a_set_as_it_is_printed() {
    let now = "2026-11-20T10:00:00Z".parse().unwrap();
    let until = "2027-01-01T00:00:00Z".parse().unwrap();
    let new = NewStaticToken::generate("nightly-eval", "trace-owner".parse().unwrap(), until, now);
    let mut set = mistakes::sound();
    let role = set.keys().find(|file| *file != "_global.toml").unwrap().trim_end_matches(".toml").to_owned();
    let block = new.toml().replace("trace-owner", &role);
    set.get_mut("_global.toml").unwrap().push_str(&format!("\n{block}"));
    let (rules, _) = Ruleset::from_texts(&set, &Default::default()).expect("sound");
    let entry = &rules.role_book().static_tokens[0];
    assert_eq!((entry.id.as_str(), entry.sha256, entry.expires), ("nightly-eval", new.entry.sha256, until));
}
