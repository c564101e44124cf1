//! Against real servers: the suite of writes on LocalStack, and on SeaweedFS, which keeps its objects as files.

#![allow(dead_code, reason = "of what the test binaries share, a part is used")]

#[path = "../../../tests/support/authority.rs"]
mod authority;
#[path = "../../../tests/support/clients.rs"]
mod clients;
#[path = "../../../tests/support/http.rs"]
mod http;
#[path = "../../../tests/support/idp.rs"]
mod idp;
#[path = "../../../tests/support/install.rs"]
mod install;
#[path = "../../../tests/support/localstack.rs"]
mod localstack;
#[path = "../../../tests/support/seaweedfs.rs"]
mod seaweedfs;
#[path = "../../../tests/support/server.rs"]
mod server;

use std::sync::OnceLock;

use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule, VersioningConfiguration,
};

use super::*;
use crate::backend::ConditionalWrites;
use crate::backend::source::Source;
use crate::backend::suite::{Knows, Suite, suite};
use crate::s3::operation::write::OnlyIf;

/// An access key of a server, with its secret.
#[derive(Debug, Clone, Copy)]
struct AccessKey {
    id: &'static str,
    secret: &'static str,
}

/// The provider whose tokens SeaweedFS takes.
fn oidc_provider() -> &'static idp::OidcProvider {
    static SHARED: OnceLock<idp::OidcProvider> = OnceLock::new();
    SHARED.get_or_init(idp::OidcProvider::start)
}

/// A bucket of a real server under test.
struct Store {
    aws: Aws,
    bucket: Bucket,
    knows: Knows,
}

impl Store {
    /// A new bucket of that name.
    async fn new(endpoint: &str, key: AccessKey, name: &str, versioned: bool, knows: Knows) -> Self {
        let (bucket, inside): (Bucket, _) = ("traces".parse().unwrap(), format!("inner-{name}"));
        let options = AwsOptions {
            endpoint: Some(endpoint.to_owned()),
            region: "us-east-1".to_owned(),
            path_style: true,
            credentials: Credentials::Static {
                access_key_id: SecretText::new(key.id),
                secret_access_key: SecretText::new(key.secret),
                session_token: None,
            },
            ca_pem: None,
            buckets: [(bucket.clone(), inside.clone()), ("no-such-bucket-here".parse().unwrap(), "missing".to_owned())]
                .into(),
            timeouts: Timeouts::default(),
        };
        let aws = connect(options).await.unwrap();
        aws.client.create_bucket().bucket(&inside).send().await.unwrap();
        if versioned {
            let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let request = aws.client.put_bucket_versioning().bucket(&inside).versioning_configuration(enabled);
            request.send().await.unwrap();
        }
        Self { aws, bucket, knows }
    }

    /// From now on each object is kept for a day.
    async fn lock_by_default(&self) {
        let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(1).build();
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let enabled = ObjectLockEnabled::Enabled;
        let lock = ObjectLockConfiguration::builder().object_lock_enabled(enabled).rule(rule).build();
        let request = self.aws.client.put_object_lock_configuration().bucket(&self.aws.buckets[&self.bucket]);
        request.object_lock_configuration(lock).send().await.unwrap();
    }

    fn suite(&self) -> Suite<'_> {
        Suite { source: &self.aws, bucket: self.bucket.clone(), knows: self.knows }
    }
}

/// It answers 412 to a copy whose condition fails, and has replaced the bytes, unless the bucket keeps versions.
mod on_localstack {
    use super::localstack::LocalStack;
    use super::*;

    async fn store(name: &str, versioned: bool) -> Store {
        static SERVER: OnceLock<LocalStack> = OnceLock::new();
        let conditions = ConditionalWrites { put: true, complete: true, copy: versioned };
        let knows = Knows { conditions, ..Knows::all() };
        let endpoint = &SERVER.get_or_init(LocalStack::start).endpoint;
        Store::new(endpoint, LocalStack::KEY, name, versioned, knows).await
    }

