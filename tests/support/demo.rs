//! A running `tracegate demo`, for what the documents say to do beside one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::server::{Recipe, Server, new_folder};

/// How long a demo may take until it invites; it takes a second or two, on a busy machine more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The last line of its invitation.
const LAST: &str = "identity provider on ";

/// A running demo.
pub(crate) struct Demo {
    pub(crate) server: Server,
    /// What it has printed.
    pub(crate) said: String,
}

impl Demo {
    /// Starts one by these arguments, but on free ports, and waits until it invites.
    pub(crate) fn start(args: &[String]) -> Self {
        let work = new_folder("demo");
        let args = [args, &["--port".into(), "0".into()]].concat();
        let recipe = Recipe {
            program: PathBuf::from(env!("CARGO_BIN_EXE_tracegate")),
            args: args.iter().map(Into::into).collect(),
            env: Vec::new(),
        };
        let server = Server::spawn(&work, &recipe);
        let said = said_until_invited(&work.with_extension("log"));
        Self { server, said }
    }

    /// What it exports for the documents' blocks: `DEMO`, `URL`, `HTTPS_URL`.
    pub(crate) fn exported(&self) -> Vec<(String, String)> {
        let line = self.said.lines().find_map(|line| line.strip_prefix("export DEMO=")).expect("it exports DEMO");
        let pairs = format!("DEMO={line}");
        let pairs = pairs.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The lines that it tells to paste, from the line that begins so to the next empty one.
    pub(crate) fn pasted(&self, heading: &str) -> String {
        let mut lines = self.said.lines().skip_while(|line| !line.starts_with(heading));
        assert!(lines.next().is_some(), "the demo does not say {heading:?}:\n{}", self.said);
        lines.take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
    }
}

fn said_until_invited(log: &Path) -> String {
    let start = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if said.contains(LAST) && said.ends_with('\n') {
            return said;
        }
        assert!(start.elapsed() < PATIENCE, "the demo does not invite:\n{said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
