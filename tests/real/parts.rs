//! The parts themselves: each starts, does what the tests of the façade rely on, and leaves nothing running.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::clients::{Endpoint, curl, said};
use crate::support::localstack::LocalStack;
use crate::support::seaweedfs::SeaweedFs;
use crate::support::server::{Recipe, Server};
use crate::support::{self, AccessKey, http, install, server};

/// Set for a copy of this test binary that starts a server and then only waits to be killed.
const HOLD: &str = "TRACEGATE_TEST_HOLDS_A_SERVER";

fn in_localstack() -> Endpoint<'static> {
    let endpoint = &support::localstack().endpoint;
    Endpoint { url: endpoint, region: LocalStack::REGION, key: LocalStack::KEY }
}

fn in_seaweedfs(key: AccessKey) -> Endpoint<'static> {
    Endpoint { url: &support::seaweedfs().endpoint, region: SeaweedFs::REGION, key }
}

#[test]
fn localstack_is_seeded_by_its_hook() {
    let hooks = http::get(&format!("{}/_localstack/init", support::localstack().endpoint)).unwrap().json();
    assert_eq!(hooks["scripts"], json!([{"stage": "READY", "name": "10-seed.py", "state": "SUCCESSFUL"}]));

    let script = "import boto3, gzip\n\
        s3 = boto3.client('s3')\n\
        get = lambda key: s3.get_object(Bucket='traces', Key=key)['Body'].read()\n\
        print(s3.get_bucket_versioning(Bucket='traces')['Status'])\n\
        print(len(s3.list_objects_v2(Bucket='traces')['Contents']))\n\
        assert gzip.decompress(get('model-B/2026/11/15/run-004398.jsonl.gz')) == get('model-B/2026/11/15/run-004398.jsonl')\n\
        assert b'PLANTED' in get('model-C/2026/11/17/東京+lab run%2F7.jsonl')";
    let told = said(&support::python_clients().run_at(&in_localstack(), script));
    let files = count_files(&install::repository().join("localstack/seed"));
    assert_eq!(told, format!("Enabled\n{}\n", files + 1), "every file of the seed, and one gzipped");
}

fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count_files(&path) } else { 1 }).sum()
}

#[test]
fn localstack_keeps_what_the_aws_cli_puts() {
    let (aws, at) = (support::aws_cli(), in_localstack());
    said(&aws.run(&at, ["s3api", "create-bucket", "--bucket", "parts-cli"]));
    let mut put = aws.command(&at, ["s3", "cp", "-", "s3://parts-cli/a b/+é.txt"]);
    let mut put = put.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut put.stdin.take().unwrap(), b"0123456789").unwrap();
    assert!(put.wait().unwrap().success());
    assert_eq!(said(&aws.run(&at, ["s3", "cp", "s3://parts-cli/a b/+é.txt", "-"])), "0123456789");
    let keys = ["s3api", "list-objects-v2", "--bucket", "parts-cli", "--query", "Contents[].Key", "--output", "text"];
    assert_eq!(said(&aws.run(&at, keys)), "a b/+é.txt\n");

    // Where it keeps objects is its own folder, so that two at a time do not share them.
    let own = support::localstack().work().join("localstack-s3-storage");
    assert!(own.join("parts-cli").is_dir(), "{}", own.display());
}

#[test]
fn seaweedfs_refuses_what_a_bucket_must_refuse() {
    let wrong_secret = AccessKey { id: SeaweedFs::ADMIN.id, secret: "not-the-secret" };
    let unknown_key = AccessKey { id: "nobody", secret: SeaweedFs::ADMIN.secret };
    let list = |bucket| vec!["s3api", "list-objects-v2", "--bucket", bucket];
    let readable = SeaweedFs::READABLE_BUCKET;
    said(&run_in_seaweedfs(SeaweedFs::ADMIN, &["s3api", "create-bucket", "--bucket", "parts-private"]));
    said(&run_in_seaweedfs(SeaweedFs::ADMIN, &list("parts-private")));
    said(&run_in_seaweedfs(SeaweedFs::READER, &list(readable)));
    for (key, args, refusal) in [
        (wrong_secret, list(readable), "SignatureDoesNotMatch"),
        (unknown_key, list(readable), "InvalidAccessKeyId"),
        (SeaweedFs::READER, list("parts-private"), "AccessDenied"),
        (SeaweedFs::READER, vec!["s3api", "put-object", "--bucket", readable, "--key", "k"], "AccessDenied"),
    ] {
        let refused = run_in_seaweedfs(key, &args);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(refusal), "{key:?} {args:?}: {error}");
    }
    let anonymous = curl(["--write-out", "%{http_code}", &format!("{}/{readable}/", support::seaweedfs().endpoint)]);
    assert!(said(&anonymous).ends_with("403"), "{anonymous:?}");
}

fn run_in_seaweedfs(key: AccessKey, args: &[&str]) -> Output {
    support::aws_cli().run(&in_seaweedfs(key), args)
}

