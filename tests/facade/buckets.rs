//! `CreateBucket`, which clients send before they upload: it makes nothing, and tells no more than `ListBuckets` does.

use super::facade::{Facade, Wish, role_file};
use super::wire::Ask;

#[tokio::test]
async fn a_bucket_that_one_sees_is_already_ones_own_and_any_other_is_forbidden() {
    let anywhere = role_file("anywhere", "", "actions = [\"get\"]\npaths = [\"*\"]");
    let facade = Facade::start_with(Wish { roles: vec![("anywhere", anywhere)], ..Wish::default() }).await;
    let listed = facade.as_role("narrow", Ask::get("/")).await;
    for (role, target, want) in [
        ("raw", "/traces", (409, "BucketAlreadyOwnedByYou")),
        ("raw", "/empty/", (409, "BucketAlreadyOwnedByYou")),
        ("narrow", "/traces", (409, "BucketAlreadyOwnedByYou")),
        ("narrow", "/empty", (403, "AccessDenied")),
        ("narrow", "/other", (403, "AccessDenied")),
        ("anywhere", "/traces", (409, "BucketAlreadyOwnedByYou")),
        ("anywhere", "/other", (403, "AccessDenied")),
        ("raw", "/Not.A.Name", (400, "InvalidBucketName")),
        ("raw", "/traces?policy", (501, "NotImplemented")),
        ("raw", "/traces?acl", (501, "NotImplemented")),
    ] {
        let answer = facade.as_role(role, Ask::new("PUT", target).with("content-length", "0")).await;
        assert_eq!((answer.status, answer.code()), want, "{role} {target}: {}", answer.text());
    }
    let anonymous = facade.send(Ask::new("PUT", "/traces").with("content-length", "0")).await;
    assert_eq!((anonymous.status, anonymous.code()), (403, "AccessDenied"));
    assert_eq!(facade.as_role("narrow", Ask::get("/")).await.body, listed.body, "nothing was made");
    assert_eq!(facade.backend.calls(), 0, "nobody was asked");
    let log = facade.stopped().await;
    assert!(log.of_kind("s3.intent").iter().all(|row| row.op.as_deref() == Some("ListBuckets")), "nothing was begun");
    let denied = log.of_kind("s3.deny").into_iter().filter(|row| row.op.as_deref() == Some("CreateBucket"));
    assert_eq!(denied.map(|row| row.path.clone().unwrap()).collect::<Vec<_>>(), ["empty", "other"]);
    let told = log.entries_of("s3.refuse").into_iter().filter(|entry| entry["status"] == 409);
    assert_eq!(told.count(), 4, "what is told is on the record as a refusal: {:?}", log.requests());
}

/// With what the AWS SDKs send beside it: a body that says where, and headers that ask for what would be set up.
#[tokio::test]
async fn what_is_said_of_a_bucket_that_is_not_made_is_not_read() {
    let facade = Facade::start().await;
    let session = facade.session("raw").await;
    let body =
        "<CreateBucketConfiguration><LocationConstraint>tracegate</LocationConstraint></CreateBucketConfiguration>";
    for body in [body, "no XML"] {
        let ask = facade
            .ask("PUT", "/traces")
            .with("content-length", body.len().to_string())
            .with("x-amz-acl", "private")
            .with("x-amz-bucket-object-lock-enabled", "true")
            .carrying(body);
        let answer = facade.send(session.sign(ask)).await;
        assert_eq!((answer.status, answer.code()), (409, "BucketAlreadyOwnedByYou"), "{}", answer.text());
    }
}
