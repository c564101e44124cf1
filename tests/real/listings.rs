//! Promise 5 in front of a store that walks folders (SeaweedFS), with a bucket that takes many pages: a listing is the one
//! that S3 would give, and costs what is visible. Its requests are counted on the way to the store.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::people::{Session, script, token};
use crate::support::clients::said;
use crate::support::facade::{Backend, Facade, Settings};
use crate::support::seaweedfs::SeaweedFs;
use crate::support::{python_clients, seaweedfs};

const BUCKET: &str = "real-many";

/// Passes bytes on to a server and counts the listings among its requests.
struct Counter {
    address: String,
    listings: Arc<AtomicUsize>,
}

impl Counter {
    fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (listings, server) = (Arc::new(AtomicUsize::new(0)), server.strip_prefix("http://").unwrap().to_owned());
        let counted = listings.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(&server).unwrap();
                let (mut back_from, mut back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || io::copy(&mut back_from, &mut back_to));
                let counted = counted.clone();
                std::thread::spawn(move || pass(near, far, &counted));
            }
        });
        Self { address, listings }
    }

    /// How many listings there were since it was asked last.
    fn taken(&self) -> usize {
        self.listings.swap(0, Ordering::SeqCst)
    }
}

/// Requests have no bodies here, so what says that one is a listing stands in a request line.
fn pass(mut near: TcpStream, mut far: TcpStream, counted: &AtomicUsize) -> io::Result<()> {
    const LISTING: &[u8] = b"list-type=2";
    let (mut piece, mut seen) = ([0; 16 << 10], Vec::new());
    loop {
        let length = near.read(&mut piece)?;
        if length == 0 {
            return far.shutdown(Shutdown::Write);
        }
        seen.extend_from_slice(&piece[..length]);
        let found = seen.windows(LISTING.len()).filter(|bytes| *bytes == LISTING).count();
        counted.fetch_add(found, Ordering::SeqCst);
        seen.drain(..seen.len().saturating_sub(LISTING.len() - 1));
        far.write_all(&piece[..length])?;
    }
}

/// Many hidden keys around some that dave may see, and names in which the two orders differ.
fn names() -> BTreeSet<String> {
    let run = |model: &str, run: u32| format!("{model}/2026/11/{:02}/run-{run:06}.jsonl", run % 28 + 1);
    let mut names = BTreeSet::new();
    for (model, runs) in [("hr", 40), ("model-A", 1500), ("model-B", 300), ("model-B-turbo", 1200), ("model-C", 1800)] {
        names.extend((0..runs).map(|number| run(model, number)));
    }
    names.extend(["model-B.json", "model-A-b/x", "model-C/2026/11-late/x", "model-B/2026.json"].map(str::to_owned));
    names
}

const FILL: &str = "
import boto3, concurrent.futures, json, os
from botocore.config import Config
s3 = boto3.client('s3', config=Config(max_pool_connections=24))
s3.create_bucket(Bucket=os.environ['BUCKET'])
put = lambda key: s3.put_object(Bucket=os.environ['BUCKET'], Key=key, Body=b'{}')
with concurrent.futures.ThreadPoolExecutor(24) as pool:
    list(pool.map(put, open(os.environ['KEYS']).read().splitlines()))
";

/// A façade whose bucket `traces` holds these keys, behind the counter.
fn set_up(names: &BTreeSet<String>) -> (Facade, Counter) {
    let mut facade = Facade::start(&Settings::of(Backend::SeaweedFs));
    let store = &seaweedfs().endpoint;
    let file = facade.work().join("keys");
    std::fs::write(&file, names.iter().cloned().collect::<Vec<_>>().join("\n")).unwrap();
    let env = [
        ("AWS_ENDPOINT_URL", store.as_str()),
        ("AWS_DEFAULT_REGION", SeaweedFs::REGION),
        ("AWS_ACCESS_KEY_ID", SeaweedFs::ADMIN.id),
        ("AWS_SECRET_ACCESS_KEY", SeaweedFs::ADMIN.secret),
        ("BUCKET", BUCKET),
        ("KEYS", file.to_str().unwrap()),
    ];
    said(&python_clients().run(FILL, &env));
    let counter = Counter::start(store);
    let settings = facade.work().join("tracegate.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let lines = text.lines().map(|line| match line.starts_with("endpoint = ") {
        true => format!("endpoint = \"{}\"", counter.address),
        false => line.replace("real-traces", BUCKET),
    });
    std::fs::write(&settings, lines.collect::<Vec<_>>().join("\n")).unwrap();
    facade.signal("TERM");
    assert_eq!(facade.ended(), Some(0));
    facade.restart();
    (facade, counter)
}

const LISTING: &str = "
found = {'keys': [], 'folders': [], 'largest': 0}
for page in s3.get_paginator('list_objects_v2').paginate(Bucket='traces', **ASKED):
    found['keys'] += [entry['Key'] for entry in page.get('Contents', [])]
    found['folders'] += [entry['Prefix'] for entry in page.get('CommonPrefixes', [])]
    found['largest'] = max(found['largest'], page['KeyCount'])
print(json.dumps(found))
";

#[test]
fn a_large_bucket_of_a_store_that_walks_folders_is_listed_as_s3_would() {
    let names = names();
    let (facade, counter) = set_up(&names);
    let mut asked = Vec::new();
    for user in ["alice", "dave"] {
        let session = Session::open(&facade, &token(user));
        for (prefix, delimiter, size) in [
            ("", "", 1000),
            ("", "", 333),
            ("", "/", 1000),
            ("", "/", 1),
            ("model-B", "", 100),
            ("model-B", "/", 1),
            ("model-C/2026/", "/", 5),
        ] {
            let context = format!("{user} {prefix:?} {delimiter:?} {size}");
            let options = json!({"Prefix": prefix, "Delimiter": delimiter, "PaginationConfig": {"PageSize": size}});
            counter.taken();
            let found = script(&facade, &session, &LISTING.replace("ASKED", &options.to_string()));
            asked.push((context.clone(), counter.taken()));
            let seen = names.iter().filter(|key| user == "alice" || key.starts_with("model-B/"));
            let (keys, folders) = rolled_up(seen.filter(|key| key.starts_with(prefix)), prefix, delimiter);
            assert_eq!(found["keys"], json!(keys), "{context}");
            assert_eq!(found["folders"], json!(folders), "{context}");
            assert!(found["largest"].as_u64().unwrap() <= size, "{context}");
        }
    }
    let cost = |wanted: &str| asked.iter().find(|(context, _)| context == wanted).map(|(_, count)| *count).unwrap();
    let (scan, seen) = (cost("alice \"\" \"\" 1000"), cost("dave \"\" \"\" 1000"));
    // The wide page that passed over the folder, the question about the order, the folder.
    assert!(scan > 5 && seen <= 3, "{asked:?}");
}

fn rolled_up<'a>(
    keys: impl Iterator<Item = &'a String>,
    prefix: &str,
    delimiter: &str,
) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let (mut plain, mut folders) = (Vec::new(), BTreeSet::new());
    for key in keys {
        match key[prefix.len()..].find('/').filter(|_| !delimiter.is_empty()) {
            Some(at) => {
                folders.insert(&key[..=prefix.len() + at]);
            }
            None => plain.push(key.as_str()),
        }
    }
    (plain, folders)
}
