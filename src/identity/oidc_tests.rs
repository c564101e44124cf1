//! Hostile tokens, as data: each case changes one thing of a sound token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::*;
use crate::identity::jwks::parse;
use crate::identity::testing::{AUDIENCE, EC, EC384, ED, RSA, Signer, claims, now, terms};

const ISSUER: &str = "http://127.0.0.1:1/realm";

/// Verifies with the key that the token's `kid` names, among all our keys.
fn believe(token: &str) -> Result<VerifiedToken, TokenError> {
    let all: [&Signer; 4] = [&RSA, &EC, &EC384, &ED];
    let set = json!({ "keys": all.map(Signer::jwk) }).to_string();
    let keys = parse(set.as_bytes()).unwrap();
    let token = UnverifiedToken::new(token)?;
    let jwt = Jwt::parse(&token)?;
    let key = keys.iter().find(|key| key.id == jwt.key_id).ok_or(TokenError::UnknownKey)?;
    verify(&token, &jwt, key, &terms(ISSUER), now())
}

fn with(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, TokenError> {
    let mut claims = claims(ISSUER);
    change(&mut claims);
    believe(&EC.token(&claims))
}

fn with_header(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, TokenError> {
    let mut header = EC.header();
    change(&mut header);
    believe(&EC.sign(&header.to_string(), &claims(ISSUER).to_string()))
}

#[test]
fn sound_tokens_of_every_kind() {
    for signer in [&RSA, &EC, &EC384, &ED] {
        let token = believe(&signer.token(&claims(ISSUER))).unwrap();
        assert_eq!((token.subject(), token.issuer(), token.audience()), ("ada", ISSUER, AUDIENCE));
        assert_eq!(token.name.as_deref(), Some("ada@example.com"));
    }
    let message = {
        let header = json!({ "alg": "PS256", "kid": "rsa" }).to_string();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims(ISSUER).to_string()))
    };
    let signature = crypto::sign(message.as_bytes(), &RSA.key, Algorithm::PS256).unwrap();
    assert!(believe(&format!("{message}.{signature}")).is_ok());
}

#[test]
fn signatures_that_are_none() {
    let sound = EC.token(&claims(ISSUER));
    let (message, _) = sound.rsplit_once('.').unwrap();
    let unsigned = |alg: &str| {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": "ec" }).to_string());
        format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims(ISSUER).to_string()))
    };
    for alg in ["none", "None", "nOnE", "HS256", "ES256"] {
        assert_eq!(believe(&unsigned(alg)), Err(TokenError::Algorithm(alg.into())), "{alg}");
    }
    assert_eq!(believe(&format!("{message}.AAAA")), Err(TokenError::Signature));
    assert_eq!(believe(&format!("{message}.!!")), Err(TokenError::Signature));
    let other = Signer::new(Algorithm::ES256, "ec");
    assert_eq!(believe(&other.token(&claims(ISSUER))), Err(TokenError::Signature));
}

#[test]
fn the_key_chooses_the_algorithm() {
    // The classic confusion: the RSA public key, which everybody knows, as the secret of an HMAC.
    let public = RSA.jwk()["n"].as_str().unwrap().to_owned();
    let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(public).unwrap());
    for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let header = json!({ "alg": alg, "kid": "rsa" }).to_string();
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims(ISSUER).to_string()));
        let signature = crypto::sign(message.as_bytes(), &secret, alg).unwrap();
        assert!(matches!(believe(&format!("{message}.{signature}")), Err(TokenError::Algorithm(_))), "{alg:?}");
    }
    for alg in ["ES384", "RS256", "RS512", "PS512", "EdDSA", "ES256K"] {
        assert_eq!(with_header(|header| header["alg"] = json!(alg)), Err(TokenError::Algorithm(alg.into())), "{alg}");
    }
    assert!(matches!(with_header(|header| header["alg"] = json!(["ES256"])), Err(TokenError::Malformed(_))));
}

#[test]
fn headers_that_choose_the_key() {
    for name in ["jku", "x5u", "jwk", "crit", "zip", "enc"] {
        assert_eq!(with_header(|header| header[name] = json!("x")), Err(TokenError::Header(name)));
    }
    assert_eq!(with_header(|header| header["typ"] = json!("logout+jwt")), Err(TokenError::Header("typ")));
    assert!(with_header(|header| header["typ"] = json!("AT+JWT")).is_ok());
    assert!(with_header(|header| header["x5t"] = json!("x")).is_ok());
    assert_eq!(with_header(|header| header["kid"] = json!("unknown")), Err(TokenError::UnknownKey));
    assert!(matches!(with_header(|header| header["kid"] = json!(7)), Err(TokenError::Malformed(_))));
    assert!(matches!(with_header(|header| header["kid"] = json!("k".repeat(257))), Err(TokenError::Malformed(_))));
}

