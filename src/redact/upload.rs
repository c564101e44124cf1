//! Ids of uploads in parts: the backend's own, sealed for one caller, one bucket and one key.
//!
//! So an id says by itself whose upload it is and of what: nothing is looked up, and an id that is guessed, of somebody
//! else, or of another key names no upload. An id from a listing of uploads may be of anybody's; it is good for giving
//! the upload up, not for putting into it, nor for looking at its parts, whose tags are digests of what may be masked.

use super::{Raw, Redacted};
use crate::audit::Recorded;
use crate::identity::Identity;
use crate::keyring::{KeyRing, Purpose};
use crate::limits;
use crate::policy::permit::Permit;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::{Bucket, Key};
use crate::s3::operation::write::{CreateMultipartUpload, UploadId};

/// How an id begins.
const LEAD: &str = "tracegate-upload.";

/// Where an id came from, in front of what is sealed.
const BEGUN: &str = "b";
const LISTED: &str = "l";

/// What an id is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To put parts into the upload, to look at them, or to end it: by whoever began it.
    Continue,
    /// To give it up.
    GiveUp,
}

/// The id of an upload that was begun, as its caller sees it.
pub fn begun(
    raw: Raw<UploadId>,
    recorded: &Recorded<Permit<CreateMultipartUpload>>,
    ring: &KeyRing,
) -> Redacted<String> {
    let op = recorded.op();
    Redacted::of(seal(ring, recorded.who(), &op.bucket, &op.key, BEGUN, &raw.open().inside))
}

/// The id of an upload in a listing.
pub(super) fn listed(ring: &KeyRing, who: &Identity, bucket: &Bucket, key: &Key, inside: &str) -> String {
    seal(ring, who, bucket, key, LISTED, inside)
}

/// The upload that an id names.
///
/// # Errors
/// `NoSuchUpload`, whatever is wrong with it.
pub fn open(
    sent: &str,
    who: &Identity,
    bucket: &Bucket,
    key: &Key,
    ring: &KeyRing,
    wanted: Use,
) -> Result<UploadId, Refusal> {
    let none = || Refusal::new(Code::NoSuchUpload, "The specified upload does not exist, or is not yours.");
    let sealed =
        sent.strip_prefix(LEAD).filter(|sealed| sealed.len() <= limits::UPLOAD_ID_BYTES_MAX).ok_or_else(none)?;
    let plain = ring.open(Purpose::UploadId, sealed, &binding(who, bucket, key)).map_err(|_| none())?;
    let inside = match wanted {
        Use::Continue => plain.strip_prefix(BEGUN),
        Use::GiveUp => plain.strip_prefix(BEGUN).or_else(|| plain.strip_prefix(LISTED)),
    };
    inside.map(|inside| UploadId { inside: inside.into() }).ok_or_else(none)
}

fn seal(ring: &KeyRing, who: &Identity, bucket: &Bucket, key: &Key, from: &str, inside: &str) -> String {
    format!("{LEAD}{}", ring.seal(Purpose::UploadId, &format!("{from}{inside}"), &binding(who, bucket, key)))
}

fn binding(who: &Identity, bucket: &Bucket, key: &Key) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [who.issuer(), who.subject(), bucket.as_str(), key.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_an_upload_for_one_caller_bucket_and_key() {
        let (ring, other_ring) = (KeyRing::ephemeral(), KeyRing::ephemeral());
        let (ann, bob) = (Identity::for_test("ann", "ingest"), Identity::for_test("bob", "ingest"));
        let (bucket, key): (Bucket, Key) = ("traces".parse().unwrap(), "a/b".parse().unwrap());
        let id = seal(&ring, &ann, &bucket, &key, BEGUN, "inside+/=1");
        let opened = |sent: &str, who: &Identity, bucket: &Bucket, key: &Key, ring: &KeyRing| {
            open(sent, who, bucket, key, ring, Use::Continue).map(|id| id.inside.to_string()).map_err(|no| no.code)
        };
        let none = Err(Code::NoSuchUpload);
        assert_eq!(opened(&id, &ann, &bucket, &key, &ring).as_deref(), Ok("inside+/=1"));
        assert_eq!(opened(&id, &bob, &bucket, &key, &ring), none);
        assert_eq!(opened(&id, &ann, &"other".parse().unwrap(), &key, &ring), none);
        assert_eq!(opened(&id, &ann, &bucket, &"a/c".parse().unwrap(), &ring), none);
        assert_eq!(opened(&id, &ann, &bucket, &key, &other_ring), none);
        for forged in ["", LEAD, "inside+/=1", &id[..id.len() - 1], &id[LEAD.len()..], &format!("{id}x")] {
            assert_eq!(opened(forged, &ann, &bucket, &key, &ring), none, "{forged}");
        }
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{id}");
    }

    #[test]
    fn an_id_from_a_listing_puts_nothing_into_the_upload() {
        let (ring, ann) = (KeyRing::ephemeral(), Identity::for_test("ann", "ingest"));
        let (bucket, key): (Bucket, Key) = ("traces".parse().unwrap(), "a/b".parse().unwrap());
        let id = listed(&ring, &ann, &bucket, &key, "inside");
        let used = |wanted| open(&id, &ann, &bucket, &key, &ring, wanted).map_err(|refusal| refusal.code);
        assert_eq!(used(Use::Continue), Err(Code::NoSuchUpload));
        assert_eq!(used(Use::GiveUp), Ok(UploadId { inside: "inside".into() }));
    }
}
