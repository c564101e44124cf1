//! The keys of one issuer: fetched, kept, fetched anew when a token names one that we do not know.
//!
//! A flood of made-up key ids costs the issuer one request per ten seconds at most: refreshes are single-flight and
//! spaced, and unknown ids are remembered for a while. Keys outlive an outage of the issuer by up to a day; a key that
//! the issuer no longer lists is gone at the next refresh.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use moka::sync::Cache;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::fetch::{Fetch, FetchError};
use super::issuer::{IssuerTerms, SignatureAlgorithm};
use super::oidc::TokenError;
use crate::limits::{
    JWKS_KEYS_MAX, JWKS_MAX_AGE, JWKS_REFRESH_MIN, JWKS_STALE_MAX, JWKS_UNKNOWN_KIDS_MAX, JWKS_UNKNOWN_TTL,
};

/// A public key of an issuer, with the algorithms that its type allows.
#[derive(Debug, Clone)]
pub struct Key {
    /// `kid`.
    pub(super) id: Option<String>,
    /// Which signatures it may check; decided by the key, not by the token.
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    /// The key itself.
    pub(super) verifier: DecodingKey,
}

/// The keys as fetched at one time.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    fetched: Timestamp,
    generation: u64,
}

/// One issuer's keys.
#[derive(Debug)]
pub struct KeySource {
    terms: IssuerTerms,
    fetch: Fetch,
    current: ArcSwapOption<KeySet>,
    /// When the last refresh was tried. Holding it is the right to refresh.
    refresh: Mutex<Option<Timestamp>>,
    unknown: Cache<String, Timestamp>,
}

impl KeySource {
    /// A source without keys yet; the first token fetches them.
    pub fn new(terms: IssuerTerms) -> Result<Self, FetchError> {
        let fetch = Fetch::new(terms.ca_pem(), terms.is_plain())?;
        let unknown = Cache::builder().max_capacity(JWKS_UNKNOWN_KIDS_MAX).build();
        Ok(Self { terms, fetch, current: ArcSwapOption::empty(), refresh: Mutex::new(None), unknown })
    }

    /// The issuer.
    pub fn terms(&self) -> &IssuerTerms {
        &self.terms
    }

    /// The key with that id, or the only key if the token names none and the set has no other; with the generation of
    /// the set that it comes from.
    pub(super) async fn key(&self, id: Option<&str>, now: Timestamp) -> Result<(Key, u64), TokenError> {
        let current = self.current.load_full().filter(|set| age(set.fetched, now) < JWKS_MAX_AGE);
        if let Some(set) = &current {
            if let Some(key) = set.find(id) {
                return Ok((key, set.generation));
            }
            let known_unknown =
                id.and_then(|id| self.unknown.get(id)).is_some_and(|at| age(at, now) < JWKS_UNKNOWN_TTL);
            if known_unknown {
                return Err(TokenError::UnknownKey);
            }
        }
        let seen = current.map(|set| set.generation);
        self.refresh(seen, now).await;
        let set = self.current.load_full().filter(|set| age(set.fetched, now) < JWKS_STALE_MAX);
        let set = set.ok_or(TokenError::ProviderUnavailable)?;
        if let Some(key) = set.find(id) {
            return Ok((key, set.generation));
        }
        // Only a set that is newer than the one looked at first tells that the id is unknown: within the shortest time
        // between two refreshes nothing was fetched, and a key of this moment may be in the next set.
        if let Some(id) = id
            && Some(set.generation) != seen
        {
            self.unknown.insert(id.to_owned(), now);
        }
        Err(TokenError::UnknownKey)
    }

    /// Whether what was verified with that generation's keys still stands.
    pub(super) fn is_current(&self, generation: u64, now: Timestamp) -> bool {
        let current = self.current.load();
        current.as_ref().is_some_and(|set| set.generation == generation && age(set.fetched, now) < JWKS_MAX_AGE)
    }

    /// Fetches the keys, unless somebody else did since the caller looked, or it was tried a moment ago.
    async fn refresh(&self, seen: Option<u64>, now: Timestamp) {
        let mut tried = self.refresh.lock().await;
        let fresh = self.current.load_full().filter(|set| age(set.fetched, now) < JWKS_MAX_AGE);
        let somebody_did = fresh.as_ref().is_some_and(|set| Some(set.generation) != seen);
        if somebody_did || tried.is_some_and(|at| age(at, now) < JWKS_REFRESH_MIN) {
            return;
        }
        *tried = Some(now);
        match self.fetch_keys().await {
            Ok(keys) => {
                let generation = self.current.load().as_ref().map_or(1, |set| set.generation + 1);
                self.current.store(Some(Arc::new(KeySet { keys, fetched: now, generation })));
            }
            Err(error) => tracing::warn!(issuer = self.terms.name(), %error, "the issuer's keys could not be fetched"),
        }
    }

    async fn fetch_keys(&self) -> Result<Vec<Key>, FetchError> {
        let url = match self.terms.jwks_url() {
            Some(url) => url.clone(),
            None => self.fetch.discover(&self.terms).await?.jwks_url(&self.terms)?,
        };
        let keys = parse(&self.fetch.get(&url).await?)?;
        if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
    }
}

impl KeySet {
    fn find(&self, id: Option<&str>) -> Option<Key> {
        match (id, &self.keys[..]) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

/// A member of a key set (RFC 7517), as far as it concerns us.
#[derive(Deserialize)]
struct WireKey {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct WireSet {
    keys: Vec<WireKey>,
}

/// The keys of a set that can verify signatures of ours. Symmetric keys, encryption keys and unknown types are left
/// out, as RFC 7517 section 5 asks; a set whose ids are ambiguous is refused.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Key>, FetchError> {
    let set: WireSet = serde_json::from_slice(body).map_err(|_| FetchError::Unreadable("key set"))?;
    if set.keys.len() > JWKS_KEYS_MAX {
        return Err(FetchError::Unreadable("key set with so many keys"));
    }
    let keys: Vec<Key> = set.keys.into_iter().filter_map(WireKey::into_key).collect();
    let doubled = (1..keys.len()).any(|at| keys[at].id.is_some() && keys[..at].iter().any(|key| key.id == keys[at].id));
    if doubled { Err(FetchError::Unreadable("key set in which an id stands twice")) } else { Ok(keys) }
}

impl WireKey {
    fn into_key(self) -> Option<Key> {
        use SignatureAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        let (mut algorithms, verifier) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (vec![Rs256, Ps256], DecodingKey::from_rsa_components(self.n.as_ref()?, self.e.as_ref()?)),
            ("EC", Some("P-256")) => (vec![Es256], DecodingKey::from_ec_components(self.x.as_ref()?, self.y.as_ref()?)),
            ("EC", Some("P-384")) => (vec![Es384], DecodingKey::from_ec_components(self.x.as_ref()?, self.y.as_ref()?)),
            ("OKP", Some("Ed25519")) => (vec![EdDsa], DecodingKey::from_ed_components(self.x.as_ref()?)),
            _ => return None,
        };
        if let Some(only) = &self.alg {
            algorithms.retain(|algorithm| algorithm.as_str() == only);
        }
        let verifier = verifier.ok().filter(|_| !algorithms.is_empty())?;
        Some(Key { id: self.kid, algorithms, verifier })
    }
}

/// Time from then to now; a clock that went back counts as no time.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
