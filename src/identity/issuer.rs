//! An identity provider as configured: who it is, which of its tokens are for us, which claims may be believed.

use std::collections::BTreeSet;
use std::str::FromStr;

use jsonwebtoken::Algorithm;
use reqwest::Url;

/// A signature algorithm of tokens. Symmetric ones and `none` cannot be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them: what an issuer may use that names none.
    pub const ALL: [Self; 5] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];

    /// The name in a token's header (RFC 7518).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) fn verifier(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = TermsError;

    fn from_str(name: &str) -> Result<Self, TermsError> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name).ok_or_else(|| TermsError::Algorithm(name.to_owned()))
    }
}

/// What the configuration says of one issuer, before it is checked.
#[derive(Debug, Clone, Default)]
pub struct IssuerEntry {
    /// A short name for people and metrics.
    pub name: String,
    /// The issuer, exactly as in the `iss` of its tokens. `https`; `http` on loopback only, for demos and tests.
    pub issuer: String,
    /// A token must be for one of these.
    pub audiences: Vec<String>,
    /// Allowed signatures; empty allows all that we speak.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Where its keys are, if not where its discovery document says.
    pub jwks_uri: Option<String>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_pem: Option<String>,
    /// Claims (dotted paths) that its users cannot change, so that policies may put them into paths.
    pub immutable_claims: BTreeSet<String>,
    /// The claim that names a person for people, such as `email`.
    pub name_claim: Option<String>,
    /// Claims that list groups; a text there may be several, parted by commas.
    pub group_claims: BTreeSet<String>,
}

/// The terms on which an issuer's tokens are believed.
#[derive(Debug, Clone)]
pub struct IssuerTerms {
    entry: IssuerEntry,
    discovery: Url,
    jwks: Option<Url>,
    plain: bool,
}

/// Why an issuer cannot be used as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// An algorithm that we do not speak.
    #[error("unknown or unsafe signature algorithm {0:?}; known are RS256, PS256, ES256, ES384 and EdDSA")]
    Algorithm(String),
    /// No URL, or not `https`.
    #[error(
        "{0:?} must be an https URL without user, query or fragment (http only on loopback, for an issuer that is there, \
         too)"
    )]
    Url(String),
    /// No audience.
    #[error("issuer {0:?} needs at least one audience: without it, tokens for other services would open this one")]
    NoAudience(String),
    /// An audience that other services take, too.
    #[error(
        "audience {0:?} is shared with other services, whose operators could replay tokens here; choose one of your own"
    )]
    SharedAudience(String),
}

/// Audiences that tokens carry by default, for other services.
const SHARED_AUDIENCES: [&str; 6] = [
    "sts.amazonaws.com",
    "sts.googleapis.com",
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
    "api://AzureADTokenExchange",
    "account",
];

impl IssuerTerms {
    /// The terms of an entry, or why it is unsafe.
    pub fn new(entry: IssuerEntry) -> Result<Self, TermsError> {
        let issuer = endpoint(&entry.issuer, true)?;
        // Whoever speaks for an https issuer must not be able to send us to a plain port of our own machine.
        let plain = issuer.scheme() == "http";
        let jwks = entry.jwks_uri.as_deref().map(|uri| endpoint(uri, plain)).transpose()?;
        if entry.audiences.is_empty() || entry.audiences.iter().any(String::is_empty) {
            return Err(TermsError::NoAudience(entry.issuer));
        }
        let shared = |audience: &&String| SHARED_AUDIENCES.iter().any(|shared| audience.eq_ignore_ascii_case(shared));
        if let Some(audience) = entry.audiences.iter().find(shared) {
            return Err(TermsError::SharedAudience(audience.clone()));
        }
        // OpenID Connect Discovery 1.0, section 4: the path is appended to the issuer, whose final slash is dropped.
        let discovery = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
        let discovery = endpoint(&discovery, plain)?;
        Ok(Self { entry, discovery, jwks, plain })
    }

