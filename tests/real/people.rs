//! Who asks, and how: tokens of the people of both providers, requests by curl, scripts with boto3.

use std::collections::HashMap;
use std::path::Path;
use std::process::Output;
use std::sync::{Mutex, OnceLock};

use serde_json::Value;

use crate::support::clients::{curl_with, said};
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::http::{self, Answer};
use crate::support::{self, seed};

/// The façade in front of a bucket that all tests share which change nothing about it.
pub(crate) fn facade(backend: Backend) -> &'static Facade {
    static LOCALSTACK: OnceLock<Facade> = OnceLock::new();
    static SEAWEEDFS: OnceLock<Facade> = OnceLock::new();
    static MEMORY: OnceLock<Facade> = OnceLock::new();
    let shared = match backend {
        Backend::LocalStack => &LOCALSTACK,
        Backend::SeaweedFs => &SEAWEEDFS,
        Backend::Memory => &MEMORY,
    };
    shared.get_or_init(|| Facade::start(&Settings::of(backend)))
}

/// A token of the first provider: of a person, or of the machine `ci`. One login each.
pub(crate) fn token(user: &str) -> String {
    static KNOWN: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap();
    let known = known.get_or_insert_default();
    let log_in = || match user {
        "ci" => support::oidc_provider().machine_token(),
        _ => support::oidc_provider().token(user),
    };
    known.entry(user.to_owned()).or_insert_with(log_in).clone()
}

/// The header that bears a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// One request by curl, as written: `options` are curl's own, `target` begins behind the host.
pub(crate) fn ask(base: &str, options: &[&str], target: &str) -> Answer {
    curl_asks(&[], base, options, target)
}

/// The same at the façade's own [`Facade::url`], whose authority curl knows by `CURL_CA_BUNDLE`.
pub(crate) fn ask_at(facade: &Facade, options: &[&str], target: &str) -> Answer {
    curl_asks(&[("CURL_CA_BUNDLE", &facade.ca())], &facade.url(), options, target)
}

fn curl_asks(env: &[(&str, &Path)], base: &str, options: &[&str], target: &str) -> Answer {
    let url = format!("{base}{target}");
    let always = ["--include", "--path-as-is", "--globoff", "--max-time", "100"];
    let output = curl_with(env, always.iter().copied().chain(options.iter().copied()).chain([url.as_str()]));
    // 18, and 92 over HTTP/2, is a body that was cut; the head came all the same.
    assert!(matches!(output.status.code(), Some(0 | 18 | 92)), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    http::parse(&output.stdout).unwrap_or_else(|| panic!("{target}: no HTTP answer"))
}

/// One request of a person at [`Facade::url`], with a bearer token. What they get holds no secret, unless they are one of
/// those whose role shows some: alice sees the models' prompts, `ci` reads a bucket without masks.
pub(crate) fn ask_as(facade: &Facade, user: &str, options: &[&str], target: &str) -> Answer {
    let authorization = bearer(&token(user));
    let answer = ask_at(facade, &[&["--header", &authorization], options].concat(), target);
    if !matches!(user, "alice" | "ci") {
        assert_hides(&format!("{user} {target}"), &answer.body);
        for (name, value) in answer.headers() {
            assert_hides(&format!("{user} {target} {name}"), value.as_bytes());
        }
    }
    answer
}

/// The XML code of an error.
pub(crate) fn code(answer: &Answer) -> String {
    let text = answer.text();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or(text.clone(), |(code, _)| code.to_owned())
}

/// A session, as the credentials door gives it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// `AWS_ACCESS_KEY_ID`
    pub(crate) id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub(crate) secret: String,
    /// `AWS_SESSION_TOKEN`
    pub(crate) token: String,
}

impl Session {
    /// Opens one with a token.
    pub(crate) fn open(facade: &Facade, token: &str) -> Self {
        Self::open_at(facade, token, "/-/credentials")
    }

    /// Opens one in that role, of those that the token has.
    pub(crate) fn open_as(facade: &Facade, token: &str, role: &str) -> Self {
        Self::open_at(facade, token, &format!("/-/credentials/{role}"))
    }

    fn open_at(facade: &Facade, token: &str, door: &str) -> Self {
        let answer = ask_at(facade, &["--header", &bearer(token)], door);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        Self { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: text("Token") }
    }

    /// What an SDK reads from the environment, at that address.
    pub(crate) fn env<'a>(&'a self, url: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", "tracegate"),
            ("AWS_DEFAULT_REGION", "tracegate"),
            ("AWS_ACCESS_KEY_ID", &self.id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
            ("AWS_SESSION_TOKEN", &self.token),
        ]
    }
}

/// Runs a script with boto3 (`s3` is a client) in this session and reads the JSON that it prints.
pub(crate) fn script(facade: &Facade, session: &Session, text: &str) -> Value {
    let output = run_script(facade, session, text);
    serde_json::from_str(&said(&output)).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// The same, for scripts that may fail.
pub(crate) fn run_script(facade: &Facade, session: &Session, text: &str) -> Output {
    let head = "import boto3, botocore, json, os\n\
        from botocore.config import Config\n\
        once = Config(retries={'total_max_attempts': 1})\n\
        s3 = boto3.client('s3', config=once)\n\
        def code(call, **arguments):\n\
        \x20   try:\n\
        \x20       call(**arguments)\n\
        \x20       return 'none'\n\
        \x20   except botocore.exceptions.ClientError as error:\n\
        \x20       return error.response['Error']['Code']\n";
    let (url, ca) = (facade.url(), facade.ca());
    let mut env = session.env(&url);
    env.push(("AWS_CA_BUNDLE", ca.to_str().unwrap()));
    support::python_clients().run(&format!("{head}{text}"), &env)
}

/// No secret of the samples stands in these bytes, but those that no profile hides.
pub(crate) fn assert_hides(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (at, _) in text.match_indices(seed::PLANTED) {
        assert!(
            text[..at].ends_with(seed::SHOWN),
            "{place} shows a planted secret at byte {at}: {}",
            excerpt(&text, at)
        );
    }
}

fn excerpt(text: &str, at: usize) -> String {
    text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().chain(text[at..].chars().take(40)).collect()
}

/// Keys of a bucket by the files behind them, in S3's order (of bytes).
pub(crate) fn keys(facade: &Facade, bucket: &str) -> Vec<String> {
    let root = facade.seeded(bucket);
    let (mut open, mut keys) = (vec![root.clone()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                keys.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    keys.sort();
    keys
}

/// A key as it stands in a URL.
pub(crate) fn path(bucket: &str, key: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');
    format!("/{bucket}/{}", percent_encoding::utf8_percent_encode(key, &KEPT))
}
