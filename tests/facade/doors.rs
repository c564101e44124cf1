//! The doors at which tokens become sessions: what SDKs read there, and what is refused.

use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::facade::{Facade, Wish, role_file};
use super::wire::{Answer, Ask};

fn assume(token: &str, more: &str) -> Ask {
    let form = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=laptop&WebIdentityToken={token}{more}"
    );
    Ask::form("/", form)
}

/// The same in the query, as object_store and MinIO's clients send it.
fn in_query(form: Ask) -> Ask {
    Ask::new("POST", format!("/?{}", String::from_utf8(form.body).unwrap())).with("content-length", "0")
}

fn arn(account: &str, role: &str) -> String {
    format!("&RoleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2F{role}")
}

fn check_not_kept(what: &str, answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("private, no-store"), "{what}");
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{what}");
    assert!(answer.header("etag").is_none() && answer.whole, "{what}");
}

fn seconds_until(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second() - Timestamp::now().as_second()
}

#[tokio::test]
async fn the_credentials_door_answers_what_sdks_read() {
    let facade = Facade::start().await;
    let token = facade.token("raw");
    for (what, ask) in [
        ("bearer", Ask::get("/-/credentials").bearer(&token)),
        ("a slash at the end", Ask::get("/-/credentials/").bearer(&token)),
        ("raw, as SDKs send a token file", Ask::get("/-/credentials").with("authorization", &token)),
        ("role in the path", Ask::get("/-/credentials/raw").bearer(&token)),
        ("role in the header", Ask::get("/-/credentials").bearer(&token).with("x-tracegate-role", "raw")),
    ] {
        let answer = facade.send(ask).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{what}");
        check_not_kept(what, &answer);
        let keys = answer.json();
        let text = |name: &str| keys[name].as_str().unwrap();
        assert!(text("AccessKeyId").starts_with("ASIA") && text("AccessKeyId").len() == 20, "{what}");
        assert_eq!(text("RoleArn"), "arn:aws:iam::000000000000:role/raw", "{what}");
        assert!((3590..=3600).contains(&seconds_until(text("Expiration"))), "{what}");
        assert!(text("Expiration").ends_with('Z') && !text("Token").is_empty() && text("SecretAccessKey").len() >= 40);
    }
}

#[tokio::test]
async fn the_credentials_door_says_why_it_refuses() {
    let facade = Facade::start().await;
    let (several, nobody) = (facade.issuer.token("ada", &["raw", "masked"]), facade.issuer.token("eve", &["none"]));
    let old = facade.issuer.token_with("ada", &["raw"], json!({ "exp": Timestamp::now().as_second() - 100 }));
    let foreign = facade.issuer.token_with("ada", &["raw"], json!({ "aud": "another-service" }));
    for (what, ask, status, code, says) in [
        ("several roles", Ask::get("/-/credentials").bearer(&several), 400, "RoleNotNamed", "masked, raw"),
        ("not held", Ask::get("/-/credentials/narrow").bearer(&several), 403, "AccessDenied", "narrow"),
        ("no role", Ask::get("/-/credentials").bearer(&nobody), 403, "AccessDenied", "no role"),
        ("expired", Ask::get("/-/credentials").bearer(&old), 401, "ExpiredToken", "expired"),
        ("another audience", Ask::get("/-/credentials").bearer(&foreign), 401, "InvalidToken", ""),
        ("no token", Ask::get("/-/credentials"), 403, "AccessDenied", "Authorization"),
        ("not a token", Ask::get("/-/credentials").bearer("abc"), 401, "InvalidToken", ""),
    ] {
        let answer = facade.send(ask).await;
        let json = answer.json();
        assert_eq!((answer.status, json["code"].as_str()), (status, Some(code)), "{what}: {}", answer.text());
        assert!(json["message"].as_str().unwrap().contains(says), "{what}: {}", answer.text());
        check_not_kept(what, &answer);
    }
}

