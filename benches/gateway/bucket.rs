//! The bucket behind every side: it answers GET, HEAD and PUT with the heads that S3 sends, from memory, as fast as hyper
//! can, so that it is not the limit. It checks nothing and keeps nothing: it is a bucket for this bench only.
//!
//! It runs as a process of its own. Whatever the bucket and the folder, a key that ends in [`SMALL`] or [`LARGE`] is the
//! same object each time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::objects::{self, LARGE, Object, SMALL};

/// The argument by which the bench's program is told to be the bucket.
pub(crate) const ARGUMENT: &str = "--bucket";
/// Bytes of a body that hyper is given at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// What it holds.
struct Objects {
    small: Object,
    large: Object,
}

type Body = BoxBody<Bytes, Infallible>;

/// The bucket's whole life: it serves until it is killed.
pub(crate) fn child(address: SocketAddr, large: u64) -> anyhow::Result<()> {
    let objects = Arc::new(Objects { small: objects::small(), large: objects::large(large) });
    tokio::runtime::Runtime::new()?.block_on(async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(talk(socket, objects.clone()));
        }
    })
}

async fn talk(socket: TcpStream, objects: Arc<Objects>) {
    let service = service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(request, &objects).await));
    // The other side ends the connection when it has measured enough; that is no error here.
    if socket.set_nodelay(true).is_ok() {
        http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.ok();
    }
}

async fn answer(request: Request<Incoming>, objects: &Objects) -> Response<Body> {
    let path = request.uri().path();
    let object = match (path.ends_with(SMALL), path.ends_with(LARGE)) {
        (true, _) => Some(&objects.small),
        (_, true) => Some(&objects.large),
        (false, false) => None,
    };
    match (request.method().clone(), object) {
        (Method::PUT, _) => put(request.into_body()).await,
        (method @ (Method::GET | Method::HEAD), Some(object)) => {
            let whole = 0..object.length();
            match request.headers().get(header::RANGE).map(|range| asked(range, object.length())) {
                None => found(object, StatusCode::OK, whole, &method),
                Some(Some(range)) => found(object, StatusCode::PARTIAL_CONTENT, range, &method),
                Some(None) => nothing(StatusCode::RANGE_NOT_SATISFIABLE),
            }
        }
        (Method::GET | Method::HEAD, None) => nothing(StatusCode::NOT_FOUND),
        _ => nothing(StatusCode::NOT_IMPLEMENTED),
    }
}

/// Takes the body and forgets it.
async fn put(mut body: Incoming) -> Response<Body> {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return nothing(StatusCode::BAD_REQUEST);
        }
    }
    let mut response = nothing(StatusCode::OK);
    response.headers_mut().insert(header::ETAG, HeaderValue::from_static(ETAG));
    response
}

/// As S3 writes one; of nothing in particular.
const ETAG: &str = "\"9b2cf535f27731c974343645a3985328\"";

fn found(object: &Object, status: StatusCode, range: std::ops::Range<u64>, method: &Method) -> Response<Body> {
    let mut response = nothing(status);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(header::ETAG, HeaderValue::from_static(ETAG));
    headers.insert(header::LAST_MODIFIED, HeaderValue::from_static("Fri, 20 Nov 2026 10:00:00 GMT"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last, length) = (range.start, range.end - 1, object.length());
        let text = format!("bytes {first}-{last}/{length}");
        headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(text).expect("digits are a header's value"));
    }
    if method == Method::GET {
        let pieces = object.pieces(range, CHUNK_BYTES).map(|piece| Ok(Frame::data(piece)));
        *response.body_mut() = StreamBody::new(stream::iter(pieces)).boxed();
    }
    response
}

/// An answer without a body, with what S3 says in each.
fn nothing(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = status;
    response.headers_mut().insert("x-amz-request-id", HeaderValue::from_static("4442587FB7D0A2F9"));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
    response
}

/// `bytes=A-B`, `bytes=A-` and `bytes=-N`, as far as the object goes; `None` if it lies outside.
fn asked(range: &HeaderValue, length: u64) -> Option<std::ops::Range<u64>> {
    let (first, last) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), Some(last)) => first..(last + 1).min(length),
        (Some(first), None) => first..length,
        (None, Some(last)) => length.saturating_sub(last)..length,
        (None, None) => return None,
    };
    (range.start < range.end).then_some(range)
}
