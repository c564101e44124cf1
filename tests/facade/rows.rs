//! Promise 3 for files that several tenants share: each sees its own records, by its token's claims, and no other byte.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use tracegate::identity::static_token::NewStaticToken;

use super::facade::{Facade, Wish, role_file};
use super::wire::{Answer, Ask};

const PROFILE: &str = r#"
[[redact]]
name = "tenants"
paths = ["traces/shared/*"]
rows = '$.tenant == ${claims.tenant} or $.public == true'
reveal_to = ["raw"]
"#;

async fn start() -> Facade {
    start_with(PROFILE.to_owned()).await
}

async fn start_with(global: String) -> Facade {
    let rule = "actions = [\"get\", \"list\"]\npaths = [\"traces/shared/*\"]";
    let roles = vec![("tenant", role_file("tenant", "presign = \"15m\"", rule))];
    Facade::start_with(Wish { roles, global, ..Wish::default() }).await
}

/// As somebody of that tenant; of none without one.
async fn ask_as(facade: &Facade, tenant: Option<&str>, ask: Ask) -> Answer {
    let claims = tenant.map_or(serde_json::json!({}), |tenant| serde_json::json!({ "tenant": tenant }));
    let token = facade.issuer.token_with(&format!("{tenant:?}"), &["tenant"], claims);
    facade.send(ask.bearer(&token)).await
}

/// Lines of two tenants, of nobody, and of all.
fn records() -> String {
    let line = |n: usize| match n % 5 {
        0 => format!("{{\"n\":{n},\"email\":\"p{n}@example.com\",\"tenant\":\"acme\"}}\n"),
        1 => format!("{{\"t\\u0065nant\":\"\\u0065mca\",\"n\":{n}, \"text\":\"{}\"}}\n", "é".repeat(n % 40)),
        2 => format!("{{\"n\":{n},\"note\":\"acme\"}}\r\n"),
        3 => format!("{{\"public\":true,\"n\":{n}}}\n"),
        _ => format!("{{\"tenant\":\"emca\",\"n\":{n},\"tenant\":\"acme\"}}\n"),
    };
    (0..4000).map(line).collect()
}

/// What that tenant is to be shown: its records and those of all, e-mail addresses masked.
fn expected(tenant: &str) -> String {
    let shown = |line: &str| {
        let record = line.trim_end();
        let own = record.contains(&format!("\"tenant\":\"{tenant}\""))
            || (tenant == "emca" && record.contains("\\u0065mca"))
            || record.contains("\"public\":true");
        let contradicts = record.matches("tenant").count() == 2;
        if !own || contradicts {
            return format!("{:w$}{}", "{}", &line[record.len()..], w = record.len());
        }
        let Some((before, rest)) = record.split_once("\"p") else { return line.to_owned() };
        let Some((_, after)) = rest.split_once("@example.com\"") else { return line.to_owned() };
        format!("{:w$}{}", format!("{before}\"[REDACTED]\"{after}"), &line[record.len()..], w = record.len())
    };
    records().split_inclusive('\n').map(shown).collect()
}

#[tokio::test]
async fn one_file_serves_each_tenant_its_own_records() {
    let facade = start().await;
    let path = "/traces/shared/a.jsonl";
    facade.put("shared/a.jsonl", records());
    let size = records().len().to_string();
    let mut etags = Vec::new();
    for tenant in ["acme", "emca"] {
        let whole = ask_as(&facade, Some(tenant), Ask::get(path)).await;
        assert_eq!(whole.status, 200, "{}", whole.text());
        assert!(whole.text() == expected(tenant), "{tenant}");
        let head = ask_as(&facade, Some(tenant), Ask::head(path)).await;
        let list = ask_as(&facade, Some(tenant), Ask::get("/traces?list-type=2&prefix=shared/")).await;
        assert_eq!((head.header("etag"), head.header("content-length")), (whole.header("etag"), Some(&*size)));
        assert_eq!((list.element("ETag"), list.element("Size")), (whole.header("etag"), Some(&*size)));
        let (step, mut joined) = (17_777, Vec::new());
        for first in (0..whole.body.len()).step_by(step) {
            let ask = Ask::get(path).with("range", format!("bytes={first}-{}", first + step - 1));
            let part = ask_as(&facade, Some(tenant), ask.with("if-match", whole.header("etag").unwrap())).await;
            assert_eq!(part.status, 206);
            joined.extend(part.body);
        }
        assert!(joined == whole.body, "{tenant}: ranges and the whole differ");
        etags.push(whole.header("etag").unwrap().to_owned());
    }
    assert_ne!(etags[0], etags[1]);
    let raw = facade.as_role("raw", Ask::get(path)).await;
    assert!(raw.text() == records());
    let log = facade.stopped().await;
    let done = log.entries_of("s3.complete");
    let withheld: Vec<_> = done.iter().filter(|entry| entry["withheld"] == 2400).collect();
    assert_eq!(withheld.len(), 2, "both tenants' whole reads");
    assert!(done.iter().all(|entry| entry.get("blanked").is_none()));
    // Who knows the tenants' names cannot find them by the view's digest.
    let masks = log.entries_of("s3.intent").into_iter().filter_map(|entry| entry["decision"]["masks"].as_str());
    assert!(masks.clone().count() > 10 && masks.clone().all(|masks| masks.starts_with("keyed:")));
    assert_eq!(masks.collect::<std::collections::BTreeSet<_>>().len(), 2);
}

