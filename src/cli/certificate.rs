//! `tracegate certificate`: a self-signed certificate for trying out HTTPS. Not for a deployment that others use: there,
//! take one of an authority that the clients trust already.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::say;

/// The certificate's file in its folder, PEM.
pub(super) const CERTIFICATE: &str = "certificate.pem";
/// The private key's file in its folder, PEM.
pub(super) const KEY: &str = "key.pem";

/// What `certificate` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tracegate certificate tls --name traces.example.com --name 127.0.0.1\n\nClients trust it \
                        by AWS_CA_BUNDLE=tls/certificate.pem (AWS CLI, boto3) or --cacert tls/certificate.pem (curl)."
)]
pub struct CertificateArgs {
    /// The folder for certificate.pem and key.pem; what is there already is kept.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A host name or address by which clients call the façade; may be given several times.
    #[arg(long = "name", value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// Runs `certificate`.
pub fn run(args: CertificateArgs) -> Result<()> {
    let (certificate, key) = (args.dir.join(CERTIFICATE), args.dir.join(KEY));
    match (certificate.exists(), key.exists()) {
        (true, true) => return say(&format!("{} is there already", certificate.display())),
        (false, false) => {}
        (true, false) | (false, true) => {
            bail!("{} holds a certificate or a key, but not both", args.dir.display())
        }
    }
    std::fs::create_dir_all(&args.dir).with_context(|| args.dir.display().to_string())?;
    write(&args.dir, args.names)?;
    say(&format!("{} is a new certificate, signed by its own key", certificate.display()))
}

/// Makes a key and a certificate for these names in a folder. The key is readable by its owner only.
pub(super) fn write(dir: &Path, names: Vec<String>) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(names)?;
    write_private(&dir.join(KEY), &made.signing_key.serialize_pem())?;
    let file = dir.join(CERTIFICATE);
    std::fs::write(&file, made.cert.pem()).with_context(|| file.display().to_string())
}

/// Writes a file that only its owner may read.
pub(super) fn write_private(file: &Path, text: &str) -> Result<()> {
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let mut out = opened.with_context(|| file.display().to_string())?;
    out.write_all(text.as_bytes()).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let tls = dir.path().join("tls");
        let make = || run(CertificateArgs { dir: tls.clone(), names: vec!["localhost".into(), "127.0.0.1".into()] });
        make().unwrap();
        let first = std::fs::read(tls.join(CERTIFICATE)).unwrap();
        let mode = std::fs::metadata(tls.join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        make().unwrap();
        assert_eq!(std::fs::read(tls.join(CERTIFICATE)).unwrap(), first, "what is there is kept");
        std::fs::remove_file(tls.join(CERTIFICATE)).unwrap();
        assert!(make().is_err(), "half a pair is not silently replaced");
    }
}
