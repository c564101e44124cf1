//! What S3 says of reads, under a role without masks and under one with: sizes, tags, ranges, parts, conditions.

use tracegate::backend::memory::Content;

use super::facade::{CHANGED, Facade, content};
use super::wire::{Answer, Ask};

const JSON: &str = "{\"email\":\"ada@example.com\",\"n\":1}";
const SHOWN: &str = "{\"email\":\"[REDACTED]\"     ,\"n\":1}";

/// Both kinds of roles, and what each sees of the object.
const VIEWS: [(&str, &str); 2] = [("raw", JSON), ("masked", SHOWN)];

async fn with_object() -> Facade {
    let facade = Facade::start().await;
    facade.put_content("a.json", content(JSON).with_type("application/json"));
    facade
}

#[tokio::test]
async fn get_head_attributes_and_listing_agree() {
    let facade = with_object().await;
    for (role, shown) in VIEWS {
        let get = facade.as_role(role, Ask::get("/traces/a.json")).await;
        assert_eq!((get.status, get.text()), (200, shown), "{role}");
        let head = facade.as_role(role, Ask::head("/traces/a.json")).await;
        for name in ["etag", "content-length", "content-type", "last-modified", "accept-ranges"] {
            assert!(get.header(name).is_some(), "{role}: {name}");
            assert_eq!(get.header(name), head.header(name), "{role}: {name}");
        }
        assert_eq!(get.header("last-modified"), Some("Sun, 01 Nov 2026 08:30:00 GMT"));
        let ask = Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "ETag,ObjectSize,StorageClass");
        let attributes = facade.as_role(role, ask).await;
        let etag = get.header("etag").unwrap();
        assert_eq!(attributes.element("ETag"), Some(etag), "{}", attributes.text());
        assert_eq!(attributes.element("ObjectSize"), Some(shown.len().to_string().as_str()));
        assert_eq!(attributes.element("StorageClass"), Some("STANDARD"));
        assert_eq!(attributes.header("last-modified"), get.header("last-modified"));
        let listing = facade.as_role(role, Ask::get("/traces?list-type=2")).await;
        assert_eq!(listing.element("ETag").map(|tag| tag.replace("&quot;", "\"")).as_deref(), Some(etag), "{role}");
        assert_eq!(listing.element("Size"), Some(shown.len().to_string().as_str()));
        assert_eq!(listing.element("LastModified"), Some("2026-11-01T08:30:00.000Z"));
    }
}

#[tokio::test]
async fn a_tag_is_the_views_own() {
    let facade = with_object().await;
    let tag = async |role| facade.as_role(role, Ask::head("/traces/a.json")).await.header("etag").unwrap().to_owned();
    let (raw, masked) = (tag("raw").await, tag("masked").await);
    assert_ne!(raw, masked);
    assert!(masked.ends_with("-1\"") && masked.len() == 36, "{masked}: 32 digits and a part's number");
    assert_eq!(masked, tag("masked").await);
    facade.put_content("a.json", content(JSON.replace("ada", "bob")).with_type("application/json"));
    assert_ne!(masked, tag("masked").await, "another object has another tag, though it shows the same");
}

/// The answer to a range: status, `Content-Range`, bytes; the same of HEAD.
async fn check_range(facade: &Facade, role: &str, range: &str, expected: (u16, Option<String>, &str)) {
    let (status, content_range, bytes) = expected;
    let get = facade.as_role(role, Ask::get("/traces/a.json").with("range", range)).await;
    assert_eq!(get.status, status, "{role} {range}: {}", get.text());
    assert_eq!(get.header("content-range"), content_range.as_deref(), "{role} {range}");
    let head = facade.as_role(role, Ask::head("/traces/a.json").with("range", range)).await;
    assert_eq!((head.status, head.header("content-range")), (status, content_range.as_deref()), "{role} {range}: HEAD");
    if status < 300 {
        assert_eq!(get.text(), bytes, "{role} {range}");
        assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()), "{role} {range}: HEAD");
        assert_eq!(head.header("etag"), get.header("etag"), "{role} {range}");
    } else {
        assert_eq!(get.code(), "InvalidRange");
    }
}

