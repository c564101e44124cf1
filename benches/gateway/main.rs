//! What the façade costs: the same requests for the same objects to it and past it, in one run on loopback.
//!
//! *Through* is the façade with everything on: identity, policy, redaction, a log on the disk of `TMPDIR`, and the
//! embedded bucket behind it. *Direct* is a minimal hyper server that gives the same bytes from memory, so neither a
//! network nor a bucket is the limit. Both live in this process; the client is another one, so the CPU time of this
//! one is that of serving. The sides take turns, and the best round of each counts: whatever else the machine does
//! only makes a round slower. `--quick` is a smoke run, whose figures say nothing.

#[path = "../common/mod.rs"]
mod common;
mod load;
mod requests;
mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use common::{figure, process_cpu, say, traces};
use load::{Load, Measured};
use requests::{Session, bearer, path};
use servers::{Facade, Objects};

/// Connections of the series that measure work, not waiting.
const CONNECTIONS: usize = 16;
/// Size of the small object, in bytes.
const SMALL_BYTES: usize = 4096;
/// Requests of one connection in one round at most.
const REQUESTS_MAX: usize = 1_000_000;
/// Time that one large object may take.
const LARGE_TIME: Duration = Duration::from_secs(120);

/// How much is measured.
struct Size {
    rounds: usize,
    /// Time of each round of small objects.
    time: Duration,
    /// Size of the large object, in bytes.
    large: usize,
}

const FULL: Size = Size { rounds: 3, time: Duration::from_secs(2), large: 1 << 30 };
const QUICK: Size = Size { rounds: 1, time: Duration::from_millis(200), large: 16 << 20 };

/// One kind of request to one of the servers.
struct Side {
    name: &'static str,
    to: SocketAddr,
    request: String,
}

/// The best of a side's rounds.
struct Best {
    /// CPU time of a request; `None` where nobody counts it.
    cpu: Option<Duration>,
    p50: Duration,
    p99: Duration,
    /// Bytes of bodies in a second.
    rate: f64,
    /// Bytes of one body.
    bytes: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, argument, terms] = &arguments[..]
        && argument == load::ARGUMENT
    {
        load::child(terms);
        return Ok(());
    }
    let size = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir()?;
    let objects = Objects { small: small(), large: large(size.large) };
    let facade = runtime.block_on(Facade::start(dir.path(), &objects))?;
    let direct = runtime.block_on(servers::direct(&objects))?;
    check(&facade, &objects, direct);
    small_objects(&facade, direct, &size);
    latency(&facade, direct, &size);
    large_objects(&facade, direct, &size);
    runtime.block_on(facade.stop())
}

/// Both sides give the same bytes, and what must be hidden is.
fn check(facade: &Facade, objects: &Objects, direct: SocketAddr) {
    let raw = bearer(facade, &path("raw/small.jsonl"));
    assert!(load::fetch(direct, &raw) == objects.small && load::fetch(facade.address, &raw) == objects.small);
    let signed = Session::open(facade).signed(facade.address, &path("raw/small.jsonl"));
    assert!(load::fetch(facade.address, &signed) == objects.small);
    let masked = load::fetch(facade.address, &bearer(facade, &path("masked/small.jsonl")));
    let masked = String::from_utf8_lossy(&masked);
    assert!(masked.len() == SMALL_BYTES && masked.contains("[REDACTED]") && !masked.contains("user-"), "{masked}");
}

fn small_objects(facade: &Facade, direct: SocketAddr, size: &Size) {
    let raw = bearer(facade, &path("raw/small.jsonl"));
    let signed = Session::open(facade).signed(facade.address, &path("raw/small.jsonl"));
    let masked = bearer(facade, &path("masked/small.jsonl"));
    let sides = [
        Side { name: "4 KiB direct", to: direct, request: raw.clone() },
        Side { name: "4 KiB through, bearer", to: facade.address, request: raw },
        Side { name: "4 KiB through, signed", to: facade.address, request: signed },
        Side { name: "4 KiB through, redacted", to: facade.address, request: masked },
    ];
    let [direct, through, signed, masked] = in_turns(&sides, CONNECTIONS, REQUESTS_MAX, size.time, size.rounds);
    for (name, best) in [
        ("get4k_direct_per_s_core", &direct),
        ("get4k_per_s_core", &through),
        ("get4k_signed_per_s_core", &signed),
        ("get4k_redacted_per_s_core", &masked),
    ] {
        figure_per_core(name, best, 1.0, "1/s");
    }
    if let (Some(through), Some(direct)) = (through.cpu, direct.cpu) {
        figure("get4k_vs_direct", direct.as_secs_f64() / through.as_secs_f64(), "x");
    }
}

/// How much one core would do in a second, if one request did so much.
fn figure_per_core(name: &str, best: &Best, each: f64, unit: &str) {
    match best.cpu {
        Some(cpu) => figure(name, each / cpu.as_secs_f64(), unit),
        None => say(&format!("{name}: no CPU time was counted")),
    }
}

