//! Renderings that are kept: bounded, on a disk, encrypted, each made once however many ask for it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use moka::future::Cache;
use tokio::sync::Semaphore;

use super::Unpackable;
use super::render::{Rendering, Work};
use super::spool::Spool;
use crate::limits;
use crate::redact::stream::ShowError;
use crate::s3::answer::{Body, BodyError};
use crate::s3::operation::ETag;

/// See the module.
#[derive(Clone)]
pub struct Renderings {
    dir: PathBuf,
    /// What all may take together, in bytes.
    most: u64,
    /// By the view's ETag, which tells bucket, key, version and view apart.
    kept: Cache<Arc<str>, Arc<Rendering>>,
    turns: Arc<Semaphore>,
}

impl Renderings {
    /// None yet. They lie in that folder, in files without names, and take so many bytes together.
    ///
    /// # Errors
    /// Where nothing can be kept there.
    pub fn open(dir: PathBuf, most: u64) -> io::Result<Self> {
        Spool::new(&dir)?;
        let weight = |_: &Arc<str>, rendering: &Arc<Rendering>| kibibytes(rendering.kept_bytes());
        let kept = Cache::builder().weigher(weight).max_capacity(most / 1024).time_to_idle(limits::RENDERING_IDLE);
        Ok(Self { dir, most, kept: kept.build(), turns: Arc::new(Semaphore::new(limits::RENDERS_MAX)) })
    }

    /// The rendering under that tag; made, if it is not kept. Whoever asks while it is made waits for the same one, and it
    /// is made to its end though all of them go.
    pub(in crate::redact) async fn of(
        &self,
        etag: &ETag,
        work: Work,
        body: Option<Body>,
    ) -> Result<Arc<Rendering>, ShowError> {
        let (all, key) = (self.clone(), Arc::from(&*etag.0));
        let made = tokio::spawn(async move { all.kept.try_get_with(key, all.render(work, body)).await });
        made.await.map_err(|_| broke_down())?.map_err(|error| ShowError::clone(&error))
    }

    /// A rendering that is not kept.
    pub(in crate::redact) async fn render(&self, work: Work, body: Option<Body>) -> Result<Arc<Rendering>, ShowError> {
        if work.size > self.most {
            return Err(Unpackable::TooLarge.into());
        }
        let Ok(_turn) = self.turns.acquire().await else { return Err(broke_down()) };
        work.render(body, &self.dir).await.map(Arc::new)
    }
}

fn broke_down() -> ShowError {
    ShowError::Backend(BodyError::Backend("the rendering broke down".to_owned()))
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
