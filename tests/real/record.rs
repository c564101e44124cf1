//! Promises 2 and 6 over a whole conversation: every request has its entry with what came of it, and no secret stands
//! in any answer to a role that hides it, nor in the log, the metrics or what the process says.

use std::path::Path;

use serde_json::{Value, json};

use crate::doors::presigned;
use crate::people::{Session, ask, ask_as, assert_hides, bearer, keys, path, token};
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::http::Answer;

/// One request of the conversation, and what the log must say of it.
struct Asked {
    user: &'static str,
    role: &'static str,
    op: &'static str,
    target: String,
    answer: Answer,
}

/// What people do: read everything, list, ask for what is missing, forbidden, partial, unchanged.
fn converse(facade: &Facade) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut go = |user, role, op, options: &[&str], target: String| {
        let answer = ask_as(facade, user, options, &target);
        asked.push(Asked { user, role, op, target, answer });
    };
    for (user, role) in [
        ("bob", "compliance-auditor"),
        ("carol", "support-engineer"),
        ("dave", "data-scientist"),
        ("erin", "support-engineer"),
    ] {
        let every = if user == "bob" { 1 } else { 4 };
        for key in keys(facade, "traces").iter().filter(|key| !key.contains("/big/")).step_by(every) {
            go(user, role, "GetObject", &[], path("traces", key));
            go(user, role, "HeadObject", &["--head"], path("traces", key));
        }
        go(user, role, "GetObject", &["--range", "5-60"], path("traces", "model-B/2026/11/19/run-004421.json"));
        go(
            user,
            role,
            "GetObject",
            &["--header", "If-Match: \"0\""],
            path("traces", "model-B/2026/11/19/run-004421.json"),
        );
        go(user, role, "GetObject", &[], path("traces", "no/such/key"));
        go(user, role, "GetObject", &[], path("plain", "model-B/2026/11/19/run-004421.json"));
        go(user, role, "ListObjectsV2", &[], "/traces?list-type=2&delimiter=/".to_owned());
        go(user, role, "ListObjects", &[], "/traces?prefix=model-B/&max-keys=2".to_owned());
        go(user, role, "ListObjectsV2", &[], "/plain?list-type=2".to_owned());
        go(user, role, "ListBuckets", &[], "/".to_owned());
        go(user, role, "HeadBucket", &["--head"], "/traces".to_owned());
        go(user, role, "GetBucketLocation", &[], "/traces?location".to_owned());
        go(user, role, "GetBucketVersioning", &[], "/traces?versioning".to_owned());
    }
    asked
}

#[test]
fn a_whole_conversation_is_on_the_record_and_shows_no_secret() {
    for backend in [Backend::SeaweedFs, Backend::Memory] {
        check_conversation(&Facade::start(&Settings::of(backend)), backend);
    }
}

fn check_conversation(facade: &Facade, backend: Backend) {
    let asked = converse(facade);
    assert!(asked.iter().filter(|asked| asked.answer.status == 200).count() > 60);
    let session = Session::open(facade, &token("bob"));
    let url = ask(&facade.http(), &[], &presigned(&session, &facade.http(), 60));
    assert_eq!(url.status, 200);
    let rows = facade.rows_once(&[], |rows| rows.iter().all(|row| row["outcome"] != "open"));
    for request in &asked {
        check_row(request, &rows);
    }
    check_filters(facade, &rows);
    check_leaks(facade, backend, &session);
}

fn check_row(asked: &Asked, rows: &[Value]) {
    let Asked { user, role, op, target, answer } = asked;
    let context = format!("{user} {op} {target}: {}", answer.status);
    let id = answer.header("x-amz-request-id").unwrap_or_else(|| panic!("{context} has no id"));
    let of_request: Vec<&Value> = rows.iter().filter(|row| row["id"] == id).collect();
    let [row] = of_request[..] else { panic!("{context}: {of_request:#?}") };
    assert_eq!((&row["sub"], &row["role"], &row["op"]), (&json!(user), &json!(role), &json!(op)), "{context}: {row}");
    assert_eq!(row["status"], answer.status, "{context}: {row}");
    let denied = row["outcome"] == "denied";
    assert_eq!(row["kind"], if denied { "s3.deny" } else { "s3.intent" }, "{context}: {row}");
    if answer.status < 300 {
        assert_eq!((&row["outcome"], &row["bytes"]), (&json!("ok"), &json!(answer.body.len())), "{context}: {row}");
    }
    if answer.status == 403 {
        assert!(denied || row["outcome"] == "refused" || row["outcome"] == "unshowable", "{context}: {row}");
    }
    if *user == "bob" && *op == "GetObject" && answer.status == 200 && target.contains("model-") {
        assert!(row["redacted"].as_u64() > Some(3), "{context}: {row}");
    }
}

/// The filters of `tracegate audit query`, each against the same done here.
fn check_filters(facade: &Facade, rows: &[Value]) {
    type Wanted = fn(&Value) -> bool;
    let filters: [(&[&str], Wanted); 8] = [
        (&["--who", "dave"], |row| row["sub"] == "dave"),
        (&["--who", "bob@example.test"], |row| row["sub"] == "bob"),
        (&["--role", "support-engineer"], |row| row["role"] == "support-engineer"),
        (&["--op", "ListObjectsV2"], |row| row["op"] == "ListObjectsV2"),
        (&["--key", "traces/model-C/*"], |row| {
            row["path"].as_str().is_some_and(|path| path.starts_with("traces/model-C/"))
        }),
        (&["--outcome", "denied"], |row| row["outcome"] == "denied"),
        (&["--kind", "session.issue"], |row| row["kind"] == "session.issue"),
        (&["--op", "GetObject", "--who", "carol", "--denied"], |row| {
            row["op"] == "GetObject" && row["sub"] == "carol" && row["outcome"] == "denied"
        }),
    ];
    for (conditions, wanted) in filters {
        let expected: Vec<&Value> = rows.iter().filter(|row| wanted(row)).collect();
        assert!(!expected.is_empty(), "{conditions:?} is no test: it wants nothing");
        assert_eq!(json!(facade.rows(conditions)), json!(expected), "{conditions:?}");
    }
    let (early, late) = (facade.rows(&["--to", "1h"]), facade.rows(&["--from", "1h"]));
    assert_eq!((early.len(), late.len()), (0, rows.len()), "all of this was within the hour");
}

/// Everything that the façade has written or tells anybody, byte for byte.
fn check_leaks(facade: &Facade, backend: Backend, session: &Session) {
    let mut places = vec![
        ("what it says".to_owned(), facade.said().into_bytes()),
        ("metrics".to_owned(), facade.metrics().into_bytes()),
        ("whoami".to_owned(), ask(&facade.http(), &["--header", &bearer(&token("bob"))], "/-/whoami").body),
    ];
    files(&facade.work().join("log"), &mut places);
    files(&facade.work().join("control"), &mut places);
    assert!(places.len() > 4, "{:?}", places.iter().map(|(place, _)| place).collect::<Vec<_>>());
    let jwt = token("bob");
    let mut secrets = vec![&session.secret, &session.token, &jwt, &facade.static_token];
    let upstream = backend.secret().map(str::to_owned);
    secrets.extend(upstream.iter());
    for (place, bytes) in &places {
        assert_hides(place, bytes);
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{place} holds a secret");
        }
    }
    assert!(String::from_utf8_lossy(&places[0].1).contains("tracegate serves"), "its log was not read");
}

fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}
