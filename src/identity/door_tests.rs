//! Which requests are for a door, and what it answers, word for word.

use std::time::Duration;

use super::*;
use crate::identity::testing::now;
use crate::identity::{Claims, Proof};

#[test]
fn doors() {
    let door = |method: Method, path: &str| Door::of(&method, path).map(|door| door.map_err(|refusal| refusal.code));
    assert_eq!(door(Method::POST, "/"), Some(Ok(Door::Sts)));
    assert_eq!(door(Method::GET, "/-/credentials"), Some(Ok(Door::Credentials { role: None })));
    assert_eq!(door(Method::GET, "/-/credentials/"), Some(Ok(Door::Credentials { role: None })));
    let role = Some("support".parse().unwrap());
    assert_eq!(door(Method::GET, "/-/credentials/support"), Some(Ok(Door::Credentials { role })));
    assert_eq!(door(Method::GET, "/-/whoami"), Some(Ok(Door::WhoAmI)));
    for (method, path) in
        [(Method::GET, "/"), (Method::GET, "/b/-/credentials"), (Method::POST, "/b"), (Method::GET, "/-x")]
    {
        assert_eq!(door(method, path), None, "{path}");
    }
    for path in ["/-", "/-/", "/-/x", "/-/credentialsx", "/-/credentials/A", "/-/credentials/a/b", "/-/whoami/"] {
        assert_eq!(door(Method::GET, path), Some(Err(Code::InvalidRequest)), "{path}");
    }
    for method in [Method::PUT, Method::POST, Method::HEAD, Method::DELETE] {
        assert_eq!(door(method, "/-/credentials"), Some(Err(Code::MethodNotAllowed)));
    }
}

#[test]
fn answers_word_for_word() {
    let issued = Issued {
        access_key_id: "ASIAABCDEFGHIJKLMNOP".into(),
        secret_access_key: SecretText::new("s3cr3t"),
        session_token: SecretText::new("v4.local.x"),
        expires: now(),
        role: "analyst".parse().unwrap(),
        subject: "ada".into(),
        name: None,
        issuer: "https://login.example".into(),
        audience: None,
        session_name: None,
        parent: "bearer-00".into(),
    };
    let reply = credentials(&issued);
    assert_eq!(
        (reply.status, reply.body.expose()),
        (
            200,
            r#"{"AccessKeyId":"ASIAABCDEFGHIJKLMNOP","SecretAccessKey":"s3cr3t","Token":"v4.local.x","Expiration":"2026-11-20T10:00:00Z","RoleArn":"arn:aws:iam::000000000000:role/analyst"}"#
        )
    );
    assert_eq!(format!("{reply:?}"), "Reply(200 application/json)");
    let reply = credentials_refused(&ExchangeError::Token(TokenError::Expired));
    assert_eq!(
        (reply.status, reply.body.expose()),
        (401, r#"{"code":"ExpiredToken","message":"The token has expired."}"#)
    );
    assert_eq!(credentials_refused(&ExchangeError::SlowDown).status, 429);
    assert_eq!(
        door_refused(&Refusal::new(Code::AccessDenied, "no")).body.expose(),
        r#"{"code":"AccessDenied","message":"no"}"#
    );
}

#[test]
fn whoami_tells_all_that_decides() {
    let identity = Identity {
        issuer: "https://login.example".into(),
        subject: "ada".into(),
        name: None,
        role: "analyst".parse().unwrap(),
        claims: Claims::from([("region".into(), vec!["eu".into()])]),
        session: "ASIAABCDEFGHIJKLMNOP".into(),
        session_name: Some("boto".into()),
        parent: None,
        issued: now(),
        expires: now() + Duration::from_secs(60),
        proof: Proof::Signature,
    };
    assert_eq!(
        whoami(&identity, &["traces/*"]).body.expose(),
        r#"{"subject":"ada","issuer":"https://login.example","role":"analyst","issued":"2026-11-20T10:00:00Z","expires":"2026-11-20T10:01:00Z","proof":"sigv4","session":"ASIAABCDEFGHIJKLMNOP","session_name":"boto","claims":{"region":["eu"]},"sees":["traces/*"]}"#
    );
}
