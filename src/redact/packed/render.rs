//! One compressed object made into what a view shows of it, and read in any ranges.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::task;

use super::decoder::Decoder;
use super::encoder::{Encoder, Frame};
use super::spool::{Sealed, Spool};
use super::{Codec, Unpackable};
use crate::limits;
use crate::policy::mask::Format;
use crate::redact::format::{self, Framing, Unframed};
use crate::redact::output::Shown;
use crate::redact::plan::Plan;
use crate::redact::redactor::Redactor;
use crate::redact::stream::{ShowError, Source};
use crate::redact::tally::{Tally, TallyCell};
use crate::s3::answer::{Body, BodyError, ContentRange};

/// A compressed object as a view shows it, without anything kept of it; and what is hidden in it.
///
/// # Errors
/// Why it is not shown.
pub async fn once(
    source: Arc<dyn Source>,
    packed: Packed,
    plan: Arc<Plan>,
    size: u64,
    dir: &Path,
) -> Result<(Body, Tally), ShowError> {
    let rendering = Arc::new(Work { source, packed, plan, size }.render(dir).await?);
    let tally = rendering.tally.read();
    Ok((rendering.read(ContentRange { first: 0, last: size - 1 }), tally))
}

/// How an object is compressed, and what name and head say of what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// By which it is compressed, or is refused.
    pub codec: Codec,
    /// The format inside; `None` leaves it to the first bytes there.
    pub inside: Option<Format>,
}

/// What is to be rendered.
#[derive(Clone)]
pub(in crate::redact) struct Work {
    pub(in crate::redact) source: Arc<dyn Source>,
    pub(in crate::redact) packed: Packed,
    pub(in crate::redact) plan: Arc<Plan>,
    /// Size of the object, and so of the rendering, in bytes.
    pub(in crate::redact) size: u64,
}

/// A compressed object as a view shows it.
pub struct Rendering {
    head: Bytes,
    body: Sealed,
    blocks: (&'static [u8], u64),
    tail: Bytes,
    /// What was hidden in it.
    pub(in crate::redact) tally: Arc<TallyCell>,
}

impl Work {
    /// Renders the object, which is read anew for each try.
    ///
    /// # Errors
    /// Why it is not shown; nothing stays behind.
    pub(in crate::redact) async fn render(self, dir: &Path) -> Result<Rendering, ShowError> {
        for at in 0.. {
            let Some(encoder) = Encoder::of_try(self.packed.codec, at) else { break };
            let mut body = self.source.read(0, self.size - 1).await?;
            let mut pass = Box::new(Pass::new(&self, encoder, dir)?);
            let mut read = 0;
            let mut fits = true;
            while let (Some(chunk), true) = (body.next().await.transpose()?, fits) {
                read += chunk.len() as u64;
                (pass, fits) = off_the_loop(move || pass.feed(&chunk).map(|fits| (pass, fits))).await?;
            }
            if !fits {
                continue;
            }
            if read != self.size {
                return Err(ShowError::Backend(BodyError::Backend("another length than it had said".to_owned())));
            }
            match off_the_loop(move || pass.end()).await? {
                Some(rendering) if rendering.len() == self.size => return Ok(rendering),
                Some(_) => return Err(unkept(io::Error::other("it came out at another size"))),
                None => {}
            }
        }
        Err(Unpackable::DoesNotFit.into())
    }
}

/// Runs what computes for long, or waits for a disk, where it holds nobody up.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShowError> + Send + 'static,
) -> Result<T, ShowError> {
    task::spawn_blocking(work).await.unwrap_or_else(|_| Err(unkept(io::Error::other("the rendering broke down"))))
}

fn short() -> io::Error {
    io::Error::other("it is shorter than it was said to be")
}

fn unkept(error: io::Error) -> ShowError {
    ShowError::Unkept(error.to_string())
}

/// One try: everything between the object's bytes and the rendering's.
struct Pass {
    decoder: Decoder,
    inside: Inside,
}

/// What happens to decoded bytes.
struct Inside {
    /// Until the format is known: the first of them.
    first: Option<Vec<u8>>,
    framing: Framing,
    plan: Arc<Plan>,
    redactor: Option<Redactor>,
    shown: Shown,
    encoder: Encoder,
    /// Compressed, to be kept.
    made: Vec<u8>,
    spool: Spool,
    size: u64,
}

impl Pass {
    fn new(work: &Work, encoder: Encoder, dir: &Path) -> Result<Self, ShowError> {
        let inside = Inside {
            first: Some(Vec::new()),
            framing: work.packed.inside.map_or(Framing::Undetermined, Framing::Known),
            plan: work.plan.clone(),
            redactor: None,
            shown: Shown::new(),
            encoder,
            made: Vec::new(),
            spool: Spool::new(dir).map_err(unkept)?,
            size: work.size,
        };
        Ok(Self { decoder: Decoder::new(work.packed.codec)?, inside })
    }

    /// Whether it may still fit.
    fn feed(&mut self, chunk: &[u8]) -> Result<bool, ShowError> {
        let inside = &mut self.inside;
        self.decoder.write(chunk, |decoded| inside.take(decoded))?;
        Ok(self.inside.fits())
    }

