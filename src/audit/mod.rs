//! On the record, before it happens: the intent is durable before the first byte leaves, the outcome follows.
//!
//! [`Queued`], [`Intent`] and [`Recorded`] are minted only here. An intent lets the backend be *asked* while the disk
//! syncs; nothing is handed out before [`Queued::durable_with`] returns. Dropping a record writes *aborted*.

use std::ops::Deref;

/// Proof that the intent of `T` is with the journal: it may be asked of the backend, not yet answered.
#[derive(Debug)]
pub struct Intent<'a, T> {
    inner: &'a T,
}

impl<T> Clone for Intent<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Intent<'_, T> {}

impl<T> Deref for Intent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner
    }
}

#[cfg(test)]
impl<'a, T> Intent<'a, T> {
    /// An intent without a journal, for unit tests of what needs one.
    pub(crate) fn for_test(inner: &'a T) -> Self {
        Self { inner }
    }
}
