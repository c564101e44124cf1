//! Every digest that was said of a body, computed while it passes and compared at its end.

use sha2::{Digest as _, Sha256};

use super::UploadError;
use super::head::BodyHead;
use crate::s3::checksum::{Algorithm, Checksum, Hasher};

/// The digests of one body.
pub struct Digests {
    sha256: Option<(Sha256, [u8; 32])>,
    md5: Option<Expected>,
    checksum: Option<Expected>,
}

/// A checksum in the making, and what it must be. `None` is what the trailer will say.
struct Expected {
    hasher: Hasher,
    value: Option<Checksum>,
}

impl Digests {
    /// The digests that a request's head asks for.
    pub fn of(head: &BodyHead) -> Self {
        let expected =
            |algorithm, value: Option<&Checksum>| Expected { hasher: Hasher::new(algorithm), value: value.cloned() };
        let stated = head.checksum.as_ref().map(|checksum| expected(checksum.algorithm, Some(checksum)));
        Self {
            sha256: head.sha256.map(|digest| (Sha256::new(), digest)),
            md5: head.md5.as_ref().map(|md5| expected(Algorithm::Md5, Some(md5))),
            checksum: stated.or(head.trailer.map(|algorithm| expected(algorithm, None))),
        }
    }

    /// Takes in more of the decoded body.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some((hasher, _)) = &mut self.sha256 {
            hasher.update(bytes);
        }
        for expected in self.md5.iter_mut().chain(&mut self.checksum) {
            expected.hasher.update(bytes);
        }
    }

    /// Whether everything holds at the body's end, where the trailer said this; the verified checksum, if there is one.
    pub fn finish(self, trailer: Option<&str>) -> Result<Option<Checksum>, UploadError> {
        if let Some((hasher, digest)) = self.sha256
            && <[u8; 32]>::from(hasher.finalize()) != digest
        {
            return Err(UploadError::ContentSha256);
        }
        if let Some(md5) = self.md5 {
            md5.verified(None)?;
        }
        self.checksum.map(|checksum| checksum.verified(trailer)).transpose()
    }
}

impl Expected {
    fn verified(self, trailer: Option<&str>) -> Result<Checksum, UploadError> {
        let computed = self.hasher.finish();
        let holds = match (&self.value, trailer) {
            (Some(stated), _) => computed == *stated,
            (None, said) => said == Some(&*computed.value),
        };
        if holds { Ok(computed) } else { Err(UploadError::Checksum) }
    }
}
