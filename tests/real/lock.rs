//! The lock: what others may do is found on SeaweedFS, which enforces; documents are stored, read back and put back on
//! LocalStack, which keeps them and lets everybody in all the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::clients::{Endpoint, said, without_own_settings};
use crate::support::install::repository;
use crate::support::localstack::LocalStack;
use crate::support::seaweedfs::SeaweedFs;
use crate::support::server::{Recipe, Server, free_ports};
use crate::support::{self, AccessKey, http};

/// Of LocalStack's one account.
const ROLE: &str = "arn:aws:iam::000000000000:role/services/tracegate";
const BREAK_GLASS: &str = "arn:aws:iam::000000000000:role/ops/break-glass";

fn seaweedfs(key: AccessKey) -> Endpoint<'static> {
    Endpoint { url: &support::seaweedfs().endpoint, region: SeaweedFs::REGION, key }
}

fn localstack() -> Endpoint<'static> {
    Endpoint { url: &support::localstack().endpoint, region: LocalStack::REGION, key: LocalStack::KEY }
}

fn aws(at: &Endpoint<'_>, args: &[&str]) -> String {
    said(&support::aws_cli().run(at, args))
}

/// A bucket with one object.
fn bucket(at: &Endpoint<'_>, name: &str) {
    aws(at, &["s3api", "create-bucket", "--bucket", name]);
    aws(at, &["s3api", "put-object", "--bucket", name, "--key", "k"]);
}

/// A folder with a configuration of the outside bucket `traces` and this `[lock]`.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(at: &Endpoint<'_>, inside: &str, lock: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tracegate.toml"), configuration(at, inside, lock, [1, 2])).unwrap();
        std::fs::write(dir.path().join("secret"), at.key.secret).unwrap();
        Self { dir }
    }

    /// `tracegate lock ARGS`
    fn lock(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        tracegate(self.dir.path()).arg("lock").args(args).envs(env.iter().copied()).output().unwrap()
    }

    /// What `verify` answers: its exit code, and the findings that are not verified, each with its verdict.
    fn verify(&self, probe: AccessKey) -> (Option<i32>, Vec<String>) {
        let env = [("PROBE_ID", probe.id), ("PROBE_SECRET", probe.secret)];
        let output = self.lock(&["verify", "--json"], &env);
        assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let reports: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = reports[0]["findings"].as_array().unwrap();
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let bad = findings.iter().filter(|finding| finding["verdict"] != "verified");
        (output.status.code(), bad.map(|one| format!("{} {}", text(one, "verdict"), text(one, "what"))).collect())
    }
}

fn tracegate(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracegate"));
    without_own_settings(&mut command);
    command.current_dir(dir).env("HOME", dir);
    command
}

fn configuration(at: &Endpoint<'_>, inside: &str, lock: &str, [http, admin]: [u16; 2]) -> String {
    format!(
        "version = 1\n[listen]\nhttp = [\"127.0.0.1:{http}\"]\nadmin = \"127.0.0.1:{admin}\"\n\
         [backend]\nkind = \"s3\"\nendpoint = \"{}\"\nregion = \"{}\"\naddressing = \"path\"\naccess_key_id = \"{}\"\n\
         secret_access_key_file = \"secret\"\n[[bucket]]\nname = \"traces\"\nbackend = \"{inside}\"\n\
         [policies]\ndir = \"policies\"\n[keys]\nfile = \"keys.toml\"\n[log]\ndir = \"log\"\nname = \"lock\"\n\
         [control]\ndir = \"control\"\n{lock}\n[lock.probe]\naccess_key_id_env = \"PROBE_ID\"\n\
         secret_access_key_env = \"PROBE_SECRET\"\n",
        at.url, at.region, at.key.id,
    )
}

/// The lock of a backend that keeps none of the documents.
const PROBES_ONLY: &str = "[lock]\ndocuments = []";

fn refused(output: &Output, want: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains(want), "{}: {error}", output.status);
}

