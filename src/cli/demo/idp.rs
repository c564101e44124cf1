//! The demo's identity provider: discovery, keys, and a token for whoever asks. It hands out any persona to anybody on
//! this machine, so it refuses to listen anywhere but on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::PublicKeyData as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The audience of its tokens.
pub const AUDIENCE: &str = "tracegate-demo";
/// How long its tokens are good, in seconds.
const TOKEN_SECONDS: i64 = 12 * 3600;

/// Somebody that the demo can be.
pub struct Persona {
    /// Its name, which is the token's subject.
    pub name: &'static str,
    /// Its groups, to which roles are bound.
    pub groups: &'static [&'static str],
    /// The role that it takes.
    pub role: &'static str,
    /// What it sees, for people.
    pub sees: &'static str,
    /// More claims.
    pub namespace: Option<&'static str>,
}

/// Everybody that the demo can be.
pub const PERSONAS: [Persona; 4] = [
    Persona {
        name: "alice",
        groups: &["trace-owners"],
        role: "trace-owner",
        sees: "every trace; only secrets are masked",
        namespace: None,
    },
    Persona {
        name: "bob",
        groups: &["sec-compliance"],
        role: "compliance-auditor",
        sees: "every trace; personal data and the models' logic masked",
        namespace: None,
    },
    Persona {
        name: "carol",
        groups: &["support"],
        role: "support-engineer",
        sees: "the last seven days, never model-A",
        namespace: None,
    },
    Persona {
        name: "dave",
        groups: &["data-science"],
        role: "data-scientist",
        sees: "the traces of model-B",
        namespace: Some("model-B"),
    },
];

/// A running provider.
pub struct Provider {
    signer: Arc<Signer>,
}

struct Signer {
    issuer: String,
    key: EncodingKey,
    jwk: Value,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Somebody wants it to listen where others could reach it.
    #[error("the demo's identity provider gives anybody any name: it listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The port is taken.
    #[error("the demo's identity provider cannot listen: {0}")]
    Io(#[from] std::io::Error),
    /// No key.
    #[error("the demo's identity provider has no key: {0}")]
    Key(#[from] rcgen::Error),
}

impl Provider {
    /// Starts it on a loopback address; port 0 takes a free one.
    pub async fn start(address: SocketAddr) -> Result<Self, ProviderError> {
        if !address.ip().is_loopback() {
            return Err(ProviderError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let signer = Arc::new(Signer::new(format!("http://{address}"))?);
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/token", get(token))
            .with_state(signer.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the demo's identity provider stopped");
            }
        });
        Ok(Self { signer })
    }

    /// Its issuer URL.
    pub fn issuer(&self) -> &str {
        &self.signer.issuer
    }

    /// A token for a persona.
    pub fn token(&self, persona: &Persona, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        self.signer.token(persona, now)
    }
}

impl Signer {
    fn new(issuer: String) -> Result<Self, rcgen::Error> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        // An uncompressed point: 0x04, then x and y (SEC 1, 2.3.3).
        let point = pair.der_bytes();
        let (x, y) = point[1..].split_at(point.len() / 2);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "demo", "x": text(x), "y": text(y) });
        Ok(Self { issuer, key: EncodingKey::from_ec_der(pair.serialized_der()), jwk })
    }

    fn token(&self, persona: &Persona, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let mut claims = json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": persona.name, "groups": persona.groups,
            "email": format!("{}@demo.example", persona.name),
            "iat": now.as_second(), "exp": now.as_second() + TOKEN_SECONDS,
        });
        if let Some(namespace) = persona.namespace {
            claims["namespace"] = json!(namespace);
        }
        let header = Header { kid: Some("demo".into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

async fn discovery(State(signer): State<Arc<Signer>>) -> Json<Value> {
    let issuer = &signer.issuer;
    Json(json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"),
        "id_token_signing_alg_values_supported": ["ES256"], "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
    }))
}

async fn keys(State(signer): State<Arc<Signer>>) -> Json<Value> {
    Json(json!({ "keys": [signer.jwk] }))
}

#[derive(Deserialize)]
struct Asked {
    user: String,
}

/// `GET /token?user=alice`: a token as text, for `curl`.
async fn token(State(signer): State<Arc<Signer>>, Query(asked): Query<Asked>) -> Result<String, (StatusCode, String)> {
    let persona = PERSONAS.iter().find(|persona| persona.name == asked.user);
    let persona =
        persona.ok_or_else(|| (StatusCode::NOT_FOUND, "the personas are alice, bob, carol and dave\n".to_owned()))?;
    signer.token(persona, Timestamp::now()).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_refuses_to_run_off_loopback() {
        let refused = Provider::start("0.0.0.0:0".parse().unwrap()).await.err().unwrap();
        assert!(matches!(refused, ProviderError::NotLoopback(_)));
        let provider = Provider::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert!(provider.issuer().starts_with("http://127.0.0.1:"));
    }

    #[test]
    fn its_key_verifies_its_tokens() {
        let signer = Signer::new("http://127.0.0.1:1".into()).unwrap();
        let token = signer.token(&PERSONAS[1], Timestamp::now()).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.jwk.clone()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap().claims;
        assert_eq!(claims["sub"], "bob");
        assert_eq!(claims["groups"], json!(["sec-compliance"]));
    }
}
