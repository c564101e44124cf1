//! Requests that change a bucket. Who asks is proven from the head alone; the body is opened only after that, and its
//! bytes are asked for only once the right to write them is on the record.
//!
//! What was begun is brought to its end, also if the client goes: the log then says what became of it, and not that
//! nobody knows. An answer that takes long is kept alive with white space, as S3 does.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use super::body::{Closing, CutShort};
use super::{Asked, Refused, Rim, finished, head, internal, upload};
use crate::audit::RequestFacts;
use crate::gateway::call::{Call, Entrance, Left, Payload, Slot};
use crate::identity::Identity;
use crate::limits;
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::OpName;
use crate::s3::payload::Upload;
use crate::s3::shape::{Carries, shape};
use crate::s3::written;

/// What every XML of S3 begins with.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

impl Rim {
    /// An operation that changes a bucket.
    pub(super) async fn write(
        self: &Arc<Self>,
        asked: Asked,
        op: OpName,
        incoming: Incoming,
    ) -> Result<Response<Closing>, Refused> {
        let claimed = asked.claimed()?;
        let entrance = self.entered(&asked, &claimed).await?;
        let signer = self.chunk_signer(&claimed);
        let mut call = self.call(&asked, entrance, Some(op));
        let mut parts = asked.parts;
        let who = match &call.entrance {
            Entrance::Proven(who) => who.clone(),
            Entrance::Signed(_) => self.verified(&parts, &call, s3s::Body::empty()).await?,
        };
        call.entrance = Entrance::Proven(who.clone());
        let refused = |refusal: Refusal| Refused { refusal, left: Left { who: Some(who.clone()), ..Left::default() } };
        written::known_headers(op, &parts.headers).map_err(refused)?;
        let (mut body, mut length) = (s3s::Body::empty(), 0);
        let (reading, read) = oneshot::channel();
        match shape(op).carries {
            Carries::Nothing | Carries::Unread => drop(reading),
            Carries::Bytes => {
                drop(reading);
                let upload = upload::open(&parts, incoming, signer).map_err(refused)?;
                call.upload = Payload::of(upload::while_allowed(upload, self.may_go_on(&call, &who)));
            }
            Carries::Xml(max) => {
                let open = if op == OpName::CompleteMultipartUpload { upload::open_completion } else { upload::open };
                let upload = open(&parts, incoming, signer).map_err(refused)?;
                length = upload.length;
                let upload = upload::while_allowed(upload, self.may_go_on(&call, &who));
                body = xml_when_asked(upload, max, call.slot.clone(), reading);
            }
        }
        let headers = std::mem::take(&mut parts.headers);
        head::strip(&mut parts);
        parts.headers = bare(&headers, length);
        call.headers = Arc::new(headers);
        let (facts, rim) = (call.facts.clone(), Arc::clone(self));
        let begun = self.underway.begin();
        let task = tokio::spawn(async move {
            let answer = rim.carried_out(parts, call, body).await;
            drop(begun);
            answer
        });
        answered(task, read, op, &facts).await
    }

    /// Whether a body may still be taken: the session stands, and the rule's window is open, once it is known.
    fn may_go_on(&self, call: &Call, who: &Arc<Identity>) -> impl Fn() -> bool + Send + 'static {
        let (authority, who, slot) = (self.authority.clone(), who.clone(), call.slot.clone());
        move || {
            let (now, mut until) = (Timestamp::now(), None);
            slot.leave(|left| until = left.until);
            until.is_none_or(|until| now < until) && authority.still_stands(&who, now)
        }
    }

    async fn carried_out(&self, parts: http::request::Parts, call: Call, body: s3s::Body) -> Response<Closing> {
        let method = parts.method.clone();
        let answered = async {
            let response = self.through_s3s(parts, &call, body).await?;
            let mut left = call.slot.take();
            if let Entrance::Proven(who) = &call.entrance {
                left.who = Some(who.clone());
            }
            if let Some(refusal) = left.unreadable.take() {
                return Err(Refused { refusal, left });
            }
            left.concluded = true;
            self.leave(response, left, &call.facts, call.now, &method).await
        };
        match answered.await {
            Ok(response) => response,
            Err(refused) => self.refuse(refused, &call.facts, call.now, &method).await,
        }
    }
}

/// How many writes are under way, so that the end of the service can wait for their outcomes.
#[derive(Debug, Clone, Default)]
pub struct Underway(Arc<watch::Sender<usize>>);

/// A write that is under way, until it is dropped.
struct Begun(Underway);