    suite!(store);

    #[tokio::test]
    async fn keys_with_empty_segments_are_kept_apart() {
        let store = store("apart", false).await;
        let suite = store.suite();
        suite.put("a/b", b"one", OnlyIf::Always).await.unwrap();
        for name in ["a//b", "/a/b"] {
            suite.put(name, name.as_bytes(), OnlyIf::Always).await.unwrap();
            assert_eq!(suite.read(name, None).await.unwrap(), name.as_bytes());
        }
        assert_eq!(suite.read("a/b", None).await.unwrap(), b"one");
        suite.nothing_is_left_of_trials().await;
    }

    /// S3 refuses a body without a checksum there. LocalStack does not, but tells which one it was given and verified.
    #[tokio::test]
    async fn a_bucket_that_locks_its_objects_is_given_a_checksum_of_each() {
        let store = store("locked", true).await;
        store.lock_by_default().await;
        let suite = store.suite();
        for (name, bytes) in [("short", vec![b'x'; 5]), ("long", vec![b'x'; 300_000]), ("empty", Vec::new())] {
            suite.put(name, &bytes, OnlyIf::Always).await.unwrap();
            assert_eq!(suite.read(name, None).await.unwrap(), bytes);
            let found = Source::attributes(&store.aws, &store.bucket, &name.parse().unwrap(), None).await.unwrap();
            assert!(found.checksums.contains_key("ChecksumCRC64NVME"), "{name}: {:?}", found.checksums);
            let head = Source::head(&store.aws, &store.bucket, &name.parse().unwrap(), None, None).await.unwrap().head;
            assert_eq!((head.size, head.content_encoding), (bytes.len() as u64, None), "{name}");
        }
        let kept = Source::conditional_writes(&store.aws, &store.bucket).await;
        assert_eq!(kept, Ok(store.knows.conditions), "what is tried cannot be taken away, and is tried all the same");
    }
}

/// It keeps objects as files, and so folds empty segments of keys.
mod on_seaweedfs {
    use super::seaweedfs::SeaweedFs;
    use super::*;

    async fn store(name: &str, versioned: bool) -> Store {
        static SERVER: OnceLock<SeaweedFs> = OnceLock::new();
        let knows = Knows {
            checksums: false,
            overwritten_parts: false,
            delete_markers: false,
            ordered_uploads: false,
            ..Knows::all()
        };
        let endpoint = &SERVER.get_or_init(SeaweedFs::start).endpoint;
        Store::new(endpoint, SeaweedFs::ADMIN, name, versioned, knows).await
    }

    suite!(store);

    /// It would store the framing's name as the object's coding, so it is sent none.
    #[tokio::test]
    async fn framing_is_not_stored() {
        let store = store("framing", false).await;
        assert!(!store.aws.unframes(&store.bucket).await);
        let suite = store.suite();
        suite.put("long", &vec![b'x'; 300_000], OnlyIf::Always).await.unwrap();
        let found = Source::head(&store.aws, &store.bucket, &"long".parse().unwrap(), None, None).await.unwrap();
        assert_eq!(found.head.content_encoding, None);
        suite.nothing_is_left_of_trials().await;
    }

    #[tokio::test]
    async fn keys_with_empty_segments_are_not_written() {
        let store = store("apart", false).await;
        let suite = store.suite();
        suite.put("a/b", b"one", OnlyIf::Always).await.unwrap();
        for name in ["a//b", "/a/b"] {
            let refused = suite.put(name, b"other", OnlyIf::Always).await;
            assert_eq!(refused, Err(Trouble::Unable("keep keys with empty segments apart")), "{name}");
            assert_eq!(
                Source::delete(&store.aws, &suite.delete_op(name, None)).await,
                Ok(Default::default()),
                "{name}"
            );
        }
        assert_eq!(suite.read("a/b", None).await.unwrap(), b"one");
        suite.nothing_is_left_of_trials().await;
    }
}
