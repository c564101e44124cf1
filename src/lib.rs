//! tracegate: an S3-compatible façade in front of the real bucket of AI reasoning traces.
//!
//! A request flows through the modules below in the order in which they stand here, and each stage's result is the
//! next stage's argument, so that leaving one out does not compile:
//!
//! ```text
//! bytes ─▶ Claimed ─▶ Identity ─▶ Decision ─▶ Permit<Op> ─▶ Queued ─▶ Recorded<Permit<Op>> ─▶ Raw<Found> ─▶ Redacted<Found> ─▶ bytes
//!          rim        s3s+identity policy      audit      audit                   backend       redact           rim
//! ```
//!
//! A later stage may name the types of an earlier one. The only arrow the other way is a lock: `backend` seals
//! in [`redact::Raw`], which only `redact` opens. The architecture
//! test reads the order from this file.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The nightly toolchain that fuzzers need looks deeper into the layout of futures.
#![cfg_attr(fuzzing, recursion_limit = "256")]

pub mod limits;

pub mod keyring;

pub mod s3;

pub mod identity;

pub mod policy;

pub mod quota;

pub mod audit;

pub mod backend;

pub mod redact;

pub mod lock;

pub mod config;

pub mod telemetry;

pub mod gateway;

pub mod rim;

pub mod server;

pub mod app;

pub mod cli;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod trials;
