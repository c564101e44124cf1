//! Filling the embedded bucket from a folder: each folder in it is a bucket, each file below that an object.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::{Content, Memory};
use crate::s3::name::{Bucket, Key};

impl Memory {
    /// Puts every file below `folder/BUCKET/` under its path, with its own time. Links and other non-files are an error,
    /// as is a name that no bucket or key may have: what is left out silently would be missed later. Returns how many
    /// objects were put.
    pub fn seed_from(&self, folder: &Path) -> io::Result<usize> {
        let mut count = 0;
        for (name, path) in entries(folder)? {
            let bucket: Bucket = name.parse().map_err(|error| unfit(&path, error))?;
            self.create_bucket(&bucket);
            count += self.seed_bucket(&bucket, &path)?;
        }
        Ok(count)
    }

    fn seed_bucket(&self, bucket: &Bucket, folder: &Path) -> io::Result<usize> {
        let mut count = 0;
        let mut open = vec![(String::new(), folder.to_owned())];
        while let Some((prefix, folder)) = open.pop() {
            for (name, path) in entries(&folder)? {
                let key = format!("{prefix}{name}");
                let metadata = fs::symlink_metadata(&path)?;
                if metadata.is_dir() {
                    open.push((format!("{key}/"), path));
                    continue;
                }
                if !metadata.is_file() {
                    return Err(unfit(&path, "is neither a file nor a folder"));
                }
                let key: Key = key.parse().map_err(|error| unfit(&path, error))?;
                let changed = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
                self.put(bucket, key.as_str(), described(key.as_str(), Content::new(fs::read(&path)?, changed)));
                count += 1;
            }
        }
        Ok(count)
    }
}

fn entries(folder: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        entries.push((name.ok_or_else(|| unfit(&path, "is not UTF-8"))?.to_owned(), path.clone()));
    }
    Ok(entries)
}

fn unfit(path: &Path, reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", path.display()))
}

/// The types that `aws s3 cp` would guess from the name.
fn described(key: &str, content: Content) -> Content {
    let (name, content) = match key.strip_suffix(".gz") {
        Some(name) => (name, content.with_encoding("gzip")),
        None => (key, content),
    };
    content.with_type(match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("jsonl" | "ndjson") => "application/x-ndjson",
        Some("txt" | "md" | "log") => "text/plain",
        Some("csv") => "text/csv",
        _ => "binary/octet-stream",
    })
}
