//! Against a small server on loopback that answers what it is told to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::backend::source::Source;
use crate::backend::{Ask, Fetch};
use crate::s3::answer::{Item, Object, Versioning};
use crate::s3::name::Key;

const ACCESS_KEY: &str = "AKIDTESTTESTTESTTEST";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG";
pub(super) const HEAD: &str =
    "ETag: \"0cc1\"\r\nLast-Modified: Fri, 20 Nov 2026 06:00:00 GMT\r\nContent-Type: application/json\r\n";

/// A server that answers every request with this text and then closes, or, if `stalls`, keeps silent.
pub(super) struct Canned {
    pub(super) aws: Aws,
    /// The heads of the requests.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    /// Their bodies, as far as they came.
    pub(super) bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

pub(super) async fn canned(answers: Vec<String>, stalls: bool) -> Canned {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (requests, bodies) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (seen, seen_bodies) = (requests.clone(), bodies.clone());
    tokio::spawn(async move {
        for answer in answers.into_iter().cycle() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = socket.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            seen.lock().unwrap().push(head);
            let mut body = Vec::new();
            drop((&mut socket).take(length).read_to_end(&mut body).await);
            seen_bodies.lock().unwrap().push(body);
            socket.write_all(answer.as_bytes()).await.unwrap();
            if stalls {
                std::future::pending::<()>().await;
            }
        }
    });
    Canned { aws: connect(options(Some(endpoint))).await.unwrap(), requests, bodies }
}

/// The value of a header of a request.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}

pub(super) fn options(endpoint: Option<String>) -> AwsOptions {
    let short = Duration::from_millis(400);
    AwsOptions {
        endpoint,
        region: "eu-central-1".to_owned(),
        path_style: true,
        credentials: Credentials::Static {
            access_key_id: SecretText::new(ACCESS_KEY),
            secret_access_key: SecretText::new(SECRET),
            session_token: None,
        },
        ca_pem: None,
        buckets: [(bucket(), "inner-bucket".to_owned())].into(),
        timeouts: Timeouts { connect: short, head: short, idle: short, copy: short },
    }
}

pub(super) fn bucket() -> Bucket {
    "traces".parse().unwrap()
}

pub(super) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub(super) fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

pub(super) fn error(status: &str, code: &str, message: &str) -> String {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message>\
         <AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><ActualObjectSize>7</ActualObjectSize></Error>"
    );
    response(status, "Content-Type: application/xml\r\n", &body)
}

pub(super) async fn get(server: &Canned, fetch: Fetch) -> Result<Object, Trouble> {
    Source::get(&server.aws, &bucket(), &key("k"), fetch).await
}

