//! The body of a write on its way in: what the head says is checked at once, the bytes when somebody asks for them.
//!
//! Nothing is read before the first poll: a refusal needs no draining, and hyper answers `Expect: 100-continue` on that
//! poll only. The last piece is held back until everything holds; see [`Upload`].

mod intake;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _};
use http_body::Body;
use tokio::time::{Instant, Sleep};

use crate::identity::chunks::ChunkSigner;
use crate::limits::{REVOCATION_POLL, UPLOAD_IDLE_TIMEOUT};
use crate::s3::error::{Code, Refusal};
use crate::s3::payload::head::{BodyHead, ChecksumsOf, Framing};
use crate::s3::payload::{Fate, Upload, UploadError};
use crate::s3::wire;
use intake::Intake;

/// Opens the body of a request. `signer` is that of a signed head; without one, bodies with signed chunks are refused.
pub fn open<B>(parts: &http::request::Parts, body: B, signer: Option<ChunkSigner>) -> Result<Upload, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let head = BodyHead::read(&parts.headers, ChecksumsOf::Body)?;
    let head = head.with_presigned(wire::presigned_checksum(&parts.uri)?)?;
    opened(head, body, signer, UPLOAD_IDLE_TIMEOUT)
}

/// Opens the body of a `CompleteMultipartUpload`, as [`open`]: the checksums among its headers are not the body's, but the
/// object's, and are left to whoever reads them.
pub fn open_completion<B>(parts: &http::request::Parts, body: B, signer: Option<ChunkSigner>) -> Result<Upload, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    opened(BodyHead::read(&parts.headers, ChecksumsOf::Object)?, body, signer, UPLOAD_IDLE_TIMEOUT)
}

/// The same body, broken off once the right to write it has ended; looked at as often as revocations are read.
pub fn while_allowed(upload: Upload, allowed: impl Fn() -> bool + Send + 'static) -> Upload {
    let Upload { length, checksum, md5, mut body, fate } = upload;
    let (told, mut look, mut over) = (fate.clone(), tokio::time::interval(REVOCATION_POLL), false);
    let body = stream::poll_fn(move |context| {
        let mut due = false;
        // Until it is pending: then it wakes us.
        while look.poll_tick(context).is_ready() {
            due = true;
        }
        if over {
            return Poll::Ready(None);
        }
        if due && !allowed() {
            over = true;
            told.fail(UploadError::NotAllowed);
            return Poll::Ready(Some(Err(UploadError::NotAllowed)));
        }
        body.poll_next_unpin(context)
    });
    Upload { length, checksum, md5, body: body.boxed(), fate }
}

/// A small body, whole and verified: at most `max` bytes.
pub async fn read_all(mut upload: Upload, max: usize) -> Result<Bytes, Refusal> {
    if upload.length > max as u64 {
        return Err(Refusal::new(Code::EntityTooLarge, format!("The body may have at most {max} bytes.")));
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = upload.body.next().await {
        whole.extend_from_slice(&piece.map_err(UploadError::refusal)?);
    }
    Ok(whole.freeze())
}

fn opened<B>(head: BodyHead, body: B, signer: Option<ChunkSigner>, patience: Duration) -> Result<Upload, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    if signer.is_none() && matches!(head.framing, Framing::Chunked { signed: true, .. }) {
        let text =
            "A body of signed chunks needs a signed Authorization header; use STREAMING-UNSIGNED-PAYLOAD-TRAILER.";
        return Err(Refusal::new(Code::InvalidRequest, text));
    }
    let fate = Arc::new(Fate::announcing(head.trailer));
    let intake = Some(Intake::new(&head, signer));
    let (input, idle) = (Bytes::new(), Idle { patience, timer: None, waiting: false });
    let receiving = Receiving { body, intake, input, held: None, idle, fate: fate.clone() };
    Ok(Upload {
        length: head.length,
        checksum: head.checksum,
        md5: head.md5.map(|md5| md5.value),
        body: receiving.boxed(),
        fate,
    })
}

/// A body being received: gives each piece when the next one is there, and the last one when everything holds.
struct Receiving<B> {
    body: B,
    /// `None` once the body is over, well or not.
    intake: Option<Intake>,
    /// What came and is not taken apart yet.
    input: Bytes,
    held: Option<Bytes>,
    idle: Idle,
    fate: Arc<Fate>,
}

impl<B: Body<Data = Bytes> + Unpin> Receiving<B> {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UploadError>> {
        loop {
            let Some(intake) = &mut self.intake else { return Poll::Ready(Ok(None)) };
            if let Some(data) = intake.next(&mut self.input)? {
                self.fate.receive(data.len() as u64);
                match self.held.replace(data) {
                    Some(piece) => return Poll::Ready(Ok(Some(piece))),
                    None => continue,
                }
            }
            match ready!(self.poll_input(context))? {
                Some(bytes) => self.input = bytes,
                None => return Poll::Ready(self.end()),
            }
        }
    }

    /// More bytes from the caller, if it has any.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UploadError>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.idle.poll(context));
                return Poll::Ready(Err(UploadError::Stalled));
            };
            let Some(frame) = frame else { return Poll::Ready(Ok(None)) };
            // HTTP's own trailers mean nothing to S3: a checksum there would be one that nobody verifies.
            let frame = frame.map_err(|_| UploadError::Incomplete)?;
            let bytes = frame.into_data().map_err(|_| UploadError::Malformed)?;
            if !bytes.is_empty() {
                self.idle.moved();
                if let Some(intake) = &mut self.intake {
                    intake.arrive(bytes.len() as u64)?;
                }
                return Poll::Ready(Ok(Some(bytes)));
            }
        }
    }

    fn end(&mut self) -> Result<Option<Bytes>, UploadError> {
        if let Some(checksum) = self.intake.take().map(Intake::end).transpose()?.flatten() {
            self.fate.verify(checksum);
        }
        Ok(self.held.take())
    }
}

impl<B: Body<Data = Bytes> + Unpin> Stream for Receiving<B> {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.poll_piece(context));
        if let Err(error) = piece {
            self.fate.fail(error);
            (self.intake, self.held, self.input) = (None, None, Bytes::new());
        }
        Poll::Ready(piece.transpose())
    }
}

/// How long nothing came, while somebody waited for it. Costs nothing while bytes flow.
struct Idle {
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Idle {
    fn moved(&mut self) {
        self.waiting = false;
    }

    /// Ready when nothing came for so long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let end = Instant::now() + self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(end);
        }
        timer.as_mut().poll(context)
    }
}

#[cfg(test)]
#[path = "upload/tests.rs"]
mod tests;
