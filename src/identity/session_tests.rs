//! Sessions: what opens, what never does, and that all failures look alike.

use std::time::Duration;

use super::*;
use crate::identity::sigv4::Service;
use crate::identity::testing::{now, ring, role};
use crate::keyring::{KeyState, RingKey, SecretKey};

fn assumed() -> Assumed {
    Assumed {
        issuer: "https://login.example".into(),
        subject: "ada".into(),
        name: Some("Ada".into()),
        role: "analyst".parse().unwrap(),
        claims: Claims::from([("region".into(), vec!["eu".into()])]),
        admitted_by: Claims::from([("groups".into(), vec!["analysts".into()])]),
        audience: Some("tracegate".into()),
        session_name: Some("boto".into()),
        parent: "bearer-00".into(),
        issued: now(),
        expires: now() + Duration::from_secs(3600),
    }
}

fn claim(access_key_id: &str, token: &str, presigned: Option<Presigned>) -> SignedClaim {
    SignedClaim {
        access_key_id: access_key_id.to_owned(),
        session_token: SecretText::new(token),
        presigned,
        service: Service::S3,
        signed_at: now(),
    }
}

fn url(seconds: u64) -> Option<Presigned> {
    let lifetime = Duration::from_secs(seconds);
    Some(Presigned { lifetime, expires: now() + lifetime })
}

#[test]
fn issued_opened_confirmed() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    assert_eq!(sessions.secret_for(&issued.access_key_id).unwrap(), issued.secret_access_key);
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);
    let identity =
        sessions.open(&claim, now()).unwrap().confirm(&issued.access_key_id, &issued.secret_access_key).unwrap();
    assert_eq!(
        (identity.subject(), identity.issuer(), identity.role().as_str()),
        ("ada", "https://login.example", "analyst")
    );
    assert_eq!((identity.session(), identity.session_name()), (issued.access_key_id.as_str(), Some("boto")));
    assert_eq!(identity.parent(), Some("bearer-00"));
    assert_eq!((identity.issued(), identity.expires()), (now(), now() + Duration::from_secs(3600)));
    assert_eq!((identity.claims(), identity.proof()), (&assumed().claims, Proof::Signature));
    let other = sessions.issue(&assumed()).unwrap().access_key_id;
    let confirmed = sessions.open(&claim, now()).unwrap().confirm(&other, &issued.secret_access_key);
    assert_eq!(confirmed, Err(signature_refused()));
}

#[test]
fn forged_swapped_and_unknown_look_like_a_wrong_signature() {
    let sessions = Sessions::new(ring());
    let (one, two) = (sessions.issue(&assumed()).unwrap(), sessions.issue(&assumed()).unwrap());
    let foreign = Sessions::new(ring()).issue(&assumed()).unwrap();
    let check = |id: &str, token: &str| {
        assert_eq!(sessions.open(&claim(id, token, None), now()).map(drop), Err(signature_refused()), "{id}");
    };
    check(&one.access_key_id, two.session_token.expose());
    check(&two.access_key_id, one.session_token.expose());
    check(&foreign.access_key_id, foreign.session_token.expose());
    check("AKIAIOSFODNN7EXAMPLE", one.session_token.expose());
    check("ASIAABCDEFGHIJKLMNOP", one.session_token.expose());
    check(&one.access_key_id, "v4.local.");
    check(&one.access_key_id, "");

    let ring = sessions.ring.load();
    for plain in ["{}", r#"{"v":1}"#, "not json"] {
        let sealed = ring.seal(Purpose::Session, plain, one.access_key_id.as_bytes());
        check(&one.access_key_id, &sealed);
    }
    let page = ring.seal(Purpose::PageToken, "{}", one.access_key_id.as_bytes());
    check(&one.access_key_id, &page);
}

#[test]
fn every_changed_byte_closes_the_session() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    let token = issued.session_token.expose();
    for at in (0..token.len()).step_by(3).chain([token.len() - 1]) {
        let mut bytes = token.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let got = sessions.open(&claim(&issued.access_key_id, &changed, None), now()).map(drop);
        assert_eq!(got, Err(signature_refused()), "byte {at}");
    }
    for cut in [1, 8, token.len() / 2] {
        let got = sessions.open(&claim(&issued.access_key_id, &token[..token.len() - cut], None), now()).map(drop);
        assert_eq!(got, Err(signature_refused()), "{cut} cut");
    }
}

#[test]
fn expired_to_the_second() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);
    assert!(sessions.open(&claim, now() + Duration::from_secs(3599)).is_ok());
    let refusal = sessions.open(&claim, now() + Duration::from_secs(3600)).map(drop).unwrap_err();
    assert_eq!((refusal.code, refusal.code.status()), (Code::ExpiredToken, 400));
}

