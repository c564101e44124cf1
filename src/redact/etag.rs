//! The entity tag of an object as one view shows it: the same in LIST, HEAD and GET, and no oracle for the original.

use jiff::Timestamp;

use crate::keyring::SecretKey;
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::ETag;

/// The view's tag: 32 digits of a keyed digest, and `-1`, so that no client takes it for an MD5 of the body.
///
/// `key` is the derived key of [`Purpose::ETag`](crate::keyring::Purpose::ETag); `bucket` and `name` are the outside names;
/// of the time only whole seconds count, because a listing may give no more. `masks_digest` is
/// [`Masks::digest`](crate::policy::mask::Masks::digest).
pub fn view_etag(
    key: &SecretKey,
    bucket: &Bucket,
    name: &Key,
    backend: &ETag,
    last_modified: Timestamp,
    masks_digest: &[u8; 32],
) -> ETag {
    let seconds = last_modified.as_second().to_le_bytes();
    let digest =
        key.prf(&[bucket.as_str().as_bytes(), name.as_str().as_bytes(), backend.0.as_bytes(), &seconds, masks_digest]);
    ETag(format!("{}-1", hex::encode(&digest[..16])).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str, backend: &str, at: &str, digest: u8) -> ETag {
        let key = SecretKey::from_bytes([7; 32]);
        let (bucket, name) = ("traces".parse().unwrap(), name.parse().unwrap());
        view_etag(&key, &bucket, &name, &ETag(backend.into()), at.parse().unwrap(), &[digest; 32])
    }

    #[test]
    fn it_depends_on_everything_but_fractions_of_seconds() {
        let base = tag("a/b", "0cc175b9c0f1b6a831c399e269772661", "2026-01-02T03:04:05Z", 1);
        assert_eq!(base, tag("a/b", "0cc175b9c0f1b6a831c399e269772661", "2026-01-02T03:04:05.9Z", 1));
        for other in [
            tag("a/c", "0cc175b9c0f1b6a831c399e269772661", "2026-01-02T03:04:05Z", 1),
            tag("a/b", "0cc175b9c0f1b6a831c399e269772662", "2026-01-02T03:04:05Z", 1),
            tag("a/b", "0cc175b9c0f1b6a831c399e269772661", "2026-01-02T03:04:06Z", 1),
            tag("a/b", "0cc175b9c0f1b6a831c399e269772661", "2026-01-02T03:04:05Z", 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn its_form_is_that_of_a_multipart_tag() {
        let tag = tag("a/b", "x", "2026-01-02T03:04:05Z", 1);
        let digits = tag.0.strip_suffix("-1").unwrap();
        assert!(digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{}", tag.0);
    }
}