#[tokio::test]
async fn codes_and_statuses_become_troubles() {
    let text = |text: &str| text.to_owned();
    for (answer, want) in [
        (error("404 Not Found", "NoSuchKey", "gone"), Trouble::NoSuchKey),
        (error("404 Not Found", "NoSuchBucket", "gone"), Trouble::NoSuchBucket),
        (error("403 Forbidden", "InvalidObjectState", "archived"), Trouble::Archived),
        (error("403 Forbidden", "AccessDenied", "no kms:Decrypt"), Trouble::KeyService(text("403 AccessDenied"))),
        (
            error("400 Bad Request", "KMS.DisabledException", "x"),
            Trouble::KeyService(text("400 KMS.DisabledException")),
        ),
        (error("403 Forbidden", "AccessDenied", ACCESS_KEY), Trouble::Refused(text("403 AccessDenied"))),
        (error("403 Forbidden", ACCESS_KEY, "x"), Trouble::Refused(text("403"))),
        (error("403 Forbidden", "InvalidAccessKeyId", "x"), Trouble::Refused(text("403 InvalidAccessKeyId"))),
        (error("412 Precondition Failed", "PreconditionFailed", "x"), Trouble::Changed),
        (error("416 Range Not Satisfiable", "InvalidRange", "x"), Trouble::InvalidRange { size: Some(7) }),
        (error("503 Slow Down", "SlowDown", "x"), Trouble::Busy),
        (response("503 Service Unavailable", "", "not xml"), Trouble::Busy),
        (response("500 Internal Server Error", "", ""), Trouble::Broken(text("500"))),
        (response("504 Gateway Timeout", "", ""), Trouble::Timeout),
    ] {
        let server = canned(vec![answer.clone()], false).await;
        assert_eq!(get(&server, Fetch::default()).await.map(drop), Err(want), "{answer}");
        assert_eq!(server.requests.lock().unwrap().len(), 1, "no retries: {answer}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("Location: http://{}/inner-bucket/k\r\n", elsewhere.local_addr().unwrap());
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let server = canned(vec![response(status, &location, "")], false).await;
        assert!(matches!(get(&server, Fetch::default()).await.map(drop), Err(Trouble::Broken(_))));
    }
    let followed = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(followed.is_err(), "the signed request went elsewhere");
}

#[tokio::test]
async fn a_head_without_a_body_is_told_by_its_status() {
    for (status, want) in [
        ("404 Not Found", Trouble::NoSuchKey),
        ("403 Forbidden", Trouble::Refused("403".to_owned())),
        ("503 Slow Down", Trouble::Busy),
    ] {
        let server = canned(vec![response(status, "", "")], false).await;
        assert_eq!(Source::head(&server.aws, &bucket(), &key("k"), None, None).await, Err(want), "{status}");
    }
}

#[tokio::test]
async fn an_object_comes_with_its_head_and_exactly_its_bytes() {
    let headers = format!("{HEAD}x-amz-meta-Run: 7\r\nx-amz-version-id: v1\r\nExpires: never\r\n");
    let server = canned(vec![response("200 OK", &headers, "{\"a\":1}")], false).await;
    let object = get(&server, Fetch { pin: Some(ETag("0cc1".into())), ..Fetch::default() }).await.unwrap();
    assert_eq!((object.head.size, object.range), (7, None));
    assert_eq!(object.head.etag, ETag("0cc1".into()));
    assert_eq!(object.head.last_modified, "2026-11-20T06:00:00Z".parse().unwrap());
    assert_eq!(object.head.expires.as_deref(), Some("never"));
    assert_eq!(object.head.user_metadata.get("run").map(String::as_str), Some("7"));
    let chunks: Vec<Bytes> = object.body.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"{\"a\":1}");
    let request = server.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(request.contains("if-match: \"0cc1\"\r\n"), "{request}");
    assert!(!request.contains("x-amz-checksum-mode"), "{request}");
}

#[tokio::test]
async fn a_range_must_be_the_one_asked_for() {
    let range = |text: &str| response("206 Partial Content", &format!("{HEAD}Content-Range: bytes {text}\r\n"), "abc");
    let ask = |first, last| Fetch { range: Some(RangeAsk::Span { first, last }), ..Fetch::default() };
    let suffix = Fetch { range: Some(RangeAsk::Suffix(3)), ..Fetch::default() };
    for (answer, fetch, sound) in [
        ("2-4/9", ask(2, Some(4)), true),
        ("6-8/9", ask(6, Some(100)), true),
        ("6-8/9", ask(6, None), true),
        ("6-8/9", suffix.clone(), true),
        ("5-7/9", suffix, false),
        ("3-5/9", ask(2, Some(4)), false),
        ("2-9/99", ask(2, Some(9)), false),
        ("2-4/*", ask(2, Some(4)), false),
    ] {
        let server = canned(vec![range(answer)], false).await;
        let found = get(&server, fetch.clone()).await;
        assert_eq!(found.is_ok(), sound, "{answer} for {fetch:?}");
    }
}

#[tokio::test]
async fn a_short_or_silent_body_is_an_error() {
    let cut = format!("HTTP/1.1 200 OK\r\n{HEAD}Content-Length: 10\r\nConnection: close\r\n\r\nhalf");
    for stalls in [false, true] {
        let server = canned(vec![cut.clone()], stalls).await;
        let mut body = get(&server, Fetch::default()).await.unwrap().body;
        assert_eq!(&body.try_next().await.unwrap().unwrap()[..], b"half");
        assert!(body.try_next().await.is_err(), "stalls: {stalls}");
    }
}

