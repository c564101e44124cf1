//! A connection that ends when its peer says nothing, or takes nothing, for too long.
//!
//! hyper waits without end for the first bytes (it cannot tell yet which HTTP they are), and for a peer that does not read;
//! a body cannot notice, since it is not asked for more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// As many bytes as the preface of HTTP/2 has (RFC 9113, 3.4). From then on hyper's own timers run.
const FIRST_BYTES: usize = 24;

/// See the module.
pub(super) struct Patient<S> {
    inner: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Ends the wait for the first bytes; `None` once they are there.
    first: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl<S> Patient<S> {
    /// Ends `inner` when its first bytes have not come within `first`, or its writes make no progress for `patience`.
    pub(super) fn new(inner: S, first: Duration, patience: Duration) -> Self {
        Self { inner, patience, waiting: None, first: Some(Box::pin(tokio::time::sleep(first))), read: 0 }
    }

    /// Progress ends the wait; without it, the wait begins or ends the connection.
    fn judge<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        let Some(first) = &mut this.first else { return polled };
        this.read += buffer.filled().len() - before;
        if this.read >= FIRST_BYTES {
            this.first = None;
        } else if polled.is_pending() && first.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.judge(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write_vectored(context, slices);
        this.judge(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_flush(context);
        this.judge(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_ends_the_connection() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(ours, Duration::from_secs(60), Duration::from_millis(20));
        let error = patient.write_all(&[0; 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_slow_peer_that_takes_something_is_waited_for() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 256 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                taken += tokio::io::AsyncReadExt::read(&mut theirs, &mut [0; 16]).await.unwrap();
            }
        });
        // In all the peer takes longer than our patience; never between two bites.
        Patient::new(ours, Duration::from_secs(60), Duration::from_millis(250)).write_all(&[0; 256]).await.unwrap();
        reader.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_says_too_little_ends_the_connection() {
        for said in [&b""[..], b"P", b"GET / HTTP/1.1\r\n"] {
            let (ours, mut theirs) = tokio::io::duplex(64);
            theirs.write_all(said).await.unwrap();
            let mut patient = Patient::new(ours, Duration::from_millis(20), Duration::from_secs(60));
            let error = tokio::io::AsyncReadExt::read_to_end(&mut patient, &mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
    }
}
