//! The two servers that are compared: the façade with everything on, and a minimal one with the same objects.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response, header};
use http_body_util::StreamBody;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, ToSpan as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracegate::app::{self, App};
use tracegate::backend::memory::{Content, Memory};
use tracegate::config::Config;
use tracegate::identity::static_token::NewStaticToken;
use tracegate::keyring::{self, KeyRing};
use tracegate::limits;

/// The objects that are served: keys of [`BUCKET`] below `raw/` and, the same again, below `masked/`.
pub(crate) struct Objects {
    /// One record of 4 KiB.
    pub(crate) small: Bytes,
    /// Many.
    pub(crate) large: Bytes,
}

/// The bucket that holds them.
pub(crate) const BUCKET: &str = "bench";
/// The role that reads everything, what lies below `masked/` redacted.
const ROLE: &str = "reader";

/// A running façade.
pub(crate) struct Facade {
    pub(crate) address: SocketAddr,
    /// A token that opens it.
    pub(crate) token: NewStaticToken,
    stop: watch::Sender<bool>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Facade {
    /// Starts it with all of its state in `dir`.
    pub(crate) async fn start(dir: &Path, objects: &Objects) -> anyhow::Result<Self> {
        let now = Timestamp::now();
        let token = NewStaticToken::generate("bench", ROLE.parse().map_err(anyhow::Error::msg)?, now + 1.hour(), now);
        write_policies(&dir.join("policies"), &token)?;
        let ring = KeyRing::ephemeral();
        keyring::file::write(&dir.join("keys.toml"), &ring)?;
        let ring = Arc::new(ArcSwap::from_pointee(ring));
        app::revocation_log(&dir.join("control"), &ring)?.found("bench", now).await?;
        let file = dir.join("tracegate.toml");
        std::fs::write(&file, CONFIG)?;
        let app = App::start_with(app::config(&file)?, Arc::new(bucket(&app::config(&file)?, objects))).await?;
        let address = app.addresses()?.http[0];
        let (stop, stopped) = watch::channel(false);
        Ok(Self { address, token, stop, running: tokio::spawn(app.run(stopped)) })
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.running.await?
    }
}

const CONFIG: &str = r#"
version = 1
listen = { http = ["127.0.0.1:0"] }
backend = { kind = "memory" }
policies = { dir = "policies" }
keys = { file = "keys.toml" }
log = { dir = "log", name = "bench" }
control = { dir = "control" }
[[bucket]]
name = "bench"
"#;

fn write_policies(dir: &Path, token: &NewStaticToken) -> std::io::Result<()> {
    let role = format!(
        "version = 1\n[role]\nname = \"{ROLE}\"\ndescription = \"Reads everything\"\nowner = \"bench@example.com\"\n\
         max_session = \"1h\"\n[[allow]]\nid = \"read\"\nactions = [\"get\", \"list\"]\npaths = [\"{BUCKET}/*\"]\n"
    );
    let global = format!(
        "version = 1\nfiles = [\"{ROLE}.toml\"]\n[[redact]]\nname = \"bench\"\npaths = [\"{BUCKET}/masked/*\"]\n\
         fields = [\"user_id\", \"api_key\", \"email\", \"*_token\"]\naction = \"mask\"\n{}",
        token.toml()
    );
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(format!("{ROLE}.toml")), role)?;
    std::fs::write(dir.join("_global.toml"), global)
}

fn bucket(config: &Config, objects: &Objects) -> Memory {
    let memory = Memory::new();
    for (name, bytes) in [("small.jsonl", &objects.small), ("large.jsonl", &objects.large)] {
        let content = Arc::new(Content::new(bytes.clone(), Timestamp::UNIX_EPOCH));
        for bucket in config.buckets.keys() {
            memory.put(bucket, &format!("raw/{name}"), content.clone());
            memory.put(bucket, &format!("masked/{name}"), content.clone());
        }
    }
    memory
}

/// Serves the same objects from memory, to anybody, with nothing between hyper and the bytes. It runs until the runtime
/// ends.
pub(crate) async fn direct(objects: &Objects) -> std::io::Result<SocketAddr> {
    let path = |name: &str| format!("/{BUCKET}/raw/{name}.jsonl");
    let served =
        Arc::new(HashMap::from([(path("small"), objects.small.clone()), (path("large"), objects.large.clone())]));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(talk(socket, served.clone()));
        }
    });
    Ok(address)
}

async fn talk(socket: TcpStream, served: Arc<HashMap<String, Bytes>>) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(answer(served.get(request.uri().path()).cloned()))
    });
    // The client ends the connection when it has measured enough; that is no error here.
    if socket.set_nodelay(true).is_ok() {
        http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.ok();
    }
}

/// The object in chunks of the size in which the embedded bucket gives them.
fn answer(object: Option<Bytes>) -> Response<impl Body<Data = Bytes, Error = Infallible>> {
    let status = if object.is_some() { 200 } else { 404 };
    let mut rest = object.unwrap_or_default();
    let length = rest.len();
    let chunks = std::iter::from_fn(move || {
        let next = rest.split_to(rest.len().min(limits::MEMORY_CHUNK_BYTES));
        (!next.is_empty()).then_some(Ok(Frame::data(next)))
    });
    Response::builder()
        .status(status)
        .header(header::CONTENT_LENGTH, length)
        .body(StreamBody::new(stream::iter(chunks)))
        .expect("the head is made of constants")
}
