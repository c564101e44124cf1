//! Signatures against the examples of the S3 API reference, and against the SDK's own signer.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use http::header::{AUTHORIZATION, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use proptest::prelude::*;

use super::credentials::Credential;
use super::place::Scope;
use super::sign::{DayKey, Digest, Target, utc};
use crate::backend::aws::copy::PLAIN;
use crate::backend::aws::write::UNRESERVED;

const HOST: &str = "examplebucket.s3.amazonaws.com";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn credential(token: Option<String>) -> Credentials {
    Credentials::new(ID, SECRET, token, None, "test")
}

/// The headers of a request, signed.
fn signed(
    method: &Method,
    target: Target<'_>,
    more: &[(HeaderName, String)],
    token: Option<String>,
    at: Timestamp,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, HOST.parse().unwrap());
    for (name, value) in more {
        headers.insert(name, value.parse().unwrap());
    }
    let scope = Scope { region: "us-east-1".into(), service: "s3".into() };
    let key = DayKey::new(Credential::lasting(credential(token)).into(), &scope, utc(at).date()).unwrap();
    key.sign(method, target, &mut headers, Digest::Empty, at).unwrap();
    headers
}

/// "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", its examples without
/// a body.
#[test]
fn the_examples_of_the_reference_are_signed_alike() {
    let at = "2013-05-24T00:00:00Z".parse().unwrap();
    let range = (RANGE, "bytes=0-9".to_owned());
    for (path, query, headers, names, signature) in [
        (
            "/test.txt",
            "",
            &[range][..],
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "/",
            "lifecycle=",
            &[],
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/",
            "max-keys=2&prefix=J",
            &[],
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let found = signed(&Method::GET, Target { path, query }, headers, None, at);
        let want = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws4_request, SignedHeaders={names}, \
             Signature={signature}"
        );
        assert_eq!(found[AUTHORIZATION], want, "{path}?{query}");
        assert_eq!(found["x-amz-date"], "20130524T000000Z");
    }
}

/// What the SDK would send as `Authorization` for the same request.
fn as_the_sdk(target: Target<'_>, headers: &[(HeaderName, String)], token: Option<String>, at: Timestamp) -> String {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = credential(token).into();
    let params = v4::SigningParams::builder().identity(&identity).region("us-east-1").name("s3");
    let params = params.time(SystemTime::from(at)).settings(settings).build().unwrap().into();
    let mark = if target.query.is_empty() { "" } else { "?" };
    let uri = format!("https://{HOST}{}{mark}{}", target.path, target.query);
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new("HEAD", uri, headers, SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = aws_sigv4::http_request::sign(request, &params).unwrap().into_parts();
    let found = instructions.headers().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    found.unwrap().1.to_owned()
}

proptest! {
    #[test]
    fn any_request_is_signed_as_the_sdk_signs_it(
        key in "\\PC{1,40}",
        part in proptest::option::of(1_u32..=10_000),
        version in proptest::option::of("[!-~]{1,30}"),
        pin in proptest::option::of("\"[a-f0-9]{1,32}(-[0-9]{1,3})?\""),
        meta in proptest::option::of("[ -~]{0,20}"),
        token in proptest::option::of("[A-Za-z0-9+/=]{1,60}"),
        seconds in 0_i64..4_102_444_800,
    ) {
        let path = format!("/bucket/{}", utf8_percent_encode(&key, PLAIN));
        let parameters = [part.map(|part| ("partNumber", part.to_string())), version.map(|id| ("versionId", id))];
        let query: Vec<String> = parameters.into_iter().flatten()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, UNRESERVED))).collect();
        let query = query.join("&");
        let target = Target { path: &path, query: &query };
        let headers = [pin.map(|pin| (IF_MATCH, pin)), meta.map(|meta| (HeaderName::from_static("x-amz-meta-a"), meta))];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        let at = Timestamp::from_second(seconds).unwrap();
        let found = signed(&Method::HEAD, target, &headers, token.clone(), at);
        prop_assert_eq!(found[AUTHORIZATION].to_str().unwrap(), as_the_sdk(target, &headers, token, at));
    }
}
