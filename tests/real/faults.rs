//! A real bucket that fails, by a server between it and the façade: the right error of S3 or an answer cut in its framing,
//! an entry that says how it ended, and never a word, name, address or redirect of the backend.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::people::{ask, ask_as, assert_hides, bearer, code, facade as untroubled, token};
use crate::support::between::{Between, Fault};
use crate::support::facade::{Backend, Facade, Settings, pour};
use crate::support::http::Answer;
use crate::support::seaweedfs::SeaweedFs;
use crate::support::{self, seed};

/// What a backend may say, and the façade must not.
const WORDS: &str = "inner-words of AKIAINNERINNERINNER";
/// What a sound answer says of an object.
const KNOWN: &str = "etag: \"0cc1\"\r\nlast-modified: Fri, 20 Nov 2026 06:00:00 GMT\r\n";

/// The façade, what stands between it and SeaweedFS, and that: one of its own, whose keys nobody else lists.
struct Troubled {
    facade: Facade,
    between: Between,
    store: SeaweedFs,
}

fn shared() -> &'static Troubled {
    static SHARED: OnceLock<Troubled> = OnceLock::new();
    SHARED.get_or_init(start)
}

fn troubled() -> (&'static Facade, &'static Between) {
    (&shared().facade, &shared().between)
}

fn start() -> Troubled {
    let store = SeaweedFs::start();
    let seeds = tempfile::tempdir().unwrap();
    seed::write(seeds.path());
    pour(Backend::SeaweedFs, seeds.path(), &store.endpoint, SeaweedFs::REGION, SeaweedFs::ADMIN);
    let between = Between::start(&store.endpoint);
    let settings = Settings { through: Some(between.url.clone()), ..Settings::of(Backend::SeaweedFs) };
    Troubled { facade: Facade::start(&settings), between, store }
}

/// Puts an object of the trace, redacted for everybody, under a key of the test's own at the backend.
fn put(key: &str, bytes: &[u8]) -> String {
    let file = untroubled(Backend::SeaweedFs).work().join(key.replace('/', "-"));
    std::fs::write(&file, bytes).unwrap();
    let script =
        "import boto3, os\nboto3.client('s3').upload_file(os.environ['FILE'], 'real-traces', os.environ['KEY'])";
    let key = format!("model-B/faults/{key}");
    let env = [
        ("AWS_ENDPOINT_URL", shared().store.endpoint.as_str()),
        ("AWS_DEFAULT_REGION", SeaweedFs::REGION),
        ("AWS_ACCESS_KEY_ID", SeaweedFs::ADMIN.id),
        ("AWS_SECRET_ACCESS_KEY", SeaweedFs::ADMIN.secret),
        ("FILE", file.to_str().unwrap()),
        ("KEY", &key),
    ];
    support::clients::said(&support::python_clients().run(script, &env));
    key
}

/// Records that redaction keeps apart, 60 KB of them.
fn records() -> Vec<u8> {
    "{\"email\":\"PLANTED-ada@customer.example\",\"output\":\"fine\"}\n".repeat(1000).into_bytes()
}

