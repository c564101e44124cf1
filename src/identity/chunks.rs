//! The signatures of a body's chunks and trailer, each of which goes on from the one before it.
//!
//! The first goes on from the head's own signature, which is verified elsewhere: who holds a [`ChunkSigner`] has to have
//! that done, or the chain proves nothing. Strings to sign: "Signature Calculations for the Authorization Header:
//! Transferring Payload in Multiple Chunks" and "… Including Trailing Headers" in the S3 API reference.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::secret::SecretText;
use super::sigv4::Service;
use crate::s3::payload::chunked::Signature;

/// Verifies the signatures of one body, in their order. Its key cannot be printed.
pub struct ChunkSigner {
    key: SigningKey,
    /// `x-amz-date` and the scope, a line each.
    place: Box<str>,
    previous: Signature,
}

/// The key of one day, region and service. It cannot be printed.
pub(crate) struct SigningKey(Zeroizing<[u8; 32]>);

impl ChunkSigner {
    /// Of a request that was signed then, in that scope, with that signature.
    pub(super) fn new(
        secret: &SecretText,
        signed_at: Timestamp,
        region: &str,
        service: Service,
        signature: Signature,
    ) -> Self {
        let (date, day) = (signed_at.strftime("%Y%m%dT%H%M%SZ"), signed_at.strftime("%Y%m%d").to_string());
        Self {
            key: SigningKey::new(secret.expose(), &day, region, service.word()),
            place: format!("{date}\n{day}/{region}/{}/aws4_request", service.word()).into(),
            previous: signature,
        }
    }

    /// Whether this is the signature of the next chunk, whose bytes have this digest.
    pub fn chunk(&mut self, sha256: &[u8; 32], signature: &Signature) -> bool {
        self.goes_on("AWS4-HMAC-SHA256-PAYLOAD", &[EMPTY_SHA256.as_bytes(), &hexadecimal(sha256)], signature)
    }

    /// Whether this is the signature of the trailer, whose canonical lines have this digest.
    pub fn trailer(&mut self, sha256: &[u8; 32], signature: &Signature) -> bool {
        self.goes_on("AWS4-HMAC-SHA256-TRAILER", &[&hexadecimal(sha256)], signature)
    }

    fn goes_on(&mut self, algorithm: &str, digests: &[&[u8]], signature: &Signature) -> bool {
        let mut mac = self.key.mac();
        mac.update(algorithm.as_bytes());
        for line in [self.place.as_bytes(), self.previous.digits()].iter().chain(digests) {
            mac.update(b"\n");
            mac.update(line);
        }
        self.previous = *signature;
        hexadecimal(&mac.finalize().into_bytes().into()).ct_eq(signature.digits()).into()
    }
}

/// The digest of nothing: S3's strings to sign have a line for headers that chunks do not have.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl std::fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkSigner(..)")
    }
}

impl SigningKey {
    /// Of a secret access key; the day as `20260131`.
    pub(crate) fn new(secret: &str, day: &str, region: &str, service: &str) -> Self {
        let first = Zeroizing::new(format!("AWS4{secret}"));
        let derived =
            |key: &[u8], part: &str| Zeroizing::new(mac(key).chain_update(part).finalize().into_bytes().into());
        let mut key: Zeroizing<[u8; 32]> = derived(first.as_bytes(), day);
        for part in [region, service, "aws4_request"] {
            key = derived(&*key, part);
        }
        Self(key)
    }

    /// What makes the code of one text under it.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        mac(&*self.0)
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// The digits of a digest, as signatures are written.
pub(crate) fn hexadecimal(bytes: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    hex::encode_to_slice(bytes, &mut digits).expect("a byte has two digits");
    digits
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    /// The example of the S3 API reference: a signer that goes on from this seed.
    fn example(seed: &str) -> ChunkSigner {
        let secret = SecretText::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let signed_at = "2013-05-24T00:00:00Z".parse().unwrap();
        ChunkSigner::new(&secret, signed_at, "us-east-1", Service::S3, signature(seed))
    }

    fn sha256(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn signature(digits: &str) -> Signature {
        Signature::parse(digits.as_bytes()).unwrap()
    }

    fn check(seed: &str, signatures: [&str; 3]) -> ChunkSigner {
        let mut signer = example(seed);
        for (bytes, digits) in
            [(vec![b'a'; 65536], signatures[0]), (vec![b'a'; 1024], signatures[1]), (vec![], signatures[2])]
        {
            assert!(signer.chunk(&sha256(&bytes), &signature(digits)), "{} bytes", bytes.len());
        }
        signer
    }

    #[test]
    fn chunks_are_signed_as_in_the_examples_of_the_reference() {
        check(
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
        );
        let mut signer = check(
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
        );
        let trailer = signature("d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
        assert!(signer.trailer(&sha256(b"x-amz-checksum-crc32c:sOO8/Q==\n"), &trailer));
    }

    #[test]
    fn another_chunk_seed_or_place_in_the_chain_has_another_signature() {
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let first = signature("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
        let whole = sha256(&[b'a'; 65536]);
        assert!(example(seed).chunk(&whole, &first));
        assert!(!example(seed).chunk(&sha256(&[b'a'; 65535]), &first));
        assert!(!example(&seed.replace('4', "5")).chunk(&whole, &first));
        assert!(!example(seed).trailer(&whole, &first));
        let mut signer = example(seed);
        assert!(signer.chunk(&whole, &first) && !signer.chunk(&whole, &first));
    }

    #[test]
    fn debug_says_nothing() {
        let signer = example("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
        assert_eq!(format!("{signer:?} {:?}", signer.previous), "ChunkSigner(..) Signature(..)");
    }
}
