//! The configuration file as written: TOML, unknown keys are errors. What it means stands in the parent.
#![expect(missing_docs, reason = "the keys are documented in tracegate.example.toml")]

pub mod lock;

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub version: Spanned<u32>,
    pub listen: Listen,
    pub tls: Option<Tls>,
    pub backend: Backend,
    #[serde(default)]
    pub bucket: Vec<BucketEntry>,
    #[serde(default)]
    pub issuer: Vec<Issuer>,
    pub policies: Folder,
    pub keys: File,
    pub log: Log,
    #[serde(default)]
    pub renderings: Renderings,
    pub control: Folder,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub logging: Logging,
    pub lock: Option<lock::Lock>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    #[serde(default)]
    pub http: Vec<Spanned<String>>,
    #[serde(default)]
    pub https: Vec<Spanned<String>>,
    pub admin: Option<Spanned<String>>,
    #[serde(default)]
    pub host_names: Vec<String>,
    #[serde(default)]
    pub trusted_proxies: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub kind: Spanned<BackendKind>,
    pub endpoint: Option<Spanned<String>>,
    pub region: Option<String>,
    pub addressing: Option<Addressing>,
    pub ca: Option<PathBuf>,
    pub access_key_id: Option<String>,
    pub secret_access_key_file: Option<PathBuf>,
    pub seed: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    S3,
    Memory,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addressing {
    #[default]
    Virtual,
    Path,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketEntry {
    pub name: Spanned<String>,
    pub backend: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    pub name: String,
    pub url: Spanned<String>,
    pub audiences: Spanned<Vec<String>>,
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    pub jwks: Option<String>,
    pub ca: Option<PathBuf>,
    #[serde(default)]
    pub immutable_claims: Vec<String>,
    pub name_claim: Option<String>,
    /// Empty unless set: where users may name their groups, a comma in a name would be a way into other groups.
    #[serde(default)]
    pub group_claims: Vec<String>,
}

fn algorithms() -> Vec<String> {
    ["RS256", "PS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    pub dir: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub dir: PathBuf,
    pub name: String,
    pub retention: Option<Spanned<String>>,
    pub space_warn: Option<Spanned<String>>,
    pub space_min: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renderings {
    pub dir: Option<PathBuf>,
    pub size: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub connections: Option<Spanned<usize>>,
    pub max_connections_per_address: Option<Spanned<usize>>,
    pub header_timeout: Option<Spanned<String>>,
    pub drain_timeout: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    #[serde(default)]
    pub format: LogFormat,
    #[serde(default = "level")]
    pub level: Spanned<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: level() }
    }
}

fn level() -> Spanned<String> {
    Spanned::new(0..0, "info".to_owned())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}
