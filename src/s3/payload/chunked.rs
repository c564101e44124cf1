//! `aws-chunked` taken apart: what an SDK wraps around a body whose signature or checksum comes with or behind it.
//!
//! Only framing: chunks are passed on as slices of what came, signatures and trailers as they stand; whoever takes them
//! verifies them. Strict, where leniency would let two readers see two bodies. Shapes: "Signature Calculations for the
//! Authorization Header: Transferring Payload in Multiple Chunks" and "… Including Trailing Headers" in the S3 API
//! reference:
//!
//! ```text
//! chunk    = size [";chunk-signature=" 64hex] CRLF data CRLF        ; size in hexadecimal
//! body     = *chunk "0" [";chunk-signature=" 64hex] CRLF [trailer] CRLF
//! trailer  = name ":" value end ["x-amz-trailer-signature:" 64hex CRLF]
//! end      = CRLF / LF CRLF                                         ; the latter from minio-go
//! ```

use bytes::{Buf as _, Bytes};

use super::UploadError;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::s3::checksum::Algorithm;

const CHUNK_SIGNATURE: &[u8] = b"chunk-signature=";
const TRAILER_SIGNATURE: &[u8] = b"x-amz-trailer-signature";

/// A signature of Signature Version 4: 64 hexadecimal digits, lower case. Nothing is verified of it here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// What the framing of a body has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of the decoded body.
    pub length: u64,
    /// Whether each chunk, and the trailer, carries a signature.
    pub signed: bool,
    /// Whether the end may hold a trailer (`…-TRAILER`).
    pub trailers: bool,
    /// The checksum that `x-amz-trailer` announced: it must come, and nothing else may.
    pub announced: Option<Algorithm>,
}

/// One step through a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Some of a chunk's bytes.
    Data(Bytes),
    /// A chunk is over; its signature, where chunks have one. The empty last chunk counts.
    ChunkEnd(Option<Signature>),
    /// The body is over.
    End(Trailer),
}

/// What stands behind the last chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trailer {
    /// The value of the announced checksum, as sent.
    pub value: Option<Box<str>>,
    /// The signature over it.
    pub signature: Option<Signature>,
}

/// The decoder. Fed with bytes as they come, in whatever pieces; keeps one short line at most.
pub struct Chunked {
    rules: Rules,
    state: State,
    /// The line that is being read.
    line: Vec<u8>,
    /// Bytes of the decoded body that no chunk has announced yet.
    rest: u64,
    /// Signature of the chunk that is being read.
    signature: Option<Signature>,
    trailer: Trailer,
    /// Bytes of the trailer's lines so far.
    trailer_bytes: usize,
    /// Whether the last line ended with a bare LF, so that an empty one behind it belongs to it.
    bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data { left: u64 },
    DataEnd,
    DataCrlf,
    LastEnd,
    Trailer,
    Over,
}

impl Signature {
    /// The signature that these bytes spell.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; 64] = text.try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// Its digits.
    pub fn digits(&self) -> &[u8; 64] {
        &self.0
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(..)")
    }
}

