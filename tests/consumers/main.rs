//! Whoever reads what a view shows finds no value under a name that it hides: said by the readers themselves. What is shown
//! is also taken by them, but for what stands at each.

#[cfg(test)]
mod documents;
#[cfg(test)]
#[path = "../support/install.rs"]
mod install;
#[cfg(test)]
mod seen;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use serde_json::json;

    use super::documents::{Document, shown};
    use super::install::{repository, tool};
    use super::seen::{found, read_by};

    /// What one reader said of each document: `ok`, `refused: …` or `found: …`.
    fn check(reader: &str, said: impl IntoIterator<Item = String>, may_refuse: impl Fn(&Document, &str) -> bool) {
        let (mut read, mut refused) = (0, 0);
        let mut said = said.into_iter();
        for document in shown() {
            let said = said.next().expect("an answer for each document");
            assert!(!said.starts_with("found"), "{reader} {said}: {}", document.text);
            if said == "ok" {
                read += 1;
            } else {
                assert!(may_refuse(document, &said), "{reader} {said}: {}", document.text);
                refused += 1;
            }
        }
        assert_eq!(said.next(), None);
        assert!(read > 8000 && read > 5 * refused, "{reader} read {read}, and refused {refused}");
    }

    /// What a program answers that is given the documents, one in each line.
    fn answers(program: PathBuf, arguments: &[&str]) -> Vec<String> {
        let mut lines = tempfile::tempfile().unwrap();
        for Document { text, whole } in shown() {
            writeln!(lines, "{}", json!({ "text": text, "whole": whole })).unwrap();
        }
        std::io::Seek::rewind(&mut lines).unwrap();
        let folder = repository().join("tests/consumers");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).stdin(lines).stderr(Stdio::inherit());
        let done = command.output().unwrap();
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn python() -> PathBuf {
        tool("jq").join("bin/python")
    }

    #[test]
    fn python_finds_nothing_hidden() {
        for reader in ["python", "lenient"] {
            check(reader, answers(python(), &["reader.py", reader]), |_, _| false);
        }
    }

    /// It takes no surrogate without its pair.
    #[test]
    fn jq_finds_nothing_hidden() {
        check("jq", answers(python(), &["reader.py", "jq"]), |document, _| document.has_lone_surrogates());
    }

    /// It takes no `NaN` and no infinity.
    #[test]
    fn node_finds_nothing_hidden() {
        check("node", answers("node".into(), &["reader.mjs"]), |document, _| document.has_odd_numbers());
    }

    /// As for Node, and no surrogate without its pair, no byte order mark, and no number beyond its own.
    #[test]
    fn serde_json_finds_nothing_hidden() {
        let said = shown().iter().map(|document| found(document, |text| serde_json::from_str(text)));
        check("serde_json", said, refused_by_serde);
    }

    /// As for `serde_json`.
    #[test]
    fn simd_json_finds_nothing_hidden() {
        let said = shown().iter().map(|document| found(document, read_by_simd_json));
        check("simd-json", said, refused_by_serde);
    }

    fn read_by_simd_json(text: &str) -> Result<super::seen::Seen, simd_json::Error> {
        simd_json::serde::from_slice(&mut text.as_bytes().to_vec())
    }

    fn refused_by_serde(document: &Document, _: &str) -> bool {
        let odd = document.has_odd_numbers() || document.has_lone_surrogates() || document.has_mark();
        odd || read_by(&document.text).is_err_and(|error| error.to_string().contains("out of range"))
    }

    /// The documents are what they are said to be: most are sound, many hide something, and in some a string is hidden.
    #[test]
    fn there_is_something_to_be_found() {
        let with = |what: &dyn Fn(&Document) -> bool| shown().iter().filter(|document| what(document)).count();
        assert!(with(&|document| document.whole) > 6000);
        assert!(with(&|document| document.text.contains("[REDACTED]")) > 1000);
        assert!(with(&|document| document.text.contains("[REDACTED]\\")) > 500);
        assert!(with(&Document::has_odd_numbers) > 50 && with(&Document::has_lone_surrogates) > 50);
        assert!(with(&Document::has_mark) > 50);
    }

    /// A reader of the wrong kind of view does find something: the readers look.
    #[test]
    fn what_is_not_hidden_is_found() {
        let bare = |text: &str| Document { text: text.to_owned(), whole: true };
        for text in [
            r#"{"user_id":5}"#,
            r#"[{"a":1,"a":{"x_token":"u"}}]"#,
            r#"{"a":"Zq1"}"#,
            r#"["[\"{\\\"api_key\\\":[]}\"]"]"#,
            r#"[770077]"#,
        ] {
            assert!(found(&bare(text), |text| serde_json::from_str(text)).starts_with("found"), "{text}");
        }
    }
}
