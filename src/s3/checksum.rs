//! The checksums that S3 speaks, by their names in headers, trailers and XML, and the computing of them.
//!
//! Values are base64 of the number's or digest's bytes, the highest first, as sent. Which algorithms there are: "Checking
//! object integrity" in the S3 user guide, and `ChecksumAlgorithm` in the SDKs' model of S3 (2026).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::hash::Hasher as _;
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

/// What headers and trailers that carry a checksum begin with.
pub const HEADER_PREFIX: &str = "x-amz-checksum-";

/// An algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC)
    Crc32,
    /// CRC-32C (Castagnoli)
    Crc32c,
    /// CRC-64/NVME
    Crc64Nvme,
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
    /// MD5, as a checksum of its own beside `Content-MD5`
    Md5,
    /// XXH64 with the seed 0
    Xxhash64,
    /// XXH3 of 64 bits with the seed 0
    Xxhash3,
    /// XXH3 of 128 bits with the seed 0
    Xxhash128,
}

/// A checksum that a caller sent or a backend told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The value, in base64; of a composite one with `-PARTS` behind it.
    pub value: Box<str>,
}

/// A checksum being computed over bytes as they come.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
    Md5(Md5),
    Xxhash64(XxHash64),
    Xxhash3(Box<XxHash3_64>),
    Xxhash128(Box<XxHash3_128>),
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 10] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Md5,
        Algorithm::Xxhash64,
        Algorithm::Xxhash3,
        Algorithm::Xxhash128,
    ];

    /// S3's name, as in `x-amz-checksum-algorithm`.
    pub fn word(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
            Algorithm::Md5 => "MD5",
            Algorithm::Xxhash64 => "XXHASH64",
            Algorithm::Xxhash3 => "XXHASH3",
            Algorithm::Xxhash128 => "XXHASH128",
        }
    }

    /// The header or trailer that carries it, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32c => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
            Algorithm::Sha512 => "x-amz-checksum-sha512",
            Algorithm::Md5 => "x-amz-checksum-md5",
            Algorithm::Xxhash64 => "x-amz-checksum-xxhash64",
            Algorithm::Xxhash3 => "x-amz-checksum-xxhash3",
            Algorithm::Xxhash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// Length of a value before base64, in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme | Algorithm::Xxhash64 | Algorithm::Xxhash3 => 8,
            Algorithm::Md5 | Algorithm::Xxhash128 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    /// The algorithm of that name of S3, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.word().eq_ignore_ascii_case(word))
    }

    /// The algorithm of that header or trailer, in lower case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header() == name)
    }
}

