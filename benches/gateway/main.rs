//! What the façade costs: the same requests for the same objects to it, to its peers, and past them, in one run.
//!
//! Behind every side is the same bucket, which gives bytes from memory; each side, the bucket and the client are processes
//! of their own. Ours is the binary with everything on: identity, policy, redaction, and a log on the disk of `TMPDIR`.
//! `--quick` is a smoke run, whose figures say nothing. Names of [`Series`] choose those that are measured.

mod bucket;
#[path = "../common/mod.rs"]
mod common;
mod load;
mod measure;
mod memory;
mod objects;
mod ours;
mod peers;
mod process;
mod requests;
mod series;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::figure;
use load::Target;
use ours::{Behind, Facade};
use peers::{Nginx, S3sProxy};
use process::{Process, free_addresses};

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Series {
    GetSmall,
    Added,
    PutSmall,
    GetLarge,
    PutLarge,
    Memory,
}

impl Series {
    /// All, by the names that choose them, in their order.
    const ALL: [(&str, Self); 6] = [
        ("get4k", Self::GetSmall),
        ("added", Self::Added),
        ("put4k", Self::PutSmall),
        ("get1g", Self::GetLarge),
        ("put1g", Self::PutLarge),
        ("memory", Self::Memory),
    ];

    /// Those of these names; all where there is none.
    fn chosen(names: &[&str]) -> anyhow::Result<Vec<Self>> {
        let of = |name: &str| {
            let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
            found.map(|(_, series)| series).ok_or_else(|| anyhow::anyhow!("{name}: there is no series of that name"))
        };
        let chosen: Vec<Self> = names.iter().map(|name| of(name)).collect::<Result<_, _>>()?;
        let all = Self::ALL.into_iter().map(|(_, series)| series);
        Ok(all.filter(|series| chosen.is_empty() || chosen.contains(series)).collect())
    }
}

/// How much is measured.
struct Size {
    rounds: usize,
    /// Time of each round of small objects.
    small: Duration,
    /// Time of each round of large objects.
    large: Duration,
    /// Size of the large object, in bytes.
    large_bytes: u64,
    /// Slow streams of which the memory is measured, and for how long.
    streams: usize,
    slow: Duration,
}

const FULL: Size = Size {
    rounds: 3,
    small: Duration::from_secs(2),
    large: Duration::from_secs(1),
    large_bytes: 1 << 30,
    streams: 256,
    slow: Duration::from_secs(10),
};

const QUICK: Size = Size {
    rounds: 1,
    small: Duration::from_millis(200),
    large: Duration::from_millis(100),
    large_bytes: 16 << 20,
    streams: 16,
    slow: Duration::from_secs(1),
};

/// Every server of the run.
struct Servers {
    bucket: Process,
    direct: Target,
    nginx: Nginx,
    s3s_proxy: S3sProxy,
    ours: Facade,
    embedded: Facade,
    /// Bytes of the large object.
    large: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [load::ARGUMENT] => {
            load::child();
            Ok(())
        }
        [bucket::ARGUMENT, address, large] => bucket::child(address.parse()?, large.parse()?),
        _ => {
            let (options, named): (Vec<&str>, Vec<&str>) =
                arguments.into_iter().partition(|text| text.starts_with("--"));
            run(if options.contains(&"--quick") { &QUICK } else { &FULL }, &Series::chosen(&named)?)
        }
    }
}

fn run(size: &Size, chosen: &[Series]) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (certificate, key) = certificate(dir.path())?;
    let servers = Servers::start(dir.path(), size, &certificate, &key)?;
    series::check(&servers);
    let small = |connections| series::small_terms(size.rounds, connections, size.small);
    let large = |bytes| measure::Terms { rounds: size.rounds, connections: 1, time: size.large, bytes };
    for series in chosen {
        match series {
            Series::GetSmall => series::get_small(&servers, small(series::CONNECTIONS)),
            Series::Added => series::latency(&servers, small(1)),
            Series::PutSmall => series::put_small(&servers, small(series::CONNECTIONS)),
            Series::GetLarge => series::get_large(&servers, large(servers.large)),
            Series::PutLarge => series::put_large(&servers, large(size.large_bytes)),
            Series::Memory => {
                let behind = Behind::Bucket(servers.direct.to);
                memory::measure(dir.path(), behind, &certificate, &key, size.streams, size.slow)?;
            }
        }
    }
    figure("cores", std::thread::available_parallelism()?.get() as f64, "1");
    Ok(())
}

impl Servers {
    fn start(dir: &Path, size: &Size, certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let [address] = free_addresses();
        let bucket = bucket(dir, address, size.large_bytes)?;
        let behind = Behind::Bucket(address);
        Ok(Self {
            bucket,
            direct: Target { to: address, tls: None },
            nginx: Nginx::start(dir, address, certificate, key)?,
            s3s_proxy: S3sProxy::start(dir, address)?,
            ours: Facade::start(dir, "ours", behind, certificate, key)?,
            embedded: Facade::start(dir, "embedded", Behind::Embedded, certificate, key)?,
            large: objects::large(size.large_bytes).length(),
        })
    }
}

/// This program again, as the bucket.
fn bucket(dir: &Path, address: SocketAddr, large: u64) -> anyhow::Result<Process> {
    let dir = dir.join("bucket");
    std::fs::create_dir(&dir)?;
    let mut command = Command::new(std::env::current_exe()?);
    Process::start(command.args([bucket::ARGUMENT, &address.to_string(), &large.to_string()]), &dir, address)
}

/// A certificate for loopback that proves itself, and its key, as PEM files.
fn certificate(dir: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    Ok((certificate, key))
}
