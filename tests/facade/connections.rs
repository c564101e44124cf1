//! How many connections one client may hold: more are closed at once, and others are served all the same.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::facade::{Facade, Wish, within};
use super::wire::{self, Ask};

const MOST: usize = 3;

async fn facade(trusted_proxies: Vec<&'static str>) -> Facade {
    Facade::start_with(Wish { trusted_proxies, connections_per_address: Some(MOST), ..Wish::default() }).await
}

/// A connection from that address of loopback that stays open, if it is served.
async fn held(to: SocketAddr, from: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0)).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    // Where it was closed already, writing may fail; reading tells.
    let ask = format!("GET /traces/a.txt HTTP/1.1\r\nhost: {to}\r\n\r\n");
    drop(stream.write_all(ask.as_bytes()).await);
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await;
    read.expect("neither answered nor closed").ok().filter(|_| &answer == b"HTTP/1.1 403").map(|_| stream)
}

#[tokio::test]
async fn a_client_holds_so_many_connections_and_no_more() {
    let facade = facade(Vec::new()).await;
    let mut open = Vec::new();
    for _ in 0..MOST {
        open.push(held(facade.http, "127.0.0.1").await.expect("it is served"));
    }
    assert!(held(facade.http, "127.0.0.1").await.is_none(), "one too many");
    assert!(held(facade.http, "127.0.0.2").await.is_some(), "another client is served");
    let metrics = wire::send(facade.admin, &Ask::get("/metrics")).await;
    let line = "tracegate_connections_refused_total{bound=\"address\"} 1";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
    open.pop();
    within(Duration::from_secs(5), "a place comes free", async || held(facade.http, "127.0.0.1").await.is_some()).await;
}

#[tokio::test]
async fn many_clients_come_through_a_proxy_that_is_trusted() {
    let facade = facade(vec!["127.0.0.2/32"]).await;
    let mut open = Vec::new();
    for _ in 0..3 * MOST {
        open.push(held(facade.http, "127.0.0.2").await.expect("it is served"));
    }
    for _ in 0..MOST {
        open.push(held(facade.http, "127.0.0.1").await.expect("it is served"));
    }
    assert!(held(facade.http, "127.0.0.1").await.is_none(), "others are counted");
}
