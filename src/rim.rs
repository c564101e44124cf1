//! The rim around s3s: what must hold of every request before s3s reads it, and of every response after.
//!
//! In: the wire checks, exactly one credential, the token doors, the session opened and bound to its key. Out: no
//! response leaves but with the entry of the log that the gateway left, closed on the last byte or on the client's
//! going; a refusal is on the record, too. s3s trusts more than we do; what it does not hold stands here, so that moving
//! to a newer one only deletes code.

pub mod body;
mod doors;
mod head;
pub mod progress;
pub mod upload;
pub mod write;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use ipnet::IpNet;
use jiff::Timestamp;
use s3s::service::S3Service;

use crate::audit::{Ended, EntryId, Event, Outcome, RequestFacts, Unproven};
use crate::gateway::Gateway;
use crate::gateway::call::{Call, Entrance, Left, Payload, Slot};
use crate::identity::Identity;
use crate::identity::authority::Authority;
use crate::identity::chunks::ChunkSigner;
use crate::identity::claimed::Claimed;
use crate::identity::door::Door;
use crate::identity::rate::DoorRate;
use crate::s3::conditional;
use crate::s3::error::{Code, Refusal};
use crate::s3::host::HostNames;
use crate::s3::operation::{OpName, Preconditions};
use crate::s3::shape::shape;
use crate::s3::wire;
use crate::telemetry::Metrics;
use body::Closing;
use progress::Progress;
use write::Underway;

/// What is known of a connection.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The peer's address.
    pub peer: IpAddr,
    /// Whether it speaks TLS with us.
    pub tls: bool,
    /// How its responses get on.
    pub progress: Progress,
}

/// The rim. One per process; every listener hands its requests here.
pub struct Rim {
    /// s3s with the gateway behind it.
    pub service: S3Service,
    /// The gateway, for its rules and its log.
    pub gateway: Arc<Gateway>,
    /// Who is who.
    pub authority: Arc<Authority>,
    /// How often the token doors are used.
    pub doors: DoorRate,
    /// Peers that are believed about whose request it is.
    pub trusted_proxies: Vec<IpNet>,
    /// Host names below which a bucket may stand.
    pub host_names: HostNames,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Writes that the end of the service waits for.
    pub underway: Underway,
}

/// A request as the rim carries it: the head, what the log says of it, when it came.
struct Asked {
    parts: http::request::Parts,
    facts: Arc<RequestFacts>,
    now: Timestamp,
    /// Whether a token may be read: TLS, loopback, or a proxy that says https.
    private: bool,
}

/// A refusal together with who, if anybody, was proven to ask.
struct Refused {
    refusal: Refusal,
    left: Left,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, left: Left::default() }
    }
}