#[tokio::test]
async fn a_backend_that_is_silent_or_absent_is_told_so() {
    let server = canned(vec![String::new()], true).await;
    assert_eq!(get(&server, Fetch::default()).await.map(drop), Err(Trouble::Timeout));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let aws = connect(options(Some(endpoint))).await.unwrap();
    let Err(Trouble::Broken(text)) = Source::probe(&aws, &bucket()).await else { panic!("it is not there") };
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn the_key_goes_out_byte_for_byte() {
    for (name, path) in [
        ("a//b", "/inner-bucket/a//b"),
        ("/a", "/inner-bucket//a"),
        ("a/", "/inner-bucket/a/"),
        ("a b+c%2Fd", "/inner-bucket/a%20b%2Bc%252Fd"),
        ("é?x=1#y", "/inner-bucket/%C3%A9%3Fx%3D1%23y"),
        ("..a", "/inner-bucket/..a"),
    ] {
        let mut answers = vec![response("200 OK", HEAD, "")];
        if name.contains("//") || name.starts_with('/') {
            let odd = if name.starts_with('/') { "/" } else { "a//" };
            let shown = format!("<CommonPrefixes><Prefix>{odd}</Prefix></CommonPrefixes>");
            answers = vec![listing(false, &shown), listing(false, &listed(name)), answers.remove(0)];
        }
        let server = canned(answers, false).await;
        Source::get(&server.aws, &bucket(), &key(name), Fetch::default()).await.unwrap();
        let request = server.requests.lock().unwrap().last().unwrap().clone();
        let target = request.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned();
        assert_eq!(target, path, "{name}");
    }
    let server = canned(vec![response("200 OK", HEAD, "")], false).await;
    let unknown = Source::get(&server.aws, &"inner-bucket".parse().unwrap(), &key("k"), Fetch::default()).await;
    assert_eq!(unknown.map(drop), Err(Trouble::NoSuchBucket), "only outside names are served");
}

#[tokio::test]
async fn regression_a_store_that_folds_slashes_is_not_believed() {
    for name in ["a//b", "/a/b"] {
        for found in [String::new(), listed("a/b"), listed(name)] {
            let server = canned(vec![listing(false, &found), response("200 OK", HEAD, "")], false).await;
            let got = Source::get(&server.aws, &bucket(), &key(name), Fetch::default()).await;
            assert_eq!(got.map(drop), Err(Trouble::NoSuchKey), "{name} {found}");
        }
    }
}

pub(super) fn listed(key: &str) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>2026-11-20T06:00:00.000Z</LastModified><ETag>&quot;0cc1&quot;</ETag>\
         <Size>2</Size></Contents>"
    )
}

pub(super) fn listing(truncated: bool, rest: &str) -> String {
    let body = format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>{truncated}</IsTruncated>\
         <EncodingType>url</EncodingType><NextContinuationToken>more</NextContinuationToken>{rest}</ListBucketResult>"
    );
    response("200 OK", "Content-Type: application/xml\r\n", &body)
}

#[tokio::test]
async fn a_listing_is_decoded_ordered_and_followed() {
    let contents = |key: &str| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-20T06:00:00.000Z</LastModified><ETag>&quot;0cc1&quot;\
             </ETag><Size>3</Size></Contents>"
        )
    };
    let common = |prefix: &str| format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>");
    let full = [contents("a+b%2B"), contents("a%0Ab"), contents("z"), common("m%2F"), common("%C3%A9/")].concat();
    let server = canned(vec![listing(true, ""), listing(true, &full)], false).await;
    let ask = Ask { prefix: "p".into(), after: Some("a\u{10FFFF}".into()), delimiter: Some("/".into()), max: 1000 };
    let batch = Source::list(&server.aws, &bucket(), ask).await.unwrap();
    let names: Vec<&str> = batch.items.iter().map(Item::name).collect();
    assert_eq!(names, ["a b+", "m/", "z", "é/"]);
    assert_eq!((batch.unnameable, batch.more_after.as_deref()), (1, Some("é/")));
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 2, "an empty page that is not the last is followed");
    assert!(requests[0].contains("encoding-type=url") && requests[0].contains("start-after=a%F4%8F%BF%BF"));
    assert!(requests[1].contains("continuation-token=more"));
}

