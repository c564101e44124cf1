//! Outcomes on their way to the committer. Nobody waits for them, so they wake it once for many, not each for itself.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::committer::Message;
use super::writer::Item;

/// Outcomes that were told and are not yet with the committer, in their order; `None` once the log has ended.
pub(super) struct Outcomes(Mutex<Option<Vec<Item>>>);

/// What telling an outcome came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It is the first one: the committer must be told that there are some.
    First,
    /// It goes with those before it.
    Another,
    /// The log has ended.
    TooLate,
}

impl Outcomes {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Sends one to the committer behind that inbox.
    pub(super) fn send(&self, item: Item, inbox: &Sender<Message>) {
        match self.tell(item) {
            // Without a receiver the log has ended, which counts what it could not take any more.
            Told::First => drop(inbox.send(Message::Outcomes)),
            Told::Another => {}
            Told::TooLate => warn_of_late(1),
        }
    }

    fn tell(&self, item: Item) -> Told {
        let mut waiting = self.waiting();
        let Some(items) = waiting.as_mut() else { return Told::TooLate };
        items.push(item);
        if items.len() == 1 { Told::First } else { Told::Another }
    }

    /// Takes the first of them, of so many bytes together at most, but one at least, if there is one. What it leaves,
    /// whoever takes has to come for again, unasked.
    pub(super) fn take(&self, most: usize) -> Vec<Item> {
        let mut waiting = self.waiting();
        let Some(items) = waiting.as_mut() else { return Vec::new() };
        let mut bytes = 0;
        let within = |item: &&Item| {
            bytes += item.body.len();
            bytes <= most
        };
        let count = items.iter().take_while(within).count().max(1).min(items.len());
        let rest = items.split_off(count);
        std::mem::replace(items, rest)
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().as_ref().is_none_or(Vec::is_empty)
    }

    /// Puts these before what was told meanwhile; whoever does takes them later, unasked.
    pub(super) fn put_back(&self, mut earlier: Vec<Item>) {
        if let Some(items) = self.waiting().as_mut() {
            earlier.append(items);
            *items = earlier;
        }
    }

    /// The log ends, and takes no more.
    pub(super) fn end(&self) {
        let late = self.waiting().take().map_or(0, |items| items.len());
        if late > 0 {
            warn_of_late(late);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Item>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn_of_late(outcomes: usize) {
    tracing::warn!(outcomes, "outcomes came after the end of the log; the next start records them as unknown-crash");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::audit::writer::Class;

    fn item(body: &str) -> Item {
        Item { body: body.into(), class: Class::Outcome(Arc::new(AtomicU64::new(0))), done: None }
    }

    fn bodies(items: &[Item]) -> Vec<&[u8]> {
        items.iter().map(|item| &item.body[..]).collect()
    }

    #[test]
    fn the_first_wakes_and_the_rest_go_with_it() {
        let outcomes = Outcomes::new();
        assert_eq!([outcomes.tell(item("1")), outcomes.tell(item("2"))], [Told::First, Told::Another]);
        let taken = outcomes.take(usize::MAX);
        assert_eq!(bodies(&taken), [b"1", b"2"]);
        assert_eq!(outcomes.tell(item("3")), Told::First);
        outcomes.put_back(taken);
        assert_eq!(outcomes.tell(item("4")), Told::Another);
        assert_eq!(bodies(&outcomes.take(usize::MAX)), [b"1", b"2", b"3", b"4"]);
    }

    #[test]
    fn what_is_taken_at_once_is_bounded_and_in_order() {
        let outcomes = Outcomes::new();
        for body in ["22", "333", "4444", "1", "1"] {
            outcomes.tell(item(body));
        }
        for (most, taken) in [(5, &[&b"22"[..], b"333"][..]), (3, &[b"4444"]), (0, &[b"1"]), (9, &[b"1"]), (9, &[])] {
            assert_eq!(bodies(&outcomes.take(most)), taken);
        }
        assert!(outcomes.is_empty());
    }

    #[test]
    fn after_the_end_nothing_is_taken() {
        let outcomes = Outcomes::new();
        outcomes.tell(item("1"));
        outcomes.end();
        assert_eq!(outcomes.tell(item("2")), Told::TooLate);
        outcomes.put_back(vec![item("3")]);
        assert!(outcomes.take(usize::MAX).is_empty());
    }
}
