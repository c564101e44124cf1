//! The entries of a log, one after the other, from its segments or from the bundles of an exported one.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{VerifyError, io_at};
use crate::audit::segment::{self, Found, SegmentPath};
use crate::audit::tiles;
use crate::audit::tlog::TileAt;
use crate::audit::tlog::tile::bundle_path;
use crate::limits;

/// What comes next, and where it stands.
#[derive(Debug)]
pub(in crate::audit) enum Step {
    /// An entry.
    Entry(Vec<u8>, Place),
    /// Bytes that are no entry.
    Broken(Place),
    /// The log goes on with the entry of that number.
    Gap(u64, Place),
    /// Nothing.
    End(Place),
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Place {
    file: Arc<Path>,
    offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.file.display(), self.offset)
    }
}

/// The entries of one folder, in their order.
pub(in crate::audit) enum Source {
    /// A log as it is written.
    Segments(Segments),
    /// A log as it was exported.
    Bundles(Bundles),
}

impl Source {
    /// From the first entry that the folder holds; `None` where it holds no log.
    pub(in crate::audit) fn open(dir: &Path) -> Result<Option<Self>, VerifyError> {
        let segments = segment::list(dir).map_err(|error| io_at(dir, error))?;
        if let Some(first) = segments.first() {
            return Ok(Some(Self::Segments(Segments {
                at: first.base,
                first: first.base,
                segments,
                nth: 0,
                open: None,
            })));
        }
        if !dir.join("tile/entries").is_dir() {
            return Ok(None);
        }
        let first = first_bundle(dir) * limits::TILE_HASHES as u64;
        Ok(Some(Self::Bundles(Bundles { dir: dir.to_owned(), at: first, first, open: None })))
    }

    /// Number of the first entry that is held.
    pub(in crate::audit) fn first(&self) -> u64 {
        match self {
            Self::Segments(segments) => segments.first,
            Self::Bundles(bundles) => bundles.first,
        }
    }

    /// Whether its first entries may be missing without a word: a copy holds what it holds, and the report says from where on.
    pub(in crate::audit) fn may_begin_anywhere(&self) -> bool {
        matches!(self, Self::Bundles(_))
    }

    /// What comes next, of a log that was signed up to that size. Behind anything but an entry nothing comes any more.
    pub(in crate::audit) fn next(&mut self, size: u64) -> Result<Step, VerifyError> {
        match self {
            Self::Segments(segments) => segments.next(),
            Self::Bundles(bundles) => bundles.next(size),
        }
    }

    /// Passes over entries, up to the one of that number, so that it comes next.
    pub(in crate::audit) fn pass(&mut self, to: u64, size: u64) -> Result<(), VerifyError> {
        if let Self::Segments(segments) = self {
            let nth = segments.segments.partition_point(|segment| segment.base <= to).saturating_sub(1);
            (segments.nth, segments.at) = (nth, segments.segments[nth].base);
        }
        while self.at() < to && matches!(self.next(size)?, Step::Entry(..)) {}
        Ok(())
    }

    fn at(&self) -> u64 {
        match self {
            Self::Segments(segments) => segments.at,
            Self::Bundles(bundles) => bundles.at,
        }
    }
}

/// The first bundle of an exported log: those of entries whose retention ended are not there.
fn first_bundle(dir: &Path) -> u64 {
    let is_there = |index| dir.join(bundle_path(index, limits::TILE_HASHES)).exists();
    let gone = |index: &u64| !is_there(*index) && tiles_are_there(dir, *index);
    (0..).take_while(gone).count() as u64
}

/// Whether the tile of a bundle is there, full, and so the bundle should be.
fn tiles_are_there(dir: &Path, index: u64) -> bool {
    dir.join(TileAt::full(0, index).path()).exists()
}

pub(in crate::audit) struct Segments {
    segments: Vec<SegmentPath>,
    nth: usize,
    /// The file of `nth`, and how far it was read.
    open: Option<(File, Place)>,
    /// Number of the entry that comes next.
    at: u64,
    first: u64,
}

impl Segments {
    fn next(&mut self) -> Result<Step, VerifyError> {
        loop {
            let segment = &self.segments[self.nth];
            let io = |error| io_at(&segment.path, error);
            let (file, place) = match self.open.take() {
                Some(open) => open,
                None => {
                    (File::open(&segment.path).map_err(io)?, Place { file: segment.path.clone().into(), offset: 0 })
                }
            };
            match segment::read_frame(&file, place.offset).map_err(io)? {
                Found::Frame { entry, next } => {
                    self.at += 1;
                    self.open = Some((file, Place { offset: next, ..place.clone() }));
                    return Ok(Step::Entry(entry, place));
                }
                Found::Unsound if segment::reaches_past_the_end(&file, place.offset).map_err(io)? => {
                    return Ok(Step::End(place));
                }
                Found::Unsound => return Ok(Step::Broken(place)),
                Found::Nothing => {}
            }
            let Some(next) = self.segments.get(self.nth + 1) else { return Ok(Step::End(place)) };
            if next.base > self.at {
                return Ok(Step::Gap(next.base, place));
            }
            self.nth += 1;
        }
    }
}

pub(in crate::audit) struct Bundles {
    dir: PathBuf,
    at: u64,
    first: u64,
    /// The bundle that `at` is in, and how far it was read.
    open: Option<(Vec<u8>, Place)>,
}

impl Bundles {
    fn next(&mut self, size: u64) -> Result<Step, VerifyError> {
        let wide = limits::TILE_HASHES as u64;
        let (index, whole) = (self.at / wide, size - size % wide);
        let width = if self.at < whole { limits::TILE_HASHES } else { (size % wide) as usize };
        let file = || Place { file: self.dir.join(bundle_path(index, width)).into(), offset: 0 };
        if self.at >= size {
            return Ok(Step::End(file()));
        }
        if self.at.is_multiple_of(wide) {
            let bundle = tiles::bundle(&self.dir, index, width).map_err(|error| io_at(&file().file, error))?;
            self.open = bundle.map(|bundle| (bundle, file()));
        }
        let Some((bundle, place)) = &mut self.open else { return Ok(Step::End(file())) };
        let here = place.clone();
        let rest = usize::try_from(place.offset).ok().and_then(|offset| bundle.get(offset..)).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(Step::End(here)) };
        let length = u16::from_be_bytes(*length);
        let Some(entry) = rest.get(..usize::from(length)) else { return Ok(Step::Broken(here)) };
        place.offset += 2 + u64::from(length);
        self.at += 1;
        Ok(Step::Entry(entry.to_vec(), here))
    }
}
