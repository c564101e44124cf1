//! Promise 4: sizes, tags and ranges tell of one object per view, so that tools which compare or split just work: over
//! HTTPS in front of LocalStack and SeaweedFS, over HTTP in front of the embedded bucket.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::people::{Session, ask_as, facade, path, script, token};
use crate::support::clients::{said, without_own_settings};
use crate::support::facade::{Backend, Facade};
use crate::support::{self, seed, server};

/// `aws s3 ARGS` in a session.
fn aws_s3(facade: &Facade, session: &Session, args: &[&str]) -> Output {
    let mut command = Command::new(support::aws_cli().program());
    without_own_settings(&mut command);
    let url = facade.url();
    command.arg("s3").args(args).envs(session.env(&url)).env("AWS_CA_BUNDLE", facade.ca()).output().unwrap()
}

#[test]
fn a_second_sync_transfers_nothing() {
    for (backend, user, from) in [
        (Backend::SeaweedFs, "ci", "s3://plain/"),
        (Backend::SeaweedFs, "bob", "s3://traces/model-C/"),
        (Backend::SeaweedFs, "dave", "s3://traces/model-B/2026/11/1"),
        (Backend::LocalStack, "bob", "s3://traces/model-C/"),
        (Backend::Memory, "bob", "s3://traces/model-C/"),
    ] {
        let facade = facade(backend);
        let session = Session::open(facade, &token(user));
        let folder = server::new_folder("sync");
        let to = folder.to_str().unwrap();
        // What a redacting view refuses is not in these prefixes; SeaweedFS keeps a text file in `plain` only.
        let sync = ["sync", from, to, "--exclude", "*.txt"];
        let first = said(&aws_s3(facade, &session, &sync));
        let second = said(&aws_s3(facade, &session, &sync));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(first.matches("download:").count() > 2 || user == "dave", "{backend:?} {user}: {first}");
        assert_eq!(second, "", "{backend:?} {user}: nothing had changed");
    }
}

#[test]
fn a_recursive_copy_brings_what_a_get_brings() {
    let facade = facade(Backend::LocalStack);
    let session = Session::open(facade, &token("bob"));
    let folder = server::new_folder("copy");
    let args = ["cp", "--recursive", "s3://traces/model-C/", folder.to_str().unwrap()];
    said(&aws_s3(facade, &session, &args));
    let keys: Vec<String> =
        crate::people::keys(facade, "traces").into_iter().filter(|key| key.starts_with("model-C/")).collect();
    assert!(keys.len() > 4);
    for key in &keys {
        let copied = std::fs::read(folder.join(key.strip_prefix("model-C/").unwrap())).unwrap();
        assert_eq!(copied, ask_as(facade, "bob", &[], &path("traces", key)).body, "{key}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

const IN_PARTS: &str = "
import hashlib
from boto3.s3.transfer import TransferConfig
parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=4)
s3.download_file('traces', KEY, FILE, Config=parts)
listed = s3.list_objects_v2(Bucket='traces', Prefix=KEY)['Contents'][0]
print(json.dumps([hashlib.sha256(open(FILE, 'rb').read()).hexdigest(), listed['Size'], listed['ETag'],
    s3.head_object(Bucket='traces', Key=KEY)['ETag']]))
";

#[test]
fn a_download_in_parallel_parts_is_the_redacted_object() {
    for backend in Backend::ALL {
        check_parts(facade(backend));
    }
}

fn check_parts(facade: &Facade) {
    use sha2::Digest as _;
    let whole = ask_as(facade, "bob", &[], &path("traces", seed::BIG));
    assert_eq!(whole.status, 200, "{}", whole.text());
    let session = Session::open(facade, &token("bob"));
    let folder = server::new_folder("parts");
    let text = IN_PARTS.replace("KEY", &format!("{:?}", seed::BIG)).replace("FILE", &quoted(&folder.join("big")));
    let found = script(facade, &session, &text);
    std::fs::remove_dir_all(&folder).unwrap();
    let sha256 = hex::encode(sha2::Sha256::digest(&whole.body));
    let etag = whole.header("etag").unwrap();
    assert_eq!(found, json!([sha256, whole.body.len(), etag, etag]));
    let ranges = facade.rows_once(&["--op", "GetObject", "--key", &format!("traces/{}", seed::BIG)], |rows| {
        rows.iter().filter(|row| row["range"].is_string() && row["outcome"] == "ok").count() >= 3
    });
    assert!(ranges.iter().all(|row| row["outcome"] == "ok"), "{ranges:#?}");
    let parsed = serde_json::Deserializer::from_slice(&whole.body).into_iter::<serde_json::Value>();
    let records = parsed.map(|record| record.unwrap()["trace_id"].as_str().unwrap().to_owned()).enumerate();
    assert!(records.map(|(at, id)| assert_eq!(id, format!("tr-{at}"))).count() > 1000);
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}
