//! Continuation tokens: a place in the backend's order, sealed for one caller and one query, of one length.
//!
//! The place may be the name of a key that the caller may not see, so neither its text nor its length may show.

use crate::identity::Identity;
use crate::keyring::{KeyRing, NotOurs, Purpose};
use crate::limits;
use crate::s3::operation::{ListObjects, ListVersion};

/// How a token begins. V1 sends tokens as `marker`, which may also be a plain text; a marker that begins so is a token.
pub(in crate::redact) const LEAD: &str = "tracegate-page.";

/// Digits of the place's length, in front of the place.
const LENGTH_DIGITS: usize = 4;

/// Between the markers of a pair: no key, upload id or version id holds it.
const BETWEEN: char = '\0';

/// Whom and which query a token is for. Sealed for one, it does not open for another.
pub(in crate::redact) struct Binding([u8; 32]);

impl Binding {
    pub(super) fn of(who: &Identity, op: &ListObjects) -> Self {
        let version = match op.version {
            ListVersion::V1 => "1",
            ListVersion::V2 => "2",
        };
        Self::over(&[
            who.issuer(),
            who.subject(),
            who.role().as_str(),
            op.bucket.as_str(),
            op.prefix.as_str(),
            op.delimiter.as_deref().unwrap_or_default(),
            version,
        ])
    }

    pub(in crate::redact) fn over(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// The token that a request carries: of V2 as such, of V1 as a marker.
pub(super) fn sent(op: &ListObjects) -> Option<&str> {
    let marker = op.start_after.as_deref().filter(|text| op.version == ListVersion::V1 && text.starts_with(LEAD));
    op.token.as_deref().or(marker)
}

/// Seals a place. One that is longer than any key is cut, which moves it forward over nothing that can be a key.
pub(super) fn seal(ring: &KeyRing, binding: &Binding, place: &str) -> String {
    let place = &place[..place.floor_char_boundary(limits::LIST_PLACE_BYTES_MAX)];
    let pad = limits::LIST_PLACE_BYTES_MAX - place.len();
    let plain = format!("{:0LENGTH_DIGITS$}{place}{:pad$}", place.len(), "");
    format!("{LEAD}{}", ring.seal(Purpose::PageToken, &plain, &binding.0))
}

/// Seals a place of two markers, such as a key and a version. Its length shows only in steps.
pub(in crate::redact) fn seal_pair(ring: &KeyRing, binding: &Binding, key: &str, beside: &str) -> String {
    let used = key.len() + beside.len() + 2 * BETWEEN.len_utf8();
    let pad = used.next_multiple_of(limits::LIST_PLACE_BYTES_MAX) - used;
    let plain = format!("{key}{BETWEEN}{beside}{BETWEEN}{:pad$}", "");
    format!("{LEAD}{}", ring.seal(Purpose::PageToken, &plain, &binding.0))
}

/// Opens what [`seal_pair`] sealed for the same binding.
pub(in crate::redact) fn open_pair(
    ring: &KeyRing,
    binding: &Binding,
    token: &str,
) -> Result<(String, String), NotOurs> {
    let sealed = token.strip_prefix(LEAD).ok_or(NotOurs)?;
    let plain = ring.open(Purpose::PageToken, sealed, &binding.0)?;
    let mut parts = plain.split(BETWEEN);
    let (Some(key), Some(beside), Some(_pad)) = (parts.next(), parts.next(), parts.next()) else { return Err(NotOurs) };
    Ok((key.to_owned(), beside.to_owned()))
}

/// Opens what [`seal`] sealed for the same binding.
pub(super) fn open(ring: &KeyRing, binding: &Binding, token: &str) -> Result<String, NotOurs> {
    let sealed = token.strip_prefix(LEAD).ok_or(NotOurs)?;
    let plain = ring.open(Purpose::PageToken, sealed, &binding.0)?;
    let (length, padded) = plain.split_at_checked(LENGTH_DIGITS).ok_or(NotOurs)?;
    let length: usize = length.parse().map_err(|_| NotOurs)?;
    padded.get(..length).map(str::to_owned).ok_or(NotOurs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_for_its_binding_and_ring() {
        let (ring, other) = (KeyRing::ephemeral(), KeyRing::ephemeral());
        let ours = Binding::over(&["ann", "analyst", "traces", "", "/"]);
        let token = seal(&ring, &ours, "models/é ");
        assert_eq!(open(&ring, &ours, &token), Ok("models/é ".to_owned()));
        for binding in [
            Binding::over(&["bob", "analyst", "traces", "", "/"]),
            Binding::over(&["ann", "analyst", "traces", "/", ""]),
            Binding::over(&["annanalyst", "", "traces", "", "/"]),
        ] {
            assert_eq!(open(&ring, &binding, &token), Err(NotOurs));
        }
        assert_eq!(open(&other, &ours, &token), Err(NotOurs));
        for forged in [&token[LEAD.len()..], "", LEAD, "tracegate-page.v4.local.AAAA", &token[..token.len() - 1]] {
            assert_eq!(open(&ring, &ours, forged), Err(NotOurs), "{forged}");
        }
    }

    #[test]
    fn a_pair_opens_as_it_was_sealed() {
        let ring = KeyRing::ephemeral();
        let binding = Binding::over(&["versions"]);
        let long = "k".repeat(limits::KEY_BYTES_MAX);
        for (key, beside) in [("a/b", "v1"), ("", ""), ("é ", ""), (long.as_str(), long.as_str())] {
            let token = seal_pair(&ring, &binding, key, beside);
            assert_eq!(open_pair(&ring, &binding, &token), Ok((key.to_owned(), beside.to_owned())));
            assert_eq!(open_pair(&ring, &Binding::over(&["uploads"]), &token), Err(NotOurs));
        }
        let short = seal_pair(&ring, &binding, "a", "b");
        assert_eq!(short.len(), seal_pair(&ring, &binding, "a/longer/one", "b").len());
    }

    #[test]
    fn every_token_has_the_same_length_and_hides_its_place() {
        let ring = KeyRing::ephemeral();
        let binding = Binding::over(&[]);
        let place = "secret-model/".repeat(200);
        let long = seal(&ring, &binding, &place);
        assert_eq!(long.len(), seal(&ring, &binding, "").len());
        assert_eq!(long.len(), seal(&ring, &binding, &"é".repeat(limits::KEY_BYTES_MAX / 2)).len());
        assert_eq!(open(&ring, &binding, &long).unwrap(), place[..limits::LIST_PLACE_BYTES_MAX]);
        assert!(!long.contains("secret"));
    }
}
