//! A source of credentials that is left alone for a while after it failed: it is not asked by each request, and those that
//! come meanwhile are told at once. The pause grows from failure to failure, up to a bound.
//!
//! One asks at a time, whoever waits; what it was asked is brought to its end though whoever asked has gone, so that
//! impatient callers do not add up to many questions.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_s3::config::{ProvideCredentials, SharedCredentialsProvider};
use tokio::time::Instant;

use super::trouble;
use crate::limits;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Pausing(Arc<Inner>);

struct Inner {
    source: SharedCredentialsProvider,
    /// The last answer, if that was a failure.
    failure: Mutex<Option<Failure>>,
    /// One asks the source at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    class: Class,
    pause: Duration,
    until: Instant,
}

impl Failure {
    /// This one, behind the one before, if that was the last answer.
    fn behind(last: Option<Self>, class: Class, now: Instant) -> Self {
        let pause = last.map_or(limits::BACKEND_CREDENTIAL_PAUSE_FIRST, |last| 2 * last.pause);
        let pause = pause.min(limits::BACKEND_CREDENTIAL_PAUSE_MAX);
        Self { class, pause, until: now + pause }
    }
}

/// What an error says; the error itself may hold what the source said.
#[derive(Debug, Clone, Copy)]
enum Class {
    NotLoaded,
    TimedOut,
    Configuration,
    Source,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Pausing {
    pub(super) fn new(source: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Inner { source, failure: Mutex::new(None), asking: tokio::sync::Mutex::new(()) }))
    }
}

impl ProvideCredentials for Pausing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0.paused()?;
            let inner = self.0.clone();
            let asked = tokio::spawn(async move { inner.ask().await });
            asked.await.unwrap_or_else(|_| Err(Class::Source.error()))
        })
    }
}

impl Inner {
    /// Asks the source, unless whoever was first has found meanwhile that it fails.
    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        let _asking = self.asking.lock().await;
        self.paused()?;
        let patience = limits::BACKEND_CREDENTIAL_TIMEOUT;
        let given = tokio::time::timeout(patience, self.source.provide_credentials()).await;
        let given = given.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(patience)));
        self.note(given.as_ref().err());
        given
    }

    /// The last failure, as long as it counts.
    fn paused(&self) -> Result<(), CredentialsError> {
        let failure = *self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.filter(|failure| Instant::now() < failure.until).map_or(Ok(()), |failure| Err(failure.class.error()))
    }

    fn note(&self, error: Option<&CredentialsError>) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *failure = error.map(|error| {
            let new = Failure::behind(*failure, Class::of(error), Instant::now());
            let (error, pause) = (trouble::credential(error), new.pause);
            tracing::warn!(%error, ?pause, "the source of the credential is asked again after a pause");
            new
        });
    }
}

impl Class {
    fn of(error: &CredentialsError) -> Self {
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::NotLoaded,
            CredentialsError::ProviderTimedOut(_) => Self::TimedOut,
            CredentialsError::InvalidConfiguration(_) => Self::Configuration,
            // The SDK's enum is open.
            CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_) | _ => Self::Source,
        }
    }

    fn error(self) -> CredentialsError {
        const WHY: &str = "it failed a moment ago";
        match self {
            Self::NotLoaded => CredentialsError::not_loaded(WHY),
            Self::TimedOut => CredentialsError::provider_timed_out(limits::BACKEND_CREDENTIAL_TIMEOUT),
            Self::Configuration => CredentialsError::invalid_configuration(WHY),
            Self::Source => CredentialsError::provider_error(WHY),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// Takes a moment for each answer, and counts them; fails while it is to.
    #[derive(Debug, Default, Clone)]
    struct Source {
        asked: Arc<AtomicUsize>,
        fails: Arc<AtomicBool>,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                self.asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                if self.fails.load(Ordering::SeqCst) {
                    return Err(CredentialsError::invalid_configuration("secret-of-the-source"));
                }
                Ok(Credentials::new("id", "secret", None, None, "test"))
            })
        }
    }

    fn source(fails: bool) -> (Source, Pausing) {
        let source = Source { fails: Arc::new(fails.into()), ..Source::default() };
        (source.clone(), Pausing::new(SharedCredentialsProvider::new(source)))
    }

    async fn check_fails(pausing: &Pausing) {
        let error = pausing.provide_credentials().await.unwrap_err();
        assert!(matches!(error, CredentialsError::InvalidConfiguration(_)), "{error:?}");
    }

    /// The pause is longer than the test: many at a time, and many behind them, are told what the first one was.
    #[tokio::test]
    async fn regression_a_source_that_fails_is_not_asked_by_each_request() {
        let (source, pausing) = source(true);
        for _ in 0..3 {
            futures::future::join_all((0..50).map(|_| check_fails(&pausing))).await;
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
        source.fails.store(false, Ordering::SeqCst);
        pausing.0.failure.lock().unwrap().as_mut().unwrap().until = Instant::now();
        assert_eq!(pausing.provide_credentials().await.unwrap().access_key_id(), "id");
        assert!(pausing.0.failure.lock().unwrap().is_none(), "the next pause begins anew");
    }

    /// Who leaves before the answer does not make the next one ask again.
    #[tokio::test]
    async fn what_was_asked_is_brought_to_its_end() {
        let (source, pausing) = source(true);
        for _ in 0..5 {
            let gone = tokio::time::timeout(Duration::from_millis(1), pausing.provide_credentials()).await;
            assert!(gone.is_err() || source.asked.load(Ordering::SeqCst) == 1);
        }
        check_fails(&pausing).await;
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn pauses_grow_up_to_their_bound() {
        let (mut now, mut last, mut pauses) = (Instant::now(), None, Vec::new());
        for _ in 0..12 {
            let failure = Failure::behind(last, Class::Source, now);
            assert_eq!(failure.until, now + failure.pause);
            pauses.push(failure.pause);
            now = failure.until;
            last = Some(failure);
        }
        assert_eq!(pauses[..2], [limits::BACKEND_CREDENTIAL_PAUSE_FIRST, 2 * limits::BACKEND_CREDENTIAL_PAUSE_FIRST]);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[8..], [limits::BACKEND_CREDENTIAL_PAUSE_MAX; 4]);
    }
}
