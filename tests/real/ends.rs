//! How access and service end: revocations, an orderly stop, a crash. Each with a download in flight.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::people::{Session, ask, ask_as, bearer, code, path, run_script, token};
use crate::support::clients::said;
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::seed;

/// Seconds within which a revocation must be obeyed.
const OBEYED: Duration = Duration::from_secs(5);

/// A download that has begun and is read no faster than one likes.
struct Download {
    stream: TcpStream,
    /// Bytes that have been read, head included.
    read: usize,
}

impl Download {
    /// Asks for the big object with a bearer token, and reads the beginning.
    fn begin(facade: &Facade, token: &str) -> Self {
        let host = facade.http().replace("http://", "");
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let target = path("traces", seed::BIG);
        let head = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{}\r\n\r\n", bearer(token));
        stream.write_all(head.as_bytes()).unwrap();
        let mut beginning = [0; 4096];
        let read = stream.read(&mut beginning).unwrap();
        let beginning = String::from_utf8_lossy(&beginning[..read]).into_owned();
        assert!(beginning.starts_with("HTTP/1.1 200"), "{beginning}");
        Self { stream, read }
    }

    /// Reads up to `bytes` more.
    fn read(&mut self, bytes: usize) {
        let mut buffer = vec![0; 64 * 1024];
        let until = self.read + bytes;
        while self.read < until {
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(read) => self.read += read,
            }
        }
    }

    /// Reads on, at about 1 MB a second, and answers how many bytes came in all.
    fn trickle(mut self) -> usize {
        loop {
            let before = self.read;
            self.read(128 * 1024);
            if self.read == before {
                return self.read;
            }
            std::thread::sleep(Duration::from_millis(120));
        }
    }

    /// Reads what still comes, and answers how many bytes came in all.
    fn finish(mut self) -> usize {
        self.read(usize::MAX / 2);
        self.read
    }
}

fn big(facade: &Facade) -> usize {
    usize::try_from(std::fs::metadata(facade.seeded("traces").join(seed::BIG)).unwrap().len()).unwrap()
}

fn of_big(rows: &[Value]) -> Vec<&Value> {
    rows.iter().filter(|row| row["path"] == format!("traces/{}", seed::BIG)).collect()
}

#[test]
fn a_revocation_is_obeyed_at_once_and_cuts_what_streams() {
    let facade = Facade::start(&Settings::of(Backend::Memory));
    let (bob, dave) = (Session::open(&facade, &token("bob")), Session::open(&facade, &token("dave")));
    let other = Session::open(&facade, &token("bob"));
    let lists = |session: &Session| {
        said(&run_script(&facade, session, "print(code(s3.list_objects_v2, Bucket='traces'))")).trim().to_owned()
    };
    assert_eq!((lists(&bob), lists(&other), lists(&dave)), ("none".into(), "none".into(), "none".into()));

    facade.revoke(&["--session", &bob.id]);
    std::thread::sleep(OBEYED);
    assert_eq!((lists(&bob), lists(&other)), ("AccessDenied".into(), "none".into()));

    let slow = Download::begin(&facade, &token("dave"));
    let slow = std::thread::spawn(|| slow.trickle());
    facade.revoke(&["--subject", &crate::support::oidc_provider().issuer, "dave"]);
    let revoked = Instant::now();
    let rows = facade.rows_once(&["--who", "dave", "--op", "GetObject"], |rows| {
        !rows.is_empty() && rows.iter().all(|row| row["outcome"] != "open")
    });
    assert!(revoked.elapsed() < OBEYED, "{:?}", revoked.elapsed());
    let cut = of_big(&rows)[0];
    assert_eq!(cut["outcome"], "cut", "{cut}");
    let came = slow.join().unwrap();
    assert!(came < big(&facade), "the whole object came all the same");
    assert!(cut["bytes"].as_u64().unwrap() < big(&facade) as u64, "{cut}");
    assert_ne!(lists(&dave), "none");
    // The token is older than the revocation: it opens nothing new either.
    let again = ask(&facade.http(), &["--header", &bearer(&token("dave"))], "/-/credentials");
    assert!(again.status == 403 && again.text().contains("revoked"), "{}", again.text());
    assert_eq!(lists(&other), "none", "others go on");

    facade.revoke(&["--all"]);
    std::thread::sleep(OBEYED);
    assert_ne!(lists(&other), "none");
    let nightly = ask(&facade.http(), &["--header", &bearer(&facade.static_token)], "/traces");
    assert_eq!(nightly.status, 403, "{}", nightly.text());
    assert!(!code(&nightly).is_empty());
}

