//! Every way in, with clients as they are sold: what a client gets is the same by every door, over HTTP and HTTPS.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::people::{Session, ask, ask_as, assert_hides, bearer, facade, token};
use crate::support::clients::{curl, said, without_own_settings};
use crate::support::facade::{Backend, Facade};
use crate::support::{self, server};

const KEY: &str = "model-B/2026/11/19/run-004421.json";
const REGION: [(&str, &str); 2] = [("AWS_REGION", "tracegate"), ("AWS_DEFAULT_REGION", "tracegate")];

/// A way in that SDKs know by their settings alone.
#[derive(Debug, Clone, Copy)]
enum Door {
    /// `AssumeRoleWithWebIdentity` at the endpoint itself.
    WebIdentity,
    /// `GET /-/credentials`.
    Container,
    /// `tracegate credentials`.
    Process,
    /// Keys in the environment.
    Environment,
}

#[derive(Debug, Clone, Copy)]
enum Client {
    AwsCli,
    Boto3,
}

#[test]
fn stock_clients_come_in_by_every_door_over_http_and_https() {
    let facade = facade(Backend::Memory);
    let folder = Folder(server::new_folder("doors"));
    let whole = ask_as(facade, "bob", &[], &format!("/traces/{KEY}")).text();
    for url in [facade.http(), facade.https()] {
        for door in [Door::WebIdentity, Door::Container, Door::Process, Door::Environment] {
            let settings = settings(facade, &folder.0, &url, door);
            for client in [Client::AwsCli, Client::Boto3] {
                let got = said(&fetch(client, facade, &settings));
                assert_eq!(got, whole, "{client:?} by {door:?} at {url}");
            }
        }
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The environment of a client: where it goes, and by which door.
fn settings(facade: &Facade, folder: &Path, url: &str, door: Door) -> Vec<(&'static str, String)> {
    let file = folder.join("bob.jwt");
    std::fs::write(&file, token("bob")).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let mut env = vec![("AWS_ENDPOINT_URL", url.to_owned())];
    env.extend(REGION.map(|(name, value)| (name, value.to_owned())));
    match door {
        Door::WebIdentity => {
            env.push(("AWS_WEB_IDENTITY_TOKEN_FILE", file));
            env.push(("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/compliance-auditor".to_owned()));
        }
        Door::Container => {
            // botocore asks this door with the authorities that it carries itself, whatever AWS_CA_BUNDLE says: with a
            // certificate of one's own, credentials come over loopback, objects over either.
            let door = format!("{}/-/credentials/compliance-auditor", facade.http());
            env.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI", door));
            env.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file));
        }
        Door::Process => {
            let binary = env!("CARGO_BIN_EXE_tracegate");
            let ca = facade.ca();
            let trust = if url.starts_with("https") { format!(" --ca {}", ca.display()) } else { String::new() };
            let profile = format!(
                "[default]\ncredential_process = {binary} credentials --endpoint {url} --token-file {file}{trust}\n"
            );
            let config = folder.join("config");
            std::fs::write(&config, profile).unwrap();
            env.push(("AWS_CONFIG_FILE", config.to_str().unwrap().to_owned()));
        }
        Door::Environment => {
            let session = Session::open(facade, &token("bob"));
            env.push(("AWS_ACCESS_KEY_ID", session.id));
            env.push(("AWS_SECRET_ACCESS_KEY", session.secret));
            env.push(("AWS_SESSION_TOKEN", session.token));
        }
    }
    env
}