#[test]
fn what_others_may_do_is_found_on_a_bucket_that_enforces() {
    let admin = seaweedfs(SeaweedFs::ADMIN);
    bucket(&admin, "lock-shut");
    bucket(&admin, "lock-public");
    aws(&admin, &["s3api", "put-object", "--bucket", SeaweedFs::READABLE_BUCKET, "--key", "of-the-lock"]);
    let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],
        "Resource":["arn:aws:s3:::lock-public/*"]}]}"#;
    aws(&admin, &["s3api", "put-bucket-policy", "--bucket", "lock-public", "--policy", anybody]);
    let wrong = AccessKey { id: SeaweedFs::READER.id, secret: "not-the-secret" };
    let open = |who: &str, operations: &[&str]| -> Vec<String> {
        operations.iter().map(|operation| format!("open {operation}, {who}")).collect()
    };
    let (other, reads) = ("by another identity", ["GetObject", "HeadObject"]);
    let everything = ["ListObjectsV2", "GetObject", "HeadObject", "PutObject", "DeleteObject"];
    for (what, inside, probe, code, want) in [
        ("locked", "lock-shut", SeaweedFs::READER, 0, vec![]),
        (
            "a second reader",
            SeaweedFs::READABLE_BUCKET,
            SeaweedFs::READER,
            1,
            open(other, &["ListObjectsV2", "GetObject", "HeadObject"]),
        ),
        (
            "everybody reads",
            "lock-public",
            SeaweedFs::READER,
            1,
            [open(other, &reads), open("unsigned", &reads)].concat(),
        ),
        ("a second writer", "lock-shut", SeaweedFs::ADMIN, 1, open(other, &everything)),
    ] {
        let place = Place::new(&admin, inside, PROBES_ONLY);
        assert_eq!(place.verify(probe), (Some(code), want), "{what}");
    }
    // A credential that is none is refused everywhere, which proves nothing.
    let (code, bad) = Place::new(&admin, "lock-shut", PROBES_ONLY).verify(wrong);
    assert!(code == Some(2) && bad.contains(&format!("unknown GetObject, {other}")), "{code:?} {bad:?}");
    let keys = aws(&admin, &["s3api", "list-objects-v2", "--bucket", "lock-shut", "--query", "Contents[].Key"]);
    assert_eq!(serde_json::from_str::<Value>(&keys).unwrap(), serde_json::json!(["k"]), "what was written is gone");
}

#[test]
fn what_cannot_be_reached_or_tried_is_unknown() {
    let nowhere = format!("http://127.0.0.1:{}", free_ports::<1>()[0]);
    let at = Endpoint { url: &nowhere, ..seaweedfs(SeaweedFs::ADMIN) };
    let (code, bad) = Place::new(&at, "lock-none", PROBES_ONLY).verify(SeaweedFs::READER);
    assert!(code == Some(2) && bad.iter().all(|finding| finding.starts_with("unknown ")), "{code:?} {bad:?}");
    let admin = seaweedfs(SeaweedFs::ADMIN);
    aws(&admin, &["s3api", "create-bucket", "--bucket", "lock-empty"]);
    let empty = Place::new(&admin, "lock-empty", PROBES_ONLY);
    assert_eq!(empty.verify(SeaweedFs::READER), (Some(2), vec!["unknown an object to try".to_owned()]));
    let no_probe = empty.lock(&["verify"], &[]);
    let text = String::from_utf8_lossy(&no_probe.stdout).into_owned();
    assert!(no_probe.status.code() == Some(2) && text.contains("$PROBE_ID is not set"), "{text}");
    for misuse in [&["verify", "--bucket", "other"][..], &["verify", "--config", "none.toml"], &["verify", "--what"]] {
        assert_eq!(empty.lock(misuse, &[]).status.code(), Some(2), "{misuse:?}");
    }
}

