//! The wire cases of [`super::Claimed::read`], as data.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::*;
use crate::identity::secret::SecretText;
use crate::identity::sigv4::Service;
use crate::identity::testing::now;

const KEY: &str = "ASIAABCDEFGHIJKLMNOP";
const SIG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// `METHOD target`, then header lines.
fn read(request: &str) -> Result<Claimed, Refusal> {
    let mut lines = request.lines().map(str::trim).filter(|line| !line.is_empty());
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    Claimed::read(&method.parse::<Method>().unwrap(), &target.parse::<Uri>().unwrap(), &headers, now())
}

/// A sound header-signed request in which `from` is replaced by `to`.
fn header_form(from: &str, to: &str) -> Result<Claimed, Refusal> {
    let request = format!(
        "GET /b/k\nhost: x\nx-amz-date: 20261120T100000Z\nx-amz-security-token: tok\nx-amz-content-sha256: UNSIGNED-PAYLOAD\n\
         authorization: AWS4-HMAC-SHA256 Credential={KEY}/20261120/eu-x-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature={SIG}"
    );
    assert!(request.contains(from), "{from}");
    read(&request.replace(from, to))
}

/// A sound presigned request in which `from` is replaced by `to`.
fn query_form(from: &str, to: &str) -> Result<Claimed, Refusal> {
    let request = format!(
        "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20261120%2Ftracegate%2Fs3%2Faws4_request\
         &X-Amz-Date=20261120T095000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=tok\
         &X-Amz-Signature={SIG}&x-id=GetObject\nhost: x"
    );
    assert!(request.contains(from), "{from}");
    read(&request.replace(from, to))
}

#[track_caller]
fn refused(got: Result<Claimed, Refusal>, code: Code, part: &str) {
    let refusal = got.expect_err("must be refused");
    assert!(refusal.code == code && refusal.message.contains(part), "{refusal}");
}

#[test]
fn sound_forms() {
    let Claimed::Signed(claim) = header_form("", "").unwrap() else { panic!("signed") };
    assert_eq!((claim.access_key_id.as_str(), claim.service), (KEY, Service::S3));
    assert_eq!((claim.session_token.expose(), claim.presigned, claim.signed_at), ("tok", None, now()));
    assert!(claim.chunk_signer(&SecretText::new("s")).is_some());

    let Claimed::Signed(claim) = query_form("", "").unwrap() else { panic!("signed") };
    let presigned = claim.presigned.unwrap();
    assert_eq!(presigned.lifetime.as_secs(), 900);
    assert_eq!(presigned.expires.to_string(), "2026-11-20T10:05:00Z");
    assert!(claim.chunk_signer(&SecretText::new("s")).is_none(), "a presigned URL signs no body");

    assert_eq!(read("GET /b/k?list-type=2"), Ok(Claimed::None));
    for (request, token, role) in [
        ("GET /b/k\nauthorization: Bearer a.b.c", "a.b.c", None),
        ("GET /b/k\nauthorization: bearer   a.b.c ", "a.b.c", None),
        ("GET /b/k\nauthorization: Bearer a.b.c\nx-tracegate-role: support", "a.b.c", Some("support")),
        ("GET /-/credentials\nauthorization: a.b.c", "a.b.c", None),
        ("GET /-/credentials/support\nauthorization: a.b.c", "a.b.c", None),
    ] {
        let Ok(Claimed::Bearer(claim)) = read(request) else { panic!("{request}") };
        assert_eq!((claim.token.expose(), claim.role.as_ref().map(RoleName::as_str)), (token, role), "{request}");
    }
    // Spaces between the parts are optional.
    assert!(header_form(", ", ",").is_ok());
    assert!(header_form("20261120T100000Z", "20261120T101500Z").is_ok());
    assert!(header_form("x-amz-date: ", "x-other: 1\nx-amz-date: ").is_ok());
}

