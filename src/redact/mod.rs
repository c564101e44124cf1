//! Show only what the permit shows: [`Raw`] is opened here and nowhere else, [`Redacted`] is all that may leave.
//!
//! [`plan`] compiles masks, [`redactor`] is the push engine, [`stream`] puts it around a body and around ranges of an
//! object, [`checkpoints`] finds where to begin for a range, [`format`](mod@format) tells how an object is framed, [`etag`] names what is shown. Within the engine `machine`
//! reads JSON 64 bytes at a time, `grammar` byte by byte where that has a doubt, `editor` rewrites what they find, and
//! `values` hides text in all that is left.

pub mod etag;
pub mod format;
pub mod listing;
pub mod object;
pub mod output;
pub mod packed;
pub mod plan;
pub mod redactor;
pub mod size;
pub mod stream;
pub mod survey;
pub mod tally;
pub mod upload;
pub mod uploads;
pub mod versions;
pub mod write;

mod aside;
mod checkpoint;
pub mod checkpoints;
mod editor;
mod embedded;
mod filter;
mod glob;
mod grammar;
pub mod lines;
mod machine;
mod partial;
mod paths;
mod places;
mod reading;
mod rows;
mod run;
mod text;
mod token;
mod trail;
#[cfg(any(test, fuzzing))]
pub(crate) mod trials;
mod values;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::audit::Recorded;
use crate::backend::Trouble;
use crate::keyring::{KeyRing, Purpose, SecretKey};
use crate::policy::mask::Masks;
use crate::policy::permit::Permit;
use crate::s3::answer::Versioning;
use crate::s3::error::Refusal;
use crate::s3::name::Bucket;
use crate::s3::operation::{GetBucketVersioning, ListBuckets, Op};
use checkpoints::Checkpoints;
use packed::Renderings;
use plan::{Plan, Plans};

/// What the backend brought. Anyone seals, only `redact` opens: no getter, no `Deref`, no `Debug`.
///
/// ```compile_fail
/// fn peek(raw: tracegate::redact::Raw<String>) -> String {
///     raw.0
/// }
/// ```
/// ```
/// fn seal(found: String) -> tracegate::redact::Raw<String> {
///     tracegate::redact::Raw::seal(found)
/// }
/// ```
#[must_use]
pub struct Raw<T>(T);

impl<T> Raw<T> {
    /// Seals what the backend brought.
    pub fn seal(found: T) -> Self {
        Self(found)
    }

    /// Opens the seal, for the redactor alone.
    pub(in crate::redact) fn open(self) -> T {
        self.0
    }
}

/// What may leave, made in `redact` alone, from a permit that is on the record.
///
/// ```compile_fail
/// // What the backend brought cannot be passed off as this.
/// fn pass_off(found: String) -> tracegate::redact::Redacted<String> {
///     tracegate::redact::Redacted(found)
/// }
/// ```
/// ```
/// fn leave(shown: tracegate::redact::Redacted<String>) -> String {
///     shown.into_inner()
/// }
/// ```
#[must_use]
#[derive(Debug)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    fn of(shown: T) -> Self {
        Self(shown)
    }

    /// What leaves, to be read.
    pub fn peek(&self) -> &T {
        &self.0
    }

    /// What leaves.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The buckets in which the caller may see something, in the order given.
pub fn buckets(
    recorded: &Recorded<Permit<ListBuckets>>,
    all: &[Bucket],
    now: jiff::Timestamp,
) -> Redacted<Vec<Bucket>> {
    let sight = recorded.view().sight();
    let wanted =
        |bucket: &&Bucket| bucket.as_str().starts_with(&recorded.op().prefix) && sight.sees_bucket(bucket, now);
    Redacted::of(all.iter().filter(wanted).cloned().collect())
}

/// Whether the bucket keeps versions: of a bucket that may be seen, this tells nothing of what is in it. Fails as the
/// backend did.
pub fn versioning(
    found: Result<Raw<Option<Versioning>>, Trouble>,
    _recorded: &Recorded<Permit<GetBucketVersioning>>,
) -> Result<Redacted<Option<Versioning>>, Refusal> {
    found.map(|raw| Redacted::of(raw.open())).map_err(|trouble| trouble.refusal(false))
}

/// The answer of an operation that tells nothing but that it was allowed.
pub fn nothing<O: Op>(_recorded: &Recorded<Permit<O>>) -> Redacted<()> {
    Redacted::of(())
}

/// Plans and keys of the redaction, following the key ring.
pub struct Redaction {
    ring: Arc<ArcSwap<KeyRing>>,
    /// The plans compiled under one active key, by a tag of it; made anew when another one seals. A tag, because two
    /// keys may have had one id.
    plans: ArcSwap<([u8; 32], Plans)>,
    renderings: Renderings,
    checkpoints: Checkpoints,
}

impl Redaction {
    /// Follows this ring, and keeps compressed objects there, as views show them.
    pub fn new(ring: Arc<ArcSwap<KeyRing>>, renderings: Renderings) -> Self {
        let plans = ArcSwap::from_pointee(Self::fresh(&ring.load()));
        Self { ring, plans, renderings, checkpoints: Checkpoints::new() }
    }

    fn fresh(ring: &KeyRing) -> ([u8; 32], Plans) {
        (Self::tag(ring), Plans::new(ring))
    }

    fn tag(ring: &KeyRing) -> [u8; 32] {
        ring.active(Purpose::Pseudonym).1.prf(&[b"plans"])
    }

    /// How many renderings of compressed objects could not be kept, since the start.
    pub fn unkept(&self) -> u64 {
        self.renderings.unkept()
    }

    /// The keys as they are now.
    fn keyed(&self) -> Keyed {
        let ring = self.ring.load();
        let mut plans = self.plans.load_full();
        if plans.0 != Self::tag(&ring) {
            plans = Arc::new(Self::fresh(&ring));
            self.plans.store(plans.clone());
        }
        Keyed { etag: ring.active(Purpose::ETag).1, plans }
    }
}

/// The keys of the redaction, from one reading of the ring: the tag of what is shown and the plan by which it is made belong
/// together, also where the ring changes in between.
struct Keyed {
    etag: SecretKey,
    plans: Arc<([u8; 32], Plans)>,
}

impl Keyed {
    fn plan(&self, masks: &Arc<Masks>) -> Arc<Plan> {
        self.plans.1.of(masks)
    }
}

#[cfg(any(test, fuzzing))]
mod tests;