#[test]
fn both_providers_issue_tokens_that_their_key_set_verifies() {
    let (first, second) = (support::oidc_provider(), support::second_provider());
    for (issuer, token, groups, namespace) in [
        (&first.issuer, first.token("alice"), json!(["trace-owners"]), Value::Null),
        (&first.issuer, first.access_token("bob"), json!(["sec-compliance"]), Value::Null),
        (&first.issuer, first.token("dave"), json!(["data-science"]), json!("model-B")),
        (&first.issuer, first.token("frank"), Value::Null, Value::Null),
        (&first.issuer, first.machine_token(), json!(["svc-ci"]), Value::Null),
        (&second.issuer, second.token("alice"), json!(["trace-owners"]), Value::Null),
        (&second.issuer, second.token("dave"), json!(["data-science"]), json!("model-B")),
        (&second.issuer, second.token("frank"), Value::Null, Value::Null),
    ] {
        let claims = verified(issuer, &token).unwrap();
        assert_eq!((&claims["groups"], &claims["namespace"]), (&groups, &namespace), "{claims}");
        assert!(claims["exp"].as_u64() > claims["iat"].as_u64(), "{claims}");
    }
    for token in [first.token("erin"), second.token("erin")] {
        let claims = claims_of(&token);
        assert_eq!(claims["groups"].as_array().unwrap().len(), 250, "{}", claims["sub"]);
    }
    assert!(verified(&first.issuer, &second.token("alice")).is_err(), "another provider's token");
    assert_eq!(claims_of(&first.token_for_another("alice"))["aud"], "wiki");
    assert_eq!(claims_of(&first.token_with_nonce("alice", "n-1"))["nonce"], "n-1");
    let forged = first.sign(&json!({"typ": "JWT"}), &json!({"iss": first.issuer, "aud": "tracegate", "exp": 1}));
    assert!(verified(&first.issuer, &forged).is_err(), "expired in 1970");
}

#[test]
fn the_provider_rotates_its_keys() {
    let own = support::idp::OidcProvider::start_with(&[("TOKEN_TTL", "90")]);
    let old = own.token("alice");
    let newest = own.rotate();
    let new = own.token("alice");
    assert_eq!(jsonwebtoken::decode_header(&new).unwrap().kid, Some(newest));
    let (before, after) = (claims_of(&new)["iat"].as_u64().unwrap(), claims_of(&new)["exp"].as_u64().unwrap());
    assert_eq!(after - before, 90, "TOKEN_TTL");
    assert!(verified(&own.issuer, &old).is_ok() && verified(&own.issuer, &new).is_ok());
    own.drop_old_keys();
    assert!(verified(&own.issuer, &old).is_err() && verified(&own.issuer, &new).is_ok());
}

/// The claims of a token whose signature, issuer, audience and expiry hold, by what the issuer publishes.
fn verified(issuer: &str, token: &str) -> Result<Value, String> {
    let page = http::get(&format!("{issuer}/.well-known/openid-configuration")).unwrap().json();
    assert_eq!(page["issuer"], issuer);
    let keys: JwkSet = serde_json::from_value(http::get(page["jwks_uri"].as_str().unwrap()).unwrap().json()).unwrap();
    let key = match jsonwebtoken::decode_header(token).unwrap().kid {
        Some(kid) => keys.find(&kid).ok_or_else(|| format!("{issuer} has no key {kid}"))?,
        None => keys.keys.first().filter(|_| keys.keys.len() == 1).ok_or("no kid, and more keys than one")?,
    };
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[support::idp::AUDIENCE]);
    let key = DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode(token, &key, &rules).map(|token| token.claims).map_err(|e| e.to_string())
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The test process is killed the hard way, and yet its server and the server's own child are gone, and its folder.
#[test]
fn a_killed_test_leaves_nothing_running() {
    if std::env::var_os(HOLD).is_some() {
        return hold_a_server();
    }
    let this_test = "parts::a_killed_test_leaves_nothing_running";
    let mut copy = Command::new(std::env::current_exe().unwrap());
    let copy = copy.args(["--exact", this_test, "--nocapture", "--test-threads=1"]).env(HOLD, "1");
    let mut copy = copy.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(copy.stdout.take().unwrap()));
    let work = lines.find_map(|line| line.unwrap().split_once("work=").map(|(_, work)| work.to_owned())).unwrap();
    let pids = std::fs::read_to_string(Path::new(&work).join("pids")).unwrap();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| alive(pid)), "{pids:?}");

    copy.kill().unwrap();
    copy.wait().unwrap();
    let killed = Instant::now();
    while pids.iter().any(|pid| alive(pid)) || Path::new(&work).exists() {
        assert!(killed.elapsed() < Duration::from_secs(20), "{pids:?} or {work} outlived the test");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The killed copy's part: a shell with a child of its own, whose process ids it writes down.
fn hold_a_server() {
    let work = server::new_folder("held");
    let script = "sleep 600 & echo $$ $! > pids.new && mv pids.new pids && wait";
    let recipe = Recipe { program: "sh".into(), args: vec!["-c".into(), script.into()], env: Vec::new() };
    let held = Server::spawn(&work, &recipe);
    while !work.join("pids").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("work={}", held.work().display());
    std::thread::sleep(Duration::from_secs(600));
}

/// Whether a process runs; one that is dead and only waits to be reaped does not.
fn alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
