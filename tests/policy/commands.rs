//! `tracegate policy …` as people and pipelines run it.

use clap::Parser;
use tracegate::cli::policy::{PolicyArgs, run_to};

use super::mistakes;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: PolicyArgs,
}

/// What the command prints, and whether it succeeds.
fn policy(words: &[&str]) -> (String, bool) {
    let line = Line::try_parse_from(["policy"].iter().chain(words)).expect("the words are a command");
    let mut out = Vec::new();
    let code = run_to(line.args, &mut out).expect("the command runs");
    let success = format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS);
    (String::from_utf8(out).expect("text"), success)
}

const MODEL_A: &str = "traces/model-A/2026/11/19/run-004211.jsonl";
const MODEL_B: &str = "traces/model-B/2026/11/19/run-000017.jsonl";
const OLD: &str = "traces/model-B/2026/10/01/run-000003.jsonl";

fn explain(role: &str, path: &str, words: &[&str]) -> String {
    let (text, success) =
        policy(&[&["explain", "--now", "2026-11-20T10:00:00Z", "--role", role, path], words].concat());
    assert!(success, "{text}");
    text
}

#[test]
fn check_says_that_the_example_set_is_sound_and_what_it_costs() {
    let (text, success) = policy(&["check"]);
    assert!(success, "{text}");
    assert!(text.starts_with("policies is sound: sha256:"), "{text}");
    assert!(text.contains("role support-engineer: dense, "), "{text}");
    assert!(text.contains("profile pii-pseudonyms still shows: "), "{text}");
    // Groups are the provider's: nothing here can keep one person from being in two of them.
    let warned: Vec<&str> = text.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!(warned.len(), 3, "{text}");
    assert!(warned.iter().all(|line| line.contains("and trace-owner") && line.contains("hold both")), "{text}");
    let (json, _) = policy(&["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["mistakes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn check_fails_with_every_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("_global.toml"), "version = 2\nfiles = [\"a.toml\"]\n").expect("written");
    let path = folder.path().to_str().expect("text");
    let (text, success) = policy(&["check", "--policies", path]);
    assert!(!success);
    assert!(text.contains("_global.toml:1:11: ") && text.contains("_global.toml:2:10: "), "{text}");
    assert!(text.ends_with("2 mistakes; nothing is served under this set\n"), "{text}");
    let (json, success) = policy(&["check", "--json", "--policies", path]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(!success);
    assert_eq!(json["mistakes"][1]["column"], 10);
}

#[test]
fn explain_names_rule_and_masks_and_what_they_still_show() {
    let text = explain("compliance-auditor", MODEL_A, &[]);
    assert!(text.contains("✔ get    allowed [compliance-auditor/read]"), "{text}");
    let fields: Vec<_> = text.lines().filter(|line| line.contains('◌')).collect();
    assert!(fields[0].starts_with("  ◌ $.**.user_id ") && fields[0].ends_with("  hmac [pii-pseudonyms]"), "{text}");
    assert!(fields.iter().any(|line| line.starts_with("  ◌ $.**.api_key ") && line.ends_with("  mask [secrets]")));
    assert!(text.contains("equal values show as equal"), "{text}");
    assert!(text.contains("✘ put    no rule of the role grants `put`"), "{text}");
}

#[test]
fn explain_names_the_deny_or_the_nearest_miss() {
    let denied = explain("support-engineer", MODEL_A, &[]);
    assert!(denied.contains("✘ get    denied, whatever allows it [support-engineer/no-model-a]"), "{denied}");
    assert!(!denied.contains('◌'), "{denied}");
    let old = explain("support-engineer", OLD, &[]);
    assert!(old.contains("support-engineer/recent covers the key, but the date in the key"), "{old}");
    let elsewhere = explain("data-scientist", MODEL_B, &["--claim", "namespace=model-A"]);
    assert!(
        elsewhere.contains("nearest is data-scientist/own-namespace with `traces/${claims.namespace}/*`"),
        "{elsewhere}"
    );
    let json = explain("compliance-auditor", MODEL_A, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["actions"][0]["rule"], "compliance-auditor/read");
    assert_eq!(json["masks"][0]["profile"], "pii-pseudonyms");
}

/// Where two profiles hide one field, the first in the file decides how.
#[test]
fn explain_names_the_profile_that_decides_how_a_field_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, mut text) in mistakes::sound() {
        if file == "_global.toml" {
            let profile = |name: &str, action: &str| {
                format!(
                    "\n[[redact]]\nname = \"{name}\"\npaths = [\"traces/*\"]\nfields = [\"iban\"]\naction = \"{action}\"\n"
                )
            };
            text += &(profile("first", "hmac") + &profile("second", "mask"));
        }
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let path = folder.path().to_str().expect("text");
    let text = explain("reader", "traces/a.json", &["--policies", path]);
    let iban: Vec<_> = text.lines().filter(|line| line.contains("$.**.iban")).collect();
    assert!(iban[0].ends_with("  hmac [first]") && iban[1].ends_with("  as first says [second]"), "{text}");
    let json = explain("reader", "traces/a.json", &["--policies", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let masks = json["masks"].as_array().expect("a list");
    let second = masks.iter().find(|mask| mask["profile"] == "second").expect("the second");
    assert_eq!(second["fields"], serde_json::json!([{ "path": "$.**.iban", "decided_by": "first" }]));
}

/// Each thing that a profile can say besides hiding values is said back.
#[test]
fn explain_says_what_else_a_profile_does() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, mut text) in mistakes::sound() {
        if file == "_global.toml" {
            text += "\n[[redact]]\nname = \"people\"\npaths = [\"traces/*\"]\nmask_keys = [\"$.by_user\", \"$\"]\n";
            text += "\n[[redact]]\nname = \"numbers\"\npaths = [\"traces/*\"]\nkeep = [\"usage\", \"$.id\"]\n";
            text +=
                "\n[[redact]]\nname = \"ends\"\npaths = [\"traces/*\"]\nfields = [\"iban\"]\naction = \"partial\"\n";
        }
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let path = folder.path().to_str().expect("text");
    let text = explain("reader", "traces/a.json", &["--policies", path]);
    for line in [
        "  ◌ $.by_user.*        names [people]\n",
        "  ◌ $.*                names [people]\n",
        "  ◌ $.**.iban          partial [ends]\n",
        "  ◉ $.**.usage         kept [numbers]\n  ◉ $.id               kept [numbers]\n  ◌ all else           mask [numbers]\n",
        "member names stay but for those masked, of which number and order stay",
        "the last 4 characters of a text of 12 or more stay",
    ] {
        assert!(text.contains(line), "{line:?}: {text}");
    }
    let json = explain("reader", "traces/a.json", &["--policies", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["masks"][1]["names"], serde_json::json!(["$.by_user.*", "$.*"]));
    assert_eq!(json["masks"][2]["keeps"], serde_json::json!(["$.**.usage", "$.id"]));
}

/// Shapes by their names, expressions as they are written; and what they do not hide.
#[test]
fn explain_says_what_is_hidden_of_text() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, mut text) in mistakes::sound() {
        if file == "_global.toml" {
            text += "\n[[redact]]\nname = \"keys\"\npaths = [\"traces/*\"]\nshapes = [\"aws\", \"jwt\"]\nvalues = ['AC-[0-9]+']\n";
        }
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let path = folder.path().to_str().expect("text");
    let text = explain("reader", "traces/a.jsonl", &["--policies", path]);
    let lines = "  ◌ in any string: shape aws  [keys]\n  ◌ in any string: shape jwt  [keys]\n  ◌ in any string: AC-[0-9]+  [keys]\n";
    assert!(text.contains(lines), "{text}");
    assert!(text.contains("keys still shows: where text is written over, and how long it was, stays"), "{text}");
    let json = explain("reader", "traces/a.jsonl", &["--policies", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["masks"][1]["texts"], serde_json::json!(["shape aws", "shape jwt", "AC-[0-9]+"]));
    let (text, success) = policy(&["check", "--policies", path]);
    assert!(success && text.contains("  profile keys still shows: where text is written over"), "{text}");
}

#[test]
fn explain_says_which_records_are_shown_and_which_claims_are_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, mut text) in mistakes::sound() {
        if file == "_global.toml" {
            text += "\n[[redact]]\nname = \"own\"\npaths = [\"traces/*\"]\nrows = '$.tenant == ${claims.tenant}'\n";
        }
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let path = folder.path().to_str().expect("text");
    let only = "  ◌ only records where $.tenant == ${claims.tenant}  [own]\n";
    let missing = "without the claim tenant what is compared with it holds for no record";
    let text = explain("reader", "traces/a.jsonl", &["--policies", path]);
    assert!(text.contains(&format!("{only}      {missing}\n")), "{text}");
    assert!(text.contains("own still shows: how many other records there are, and how long each is, stays"), "{text}");
    let words = ["--policies", path, "--claim", "tenant=acme"];
    let text = explain("reader", "traces/a.jsonl", &words);
    assert!(text.contains(only) && !text.contains(missing), "{text}");
    let json = explain("reader", "traces/a.jsonl", &["--policies", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let rows = serde_json::json!({ "only": "$.tenant == ${claims.tenant}", "missing_claims": ["tenant"] });
    assert_eq!((&json["masks"][1]["rows"], json["masks"][0].get("rows")), (&rows, None));
    let (text, success) = policy(&["check", "--policies", path]);
    let said = "  profile own shows only records where $.tenant == ${claims.tenant}\n      what is compared with the claim \
                tenant holds for no record where a token lacks it\n";
    assert!(success && text.contains(said), "{text}");
}

#[test]
fn explain_says_what_makes_a_role_exclusive_and_bounded_and_what_is_shown_besides() {
    let text = explain("ingest", MODEL_A, &[]);
    assert!(text.contains("  exclusive: a token that also holds another role opens none\n"), "{text}");
    let quota = "  writes at most 100000 objects a day, 536870912000 bytes a day, 200 changing requests a second for each \
                 subject\n";
    assert!(text.contains(quota), "{text}");
    let json: serde_json::Value = serde_json::from_str(&explain("ingest", MODEL_A, &["--json"])).expect("JSON");
    assert_eq!((&json["exclusive"], &json["quota"]["per"]), (&true.into(), &"subject".into()));
    let text = explain("compliance-auditor", MODEL_A, &[]);
    assert!(text.contains("  user metadata shown: run-id; tags shown: team\n"), "{text}");
    assert!(!text.contains("exclusive") && !text.contains("at most"), "{text}");
    let text = explain("compliance-auditor", "traces/hr/2026/salary-review.json", &[]);
    assert!(text.contains("  user metadata shown: none; tags shown: none\n"), "{text}");
    assert!(!explain("trace-owner", MODEL_A, &[]).contains("metadata"), "nothing is hidden from it");
}

#[test]
fn the_cases_run_and_the_matrix_prints() {
    let (text, success) = policy(&["test"]);
    assert!(success && text.ends_with(" cases, 0 went otherwise\n"), "{text}");
    let (text, _) = policy(&["matrix", "--now", "2026-11-20T10:00:00Z", MODEL_B]);
    assert!(text.contains("  support-engineer    ◌      ✔      ✘      ✘      ✘      ✘\n"), "{text}");
    let (json, _) = policy(&["matrix", "--json", MODEL_B]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["matrix"].as_array().map(Vec::len), Some(5));
}
