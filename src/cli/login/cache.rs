//! Where a login's ID token is kept: one file per endpoint, mode 0600, in the user's cache folder.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::json::Json;

/// Keeps a token for an endpoint and says where.
pub(super) async fn keep(endpoint: &str, token: &str) -> anyhow::Result<PathBuf> {
    let file = file_of(&folder()?, endpoint);
    write(&file, token).with_context(|| format!("cannot keep the token in {}", file.display()))?;
    Ok(file)
}

/// The token that is kept for an endpoint, if it has not expired.
pub(in crate::cli) async fn cached(endpoint: &str) -> anyhow::Result<Zeroizing<String>> {
    read(&file_of(&folder()?, endpoint), endpoint, Timestamp::now())
}

fn folder() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("tracegate"))
}

fn file_of(folder: &Path, endpoint: &str) -> PathBuf {
    let digest = Sha256::digest(endpoint.trim_end_matches('/').as_bytes());
    folder.join(format!("{}.jwt", hex::encode(&digest[..8])))
}

/// Written beside and renamed, so that a reader never sees half a token, nor anybody else any of it.
fn write(file: &Path, token: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = file.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    out.write_all(token.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(beside, file)
}

fn read(file: &Path, endpoint: &str, now: Timestamp) -> anyhow::Result<Zeroizing<String>> {
    let token = Zeroizing::new(std::fs::read_to_string(file).with_context(|| {
        format!("nobody is logged in; run: tracegate login --issuer … --client-id … --endpoint {endpoint}")
    })?);
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|bytes| Json::parse(&bytes).ok());
    let claim = |name: &str| claims.as_ref().and_then(|claims| claims.member(name));
    match claim("exp") {
        Some(Json::Integer(exp)) if *exp > now.as_second() => Ok(token),
        _ => {
            // An ID token says where it came from, and for which client.
            let word = |name: &str| claim(name).and_then(Json::text).filter(|text| is_word(text)).unwrap_or("…");
            let (issuer, client) = (word("iss"), word("aud"));
            bail!(
                "the login has expired; run: tracegate login --issuer {issuer} --client-id {client} --endpoint {endpoint}"
            )
        }
    }
}

/// Whether a text may be pasted into a shell as it stands.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/%@".contains(&b))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn kept_for_the_user_alone_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let file = file_of(&folder.path().join("deep"), "https://t.example/");
        assert_eq!(file, file_of(&folder.path().join("deep"), "https://t.example"));
        let token = |exp: i64| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")));
        assert!(read(&file, "e", now).is_err());
        write(&file, &token(now.as_second() + 1)).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*read(&file, "e", now).unwrap(), token(now.as_second() + 1));
        write(&file, &token(now.as_second())).unwrap();
        let expired = read(&file, "https://t.example", now).unwrap_err().to_string();
        assert!(expired.ends_with("--issuer … --client-id … --endpoint https://t.example"), "{expired}");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
    }
}
