//! The configuration: what was written ([`written`]) becomes what it means ([`Config`]), or every mistake with its line.
//!
//! The only reader of the configuration file and of the environment. It opens no socket and reaches no server;
//! files that it names (certificates, keys) are read where they are used.

pub mod lock;
pub mod written;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use crate::audit::journal::SpaceLeft;
use crate::limits;
use crate::s3::name::Bucket;
use lock::LockConfig;
use written::{Addressing, BackendKind, Written};

/// What a deployment serves, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// Plain HTTP listeners.
    pub http: Vec<SocketAddr>,
    /// HTTPS listeners; [`Config::tls`] is there if there are any.
    pub https: Vec<SocketAddr>,
    /// The listener of health, readiness and metrics.
    pub admin: Option<SocketAddr>,
    /// Host names below which a bucket may stand (`BUCKET.NAME`), for virtual-host style.
    pub host_names: Vec<String>,
    /// Peers that are believed when they say whose request it is, and that it came by https.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate and key, as PEM files.
    pub tls: Option<TlsFiles>,
    /// The real bucket.
    pub backend: BackendConfig,
    /// The buckets served, by their outside names.
    pub buckets: BTreeMap<Bucket, BucketConfig>,
    /// Who may say who somebody is.
    pub issuers: Vec<IssuerConfig>,
    /// The folder of the policy set.
    pub policies: PathBuf,
    /// The file of the key ring.
    pub keys: PathBuf,
    /// The log.
    pub log: LogConfig,
    /// Compressed objects as views show them.
    pub renderings: RenderingsConfig,
    /// The folder of the control store.
    pub control: PathBuf,
    /// Bounds that a deployment may set.
    pub bounds: Bounds,
    /// How the application logs.
    pub logging: Logging,
    /// How the real buckets must be locked.
    pub lock: LockConfig,
}

/// Certificate chain and private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The real bucket's server.
#[derive(Debug, Clone)]
pub enum BackendConfig {
    /// Anything that speaks S3.
    S3 {
        /// Where, if not at AWS.
        endpoint: Option<String>,
        /// Its region.
        region: String,
        /// `http://host/bucket/key` instead of `http://bucket.host/key`.
        path_style: bool,
        /// A CA that signs its certificate, PEM.
        ca: Option<PathBuf>,
        /// Access key id and the file that holds the secret; `None` is AWS's default chain.
        credentials: Option<(String, PathBuf)>,
    },
    /// In memory, seeded from a folder with one folder per bucket; for trying out.
    Memory {
        /// The folder.
        seed: Option<PathBuf>,
    },
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketConfig {
    /// What it is called at the backend.
    pub inside: String,
}

/// An issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The name by which policies call it.
    pub name: String,
    /// Its `iss`, exactly.
    pub url: String,
    /// Audiences of which a token must have one.
    pub audiences: Vec<String>,
    /// Algorithms that its keys may use.
    pub algorithms: Vec<String>,
    /// Where its keys are, if discovery does not tell.
    pub jwks: Option<String>,
    /// A CA that signs its certificate, PEM.
    pub ca: Option<PathBuf>,
    /// Claims that policies may use, because their subjects cannot change them.
    pub immutable_claims: Vec<String>,
    /// The claim that names a person to people.
    pub name_claim: Option<String>,
    /// Claims that list groups, where the issuer writes them as one text parted by commas.
    pub group_claims: Vec<String>,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Its folder.
    pub dir: PathBuf,
    /// Its name, which stands in every entry; one per replica.
    pub name: String,
    /// Age at which entries are removed.
    pub retention: Option<Duration>,
    /// When its disk's free space is too little.
    pub space: SpaceLeft,
}

/// Where compressed objects are kept as views show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderingsConfig {
    /// The folder of their files, which have no names.
    pub dir: PathBuf,
    /// What they may take together, in bytes.
    pub size: u64,
}

