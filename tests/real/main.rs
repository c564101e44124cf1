//! The façade against real servers and real clients: LocalStack, SeaweedFS, two OpenID providers, the AWS CLI, boto3.
//!
//! `parts` holds what the other modules rest on: that each of these starts, behaves as they rely on, and ends.

#[cfg(test)]
mod parts;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
