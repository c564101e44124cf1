//! The clients: what starts each, its settings, the ways that every run takes, and what it cannot do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::limits::{self, Limit};
use super::support::install;
use super::ways::Door::{Container, Keys, Process, WebIdentity};
use super::ways::Transport::{Http, Https};
use super::ways::Way;
use super::{object_store, rust_sdk};

/// A client.
pub(crate) struct Client {
    /// As the page calls it.
    pub(crate) name: &'static str,
    /// The name of its block (`sh client SLUG`) and of its tests.
    pub(crate) slug: &'static str,
    /// Where it lies, by its name in `install.py`.
    tool: Tool,
    /// The interpreter and the script of its probe.
    probe: [&'static str; 2],
    /// Settings of its own.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The ways that every run of the tests takes; all others wait for `--include-ignored`.
    pub(crate) quick: &'static [Way],
    /// What it cannot do.
    pub(crate) limits: &'static [&'static Limit],
    /// The command by which it takes a refused overwrite (412) for a file to be skipped, and ends well.
    pub(crate) skips_by: Option<&'static str>,
}

/// Where a client lies.
#[derive(Clone, Copy, PartialEq)]
enum Tool {
    /// In a Python's `bin`, or beside its modules.
    Python(&'static str),
    /// In a folder of Node's modules.
    Node(&'static str),
    /// In this very binary.
    Own,
}

/// Every client, in the order of the page.
pub(crate) const ALL: [Client; 17] = [
    Client { quick: &[Way(WebIdentity, Https)], ..AWS_CLI },
    Client {
        name: "AWS CLI 2",
        slug: "aws-cli-2",
        tool: Tool::Python("awscli2"),
        quick: &[],
        skips_by: Some("aws s3 cp"),
        ..AWS_CLI
    },
    Client { quick: &[Way(Container, Http)], ..BOTO3 },
    Client {
        name: "boto3 with the AWS CRT",
        slug: "boto3-crt",
        tool: Tool::Python("s3fs"),
        environment: &[("TRANSFER", "crt")],
        limits: &[&limits::BOTOCORE, &limits::CRT],
        ..BOTO3
    },
    python("s3fs", "s3fs", "s3fs", ["python", "with_s3fs.py"], &[&limits::BOTOCORE]),
    python("pyarrow", "pyarrow", "tables", ["python", "with_pyarrow.py"], &[&limits::CPP]),
    python("DuckDB", "duckdb", "tables", ["python", "with_duckdb.py"], &[&limits::DUCKDB, &limits::CPP]),
    python(
        "polars",
        "polars",
        "tables",
        ["python", "with_polars.py"],
        &[&limits::OBJECT_STORE_HTTP, &limits::OBJECT_STORE_PROFILES],
    ),
    python(
        "deltalake",
        "deltalake",
        "tables",
        ["python", "with_deltalake.py"],
        &[&limits::OBJECT_STORE_HTTP, &limits::OBJECT_STORE_PROFILES],
    ),
    Client {
        quick: &[Way(WebIdentity, Https)],
        limits: &[&limits::OBSTORE_HTTP, &limits::OBJECT_STORE_PROFILES],
        ..own("object_store", "object-store", object_store::ARGUMENT)
    },
    python(
        "object_store (by obstore)",
        "obstore",
        "clients",
        ["python", "with_obstore.py"],
        &[&limits::OBSTORE_HTTP, &limits::OBJECT_STORE_PROFILES],
    ),
    python("minio-py", "minio", "clients", ["python", "with_minio.py"], &[&limits::MINIO]),
    Client { quick: &[Way(Process, Https)], ..python("rclone", "rclone", "clients", ["bash", "rclone.sh"], &[]) },
    python("s5cmd", "s5cmd", "clients", ["bash", "s5cmd.sh"], &[]),
    Client {
        quick: &[Way(Keys, Http)],
        ..python("s3cmd", "s3cmd", "clients", ["bash", "s3cmd.sh"], &[&limits::S3CMD])
    },
    Client {
        tool: Tool::Node("aws-sdk-js"),
        ..python("AWS SDK for JavaScript 3", "aws-sdk-js", "", ["node", "sdk.cjs"], &[])
    },
    Client { quick: &[Way(Keys, Https)], ..own("AWS SDK for Rust", "aws-sdk-rust", rust_sdk::ARGUMENT) },
];

/// The version of `awscli2-trixie.txt`.
const AWS_CLI_2_OLDER: &str = "2.23.6";

const AWS_CLI: Client = python("AWS CLI 1", "aws-cli-1", "awscli", ["bash", "aws.sh"], &[&limits::BOTOCORE]);
const BOTO3: Client = python("boto3", "boto3", "boto3", ["python", "with_boto3.py"], &[&limits::BOTOCORE]);

const fn python(
    name: &'static str,
    slug: &'static str,
    tool: &'static str,
    probe: [&'static str; 2],
    limits: &'static [&'static Limit],
) -> Client {
    let tool = Tool::Python(tool);
    Client { name, slug, tool, probe, environment: &[], quick: &[], limits, skips_by: None }
}

/// A crate, built into this binary, which becomes it by that argument.
const fn own(name: &'static str, slug: &'static str, argument: &'static str) -> Client {
    Client { tool: Tool::Own, ..python(name, slug, "", ["", argument], &[]) }
}

impl Client {
    /// What is run.
    pub(crate) fn program(&self) -> PathBuf {
        match self.tool {
            Tool::Own => std::env::current_exe().unwrap(),
            Tool::Python(_) | Tool::Node(_) => {
                let folders = self.path();
                let found = std::env::split_paths(&folders).map(|folder| folder.join(self.probe[0]));
                found.into_iter().find(|program| program.is_file()).expect("the interpreter of a probe is on the PATH")
            }
        }
    }

    /// Whether it is the version that is installed where no mirror has the newer one any more: it is held to the page but
    /// for its number, and for what only the newer one does.
    pub(crate) fn is_the_older(&self) -> bool {
        match self.tool {
            Tool::Python(tool @ "awscli2") => {
                std::fs::read_to_string(folder(tool).join("version")).is_ok_and(|version| version == AWS_CLI_2_OLDER)
            }
            Tool::Python(_) | Tool::Node(_) | Tool::Own => false,
        }
    }

    /// What it is given.
    pub(crate) fn arguments(&self) -> [&'static str; 1] {
        [self.probe[1]]
    }

    /// A PATH on which it lies first.
    pub(crate) fn path(&self) -> OsString {
        let own = match self.tool {
            Tool::Python(tool) => vec![folder(tool).join("bin")],
            Tool::Node(_) | Tool::Own => Vec::new(),
        };
        let rest = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&rest))).unwrap()
    }

    /// Where Node finds its modules.
    pub(crate) fn modules(&self) -> Option<(&'static str, PathBuf)> {
        match self.tool {
            Tool::Node(tool) => Some(("NODE_PATH", folder(tool).join("node_modules"))),
            Tool::Python(_) | Tool::Own => None,
        }
    }

    /// Whether every run of the tests installs it, for its own quick ways or for those of a client beside it.
    pub(crate) fn is_there_anyway(&self) -> bool {
        ALL.iter().any(|other| other.tool == self.tool && !other.quick.is_empty())
    }

    /// Whether a block of the page can show it: what is built into a program has none.
    pub(crate) fn has_a_block(&self) -> bool {
        !matches!(self.tool, Tool::Own)
    }
}

/// The folder of a tool, which is asked for once.
fn folder(tool: &'static str) -> PathBuf {
    static KNOWN: OnceLock<std::sync::Mutex<std::collections::HashMap<&'static str, PathBuf>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(std::sync::Mutex::default).lock().unwrap();
    known.entry(tool).or_insert_with(|| install::tool(tool)).clone()
}
