//! The certificate of the HTTPS listeners, read anew when its files change.
//!
//! A new pair is taken whole or not at all; while the new one cannot be used, the last good one serves on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsFiles;
use crate::limits;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{file}: {source}")]
    Pem {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{0}: holds no certificate")]
    NoCertificate(String),
    /// Key and certificate do not belong together, or are of a kind that we cannot use.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The pair in use.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The TLS settings of the HTTPS listeners, and the task that keeps their certificate fresh.
pub fn settings(files: &TlsFiles) -> Result<(Arc<ServerConfig>, impl Future<Output = ()> + Send + 'static), TlsError> {
    let current = Arc::new(Current(ArcSwap::from_pointee(pair(files)?)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), keep_fresh(files.clone(), current, limits::TLS_POLL)))
}

async fn keep_fresh(files: TlsFiles, current: Arc<Current>, every: Duration) {
    let mut seen = (stamp(&files.certificate), stamp(&files.key));
    loop {
        tokio::time::sleep(every).await;
        let now = (stamp(&files.certificate), stamp(&files.key));
        if now == seen {
            continue;
        }
        match pair(&files) {
            Ok(pair) => {
                current.0.store(Arc::new(pair));
                seen = now;
                tracing::info!(certificate = %files.certificate.display(), "the renewed certificate is in use");
            }
            // The pair may be half written: it is tried again until it fits.
            Err(error) => tracing::warn!(%error, "the renewed certificate cannot be used; the last one serves on"),
        }
    }
}

fn stamp(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let facts = std::fs::metadata(file).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

fn pair(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let of = |file: &Path| {
        let file = file.display().to_string();
        move |source| TlsError::Pem { file, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .map_err(of(&files.certificate))?
        .collect::<Result<_, _>>()
        .map_err(of(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate.display().to_string()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(of(&files.key))?;
    Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(files: &TlsFiles, name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    }

    fn files(dir: &Path) -> TlsFiles {
        TlsFiles { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") }
    }

    #[tokio::test]
    async fn a_renewed_pair_is_taken_whole_and_a_broken_one_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let first = write_pair(&files, "first.example");
        let current = Arc::new(Current(ArcSwap::from_pointee(pair(&files).unwrap())));
        let fresh = tokio::spawn(keep_fresh(files.clone(), current.clone(), Duration::from_millis(10)));
        let serves = || current.0.load().cert[0].to_vec();
        let soon = Duration::from_millis(100);

        std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\nhalf").unwrap();
        tokio::time::sleep(soon).await;
        assert_eq!(serves(), first);

        let second = write_pair(&files, "second.example");
        for _ in 0..100 {
            tokio::time::sleep(soon / 10).await;
            if serves() == second {
                break;
            }
        }
        assert_eq!(serves(), second);
        fresh.abort();
    }

    #[test]
    fn every_mistake_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let error = || pair(&files).err().unwrap().to_string();
        assert!(error().contains("certificate.pem"));
        std::fs::write(&files.certificate, "").unwrap();
        assert!(error().contains("certificate.pem: holds no certificate"), "{}", error());
        write_pair(&files, "a.example");
        let other =
            write_pair(&TlsFiles { certificate: dir.path().join("b.pem"), key: files.key.clone() }, "b.example");
        assert!(!other.is_empty());
        assert!(error().contains("cannot be used"), "{}", error());
    }
}