#[test]
fn one_credential_per_request() {
    let two = "authorization: Bearer a.b.c\nauthorization";
    refused(header_form("authorization", two), Code::InvalidRequest, "must not stand twice");
    refused(query_form("host: x", "host: x\nauthorization: Bearer a.b.c"), Code::InvalidRequest, "not both");
    refused(read("GET /?X-Amz-Credential=x\nauthorization: Bearer a.b.c"), Code::InvalidRequest, "not both");
    refused(read("GET /?X%2DAmz-Signature=x\nauthorization: Bearer a"), Code::InvalidRequest, "not both");
    refused(
        read("GET /\nauthorization: Bearer a.b.c\nx-amz-security-token: t"),
        Code::InvalidRequest,
        "not with Bearer",
    );
    refused(query_form("host: x", "host: x\nx-amz-security-token: t"), Code::InvalidRequest, "not in both");
    refused(header_form("host: x", "host: x\nx-tracegate-role: support"), Code::InvalidRequest, "the one role");
    refused(
        read("GET /\nauthorization: Bearer a\nx-tracegate-role: a\nx-tracegate-role: b"),
        Code::InvalidRequest,
        "twice",
    );
    refused(read("GET /\nauthorization: Bearer a\nx-tracegate-role: Admin"), Code::InvalidRequest, "a-z");
}

#[test]
fn forms_that_we_do_not_speak() {
    for request in [
        "GET /\nauthorization: AWS AKIA:c2ln",
        "GET /b/k?AWSAccessKeyId=A&Signature=c2ln&Expires=1",
        "GET /b/k?Signature=c2ln",
        "GET /b/k?awsaccesskeyid=A",
    ] {
        refused(read(request), Code::InvalidRequest, "Version 2");
    }
    for request in [
        "GET /\nauthorization: Basic dTpw",
        "GET /\nauthorization: Bearer",
        "GET /b\nauthorization: a.b.c",
        "GET /-/credentialsx\nauthorization: a.b.c",
        "GET /\nauthorization: AWS4-ECDSA-P256-SHA256 Credential=x",
        "GET /\nauthorization: aws4-hmac-sha256 Credential=x",
    ] {
        refused(read(request), Code::InvalidRequest, "Authorization must be");
    }
    refused(
        query_form("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        Code::AuthorizationHeaderMalformed,
        "X-Amz-Algorithm",
    );
    refused(read("GET /?a=%FF"), Code::InvalidUri, "UTF-8");
    refused(read(&format!("GET /?{}", "a&".repeat(65))), Code::InvalidUri, "too many");
}

#[test]
fn everything_that_gives_meaning_is_signed() {
    refused(header_form("host;", ""), Code::AccessDenied, "host");
    refused(header_form(";x-amz-security-token", ""), Code::AccessDenied, "x-amz-security-token");
    refused(header_form("host: x", "host: x\nx-amz-copy-source: b/other"), Code::AccessDenied, "x-amz-copy-source");
    refused(query_form("host: x", "host: x\nx-amz-copy-source: b/other"), Code::AccessDenied, "x-amz-copy-source");
    refused(query_form("SignedHeaders=host", "SignedHeaders=range"), Code::AccessDenied, "host");
    refused(header_form("host;", "Host;"), Code::AuthorizationHeaderMalformed, "lower-case");
    refused(header_form("host;", "host;host;"), Code::AuthorizationHeaderMalformed, "stand once");
    refused(
        header_form("x-amz-date: ", "x-amz-date: 20261120T100001Z\nx-amz-date: "),
        Code::InvalidRequest,
        "x-amz-date",
    );
    let doubled = "x-amz-content-sha256: a\nx-amz-content-sha256: ";
    refused(header_form("x-amz-content-sha256: ", doubled), Code::InvalidRequest, "must not stand twice");
    assert!(query_form("host: x", "host: x\nrange: bytes=0-1").is_ok(), "other headers need no signature");
}

#[test]
fn times() {
    let far = Code::RequestTimeTooSkewed;
    refused(header_form("20261120T100000Z", "20261120T101501Z"), far, "15 minutes");
    refused(header_form("20261120T100000Z", "20261120T094459Z"), far, "15 minutes");
    refused(header_form("20261120T100000Z", "20261119T100000Z"), Code::AuthorizationHeaderMalformed, "the date of");
    for date in
        ["2026-11-20T10:00:00Z", "20261120T100000", "20261320T100000Z", "20261120t100000Z", "+0261120T100000Z", ""]
    {
        refused(header_form("20261120T100000Z", date), Code::AuthorizationHeaderMalformed, "20260131T235959Z");
    }
    let denied = Code::AccessDenied;
    refused(query_form("Expires=900", "Expires=600"), denied, "expired");
    refused(query_form("20261120T095000Z", "20261120T101501Z"), denied, "not valid yet");
    assert!(query_form("20261120T095000Z", "20261120T101500Z").is_ok());
    assert!(query_form("Expires=900", "Expires=604800").is_ok());
    for seconds in ["0", "604801", "4294967295", "-1", "+9", "9e2", "", "99999999999999999999"] {
        let malformed = Code::AuthorizationHeaderMalformed;
        refused(query_form("Expires=900", &format!("Expires={seconds}")), malformed, "X-Amz-Expires");
    }
}

#[test]
fn scopes_and_shapes() {
    let malformed = Code::AuthorizationHeaderMalformed;
    refused(header_form("/s3/", "/ec2/"), malformed, "service s3");
    refused(header_form("/s3/", "/sts/"), malformed, "POST / only");
    refused(query_form("s3%2F", "sts%2F"), malformed, "POST / only");
    refused(header_form("GET /b/k", "POST /"), malformed, "the service sts");
    refused(header_form("/20261120/", "/20261119/"), malformed, "the date of");
    refused(header_form("/20261120/", "/2026112/"), malformed, "the date of");
    refused(header_form("aws4_request", "aws4"), malformed, "a credential is");
    refused(header_form("ASIAABC", "ASIA-ABC"), malformed, "letters and digits");
    refused(header_form(KEY, ""), malformed, "letters and digits");
    refused(header_form(SIG, &SIG.to_uppercase()), malformed, "64 lower-case");
    refused(header_form(SIG, &SIG[1..]), malformed, "64 lower-case");
    refused(header_form("SignedHeaders=", "Signed="), malformed, "in this order");
    refused(header_form("x-amz-security-token: tok", "x-other: tok"), Code::InvalidToken, "no session token");
    refused(query_form("&X-Amz-Security-Token=tok", ""), Code::InvalidToken, "no session token");
    refused(query_form("Token=tok", "Token="), Code::InvalidToken, "empty");
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        refused(query_form(&format!("X-Amz-{name}="), "y="), malformed, name);
        let (one, lower) = (format!("X-Amz-{name}="), format!("x-amz-{}=", name.to_lowercase()));
        refused(query_form(&one, &format!("{one}1&{one}")), Code::InvalidRequest, "twice");
        refused(query_form(&one, &lower), Code::InvalidRequest, "must be written so");
    }
    refused(query_form("x-id=GetObject", "x-amz-acl=a&X-AMZ-ACL=b"), Code::InvalidRequest, "twice");
}