    /// The rendering, if it fits.
    fn end(mut self: Box<Self>) -> Result<Option<Rendering>, ShowError> {
        let inside = &mut self.inside;
        self.decoder.end(|decoded| inside.take(decoded))?;
        let redactor = inside.ended()?;
        let Inside { encoder, mut made, mut spool, size, plan, .. } = self.inside;
        let Some(Frame { head, blocks, tail }) = encoder.end(size, &mut made)? else { return Ok(None) };
        spool.write(&made).map_err(unkept)?;
        let tally = TallyCell::new(&plan);
        tally.set(redactor.tally());
        let body = spool.seal().map_err(unkept)?;
        Ok(Some(Rendering { head: head.into(), body, blocks, tail: tail.into(), tally }))
    }
}

impl Inside {
    fn fits(&self) -> bool {
        self.encoder.made() <= self.size
    }

    fn take(&mut self, decoded: &[u8]) -> Result<(), ShowError> {
        // What does not fit any more is not made: a chunk may unpack to more than memory should hold.
        if !self.fits() {
            return Ok(());
        }
        let Some(mut first) = self.first.take() else { return self.redact(Bytes::copy_from_slice(decoded)) };
        first.extend_from_slice(decoded);
        // The marks of compressed files have up to four bytes.
        if first.len() < 4 || (!self.framed(&first, false)? && first.len() < limits::HOLD_BYTES_MAX) {
            self.first = Some(first);
            return Ok(());
        }
        self.redact(first.into())
    }

    /// Whether the format is known by these bytes, of which `all` says that there are no more.
    fn framed(&mut self, first: &[u8], all: bool) -> Result<bool, ShowError> {
        match format::of_bytes(self.framing, first, all) {
            Framing::Known(format) => {
                self.redactor = Some(Redactor::new(self.plan.clone(), format, 0));
                Ok(true)
            }
            Framing::Undetermined => Ok(false),
            Framing::Packed(_) => Err(Unframed::Compressed.into()),
            Framing::Refused(why) => Err(why.into()),
        }
    }

    fn redact(&mut self, decoded: Bytes) -> Result<(), ShowError> {
        let Some(redactor) = &mut self.redactor else { return Err(Unframed::NotJson.into()) };
        redactor.write(decoded, &mut self.shown)?;
        self.encode()
    }

    fn encode(&mut self) -> Result<(), ShowError> {
        for piece in self.shown.by_ref() {
            self.encoder.write(&piece, &mut self.made)?;
            self.spool.write(&self.made).map_err(unkept)?;
            self.made.clear();
        }
        Ok(())
    }

    /// All was decoded.
    fn ended(&mut self) -> Result<Redactor, ShowError> {
        if let Some(first) = self.first.take() {
            self.framed(&first, true)?;
            self.redact(first.into())?;
        }
        let Some(mut redactor) = self.redactor.take() else { return Err(Unframed::NotJson.into()) };
        redactor.end(&mut self.shown)?;
        self.encode()?;
        Ok(redactor)
    }
}

impl Rendering {
    /// What it takes on the disk, in bytes.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.body.len()
    }

    /// Its size, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.body_end() + self.tail.len() as u64
    }

    fn blocks_end(&self) -> u64 {
        self.head.len() as u64 + self.blocks.0.len() as u64 * self.blocks.1
    }

    fn body_end(&self) -> u64 {
        self.blocks_end() + self.body.len()
    }

    /// These bytes of it.
    pub(in crate::redact) fn read(self: Arc<Self>, range: ContentRange) -> Body {
        stream::try_unfold(range.first, move |at| {
            let rendering = self.clone();
            async move {
                if at > range.last {
                    return Ok(None);
                }
                let read = task::spawn_blocking(move || rendering.piece(at)).await;
                let read = read.unwrap_or_else(|_| Err(io::Error::other("reading broke down")));
                let read = read.and_then(|piece| if piece.is_empty() { Err(short()) } else { Ok(piece) });
                let mut piece = read.map_err(|error| {
                    tracing::error!(%error, "a rendering cannot be read back");
                    BodyError::Unkept(error.to_string())
                })?;
                piece.truncate(usize::try_from(range.last - at + 1).unwrap_or(usize::MAX));
                let next = at + piece.len() as u64;
                Ok(Some((piece, next)))
            }
        })
        .boxed()
    }

    /// Some bytes from that offset on, at least one where it is not the end.
    fn piece(&self, at: u64) -> io::Result<Bytes> {
        const RUN: usize = 16 * 1024;
        if at < self.head.len() as u64 {
            return Ok(self.head.slice(at as usize..));
        }
        if at < self.blocks_end() {
            let (block, into) = (self.blocks.0, (at - self.head.len() as u64) as usize % self.blocks.0.len());
            let left = usize::try_from(self.blocks_end() - at).unwrap_or(usize::MAX);
            return Ok(Bytes::from(block.repeat(RUN)).slice(into..).slice(..left.min(block.len() * RUN - into)));
        }
        if at < self.body_end() {
            return self.body.read(at - self.blocks_end());
        }
        Ok(self.tail.slice((at - self.body_end()) as usize..))
    }
}
