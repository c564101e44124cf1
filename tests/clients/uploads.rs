//! What clients upload, and whether it is what then lies in the bucket `plain`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::catalogue::Client;
use super::facade::{self, facade};
use super::probe::{How, PARTS_MIN, same};

/// A file of JSON records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    /// Its name, which is also the end of its key.
    name: &'static str,
    /// Bytes, and up to a record more.
    size: usize,
}

/// What is put in one piece, where a client decides by size.
pub(crate) const SIX: Upload = Upload { name: "six.jsonl", size: 6 << 20 };
/// What is uploaded in parts by every client that splits.
pub(crate) const LARGE: Upload = Upload { name: "large.jsonl", size: 24_000_000 };

impl Upload {
    /// The file, which is written when it is first asked for.
    pub(crate) fn file(self) -> PathBuf {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        let folder = FOLDER.get_or_init(|| {
            let folder = facade().work().join("uploads");
            std::fs::create_dir(&folder).unwrap();
            for upload in [SIX, LARGE] {
                std::fs::write(folder.join(upload.name), upload.records()).unwrap();
            }
            folder
        });
        folder.join(self.name)
    }

    /// Records as DuckDB and polars write them too, so that what they make of the file is the file.
    fn records(self) -> String {
        let (mut text, mut number) = (String::new(), 0_u64);
        while text.len() < self.size {
            write!(text, "{{\"run\":{number},\"output\":\"").unwrap();
            for word in 0..64 {
                // Multiples of an odd number: none comes twice, so that parts cannot be taken for one another.
                write!(text, "{:016x}", (number * 64 + word).wrapping_mul(0x9E37_79B9_7F4A_7C15)).unwrap();
            }
            text.push_str("\"}\n");
            number += 1;
        }
        text
    }

    /// Whether what lies in the bucket is what the client meant to put there, and whether it came in parts. It is the
    /// file below `to`, unless the client told otherwise: by lines of a key and of a file that must be the same.
    pub(crate) fn judge(self, client: &Client, to: &str, told: &str) -> Result<How, String> {
        let pair = |line: &str| line.split_once('\t').map(|(key, file)| (key.to_owned(), PathBuf::from(file)));
        let mut pairs: Vec<(String, PathBuf)> = told.lines().filter_map(pair).collect();
        if pairs.is_empty() {
            pairs.push((format!("{to}/{}", self.name), self.file()));
        }
        for (key, file) in &pairs {
            same(&facade::stored(client.slug, key), &std::fs::read(file).unwrap())
                .map_err(|error| format!("{key}: {error}"))?;
        }
        let in_parts = pairs.iter().any(|(key, _)| came_in_parts(client, key));
        Ok(if in_parts { How::InParts } else { How::Well })
    }
}

/// The prefix of a run's own keys in the bucket `plain`; `out` is the folder of that run, whose name is unique.
pub(crate) fn prefix(client: &Client, out: &Path) -> String {
    format!("{}{}", facade::uploads(client.slug), out.file_name().unwrap().to_str().unwrap())
}

fn came_in_parts(client: &Client, key: &str) -> bool {
    let key = format!("plain/{key}");
    let count = |op: &str| facade().rows(&["--role", client.slug, "--op", op, "--key", &key]).len();
    count("CompleteMultipartUpload") > 0 && count("UploadPart") >= PARTS_MIN
}
