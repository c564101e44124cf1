//! Promise 7: whose token is believed, as two real providers issue them and rotate their keys.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::people::{Session, ask, bearer, facade, token};
use crate::support;
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::idp::OidcProvider;

/// What `/-/whoami` answers to a bearer token: the status and the text.
fn whoami(facade: &Facade, token: &str) -> (u16, String) {
    let answer = ask(&facade.http(), &["--header", &bearer(token)], "/-/whoami");
    (answer.status, answer.text().replace("&apos;", "'"))
}

#[test]
fn tokens_are_believed_or_refused_with_the_reason() {
    let facade = facade(Backend::Memory);
    let (first, second) = (support::oidc_provider(), support::second_provider());
    let now = jiff::Timestamp::now().as_second();
    let claims = |aud: &str, iat: i64, exp: i64| json!({"iss": first.issuer, "sub": "alice", "aud": aud, "iat": iat, "exp": exp, "groups": ["trace-owners"]});
    let signed = |claims| first.sign(&json!({"typ": "JWT"}), &claims);
    let mut tampered = token("alice");
    tampered.replace_range(tampered.len() - 10..tampered.len() - 4, "AAAAAA");
    for (what, token, status, want) in [
        ("an ID token", token("alice"), 200, "\"role\":\"trace-owner\""),
        ("an access token", first.access_token("bob"), 200, "\"role\":\"compliance-auditor\""),
        ("250 groups", token("erin"), 200, "\"role\":\"support-engineer\""),
        ("a machine", token("ci"), 200, "\"role\":\"exporter\""),
        ("the second provider", second.token("alice"), 200, "\"role\":\"trace-owner\""),
        ("the second provider's claim", second.token("dave"), 200, "\"role\":\"data-scientist\""),
        ("the second provider's 250 groups", second.token("erin"), 200, "\"role\":\"support-engineer\""),
        ("any claims, soundly signed", signed(claims("tracegate", now, now + 60)), 200, "\"role\":\"trace-owner\""),
        ("no group", token("frank"), 403, "This token holds no role here"),
        ("no group of the second", second.token("frank"), 403, "This token holds no role here"),
        ("another audience", first.token_for_another("alice"), 400, "The token is for another audience."),
        ("expired", signed(claims("tracegate", now - 600, now - 300)), 400, "The token has expired."),
        ("not yet", signed(claims("tracegate", now + 600, now + 900)), 400, "The token is not valid yet"),
        ("too long", signed(claims("tracegate", now, now + 90_000)), 400, "valid for more than 24 hours"),
        ("tampered", tampered, 400, "The token's signature is wrong."),
        ("no token", "abc".to_owned(), 400, "The token cannot be read"),
    ] {
        let (got, text) = whoami(facade, &token);
        assert!(got == status && text.contains(want), "{what}: {got} {text}, not {status} {want:?}");
        let door = ask(&facade.http(), &["--header", &bearer(&token)], "/-/credentials");
        assert_eq!(door.status == 200, status == 200, "{what} at the credentials door: {}", door.text());
    }
}

#[test]
fn a_new_key_of_the_provider_is_found_and_an_old_one_forgotten() {
    let provider = OidcProvider::start();
    let settings = Settings { issuers: vec![("demo", provider.issuer.clone())], ..Settings::of(Backend::Memory) };
    let facade = Facade::start(&settings);
    let old = provider.token("alice");
    assert_eq!(whoami(&facade, &old).0, 200);
    let session = Session::open(&facade, &old);

    provider.rotate();
    let new = provider.token("bob");
    // A refresh is due at once for a key that nobody has heard of, but not more often than every ten seconds.
    wait_for(Duration::from_secs(20), "the new key is found", || whoami(&facade, &new).0 == 200);
    assert_eq!(whoami(&facade, &old).0, 200, "the old key is still in the set");

    provider.drop_old_keys();
    provider.rotate();
    let newest = provider.token("carol");
    wait_for(Duration::from_secs(60), "the newest key is found", || whoami(&facade, &newest).0 == 200);
    // It was verified before, which must not help it once its key is gone.
    let (status, text) = whoami(&facade, &old);
    assert!(status == 400 && text.contains("signed with a key that its issuer does not list"), "{status} {text}");
    // A session stands by itself: it ends by its own time or by revocation.
    let script = "print(s3.list_objects_v2(Bucket='traces', MaxKeys=1)['KeyCount'])";
    let told = crate::people::run_script(&facade, &session, script);
    assert_eq!(crate::support::clients::said(&told), "1\n");
}

/// Looks until it is so.
pub(crate) fn wait_for(patience: Duration, what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
