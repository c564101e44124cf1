//! The façade as its users run it: the binary, with a configuration, policies, keys, a certificate and a log in a folder
//! of its own, in front of one of the buckets.
//!
//! The buckets `traces` (redacted by the example policies) and `plain` (not redacted) hold what [`super::seed`] writes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::authority::{Authority, Files};
use super::clients::{said, without_own_settings};
use super::localstack::LocalStack;
use super::seaweedfs::SeaweedFs;
use super::server::{Recipe, Server};
use super::{AccessKey, http, install, seed};

/// How long it may take to end or to obey.
const PATIENCE: Duration = Duration::from_secs(40);
/// What the buckets are called at the backend: otherwise than outside, so that names are seen to be translated.
const INSIDE: [(&str, &str); 2] = [("traces", "real-traces"), ("plain", "real-plain")];

/// The bucket behind a façade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// LocalStack, which checks no signature.
    LocalStack,
    /// SeaweedFS, which does.
    SeaweedFs,
    /// The one that is built in.
    Memory,
}

impl Backend {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::LocalStack, Self::SeaweedFs, Self::Memory];

    /// Endpoint, region and the key that may do everything; `None` where it is no server.
    fn server(self) -> Option<(&'static str, &'static str, AccessKey)> {
        match self {
            Self::LocalStack => Some((&super::localstack().endpoint, LocalStack::REGION, LocalStack::KEY)),
            Self::SeaweedFs => Some((&super::seaweedfs().https, SeaweedFs::REGION, SeaweedFs::ADMIN)),
            Self::Memory => None,
        }
    }

    /// Who signed its certificate; `None` where it speaks plain HTTP.
    fn authority(self) -> Option<&'static Path> {
        match self {
            Self::SeaweedFs => Some(&super::seaweedfs().ca),
            Self::LocalStack | Self::Memory => None,
        }
    }

    /// The secret that the façade holds for it.
    pub(crate) fn secret(self) -> Option<&'static str> {
        self.server().map(|(_, _, key)| key.secret)
    }
}

