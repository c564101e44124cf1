//! Which role, and for how long.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::identity::jwks;
use crate::identity::oidc::verify;
use crate::identity::testing::{EC, book, claims, now, role, terms};
use crate::identity::token::{Jwt, UnverifiedToken};

const ISSUER: &str = "http://127.0.0.1:1/realm";

fn token(groups: serde_json::Value) -> VerifiedToken {
    let mut claims = claims(ISSUER);
    claims["groups"] = groups;
    claims["realm_access"] = json!({ "roles": ["deep"] });
    let token = UnverifiedToken::new(&EC.token(&claims)).unwrap();
    let keys = jwks::parse(json!({ "keys": [EC.jwk()] }).to_string().as_bytes()).unwrap();
    verify(&token, &Jwt::parse(&token).unwrap(), &keys[0], &terms(ISSUER), now()).unwrap()
}

fn after(seconds: u64) -> Timestamp {
    now() + Duration::from_secs(seconds)
}

#[test]
fn the_wanted_role_or_the_only_one() {
    let book = book(ISSUER);
    let chosen = |groups: serde_json::Value, wanted: Option<&str>| {
        let wanted = wanted.map(|name| name.parse().unwrap());
        choose(&token(groups), wanted.as_ref(), &book, now()).map(|terms| terms.name.to_string())
    };
    let name = |text: &str| -> RoleName { text.parse().unwrap() };
    assert_eq!(chosen(json!(["analysts"]), None), Ok("analyst".into()));
    assert_eq!(chosen(json!("analysts,admins"), Some("admin")), Ok("admin".into()));
    assert_eq!(chosen(json!(["x"]), None), Err(ExchangeError::NoRole));
    assert_eq!(chosen(json!(["x"]), Some("admin")), Err(ExchangeError::NoRole));
    let several = chosen(json!(["analysts", "admins"]), None).unwrap_err();
    assert_eq!(several.to_string(), "This token holds several roles, so the request must name one: admin, analyst.");
    let held = vec![name("analyst")];
    assert_eq!(chosen(json!(["analysts"]), Some("admin")), Err(ExchangeError::NotHeld { wanted: name("admin"), held }));
}

