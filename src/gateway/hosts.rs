//! Which bucket a host name names: the one rule, for the rim and for s3s.
//!
//! s3s' own rule takes any other host name for a bucket, and does not know of ports.

use std::borrow::Cow;

use s3s::S3Result;
use s3s::host::{DomainError, MultiDomain, S3Host, VirtualHost};

/// The bucket of a `Host` that lies below one of these names, in lower case.
pub fn bucket_of(names: &[String], host: &str) -> Option<String> {
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host).to_ascii_lowercase();
    let below = |name: &String| host.strip_suffix(name.as_str())?.strip_suffix('.').map(str::to_owned);
    names.iter().find_map(below)
}

/// The rule as s3s asks it.
#[derive(Debug)]
pub(super) struct HostNames(Vec<String>);

impl HostNames {
    /// Names below which buckets may stand.
    ///
    /// # Errors
    /// One is no host name, or lies below another.
    pub(super) fn new(names: &[String]) -> Result<Self, DomainError> {
        MultiDomain::new(names)?;
        Ok(Self(names.iter().map(|name| name.to_ascii_lowercase()).collect()))
    }
}

impl S3Host for HostNames {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let plain = VirtualHost::new(host);
        Ok(match bucket_of(&self.0, host) {
            Some(bucket) => plain.with_bucket(Cow::Owned(bucket)),
            None => plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_below_a_configured_name_only() {
        let names = HostNames::new(&["s3.localhost".to_owned(), "S3.acme.example".to_owned()]).unwrap();
        for (host, bucket) in [
            ("traces.s3.localhost", Some("traces")),
            ("traces.s3.localhost:9000", Some("traces")),
            ("Traces.S3.LocalHost:9000", Some("traces")),
            ("traces.s3.acme.example", Some("traces")),
            ("a.b.s3.localhost", Some("a.b")),
            ("s3.localhost:9000", None),
            ("localhost:9443", None),
            ("traces.localhost", None),
            ("traces.s3.localhost.evil.example", None),
            ("xs3.localhost", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(names.parse_host_header(host).unwrap().bucket(), bucket, "{host:?}");
        }
        assert!(HostNames::new(&["no name".to_owned()]).is_err());
    }
}
