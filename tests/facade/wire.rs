//! HTTP/1.1 byte by byte: what is sent is what the test wrote, and a cut answer is told from a whole one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer may take; longer is a failure of the test, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to be written.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    /// Path and query as they are sent.
    pub(crate) target: String,
    /// In the order in which they are sent; `host` is the façade's address where none is given.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn head(target: impl Into<String>) -> Self {
        Self::new("HEAD", target)
    }

    /// A form, with its length.
    pub(crate) fn form(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::new("POST", target)
            .with("content-type", "application/x-www-form-urlencoded")
            .with("content-length", body.len().to_string())
            .carrying(body)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn carrying(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if self.header("host").is_none() {
            text += &format!("host: {address}\r\n");
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "connection: close\r\n\r\n";
        [text.as_bytes(), &self.body].concat()
    }
}

/// An answer, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the framing says that this is all; a client takes anything else for an error.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = found.next();
        assert_eq!(found.next(), None, "{name} stands twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        element(self.text(), name)
    }

    /// The texts of all elements of that name, in order.
    pub(crate) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, mut rest, mut found) = (format!("</{name}>"), self.text(), Vec::new());
        while let Some(text) = element(rest, name) {
            found.push(text);
            rest = rest.split_once(&open).unwrap().1;
        }
        found
    }

    /// The code of an error of S3 or STS.
    pub(crate) fn code(&self) -> &str {
        self.element("Code").unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Sends a request and reads its answer to the end.
pub(crate) async fn send(address: SocketAddr, ask: &Ask) -> Answer {
    send_bytes(address, &ask.bytes(address), ask.method == "HEAD").await
}

/// Sends bytes and reads what comes back until the other side closes.
pub(crate) async fn send_bytes(address: SocketAddr, bytes: &[u8], head: bool) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read everything.
    let written = socket.write_all(bytes).await;
    let mut read = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut read)).await.expect("no answer in time");
    answer(&read, head)
        .unwrap_or_else(|| panic!("no answer: {written:?} {ended:?} {:?}", String::from_utf8_lossy(&read)))
}

/// A connection on which a request was sent and whose answer is read as the test likes.
pub(crate) async fn open(address: SocketAddr, ask: &Ask) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&ask.bytes(address)).await.unwrap();
    socket
}

/// Reads the bytes of one answer.
pub(crate) fn answer(bytes: &[u8], head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let find = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let (body, whole) = if head || status == 304 {
        (rest.to_vec(), rest.is_empty())
    } else if find("transfer-encoding") == Some("chunked") {
        unchunked(rest)
    } else {
        let length = find("content-length").map(|length| length.parse::<usize>().unwrap());
        (rest.to_vec(), length.is_none_or(|length| length == rest.len()))
    };
    Some(Answer { status, headers, body, whole })
}

/// The data of chunks, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let data = &rest[at + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
