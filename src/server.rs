//! The sockets: listeners, TLS, limits per connection, and an end that lets requests in flight finish.
//!
//! Knows nothing of S3; hands every request to the rim with what is known of its connection.

mod clients;
mod patience;
pub mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Bounds;
use crate::limits;
use crate::rim::progress::Progress;
use crate::rim::{Connection, Rim};
use clients::{Clients, Counted};
use patience::Patient;

/// One bound listener.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Listener {
    /// Binds an address; with `tls` it speaks HTTPS only.
    pub async fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, tls })
    }

    /// The address, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves until `stop` turns true; then no new connection is taken, and requests in flight may finish.
pub async fn serve(listeners: Vec<Listener>, rim: Arc<Rim>, bounds: &Bounds, stop: watch::Receiver<bool>) {
    let clients = Clients::new(bounds.connections_per_address);
    let loops = listeners.into_iter().map(|listener| accept(listener, rim.clone(), &clients, bounds, stop.clone()));
    futures::future::join_all(loops).await;
}

async fn accept(
    listener: Listener,
    rim: Arc<Rim>,
    clients: &Arc<Clients>,
    bounds: &Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let patience = bounds.header_timeout;
    let http = Arc::new(protocol(patience));
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let (end, ended) = watch::channel(false);
    let mut open = tokio::task::JoinSet::new();
    loop {
        let taken = tokio::select! {
            taken = listener.socket.accept() => taken,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            () = told(&mut stop) => break,
        };
        let (socket, peer) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                // Out of descriptors, most likely: taking a breath lets others end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Above the bound a connection is closed at once, which clients take for busy and try again.
        let Some(place) = place(peer.ip(), &slots, clients, &rim) else { continue };
        let (http, rim, tls, ended) = (http.clone(), rim.clone(), listener.tls.clone(), ended.clone());
        open.spawn(async move {
            connection(socket, peer, tls, &http, rim, ended, patience).await;
            drop(place);
        });
    }
    drop(listener);
    end.send_replace(true);
    let rest = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain_timeout, rest).await.is_err() {
        tracing::warn!(open = open.len(), "connections were cut at the end of the drain time");
        // Waited for, so that what they leave in the log stands there before it is closed.
        open.shutdown().await;
    }
}

/// A connection's place at its listener and, unless many clients come through its peer, among those of its client.
fn place(
    peer: IpAddr,
    slots: &Arc<Semaphore>,
    clients: &Arc<Clients>,
    rim: &Rim,
) -> Option<(OwnedSemaphorePermit, Option<Counted>)> {
    let refused = |bound| rim.metrics.connection_refused(bound);
    let slot = slots.clone().try_acquire_owned().inspect_err(|_| refused("listener")).ok()?;
    if rim.trusts(peer) {
        return Some((slot, None));
    }
    let counted = clients.enter(peer);
    if counted.is_none() {
        refused("address");
    }
    counted.map(|counted| (slot, Some(counted)))
}

/// Waits until it turns true, or nobody can say so any more.
async fn told(receiver: &mut watch::Receiver<bool>) {
    receiver.wait_for(|told| *told).await.ok();
}

fn protocol(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::HEADER_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits::H2_STREAMS_MAX)
        .max_send_buf_size(limits::H2_SEND_BUFFER_BYTES)
        .keep_alive_interval(limits::H2_PING)
        .keep_alive_timeout(limits::H2_PING);
    http
}

/// The kernel takes no more off our hands than that before the peer has room for it: a slow reader costs little there, too,
/// and what it was sent is known better.
#[cfg(target_os = "linux")]
fn bound_unsent(socket: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(limits::UNSENT_BYTES_MAX)
}

/// Other systems bound it as they see fit.
#[cfg(not(target_os = "linux"))]
fn bound_unsent(_socket: &TcpStream) -> std::io::Result<()> {
    Ok(())
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    http: &Builder<TokioExecutor>,
    rim: Arc<Rim>,
    ended: watch::Receiver<bool>,
    patience: Duration,
) {
    // Without this a small answer waits for the peer's delayed acknowledgement, some 40 ms.
    if socket.set_nodelay(true).is_err() || bound_unsent(&socket).is_err() {
        return;
    }
    let on = Connection { peer: peer.ip(), tls: tls.is_some(), progress: Progress::default() };
    match tls {
        None => talk(Patient::new(socket, patience, limits::WRITE_IDLE_TIMEOUT), on, http, rim, ended).await,
        Some(config) => {
            let shake = TlsAcceptor::from(config).accept(socket);
            match tokio::time::timeout(limits::TLS_HANDSHAKE_TIMEOUT, shake).await {
                Ok(Ok(stream)) => {
                    let stream = Patient::new(stream, patience, limits::WRITE_IDLE_TIMEOUT);
                    talk(stream, on, http, rim, ended).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS handshake"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            }
        }
    }
}

async fn talk<S>(
    stream: S,
    on: Connection,
    http: &Builder<TokioExecutor>,
    rim: Arc<Rim>,
    mut ended: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (peer, progress) = (on.peer, on.progress.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (rim, on) = (rim.clone(), on.clone());
        async move { Ok::<_, std::convert::Infallible>(rim.answer(request, on).await) }
    });
    let graceful = GracefulShutdown::new();
    let served = graceful.watch(http.serve_connection(TokioIo::new(stream), service).into_owned());
    tokio::pin!(served);
    let result = tokio::select! {
        result = &mut served => result,
        () = progress.stalled(limits::WRITE_IDLE_TIMEOUT) => {
            tracing::debug!(%peer, "the connection's responses did not move, so it was closed");
            return;
        }
        () = told(&mut ended) => {
            // Telling happens at the first poll; the rest of `shutdown` waits for `served` to be dropped, which is here.
            let shutdown = graceful.shutdown();
            tokio::pin!(shutdown);
            tokio::select! {
                biased;
                () = &mut shutdown => served.await,
                result = &mut served => result,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, %peer, "the connection ended");
    }
}