#[test]
fn required_claims_by_name_and_type() {
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let missing = with(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(missing, Err(TokenError::Claim(name)));
        for wrong in [json!(null), json!({}), json!(true), json!([[]])] {
            assert_eq!(with(|claims| claims[name] = wrong.clone()), Err(TokenError::Claim(name)), "{name} {wrong}");
        }
    }
    let soon = now().as_second() + 60;
    for name in ["exp", "iat", "nbf"] {
        assert_eq!(
            with(|claims| claims[name] = json!(soon.to_string())),
            Err(TokenError::Claim(name)),
            "a text is no time"
        );
        assert_eq!(with(|claims| claims[name] = json!(-1)), Err(TokenError::Claim(name)));
        assert_eq!(with(|claims| claims[name] = json!(1e300)), Err(TokenError::Claim(name)));
    }
    assert_eq!(with(|claims| claims["sub"] = json!("")), Err(TokenError::Claim("sub")));
    assert_eq!(with(|claims| claims["sub"] = json!("a\nb")), Err(TokenError::Claim("sub")));
    assert_eq!(with(|claims| claims["sub"] = json!("a".repeat(256))), Err(TokenError::Claim("sub")));
}

#[test]
fn issuer_and_audience() {
    for issuer in
        ["http://127.0.0.1:1/realm/", "http://127.0.0.1:1", "HTTP://127.0.0.1:1/realm", "https://evil.example"]
    {
        assert_eq!(with(|claims| claims["iss"] = json!(issuer)), Err(TokenError::Issuer), "{issuer}");
    }
    for audience in [json!("other"), json!(["other"]), json!([]), json!(""), json!("tracegate-test ")] {
        assert_eq!(with(|claims| claims["aud"] = audience.clone()), Err(TokenError::Audience), "{audience}");
    }
    assert_eq!(with(|claims| claims["aud"] = json!([AUDIENCE, 7])), Err(TokenError::Claim("aud")));
    assert_eq!(with(|claims| claims["aud"] = json!(["x", "second-audience"])).unwrap().audience(), "second-audience");
}

#[test]
fn times_with_a_minute_of_grace() {
    let now = now().as_second();
    let at = |iat: i64, nbf: Option<i64>, exp: i64| {
        with(|claims| {
            (claims["iat"], claims["exp"]) = (json!(now + iat), json!(now + exp));
            if let Some(nbf) = nbf {
                claims["nbf"] = json!(now + nbf);
            }
        })
        .err()
    };
    assert_eq!(at(-10, None, 3600), None);
    assert_eq!(at(60, None, 3600), None);
    assert_eq!(at(61, None, 3600), Some(TokenError::NotYet));
    assert_eq!(at(-10, Some(60), 3600), None);
    assert_eq!(at(-10, Some(61), 3600), Some(TokenError::NotYet));
    assert_eq!(at(-600, None, -59), None);
    assert_eq!(at(-600, None, -60), Some(TokenError::Expired));
    assert_eq!(at(0, None, 86_400), None);
    assert_eq!(at(0, None, 86_401), Some(TokenError::TooLong));
    assert_eq!(at(30, None, 30), Some(TokenError::Claim("exp")), "it must have a life");
    assert!(with(|claims| claims["exp"] = json!(now as f64 + 60.5)).is_ok(), "NumericDate may have a fraction");
}

#[test]
fn names_that_stand_twice() {
    let sound = claims(ISSUER).to_string();
    for extra in [r#""aud":["tracegate-test"],"#, r#""sub":"root","#, r#""gr\u006fups":["admins"],"#] {
        let doubled = sound.replacen('{', &format!("{{{extra}"), 1);
        assert!(
            matches!(believe(&EC.sign(&EC.header().to_string(), &doubled)), Err(TokenError::Malformed(_))),
            "{extra}"
        );
    }
    let header = r#"{"alg":"ES256","alg":"ES256","kid":"ec"}"#;
    assert!(matches!(believe(&EC.sign(header, &sound)), Err(TokenError::Malformed(_))));
}

#[test]
fn groups() {
    let groups = |count: usize| json!((0..count).map(|n| format!("g{n}")).collect::<Vec<_>>());
    assert_eq!(with(|claims| claims["groups"] = groups(250)).unwrap().values("groups").len(), 250);
    assert!(with(|claims| claims["groups"] = groups(1000)).is_ok());
    // Only the largest of these fits under the cap on tokens, so it needs short names.
    let many = json!((0..1001).map(|_| "g").collect::<Vec<_>>());
    assert_eq!(with(|claims| claims["groups"] = many), Err(TokenError::TooManyGroups));
    let commas = with(|claims| claims["groups"] = json!("a, b,,c")).unwrap();
    assert_eq!(commas.values("groups"), ["a", "b", "c"]);
    assert_eq!(with(|claims| claims["region"] = json!("a,b")).unwrap().values("region"), ["a,b"], "only group claims");
    for (name, value) in
        [("_claim_names", json!({"groups": "src1"})), ("hasgroups", json!(true)), ("groups:src1", json!("x"))]
    {
        assert_eq!(with(|claims| claims[name] = value), Err(TokenError::Overage), "{name}");
    }
}

#[test]
fn only_immutable_claims_reach_policies() {
    let token = with(|_| {}).unwrap();
    let wanted = ["region".to_owned(), "email".to_owned(), "missing".to_owned()];
    assert_eq!(token.usable(&wanted), Claims::from([("region".to_owned(), vec!["eu".to_owned()])]));
}

#[test]
fn texts_that_are_no_tokens() {
    for text in [
        "",
        " ",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "e30.e30.",
        "e30.W10.AA",
        "eyJhbGciOiJFUzI1NiJ9.bm8.AA",
        "a b.c.d",
    ] {
        let got = believe(text);
        assert!(matches!(got, Err(TokenError::Malformed(_) | TokenError::Algorithm(_))), "{text}: {got:?}");
    }
    assert!(believe(&"a".repeat(20_001)).is_err());
}
