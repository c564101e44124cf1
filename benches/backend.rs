//! What a read of the real bucket costs by itself: through our own client, and through aws-sdk-s3 set up in the same way.
//!
//! The store is a minimal server on a thread of its own, so that the CPU time of the reading thread is that of reading.
//! The two take turns; the best of several rounds counts, because anything else the machine does only makes one slower.

mod common;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials as SdkCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use futures::stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tracegate::backend::aws::{self, Aws, AwsOptions, Credentials, Timeouts};
use tracegate::identity::secret::SecretText;
use tracegate::s3::name::{Bucket, Key};

use common::{figure, say, thread_cpu};

/// Bytes of the small object.
const SMALL_BYTES: usize = 4096;
/// Bytes of the large one.
const LARGE_BYTES: usize = 256 << 20;
/// Largest piece in which the store sends.
const PIECE_BYTES: usize = 128 * 1024;
/// Reads of the small object at a time.
const AT_A_TIME: usize = 32;
/// Reads of the small object in a round, of each of those.
const READS: usize = 250;
const ROUNDS: usize = 7;
const REGION: &str = "eu-central-1";
const ID: &str = "AKIDBENCH";
const SECRET: &str = "secret";

/// A way to read an object of that name to its end.
type Read = Arc<dyn Fn(&'static str) -> BoxFuture<'static, u64> + Send + Sync>;

/// The least that a round took.
#[derive(Clone, Copy)]
struct Best {
    /// Of the reading thread's time on a CPU, where that is counted.
    cpu: Option<Duration>,
    wall: Duration,
}

fn main() -> anyhow::Result<()> {
    let store = store()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ways = [("thin", thin(store).await?), ("sdk", sdk(store))];
        let small = in_turns(&ways, "small", AT_A_TIME, READS).await;
        let [thin, sdk] = small.map(|best| best.each(AT_A_TIME * READS));
        figure("backend_get4k_us_thin", thin, "us");
        figure("backend_get4k_us_sdk", sdk, "us");
        figure("backend_get4k_sdk_vs_thin", sdk / thin, "x");
        let [thin, sdk] = in_turns(&ways, "large", 1, 1).await;
        for (way, best) in [("thin", thin), ("sdk", sdk)] {
            figure(
                &format!("backend_get_large_mb_per_s_{way}"),
                LARGE_BYTES as f64 / best.wall.as_secs_f64() / 1e6,
                "MB/s",
            );
            let gib = best.each(1) / 1e6 * (1 << 30) as f64 / LARGE_BYTES as f64;
            figure(&format!("backend_get_s_per_gib_{way}"), gib, "s");
        }
        Ok(())
    })
}

impl Best {
    /// Microseconds of CPU, or of the clock where that is not counted, for each of so many.
    fn each(self, reads: usize) -> f64 {
        self.cpu.unwrap_or(self.wall).as_secs_f64() * 1e6 / reads as f64
    }
}

/// Measures the ways one after the other, round by round.
async fn in_turns<const N: usize>(
    ways: &[(&str, Read); N],
    object: &'static str,
    at_a_time: usize,
    reads: usize,
) -> [Best; N] {
    let mut best = [Best { cpu: None, wall: Duration::MAX }; N];
    for _ in 0..ROUNDS {
        for ((name, read), best) in ways.iter().zip(&mut best) {
            let (before, began) = (thread_cpu(), Instant::now());
            let readers = (0..at_a_time).map(|_| tokio::spawn(read_often(read.clone(), object, reads)));
            let bytes: u64 = join_all(readers).await.into_iter().map(|read| read.expect("a reader ends")).sum();
            let cpu = before.zip(thread_cpu()).map(|(before, after)| after - before);
            let counted = cpu.map_or_else(|| "not counted".to_owned(), |cpu| format!("{cpu:.2?}"));
            say(&format!("{object} by {name}: {bytes} bytes in {:.2?}, CPU {counted}", began.elapsed()));
            best.cpu = best.cpu.into_iter().chain(cpu).min();
            best.wall = best.wall.min(began.elapsed());
        }
    }
    best
}

async fn read_often(read: Read, object: &'static str, reads: usize) -> u64 {
    let mut bytes = 0;
    for _ in 0..reads {
        let read = read(object).await;
        assert!(read == size(object), "{object}: {read} bytes");
        bytes += read;
    }
    bytes
}

fn size(object: &str) -> u64 {
    (if object == "small" { SMALL_BYTES } else { LARGE_BYTES }) as u64
}

async fn thin(store: SocketAddr) -> anyhow::Result<Read> {
    let bucket: Bucket = "bench".parse()?;
    let options = AwsOptions {
        endpoint: Some(format!("http://{store}")),
        region: REGION.to_owned(),
        path_style: true,
        credentials: Credentials::Static {
            access_key_id: SecretText::new(ID),
            secret_access_key: SecretText::new(SECRET),
            session_token: None,
        },
        ca_pem: None,
        buckets: [(bucket.clone(), "bench".to_owned())].into(),
        timeouts: Timeouts::default(),
    };
    let aws: Aws = aws::connect(options).await?;
    Ok(Arc::new(move |object| {
        let (aws, bucket) = (aws.clone(), bucket.clone());
        Box::pin(async move {
            let key: Key = object.parse().expect("a sound key");
            aws.read_away(&bucket, &key).await.expect("the store answers")
        })
    }))
}

fn sdk(store: SocketAddr) -> Read {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(format!("http://{store}"))
        .force_path_style(true)
        .credentials_provider(SdkCredentials::from_keys(ID, SECRET, None))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let client = Client::from_conf(config.build());
    Arc::new(move |object| {
        let asked = client.get_object().bucket("bench").key(object).send();
        Box::pin(async move {
            let mut body = asked.await.expect("the store answers").body;
            let mut bytes = 0;
            while let Some(piece) = body.next().await {
                bytes += piece.expect("a whole body").len() as u64;
            }
            bytes
        })
    })
}

/// Starts the store, on a thread of its own that runs until the program ends.
fn store() -> anyhow::Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let large = Bytes::from(vec![b'a'; LARGE_BYTES]);
    std::thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((socket, _)) = listener.accept().await {
                let large = large.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let is_small = request.uri().path().ends_with("/small");
                    let object = if is_small { large.slice(..SMALL_BYTES) } else { large.clone() };
                    std::future::ready(Ok::<_, Infallible>(answer(object)))
                });
                if socket.set_nodelay(true).is_ok() {
                    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
                }
            }
        });
    });
    Ok(address)
}

fn answer(mut object: Bytes) -> Response<impl Body<Data = Bytes, Error = Infallible>> {
    let head = Response::builder()
        .header("content-length", object.len())
        .header("content-type", "application/x-ndjson")
        .header("etag", "\"5d41402abc4b2a76b9719d911017c592\"")
        .header("last-modified", "Fri, 20 Nov 2026 06:00:00 GMT")
        .header("x-amz-id-2", "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQjryTjKlc5aLWGVHPZLj5NeC6qMa0emYBDXOo6QBU0Wo=")
        .header("x-amz-request-id", "0A49CE4060975EAC");
    let pieces = std::iter::from_fn(move || {
        let piece = object.split_to(object.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some(Ok(Frame::data(piece)))
    });
    head.body(StreamBody::new(stream::iter(pieces))).expect("the head is made of constants")
}
