//! The lock on a real bucket: the documents that leave tracegate as its only door, and the proof that they do.
//!
//! [`document`] and [`terraform`] write what must be stored, [`verify`] finds out whether the side doors are shut,
//! [`apply`] puts the documents in place and back again, from what [`kept`] has in a file. The bucket is reached through
//! the two traits of [`crate::backend::bucket`] only; there is no clock and no terminal here.

pub mod apply;
pub mod canonical;
pub mod diff;
pub mod document;
pub mod kept;
pub mod principal;
pub mod report;
pub mod terraform;
pub mod verify;

#[cfg(test)]
mod fake;

use std::collections::BTreeSet;

use crate::backend::bucket::{Document, ObjectLock, Versioning};
use principal::PrincipalArn;

/// What is declared about the lock of every bucket served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Who tracegate is at the backend; empty where STS is to be asked.
    pub principals: Vec<PrincipalArn>,
    /// Who may reach the bucket besides, in an emergency.
    pub break_glass: Vec<PrincipalArn>,
    /// The documents that the backend keeps and obeys.
    pub documents: BTreeSet<Document>,
    /// What versioning must be.
    pub versioning: Option<Versioning>,
    /// What Object Lock must be.
    pub object_lock: Option<ObjectLock>,
}

impl Default for Terms {
    /// All documents; nothing else is declared.
    fn default() -> Self {
        Self {
            principals: Vec::new(),
            break_glass: Vec::new(),
            documents: BTreeSet::from(Document::ALL),
            versioning: None,
            object_lock: None,
        }
    }
}
