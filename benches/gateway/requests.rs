//! The requests that are sent: by bearer token, and signed with AWS Signature Version 4.
//!
//! A signature holds for a quarter of an hour, so each request is made once and sent over and over; the façade verifies
//! it anew each time.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::load;
use super::servers::{BUCKET, Facade};

/// A session's keys, as the credentials door gives them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Session {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl Session {
    /// Asks the façade for one.
    pub(crate) fn open(facade: &Facade) -> Self {
        let body = load::fetch(facade.address, &bearer(facade, "/-/credentials"));
        serde_json::from_slice(&body).expect("the credentials door answers in JSON")
    }

    /// `GET` of that path, signed now.
    pub(crate) fn signed(&self, to: SocketAddr, path: &str) -> String {
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let (date, nothing, token) = (&time[..8], hex::encode(Sha256::digest(b"")), &self.token);
        let names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        let headers =
            format!("host:{to}\nx-amz-content-sha256:{nothing}\nx-amz-date:{time}\nx-amz-security-token:{token}\n");
        let canonical = hex::encode(Sha256::digest(format!("GET\n{path}\n\n{headers}\n{names}\n{nothing}")));
        let scope = format!("{date}/us-east-1/s3/aws4_request");
        let secret = format!("AWS4{}", self.secret_access_key);
        let key = scope.split('/').fold(secret.into_bytes(), |key, part| mac(&key, part));
        let signature = hex::encode(mac(&key, &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}")));
        let id = &self.access_key_id;
        format!(
            "GET {path} HTTP/1.1\r\n{}authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, \
             SignedHeaders={names}, Signature={signature}\r\n\r\n",
            headers.replace('\n', "\r\n")
        )
    }
}

/// The path of an object.
pub(crate) fn path(key: &str) -> String {
    format!("/{BUCKET}/{key}")
}

/// `GET` of that path with the façade's token.
pub(crate) fn bearer(facade: &Facade, path: &str) -> String {
    let (host, token) = (facade.address, facade.token.token.expose());
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