/// Bounds that a deployment may set; the defaults stand in [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most open connections of one listener.
    pub connections: usize,
    /// Most open connections of one client address, over all listeners; `trusted_proxies` are exempt.
    pub connections_per_address: usize,
    /// Time that a client has for its header block.
    pub header_timeout: Duration,
    /// Time that requests in flight have when the server stops.
    pub drain_timeout: Duration,
}

/// How the application logs (not the audit log).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// JSON lines instead of text.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug`.
    pub level: String,
}

/// A mistake in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 is the file as a whole.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.message),
        }
    }
}

impl Config {
    /// Reads a file. Relative paths in it start at its folder.
    pub fn load(file: &Path) -> Result<Self, Vec<Mistake>> {
        let whole = |message: String| vec![Mistake { file: file.into(), line: 0, message }];
        let text = std::fs::read_to_string(file).map_err(|error| whole(format!("cannot be read: {error}")))?;
        let base = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, file, base)
    }

    /// Reads a text that stands in `file`; relative paths in it start at `base`.
    pub fn parse(text: &str, file: &Path, base: &Path) -> Result<Self, Vec<Mistake>> {
        let mut notes = Notes { text, file, mistakes: Vec::new() };
        let written: Written = match toml::from_str(text) {
            Ok(written) => written,
            Err(error) => {
                notes.add(error.span(), error.message().to_owned());
                return Err(notes.mistakes);
            }
        };
        let config = meaning(written, base, &mut notes);
        if notes.mistakes.is_empty() { Ok(config) } else { Err(notes.mistakes) }
    }
}

/// Mistakes as they are found.
struct Notes<'a> {
    text: &'a str,
    file: &'a Path,
    mistakes: Vec<Mistake>,
}

impl Notes<'_> {
    fn add(&mut self, place: Option<Range<usize>>, message: String) {
        let line = place.map_or(0, |span| self.text[..span.start.min(self.text.len())].matches('\n').count() + 1);
        self.mistakes.push(Mistake { file: self.file.into(), line, message });
    }

    /// The value parsed, or a mistake at its place.
    fn parsed<T, E: fmt::Display>(
        &mut self,
        written: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(written.get_ref()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(Some(written.span()), format!("{:?}: {error}", written.get_ref()));
                None
            }
        }
    }
}

fn meaning(written: Written, base: &Path, notes: &mut Notes<'_>) -> Config {
    if *written.version.get_ref() != 1 {
        notes.add(Some(written.version.span()), "this program reads version 1".into());
    }
    let addresses = |list: &[Spanned<String>], notes: &mut Notes<'_>| -> Vec<SocketAddr> {
        list.iter().filter_map(|text| notes.parsed(text, str::parse)).collect()
    };
    let listen = written.listen;
    let http = addresses(&listen.http, notes);
    let https = addresses(&listen.https, notes);
    let admin = listen.admin.as_ref().and_then(|text| notes.parsed(text, str::parse));
    if http.is_empty() && https.is_empty() {
        notes.add(None, "[listen] names no listener: set `http` or `https` to a list of addresses".into());
    }
    let tls = written.tls.map(|tls| TlsFiles { certificate: base.join(tls.certificate), key: base.join(tls.key) });
    if !https.is_empty() && tls.is_none() {
        notes.add(None, "[listen] has `https`, but there is no [tls] with `certificate` and `key`".into());
    }
    let in_memory = matches!(written.backend.kind.get_ref(), BackendKind::Memory);
    let lock = lock::meaning(written.lock, in_memory, base, notes);
    let trusted_proxies = listen.trusted_proxies.iter().filter_map(|text| notes.parsed(text, network)).collect();
    Config {
        http,
        https,
        admin,
        host_names: listen.host_names,
        trusted_proxies,
        tls,
        backend: backend(written.backend, base, notes),
        buckets: buckets(written.bucket, notes),
        issuers: issuers(written.issuer, base, notes),
        policies: base.join(written.policies.dir),
        keys: base.join(written.keys.file),
        log: log(written.log, base, notes),
        renderings: renderings(written.renderings, base, notes),
        control: base.join(written.control.dir),
        bounds: bounds(&written.limits, notes),
        logging: logging(written.logging, notes),
        lock,
    }
}