impl Rim {
    /// Answers one request.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>, on: Connection) -> Response<Closing> {
        let began = Instant::now();
        let (parts, incoming) = request.into_parts();
        let asked = self.asked(parts, &on);
        let (facts, now, method) = (asked.facts.clone(), asked.now, asked.parts.method.clone());
        let (operation, outcome) = self.routed(asked, incoming).await;
        let response = match outcome {
            Ok(response) => response,
            Err(refused) => self.refuse(refused, &facts, now, &method).await,
        };
        self.metrics.answered(operation, response.status().as_u16(), began.elapsed());
        response.map(|body| body.watched(on.progress))
    }

    async fn routed(
        self: &Arc<Self>,
        asked: Asked,
        incoming: Incoming,
    ) -> (&'static str, Result<Response<Closing>, Refused>) {
        let host_bucket = asked.facts.host.as_deref().is_some_and(|host| self.host_names.bucket(host).is_some());
        let parts = &asked.parts;
        if let Err(refusal) = head::check_framing(parts) {
            return ("none", Err(refusal.into()));
        }
        let door = if host_bucket { None } else { Door::of(&parts.method, parts.uri.path()) };
        match door {
            Some(Err(refusal)) => ("none", Err(refusal.into())),
            Some(Ok(Door::Credentials { role })) => ("Credentials", self.credentials(&asked, role).await),
            Some(Ok(Door::Sts)) => ("Sts", self.sts(asked, incoming).await),
            Some(Ok(Door::WhoAmI)) => ("WhoAmI", self.whoami(&asked).await),
            None => match wire::operation(&parts.method, &parts.uri, &parts.headers, host_bucket) {
                Err(refusal) => {
                    // Signature Version 2 has parameters of its own: that it is not spoken is the better reason.
                    let credential = Claimed::read(&parts.method, &parts.uri, &parts.headers, asked.now);
                    ("none", Err(credential.err().unwrap_or(refusal).into()))
                }
                // One of a bucket that is not made may have a body all the same.
                Ok(op) if shape(op).changes || op == OpName::CreateBucket => {
                    (op.as_str(), self.write(asked, op, incoming).await)
                }
                Ok(op) => (op.as_str(), self.s3(asked, op).await),
            },
        }
    }

    /// An operation that reads: the credential, then s3s with the gateway behind it, then the entry.
    async fn s3(&self, asked: Asked, op: OpName) -> Result<Response<Closing>, Refused> {
        let entrance = self.entrance(&asked).await?;
        let mut call = self.call(&asked, entrance, Some(op));
        let mut parts = asked.parts;
        let signed = matches!(call.entrance, Entrance::Signed(_));
        if signed && head::s3s_would_stumble(&parts.headers) {
            // The signature covers headers that s3s cannot read and S3 ignores: verified first, then asked without.
            let who = self.verified(&parts, &call, s3s::Body::empty()).await?;
            call.entrance = Entrance::Proven(who);
        }
        if matches!(call.entrance, Entrance::Proven(_)) {
            head::strip(&mut parts);
        }
        let method = parts.method.clone();
        let response = self.through_s3s(parts, &call, s3s::Body::empty()).await?;
        let mut left = call.slot.take();
        if let Entrance::Proven(who) = &call.entrance {
            // Also of what s3s refused before it asked us who it is.
            left.who = Some(who.clone());
        }
        self.leave(response, left, &call.facts, call.now, &method).await
    }

    /// Who comes in, and how.
    async fn entrance(&self, asked: &Asked) -> Result<Entrance, Refusal> {
        let claimed = asked.claimed()?;
        self.entered(asked, &claimed).await
    }

    /// Who comes in with that credential.
    async fn entered(&self, asked: &Asked, claimed: &Claimed) -> Result<Entrance, Refusal> {
        let rules = self.gateway.rules.load_full();
        match claimed {
            Claimed::None => Err(Refusal::new(
                Code::AccessDenied,
                "Anonymous access is forbidden: sign the request with a session's keys, or send Authorization: Bearer.",
            )),
            Claimed::Bearer(claim) => {
                asked.check_private()?;
                let who = self.authority.bearer(claim, &rules.book, asked.now).await?;
                Ok(Entrance::Proven(Arc::new(who)))
            }
            Claimed::Signed(claim) => {
                let session = self.authority.opened(claim, &rules.book, asked.now)?;
                Ok(Entrance::Signed(Arc::new(session)))
            }
        }
    }

    /// What the signatures in the body go on from.
    fn chunk_signer(&self, claimed: &Claimed) -> Option<ChunkSigner> {
        let Claimed::Signed(claim) = claimed else { return None };
        claim.chunk_signer(&self.authority.secret_for(&claim.access_key_id)?)
    }

    /// Whose signature this is; nothing is served.
    async fn verified(
        &self,
        parts: &http::request::Parts,
        call: &Call,
        body: s3s::Body,
    ) -> Result<Arc<Identity>, Refused> {
        let slot = Slot::default();
        let verify = Call { verify_only: true, slot: slot.clone(), ..call.clone() };
        let response = self.through_s3s(parts.clone(), &verify, body).await?;
        if let Some(who) = slot.take().who {
            return Ok(who);
        }
        Err(unverified(response.status()).into())
    }

    async fn through_s3s(
        &self,
        mut parts: http::request::Parts,
        call: &Call,
        body: s3s::Body,
    ) -> Result<Response<s3s::Body>, Refusal> {
        parts.extensions.insert(call.clone());
        let answered = self.service.call(Request::from_parts(parts, body)).await;
        answered.map_err(|error| {
            tracing::error!(id = %call.facts.id, ?error, "an answer could not be written");
            internal()
        })
    }

    /// What s3s answered leaves, with its entry.
    async fn leave(
        &self,
        mut response: Response<s3s::Body>,
        mut left: Left,
        facts: &RequestFacts,
        now: Timestamp,
        method: &Method,
    ) -> Result<Response<Closing>, Refused> {
        if partial_head(&response, method) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let status = response.status();
        if let Some(cost) = left.cost.take() {
            self.metrics.listed(cost.backend_pages, cost.hidden);
        }
        let Some(entry) = left.entry.take() else {
            if left.on_record {
                return Ok(finished(response.map(Closing::plain), facts, method));
            }
            if status.is_client_error() || status.is_server_error() {
                // s3s refused it, or the gateway did before anything was asked: recorded like any other refusal.
                self.record_refusal(&left, status, facts, now).await?;
                let response = doors::retold(response, left.who.is_some(), facts);
                return Ok(finished(response.map(Closing::plain), facts, method));
            }
            tracing::error!(id = %facts.id, %status, "an answer without an entry was held back");
            return Err(internal().into());
        };
        let length = length(response.headers()).or_else(|| response.body().size_hint().exact());
        let bodyless = method == Method::HEAD || length == Some(0) || status == StatusCode::NOT_MODIFIED;
        // What a write answers was true before it was sent.
        let settled = bodyless || left.concluded;
        let mut outcome = Outcome::new(status.as_u16(), Ended::Ok);
        outcome.received = left.fate.as_ref().map(|fate| fate.received()).or(left.copied);
        let failed = status.is_client_error() || status.is_server_error();
        if let Some(code) = left.refused.or(failed.then_some(Code::InternalError)) {
            outcome.ended = Ended::Refused(code);
            entry.close(outcome);
            // Nobody knows whether the store did it: it counts.
            if code == Code::ServiceUnavailable
                && let Some(reserved) = left.reserved.take()
            {
                reserved.keep();
            }
            return Ok(finished(response.map(Closing::plain), facts, method));
        }
        if let Some(reserved) = left.reserved.take() {
            reserved.keep();
        }
        outcome.view_etag = left.view_etag;
        outcome.version_id = left.version_id;
        outcome.listing = left.listing;
        let digest = left.tally.is_some();
        let mut closing = response.map(|body| Closing::of(body, entry, outcome, length, left.tally));
        if settled {
            closing.body_mut().close(Ended::Ok);
        } else if let Some(who) = left.who {
            let (authority, metrics) = (self.authority.clone(), self.metrics.clone());
            closing =
                closing.map(|body| body.digested(digest).while_allowed(left.until, authority, who).counted(metrics));
        }
        Ok(finished(closing, facts, method))
    }

    /// A refusal leaves, once it is on the record.
    async fn refuse(
        &self,
        refused: Refused,
        facts: &RequestFacts,
        now: Timestamp,
        method: &Method,
    ) -> Response<Closing> {
        let status = StatusCode::from_u16(refused.refusal.code.status()).unwrap_or(StatusCode::FORBIDDEN);
        let recorded = self.record_refusal(&refused.left, status, facts, now).await;
        let refusal = recorded.err().unwrap_or(refused.refusal);
        finished(doors::error(&refusal, facts).map(Closing::plain), facts, method)
    }

    /// Of a proven caller by name; of anybody else summed up, so that nobody can fill the log.
    async fn record_refusal(
        &self,
        left: &Left,
        status: StatusCode,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let journal = &self.gateway.journal;
        match &left.who {
            Some(who) => {
                let event = Event::Refused { who: who.clone(), status: status.as_u16(), facts: facts.clone() };
                Ok(journal.event(event).await?)
            }
            None => {
                journal.refused(facts.peer, Unproven::Request(word(status)), now);
                Ok(())
            }
        }
    }

    fn call(&self, asked: &Asked, entrance: Entrance, expected: Option<OpName>) -> Call {
        let headers = &asked.parts.headers;
        let (range, preconditions) = match expected {
            Some(OpName::GetObject | OpName::HeadObject) => {
                (conditional::range(headers), conditional::preconditions(headers))
            }
            Some(_) | None => (None, Preconditions::default()),
        };
        Call {
            entrance,
            verify_only: false,
            expected,
            range,
            preconditions,
            headers: Arc::default(),
            upload: Payload::default(),
            facts: asked.facts.clone(),
            now: asked.now,
            slot: Slot::default(),
        }
    }

    fn asked(&self, parts: http::request::Parts, on: &Connection) -> Asked {
        let trusted = self.trusts(on.peer);
        let peer = if trusted { self.forwarded_for(&parts.headers).unwrap_or(on.peer) } else { on.peer };
        let said_https = trusted && last_of(&parts.headers, "x-forwarded-proto").is_some_and(|proto| proto == "https");
        let text = |name: header::HeaderName| {
            parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let facts = RequestFacts {
            id: EntryId::random(),
            batch: None,
            peer,
            user_agent: text(header::USER_AGENT),
            tls: on.tls || said_https,
            host: text(header::HOST).or_else(|| parts.uri.authority().map(|host| host.as_str().to_owned())),
        };
        let private = facts.tls || on.peer.to_canonical().is_loopback() && !forwarded(&parts.headers);
        Asked { parts, facts: Arc::new(facts), now: Timestamp::now(), private }
    }

    /// Whether a peer is one of `trusted_proxies`.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer.to_canonical()))
    }

    /// The last address of `X-Forwarded-For` that no trusted proxy has: the ones before it anybody may have written.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        let listed = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
        let mut addresses: Vec<Option<IpAddr>> = listed.map(|text| text.parse().ok()).collect();
        while let Some(address) = addresses.pop() {
            let address = address?;
            if !self.trusts(address) {
                return Some(address);
            }
        }
        None
    }
}

