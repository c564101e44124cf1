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
use crate::s3::answer::BodyError;
use crate::s3::operation::ETag;

/// See the module.
#[derive(Clone)]
pub struct Renderings {
    dir: PathBuf,
    /// What all may take together, in bytes.
    most: u64,
    /// By the view's ETag, which tells bucket, key, version and view apart, and by what was made of that.
    kept: Cache<Arc<str>, Arc<Rendering>>,
    /// Those that cannot be made, by the same, and why: it would take as long to find out again.
    refused: Cache<Arc<str>, ShowError>,
    turns: Arc<Semaphore>,
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
        let weight = move |_: &Arc<str>, rendering: &Arc<Rendering>| kibibytes(rendering.kept_bytes()).max(least);
        let kept = Cache::builder().weigher(weight).max_capacity(most / 1024).time_to_idle(limits::RENDERING_IDLE);
        let refused = Cache::builder().max_capacity(limits::UNRENDERED_MAX).time_to_live(limits::UNRENDERED_TIME);
        let turns = Arc::new(Semaphore::new(limits::RENDERS_MAX));
        Ok(Self { dir, most, kept: kept.build(), refused: refused.build(), turns })
    }

    /// The rendering under that tag; made, if it is not kept. Whoever asks while it is made waits for the same one, and it
    /// is made to its end though all of them go.
    pub(in crate::redact) async fn of(&self, etag: &ETag, work: Work) -> Result<Arc<Rendering>, ShowError> {
        let key: Arc<str> = format!("{} {} {:?}", etag.0, work.size, work.packed).into();
        if let Some(why) = self.refused.get(&key).await {
            return Err(why);
        }
        let (all, tag) = (self.clone(), key.clone());
        let made = tokio::spawn(async move { all.kept.try_get_with(tag, all.render(work)).await });
        let made = made.await.map_err(|_| broke_down())?.map_err(|error| ShowError::clone(&error));
        if let Err(why @ (ShowError::Unframed(_) | ShowError::Unshowable(_))) = &made {
            self.refused.insert(key, why.clone()).await;
        }
        made
    }

    /// A rendering that is not kept.
    pub(in crate::redact) async fn render(&self, work: Work) -> Result<Arc<Rendering>, ShowError> {
        if work.size > self.most {
            return Err(Unpackable::TooLarge.into());
        }
        let Ok(_turn) = self.turns.acquire().await else { return Err(broke_down()) };
        let rendered = tokio::time::timeout(limits::RENDER_TIME, work.render(&self.dir)).await;
        rendered.unwrap_or_else(|_| Err(Unpackable::TooLarge.into())).map(Arc::new)
    }
}

fn broke_down() -> ShowError {
    ShowError::Backend(BodyError::Backend("the rendering broke down".to_owned()))
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
