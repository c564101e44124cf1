//! A page of ListObjectsV2 as the store writes it ("ListObjectsV2" in the S3 API reference), and what it says. Pure.

use jiff::Timestamp;

use super::answer::{bounded, broken, decoded, no_time, tag, unreadable};
use super::xml;
use crate::backend::Trouble;
use crate::s3::answer::{Batch, Item, Listed};

/// A page, as it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Where the next page goes on.
    pub(super) token: Option<String>,
    is_truncated: bool,
    is_encoded: bool,
    /// Keys and common prefixes, in the order in which they came.
    entries: Vec<Entry>,
}

/// A key, or a common prefix.
#[derive(Debug, Default)]
struct Entry {
    is_key: bool,
    name: Option<String>,
    size: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    storage_class: Option<String>,
}

impl Page {
    /// Reads the document, of at most so many entries.
    ///
    /// # Errors
    /// What is no such document, or holds more.
    pub(super) fn read(document: &[u8], max: u32) -> Result<Self, Trouble> {
        let (mut page, mut entry, mut is_listing) = (Self::default(), Entry::default(), false);
        let mut entries = 0;
        let mut is_truncated = Some(false);
        let read = xml::read(document, |path, text| {
            let mut text = || std::mem::take(text);
            match path {
                ["ListBucketResult"] => is_listing = true,
                ["ListBucketResult", "IsTruncated"] => is_truncated = truth(&text()),
                ["ListBucketResult", "EncodingType"] => page.is_encoded = text().trim() == "url",
                ["ListBucketResult", "NextContinuationToken"] => page.token = Some(text()),
                ["ListBucketResult", "Contents", "Key"] => entry.name = Some(text()),
                ["ListBucketResult", "Contents", "Size"] => entry.size = Some(text()),
                ["ListBucketResult", "Contents", "ETag"] => entry.etag = Some(text()),
                ["ListBucketResult", "Contents", "LastModified"] => entry.last_modified = Some(text()),
                ["ListBucketResult", "Contents", "StorageClass"] => entry.storage_class = Some(text()),
                ["ListBucketResult", "CommonPrefixes", "Prefix"] => entry.name = Some(text()),
                ["ListBucketResult", kind @ ("Contents" | "CommonPrefixes")] => {
                    let entry = Entry { is_key: *kind == "Contents", ..std::mem::take(&mut entry) };
                    entries += 1;
                    // Of those beyond the bound none is kept, only counted.
                    if page.entries.len() < max as usize {
                        page.entries.push(entry);
                    }
                }
                _ => {}
            }
        });
        read.filter(|()| is_listing).ok_or_else(unreadable)?;
        bounded(entries, max)?;
        page.is_truncated = is_truncated.ok_or_else(unreadable)?;
        Ok(page)
    }

    /// What it says; `None` if it is empty and yet not the last.
    ///
    /// # Errors
    /// An entry that lacks what S3 always sends.
    pub(super) fn batch(self) -> Result<Option<Batch>, Trouble> {
        let mut named = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            named.push((decoded(entry.name.as_deref(), self.is_encoded)?, entry));
        }
        // S3 sends keys and common prefixes apart, each in order.
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        let more_after = named.last().map(|(name, _)| name.clone()).filter(|_| self.is_truncated);
        if self.is_truncated && more_after.is_none() {
            return Ok(None);
        }
        let mut batch = Batch { more_after, ..Batch::default() };
        for (name, entry) in named {
            let item =
                if entry.is_key { entry.listed(&name)?.map(Item::Key) } else { name.parse().ok().map(Item::Common) };
            match item {
                Some(item) => batch.items.push(item),
                None => batch.unnameable += 1,
            }
        }
        Ok(Some(batch))
    }
}

/// A page that is taken for the last one by mistake would hide what follows.
fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

impl Entry {
    fn listed(self, name: &str) -> Result<Option<Listed>, Trouble> {
        let Ok(key) = name.parse() else { return Ok(None) };
        let size = self.size.and_then(|size| size.trim().parse().ok());
        let changed: Option<Timestamp> = self.last_modified.and_then(|time| time.trim().parse().ok());
        let changed = changed.and_then(|time| Timestamp::from_second(time.as_second()).ok());
        Ok(Some(Listed {
            key,
            size: size.ok_or_else(|| broken("it did not send a size"))?,
            last_modified: changed.ok_or_else(no_time)?,
            etag: tag(self.etag)?,
            storage_class: self.storage_class,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the document says, or that it cannot be read: `name` or `name/` of each item, and where it goes on.
    fn said(body: &str) -> Result<(Vec<String>, Option<String>), Trouble> {
        let document =
            format!("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{body}</ListBucketResult>");
        let batch = Page::read(document.as_bytes(), 1000)?.batch()?.unwrap_or_default();
        Ok((batch.items.iter().map(|item| item.name().to_owned()).collect(), batch.more_after))
    }

    #[test]
    fn a_page_is_read_whatever_stands_beside() {
        let rest = "<LastModified>2026-11-20T06:00:00.987Z</LastModified><ETag>&quot;0cc1&quot;</ETag><Size>3</Size>";
        let owner = "<Owner><ID>1</ID><Key>no</Key></Owner>";
        let key = |name: &str| format!("<Contents>{owner}<Key>{name}</Key>{rest}</Contents>");
        let truncated = "<Prefix>p</Prefix><IsTruncated>true</IsTruncated>";
        let common = "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>";
        let body = [key("b &amp; &#x3c;").as_str(), common, truncated].concat();
        let names = vec!["a/".to_owned(), "b & <".to_owned()];
        assert_eq!(said(&body), Ok((names, Some("b & <".to_owned()))));
        let page = format!("<ListBucketResult>{}</ListBucketResult>", key("k"));
        let batch = Page::read(page.as_bytes(), 1000).unwrap().batch().unwrap().unwrap();
        let [Item::Key(listed)] = &batch.items[..] else { panic!("{batch:?}") };
        assert_eq!((listed.size, &*listed.etag.0), (3, "0cc1"));
        assert_eq!(listed.last_modified, "2026-11-20T06:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_no_page_or_lacks_something_is_an_error() {
        for document in ["", "<html></html>", "<ListBucketResult><Contents></ListBucketResult>", "<ListBucketResult>"] {
            assert_eq!(Page::read(document.as_bytes(), 1000).map(drop), Err(unreadable()), "{document}");
        }
        let time = "<LastModified>2026-11-20T06:00:00Z</LastModified>";
        for entry in [
            format!("{time}<ETag>1</ETag><Size>1</Size>"),
            format!("<Key>k</Key>{time}<ETag>1</ETag>"),
            format!("<Key>k</Key>{time}<ETag>1</ETag><Size>-1</Size>"),
            format!("<Key>k</Key>{time}<Size>1</Size>"),
            "<Key>k</Key><LastModified>yesterday</LastModified><ETag>1</ETag><Size>1</Size>".to_owned(),
        ] {
            let found = said(&format!("<Contents>{entry}</Contents>"));
            assert!(matches!(found, Err(Trouble::Broken(_))), "{entry} {found:?}");
        }
    }
}
