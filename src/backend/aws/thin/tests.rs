//! Connections: used again, left, given up; against a server on loopback that follows a script.

use std::sync::Mutex;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::pool::Pool;
use super::*;
use crate::backend::Fetch;
use crate::backend::aws::tests::{HEAD, bucket, canned_tls, error, key, options};
use crate::backend::aws::{Aws, AwsOptions, Credentials, connect};
use crate::backend::source::Source;
use crate::identity::secret::SecretText;
use crate::s3::answer::Object;

/// What a server does on one connection: it answers each request with the next text, however empty, and then closes it,
/// or leaves it open.
#[derive(Clone)]
struct Script {
    answers: Vec<String>,
    stays: bool,
}

fn closing(answers: &[String]) -> Script {
    Script { answers: answers.to_vec(), stays: false }
}

fn staying(answers: &[String]) -> Script {
    Script { answers: answers.to_vec(), stays: true }
}

struct Scripted {
    aws: Aws,
    /// The requests' heads, each with the number of its connection.
    requests: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Scripted {
    async fn new(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for (number, script) in scripts.into_iter().enumerate() {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(follow(script, socket, number, seen.clone()));
            }
        });
        Self { aws: connect(options(Some(endpoint))).await.unwrap(), requests }
    }

    async fn open(&self) -> Result<Object, Trouble> {
        Source::get(&self.aws, &bucket(), &key("k"), Fetch::default()).await
    }

    /// The bytes of the object.
    async fn get(&self) -> Result<Vec<u8>, Trouble> {
        let pieces: Vec<Bytes> = self.open().await?.body.try_collect().await.unwrap();
        Ok(pieces.concat())
    }

    /// Which connection each request came on.
    fn connections(&self) -> Vec<usize> {
        self.requests.lock().unwrap().iter().map(|(number, _)| *number).collect()
    }
}

async fn follow(script: Script, mut socket: TcpStream, number: usize, seen: Arc<Mutex<Vec<(usize, String)>>>) {
    for answer in script.answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else { return };
            head.push(byte);
        }
        seen.lock().unwrap().push((number, String::from_utf8(head).unwrap()));
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
    if script.stays {
        std::future::pending::<()>().await;
    }
}

/// An answer that leaves the connection open.
fn kept(body: &str) -> String {
    sized(body.len(), body)
}

fn sized(length: usize, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{HEAD}Content-Length: {length}\r\n\r\n{body}")
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let missing = error("404 Not Found", "NoSuchKey", "gone").replace("Connection: close\r\n", "");
    let answers = [kept("one"), sized(3, ""), missing, kept(""), kept("two")];
    let server = Scripted::new(vec![staying(&answers)]).await;
    assert_eq!(server.get().await.unwrap(), b"one");
    let headed = Source::head(&server.aws, &bucket(), &key("k"), None, None).await.unwrap();
    assert_eq!(headed.head.size, 3);
    assert_eq!(server.get().await, Err(Trouble::NoSuchKey));
    assert_eq!(server.get().await.unwrap(), b"");
    assert_eq!(server.get().await.unwrap(), b"two");
    assert_eq!(server.connections(), [0; 5]);
}