/// Where the façade's own credential comes from.
#[derive(Debug, Clone)]
pub(crate) enum Upstream {
    /// Its configuration names the key that may do everything.
    Configured,
    /// The same with this secret, which is not the right one.
    Mistaken(&'static str),
    /// Its configuration names none: AWS's default chain finds one by these variables.
    Chain(Vec<(&'static str, String)>),
}

/// What a façade of a test has otherwise than others.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What is behind it.
    pub(crate) backend: Backend,
    /// Where the façade looks for that, if not there: a server of the test's own, over plain HTTP, in between or, with
    /// [`Backend::Memory`], in its place.
    pub(crate) through: Option<String>,
    /// As whom it reads there.
    pub(crate) upstream: Upstream,
    /// Issuers, by the names that its policies know: `demo` and `second`.
    pub(crate) issuers: Vec<(&'static str, String)>,
    /// Time that requests in flight have when it stops.
    pub(crate) drain: &'static str,
    /// Roles besides those of the examples: each one's name and file.
    pub(crate) roles: Vec<(&'static str, String)>,
    /// More of `_global.toml`.
    pub(crate) global: &'static str,
    /// Objects besides those of [`seed`]: bucket and key as one path, and bytes.
    pub(crate) objects: Vec<(String, Vec<u8>)>,
    /// Buckets besides those of [`seed`], empty at first.
    pub(crate) buckets: Vec<EmptyBucket>,
}

/// A bucket that begins empty, under the same name outside and behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmptyBucket {
    pub(crate) name: &'static str,
    /// Whether it keeps versions.
    pub(crate) versioned: bool,
}

impl Settings {
    /// Both providers, and everything right.
    pub(crate) fn of(backend: Backend) -> Self {
        let second = ("second", super::second_provider().issuer.clone());
        let mut settings = Self::with_one_provider(backend);
        settings.issuers.push(second);
        settings
    }

    /// The first provider alone, and everything right.
    pub(crate) fn with_one_provider(backend: Backend) -> Self {
        let issuers = vec![("demo", super::oidc_provider().issuer.clone())];
        Self {
            backend,
            through: None,
            upstream: Upstream::Configured,
            issuers,
            drain: "30s",
            roles: Vec::new(),
            global: "",
            objects: Vec::new(),
            buckets: Vec::new(),
        }
    }

    /// Endpoint, region and key that the façade is told; `None` where its bucket is built in.
    fn server(&self) -> Option<(&str, &'static str, AccessKey)> {
        match (&self.through, self.backend.server()) {
            (Some(through), Some((_, region, key))) => Some((through, region, key)),
            (Some(through), None) => Some((through, SeaweedFs::REGION, SeaweedFs::ADMIN)),
            (None, server) => server,
        }
    }

    /// Who signed the certificate of that endpoint.
    fn authority(&self) -> Option<&'static Path> {
        self.backend.authority().filter(|_| self.through.is_none())
    }
}

/// The machine's role that reads `plain`.
const EXPORTER: &str = "version = 1\n[role]\nname = \"exporter\"\ndescription = \"Reads the bucket without traces\"\n\
    owner = \"tests@acme.example\"\nmax_session = \"12h\"\n\
    [[bind]]\nissuer = \"demo\"\nclaims = { groups = [\"svc-ci\"] }\n\
    [[allow]]\nid = \"read\"\nactions = [\"get\", \"list\"]\npaths = [\"plain/*\"]\n";

/// A running façade.
#[derive(Debug)]
pub(crate) struct Facade {
    server: Server,
    ports: [u16; 3],
    backend: Backend,
    env: Vec<(&'static str, OsString)>,
    /// A static token of the role `compliance-auditor`.
    pub(crate) static_token: String,
}

impl Facade {
    /// Sets one up, starts it and waits until it is ready.
    pub(crate) fn start(settings: &Settings) -> Self {
        let env: Vec<(&'static str, OsString)> = match &settings.upstream {
            Upstream::Chain(env) => env.iter().map(|(name, value)| (*name, value.into())).collect(),
            Upstream::Configured | Upstream::Mistaken(_) => Vec::new(),
        };
        let set_up = |work: &Path, ports: [u16; 3]| {
            set_up(work, ports, settings);
            recipe(work, &env)
        };
        let mistaken = matches!(settings.upstream, Upstream::Mistaken(_));
        let (server, ports) = Server::start("facade", set_up, |ports| mistaken && lives(ports) || ready(ports));
        let static_token = std::fs::read_to_string(server.work().join("nightly.token")).unwrap().trim().to_owned();
        Self { server, ports, backend: settings.backend, env, static_token }
    }

    /// Where the tests come to it that do not say how: over HTTPS in front of a server, over plain HTTP otherwise.
    pub(crate) fn url(&self) -> String {
        match self.backend {
            Backend::LocalStack | Backend::SeaweedFs => self.https(),
            Backend::Memory => self.http(),
        }
    }

    /// Its address over plain HTTP, without a slash at the end.
    pub(crate) fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Its address over HTTPS, which [`Self::ca`] proves.
    pub(crate) fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[1])
    }

    /// The authority that signed the certificate of its HTTPS address.
    pub(crate) fn ca(&self) -> PathBuf {
        Files::of(self.work()).ca
    }

    /// The folder with everything of it.
    pub(crate) fn work(&self) -> &Path {
        self.server.work()
    }

    /// What lies in a bucket, as files: one per key.
    pub(crate) fn seeded(&self, bucket: &str) -> PathBuf {
        self.work().join("seed").join(bucket)
    }

    /// The metrics, as text.
    pub(crate) fn metrics(&self) -> String {
        http::get(&format!("http://127.0.0.1:{}/metrics", self.ports[2])).unwrap().text()
    }

    /// The answer of the admin listener to a path.
    pub(crate) fn admin(&self, path: &str) -> http::Answer {
        http::get(&format!("http://127.0.0.1:{}{path}", self.ports[2])).unwrap()
    }

    /// What it has said on its standard output and error since it was started.
    pub(crate) fn said(&self) -> String {
        let log = std::fs::read(self.work().with_extension("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// `tracegate ARGS` in its folder.
    pub(crate) fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// `tracegate` in its folder, ready to be run or altered.
    pub(crate) fn command(&self) -> Command {
        command(self.work())
    }

    /// Rows of its log that match every condition of `tracegate audit query`.
    pub(crate) fn rows(&self, conditions: &[&str]) -> Vec<Value> {
        let lines = said(&self.run([&["audit", "query", "--json", "--log", "log"], conditions].concat()));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Rows of its log once there are as many, in time for whatever closes after the client has its answer.
    pub(crate) fn rows_once(&self, conditions: &[&str], enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let rows = self.rows(conditions);
            if enough(&rows) {
                return rows;
            }
            assert!(start.elapsed() < PATIENCE, "the log never showed {conditions:?} as it should: {rows:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Revokes as an operator does.
    pub(crate) fn revoke(&self, target: &[&str]) {
        said(
            &self.run(
                [&["revoke", "--config", "tracegate.toml", "--reason", "a test", "--by", "tests"], target].concat(),
            ),
        );
    }

    /// Sends its process a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.work().join("pid")).unwrap();
        let sent = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status().unwrap();
        assert!(sent.success(), "kill -{name} {pid}");
    }

    /// Waits until its process has ended by itself, and answers its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.server.ended(PATIENCE)
    }

    /// Starts it anew in the same folder, with the same ports, after it [ended](Self::ended).
    pub(crate) fn restart(&mut self) {
        let ports = self.ports;
        let recipe = recipe(self.server.work(), &self.env);
        self.server.restart(&recipe, || ready(ports));
    }
}

fn lives([_, _, admin]: [u16; 3]) -> bool {
    http::get(&format!("http://127.0.0.1:{admin}/healthz")).is_ok_and(|answer| answer.status == 200)
}

fn ready([_, _, admin]: [u16; 3]) -> bool {
    http::get(&format!("http://127.0.0.1:{admin}/readyz")).is_ok_and(|answer| answer.status == 200)
}

/// The binary, in its folder; the shell before it only writes down its process id.
fn recipe(work: &Path, env: &[(&'static str, OsString)]) -> Recipe {
    let script = "echo $$ > pid && exec \"$0\" serve --config tracegate.toml";
    let args = vec!["-c".into(), script.into(), env!("CARGO_BIN_EXE_tracegate").into()];
    Recipe { program: "sh".into(), args, env: [&[("HOME", work.into())], env].concat() }
}

fn command(work: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracegate"));
    without_own_settings(&mut command);
    command.current_dir(work).env("HOME", work);
    command
}

fn set_up(work: &Path, ports: [u16; 3], settings: &Settings) {
    seed::write(&work.join("seed"));
    for (path, bytes) in &settings.objects {
        let file = work.join("seed").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    if let Some((endpoint, region, key)) = settings.backend.server() {
        fill(settings.backend, &work.join("seed"), endpoint, region, key);
        if !settings.buckets.is_empty() {
            let mut env = vec![
                ("AWS_ENDPOINT_URL", endpoint),
                ("AWS_DEFAULT_REGION", region),
                ("AWS_ACCESS_KEY_ID", key.id),
                ("AWS_SECRET_ACCESS_KEY", key.secret),
            ];
            env.extend(settings.backend.authority().map(|ca| ("AWS_CA_BUNDLE", ca.to_str().unwrap())));
            make(&settings.buckets, &env);
        }
    }
    policies(work, &settings.roles, settings.global);
    Authority::new("the authority of the façade").issue(work);
    if let Some(ca) = settings.authority() {
        std::fs::copy(ca, work.join("backend-ca.pem")).unwrap();
    }
    std::fs::write(work.join("tracegate.toml"), configuration(ports, settings)).unwrap();
    let secret = match settings.upstream {
        Upstream::Configured => settings.server().map(|(_, _, key)| key.secret),
        Upstream::Mistaken(secret) => Some(secret),
        Upstream::Chain(_) => None,
    };
    if let Some(secret) = secret {
        std::fs::write(work.join("upstream.secret"), secret).unwrap();
    }
    said(&command(work).args(["init", "--config", "tracegate.toml"]).output().unwrap());
    said(&command(work).args(["check", "--config", "tracegate.toml"]).output().unwrap());
}

/// The example policies, and what the tests need besides: the second provider's people in the same roles, a machine's
/// role that reads `plain`, and a static token.
fn policies(work: &Path, roles: &[(&'static str, String)], more: &str) {
    let (from, to) = (install::repository().join("policies"), work.join("policies"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    for (role, group) in [
        ("trace-owner", "trace-owners"),
        ("compliance-auditor", "sec-compliance"),
        ("support-engineer", "support"),
        ("data-scientist", "data-science"),
    ] {
        let file = to.join(format!("{role}.toml"));
        let bind = format!("\n[[bind]]\nissuer = \"second\"\nclaims = {{ groups = [\"{group}\"] }}\n");
        append(&file, &bind);
    }
    let exporter = ("exporter", EXPORTER.to_owned());
    let global = to.join("_global.toml");
    let mut text = std::fs::read_to_string(&global).unwrap();
    for (name, role) in roles.iter().chain([&exporter]) {
        std::fs::write(to.join(format!("{name}.toml")), role).unwrap();
        text = text.replace("files = [\n", &format!("files = [\n  \"{name}.toml\",\n"));
    }
    let text = text.replace("[issuers]\n", "[issuers]\nsecond = \"http://127.0.0.1:1\"\n");
    std::fs::write(&global, text + more).unwrap();
    let made =
        command(work).args(["token", "new", "--id", "nightly", "--role", "compliance-auditor"]).output().unwrap();
    std::fs::write(work.join("nightly.token"), said(&made)).unwrap();
    // What it says on standard error is to be pasted, below a line for the reader.
    let block = String::from_utf8(made.stderr).unwrap();
    append(&global, &format!("\n{}", &block[block.find("[[").expect("a block to paste")..]));
}

fn append(file: &Path, text: &str) {
    std::fs::write(file, std::fs::read_to_string(file).unwrap() + text).unwrap();
}

fn configuration(ports: [u16; 3], settings: &Settings) -> String {
    let [http, https, admin] = ports.map(|port| format!("127.0.0.1:{port}"));
    let backend = backend(settings);
    let buckets = INSIDE.map(|(name, inside)| match settings.server() {
        None => format!("[[bucket]]\nname = \"{name}\"\n"),
        Some(_) => format!("[[bucket]]\nname = \"{name}\"\nbackend = \"{inside}\"\n"),
    });
    let issuers = settings.issuers.iter().map(|(name, url)| {
        format!(
            "[[issuer]]\nname = \"{name}\"\nurl = \"{url}\"\naudiences = [\"tracegate\"]\n\
             immutable_claims = [\"namespace\", \"groups\"]\nname_claim = \"email\"\n"
        )
    });
    format!(
        "version = 1\n[listen]\nhttp = [\"{http}\"]\nhttps = [\"{https}\"]\nadmin = \"{admin}\"\n\
         [tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n[backend]\n{backend}{}{}\
         [policies]\ndir = \"policies\"\n[keys]\nfile = \"keys.toml\"\n[log]\ndir = \"log\"\nname = \"real\"\n\
         [control]\ndir = \"control\"\n[limits]\ndrain_timeout = \"{}\"\n[logging]\nlevel = \"debug\"\n",
        buckets.into_iter().chain(settings.buckets.iter().map(named)).collect::<String>(),
        issuers.collect::<String>(),
        settings.drain,
    )
}

fn named(bucket: &EmptyBucket) -> String {
    format!("[[bucket]]\nname = \"{}\"\n", bucket.name)
}

/// Makes the buckets that begin empty.
fn make(buckets: &[EmptyBucket], env: &[(&str, &str)]) {
    let script = "import boto3, json, os\n\
        s3 = boto3.client('s3')\n\
        for name, versioned in json.loads(os.environ['EMPTY']):\n\
        \x20   s3.create_bucket(Bucket=name)\n\
        \x20   if versioned:\n\
        \x20       s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={'Status': 'Enabled'})\n";
    let all: Vec<(&str, bool)> = buckets.iter().map(|bucket| (bucket.name, bucket.versioned)).collect();
    let all = serde_json::json!(all).to_string();
    let env: Vec<(&str, &str)> = env.iter().copied().chain([("EMPTY", all.as_str())]).collect();
    said(&super::python_clients().run(script, &env));
}

/// The block `[backend]`, without its heading.
fn backend(settings: &Settings) -> String {
    let Some((endpoint, region, key)) = settings.server() else {
        return "kind = \"memory\"\nseed = \"seed\"\n".to_owned();
    };
    let credential = match settings.upstream {
        Upstream::Chain(_) => String::new(),
        Upstream::Configured | Upstream::Mistaken(_) => {
            format!("access_key_id = \"{}\"\nsecret_access_key_file = \"upstream.secret\"\n", key.id)
        }
    };
    let ca = settings.authority().map_or("", |_| "ca = \"backend-ca.pem\"\n");
    format!("kind = \"s3\"\nendpoint = \"{endpoint}\"\nregion = \"{region}\"\naddressing = \"path\"\n{credential}{ca}")
}

/// Puts the seed into a server's buckets, once per server.
fn fill(backend: Backend, seed: &Path, endpoint: &str, region: &str, key: AccessKey) {
    static FILLED: std::sync::Mutex<Vec<Backend>> = std::sync::Mutex::new(Vec::new());
    let mut filled = FILLED.lock().unwrap();
    if !filled.contains(&backend) {
        pour(backend, seed, endpoint, region, key);
        filled.push(backend);
    }
}

/// Makes the buckets there, and puts the seed into them.
pub(crate) fn pour(backend: Backend, seed: &Path, endpoint: &str, region: &str, key: AccessKey) {
    let script = "import boto3, json, os, sys\n\
        s3 = boto3.client('s3')\n\
        types = {'.jsonl': 'application/x-ndjson', '.json': 'application/json', '.gz': 'application/gzip'}\n\
        for bucket, inside in json.loads(os.environ['BUCKETS']):\n\
        \x20   s3.create_bucket(Bucket=inside)\n\
        \x20   root = os.path.join(os.environ['SEED'], bucket)\n\
        \x20   for folder, _, names in os.walk(root):\n\
        \x20       for name in names:\n\
        \x20           path = os.path.join(folder, name)\n\
        \x20           kind = types.get(os.path.splitext(name)[1], 'text/plain')\n\
        \x20           body = open(path, 'rb').read()\n\
        \x20           s3.put_object(Bucket=inside, Key=os.path.relpath(path, root), Body=body, ContentType=kind)\n";
    let buckets = serde_json::json!(INSIDE).to_string();
    let mut env = vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", key.id),
        ("AWS_SECRET_ACCESS_KEY", key.secret),
        ("BUCKETS", &buckets),
        ("SEED", seed.to_str().unwrap()),
    ];
    env.extend(backend.authority().map(|ca| ("AWS_CA_BUNDLE", ca.to_str().unwrap())));
    said(&super::python_clients().run(script, &env));
}
