//! Every kind of mistake, with the place where it is found and a word of what is said.

use std::collections::BTreeMap;

use tracegate::policy::load::{Ruleset, Warning};

pub(crate) type Files = BTreeMap<String, String>;

const GLOBAL: &str = r#"version = 1
files = ["reader.toml"]

[issuers]
demo = "https://idp.example"

[[redact]]
name = "secrets"
paths = ["traces/*"]
fields = ["api_key", "$.steps[*].prompt"]
action = "mask"
"#;

const READER: &str = r#"version = 1

[role]
name = "reader"
description = "Reads"
owner = "o@acme.example"

[[bind]]
issuer = "demo"
claims = { groups = ["readers"] }

[[allow]]
id = "read"
actions = ["get", "list"]
paths = ["traces/*"]
"#;

/// A set without mistakes.
pub(crate) fn sound() -> Files {
    [("_global.toml", GLOBAL), ("reader.toml", READER)].map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

fn load(files: &Files) -> Result<Vec<Warning>, Vec<String>> {
    let loaded = Ruleset::from_texts(files, &BTreeMap::new());
    loaded.map(|(_, warnings)| warnings).map_err(|all| all.iter().map(ToString::to_string).collect())
}

/// Replaces `from` in a file of the sound set, and expects exactly one mistake there.
fn check(file: &str, from: &str, to: &str, place: &str, word: &str) {
    let mut files = sound();
    let text = files.get_mut(file).expect("a file of the set");
    assert!(text.contains(from), "{from:?} stands in {file}");
    *text = text.replacen(from, to, 1);
    let mistakes = load(&files).expect_err(&format!("{to:?} must be a mistake"));
    assert_eq!(mistakes.len(), 1, "{to:?}: {mistakes:#?}");
    assert!(mistakes[0].starts_with(&format!("{file}:{place}: ")), "{to:?}: {mistakes:#?}");
    assert!(mistakes[0].contains(word), "{to:?}: {mistakes:#?}");
}

#[test]
fn the_set_without_mistakes_has_none() {
    assert_eq!(load(&sound()), Ok(Vec::new()));
}

#[test]
fn each_mistake_in_a_role_says_where_and_what_to_do() {
    for (from, to, place, word) in [
        ("version = 1", "version = 2", "1:11", "version = 1"),
        ("version = 1\n", "", "1:1", "`version` is missing"),
        ("owner = \"o@acme.example\"\n", "", "3:1", "`owner` is missing"),
        ("\"reader\"", "\"Reader\"", "4:8", "a-z"),
        ("\"reader\"", "\"writer\"", "4:8", "file of its name"),
        ("\"Reads\"", "7", "5:15", "a text is expected"),
        ("\"demo\"", "\"okta\"", "9:10", "not among the `[issuers]`"),
        ("claims = { groups = [\"readers\"] }", "", "8:1", "admits everybody"),
        ("[\"readers\"]", "[]", "10:12", "at least one value"),
        ("\"list\"", "\"read\"", "14:19", "no action"),
        ("[\"get\", \"list\"]", "[]", "12:1", "`actions` is missing or empty"),
        ("[\"traces/*\"]", "[]", "12:1", "`paths` is missing or empty"),
        ("traces/*", "traces", "15:11", "BUCKET/KEY"),
        ("traces/*", "traces/[a", "15:11", "glob"),
        ("traces/*", "traces/[é]", "15:11", "ASCII"),
        ("traces/*", "traces/${region}", "15:18", "claims.NAME"),
        ("traces/*", "traces/${claims.region", "15:18", "not closed"),
        ("traces/*", "traces/[${claims.x}]", "15:19", "inside"),
        ("id = \"read\"", "id = \"Read it\"", "13:6", "an id is"),
        ("id = \"read\"", "id = \"read\"\nmax_age = \"7 days\"", "14:11", "such as"),
        ("id = \"read\"", "id = \"read\"\nmax_age = \"0d\"", "14:11", "such as"),
        ("id = \"read\"", "id = \"read\"\nexpires = 2027-12-31T00:00:00", "14:11", "offset"),
        ("id = \"read\"", "id = \"read\"\nredact = [\"pii\"]", "14:11", "no `[[redact]]` profile"),
        ("id = \"read\"", "id = \"read\"\nkey_date = \"traces/{yyyy}/{mm}/{dd}/*\"", "14:12", "add `max_age`"),
        (
            "id = \"read\"",
            "id = \"read\"\nmax_age = \"36h\"\nkey_date = \"t/{yyyy}/{mm}/{dd}/*\"",
            "14:11",
            "whole days",
        ),
        ("id = \"read\"", "id = \"read\"\nmax_age = \"1d\"\nkey_date = \"t/{mm}/{dd}/*\"", "15:12", "in this order"),
        (
            "id = \"read\"",
            "id = \"read\"\nhours = { tz = \"UTC\", days = \"mon\", from = \"9\", to = \"10:00\" }",
            "14:9",
            "time of day",
        ),
        ("id = \"read\"", "id = \"read\"\nmaxage = \"7d\"", "14:1", "did you mean `max_age`"),
        ("id = \"read\"", "id = \"read\"\ncolour = \"red\"", "14:1", "unknown key"),
        ("owner = ", "max_session = \"1m\"\nowner = ", "6:15", "from \"15m\""),
        ("owner = ", "presign = \"2w\"\nowner = ", "6:11", "at most \"7d\""),
        ("owner = ", "exclusive = \"yes\"\nowner = ", "6:13", "true or false"),
        ("owner = ", "exclusiv = true\nowner = ", "6:1", "did you mean `exclusive`"),
        ("[[bind]]", "[quota]\n[[bind]]", "8:1", "bounds nothing"),
        ("[[bind]]", "[quota]\nper = \"person\"\nobjects_per_day = 1\n[[bind]]", "9:7", "one of"),
        ("[[bind]]", "[quota]\nobjects_per_day = 0\n[[bind]]", "9:19", "from 1"),
        ("[[bind]]", "[quota]\nbytes_per_day = 500\n[[bind]]", "9:17", "a text is expected"),
        ("[[bind]]", "[quota]\nbytes_per_day = \"500GB\"\n[[bind]]", "9:17", "GiB"),
        ("[[bind]]", "[quota]\nrequests_per_second = \"9\"\n[[bind]]", "9:23", "whole number"),
        ("[[bind]]", "[quota]\nobjects_per_hour = 1\nobjects_per_day = 1\n[[bind]]", "9:1", "unknown key"),
        ("[[allow]]", "[allow]", "12:2", "list of tables"),
        ("version = 1", "version = 1\nglobs = \"shell\"", "2:9", "one of"),
    ] {
        check("reader.toml", from, to, place, word);
    }
    check("reader.toml", "id = \"read\"", "id = \"read\"\nid = \"again\"", "14:1", "duplicate");
}

#[test]
fn each_mistake_in_the_global_file_says_where_and_what_to_do() {
    for (from, to, place, word) in [
        ("[\"reader.toml\"]", "[\"reader.toml\", \"gone.toml\"]", "2:25", "is missing"),
        ("[\"reader.toml\"]", "[]", "1:1", "not named in `files`"),
        ("[\"reader.toml\"]", "[\"reader.toml\", \"reader.toml\"]", "2:25", "once too often"),
        ("https://idp.example", "idp.example", "5:8", "URL"),
        ("\"secrets\"", "\"Secrets\"", "8:8", "profile's name"),
        ("[*]", "[x]", "10:31", "within `[…]`"),
        ("\"mask\"", "\"hide\"", "11:10", "one of"),
        ("fields = [\"api_key\", \"$.steps[*].prompt\"]\naction = \"mask\"\n", "", "7:1", "records to show by `rows`"),
        ("fields = [\"api_key\", \"$.steps[*].prompt\"]", "fields = []", "10:1", "`fields` is empty"),
        ("action = \"mask\"", "keep = [\"usage\"]", "7:1", "profile of its own"),
        ("fields = [\"api_key\", \"$.steps[*].prompt\"]", "keep = [\"usage\"]", "7:1", "leave it out"),
        ("action = \"mask\"", "mask_keys = [\"$.\"]", "11:17", "a name is missing"),
        ("action = \"mask\"", "reveal_to = [\"nobody\"]", "11:14", "no role nobody"),
        ("action = \"mask\"", "length = \"secret\"", "11:10", "one of"),
        ("action = \"mask\"", "format = \"ndjson\"", "11:10", "one of"),
        ("action = \"mask\"", "show_metadata = [\"Run-Id\"]", "11:18", "lower case"),
        ("action = \"mask\"", "show_metadata = \"x-amz-meta-run\"", "11:17", "without `x-amz-meta-`"),
        ("action = \"mask\"", "show_tags = [\"\"]", "11:14", "1 to 128"),
        ("action = \"mask\"", "rows = '$.t = 1'", "11:13", "`==`, `!=`"),
        ("action = \"mask\"", "rows = '$.t == ${claim.t}'", "11:16", "only `${claims"),
        ("action = \"mask\"", "rows = 1", "11:8", "a text is expected"),
        ("action = \"mask\"", "shapes = [\"keys\"]", "11:11", "there are: key-shapes, aws, "),
        ("action = \"mask\"", "shapes = []", "11:1", "`shapes` is empty"),
        ("action = \"mask\"", "values = ['AC[0-9']", "11:11", "cannot be read"),
        ("action = \"mask\"", "values = ['AC', '[a-z]+']", "11:17", "no fixed text"),
        ("action = \"mask\"", "values = 'x(?u:\\w{1,200}){1,200}y'", "11:10", "more than 524288 bytes"),
        (
            "action = \"mask\"",
            "[[static_token]]\nid = \"ci\"\nrole = \"reader\"\nexpires = 2027-01-01\nsha256 = \"tgs_x\"",
            "15:10",
            "64 hexadecimal",
        ),
        ("action = \"mask\"", "[[deny]]\nid = \"d\"\nactions = \"*\"\npaths = \"traces/{a\"", "14:10", "glob"),
    ] {
        check("_global.toml", from, to, place, word);
    }
}

#[test]
fn all_mistakes_of_all_files_are_said_at_once() {
    let mut files = sound();
    files.entry("_global.toml".into()).and_modify(|text| *text = text.replace("\"mask\"", "\"hide\""));
    files.entry("reader.toml".into()).and_modify(|text| {
        *text = text.replace("\"list\"", "\"look\"").replace("traces/*", "traces").replace("owner", "ownr");
    });
    let mistakes = load(&files).expect_err("five mistakes");
    let starts: Vec<&str> = mistakes.iter().map(|m| m.split(": ").next().unwrap_or("")).collect();
    assert_eq!(
        starts,
        ["_global.toml:11:10", "reader.toml:3:1", "reader.toml:6:1", "reader.toml:14:19", "reader.toml:15:11"]
    );
}

#[test]
fn without_the_global_file_nothing_is_read() {
    let mut files = sound();
    files.remove("_global.toml");
    assert!(load(&files).expect_err("a mistake")[0].contains("_global.toml:1:1: is missing"));
}

#[test]
fn a_role_that_may_write_what_it_reads_masked_is_refused_with_such_a_key() {
    let writes = |paths: &str| {
        let mut files = sound();
        let more = format!("\n[[allow]]\nid = \"write\"\nactions = [\"create\"]\npaths = [\"{paths}\"]\n");
        files.entry("reader.toml".into()).and_modify(|text| text.push_str(&more));
        load(&files)
    };
    let mistakes = writes("traces/in/*").expect_err("refused");
    assert!(mistakes[0].contains("such as `traces/in/"), "{mistakes:?}");
    let mistakes = writes("*/${claims.team}/x").expect_err("refused");
    assert!(mistakes[0].contains("such as `traces/"), "{mistakes:?}");
    assert_eq!(writes("inbox/*"), Ok(Vec::new()));
}

#[test]
fn what_a_writer_should_know_is_said() {
    let warned = |file: &str, from: &str, to: &str, word: &str| {
        let mut files = sound();
        files.entry(file.into()).and_modify(|text| *text = text.replacen(from, to, 1));
        let warnings = load(&files).expect("sound");
        assert!(warnings.iter().any(|w| w.to_string().contains(word)), "{to:?}: {warnings:?}");
    };
    warned("reader.toml", "id = \"read\"", "id = \"read\"\nmax_age = \"7d\"", "copying an object");
    warned("reader.toml", "[\"traces/*\"]", "[\"*\"]", "every bucket");
    warned("reader.toml", "[[bind]]\nissuer = \"demo\"\nclaims = { groups = [\"readers\"] }", "", "nobody can hold it");
    warned("reader.toml", "traces/*", "traces/*.json", "every key that begins with `traces/`");
    warned("reader.toml", "[[bind]]", "[quota]\nobjects_per_day = 1\n[[bind]]", "writes nothing");
    warned("_global.toml", "paths = [\"traces/*\"]", "paths = [\"other/*\"]", "no role reads");
    let deny = "[[deny]]\nid = \"d\"\nactions = [\"list\"]\npaths = [\"tr*\"]\n\n[[allow]]";
    warned("reader.toml", "[[allow]]", deny, "`list` is denied wherever");
    let mut files = sound();
    files.insert("other.toml".into(), READER.replace("\"reader\"", "\"other\""));
    files.entry("_global.toml".into()).and_modify(|text| {
        *text = text.replace("[\"reader.toml\"]", "[\"reader.toml\", \"other.toml\"]") + "reveal_to = [\"other\"]\n";
    });
    let warnings = load(&files).expect("sound");
    assert!(warnings.iter().any(|w| w.about == "other and reader"), "{warnings:?}");
    files.entry("other.toml".into()).and_modify(|text| *text = text.replace("owner =", "exclusive = true\nowner ="));
    assert_eq!(load(&files), Ok(Vec::new()), "no token opens an exclusive role and another");
}

/// A set of tests is one machine word.
#[test]
fn a_set_has_so_many_tests_of_records_and_no_more() {
    let with = |tests: usize| {
        let mut files = sound();
        let rows = vec!["$.t == 1"; tests - 1].join(" or ");
        let profile =
            format!("rows = '{rows}'\n[[redact]]\nname = \"own\"\npaths = [\"traces/*\"]\nrows = '$.t == 1'\n");
        files.entry("_global.toml".into()).and_modify(|text| text.push_str(&profile));
        load(&files)
    };
    assert_eq!(with(64), Ok(Vec::new()));
    let mistakes = with(65).expect_err("too many");
    assert!(mistakes[0].contains("at most 64 tests of `rows`"), "{mistakes:?}");
}

/// A static token has no claims: it is said of those for which that matters.
#[test]
fn static_tokens_that_see_no_record_are_named() {
    let with = |rows: &str, more: &str| {
        let mut files = sound();
        let token = "[[static_token]]\nid = \"ci\"\nrole = \"reader\"\nexpires = 2099-01-01\nsha256 = \"";
        let text = format!("rows = '{rows}'\n{more}\n{token}{}\"\n", "0".repeat(64));
        files.entry("_global.toml".into()).and_modify(|global| global.push_str(&text));
        load(&files).expect("sound").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let warned = with("$.t == ${claims.t} or $.u == \"${claims.u}/\"", "");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].starts_with("static token ci: has no claim t, u, so that in `rows` of profile secrets"),
        "{warned:?}"
    );
    assert_eq!(with("$.t == 1", ""), [""; 0]);
    // Nothing that the role reads is behind it.
    let warned = with("$.t == ${claims.t}", "reveal_to = [\"reader\"]");
    assert!(warned.iter().all(|warning| !warning.contains("static token")), "{warned:?}");
}