/// A session carries the claim; somebody without it, and a static token, see what is everybody's.
#[tokio::test]
async fn who_has_no_claim_sees_no_tenants_records() {
    let until = "2099-01-01T00:00:00Z".parse().unwrap();
    let job = NewStaticToken::generate("job", "tenant".parse().unwrap(), until, Timestamp::now());
    let facade = start_with(format!("{PROFILE}\n{}", job.toml())).await;
    facade.put("shared/a.jsonl", records());
    let ask = Ask::get("/traces/shared/a.jsonl");
    for whole in [ask_as(&facade, None, ask.clone()).await, facade.send(ask.bearer(job.token.expose())).await] {
        assert_eq!(whole.status, 200, "{}", whole.text());
        let shown: Vec<&str> = whole.text().lines().filter(|line| line.trim_end() != "{}").collect();
        assert!(shown.len() == 800 && shown.iter().all(|line| line.contains("\"public\":true")));
    }
    let token = facade.issuer.token_with("ann", &["tenant"], serde_json::json!({ "tenant": "acme" }));
    let session = facade.session_of(&token).await;
    let answer = facade.send(session.sign(facade.ask("GET", "/traces/shared/a.jsonl"))).await;
    assert!(answer.text() == expected("acme"), "{}", answer.status);
    // Two values are nobody's: `==` takes exactly one.
    let token = facade.issuer.token_with("bea", &["tenant"], serde_json::json!({ "tenant": ["acme", "emca"] }));
    let answer = facade.send(Ask::get("/traces/shared/a.jsonl").bearer(&token)).await;
    assert_eq!(answer.text().matches("public").count(), answer.text().matches("\"n\"").count());
}

#[tokio::test]
async fn a_document_and_a_compressed_object_obey_rows_too() {
    let facade = start().await;
    facade.put("shared/own.json", "{\"tenant\":\"acme\",\"email\":\"ada@example.com\"}");
    facade.put("shared/array.json", "[{\"tenant\":\"acme\"}]");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packed.write_all(records().as_bytes()).unwrap();
    facade.put("shared/a.jsonl.gz", packed.finish().unwrap());
    let own = ask_as(&facade, Some("acme"), Ask::get("/traces/shared/own.json")).await;
    assert_eq!(own.text(), "{\"tenant\":\"acme\",\"email\":\"[REDACTED]\"     }");
    for (tenant, key) in [(Some("emca"), "own.json"), (None, "own.json"), (Some("acme"), "array.json")] {
        for ask in [
            Ask::get(format!("/traces/shared/{key}")),
            Ask::get(format!("/traces/shared/{key}")).with("range", "bytes=2-5"),
        ] {
            let answer = ask_as(&facade, tenant, ask).await;
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{key}");
            assert!(answer.text().contains("rows") && !answer.text().contains("ada"), "{}", answer.text());
        }
    }
    let packed = ask_as(&facade, Some("emca"), Ask::get("/traces/shared/a.jsonl.gz")).await;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert!(text == expected("emca"));
}

/// The preview and the scan say what is served, and how much of it is withheld.
#[tokio::test]
async fn a_preview_withholds_what_the_facade_withholds() {
    let facade = start().await;
    let preview = |words: &[&str]| {
        let mut running = Command::new(env!("CARGO_BIN_EXE_tracegate"))
            .args(["redact", "--role", "tenant", "traces/shared/a.jsonl"])
            .args(words)
            .current_dir(facade.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = running.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(records().as_bytes()));
        let output = running.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (shown, said) = preview(&["--claim", "tenant=acme"]);
    assert!(
        shown == expected("acme") && said.contains("4000 records of JSONL, 0 of them blanked, 2400 withheld"),
        "{said}"
    );
    let (shown, said) = preview(&["--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((shown.matches("public").count(), &said["records_withheld"]), (800, &3200.into()));
}