fn said(status: &str, headers: &str, body: &str) -> Fault {
    Fault::Says(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn xml(status: &str, code: &str) -> Fault {
    let body =
        format!("<Error><Code>{code}</Code><Message>{WORDS}</Message><BucketName>real-traces</BucketName></Error>");
    said(status, "content-type: application/xml\r\n", &body)
}

/// What the auditor gets of that key, and the row of the log about it once it is closed.
fn got(facade: &Facade, between: &Between, key: &str, options: &[&str]) -> (Answer, Value) {
    // Over HTTP/1.1: a reset stream of HTTP/2 may take its head along.
    let authorization = bearer(&token("bob"));
    let answer = ask(&facade.http(), &[&["--header", &authorization], options].concat(), &format!("/traces/{key}"));
    let path = format!("traces/{key}");
    let rows = facade.rows_once(&["--op", "GetObject", "--key", &path], |rows| {
        !rows.is_empty() && rows.iter().all(|row| row["outcome"] != "open")
    });
    let shown = format!("{:?}\n{}", answer.headers(), answer.text());
    let logged = serde_json::to_string(&rows).unwrap();
    let inner = between.url.strip_prefix("http://").unwrap();
    for hidden in ["inner-words", "AKIAINNER", "real-traces", inner, SeaweedFs::ADMIN.secret, "SeaweedFS"] {
        assert!(!shown.contains(hidden), "{key} shows {hidden}: {shown}");
        assert!(!logged.contains(hidden) || hidden == "real-traces", "the log has {hidden}: {logged}");
    }
    assert!(answer.header("location").is_none(), "{shown}");
    assert_hides(key, &answer.body);
    (answer, rows.last().unwrap().clone())
}

#[test]
fn each_fault_of_the_backend_is_its_own_error_of_s3() {
    let (facade, between) = troubled();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = |scheme| format!("location: {scheme}://{}/real-traces/x\r\n", gone.local_addr().unwrap());
    gone.set_nonblocking(true).unwrap();
    for (name, fault, status, want) in [
        ("busy", xml("503 Slow Down", "SlowDown"), 503, "SlowDown"),
        ("broken", xml("500 Internal Server Error", "InternalError"), 503, "ServiceUnavailable"),
        ("no-xml", said("502 Bad Gateway", "", WORDS), 503, "ServiceUnavailable"),
        ("late", said("504 Gateway Timeout", "", WORDS), 503, "ServiceUnavailable"),
        ("refused", xml("403 Forbidden", "AccessDenied"), 503, "ServiceUnavailable"),
        ("mistaken", xml("403 Forbidden", "SignatureDoesNotMatch"), 503, "ServiceUnavailable"),
        ("key-service", xml("403 Forbidden", "KMS.DisabledException"), 403, "AccessDenied"),
        ("archived", xml("403 Forbidden", "InvalidObjectState"), 403, "InvalidObjectState"),
        ("missing", xml("404 Not Found", "NoSuchKey"), 404, "NoSuchKey"),
        ("no-bucket", xml("404 Not Found", "NoSuchBucket"), 404, "NoSuchBucket"),
        ("moved", said("301 Moved Permanently", &location("http"), WORDS), 503, "ServiceUnavailable"),
        ("moved-xml", xml("301 Moved Permanently", "PermanentRedirect"), 503, "ServiceUnavailable"),
        ("elsewhere", said("307 Temporary Redirect", &location("http"), WORDS), 503, "ServiceUnavailable"),
        ("elsewhere-tls", said("302 Found", &location("https"), ""), 503, "ServiceUnavailable"),
        ("no-http", Fault::Says(format!("{WORDS}\r\n\r\n")), 503, "ServiceUnavailable"),
        (
            "cut-at-once",
            Fault::Says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_owned()),
            503,
            "ServiceUnavailable",
        ),
        ("no-body", said("200 OK", "", ""), 503, "ServiceUnavailable"),
        ("hangs-up", Fault::HangsUp, 503, "ServiceUnavailable"),
        ("half-a-head", Fault::Says("HTTP/1.1 200 OK\r\ncontent-le".to_owned()), 503, "ServiceUnavailable"),
        ("a-piece", said("206 Partial Content", KNOWN, "{}\n"), 503, "ServiceUnavailable"),
        ("created", said("201 Created", KNOWN, "{}\n"), 503, "ServiceUnavailable"),
        ("long-head", said("200 OK", &"x-pad: 0123456789\r\n".repeat(50_000), "{}"), 503, "ServiceUnavailable"),
    ] {
        let key = format!("model-B/faults/{name}.jsonl");
        between.fail(&format!("{name}.jsonl"), fault);
        let (answer, row) = got(facade, between, &key, &[]);
        assert_eq!((answer.status, code(&answer).as_str()), (status, want), "{name}: {}", answer.text());
        assert_eq!(row["outcome"], "refused", "{name}: {row}");
        assert_eq!(row["bytes"].as_u64().unwrap_or_default(), 0, "{name}: {row}");
    }
    assert!(gone.accept().is_err(), "a redirect was followed");
    assert_eq!(ask_as(facade, "bob", &[], &format!("/traces/{}", seed::BIG)).status, 200, "and it serves on");
    assert!(!facade.said().contains("AKIAINNER"), "the application's log shows what the backend said");
}

#[test]
fn a_body_that_is_cut_or_lied_about_is_cut_in_its_framing() {
    let (facade, between) = troubled();
    let longer: fn(&str) -> String = |head| {
        let lines = head.split("\r\n").map(|line| match line.to_ascii_lowercase().strip_prefix("content-length: ") {
            Some(length) => format!("content-length: {}", length.parse::<u64>().unwrap() + 10),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\r\n")
    };
    // So much that its head has left before the end is seen.
    let bytes = records().repeat(20);
    for (name, fault) in [("cut", Fault::Cut(600_000)), ("longer", Fault::Head(longer))] {
        let key = put(&format!("{name}.jsonl"), &bytes);
        between.fail(&format!("{name}.jsonl"), fault);
        let (answer, row) = got(facade, between, &key, &[]);
        let told: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert!(answer.status == 200 && answer.body.len() < told, "{name}: {} of {told} bytes", answer.body.len());
        assert_eq!(row["outcome"], "backend", "{name}: {row}");
    }
}

#[test]
fn another_object_under_the_same_key_is_not_taken_for_the_first() {
    let (facade, between) = troubled();
    let document = format!("[{}1]", "{\"email\":\"PLANTED-ada@customer.example\"},".repeat(20_000));
    let key = put("changes.json", document.as_bytes());
    let etag = |answer: &Answer| answer.header("etag").unwrap().to_owned();
    let whole = got(facade, between, &key, &[]).0;
    let other: fn(&str) -> String = |head| {
        let lines = head.split("\r\n").map(|line| match line.to_ascii_lowercase().starts_with("etag:") {
            true => "etag: \"00000000000000000000000000000000\"".to_owned(),
            false => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\r\n")
    };
    between.fail("changes.json", Fault::Head(other));
    assert_ne!(etag(&got(facade, between, &key, &[]).0), etag(&whole));
    let if_match = format!("If-Match: {}", etag(&whole));
    let (answer, _) = got(facade, between, &key, &["--header", &if_match]);
    assert_eq!((answer.status, code(&answer).as_str()), (412, "PreconditionFailed"));
    // A range deep in a document reads twice: the second is pinned to the tag that the first told, which the store does not know.
    let (answer, row) = got(facade, between, &key, &["--header", "Range: bytes=600000-600100"]);
    assert!(answer.status >= 400, "{} {}", answer.status, answer.text());
    assert_ne!(row["outcome"], "ok", "{row}");
}

#[test]
fn a_slow_backend_is_waited_for_and_a_silent_one_given_up() {
    let (facade, between) = troubled();
    let bytes = records();
    let keys = ["late.jsonl", "stalls.jsonl", "silent.jsonl"].map(|name| put(&format!("slow-{name}"), &bytes));
    between.fail("slow-late.jsonl", Fault::Late(Duration::from_secs(3)));
    between.fail("slow-stalls.jsonl", Fault::Stalls(30_000));
    between.fail("slow-silent.jsonl", Fault::Silent);
    let began = Instant::now();
    let [late, stalls, silent] = std::thread::scope(|threads| {
        keys.each_ref().map(|key| threads.spawn(|| got(facade, between, key, &[]))).map(|thread| thread.join().unwrap())
    });
    assert_eq!((late.0.status, late.0.body.len()), (200, bytes.len()), "{} {}", late.1, facade.said());
    assert_eq!(late.1["outcome"], "ok");
    assert!(stalls.0.status == 200 && stalls.0.body.len() < bytes.len(), "{}", stalls.0.body.len());
    assert_eq!(stalls.1["outcome"], "backend", "{}", stalls.1);
    assert_eq!((silent.0.status, code(&silent.0).as_str()), (503, "ServiceUnavailable"));
    assert_eq!(silent.1["outcome"], "refused", "{}", silent.1);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn a_backend_that_is_gone_is_told_so() {
    let Troubled { facade, between, store: _store } = start();
    let key = "model-B/2026/11/19/run-004421.json";
    assert_eq!(got(&facade, &between, key, &[]).0.status, 200);
    between.go();
    let (answer, row) = got(&facade, &between, key, &[]);
    assert_eq!((answer.status, code(&answer).as_str()), (503, "ServiceUnavailable"));
    assert_eq!(row["outcome"], "refused", "{row}");
    let listing = ask_as(&facade, "bob", &[], "/traces?list-type=2");
    assert_eq!((listing.status, code(&listing).as_str()), (503, "ServiceUnavailable"));
    // What is known is told for two seconds.
    std::thread::sleep(Duration::from_millis(2500));
    let ready = facade.admin("/readyz");
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert_eq!(facade.admin("/healthz").status, 200);
}
