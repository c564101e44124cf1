//! What every kind of bucket implements: plain names in, plain findings out. Not to be named outside of `backend`.
//!
//! [`Backend`] is made of it in one place: the names come from the permit, the findings are sealed. So a wrapper such as
//! the faulty bucket can alter a finding, and nobody else can open one.
//!
//! ```compile_fail
//! use tracegate::backend::source::Source;
//! ```

use std::sync::Arc;

use async_trait::async_trait;

use super::{Ask, Backend, Fetch, Trouble};
use crate::audit::Intent;
use crate::policy::permit::Permit;
use crate::redact::Raw;
use crate::s3::answer::{Attributes, Batch, Headed, Object, Versioning};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::{GetBucketVersioning, GetObject, GetObjectAttributes, HeadObject, ListObjects};

/// A bucket, unsealed.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// `GetObject`
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble>;
    /// `HeadObject`
    async fn head(&self, bucket: &Bucket, key: &Key, part: Option<u32>) -> Result<Headed, Trouble>;
    /// `GetObjectAttributes`
    async fn attributes(&self, bucket: &Bucket, key: &Key) -> Result<Attributes, Trouble>;
    /// `ListObjectsV2`
    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble>;
    /// `GetBucketVersioning`
    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble>;
    /// Whether the bucket can be read.
    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble>;
}

#[async_trait]
impl<S: Source> Backend for S {
    async fn get(&self, intent: Intent<'_, Permit<GetObject>>, fetch: Fetch) -> Result<Raw<Object>, Trouble> {
        let op = intent.op();
        Source::get(self, &op.bucket, &op.key, fetch).await.map(Raw::seal)
    }

    async fn head(&self, intent: Intent<'_, Permit<HeadObject>>, part: Option<u32>) -> Result<Raw<Headed>, Trouble> {
        let op = intent.op();
        Source::head(self, &op.bucket, &op.key, part).await.map(Raw::seal)
    }

    async fn attributes(&self, intent: Intent<'_, Permit<GetObjectAttributes>>) -> Result<Raw<Attributes>, Trouble> {
        let op = intent.op();
        Source::attributes(self, &op.bucket, &op.key).await.map(Raw::seal)
    }

    async fn list(&self, intent: Intent<'_, Permit<ListObjects>>, ask: Ask) -> Result<Raw<Batch>, Trouble> {
        Source::list(self, &intent.op().bucket, ask).await.map(Raw::seal)
    }

    async fn versioning(
        &self,
        intent: Intent<'_, Permit<GetBucketVersioning>>,
    ) -> Result<Raw<Option<Versioning>>, Trouble> {
        Source::versioning(self, &intent.op().bucket).await.map(Raw::seal)
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        Source::probe(self, bucket).await
    }
}

#[async_trait]
impl<S: Source> Source for Arc<S> {
    async fn get(&self, bucket: &Bucket, key: &Key, fetch: Fetch) -> Result<Object, Trouble> {
        Source::get(&**self, bucket, key, fetch).await
    }

    async fn head(&self, bucket: &Bucket, key: &Key, part: Option<u32>) -> Result<Headed, Trouble> {
        Source::head(&**self, bucket, key, part).await
    }

    async fn attributes(&self, bucket: &Bucket, key: &Key) -> Result<Attributes, Trouble> {
        Source::attributes(&**self, bucket, key).await
    }

    async fn list(&self, bucket: &Bucket, ask: Ask) -> Result<Batch, Trouble> {
        Source::list(&**self, bucket, ask).await
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<Option<Versioning>, Trouble> {
        Source::versioning(&**self, bucket).await
    }

    async fn probe(&self, bucket: &Bucket) -> Result<(), Trouble> {
        Source::probe(&**self, bucket).await
    }
}
