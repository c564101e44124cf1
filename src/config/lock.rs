//! What `[lock]` means.
//!
//! The secrets of `[lock.probe]` are not read with the configuration but where they are used, so that a check of the
//! file needs none of them.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::written::lock::{DocumentName, Lock, ObjectLockName, Probe, VersioningName};
use super::{Notes, http_url};
use crate::backend::aws::Credentials;
use crate::backend::bucket::{Document, ObjectLock, Versioning};
use crate::identity::secret::SecretText;
use crate::limits;
use crate::lock::Terms;
use crate::lock::principal::PrincipalArn;

/// How the real buckets must be locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockConfig {
    /// Whether nothing is served unless every bucket is verified.
    pub require: bool,
    /// What is declared.
    pub terms: Terms,
    /// Where to ask who a credential is, if the backend is not AWS.
    pub sts_endpoint: Option<String>,
    /// The second identity, which tries the doors.
    pub probe: Option<ProbeConfig>,
}

/// Where the second identity's credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeConfig {
    /// In environment variables of these names.
    Environment {
        /// Of the access key id.
        id: String,
        /// Of the secret.
        secret: String,
        /// Of the session token.
        token: Option<String>,
    },
    /// In a profile of AWS's configuration files.
    Profile(String),
    /// The id here, the secret in a file.
    File {
        /// Access key id.
        id: String,
        /// The file.
        secret: PathBuf,
    },
}

impl ProbeConfig {
    /// Reads the credential. An error names the variable or file.
    pub fn read(&self) -> Result<Credentials, String> {
        let variable = |name: &String| {
            std::env::var(name).map(SecretText::new).map_err(|_| format!("[lock.probe]: ${name} is not set"))
        };
        match self {
            Self::Environment { id, secret, token } => Ok(Credentials::Static {
                access_key_id: variable(id)?,
                secret_access_key: variable(secret)?,
                session_token: token.as_ref().map(variable).transpose()?,
            }),
            Self::Profile(name) => Ok(Credentials::Profile(name.clone())),
            Self::File { id, secret } => {
                let text = std::fs::read_to_string(secret)
                    .map_err(|error| format!("[lock.probe]: {}: {error}", secret.display()))?;
                Ok(Credentials::Static {
                    access_key_id: SecretText::new(id),
                    secret_access_key: SecretText::new(text.trim()),
                    session_token: None,
                })
            }
        }
    }
}

pub(super) fn meaning(written: Option<Lock>, in_memory: bool, base: &Path, notes: &mut Notes<'_>) -> LockConfig {
    let Some(written) = written else { return LockConfig::default() };
    if in_memory {
        notes.add(None, "[lock] is for a real bucket; the embedded one (`memory`) has no other doors".into());
    }
    if written.require && written.probe.is_none() {
        notes.add(None, "[lock] has `require`, but there is no [lock.probe] that could verify it".into());
    }
    if let Some(endpoint) = &written.sts_endpoint {
        notes.parsed(endpoint, http_url);
    }
    let principals = principals(&written.principals, notes);
    let break_glass = self::principals(&written.break_glass, notes);
    let documents = match written.documents {
        None => Document::ALL.into(),
        Some(names) => names.into_iter().map(document).collect(),
    };
    let terms = Terms {
        principals,
        break_glass,
        documents,
        versioning: written.versioning.map(versioning),
        object_lock: written.object_lock.map(object_lock),
    };
    LockConfig {
        require: written.require,
        terms,
        sts_endpoint: written.sts_endpoint.map(Spanned::into_inner),
        probe: written.probe.and_then(|probe| self::probe(probe, base, notes)),
    }
}

fn principals(written: &[Spanned<String>], notes: &mut Notes<'_>) -> Vec<PrincipalArn> {
    if let Some(beyond) = written.get(limits::PRINCIPALS_MAX) {
        notes.add(Some(beyond.span()), format!("at most {} principals", limits::PRINCIPALS_MAX));
    }
    written.iter().filter_map(|text| notes.parsed(text, str::parse)).collect()
}

fn probe(written: Spanned<Probe>, base: &Path, notes: &mut Notes<'_>) -> Option<ProbeConfig> {
    let place = Some(written.span());
    let Probe {
        access_key_id_env,
        secret_access_key_env,
        session_token_env: token,
        profile,
        access_key_id,
        secret_access_key_file,
    } = written.into_inner();
    match (access_key_id_env, secret_access_key_env, profile, access_key_id, secret_access_key_file) {
        (Some(id), Some(secret), None, None, None) => Some(ProbeConfig::Environment { id, secret, token }),
        (None, None, Some(profile), None, None) if token.is_none() => Some(ProbeConfig::Profile(profile)),
        (None, None, None, Some(id), Some(secret)) if token.is_none() => {
            Some(ProbeConfig::File { id, secret: base.join(secret) })
        }
        _ => {
            let message = "[lock.probe] needs one of: `access_key_id_env` and `secret_access_key_env` (and \
                           `session_token_env`); `profile`; `access_key_id` and `secret_access_key_file`";
            notes.add(place, message.into());
            None
        }
    }
}

