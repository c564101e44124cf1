//! A façade that serves on loopback in this process, with its bucket and its log in the test's hands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tracegate::app::{self, App};
use tracegate::audit::journal::SpaceLeft;
use tracegate::audit::query::{self, Filter, QueryError, Reader, Row};
use tracegate::backend::faulty::{Fault, Faulty};
use tracegate::backend::memory::{Content, Memory};
use tracegate::config::{
    BackendConfig, Bounds, BucketConfig, Config, IssuerConfig, LogConfig, Logging, RenderingsConfig, TlsFiles,
};
use tracegate::identity::revocation_log::{Entry, Target};
use tracegate::keyring::{KeyRing, KeyState, RingKey, SecretKey, file};
use tracegate::limits;
use tracegate::s3::name::Bucket;

use super::issuer::{AUDIENCE, Issuer};
use super::signing::Session;
use super::wire::{self, Answer, Ask};

/// When the objects of the tests were last changed.
pub(crate) const CHANGED: &str = "2026-11-01T08:30:00Z";

const GLOBAL: &str = r#"
version = 1
files = [FILES]

[issuers]
test = "http://127.0.0.1:1"

[[redact]]
name = "pii"
paths = ["traces/*"]
fields = ["email"]
action = "mask"
reveal_to = [REVEALED]
show_metadata = ["run-id"]
show_tags = ["team"]

[[redact]]
name = "secrets"
paths = ["traces/*"]
fields = ["api_key"]
action = "mask"
reveal_to = [REVEALED]
show_metadata = ["run-id"]
show_tags = ["team"]
"#;

/// Roles, each bound to the group of its name: what they are called, their setting `presign`, their rules.
const ROLES: [(&str, &str, &str); 5] = [
    ("raw", "presign = \"1h\"", "actions = [\"get\", \"list\"]\npaths = [\"traces/*\", \"empty/*\"]"),
    ("masked", "presign = \"15m\"", "actions = [\"get\", \"list\"]\npaths = [\"traces/*\"]"),
    ("narrow", "", "actions = [\"get\", \"list\"]\npaths = [\"traces/narrow/*\"]"),
    ("reader", "", "actions = [\"get\"]\npaths = [\"traces/narrow/*\"]"),
    ("lister", "", "actions = [\"list\"]\npaths = [\"traces/narrow/*\"]"),
];

/// What a test wants otherwise.
#[derive(Default)]
pub(crate) struct Wish {
    /// More roles: the name and the text below `[role]`, `[[bind]]` and `[[allow]]`.
    pub(crate) roles: Vec<(&'static str, String)>,
    /// More of `_global.toml`.
    pub(crate) global: String,
    /// Roles beside `raw` to which nothing is masked.
    pub(crate) reveal_to: Vec<&'static str>,
    pub(crate) trusted_proxies: Vec<&'static str>,
    /// What becomes of the first calls to the backend, while it starts.
    pub(crate) cues: Vec<Fault>,
    /// When the log's disk has too little space.
    pub(crate) space: Option<SpaceLeft>,
    pub(crate) connections_per_address: Option<usize>,
    /// Time that a client has for its head, where not the default.
    pub(crate) header_timeout: Option<Duration>,
}

/// A running façade, on a thread of its own. Dropping it stops it and waits, so that its folder goes with nobody in it.
pub(crate) struct Facade {
    pub(crate) http: SocketAddr,
    /// Its certificate is `certificate.pem`, for `localhost`.
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) issuer: Issuer,
    pub(crate) bucket: Bucket,
    /// The bucket, which fails on cue.
    pub(crate) backend: Arc<Faulty<Arc<Memory>>>,
    pub(crate) dir: TempDir,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

/// The thread that serves.
struct Serving {
    http: SocketAddr,
    https: SocketAddr,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Serving {
    async fn start(config: Config, backend: Arc<Faulty<Arc<Memory>>>) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (tell, told) = oneshot::channel();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let app = App::start_with(config, backend).await?;
                tell.send(app.addresses()?).unwrap();
                app.run(stopped).await
            })
        });
        let Ok(addresses) = told.await else { return Err(served.join().unwrap().unwrap_err()) };
        let (http, https, admin) = (addresses.http[0], addresses.https[0], addresses.admin.unwrap());
        Ok(Self { http, https, admin, stop, served })
    }
}

impl Facade {
    pub(crate) async fn start() -> Self {
        Self::start_with(Wish::default()).await
    }

    pub(crate) async fn start_with(wish: Wish) -> Self {
        Self::try_start(wish).await.unwrap()
    }