impl Chunked {
    /// A body under these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Size,
            line: Vec::new(),
            rest: rules.length,
            signature: None,
            trailer: Trailer::default(),
            trailer_bytes: 0,
            bare: false,
        }
    }

    /// The next step that `input` allows, taken off its front; `None` when it needs more.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, UploadError> {
        loop {
            match self.state {
                State::Size => {
                    if !self.read_line(input)? {
                        return Ok(None);
                    }
                    self.begin_chunk()?;
                }
                State::Data { left } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let data = input.split_to(usize::try_from(left).map_or(input.len(), |left| left.min(input.len())));
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
                    return Ok(Some(Piece::Data(data)));
                }
                State::DataEnd => {
                    self.state = State::DataCrlf;
                    return Ok(Some(Piece::ChunkEnd(self.signature.take())));
                }
                State::DataCrlf => {
                    if !self.read_crlf(input)? {
                        return Ok(None);
                    }
                    self.state = State::Size;
                }
                State::LastEnd => {
                    self.state = State::Trailer;
                    return Ok(Some(Piece::ChunkEnd(self.signature.take())));
                }
                State::Trailer => {
                    if !self.read_line(input)? {
                        return Ok(None);
                    }
                    if self.take_trailer_line()? {
                        self.state = State::Over;
                        return Ok(Some(Piece::End(std::mem::take(&mut self.trailer))));
                    }
                }
                State::Over if input.is_empty() => return Ok(None),
                State::Over => return Err(UploadError::Malformed),
            }
        }
    }

    /// Nothing more comes: whether the body was over.
    pub fn end(&self) -> Result<(), UploadError> {
        if self.state == State::Over { Ok(()) } else { Err(UploadError::Incomplete) }
    }

    /// Bytes of memory that it holds beside itself.
    pub fn footprint(&self) -> usize {
        self.line.capacity() + self.trailer.value.as_ref().map_or(0, |value| value.len())
    }

    /// Moves input into the line up to its LF; whether the line is whole.
    fn read_line(&mut self, input: &mut Bytes) -> Result<bool, UploadError> {
        let room = (CHUNK_LINE_BYTES_MAX - self.line.len()).min(input.len());
        let end = input[..room].iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(room);
        self.line.extend_from_slice(&input[..taken]);
        input.advance(taken);
        if end.is_none() && self.line.len() == CHUNK_LINE_BYTES_MAX {
            return Err(UploadError::Malformed);
        }
        Ok(end.is_some())
    }

    /// Takes the CRLF behind a chunk's data, byte by byte: a longer line here is none that could become right.
    fn read_crlf(&mut self, input: &mut Bytes) -> Result<bool, UploadError> {
        while self.line.len() < 2 {
            let Some(&byte) = input.first() else { return Ok(false) };
            if byte != b"\r\n"[self.line.len()] {
                return Err(UploadError::Malformed);
            }
            self.line.push(byte);
            input.advance(1);
        }
        self.line.clear();
        Ok(true)
    }

    /// Reads a chunk's line.
    fn begin_chunk(&mut self) -> Result<(), UploadError> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(UploadError::Malformed)?;
        let (digits, signature) = match line.iter().position(|byte| *byte == b';') {
            Some(at) => (&line[..at], Some(&line[at + 1..])),
            None => (line, None),
        };
        let size = hexadecimal(digits).ok_or(UploadError::Malformed)?;
        self.signature = match (self.rules.signed, signature) {
            (true, Some(extension)) => {
                let signature = extension.strip_prefix(CHUNK_SIGNATURE).and_then(Signature::parse);
                Some(signature.ok_or(UploadError::Malformed)?)
            }
            (false, None) => None,
            (true, None) | (false, Some(_)) => return Err(UploadError::Malformed),
        };
        self.line.clear();
        self.rest = self.rest.checked_sub(size).ok_or(UploadError::Malformed)?;
        self.state = match size {
            0 if self.rest > 0 => return Err(UploadError::Incomplete),
            0 => State::LastEnd,
            left => State::Data { left },
        };
        Ok(())
    }

    /// Reads a line behind the last chunk; whether it was the empty one that ends the body.
    fn take_trailer_line(&mut self) -> Result<bool, UploadError> {
        self.trailer_bytes += self.line.len();
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(UploadError::Malformed);
        }
        let line = std::mem::take(&mut self.line);
        let behind_bare = std::mem::take(&mut self.bare);
        let text = match line.strip_suffix(b"\r\n") {
            Some(b"") if behind_bare => return Ok(false),
            Some(b"") => return self.trailer_is_whole().then_some(true).ok_or(UploadError::Malformed),
            Some(text) => text,
            None => {
                self.bare = true;
                &line[..line.len() - 1]
            }
        };
        self.take_trailer(text).ok_or(UploadError::Malformed)?;
        Ok(false)
    }

    /// Takes one trailer: the announced one, once, then the signature, once. `None` for anything else.
    fn take_trailer(&mut self, line: &[u8]) -> Option<()> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let trailer = &mut self.trailer;
        if !self.rules.trailers || trailer.signature.is_some() {
            return None;
        }
        if self.rules.signed && name.eq_ignore_ascii_case(TRAILER_SIGNATURE) {
            trailer.signature = Some(Signature::parse(value)?);
            return Some(());
        }
        let announced = self.rules.announced?.header();
        if trailer.value.is_some() || !name.eq_ignore_ascii_case(announced.as_bytes()) {
            return None;
        }
        trailer.value = Some(std::str::from_utf8(value).ok()?.into());
        Some(())
    }

    fn trailer_is_whole(&self) -> bool {
        self.trailer.value.is_some() == self.rules.announced.is_some()
            && self.trailer.signature.is_some() == (self.rules.signed && self.rules.trailers)
    }
}

/// A number of at most 16 hexadecimal digits, in either case.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number: u64, digit| Some(number << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

#[cfg(test)]
#[path = "chunked_tests.rs"]
mod tests;