fn document(name: DocumentName) -> Document {
    match name {
        DocumentName::Policy => Document::Policy,
        DocumentName::PublicAccessBlock => Document::PublicAccessBlock,
        DocumentName::OwnershipControls => Document::OwnershipControls,
    }
}

fn versioning(name: VersioningName) -> Versioning {
    match name {
        VersioningName::Off => Versioning::Off,
        VersioningName::Enabled => Versioning::Enabled,
        VersioningName::Suspended => Versioning::Suspended,
    }
}

fn object_lock(name: ObjectLockName) -> ObjectLock {
    match name {
        ObjectLockName::Off => ObjectLock::Off,
        ObjectLockName::Enabled => ObjectLock::Enabled,
        ObjectLockName::Governance => ObjectLock::Governance,
        ObjectLockName::Compliance => ObjectLock::Compliance,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, LEAST};
    use super::*;

    fn parsed(lock: &str) -> Result<LockConfig, String> {
        let before = LEAST.replace("kind = \"memory\"", "kind = \"s3\"");
        let config = Config::parse(&format!("{before}{lock}"), Path::new("t.toml"), Path::new("/etc/tg"));
        config.map(|config| config.lock).map_err(|mistakes| mistakes[0].message.clone())
    }

    #[test]
    fn what_is_not_declared_is_not_required_and_all_documents_count() {
        assert_eq!(parsed(""), Ok(LockConfig::default()));
        let least = parsed("[lock]\n").unwrap();
        assert_eq!((least.require, least.terms.documents), (false, Document::ALL.into()));
        let whole = parsed(
            "[lock]\nrequire = true\nprincipals = [\"arn:aws:iam::123456789012:role/t\"]\nversioning = \"enabled\"\n\
             object_lock = \"governance\"\ndocuments = [\"policy\"]\n[lock.probe]\nprofile = \"analyst\"\n",
        )
        .unwrap();
        assert!(whole.require && whole.probe == Some(ProbeConfig::Profile("analyst".into())));
        assert_eq!(whole.terms.documents, [Document::Policy].into());
        assert_eq!(whole.terms.object_lock, Some(ObjectLock::Governance));
        let file = parsed("[lock.probe]\naccess_key_id = \"AK\"\nsecret_access_key_file = \"s\"\n").unwrap().probe;
        assert_eq!(file, Some(ProbeConfig::File { id: "AK".into(), secret: "/etc/tg/s".into() }));
    }

    #[test]
    fn mistakes_are_named() {
        for (lock, want) in [
            ("[lock]\nrequire = true\n", "[lock.probe]"),
            ("[lock]\nprincipals = [\"arn:aws:iam::123456789012:root\"]\n", "root user"),
            ("[lock]\nbreak_glass = [\"arn:aws:sts::123456789012:assumed-role/a/b\"]\n", "session"),
            ("[lock]\nsts_endpoint = \"sts\"\n", "URL"),
            ("[lock]\nversioning = \"on\"\n", "enabled"),
            ("[lock]\nsurprise = 1\n", "surprise"),
            ("[lock.probe]\nprofile = \"a\"\naccess_key_id = \"AK\"\n", "needs one of"),
            ("[lock.probe]\naccess_key_id_env = \"A\"\n", "needs one of"),
            ("[lock.probe]\nprofile = \"a\"\nsession_token_env = \"T\"\n", "needs one of"),
            ("[lock.probe]\n", "needs one of"),
        ] {
            let mistake = parsed(lock).unwrap_err();
            assert!(mistake.contains(want), "{lock}: {mistake}");
        }
        let many = vec!["\"arn:aws:iam::123456789012:role/t\""; limits::PRINCIPALS_MAX + 1].join(",");
        assert!(parsed(&format!("[lock]\nprincipals = [{many}]\n")).unwrap_err().contains("at most"));
        let memory = format!("{LEAST}[lock]\n");
        assert!(Config::parse(&memory, Path::new("t"), Path::new("/")).is_err());
    }

    #[test]
    fn the_probes_secret_is_read_where_it_is_used_and_never_printed() {
        let missing = ProbeConfig::Environment { id: "TG_NO_SUCH_VARIABLE".into(), secret: "X".into(), token: None };
        assert!(missing.read().unwrap_err().contains("$TG_NO_SUCH_VARIABLE"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let probe = ProbeConfig::File { id: "AK".into(), secret: file.clone() };
        assert!(probe.read().unwrap_err().contains("secret"));
        std::fs::write(&file, "hunter2hunter2\n").unwrap();
        let read = probe.read().unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
        let Credentials::Static { secret_access_key, .. } = read else { panic!("{read:?}") };
        assert_eq!(secret_access_key.expose(), "hunter2hunter2");
    }
}