#[test]
fn a_stop_lets_a_slow_download_finish_and_closes_the_log_in_order() {
    let mut facade = Facade::start(&Settings::of(Backend::Memory));
    let mut slow = Download::begin(&facade, &token("bob"));
    slow.read(1 << 20);
    facade.signal("TERM");
    std::thread::sleep(Duration::from_secs(1));
    let host = facade.http().replace("http://", "");
    assert!(TcpStream::connect(host).is_err(), "new connections are still taken");
    let whole = big(&facade);
    let came = slow.finish();
    assert!(came > whole, "{came} bytes with the head, of {whole}");
    assert_eq!(facade.ended(), Some(0), "{}", facade.said());
    assert!(facade.said().contains("stopped in order"), "{}", facade.said());
    let rows = facade.rows(&["--op", "GetObject"]);
    let row = of_big(&rows)[0];
    assert_eq!((&row["outcome"], &row["bytes"]), (&"ok".into(), &whole.into()), "{row}");

    facade.restart();
    assert!(!facade.said().contains("was not closed in order"), "{}", facade.said());
    assert_eq!(ask_as(&facade, "bob", &[], "/traces?max-keys=1").status, 200);
    assert!(facade.rows(&["--outcome", "unknown-crash"]).is_empty());
}

#[test]
fn a_stop_does_not_wait_longer_than_the_drain_time() {
    let mut facade = Facade::start(&Settings { drain: "2s", ..Settings::of(Backend::Memory) });
    let mut slow = Download::begin(&facade, &token("bob"));
    slow.read(1 << 20);
    let asked = Instant::now();
    facade.signal("TERM");
    assert_eq!(facade.ended(), Some(0), "{}", facade.said());
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    let rows = facade.rows(&["--op", "GetObject"]);
    let row = of_big(&rows)[0];
    assert!(row["outcome"] != "ok" && row["outcome"] != "open", "{row}");
    facade.restart();
    assert!(!facade.said().contains("was not closed in order"), "{}", facade.said());
    drop(slow);
}

#[test]
fn a_crash_leaves_a_log_that_says_so() {
    let mut facade = Facade::start(&Settings::of(Backend::Memory));
    assert_eq!(ask_as(&facade, "bob", &[], "/traces?max-keys=1").status, 200);
    facade.rows_once(&["--op", "ListObjects"], |rows| rows.len() == 1 && rows[0]["outcome"] == "ok");
    let mut slow = Download::begin(&facade, &token("bob"));
    slow.read(1 << 20);
    facade.signal("KILL");
    facade.ended();
    let open = facade.rows(&["--outcome", "open"]);
    assert_eq!(of_big(&open).len(), 1, "the intent was durable before the first byte: {open:#?}");
    assert!(slow.finish() < big(&facade));

    facade.restart();
    assert!(facade.said().contains("was not closed in order"), "{}", facade.said());
    let crashed = facade.rows(&["--outcome", "unknown-crash"]);
    assert_eq!((crashed.len(), of_big(&crashed).len()), (1, 1), "{crashed:#?}");
    assert_eq!(facade.rows(&["--op", "ListObjects", "--outcome", "ok"]).len(), 1, "what was closed stays so");
    assert_eq!(ask_as(&facade, "bob", &[], "/traces?max-keys=1").status, 200, "it serves on");
}
