//! Signatures and sessions: what must hold of a signed request before anything is asked of the bucket.

use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::facade::Facade;
use super::signing::{How, Session};
use super::wire::{Answer, Ask};

const OBJECT: &str = "/traces/a.txt";

async fn with_object() -> Facade {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    facade
}

/// One request signed in headers, then presigned; `how` is changed for both.
async fn both(facade: &Facade, session: &Session, ask: &Ask, how: &How) -> [Answer; 2] {
    [facade.send(session.sign_so(ask.clone(), how)).await, facade.send(session.presign_so(ask.clone(), how)).await]
}

fn check(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{what}: {}", answer.text());
    assert!(!answer.text().contains("hello"), "{what}");
}

#[tokio::test]
async fn a_session_reads_by_header_and_by_presigned_url() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    let ask = facade.ask("GET", OBJECT).with("x-amz-checksum-mode", "ENABLED");
    for answer in both(&facade, &session, &ask, &How::default()).await {
        assert_eq!((answer.status, answer.text()), (200, "hello"));
    }
}

#[tokio::test]
async fn an_unsigned_amz_header_is_refused() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    for name in ["x-amz-copy-source", "x-amz-acl", "x-amz-meta-a", "x-amz-checksum-mode"] {
        let how = How { unsigned: vec![name], ..How::default() };
        for answer in both(&facade, &session, &facade.ask("GET", OBJECT).with(name, "x"), &how).await {
            check(&answer, 403, "AccessDenied", name);
            assert!(answer.text().contains(name), "it says which: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn an_unsigned_host_is_refused() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    let how = How { unsigned: vec!["host"], ..How::default() };
    let ask = facade.ask("GET", OBJECT).with("x-amz-checksum-mode", "ENABLED");
    for answer in both(&facade, &session, &ask, &how).await {
        check(&answer, 403, "AccessDenied", "host");
    }
}

#[tokio::test]
async fn every_form_of_signature_version_2_and_4a_is_refused() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    for ask in [
        Ask::get(OBJECT).with("authorization", format!("AWS {}:c2lnbmF0dXJl", session.id)),
        Ask::get(format!("{OBJECT}?AWSAccessKeyId={}&Expires=4000000000&Signature=c2ln", session.id)),
        Ask::get(format!("{OBJECT}?Signature=c2ln&Expires=4000000000")),
        Ask::get(format!("{OBJECT}?awsaccesskeyid={}", session.id)),
        Ask::get(OBJECT).with("authorization", "Basic dXNlcjpwYXNz"),
        Ask::get(OBJECT).with("authorization", "Digest username=x"),
    ] {
        check(&facade.send(ask.clone()).await, 400, "InvalidRequest", &ask.target);
    }
    let how = How { algorithm: "AWS4-ECDSA-P256-SHA256", ..How::default() };
    for answer in both(&facade, &session, &facade.ask("GET", OBJECT), &how).await {
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_presigned_url_lives_no_longer_than_it_may() {
    let facade = with_object().await;
    let (raw, narrow) = (facade.session("raw").await, facade.session("narrow").await);
    for (session, expires, status, code) in [
        (&raw, "3600", 200, ""),
        (&raw, "3601", 403, "AccessDenied"),
        (&raw, "604800", 403, "AccessDenied"),
        (&raw, "604801", 400, "AuthorizationHeaderMalformed"),
        (&raw, "4294967295", 400, "AuthorizationHeaderMalformed"),
        (&raw, "99999999999999999999", 400, "AuthorizationHeaderMalformed"),
        (&raw, "0", 400, "AuthorizationHeaderMalformed"),
        (&raw, "-1", 400, "AuthorizationHeaderMalformed"),
        (&raw, "+5", 400, "AuthorizationHeaderMalformed"),
        (&raw, "", 400, "AuthorizationHeaderMalformed"),
        (&narrow, "60", 403, "AccessDenied"),
    ] {
        let how = How { expires: expires.into(), ..How::default() };
        let answer = facade.send(session.presign_so(facade.ask("GET", OBJECT), &how)).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{expires}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_presigned_url_does_not_outlive_its_session() {
    let facade = with_object().await;
    let ends = Timestamp::now().as_second() + 2;
    let token = facade.issuer.token_with("short", &["raw"], json!({ "exp": ends }));
    let answer = facade.send(Ask::get("/-/credentials").bearer(&token)).await;
    let keys = answer.json();
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    let session = Session { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: text("Token") };
    let expires: Timestamp = text("Expiration").parse().unwrap();
    assert_eq!(expires.as_second(), ends, "a session ends with the token that it was exchanged for");

    let ask = session.presign(facade.ask("GET", OBJECT));
    assert_eq!(facade.send(ask.clone()).await.status, 200);
    while Timestamp::now() < expires {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    check(&facade.send(ask).await, 400, "ExpiredToken", "presigned");
    check(&facade.send(session.sign(facade.ask("GET", OBJECT))).await, 400, "ExpiredToken", "signed");
}

#[tokio::test]
async fn a_scope_is_good_for_its_service_only() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    for service in ["sts", "iam", "s3express", ""] {
        let how = How { service, ..How::default() };
        for answer in both(&facade, &session, &facade.ask("GET", OBJECT), &how).await {
            check(&answer, 400, "AuthorizationHeaderMalformed", service);
        }
    }
    let who = Ask::form("/", "Action=GetCallerIdentity&Version=2011-06-15").with("host", facade.http.to_string());
    let sts = How { service: "sts", ..How::default() };
    let answer = facade.send(session.sign_so(who.clone(), &sts)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.element("Arn"), Some("arn:aws:sts::000000000000:assumed-role/raw/session"));
    check(&facade.send(session.sign(who)).await, 400, "AuthorizationHeaderMalformed", "s3 at the token service");
}

#[tokio::test]
async fn a_request_has_one_credential() {
    let facade = with_object().await;
    let (session, token) = (facade.session("raw").await, facade.token("raw"));
    let signed = session.sign(facade.ask("GET", OBJECT));
    let presigned = session.presign(facade.ask("GET", OBJECT));
    let authorization = signed.header("authorization").unwrap().to_owned();
    for (what, ask) in [
        ("two bearers", Ask::get(OBJECT).bearer(&token).bearer(&token)),
        ("a signature and a bearer", signed.clone().bearer(&token)),
        ("two signatures", signed.clone().with("authorization", authorization)),
        ("presigned and a bearer", presigned.clone().bearer(&token)),
        ("bearer and session token", Ask::get(OBJECT).bearer(&token).with("x-amz-security-token", "x")),
        ("a role for a session", signed.with("x-tracegate-role", "raw")),
        ("a second session token", presigned.with("x-amz-security-token", &session.token)),
    ] {
        check(&facade.send(ask).await, 400, "InvalidRequest", what);
    }
    check(&facade.send(Ask::get(OBJECT)).await, 403, "AccessDenied", "no credential");
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    let now = Timestamp::now();
    for (minutes, header, presigned) in [
        (-14, Ok(()), Ok(())),
        (14, Ok(()), Ok(())),
        (-16, Err("RequestTimeTooSkewed"), Ok(())),
        (16, Err("RequestTimeTooSkewed"), Err("AccessDenied")),
        (-61, Err("RequestTimeTooSkewed"), Err("AccessDenied")),
    ] {
        let how = How { at: now + minutes.minutes(), expires: "3600".into(), ..How::default() };
        let answers = both(&facade, &session, &facade.ask("GET", OBJECT), &how).await;
        for (answer, expected) in answers.iter().zip([header, presigned]) {
            let found = if answer.status == 200 { Ok(()) } else { Err(answer.code()) };
            assert_eq!(found, expected, "{minutes} minutes: {}", answer.text());
        }
    }
}

/// Whoever tries keys must not learn whether one exists: an answer differs in its request id alone.
#[tokio::test]
async fn an_unknown_key_and_a_wrong_signature_are_answered_alike() {
    let facade = with_object().await;
    let (session, other) = (facade.session("raw").await, facade.session("raw").await);
    let elsewhere = Facade::start().await.session("raw").await;
    let mut forged = session.token.clone().into_bytes();
    let at = forged.len() - 9;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let mut bodies = Vec::new();
    for (what, keys) in [
        ("a wrong secret", Session { secret: "wrong".into(), ..session.clone() }),
        ("another's secret", Session { secret: other.secret.clone(), ..session.clone() }),
        ("another's token", Session { token: other.token.clone(), ..session.clone() }),
        ("a forged token", Session { token: String::from_utf8(forged).unwrap(), ..session.clone() }),
        ("no token of ours", Session { token: "token".into(), ..session.clone() }),
        ("a key of another façade", elsewhere),
        ("a key of AWS", Session { id: "AKIAIOSFODNN7EXAMPLE".into(), ..session.clone() }),
    ] {
        for answer in both(&facade, &keys, &facade.ask("GET", OBJECT), &How::default()).await {
            check(&answer, 403, "SignatureDoesNotMatch", what);
            let id = answer.header("x-amz-request-id").unwrap();
            assert_eq!(answer.element("RequestId"), Some(id), "{what}");
            let headers = answer.headers.iter().filter(|(name, _)| name != "x-amz-request-id" && name != "date");
            let headers: Vec<_> = headers.cloned().collect();
            bodies.push((what, headers, answer.text().replace(id, "ID")));
        }
    }
    for (what, headers, body) in &bodies[1..] {
        assert_eq!((&bodies[0].1, &bodies[0].2), (headers, body), "{what}");
    }
}

#[tokio::test]
async fn a_change_of_what_was_signed_is_refused() {
    let facade = with_object().await;
    facade.put("b.txt", "hello");
    let session = facade.session("raw").await;
    let signed = session.sign(facade.ask("GET", OBJECT).with("range", "bytes=0-1"));
    let presigned = session.presign(facade.ask("GET", OBJECT));
    let moved = |ask: &Ask| Ask { target: ask.target.replace("a.txt", "b.txt"), ..ask.clone() };
    let ranged = |ask: &Ask, value: &str| {
        let mut ask = ask.clone();
        ask.headers.iter_mut().filter(|(name, _)| name == "range").for_each(|(_, old)| *old = value.to_owned());
        ask
    };
    for (what, ask) in [
        ("another key", moved(&signed)),
        ("another key, presigned", moved(&presigned)),
        ("another method", Ask { method: "HEAD", ..signed.clone() }),
        ("another range", ranged(&signed, "bytes=0-4")),
        ("another range that s3s does not read", ranged(&signed, "bytes=0-1,2-3")),
        ("one more parameter", Ask { target: format!("{}&partNumber=1", presigned.target), ..presigned.clone() }),
        ("another host", Ask { headers: vec![("host".into(), "traces.s3.localhost".into())], ..presigned.clone() }),
    ] {
        let answer = facade.send(ask.clone()).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.text());
        assert!(ask.method == "HEAD" || answer.code() == "SignatureDoesNotMatch", "{what}: {}", answer.text());
    }
    assert_eq!(facade.send(signed).await.status, 206);
}

/// What s3s cannot read and S3 ignores is signed like everything else: verified, then ignored.
#[tokio::test]
async fn headers_that_s3_ignores_are_ignored_when_signed() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    let etag = facade.as_role("raw", Ask::head(OBJECT)).await.header("etag").unwrap().to_owned();
    for (name, value, status) in [
        ("range", "bytes=0-1,3-4", 200),
        ("range", "bytes=9-1", 200),
        ("range", "lines=0-1", 200),
        ("range", "bytes=", 200),
        ("if-none-match", &format!("\"other\", {etag}"), 304),
        ("if-none-match", "\"x\", \"y\"", 200),
        ("if-match", &format!("\"other\", {etag}"), 200),
        ("if-match", "\"x\", \"y\"", 412),
        ("if-modified-since", "soon", 200),
    ] {
        let ask = facade.ask("GET", OBJECT).with(name, value);
        for answer in both(&facade, &session, &ask, &How::default()).await {
            assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text());
            assert!(status != 200 || answer.text() == "hello");
        }
    }
}

#[tokio::test]
async fn unknown_parameters_and_contradicting_ids_are_refused() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    for (query, code) in [
        ("acl", "NotImplemented"),
        ("torrent", "NotImplemented"),
        ("select&select-type=2", "NotImplemented"),
        ("anything=1", "NotImplemented"),
        ("versionid=null", "NotImplemented"),
        ("x-id=PutObject", "NotImplemented"),
        ("x-id=GetObjectTagging", "NotImplemented"),
        ("tagging&x-id=GetObject", "NotImplemented"),
        ("x-id=GetObject&x-id=GetObject", "InvalidArgument"),
        ("partNumber=1&partNumber=2", "InvalidArgument"),
    ] {
        let ask = facade.ask("GET", &format!("{OBJECT}?{query}"));
        for answer in both(&facade, &session, &ask, &How::default()).await {
            assert_eq!(answer.code(), code, "{query}: {}", answer.text());
        }
    }
    for query in ["x-id=GetObject", "x-id=GetObject&response-content-language=no", "versionId=null"] {
        let ask = facade.ask("GET", &format!("{OBJECT}?{query}"));
        for answer in both(&facade, &session, &ask, &How::default()).await {
            assert_eq!((answer.status, answer.text()), (200, "hello"), "{query}");
        }
    }
}
