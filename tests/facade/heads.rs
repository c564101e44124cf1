//! What every answer carries, whatever it answers.

use super::facade::Facade;
use super::wire::{Answer, Ask};

fn check(what: &str, answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(answer.header("content-security-policy"), Some("sandbox; default-src 'none'"), "{what}");
    assert_eq!(answer.header("server"), Some("tracegate"), "{what}");
    let id = answer.header("x-amz-request-id").unwrap_or_default();
    assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{what}: {id}");
    let cache = answer.header("cache-control").unwrap_or_default();
    assert!(cache.split(", ").any(|directive| directive == "private"), "{what}: {cache}");
    assert_eq!(answer.header("vary"), Some("Authorization"), "{what}");
    for (name, value) in &answer.headers {
        assert!(!name.starts_with("access-control-"), "{what}: {name}");
        assert!(!value.contains("inner-"), "{what}: the real bucket's name shows in {name}");
    }
    assert!(answer.whole, "{what}");
}

#[tokio::test]
async fn every_answer_has_the_headers_of_ours_and_none_of_the_backends() {
    let facade = Facade::start().await;
    facade.put("a.json", r#"{"email":"ada@example.com"}"#);
    let etag = facade.as_role("raw", Ask::head("/traces/a.json")).await.header("etag").unwrap().to_owned();
    let object = || Ask::get("/traces/a.json");
    for (status, role, ask) in [
        (200, "raw", object()),
        (200, "masked", object()),
        (206, "masked", object().with("range", "bytes=0-3")),
        (304, "raw", object().with("if-none-match", &etag)),
        (412, "raw", object().with("if-match", "\"x\"")),
        (416, "raw", object().with("range", "bytes=900-")),
        (404, "raw", Ask::get("/traces/none")),
        (403, "narrow", object()),
        (403, "raw", Ask::get("/other/a")),
        (200, "raw", Ask::get("/traces?list-type=2")),
        (200, "raw", Ask::get("/traces")),
        (200, "raw", Ask::get("/")),
        (200, "raw", Ask::get("/traces?location")),
        (200, "raw", Ask::head("/traces")),
        (200, "raw", Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "ETag")),
        (400, "raw", Ask::get("/traces?list-type=2&max-keys=x")),
        (501, "raw", Ask::get("/traces?acl")),
        (411, "raw", Ask::new("PUT", "/traces/a")),
        (403, "raw", Ask::new("PUT", "/traces/a").with("content-length", "0")),
        (409, "raw", Ask::new("PUT", "/traces")),
        (501, "raw", Ask::new("DELETE", "/traces")),
        (405, "raw", Ask::head("/")),
        (403, "raw", Ask::new("OPTIONS", "/traces/a")),
        (200, "raw", Ask::get("/-/credentials")),
        (200, "raw", Ask::get("/-/whoami")),
        (400, "raw", Ask::get("/-/nothing")),
        (405, "raw", Ask::new("DELETE", "/-/whoami")),
        (400, "raw", Ask::form("/", "Action=Nothing")),
        (403, "nobody", object()),
    ] {
        let what = format!("{role} {} {} {:?}", ask.method, ask.target, ask.headers);
        let answer = facade.as_role(role, ask).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        check(&what, &answer);
    }
    let anonymous = facade.send(object()).await;
    assert_eq!(anonymous.status, 403);
    check("anonymous", &anonymous);
}

#[tokio::test]
async fn head_tells_what_get_tells_without_a_body() {
    let facade = Facade::start().await;
    facade.put("a.json", r#"{"email":"ada@example.com"}"#);
    for (target, role) in [
        ("/traces/a.json", "raw"),
        ("/traces/a.json", "masked"),
        ("/traces/none", "raw"),
        ("/traces/a.json", "narrow"),
        ("/traces/a.json?acl", "raw"),
    ] {
        let (get, head) = (facade.as_role(role, Ask::get(target)).await, facade.as_role(role, Ask::head(target)).await);
        assert_eq!(get.status, head.status, "{role} {target}");
        assert!(head.body.is_empty() && head.whole, "{role} {target}: {:?}", head.text());
        if get.status == 200 {
            for name in ["content-length", "etag", "last-modified", "content-type", "accept-ranges"] {
                assert_eq!(get.header(name), head.header(name), "{role} {target}: {name}");
            }
        }
    }
}

/// A page in a browser must not read objects with a token that it came by.
#[tokio::test]
async fn cross_origin_requests_get_no_permission() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let origin = |ask: Ask| ask.with("origin", "https://elsewhere.example");
    let preflight = origin(Ask::new("OPTIONS", "/traces/a.txt")).with("access-control-request-method", "GET");
    for (status, answer) in [
        (403, facade.send(preflight.clone()).await),
        (403, facade.as_role("raw", preflight).await),
        (200, facade.as_role("raw", origin(Ask::get("/traces/a.txt"))).await),
    ] {
        assert_eq!(answer.status, status);
        check("cross-origin", &answer);
    }
}
