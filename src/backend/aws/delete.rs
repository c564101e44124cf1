//! Deletions, of one key and of many.

use std::collections::HashMap;

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::read::asked;
use super::trouble::{self, Asked};
use super::{Aws, id, stored};
use crate::backend::Trouble;
use crate::s3::answer::Deleted;
use crate::s3::operation::write::DeleteObject;

/// What one entry of the answer to `DeleteObjects` is about: a key, and a version of it.
type Named = (String, Option<String>);

impl Aws {
    pub(super) async fn delete_object(&self, op: &DeleteObject) -> Result<Deleted, Trouble> {
        if !self.is_there(op).await? {
            return Ok(Deleted::default());
        }
        let request = self
            .client
            .delete_object()
            .bucket(self.inside(&op.bucket)?)
            .key(op.key.as_str())
            .set_version_id(op.version.as_ref().map(id));
        let found = self.settled(asked(op.version.as_ref()), request.send()).await?;
        let version_id = stored::version(found.version_id())?;
        Ok(Deleted { version_id, delete_marker: found.delete_marker.unwrap_or_default() })
    }

    /// In one request; what cannot stand in one goes alone.
    pub(super) async fn delete_objects(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        let mut answers: Vec<Option<Result<Deleted, Trouble>>> = Vec::with_capacity(ops.len());
        for op in ops {
            answers.push(match self.is_there(op).await {
                Ok(true) if fits_xml(op.key.as_str()) => None,
                Ok(true) => Some(self.delete_object(op).await),
                Ok(false) => Some(Ok(Deleted::default())),
                Err(trouble) => Some(Err(trouble)),
            });
        }
        let together: Vec<&DeleteObject> =
            ops.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).map(|(op, _)| *op).collect();
        let mut rest = self.delete_together(&together).await.into_iter();
        let untold = || Err(Trouble::Broken("it left keys out of its answer".to_owned()));
        answers.into_iter().map(|answer| answer.or_else(|| rest.next()).unwrap_or_else(untold)).collect()
    }

    async fn delete_together(&self, ops: &[&DeleteObject]) -> Vec<Result<Deleted, Trouble>> {
        let Some(first) = ops.first() else { return Vec::new() };
        let found = match self.send_deletes(first, ops).await {
            Ok(found) => found,
            Err(trouble) => return ops.iter().map(|_| Err(trouble.clone())).collect(),
        };
        let told = told(found);
        let untold = || Err(Trouble::Broken("it left a key out of its answer".to_owned()));
        ops.iter().map(|op| told.get(&named(op)).cloned().unwrap_or_else(untold)).collect()
    }

    async fn send_deletes(&self, first: &DeleteObject, ops: &[&DeleteObject]) -> Result<DeleteObjectsOutput, Trouble> {
        let wrong = |_| Trouble::Broken("the request could not be made".to_owned());
        let mut delete = Delete::builder().quiet(false);
        for op in ops {
            let version = op.version.as_ref().map(id);
            let object = ObjectIdentifier::builder().key(op.key.as_str()).set_version_id(version).build();
            delete = delete.objects(object.map_err(wrong)?);
        }
        let request = self
            .client
            .delete_objects()
            .bucket(self.inside(&first.bucket)?)
            .delete(delete.build().map_err(wrong)?)
            .customize()
            // Stores of other makes know no other checksum of this request than this one.
            .mutate_request(|request| {
                if let Some(sum) = request.body().bytes().map(|bytes| STANDARD.encode(Md5::digest(bytes))) {
                    request.headers_mut().insert("content-md5", sum);
                }
            });
        self.settled(Asked::Bucket, request.send()).await
    }

    /// A key that a store on a file system could take for another is deleted only where exactly it is listed.
    async fn is_there(&self, op: &DeleteObject) -> Result<bool, Trouble> {
        match self.check_unfolded(&op.bucket, &op.key, op.version.as_ref()).await {
            Ok(()) => Ok(true),
            Err(Trouble::NoSuchKey | Trouble::NoSuchVersion) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }
}

fn named(op: &DeleteObject) -> Named {
    (op.key.as_str().to_owned(), op.version.as_ref().map(id))
}

/// What the answer tells, by what was named.
fn told(found: DeleteObjectsOutput) -> HashMap<Named, Result<Deleted, Trouble>> {
    let mut told = HashMap::new();
    for gone in found.deleted.unwrap_or_default() {
        let delete_marker = gone.delete_marker.unwrap_or_default();
        let id = gone.version_id.clone().or(gone.delete_marker_version_id);
        let deleted = stored::version(id.as_deref()).map(|version_id| Deleted { version_id, delete_marker });
        told.insert((gone.key.unwrap_or_default(), gone.version_id), deleted);
    }
    for error in found.errors.unwrap_or_default() {
        let asked = if error.version_id.is_some() { Asked::Version } else { Asked::Object };
        let trouble = trouble::of_entry(asked, error.code().unwrap_or_default(), error.message().unwrap_or_default());
        let named = (error.key.unwrap_or_default(), error.version_id.filter(|id| !id.is_empty()));
        told.insert(named, Err(trouble));
    }
    told
}

/// Whether XML 1.0 can hold it: two characters that a key may have are none of its own.
fn fits_xml(key: &str) -> bool {
    !key.contains(['\u{FFFE}', '\u{FFFF}'])
}