#[tokio::test]
async fn the_token_service_answers_as_sts_does() {
    let facade = Facade::start().await;
    let token = facade.token("raw");
    let arns = [String::new(), arn("123456789012", "raw"), arn("000000000000", "team%2Fraw")];
    let calls =
        arns.iter().flat_map(|more| [assume(&token, more), in_query(assume(&token, more))].map(|ask| (more, ask)));
    for (more, ask) in calls {
        let answer = facade.send(ask).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml")), "{}", answer.text());
        check_not_kept(more, &answer);
        let id = answer.element("AccessKeyId").unwrap();
        for (name, value) in [
            ("SubjectFromWebIdentityToken", "raw-person".to_owned()),
            ("Audience", "tracegate-tests".to_owned()),
            ("Provider", facade.issuer.url.clone()),
            ("Arn", "arn:aws:sts::000000000000:assumed-role/raw/laptop".to_owned()),
            ("AssumedRoleId", format!("{id}:laptop")),
            ("RequestId", answer.header("x-amz-request-id").unwrap().to_owned()),
        ] {
            assert_eq!(answer.element(name), Some(value.as_str()), "{name}");
        }
        assert!(answer.text().starts_with("<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/"));
        assert!((3590..=3600).contains(&seconds_until(answer.element("Expiration").unwrap())));
    }
}

#[tokio::test]
async fn the_token_service_refuses_what_would_widen_or_cannot_be() {
    let facade = Facade::start().await;
    let token = facade.token("raw");
    let several = facade.issuer.token("ada", &["raw", "masked"]);
    let old = facade.issuer.token_with("ada", &["raw"], json!({ "exp": Timestamp::now().as_second() - 100 }));
    for (what, ask, status, code) in [
        ("a policy", assume(&token, "&Policy=%7B%7D"), 400, "ValidationError"),
        ("a policy's name", assume(&token, "&PolicyArns.member.1.arn=x"), 400, "ValidationError"),
        ("no ARN", assume(&token, "&RoleArn=raw"), 400, "ValidationError"),
        ("a user's ARN", assume(&token, "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fraw"), 400, "ValidationError"),
        ("a role not held", assume(&token, &arn("1", "masked")), 403, "AccessDenied"),
        ("several roles", assume(&several, ""), 400, "ValidationError"),
        ("too short", assume(&token, "&DurationSeconds=899"), 400, "ValidationError"),
        ("too long", assume(&token, "&DurationSeconds=43201"), 400, "ValidationError"),
        ("no number", assume(&token, "&DurationSeconds=1h"), 400, "ValidationError"),
        ("expired", assume(&old, ""), 400, "ExpiredTokenException"),
        ("no token", assume("abc", ""), 400, "InvalidIdentityToken"),
        ("twice", assume(&token, "&RoleSessionName=b"), 400, "ValidationError"),
        ("another version", Ask::form("/", "Action=GetCallerIdentity&Version=2010-01-01"), 400, "ValidationError"),
        ("no action", Ask::form("/", "Version=2011-06-15"), 400, "MissingParameter"),
        ("another action", Ask::form("/", "Action=AssumeRole"), 400, "InvalidAction"),
    ] {
        let answer = facade.send(ask).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {}", answer.text());
        assert!(answer.text().starts_with("<ErrorResponse"), "{what}: {}", answer.text());
        assert_eq!(answer.element("RequestId"), answer.header("x-amz-request-id"), "{what}");
        check_not_kept(what, &answer);
    }
    let both = Ask::form("/?Action=GetCallerIdentity", "Action=GetCallerIdentity");
    let both = facade.send(both).await;
    assert_eq!((both.status, both.code()), (400, "InvalidRequest"), "parameters in two places: {}", both.text());
    let listed = facade.send(assume(&several, "")).await;
    assert!(listed.text().contains("masked, raw"), "it says which: {}", listed.text());
}