#[tokio::test]
async fn ranges_are_of_the_view() {
    let facade = with_object().await;
    for (role, shown) in VIEWS {
        let size = shown.len();
        let of = |first: usize, last: usize| (206, Some(format!("bytes {first}-{last}/{size}")), &shown[first..=last]);
        check_range(&facade, role, "bytes=0-0", of(0, 0)).await;
        check_range(&facade, role, "bytes=3-20", of(3, 20)).await;
        check_range(&facade, role, "bytes=5-", of(5, size - 1)).await;
        check_range(&facade, role, "bytes=-4", of(size - 4, size - 1)).await;
        check_range(&facade, role, "bytes=-9999", of(0, size - 1)).await;
        check_range(&facade, role, "bytes=10-9999", of(10, size - 1)).await;
        let outside = || (416, Some(format!("bytes */{size}")), "");
        check_range(&facade, role, &format!("bytes={size}-"), outside()).await;
        check_range(&facade, role, "bytes=9999-10000", outside()).await;
        check_range(&facade, role, "bytes=-0", outside()).await;
        for ignored in ["bytes=0-1,3-4", "bytes=4-2", "lines=0-1", "bytes=a-b", "bytes"] {
            check_range(&facade, role, ignored, (200, None, shown)).await;
        }
    }
}

#[tokio::test]
async fn an_empty_object_has_no_ranges() {
    let facade = Facade::start().await;
    facade.put("empty.txt", "");
    let whole = facade.as_role("raw", Ask::get("/traces/empty.txt")).await;
    assert_eq!((whole.status, whole.header("content-length"), whole.text()), (200, Some("0"), ""));
    for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
        let answer = facade.as_role("raw", Ask::get("/traces/empty.txt").with("range", range)).await;
        assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */0")), "{range}");
    }
}

#[tokio::test]
async fn parts_are_those_of_the_original_or_one() {
    let facade = with_object().await;
    let parts = ["{\"email\":\"ada@", "example.com\",", "\"n\":1}"].map(bytes::Bytes::from);
    facade.put_content("a.json", Content::from_parts(&parts, CHANGED.parse().unwrap()));
    let part = async |role: &str, method, number: &str| {
        facade.as_role(role, Ask::new(method, format!("/traces/a.json?partNumber={number}"))).await
    };
    let facts = |answer: &Answer| {
        let of = |name: &str| answer.header(name).map(str::to_owned);
        (answer.status, of("content-range"), of("content-length"), of("x-amz-mp-parts-count"))
    };
    let some = |text: &str| Some(text.to_owned());
    for method in ["GET", "HEAD"] {
        let masked = part("masked", method, "1").await;
        assert_eq!(facts(&masked), (206, some("bytes 0-32/33"), some("33"), None), "{method}");
    }
    let raw = part("raw", "GET", "2").await;
    assert_eq!(facts(&raw), (206, some("bytes 14-26/33"), some("13"), some("3")));
    assert_eq!(raw.text(), "example.com\",");
    assert_eq!(part("masked", "GET", "1").await.text(), SHOWN);
    for (role, number, status) in
        [("raw", "4", 416), ("masked", "2", 416), ("masked", "3", 416), ("raw", "0", 400), ("raw", "10001", 400)]
    {
        for method in ["GET", "HEAD"] {
            assert_eq!(part(role, method, number).await.status, status, "{role} {method} {number}");
        }
    }
    let both = Ask::get("/traces/a.json?partNumber=1").with("range", "bytes=0-1");
    assert_eq!(facade.as_role("raw", both).await.code(), "InvalidRequest");
}

