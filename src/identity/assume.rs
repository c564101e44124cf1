//! Which role a verified token may assume, and for how long. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::oidc::{TokenError, VerifiedToken};
use super::roles::{Bind, RoleBook, RoleTerms};
use super::session::IssueError;
use super::{Claims, RoleName};
use crate::limits::{
    ADMITTING_VALUES_MAX, SESSION_LIFETIME_DEFAULT, SESSION_LIFETIME_MAX, SESSION_LIFETIME_MIN, SESSION_NAME_BYTES_MAX,
    SESSION_NAME_BYTES_MIN,
};
use crate::s3::error::{Code, Refusal};

/// What a session is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) name: Option<String>,
    pub(super) role: RoleName,
    pub(super) claims: Claims,
    /// The values of claims by which the role's binds admit the holder; see [`admitting`].
    pub(super) admitted_by: Claims,
    pub(super) audience: Option<String>,
    pub(super) session_name: Option<String>,
    /// The session of the token that is exchanged.
    pub(super) parent: String,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

/// What a caller of a token door asks for besides being known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The role; needed where several are held.
    pub role: Option<RoleName>,
    /// `RoleSessionName`.
    pub session_name: Option<SessionName>,
    /// `DurationSeconds`.
    pub duration: Option<Duration>,
}

/// A `RoleSessionName` as STS allows it: 2 to 64 of letters, digits and `_+=,.@-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(Box<str>);

impl SessionName {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = (SESSION_NAME_BYTES_MIN..=SESSION_NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
        sound.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a door gives no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The token is not believed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token opens no role at all.
    #[error("This token holds no role here: no role's bind matches its issuer, subject and claims.")]
    NoRole,
    /// Not the wanted one.
    #[error("This token does not hold the role {wanted}; it holds {}.", list(held))]
    NotHeld {
        /// The role that was asked for.
        wanted: RoleName,
        /// Those that could be.
        held: Vec<RoleName>,
    },
    /// Several, and none was named.
    #[error("This token holds several roles, so the request must name one: {}.", list(.0))]
    SeveralRoles(Vec<RoleName>),
    /// A parameter is wrong.
    #[error("{0}")]
    Validation(String),
    /// The subject, role or everything was revoked after the token was issued.
    #[error("This access has been revoked. Log in again; if that does not help, ask the administrators.")]
    Revoked,
    /// It is not known what was revoked.
    #[error("Revocations cannot be read at the moment, so nobody is served.")]
    RevocationsUnknown,
    /// The session would not fit.
    #[error("The session cannot be issued: {0}.")]
    Issue(#[from] IssueError),
    /// Too many requests from this network.
    #[error("Too many requests for credentials from this network; wait a little.")]
    SlowDown,
}

impl From<ExchangeError> for Refusal {
    fn from(error: ExchangeError) -> Self {
        let code = match &error {
            ExchangeError::Token(TokenError::Expired) => Code::ExpiredToken,
            ExchangeError::Token(TokenError::ProviderUnavailable) | ExchangeError::RevocationsUnknown => {
                Code::ServiceUnavailable
            }
            ExchangeError::Token(_) => Code::InvalidToken,
            ExchangeError::NoRole | ExchangeError::NotHeld { .. } | ExchangeError::Revoked => Code::AccessDenied,
            ExchangeError::SeveralRoles(_)
            | ExchangeError::Validation(_)
            | ExchangeError::Issue(IssueError::TooLong) => Code::InvalidRequest,
            ExchangeError::Issue(IssueError::AmbiguousRing) => Code::InternalError,
            ExchangeError::SlowDown => Code::SlowDown,
        };
        Refusal::new(code, error.to_string())
    }
}

/// The roles that a token may assume now, in the book's order.
pub fn held<'b>(token: &VerifiedToken, book: &'b RoleBook, now: Timestamp) -> Vec<&'b RoleTerms> {
    let alive = |terms: &&RoleTerms| terms.expires.is_none_or(|end| now < end);
    book.roles.iter().filter(alive).filter(|terms| terms.binds.iter().any(|bind| admits(bind, token))).collect()
}