    /// A short name for people and metrics.
    pub fn name(&self) -> &str {
        &self.entry.name
    }
    /// The issuer, exactly as in `iss`.
    pub fn issuer(&self) -> &str {
        &self.entry.issuer
    }
    /// The audiences that are ours.
    pub fn audiences(&self) -> &[String] {
        &self.entry.audiences
    }
    /// Whether its tokens may be signed so.
    pub fn allows(&self, algorithm: SignatureAlgorithm) -> bool {
        self.entry.algorithms.is_empty() || self.entry.algorithms.contains(&algorithm)
    }
    /// Where its discovery document is.
    pub fn discovery_url(&self) -> &Url {
        &self.discovery
    }
    /// Where its keys are, if configured.
    pub fn jwks_url(&self) -> Option<&Url> {
        self.jwks.as_ref()
    }
    /// Certificates to trust instead of the system's.
    pub fn ca_pem(&self) -> Option<&str> {
        self.entry.ca_pem.as_deref()
    }
    /// Claims that policies may put into paths.
    pub fn immutable_claims(&self) -> &BTreeSet<String> {
        &self.entry.immutable_claims
    }
    /// The claim that names a person.
    pub fn name_claim(&self) -> Option<&str> {
        self.entry.name_claim.as_deref()
    }
    /// Claims that list groups.
    pub fn group_claims(&self) -> &BTreeSet<String> {
        &self.entry.group_claims
    }
    /// Whether the issuer itself is plain HTTP on loopback, so that its other addresses may be, too.
    pub fn is_plain(&self) -> bool {
        self.plain
    }
}

/// A URL that may be fetched: `https`, or `http` to a loopback address where that is allowed.
pub(super) fn endpoint(text: &str, plain_on_loopback: bool) -> Result<Url, TermsError> {
    let wrong = || TermsError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let safe = match url.scheme() {
        "https" => true,
        "http" => plain_on_loopback && is_loopback(&url),
        _ => false,
    };
    if bare && safe && url.host_str().is_some() { Ok(url) } else { Err(wrong()) }
}

/// Whether the URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(issuer: &str) -> IssuerEntry {
        IssuerEntry {
            name: "t".into(),
            issuer: issuer.into(),
            audiences: vec!["tracegate".into()],
            ..Default::default()
        }
    }

    #[test]
    fn issuers_are_https_or_loopback() {
        let check = |issuer: &str, plain: Option<bool>| {
            let terms = IssuerTerms::new(entry(issuer));
            assert_eq!(terms.ok().map(|terms| terms.is_plain()), plain, "{issuer}");
        };
        check("https://login.example.com/realm", Some(false));
        check("https://127.0.0.1:8443", Some(false));
        check("http://127.0.0.1:8080", Some(true));
        check("http://[::1]:8080/x", Some(true));
        check("http://localhost", Some(true));
        check("http://login.example.com", None);
        check("http://127.0.0.1.example.com", None);
        check("https://user@login.example.com", None);
        check("https://login.example.com/?a=b", None);
        check("file:///etc/passwd", None);
        check("login.example.com", None);
    }

    #[test]
    fn regression_an_https_issuer_has_no_address_on_plain_loopback() {
        let fine = |issuer: &str, jwks: &str| {
            IssuerTerms::new(IssuerEntry { jwks_uri: Some(jwks.into()), ..entry(issuer) }).is_ok()
        };
        assert!(fine("https://a.example", "https://keys.a.example/jwks"));
        assert!(!fine("https://a.example", "http://127.0.0.1:9000/jwks"));
        assert!(fine("http://127.0.0.1:9000", "http://127.0.0.1:9000/jwks"));
        let terms = IssuerTerms::new(entry("https://a.example")).unwrap();
        assert!(endpoint("http://127.0.0.1:9000/jwks", terms.is_plain()).is_err(), "nor one that discovery names");
    }

    #[test]
    fn shared_and_missing_audiences_are_refused() {
        let with = |audiences: &[&str]| {
            let audiences = audiences.iter().map(|text| (*text).to_owned()).collect();
            IssuerTerms::new(IssuerEntry { audiences, ..entry("https://a.example") }).err()
        };
        assert_eq!(with(&["tracegate"]), None);
        assert_eq!(with(&[]), Some(TermsError::NoAudience("https://a.example".into())));
        assert_eq!(with(&["x", "STS.amazonaws.com"]), Some(TermsError::SharedAudience("STS.amazonaws.com".into())));
    }

    #[test]
    fn discovery_keeps_the_issuers_path() {
        let at = |issuer: &str| IssuerTerms::new(entry(issuer)).unwrap().discovery_url().to_string();
        assert_eq!(at("https://a.example/realms/x"), "https://a.example/realms/x/.well-known/openid-configuration");
        assert_eq!(at("https://a.example/"), "https://a.example/.well-known/openid-configuration");
    }

    #[test]
    fn symmetric_algorithms_have_no_name() {
        for name in ["HS256", "none", "None", "RS1", ""] {
            assert!(name.parse::<SignatureAlgorithm>().is_err(), "{name}");
        }
        assert_eq!("EdDSA".parse(), Ok(SignatureAlgorithm::EdDsa));
    }
}