/// One connection that waits for each answer. What the façade adds holds a sync of the log's disk.
fn latency(facade: &Facade, direct: SocketAddr, size: &Size) {
    let raw = bearer(facade, &path("raw/small.jsonl"));
    let sides = [
        Side { name: "4 KiB direct, one at a time", to: direct, request: raw.clone() },
        Side { name: "4 KiB through, one at a time", to: facade.address, request: raw },
    ];
    let [direct, through] = in_turns(&sides, 1, REQUESTS_MAX, size.time, size.rounds);
    let added = |through: Duration, direct: Duration| (through.as_secs_f64() - direct.as_secs_f64()) * 1000.0;
    figure("added_ms_p50", added(through.p50, direct.p50), "ms");
    figure("added_ms_p99", added(through.p99, direct.p99), "ms");
}

/// One connection that takes one object as fast as it comes.
fn large_objects(facade: &Facade, direct: SocketAddr, size: &Size) {
    let raw = bearer(facade, &path("raw/large.jsonl"));
    let masked = bearer(facade, &path("masked/large.jsonl"));
    let sides = [
        Side { name: "large direct", to: direct, request: raw.clone() },
        Side { name: "large through", to: facade.address, request: raw },
        Side { name: "large through, redacted", to: facade.address, request: masked },
    ];
    let [direct, through, masked] = in_turns(&sides, 1, 1, LARGE_TIME, size.rounds);
    figure("get1g_direct_mb_per_s", direct.rate / 1e6, "MB/s");
    figure("get1g_mb_per_s", through.rate / 1e6, "MB/s");
    figure("get1g_redacted_mb_per_s", masked.rate / 1e6, "MB/s");
    for (name, best) in [("get1g_mb_per_s_core", &through), ("get1g_redacted_mb_per_s_core", &masked)] {
        figure_per_core(name, best, best.bytes as f64 / 1e6, "MB/s");
    }
    figure("get1g_vs_direct", through.rate / direct.rate, "x");
    figure("get1g_redacted_vs_plain", masked.rate / through.rate, "x");
}

/// Measures the sides one after the other, round by round.
fn in_turns<const N: usize>(
    sides: &[Side; N],
    connections: usize,
    requests: usize,
    time: Duration,
    rounds: usize,
) -> [Best; N] {
    let mut best = [(); N].map(|()| Best { cpu: None, p50: Duration::MAX, p99: Duration::MAX, rate: 0.0, bytes: 0 });
    for _ in 0..rounds {
        for (side, best) in sides.iter().zip(&mut best) {
            let load = Load { to: side.to, connections, requests, time };
            let before = process_cpu();
            let measured = load.run(&side.request);
            let cpu = before.zip(process_cpu()).map(|(before, after)| after.saturating_sub(before));
            tell(side.name, &measured, cpu);
            best.take(&measured, cpu);
        }
    }
    best
}

impl Best {
    fn take(&mut self, measured: &Measured, cpu: Option<Duration>) {
        // Less than one step of the count is nothing counted.
        let each = cpu.filter(|cpu| !cpu.is_zero()).map(|cpu| cpu.div_f64(measured.requests as f64));
        self.cpu = self.cpu.into_iter().chain(each).min();
        self.p50 = self.p50.min(measured.p50);
        self.p99 = self.p99.min(measured.p99);
        self.bytes = measured.bytes / measured.requests;
        self.rate = self.rate.max(measured.bytes as f64 / measured.time.as_secs_f64());
    }
}

fn tell(name: &str, measured: &Measured, cpu: Option<Duration>) {
    let Measured { requests, bytes, time, p50, p99 } = measured;
    let rate = *bytes as f64 / time.as_secs_f64() / 1e6;
    let cpu = cpu.map_or_else(|| "not counted".to_owned(), |cpu| format!("{cpu:.2?}"));
    say(&format!(
        "{name:<30} {requests:>7} requests in {time:.2?}, {rate:>7.1} MB/s, p50 {p50:.2?}, p99 {p99:.2?}, CPU {cpu}"
    ));
}

/// One record of exactly that many bytes, with values to hide.
fn small() -> Bytes {
    let (start, end) = ("{\"user_id\":\"user-00000001\",\"email\":\"c@example.com\",\"prompt\":\"", "\"}\n");
    let prompt = "the model checks a refund ".repeat(SMALL_BYTES / 16);
    Bytes::from(format!("{start}{}{end}", &prompt[..SMALL_BYTES - start.len() - end.len()]))
}

/// As many whole records as fit into so many bytes.
fn large(bytes: usize) -> Bytes {
    let unit = traces(bytes.min(16 << 20) / 2);
    Bytes::from(unit.repeat(bytes / unit.len()))
}