#[test]
fn a_backend_that_does_not_take_the_policy_is_as_it_was() {
    let admin = seaweedfs(SeaweedFs::ADMIN);
    bucket(&admin, "lock-foreign");
    let all = format!("[lock]\nsts_endpoint = \"{}\"", admin.url);
    refused(&Place::new(&admin, "lock-foreign", &all).lock(&["apply", "--yes"], &[]), "leave it out of `documents`");
    let lock = format!("[lock]\ndocuments = [\"policy\"]\nsts_endpoint = \"{}\"", admin.url);
    let place = Place::new(&admin, "lock-foreign", &lock);
    let printed = said(&place.lock(&["print", "--document", "policy"], &[]));
    assert!(printed.contains("\"arn:aws:iam::000000000000:user/admin\""), "STS says who we are: {printed}");
    refused(&place.lock(&["apply", "--yes"], &[]), "everything is as it was before");
    let none = support::aws_cli().run(&admin, ["s3api", "get-bucket-policy", "--bucket", "lock-foreign"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("NoSuchBucketPolicy"));
}

#[test]
fn nobody_is_guessed() {
    bucket(&localstack(), "lock-nobody");
    let place = |lock: &str| Place::new(&localstack(), "lock-nobody", lock);
    refused(&place("[lock]").lock(&["print"], &[]), "set `principals` in [lock]");
    let sts = format!("[lock]\nsts_endpoint = \"{}\"", localstack().url);
    refused(&place(&sts).lock(&["print"], &[]), "arn:aws:iam::000000000000:root, whom a bucket policy cannot name");
    let declared = format!("[lock]\nprincipals = [\"{ROLE}\"]");
    refused(&place(&declared).lock(&["apply", "--yes"], &[]), "--caller");
    let stated = ["apply", "--yes", "--caller", "arn:aws:iam::000000000000:user/ada"];
    refused(&place(&declared).lock(&stated, &[]), "would lock out who applies it");
    let (declared, sts) =
        (format!("{declared}\nbreak_glass = [\"{BREAK_GLASS}\"]"), format!("sts_endpoint = \"{}\"", localstack().url));
    refused(&place(&format!("{declared}\n{sts}")).lock(&["apply", "--yes"], &[]), "000000000000:root: it leaves in");
}

/// The credential of a session of the break-glass role, as environment variables.
fn break_glass() -> Vec<(&'static str, String)> {
    let args = ["sts", "assume-role", "--role-arn", BREAK_GLASS, "--role-session-name", "ada"];
    let told: Value = serde_json::from_str(&aws(&localstack(), &args)).unwrap();
    let of = |name: &str| told["Credentials"][name].as_str().unwrap().to_owned();
    vec![
        ("AWS_ACCESS_KEY_ID", of("AccessKeyId")),
        ("AWS_SECRET_ACCESS_KEY", of("SecretAccessKey")),
        ("AWS_SESSION_TOKEN", of("SessionToken")),
    ]
}

/// A stored document of a bucket of LocalStack.
fn stored(document: &str, inside: &str) -> Option<Value> {
    let output = support::aws_cli().run(&localstack(), ["s3api", document, "--bucket", inside]);
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn documents_are_put_kept_found_changed_and_put_back() {
    let inside = "lock-stored";
    bucket(&localstack(), inside);
    aws(&localstack(), &["s3api", "delete-public-access-block", "--bucket", inside]);
    aws(&localstack(), &["s3api", "delete-bucket-ownership-controls", "--bucket", inside]);
    let old = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::lock-stored/*"}]}"#;
    aws(&localstack(), &["s3api", "put-bucket-policy", "--bucket", inside, "--policy", old]);
    let lock = format!(
        "[lock]\nprincipals = [\"{ROLE}\"]\nbreak_glass = [\"{BREAK_GLASS}\"]\nversioning = \"enabled\"\n\
         object_lock = \"off\"\nsts_endpoint = \"{}\"",
        localstack().url
    );
    let place = Place::new(&localstack(), inside, &lock);
    let session = break_glass();
    let env: Vec<(&str, &str)> = session.iter().map(|(name, value)| (*name, value.as_str())).collect();

    refused(&place.lock(&["apply", "--environment"], &env), "--yes");
    let applied = said(&place.lock(&["apply", "--environment", "--yes"], &env));
    assert!(
        applied.contains("-       \"Effect\": \"Allow\"") && applied.contains("+         \"ArnNotEquals\""),
        "{applied}"
    );
    let policy: Value =
        serde_json::from_str(stored("get-bucket-policy", inside).unwrap()["Policy"].as_str().unwrap()).unwrap();
    let printed: Value = serde_json::from_str(&said(&place.lock(&["print"], &[]))).unwrap();
    assert_eq!(policy, printed["traces"]["policy"]);
    let block = stored("get-public-access-block", inside).unwrap();
    assert_eq!(block["PublicAccessBlockConfiguration"], printed["traces"]["public_access_block"]);
    let controls = stored("get-bucket-ownership-controls", inside).unwrap();
    assert_eq!(controls["OwnershipControls"], printed["traces"]["ownership_controls"]);
    assert!(said(&place.lock(&["apply", "--environment", "--yes"], &env)).contains("nothing to change"));

    // LocalStack lets everybody in, whatever its documents say: only the probes find out.
    let probe = AccessKey { id: "other", secret: "other" };
    let (code, bad) = place.verify(probe);
    assert_eq!((code, bad.len()), (Some(1), 1 + 5 + 5), "{bad:?}");
    assert_eq!(bad[0], "open versioning");
    aws(
        &localstack(),
        &["s3api", "put-bucket-versioning", "--bucket", inside, "--versioning-configuration", "Status=Enabled"],
    );
    aws(&localstack(), &["s3api", "put-bucket-policy", "--bucket", inside, "--policy", old]);
    let drifted = place.lock(&["verify"], &[("PROBE_ID", "other"), ("PROBE_SECRET", "other")]);
    let text = String::from_utf8_lossy(&drifted.stdout).into_owned();
    assert!(text.contains("OPEN      bucket policy") && text.contains("+         \"ArnNotEquals\""), "{text}");
    assert!(text.contains("verified  versioning: enabled, as declared"), "{text}");

    said(&place.lock(&["apply", "--environment", "--yes"], &env));
    let kept = oldest_kept(place.dir.path());
    let file = kept.file_name().unwrap().to_str().unwrap();
    said(&place.lock(&["restore", file, "--environment", "--yes"], &env));
    let policy = stored("get-bucket-policy", inside).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(policy["Policy"].as_str().unwrap()).unwrap(),
        serde_json::from_str::<Value>(old).unwrap()
    );
    for document in ["get-public-access-block", "get-bucket-ownership-controls"] {
        assert_eq!(stored(document, inside), None, "there was none before: {document}");
    }
}

fn oldest_kept(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("tracegate-lock-"));
    kept.min().expect("what was stored before is kept")
}

/// Runs `tracegate lock apply` in a terminal of its own, and types a line.
const AT_A_TERMINAL: &str = "import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], [sys.argv[2], 'lock', 'apply', '--environment'])
os.write(terminal, sys.argv[1].encode() + b'\\n')
try:
    while part := os.read(terminal, 4096):
        sys.stdout.buffer.write(part)
except OSError:
    pass
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";

#[test]
fn nothing_is_put_until_a_person_says_yes() {
    let inside = "lock-asked";
    bucket(&localstack(), inside);
    let lock = format!("[lock]\nprincipals = [\"{BREAK_GLASS}\"]\nsts_endpoint = \"{}\"", localstack().url);
    let place = Place::new(&localstack(), inside, &lock);
    let session = break_glass();
    for (answer, code) in [("y", 1), ("", 1), ("yes", 0)] {
        assert_eq!(stored("get-bucket-policy", inside), None, "before {answer:?}");
        let mut python = Command::new(support::install::python());
        without_own_settings(&mut python);
        python.args(["-c", AT_A_TERMINAL, answer, env!("CARGO_BIN_EXE_tracegate")]).current_dir(place.dir.path());
        let output = python.envs(session.iter().map(|(name, value)| (name, value))).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(code) && text.contains("Put this in place?"), "{answer:?}: {text}");
    }
    assert!(stored("get-bucket-policy", inside).is_some());
}

/// Puts everything that `serve` needs into a folder, with a lock that it requires.
fn set_up(work: &Path, inside: &str, ports: [u16; 2]) {
    let lock = format!("{PROBES_ONLY}\nrequire = true");
    let configuration = configuration(&seaweedfs(SeaweedFs::ADMIN), inside, &lock, ports);
    std::fs::write(work.join("tracegate.toml"), configuration).unwrap();
    std::fs::write(work.join("secret"), SeaweedFs::ADMIN.secret).unwrap();
    std::fs::create_dir(work.join("policies")).unwrap();
    for entry in std::fs::read_dir(repository().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            std::fs::copy(&path, work.join("policies").join(path.file_name().unwrap())).unwrap();
        }
    }
    said(&tracegate(work).arg("init").output().unwrap());
}

fn of_the_probe() -> Vec<(&'static str, std::ffi::OsString)> {
    vec![("PROBE_ID", SeaweedFs::READER.id.into()), ("PROBE_SECRET", SeaweedFs::READER.secret.into())]
}

#[test]
fn a_facade_that_requires_the_lock_does_not_serve_an_open_bucket() {
    let admin = seaweedfs(SeaweedFs::ADMIN);
    aws(&admin, &["s3api", "put-object", "--bucket", SeaweedFs::READABLE_BUCKET, "--key", "of-the-lock"]);
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path(), SeaweedFs::READABLE_BUCKET, free_ports());
    let output = tracegate(dir.path()).arg("serve").envs(of_the_probe()).output().unwrap();
    refused(&output, "GetObject, by another identity: was let in");
    let unknown = tracegate(dir.path()).arg("serve").output().unwrap();
    refused(&unknown, "$PROBE_ID is not set");
}

#[test]
fn a_facade_that_requires_the_lock_serves_a_locked_bucket_and_says_so() {
    bucket(&seaweedfs(SeaweedFs::ADMIN), "lock-served");
    let recipe = |work: &Path, ports: [u16; 2]| {
        set_up(work, "lock-served", ports);
        let program = env!("CARGO_BIN_EXE_tracegate").into();
        Recipe { program, args: vec!["serve".into()], env: of_the_probe() }
    };
    let ready = |[_, admin]: [u16; 2]| {
        http::get(&format!("http://127.0.0.1:{admin}/readyz")).is_ok_and(|answer| answer.status == 200)
    };
    let (server, [_, admin]) = Server::start("locked", recipe, ready);
    let metrics = http::get(&format!("http://127.0.0.1:{admin}/metrics")).unwrap().text();
    assert!(metrics.contains("tracegate_lock_verified{bucket=\"traces\"} 1"), "{metrics}");
    let mut query = tracegate(server.work());
    let rows = query.args(["audit", "query", "--log", "log", "--json", "--kind", "admin.lock"]).output().unwrap();
    let rows = said(&rows);
    assert!(rows.contains("traces: verified"), "{rows}");
}
