//! Tokens and addresses behind proxies: who is believed about where a request came from.

use super::facade::{Facade, Wish};
use super::wire::Ask;

async fn with(trusted_proxies: Vec<&'static str>) -> Facade {
    let facade = Facade::start_with(Wish { trusted_proxies, ..Wish::default() }).await;
    facade.put("a.txt", "hello");
    facade
}

fn object(headers: &[(&str, &str)]) -> Ask {
    headers.iter().fold(Ask::get("/traces/a.txt"), |ask, (name, value)| ask.with(name, *value))
}

/// A request that was forwarded is not private just because the proxy sits on this machine.
#[tokio::test]
async fn a_token_needs_a_private_connection() {
    let trusting = with(vec!["127.0.0.1/32"]).await;
    let lone = with(vec![]).await;
    let (client, https, http) =
        (("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("x-forwarded-proto", "http"));
    for (facade, headers, status) in [
        (&lone, vec![], 200),
        (&lone, vec![client], 403),
        (&lone, vec![client, https], 403),
        (&lone, vec![("forwarded", "for=192.0.2.7;proto=https")], 403),
        (&lone, vec![https], 403),
        (&lone, vec![("via", "1.1 proxy")], 403),
        (&trusting, vec![client, https], 200),
        (&trusting, vec![client, http], 403),
        (&trusting, vec![client], 403),
        (&trusting, vec![client, ("x-forwarded-proto", "https, http")], 403),
        (&trusting, vec![client, ("x-forwarded-proto", "http, https")], 200),
        (&trusting, vec![client, https, http], 403),
    ] {
        let answer = facade.as_role("raw", object(&headers)).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        let door = headers.iter().fold(Ask::get("/-/credentials"), |ask, (name, value)| ask.with(name, *value));
        assert_eq!(facade.as_role("raw", door).await.status, status, "{headers:?}: at the door");
        let form =
            format!("Action=AssumeRoleWithWebIdentity&RoleSessionName=me&WebIdentityToken={}", facade.token("raw"));
        let sts = headers.iter().fold(Ask::form("/", form), |ask, (name, value)| ask.with(name, *value));
        assert_eq!(facade.send(sts).await.status, status, "{headers:?}: at the token service");
    }
    // A signature tells nothing that could be stolen.
    let session = lone.session("raw").await;
    let signed = session.sign(lone.ask("GET", "/traces/a.txt"));
    assert_eq!(lone.send(signed.with(client.0, client.1)).await.status, 200);
}

/// The address in the log: the last one that no trusted proxy has, and the peer's where nobody is trusted.
#[tokio::test]
async fn the_log_holds_the_last_address_that_nobody_could_forge() {
    for (trusted, forwarded, expected) in [
        (vec![], vec!["192.0.2.7"], "127.0.0.1"),
        (vec!["127.0.0.1/32"], vec![], "127.0.0.1"),
        (vec!["127.0.0.1/32"], vec!["192.0.2.7"], "192.0.2.7"),
        (vec!["127.0.0.1/32"], vec!["203.0.113.1, 192.0.2.7"], "192.0.2.7"),
        (vec!["127.0.0.1/32"], vec!["203.0.113.1", "192.0.2.7"], "192.0.2.7"),
        (vec!["127.0.0.1/32", "10.0.0.0/8"], vec!["203.0.113.1, 192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (vec!["127.0.0.1/32", "10.0.0.0/8"], vec!["10.9.9.9, 10.1.2.3"], "127.0.0.1"),
        (vec!["127.0.0.1/32"], vec!["203.0.113.1, unknown"], "127.0.0.1"),
        (vec!["127.0.0.1/32"], vec!["2001:db8::7"], "2001:db8::7"),
    ] {
        let facade = with(trusted.clone()).await;
        let session = facade.session("raw").await;
        let ask = session.sign(facade.ask("GET", "/traces/a.txt"));
        let ask = forwarded.iter().fold(ask, |ask, value| ask.with("x-forwarded-for", *value));
        assert_eq!(facade.send(ask).await.status, 200);
        let log = facade.stopped().await;
        assert_eq!(log.of_kind("s3.intent")[0].ip.as_deref(), Some(expected), "{trusted:?} {forwarded:?}");
    }
}