#[tokio::test]
async fn a_listing_that_never_gets_on_is_an_error() {
    let server = canned(vec![listing(true, "")], false).await;
    let ask = Ask { prefix: String::new(), after: None, delimiter: None, max: 10 };
    assert!(matches!(Source::list(&server.aws, &bucket(), ask).await, Err(Trouble::Broken(_))));
    assert_eq!(server.requests.lock().unwrap().len(), limits::LIST_EMPTY_PAGES_MAX as usize);
}

#[tokio::test]
async fn attributes_are_read() {
    let body = "<GetObjectAttributesResponse><ETag>0cc1</ETag><ObjectSize>9</ObjectSize><Checksum><ChecksumCRC32C>\
                Nks/tw==</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType></Checksum><ObjectParts>\
                <PartsCount>3</PartsCount></ObjectParts></GetObjectAttributesResponse>";
    let server = canned(vec![response("200 OK", HEAD, body)], false).await;
    let found = Source::attributes(&server.aws, &bucket(), &key("k"), None).await.unwrap();
    assert_eq!((found.head.size, found.parts), (9, Some(3)));
    assert_eq!(found.checksums.get("ChecksumCRC32C").map(String::as_str), Some("Nks/tw=="));
    assert_eq!(found.checksum_type.as_deref(), Some("FULL_OBJECT"));
}

#[tokio::test]
async fn versioning_is_read() {
    for (said, want) in [
        ("", Ok(None)),
        ("<Status>Enabled</Status>", Ok(Some(Versioning::Enabled))),
        ("<Status>Suspended</Status>", Ok(Some(Versioning::Suspended))),
        ("<Status>Sometimes</Status>", Err(Trouble::Broken("its state of versioning cannot be read".to_owned()))),
    ] {
        let body = format!("<VersioningConfiguration>{said}</VersioningConfiguration>");
        let server = canned(vec![response("200 OK", "", &body)], false).await;
        assert_eq!(Source::versioning(&server.aws, &bucket()).await, want, "{said}");
        let request = server.requests.lock().unwrap()[0].clone();
        assert!(request.starts_with("GET /inner-bucket/?versioning"), "{request}");
    }
}

#[tokio::test]
async fn the_credential_is_never_printed() {
    let server = canned(vec![error("403 Forbidden", "SignatureDoesNotMatch", SECRET)], false).await;
    let refused = get(&server, Fetch::default()).await.map(drop).unwrap_err();
    let printed = format!("{:?} {:?} {refused:?} {refused} {:?}", options(None), server.aws, options(None).credentials);
    assert!(!printed.contains(ACCESS_KEY) && !printed.contains(SECRET), "{printed}");
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.contains(ACCESS_KEY), "the request is signed with it");
    assert!(!request.contains(SECRET));
}

#[tokio::test]
async fn options_that_cannot_be_used_are_refused() {
    for endpoint in ["", "minio:9000", "ftp://minio", "https://user:pass@minio", "https://minio/path", "https://m/?q"] {
        let refused = connect(options(Some(endpoint.to_owned()))).await.map(drop);
        assert_eq!(refused, Err(AwsError::Endpoint), "{endpoint}");
    }
    for pem in ["", "not pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = connect(AwsOptions { ca_pem: Some(pem.into()), ..options(None) }).await.map(drop);
        assert_eq!(refused, Err(AwsError::Certificates), "{pem}");
    }
}

/// One answer over TLS, by a server that signed its own certificate; with that certificate as PEM.
pub(super) async fn canned_tls(answer: String) -> (String, String) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    (endpoint, signed.cert.pem())
}

#[tokio::test]
async fn only_the_given_certificates_are_trusted() {
    let (endpoint, pem) = canned_tls(listing(false, "")).await;
    let patient = Timeouts::default();
    let ours = AwsOptions { ca_pem: Some(pem.into_bytes()), timeouts: patient, ..options(Some(endpoint.clone())) };
    assert_eq!(Source::probe(&connect(ours).await.unwrap(), &bucket()).await, Ok(()));

    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let other = AwsOptions { ca_pem: Some(other.into_bytes()), timeouts: patient, ..options(Some(endpoint)) };
    let Err(Trouble::Broken(text)) = Source::probe(&connect(other).await.unwrap(), &bucket()).await else {
        panic!("a stranger's certificate is trusted");
    };
    assert!(text.contains("certificate"), "{text}");
}
