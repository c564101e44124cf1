//! One connection to the backend, and one exchange on it at a time.
//!
//! A connection has no task of its own: whoever waits for its answer, or reads its body, drives it. That saves two
//! wake-ups for each request, and a caller who reads slowly reads slowly from the backend, too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::pool::Pool;
use super::traffic::{Counted, Traffic};
use crate::limits;

/// What hyper's buffer begins with, in bytes.
const BUFFER_BYTES_MIN: usize = 8 * 1024;

/// What a request carries.
pub(super) type Payload = http_body_util::Empty<Bytes>;

/// An open connection.
pub(super) struct Line {
    sender: SendRequest<Payload>,
    connection: Connection<TokioIo<Wire>, Payload>,
    traffic: Arc<Traffic>,
    /// Whether the connection ended; then it must not be driven any more.
    ended: bool,
    /// Since when nobody uses it.
    pub(super) idle_since: Instant,
    /// Most bytes of a body that were read at once.
    pub(super) most_read: usize,
}

/// Why there was no answer.
pub(super) enum Lost {
    /// The connection ended before a byte of an answer came: the backend may not have seen the request.
    Unanswered(hyper::Error),
    /// What came was no answer, or the connection broke within it.
    Broken(hyper::Error),
}

impl Line {
    /// Speaks HTTP/1.1 on a socket. Its bodies belong to that traffic.
    pub(super) async fn open(socket: impl Socket, traffic: Arc<Traffic>) -> hyper::Result<Box<Self>> {
        let wire = Wire { socket: Box::new(socket), answered: false, traffic: traffic.clone() };
        let (sender, connection) = http1::Builder::new()
            .max_header_size(limits::BACKEND_HEAD_BYTES_MAX)
            .max_buf_size(limits::BACKEND_READ_BYTES_MAX)
            .handshake(TokioIo::new(wire))
            .await?;
        Ok(Box::new(Self { sender, connection, traffic, ended: false, idle_since: Instant::now(), most_read: 0 }))
    }

    /// Whether it can take a request. One that the peer closed cannot, nor one on which bytes came that nobody asked for.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }

    /// Bytes of the buffer that it keeps while nobody uses it, about: hyper's has up to twice what was read at once.
    pub(super) fn room(&self) -> usize {
        (2 * self.most_read).clamp(BUFFER_BYTES_MIN, limits::BACKEND_READ_BYTES_MAX)
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(
        mut self: Box<Self>,
        request: Request<Payload>,
    ) -> Result<(Response<Incoming>, Box<Self>), Lost> {
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let found = std::future::poll_fn(|cx| {
            self.drive(cx);
            answer.as_mut().poll(cx)
        });
        match found.await {
            Ok(response) => Ok((response, self)),
            Err(failed) if failed.message().is_some() => Err(Lost::Unanswered(failed.into_error())),
            Err(failed) if self.connection.into_parts().io.inner().answered => Err(Lost::Broken(failed.into_error())),
            Err(failed) => Err(Lost::Unanswered(failed.into_error())),
        }
    }

    /// Reads and writes what can be read and written now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        // How it ended is told to whoever waits for the answer or the body.
        self.ended = self.ended || Pin::new(&mut self.connection).poll(cx).is_ready();
    }
}

/// The body of an answer, which drives its connection, and gives it back once it is read to the end.
pub(in crate::backend::aws) struct Arriving {
    body: Incoming,
    line: Option<(Box<Line>, Counted)>,
    pool: Arc<Pool>,
}

impl Arriving {
    /// The body that came on that connection, which belongs to that pool.
    pub(super) fn new(body: Incoming, line: Box<Line>, pool: Arc<Pool>) -> Self {
        let counted = line.traffic.count();
        let mut arriving = Self { body, line: Some((line, counted)), pool };
        if arriving.body.is_end_stream() {
            arriving.give_back();
        }
        arriving
    }

    /// The next bytes, as they were read from the socket.
    pub(in crate::backend::aws) async fn next(&mut self) -> Option<hyper::Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Bytes>>> {
        if let Poll::Ready(came) = self.poll_body() {
            return Poll::Ready(came);
        }
        if let Some((line, _)) = &mut self.line {
            line.drive(cx);
        }
        self.poll_body()
    }

    /// What the connection has handed over. Nothing but driving the connection brings more, so nobody is to be woken.
    fn poll_body(&mut self) -> Poll<Option<hyper::Result<Bytes>>> {
        let cx = &mut Context::from_waker(Waker::noop());
        loop {
            let came = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
            if came.is_none() || self.body.is_end_stream() {
                self.give_back();
            }
            match came.map(|frame| frame.map(|frame| frame.into_data())) {
                Some(Ok(Ok(data))) => {
                    if let Some((line, _)) = &mut self.line {
                        line.most_read = line.most_read.max(data.len());
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                // Trailers say nothing that counts here.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn give_back(&mut self) {
        if let Some((line, _)) = self.line.take() {
            self.pool.put(line);
        }
    }
}

/// What a connection runs on: TCP, or TLS over it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for T {}

/// A socket that knows whether a byte came since the last one was sent, and reads as much at once as the traffic allows.
struct Wire {
    socket: Box<dyn Socket>,
    answered: bool,
    traffic: Arc<Traffic>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let most = self.traffic.read_bytes() as u64;
        let read = Pin::new(&mut (&mut self.socket).take(most)).poll_read(cx, buffer);
        self.answered |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.answered = false;
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.answered = false;
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