#[tokio::test]
async fn conditions_are_compared_with_the_view() {
    let facade = with_object().await;
    let (same, before, after) =
        ("Sun, 01 Nov 2026 08:30:00 GMT", "Sun, 01 Nov 2026 08:29:59 GMT", "Sun, 01 Nov 2026 08:30:01 GMT");
    for (role, shown) in VIEWS {
        let tag = facade.as_role(role, Ask::head("/traces/a.json")).await.header("etag").unwrap().to_owned();
        let both = format!("\"other\", {tag}");
        let range = ("range", "bytes=0-1");
        for (headers, status) in [
            (vec![("if-match", tag.as_str())], 200),
            (vec![("if-match", tag.trim_matches('"'))], 200),
            (vec![("if-match", "*")], 200),
            (vec![("if-match", both.as_str())], 200),
            (vec![("if-match", "\"other\"")], 412),
            (vec![("if-none-match", tag.as_str())], 304),
            (vec![("if-none-match", "*")], 304),
            (vec![("if-none-match", both.as_str())], 304),
            (vec![("if-none-match", "\"other\"")], 200),
            (vec![("if-modified-since", same)], 304),
            (vec![("if-modified-since", before)], 200),
            (vec![("if-unmodified-since", same)], 200),
            (vec![("if-unmodified-since", before)], 412),
            (vec![("if-match", tag.as_str()), ("if-unmodified-since", before)], 200),
            (vec![("if-none-match", "\"other\""), ("if-modified-since", after)], 200),
            (vec![range, ("if-match", tag.as_str())], 206),
            (vec![range, ("if-match", "\"other\"")], 412),
            (vec![range, ("if-none-match", tag.as_str())], 304),
            (vec![range, ("if-range", tag.as_str())], 206),
            (vec![range, ("if-range", "\"other\"")], 200),
            (vec![range, ("if-range", same)], 206),
            (vec![range, ("if-range", before)], 200),
            (vec![("range", "bytes=9999-"), ("if-range", "\"other\"")], 200),
            (vec![("range", "bytes=9999-"), ("if-none-match", tag.as_str())], 304),
            (vec![("range", "bytes=9999-"), ("if-match", "\"other\"")], 412),
        ] {
            for method in ["GET", "HEAD"] {
                let ask = Ask::new(method, "/traces/a.json");
                let ask = headers.iter().fold(ask, |ask, (name, value)| ask.with(name, *value));
                let answer = facade.as_role(role, ask).await;
                assert_eq!(answer.status, status, "{role} {method} {headers:?}: {}", answer.text());
                if status == 304 {
                    assert_eq!(answer.header("etag"), Some(tag.as_str()), "{role} {method} {headers:?}");
                    assert_eq!(answer.header("last-modified"), Some(same));
                    assert!(answer.body.is_empty() && answer.whole);
                } else if status == 200 && method == "GET" {
                    assert_eq!(answer.text(), shown, "{role} {headers:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn overrides_change_harmless_headers_alike_on_get_and_head() {
    let facade = with_object().await;
    let query = "response-cache-control=no-cache&response-content-disposition=attachment%3B%20filename%3D%22x%22\
                 &response-content-language=no&response-content-type=text%2Fhtml\
                 &response-expires=Sun%2C%2001%20Nov%202026%2008%3A30%3A00%20GMT";
    for method in ["GET", "HEAD"] {
        for (role, _) in VIEWS {
            let answer = facade.as_role(role, Ask::new(method, format!("/traces/a.json?{query}"))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            for (name, value) in [
                ("cache-control", "private, no-cache"),
                ("content-disposition", "attachment; filename=\"x\""),
                ("content-language", "no"),
                ("content-type", "text/html"),
                ("expires", "Sun, 01 Nov 2026 08:30:00 GMT"),
                ("content-security-policy", "sandbox; default-src 'none'"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{role} {method} {name}");
            }
            let encoding = Ask::new(method, "/traces/a.json?response-content-encoding=gzip");
            assert_eq!(facade.as_role(role, encoding).await.status, 501, "not harmless: it garbles the bytes");
        }
    }
}

#[tokio::test]
async fn what_tells_of_the_original_is_hidden_under_masks() {
    let facade = with_object().await;
    let whole = || content(JSON).with_type("application/json").with_metadata("author", "ada@example.com").with_crc32c();
    facade.put_content("a.json", whole());
    let ask = || Ask::get("/traces/a.json").with("x-amz-checksum-mode", "ENABLED");
    let attributes = || {
        Ask::get("/traces/a.json?attributes").with("x-amz-object-attributes", "ETag,Checksum,ObjectParts,ObjectSize")
    };
    let raw = facade.as_role("raw", ask()).await;
    assert_eq!(raw.header("x-amz-meta-author"), Some("ada@example.com"));
    assert!(facade.as_role("raw", attributes()).await.element("ChecksumCRC32C").is_some());
    for ask in [ask(), Ask { method: "HEAD", ..ask() }, attributes()] {
        let answer = facade.as_role("masked", ask.clone()).await;
        assert_eq!(answer.status, 200);
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        let telling = names.iter().find(|name| {
            name.starts_with("x-amz-meta-")
                || name.contains("checksum")
                || name.contains("version")
                || name.contains("parts")
        });
        assert_eq!(telling, None, "{} {}", ask.method, ask.target);
        assert!(!answer.text().contains("Checksum") && !answer.text().contains("ada@"), "{}", answer.text());
    }
}

/// 404 only for those who may list there; for all others, missing and forbidden look the same.
#[tokio::test]
async fn missing_and_forbidden_look_the_same_unless_one_may_list() {
    let facade = with_object().await;
    facade.put("narrow/a.json", "{}");
    for (role, target, status) in [
        ("raw", "/traces/none.json", 404),
        ("masked", "/traces/none.json", 404),
        ("narrow", "/traces/narrow/none.json", 404),
        ("narrow", "/traces/narrow/a.json", 200),
        ("narrow", "/traces/a.json", 403),
        ("narrow", "/traces/none.json", 403),
        ("narrow", "/traces/narrow", 404),
        ("narrow", "/traces/narro", 403),
        ("reader", "/traces/narrow/none.json", 403),
        ("reader", "/traces/narrow/a.json", 200),
        ("reader", "/traces/narrow", 403),
        ("lister", "/traces/narrow/a.json", 403),
        ("raw", "/unknown/a.json", 403),
    ] {
        let (get, head) = (facade.as_role(role, Ask::get(target)).await, facade.as_role(role, Ask::head(target)).await);
        assert_eq!((get.status, head.status), (status, status), "{role} {target}: {}", get.text());
        if status == 404 {
            assert_eq!(get.code(), "NoSuchKey");
        }
    }
    let text = |answer: Answer| answer.text().replace(answer.header("x-amz-request-id").unwrap(), "");
    let forbidden = text(facade.as_role("narrow", Ask::get("/traces/a.json")).await);
    let missing = text(facade.as_role("narrow", Ask::get("/traces/b.json")).await);
    assert_eq!(forbidden.replace("a.json", "b.json"), missing);
}

#[tokio::test]
async fn keys_are_fetched_byte_for_byte() {
    let facade = Facade::start().await;
    for (key, target) in [
        ("a//b", "a//b"),
        ("a/b", "a/b"),
        ("a+b", "a%2Bb"),
        ("a b", "a%20b"),
        ("a%2Fb", "a%252Fb"),
        ("å/Ω/日本", "%C3%A5/%CE%A9/%E6%97%A5%E6%9C%AC"),
        ("q?a=b&c", "q%3Fa%3Db%26c"),
        ("x#y", "x%23y"),
        ("dir/", "dir/"),
        ("it's (a) *star*~", "it%27s%20%28a%29%20%2Astar%2A~"),
        ("/lead", "/lead"),
    ] {
        facade.put(key, key);
        let session = facade.session("raw").await;
        let target = format!("/traces/{target}");
        for ask in [
            Ask::get(&target).bearer(&facade.token("raw")),
            session.sign(facade.ask("GET", &target)),
            session.presign(facade.ask("GET", &target)),
        ] {
            let answer = facade.send(ask).await;
            assert_eq!((answer.status, answer.text()), (200, key), "{target}");
        }
    }
    for target in ["/traces/a%2F..%2Fb", "/traces/../traces/a", "/traces/a%00b", "/traces/a%FFb"] {
        let answer = facade.as_role("raw", Ask::get(target)).await;
        assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_bucket_may_stand_in_the_host_name() {
    let facade = with_object().await;
    let session = facade.session("raw").await;
    let hosted = |target: &str| Ask::get(target).with("host", "traces.s3.localhost:9000");
    for (target, contains) in [("/a.json", JSON), ("/?list-type=2", "<Key>a.json</Key>"), ("/?location", "tracegate")] {
        for ask in
            [hosted(target).bearer(&facade.token("raw")), session.sign(hosted(target)), session.presign(hosted(target))]
        {
            let answer = facade.send(ask).await;
            assert!(answer.status == 200 && answer.text().contains(contains), "{target}: {}", answer.text());
        }
    }
    let key_like_a_door = facade.send(hosted("/-/credentials").bearer(&facade.token("raw"))).await;
    assert_eq!((key_like_a_door.status, key_like_a_door.code()), (404, "NoSuchKey"), "a key, not a door");
}
