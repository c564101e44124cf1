//! AWS Signature Version 4 of a request's head: "Authenticating Requests: Using the Authorization Header" in the S3 API
//! reference. Pure.
//!
//! S3 signs the path as it is sent, encoded once. Every header that is there is signed.

use std::fmt::Write as _;
use std::sync::Arc;

use hmac::Mac as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use sha2::{Digest as _, Sha256};

use super::credentials::Credential;
use super::place::Scope;
use crate::backend::Trouble;
use crate::identity::chunks::{EMPTY_SHA256, SigningKey, hexadecimal};
use crate::identity::sigv4::ALGORITHM;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const DIGEST: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a signature says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// That there is none.
    Empty,
}

/// The key of one credential, scope and day.
pub(super) struct DayKey {
    of: Arc<Credential>,
    day: Date,
    key: SigningKey,
    /// `20260131/eu-central-1/s3/aws4_request`
    scope: String,
    token: Option<HeaderValue>,
}

/// A request's target, as it is sent: both percent-encoded, the parameters in the order of their names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

impl DayKey {
    /// Derives it.
    ///
    /// # Errors
    /// A credential that fits in no header.
    pub(super) fn new(of: Arc<Credential>, scope: &Scope, day: Date) -> Result<Self, Trouble> {
        let Scope { region, service } = scope;
        let written = format!("{:04}{:02}{:02}", day.year(), day.month(), day.day());
        let key = SigningKey::new(of.given.secret_access_key(), &written, region, service);
        let scope = format!("{written}/{region}/{service}/aws4_request");
        let token = of.given.session_token().map(HeaderValue::from_str).transpose();
        let token = token.map_err(|_| Trouble::NoCredential("its session token cannot be sent"))?;
        Ok(Self { of, day, key, scope, token })
    }

    /// Whether it is that credential's, and of that day.
    pub(super) fn is_of(&self, credential: &Arc<Credential>, day: Date) -> bool {
        self.day == day && Arc::ptr_eq(&self.of, credential)
    }

    /// Signs a request: adds the headers that say when, what body, and by whom.
    ///
    /// # Errors
    /// A credential that fits in no header.
    pub(super) fn sign(
        &self,
        method: &Method,
        target: Target<'_>,
        headers: &mut HeaderMap,
        digest: Digest,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let unsendable = |_| Trouble::NoCredential("its access key id cannot be sent");
        let date = amz_date(utc(now));
        let digest = digest.word();
        headers.insert(DATE, HeaderValue::from_str(&date).map_err(unsendable)?);
        headers.insert(DIGEST, HeaderValue::from_static(digest));
        if let Some(token) = &self.token {
            headers.insert(TOKEN, token.clone());
        }
        let (canonical, names) = canonical(method, target, headers, digest);
        let mut mac = self.key.mac();
        let digits = hexadecimal(&Sha256::digest(canonical).into());
        for part in [ALGORITHM, "\n", &date, "\n", &self.scope, "\n"] {
            mac.update(part.as_bytes());
        }
        mac.update(&digits);
        let signature = hexadecimal(&mac.finalize().into_bytes().into());
        let id = self.of.given.access_key_id();
        let mut statement = String::with_capacity(256);
        for part in [ALGORITHM, " Credential=", id, "/", &self.scope, ", SignedHeaders=", &names, ", Signature="] {
            statement.push_str(part);
        }
        statement.extend(signature.map(char::from));
        headers.insert(http::header::AUTHORIZATION, HeaderValue::try_from(statement).map_err(unsendable)?);
        Ok(())
    }
}

impl Digest {
    fn word(self) -> &'static str {
        match self {
            Digest::Empty => EMPTY_SHA256,
        }
    }
}

/// The moment's date and time in UTC.
pub(super) fn utc(now: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(now)
}

/// `20260131T235959Z`
fn amz_date(at: DateTime) -> String {
    let mut text = String::with_capacity(16);
    let (year, month, day) = (at.year(), at.month(), at.day());
    // Writing to a text cannot fail.
    write!(text, "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second()).ok();
    text
}

/// The canonical request, and the names of the headers that it holds.
fn canonical(method: &Method, target: Target<'_>, headers: &HeaderMap, digest: &str) -> (Vec<u8>, String) {
    let mut sorted: Vec<(&str, &HeaderValue)> = headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut text = Vec::with_capacity(1024);
    for part in [method.as_str(), "\n", target.path, "\n", target.query, "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    let mut names = String::with_capacity(96);
    for (name, value) in sorted {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        push_collapsed(&mut text, value.as_bytes());
        text.push(b'\n');
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name);
    }
    for part in ["\n", &names, "\n", digest] {
        text.extend_from_slice(part.as_bytes());
    }
    (text, names)
}

/// A value without the spaces around it, and with one where several follow on each other.
fn push_collapsed(text: &mut Vec<u8>, value: &[u8]) {
    let mut words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    text.extend_from_slice(words.next().unwrap_or_default());
    for word in words {
        text.push(b' ');
        text.extend_from_slice(word);
    }
}
