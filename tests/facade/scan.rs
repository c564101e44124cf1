//! `tracegate scan`, as admins look at a bucket before they switch a view on: what it says is what is served.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::facade::Facade;
use super::wire::Ask;

const LEAST: &str = include_str!("../support/least.toml");

const GOOD: &str = "{\"email\":\"ada@example.com\"}\n{\"n\":1}\n";

/// Objects of every kind: their keys, and their bytes.
fn objects() -> Vec<(String, Vec<u8>)> {
    let cut = format!("{{\"email\":\"ada@example.com\",\"fill\":[{}", "123456789,".repeat(40_000));
    let mut objects: Vec<(String, Vec<u8>)> = [
        ("good.jsonl", GOOD.into()),
        ("good.json", "{\"email\":[1,2],\"api_key\":\"k\"}".into()),
        ("empty.bin", Vec::new()),
        ("torn.jsonl", "{\"a\":1}\n{\"email\":\"ada\n{}\n{}\n".into()),
        ("broken.json", "{\"email\":tru}".into()),
        ("cut.json", cut.into_bytes()),
        ("table.parquet", b"PAR1....PAR1".to_vec()),
        ("packed.json", vec![0x1f, 0x8b, 8, 0, 0]),
        ("zürich 100%+.jsonl", GOOD.into()),
    ]
    .map(|(key, bytes): (_, Vec<u8>)| (key.to_owned(), bytes))
    .into();
    objects.extend((0..1200).map(|n| (format!("many/{n:04}.jsonl"), GOOD.into())));
    objects
}