impl Underway {
    fn begin(&self) -> Begun {
        self.0.send_modify(|writes| *writes += 1);
        Begun(self.clone())
    }

    /// Returns once no write is under way.
    pub async fn over(&self) {
        self.0.subscribe().wait_for(|writes| *writes == 0).await.ok();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.send_modify(|writes| *writes -= 1);
    }
}

/// A body of XML for s3s, which asks for it once the caller may do what it is for. Not a byte is read before. Why it could
/// not be read is left in the slot; `reading` ends with the reading, or when nobody asks any more.
fn xml_when_asked(body: Upload, max: usize, slot: Slot, reading: oneshot::Sender<()>) -> s3s::Body {
    let read = async move {
        let _until_read = reading;
        let xml = xml_of(body, max).await.map_err(|refusal| {
            slot.leave(|left| left.unreadable = Some(refusal));
            CutShort
        })?;
        Ok::<_, CutShort>(Frame::data(xml))
    };
    s3s::Body::http_body_unsync(StreamBody::new(stream::once(read)))
}

/// A body of XML, whole: not too many at a time, and each within its time. Text in a section of CDATA, and entities of a
/// document type, s3s would leave out, and so read another key than was written.
async fn xml_of(body: Upload, max: usize) -> Result<Bytes, Refusal> {
    static READING: Semaphore = Semaphore::const_new(limits::XML_BODIES_MAX);
    let read = async {
        let _turn = READING.acquire().await;
        upload::read_all(body, max).await
    };
    let late = || Refusal::new(Code::RequestTimeout, "The body came too slowly.");
    let xml = tokio::time::timeout(limits::XML_BODY_TIMEOUT, read).await.map_err(|_| late())??;
    let holds = |mark: &[u8]| xml.windows(mark.len()).any(|bytes| bytes == mark);
    if holds(b"<![CDATA[") || holds(b"<!DOCTYPE") {
        return Err(Refusal::new(Code::MalformedXml, "Write the XML without CDATA and without a document type."));
    }
    Ok(xml)
}

/// What s3s needs to see of a write's headers: which operation it is. We have read the rest, and it might stumble.
fn bare(headers: &HeaderMap, body: u64) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [header::HOST, header::HeaderName::from_static("x-amz-copy-source")] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept.insert(header::CONTENT_LENGTH, HeaderValue::from(body));
    kept
}

/// Waits for the answer; a long one begins before it is known, and its body may then hold an error. Time that the caller
/// takes to send XML does not count.
async fn answered(
    mut task: JoinHandle<Response<Closing>>,
    read: oneshot::Receiver<()>,
    op: OpName,
    facts: &RequestFacts,
) -> Result<Response<Closing>, Refused> {
    let long = matches!(op, OpName::CompleteMultipartUpload | OpName::CopyObject | OpName::UploadPartCopy);
    if !long {
        return task.await.map_err(|_| internal().into());
    }
    tokio::select! {
        done = &mut task => return done.map_err(|_| internal().into()),
        _ = read => {}
    }
    match tokio::time::timeout(limits::KEEP_ALIVE_INTERVAL, &mut task).await {
        Ok(done) => done.map_err(|_| internal().into()),
        Err(_) => {
            let mut response = Response::new(Closing::plain(kept_alive(task)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            Ok(finished(response, facts, &http::Method::PUT))
        }
    }
}

/// The declaration, white space while the answer is made, then the answer's own XML.
fn kept_alive(task: JoinHandle<Response<Closing>>) -> s3s::Body {
    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(DECLARATION.as_bytes()))) });
    let rest = stream::unfold(Some(task), |waiting| async {
        let mut task = waiting?;
        match tokio::time::timeout(limits::KEEP_ALIVE_INTERVAL, &mut task).await {
            Err(_) => Some((Ok(Frame::data(Bytes::from_static(b" "))), Some(task))),
            Ok(done) => Some((told(done).await.map(Frame::data), None)),
        }
    });
    s3s::Body::http_body_unsync(StreamBody::new(first.chain(rest)))
}

/// The XML of an answer, without the declaration that has left before.
async fn told(done: Result<Response<Closing>, tokio::task::JoinError>) -> Result<Bytes, CutShort> {
    let response = done.map_err(|_| CutShort)?;
    let xml = response.into_body().collect().await?.to_bytes();
    let text = xml.strip_prefix(DECLARATION.as_bytes()).unwrap_or(&xml);
    Ok(xml.slice_ref(text))
}
