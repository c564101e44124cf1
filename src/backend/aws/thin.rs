//! The thin client: what is asked often, as one signed HTTP/1.1 request each, without the SDK's machinery.
//!
//! It keeps the SDK's rules of where a bucket is, and its sources of credentials. As everywhere in this folder nothing is
//! retried and no redirect is followed, with one exception: a read whose connection turns out to have been closed while
//! nobody used it is sent once more, on a new one.

mod credentials;
mod line;
mod origin;
mod place;
mod pool;
mod sign;
mod traffic;

#[cfg(test)]
mod sign_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::config::SharedCredentialsProvider;
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::response::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use rustls::RootCertStore;

use self::credentials::CredentialCache;
use self::line::{Line, Lost, Payload};
use self::origin::Origin;
use self::place::Place;
use self::sign::{Digest, Target};
use self::traffic::Traffic;
use super::answer::unexpected;
use super::copy::PLAIN;
use super::trouble::{self, Asked};
use super::write::UNRESERVED;
use super::{AwsError, Timeouts};
use crate::backend::Trouble;
use crate::limits;
use crate::s3::name::{Bucket, Key};

pub(super) use self::line::Arriving;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("tracegate/", env!("CARGO_PKG_VERSION")));

/// Headers of a request, about: those that are signed, the signature, and who asks.
const HEADERS: usize = 10;

/// The client, of all buckets that are served.
pub(super) struct Thin {
    places: BTreeMap<Bucket, Place>,
    /// `None` signs nothing.
    credentials: Option<CredentialCache>,
    timeouts: Timeouts,
}

/// What the client is set up with.
pub(super) struct Settings<'a> {
    /// The store's address; `None` is AWS itself.
    pub(super) endpoint: Option<&'a str>,
    pub(super) region: &'a str,
    pub(super) path_style: bool,
    /// Outside names, each with the name of the real bucket.
    pub(super) buckets: &'a BTreeMap<Bucket, String>,
    /// What is trusted instead of the system's certificates.
    pub(super) roots: Option<RootCertStore>,
    pub(super) credentials: Option<SharedCredentialsProvider>,
    pub(super) timeouts: Timeouts,
}

/// One request that reads.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) bucket: &'a Bucket,
    /// Of which object; `None` is of the bucket itself.
    pub(super) key: Option<&'a Key>,
    /// Parameters, in the order of their names.
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer that is no error, whatever its status among these, and its body.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Arriving,
}

impl Thin {
    /// Finds where each bucket is. Nothing is connected yet.
    pub(super) async fn new(settings: Settings<'_>) -> Result<Self, AwsError> {
        let Settings { endpoint, region, path_style, buckets, roots, credentials, timeouts } = settings;
        let (mut places, mut origins, mut tls) = (BTreeMap::new(), BTreeMap::new(), None);
        let traffic = Arc::<Traffic>::default();
        for (bucket, inside) in buckets {
            let found = place::find(endpoint, region, path_style, inside).await?;
            let origin = match origins.get(&found.origin.to_string()) {
                Some(origin) => Arc::clone(origin),
                None => {
                    if tls.is_none() && found.origin.scheme() == Some(&Scheme::HTTPS) {
                        tls = Some(origin::tls(roots.clone())?);
                    }
                    let origin =
                        Arc::new(Origin::new(found.origin.clone(), tls.as_ref(), timeouts.connect, traffic.clone())?);
                    origins.insert(found.origin.to_string(), origin.clone());
                    origin
                }
            };
            places.insert(bucket.clone(), Place::new(found, origin));
        }
        Ok(Self { places, credentials: credentials.map(CredentialCache::new), timeouts })
    }

    /// Sends the request, and waits for the head of its answer; of one that is an error, for its end.
    pub(super) async fn send(&self, asked: Asked, call: &Call<'_>) -> Result<Answer, Trouble> {
        self.in_time(self.answer_or_error(asked, call)).await
    }

