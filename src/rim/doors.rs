//! Our own doors: credentials for SDKs, the token service (STS), who-am-I, and how a refusal looks outside of s3s.
//!
//! A session is on the record before its secret leaves; a refused one is counted, by network and reason.

use std::sync::Arc;

use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Serialize;

use super::body::Closing;
use super::{Asked, Refused, Rim, finished};
use crate::audit::{Event, RequestFacts, Unproven};
use crate::gateway::call::Entrance;
use crate::identity::assume::{ExchangeError, Wish};
use crate::identity::claimed::Claimed;
use crate::identity::door::{self, Reply};
use crate::identity::session::{Issued, signature_refused};
use crate::identity::sts::{self, StsCall};
use crate::identity::token::UnverifiedToken;
use crate::identity::{Identity, RoleName};
use crate::limits;
use crate::policy::quota::{Left as LeftOfDay, Quota};
use crate::s3::error::{Code, Refusal};
use crate::s3::operation::Action;
use crate::s3::wire::{self, CallIn};

/// What a caller may see, as `whoami` tells it.
#[derive(Serialize)]
struct Sees {
    /// Buckets in which something is visible.
    buckets: Vec<String>,
    /// What the role's rules allow, as written; denies and claims narrow it.
    allows: Vec<Allows>,
    /// Whether a token that also holds another role opens none.
    exclusive: bool,
    /// How much the role may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaOfToday>,
}

/// A role's quota, and what is left of it.
#[derive(Serialize)]
struct QuotaOfToday {
    #[serde(flatten)]
    quota: Quota,
    /// What is left of today.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<LeftOfDay>,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

/// One rule of a role.
#[derive(Serialize)]
struct Allows {
    rule: String,
    actions: Vec<&'static str>,
    paths: Vec<String>,
}

impl Rim {
    /// `GET /-/credentials[/ROLE]`
    pub(super) async fn credentials(
        &self,
        asked: &Asked,
        role: Option<RoleName>,
    ) -> Result<Response<Closing>, Refused> {
        let reply = match self.credentials_of(asked, role).await {
            Ok(issued) => door::credentials(&issued),
            Err(DoorRefusal::Refused(refusal)) => {
                self.count(asked, word(refusal.code));
                door::door_refused(&refusal)
            }
            Err(DoorRefusal::Exchange(error)) => {
                self.count(asked, exchange_word(&error));
                door::credentials_refused(&error)
            }
        };
        Ok(replied(&reply, asked))
    }

    async fn credentials_of(&self, asked: &Asked, role: Option<RoleName>) -> Result<Issued, DoorRefusal> {
        let parts = &asked.parts;
        wire::no_body(&parts.headers)?;
        self.admitted(asked)?;
        let Claimed::Bearer(claim) = Claimed::read(&parts.method, &parts.uri, &parts.headers, asked.now)? else {
            return Err(Refusal::new(Code::AccessDenied, "Send an identity provider's token in Authorization.").into());
        };
        let wish = Wish { role: role.or(claim.role), ..Wish::default() };
        self.issue(asked, &claim.token, &wish, "credentials").await
    }

    /// `POST /`: AssumeRoleWithWebIdentity and GetCallerIdentity.
    pub(super) async fn sts(&self, asked: Asked, incoming: Incoming) -> Result<Response<Closing>, Refused> {
        let place = wire::token_call(&asked.parts.uri, &asked.parts.headers)?;
        let read = Limited::new(incoming, limits::FORM_BODY_BYTES_MAX).collect();
        let read = tokio::time::timeout(limits::HEADER_READ_TIMEOUT, read).await;
        let body = match read {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return Err(Refusal::new(Code::InvalidRequest, "The form is too large, or broke off.").into()),
            Err(_) => return Err(Refusal::new(Code::RequestTimeout, "The form came too slowly.").into()),
        };
        let id = asked.facts.id;
        let call = match place {
            CallIn::Form => StsCall::parse(&body),
            CallIn::Query => StsCall::parse(asked.parts.uri.query().unwrap_or_default().as_bytes()),
        };
        let reply = match call {
            Err(error) => {
                self.count(&asked, "malformed");
                sts::call_refused(&error, id.as_str())
            }
            Ok(StsCall::AssumeRoleWithWebIdentity { token, wish }) => {
                let issued = match self.admitted(&asked) {
                    Ok(()) => self.issue(&asked, &token, &wish, "sts").await,
                    Err(refused) => Err(refused),
                };
                self.assumed(&asked, issued)
            }
            Ok(StsCall::GetCallerIdentity) => {
                let who = self.who_signed(&asked, body).await?;
                self.record_asked(&asked, &who).await?;
                sts::caller(&who, id.as_str())
            }
        };
        Ok(replied(&reply, &asked))
    }

    fn assumed(&self, asked: &Asked, issued: Result<Issued, DoorRefusal>) -> Reply {
        let id = asked.facts.id;
        match issued {
            Ok(issued) => sts::assumed(&issued, id.as_str()),
            Err(DoorRefusal::Exchange(error)) => {
                self.count(asked, exchange_word(&error));
                sts::exchange_refused(&error, id.as_str())
            }
            Err(DoorRefusal::Refused(refusal)) => {
                self.count(asked, word(refusal.code));
                sts::failed(refusal.code.status(), refusal.code.as_str(), &refusal.message, id.as_str())
            }
        }
    }

    /// `GET /-/whoami`
    pub(super) async fn whoami(&self, asked: &Asked) -> Result<Response<Closing>, Refused> {
        wire::no_body(&asked.parts.headers)?;
        let who = match self.entrance(asked).await? {
            Entrance::Proven(who) => who,
            entrance @ Entrance::Signed(_) => {
                let call = self.call(asked, entrance, None);
                self.verified(&asked.parts, &call, s3s::Body::empty()).await?
            }
        };
        self.record_asked(asked, &who).await?;
        Ok(replied(&door::whoami(&who, &self.sees(&who, asked)), asked))
    }