fn backend(written: written::Backend, base: &Path, notes: &mut Notes<'_>) -> BackendConfig {
    let place = Some(written.kind.span());
    match written.kind.get_ref() {
        BackendKind::Memory => {
            let of_s3 = written.endpoint.is_some() || written.region.is_some() || written.access_key_id.is_some();
            if of_s3 {
                notes.add(place, "the embedded bucket (`memory`) has no endpoint, region or credentials".into());
            }
            BackendConfig::Memory { seed: written.seed.map(|dir| base.join(dir)) }
        }
        BackendKind::S3 => {
            if let Some(endpoint) = &written.endpoint {
                notes.parsed(endpoint, http_url);
            }
            if written.seed.is_some() {
                notes.add(place.clone(), "`seed` is for the embedded bucket (`memory`) only".into());
            }
            let credentials = match (written.access_key_id, written.secret_access_key_file) {
                (Some(id), Some(file)) => Some((id, base.join(file))),
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => {
                    let message = "[backend] needs `access_key_id` and `secret_access_key_file` together, or neither \
                                   (then AWS's default chain is used)";
                    notes.add(place, message.into());
                    None
                }
            };
            BackendConfig::S3 {
                endpoint: written.endpoint.map(Spanned::into_inner),
                region: written.region.unwrap_or_else(|| "us-east-1".to_owned()),
                path_style: matches!(written.addressing, Some(Addressing::Path)),
                ca: written.ca.map(|file| base.join(file)),
                credentials,
            }
        }
    }
}

fn buckets(written: Vec<written::BucketEntry>, notes: &mut Notes<'_>) -> BTreeMap<Bucket, BucketConfig> {
    let mut buckets = BTreeMap::new();
    for entry in written {
        let Some(name) = notes.parsed(&entry.name, str::parse::<Bucket>) else { continue };
        let inside = entry.backend.unwrap_or_else(|| name.to_string());
        if buckets.insert(name, BucketConfig { inside }).is_some() {
            notes.add(Some(entry.name.span()), "a bucket of that name stands above".into());
        }
    }
    if buckets.is_empty() {
        notes.add(
            None,
            "no [[bucket]] is served: add one with `name` (and `backend`, if it is called otherwise)".into(),
        );
    }
    buckets
}

fn issuers(written: Vec<written::Issuer>, base: &Path, notes: &mut Notes<'_>) -> Vec<IssuerConfig> {
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for entry in written {
        notes.parsed(&entry.url, http_url);
        if entry.audiences.get_ref().is_empty() {
            notes.add(Some(entry.audiences.span()), "an issuer needs at least one audience that is ours".into());
        }
        if entry.audiences.get_ref().iter().any(|audience| audience == "sts.amazonaws.com") {
            let message = "\"sts.amazonaws.com\" is everybody's audience: tokens made for AWS would open this service";
            notes.add(Some(entry.audiences.span()), message.into());
        }
        if issuers.iter().any(|earlier| earlier.name == entry.name || earlier.url == *entry.url.get_ref()) {
            notes.add(Some(entry.url.span()), "an issuer of that name or URL stands above".into());
        }
        issuers.push(IssuerConfig {
            name: entry.name,
            url: entry.url.into_inner(),
            audiences: entry.audiences.into_inner(),
            algorithms: entry.algorithms,
            jwks: entry.jwks,
            ca: entry.ca.map(|file| base.join(file)),
            immutable_claims: entry.immutable_claims,
            name_claim: entry.name_claim,
            group_claims: entry.group_claims,
        });
    }
    issuers
}

fn log(written: written::Log, base: &Path, notes: &mut Notes<'_>) -> LogConfig {
    let standard = SpaceLeft::default();
    let mut or = |text: &Option<Spanned<String>>, parse: fn(&str) -> Result<u64, &'static str>, default: u64| {
        text.as_ref().map_or(Some(default), |text| notes.parsed(text, parse))
    };
    let warn = or(&written.space_warn, size, standard.warn);
    let min = or(&written.space_min, space_min, standard.min);
    let space = SpaceLeft { warn: warn.unwrap_or(standard.warn), min: min.unwrap_or(standard.min) };
    if warn.is_some() && min.is_some() && space.warn < space.min {
        let place = written.space_warn.as_ref().or(written.space_min.as_ref()).map(Spanned::span);
        notes.add(place, "`space_warn` (4GiB unless set) must not be less than `space_min` (512MiB unless set)".into());
    }
    LogConfig {
        dir: base.join(written.dir),
        name: written.name,
        retention: written.retention.as_ref().and_then(|text| notes.parsed(text, duration)),
        space,
    }
}

