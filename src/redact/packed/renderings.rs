//! Renderings that are kept: bounded, on a disk, encrypted, each made once however many ask for it.
//!
//! One that is made belongs to nobody who waits for it. It goes on as long as somebody does, and a moment longer, so that a
//! client which gave up and asks again finds what its first try has begun; then it stops. It takes a turn of the caller who
//! asked first: whoever asks for many objects waits for them one after the other, and holds up nobody else.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Unpackable;
use super::render::{Rendering, Work};
use super::spool::Spool;
use crate::identity::Identity;
use crate::limits;
use crate::redact::stream::ShowError;
use crate::s3::operation::ETag;

/// See the module.
#[derive(Clone)]
pub struct Renderings {
    dir: PathBuf,
    /// What all may take together, in bytes.
    most: u64,
    kept: Cache<Tag, Arc<Rendering>>,
    /// Those that cannot be made, and why: it would take as long to find out again.
    refused: Cache<Tag, ShowError>,
    /// Those that are being made, or wait for one of `turns`.
    making: Arc<Mutex<HashMap<Tag, Arc<Making>>>>,
    turns: Arc<Semaphore>,
    /// The turns of each caller who has or awaits one.
    lanes: Arc<Mutex<HashMap<Caller, Weak<Semaphore>>>>,
    linger: Duration,
    unkept: Arc<AtomicU64>,
}

/// The view's ETag, which tells bucket, key, version and view apart, and what is made of that.
type Tag = Arc<str>;

type Made = Result<Arc<Rendering>, ShowError>;

/// Tells all who wait what came of it.
type Making = watch::Sender<Option<Made>>;

/// Somebody, whatever their session and role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::redact) struct Caller {
    issuer: Box<str>,
    subject: Box<str>,
}

impl Caller {
    pub(in crate::redact) fn of(who: &Identity) -> Self {
        Self { issuer: who.issuer().into(), subject: who.subject().into() }
    }
}

impl Renderings {
    /// None yet. They lie in that folder, in files without names, and take so many bytes together.
    ///
    /// # Errors
    /// Where nothing can be kept there.
    pub fn open(dir: PathBuf, most: u64) -> io::Result<Self> {
        Spool::new(&dir)?;
        // Each takes an open file, too, however small it is.
        let least = kibibytes(most) / limits::RENDERINGS_MAX;
        let weight = move |_: &Tag, rendering: &Arc<Rendering>| kibibytes(rendering.kept_bytes()).max(least);
        let kept = Cache::builder().weigher(weight).max_capacity(most / 1024).time_to_idle(limits::RENDERING_IDLE);
        let refused = Cache::builder().max_capacity(limits::UNRENDERED_MAX).time_to_live(limits::UNRENDERED_TIME);
        Ok(Self {
            dir,
            most,
            kept: kept.build(),
            refused: refused.build(),
            making: Arc::default(),
            turns: Arc::new(Semaphore::new(limits::RENDERS_MAX)),
            lanes: Arc::default(),
            linger: limits::RENDER_LINGER,
            unkept: Arc::default(),
        })
    }

    /// How many could not be kept, since the start: the disk failed, or was full.
    pub fn unkept(&self) -> u64 {
        self.unkept.load(Ordering::Relaxed)
    }

    /// The rendering under that tag; made, if it is not kept. Whoever asks while it is made waits for the same one.
    pub(in crate::redact) async fn of(&self, etag: &ETag, work: Work, caller: &Caller) -> Made {
        let tag: Tag = format!("{} {} {:?}", etag.0, work.size, work.packed).into();
        if let Some(made) = self.known(&tag).await {
            return made;
        }
        if let Some(making) = self.joined(&tag) {
            return outcome(making).await;
        }
        let Ok(turn) = self.lane(caller).acquire_owned().await else { return Err(broke_down()) };
        outcome(self.begun(tag, work, turn)).await
    }

