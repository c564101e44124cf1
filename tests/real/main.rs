//! The façade against real servers and real clients: LocalStack, SeaweedFS, two OpenID providers, the AWS CLI, boto3.
//!
//! `parts` holds what the other modules rest on: that each of these starts, behaves as they rely on, and ends.

#[cfg(test)]
mod doors;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod login;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod people;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod record;
#[cfg(test)]
mod rows;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod writes;
