//! The façade's own way to the real bucket: by TLS with an authority of one's own, and with a credential from each link
//! of AWS's default chain. SeaweedFS checks signatures and expiry, and its STS is a real one.

use std::fmt::Write as _;
use std::process::Output;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::people::{ask_as, token};
use crate::support::clients::said;
use crate::support::cloud::{self, Cloud};
use crate::support::facade::{Backend, Facade, Settings, Upstream};
use crate::support::seaweedfs::SeaweedFs;
use crate::support::{self, AccessKey};

const KEY: &str = "/traces/model-B/2026/11/19/run-004421.json";
/// Has the right id only.
const WRONG: AccessKey = AccessKey { id: SeaweedFs::ADMIN.id, secret: "not-the-secret-of-the-bucket" };
const UNKNOWN: AccessKey = AccessKey { id: "AKIANOBODYNOBODYNOBO", secret: "the-secret-of-nobody" };

type Env = Vec<(&'static str, String)>;

/// A temporary credential of SeaweedFS's STS, as boto3 shows it; one for all tests here.
fn temporary() -> &'static Value {
    static GIVEN: OnceLock<Value> = OnceLock::new();
    GIVEN.get_or_init(|| {
        let script = "import boto3, json, os\n\
            given = boto3.client('sts').assume_role_with_web_identity(RoleArn=os.environ['ROLE'],\n\
            \x20   RoleSessionName='facade', WebIdentityToken=os.environ['TOKEN'])['Credentials']\n\
            given['Expiration'] = given['Expiration'].strftime('%Y-%m-%dT%H:%M:%SZ')\n\
            print(json.dumps(given))";
        let env = [
            ("AWS_ENDPOINT_URL", support::seaweedfs().endpoint.as_str()),
            ("AWS_DEFAULT_REGION", SeaweedFs::REGION),
            ("ROLE", SeaweedFs::ROLE),
            ("TOKEN", &token("bob")),
        ];
        serde_json::from_str(&said(&support::python_clients().run(script, &env))).unwrap()
    })
}

fn text(name: &str) -> String {
    temporary()[name].as_str().unwrap().to_owned()
}

/// The façade whose credential comes from the container that it runs in. Its configuration names none, so that its
/// folder serves the other links, too.
fn facade() -> &'static Facade {
    static SHARED: OnceLock<Facade> = OnceLock::new();
    SHARED.get_or_init(|| {
        let upstream = Upstream::Chain(container(cloud::AUTHORIZATION));
        Facade::start(&Settings { upstream, ..Settings::of(Backend::SeaweedFs) })
    })
}

fn metadata() -> &'static Cloud {
    static SHARED: OnceLock<Cloud> = OnceLock::new();
    SHARED.get_or_init(|| Cloud::start(temporary()))
}

fn container(authorization: &str) -> Env {
    vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}{}", metadata().url, cloud::CONTAINER)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", authorization.to_owned()),
    ]
}

fn instance() -> Env {
    vec![
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata().url.clone()),
    ]
}

fn environment(key: AccessKey) -> Env {
    vec![("AWS_ACCESS_KEY_ID", key.id.to_owned()), ("AWS_SECRET_ACCESS_KEY", key.secret.to_owned())]
}

