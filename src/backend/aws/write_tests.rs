//! Writes against a small server on loopback that answers what it is told to, or does not.

use futures::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::tests::{HEAD, bucket, canned, error, header, key, listed, listing, options, response};
use super::*;
use crate::backend::VersionsAsk;
use crate::backend::source::Source;
use crate::backend::suite::{broken_upload, upload};
use crate::s3::answer::{Deleted, Stored, VersionItem};
use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::operation::Preconditions;
use crate::s3::operation::write::{
    CompleteMultipartUpload, CopyObject, CopySource, DeleteObject, NewHead, OnlyIf, PartNamed, PutObject, UploadId,
    UploadPart,
};
use crate::s3::payload::{Upload, UploadError};

const ETAG: &str = "ETag: \"0cc1\"\r\n";

fn put_op(name: &str) -> PutObject {
    PutObject { bucket: bucket(), key: key(name), head: NewHead::default(), only_if: OnlyIf::Always }
}

pub(super) async fn put(aws: &Aws, name: &str, upload: Upload) -> Result<Stored, Trouble> {
    Source::put(aws, &put_op(name), OnlyIf::Always, upload).await
}

pub(super) fn upload_id() -> UploadId {
    UploadId { inside: "inside".into() }
}

fn complete_op() -> CompleteMultipartUpload {
    CompleteMultipartUpload {
        bucket: bucket(),
        key: key("k"),
        upload: upload_id(),
        parts: vec![PartNamed { part: 1, etag: ETag("0cc1".into()), checksum: None }],
        checksum: None,
        full_object: None,
        size: Some(5),
        only_if: OnlyIf::Absent,
    }
}

fn copy_op(name: &str, version: Option<&str>) -> CopyObject {
    let version = version.map(|version| version.parse().unwrap());
    let source = CopySource { bucket: bucket(), key: key(name), version, preconditions: Preconditions::default() };
    CopyObject {
        source,
        bucket: bucket(),
        key: key("k"),
        head: None,
        tags: None,
        storage_class: None,
        encrypted: false,
        checksum: None,
        only_if: OnlyIf::Always,
    }
}

