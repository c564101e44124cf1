//! From a credential to an identity, end to end: a provider, sessions, static tokens, revocations.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::identity::revocation_log::{Entry, RevocationLog, Target};
use crate::identity::sigv4::Service;
use crate::identity::static_token::NewStaticToken;
use crate::identity::testing::{AUDIENCE, EC, ED, Idp, book, claims, now, revocations, ring};
use crate::s3::payload::chunked::Signature;

struct World {
    idp: Idp,
    authority: Authority,
    log: RevocationLog,
    book: RoleBook,
}

async fn world() -> World {
    let idp = Idp::start(&[&EC]).await;
    let ring = ring();
    let (log, revocations) = revocations(ring.clone()).await;
    let authority = Authority::new(vec![idp.terms()], Sessions::new(ring), revocations).unwrap();
    let book = book(&idp.issuer);
    World { idp, authority, log, book }
}

impl World {
    fn token(&self) -> UnverifiedToken {
        UnverifiedToken::new(&EC.token(&claims(&self.idp.issuer))).unwrap()
    }

    async fn bearer(&self, token: UnverifiedToken, now: Timestamp) -> Result<Identity, Refusal> {
        self.authority.bearer(&BearerClaim { token, role: None }, &self.book, now).await
    }

    async fn exchange(&self, token: &UnverifiedToken) -> Result<Issued, ExchangeError> {
        self.authority.exchange(token, &Wish::default(), &self.book, now()).await
    }

    fn opened(&self, issued: &Issued, book: &RoleBook, now: Timestamp) -> Result<Identity, Refusal> {
        let claim = SignedClaim {
            access_key_id: issued.access_key_id.clone(),
            session_token: issued.session_token.clone(),
            presigned: None,
            service: Service::S3,
            region: "tracegate".into(),
            signature: Signature::parse(&[b'0'; 64]).unwrap(),
            signed_at: now,
        };
        self.authority.opened(&claim, book, now)?.confirm(&issued.access_key_id, &issued.secret_access_key)
    }

    async fn revoke(&self, target: Target) {
        let entry = Entry { target, before: now(), by: "admin".into(), reason: "test".into() };
        self.log.append(&entry).await.unwrap();
        self.authority.revocations().poll(now()).await.unwrap();
    }
}

