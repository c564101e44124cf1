//! Fetching an issuer's documents: discovery and key set. The only place of `identity` that speaks HTTP.
//!
//! `https` only (plain on loopback for an issuer that is there itself), no redirects, a cap on time and size: an identity
//! provider that misbehaves costs us a little time and nothing else.

use std::sync::{Once, OnceLock};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Url};
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
    /// For `https`, with certificates to trust. Made at start, or at the first need where the issuer itself is plain:
    /// a machine without any certificates can still speak to itself.
    secure: OnceLock<Client>,
    /// For `http`, where the issuer is on loopback.
    plain: Option<Client>,
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
        Ok(endpoint(uri, terms.is_plain())?)
    }
}

impl Fetch {
    /// A client that trusts these certificates (PEM), or the system's; `plain` lets it speak `http`, too.
    pub fn new(ca_pem: Option<&str>, plain: bool) -> Result<Self, FetchError> {
        install_crypto_provider();
        let secure = if plain && ca_pem.is_none() { OnceLock::new() } else { OnceLock::from(secure(ca_pem)?) };
        let plain = plain.then(|| client().tls_certs_only([]).build().map_err(FetchError::Client)).transpose()?;
        Ok(Self { secure, plain })
    }

    fn client(&self, url: &Url) -> Result<&Client, FetchError> {
        match (&self.plain, self.secure.get()) {
            (Some(plain), _) if url.scheme() == "http" => Ok(plain),
            (_, Some(secure)) => Ok(secure),
            (_, None) => {
                let made = secure(None)?;
                Ok(self.secure.get_or_init(|| made))
            }
        }
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
        let mut response = self.client(url)?.get(url.clone()).send().await.map_err(FetchError::Transport)?;
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

fn client() -> ClientBuilder {
    Client::builder().redirect(Policy::none()).timeout(JWKS_TIMEOUT).no_proxy()
}

fn secure(ca_pem: Option<&str>) -> Result<Client, FetchError> {
    let client = client().https_only(true);
    let client = match ca_pem {
        Some(pem) => {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(FetchError::Client)?;
            if certificates.is_empty() {
                return Err(FetchError::Unreadable("certificate in PEM"));
            }
            client.tls_certs_only(certificates)
        }
        None => client,
    };
    client.build().map_err(FetchError::Client)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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

    /// A TLS server on loopback that answers each connection with `fine`; its address and its certificate in PEM.
    async fn serve_tls() -> (Url, String) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        install_crypto_provider();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let settings = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(settings));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(socket).await else { continue };
                let mut request = [0; 1024];
                if stream.read(&mut request).await.is_ok() {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine";
                    stream.write_all(answer).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        });
        (Url::parse(&url).unwrap(), made.cert.pem())
    }

    #[tokio::test]
    async fn a_certificate_is_trusted_by_its_ca_and_a_strangers_is_not() {
        let (url, pem) = serve_tls().await;
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        for plain in [false, true] {
            let trusting = Fetch::new(Some(&pem), plain).unwrap();
            assert_eq!(trusting.get(&url).await.unwrap(), b"fine");
            let other = Fetch::new(Some(&stranger), plain).unwrap();
            assert!(matches!(other.get(&url).await, Err(FetchError::Transport(_))));
        }
    }

    /// The system's certificates are read from the environment, which a test can set for another process only.
    #[tokio::test]
    async fn regression_https_without_a_ca_goes_by_the_systems_certificates() {
        let (url, pem) = serve_tls().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let child = async |certificates: &str| {
            std::fs::write(&file, certificates).unwrap();
            let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--ignored", "identity::fetch::tests::by_the_systems_certificates"]);
            child.env("SSL_CERT_FILE", &file).env("FETCHED_URL", url.as_str());
            child.output().await.unwrap()
        };
        let trusted = child(&pem).await;
        let told = String::from_utf8_lossy(&trusted.stdout);
        assert!(trusted.status.success() && told.contains("1 passed"), "{told}");
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        assert!(!child(&stranger).await.status.success(), "a stranger's certificate is refused");
    }

    #[tokio::test]
    #[ignore = "run by the test above, in a process of its own"]
    async fn by_the_systems_certificates() {
        let url = Url::parse(&std::env::var("FETCHED_URL").unwrap()).unwrap();
        for plain in [false, true] {
            assert_eq!(Fetch::new(None, plain).unwrap().get(&url).await.unwrap(), b"fine");
        }
    }
}
