//! What lies in the buckets behind a façade under test, as files: one folder per bucket, one file per key.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use super::install;

/// A key that is far longer than the parts in which clients fetch, in the bucket `traces`.
pub(crate) const BIG: &str = "model-B/big/run-900000.jsonl";
/// A key of today, which the support engineers' role shows.
pub(crate) fn of_today() -> String {
    format!("model-B/{}/run-today.jsonl", jiff::Timestamp::now().strftime("%Y/%m/%d"))
}
/// A key that no role may reach, whatever it allows.
pub(crate) const FORBIDDEN: &str = "model-A/.tracegate/control.json";
/// What stands in every secret of the samples.
pub(crate) const PLANTED: &str = "PLANTED-";
/// What stands before those of the samples that no profile of the example policies hides.
pub(crate) const SHOWN: &str = "hr-";

/// Writes the folders `traces` and `plain` below `folder`: the samples of the repository and the keys above.
pub(crate) fn write(folder: &Path) {
    let samples = install::repository().join("localstack/seed");
    for bucket in ["traces", "plain"] {
        copy(&samples, &folder.join(bucket));
    }
    let recent = std::fs::read(samples.join("model-B/2026/11/20/run-004432.jsonl")).unwrap();
    let forbidden = br#"{"note":"PLANTED-control-0"}"#;
    for (key, bytes) in [(BIG, big().as_bytes()), (&of_today(), &recent), (FORBIDDEN, forbidden)] {
        let file = folder.join("traces").join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

/// 24 MB of records, no two of one length or content.
fn big() -> &'static str {
    static BIG: OnceLock<String> = OnceLock::new();
    BIG.get_or_init(|| {
        let mut text = String::new();
        let mut number = 0;
        while text.len() < 24 << 20 {
            let prose = "é and some more words. ".repeat(number % 97);
            writeln!(
                text,
                "{{\"trace_id\":\"tr-{number}\",\"user_id\":\"u-{}\",\"system_prompt\":\"phrase-PLANTED-big-{number}\",\
                 \"output\":\"{prose}\",\"steps\":[{{\"prompt\":\"{prose}\",\"thought\":\"PLANTED-th-{number}\"}}],\
                 \"api_key\":\"sk-PLANTED-{number}\"}}",
                number % 31
            )
            .unwrap();
            number += 1;
        }
        text
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
