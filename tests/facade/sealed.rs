//! The log of a façade that served real requests, checked by its own commands from outside.

use std::process::{Command, Output};

use super::facade::{Facade, within};
use super::wire::{self, Ask};

fn tracegate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracegate")).arg("audit").args(args).output().unwrap()
}

fn said(args: &[&str]) -> String {
    let done = tracegate(args);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&done.stderr));
    text
}

#[tokio::test]
async fn real_requests_are_proven_by_the_id_of_their_answer() {
    let facade = Facade::start().await;
    facade.put("a.json", "{\"email\":\"ada@example.com\"}");
    let log = facade.file("log");
    let log = log.to_str().unwrap();
    let read = facade.as_role("masked", Ask::get("/traces/a.json")).await;
    let denied = facade.as_role("narrow", Ask::get("/traces/a.json")).await;
    let metric = async |name: &str| {
        let metrics = wire::send(facade.admin, &Ask::get("/metrics")).await;
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name}")).parse::<f64>().unwrap()
    };
    within(std::time::Duration::from_secs(20), "all is signed", async || {
        metric("tracegate_log_unsigned_seconds").await == 0.0
            && metric("tracegate_log_signed_entries").await == facade.log().entries.len() as f64
    })
    .await;
    // While it runs, by its folder alone.
    let keys = said(&["key", "--log", log]);
    let key = keys.lines().next().unwrap();
    assert!(said(&["verify", "--log", log, "--key", key]).contains("every entry is what was signed"));
    let (out, proof) = (tempfile::tempdir().unwrap(), "proof");
    let file = out.path().join(proof);
    let file = file.to_str().unwrap();
    for (answer, args, kind) in [
        (&read, &["--out", file][..], "s3.intent"),
        (&read, &["--outcome", "--out", file], "s3.complete"),
        (&denied, &["--out", file], "s3.deny"),
    ] {
        let id = answer.header("x-amz-request-id").unwrap();
        said(&[&["prove", id, "--log", log][..], args].concat());
        let checked = said(&["check-proof", file, "--key", key]);
        assert!(
            checked.contains("holds      entry ") && checked.contains(&format!("\"kind\":\"{kind}\"")),
            "{checked}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&said(&["check-proof", file, "--key", key, "--json"])).unwrap();
        assert_eq!((&json["what"]["id"], &json["log"]), (&id.into(), &"tests".into()));
    }
    let text = std::fs::read_to_string(file).unwrap();
    let other = if text.contains("index 1") {
        text.replacen("index 1", "index 2", 1)
    } else {
        text.replacen("index ", "index 1", 1)
    };
    std::fs::write(file, other).unwrap();
    let refused = tracegate(&["check-proof", file, "--key", key]);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is not in the log"),
        "{refused:?}"
    );
    facade.stopped().await;
}

#[tokio::test]
async fn a_log_that_was_changed_is_named_and_not_gone_on_with() {
    let mut facade = Facade::start().await;
    facade.put("a.json", "{}");
    facade.as_role("raw", Ask::get("/traces/a.json")).await;
    facade.restart().await;
    let log = facade.file("log");
    let log = log.to_str().unwrap().to_owned();
    let segment = facade.file("log/00000000000000000000.seg");
    facade.halt().await;
    assert!(said(&["verify", "--log", &log]).contains("every entry is what was signed"));
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(6).position(|window| window == b"a.json").unwrap();
    bytes[at] = b'b';
    std::fs::write(&segment, bytes).unwrap();
    let found = tracegate(&["verify", "--log", &log, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&report["finding"]["tampering"], found.status.code()), (&"changed".into(), Some(1)), "{report}");
    assert!(String::from_utf8_lossy(&found.stderr).contains("give the key that you keep"));
}