    /// A rendering that is not kept.
    pub(in crate::redact) async fn render(&self, work: Work) -> Made {
        if work.size > self.most {
            return Err(Unpackable::TooLarge.into());
        }
        let Ok(_turn) = self.turns.acquire().await else { return Err(broke_down()) };
        let rendered = tokio::time::timeout(limits::RENDER_TIME, work.render(&self.dir)).await;
        let rendered = rendered.unwrap_or_else(|_| Err(Unpackable::TooLarge.into()));
        if let Err(ShowError::Unkept(error)) = &rendered {
            self.unkept.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, dir = %self.dir.display(), "renderings cannot be kept in the folder of [renderings]");
        }
        rendered.map(Arc::new)
    }

    /// What was made of it, if that is remembered.
    async fn known(&self, tag: &Tag) -> Option<Made> {
        match self.refused.get(tag).await {
            Some(why) => Some(Err(why)),
            None => self.kept.get(tag).await.map(Ok),
        }
    }

    /// Waits with the others, if it is being made.
    fn joined(&self, tag: &Tag) -> Option<watch::Receiver<Option<Made>>> {
        self.making().get(tag).map(|making| making.subscribe())
    }

    /// Begins to make it, in that turn of a caller's, unless somebody has since.
    fn begun(&self, tag: Tag, work: Work, turn: OwnedSemaphorePermit) -> watch::Receiver<Option<Made>> {
        let mut all = self.making();
        if let Some(making) = all.get(&tag) {
            return making.subscribe();
        }
        let (making, made) = watch::channel(None);
        let making = Arc::new(making);
        all.insert(tag.clone(), making.clone());
        let task = Task { all: self.clone(), tag, making, _turn: turn };
        tokio::spawn(task.run(work));
        made
    }

    fn lane(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(caller).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::new(Semaphore::new(limits::RENDERS_PER_CALLER_MAX));
        lanes.insert(caller.clone(), Arc::downgrade(&lane));
        lane
    }

    fn making(&self) -> MutexGuard<'_, HashMap<Tag, Arc<Making>>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn outcome(mut making: watch::Receiver<Option<Made>>) -> Made {
    let made = making.wait_for(Option::is_some).await.ok().and_then(|made| made.clone());
    made.unwrap_or_else(|| Err(broke_down()))
}

/// One that is being made. However it ends, it is not among those that are being made any more.
struct Task {
    all: Renderings,
    tag: Tag,
    making: Arc<Making>,
    /// The caller's.
    _turn: OwnedSemaphorePermit,
}

impl Task {
    async fn run(self, work: Work) {
        tokio::select! {
            made = self.made(work) => drop(self.making.send_replace(Some(made))),
            () = self.left() => {}
        }
    }

    async fn made(&self, work: Work) -> Made {
        // It may have come to its end while whoever asked waited for a turn.
        if let Some(made) = self.all.known(&self.tag).await {
            return made;
        }
        let made = self.all.render(work).await;
        match &made {
            Ok(rendering) => self.all.kept.insert(self.tag.clone(), rendering.clone()).await,
            Err(why @ (ShowError::Unframed(_) | ShowError::Unshowable(_))) => {
                self.all.refused.insert(self.tag.clone(), why.clone()).await;
            }
            Err(ShowError::TooFar | ShowError::Backend(_) | ShowError::Unkept(_)) => {}
        }
        made
    }

    /// Once nobody has waited for it for a while. Then nobody can join any more.
    async fn left(&self) {
        loop {
            self.making.closed().await;
            tokio::time::sleep(self.all.linger).await;
            let mut making = self.all.making();
            if self.making.receiver_count() == 0 {
                making.remove(&self.tag);
                return;
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let mut making = self.all.making();
        if making.get(&self.tag).is_some_and(|making| Arc::ptr_eq(making, &self.making)) {
            making.remove(&self.tag);
        }
    }
}

fn broke_down() -> ShowError {
    ShowError::Unkept("the rendering broke down".to_owned())
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "renderings_tests.rs"]
mod tests;
