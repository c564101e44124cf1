//! Many clients at once, and what they cost: the façade as a process of its own, before a bucket that is never kept, and its
//! memory as the kernel counts it.
//!
//! First connections that say nothing, over HTTP and over HTTPS; then streams of a redacted object, all open before any is
//! read on. Each body must come whole, and be what a single reader gets. The bounds are those of docs/PERFORMANCE.md.

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;
use tokio_rustls::TlsConnector;

use super::matrix::trial;
use super::origin;
use super::support::facade::{Backend, Facade, Settings};

/// The argument that makes this binary a crowd; behind it stands the size of the object in MiB.
pub(crate) const ARGUMENT: &str = "be-a-crowd";

/// Streams that are open at the same time.
const STREAMS: usize = 500;
/// Connections that say nothing, of either kind. Half of either come from another address, which has bounds of its own.
const IDLE: usize = 1000;

/// Bytes that the kernel keeps for a reader who does not read.
const RECEIVED: u32 = 32 * 1024;

const KIB: u64 = 1024;
/// Memory of the process before it has a client, and what it keeps after them, in KiB.
const BASE_KIB: u64 = 64 * KIB;
/// Memory that a stream may take, in KiB.
const STREAM_KIB: u64 = 256;
/// Memory that an idle connection may take, over HTTP and over HTTPS, in KiB.
const IDLE_KIB: [u64; 2] = [64, 96];

/// MiB of the object, in every run of the tests and in the long one.
const SIZES: [(usize, bool); 2] = [(4, false), (64, true)];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    SIZES.into_iter().map(|(mib, is_long)| {
        let name = format!("crowd::{STREAMS}_streams_of_{mib}_mib_and_{}_idle_connections", 2 * IDLE);
        trial(name, move || apart(mib)).with_ignored_flag(is_long)
    })
}

/// In a process that may open as many files as the system lets it, and so may the façade that it starts.
fn apart(mib: usize) {
    let script = "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\"";
    let (own, mut shell) = (std::env::current_exe().unwrap(), Command::new("sh"));
    let done = shell.args(["-c", script]).arg(own).args([ARGUMENT, &mib.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    eprint!("{said}");
}

/// The crowd itself.
pub(crate) fn probe() -> ExitCode {
    let mib: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let origin = origin::start(mib << 20).await;
        let settings =
            Settings { through: Some(format!("http://{origin}")), ..Settings::with_one_provider(Backend::Memory) };
        let facade = tokio::task::spawn_blocking(move || Facade::start(&settings)).await.unwrap();
        let facade = Watched::new(facade);
        let begun = facade.kib("VmRSS");
        idle(&facade).await;
        streams(&facade, mib << 20).await;
        let most = facade.kib("VmHWM");
        eprintln!("figure crowd_{mib}_mib_at_first {begun} KiB\nfigure crowd_{mib}_mib_at_most {most} KiB");
        assert!(most <= BASE_KIB + STREAMS as u64 * STREAM_KIB, "{most} KiB at most");
    });
    ExitCode::SUCCESS
}

/// Memory by connection, of either kind.
async fn idle(facade: &Watched) {
    let mut open = Vec::new();
    for (name, tls, most) in [("http", None, IDLE_KIB[0]), ("https", Some(facade.trust()), IDLE_KIB[1])] {
        let before = facade.kib("VmRSS");
        for number in 0..IDLE {
            open.push(Idle::open(facade, tls.as_ref(), number).await);
        }
        let each = facade.kib("VmRSS").saturating_sub(before) / IDLE as u64;
        eprintln!("figure crowd_idle_{name} {each} KiB");
        assert!(each <= most, "an idle connection over {name} takes {each} KiB");
    }
    for connection in &mut open {
        connection.ask().await;
    }
}

/// A connection on which one request was answered, so that all its buffers are there.
struct Idle(Box<dyn Stream>);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Idle {
    async fn open(facade: &Watched, tls: Option<&TlsConnector>, number: usize) -> Self {
        let to = if tls.is_some() { facade.https } else { facade.http };
        let socket = TcpSocket::new_v4().unwrap();
        let from = if number.is_multiple_of(2) { "127.0.0.1:0" } else { "127.0.0.2:0" };
        socket.bind(from.parse().unwrap()).unwrap();
        let socket = socket.connect(to).await.unwrap();
        let mut opened = match tls {
            None => Self(Box::new(socket)),
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                Self(Box::new(tls.connect(name, socket).await.unwrap()))
            }
        };
        opened.ask().await;
        opened
    }

    /// Asks for something that nobody gets, and reads the answer to its end.
    async fn ask(&mut self) {
        self.0.write_all(b"GET /traces/a HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"</Error>") {
            let read = self.0.read_buf(&mut answer).await.unwrap();
            assert!(read > 0, "it was closed: {}", String::from_utf8_lossy(&answer));
        }
        assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
    }
}