    /// The same, or why it does not start.
    pub(crate) async fn try_start(wish: Wish) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().unwrap();
        let issuer = Issuer::start().await;
        policies(&dir.path().join("policies"), &wish);
        let ring = KeyRing::new(vec![key("one", KeyState::Active)]).unwrap();
        file::write(&dir.path().join("keys.toml"), &ring).unwrap();
        let ring = Arc::new(ArcSwap::from_pointee(ring));
        let revocations = app::revocation_log(&dir.path().join("control"), &ring).unwrap();
        revocations.found("tests", Timestamp::now()).await.unwrap();
        let bucket: Bucket = "traces".parse().unwrap();
        let memory = Arc::new(Memory::new());
        memory.create_bucket(&bucket);
        memory.create_bucket(&"empty".parse().unwrap());
        let backend = Arc::new(Faulty::new(memory));
        wish.cues.iter().for_each(|fault| backend.cue(fault.clone()));
        certificate(dir.path());
        let Serving { http, https, admin, stop, served } =
            Serving::start(config(dir.path(), &issuer, &wish), backend.clone()).await?;
        Ok(Self { http, https, admin, issuer, bucket, backend, dir, stop, served: Some(served) })
    }

    /// Stops it, and starts it anew over the same bucket, log and control store.
    pub(crate) async fn restart(&mut self) {
        self.halt().await;
        let config = config(self.dir.path(), &self.issuer, &Wish::default());
        let Serving { http, https, admin, stop, served } = Serving::start(config, self.backend.clone()).await.unwrap();
        (self.http, self.https, self.admin, self.stop, self.served) = (http, https, admin, stop, Some(served));
    }

    /// Stops it, and leaves its folder.
    pub(crate) async fn halt(&mut self) {
        self.stop.send_replace(true);
        let served = self.served.take().unwrap();
        tokio::task::spawn_blocking(|| served.join().unwrap().unwrap()).await.unwrap();
    }

    /// Puts an object of the tests' own time.
    pub(crate) fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.put_content(key, content(bytes));
    }

    pub(crate) fn put_content(&self, key: &str, content: Content) {
        self.backend.inner().put(&self.bucket, key, content);
    }

    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        wire::send(self.http, &ask).await
    }

    /// Sent with the token of somebody in that role.
    pub(crate) async fn as_role(&self, role: &str, ask: Ask) -> Answer {
        self.send(ask.bearer(&self.token(role))).await
    }

    /// A token of somebody who holds that role alone.
    pub(crate) fn token(&self, role: &str) -> String {
        self.issuer.token(&format!("{role}-person"), &[role])
    }

    /// A session in that role, from the credentials door.
    pub(crate) async fn session(&self, role: &str) -> Session {
        self.session_of(&self.token(role)).await
    }

    /// A session of whoever has that token, from the credentials door.
    pub(crate) async fn session_of(&self, token: &str) -> Session {
        let answer = self.send(Ask::get("/-/credentials").bearer(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Session { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: text("Token") }
    }

    /// A request to the façade by its own address, ready to be signed.
    pub(crate) fn ask(&self, method: &'static str, target: &str) -> Ask {
        Ask::new(method, target).with("host", self.http.to_string())
    }

    /// Revokes; the façade reads it within seconds.
    pub(crate) async fn revoke(&self, target: Target) {
        let ring = Arc::new(ArcSwap::from_pointee(file::read(&self.file("keys.toml")).unwrap()));
        let log = app::revocation_log(&self.file("control"), &ring).unwrap();
        let entry = Entry { target, before: Timestamp::now(), by: "tests".into(), reason: "a test".into() };
        log.append(&entry).await.unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Stops it, and reads what its log holds of requests and sessions.
    pub(crate) async fn stopped(mut self) -> Log {
        self.stop.send_replace(true);
        let served = self.served.take().unwrap();
        tokio::task::spawn_blocking(move || served.join()).await.unwrap().unwrap().unwrap();
        Log::read(&self.dir.path().join("log"))
    }

    /// What its log holds so far.
    pub(crate) fn log(&self) -> Log {
        Log::read(&self.file("log"))
    }
}

impl Drop for Facade {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // How it ended is the matter of tests that ask for it; others may have cut it off.
        if let Some(served) = self.served.take() {
            drop(served.join());
        }
    }
}

/// Waits until it holds.
pub(crate) async fn within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The entries of a log.
pub(crate) struct Log {
    /// Requests with their outcomes, sessions, refusals and policy changes; not what the log says of itself.
    pub(crate) rows: Vec<Row>,
    /// Every entry as it is written.
    pub(crate) entries: Vec<serde_json::Value>,
}

impl Log {
    fn read(dir: &Path) -> Self {
        let mut rows = Vec::new();
        query::query(dir, &mut Filter::default(), |row| {
            rows.push(row.clone());
            Ok::<_, QueryError>(())
        })
        .unwrap();
        rows.retain(|row| !row.kind.starts_with("log."));
        rows.sort_by_key(|row| row.seq);
        let (mut reader, mut entries) = (Reader::open(dir).unwrap(), Vec::new());
        while let Some(entry) = reader.next_entry().unwrap() {
            entries.push(serde_json::from_slice(&entry).unwrap());
        }
        Self { rows, entries }
    }

    /// The requests to S3: `operation path outcome status`, without those whose session came first.
    pub(crate) fn requests(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let rows = self.rows.iter().filter(|row| row.kind.starts_with("s3."));
        rows.map(|row| {
            let status = row.status.map_or("-".into(), |status| status.to_string());
            format!("{} {} {} {} {status}", row.kind, text(&row.op), text(&row.path), text(&row.outcome))
        })
        .collect()
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.kind == kind).collect()
    }

    pub(crate) fn entries_of(&self, kind: &str) -> Vec<&serde_json::Value> {
        self.entries.iter().filter(|entry| entry["kind"] == kind).collect()
    }
}

