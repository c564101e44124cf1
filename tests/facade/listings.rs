//! Listings as clients read them: the XML of both versions, paging, names that need care, tokens that tell nothing.

use super::facade::Facade;
use super::wire::{Answer, Ask};

async fn with_keys(keys: &[&str]) -> Facade {
    let facade = Facade::start().await;
    for key in keys {
        facade.put(key, *key);
    }
    facade
}

async fn list(facade: &Facade, role: &str, query: &str) -> Answer {
    let answer = facade.as_role(role, Ask::get(format!("/traces?{query}"))).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    answer
}

fn names(answer: &Answer) -> (Vec<&str>, Vec<&str>) {
    let common = answer.elements("CommonPrefixes");
    let prefixes = common.iter().map(|text| text.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>"));
    (answer.elements("Key"), prefixes.collect())
}

fn fields(answer: &Answer, wanted: &[(&str, Option<&str>)]) {
    for (name, value) in wanted {
        let found = answer.element(name);
        assert_eq!(found, *value, "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_page_of_version_2_says_what_was_asked() {
    let facade = with_keys(&["a/1", "a/2", "b", "c"]).await;
    let page = list(&facade, "raw", "list-type=2&delimiter=%2F&max-keys=2&start-after=a").await;
    assert_eq!(names(&page), (vec!["b"], vec!["a/"]));
    fields(
        &page,
        &[
            ("Name", Some("traces")),
            ("MaxKeys", Some("2")),
            ("KeyCount", Some("2")),
            ("IsTruncated", Some("true")),
            ("Delimiter", Some("/")),
            ("StartAfter", Some("a")),
            ("EncodingType", None),
            ("ContinuationToken", None),
        ],
    );
    let next = page.element("NextContinuationToken").unwrap();
    let rest = list(&facade, "raw", &format!("list-type=2&delimiter=%2F&max-keys=2&continuation-token={next}")).await;
    assert_eq!(names(&rest), (vec!["c"], vec![]));
    let ends = [("IsTruncated", Some("false")), ("KeyCount", Some("1")), ("NextContinuationToken", None)];
    fields(&rest, &ends);
    fields(&rest, &[("ContinuationToken", Some(next))]);
    fields(
        &list(&facade, "raw", "list-type=2&prefix=a%2F").await,
        &[("Prefix", Some("a/")), ("MaxKeys", Some("1000"))],
    );
}

#[tokio::test]
async fn a_page_of_version_1_always_says_where_to_go_on() {
    let facade = with_keys(&["a", "b", "c/1", "c/2", "d"]).await;
    let page = list(&facade, "raw", "max-keys=2").await;
    assert_eq!(names(&page).0, ["a", "b"]);
    fields(&page, &[("IsTruncated", Some("true")), ("MaxKeys", Some("2")), ("KeyCount", None)]);
    let next = page.element("NextMarker").expect("also without a delimiter: some clients end where there is none");
    let rest = list(&facade, "raw", &format!("marker={next}")).await;
    assert_eq!(names(&rest).0, ["c/1", "c/2", "d"]);
    fields(&rest, &[("IsTruncated", Some("false")), ("NextMarker", None), ("Marker", Some(next))]);
}

/// A marker of version 1 need not be ours: clients go on from the last key that they have.
#[tokio::test]
async fn a_plain_marker_is_a_place() {
    let facade = with_keys(&["a", "b", "c/1", "c/2", "d"]).await;
    for (marker, keys) in [
        ("a", vec!["b", "c/1", "c/2", "d"]),
        ("b", vec!["c/1", "c/2", "d"]),
        ("bb", vec!["c/1", "c/2", "d"]),
        ("c%2F1", vec!["c/2", "d"]),
        ("z", vec![]),
        ("", vec!["a", "b", "c/1", "c/2", "d"]),
    ] {
        let page = list(&facade, "raw", &format!("marker={marker}")).await;
        assert_eq!(names(&page).0, keys, "{marker}");
        assert_eq!(page.element("Marker").unwrap_or_default(), marker.replace("%2F", "/"));
    }
}

#[tokio::test]
async fn every_page_size_walks_the_same_keys() {
    let keys: Vec<String> = (0..23).map(|n| format!("k{}/{n:02}", n % 5)).collect();
    let facade = with_keys(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut sorted = keys.clone();
    sorted.sort();
    for size in [1, 2, 7, 22, 23, 24, 1000] {
        let (mut found, mut query) = (Vec::new(), String::new());
        loop {
            let page = list(&facade, "raw", &format!("list-type=2&max-keys={size}{query}")).await;
            let shown = names(&page).0.len();
            assert!(shown <= size && page.element("KeyCount") == Some(shown.to_string().as_str()));
            found.extend(names(&page).0.into_iter().map(str::to_owned));
            let Some(token) = page.element("NextContinuationToken") else { break };
            query = format!("&continuation-token={token}");
        }
        assert_eq!(found, sorted, "by {size}");
    }
}

#[tokio::test]
async fn odd_sizes_are_s3s() {
    let facade = with_keys(&["a", "b"]).await;
    for version in ["", "list-type=2&"] {
        let none = list(&facade, "raw", &format!("{version}max-keys=0")).await;
        assert_eq!(names(&none), (vec![], vec![]));
        fields(&none, &[("MaxKeys", Some("0")), ("IsTruncated", Some("false"))]);
        let many = list(&facade, "raw", &format!("{version}max-keys=5000")).await;
        assert_eq!(names(&many).0, ["a", "b"]);
        fields(&many, &[("MaxKeys", Some("1000"))]);
        for wrong in ["max-keys=-1", "max-keys=x", "max-keys=99999999999", "encoding-type=base64"] {
            let answer = facade.as_role("raw", Ask::get(format!("/traces?{version}{wrong}"))).await;
            assert_eq!(answer.status, 400, "{version}{wrong}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn names_come_encoded_where_asked_and_escaped_where_not() {
    let keys = ["a b+c%d", "e&<f>\"g'", "å/Ω", "x//y"];
    let facade = with_keys(&keys).await;
    let encoded = ["a%20b%2Bc%25d", "e%26%3Cf%3E%22g%27", "x//y", "%C3%A5/%CE%A9"];
    for version in ["", "list-type=2&"] {
        let page = list(&facade, "raw", &format!("{version}encoding-type=url")).await;
        assert_eq!(names(&page).0, encoded, "{version}");
        fields(&page, &[("EncodingType", Some("url"))]);
        let plain = list(&facade, "raw", version).await;
        assert!(plain.text().contains("<Key>e&amp;&lt;f&gt;"), "{}", plain.text());
        assert!(plain.text().contains("<Key>a b+c%d</Key>"));
        let page = list(&facade, "raw", &format!("{version}encoding-type=url&prefix=a%20b%2B&delimiter=%25")).await;
        assert_eq!(names(&page).1, ["a%20b%2Bc%25"]);
        fields(&page, &[("Delimiter", Some("%25"))]);
        assert!(page.text().contains("<Prefix>a%20b%2B</Prefix>"), "{}", page.text());
    }
    let after = list(&facade, "raw", "list-type=2&encoding-type=url&start-after=x%2F").await;
    fields(&after, &[("StartAfter", Some("x/"))]);
    assert_eq!(names(&after).0, ["x//y", "%C3%A5/%CE%A9"]);
}

#[tokio::test]
async fn only_what_the_caller_may_list_is_shown_and_counted() {
    let facade = with_keys(&["a", "narrow/1.json", "narrow/x/2.json", "narrowly", "z/9"]).await;
    for version in ["", "list-type=2&"] {
        let all = list(&facade, "narrow", version).await;
        assert_eq!(names(&all).0, ["narrow/1.json", "narrow/x/2.json"]);
        let top = list(&facade, "narrow", &format!("{version}delimiter=%2F")).await;
        assert_eq!(names(&top), (vec![], vec!["narrow/"]));
        let first = list(&facade, "narrow", &format!("{version}max-keys=1")).await;
        assert_eq!(names(&first).0, ["narrow/1.json"]);
        assert!(!first.text().contains("narrowly"));
        fields(&list(&facade, "narrow", &format!("{version}prefix=narrow")).await, &[("IsTruncated", Some("false"))]);
        let empty = list(&facade, "narrow", &format!("{version}prefix=narrow%2Fnone")).await;
        assert_eq!(names(&empty), (vec![], vec![]));
    }
    let reader = facade.as_role("reader", Ask::get("/traces?list-type=2")).await;
    assert_eq!((reader.status, reader.code()), (403, "AccessDenied"), "{}", reader.text());
}

#[tokio::test]
async fn a_token_is_opaque_and_its_owners_own() {
    let facade = with_keys(&["narrow/1", "narrow/a-rather-long-name-of-a-key", "narrow/z", "secret/key"]).await;
    let token = async |role: &str, query: &str| {
        list(&facade, role, query).await.element("NextContinuationToken").unwrap().to_owned()
    };
    let one = token("narrow", "list-type=2&max-keys=1").await;
    let two = token("narrow", "list-type=2&max-keys=2").await;
    assert_eq!(one.len(), two.len(), "the length tells nothing");
    assert!(one.starts_with("tracegate-page.") && !two.contains("rather") && !one.contains("narrow"));
    for (what, role, query) in [
        ("another role's", "raw", format!("list-type=2&continuation-token={one}")),
        ("another prefix's", "narrow", format!("list-type=2&prefix=narrow&continuation-token={one}")),
        ("another delimiter's", "narrow", format!("list-type=2&delimiter=%2F&continuation-token={one}")),
        ("another version's", "narrow", format!("marker={one}")),
        ("cut", "narrow", format!("list-type=2&continuation-token={}", &one[..one.len() - 1])),
        ("a key", "narrow", "list-type=2&continuation-token=narrow%2F1".into()),
        ("empty", "narrow", "list-type=2&continuation-token=".into()),
    ] {
        let answer = facade.as_role(role, Ask::get(format!("/traces?{query}"))).await;
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument"), "{what}: {}", answer.text());
    }
    let stranger = facade.issuer.token("somebody-else", &["narrow"]);
    let ask = Ask::get(format!("/traces?list-type=2&continuation-token={one}")).bearer(&stranger);
    assert_eq!(facade.send(ask).await.code(), "InvalidArgument", "another person's");
    let again = list(&facade, "narrow", &format!("list-type=2&continuation-token={one}")).await;
    assert_eq!(names(&again).0.len(), 2, "and good again for its owner");
}

#[tokio::test]
async fn sizes_and_tags_are_those_of_head() {
    let facade = with_keys(&[]).await;
    facade.put("a.json", "{\"email\":\"ada@example.com\"}");
    facade.put("b.jsonl", "{\"email\":\"ada@example.com\"}\n{broken\n");
    facade.put("narrow/c", "plain");
    for role in ["raw", "masked"] {
        for version in ["", "list-type=2&"] {
            let page = list(&facade, role, version).await;
            let tags = page.elements("ETag").into_iter().map(|tag| tag.replace("&quot;", "\""));
            for ((key, size), tag) in page.elements("Key").into_iter().zip(page.elements("Size")).zip(tags) {
                let head = facade.as_role(role, Ask::head(format!("/traces/{key}"))).await;
                if head.status == 200 {
                    assert_eq!(head.header("content-length"), Some(size), "{role} {key}");
                    assert_eq!(head.header("etag"), Some(tag.as_str()), "{role} {key}");
                } else {
                    assert_eq!((role, key), ("masked", "narrow/c"));
                }
            }
        }
    }
    // Who may list and not read sees a tag that confirms no guess of the content.
    let lister = list(&facade, "lister", "list-type=2").await;
    let raw = list(&facade, "raw", "list-type=2&prefix=narrow").await;
    assert_ne!(lister.element("ETag"), raw.element("ETag"));
}

#[tokio::test]
async fn buckets_are_listed_where_something_is_visible() {
    let facade = with_keys(&["a"]).await;
    for (role, expected) in [
        ("raw", vec!["empty", "traces"]),
        ("masked", vec!["traces"]),
        ("narrow", vec!["traces"]),
        ("reader", vec!["traces"]),
    ] {
        let answer = facade.as_role(role, Ask::get("/")).await;
        assert_eq!((answer.status, answer.elements("Name")), (200, expected.clone()), "{role}");
        for bucket in ["traces", "empty"] {
            let status = if expected.contains(&bucket) { 200 } else { 403 };
            let head = facade.as_role(role, Ask::head(format!("/{bucket}"))).await;
            assert_eq!(head.status, status, "{role} {bucket}");
            let location = facade.as_role(role, Ask::get(format!("/{bucket}?location"))).await;
            assert_eq!(location.status, status, "{role} {bucket}");
            if status == 200 {
                assert_eq!(head.header("x-amz-bucket-region"), Some("tracegate"));
                assert!(location.text().contains(">tracegate</LocationConstraint>"), "{}", location.text());
            }
        }
    }
    for ask in [Ask::head("/unknown"), Ask::get("/unknown?location"), Ask::get("/unknown?list-type=2")] {
        assert_eq!(facade.as_role("raw", ask.clone()).await.status, 403, "{}", ask.target);
    }
    let ask = Ask::get("/Not_A_Bucket?list-type=2");
    let status = facade.as_role("raw", ask).await.status;
    assert!(status == 400 || status == 403, "{status}");
}
