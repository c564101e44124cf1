//! A question to a store that is tried out, once: by whoever asks first, while the others wait for its answer. Where the
//! trial fails, the next one waits for [`limits::TRIAL_RETRY`], and whoever asks meanwhile gets the same failure.

use std::sync::OnceLock;
use std::time::Instant;

use tokio::sync::Mutex;

use super::Trouble;
use crate::limits;

/// See the module. An answer stands as long as the process.
#[derive(Debug)]
pub struct Trial<T> {
    known: OnceLock<T>,
    /// When it failed the last time, and why; held while one runs, so that there is one at a time.
    failed: Mutex<Option<(Instant, Trouble)>>,
}

impl<T> Default for Trial<T> {
    fn default() -> Self {
        Self { known: OnceLock::new(), failed: Mutex::default() }
    }
}

impl<T: Copy> Trial<T> {
    /// The answer, tried now if it is not known.
    ///
    /// # Errors
    /// Why it cannot be known yet.
    pub async fn answer(&self, ask: impl AsyncFnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        let mut failed = self.failed.lock().await;
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        if let Some((_, trouble)) = failed.as_ref().filter(|(at, _)| at.elapsed() < limits::TRIAL_RETRY) {
            return Err(trouble.clone());
        }
        match ask().await {
            Ok(answer) => Ok(*self.known.get_or_init(|| answer)),
            Err(trouble) => {
                *failed = Some((Instant::now(), trouble.clone()));
                Err(trouble)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn it_is_tried_once_however_many_ask() {
        let (trial, tries) = (Trial::default(), AtomicUsize::new(0));
        let ask = async || {
            tries.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(7)
        };
        let asked = (0..16).map(|_| trial.answer(ask));
        assert!(futures::future::join_all(asked).await.iter().all(|answer| *answer == Ok(7)));
        assert_eq!(tries.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_try_that_fails_is_repeated_later_and_not_by_everybody() {
        let (trial, tries) = (Trial::default(), AtomicUsize::new(0));
        let fails = async || {
            tries.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(Trouble::Busy)
        };
        let asked = (0..16).map(|_| trial.answer(fails));
        assert!(futures::future::join_all(asked).await.iter().all(|answer| *answer == Err(Trouble::Busy)));
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        let before = Instant::now().checked_sub(limits::TRIAL_RETRY).unwrap();
        *trial.failed.lock().await = Some((before, Trouble::Busy));
        assert_eq!(trial.answer(async || Ok(7)).await, Ok(7));
        assert_eq!(trial.answer(fails).await, Ok(7), "known once is known");
    }
}
