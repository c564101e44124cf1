//! The client of the bench: a process of its own that sends one request over and over and measures the answers.
//!
//! A process of its own, so that the CPU time of the serving one is that of serving. The request comes by standard
//! input, since it holds a credential, and the measures go to standard output.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The argument by which the bench's program is told to be the client.
pub(crate) const ARGUMENT: &str = "--load";
/// Time without a byte after which a server counts as dead.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are taken from the socket at once.
const READ_BYTES: usize = 256 * 1024;

/// What to send, how often, and for how long; whichever bound is reached first.
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) connections: usize,
    /// Requests of each connection at most.
    pub(crate) requests: usize,
    pub(crate) time: Duration,
}

/// What was measured.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    /// Bytes of all bodies.
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    /// Time from sending a request to the last byte of its answer.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// Runs this program again as the client, and waits for what it measured.
    pub(crate) fn run(&self, request: &str) -> Measured {
        let millis = self.time.as_millis();
        let mut child = Command::new(std::env::current_exe().expect("a program knows where it is"))
            .args([ARGUMENT, &format!("{} {} {} {millis}", self.to, self.connections, self.requests)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let mut input = child.stdin.take().expect("standard input is piped");
        input.write_all(request.as_bytes()).expect("the client reads the request");
        drop(input);
        let done = child.wait_with_output().expect("the client ends");
        assert!(done.status.success(), "the client failed: {}", done.status);
        Measured::parse(&String::from_utf8_lossy(&done.stdout))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        Some(Self {
            to: fields.next()?.parse().ok()?,
            connections: fields.next()?.parse().ok()?,
            requests: fields.next()?.parse().ok()?,
            time: Duration::from_millis(fields.next()?.parse().ok()?),
        })
    }

    fn measure(&self, request: &str) -> Measured {
        let began = Instant::now();
        let one = || {
            let (mut connection, mut bytes, mut waits) = (Connection::open(self.to), 0, Vec::new());
            while waits.len() < self.requests && began.elapsed() < self.time {
                let asked = Instant::now();
                bytes += connection.ask(request, |_| ());
                waits.push(asked.elapsed());
            }
            (bytes, waits)
        };
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
}

impl Measured {
    fn print(&self) -> io::Result<()> {
        let nanos = [self.time, self.p50, self.p99].map(|time| time.as_nanos());
        writeln!(io::stdout(), "{} {} {} {} {}", self.requests, self.bytes, nanos[0], nanos[1], nanos[2])
    }

    fn parse(line: &str) -> Self {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let [requests, bytes, time, p50, p99] = numbers[..] else { panic!("the client said {line:?}") };
        let of = Duration::from_nanos;
        Self { requests, bytes, time: of(time), p50: of(p50), p99: of(p99) }
    }
}

/// The client's whole life.
pub(crate) fn child(terms: &str) {
    let load = Load::parse(terms).expect("the terms are those of `Load::run`");
    let request = io::read_to_string(io::stdin()).expect("the request comes by standard input");
    load.measure(&request).print().expect("the measures can be written");
}

/// The body that one request brings; for what is asked only once.
pub(crate) fn fetch(to: SocketAddr, request: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Connection::open(to).ask(request, |bytes| body.extend_from_slice(bytes));
    body
}

/// One connection, kept open. It knows only what it needs: answers of status 200 with a `Content-Length`.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("the server listens");
        stream.set_nodelay(true).expect("a socket can be set up");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket can be set up");
        Self(BufReader::with_capacity(READ_BYTES, stream))
    }

    /// Sends a request and takes the whole answer. Anything but that is a mistake of the bench, and ends it: a refusal
    /// must never count as a fast answer.
    fn ask(&mut self, request: &str, mut sink: impl FnMut(&[u8])) -> u64 {
        self.0.get_mut().write_all(request.as_bytes()).expect("the server takes the request");
        let length = self.head();
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