fn after(seconds: u64) -> Timestamp {
    now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_token_is_an_identity_and_buys_a_session() {
    let world = world().await;
    let identity = world.bearer(world.token(), now()).await.unwrap();
    assert_eq!((identity.subject(), identity.role().as_str(), identity.proof()), ("ada", "analyst", Proof::Bearer));
    assert_eq!(identity.claims(), &Claims::from([("region".into(), vec!["eu".into()])]), "email is not immutable");
    assert!(identity.session().starts_with("bearer-"));

    let issued = world.exchange(&world.token()).await.unwrap();
    assert_eq!((issued.expires, issued.audience.as_deref()), (after(3600), Some(AUDIENCE)));
    let session = world.opened(&issued, &world.book, now()).unwrap();
    assert_eq!((session.subject(), session.role().as_str()), ("ada", "analyst"));
    assert_eq!(world.authority.secret_for(&issued.access_key_id).unwrap(), issued.secret_access_key);
    assert_eq!(world.authority.secret_for("AKIAIOSFODNN7EXAMPLE"), None);
    assert_eq!(
        world.opened(&issued, &RoleBook::default(), now()).unwrap_err().code,
        Code::AccessDenied,
        "the role is gone"
    );
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_or_its_key_ends() {
    let world = world().await;
    let token = world.token();
    assert!(world.bearer(token.clone(), now()).await.is_ok());
    world.idp.go_down();
    world.authority.revocations().poll(after(3599)).await.unwrap();
    assert!(world.bearer(token.clone(), after(3599)).await.is_ok());
    world.authority.revocations().poll(after(3660)).await.unwrap();
    assert_eq!(world.bearer(token.clone(), after(3660)).await.unwrap_err().code, Code::ExpiredToken);
    assert_eq!(world.idp.fetches(), 1);

    let world = self::world().await;
    let token = world.token();
    assert!(world.bearer(token.clone(), now()).await.is_ok());
    world.idp.publish(&[&ED]);
    let other = UnverifiedToken::new(&ED.token(&claims(&world.idp.issuer))).unwrap();
    assert!(world.bearer(other, after(10)).await.is_ok());
    assert_eq!(world.bearer(token, after(20)).await.unwrap_err().code, Code::InvalidToken, "its key is gone, so is it");
}

#[tokio::test]
async fn strangers() {
    let world = world().await;
    for token in [
        EC.token(&claims("https://other.example")),
        "a.b.c".into(),
        "tgs_AAAA".into(),
        ED.token(&claims(&world.idp.issuer)),
    ] {
        let token = UnverifiedToken::new(&token).unwrap();
        assert_eq!(world.bearer(token, now()).await.unwrap_err().code, Code::InvalidToken);
    }
    let mut claims = claims(&world.idp.issuer);
    claims["groups"] = json!([]);
    let token = UnverifiedToken::new(&EC.token(&claims)).unwrap();
    assert_eq!(world.exchange(&token).await.unwrap_err(), ExchangeError::NoRole);
    assert_eq!(world.bearer(token, now()).await.unwrap_err().code, Code::AccessDenied);
}

#[tokio::test]
async fn static_tokens() {
    let mut world = world().await;
    let made = NewStaticToken::generate("ci", "analyst".parse().unwrap(), after(7200), now());
    world.book.static_tokens.push(made.entry);
    let token = UnverifiedToken::new(made.token.expose()).unwrap();
    let identity = world.bearer(token.clone(), now()).await.unwrap();
    assert_eq!((identity.issuer(), identity.subject(), identity.proof()), ("tracegate", "ci", Proof::StaticToken));
    assert_eq!(identity.expires(), after(7200));
    assert_eq!(world.exchange(&token).await.unwrap().subject, "ci");
    let claim = BearerClaim { token: token.clone(), role: Some("admin".parse().unwrap()) };
    assert_eq!(world.authority.bearer(&claim, &world.book, now()).await.unwrap_err().code, Code::AccessDenied);

    world.revoke(Target::Subject { issuer: "tracegate".into(), subject: "ci".into() }).await;
    assert_eq!(world.bearer(token, now()).await.unwrap_err().code, Code::AccessDenied);
    let again = NewStaticToken::generate("ci", "analyst".parse().unwrap(), after(7200), after(1));
    world.book.static_tokens.push(again.entry);
    let again = UnverifiedToken::new(again.token.expose()).unwrap();
    assert!(world.bearer(again, after(1)).await.is_ok(), "a token made later is not reached");
}

#[tokio::test]
async fn regression_a_session_ends_with_the_static_token_that_bought_it() {
    let mut world = world().await;
    let made = NewStaticToken::generate("ci", "analyst".parse().unwrap(), after(1800), now());
    world.book.static_tokens.push(made.entry.clone());
    let token = UnverifiedToken::new(made.token.expose()).unwrap();
    let issued = world.exchange(&token).await.unwrap();
    assert_eq!(world.opened(&issued, &world.book, now()).unwrap().expires(), after(1800));

    let book = |entries: &[StaticToken]| RoleBook { static_tokens: entries.to_vec(), ..world.book.clone() };
    let again = NewStaticToken::generate("ci", "analyst".parse().unwrap(), after(7200), now()).entry;
    let other_role = StaticToken { role: "admin".parse().unwrap(), ..made.entry.clone() };
    for (what, entries) in [("removed", vec![]), ("replaced", vec![again]), ("for another role", vec![other_role])] {
        let refusal = world.opened(&issued, &book(&entries), now()).unwrap_err();
        assert_eq!(refusal.code, Code::AccessDenied, "{what}");
    }
    let sooner = StaticToken { expires: after(30), ..made.entry.clone() };
    assert_eq!(world.opened(&issued, &book(std::slice::from_ref(&sooner)), now()).unwrap().expires(), after(30));
    assert_eq!(world.opened(&issued, &book(&[sooner]), after(30)).unwrap_err().code, Code::ExpiredToken);
}

#[tokio::test]
async fn regression_a_revoked_token_takes_its_sessions_with_it() {
    let world = world().await;
    let token = world.token();
    let bearer = world.bearer(token.clone(), now()).await.unwrap();
    let child = world.exchange(&token).await.unwrap();
    let mut other = claims(&world.idp.issuer);
    other["jti"] = json!("another login");
    let other = world.exchange(&UnverifiedToken::new(&EC.token(&other)).unwrap()).await.unwrap();
    assert_eq!(world.opened(&child, &world.book, now()).unwrap().parent(), Some(bearer.session()));
    world.revoke(Target::Session(bearer.session().to_owned())).await;
    assert_eq!(world.opened(&child, &world.book, now()).unwrap_err().code, Code::AccessDenied);
    assert!(world.opened(&other, &world.book, now()).is_ok());
}

#[tokio::test]
async fn every_kind_of_revocation_reaches_sessions_and_tokens() {
    let subject = |world: &World| Target::Subject { issuer: world.idp.issuer.clone(), subject: "ada".into() };
    for kind in ["subject", "role", "everything"] {
        let world = world().await;
        let issued = world.exchange(&world.token()).await.unwrap();
        let identity = world.opened(&issued, &world.book, now()).unwrap();
        world
            .revoke(match kind {
                "subject" => subject(&world),
                "role" => Target::Role("analyst".into()),
                _ => Target::Everything,
            })
            .await;
        assert!(!world.authority.still_stands(&identity, now()), "{kind}");
        assert_eq!(world.opened(&issued, &world.book, now()).unwrap_err().code, Code::AccessDenied, "{kind}");
        assert_eq!(world.bearer(world.token(), now()).await.unwrap_err().code, Code::AccessDenied, "{kind}");
        assert_eq!(
            world.exchange(&world.token()).await.unwrap_err(),
            ExchangeError::Revoked,
            "{kind}: no way around it"
        );

        let mut fresh = claims(&world.idp.issuer);
        fresh["iat"] = json!(now().as_second() + 1);
        let fresh = UnverifiedToken::new(&EC.token(&fresh)).unwrap();
        assert!(world.bearer(fresh, after(1)).await.is_ok(), "{kind}: who logs in again is not reached");
    }
}

#[tokio::test]
async fn one_session_is_revoked_alone() {
    let world = world().await;
    let (one, two) = (world.exchange(&world.token()).await.unwrap(), world.exchange(&world.token()).await.unwrap());
    world.revoke(Target::Session(one.access_key_id.clone())).await;
    assert!(world.opened(&one, &world.book, now()).is_err());
    assert!(world.opened(&two, &world.book, now()).is_ok());
}

#[tokio::test]
async fn nobody_is_served_while_revocations_are_unknown() {
    let world = world().await;
    let issued = world.exchange(&world.token()).await.unwrap();
    assert!(world.opened(&issued, &world.book, after(60)).is_ok());
    assert_eq!(world.opened(&issued, &world.book, after(61)).unwrap_err().code, Code::ServiceUnavailable);
    assert_eq!(world.bearer(world.token(), after(61)).await.unwrap_err().code, Code::ServiceUnavailable);
}

#[test]
fn an_issuer_stands_once() {
    let log = RevocationLog::new(Arc::new(object_store::memory::InMemory::new()), ring());
    let terms = crate::identity::testing::terms("https://a.example");
    let got = Authority::new(vec![terms.clone(), terms], Sessions::new(ring()), Arc::new(Revocations::new(log)));
    assert!(matches!(got, Err(AuthorityError::SameIssuer(_))));
}
