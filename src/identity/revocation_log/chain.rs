//! One entry of the log as stored: authenticated, and chained to the one before. Pure.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{Entry, Target};
use crate::keyring::{KeyRing, Purpose, SecretKey};

/// An entry as stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) entry: Entry,
    /// The ring key of the MAC.
    pub(super) key: String,
    mac: String,
}

/// What an entry leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Covers this entry and the link before, under a key of the ring.
    mac: [u8; 32],
    /// Covers all entries so far and no key, so that the same entries are known again under another key.
    digest: [u8; 32],
}

impl Link {
    /// Before the first entry.
    pub(super) const START: Self = Self { mac: [0; 32], digest: [0; 32] };

    /// Whether the entries up to here are those up to there, whatever they are sealed with.
    pub(super) fn tells_the_same_as(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Stored {
    /// An entry behind that link, sealed with the ring's active key, and its own link.
    pub(super) fn seal(ring: &KeyRing, number: u32, before: &Link, entry: &Entry) -> (Self, Link) {
        let (id, key) = ring.active(Purpose::Control);
        let link = before.next(&key, number, entry);
        (Self { entry: entry.clone(), key: id.to_owned(), mac: hex::encode(link.mac) }, link)
    }

    /// The link of an entry that stands behind `before`.
    pub(super) fn verify(&self, ring: &KeyRing, number: u32, before: &Link) -> Result<Link, &'static str> {
        let key = ring.with_id(&self.key, Purpose::Control);
        let key = key.ok_or("is authenticated with a key that the ring does not have")?;
        let link = before.next(&key, number, &self.entry);
        let own = self.mac().is_some_and(|mac| bool::from(mac.ct_eq(&link.mac)));
        if own { Ok(link) } else { Err("was not written by this service") }
    }

    /// Whether it is the entry that was verified before and left that link.
    pub(super) fn is(&self, link: &Link) -> bool {
        self.mac() == Some(link.mac)
    }

    fn mac(&self) -> Option<[u8; 32]> {
        let mut mac = [0; 32];
        hex::decode_to_slice(&self.mac, &mut mac).ok().map(|()| mac)
    }
}

impl Link {
    fn next(&self, key: &SecretKey, number: u32, entry: &Entry) -> Self {
        let public = SecretKey::from_bytes([0; 32]);
        Self { mac: prf(key, number, &self.mac, entry), digest: prf(&public, number, &self.digest, entry) }
    }
}

fn prf(key: &SecretKey, number: u32, before: &[u8; 32], entry: &Entry) -> [u8; 32] {
    let Entry { target, before: moment, by, reason } = entry;
    let (kind, first, second) = match target {
        Target::Nothing => ("nothing", "", ""),
        Target::Session(session) => ("session", session.as_str(), ""),
        Target::Subject { issuer, subject } => ("subject", issuer.as_str(), subject.as_str()),
        Target::Role(role) => ("role", role.as_str(), ""),
        Target::Everything => ("everything", "", ""),
        Target::Continued(folder) => ("continued", folder.as_str(), ""),
    };
    let moment = moment.to_string();
    let texts = [kind, first, second, &moment, by, reason].map(str::as_bytes);
    let number = number.to_be_bytes();
    let head: [&[u8]; 3] = [b"revocation", &number, before];
    key.prf(&[head.as_slice(), texts.as_slice()].concat())
}
