//! One address of the backend: how it is reached, and the unused connections to it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

use super::line::Line;
use super::pool::Pool;
use super::traffic::Traffic;
use crate::backend::Trouble;
use crate::backend::aws::AwsError;
use crate::backend::aws::trouble;

/// Scheme, host and port.
pub(super) struct Origin {
    uri: Uri,
    /// Its `Host`.
    pub(super) host: HeaderValue,
    connector: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Time to reach it.
    patience: Duration,
    /// Connections that wait to be used.
    pub(super) pool: Arc<Pool>,
    traffic: Arc<Traffic>,
}

impl Origin {
    /// Of an `http` address, or of an `https` one by that TLS. Nothing is connected yet.
    pub(super) fn new(
        uri: Uri,
        tls: Option<&TlsConnector>,
        patience: Duration,
        traffic: Arc<Traffic>,
    ) -> Result<Self, AwsError> {
        let authority = uri.authority().ok_or(AwsError::Endpoint)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| AwsError::Endpoint)?;
        let tls = match (uri.scheme_str(), tls) {
            (Some("http"), _) => None,
            (Some("https"), Some(tls)) => {
                let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                Some((tls.clone(), ServerName::try_from(name).map_err(|_| AwsError::Endpoint)?))
            }
            _ => return Err(AwsError::Endpoint),
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        Ok(Self { uri, host, connector, tls, patience, pool: Pool::swept(), traffic })
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> Result<Box<Line>, Trouble> {
        let dialled = tokio::time::timeout(self.patience, self.dial_patiently()).await;
        dialled.map_err(|_| Trouble::Timeout)?.map_err(|error| trouble::unreachable(&*error))
    }

    async fn dial_patiently(&self) -> Result<Box<Line>, Box<dyn Error + Send + Sync>> {
        let mut connector = self.connector.clone();
        std::future::poll_fn(|cx| connector.poll_ready(cx)).await?;
        let tcp = connector.call(self.uri.clone()).await?.into_inner();
        Ok(match &self.tls {
            None => Line::open(tcp, self.traffic.clone()).await?,
            Some((tls, name)) => Line::open(tls.connect(name.clone(), tcp).await?, self.traffic.clone()).await?,
        })
    }
}

/// TLS that trusts these certificates, or, where none are given, those of the system.
pub(super) fn tls(roots: Option<RootCertStore>) -> Result<TlsConnector, AwsError> {
    let roots = roots.unwrap_or_else(system_roots);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| AwsError::Client(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}