impl Checksum {
    /// The checksum of these bytes.
    pub fn computed(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// A checksum of a whole body, if the text is one of that algorithm: base64 of the right length, in its one spelling.
    pub fn of_body(algorithm: Algorithm, value: &str) -> Option<Self> {
        let bytes = BASE64.decode(value).ok()?;
        (bytes.len() == algorithm.bytes()).then(|| Self { algorithm, value: value.into() })
    }
}

impl Hasher {
    /// The checksum of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let crc = |algorithm| State::Crc(Box::new(crc_fast::Digest::new(algorithm)));
        let state = match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(Sha512::new())),
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Xxhash64 => State::Xxhash64(XxHash64::with_seed(0)),
            Algorithm::Xxhash3 => State::Xxhash3(Box::new(XxHash3_64::new())),
            Algorithm::Xxhash128 => State::Xxhash128(Box::new(XxHash3_128::new())),
        };
        Self { algorithm, state }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha1(sha) => sha.update(bytes),
            State::Sha256(sha) => sha.update(bytes),
            State::Sha512(sha) => sha.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::Xxhash64(xxh) => xxh.write(bytes),
            State::Xxhash3(xxh) => xxh.write(bytes),
            State::Xxhash128(xxh) => xxh.write(bytes),
        }
    }

    /// The checksum of everything taken in.
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            // A CRC of 32 bits is the low half.
            State::Crc(crc) => BASE64.encode(&crc.finalize().to_be_bytes()[8 - self.algorithm.bytes()..]),
            State::Sha1(sha) => BASE64.encode(sha.finalize()),
            State::Sha256(sha) => BASE64.encode(sha.finalize()),
            State::Sha512(sha) => BASE64.encode(sha.finalize()),
            State::Md5(md5) => BASE64.encode(md5.finalize()),
            State::Xxhash64(xxh) => BASE64.encode(xxh.finish().to_be_bytes()),
            State::Xxhash3(xxh) => BASE64.encode(xxh.finish().to_be_bytes()),
            State::Xxhash128(xxh) => BASE64.encode(xxh.finish_128().to_be_bytes()),
        };
        Checksum { algorithm: self.algorithm, value: value.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, pieces: &[&[u8]]) -> Box<str> {
        let mut hasher = Hasher::new(algorithm);
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finish().value
    }

    /// The values are those of awscrt 0.38 and of Python's hashlib.
    #[test]
    fn checksums_are_those_that_the_sdks_send() {
        for (algorithm, empty, digits, thousand) in [
            (Algorithm::Crc32, "AAAAAA==", "y/Q5Jg==", "chdGpg=="),
            (Algorithm::Crc32c, "AAAAAA==", "4waSgw==", "EfZiIA=="),
            (Algorithm::Crc64Nvme, "AAAAAAAAAAA=", "rosUhgp5mIg=", "Oi01cbaZhBY="),
            (
                Algorithm::Sha1,
                "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
                "98O8HYCOBHMq32eZZczDTKeuNEE=",
                "yclgoLklR0+rg5Qswn1QT8JKw3s=",
            ),
            (
                Algorithm::Sha256,
                "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
                "TkwpSzMfeiCZo3m+w0ufn8A9xGq0ZdmY9NaD2lNIfm0=",
            ),
            (
                Algorithm::Sha512,
                "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
                "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
                "UJZJjZb1D5oTfE21uLDNODg61VNQ+1qYgF/twx+hJi8fDPTW8S1+zY3t2TOkyRJjRP4i6TeorTX96uHodq5piw==",
            ),
            (Algorithm::Md5, "1B2M2Y8AsgTpgAmY7PhCfg==", "JfnnlDI7RTiF9RgfG2JNCw==", "ok8ePvZpUOEyfyEOOZe6LA=="),
            (Algorithm::Xxhash64, "70bbN1HY6Zk=", "jLhB20DmroM=", "8wbwSqiLVNM="),
            (Algorithm::Xxhash3, "LQaABTjTlMI=", "ctyxi2ehff8=", "M+9wP7KyDtE="),
            (Algorithm::Xxhash128, "maoG0wFHmNhgAcMkRo1Jfw==", "MxGUd+3l3NXpcWQnaB1YYA==", "GL9BvIIp4ncz73A/srIO0Q=="),
        ] {
            let bytes: Vec<u8> = (0..1000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(&*of(algorithm, &[]), empty, "{algorithm:?}");
            assert_eq!(&*of(algorithm, &[b"123456789"]), digits, "{algorithm:?}");
            assert_eq!(&*of(algorithm, &[&bytes[..1], &bytes[1..300], &[], &bytes[300..]]), thousand, "{algorithm:?}");
            assert!(Checksum::of_body(algorithm, digits).is_some(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_value_has_one_spelling() {
        for (value, sound) in [
            ("y/Q5Jg==", true),
            ("y/Q5Jg", false),
            ("y/Q5Jh==", false),
            ("y_Q5Jg==", false),
            (" y/Q5Jg==", false),
            ("y/Q5JgA=", false),
            ("cbf43926", false),
            ("y/Q5Jg==-2", false),
            ("", false),
        ] {
            assert_eq!(Checksum::of_body(Algorithm::Crc32, value).is_some(), sound, "{value}");
        }
    }

    #[test]
    fn names_lead_to_their_algorithm_and_to_one_only() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_word(&algorithm.word().to_lowercase()), Some(algorithm));
            assert_eq!(Algorithm::from_header(algorithm.header()), Some(algorithm));
            assert!(algorithm.header().starts_with(HEADER_PREFIX));
        }
        assert_eq!(Algorithm::from_word("CRC16"), None);
        assert_eq!(Algorithm::from_header("x-amz-checksum-type"), None);
    }
}