/// Puts the objects into the façade's bucket, and beside it for a scan that seeds its own bucket with them.
fn fill(facade: &Facade) {
    for (key, bytes) in objects() {
        let file = facade.dir.path().join("seed/traces").join(&key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        facade.put(&key, bytes);
    }
    let config = LEAST.replace("kind = \"memory\"", "kind = \"memory\"\nseed = \"seed\"");
    std::fs::write(facade.dir.path().join("tracegate.toml"), config).unwrap();
}

fn scan(facade: &Facade, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracegate"))
        .arg("scan")
        .args(words)
        .current_dir(facade.dir.path())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn odd(file: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let odd: BTreeMap<_, _> =
        lines.iter().map(|line| (line["key"].as_str().unwrap().to_owned(), line.clone())).collect();
    assert_eq!(odd.len(), lines.len(), "no object stands there twice");
    odd
}

/// What a client gets: `redacted`, `with blanks`, `cut` or `refused`.
async fn served(facade: &Facade, key: &str) -> &'static str {
    let answer = facade.as_role("masked", Ask::get(format!("/traces/{key}"))).await;
    match (answer.status, answer.whole) {
        (403, _) => "refused",
        (200, false) => "cut",
        (200, true) if answer.text().lines().any(|line| line.starts_with("{} ") || line == "{}") => "with blanks",
        (200, true) => "redacted",
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test]
async fn a_scan_says_of_each_object_what_is_served() {
    let facade = Facade::start().await;
    fill(&facade);
    let found = json(&scan(&facade, &["--role", "masked", "traces", "--json", "--findings", "odd.jsonl"]));
    let share = |name: &str| found[name]["objects"].as_u64().unwrap();
    assert_eq!(found["objects"], objects().len());
    assert_eq!(found["bytes"], objects().iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    assert_eq!((share("redacted"), share("blanked"), share("cut"), share("refused")), (1204, 1, 1, 3));
    assert_eq!((&found["records_blanked"], &found["fields"]["pii"]), (&2.into(), &1203.into()));
    assert_eq!(
        found["reasons"].as_object().unwrap().values().map(|share| share["objects"].as_u64().unwrap()).sum::<u64>(),
        4
    );
    let odd = odd(&facade.dir.path().join("odd.jsonl"));
    assert_eq!(odd.len(), 5);
    assert_eq!(odd["broken.json"]["at_byte"], 12);
    assert!(odd["packed.json"]["because"].as_str().unwrap().contains("compressed"));
    for (key, _) in objects().iter().filter(|(key, _)| !key.contains(['%', '/'])) {
        let said = odd.get(key).map_or("redacted", |line| line["becomes"].as_str().unwrap());
        assert_eq!(served(&facade, key).await, said, "{key}");
    }
}

#[tokio::test]
async fn a_scan_tells_what_a_role_may_not_read_and_what_it_reads_raw() {
    let facade = Facade::start().await;
    fill(&facade);
    let raw = json(&scan(&facade, &["--role", "raw", "traces", "--json"]));
    assert_eq!(raw["raw"]["objects"], objects().len());
    let narrow = scan(&facade, &["--role", "narrow", "traces/many/"]);
    let text = String::from_utf8(narrow.stdout.clone()).unwrap();
    assert!(
        text.starts_with("traces/many/ as narrow: 1,200 objects, 42.19 KiB\n  not readable          1,200 objects"),
        "{text}"
    );
    assert!(text.contains("100.0 %"), "{text}");
    for (words, why) in [
        (&["--role", "nobody", "traces"][..], "there is no role nobody"),
        (&["--role", "raw", "other"], "serves no bucket other; it serves: traces"),
        (&["--role", "raw", "traces", "--policies", "none"], "none"),
    ] {
        let failed = scan(&facade, words);
        assert_eq!(failed.status.code(), Some(1), "{words:?}");
        assert!(said(&failed).contains(why), "{words:?}: {}", said(&failed));
    }
}

/// A scan that is broken off anywhere goes on where it stood, and tells the same in the end.
#[tokio::test]
async fn a_scan_goes_on_where_it_was_broken_off() {
    let facade = Facade::start().await;
    fill(&facade);
    let file = |name: &str| facade.dir.path().join(name);
    let words = ["--role", "masked", "traces", "--json", "--jobs", "1", "--state", "state", "--findings", "odd.jsonl"];
    let whole = json(&scan(&facade, &words));
    let (whole_odd, state) = (odd(&file("odd.jsonl")), std::fs::read(file("state")).unwrap());
    assert_eq!(json(&scan(&facade, &words)), whole, "what is done is told again");
    std::fs::remove_file(file("state")).unwrap();
    std::fs::remove_file(file("odd.jsonl")).unwrap();
    let mut interrupted = 0;
    // In steps that are shorter than a scan takes.
    for patience in (5..2000).step_by(5) {
        let running = Command::new("timeout")
            .args(["--preserve-status", "--signal=INT", &format!("{:.3}", f64::from(patience) / 1000.0)])
            .arg(env!("CARGO_BIN_EXE_tracegate"))
            .arg("scan")
            .args(words)
            .current_dir(facade.dir.path())
            .output()
            .unwrap();
        if running.status.success() {
            assert_eq!(json(&running), whole);
            if interrupted > 0 {
                break;
            }
            // The signal came before it was listened for, and counted for nothing: once more, a little later.
            std::fs::remove_file(file("state")).unwrap();
            std::fs::remove_file(file("odd.jsonl")).unwrap();
            continue;
        }
        interrupted += 1;
        // Killed between two saves: more findings than the state knows of.
        if file("state").exists() {
            let mut findings = std::fs::OpenOptions::new().append(true).open(file("odd.jsonl")).unwrap();
            std::io::Write::write_all(&mut findings, b"{\"key\":\"torn").unwrap();
        }
    }
    assert!(interrupted > 0);
    assert_eq!(odd(&file("odd.jsonl")), whole_odd);
    std::fs::write(file("state"), &state).unwrap();
    let other = scan(&facade, &["--role", "raw", "traces", "--state", "state"]);
    assert!(said(&other).contains("is of a scan of traces as masked"), "{}", said(&other));
    let without = scan(&facade, &["--role", "masked", "traces", "--state", "state"]);
    assert!(said(&without).contains("name their file with --findings"), "{}", said(&without));
    let again = scan(&facade, &["--role", "masked", "traces", "--findings", "odd.jsonl"]);
    assert!(said(&again).contains("is there already"), "{}", said(&again));
    std::fs::write(file("state"), &state[..state.len() / 2]).unwrap();
    assert_eq!(scan(&facade, &words).status.code(), Some(1), "half a state is none");
}