#[tokio::test]
async fn a_session_lasts_as_long_as_role_and_token_allow() {
    let ends = (Timestamp::now() + 20.minutes()).to_string();
    let rule = "actions = [\"get\"]\npaths = [\"traces/*\"]";
    let roles = vec![
        ("brief", role_file("brief", "max_session = \"30m\"", rule)),
        ("ending", role_file("ending", &format!("expires = {ends}"), rule)),
    ];
    let facade = Facade::start_with(Wish { roles, ..Wish::default() }).await;
    let long = json!({ "exp": Timestamp::now().as_second() + 10 * 3600 });
    let short = json!({ "exp": Timestamp::now().as_second() + 600 });
    for (role, claims, asked, expected) in [
        ("raw", &long, "", 3600),
        ("raw", &long, "&DurationSeconds=900", 900),
        ("raw", &long, "&DurationSeconds=7200", 7200),
        ("raw", &long, "&DurationSeconds=43200", 36_000),
        ("raw", &short, "", 600),
        ("brief", &long, "", 1800),
        ("brief", &long, "&DurationSeconds=43200", 1800),
        ("ending", &long, "", 1200),
    ] {
        let token = facade.issuer.token_with("ada", &[role], claims.clone());
        let answer = facade.send(assume(&token, asked)).await;
        assert_eq!(answer.status, 200, "{role} {asked}: {}", answer.text());
        let lasts = seconds_until(answer.element("Expiration").unwrap());
        assert!((expected - 10..=expected).contains(&lasts), "{role} {asked}: {lasts} s, not {expected}");
    }
}

#[tokio::test]
async fn whoami_tells_who_and_what_they_see() {
    let facade = Facade::start().await;
    let session = facade.session("narrow").await;
    for (proof, ask) in [
        ("bearer", Ask::get("/-/whoami").bearer(&facade.token("narrow"))),
        ("signature", session.sign(facade.ask("GET", "/-/whoami"))),
    ] {
        let answer = facade.send(ask).await;
        assert_eq!(answer.status, 200, "{proof}: {}", answer.text());
        check_not_kept(proof, &answer);
        let who = answer.json();
        assert_eq!((&who["subject"], &who["role"]), (&json!("narrow-person"), &json!("narrow")), "{proof}");
        assert_eq!(who["sees"]["buckets"], json!(["traces"]));
        let allows = json!([{ "rule": "narrow/rule", "actions": ["get", "list"], "paths": ["traces/narrow/*"] }]);
        assert_eq!(who["sees"]["allows"], allows, "{proof}");
    }
    let anonymous = facade.send(Ask::get("/-/whoami")).await;
    assert_eq!(anonymous.status, 403);
    let wrong = super::signing::Session { secret: "wrong".into(), ..session };
    let answer = facade.send(wrong.sign(facade.ask("GET", "/-/whoami"))).await;
    assert_eq!((answer.status, answer.code()), (403, "SignatureDoesNotMatch"));
    let log = facade.stopped().await;
    assert_eq!(log.of_kind("session.ask").len(), 2, "whoever asks is on the record");
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let facade = Facade::start().await;
    let (token, session) = (facade.token("raw"), facade.session("raw").await);
    facade.send(assume(&token, "")).await;
    facade.send(in_query(assume(&token, ""))).await;
    facade.send(assume(&format!("{token}x"), "")).await;
    facade.send(in_query(assume(&format!("{token}x"), ""))).await;
    facade.send(session.presign(facade.ask("GET", "/traces/none"))).await;
    facade.send(session.sign(facade.ask("GET", "/traces/none"))).await;
    let log = facade.stopped().await;
    assert_eq!(log.of_kind("session.issue").len(), 3);
    let text = serde_json::to_string(&log.entries).unwrap();
    assert!(text.contains(&session.id), "the session's name is");
    let signature = token.rsplit('.').next().unwrap();
    for secret in [&token, signature, &session.secret, &session.token, "X-Amz-Signature"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_network_that_knocks_too_often_is_slowed_down() {
    let facade = Facade::start().await;
    let until_slowed = async |knock: &dyn Fn() -> Ask, usual: u16, code: &str| {
        for _ in 0..1000 {
            let answer = facade.send(knock()).await;
            if answer.text().contains("Too many requests") {
                return answer;
            }
            assert_eq!(answer.status, usual, "{}", answer.text());
            assert!(answer.text().contains(code), "{}", answer.text());
        }
        panic!("a burst has its end");
    };
    let slow = until_slowed(&|| Ask::get("/-/credentials").bearer("abc"), 401, "InvalidToken").await;
    assert_eq!((slow.status, slow.json()["code"].as_str()), (429, Some("SlowDown")));
    let slow = until_slowed(&|| assume("abc.def.ghi", ""), 400, "InvalidIdentityToken").await;
    assert_eq!((slow.status, slow.code()), (400, "Throttling"));
    facade.put("a.txt", "hello");
    assert_eq!(facade.as_role("raw", Ask::get("/traces/a.txt")).await.status, 200, "objects are served meanwhile");
}