#[tokio::test]
async fn a_body_goes_out_plain_with_what_the_store_is_to_verify() {
    let server = canned(vec![response("200 OK", ETAG, "")], false).await;
    let checksum = Checksum { algorithm: Algorithm::Crc64Nvme, value: "AAAAAAAAAAA=".into() };
    let sent = Upload { checksum: Some(checksum), md5: Some("MD5==".into()), ..upload(vec![b'x'; 300_000]) };
    let user_metadata = [("run".to_owned(), "7".to_owned())].into();
    let head = NewHead { expires: Some("never".to_owned()), encrypted: true, user_metadata, ..NewHead::default() };
    let op = PutObject { head, ..put_op("k") };
    Source::put(&server.aws, &op, OnlyIf::Absent, sent).await.unwrap();
    let request = server.requests.lock().unwrap()[0].clone();
    for (name, value) in [
        ("content-length", "300000"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("content-md5", "MD5=="),
        ("if-none-match", "*"),
        ("expires", "never"),
        ("x-amz-meta-run", "7"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        assert_eq!(header(&request, name), Some(value), "{request}");
    }
    for absent in ["transfer-encoding", "content-encoding", "x-amz-trailer", "x-amz-sdk-checksum-algorithm", "expect"] {
        assert_eq!(header(&request, absent), None, "{request}");
    }
    assert_eq!(server.bodies.lock().unwrap()[0], vec![b'x'; 300_000]);
}

#[tokio::test]
async fn a_part_may_be_larger_than_31_bits_can_tell() {
    let server = canned(vec![response("200 OK", ETAG, "")], false).await;
    let op = UploadPart { bucket: bucket(), key: key("k"), upload: upload_id(), part: 10_000 };
    let late = stream::once(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Err(UploadError::Incomplete)
    });
    let body = stream::iter([Ok(bytes::Bytes::from_static(b"x"))]).chain(late).boxed();
    let sent = Upload { length: 3 << 30, body, ..upload("") };
    let refused = Source::put_part(&server.aws, &op, sent).await;
    assert_eq!(refused, Err(Trouble::Upload(UploadError::Incomplete)));
    let request = server.requests.lock().unwrap()[0].clone();
    assert_eq!(header(&request, "content-length"), Some("3221225472"));
    assert!(request.contains("partNumber=10000") && request.contains("uploadId=inside"), "{request}");
    let too_large = Upload { length: limits::UPLOAD_BYTES_MAX + 1, ..upload("") };
    assert_eq!(Source::put_part(&server.aws, &op, too_large).await, Err(Trouble::TooLarge));
}

/// The connection ends before the last byte: a store cannot take it for the whole.
#[tokio::test]
async fn a_body_that_breaks_off_never_arrives_whole() {
    let server = canned(vec![response("200 OK", ETAG, "")], false).await;
    let refused = put(&server.aws, "k", broken_upload(100_000, UploadError::Checksum)).await;
    assert_eq!(refused, Err(Trouble::Upload(UploadError::Checksum)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(server.bodies.lock().unwrap().iter().all(|body| body.len() < 100_000));

    let before = server.requests.lock().unwrap().len();
    let failing = broken_upload(0, UploadError::Checksum);
    assert_eq!(put(&server.aws, "k", failing).await, Err(Trouble::Upload(UploadError::Checksum)));
    assert_eq!(server.requests.lock().unwrap().len(), before, "an empty body that is not sound is not sent at all");
}

/// Each piece comes after more than the whole time that a store has to answer.
#[tokio::test]
async fn a_slow_caller_is_not_cut() {
    let server = canned(vec![response("200 OK", ETAG, "")], false).await;
    let pieces = stream::iter(0..3).then(|_| async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        Ok(bytes::Bytes::from_static(b"piece"))
    });
    let sent = Upload { length: 15, md5: Some("MD5==".into()), body: pieces.boxed(), ..upload("") };
    assert!(put(&server.aws, "k", sent).await.is_ok());
    assert_eq!(server.bodies.lock().unwrap()[0], b"piecepiecepiece");
}

#[tokio::test]
async fn a_store_that_stops_reading_or_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let held = tokio::spawn(async move { (listener.accept().await.unwrap(), std::future::pending::<()>().await) });
    let deaf = connect(options(Some(endpoint))).await.unwrap();
    assert_eq!(put(&deaf, "k", upload(vec![b'x'; 64 << 20])).await, Err(Trouble::Timeout));
    held.abort();

    let silent = canned(vec![String::new()], true).await;
    assert_eq!(put(&silent.aws, "k", upload("all of it")).await, Err(Trouble::Timeout));
    assert_eq!(silent.bodies.lock().unwrap()[0], b"all of it");
}

#[tokio::test]
async fn an_answer_before_the_whole_body_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        socket.write_all(response("200 OK", ETAG, "").as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let aws = connect(options(Some(endpoint))).await.unwrap();
    let endless = stream::iter([Ok(bytes::Bytes::from_static(b"x"))]).chain(stream::pending());
    let sent = Upload { length: 10, md5: Some("MD5==".into()), body: endless.boxed(), ..upload("") };
    assert!(matches!(put(&aws, "k", sent).await, Err(Trouble::Broken(_))));
}

#[tokio::test]
async fn codes_of_writes_become_troubles() {
    for (status, code, want) in [
        ("412 Precondition Failed", "PreconditionFailed", Trouble::Occupied),
        ("409 Conflict", "ConditionalRequestConflict", Trouble::Conflict),
        ("400 Bad Request", "BadDigest", Trouble::BadDigest),
        ("400 Bad Request", "EntityTooLarge", Trouble::TooLarge),
        ("400 Bad Request", "InvalidStorageClass", Trouble::Invalid("storage class")),
        ("400 Bad Request", "InvalidTag", Trouble::Invalid("tag")),
        ("404 Not Found", "NoSuchBucket", Trouble::NoSuchBucket),
        ("501 Not Implemented", "NotImplemented", Trouble::Unable("do this")),
        ("503 Slow Down", "SlowDown", Trouble::Busy),
    ] {
        let server = canned(vec![error(status, code, "x")], false).await;
        assert_eq!(put(&server.aws, "k", upload("x")).await, Err(want), "{code}");
    }
}

/// S3 begins to answer before it is done, so that the status says nothing.
#[tokio::test]
async fn an_error_inside_of_a_200_is_an_error() {
    for (code, want) in [
        ("SlowDown", Trouble::Busy),
        ("InternalError", Trouble::Broken("200 InternalError".to_owned())),
        ("NoSuchUpload", Trouble::NoSuchUpload),
        ("PreconditionFailed", Trouble::Occupied),
    ] {
        let server = canned(vec![error("200 OK", code, "x")], false).await;
        let completed = Source::complete(&server.aws, &complete_op(), OnlyIf::Absent).await;
        assert_eq!(completed, Err(want), "{code}");
        let request = server.requests.lock().unwrap()[0].clone();
        assert_eq!(header(&request, "if-none-match"), Some("*"));
        assert_eq!(header(&request, "x-amz-mp-object-size"), Some("5"));
    }
    let server = canned(vec![error("200 OK", "InternalError", "x")], false).await;
    let copied = Source::copy(&server.aws, &copy_op("a", None), OnlyIf::Always, &ETag("0cc1".into())).await;
    assert_eq!(copied, Err(Trouble::Broken("200 InternalError".to_owned())));
    let server = canned(vec![response("200 OK", "", "")], false).await;
    assert!(Source::complete(&server.aws, &complete_op(), OnlyIf::Absent).await.is_err(), "an empty answer");
}

#[tokio::test]
async fn a_copy_names_its_source_byte_for_byte_and_pins_it() {
    let result = "<CopyObjectResult><ETag>&quot;0cc1&quot;</ETag><LastModified>2026-11-20T06:00:00.000Z</LastModified>\
                  </CopyObjectResult>";
    let answer = response("200 OK", "x-amz-copy-source-version-id: v1\r\n", result);
    let server = canned(vec![answer], false).await;
    let asked =
        CopyObject { encrypted: true, checksum: Some(Algorithm::Sha256), ..copy_op("a b+c%2Fé?x", Some("v+1/=")) };
    let copied = Source::copy(&server.aws, &asked, OnlyIf::Always, &ETag("0cc1".into())).await.unwrap();
    assert_eq!(copied.source_version, Some("v1".parse().unwrap()));
    let request = server.requests.lock().unwrap()[0].clone();
    let source = "inner-bucket/a%20b%2Bc%252F%C3%A9%3Fx?versionId=v%2B1%2F%3D";
    assert_eq!(header(&request, "x-amz-copy-source"), Some(source));
    assert_eq!(header(&request, "x-amz-copy-source-if-match"), Some("\"0cc1\""));
    assert_eq!(header(&request, "x-amz-server-side-encryption"), Some("AES256"));
    assert_eq!(header(&request, "x-amz-checksum-algorithm"), Some("SHA256"));
}

/// One 412 for two conditions: the source is looked at again.
#[tokio::test]
async fn a_copy_tells_what_its_condition_failed_on() {
    let failed = error("412 Precondition Failed", "PreconditionFailed", "x");
    for (tag, want) in [("0cc1", Trouble::Occupied), ("0dd2", Trouble::Changed)] {
        let server = canned(vec![failed.clone(), response("200 OK", HEAD, "")], false).await;
        let copied = Source::copy(&server.aws, &copy_op("a", None), OnlyIf::Absent, &ETag(tag.into())).await;
        assert_eq!(copied, Err(want), "{tag}");
    }
}

/// What is tried once is not tried again; where keys are folded, nothing is written.
#[tokio::test]
async fn a_store_that_folds_slashes_is_not_written_to() {
    let stored = response("200 OK", ETAG, "");
    let gone = response("204 No Content", "", "");
    let no_versions = error("501 Not Implemented", "NotImplemented", "x");
    let clear = [no_versions.clone(), gone.clone(), no_versions, gone];
    let answers = [vec![stored, listing(false, &listed("a/b"))], clear.to_vec()].concat();
    let server = canned(answers, false).await;
    for name in ["a//b", "/a", "a//b"] {
        let refused = put(&server.aws, name, upload("x")).await;
        assert_eq!(refused, Err(Trouble::Unable("keep keys with empty segments apart")), "{name}");
    }
    let requests = server.requests.lock().unwrap().clone();
    let lines: Vec<&str> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("PUT")).count(), 1, "{lines:?}");
    assert!(lines.iter().filter(|line| line.starts_with("PUT")).all(|line| line.contains(".tracegate/scratch/")));
}

