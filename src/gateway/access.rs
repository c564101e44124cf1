//! What s3s asks us: the secret of an access key, whether a request may pass, and a route that only verifies.
//!
//! s3s verifies signatures and never looks at session tokens; the rim has opened the token and bound it to the access
//! key before. Here the two meet: a session becomes an identity only for the key whose signature s3s has verified.

use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::route::S3Route;
use s3s::validation::{AwsNameValidation, NameValidation};
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Gateway;
use super::answer;
use super::ask::write::foreseen;
use super::call::{Call, Entrance};
use crate::identity::authority::Authority;
use crate::identity::secret::SecretText;
use crate::identity::session::OpenedSession;
use crate::s3::error::{Code, Refusal};
use crate::s3::host::HostNames;

/// Looks up secrets by access key id, from the key ring alone.
pub(super) struct Secrets(pub(super) Arc<Authority>);

/// Which bucket a host names, as the rim reads it, too.
pub(super) struct Hosts(pub(super) HostNames);

/// Names of buckets, and `-`: below it lie doors of ours whose signatures s3s verifies. No operation gets there.
pub(super) struct Names;

/// Admits requests that the rim has let in, and nothing else; those with a body of XML only if their callers may do
/// what it is for, since s3s reads it next.
pub(super) struct Admission(pub(super) Arc<Gateway>);

/// Verifies a signature and answers nothing: for requests that the rim serves by itself, or passes on again.
pub(super) struct VerifyOnly;

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        // A key that is not ours gets a secret that nobody knows, so that it looks like a wrong signature. The rim has
        // refused such a request before, unless the ring has changed since.
        let secret = self.0.secret_for(access_key).unwrap_or_else(SecretText::random);
        Ok(SecretKey::from(secret.expose()))
    }
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let domain = VirtualHost::new(host);
        Ok(match self.0.bucket(host) {
            Some(bucket) => domain.with_bucket(bucket),
            None => domain,
        })
    }
}

impl NameValidation for Names {
    fn validate_bucket_name(&self, name: &str) -> bool {
        name == "-" || AwsNameValidation::new().validate_bucket_name(name)
    }
}

#[async_trait::async_trait]
impl S3Access for Admission {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let call = context.extensions_mut().get::<Call>().cloned().ok_or_else(s3s::S3Error::no_call)?;
        let op = context.s3_op().name();
        if call.expected.is_none_or(|expected| expected.as_str() != op) {
            let refusal = Refusal::new(Code::InvalidRequest, "The request names two operations.");
            return Err(answer::refusal(&refusal, call.facts.id.as_str()));
        }
        admit(&call, context.credentials()).map_err(|refusal| answer::refusal(&refusal, call.facts.id.as_str()))?;
        let foreseen = call.expected.map(|op| foreseen(op, context.s3_path(), &call));
        if let Some(foreseen) = super::out(&call, foreseen.transpose())?.flatten() {
            super::out(&call, self.0.allowed(&call, foreseen).await.map(drop))?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3Route for VerifyOnly {
    fn is_match(&self, _method: &Method, _uri: &Uri, _headers: &HeaderMap, extensions: &mut Extensions) -> bool {
        extensions.get::<Call>().is_some_and(|call| call.verify_only)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let call = request.extensions.get::<Call>().cloned().ok_or_else(s3s::S3Error::no_call)?;
        admit(&call, request.credentials.as_ref())
            .map_err(|refusal| answer::refusal(&refusal, call.facts.id.as_str()))?;
        Ok(S3Response::new(Body::empty()))
    }
}

/// Confirms who asks, and leaves the identity in the slot.
fn admit(call: &Call, verified: Option<&Credentials>) -> Result<(), Refusal> {
    let who = match (&call.entrance, verified) {
        (Entrance::Proven(who), None) => who.clone(),
        (Entrance::Signed(session), Some(credentials)) => {
            let secret = SecretText::new(credentials.secret_key.expose());
            Arc::new(OpenedSession::clone(session).confirm(&credentials.access_key, &secret)?)
        }
        (Entrance::Proven(_), Some(_)) | (Entrance::Signed(_), None) => {
            return Err(Refusal::new(Code::AccessDenied, "The request's credentials do not belong together."));
        }
    };
    call.slot.leave(|left| left.who = Some(who));
    Ok(())
}

/// A request that did not come through the rim.
trait NoCall {
    fn no_call() -> Self;
}

impl NoCall for s3s::S3Error {
    fn no_call() -> Self {
        s3s::S3Error::with_message(s3s::S3ErrorCode::InternalError, "The request did not come in by its door.")
    }
}
