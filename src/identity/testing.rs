//! What the tests of this folder share: an identity provider on loopback, its keys, and tokens made to order.

#![expect(clippy::wildcard_enum_match_arm, reason = "the algorithms are another crate's, and most have no key here")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::issuer::{IssuerEntry, IssuerTerms};
use super::revocation::Revocations;
use super::revocation_log::RevocationLog;
use super::roles::{Bind, RoleBook, RoleTerms};
use crate::keyring::KeyRing;

pub(super) const AUDIENCE: &str = "tracegate-test";

/// The moment at which all tests happen.
pub(super) fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// A key pair of a provider.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) key: EncodingKey,
    pub(super) kid: String,
    public: Value,
}

pub(super) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::RS256, "rsa"));
pub(super) static EC: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::ES256, "ec"));
pub(super) static EC384: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::ES384, "ec384"));
pub(super) static ED: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::EdDSA, "ed"));

impl Signer {
    pub(super) fn new(algorithm: Algorithm, kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(match algorithm {
            Algorithm::RS256 => &rcgen::PKCS_RSA_SHA256,
            Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => &rcgen::PKCS_ED25519,
        })
        .unwrap();
        let private = pair.serialize_der();
        let key = match algorithm {
            // The private key inside of PKCS#8 begins behind a head of 26 bytes.
            Algorithm::RS256 => EncodingKey::from_rsa_der(&private[26..]),
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_der(&private),
            Algorithm::EdDSA => EncodingKey::from_ed_der(&private),
            _ => panic!("no test key for {algorithm:?}"),
        };
        let public = if algorithm == Algorithm::EdDSA {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw()) })
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap()
        };
        Self { algorithm, key, kid: kid.to_owned(), public }
    }

    /// The public key, as a member of a key set.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(super) fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.algorithm, "kid": self.kid })
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of these texts, whatever they say.
    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// Sound claims of that issuer.
pub(super) fn claims(issuer: &str) -> Value {
    let now = now().as_second();
    json!({
        "iss": issuer, "sub": "ada", "aud": AUDIENCE, "iat": now - 10, "exp": now + 3600,
        "groups": ["analysts"], "region": "eu", "email": "ada@example.com"
    })
}

/// An identity provider on loopback.
pub(super) struct Idp {
    pub(super) issuer: String,
    state: Arc<IdpState>,
}

struct IdpState {
    issuer: String,
    keys: Mutex<Option<String>>,
    fetches: AtomicUsize,
}

impl Idp {
    pub(super) async fn start(keys: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(IdpState { issuer: issuer.clone(), keys: Mutex::new(None), fetches: AtomicUsize::new(0) });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(key_set))
            .with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let idp = Self { issuer, state };
        idp.publish(keys);
        idp
    }

    /// Lists these keys from now on.
    pub(super) fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        *self.state.keys.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    /// Answers 500 from now on.
    pub(super) fn go_down(&self) {
        *self.state.keys.lock().unwrap() = None;
    }

    /// How often the key set was asked for.
    pub(super) fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    pub(super) fn terms(&self) -> IssuerTerms {
        terms(&self.issuer)
    }
}

async fn discovery(State(state): State<Arc<IdpState>>) -> String {
    json!({ "issuer": state.issuer, "jwks_uri": format!("{}/keys", state.issuer) }).to_string()
}

async fn key_set(State(state): State<Arc<IdpState>>) -> Result<String, StatusCode> {
    state.fetches.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    state.keys.lock().unwrap().clone().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn terms(issuer: &str) -> IssuerTerms {
    IssuerTerms::new(IssuerEntry {
        name: "test".into(),
        issuer: issuer.into(),
        audiences: vec![AUDIENCE.into(), "second-audience".into()],
        immutable_claims: BTreeSet::from(["region".to_owned()]),
        name_claim: Some("email".into()),
        group_claims: BTreeSet::from(["groups".to_owned()]),
        ..IssuerEntry::default()
    })
    .unwrap()
}

pub(super) fn role(name: &str) -> RoleTerms {
    RoleTerms {
        name: name.parse().unwrap(),
        max_session: None,
        expires: None,
        presign: None,
        exclusive: false,
        binds: Vec::new(),
        claims_used: BTreeSet::from(["region".to_owned(), "email".to_owned()]),
    }
}

/// Two roles: `analyst` for the group `analysts`, `admin` for the group `admins`.
pub(super) fn book(issuer: &str) -> RoleBook {
    let bound = |name: &str, group: &str| RoleTerms {
        binds: vec![Bind {
            issuer: issuer.to_owned(),
            claims: BTreeMap::from([("groups".to_owned(), vec![group.to_owned()])]),
            subjects: Vec::new(),
        }],
        ..role(name)
    };
    RoleBook { roles: vec![bound("admin", "admins"), bound("analyst", "analysts")], static_tokens: Vec::new() }
}

pub(super) fn ring() -> Arc<ArcSwap<KeyRing>> {
    Arc::new(ArcSwap::from_pointee(KeyRing::ephemeral()))
}

/// A founded log in memory, and a reader that has read it.
pub(super) async fn revocations(ring: Arc<ArcSwap<KeyRing>>) -> (RevocationLog, Arc<Revocations>) {
    let log = RevocationLog::new(Arc::new(InMemory::new()), ring);
    assert!(log.found("test", now()).await.unwrap());
    let revocations = Arc::new(Revocations::new(log.clone()));
    revocations.poll(now()).await.unwrap();
    (log, revocations)
}
