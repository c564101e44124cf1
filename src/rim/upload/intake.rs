//! A body taken in: unwrapped, counted, and held to everything that was said of it. No I/O; bytes are pushed in.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::identity::chunks::ChunkSigner;
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::payload::UploadError;
use crate::s3::payload::chunked::{Chunked, Piece, Rules, Signature, Trailer};
use crate::s3::payload::digests::Digests;
use crate::s3::payload::head::{BodyHead, Framing};

/// One body on its way in.
pub(super) struct Intake {
    framing: Wrapped,
    digests: Digests,
    /// Bytes that `Content-Length` still promises.
    wire_left: Option<u64>,
    trailer: Trailer,
}

enum Wrapped {
    /// Not at all; so many bytes are still to come.
    Plain { left: u64 },
    /// In `aws-chunked`.
    Chunked { chunked: Box<Chunked>, announced: Option<Algorithm>, signed: Option<Box<Signed>> },
}

/// The chain of signatures, and the digest of the chunk that is being read.
struct Signed {
    signer: ChunkSigner,
    chunk: Sha256,
}

impl Intake {
    /// A body of which its head says this. `signer` must be there where chunks are signed; `None` otherwise is no fault.
    pub(super) fn new(head: &BodyHead, signer: Option<ChunkSigner>) -> Self {
        let framing = match head.framing {
            Framing::Plain => Wrapped::Plain { left: head.length },
            Framing::Chunked { signed, trailers } => {
                let rules = Rules { length: head.length, signed, trailers, announced: head.trailer };
                let signer = signer.filter(|_| signed);
                Wrapped::Chunked {
                    chunked: Box::new(Chunked::new(rules)),
                    announced: head.trailer,
                    signed: signer.map(|signer| Box::new(Signed { signer, chunk: Sha256::new() })),
                }
            }
        };
        Self { framing, digests: Digests::of(head), wire_left: head.wire_length, trailer: Trailer::default() }
    }

    /// Counts bytes that came, before they are taken apart.
    pub(super) fn arrive(&mut self, bytes: u64) -> Result<(), UploadError> {
        if let Some(left) = &mut self.wire_left {
            *left = left.checked_sub(bytes).ok_or(UploadError::Malformed)?;
        }
        Ok(())
    }

    /// The next of the decoded bytes that `input` holds, taken off its front; `None` when it needs more.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, UploadError> {
        let data = match &mut self.framing {
            Wrapped::Plain { .. } if input.is_empty() => return Ok(None),
            Wrapped::Plain { left } => {
                *left = left.checked_sub(input.len() as u64).ok_or(UploadError::Malformed)?;
                std::mem::take(input)
            }
            Wrapped::Chunked { chunked, announced, signed } => loop {
                match chunked.next(input)? {
                    None => return Ok(None),
                    Some(Piece::Data(data)) => {
                        if let Some(signed) = signed {
                            signed.chunk.update(&data);
                        }
                        break data;
                    }
                    Some(Piece::ChunkEnd(signature)) => check(signed, |signed| signed.chunk_ends(signature))?,
                    Some(Piece::End(trailer)) => {
                        check(signed, |signed| signed.trailer_holds(*announced, &trailer))?;
                        self.trailer = trailer;
                    }
                }
            },
        };
        self.digests.update(&data);
        Ok(Some(data))
    }

    /// Nothing more comes: whether everything holds. The caller's checksum, if there is one.
    pub(super) fn end(self) -> Result<Option<Checksum>, UploadError> {
        match &self.framing {
            Wrapped::Plain { left: 0 } => {}
            Wrapped::Plain { .. } => return Err(UploadError::Incomplete),
            Wrapped::Chunked { chunked, .. } => chunked.end()?,
        }
        if self.wire_left.is_some_and(|left| left > 0) {
            return Err(UploadError::Incomplete);
        }
        self.digests.finish(self.trailer.value.as_deref())
    }
}

fn check(signed: &mut Option<Box<Signed>>, holds: impl FnOnce(&mut Signed) -> bool) -> Result<(), UploadError> {
    if signed.as_mut().is_none_or(|signed| holds(signed)) { Ok(()) } else { Err(UploadError::Signature) }
}

impl Signed {
    fn chunk_ends(&mut self, signature: Option<Signature>) -> bool {
        let digest = self.chunk.finalize_reset().into();
        signature.is_some_and(|signature| self.signer.chunk(&digest, &signature))
    }

    /// A body without trailers ends with its last chunk's signature.
    fn trailer_holds(&mut self, announced: Option<Algorithm>, trailer: &Trailer) -> bool {
        let Some(signature) = trailer.signature else { return trailer.value.is_none() };
        let mut canonical = Sha256::new();
        if let (Some(algorithm), Some(value)) = (announced, &trailer.value) {
            for part in [algorithm.header(), ":", value, "\n"] {
                canonical.update(part);
            }
        }
        self.signer.trailer(&canonical.finalize().into(), &signature)
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
