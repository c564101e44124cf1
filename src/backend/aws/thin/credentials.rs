//! The façade's own credential, as its source gave it last.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::{ProvideCredentials as _, SharedCredentialsProvider};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::backend::Trouble;
use crate::backend::aws::trouble;
use crate::limits;

/// A credential. Its `Debug` shows no secret.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) given: Credentials,
    /// When it is asked for anew.
    renewal: Timestamp,
    /// When it ends; `None` is never.
    end: Option<Timestamp>,
}

/// A source of credentials, which bounds itself how often and for how long it is asked ([`Pausing`]), and the last one.
///
/// [`Pausing`]: crate::backend::aws::pausing::Pausing
pub(super) struct CredentialCache {
    source: SharedCredentialsProvider,
    last: ArcSwapOption<Credential>,
    /// One asks the source at a time.
    asking: Mutex<()>,
}

impl CredentialCache {
    pub(super) fn new(source: SharedCredentialsProvider) -> Self {
        Self { source, last: ArcSwapOption::empty(), asking: Mutex::new(()) }
    }

    /// The credential to sign with now. While one request asks for a new one, others go on with the last, if it holds.
    pub(super) async fn at(&self, now: Timestamp) -> Result<Arc<Credential>, Trouble> {
        let last = self.last.load_full();
        if let Some(last) = last.as_ref().filter(|last| now < last.renewal) {
            return Ok(last.clone());
        }
        let holds = last.filter(|last| last.end.is_none_or(|end| now < end));
        let _asking = match (self.asking.try_lock(), &holds) {
            (Ok(asking), _) => asking,
            (Err(_), Some(last)) => return Ok(last.clone()),
            (Err(_), None) => self.asking.lock().await,
        };
        if let Some(last) = self.last.load_full().filter(|last| now < last.renewal) {
            return Ok(last);
        }
        match (self.ask(now).await, holds) {
            (Ok(new), _) => {
                let new = Arc::new(new);
                self.last.store(Some(new.clone()));
                Ok(new)
            }
            (Err(_), Some(last)) => Ok(last),
            (Err(error), None) => Err(trouble::credential(&error)),
        }
    }

    async fn ask(&self, now: Timestamp) -> Result<Credential, CredentialsError> {
        let given = self.source.provide_credentials().await?;
        let end = given.expiry().and_then(|end| Timestamp::try_from(end).ok());
        let oldest = now + limits::BACKEND_CREDENTIAL_AGE_MAX;
        let renewal = end.map_or(oldest, |end| oldest.min(end - limits::BACKEND_CREDENTIAL_AHEAD));
        Ok(Credential { given, renewal, end })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, SystemTime};

    use aws_sdk_s3::config::{ProvideCredentials, SharedCredentialsProvider};

    use super::*;

    impl Credential {
        /// One that never ends.
        pub(in crate::backend::aws::thin) fn lasting(given: Credentials) -> Self {
            Self { given, renewal: Timestamp::MAX, end: None }
        }
    }

    /// Gives credentials of that end, each with the number of the call as its id, and fails from some call on.
    #[derive(Debug)]
    struct Source {
        asked: Arc<AtomicUsize>,
        end: Option<SystemTime>,
        fails_from: usize,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            aws_credential_types::provider::future::ProvideCredentials::new(async {
                let call = self.asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                if call >= self.fails_from {
                    return Err(CredentialsError::provider_error("gone"));
                }
                Ok(Credentials::new(call.to_string(), "secret", None, self.end, "test"))
            })
        }
    }

    fn cache(end: Option<Timestamp>, fails_from: usize) -> (CredentialCache, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let source = Source { asked: asked.clone(), end: end.map(SystemTime::from), fails_from };
        (CredentialCache::new(SharedCredentialsProvider::new(source)), asked)
    }

    async fn id(cache: &CredentialCache, now: Timestamp) -> Result<String, Trouble> {
        cache.at(now).await.map(|credential| credential.given.access_key_id().to_owned())
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_credential_is_asked_for_once_until_it_is_due() {
        let (cache, asked) = cache(None, usize::MAX);
        let both = tokio::join!(id(&cache, NOW), id(&cache, NOW));
        assert_eq!(both, (Ok("0".to_owned()), Ok("0".to_owned())));
        let due = NOW + limits::BACKEND_CREDENTIAL_AGE_MAX;
        assert_eq!(id(&cache, due - SECOND).await, Ok("0".to_owned()));
        assert_eq!(id(&cache, due).await, Ok("1".to_owned()));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_credential_that_ends_is_renewed_before_while_others_go_on() {
        let end = NOW + 5 * 60 * SECOND;
        let (cache, _) = cache(Some(end), usize::MAX);
        let due = end - limits::BACKEND_CREDENTIAL_AHEAD;
        assert_eq!(id(&cache, NOW).await, Ok("0".to_owned()));
        assert_eq!(id(&cache, due - SECOND).await, Ok("0".to_owned()));
        let both = tokio::join!(id(&cache, due), id(&cache, due));
        assert_eq!(both, (Ok("1".to_owned()), Ok("0".to_owned())));
    }

    #[tokio::test]
    async fn a_source_that_fails_is_borne_as_long_as_the_last_credential_holds() {
        let end = NOW + 5 * 60 * SECOND;
        let (cache, _) = cache(Some(end), 1);
        assert_eq!(id(&cache, NOW).await, Ok("0".to_owned()));
        assert_eq!(id(&cache, end - SECOND).await, Ok("0".to_owned()));
        assert!(matches!(id(&cache, end).await, Err(Trouble::NoCredential(_))));
    }
}