fn renderings(written: written::Renderings, base: &Path, notes: &mut Notes<'_>) -> RenderingsConfig {
    let written_size = written.size.as_ref().and_then(|text| notes.parsed(text, size));
    RenderingsConfig {
        dir: written.dir.map_or_else(std::env::temp_dir, |dir| base.join(dir)),
        size: written_size.unwrap_or(limits::RENDERINGS_BYTES),
    }
}

fn bounds(written: &written::Limits, notes: &mut Notes<'_>) -> Bounds {
    let or = |text: &Option<Spanned<String>>, default: Duration, notes: &mut Notes<'_>| {
        text.as_ref().and_then(|text| notes.parsed(text, duration)).unwrap_or(default)
    };
    let most = |written: &Option<Spanned<usize>>, default: usize, notes: &mut Notes<'_>| {
        if let Some(none) = written.as_ref().filter(|most| *most.get_ref() == 0) {
            notes.add(Some(none.span()), "0 connections would serve nobody".into());
        }
        written.as_ref().map_or(default, |most| *most.get_ref())
    };
    let per_address = &written.max_connections_per_address;
    Bounds {
        connections: most(&written.connections, limits::CONNECTIONS_MAX, notes),
        connections_per_address: most(per_address, limits::CONNECTIONS_PER_ADDRESS_MAX, notes),
        header_timeout: or(&written.header_timeout, limits::HEADER_READ_TIMEOUT, notes),
        drain_timeout: or(&written.drain_timeout, limits::DRAIN_TIMEOUT, notes),
    }
}

fn logging(written: written::Logging, notes: &mut Notes<'_>) -> Logging {
    let level = notes.parsed(&written.level, |text| match text {
        "error" | "warn" | "info" | "debug" => Ok(text.to_owned()),
        _ => Err("must be error, warn, info or debug"),
    });
    Logging { json: matches!(written.format, written::LogFormat::Json), level: level.unwrap_or_default() }
}

/// A network, or an address as a network of one.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let single = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| single()).map_err(|_| "is neither a network (10.0.0.0/8) nor an address")
}

fn http_url(text: &str) -> Result<(), &'static str> {
    let sound = (text.starts_with("http://") || text.starts_with("https://")) && text.parse::<http::Uri>().is_ok();
    if sound { Ok(()) } else { Err("must be a URL that begins with http:// or https://") }
}

/// `30s`, `15m`, `12h`, `400d`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let wrong = "must be a whole number with s, m, h or d, such as \"15m\"";
    let unit = text.chars().next_back().ok_or(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(wrong)
}

/// `512MiB`, `4GiB`.
pub fn size(text: &str) -> Result<u64, &'static str> {
    let wrong = "must be a whole number with KiB, MiB, GiB or TiB, such as \"512MiB\"";
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1_u64 << 40)];
    let number = |(unit, bytes): (&str, u64)| Some((text.strip_suffix(unit)?, bytes));
    let (number, unit) = units.into_iter().find_map(number).ok_or(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong)?;
    number.checked_mul(unit).ok_or(wrong)
}

/// A size that leaves room for what the log needs to go on.
fn space_min(text: &str) -> Result<u64, &'static str> {
    let bytes = size(text)?;
    let enough = bytes >= limits::LOG_SPACE_FLOOR_BYTES;
    if enough { Ok(bytes) } else { Err("must be 64MiB or more: the log needs room for another segment") }
}

/// What tests begin with.
#[cfg(test)]
pub(crate) const LEAST: &str = include_str!("../tests/support/least.toml");
