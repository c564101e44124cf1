//! Answers that a store of S3 does not give: of another status or extent than what was asked for, or with more entries.

use super::tests::{HEAD, bucket, canned, get, key, listed, listing, response};
use super::*;
use crate::backend::source::Source;
use crate::backend::{Ask, Fetch, UploadsAsk, VersionsAsk};
use crate::s3::answer::ContentRange;

/// What each status says of the bytes behind it; no other is one of S3's, and no piece is taken for the whole.
#[tokio::test]
async fn regression_a_status_must_fit_what_was_asked_for() {
    let range = "Content-Range: bytes 2-4/9\r\n";
    let whole = Fetch::default();
    let asked = Fetch { range: Some(RangeAsk::Span { first: 2, last: Some(4) }), ..Fetch::default() };
    let pinned = Fetch { pin: Some(ETag("0cc1".into())), ..asked.clone() };
    let part = |part| Fetch { part: Some(part), ..Fetch::default() };
    for (status, told, body, fetch, want) in [
        ("200 OK", "", "abc", &whole, Some((None, 3))),
        ("200 OK", "", "", &whole, Some((None, 0))),
        ("200 OK", "", "", &asked, Some((None, 0))),
        ("200 OK", "", "", &part(1), Some((None, 0))),
        ("206 Partial Content", range, "abc", &asked, Some((Some((2, 4)), 9))),
        ("206 Partial Content", range, "abc", &pinned, Some((Some((2, 4)), 9))),
        ("206 Partial Content", range, "abc", &part(7), Some((Some((2, 4)), 9))),
        ("206 Partial Content", "", "", &part(1), Some((None, 0))),
        ("206 Partial Content", "", "abc", &whole, None),
        ("206 Partial Content", "", "abc", &asked, None),
        ("206 Partial Content", "", "abc", &part(1), None),
        ("206 Partial Content", "", "", &part(2), None),
        ("206 Partial Content", "", "", &whole, None),
        ("206 Partial Content", range, "abc", &whole, None),
        ("206 Partial Content", range, "abcd", &asked, None),
        ("206 Partial Content", range, "abcd", &part(7), None),
        ("200 OK", "", "abc", &asked, None),
        ("200 OK", "", "abc", &pinned, None),
        ("200 OK", "", "abc", &part(1), None),
        ("200 OK", range, "abc", &whole, None),
        ("200 OK", range, "abc", &asked, None),
        ("201 Created", "", "abc", &whole, None),
        ("203 Non-Authoritative Information", "", "abc", &whole, None),
        ("207 Multi-Status", range, "abc", &asked, None),
        ("226 IM Used", "", "abc", &whole, None),
    ] {
        let answer = response(status, &format!("{HEAD}{told}"), body);
        let server = canned(vec![answer.clone()], false).await;
        let found = get(&server, fetch.clone()).await;
        check_extent(found.map(|object| (object.range, object.head.size)), want, &answer, fetch);
        if fetch.range.is_none() {
            let found = Source::head(&server.aws, &bucket(), &key("k"), None, fetch.part).await;
            check_extent(found.map(|headed| (headed.range, headed.head.size)), want, &answer, fetch);
        }
    }
}

fn check_extent(
    found: Result<(Option<ContentRange>, u64), Trouble>,
    want: Option<(Option<(u64, u64)>, u64)>,
    answer: &str,
    fetch: &Fetch,
) {
    match found {
        Ok((range, size)) => {
            assert_eq!(Some((range.map(|range| (range.first, range.last)), size)), want, "{answer} for {fetch:?}");
        }
        Err(trouble) => {
            assert!(want.is_none() && matches!(trouble, Trouble::Broken(_)), "{trouble:?} {answer} for {fetch:?}");
        }
    }
}

#[tokio::test]
async fn regression_a_listing_comes_with_the_status_of_one() {
    for status in ["200 OK", "201 Created", "203 Non-Authoritative Information", "206 Partial Content"] {
        let server = canned(vec![listing(false, "").replacen("200 OK", status, 1)], false).await;
        let ask = Ask { prefix: String::new(), after: None, delimiter: None, max: 10 };
        let found = Source::list(&server.aws, &bucket(), ask).await;
        assert_eq!(found.is_ok(), status == "200 OK", "{status} {found:?}");
        assert_eq!(Source::probe(&server.aws, &bucket()).await.is_ok(), status == "200 OK", "{status}");
    }
}

#[tokio::test]
async fn regression_a_page_has_no_more_entries_than_were_asked_for() {
    let page = format!(
        "{}{}<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>",
        listed("a"),
        listed("b").replacen("</Contents>", "<Owner><ID>1</ID></Owner></Contents>", 1)
    );
    let versions = "<ListVersionsResult><Version><Key>a</Key><LastModified>2026-11-20T06:00:00Z</LastModified><ETag>1</ETag>\
                    <Size>1</Size></Version><DeleteMarker><Key>b</Key><LastModified>2026-11-20T06:00:00Z</LastModified>\
                    </DeleteMarker><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes></ListVersionsResult>";
    let upload = "<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-11-20T06:00:00Z</Initiated></Upload>";
    let uploads = format!("<ListMultipartUploadsResult>{}</ListMultipartUploadsResult>", upload.repeat(3));
    let (prefix, after, delimiter) = (String::new, None, Some("/".to_owned()));
    for (max, sound) in [(3, true), (1000, true), (2, false), (0, false)] {
        let server = canned(vec![listing(false, &page)], false).await;
        let ask = Ask { prefix: prefix(), after: None, delimiter: delimiter.clone(), max };
        check_bound(Source::list(&server.aws, &bucket(), ask).await.map(|batch| batch.items.len()), sound);
        let server = canned(vec![response("200 OK", "", versions)], false).await;
        let ask = VersionsAsk { prefix: prefix(), after: None, delimiter: delimiter.clone(), max };
        check_bound(Source::versions(&server.aws, &bucket(), ask).await.map(|batch| batch.items.len()), sound);
        let server = canned(vec![response("200 OK", "", &uploads)], false).await;
        let ask = UploadsAsk { prefix: prefix(), after: after.clone(), max };
        check_bound(Source::uploads(&server.aws, &bucket(), ask).await.map(|batch| batch.uploads.len()), sound);
    }
}

fn check_bound(found: Result<usize, Trouble>, sound: bool) {
    let too_many = Trouble::Broken("its listing has more entries than it was asked for".to_owned());
    assert_eq!(found, if sound { Ok(3) } else { Err(too_many) });
}
