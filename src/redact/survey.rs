//! What a view would make of objects that nobody has asked for yet: served whole, with blanks, cut, refused, and why.
//!
//! The objects go the way of a GetObject of the whole, and what comes of it is counted and dropped.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use jiff::Timestamp;

use super::format::{self, Framing, Unframed};
use super::object::whole_of;
use super::packed::Work;
use super::redactor::Fault;
use super::stream::{ShowError, Source};
use super::tally::TallyCell;
use super::{Raw, Redaction};
use crate::backend::{Backend, Trouble};
use crate::policy::survey::{Examined, Survey};
use crate::s3::answer::{Body, BodyError, Item};
use crate::s3::name::Key;
use crate::s3::operation::ETag;

/// One page of the bucket's keys.
#[derive(Debug)]
pub struct Page {
    /// The objects, in the order of the backend.
    pub objects: Vec<Entry>,
    /// Where more follows: what to ask for next.
    pub more_after: Option<String>,
    /// Keys that S3 allows and we do not name; nobody is served them.
    pub unnameable: u32,
}

/// One object, as a listing tells it.
#[derive(Debug)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Its size, in bytes.
    pub size: u64,
    /// Time of its last change.
    pub last_modified: Timestamp,
}

/// What the view makes of one object.
#[derive(Debug)]
pub enum Finding {
    /// Served whole, with these counts.
    Shown(Arc<TallyCell>),
    /// Served up to some byte, and cut there.
    Cut(Fault),
    /// Refused before the first byte.
    Refused(Why),
    /// It changed, or went, since it was listed.
    Gone,
}

/// Why an object is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is broken.
    #[error("{}", .0.reason)]
    Unshowable(Fault),
    /// It is of no format that can be redacted.
    #[error(transparent)]
    Unframed(Unframed),
    /// The backend would have to restore it first.
    #[error("the object is archived")]
    Archived,
    /// The backend, or its key service, does not give it to the façade.
    #[error("the backend, or its key service, refuses to give it to the façade")]
    Unreadable,
}

impl Why {
    /// Offset of the byte that cannot stand there, if it is one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Unshowable(fault) => Some(fault.offset),
            Self::Unframed(_) | Self::Archived | Self::Unreadable => None,
        }
    }
}

/// The keys behind `after`. Fails as the backend did.
pub async fn page(backend: &dyn Backend, survey: &Survey, after: Option<String>) -> Result<Page, Trouble> {
    let batch = backend.survey_keys(survey, after).await.map(Raw::open)?;
    let entry = |item| match item {
        Item::Key(listed) => Some(Entry { key: listed.key, size: listed.size, last_modified: listed.last_modified }),
        Item::Common(_) => None,
    };
    Ok(Page {
        objects: batch.items.into_iter().filter_map(entry).collect(),
        more_after: batch.more_after,
        unnameable: batch.unnameable,
    })
}

impl Redaction {
    /// What the view makes of the object. Fails where the backend does, other than by having it no more.
    pub async fn examine(&self, backend: &Arc<dyn Backend>, examined: Examined) -> Result<Finding, Trouble> {
        let object = match backend.survey_object(&examined, None).await.map(Raw::open) {
            Ok(object) => object,
            Err(Trouble::NoSuchKey | Trouble::Changed) => return Ok(Finding::Gone),
            Err(Trouble::Archived) => return Ok(Finding::Refused(Why::Archived)),
            Err(Trouble::KeyService(_) | Trouble::Refused(_)) => return Ok(Finding::Refused(Why::Unreadable)),
            Err(trouble) => return Err(trouble),
        };
        let size = object.head.size;
        let plan = self.keyed().plan(examined.masks());
        let tally = TallyCell::new(&plan);
        if size == 0 {
            return Ok(Finding::Shown(tally));
        }
        let (pin, body) = (object.head.etag.clone(), object.body);
        match format::of_head(examined.key().as_str(), &object.head) {
            Framing::Refused(why) => Ok(Finding::Refused(Why::Unframed(why))),
            Framing::Packed(packed) => {
                let source = Arc::new(Again { backend: backend.clone(), examined, pin });
                // It is read anew once its turn has come: a body that waits would break off.
                drop(body);
                let rendering = self.renderings.render(Work { source, packed, plan, size }).await;
                rendering.map_or_else(unshown, |rendering| Ok(Finding::Shown(rendering.tally.clone())))
            }
            framing @ (Framing::Known(_) | Framing::Undetermined) => {
                match whole_of(Ok(body), size, framing, &plan, &tally).await {
                    Ok(body) => drained(body, tally).await,
                    Err(error) => unshown(error),
                }
            }
        }
    }
}

fn unshown(error: ShowError) -> Result<Finding, Trouble> {
    match error {
        ShowError::Unshowable(fault) => Ok(Finding::Refused(Why::Unshowable(fault))),
        ShowError::Unframed(why) => Ok(Finding::Refused(Why::Unframed(why))),
        ShowError::Unkept(error) => Err(Trouble::Unkept(error)),
        ShowError::TooFar | ShowError::Backend(_) => Err(Trouble::Broken(error.to_string())),
    }
}

/// The object again, pinned to the version that was read first.
struct Again {
    backend: Arc<dyn Backend>,
    examined: Examined,
    pin: ETag,
}

#[async_trait]
impl Source for Again {
    /// Always all of it: that is what is asked for.
    async fn read(&self, _first: u64, _last: u64) -> Result<Body, BodyError> {
        let raw = self.backend.survey_object(&self.examined, Some(self.pin.clone())).await;
        raw.map(|raw| raw.open().body).map_err(|trouble| BodyError::Backend(trouble.to_string()))
    }
}

/// Takes what would be served to its end.
async fn drained(mut body: Body, tally: Arc<TallyCell>) -> Result<Finding, Trouble> {
    while let Some(shown) = body.next().await {
        match shown {
            Ok(_) => {}
            Err(BodyError::Unshowable { offset, reason }) => return Ok(Finding::Cut(Fault { offset, reason })),
            Err(BodyError::Unkept(error)) => return Err(Trouble::Unkept(error)),
            Err(error @ BodyError::Backend(_)) => return Err(Trouble::Broken(error.to_string())),
        }
    }
    Ok(Finding::Shown(tally))
}
