//! The entity tag of an object as a view shows it: the same in LIST, HEAD and GET, and never the original's.
//!
//! A tag that ends in `-1` is one that clients do not take for an MD5 of the bytes.

use jiff::Timestamp;

use crate::keyring::SecretKey;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::ETag;

/// `<32 hex>-1`, derived under a key of purpose [`crate::keyring::Purpose::ETag`]. It changes with the object (its tag
/// or the whole second of its change) and with what the view shows of it, and tells nothing of either.
pub fn view_etag(
    key: &SecretKey,
    bucket: &Bucket,
    object_key: &Key,
    backend: &ETag,
    last_modified: Timestamp,
    masks_digest: &[u8; 32],
) -> ETag {
    let derived = key.prf(&[
        bucket.as_str().as_bytes(),
        object_key.as_str().as_bytes(),
        backend.0.as_bytes(),
        &last_modified.as_second().to_le_bytes(),
        masks_digest,
    ]);
    ETag(format!("{}-1", hex::encode(&derived[..16])).into())
}
