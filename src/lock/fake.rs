//! A bucket for the tests of the lock: it stores documents, fails where it is told to, and lets in whom it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;

use crate::backend::Trouble;
use crate::backend::bucket::{
    Administration, Attempt, Document, ObjectLock, Outcome, Outsider, ScratchKey, Versioning,
};

/// What a call to it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Stored(Document),
    Store(Document),
    Remove(Document),
    Settings,
    Key,
    Scratch,
}

#[derive(Debug, Default)]
pub(super) struct FakeBucket {
    pub(super) documents: Mutex<BTreeMap<Document, String>>,
    /// Calls that fail, each with how many of it succeed before.
    pub(super) failing: Mutex<BTreeMap<Call, usize>>,
    /// Calls that store something else than they were given.
    pub(super) garbling: BTreeSet<Document>,
    pub(super) versioning: Option<Versioning>,
    pub(super) object_lock: Option<ObjectLock>,
    pub(super) key: Option<String>,
    /// Changes, in their order.
    pub(super) changes: Mutex<Vec<Call>>,
}

impl FakeBucket {
    pub(super) fn with(documents: &[(Document, &str)]) -> Self {
        let documents = documents.iter().map(|(document, text)| (*document, (*text).to_owned()));
        Self { documents: Mutex::new(documents.collect()), key: Some("k".into()), ..Self::default() }
    }

    pub(super) fn failing(self, calls: &[(Call, usize)]) -> Self {
        Self { failing: Mutex::new(calls.iter().copied().collect()), ..self }
    }

    fn called(&self, call: Call) -> Result<(), Trouble> {
        if let Some(left) = self.failing.lock().unwrap().get_mut(&call) {
            if *left == 0 {
                return Err(Trouble::Refused("403 AccessDenied".into()));
            }
            *left -= 1;
        }
        if matches!(call, Call::Store(_) | Call::Remove(_) | Call::Scratch) {
            self.changes.lock().unwrap().push(call);
        }
        Ok(())
    }
}

#[async_trait]
impl Administration for FakeBucket {
    async fn stored(&self, document: Document) -> Result<Option<String>, Trouble> {
        self.called(Call::Stored(document))?;
        Ok(self.documents.lock().unwrap().get(&document).cloned())
    }

    async fn store(&self, document: Document, json: &str) -> Result<(), Trouble> {
        self.called(Call::Store(document))?;
        let text = if self.garbling.contains(&document) { "{\"Statement\":[]}" } else { json };
        self.documents.lock().unwrap().insert(document, text.to_owned());
        Ok(())
    }

    async fn remove(&self, document: Document) -> Result<(), Trouble> {
        self.called(Call::Remove(document))?;
        self.documents.lock().unwrap().remove(&document);
        Ok(())
    }

    async fn versioning(&self) -> Result<Versioning, Trouble> {
        self.called(Call::Settings)?;
        Ok(self.versioning.unwrap_or(Versioning::Off))
    }

    async fn object_lock(&self) -> Result<ObjectLock, Trouble> {
        self.called(Call::Settings)?;
        Ok(self.object_lock.unwrap_or(ObjectLock::Off))
    }

    async fn any_key(&self) -> Result<Option<String>, Trouble> {
        self.called(Call::Key)?;
        Ok(self.key.clone())
    }

    async fn remove_scratch(&self, key: &ScratchKey) -> Result<(), Trouble> {
        assert!(key.as_str().starts_with(ScratchKey::PREFIX));
        self.called(Call::Scratch)
    }
}

/// Somebody to whom each operation answers so.
#[derive(Debug)]
pub(super) struct FakeOutsider {
    pub(super) get: Outcome,
    pub(super) head: Outcome,
    pub(super) list: Outcome,
    pub(super) put: Outcome,
    pub(super) delete: Outcome,
}

impl FakeOutsider {
    pub(super) fn always(outcome: &Outcome) -> Self {
        let [get, head, list, put, delete] = std::array::from_fn(|_| outcome.clone());
        Self { get, head, list, put, delete }
    }
}

#[async_trait]
impl Outsider for FakeOutsider {
    async fn attempt(&self, attempt: Attempt<'_>) -> Outcome {
        match attempt {
            Attempt::Get(_) => self.get.clone(),
            Attempt::Head(_) => self.head.clone(),
            Attempt::List => self.list.clone(),
            Attempt::Put(_) => self.put.clone(),
            Attempt::Delete(_) => self.delete.clone(),
        }
    }
}
