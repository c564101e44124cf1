//! What clients cannot do here, or not without a setting, why that is, and what they do instead. Each is tried: the client must fail,
//! and in the way that is written. Where trying would send a token to a stranger, it is not.

use super::ways::Door::{self, Container, Process, WebIdentity};
use super::ways::Transport::{self, Http, Https};
use super::ways::Way;

/// Ways that are closed to a client.
pub(crate) struct Limit {
    pub(crate) doors: &'static [Door],
    pub(crate) transports: &'static [Transport],
    pub(crate) seen: Sign,
    /// Why, as the page says it.
    pub(crate) because: &'static str,
    /// What works, as the page says it.
    pub(crate) instead: &'static str,
}

/// How a limit shows.
pub(crate) enum Sign {
    /// Every step that fails says this.
    Says(&'static str),
    /// It is not tried: the client would ask an address that is fixed in it, and send its token there.
    NotTried,
}

impl Limit {
    /// Whether it closes this way.
    pub(crate) fn closes(&self, Way(door, transport): Way) -> bool {
        self.doors.contains(&door) && self.transports.contains(&transport)
    }
}

pub(crate) const BOTOCORE: Limit = Limit {
    doors: &[Container],
    transports: &[Https],
    seen: Sign::Says("CERTIFICATE_VERIFY_FAILED"),
    because: "botocore asks this door with the authorities that it carries, whatever `AWS_CA_BUNDLE` says",
    instead: "a certificate of a public authority, credentials over loopback, or another door",
};

pub(crate) const CRT: Limit = Limit {
    doors: &Door::ALL,
    transports: &[Http],
    seen: Sign::Says("AWS_IO_SOCKET_CLOSED"),
    because: "boto3 opens the CRT's connections with TLS, also to `http://`",
    instead: "HTTPS, or the classic transfer",
};

pub(crate) const CPP: Limit = Limit {
    doors: &[WebIdentity],
    transports: &Transport::ALL,
    seen: Sign::NotTried,
    because: "the AWS SDK for C++ sends the token to AWS's own address, whatever `AWS_ENDPOINT_URL_STS` says",
    instead: "the container door, a process or keys",
};

pub(crate) const DUCKDB: Limit = Limit {
    doors: &[Container],
    transports: &[Https],
    seen: Sign::Says("Secret Validation Failure"),
    because: "its extension `aws` does not hand `ca_cert_file` on to the AWS SDK",
    instead: "a certificate that the system trusts, credentials over loopback, or a process",
};

pub(crate) const OBJECT_STORE_HTTP: Limit = Limit {
    doors: &[WebIdentity],
    transports: &[Http],
    seen: Sign::Says("URL scheme is not allowed"),
    because: "object_store calls a token service over HTTPS only, whatever `aws_allow_http` says",
    instead: "HTTPS, or another door",
};

/// The same, in the words of the crate itself.
pub(crate) const OBSTORE_HTTP: Limit = Limit { seen: Sign::Says("BadScheme"), ..OBJECT_STORE_HTTP };

pub(crate) const OBJECT_STORE_PROFILES: Limit = Limit {
    doors: &[Process],
    transports: &Transport::ALL,
    // What it asks then is the metadata service of a cloud machine, which the test's environment puts elsewhere.
    seen: Sign::Says("There is nothing at this address"),
    because: "object_store reads no profiles",
    instead: "web identity over HTTPS, the container door or keys",
};

pub(crate) const MINIO: Limit = Limit {
    doors: &[Process],
    transports: &Transport::ALL,
    seen: Sign::Says("All providers fail to fetch credentials"),
    because: "minio-py starts no `credential_process`",
    instead: "web identity, the container door or keys",
};

pub(crate) const S3CMD: Limit = Limit {
    doors: &[Container, WebIdentity, Process],
    transports: &Transport::ALL,
    seen: Sign::NotTried,
    because: "s3cmd takes keys; the services that it asks without are at fixed addresses",
    instead: "keys, made as its block shows",
};