#[tokio::test]
async fn requests_at_a_time_have_a_connection_each() {
    let scripts = vec![staying(&[kept("same"), kept("same")]); 2];
    let server = Scripted::new(scripts).await;
    for _ in 0..2 {
        let (one, other) = tokio::join!(server.get(), server.get());
        assert_eq!((one.unwrap(), other.unwrap()), (b"same".to_vec(), b"same".to_vec()));
    }
    let mut connections = server.connections();
    connections.sort_unstable();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_is_left() {
    let server = Scripted::new(vec![closing(&[kept("one")]), closing(&[kept("two")])]).await;
    assert_eq!(server.get().await.unwrap(), b"one");
    a_moment().await;
    assert_eq!(server.get().await.unwrap(), b"two");
    assert_eq!(server.connections(), [0, 1]);
}

/// The peer closes it in the moment in which the request is under way.
#[tokio::test]
async fn a_read_that_met_a_closing_connection_is_sent_once_more() {
    let shut = closing(&[kept("one"), String::new()]);
    let server = Scripted::new(vec![shut, staying(&[kept("two")])]).await;
    assert_eq!(server.get().await.unwrap(), b"one");
    assert_eq!(server.get().await.unwrap(), b"two");
    assert_eq!(server.connections(), [0, 0, 1]);
}

#[tokio::test]
async fn nothing_else_is_sent_again() {
    let broke = Trouble::Broken("the connection broke before it answered".to_owned());
    // A new connection that is closed, and an answer that was begun.
    let server = Scripted::new(vec![closing(&[String::new()]), staying(&[kept("never")])]).await;
    assert_eq!(server.get().await, Err(broke.clone()));
    assert_eq!(server.connections(), [0]);
    let begun = closing(&[kept("one"), "HTTP/1.1 200 OK\r\nETa".to_owned()]);
    let server = Scripted::new(vec![begun, staying(&[kept("never")])]).await;
    assert_eq!(server.get().await.unwrap(), b"one");
    assert_eq!(server.get().await, Err(broke));
    assert_eq!(server.connections(), [0, 0]);
}

/// More bytes than the head said are not the head of the next answer.
#[tokio::test]
async fn a_connection_with_bytes_that_nobody_asked_for_is_left() {
    let server = Scripted::new(vec![staying(&[sized(3, "one and more")]), staying(&[kept("two")])]).await;
    assert_eq!(server.get().await.unwrap(), b"one");
    a_moment().await;
    assert_eq!(server.get().await.unwrap(), b"two");
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn a_connection_whose_body_nobody_read_is_left() {
    let long = "x".repeat(1 << 20);
    let server = Scripted::new(vec![staying(&[kept(&long)]), staying(&[kept("two")])]).await;
    let mut body = server.open().await.unwrap().body;
    assert!(body.next().await.unwrap().unwrap().len() < long.len());
    drop(body);
    assert_eq!(server.get().await.unwrap(), b"two");
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn what_is_no_answer_is_told_so() {
    let unreadable = Trouble::Broken("its answer cannot be read".to_owned());
    let giant = format!("HTTP/1.1 200 OK\r\n{HEAD}x-a: {}\r\n", "a".repeat(limits::BACKEND_HEAD_BYTES_MAX));
    let lines: String = (0..101).map(|line| format!("x-{line}: a\r\n")).collect();
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno header\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        format!("HTTP/1.1 200 OK\r\n{HEAD}Content-Length: many\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{HEAD}Content-Type: \u{ff}\r\n").replace('\u{ff}', "\u{1}"),
        format!("{giant}\r\n"),
        format!("HTTP/1.1 200 OK\r\n{HEAD}{lines}Content-Length: 0\r\n\r\n"),
    ] {
        let server = Scripted::new(vec![staying(std::slice::from_ref(&answer))]).await;
        assert_eq!(server.get().await, Err(unreadable.clone()), "{answer:.100}");
        assert_eq!(server.connections(), [0], "{answer:.100}");
    }
    let unsized_body = format!("HTTP/1.1 200 OK\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    let server = Scripted::new(vec![staying(&[unsized_body])]).await;
    assert_eq!(server.get().await, Err(Trouble::Broken("it did not send a length".to_owned())));
}

/// Each byte comes soon enough, the head as a whole does not.
#[tokio::test]
async fn a_head_that_drips_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let dripping = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // What comes before it is asked for would be no answer.
        socket.read_u8().await.unwrap();
        for byte in kept("").bytes() {
            if socket.write_u8(byte).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let aws = connect(options(Some(endpoint))).await.unwrap();
    let began = Instant::now();
    let found = Source::get(&aws, &bucket(), &key("k"), Fetch::default()).await;
    assert_eq!(found.map(drop), Err(Trouble::Timeout));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    dripping.abort();
}

#[tokio::test]
async fn of_an_error_that_is_too_long_only_the_status_counts() {
    let long = " ".repeat(limits::BACKEND_ERROR_BYTES_MAX);
    let body = format!("<Error><Code>NoSuchBucket</Code><Message>{long}</Message></Error>");
    let answer = |body: &str| format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let nested = "<Error><Detail><Code>NoSuchBucket</Code></Detail></Error>";
    for (body, want) in [
        (body.as_str(), Trouble::NoSuchKey),
        (nested, Trouble::NoSuchKey),
        ("<Error><Code>NoSuch", Trouble::NoSuchKey),
        ("<Error><Code>NoSuchBucket</Code></Error>", Trouble::NoSuchBucket),
    ] {
        let server = Scripted::new(vec![staying(&[answer(body)])]).await;
        assert_eq!(server.get().await, Err(want), "{body:.100}");
    }
}

/// Over TLS, too, only who is trusted is asked.
#[tokio::test]
async fn a_stranger_is_sent_nothing() {
    let answer = kept("sound");
    let (endpoint, pem) = canned_tls(answer).await;
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem();
    for (ca, trusted) in [(Some(pem), true), (Some(other), false), (None, false)] {
        let named = AwsOptions {
            ca_pem: ca.map(String::into_bytes),
            timeouts: Timeouts::default(),
            ..options(Some(endpoint.clone()))
        };
        let found = Source::get(&connect(named).await.unwrap(), &bucket(), &key("k"), Fetch::default()).await;
        match found.map(drop) {
            Ok(()) => assert!(trusted),
            Err(Trouble::Broken(text)) => assert!(!trusted && text.contains("certificate"), "{text}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_asks_is_told_as_far_as_it_is_known() {
    let server = Scripted::new(vec![staying(&[kept("")])]).await;
    server.get().await.unwrap();
    let request = server.requests.lock().unwrap()[0].1.to_ascii_lowercase();
    for line in ["user-agent: tracegate/", "host: 127.0.0.1:", "x-amz-date: ", "x-amz-content-sha256: e3b0c44298fc1c14"]
    {
        assert!(request.contains(&format!("\r\n{line}")), "{line} {request}");
    }
    let names = "signedheaders=host;x-amz-content-sha256;x-amz-date, ";
    assert!(request.contains(names), "{request}");
    assert!(!request.contains("x-amz-security-token") && !request.contains("content-length"), "{request}");

    let temporary = Credentials::Static {
        access_key_id: SecretText::new("ASIATEST"),
        secret_access_key: SecretText::new("secret"),
        session_token: Some(SecretText::new("a-session-token")),
    };
    for (credentials, signed) in [(temporary, true), (Credentials::Anonymous, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            follow(staying(&[kept("")]), socket, 0, told).await;
        });
        let aws = connect(AwsOptions { credentials, ..options(Some(endpoint)) }).await.unwrap();
        Source::get(&aws, &bucket(), &key("k"), Fetch::default()).await.unwrap();
        let request = seen.lock().unwrap()[0].1.to_ascii_lowercase();
        assert_eq!(request.contains("\r\nauthorization: aws4-hmac-sha256 credential=asiatest/"), signed, "{request}");
        assert_eq!(request.contains("\r\nx-amz-security-token: a-session-token\r\n"), signed, "{request}");
        assert_eq!(request.contains(";x-amz-date;x-amz-security-token, "), signed, "{request}");
    }
}

/// A connection whose other end is in the test's hands.
async fn line() -> (Box<Line>, tokio::io::DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1024);
    (Line::open(ours, Arc::default()).await.unwrap_or_else(|error| panic!("{error}")), theirs)
}

#[tokio::test]
async fn what_was_unused_for_long_or_ended_is_not_kept() {
    let pool = Pool::default();
    let (fresh, _open) = line().await;
    pool.put(fresh);
    assert!(pool.take().is_some() && pool.take().is_none());
    let (ended, gone) = line().await;
    drop(gone);
    pool.put(ended);
    assert!(pool.take().is_none(), "the peer closed it");
    for sweeps in [false, true] {
        let (mut old, _open) = line().await;
        old.idle_since = Instant::now() - limits::BACKEND_POOL_IDLE;
        pool.keep(old);
        let (closed, gone) = line().await;
        pool.keep(closed);
        drop(gone);
        if sweeps {
            pool.sweep();
            assert_eq!(pool.len(), 0);
        }
        assert!(pool.take().is_none(), "too old, and closed");
    }
}

#[tokio::test]
async fn no_more_connections_are_kept_than_the_bound() {
    let (pool, mut open) = (Pool::default(), Vec::new());
    for _ in 0..=limits::BACKEND_POOL_MAX {
        let (one, theirs) = line().await;
        open.push(theirs);
        pool.put(one);
    }
    assert_eq!(pool.len(), limits::BACKEND_POOL_MAX);
}

/// A crowd of them, each of which was once alone and read much at once, would else hold that much each.
#[tokio::test]
async fn connections_with_large_buffers_are_kept_as_long_as_they_fit() {
    let (pool, mut open) = (Pool::default(), Vec::new());
    let fitting = limits::BACKEND_POOL_BYTES_MAX / limits::BACKEND_READ_BYTES_MAX;
    for _ in 0..2 {
        for _ in 0..fitting + 3 {
            let (mut one, theirs) = line().await;
            one.most_read = limits::BACKEND_READ_BYTES_MAX;
            open.push(theirs);
            pool.put(one);
        }
        assert_eq!(pool.len(), fitting);
        // What is taken, or swept out, leaves its room to others.
        assert!(pool.take().is_some());
        open.clear();
        pool.sweep();
        assert_eq!(pool.len(), 0);
    }
}

#[tokio::test]
async fn a_connection_knows_what_was_read_of_it_at_once() {
    let long = "x".repeat(5 << 20);
    let server = Scripted::new(vec![staying(&[kept("one"), kept(&long)])]).await;
    let mut rooms = Vec::new();
    for length in [3, long.len()] {
        assert_eq!(server.get().await.unwrap().len(), length);
        let pool = &server.aws.thin.places[&bucket()].origin.pool;
        let line = pool.take().unwrap();
        rooms.push(line.room());
        pool.put(line);
    }
    assert!(rooms[0] <= 8 * 1024 && rooms[1] > 16 * 1024 && rooms[1] <= limits::BACKEND_READ_BYTES_MAX, "{rooms:?}");
}
