//! What the tests run against: real servers and real clients, pinned, installed on first use, ended with the test.
//!
//! A test binary includes this folder with `#[cfg(test)] #[path = "../support/mod.rs"] mod support;` and asks for what
//! it needs ([`localstack`], [`seaweedfs`], [`oidc_provider`], [`second_provider`], [`aws_cli`], [`python_clients`]).
//! Each server is started at most once per binary, on free loopback ports, and shared by its tests; so a test makes a
//! bucket of its own. Nothing outlives the test process (see `watchdog.py`). What cannot be installed fails the test
//! that asked for it, with how to get it: no test is skipped.
//!
//! Everything here blocks; an asynchronous test may call it all the same, each has its own runtime.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod authority;
pub(crate) mod between;
pub(crate) mod browser;
pub(crate) mod clients;
pub(crate) mod cloud;
pub(crate) mod demo;
pub(crate) mod documents;
pub(crate) mod facade;
pub(crate) mod http;
pub(crate) mod idp;
pub(crate) mod install;
pub(crate) mod localstack;
pub(crate) mod seaweedfs;
pub(crate) mod seed;
pub(crate) mod server;

use std::sync::OnceLock;

use clients::{AwsCli, PythonClients};
use idp::{OidcProvider, SecondProvider};
use localstack::LocalStack;
use seaweedfs::SeaweedFs;

/// An access key of a server, with its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccessKey {
    /// `AWS_ACCESS_KEY_ID`
    pub(crate) id: &'static str,
    /// `AWS_SECRET_ACCESS_KEY`
    pub(crate) secret: &'static str,
}

/// LocalStack with the bucket `traces` seeded as docker-compose.yml seeds it. It checks no signature at all.
pub(crate) fn localstack() -> &'static LocalStack {
    static SHARED: OnceLock<LocalStack> = OnceLock::new();
    SHARED.get_or_init(LocalStack::start)
}

/// SeaweedFS, which checks signatures and has an administrator and a reader of one bucket.
pub(crate) fn seaweedfs() -> &'static SeaweedFs {
    static SHARED: OnceLock<SeaweedFs> = OnceLock::new();
    SHARED.get_or_init(SeaweedFs::start)
}

/// The OpenID provider of docker-compose.yml: panva's oidc-provider with the users alice to frank.
pub(crate) fn oidc_provider() -> &'static OidcProvider {
    static SHARED: OnceLock<OidcProvider> = OnceLock::new();
    SHARED.get_or_init(OidcProvider::start)
}

/// An OpenID provider of another make (oidc-provider-mock, on Authlib), with users of the same names.
pub(crate) fn second_provider() -> &'static SecondProvider {
    static SHARED: OnceLock<SecondProvider> = OnceLock::new();
    SHARED.get_or_init(SecondProvider::start)
}

/// The AWS CLI, version 1.
pub(crate) fn aws_cli() -> &'static AwsCli {
    static SHARED: OnceLock<AwsCli> = OnceLock::new();
    SHARED.get_or_init(AwsCli::install)
}

/// A Python that has boto3.
pub(crate) fn python_clients() -> &'static PythonClients {
    static SHARED: OnceLock<PythonClients> = OnceLock::new();
    SHARED.get_or_init(PythonClients::install)
}