#[test]
fn retired_keys_open_and_an_emergency_ring_closes_everything() {
    let key = |id: &str, state, byte| RingKey { id: id.into(), state, key: SecretKey::from_bytes([byte; 32]) };
    let ring = Arc::new(ArcSwap::from_pointee(KeyRing::new(vec![key("k1", KeyState::Active, 1)]).unwrap()));
    let sessions = Sessions::new(ring.clone());
    let issued = sessions.issue(&assumed()).unwrap();
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);

    let rotated = KeyRing::new(vec![key("k1", KeyState::Retired, 1), key("k2", KeyState::Active, 2)]).unwrap();
    ring.store(Arc::new(rotated));
    assert!(sessions.open(&claim, now()).is_ok());
    assert_eq!(sessions.secret_for(&issued.access_key_id).unwrap(), issued.secret_access_key);
    assert_ne!(sessions.issue(&assumed()).unwrap().access_key_id[4..7], issued.access_key_id[4..7]);

    ring.store(Arc::new(KeyRing::new(vec![key("k3", KeyState::Active, 3)]).unwrap()));
    assert_eq!(sessions.open(&claim, now()).map(drop), Err(signature_refused()));
    assert_eq!(sessions.secret_for(&issued.access_key_id), None);
    // The old name with a new key is no way back either.
    ring.store(Arc::new(KeyRing::new(vec![key("k1", KeyState::Active, 4)]).unwrap()));
    assert_eq!(sessions.open(&claim, now()).map(drop), Err(signature_refused()));
}

#[test]
fn regression_a_ring_that_changes_between_opening_and_signature_confirms_nobody() {
    let key = |byte| RingKey { id: "k".into(), state: KeyState::Active, key: SecretKey::from_bytes([byte; 32]) };
    let ring = Arc::new(ArcSwap::from_pointee(KeyRing::new(vec![key(1)]).unwrap()));
    let sessions = Sessions::new(ring.clone());
    let issued = sessions.issue(&assumed()).unwrap();
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);
    let opened = sessions.open(&claim, now()).unwrap();
    ring.store(Arc::new(KeyRing::new(vec![key(2)]).unwrap()));
    let other = sessions.secret_for(&issued.access_key_id).unwrap();
    for verified_with in [other, SecretText::new(""), SecretText::random()] {
        assert_eq!(opened.clone().confirm(&issued.access_key_id, &verified_with), Err(signature_refused()));
    }
    assert!(opened.confirm(&issued.access_key_id, &issued.secret_access_key).is_ok());
}

#[test]
fn regression_a_session_is_no_longer_than_its_role_allows_today() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);
    let shorter = RoleTerms { max_session: Some(Duration::from_secs(900)), ..role("analyst") };
    let under = |at| sessions.open(&claim, at).unwrap().under(&shorter, at);
    let last = now() + Duration::from_secs(899);
    assert_eq!(under(last).unwrap().identity.expires, now() + Duration::from_secs(900));
    assert_eq!(under(now() + Duration::from_secs(900)).map(drop).unwrap_err().code, Code::ExpiredToken);
}

#[test]
fn todays_role_decides() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    let open = |presigned| {
        let claim = claim(&issued.access_key_id, issued.session_token.expose(), presigned);
        sessions.open(&claim, now()).unwrap()
    };
    let end = now() + Duration::from_secs(60);
    let ends = RoleTerms { expires: Some(end), ..role("analyst") };
    assert_eq!(open(None).under(&ends, now()).unwrap().identity.expires, end, "cut to the role's end");
    assert!(open(None).under(&ends, end).is_err());

    let presign = |presign| RoleTerms { presign, ..role("analyst") };
    let refusal = open(url(60)).under(&presign(None), now()).map(drop).unwrap_err();
    assert!(refusal.message.contains("`presign`"), "{refusal}");
    let short = presign(Some(Duration::from_secs(900)));
    assert!(open(url(901)).under(&short, now()).map(drop).unwrap_err().message.contains("at most 900 seconds"));
    let opened = open(url(900)).under(&short, now()).unwrap();
    assert_eq!(opened.confirm(&issued.access_key_id, &issued.secret_access_key).unwrap().proof(), Proof::Presigned);
}

#[test]
fn too_much_to_carry() {
    let sessions = Sessions::new(ring());
    let claims = Claims::from([("region".into(), vec!["x".repeat(64); 200])]);
    assert_eq!(sessions.issue(&Assumed { claims, ..assumed() }).map(drop), Err(IssueError::TooLong));
}

#[test]
fn nothing_secret_prints() {
    let sessions = Sessions::new(ring());
    let issued = sessions.issue(&assumed()).unwrap();
    let claim = claim(&issued.access_key_id, issued.session_token.expose(), None);
    let shown = format!("{issued:?} {claim:?} {sessions:?} {:?}", sessions.open(&claim, now()));
    assert!(!shown.contains(issued.secret_access_key.expose()) && !shown.contains("v4.local"), "{shown}");
}
