//! The dialect: names, operations, answers and errors of S3, and the pure checks of its wire form.
//!
//! Knows neither who asks nor why; nothing here does I/O.

pub mod answer;
pub mod checksum;
pub mod conditional;
pub mod error;
pub mod host;
pub mod name;
pub mod operation;
pub mod order;
pub mod payload;
pub mod shape;
pub mod wire;
pub mod written;