/// A new file in the façade's folder.
fn file(text: &str) -> String {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let path = facade().work().join(format!("own-{number}"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The shared credentials file has this key in the profile `bucket`, and another in `default`.
fn credentials_file(key: AccessKey, profile: &str) -> Env {
    let mut text = String::new();
    for (name, key) in [("default", UNKNOWN), ("bucket", key)] {
        writeln!(text, "[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}", key.id, key.secret).unwrap();
    }
    vec![("AWS_SHARED_CREDENTIALS_FILE", file(&text)), ("AWS_PROFILE", profile.to_owned())]
}

/// The configuration file has a profile `bucket` of these lines.
fn config_file(lines: &str) -> Env {
    let path = file(&format!("[profile bucket]\n{lines}\n"));
    vec![("AWS_CONFIG_FILE", path), ("AWS_PROFILE", "bucket".to_owned()), sts()]
}

/// A file with what a `credential_process` prints: the temporary credential.
fn process_output() -> String {
    let mut given = temporary().clone();
    given["Version"] = 1.into();
    file(&given.to_string())
}

fn sts() -> (&'static str, String) {
    ("AWS_ENDPOINT_URL_STS", support::seaweedfs().endpoint.clone())
}

fn web_identity(token: &str) -> Env {
    let role = SeaweedFs::ROLE.to_owned();
    vec![("AWS_WEB_IDENTITY_TOKEN_FILE", file(token)), ("AWS_ROLE_ARN", role), sts()]
}

/// `tracegate check --online` with that environment. Nothing that it prints holds a secret.
fn check(what: &str, env: &Env) -> Output {
    let mut command = facade().command();
    command
        .args(["check", "--config", "tracegate.toml", "--online"])
        .envs(env.iter().map(|(name, value)| (name, value)));
    let done = command.output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    hides(what, &printed);
    done
}

fn hides(what: &str, printed: &str) {
    let (jwt, foreign) = (token("bob"), support::oidc_provider().token_for_another("bob"));
    let own = [text("SecretAccessKey"), text("SessionToken"), jwt, foreign];
    let fixed = [SeaweedFs::ADMIN.secret, WRONG.secret, UNKNOWN.secret, cloud::AUTHORIZATION];
    for secret in own.iter().map(String::as_str).chain(fixed) {
        assert!(!printed.contains(secret), "{what} shows a secret: {printed}");
    }
}

#[test]
fn a_facade_serves_with_the_credential_of_its_container() {
    let facade = facade();
    let got = ask_as(facade, "bob", &[], KEY);
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(facade.admin("/readyz").status, 200);
    hides("what the façade says", &facade.said());
}

#[test]
fn every_link_of_the_default_chain_finds_the_credential() {
    let temporary = vec![
        ("AWS_ACCESS_KEY_ID", text("AccessKeyId")),
        ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")),
        ("AWS_SESSION_TOKEN", text("SessionToken")),
    ];
    let token_file = file(&token("bob"));
    let process = format!("credential_process = cat {}", process_output());
    let by_role = format!("role_arn = {}\nweb_identity_token_file = {token_file}", SeaweedFs::ROLE);
    for (link, env) in [
        ("the environment", environment(SeaweedFs::ADMIN)),
        ("the environment, temporary", temporary),
        ("a profile of the credentials file", credentials_file(SeaweedFs::ADMIN, "bucket")),
        ("a profile of the configuration that assumes a role", config_file(&by_role)),
        ("a profile of the configuration that starts a process", config_file(&process)),
        ("web identity", web_identity(&token("bob"))),
        ("the container", container(cloud::AUTHORIZATION)),
        ("the instance", instance()),
    ] {
        let done = check(link, &env);
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{link}: {error}");
        let serves = String::from_utf8_lossy(&done.stdout);
        assert!(
            serves.contains("bucket traces answers") && serves.contains("bucket plain answers"),
            "{link}: {serves}"
        );
    }
}

#[test]
fn a_wrong_or_missing_credential_is_named_and_not_shown() {
    let refused = "the backend refused the façade's credential: 403";
    let foreign = support::oidc_provider().token_for_another("bob");
    let nowhere = vec![("AWS_PROFILE", "nowhere".to_owned())];
    let process = |command: &str| config_file(&format!("credential_process = {command}"));
    let printed = process(&format!("echo '{{\"SecretAccessKey\":\"{}\"}}'", WRONG.secret));
    let failing = process(&format!("echo {} >&2; exit 1", WRONG.secret));
    let sso = config_file("sso_session = acme\nsso_account_id = 111122223333\nsso_role_name = facade");
    let cut_off = vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/".to_owned())];
    let mut expired = environment(SeaweedFs::ADMIN);
    expired.push(("AWS_SESSION_TOKEN", "a-session-that-never-was".to_owned()));
    for (what, env, want) in [
        ("a wrong secret in the environment", environment(WRONG), format!("{refused} SignatureDoesNotMatch")),
        ("an unknown key in the environment", environment(UNKNOWN), format!("{refused} InvalidAccessKeyId")),
        ("a wrong secret in a profile", credentials_file(WRONG, "bucket"), format!("{refused} SignatureDoesNotMatch")),
        ("the wrong profile", credentials_file(SeaweedFs::ADMIN, "default"), format!("{refused} InvalidAccessKeyId")),
        ("a session that is none", expired, refused.to_owned()),
        ("nothing", vec![], "none was found in the environment, a profile".to_owned()),
        ("a profile that is not there", nowhere, "no credential for the backend".to_owned()),
        ("a process that prints no credential", printed, "its source failed, or refused".to_owned()),
        ("a process that fails", failing, "its source failed, or refused".to_owned()),
        ("a profile with single sign-on", sso, "`sso_session` and `login_session` are not read".to_owned()),
        ("a token for another", web_identity(&foreign), "its source failed, or refused".to_owned()),
        ("a container that refuses", container("Bearer guess"), "its source failed, or refused".to_owned()),
        ("a container that is not there", cut_off, "its source failed, or refused".to_owned()),
    ] {
        let done = check(what, &env);
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && error.contains(&want), "{what}: {error}");
        assert!(error.contains("error: bucket traces: ") && error.contains("façade"), "{what}: {error}");
    }
}

#[test]
fn only_the_authority_that_the_configuration_names_proves_the_backend() {
    let facade = facade();
    let right = std::fs::read_to_string(facade.work().join("tracegate.toml")).unwrap();
    let named = "ca = \"backend-ca.pem\"\n";
    assert!(right.contains("endpoint = \"https://") && right.contains(named), "{right}");
    for (name, written, works) in
        [("its own", named, true), ("another", "ca = \"ca.pem\"\n", false), ("the system's", "", false)]
    {
        let mut command = facade.command();
        command.args(["check", "--online", "--config", &file(&right.replace(named, written))]);
        let done = command.envs(environment(SeaweedFs::ADMIN)).output().unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.success(), works, "{name}: {error}");
        assert!(
            works || error.contains("it cannot be reached: invalid peer certificate: UnknownIssuer"),
            "{name}: {error}"
        );
    }
}