fn fetch(client: Client, facade: &Facade, env: &[(&'static str, String)]) -> Output {
    let script = format!(
        "import boto3, sys\n\
         sys.stdout.buffer.write(boto3.client('s3').get_object(Bucket='traces', Key='{KEY}')['Body'].read())"
    );
    let mut command = match client {
        Client::AwsCli => {
            let mut command = Command::new(support::aws_cli().program());
            without_own_settings(&mut command);
            command.args(["s3", "cp", &format!("s3://traces/{KEY}"), "-"]);
            command
        }
        Client::Boto3 => {
            let mut command = Command::new(support::python_clients().python());
            without_own_settings(&mut command);
            command.args(["-c", &script]);
            command
        }
    };
    // A home of its own: the CLI keeps sessions in `~/.aws/cli/cache`.
    command.envs(env.iter().map(|(name, value)| (name, value))).env("AWS_CA_BUNDLE", facade.ca());
    command.env("HOME", facade.work()).output().unwrap()
}

#[test]
fn curl_comes_in_by_bearer_static_token_and_presigned_url() {
    let facade = facade(Backend::Memory);
    let whole = ask_as(facade, "bob", &[], &format!("/traces/{KEY}")).text();
    let ca = facade.ca();
    let trust = ["--cacert", ca.to_str().unwrap()];
    let (jwt, static_token) = (bearer(&token("bob")), bearer(&facade.static_token));
    let session = Session::open(facade, &token("bob"));
    for url in [facade.http(), facade.https()] {
        for (options, target) in [
            (vec!["--header", &jwt], format!("/traces/{KEY}")),
            (vec!["--header", &jwt, "--header", "x-tracegate-role: compliance-auditor"], format!("/traces/{KEY}")),
            (vec!["--header", &static_token], format!("/traces/{KEY}")),
            (vec![], presigned(&session, &url, 600)),
        ] {
            let answer = ask(&url, &[&trust[..], &options].concat(), &target);
            assert_eq!((answer.status, answer.text()), (200, whole.clone()), "{url} {options:?}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_hides(&url, &answer.body);
        }
    }
    let other = ask(&facade.http(), &["--header", &jwt, "--header", "x-tracegate-role: trace-owner"], "/traces");
    assert_eq!(other.status, 403, "{}", other.text());
    assert!(other.text().contains("compliance-auditor"), "says which role the token holds: {}", other.text());
}

/// `aws s3 presign`; what stands behind the host.
pub(crate) fn presigned(session: &Session, url: &str, seconds: u32) -> String {
    let seconds = seconds.to_string();
    let mut command = Command::new(support::aws_cli().program());
    without_own_settings(&mut command);
    command.args(["s3", "presign", &format!("s3://traces/{KEY}"), "--expires-in", &seconds]);
    let made = said(&command.envs(session.env(url)).output().unwrap());
    made.trim().strip_prefix(url).unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// As `tracegate token new > FILE` writes it. With a line's end, as an editor leaves it, neither client sends it.
#[test]
fn a_static_token_that_the_command_wrote_is_a_token_file() {
    let facade = facade(Backend::Memory);
    let folder = Folder(server::new_folder("token-file"));
    let made = std::fs::read_to_string(facade.work().join("nightly.token")).unwrap();
    let whole = ask_as(facade, "bob", &[], &format!("/traces/{KEY}")).text();
    let mut settings = settings(facade, &folder.0, &facade.http(), Door::Container);
    for (name, text, works) in [("as-made", made.clone(), true), ("edited", made + "\n", false)] {
        let file = folder.0.join(name);
        std::fs::write(&file, text).unwrap();
        settings.retain(|(name, _)| *name != "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        settings.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap().to_owned()));
        for client in [Client::AwsCli, Client::Boto3] {
            let fetched = fetch(client, facade, &settings);
            assert_eq!(fetched.status.success(), works, "{client:?}: {}", String::from_utf8_lossy(&fetched.stderr));
            assert!(!works || fetched.stdout == whole.as_bytes(), "{client:?}");
        }
    }
}

#[test]
fn everybody_can_ask_who_they_are() {
    let facade = facade(Backend::Memory);
    let me = ask_as(facade, "dave", &[], "/-/whoami");
    assert_eq!(me.status, 200, "{}", me.text());
    let me = me.json();
    assert_eq!((&me["subject"], &me["role"]), (&json!("dave"), &json!("data-scientist")), "{me}");
    assert_eq!(me["issuer"], support::oidc_provider().issuer, "{me}");
    assert!(me.to_string().contains("\"buckets\":[\"traces\"]"), "{me}");

    let session = Session::open(facade, &token("dave"));
    let mut command = Command::new(support::aws_cli().program());
    without_own_settings(&mut command);
    let command = command.args(["sts", "get-caller-identity", "--output", "json"]);
    let url = facade.http();
    let told: serde_json::Value =
        serde_json::from_str(&said(&command.envs(session.env(&url)).output().unwrap())).unwrap();
    let arn = told["Arn"].as_str().unwrap();
    assert!(arn.contains("assumed-role/data-scientist/"), "{told}");
    assert!(told["UserId"].as_str().unwrap().starts_with(&session.id) || told["UserId"].is_string(), "{told}");
}

#[test]
fn the_command_line_says_why_there_are_no_credentials() {
    let facade = facade(Backend::Memory);
    let folder = Folder(server::new_folder("no-role"));
    let file = folder.0.join("frank.jwt");
    std::fs::write(&file, token("frank")).unwrap();
    let refused = facade.run(["credentials", "--endpoint", &facade.http(), "--token-file", file.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("holds no role here"), "{error}");
    let untrusted = facade.run(["credentials", "--endpoint", &facade.https(), "--token-file", file.to_str().unwrap()]);
    assert!(!untrusted.status.success(), "a certificate that nobody trusts was believed");
    let untrusted = curl(["--max-time", "20", &format!("{}/-/whoami", facade.https())]);
    assert!(!untrusted.status.success(), "curl believed it");
}
