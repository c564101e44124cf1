//! Where logins are kept: one file per endpoint, mode 0600, in the user's cache folder.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::identity::secret::SecretText;

/// A login.
#[derive(Deserialize)]
pub(super) struct Kept {
    /// How it came about.
    pub(super) terms: Terms,
    /// What the façade's doors take.
    pub(super) id_token: SecretText,
    /// What renews it, where the provider gave one.
    pub(super) refresh_token: Option<SecretText>,
}

/// What was asked for, and whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    /// Certificates (PEM) to trust at the provider, if not the system's.
    pub(super) ca: Option<PathBuf>,
    pub(super) token_endpoint: String,
}

impl Terms {
    /// The command that logs in anew.
    pub(super) fn command(&self, endpoint: &str) -> String {
        let mut words = vec!["tracegate".to_owned(), "login".to_owned()];
        let ca = self.ca.as_ref().map(|file| file.display().to_string());
        for (option, value) in [
            ("--issuer", Some(self.issuer.as_str())),
            ("--client-id", Some(&self.client_id)),
            ("--scope", Some(&self.scope)),
            ("--ca", ca.as_deref()),
            ("--endpoint", Some(endpoint)),
        ] {
            words.extend(value.into_iter().flat_map(|value| [option.to_owned(), quoted(value)]));
        }
        words.join(" ")
    }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/%@".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Where the login for an endpoint is kept.
pub(super) fn file_of(endpoint: &str) -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("tracegate").join(name_of(endpoint)))
}

fn name_of(endpoint: &str) -> String {
    let digest = Sha256::digest(endpoint.trim_end_matches('/').as_bytes());
    format!("{}.json", hex::encode(&digest[..8]))
}

/// Written beside and renamed, so that a reader never sees half a login, nor anybody else any of it.
pub(super) fn write(file: &Path, kept: &Kept) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Written<'a> {
        terms: &'a Terms,
        id_token: &'a str,
        refresh_token: Option<&'a str>,
    }
    let written = Written {
        terms: &kept.terms,
        id_token: kept.id_token.expose(),
        refresh_token: kept.refresh_token.as_ref().map(SecretText::expose),
    };
    let text = Zeroizing::new(serde_json::to_string(&written)?);
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = file.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    Ok(std::fs::rename(beside, file)?)
}

/// The login that is kept in a file.
pub(super) fn read(file: &Path, endpoint: &str) -> anyhow::Result<Kept> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new).with_context(|| {
        format!("nobody is logged in; run: tracegate login --issuer … --client-id … --endpoint {endpoint}")
    })?;
    // What does not parse is not quoted: it holds tokens.
    let kept = serde_json::from_str(&text).ok();
    kept.with_context(|| format!("{} is no login; delete it, and run tracegate login", file.display()))
}

/// Keeps the user's other programs from renewing logins, for as long as the result lives.
pub(super) async fn lock(file: &Path) -> anyhow::Result<std::fs::File> {
    let folder = std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?;
    tokio::task::spawn_blocking(move || {
        folder.lock()?;
        Ok(folder)
    })
    .await?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn terms() -> Terms {
        Terms {
            issuer: "https://login.example".to_owned(),
            client_id: "tracegate".to_owned(),
            scope: "openid email".to_owned(),
            ca: None,
            token_endpoint: "https://login.example/token".to_owned(),
        }
    }

    #[test]
    fn kept_for_the_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(name_of("https://t.example/"), name_of("https://t.example"));
        let file = folder.path().join("deep").join(name_of("https://t.example"));
        assert!(read(&file, "e").is_err());
        for refresh in [None, Some("r")] {
            let kept =
                Kept { terms: terms(), id_token: SecretText::new("a"), refresh_token: refresh.map(SecretText::new) };
            write(&file, &kept).unwrap();
            let found = read(&file, "e").unwrap();
            assert_eq!(
                (found.terms, found.id_token, found.refresh_token),
                (kept.terms, kept.id_token, kept.refresh_token)
            );
        }
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
        std::fs::write(&file, "{\"id_token\":\"secret\"").unwrap();
        let error = format!("{:#}", read(&file, "e").map(drop).unwrap_err());
        assert!(error.contains("is no login") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn the_command_is_safe_to_paste() {
        let ordinary = "tracegate login --issuer https://login.example --client-id tracegate --scope 'openid email' \
                        --endpoint https://t.example";
        assert_eq!(terms().command("https://t.example"), ordinary);
        let odd = Terms { client_id: "a'$(b)".to_owned(), ca: Some("/c d.pem".into()), ..terms() };
        let command = odd.command("https://t.example");
        assert!(command.contains(r"--client-id 'a'\''$(b)' ") && command.contains("--ca '/c d.pem' "), "{command}");
    }
}
