//! The body of a write on its way to the store: handed on piece by piece, of exactly the length that was said, watched.
//!
//! Whose turn it is decides how long to wait. While the caller is to send, its own watch counts, not ours. A store that
//! does not take what it is given, or does not answer once it has all, is given up.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::trouble::{self, Asked};
use super::{Aws, Timeouts};
use crate::backend::Trouble;
use crate::s3::payload::{Fate, Upload, UploadError};

/// What a body on its way is watched by.
pub(super) struct Watch {
    flow: Arc<Flow>,
    fate: Arc<Fate>,
    length: u64,
    timeouts: Timeouts,
}

/// A body whose first piece is there, and the whole of it where that is all.
///
/// # Errors
/// A body that breaks off before its first piece, or is empty and does not hold what was said of it.
pub(super) async fn peeked(upload: Upload) -> Result<(Upload, Option<Bytes>), Trouble> {
    let fate = upload.fate.clone();
    upload.peeked().await.map_err(|error| fate.failed().unwrap_or(error).into())
}

/// The body for the SDK, and its watch.
pub(super) fn body(upload: Upload, timeouts: Timeouts) -> (ByteStream, Watch) {
    let flow = Arc::new(Flow { began: Instant::now(), state: AtomicU64::new(0) });
    let body =
        Sending { pieces: Mutex::new(upload.body), left: upload.length, flow: flow.clone(), fate: upload.fate.clone() };
    let watch = Watch { flow, fate: upload.fate, length: upload.length, timeouts };
    (ByteStream::new(SdkBody::from_body_1_x(body)), watch)
}

impl Aws {
    /// Waits for the answer to a request that carries such a body. If the body broke off, the store's word on it does
    /// not count.
    pub(super) async fn sent<T, E>(
        &self,
        asked: Asked,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        watch: Watch,
    ) -> Result<T, Trouble>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answer = tokio::select! {
            answer = sent => answer.map_err(|error| trouble::of(asked, &error)),
            () = watch.stuck() => Err(Trouble::Timeout),
        };
        if let Some(error) = watch.fate.failed() {
            return Err(error.into());
        }
        match answer {
            Ok(_) if watch.length > 0 && watch.flow.now().0 != Turn::Done => {
                Err(Trouble::Broken("it answered before it had the whole body".to_owned()))
            }
            answer => answer,
        }
    }
}

impl Watch {
    /// Ends when the store is given up.
    async fn stuck(&self) {
        loop {
            let (turn, since) = self.flow.now();
            let patience = match turn {
                Turn::Opening => self.timeouts.connect + self.timeouts.head,
                Turn::Caller => {
                    // Looked at again before the store's own time could be up.
                    tokio::time::sleep(self.timeouts.idle).await;
                    continue;
                }
                Turn::Store => self.timeouts.idle,
                Turn::Done => self.timeouts.head,
            };
            if Instant::now() >= since + patience {
                return;
            }
            tokio::time::sleep_until(since + patience).await;
        }
    }
}

/// Whose turn it is, and since when; shared by the body and its watch.
struct Flow {
    began: Instant,
    /// Milliseconds since it began, times four, plus the turn.
    state: AtomicU64,
}

/// Who is to act next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The connection is to be made, and the first piece asked for, if there is one.
    Opening,
    /// The caller is to send.
    Caller,
    /// The store is to take what it was given.
    Store,
    /// The store has all, and is to answer.
    Done,
}

const TURNS: [Turn; 4] = [Turn::Opening, Turn::Caller, Turn::Store, Turn::Done];

impl Flow {
    fn is(&self, turn: Turn) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store((millis << 2) | turn as u64, Ordering::Release);
    }

    fn now(&self) -> (Turn, Instant) {
        let state = self.state.load(Ordering::Acquire);
        (TURNS[(state & 3) as usize], self.began + Duration::from_millis(state >> 2))
    }
}

/// The body, as hyper asks for it.
struct Sending {
    /// Never locked: the SDK asks its bodies to be shareable, and a stream is not.
    pieces: Mutex<BoxStream<'static, Result<Bytes, UploadError>>>,
    left: u64,
    flow: Arc<Flow>,
    fate: Arc<Fate>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.flow.is(Turn::Caller);
        let this = &mut *self;
        let pieces = this.pieces.get_mut().unwrap_or_else(PoisonError::into_inner);
        let piece = match std::task::ready!(pieces.poll_next_unpin(context)) {
            Some(Ok(piece)) => this.counted(piece),
            Some(Err(error)) => Err(error),
            None => Err(UploadError::Incomplete),
        };
        Poll::Ready(Some(piece.map(Frame::data).inspect_err(|error| this.fate.fail(*error))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Sending {
    fn counted(&mut self, piece: Bytes) -> Result<Bytes, UploadError> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(UploadError::Malformed)?;
        self.flow.is(if self.left == 0 { Turn::Done } else { Turn::Store });
        Ok(piece)
    }
}
