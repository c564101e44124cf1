//! AWS Signature Version 4 as a client computes it ("Authenticating Requests", S3 API reference), with a handle on each
//! part that a test wants wrong.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::wire::Ask;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The keys of a session, as a door gave them.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// How to sign; the default is how an SDK does.
#[derive(Debug, Clone)]
pub(crate) struct How {
    pub(crate) at: Timestamp,
    pub(crate) service: &'static str,
    /// Headers that are sent and left out of the signature.
    pub(crate) unsigned: Vec<&'static str>,
    /// `X-Amz-Expires` of presigned URLs.
    pub(crate) expires: String,
    /// The word in front of the statement, and the first line of what is signed.
    pub(crate) algorithm: &'static str,
}

impl Default for How {
    fn default() -> Self {
        let at = Timestamp::now();
        Self { at, service: "s3", unsigned: Vec::new(), expires: "300".into(), algorithm: "AWS4-HMAC-SHA256" }
    }
}

impl How {
    fn date(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn scope(&self) -> String {
        format!("{}/tracegate/{}/aws4_request", &self.date()[..8], self.service)
    }
}

impl Session {
    /// Signed in headers, as SDKs do.
    pub(crate) fn sign(&self, ask: Ask) -> Ask {
        self.sign_so(ask, &How::default())
    }

    pub(crate) fn sign_so(&self, ask: Ask, how: &How) -> Ask {
        let payload =
            if how.service == "sts" { hex::encode(Sha256::digest(&ask.body)) } else { "UNSIGNED-PAYLOAD".into() };
        let ask = ask.with("x-amz-date", how.date()).with("x-amz-security-token", &self.token);
        // SDKs send it to S3 only.
        let ask = if how.service == "sts" { ask } else { ask.with("x-amz-content-sha256", &payload) };
        let names = signed_names(&ask, how);
        let signature = self.signature(&ask, how, &names, &payload);
        let statement = format!(
            "{} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            how.algorithm,
            self.id,
            how.scope(),
            names.join(";")
        );
        ask.with("authorization", statement)
    }

    /// Signed in the query: a presigned URL.
    pub(crate) fn presign(&self, ask: Ask) -> Ask {
        self.presign_so(ask, &How::default())
    }

    pub(crate) fn presign_so(&self, mut ask: Ask, how: &How) -> Ask {
        let names = signed_names(&ask, how);
        let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let credential = format!("{}/{}", self.id, how.scope());
        for (name, value) in [
            ("X-Amz-Algorithm", how.algorithm),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &how.date()),
            ("X-Amz-Expires", &how.expires),
            ("X-Amz-Security-Token", &self.token),
            ("X-Amz-SignedHeaders", &names.join(";")),
        ] {
            let join = if ask.target.contains('?') { '&' } else { '?' };
            ask.target += &format!("{join}{name}={}", encoded(value));
        }
        let signature = self.signature(&ask, how, &names, "UNSIGNED-PAYLOAD");
        ask.target += &format!("&X-Amz-Signature={signature}");
        ask
    }

    fn signature(&self, ask: &Ask, how: &How, names: &[String], payload: &str) -> String {
        let canonical = canonical(ask, names, payload);
        let (date, scope) = (how.date(), how.scope());
        let text = format!("{}\n{date}\n{scope}\n{}", how.algorithm, hex::encode(Sha256::digest(&canonical)));
        let first = format!("AWS4{}", self.secret).into_bytes();
        let parts = [&date[..8], "tracegate", how.service, "aws4_request"];
        let key = parts.iter().fold(first, |key, part| hmac(&key, part));
        hex::encode(hmac(&key, &text))
    }
}

/// `host` and every header given, sorted; `host` must be among the request's headers.
fn signed_names(ask: &Ask, how: &How) -> Vec<String> {
    let mut names: Vec<String> = ask.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| !how.unsigned.contains(&name.as_str()));
    names
}

fn canonical(ask: &Ask, names: &[String], payload: &str) -> String {
    let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
    let recoded =
        |text: &str| utf8_percent_encode(&percent_decode_str(text).decode_utf8_lossy(), UNRESERVED).to_string();
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    pairs.sort();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let header = |name: &String| {
        let values: Vec<&str> = ask
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        format!("{name}:{}\n", values.join(","))
    };
    let headers: String = names.iter().map(header).collect();
    format!("{}\n{path}\n{}\n{headers}\n{}\n{payload}", ask.method, query.join("&"), names.join(";"))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
