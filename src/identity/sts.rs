//! The STS door (`POST /` with a form): what SDKs call by themselves when `AWS_WEB_IDENTITY_TOKEN_FILE` is set. Pure.
//!
//! AWS STS API reference, 2011-06-15: `AssumeRoleWithWebIdentity` (unsigned) and `GetCallerIdentity` (signed). A
//! session policy is refused, because ignoring one would give more than the caller asked for.

use std::time::Duration;

use quick_xml::escape::escape;
use zeroize::Zeroizing;

use super::assume::{ExchangeError, SessionName, Wish};
use super::claimed::form_pairs;
use super::door::{Reply, XML};
use super::oidc::TokenError;
use super::session::{IssueError, Issued};
use super::token::UnverifiedToken;
use super::{Identity, RoleName};
use crate::limits::FORM_BODY_BYTES_MAX;

/// The namespace of STS answers.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The account that our ARNs name; ARNs need one.
pub const ACCOUNT: &str = "000000000000";

const API_VERSION: &str = "2011-06-15";

/// A call of the STS door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsCall {
    /// Exchange a token for a session.
    AssumeRoleWithWebIdentity {
        /// `WebIdentityToken`
        token: UnverifiedToken,
        /// The rest.
        wish: Wish,
    },
    /// Say who signed.
    GetCallerIdentity,
}

/// Why a call is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No action of ours.
    #[error("Could not find operation {0} for version 2011-06-15.")]
    InvalidAction(String),
    /// A parameter is missing.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    /// A parameter is wrong.
    #[error("{0}")]
    Validation(String),
    /// The token cannot even be read.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl StsCall {
    /// Reads the form.
    pub fn parse(form: &[u8]) -> Result<Self, CallError> {
        let wrong = |why: &str| CallError::Validation(why.to_owned());
        if form.len() > FORM_BODY_BYTES_MAX {
            return Err(wrong("The form is too large."));
        }
        let form = std::str::from_utf8(form).map_err(|_| wrong("The form is not UTF-8."))?;
        let pairs = Zeroizing::new(form_pairs(form).map_err(|refusal| wrong(&refusal.message))?);
        if (1..pairs.len()).any(|at| pairs[..at].iter().any(|(name, _)| *name == pairs[at].0)) {
            return Err(wrong("A parameter must not stand twice."));
        }
        let find = |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        if find("Version").is_some_and(|version| version != API_VERSION) {
            return Err(wrong("Version must be 2011-06-15."));
        }
        match find("Action") {
            Some("AssumeRoleWithWebIdentity") => assume(find, pairs.iter().map(|(name, _)| name.as_str())),
            Some("GetCallerIdentity") => Ok(Self::GetCallerIdentity),
            Some(other) => {
                Err(CallError::InvalidAction(other.chars().take(64).filter(char::is_ascii_alphanumeric).collect()))
            }
            None => Err(CallError::MissingParameter("Action")),
        }
    }
}

fn assume<'f>(
    find: impl Fn(&str) -> Option<&'f str>,
    mut names: impl Iterator<Item = &'f str>,
) -> Result<StsCall, CallError> {
    let wrong = |why: &str| CallError::Validation(why.to_owned());
    if names.any(|name| name == "Policy" || name.starts_with("PolicyArns")) {
        return Err(wrong(
            "Session policies are not supported here; the role alone decides. Leave Policy and PolicyArns out.",
        ));
    }
    let token = find("WebIdentityToken").ok_or(CallError::MissingParameter("WebIdentityToken"))?;
    let session_name = find("RoleSessionName").ok_or(CallError::MissingParameter("RoleSessionName"))?;
    let session_name = SessionName::parse(session_name)
        .ok_or_else(|| wrong("RoleSessionName must be 2 to 64 letters, digits or _+=,.@-."))?;
    let seconds = |text: &str| text.parse().map_err(|_| wrong("DurationSeconds must be a number of seconds."));
    let wish = Wish {
        role: find("RoleArn").map(role_of_arn).transpose()?,
        session_name: Some(session_name),
        duration: find("DurationSeconds").map(seconds).transpose()?.map(Duration::from_secs),
    };
    Ok(StsCall::AssumeRoleWithWebIdentity { token: UnverifiedToken::new(token)?, wish })
}

