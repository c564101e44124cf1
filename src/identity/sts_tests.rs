//! The STS door's forms and answers, word for word.

use super::*;
use crate::identity::secret::SecretText;
use crate::identity::testing::now;

const SOUND: &str = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=boto-1&WebIdentityToken=a.b.c\
     &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fanalyst";

fn issued() -> Issued {
    Issued {
        access_key_id: "ASIAABCDEFGHIJKLMNOP".into(),
        secret_access_key: SecretText::new("s3cr3t"),
        session_token: SecretText::new("v4.local.x"),
        expires: now(),
        role: "analyst".parse().unwrap(),
        subject: "a<d>a".into(),
        name: None,
        issuer: "https://login.example/?a&b".into(),
        audience: Some("tracegate".into()),
        session_name: Some("boto-1".into()),
        parent: "bearer-00".into(),
    }
}

#[test]
fn sound_calls() {
    let call = StsCall::parse(format!("{SOUND}&DurationSeconds=900&ProviderId=x").as_bytes()).unwrap();
    let StsCall::AssumeRoleWithWebIdentity { token, wish } = call else { panic!("another call") };
    assert_eq!((token.expose(), wish.duration), ("a.b.c", Some(Duration::from_secs(900))));
    assert_eq!(wish.role, Some("analyst".parse().unwrap()));
    assert_eq!(wish.session_name, SessionName::parse("boto-1"));
    assert_eq!(StsCall::parse(b"Action=GetCallerIdentity&Version=2011-06-15"), Ok(StsCall::GetCallerIdentity));
}

#[test]
fn calls_that_are_not_understood() {
    let check = |from: &str, to: &str, want: &str| {
        assert!(SOUND.contains(from));
        let error = StsCall::parse(SOUND.replace(from, to).as_bytes()).expect_err(to);
        let body = call_refused(&error, "id").body;
        assert!(body.expose().contains(&format!("<Code>{want}</Code>")), "{to}: {}", body.expose());
    };
    check("Action=AssumeRoleWithWebIdentity", "Action=AssumeRole", "InvalidAction");
    check("Action=AssumeRoleWithWebIdentity", "A=1", "MissingParameter");
    check("Version=2011-06-15", "Version=2010-01-01", "ValidationError");
    check("RoleSessionName=boto-1&", "", "MissingParameter");
    check("boto-1", "a+b", "ValidationError");
    check("WebIdentityToken=a.b.c", "", "MissingParameter");
    check("a.b.c", "", "InvalidIdentityToken");
    check("%3Arole", "%3Auser", "ValidationError");
    check("analyst", "Analyst", "ValidationError");
    check("RoleArn=arn", "RoleArn=x", "ValidationError");
    check("a.b.c", "a.b.c&WebIdentityToken=d.e.f", "ValidationError");
    check("a.b.c", "a.b.c&DurationSeconds=1h", "ValidationError");
    check("a.b.c", "a.b.c&Policy=%7B%7D", "ValidationError");
    check("a.b.c", "a.b.c&PolicyArns.member.1.arn=x", "ValidationError");
    assert!(StsCall::parse(&[b'a'; 64 * 1024 + 1]).is_err());
    assert!(StsCall::parse(&[0xff]).is_err());
}

#[test]
fn role_arns() {
    for arn in [
        "arn:aws:iam::000000000000:role/analyst",
        "arn:aws:iam::role:role/analyst",
        "arn:aws-cn:iam::1:role/team/analyst",
    ] {
        assert_eq!(role_of_arn(arn), Ok("analyst".parse().unwrap()), "{arn}");
    }
    for arn in [
        "",
        "analyst",
        "arn:aws:iam::1:role/",
        "arn:aws:sts::1:role/a",
        "arn:aws:iam:eu:1:role/a",
        "arn:aws:iam::1:role",
    ] {
        assert!(role_of_arn(arn).is_err(), "{arn}");
    }
    let role = "analyst".parse().unwrap();
    assert_eq!(role_of_arn(&arn_of_role(&role)), Ok(role));
}

#[test]
fn answers_word_for_word() {
    let reply = assumed(&issued(), "req-1");
    assert_eq!((reply.status, reply.content_type), (200, "text/xml"));
    assert_eq!(
        reply.body.expose(),
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>a&lt;d&gt;a</SubjectFromWebIdentityToken>\
         <Audience>tracegate</Audience><AssumedRoleUser>\
         <Arn>arn:aws:sts::000000000000:assumed-role/analyst/boto-1</Arn>\
         <AssumedRoleId>ASIAABCDEFGHIJKLMNOP:boto-1</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIAABCDEFGHIJKLMNOP</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>\
         <SessionToken>v4.local.x</SessionToken><Expiration>2026-11-20T10:00:00Z</Expiration></Credentials>\
         <Provider>https://login.example/?a&amp;b</Provider></AssumeRoleWithWebIdentityResult>\
         <ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
    );
    assert_eq!(
        exchange_refused(&ExchangeError::Token(TokenError::Audience), "req-1").body.expose(),
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>InvalidIdentityToken</Code><Message>The token is for another audience.</Message></Error>\
         <RequestId>req-1</RequestId></ErrorResponse>"
    );
    assert!(!format!("{reply:?}").contains("s3cr3t"));
}

#[test]
fn codes_that_sdks_know() {
    let check = |error: ExchangeError, status: u16, code: &str| {
        let reply = exchange_refused(&error, "r");
        assert_eq!(reply.status, status, "{error}");
        assert!(reply.body.expose().contains(&format!("<Code>{code}</Code>")), "{error}");
    };
    check(TokenError::Expired.into(), 400, "ExpiredTokenException");
    check(TokenError::Signature.into(), 400, "InvalidIdentityToken");
    check(TokenError::ProviderUnavailable.into(), 400, "IDPCommunicationError");
    check(ExchangeError::NoRole, 403, "AccessDenied");
    check(ExchangeError::Revoked, 403, "AccessDenied");
    check(ExchangeError::Validation("x".into()), 400, "ValidationError");
    check(ExchangeError::RevocationsUnknown, 503, "ServiceUnavailable");
}
