//! What was stored before: a file that only its owner reads, written once, and enough to put everything back.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::Trouble;
use crate::backend::bucket::{Administration, Document};
use crate::limits;

/// The documents of one bucket at one time; a document that was not there is `None`, one that was not asked for is not
/// in the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The real name of the bucket.
    pub bucket: String,
    /// When.
    pub taken: Timestamp,
    /// JSON in S3's own shape.
    pub documents: BTreeMap<Document, Option<String>>,
}

/// Why a file of these cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The disk, or a file of that name that is there already.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
    /// Not such a file.
    #[error("{0}: is not a file of `tracegate lock apply`: {1}")]
    Unreadable(PathBuf, String),
}

/// A document that is stored, or not, and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {0} cannot be read: {1}; if the backend has none, leave it out of `documents` in [lock]")]
pub struct Unread(pub Document, pub Trouble);

/// As written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    bucket: String,
    taken: Timestamp,
    documents: BTreeMap<String, Option<String>>,
}

impl Kept {
    /// What is stored now.
    pub async fn take(
        name: &str,
        bucket: &dyn Administration,
        documents: impl IntoIterator<Item = Document>,
        now: Timestamp,
    ) -> Result<Self, Unread> {
        let mut found = BTreeMap::new();
        for document in documents {
            let stored = bucket.stored(document).await.map_err(|trouble| Unread(document, trouble))?;
            found.insert(document, stored);
        }
        Ok(Self { bucket: name.to_owned(), taken: now, documents: found })
    }

    /// Writes it to a new file of that folder, readable by its owner only, and says which. Never overwrites one.
    pub fn write(&self, dir: &Path) -> Result<PathBuf, KeptError> {
        let when = self.taken.strftime("%Y%m%dT%H%M%S.%3fZ");
        let file = dir.join(format!("tracegate-lock-{}-{when}.json", self.bucket));
        let documents = self.documents.iter().map(|(document, text)| (document.word().to_owned(), text.clone()));
        let written =
            Written { version: 1, bucket: self.bucket.clone(), taken: self.taken, documents: documents.collect() };
        let text = serde_json::to_string_pretty(&written).expect("texts become JSON");
        let io = |error| KeptError::Io(file.clone(), error);
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(io)?;
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.sync_all()).map_err(io)?;
        Ok(file)
    }

    /// Reads one.
    pub fn read(file: &Path) -> Result<Self, KeptError> {
        let io = |error| KeptError::Io(file.to_owned(), error);
        let unreadable = |why: String| KeptError::Unreadable(file.to_owned(), why);
        let mut text = String::new();
        let most = limits::LOCK_KEPT_BYTES_MAX;
        std::fs::File::open(file).map_err(io)?.take(most + 1).read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > most {
            return Err(unreadable(format!("it has more than {most} bytes")));
        }
        let written: Written = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if written.version != 1 {
            return Err(unreadable("this program reads version 1".to_owned()));
        }
        let known = |(word, text): (String, Option<String>)| {
            let document = Document::ALL.into_iter().find(|document| document.word() == word);
            document.map(|document| (document, text)).ok_or_else(|| unreadable(format!("{word:?} is no document")))
        };
        let documents = written.documents.into_iter().map(known).collect::<Result<_, _>>()?;
        Ok(Self { bucket: written.bucket, taken: written.taken, documents })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn kept() -> Kept {
        let documents =
            [(Document::Policy, Some("{\"Statement\":[]}".to_owned())), (Document::OwnershipControls, None)];
        let taken = "2026-11-20T09:45:01Z".parse().unwrap();
        Kept { bucket: "acme-traces".into(), taken, documents: documents.into() }
    }

    #[test]
    fn what_was_kept_is_read_again_by_its_owner_only_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = kept().write(dir.path()).unwrap();
        assert_eq!(file.file_name().unwrap(), "tracegate-lock-acme-traces-20261120T094501.000Z.json");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Kept::read(&file).unwrap(), kept());
        let before = std::fs::read(&file).unwrap();
        let again = Kept { documents: BTreeMap::new(), ..kept() };
        assert!(matches!(again.write(dir.path()), Err(KeptError::Io(..))));
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn another_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        let whole = r#"{"version":1,"bucket":"b","taken":"2026-11-20T09:45:01Z","documents":{"policy":null}}"#;
        let large = usize::try_from(limits::LOCK_KEPT_BYTES_MAX).unwrap() + 1;
        let check = |text: &str, sound: bool| {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Kept::read(&file).is_ok(), sound, "{:.80}", text);
        };
        check(whole, true);
        check(&whole.replace("\"version\":1", "\"version\":2"), false);
        check(&whole.replace("policy", "cors"), false);
        check(&whole.replace("\"bucket\"", "\"surprise\":1,\"bucket\""), false);
        check(&format!("{whole}{}", " ".repeat(large)), false);
        check("", false);
    }
}