#[test]
fn regression_a_mask_of_one_roles_own_rule_is_lifted_by_another_role() {
    let warned = |paths: &str| {
        let mut files = sound();
        files.insert("other.toml".into(), READER.replace("\"reader\"", "\"other\""));
        files.entry("reader.toml".into()).and_modify(|text| *text += "redact = [\"secrets\"]\n");
        files.entry("_global.toml".into()).and_modify(|text| {
            *text = text.replace("[\"reader.toml\"]", "[\"reader.toml\", \"other.toml\"]");
            *text = text.replace("paths = [\"traces/*\"]", &format!("paths = [\"{paths}\"]"));
        });
        let warnings = load(&files).expect("sound");
        warnings.iter().any(|warning| warning.about == "other and reader")
    };
    assert!(warned("traces/hr/*"), "the other role reads the rest without the profile");
    assert!(!warned("traces/*"), "the profile hides it from both");
}

#[test]
fn json_has_its_mistakes_in_their_places() {
    let with = |json: &str| {
        let mut files = sound();
        files.remove("reader.toml");
        files.insert("reader.json".into(), json.into());
        files.entry("_global.toml".into()).and_modify(|text| *text = text.replace("reader.toml", "reader.json"));
        load(&files).expect_err("a mistake")
    };
    let role = r#""role": { "name": "reader", "description": "Reads", "owner": "o" }"#;
    let twice = with(&format!("{{ \"version\": 1,\n  {role},\n  \"version\": 1 }}"));
    assert!(twice[0].starts_with("reader.json:3:14: `version` stands twice"), "{twice:?}");
    let unknown = with(&format!("{{ \"version\": 1.5, {role},\n  \"rolle\": null }}"));
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    assert!(unknown[1].starts_with("reader.json:2:12: unknown key `rolle`; did you mean `role`?"), "{unknown:?}");
    assert!(
        with("{ \"version\": 1,\n  oops }").iter().any(|m| m.starts_with("reader.json:2:") && m.contains("not JSON"))
    );
}

#[test]
fn a_folder_is_read_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = || Ruleset::load(folder.path()).map(|_| ()).map_err(|all| all[0].to_string());
    assert!(load().expect_err("empty").contains("_global.toml:1:1: is missing"));
    for (name, text) in sound() {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    assert_eq!(load(), Ok(()));
    std::fs::write(folder.path().join("extra.toml"), "version = 1").expect("written");
    assert!(load().expect_err("unlisted").contains("\"extra.toml\" is not named in `files`"));
    std::fs::write(folder.path().join("extra.toml"), "#".repeat(2 << 20)).expect("written");
    assert!(load().expect_err("too large").contains("bytes; split it"));
    std::fs::write(folder.path().join("extra.toml"), b"\xff").expect("written");
    assert!(load().expect_err("not text").contains("cannot be read"));
    std::fs::remove_file(folder.path().join("extra.toml")).expect("removed");
    std::fs::remove_file(folder.path().join("reader.toml")).expect("removed");
    assert!(load().expect_err("gone").contains("\"reader.toml\" is missing"));
    assert!(Ruleset::load(&folder.path().join("gone")).is_err());
}