/// The role that a token assumes: the wanted one, or the only one.
pub fn choose<'b>(
    token: &VerifiedToken,
    wanted: Option<&RoleName>,
    book: &'b RoleBook,
    now: Timestamp,
) -> Result<&'b RoleTerms, ExchangeError> {
    let held = held(token, book, now);
    let names = || held.iter().map(|terms| terms.name.clone()).collect();
    match (wanted, &held[..]) {
        (_, []) => Err(ExchangeError::NoRole),
        (Some(wanted), _) => {
            let found = held.iter().find(|terms| terms.name == *wanted).copied();
            found.ok_or_else(|| ExchangeError::NotHeld { wanted: wanted.clone(), held: names() })
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(ExchangeError::SeveralRoles(names())),
    }
}

/// When a session ends that is issued now: never after the token that it was exchanged for, nor after its role.
///
/// A `DurationSeconds` outside of what STS allows (900 to 43,200) is an error; more than the role's `max_session` is
/// cut to it, because SDKs ask for an hour without being told to.
pub fn session_end(
    duration: Option<Duration>,
    terms: &RoleTerms,
    credential_ends: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, ExchangeError> {
    if duration.is_some_and(|asked| !(SESSION_LIFETIME_MIN..=SESSION_LIFETIME_MAX).contains(&asked)) {
        return Err(ExchangeError::Validation("DurationSeconds must be 900 to 43200.".to_owned()));
    }
    let longest = terms.max_session.unwrap_or(SESSION_LIFETIME_MAX).min(SESSION_LIFETIME_MAX);
    let life = duration.unwrap_or(SESSION_LIFETIME_DEFAULT).min(longest);
    let wanted = now.checked_add(life).unwrap_or(Timestamp::MAX);
    let end = terms.expires.map_or(wanted, |end| wanted.min(end)).min(credential_ends);
    if end > now { Ok(end) } else { Err(ExchangeError::Token(TokenError::Expired)) }
}

/// What a token has of that which the binds that admit it to the role ask for: enough to see later, without the token,
/// whether a bind still admits its holder. Of many values that one bind would take, the first few stand for all.
pub(super) fn admitting(token: &VerifiedToken, terms: &RoleTerms) -> Claims {
    let mut found = Claims::new();
    for (path, wanted) in terms.binds.iter().filter(|bind| admits(bind, token)).flat_map(|bind| &bind.claims) {
        let values = found.entry(path.clone()).or_default();
        let admitting = token.values(path).into_iter().filter(|value| wanted.contains(value));
        values.extend(admitting.take(ADMITTING_VALUES_MAX));
        values.sort_unstable();
        values.dedup();
    }
    found
}

/// Whether a bind of the role admits, as it is today, the holder of a session that was [admitted](admitting) so.
pub(super) fn still_admits(terms: &RoleTerms, issuer: &str, subject: &str, admitted_by: &Claims) -> bool {
    let values = |path: &str| admitted_by.get(path).cloned().unwrap_or_default();
    terms.binds.iter().any(|bind| matches(bind, issuer, subject, values))
}

fn admits(bind: &Bind, token: &VerifiedToken) -> bool {
    matches(bind, token.issuer(), token.subject(), |path| token.values(path))
}

fn matches(bind: &Bind, issuer: &str, subject: &str, values: impl Fn(&str) -> Vec<String>) -> bool {
    let named = bind.subjects.is_empty() || bind.subjects.iter().any(|one| one == subject);
    let claim = |(path, wanted): (&String, &Vec<String>)| values(path).iter().any(|value| wanted.contains(value));
    bind.issuer == issuer && named && bind.claims.iter().all(claim)
}

fn list(names: &[RoleName]) -> String {
    names.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "assume_tests.rs"]
mod tests;
