//! Virtual-host style: which bucket a `Host` names, if any.
//!
//! DNS names know no case and a port is no part of them. A host that lies below none of our names is path style, never an
//! error: clients reach us by addresses and aliases, too.

/// The names below which a bucket may stand: `BUCKET.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(Vec<String>);

impl HostNames {
    /// Names as configured, without port.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.trim_matches('.').to_ascii_lowercase()).collect())
    }

    /// The bucket that a `Host` (with or without port) names; `None` is path style.
    pub fn bucket(&self, host: &str) -> Option<String> {
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let below = |name: &String| host.strip_suffix(name.as_str())?.strip_suffix('.').map(str::to_owned);
        self.0.iter().find_map(below).filter(|bucket| !bucket.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_below_a_name_whatever_the_port_and_the_case() {
        let names = HostNames::new(&["s3.example.com".into(), "S3.localhost".into()]);
        for (host, bucket) in [
            ("traces.s3.example.com", Some("traces")),
            ("Traces.S3.Example.com:9000", Some("traces")),
            ("traces.s3.localhost.", Some("traces")),
            ("a.b.s3.localhost", Some("a.b")),
            ("s3.example.com", None),
            ("s3.example.com:9000", None),
            ("xs3.example.com", None),
            (".s3.example.com", None),
            ("localhost:19500", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(names.bucket(host).as_deref(), bucket, "{host}");
        }
        assert_eq!(HostNames::default().bucket("traces.s3.example.com"), None);
    }
}