    fn sees(&self, who: &Identity, asked: &Asked) -> Sees {
        let rules = self.gateway.rules.load();
        let sight = rules.set.sight(who.role(), who.claims());
        let visible = self.gateway.buckets.iter().filter(|bucket| sight.sees_bucket(bucket, asked.now));
        let role = rules.set.role(who.role());
        let allows = role.iter().flat_map(|role| &role.allows).map(|allow| Allows {
            rule: allow.id.to_string(),
            actions: allow.actions.iter().map(Action::word).collect(),
            paths: allow.paths.iter().map(|glob| glob.as_str().to_owned()).collect(),
        });
        let quota = role.and_then(|role| role.quota).map(|quota| self.quota_of_today(quota, who, asked));
        let exclusive = role.is_some_and(|role| role.exclusive);
        Sees { buckets: visible.map(ToString::to_string).collect(), allows: allows.collect(), exclusive, quota }
    }

    fn quota_of_today(&self, quota: Quota, who: &Identity, asked: &Asked) -> QuotaOfToday {
        let (left, unknown) = match self.gateway.quotas.left(&quota, who, asked.now) {
            Ok(left) => (Some(left).filter(|_| quota.bounds_a_day()), None),
            Err(exceeded) => (None, Some(format!("role {} {exceeded}", who.role()))),
        };
        QuotaOfToday { quota, left, unknown }
    }

    async fn who_signed(&self, asked: &Asked, body: bytes::Bytes) -> Result<Arc<Identity>, Refused> {
        match self.entrance(asked).await? {
            Entrance::Proven(who) => Ok(who),
            entrance @ Entrance::Signed(_) => {
                let call = self.call(asked, entrance, None);
                self.verified(&asked.parts, &call, s3s::Body::from(body)).await
            }
        }
    }

    /// Whoever asks about themselves is on the record, like every proven caller.
    async fn record_asked(&self, asked: &Asked, who: &Arc<Identity>) -> Result<(), Refusal> {
        let event = Event::Asked { who: who.clone(), facts: RequestFacts::clone(&asked.facts) };
        Ok(self.gateway.journal.event(event).await?)
    }

    /// Tokens are taken where nobody else can read them, and not faster than people need.
    fn admitted(&self, asked: &Asked) -> Result<(), DoorRefusal> {
        asked.check_private()?;
        if self.doors.admits(asked.facts.peer, asked.now) { Ok(()) } else { Err(ExchangeError::SlowDown.into()) }
    }

    async fn issue(
        &self,
        asked: &Asked,
        token: &UnverifiedToken,
        wish: &Wish,
        door: &'static str,
    ) -> Result<Issued, DoorRefusal> {
        let rules = self.gateway.rules.load_full();
        let issued = self.authority.exchange(token, wish, &rules.book, asked.now).await?;
        let who = Arc::new(issued.holder(asked.now));
        let event = Event::SessionIssued { who, door, facts: RequestFacts::clone(&asked.facts) };
        self.gateway.journal.event(event).await.map_err(Refusal::from)?;
        Ok(issued)
    }

    fn count(&self, asked: &Asked, why: &'static str) {
        self.gateway.journal.refused(asked.facts.peer, Unproven::Session(why), asked.now);
    }
}

/// Why a door gives no session.
enum DoorRefusal {
    Refused(Refusal),
    Exchange(ExchangeError),
}

impl From<Refusal> for DoorRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ExchangeError> for DoorRefusal {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

fn replied(reply: &Reply, asked: &Asked) -> Response<Closing> {
    let mut response = Response::new(Closing::plain(s3s::Body::from(reply.body.expose().to_owned())));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(reply.content_type));
    for (name, value) in door::REPLY_HEADERS {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    finished(response, &asked.facts, &asked.parts.method)
}

/// A refusal as S3 writes one, where s3s is not asked.
pub(super) fn error(refusal: &Refusal, facts: &RequestFacts) -> Response<s3s::Body> {
    let escaped = quick_xml::escape::escape(refusal.message.as_str());
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{escaped}</Message><RequestId>{}</RequestId></Error>",
        refusal.code.as_str(),
        facts.id
    );
    let mut response = Response::new(s3s::Body::from(body));
    *response.status_mut() = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    response
}

/// An error that s3s made by itself, with our request id; of callers whom it did not prove, all look the same.
pub(super) fn retold(response: Response<s3s::Body>, proven: bool, facts: &RequestFacts) -> Response<s3s::Body> {
    if !proven && response.status() == StatusCode::FORBIDDEN {
        return error(&signature_refused(), facts);
    }
    let id = format!("<RequestId>{}</RequestId></Error>", facts.id);
    response.map(|mut body| match body.take_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) {
        Some(text) if !text.contains("<RequestId>") => s3s::Body::from(text.replace("</Error>", &id)),
        Some(text) => s3s::Body::from(text),
        None => body,
    })
}

fn word(code: Code) -> &'static str {
    match code.status() {
        400 => "malformed",
        403 => "unproven",
        503 => "busy",
        _ => "other",
    }
}

fn exchange_word(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::Token(_) => "token",
        ExchangeError::NoRole
        | ExchangeError::NotHeld { .. }
        | ExchangeError::Exclusive(_)
        | ExchangeError::SeveralRoles(_) => "role",
        ExchangeError::Validation(_) => "malformed",
        ExchangeError::Revoked | ExchangeError::RevocationsUnknown => "revoked",
        ExchangeError::Issue(_) => "other",
        ExchangeError::SlowDown => "rate",
    }
}