/// A store that fails is not asked anew by each write that waits for it.
#[tokio::test]
async fn what_cannot_be_tried_is_tried_again_later_only() {
    let server = canned(vec![error("503 Slow Down", "SlowDown", "x")], false).await;
    let puts = ["a//b", "/a", "a//b"].map(|name| put(&server.aws, name, upload("x")));
    assert_eq!(futures::future::join_all(puts).await, vec![Err(Trouble::Busy); 3]);
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.iter().filter(|request| request.starts_with("PUT")).count(), 1, "{requests:?}");
}

#[tokio::test]
async fn deletions_are_told_key_by_key() {
    let body = "<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>Object Lock</Message></Error>\
                <Deleted><Key>c</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m1</DeleteMarkerVersionId>\
                </Deleted><Deleted><Key>a</Key><VersionId>v1</VersionId></Deleted></DeleteResult>";
    let server = canned(vec![response("200 OK", "", body)], false).await;
    let op = |name: &str, version: Option<&str>| DeleteObject {
        bucket: bucket(),
        key: key(name),
        version: version.map(|version| version.parse().unwrap()),
    };
    let ops = [op("a", Some("v1")), op("b", None), op("c", None), op("d", None)];
    let gone = Source::delete_all(&server.aws, &ops.iter().collect::<Vec<_>>()).await;
    assert_eq!(gone[0], Ok(Deleted { version_id: Some("v1".parse().unwrap()), delete_marker: false }));
    assert_eq!(gone[1], Err(Trouble::Locked));
    assert_eq!(gone[2], Ok(Deleted { version_id: Some("m1".parse().unwrap()), delete_marker: true }));
    assert!(matches!(gone[3], Err(Trouble::Broken(_))));
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(header(&request, "content-md5").is_some() && header(&request, "x-amz-checksum-crc32").is_some());
}

