//! `tracegate redact`, as admins look at a view before they ship it: it shows what the façade serves, or says why not.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::facade::Facade;
use super::wire::Ask;

/// Runs the command beside the façade's own policies.
fn redact(facade: &Facade, words: &[&str], input: &[u8]) -> Output {
    let mut running = Command::new(env!("CARGO_BIN_EXE_tracegate"))
        .arg("redact")
        .args(words)
        .current_dir(facade.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // What refuses at once does not read all of its input.
        scope.spawn(move || stdin.write_all(input).ok());
        running.wait_with_output().unwrap()
    })
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const RECORDS: &str =
    "{\"email\":\"ada@example.com\",\"user\":\"u-0123456789012345678901234567\"}\n{\"email\":\n{}\n[1]\n";

#[tokio::test]
async fn a_preview_shows_what_is_served() {
    let facade = Facade::start().await;
    let long = format!("{{\"email\":\"ada@example.com\",\"fill\":[{}0]}}", "123456789,".repeat(40_000));
    for (key, object) in [("a.jsonl", RECORDS), ("b.json", &long), ("c", "{\"api_key\": [1, 2]}"), ("d.jsonl", "")] {
        facade.put(key, object);
        for role in ["masked", "raw"] {
            let served = facade.as_role(role, Ask::get(format!("/traces/{key}"))).await;
            let path = format!("traces/{key}");
            let shown = redact(&facade, &["--role", role, "--keys", "keys.toml", &path], object.as_bytes());
            assert!(shown.status.success(), "{role} {key}: {}", said(&shown));
            assert!(shown.stdout == served.body, "{role} {key}");
        }
    }
    let shown = redact(&facade, &["--role", "masked", "--json", "traces/a.jsonl"], RECORDS.as_bytes());
    let told: serde_json::Value = serde_json::from_slice(&shown.stderr).unwrap();
    assert_eq!((&told["records"], &told["records_blanked"], &told["fields"]["pii"]), (&4.into(), &2.into(), &1.into()));
    let shown = redact(&facade, &["--role", "masked", "traces/a.jsonl"], RECORDS.as_bytes());
    assert!(said(&shown).contains("4 records of JSONL, 2 of them blanked\n  pii: 1 fields hidden"), "{}", said(&shown));
    assert_eq!(said(&redact(&facade, &["--role", "raw", "-q", "traces/a.jsonl"], b"{}")), "");
}

/// The server's pseudonyms need the server's key.
#[tokio::test]
async fn a_preview_has_the_pseudonyms_of_the_key_file() {
    let facade = Facade::start().await;
    let global = facade.dir.path().join("policies/_global.toml");
    let people = "\n[[redact]]\nname = \"people\"\npaths = [\"traces/*\"]\nfields = [\"user\"]\naction = \"hmac\"\n";
    std::fs::write(&global, std::fs::read_to_string(&global).unwrap() + people).unwrap();
    let shown = |words: &[&str]| {
        let words = [&["--role", "masked", "traces/a.jsonl"], words].concat();
        let output = redact(&facade, &words, RECORDS.as_bytes());
        assert!(output.status.success(), "{}", said(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    };
    let (text, notes) = shown(&["--keys", "keys.toml"]);
    assert!(!text.contains("u-0123") && !notes.contains("note:"), "{text} {notes}");
    assert_eq!(text, shown(&["--keys", "keys.toml"]).0);
    let (other, notes) = shown(&[]);
    assert!(other != text && notes.contains("--keys"), "{notes}");
}

#[tokio::test]
async fn a_preview_that_would_be_refused_fails_and_leaves_no_file() {
    let facade = Facade::start().await;
    let file = |name: &str| facade.dir.path().join(name);
    std::fs::write(file("in"), RECORDS).unwrap();
    let long = format!("{{\"email\":\"ada@example.com\",\"fill\":[{}", "123456789,".repeat(40_000));
    for (role, path, input, why) in [
        ("masked", "traces/a.json", "{\"email\":\"ada@example.com\"", "cannot be shown from byte 26 on"),
        ("masked", "traces/a.parquet", "PAR1", "only JSON and JSONL"),
        ("masked", "traces/a.jsonl.gz", "{}", "compressed"),
        ("masked", "traces/a.json", &long, "bytes before it are shown"),
        ("narrow", "traces/a.json", "{}", "narrow may not read traces/a.json"),
        ("nobody", "traces/a.json", "{}", "there is no role nobody; there are: "),
        ("masked", "traces", "{}", "BUCKET/KEY"),
    ] {
        let output = redact(&facade, &["--role", role, path, "-o", "out"], input.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{role} {path}");
        assert!(said(&output).contains(why), "{role} {path}: {}", said(&output));
        assert!(output.stdout.is_empty() && !file("out").exists());
    }
    let piped = redact(&facade, &["--role", "masked", "traces/a.json"], long.as_bytes());
    assert_eq!(piped.status.code(), Some(1));
    assert!(!piped.stdout.is_empty() && !String::from_utf8_lossy(&piped.stdout).contains("ada@"));
    let whole = redact(&facade, &["--role", "masked", "traces/a.jsonl", "-i", "in", "-o", "out"], b"");
    assert!(whole.status.success(), "{}", said(&whole));
    assert_eq!(length(&file("out")), RECORDS.len() as u64);
    assert_eq!(std::fs::read_dir(facade.dir.path()).unwrap().filter(temporary).count(), 0);
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

fn temporary(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp")
}
