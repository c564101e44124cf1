//! Objects that a redacting view cannot show as they are: blanked, refused or cut, never shown raw.

use super::facade::{Facade, content};
use super::wire::Ask;

#[tokio::test]
async fn what_cannot_be_redacted_is_refused_with_a_reason() {
    let facade = Facade::start().await;
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
    facade.put("a.json.gz", gzip);
    facade.put("b.json", gzip);
    facade.put_content("c.json", content("{}").with_encoding("gzip"));
    facade.put_content("d.json", content("{}").with_encoding("pack200"));
    facade.put("e.parquet", "PAR1....PAR1");
    facade.put_content("f", content("plain").with_type("text/plain"));
    facade.put("g.json", [0xff, 0xfe, b'{', 0, b'}', 0]);
    for (key, says) in [
        ("a.json.gz", "compressed"),
        ("b.json", "compressed"),
        ("c.json", "compressed"),
        ("d.json", "Content-Encoding"),
        ("e.parquet", "JSON"),
        ("f", "JSON"),
        ("g.json", "not sound JSON"),
    ] {
        for ask in [Ask::get(format!("/traces/{key}")), Ask::get(format!("/traces/{key}")).with("range", "bytes=0-1")] {
            let answer = facade.as_role("masked", ask).await;
            assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{key}: {}", answer.text());
            assert!(answer.text().contains(says), "{key}: {}", answer.text());
        }
        assert_eq!(facade.as_role("raw", Ask::get(format!("/traces/{key}"))).await.status, 200, "{key}");
    }
}

#[tokio::test]
async fn a_broken_record_is_blanked_at_its_own_length() {
    let facade = Facade::start().await;
    let (good, broken) = ("{\"email\":\"ada@example.com\"}\n", "{\"email\":\"bob@example.com\n");
    facade.put("a.jsonl", format!("{good}{broken}{good}{good}"));
    let answer = facade.as_role("masked", Ask::get("/traces/a.jsonl")).await;
    let shown = "{\"email\":\"[REDACTED]\"}     \n";
    // The record right behind a broken one might be a part of it, and is blanked with it.
    let blank = |line: &str| format!("{:w$}\n", "{}", w = line.len() - 1);
    assert_eq!(answer.text(), format!("{shown}{}{}{shown}", blank(broken), blank(good)));
    assert!(answer.whole);
    let log = facade.stopped().await;
    assert_eq!(log.entries_of("s3.complete")[0]["blanked"], 2);
    assert_eq!(log.entries_of("s3.complete")[0]["redactions"], serde_json::json!([["pii", 2]]));
}

#[tokio::test]
async fn regression_what_is_cut_within_a_string_is_on_the_record() {
    let facade = Facade::start().await;
    let (sound, torn) = ("{\"a\":\"{\\\"b\\\":1}\"}\n", "{\"a\":\"{\\\"b\\\":oops}\"}\n");
    facade.put("a.jsonl", format!("{sound}{torn}"));
    let answer = facade.as_role("masked", Ask::get("/traces/a.jsonl")).await;
    assert_eq!(answer.text(), format!("{sound}{}", torn.replace("oops}\"}", "***\"}  ")));
    let log = facade.stopped().await;
    assert_eq!(log.entries_of("s3.complete")[0]["texts_cut"], 1);
}

#[tokio::test]
async fn a_broken_document_is_refused_and_a_large_one_cut() {
    let facade = Facade::start().await;
    let filler =
        |bytes: usize| format!("{{\"email\":\"ada@example.com\",\"fill\":[{}", "123456789,".repeat(bytes / 10));
    for (key, text, offset) in [
        ("a.json", "{\"email\":\"ada@example.com\"".to_owned(), None),
        ("b.json", "{\"n\":nan}".to_owned(), None),
        ("c.json", "{\"n\":+1}".to_owned(), Some(5)),
        ("d.json", "{\"email\":1}{\"email\":2}".to_owned(), Some(11)),
        ("e.json", filler(1000), None),
    ] {
        facade.put(key, text);
        let answer = facade.as_role("masked", Ask::get(format!("/traces/{key}"))).await;
        assert_eq!((answer.status, answer.code()), (403, "AccessDenied"), "{key}: {}", answer.text());
        assert!(!answer.text().contains("ada"), "{key}");
        if let Some(offset) = offset {
            assert!(answer.text().contains(&format!("at byte {offset}")), "{key}: {}", answer.text());
        }
    }
    facade.put("large.json", filler(400_000));
    let answer = facade.as_role("masked", Ask::get("/traces/large.json")).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.whole, "the client sees that it is not all");
    assert!(!answer.text().contains("ada@"));
    let log = facade.stopped().await;
    let last = log.entries_of("s3.complete").into_iter().last().unwrap().clone();
    assert_eq!(last["outcome"], "unshowable");
    // What was handed to the connection; how much of it arrived, nobody here knows.
    assert!(last["bytes"].as_u64().unwrap() >= answer.body.len() as u64, "{last}");
}

/// Python writes them where JSON knows no such numbers: they pass, and are hidden where other values are.
#[tokio::test]
async fn what_python_writes_for_odd_numbers_passes_and_is_masked() {
    let facade = Facade::start().await;
    facade.put("a.jsonl", "{\"n\":NaN,\"email\":Infinity}\n{\"n\":-Infinity}\n{\"email\":NaN}\n");
    let answer = facade.as_role("masked", Ask::get("/traces/a.jsonl")).await;
    let lines: Vec<&str> = answer.text().lines().map(str::trim_end).collect();
    assert_eq!(lines, ["{\"n\":NaN,\"email\":null}", "{\"n\":-Infinity}", "{\"email\":0}"]);
}

#[tokio::test]
async fn parallel_ranges_put_together_are_the_object() {
    let facade = Facade::start().await;
    let line = |n: usize| format!("{{\"n\":{n},\"email\":\"person-{n}@example.com\"}}\n");
    let text: String = (0..4000).map(line).collect();
    facade.put("a.jsonl", text.clone());
    let whole = facade.as_role("masked", Ask::get("/traces/a.jsonl")).await;
    let etag = whole.header("etag").unwrap();
    assert_eq!(whole.body.len(), text.len());
    let step = 37_777;
    let mut joined = Vec::new();
    for first in (0..text.len()).step_by(step) {
        let range = format!("bytes={first}-{}", first + step - 1);
        let ask = Ask::get("/traces/a.jsonl").with("range", range).with("if-match", etag);
        let answer = facade.as_role("masked", ask).await;
        assert_eq!((answer.status, answer.header("etag")), (206, Some(etag)));
        joined.extend(answer.body);
    }
    assert!(joined == whole.body, "ranges and the whole differ");
    assert!(!whole.text().contains("person-"));
}