/// All streams open, and then all read to their ends.
async fn streams(facade: &Watched, bytes: usize) {
    let wanted: Arc<[u8]> = Download::begin(facade).await.whole(bytes).await.into();
    assert!(!String::from_utf8_lossy(&wanted[..bytes.min(1 << 20)]).contains("PLANTED-"), "it is not redacted");
    let (begun, all) = (Instant::now(), Arc::new(Barrier::new(STREAMS + 1)));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let (all, wanted, download) = (all.clone(), wanted.clone(), Download::begin(facade).await);
        readers.spawn(async move {
            all.wait().await;
            // Until their memory was looked at.
            all.wait().await;
            download.same_as(&wanted).await;
        });
    }
    all.wait().await;
    let metrics = facade.metrics().await;
    let open = metrics.lines().find_map(|line| line.strip_prefix("tracegate_streams ")).unwrap();
    assert_eq!(open, STREAMS.to_string(), "they are open at the same time");
    // As much as fits waits in every buffer on the way by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = facade.kib("VmRSS");
    all.wait().await;
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    let (took, mib) = (begun.elapsed().as_secs(), bytes >> 20);
    eprintln!("figure crowd_{mib}_mib_all_open {held} KiB\nfigure crowd_{mib}_mib_read {took} s");
}

/// A stream whose head has come.
struct Download {
    socket: TcpStream,
    /// The beginning of its body.
    beginning: Vec<u8>,
}

impl Download {
    async fn begin(facade: &Watched) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Else the kernel takes an object of some MiB off the façade's hands before anybody reads it.
        socket.set_recv_buffer_size(RECEIVED).unwrap();
        let mut socket = socket.connect(facade.http).await.unwrap();
        let ask = format!(
            "GET /traces/model-B/crowd/run.jsonl HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            facade.http, facade.facade.static_token
        );
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut beginning = Vec::new();
        loop {
            let read = socket.read_buf(&mut beginning).await.unwrap();
            let end = beginning.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let body = beginning.split_off(end + 4);
                assert!(beginning.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&beginning));
                return Self { socket, beginning: body };
            }
            assert!(read > 0, "{}", String::from_utf8_lossy(&beginning));
        }
    }

    async fn whole(self, bytes: usize) -> Vec<u8> {
        let Self { mut socket, mut beginning } = self;
        while beginning.len() < bytes {
            assert!(socket.read_buf(&mut beginning).await.unwrap() > 0, "it broke off at {}", beginning.len());
        }
        assert_eq!(beginning.len(), bytes);
        beginning
    }

    async fn same_as(self, wanted: &[u8]) {
        let Self { mut socket, beginning } = self;
        assert!(wanted.starts_with(&beginning), "another beginning");
        let (mut at, mut buffer) = (beginning.len(), vec![0; 64 * 1024]);
        while at < wanted.len() {
            let read = socket.read(&mut buffer).await.unwrap();
            assert!(read > 0 && wanted[at..].starts_with(&buffer[..read]), "it broke off or differs at {at}");
            at += read;
        }
    }
}

/// A façade, and its memory.
struct Watched {
    facade: Arc<Facade>,
    http: SocketAddr,
    https: SocketAddr,
    status: String,
}

impl Watched {
    fn new(facade: Facade) -> Self {
        let address = |url: String| url.rsplit_once('/').unwrap().1.parse().unwrap();
        let pid = std::fs::read_to_string(facade.work().join("pid")).unwrap();
        let (http, https) = (address(facade.http()), address(facade.https()));
        Self { facade: Arc::new(facade), http, https, status: format!("/proc/{}/status", pid.trim()) }
    }

    /// What the kernel says of its memory: `VmRSS` now, `VmHWM` at most.
    fn kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(&self.status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|sign: char| !sign.is_ascii_digit()).parse().unwrap()
    }

    async fn metrics(&self) -> String {
        let facade = self.facade.clone();
        tokio::task::spawn_blocking(move || facade.metrics()).await.unwrap()
    }

    fn trust(&self) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.facade.ca()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        TlsConnector::from(Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth()))
    }
}