#[test]
fn all_of_a_bind_must_hold() {
    let bind = |issuer: &str, claims: &[(&str, &str)], subjects: &[&str]| Bind {
        issuer: issuer.into(),
        claims: claims.iter().map(|(path, value)| ((*path).to_owned(), vec![(*value).to_owned()])).collect(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
    };
    let token = token(json!(["analysts"]));
    assert!(admits(&bind(ISSUER, &[], &[]), &token));
    assert!(admits(&bind(ISSUER, &[("realm_access.roles", "deep"), ("groups", "analysts")], &["ada", "bob"]), &token));
    assert!(!admits(&bind(ISSUER, &[("realm_access.roles", "deep"), ("groups", "admins")], &[]), &token));
    assert!(!admits(&bind(ISSUER, &[("groups", "analyst")], &[]), &token));
    assert!(!admits(&bind(ISSUER, &[("missing", "")], &[]), &token));
    assert!(!admits(&bind(ISSUER, &[], &["bob"]), &token));
    assert!(!admits(&bind("https://other.example", &[], &[]), &token));
    assert!(!admits(&Bind { claims: BTreeMap::from([("groups".into(), vec![])]), ..bind(ISSUER, &[], &[]) }, &token));
}

#[test]
fn dead_roles_are_not_held() {
    let mut book = book(ISSUER);
    book.roles[1].expires = Some(now());
    assert_eq!(choose(&token(json!(["analysts"])), None, &book, now()).map(drop), Err(ExchangeError::NoRole));
}

#[test]
fn a_session_ends_with_whatever_ends_first() {
    let short = RoleTerms { max_session: Some(Duration::from_secs(1800)), ..role("r") };
    let dying = RoleTerms { expires: Some(after(100)), ..role("r") };
    let end = |asked: Option<u64>, terms: &RoleTerms, token_ends: u64| {
        session_end(asked.map(Duration::from_secs), terms, after(token_ends), now())
    };
    assert_eq!(end(None, &role("r"), 100_000), Ok(after(3600)));
    assert_eq!(end(Some(900), &role("r"), 100_000), Ok(after(900)));
    assert_eq!(end(Some(43_200), &role("r"), 100_000), Ok(after(43_200)));
    assert_eq!(end(Some(3600), &short, 100_000), Ok(after(1800)), "cut, because SDKs ask for an hour by themselves");
    assert_eq!(end(Some(3600), &role("r"), 600), Ok(after(600)), "never after the token, even under 900 seconds");
    assert_eq!(end(None, &dying, 3600), Ok(after(100)));
    assert_eq!(end(None, &role("r"), 0), Err(ExchangeError::Token(TokenError::Expired)), "the grace buys no session");
    for asked in [0, 899, 43_201, u64::MAX] {
        assert!(matches!(end(Some(asked), &role("r"), 100_000), Err(ExchangeError::Validation(_))), "{asked}");
    }
}

#[test]
fn session_names() {
    for text in ["ab", "a.b@c-d_e=f+g,h", &"x".repeat(64)] {
        assert!(SessionName::parse(text).is_some(), "{text}");
    }
    for text in ["", "a", "a b", "a/b", "<b>", "é1", &"x".repeat(65)] {
        assert!(SessionName::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_session_stands_while_a_bind_admits_by_what_admitted_it() {
    let bind = |claims: &[(&str, &[&str])], subjects: &[&str]| Bind {
        issuer: ISSUER.into(),
        claims: claims
            .iter()
            .map(|(path, all)| ((*path).to_owned(), all.iter().map(|v| (*v).into()).collect()))
            .collect(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
    };
    let terms = |binds: Vec<Bind>| RoleTerms { binds, ..role("analyst") };
    let groups = |all: &'static [&'static str]| bind(&[("groups", all)], &[]);
    let token = token(json!(["analysts", "staff", "golf"]));
    let issued_under = terms(vec![groups(&["analysts", "admins", "staff"]), groups(&["admins"])]);
    let admitted_by = admitting(&token, &issued_under);
    assert_eq!(admitted_by, Claims::from([("groups".into(), vec!["analysts".into(), "staff".into()])]));
    for (binds, stands) in [
        (issued_under.binds.clone(), true),
        (vec![groups(&["analysts"])], true),
        (vec![groups(&["admins"]), groups(&["staff", "more"])], true),
        (vec![bind(&[], &["ada"])], true),
        (vec![bind(&[], &[])], true),
        (vec![], false),
        (vec![groups(&["admins"])], false),
        (vec![groups(&["golf"])], false),
        (vec![bind(&[], &["bob"])], false),
        (vec![bind(&[("groups", &["staff"]), ("realm_access.roles", &["deep"])], &[])], false),
        (vec![Bind { issuer: "https://other.example".into(), ..groups(&["staff"]) }], false),
    ] {
        assert_eq!(still_admits(&terms(binds.clone()), ISSUER, "ada", &admitted_by), stands, "{binds:?}");
    }
}

#[test]
fn a_session_carries_a_few_of_the_values_that_admitted_it() {
    let all: Vec<String> = (0..100).map(|n| format!("group-{n}")).collect();
    let bind = |from: usize| Bind {
        issuer: ISSUER.into(),
        claims: BTreeMap::from([("groups".into(), all[from..].to_vec())]),
        subjects: Vec::new(),
    };
    let terms = RoleTerms { binds: vec![bind(0), bind(50)], ..role("analyst") };
    let admitted_by = admitting(&token(json!(all)), &terms);
    assert_eq!(admitted_by["groups"].len(), 2 * ADMITTING_VALUES_MAX);
    for bind in terms.binds {
        assert!(still_admits(&RoleTerms { binds: vec![bind], ..role("analyst") }, ISSUER, "ada", &admitted_by));
    }
}
