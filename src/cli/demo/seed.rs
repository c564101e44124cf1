//! The sample traces of the demo: the seed folder of the repository, moved in time so that the newest is of today.
//!
//! Some roles see the last days only; samples of a fixed date would one day show them nothing.

use anyhow::{Context as _, Result};
use include_dir::{Dir, include_dir};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use crate::backend::memory::{Content, Memory};
use crate::s3::name::{Bucket, Key};

static SEED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/localstack/seed");
static POLICIES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// The day of the newest sample, as written.
const NEWEST: Date = jiff::civil::date(2026, 11, 20);
/// How far back samples reach, in days.
const DAYS: i32 = 30;

/// Puts the samples into a bucket, their dates moved so that the newest is of the day of `now`.
pub fn fill(memory: &Memory, bucket: &Bucket, now: Timestamp) -> Result<usize> {
    let shift = shift(now);
    let mut filled = 0;
    let mut folders = vec![&SEED];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let path = file.path().to_str().context("a sample's name is not UTF-8")?;
            let key: Key = moved(path, shift).parse().with_context(|| path.to_owned())?;
            let bytes = match std::str::from_utf8(file.contents()) {
                Ok(text) => moved(text, shift).into_bytes(),
                Err(_) => file.contents().to_vec(),
            };
            let content = Content::new(bytes, now).with_type(content_type(path));
            memory.put(bucket, key.as_str(), content);
            filled += 1;
        }
    }
    Ok(filled)
}

/// The policy set of the repository, written into a folder.
pub fn policies(dir: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    POLICIES.extract(dir).context("the policy set")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("jsonl") => "application/x-ndjson",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "binary/octet-stream",
    }
}

/// The same text as a sample holds it on that day.
pub fn of_today(text: &str, now: Timestamp) -> String {
    moved(text, shift(now))
}

/// Days from the newest sample, as written, to that day.
fn shift(now: Timestamp) -> i32 {
    (now.to_zoned(jiff::tz::TimeZone::UTC).date() - NEWEST).get_days()
}

/// The text with every date of the samples (`2026/11/19`, `2026-11-19`) moved by so many days.
fn moved(text: &str, days: i32) -> String {
    let mut text = text.to_owned();
    // A moved date must not be moved again: the newest goes first where dates grow, the oldest where they shrink.
    let back: Vec<i32> = if days >= 0 { (0..DAYS).collect() } else { (0..DAYS).rev().collect() };
    for back in back {
        let old = NEWEST - back.days();
        let new = old + days.days();
        for form in ["%Y/%m/%d", "%Y-%m-%d"] {
            text = text.replace(&old.strftime(form).to_string(), &new.strftime(form).to_string());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_is_moved_once() {
        let text = "model-A/2026/11/20/x 2026-11-19T09:00:00Z 2026/11/18 1999-01-01";
        assert_eq!(moved(text, 1), "model-A/2026/11/21/x 2026-11-20T09:00:00Z 2026/11/19 1999-01-01");
        assert_eq!(moved(text, -1), "model-A/2026/11/19/x 2026-11-18T09:00:00Z 2026/11/17 1999-01-01");
        assert_eq!(moved(text, 0), text);
        assert_eq!(moved("2026/11/19", 400), "2027/12/24");
    }
}
