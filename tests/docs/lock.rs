//! docs/LOCKDOWN.md, its commands run beside LocalStack as they stand there.
//!
//! LocalStack keeps every document and obeys none, so `verify` must say that the bucket is open.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::commands::{Place, succeeded};
use super::support::clients::{Endpoint, said};
use super::support::documents::{Block, blocks};
use super::support::install::repository;
use super::support::localstack::LocalStack;
use super::support::{AccessKey, aws_cli, localstack};

/// The document's account; LocalStack takes twelve digits for a key of that account.
const ACCOUNT: AccessKey = AccessKey { id: "123456789012", secret: "any" };
const BUCKET: &str = "acme-traces-prod";

fn aws(args: &[&str]) -> String {
    let at = Endpoint { url: &localstack().endpoint, region: LocalStack::REGION, key: ACCOUNT };
    said(&aws_cli().run(&at, args))
}

/// The document's bucket, with the object that it reads.
fn fill() {
    let key = "model-A/2026/11/19/run-004211.jsonl";
    let sample = repository().join("localstack/seed").join(key);
    aws(&["s3api", "create-bucket", "--bucket", BUCKET]);
    aws(&["s3api", "put-object", "--bucket", BUCKET, "--key", key, "--body", sample.to_str().unwrap()]);
}

/// The document's configuration, at LocalStack instead of AWS.
fn configuration() -> String {
    let block = blocks("toml config").into_iter().find(|block| block.file == "docs/LOCKDOWN.md").unwrap();
    let endpoint = &localstack().endpoint;
    let backend = format!("kind = \"s3\"\nendpoint = \"{endpoint}\"\naddressing = \"path\"");
    let lock = format!("[lock]\nsts_endpoint = \"{endpoint}\"");
    let text = block.text.replace("kind = \"s3\"", &backend).replace("[lock]", &lock);
    assert!(text.len() > block.text.len() + endpoint.len() * 2, "{text}");
    text
}

/// AWS's configuration files with the profiles that the document names.
fn profiles(file: &Path) {
    let role = "arn:aws:iam::123456789012:role/break-glass";
    let session = aws(&["sts", "assume-role", "--role-arn", role, "--role-session-name", "ada"]);
    let session: Value = serde_json::from_str(&session).unwrap();
    let mut text = "[analyst]\naws_access_key_id = analyst\naws_secret_access_key = any\n[break-glass]\n".to_owned();
    for (setting, name) in [
        ("aws_access_key_id", "AccessKeyId"),
        ("aws_secret_access_key", "SecretAccessKey"),
        ("aws_session_token", "SessionToken"),
    ] {
        writeln!(text, "{setting} = {}", session["Credentials"][name].as_str().unwrap()).unwrap();
    }
    std::fs::write(file, text).unwrap();
}

#[test]
fn the_lockdown_goes_as_written() {
    fill();
    let place = Place::new();
    std::fs::write(place.path().join("tracegate.toml"), configuration()).unwrap();
    let credentials = place.path().join("aws-credentials");
    profiles(&credentials);
    let env = [
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_ENDPOINT_URL", &localstack().endpoint),
        ("AWS_DEFAULT_REGION", LocalStack::REGION),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.id),
        ("AWS_SECRET_ACCESS_KEY", ACCOUNT.secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let run = |block: &Block| succeeded(block, &place.run(&block.text, &env));
    let outputs: Vec<String> = blocks("sh lock").iter().map(run).collect();
    assert!(outputs[0].contains("\"DenyEverybodyElse\"") && outputs[0].contains("read back"), "{}", outputs[0]);
    assert!(outputs[1].contains("verified  bucket policy: as printed"), "{}", outputs[1]);
    assert!(outputs[1].contains("OPEN      GetObject, by another identity"), "{}", outputs[1]);
    assert!(outputs[1].contains("exit code 1"), "{}", outputs[1]);
    let read = std::fs::read(place.path().join("trace.jsonl")).unwrap();
    assert!(read.starts_with(b"{\"trace_id\""), "the break-glass role reads what is there");
    let restore = "tracegate lock restore tracegate-lock-*.json --profile break-glass --yes";
    let block = Block { file: "docs/LOCKDOWN.md".into(), line: 0, info: "sh lock".into(), text: restore.into() };
    assert!(run(&block).contains("- "), "what apply kept is put back");
}