impl Asked {
    /// The credential that the request states.
    fn claimed(&self) -> Result<Claimed, Refusal> {
        Claimed::read(&self.parts.method, &self.parts.uri, &self.parts.headers, self.now)
    }

    /// A bearer token is as good as a password: it is read where nobody else could have.
    fn check_private(&self) -> Result<(), Refusal> {
        if self.private {
            return Ok(());
        }
        Err(Refusal::new(
            Code::AccessDenied,
            "Tokens are taken over HTTPS only (or on loopback, or from a proxy in `trusted_proxies` that says https).",
        ))
    }
}

/// Whether it answers for a range: s3s says 200 to every HEAD.
fn partial_head(response: &Response<s3s::Body>, method: &Method) -> bool {
    method == Method::HEAD
        && response.status() == StatusCode::OK
        && response.headers().contains_key(header::CONTENT_RANGE)
}

/// What holds of every response.
fn finished(response: Response<Closing>, facts: &RequestFacts, method: &Method) -> Response<Closing> {
    let (mut head, body) = response.into_parts();
    // HTTP/1 leaves such bodies out by itself, HTTP/2 takes them for an error of the protocol.
    let bodyless = method == Method::HEAD || head.status == StatusCode::NOT_MODIFIED;
    let body = if bodyless { Closing::plain(s3s::Body::empty()) } else { body };
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    let headers = &mut head.headers;
    if head.status == StatusCode::NOT_MODIFIED || (bodyless && is_error) {
        headers.remove(header::CONTENT_LENGTH);
    }
    if is_error && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    let id = HeaderValue::from_str(facts.id.as_str()).unwrap_or(HeaderValue::from_static("none"));
    headers.insert("x-amz-request-id", id);
    headers.insert(header::SERVER, HeaderValue::from_static("tracegate"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, private(headers.get(header::CACHE_CONTROL)));
    headers.append(header::VARY, HeaderValue::from_static("Authorization"));
    Response::from_parts(head, body)
}

/// What one caller sees is not for the next one behind the same cache, whatever was stored or asked for.
fn private(stored: Option<&HeaderValue>) -> HeaderValue {
    let Some(stored) = stored else { return HeaderValue::from_static("private") };
    let stored = stored.to_str().unwrap_or_default();
    let mut kept = vec!["private"];
    kept.extend(stored.split(',').map(str::trim).filter(|directive| {
        let name = directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        !matches!(name.as_str(), "" | "public" | "private" | "s-maxage" | "proxy-revalidate")
    }));
    HeaderValue::from_str(&kept.join(", ")).unwrap_or(HeaderValue::from_static("private"))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether somebody passed the request on, so that the peer's being on loopback says nothing of the way before.
fn forwarded(headers: &HeaderMap) -> bool {
    let marks = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via"];
    marks.iter().any(|name| headers.contains_key(*name))
}

fn last_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// Everything that s3s may have against a signature looks the same.
fn unverified(status: StatusCode) -> Refusal {
    match status {
        StatusCode::BAD_REQUEST => Refusal::new(Code::InvalidRequest, "The request could not be read."),
        _ => crate::identity::session::signature_refused(),
    }
}

fn internal() -> Refusal {
    Refusal::new(Code::InternalError, "We encountered an internal error. Please try again.")
}

/// The reason in the log of a refusal without a caller: a word of a fixed list.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "malformed",
        401 | 403 => "unproven",
        405 | 501 => "not-served",
        503 => "busy",
        _ => "other",
    }
}
