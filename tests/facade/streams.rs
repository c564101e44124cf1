//! Streams in flight: cut when the right to read ends, by time or by revocation, whether bytes flow or not.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan as _};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tracegate::backend::faulty::Fault;
use tracegate::identity::revocation_log::Target;

use super::facade::{Facade, Wish, role_file, within};
use super::wire::{self, Ask};

const SIZE: usize = 9 * 7 * 1024 * 1024;

/// A stream of a large object that a client reads slowly: the façade has more to send all the time.
async fn slow_stream(facade: &Facade, role: &str) -> TcpStream {
    let ask = Ask::get("/traces/large.jsonl").with("host", facade.http.to_string()).bearer(&facade.token(role));
    let mut socket = wire::open(facade.http, &ask).await;
    socket.read_exact(&mut [0; 1000]).await.unwrap();
    socket
}

/// Reads slowly until the other side closes; how many bytes came in all.
async fn drained(mut socket: TcpStream, patience: Duration) -> usize {
    let (began, mut count, mut buffer) = (Instant::now(), 1000, vec![0; 64 * 1024]);
    loop {
        assert!(began.elapsed() < patience, "the stream is still open");
        match tokio::time::timeout(patience, socket.read(&mut buffer)).await.expect("the stream stands still") {
            Ok(0) | Err(_) => return count,
            Ok(read) => count += read,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn check_cut(facade: Facade, reason: &str) {
    let log = facade.stopped().await;
    let row = log.rows.iter().find(|row| row.kind == "s3.intent").unwrap();
    assert_eq!(row.outcome.as_deref(), Some("cut"), "{row:?}");
    assert!(row.reason.as_deref().unwrap().contains(reason), "{row:?}");
    assert!(row.bytes.unwrap() < SIZE as u64);
}

#[tokio::test]
async fn the_end_of_a_rule_cuts_a_stream() {
    let ends = Timestamp::now() + 4.seconds();
    let rule = format!("actions = [\"get\"]\npaths = [\"traces/*\"]\nexpires = {ends}");
    let roles = vec![("ending", role_file("ending", "", &rule))];
    let facade = Facade::start_with(Wish { roles, ..Wish::default() }).await;
    facade.put("large.jsonl", "{\"n\":12}\n".repeat(SIZE / 9));
    let socket = slow_stream(&facade, "ending").await;
    assert!(drained(socket, Duration::from_secs(10)).await < SIZE);
    assert!(Timestamp::now() >= ends);
    assert_eq!(facade.as_role("ending", Ask::get("/traces/large.jsonl")).await.status, 403);
    check_cut(facade, "right to read ended").await;
}

#[tokio::test]
async fn a_revocation_cuts_a_stream() {
    let facade = Facade::start().await;
    facade.put("large.jsonl", "{\"n\":12}\n".repeat(SIZE / 9));
    let socket = slow_stream(&facade, "raw").await;
    facade.revoke(Target::Role("raw".into())).await;
    assert!(drained(socket, Duration::from_secs(10)).await < SIZE);
    check_cut(facade, "revoked").await;
}

/// Also one on which nothing flows: the backend stands still, and nobody asks the body for more.
#[tokio::test]
async fn a_revocation_cuts_a_stream_that_stands_still() {
    let facade = Facade::start().await;
    facade.put("large.jsonl", "{\"n\":12}\n".repeat(SIZE / 9));
    facade.backend.cue(Fault::StallBody(200_000));
    let socket = slow_stream(&facade, "raw").await;
    facade.revoke(Target::Subject { issuer: facade.issuer.url.clone(), subject: "raw-person".into() }).await;
    assert!(drained(socket, Duration::from_secs(10)).await < SIZE);
    check_cut(facade, "revoked").await;
}

#[tokio::test]
async fn a_revoked_caller_is_refused_everywhere_within_seconds() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let (token, session) = (facade.token("raw"), facade.session("raw").await);
    let presigned = session.presign(facade.ask("GET", "/traces/a.txt"));
    facade.revoke(Target::Role("raw".into())).await;
    within(Duration::from_secs(5), "revoked", async || {
        facade.send(Ask::get("/traces/a.txt").bearer(&token)).await.status == 403
    })
    .await;
    for ask in [presigned, session.sign(facade.ask("GET", "/traces/a.txt")), Ask::get("/-/credentials").bearer(&token)]
    {
        assert_eq!(facade.send(ask.clone()).await.status, 403, "{}", ask.target);
    }
    assert_eq!(facade.as_role("masked", Ask::get("/traces?list-type=2")).await.status, 200, "others are served");
}
