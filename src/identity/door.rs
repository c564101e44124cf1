//! The credentials door (`GET /-/credentials[/ROLE]`) and `GET /-/whoami`: which request is for them, what they answer.
//!
//! The credentials door speaks the container-credentials protocol ("Container credential provider" in the AWS SDKs and
//! tools reference guide): the widest way in for unmodified clients, with `AWS_CONTAINER_CREDENTIALS_FULL_URI` and
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`. Pure: the caller runs the exchange between question and answer.

use std::fmt;

use http::{Method, header};
use jiff::Timestamp;
use serde::Serialize;

use super::assume::ExchangeError;
use super::claimed::CREDENTIALS_PATH;
use super::oidc::TokenError;
use super::secret::SecretText;
use super::session::{IssueError, Issued};
use super::sts::arn_of_role;
use super::{Identity, RoleName};
use crate::s3::error::{Code, Refusal};

pub(super) const XML: &str = "text/xml";
pub(super) const JSON: &str = "application/json";

/// The path that says who one is.
pub const WHOAMI_PATH: &str = "/-/whoami";

/// Headers of every answer of a door: what it says is for one caller and one moment.
pub const REPLY_HEADERS: [(header::HeaderName, &str); 3] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];

/// A door, as a request's method and path name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// `GET /-/credentials[/ROLE]`
    Credentials {
        /// The role in the path.
        role: Option<RoleName>,
    },
    /// `POST /`
    Sts,
    /// `GET /-/whoami`
    WhoAmI,
}

impl Door {
    /// The door that a request is for; `None` if it is for the bucket. What lies below `/-/` and is no door is refused
    /// here, because `-` can be no bucket.
    pub fn of(method: &Method, path: &str) -> Option<Result<Self, Refusal>> {
        if path == "/" && *method == Method::POST {
            return Some(Ok(Self::Sts));
        }
        if path != "/-" && !path.starts_with("/-/") {
            return None;
        }
        let door = match path.strip_prefix(CREDENTIALS_PATH) {
            Some("" | "/") => Self::Credentials { role: None },
            Some(rest) if rest.starts_with('/') => match rest[1..].parse() {
                Ok(role) => Self::Credentials { role: Some(role) },
                Err(why) => {
                    return Some(Err(Refusal::new(Code::InvalidRequest, format!("{CREDENTIALS_PATH}/ROLE: {why}."))));
                }
            },
            Some(_) => return Some(Err(nothing_here())),
            None if path == WHOAMI_PATH => Self::WhoAmI,
            None => return Some(Err(nothing_here())),
        };
        if *method == Method::GET {
            Some(Ok(door))
        } else {
            Some(Err(Refusal::new(Code::MethodNotAllowed, "This address answers GET only.")))
        }
    }
}

fn nothing_here() -> Refusal {
    Refusal::new(Code::InvalidRequest, "There is nothing at this address.")
}

/// An answer of a door, to be sent with [`REPLY_HEADERS`].
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body, which may hold a secret.
    pub body: SecretText,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: &str) -> Self {
        Self { status, content_type, body: SecretText::new(body) }
    }

    fn json(status: u16, body: &impl Serialize) -> Self {
        // Texts and times always become JSON; should one not, an empty body with its status still fails the client.
        Self::new(status, JSON, &zeroize::Zeroizing::new(serde_json::to_string(body).unwrap_or_default()))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} {})", self.status, self.content_type)
    }
}

/// The answer of the credentials door.
pub fn credentials(issued: &Issued) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        access_key_id: &'a str,
        secret_access_key: &'a str,
        token: &'a str,
        expiration: String,
        role_arn: String,
    }
    let body = Body {
        access_key_id: &issued.access_key_id,
        secret_access_key: issued.secret_access_key.expose(),
        token: issued.session_token.expose(),
        expiration: issued.expires.to_string(),
        role_arn: arn_of_role(&issued.role),
    };
    Reply::json(200, &body)
}

/// The refusal of the credentials door. SDKs retry 5xx and 429 and show the message of the rest.
pub fn credentials_refused(error: &ExchangeError) -> Reply {
    let (status, code) = match error {
        ExchangeError::Token(TokenError::ProviderUnavailable) => (503, "ProviderUnavailable"),
        ExchangeError::RevocationsUnknown => (503, "ServiceUnavailable"),
        ExchangeError::Token(TokenError::Expired) => (401, "ExpiredToken"),
        ExchangeError::Token(_) => (401, "InvalidToken"),
        ExchangeError::NoRole
        | ExchangeError::NotHeld { .. }
        | ExchangeError::Exclusive(_)
        | ExchangeError::Revoked => (403, "AccessDenied"),
        ExchangeError::SeveralRoles(_) => (400, "RoleNotNamed"),
        ExchangeError::Validation(_) | ExchangeError::Issue(IssueError::TooLong) => (400, "ValidationError"),
        ExchangeError::Issue(IssueError::AmbiguousRing) => (500, "InternalError"),
        ExchangeError::SlowDown => (429, "SlowDown"),
    };
    refused(status, code, &error.to_string())
}

/// The refusal of a door for a reason that the rim found.
pub fn door_refused(refusal: &Refusal) -> Reply {
    refused(refusal.code.status(), refusal.code.as_str(), &refusal.message)
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    #[derive(Serialize)]
    struct Body<'a> {
        code: &'a str,
        message: &'a str,
    }
    Reply::json(status, &Body { code, message })
}

/// What `GET /-/whoami` answers. `sees` is whatever the policy tells of the role.
pub fn whoami(identity: &Identity, sees: &impl Serialize) -> Reply {
    #[derive(Serialize)]
    struct Body<'a, S> {
        subject: &'a str,
        issuer: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        role: &'a str,
        issued: Timestamp,
        expires: Timestamp,
        proof: &'static str,
        session: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_name: Option<&'a str>,
        claims: &'a super::Claims,
        sees: &'a S,
    }
    let body = Body {
        subject: identity.subject(),
        issuer: identity.issuer(),
        name: identity.name(),
        role: identity.role().as_str(),
        issued: identity.issued(),
        expires: identity.expires(),
        proof: identity.proof().word(),
        session: identity.session(),
        session_name: identity.session_name(),
        claims: identity.claims(),
        sees,
    };
    Reply::json(200, &body)
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
