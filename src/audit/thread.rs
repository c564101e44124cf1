//! A thread that ends with what it works for: whoever drops it waits until it has ended.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use super::gauges::{Gauges, State};

/// A thread that is waited for when this is dropped. It must end by itself once the other fields of its owner, dropped
/// before this one, are gone.
pub(super) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    /// Starts it.
    pub(super) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Builder::new().name(name.to_owned()).spawn(work).map(|thread| Self(Some(thread)))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            thread.join().ok(); // A panic of it was told where it happened.
        }
    }
}

/// A panic of a thread of the log is an end like any other: whoever waits for it must be told.
pub(super) struct DeadOnPanic(pub(super) Arc<Gauges>);

impl Drop for DeadOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.become_state(State::Dead);
        }
    }
}