/// An object of the tests' own time.
pub(crate) fn content(bytes: impl Into<Vec<u8>>) -> Content {
    Content::new(bytes.into(), CHANGED.parse().unwrap())
}

pub(crate) fn key(id: &str, state: KeyState) -> RingKey {
    RingKey { id: id.into(), state, key: SecretKey::random() }
}

/// The file of a role: the lines below `[role]`, and those of its one rule.
pub(crate) fn role_file(name: &str, role: &str, rule: &str) -> String {
    format!(
        "version = 1\n[role]\nname = \"{name}\"\ndescription = \"a role\"\nowner = \"tests\"\n{role}\n\
         [[bind]]\nissuer = \"test\"\nclaims = {{ groups = [\"{name}\"] }}\n[[allow]]\nid = \"rule\"\n{rule}\n"
    )
}

fn policies(dir: &Path, wish: &Wish) {
    std::fs::create_dir_all(dir).unwrap();
    let all = ROLES.iter().map(|(name, role, rule)| (*name, role_file(name, role, rule)));
    let files: BTreeMap<&str, String> = all.chain(wish.roles.iter().cloned()).collect();
    for (name, text) in &files {
        std::fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    }
    let list: Vec<String> = files.keys().map(|name| format!("\"{name}.toml\"")).collect();
    let revealed: Vec<String> = ["raw"].iter().chain(&wish.reveal_to).map(|name| format!("\"{name}\"")).collect();
    let global = GLOBAL.replace("FILES", &list.join(", ")).replace("REVEALED", &revealed.join(", ")) + &wish.global;
    std::fs::write(dir.join("_global.toml"), global).unwrap();
}

fn certificate(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

fn config(dir: &Path, issuer: &Issuer, wish: &Wish) -> Config {
    let bucket = |name: &str| (name.parse::<Bucket>().unwrap(), BucketConfig { inside: format!("inner-{name}") });
    // The disk of whoever runs the tests may be nearly full.
    let space = wish.space.unwrap_or(SpaceLeft { warn: 0, min: 0 });
    Config {
        http: vec!["127.0.0.1:0".parse().unwrap()],
        https: vec!["127.0.0.1:0".parse().unwrap()],
        admin: Some("127.0.0.1:0".parse().unwrap()),
        host_names: vec!["s3.localhost".into()],
        trusted_proxies: wish.trusted_proxies.iter().map(|network| network.parse().unwrap()).collect(),
        tls: Some(TlsFiles { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") }),
        backend: BackendConfig::Memory { seed: None },
        buckets: ["traces", "empty"].map(bucket).into(),
        issuers: vec![IssuerConfig {
            name: "test".into(),
            url: issuer.url.clone(),
            audiences: vec![AUDIENCE.into()],
            algorithms: vec!["ES256".into()],
            jwks: None,
            ca: None,
            immutable_claims: vec!["groups".into(), "tenant".into()],
            name_claim: None,
            group_claims: vec!["groups".into()],
        }],
        policies: dir.join("policies"),
        keys: dir.join("keys.toml"),
        log: LogConfig { dir: dir.join("log"), name: "tests".into(), retention: None, space },
        renderings: RenderingsConfig { dir: dir.to_owned(), size: 64 << 20 },
        control: dir.join("control"),
        bounds: Bounds {
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: wish.connections_per_address.unwrap_or(limits::CONNECTIONS_PER_ADDRESS_MAX),
            header_timeout: wish.header_timeout.unwrap_or(limits::HEADER_READ_TIMEOUT),
            drain_timeout: Duration::from_millis(500),
        },
        logging: Logging { json: false, level: "warn".into() },
        lock: tracegate::config::lock::LockConfig::default(),
    }
}
