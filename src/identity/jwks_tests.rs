//! Rotation, floods, outages and hostile key sets, against a provider on loopback.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::*;
use crate::identity::testing::{EC, ED, Idp, RSA, Signer, now};

async fn source(idp: &Idp) -> Arc<KeySource> {
    Arc::new(KeySource::new(idp.terms()).unwrap())
}

fn after(seconds: u64) -> Timestamp {
    now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn many_unknown_ids_cost_one_fetch() {
    let idp = Idp::start(&[&EC]).await;
    let source = source(&idp).await;
    let ask = |n: usize| {
        let source = source.clone();
        tokio::spawn(async move { source.key(Some(&format!("made-up-{n}")), now()).await.map(drop) })
    };
    for asked in (0..50).map(ask).collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), Err(TokenError::UnknownKey));
    }
    assert_eq!(idp.fetches(), 1);
    assert!(source.key(Some("ec"), after(9)).await.is_ok());
    assert_eq!(source.key(Some("other"), after(9)).await.map(drop), Err(TokenError::UnknownKey));
    assert_eq!(idp.fetches(), 1, "not twice within ten seconds");
    assert_eq!(source.key(Some("made-up-1"), after(20)).await.map(drop), Err(TokenError::UnknownKey));
    assert_eq!(idp.fetches(), 1, "what is known to be unknown asks nobody");
    assert_eq!(source.key(Some("made-up-1"), after(31)).await.map(drop), Err(TokenError::UnknownKey));
    assert_eq!(idp.fetches(), 2);
}

#[tokio::test]
async fn rotation_is_seen_once_by_all_and_removed_keys_are_gone() {
    let idp = Idp::start(&[&EC]).await;
    let source = source(&idp).await;
    let (_, first) = source.key(Some("ec"), now()).await.unwrap();
    idp.publish(&[&ED]);
    let ask = |_| {
        let source = source.clone();
        tokio::spawn(async move { source.key(Some("ed"), after(10)).await.map(|(_, generation)| generation) })
    };
    for asked in (0..20).map(ask).collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), Ok(first + 1));
    }
    assert_eq!(idp.fetches(), 2);
    assert!(!source.is_current(first, after(10)));
    assert_eq!(source.key(Some("ec"), after(11)).await.map(drop), Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn regression_a_key_asked_for_too_early_is_found_once_a_refresh_is_due() {
    let idp = Idp::start(&[&EC]).await;
    let source = source(&idp).await;
    assert!(source.key(Some("ec"), now()).await.is_ok());
    idp.publish(&[&EC, &ED]);
    assert_eq!(source.key(Some("ed"), after(9)).await.map(drop), Err(TokenError::UnknownKey));
    assert!(source.key(Some("ed"), after(10)).await.is_ok());
}

#[tokio::test]
async fn an_outage_keeps_the_last_good_set_for_a_day() {
    let idp = Idp::start(&[&EC]).await;
    let source = source(&idp).await;
    assert!(source.key(Some("ec"), now()).await.is_ok());
    idp.go_down();
    assert!(source.key(Some("ec"), after(3601)).await.is_ok());
    assert_eq!(idp.fetches(), 2, "it was asked, in vain");
    assert!(source.key(Some("ec"), after(3605)).await.is_ok());
    assert_eq!(idp.fetches(), 2, "and not asked again at once");
    assert!(source.key(Some("ec"), after(24 * 3600 - 1)).await.is_ok());
    assert_eq!(source.key(Some("ec"), after(24 * 3600)).await.map(drop), Err(TokenError::ProviderUnavailable));
    idp.publish(&[&EC]);
    assert!(source.key(Some("ec"), after(24 * 3600 + 10)).await.is_ok(), "and it comes back");
}

#[tokio::test]
async fn a_provider_that_never_answered_opens_nothing() {
    let idp = Idp::start(&[&EC]).await;
    idp.go_down();
    assert_eq!(source(&idp).await.key(Some("ec"), now()).await.map(drop), Err(TokenError::ProviderUnavailable));
}

#[tokio::test]
async fn tokens_without_a_key_id_need_a_set_of_one() {
    let idp = Idp::start(&[&EC]).await;
    let source = source(&idp).await;
    assert!(source.key(None, now()).await.is_ok());
    idp.publish(&[&EC, &ED]);
    assert_eq!(source.key(None, after(3600)).await.map(drop), Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn discovery_must_name_the_configured_issuer() {
    let idp = Idp::start(&[&EC]).await;
    let aliased = idp.issuer.replace("127.0.0.1", "localhost");
    let source = KeySource::new(crate::identity::testing::terms(&aliased)).unwrap();
    assert_eq!(source.key(Some("ec"), now()).await.map(drop), Err(TokenError::ProviderUnavailable));
    assert_eq!(idp.fetches(), 0);
}

#[test]
fn only_signature_keys_of_known_types_are_taken() {
    let taken = |keys: serde_json::Value| parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let algorithms = |signer: &Signer| taken(json!([signer.jwk()]))[0].algorithms.clone();
    assert_eq!(algorithms(&RSA), [SignatureAlgorithm::Rs256, SignatureAlgorithm::Ps256]);
    assert_eq!(algorithms(&EC), [SignatureAlgorithm::Es256]);
    assert_eq!(algorithms(&ED), [SignatureAlgorithm::EdDsa]);

    let changed = |name: &str, value: serde_json::Value| {
        let mut jwk = EC.jwk();
        jwk[name] = value;
        taken(json!([jwk])).len()
    };
    assert_eq!(changed("use", json!("enc")), 0);
    assert_eq!(changed("key_ops", json!(["sign"])), 0);
    assert_eq!(changed("key_ops", json!(["verify"])), 1);
    assert_eq!(changed("alg", json!("ES256")), 1);
    assert_eq!(changed("alg", json!("ES384")), 0);
    assert_eq!(changed("alg", json!("HS256")), 0);
    assert_eq!(changed("crv", json!("P-521")), 0);
    assert_eq!(changed("crv", json!("secp256k1")), 0);
    assert_eq!(changed("kty", json!("oct")), 0);
    assert_eq!(taken(json!([{ "kty": "oct", "k": "c2VjcmV0", "kid": "hs" }])).len(), 0);
    let mut bound = RSA.jwk();
    bound["alg"] = json!("PS256");
    assert_eq!(taken(json!([bound]))[0].algorithms, [SignatureAlgorithm::Ps256]);
}

#[test]
fn hostile_key_sets_are_refused() {
    let many: Vec<_> = (0..65).map(|_| EC.jwk()).collect();
    let twins = json!({ "keys": [EC.jwk(), Signer::new(Algorithm::ES256, "ec").jwk()] }).to_string();
    for body in [json!({ "keys": many }).to_string(), twins, "{}".into(), "[]".into(), "not json".into()] {
        assert!(parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(60)]);
    }
}