/// The role that an ARN names: `arn:aws:iam::<any account>:role/[path/]NAME`.
pub fn role_of_arn(arn: &str) -> Result<RoleName, CallError> {
    let wrong = || CallError::Validation("RoleArn must look like arn:aws:iam::000000000000:role/NAME.".to_owned());
    let ["arn", _partition, "iam", "", _account, resource] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return Err(wrong());
    };
    let path = resource.strip_prefix("role/").ok_or_else(wrong)?;
    path.rsplit('/').next().unwrap_or(path).parse().map_err(|_| wrong())
}

/// The ARN by which a role is named.
pub fn arn_of_role(role: &RoleName) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{role}")
}

/// The answer to `AssumeRoleWithWebIdentity`.
pub fn assumed(issued: &Issued, request_id: &str) -> Reply {
    let session_name = issued.session_name.as_deref().unwrap_or("session");
    let body = Zeroizing::new(format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"{NAMESPACE}\"><AssumeRoleWithWebIdentityResult>\
         <SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken><Audience>{audience}</Audience>\
         <AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>{id}:{name}</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>\
         <Provider>{provider}</Provider></AssumeRoleWithWebIdentityResult>{metadata}</AssumeRoleWithWebIdentityResponse>",
        subject = escape(issued.subject.as_str()),
        audience = escape(issued.audience.as_deref().unwrap_or_default()),
        arn = session_arn(&issued.role, session_name),
        id = issued.access_key_id,
        name = escape(session_name),
        secret = issued.secret_access_key.expose(),
        token = issued.session_token.expose(),
        expires = issued.expires,
        provider = escape(issued.issuer.as_str()),
        metadata = metadata(request_id),
    ));
    Reply::new(200, XML, &body)
}

/// The answer to `GetCallerIdentity`.
pub fn caller(identity: &Identity, request_id: &str) -> Reply {
    let session_name = identity.session_name().unwrap_or("session");
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{arn}</Arn>\
         <UserId>{id}:{name}</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>{metadata}\
         </GetCallerIdentityResponse>",
        arn = session_arn(identity.role(), session_name),
        id = escape(identity.session()),
        name = escape(session_name),
        metadata = metadata(request_id),
    );
    Reply::new(200, XML, &body)
}

/// The answer to a call that is not understood.
pub fn call_refused(error: &CallError, request_id: &str) -> Reply {
    let code = match error {
        CallError::InvalidAction(_) => "InvalidAction",
        CallError::MissingParameter(_) => "MissingParameter",
        CallError::Validation(_) => "ValidationError",
        CallError::Token(_) => "InvalidIdentityToken",
    };
    failed(400, code, &error.to_string(), request_id)
}

/// The answer to a call that gives no session, with the codes that SDKs know.
pub fn exchange_refused(error: &ExchangeError, request_id: &str) -> Reply {
    let (status, code) = match error {
        ExchangeError::Token(TokenError::Expired) => (400, "ExpiredTokenException"),
        ExchangeError::Token(TokenError::ProviderUnavailable) => (400, "IDPCommunicationError"),
        ExchangeError::Token(_) => (400, "InvalidIdentityToken"),
        ExchangeError::NoRole
        | ExchangeError::NotHeld { .. }
        | ExchangeError::Exclusive(_)
        | ExchangeError::Revoked => (403, "AccessDenied"),
        ExchangeError::SeveralRoles(_) | ExchangeError::Validation(_) | ExchangeError::Issue(IssueError::TooLong) => {
            (400, "ValidationError")
        }
        ExchangeError::Issue(IssueError::AmbiguousRing) => (500, "InternalFailure"),
        ExchangeError::RevocationsUnknown => (503, "ServiceUnavailable"),
        ExchangeError::SlowDown => (400, "Throttling"),
    };
    failed(status, code, &error.to_string(), request_id)
}

/// An STS error of any code.
pub fn failed(status: u16, code: &str, message: &str, request_id: &str) -> Reply {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message>\
         </Error><RequestId>{id}</RequestId></ErrorResponse>",
        message = escape(message),
        id = escape(request_id),
    );
    Reply::new(status, XML, &body)
}

fn session_arn(role: &RoleName, session_name: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{}", escape(session_name))
}

fn metadata(request_id: &str) -> String {
    format!("<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>", escape(request_id))
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
