//! `[lock]` as written.
#![expect(missing_docs, reason = "the keys are documented in tracegate.example.toml")]

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    pub require: bool,
    #[serde(default)]
    pub principals: Vec<Spanned<String>>,
    #[serde(default)]
    pub break_glass: Vec<Spanned<String>>,
    pub documents: Option<Vec<DocumentName>>,
    pub versioning: Option<VersioningName>,
    pub object_lock: Option<ObjectLockName>,
    pub sts_endpoint: Option<Spanned<String>>,
    pub probe: Option<Spanned<Probe>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub access_key_id_env: Option<String>,
    pub secret_access_key_env: Option<String>,
    pub session_token_env: Option<String>,
    pub profile: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentName {
    Policy,
    PublicAccessBlock,
    OwnershipControls,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersioningName {
    Off,
    Enabled,
    Suspended,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectLockName {
    Off,
    Enabled,
    Governance,
    Compliance,
}
