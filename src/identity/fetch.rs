//! Fetching an issuer's documents: discovery and key set. The only place of `identity` that speaks HTTP.
//!
//! `https` only (plain on loopback where the entry allows it), no redirects, a cap on time and size: an identity
//! provider that misbehaves costs us a little time and nothing else.

use std::sync::Once;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use serde::Deserialize;

use super::issuer::{IssuerTerms, TermsError, endpoint};
use crate::limits::{JWKS_BYTES_MAX, JWKS_TIMEOUT};

/// Why a document could not be had. For our log, not for callers.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be set up, because of the certificates.
    #[error("the certificates cannot be used: {0}")]
    Client(#[source] reqwest::Error),
    /// No answer.
    #[error("no answer: {0}")]
    Transport(#[source] reqwest::Error),
    /// An answer other than 200. Redirects are not followed.
    #[error("the answer was HTTP {0}")]
    Status(u16),
    /// More than the cap.
    #[error("the document is too large")]
    TooLarge,
    /// Not what it should be.
    #[error("this is no readable {0}")]
    Unreadable(&'static str),
    /// The discovery document is another issuer's.
    #[error("the discovery document names another issuer")]
    OtherIssuer,
    /// The discovery document names no such endpoint, or an unsafe one.
    #[error(transparent)]
    Endpoint(#[from] TermsError),
    /// The key set has no key that we may use.
    #[error("the key set holds no usable signature key")]
    NoKeys,
}

/// Makes aws-lc the process's cryptography for TLS. To be called at start; further calls do nothing.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
            tracing::debug!("the process has a TLS provider already");
        }
    });
}

/// A client for one issuer.
#[derive(Debug, Clone)]
pub struct Fetch {
    client: Client,
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0, section 3), as far as it concerns us.
#[derive(Debug, Clone, Deserialize)]
pub struct Discovery {
    /// Must equal the configured issuer.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// Where people log in.
    pub authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    pub token_endpoint: Option<String>,
    /// Where device codes are given out (RFC 8628).
    pub device_authorization_endpoint: Option<String>,
}

impl Discovery {
    /// Where the keys are.
    pub fn jwks_url(&self, terms: &IssuerTerms) -> Result<Url, FetchError> {
        let uri = self.jwks_uri.as_deref().ok_or(FetchError::Unreadable("discovery document with a jwks_uri"))?;
        Ok(endpoint(uri, terms.allow_http_loopback())?)
    }
}

impl Fetch {
    /// A client that trusts these certificates (PEM), or the system's. One for loopback only trusts none.
    pub fn new(ca_pem: Option<&str>, loopback: bool) -> Result<Self, FetchError> {
        install_crypto_provider();
        let client = Client::builder().redirect(Policy::none()).timeout(JWKS_TIMEOUT).no_proxy().https_only(!loopback);
        let client = match ca_pem {
            Some(pem) => {
                let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(FetchError::Client)?;
                if certificates.is_empty() {
                    return Err(FetchError::Unreadable("certificate in PEM"));
                }
                client.tls_certs_only(certificates)
            }
            None if loopback => client.tls_certs_only([]),
            None => client,
        };
        Ok(Self { client: client.build().map_err(FetchError::Client)? })
    }

    /// The issuer's discovery document.
    pub async fn discover(&self, terms: &IssuerTerms) -> Result<Discovery, FetchError> {
        let body = self.get(terms.discovery_url()).await?;
        let found: Discovery =
            serde_json::from_slice(&body).map_err(|_| FetchError::Unreadable("discovery document"))?;
        if found.issuer == terms.issuer() { Ok(found) } else { Err(FetchError::OtherIssuer) }
    }

    /// The body of a document.
    pub async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let mut response = self.client.get(url.clone()).send().await.map_err(FetchError::Transport)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::Transport)? {
            if body.len() + chunk.len() > JWKS_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;

    use super::*;

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        base
    }

    #[tokio::test]
    async fn redirects_and_floods_are_not_followed() {
        let router = Router::new()
            .route("/fine", get(async || "x".repeat(JWKS_BYTES_MAX)))
            .route("/flood", get(async || "x".repeat(JWKS_BYTES_MAX + 1)))
            .route("/away", get(async || Redirect::temporary("/fine")));
        let base = serve(router).await;
        let fetch = Fetch::new(None, true).unwrap();
        let ask = async |path: &str| fetch.get(&Url::parse(&format!("{base}{path}")).unwrap()).await;
        assert_eq!(ask("/fine").await.unwrap().len(), JWKS_BYTES_MAX);
        assert!(matches!(ask("/flood").await, Err(FetchError::TooLarge)));
        assert!(matches!(ask("/away").await, Err(FetchError::Status(307))));
        assert!(matches!(ask("/missing").await, Err(FetchError::Status(404))));
    }

    #[tokio::test]
    async fn plain_http_is_for_loopback_clients_only() {
        let base = serve(Router::new().route("/", get(async || "x"))).await;
        let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let fetch = Fetch::new(Some(&pem), false).unwrap();
        assert!(matches!(fetch.get(&Url::parse(&base).unwrap()).await, Err(FetchError::Transport(_))));
        assert!(matches!(Fetch::new(Some("no certificate"), false), Err(FetchError::Unreadable(_))));
    }
}
