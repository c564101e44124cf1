//! A server that a test started: on free loopback ports, watched until it is ready, dead with the test's process.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::clients::without_own_settings;
use super::install;

/// How long a server may take until it answers: a first start compiles its own modules, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks whether it is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Starts, each on other ports, before giving up: between choosing a free port and using it another may take it.
const ATTEMPTS: usize = 3;

/// What to run.
#[derive(Debug, Default)]
pub(crate) struct Recipe {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its environment, besides what the test's own gives; of that, no setting of AWS comes through.
    pub(crate) env: Vec<(&'static str, OsString)>,
}

/// A running server. Dropping it ends it, and so does the end of this process, however that comes.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its standard input is the pipe whose end tells the watchdog that the test is gone.
    watchdog: Child,
    work: PathBuf,
}

impl Server {
    /// Starts a server on `N` free ports, in a new folder of its own, and waits until `ready`.
    ///
    /// # Panics
    /// Where it does not get ready; the message holds the end of its log.
    pub(crate) fn start<const N: usize>(
        name: &str,
        recipe: impl Fn(&Path, [u16; N]) -> Recipe,
        ready: impl Fn([u16; N]) -> bool,
    ) -> (Self, [u16; N]) {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let ports = free_ports();
            let work = new_folder(name);
            let mut server = Self::spawn(&work, &recipe(&work, ports));
            match server.wait_until(|| ready(ports)) {
                Ok(()) => return (server, ports),
                Err(end_of_log) => why = end_of_log,
            }
        }
        panic!("{name} did not start:\n{why}")
    }

    /// Runs a command under the watchdog, without waiting for anything.
    pub(crate) fn spawn(work: &Path, recipe: &Recipe) -> Self {
        Self { watchdog: watched(work, recipe), work: work.to_owned() }
    }

    /// The folder that the server runs in.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// Waits until the server has ended by itself, and answers its exit code (1 where a signal ended it). Its folder
    /// stays, for [`Server::restart`].
    ///
    /// # Panics
    /// Where it has not ended in time.
    pub(crate) fn ended(&mut self, patience: Duration) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.watchdog.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < patience, "it has not ended within {patience:?}\n{}", self.end_of_log());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Runs a command in the folder of a server that has [ended](Server::ended), and waits until `ready`.
    ///
    /// # Panics
    /// Where it does not get ready; the message holds the end of its log.
    pub(crate) fn restart(&mut self, recipe: &Recipe, ready: impl Fn() -> bool) {
        self.watchdog = watched(&self.work, recipe);
        if let Err(why) = self.wait_until(ready) {
            panic!("it did not start again:\n{why}");
        }
    }

    fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.watchdog.try_wait().unwrap() {
                return Err(format!("it ended by itself ({status})\n{}", self.end_of_log()));
            }
            if ready() {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Err(format!("it was not ready within {PATIENCE:?}\n{}", self.end_of_log()))
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read(self.work.with_extension("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().unwrap();
    }
}

fn watched(work: &Path, recipe: &Recipe) -> Child {
    let mut command = Command::new(install::python());
    without_own_settings(&mut command);
    command
        .arg(install::repository().join("tests/support/watchdog.py"))
        .arg(work)
        .arg(&recipe.program)
        .args(&recipe.args)
        .env("TMPDIR", work)
        .envs(recipe.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// `N` ports of loopback that nobody listens on.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that none comes twice.
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A new empty folder for a server, below `target/`; the watchdog deletes it.
pub(crate) fn new_folder(name: &str) -> PathBuf {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let run = install::repository().join("target/test-tools/run");
    let folder = run.join(format!("{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
