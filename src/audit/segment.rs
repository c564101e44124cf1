//! Segment files: their names, the frames in them, and reading them back.
//!
//! A segment is `SEQ.seg`, `SEQ` being the number of its first entry in 20 digits, so that names sort as entries do.
//! A frame is the length (u32, little endian), CRC-32C of that length and the entry (u32, little endian), and the
//! entry's bytes: what is stored is what is hashed. The length's highest bit marks the first frame of a write: all
//! that stands before such a frame was synced before it was written. Zeros end a segment.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::limits;

/// Bytes before the entry of a frame.
pub(super) const HEADER_BYTES: u64 = 8;
const FIRST_OF_WRITE: u32 = 1 << 31;

/// What a look at one place of a segment finds.
#[derive(Debug)]
pub(super) enum Found {
    /// A sound frame, and where the next one begins.
    Frame { entry: Vec<u8>, next: u64 },
    /// Zeros, or the end of the file: no frame was written here.
    Nothing,
    /// Bytes that are not a sound frame.
    Unsound,
}

/// One segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentPath {
    pub(super) path: PathBuf,
    /// Number of its first entry.
    pub(super) base: u64,
}

/// The name of the segment that begins with that entry.
pub(super) fn path_of(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.seg"))
}

/// All segments of a log, oldest first.
pub(super) fn list(dir: &Path) -> io::Result<Vec<SegmentPath>> {
    let mut segments = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let base = name.strip_suffix(".seg").filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok());
        if let Some(base) = base {
            segments.push(SegmentPath { path, base });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.base);
    Ok(segments)
}

/// Appends a frame to a buffer.
pub(super) fn push_frame(buffer: &mut Vec<u8>, entry: &[&[u8]], first_of_write: bool) {
    let bytes: usize = entry.iter().map(|part| part.len()).sum();
    let length = u32::try_from(bytes).expect("an entry is at most limits::ENTRY_BYTES_MAX");
    let length = (if first_of_write { length | FIRST_OF_WRITE } else { length }).to_le_bytes();
    let crc = entry.iter().fold(crc32c::crc32c(&length), |crc, part| crc32c::crc32c_append(crc, part));
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&crc.to_le_bytes());
    entry.iter().for_each(|part| buffer.extend_from_slice(part));
}

/// The entries of frames that stand in a buffer one behind the other.
pub(super) fn entries_of(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (header, rest) = frames.split_first_chunk::<{ HEADER_BYTES as usize }>()?;
        let (entry, behind) = rest.split_at_checked((word(header, 0) & !FIRST_OF_WRITE) as usize)?;
        frames = behind;
        Some(entry)
    })
}

/// Reads the frame at that offset.
pub(super) fn read_frame(file: &File, offset: u64) -> io::Result<Found> {
    let mut header = [0; HEADER_BYTES as usize];
    let got = read_up_to(file, &mut header, offset)?;
    if header[..got].iter().all(|&byte| byte == 0) {
        return Ok(Found::Nothing);
    }
    let Some(length) = sound_length(word(&header, 0)).filter(|_| got == header.len()) else {
        return Ok(Found::Unsound);
    };
    let mut entry = vec![0; length];
    let whole = read_up_to(file, &mut entry, offset + HEADER_BYTES)? == length;
    if !whole || crc_of(&header, &entry) != word(&header, 4) {
        return Ok(Found::Unsound);
    }
    Ok(Found::Frame { entry, next: offset + HEADER_BYTES + length as u64 })
}

/// Whether the frame at that offset is not unsound, but cut off: the file ends before it does.
pub(super) fn reaches_past_the_end(file: &File, offset: u64) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES as usize];
    let got = read_up_to(file, &mut header, offset)?;
    let length = sound_length(word(&header, 0)).filter(|_| got == header.len());
    let end = length.map_or(u64::MAX, |length| offset + HEADER_BYTES + length as u64);
    Ok(got < header.len() || (length.is_some() && end > file.metadata()?.len()))
}

/// Whether a sound frame that began a later write stands behind that offset. Then what stands before it was synced, and
/// an unsound frame there is damage, not a write that was interrupted.
pub(super) fn later_write_follows(file: &File, offset: u64) -> io::Result<bool> {
    let rest = read_rest(file, offset)?;
    let header = HEADER_BYTES as usize;
    for at in 1..rest.len().saturating_sub(header) {
        let length = word(&rest, at);
        let Some(bytes) = sound_length(length).filter(|_| length & FIRST_OF_WRITE != 0) else { continue };
        let Some(entry) = rest.get(at + header..at + header + bytes) else { continue };
        if crc_of(&rest[at..], entry) == word(&rest, at + 4) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many bytes from that offset on are not zero at their end: what an interrupted write left.
pub(super) fn dirty_bytes(file: &File, offset: u64) -> io::Result<u64> {
    let rest = read_rest(file, offset)?;
    Ok(rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1))
}

fn read_rest(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let bytes = file.metadata()?.len().saturating_sub(offset);
    let mut rest = vec![0; usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?];
    let got = read_up_to(file, &mut rest, offset)?;
    rest.truncate(got);
    Ok(rest)
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(some) => got += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn sound_length(word: u32) -> Option<usize> {
    let length = (word & !FIRST_OF_WRITE) as usize;
    (1..=limits::ENTRY_BYTES_MAX).contains(&length).then_some(length)
}

fn crc_of(header: &[u8], entry: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..4]), entry)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
