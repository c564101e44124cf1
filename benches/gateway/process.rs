//! A server as a process of its own: started, waited for, its CPU time and memory read from `/proc`, ended.
//!
//! A process of its own, because only then the CPU time and the memory that Linux counts are those of one side.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Time that a server has to listen, and to end when it is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Ticks of `/proc/PID/stat` in a second, as Linux shows them to programs (proc(5)).
const TICKS: u64 = 100;

/// A running server. Dropping it ends it.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a command in that folder, where `said.log` takes what it says, and waits until it listens there.
    pub(crate) fn start(command: &mut Command, dir: &Path, listens: SocketAddr) -> anyhow::Result<Self> {
        let log = dir.join("said.log");
        let said = std::fs::File::create(&log)?;
        command.current_dir(dir).stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        let mut process = Self(command.spawn().with_context(|| format!("{command:?} does not start"))?);
        let began = Instant::now();
        while TcpStream::connect(listens).is_err() {
            if process.0.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                anyhow::bail!("{command:?} does not listen on {listens}:\n{said}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(process)
    }

    /// Time that its threads, and those of its children, were on a CPU, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        let ticks: u64 = family(self.0.id()).map(|stat| stat.ticks).sum();
        Duration::from_millis(ticks * 1000 / TICKS)
    }

    /// The most memory that it ever had (`VmHWM`), in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that it has (`VmRSS`), in bytes.
    pub(crate) fn memory_now(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux says the memory of a running process") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Told, not killed, so that it ends its children, too.
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let began = Instant::now();
        while told.is_ok() && began.elapsed() < PATIENCE {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Ports of loopback that nobody listens on. All are held until all are known, so that none comes twice.
pub(crate) fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port"));
    held.map(|listener| listener.local_addr().expect("a listener has an address"))
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    pid: u32,
    parent: u32,
    /// Of all of its threads, also those that have ended.
    ticks: u64,
}

impl Stat {
    /// The parent is the 4th field, the times in user and kernel mode are the 14th and 15th (proc(5)). The second is the
    /// program's name in parentheses and may hold spaces.
    fn parse(text: &str) -> Option<Self> {
        let pid = text.split(' ').next()?.parse().ok()?;
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self { pid, parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

/// A process and its children.
fn family(pid: u32) -> impl Iterator<Item = Stat> {
    let all = std::fs::read_dir("/proc").expect("Linux has /proc").filter_map(Result::ok);
    let stats = all.filter_map(|entry| Stat::parse(&std::fs::read_to_string(entry.path().join("stat")).ok()?));
    stats.filter(move |stat| stat.pid == pid || stat.parent == pid)
}
