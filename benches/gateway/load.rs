//! The client of the bench: a process of its own that sends one request over and over and measures the answers.
//!
//! What to send comes by standard input, since it holds a credential, and the measures go to standard output, both in
//! JSON.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::{Deserialize, Serialize};

use crate::requests::{Body, Wire};

/// The argument by which the bench's program is told to be the client.
pub(crate) const ARGUMENT: &str = "--load";
/// Time without a byte after which a server counts as dead.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are taken from the socket at once.
const READ_BYTES: usize = 256 * 1024;
/// The same of a client that takes its time.
const SLOW_READ_BYTES: usize = 16 * 1024;

/// Where a request goes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) to: SocketAddr,
    /// The certificate that it must prove itself with, PEM; `None` is plain HTTP.
    pub(crate) tls: Option<PathBuf>,
}

/// What to send, how often, and for how long; whichever bound is reached first.
#[derive(Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) target: Target,
    /// The head of the request, to its empty line.
    pub(crate) head: String,
    pub(crate) body: Option<Body>,
    pub(crate) connections: usize,
    /// Requests of each connection at most.
    pub(crate) requests: usize,
    pub(crate) time: Duration,
    /// Time between two reads: a client that takes its time, and stops wherever it is when its time is over.
    pub(crate) pause: Option<Duration>,
}

/// What was measured.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    /// Bytes of all bodies, received or sent, without framing.
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    /// Time from sending a request to the last byte of its answer.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// Runs this program again as the client, and waits for what it measured.
    pub(crate) fn run(&self) -> Measured {
        let mut child = Command::new(std::env::current_exe().expect("a program knows where it is"))
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let input = child.stdin.take().expect("standard input is piped");
        serde_json::to_writer(input, self).expect("the client reads what to send");
        let done = child.wait_with_output().expect("the client ends");
        assert!(done.status.success(), "the client failed: {}", done.status);
        serde_json::from_slice(&done.stdout).expect("the client says what it measured")
    }

    fn measure(&self) -> Measured {
        let (began, wire) = (Instant::now(), self.body.as_ref().map(Body::wire));
        let one = || self.one(wire.as_ref(), began);
        let (mut bytes, mut waits) = (0, Vec::new());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections).map(|_| scope.spawn(one)).collect();
            for thread in threads {
                let (more, mut waited) = thread.join().expect("a connection ends");
                bytes += more;
                waits.append(&mut waited);
            }
        });
        let time = began.elapsed();
        waits.sort_unstable();
        let part = |percent: usize| waits[waits.len() * percent / 100];
        Measured { requests: waits.len() as u64, bytes, time, p50: part(50), p99: part(99) }
    }

    /// One connection until a bound is reached: bytes of bodies, and how long each request took.
    fn one(&self, wire: Option<&Wire>, began: Instant) -> (u64, Vec<Duration>) {
        let (mut connection, mut bytes, mut waits) = (Connection::open(&self.target, self.pause), 0, Vec::new());
        while waits.len() < self.requests && began.elapsed() < self.time {
            let asked = Instant::now();
            connection.send(&self.head, wire);
            let length = connection.head();
            bytes += match self.pause {
                None => connection.body(length, |_| ()),
                Some(pause) => connection.slowly(length, pause, began + self.time),
            };
            bytes += self.body.as_ref().map_or(0, |body| body.length);
            waits.push(asked.elapsed());
        }
        (bytes, waits)
    }
}

/// The client's whole life.
pub(crate) fn child() {
    let load: Load = serde_json::from_reader(io::stdin()).expect("what to send comes by standard input");
    serde_json::to_writer(io::stdout(), &load.measure()).expect("the measures can be written");
}

/// The body that one request brings; for what is asked only once.
pub(crate) fn fetch(target: &Target, head: &str) -> Vec<u8> {
    let (mut connection, mut body) = (Connection::open(target, None), Vec::new());
    connection.send(head, None);
    let length = connection.head();
    connection.body(length, |bytes| body.extend_from_slice(bytes));
    body
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One connection, kept open. It knows only what it needs: answers of status 200 with a `Content-Length`. Anything else
/// is a mistake of the bench, and ends it: a refusal must never count as a fast answer.
struct Connection(BufReader<Box<dyn Stream>>);

impl Connection {
    fn open(target: &Target, pause: Option<Duration>) -> Self {
        let socket = TcpStream::connect(target.to).expect("the server listens");
        socket.set_nodelay(true).expect("a socket can be set up");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket can be set up");
        let stream: Box<dyn Stream> = match &target.tls {
            None => Box::new(socket),
            Some(certificate) => {
                let certificate = CertificateDer::from_pem_file(certificate).expect("the bench wrote the certificate");
                let name = ServerName::from(target.to.ip());
                let client = ClientConnection::new(Arc::new(trusting(certificate)), name).expect("a client of TLS");
                Box::new(StreamOwned::new(client, socket))
            }
        };
        Self(BufReader::with_capacity(if pause.is_some() { SLOW_READ_BYTES } else { READ_BYTES }, stream))
    }

    fn send(&mut self, head: &str, body: Option<&Wire>) {
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes()).expect("the server takes the request");
        for piece in body.into_iter().flat_map(Wire::pieces) {
            stream.write_all(piece).expect("the server takes the body");
        }
        stream.flush().expect("the server takes the request");
    }

    /// Takes the whole body.
    fn body(&mut self, length: u64, mut sink: impl FnMut(&[u8])) -> u64 {
        let mut left = length;
        while left > 0 {
            let bytes = self.0.fill_buf().expect("the server goes on sending");
            assert!(!bytes.is_empty(), "the body ended {left} bytes early");
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(&bytes[..taken]);
            self.0.consume(taken);
            left -= taken as u64;
        }
        length
    }

    /// Takes of the body what there is time for.
    fn slowly(&mut self, length: u64, pause: Duration, until: Instant) -> u64 {
        let mut taken = 0;
        while taken < length && Instant::now() < until {
            let bytes = self.0.fill_buf().expect("the server goes on sending").len();
            assert!(bytes > 0, "the body ended early");
            self.0.consume(bytes);
            taken += bytes as u64;
            std::thread::sleep(pause);
        }
        taken
    }

    /// Reads the head and returns the length of the body.
    fn head(&mut self) -> u64 {
        let (mut length, mut status) = (None, String::new());
        self.0.read_line(&mut status).expect("the server answers");
        if !status.starts_with("HTTP/1.1 200 ") {
            let mut rest = vec![0; 2000];
            let read = self.0.read(&mut rest).unwrap_or(0);
            panic!("{status}{}", String::from_utf8_lossy(&rest[..read]));
        }
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("the head goes on");
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return length.expect("the answer has a Content-Length");
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
    }
}

/// TLS that trusts this certificate and no other.
fn trusting(certificate: CertificateDer<'_>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.into_owned()).expect("the certificate is sound");
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