#[test]
fn sts_scope_is_for_the_sts_door() {
    let signed = |line: &str| {
        let request = format!(
            "{line}\nhost: x\nx-amz-date: 20261120T100000Z\nx-amz-security-token: tok\n\
             authorization: AWS4-HMAC-SHA256 Credential={KEY}/20261120/us-east-1/sts/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={SIG}"
        );
        read(&request)
    };
    assert!(signed("POST /").is_ok());
    assert!(signed("GET /").is_err());
    assert!(signed("POST /b").is_err());
}

#[test]
fn secrets_do_not_print() {
    let shown = format!("{:?} {:?}", query_form("", ""), read("GET /\nauthorization: Bearer topsecret"));
    assert!(!shown.contains("tok\"") && !shown.contains("topsecret"), "{shown}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Whatever is thrown at it: no panic, and nothing that is not a whole signature passes as one.
    #[test]
    fn no_text_panics_or_passes(
        scheme in proptest::sample::select(vec!["", "AWS ", "Bearer ", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential="]),
        value in "[ -~]{0,120}",
        query in "[!-~&&[^#]]{0,120}",
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("{scheme}{value}")).unwrap());
        if let Ok(uri) = format!("/b/k?{query}").parse::<Uri>() {
            let got = Claimed::read(&Method::GET, &uri, &headers, now());
            proptest::prop_assert!(!matches!(got, Ok(Claimed::Signed(_) | Claimed::None)), "{:?}", got);
        }
    }
}