/// S3 sends versions and delete markers apart; together they stand by key and time.
#[tokio::test]
async fn a_listing_of_versions_is_put_in_order() {
    let entry = |element: &str, key: &str, id: &str, latest: bool, hour: u32| {
        format!(
            "<{element}><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest><LastModified>\
             2026-11-20T{hour:02}:00:00.000Z</LastModified><ETag>&quot;0cc1&quot;</ETag><Size>1</Size></{element}>"
        )
    };
    let entries = [
        entry("Version", "a+b", "v3", false, 3),
        entry("Version", "a+b", "v1", false, 1),
        entry("Version", "a%0A", "v0", true, 1),
        entry("DeleteMarker", "a+b", "m4", true, 4),
        entry("DeleteMarker", "a+b", "m2", false, 2),
        "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>".to_owned(),
    ];
    let body = format!(
        "<ListVersionsResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextKeyMarker>a+b</NextKeyMarker>\
         <NextVersionIdMarker>v1</NextVersionIdMarker>{}</ListVersionsResult>",
        entries.concat()
    );
    let server = canned(vec![response("200 OK", "", &body)], false).await;
    let after = Some(("k".to_owned(), Some("v9".to_owned())));
    let ask = VersionsAsk { prefix: "a".to_owned(), after, delimiter: Some("/".to_owned()), max: 9 };
    let page = Source::versions(&server.aws, &bucket(), ask).await.unwrap();
    let ids = page.items.iter().map(|item| match item {
        VersionItem::Version(version) => version.id.to_string(),
        VersionItem::DeleteMarker(marker) => marker.id.to_string(),
        VersionItem::Common(prefix) => prefix.to_string(),
    });
    assert_eq!(ids.collect::<Vec<_>>(), ["m4", "v3", "m2", "v1", "a/"]);
    assert_eq!((page.unnameable, page.more_after), (1, Some(("a b".to_owned(), Some("v1".to_owned())))));
    let request = server.requests.lock().unwrap()[0].clone();
    for part in ["versions", "key-marker=k", "version-id-marker=v9", "encoding-type=url", "max-keys=9"] {
        assert!(request.contains(part), "{request}");
    }
}

#[tokio::test]
async fn a_version_that_is_a_delete_marker_or_missing_is_told_so() {
    let version: VersionId = "v1".parse().unwrap();
    for (answer, want) in [
        (response("405 Method Not Allowed", "x-amz-delete-marker: true\r\n", ""), Trouble::DeleteMarker),
        (response("404 Not Found", "", ""), Trouble::NoSuchVersion),
        (response("400 Bad Request", "", ""), Trouble::NoSuchVersion),
    ] {
        let server = canned(vec![answer], false).await;
        let found = Source::head(&server.aws, &bucket(), &key("k"), Some(&version), None).await;
        assert_eq!(found.map(drop), Err(want));
        assert!(server.requests.lock().unwrap()[0].contains("versionId=v1"));
    }
}
