//! HTTP/2, by prior knowledge and by ALPN over TLS: many streams on one connection, and streams that their client ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracegate::limits;

use super::facade::{Facade, within};

type Client = SendRequest<Empty<Bytes>>;

/// A connection by prior knowledge.
async fn plain(to: SocketAddr) -> Client {
    over(TcpStream::connect(to).await.unwrap()).await
}

/// A connection whose server chose `h2` from what the client offered.
async fn by_alpn(facade: &Facade) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(facade.file("certificate.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let socket = TcpStream::connect(facade.https).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    over(stream).await
}

async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    // It ends with its client, which is told of what goes wrong.
    tokio::spawn(async move { connection.await.ok() });
    client
}

fn ask(facade: &Facade, role: &str, key: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{}/traces/{key}", facade.http))
        .header("authorization", format!("Bearer {}", facade.token(role)))
        .body(Empty::new())
        .unwrap()
}

async fn whole(answer: http::Response<Incoming>) -> Vec<u8> {
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn many_streams_of_one_connection_each_get_their_own() {
    let facade = Facade::start().await;
    let record = |number: usize| format!("{{\"email\":\"ada@example.com\",\"n\":{number:>9}}}\n");
    let most = limits::H2_STREAMS_MAX as usize;
    for number in 0..most {
        facade.put(&format!("{number}.jsonl"), record(number).repeat(5_000));
    }
    for client in [plain(facade.http).await, by_alpn(&facade).await] {
        let asked = (0..most).map(async |number| {
            let role = if number % 2 == 0 { "masked" } else { "raw" };
            let body =
                whole(client.clone().send_request(ask(&facade, role, &format!("{number}.jsonl"))).await.unwrap()).await;
            let shown = record(number).replace("\"ada@example.com\"", "\"[REDACTED]\"");
            let shown = format!("{:<w$}\n", shown.trim_end(), w = record(number).len() - 1);
            let wanted = if role == "raw" { record(number) } else { shown };
            assert!(
                body == wanted.repeat(5_000).into_bytes(),
                "{number} as {role}: {}",
                String::from_utf8_lossy(&body[..99])
            );
        });
        futures::future::join_all(asked).await;
    }
    let log = facade.stopped().await;
    let ended: Vec<_> = log.of_kind("s3.intent").iter().map(|row| row.outcome.clone().unwrap()).collect();
    assert_eq!(ended, vec!["ok"; 2 * most]);
}

#[tokio::test]
async fn a_stream_that_its_client_resets_is_closed_and_the_others_go_on() {
    let facade = Facade::start().await;
    let size = 16 << 20;
    facade.put("large.bin", vec![b'x'; size]);
    facade.put("small.txt", "hello");
    for mut client in [plain(facade.http).await, by_alpn(&facade).await] {
        let other = client.send_request(ask(&facade, "raw", "large.bin")).await.unwrap();
        let mut large = client.send_request(ask(&facade, "raw", "large.bin")).await.unwrap();
        large.frame().await.unwrap().unwrap();
        // RST_STREAM with CANCEL.
        drop(large);
        assert_eq!(whole(client.send_request(ask(&facade, "raw", "small.txt")).await.unwrap()).await, b"hello");
        assert_eq!(whole(other).await.len(), size);
    }
    within(Duration::from_secs(5), "the entries of what was reset are closed", async || {
        let log = facade.log();
        let gone = log.rows.iter().filter(|row| row.outcome.as_deref() == Some("client-gone"));
        let gone: Vec<u64> = gone.map(|row| row.bytes.unwrap()).collect();
        gone.len() == 2 && gone.iter().all(|bytes| *bytes < size as u64)
    })
    .await;
    let log = facade.stopped().await;
    assert!(log.rows.iter().all(|row| row.outcome.as_deref() != Some("open")), "{:?}", log.requests());
}

#[tokio::test]
async fn a_connection_that_goes_closes_all_its_streams() {
    let facade = Facade::start().await;
    facade.put("large.bin", vec![b'x'; 16 << 20]);
    let mut client = plain(facade.http).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(client.send_request(ask(&facade, "raw", "large.bin")).await.unwrap());
    }
    drop((open, client));
    within(Duration::from_secs(5), "every entry is closed", async || {
        facade.log().rows.iter().filter(|row| row.outcome.as_deref() == Some("client-gone")).count() == 20
    })
    .await;
}
