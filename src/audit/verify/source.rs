//! The entries of a log, one after the other, from its segments or from the bundles of an exported one.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{VerifyError, io_at};
use crate::audit::segment::{self, Found, SegmentPath};
use crate::audit::tiles;
use crate::audit::tlog::TileAt;
use crate::audit::tlog::tile::bundle_path;
use crate::limits;

/// What comes next.
#[derive(Debug)]
pub(in crate::audit) enum Step {
    /// An entry, and where it stands.
    Entry(Vec<u8>, String),
    /// Bytes that are no entry.
    Broken(String),
    /// The log goes on with the entry of that number.
    Gap(u64, String),
    /// Nothing.
    End(String),
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
            return Ok(Some(Self::Segments(Segments { at: first.base, first: first.base, segments, nth: 0, open: None })));
        }
        if !dir.join("tile/entries").is_dir() {
            return Ok(None);
        }
        let first = first_bundle(dir) * limits::TILE_HASHES as u64;
        Ok(Some(Self::Bundles(Bundles { dir: dir.to_owned(), at: first, first, bundle: Vec::new() })))
    }

    /// Number of the first entry that is held.
    pub(in crate::audit) fn first(&self) -> u64 {
        match self {
            Self::Segments(segments) => segments.first,
            Self::Bundles(bundles) => bundles.first,
        }
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
    open: Option<(File, u64)>,
    /// Number of the entry that comes next.
    at: u64,
    first: u64,
}

impl Segments {
    fn next(&mut self) -> Result<Step, VerifyError> {
        loop {
            let segment = &self.segments[self.nth];
            let io = |error| io_at(&segment.path, error);
            let (file, offset) = match self.open.take() {
                Some(open) => open,
                None => (File::open(&segment.path).map_err(io)?, 0),
            };
            let place = || format!("{} at byte {offset}", segment.path.display());
            match segment::read_frame(&file, offset).map_err(io)? {
                Found::Frame { entry, next } => {
                    let place = place();
                    self.at += 1;
                    self.open = Some((file, next));
                    return Ok(Step::Entry(entry, place));
                }
                Found::Unsound if segment::reaches_past_the_end(&file, offset).map_err(io)? => {
                    return Ok(Step::End(place()));
                }
                Found::Unsound => return Ok(Step::Broken(place())),
                Found::Nothing => {}
            }
            let Some(next) = self.segments.get(self.nth + 1) else { return Ok(Step::End(place())) };
            if next.base > self.at {
                return Ok(Step::Gap(next.base, place()));
            }
            self.nth += 1;
        }
    }
}

pub(in crate::audit) struct Bundles {
    dir: PathBuf,
    at: u64,
    first: u64,
    /// What is left of the bundle that `at` is in.
    bundle: Vec<u8>,
}

impl Bundles {
    fn next(&mut self, size: u64) -> Result<Step, VerifyError> {
        let wide = limits::TILE_HASHES as u64;
        let (index, end) = (self.at / wide, size - size % wide);
        let width = if self.at < end { limits::TILE_HASHES } else { (size % wide) as usize };
        let place = bundle_path(index, width);
        if self.at >= size {
            return Ok(Step::End(place));
        }
        if self.at % wide == 0 {
            let bundle = tiles::bundle(&self.dir, index, width).map_err(|error| io_at(&self.dir.join(&place), error))?;
            let Some(bundle) = bundle else { return Ok(Step::End(place)) };
            self.bundle = bundle;
        }
        let Some((length, rest)) = self.bundle.split_first_chunk::<2>() else { return Ok(Step::End(place)) };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, behind)) = rest.split_at_checked(length) else { return Ok(Step::Broken(place)) };
        let entry = entry.to_vec();
        self.bundle = behind.to_vec();
        self.at += 1;
        Ok(Step::Entry(entry, place))
    }
}