    /// Sends the request, and waits for the end of its answer, which is a document of at most so many bytes.
    pub(super) async fn document(&self, asked: Asked, call: &Call<'_>, most: usize) -> Result<Vec<u8>, Trouble> {
        self.in_time(async {
            let mut answer = self.answer_or_error(asked, call).await?;
            if answer.head.status != StatusCode::OK {
                return Err(unexpected(answer.head.status));
            }
            answer
                .document(most)
                .await
                .ok_or_else(|| Trouble::Broken("its answer is too long, or broke off".to_owned()))
        })
        .await
    }

    async fn in_time<T>(&self, waited: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        let patience = self.timeouts.connect + self.timeouts.head;
        tokio::time::timeout(patience, waited).await.unwrap_or(Err(Trouble::Timeout))
    }

    async fn answer_or_error(&self, asked: Asked, call: &Call<'_>) -> Result<Answer, Trouble> {
        let place = self.places.get(call.bucket).ok_or(Trouble::NoSuchBucket)?;
        let mut answer = self.answer(place, call).await?;
        if answer.head.status.is_success() {
            return Ok(answer);
        }
        let document = answer.document(limits::BACKEND_ERROR_BYTES_MAX).await;
        Err(trouble::of_answer(asked, &answer.head, &document.unwrap_or_default()))
    }

    async fn answer(&self, place: &Place, call: &Call<'_>) -> Result<Answer, Trouble> {
        if let Some(line) = place.origin.pool.take() {
            match self.exchange(line, place, call).await? {
                Ok(answer) => return Ok(answer),
                Err(Lost::Broken(error)) => return Err(broken(&error)),
                // The peer closed it while nobody used it.
                Err(Lost::Unanswered(_)) => {}
            }
        }
        let line = place.origin.dial().await?;
        match self.exchange(line, place, call).await? {
            Ok(answer) => Ok(answer),
            Err(Lost::Broken(error) | Lost::Unanswered(error)) => Err(broken(&error)),
        }
    }

    async fn exchange(&self, line: Box<Line>, place: &Place, call: &Call<'_>) -> Result<Result<Answer, Lost>, Trouble> {
        let request = self.request(place, call, Timestamp::now()).await?;
        Ok(line.ask(request).await.map(|(response, line)| {
            let (head, body) = response.into_parts();
            Answer { head, body: Arriving::new(body, line, place.origin.pool.clone()) }
        }))
    }

    /// The request as it is sent, signed.
    async fn request(&self, place: &Place, call: &Call<'_>, now: Timestamp) -> Result<Request<Payload>, Trouble> {
        let key = call.key.map(Key::as_str).unwrap_or_default();
        let mut target = format!("{}/{}", place.path, utf8_percent_encode(key, PLAIN));
        let path_ends = target.len();
        for (name, value) in &call.query {
            target.push(if target.len() == path_ends { '?' } else { '&' });
            target.extend([name, "="]);
            target.extend(utf8_percent_encode(value, UNRESERVED));
        }
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.extend(call.headers.iter().cloned());
        headers.insert(HOST, place.origin.host.clone());
        if let Some(credentials) = &self.credentials {
            let credential = credentials.at(now).await?;
            let key = place.key(&credential, sign::utc(now).date())?;
            let query = target.get(path_ends + 1..).unwrap_or_default();
            let signed = Target { path: &target[..path_ends], query };
            key.sign(&call.method, signed, &mut headers, Digest::Empty, now)?;
        }
        headers.insert(USER_AGENT, AGENT);
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target));
        let target = target.map_err(|_| Trouble::Broken("the request could not be made".to_owned()))?;
        let mut request = Request::new(Payload::new());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Answer {
    /// The whole body, if it is no longer than that and comes to its end.
    async fn document(&mut self, most: usize) -> Option<Vec<u8>> {
        let mut document = Vec::new();
        while let Some(piece) = self.body.next().await {
            let piece = piece.ok()?;
            if document.len() + piece.len() > most {
                return None;
            }
            document.extend_from_slice(&piece);
        }
        Some(document)
    }
}

fn broken(error: &hyper::Error) -> Trouble {
    Trouble::Broken(if error.is_parse() {
        "its answer cannot be read".to_owned()
    } else {
        "the connection broke before it answered".to_owned()
    })
}
