//! Connections that are slow on purpose, and connections that are in a hurry.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::facade::{Facade, Wish, within};
use super::wire::{self, Ask};

/// Time for a head in these tests.
const HEAD: Duration = Duration::from_secs(1);
/// A byte every so often is never silence.
const DRIBBLE: Duration = Duration::from_millis(50);

async fn facade() -> Facade {
    Facade::start_with(Wish { header_timeout: Some(HEAD), ..Wish::default() }).await
}

/// Sends a head that never ends, byte by byte, until the other side closes; how long that took, and what came.
async fn dribbled(mut socket: TcpStream, head: &[u8]) -> (Duration, Vec<u8>) {
    let (began, mut came) = (Instant::now(), Vec::new());
    for byte in head.iter().copied().chain(std::iter::repeat(b'x')) {
        assert!(began.elapsed() < 10 * HEAD, "it is still waited for");
        // Where it was closed already, writing may fail; reading tells.
        socket.write_all(&[byte]).await.ok();
        if let Ok(Ok(0) | Err(_)) = tokio::time::timeout(DRIBBLE, socket.read_buf(&mut came)).await {
            break;
        }
    }
    (began.elapsed(), came)
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_after_its_time() {
    let facade = facade().await;
    let head = format!("GET /traces/a HTTP/1.1\r\nhost: {}\r\nx-slow: ", facade.http);
    // From its first byte on; after all of it but the end; and behind a request that was answered.
    for (what, at_once) in [("a slow head", 0), ("a head that stops", head.len())] {
        let mut socket = TcpStream::connect(facade.http).await.unwrap();
        socket.write_all(&head.as_bytes()[..at_once]).await.unwrap();
        let (took, came) = dribbled(socket, &head.as_bytes()[at_once..]).await;
        assert!(HEAD / 2 < took && took < 5 * HEAD, "{what}: cut after {took:?}");
        assert!(!came.starts_with(b"HTTP/1.1 2"), "{what}: {}", String::from_utf8_lossy(&came));
    }
    let mut socket = TcpStream::connect(facade.http).await.unwrap();
    let ask = format!("GET /traces/a HTTP/1.1\r\nhost: {}\r\n\r\n", facade.http);
    socket.write_all(ask.as_bytes()).await.unwrap();
    assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
    let (took, _) = dribbled(socket, head.as_bytes()).await;
    assert!(took < 5 * HEAD, "a slow second head: cut after {took:?}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_after_its_time() {
    let facade = facade().await;
    for (what, address, said) in
        [("nothing", facade.http, &b""[..]), ("a word", facade.http, b"GET"), ("no TLS", facade.https, b"\x16\x03")]
    {
        let began = Instant::now();
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(said).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), socket.read(&mut [0; 64])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{what}: {ended:?}");
        assert!(began.elapsed() > HEAD / 2, "{what}: cut after {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn slow_heads_keep_nobody_else_waiting() {
    let facade = facade().await;
    facade.put("a.txt", "hello");
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(facade.http).await.unwrap();
        socket.write_all(b"GET /traces/a.txt HTTP/1.1\r\nx-slow: ").await.unwrap();
        slow.push(socket);
    }
    assert_eq!(facade.as_role("raw", Ask::get("/traces/a.txt")).await.text(), "hello");
    within(Duration::from_secs(10), "all are cut", async || {
        slow.retain(|socket| matches!(socket.try_read(&mut [0; 64]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
        slow.is_empty()
    })
    .await;
}

/// Both answers of two requests that come in one segment.
async fn two_in_one(address: SocketAddr, asks: [String; 2]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(asks.concat().as_bytes()).await.unwrap();
    let mut came = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut came)).await.expect("no end").unwrap();
    came
}

#[tokio::test]
async fn two_requests_in_one_segment_get_two_answers_in_order() {
    let facade = Facade::start().await;
    let first = "{\"email\":\"ada@example.com\",\"n\":1}\n".repeat(10_000);
    facade.put("first.jsonl", first.clone());
    let second = "{\"email\":\"bob@example.com\",\"n\":2}";
    facade.put("second.json", second);
    let ask = |key: &str, role: &str, more: &str| {
        let token = facade.token(role);
        format!("GET /traces/{key} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n{more}\r\n", facade.http)
    };
    let close = "connection: close\r\n";
    for (one, other) in [("masked", "masked"), ("raw", "masked"), ("masked", "raw")] {
        let came = two_in_one(facade.http, [ask("first.jsonl", one, ""), ask("second.json", other, close)]).await;
        let head = came.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let (one_answer, rest) = came.split_at(head + first.len());
        let (one_answer, rest) = (wire::answer(one_answer, false).unwrap(), wire::answer(rest, false).unwrap());
        for (answer, role, name) in [(&one_answer, one, "ada@"), (&rest, other, "bob@")] {
            assert!(answer.status == 200 && answer.whole, "{role}");
            assert_eq!(answer.text().contains(name), role == "raw", "each by its own credential: {role} {name}");
        }
        assert_eq!(rest.body.len(), second.len(), "{}", rest.text());
    }
    // What the first one is refused for does not reach the second.
    let came = two_in_one(facade.http, [ask("none", "narrow", ""), ask("second.json", "raw", close)]).await;
    let text = String::from_utf8(came).unwrap();
    let statuses: Vec<&str> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["403", "200"], "{text}");
}
