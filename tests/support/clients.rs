//! Unmodified S3 clients, each cut off from the settings of whoever runs the tests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{AccessKey, install};

/// The AWS CLI.
#[derive(Debug)]
pub(crate) struct AwsCli {
    program: PathBuf,
}

impl AwsCli {
    pub(crate) fn install() -> Self {
        Self { program: install::tool("awscli").join("bin/aws") }
    }

    /// The executable, for whoever builds a command of their own; see [`without_own_settings`].
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// `aws ARGS` with this key at this endpoint, ready to be run or altered.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, at: &Endpoint<'_>, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(&self.program);
        without_own_settings(&mut command);
        at.set(&mut command);
        command.args(args);
        command
    }

    /// Runs `aws ARGS`.
    pub(crate) fn run<I: AsRef<OsStr>>(&self, at: &Endpoint<'_>, args: impl IntoIterator<Item = I>) -> Output {
        self.command(at, args).output().unwrap()
    }
}

/// A Python with boto3.
#[derive(Debug)]
pub(crate) struct PythonClients {
    python: PathBuf,
}

impl PythonClients {
    pub(crate) fn install() -> Self {
        Self { python: install::tool("boto3").join("bin/python") }
    }

    /// The interpreter.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// Runs a script with nothing of the AWS environment but what `env` sets.
    pub(crate) fn run(&self, script: &str, env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(&self.python);
        without_own_settings(&mut command);
        command.args(["-c", script]).envs(env.iter().copied()).output().unwrap()
    }

    /// Runs a script with this key at this endpoint.
    pub(crate) fn run_at(&self, at: &Endpoint<'_>, script: &str) -> Output {
        let mut command = Command::new(&self.python);
        without_own_settings(&mut command);
        at.set(&mut command);
        command.args(["-c", script]).output().unwrap()
    }
}

/// Runs the system's `curl ARGS`, quiet but for errors.
///
/// # Panics
/// Where there is none.
pub(crate) fn curl<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    curl_with(&[], args)
}

/// The same with variables of its environment, such as `CURL_CA_BUNDLE`.
pub(crate) fn curl_with<I: AsRef<OsStr>>(env: &[(&str, &Path)], args: impl IntoIterator<Item = I>) -> Output {
    let mut command = Command::new("curl");
    without_own_settings(&mut command);
    command.envs(env.iter().copied());
    let done = command.args(["--disable", "--silent", "--show-error"]).args(args).output();
    done.expect("curl is needed: install curl")
}

/// Where a client goes, and as whom: what the AWS SDKs read from the environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint<'a> {
    /// `AWS_ENDPOINT_URL`
    pub(crate) url: &'a str,
    /// `AWS_REGION`
    pub(crate) region: &'a str,
    /// The key that it signs with.
    pub(crate) key: AccessKey,
}

impl Endpoint<'_> {
    fn set(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.url)
            .env("AWS_REGION", self.region)
            .env("AWS_DEFAULT_REGION", self.region)
            .env("AWS_ACCESS_KEY_ID", self.key.id)
            .env("AWS_SECRET_ACCESS_KEY", self.key.secret);
    }
}

/// Takes away every AWS setting, proxy and CA bundle of the surrounding environment, and the way to a cloud machine's
/// metadata.
pub(crate) fn without_own_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("AWS_") || text.ends_with("_PROXY") || text.ends_with("_CA_BUNDLE") {
            command.env_remove(&name);
        }
    }
    let nothing = Path::new("/dev/null");
    command
        .env("AWS_CONFIG_FILE", nothing)
        .env("AWS_SHARED_CREDENTIALS_FILE", nothing)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1,localhost");
}

/// The standard output of a client that must have succeeded.
///
/// # Panics
/// Where it failed; the message holds what it said.
pub(crate) fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
