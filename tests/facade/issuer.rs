//! An identity provider of the tests' own: discovery, one key, and whatever token a test wants.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::PublicKeyData as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const AUDIENCE: &str = "tracegate-tests";

/// A running provider; it ends with the test's runtime.
pub(crate) struct Issuer {
    pub(crate) url: String,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        // An uncompressed point: 0x04, then x and y (SEC 1, 2.3.3).
        let (x, y) = pair.der_bytes()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "test", "x": x, "y": y });
        let served = Arc::new((
            json!({ "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"] }),
            json!({ "keys": [jwk] }),
        ));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(async |State(s): State<Served>| Json(s.0.clone())))
            .route("/jwks", get(async |State(s): State<Served>| Json(s.1.clone())))
            .with_state(served);
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, key: EncodingKey::from_ec_der(pair.serialized_der()) }
    }

    /// A token of somebody in these groups, good for an hour.
    pub(crate) fn token(&self, subject: &str, groups: &[&str]) -> String {
        self.token_with(subject, groups, json!({}))
    }

    /// The same with other claims, which replace those that a token has.
    pub(crate) fn token_with(&self, subject: &str, groups: &[&str], claims: Value) -> String {
        let now = Timestamp::now().as_second();
        let mut all = json!({ "iss": self.url, "aud": AUDIENCE, "sub": subject, "groups": groups,
            "iat": now, "exp": now + 3600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = Header { kid: Some("test".into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &all, &self.key).unwrap()
    }
}

type Served = Arc<(Value, Value)>;
