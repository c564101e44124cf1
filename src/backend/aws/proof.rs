//! What a store is given to verify a body by: the caller's checksum, or one computed on the way. Pure.

use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;

use crate::s3::checksum::{Algorithm, Checksum};
use crate::s3::payload::Upload;

/// What a body that came without any checksum is proven by: S3 refuses one without where objects are locked by default
/// ("Object Lock considerations" in its user guide), and would compute this one itself ("Checking object integrity").
pub(super) const OWN: Algorithm = Algorithm::Crc64Nvme;

/// What the store is to verify of a body.
pub(super) struct Proof {
    /// The checksum that is known before the body goes.
    pub(super) ahead: Option<Checksum>,
    /// `Content-MD5`
    pub(super) md5: Option<String>,
    /// What the SDK computes on the way, and sends in a trailer. It frames the body, whose length on the wire is then its
    /// own matter.
    pub(super) trailing: Option<ChecksumAlgorithm>,
}

impl Proof {
    /// By the caller's checksum, ahead where its value is known by now. Else by one computed anew: of its algorithm where
    /// it announced one (the value that it sends is verified on our side), of `own` where it said nothing at all.
    pub(super) fn of(upload: &Upload, whole: Option<&Bytes>, own: Option<Algorithm>) -> Self {
        let md5 = upload.md5.as_deref().map(str::to_owned);
        let wanted = upload.fate.announced().or(own.filter(|_| md5.is_none())).filter(|_| upload.checksum.is_none());
        let (ahead, trailing) = match (wanted, whole) {
            (None, _) => (upload.checksum.clone(), None),
            (Some(algorithm), Some(whole)) => (Some(Checksum::computed(algorithm, whole)), None),
            (Some(algorithm), None) => (None, computed(algorithm).or_else(|| own.and_then(computed))),
        };
        Self { ahead, md5, trailing }
    }

    /// By a checksum of our own, in a trailer.
    pub(super) fn framed() -> Self {
        Self { ahead: None, md5: None, trailing: computed(OWN) }
    }

    /// By what is known before the body goes, and no framing of it.
    pub(super) fn unframed(self) -> Self {
        Self { trailing: None, ..self }
    }

    /// Whether the SDK computes a checksum; held to what is required, it would only name its algorithm.
    pub(super) fn computing(&self) -> Builder {
        let calculation = match self.trailing {
            Some(_) => RequestChecksumCalculation::WhenSupported,
            None => RequestChecksumCalculation::WhenRequired,
        };
        Builder::new().request_checksum_calculation(calculation)
    }
}

/// The algorithm, where the SDK can compute it.
fn computed(algorithm: Algorithm) -> Option<ChecksumAlgorithm> {
    match algorithm {
        Algorithm::Crc32 => Some(ChecksumAlgorithm::Crc32),
        Algorithm::Crc32c => Some(ChecksumAlgorithm::Crc32C),
        Algorithm::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
        Algorithm::Sha1 => Some(ChecksumAlgorithm::Sha1),
        Algorithm::Sha256 => Some(ChecksumAlgorithm::Sha256),
        Algorithm::Sha512 | Algorithm::Md5 | Algorithm::Xxhash64 | Algorithm::Xxhash3 | Algorithm::Xxhash128 => None,
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
