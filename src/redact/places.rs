//! Where a listing that is walked as it is (of uploads, of versions) goes on: behind a key, or behind one upload or version
//! of it. Sealed for one caller and one query, since it may be the name of a key that the caller may not see.

use super::listing::token::{self, Binding};
use crate::identity::Identity;
use crate::keyring::KeyRing;
use crate::s3::error::{Code, Refusal};
use crate::s3::name::{Bucket, Prefix};

/// A key, and the upload's or version's id beside it, if it is behind one of them.
pub(super) type Place = (String, Option<String>);

/// Seals and opens the places of one caller's query.
pub(super) struct Places<'a> {
    ring: &'a KeyRing,
    binding: Binding,
}

impl<'a> Places<'a> {
    /// Of that kind of listing.
    pub(super) fn of(
        kind: &str,
        who: &Identity,
        (bucket, prefix, delimiter): (&Bucket, &Prefix, Option<&str>),
        ring: &'a KeyRing,
    ) -> Self {
        let role = who.role().as_str();
        let query = [bucket.as_str(), prefix.as_str(), delimiter.unwrap_or_default()];
        let binding = Binding::over(&[&[kind, who.issuer(), who.subject(), role][..], &query].concat());
        Self { ring, binding }
    }

    /// The place that a request names: a sealed one, or a key with an id beside it, as the caller wrote them.
    ///
    /// # Errors
    /// A sealed place that is not of this query.
    pub(super) fn sent(&self, key: Option<&str>, beside: Option<&str>) -> Result<Option<Place>, Refusal> {
        let wrong = |_| Refusal::new(Code::InvalidArgument, "The key marker provided is incorrect");
        Ok(match key {
            None => None,
            Some(sent) if sent.starts_with(token::LEAD) => {
                let (key, beside) = token::open_pair(self.ring, &self.binding, sent).map_err(wrong)?;
                Some((key, Some(beside).filter(|beside| !beside.is_empty())))
            }
            Some(key) => Some((key.to_owned(), beside.map(str::to_owned))),
        })
    }

    /// The place as the caller gets it.
    pub(super) fn sealed(&self, (key, beside): &Place) -> String {
        token::seal_pair(self.ring, &self.binding, key, beside.as_deref().unwrap_or_default())
    }
}
