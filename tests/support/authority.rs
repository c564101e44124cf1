//! A certificate authority that nobody trusts but who is told to: clients by `AWS_CA_BUNDLE` and `CURL_CA_BUNDLE`, the
//! façade by the setting `ca`.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// An authority with a key of its own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// What a server on loopback proves itself with, as PEM files in one folder.
#[derive(Debug)]
pub(crate) struct Files {
    /// The server's certificate, without that of the authority.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// The certificate of the authority, for whoever should trust it.
    pub(crate) ca: PathBuf,
}

impl Files {
    /// Where they lie in that folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem"), ca: folder.join("ca.pem") }
    }
}

impl Authority {
    /// A new one.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Signs a certificate for loopback and writes it into a folder.
    pub(crate) fn issue(&self, folder: &Path) -> Files {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).unwrap();
        params.use_authority_key_identifier_extension = true; // newer Pythons insist on it
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let files = Files::of(folder);
        std::fs::write(&files.certificate, signed.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::write(&files.ca, &self.certificate).unwrap();
        files
    }
}
