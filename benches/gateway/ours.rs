//! Our side: the binary as its users run it, with everything on (identity, policy, redaction, the log on the disk of
//! `TMPDIR`), in front of the bucket of the bench or of its own embedded one.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::load::{self, Target};
use crate::objects::{self, SMALL};
use crate::process::{Process, free_addresses};
use crate::requests::{BUCKET, Keys, REGION, bearer};

/// The role that reads everything, what lies below `masked/` redacted.
const READER: &str = "reader";
/// The role that writes below `put/`: one that reads masked objects may not write them.
const WRITER: &str = "writer";

/// What lies behind it.
#[derive(Clone, Copy)]
pub(crate) enum Behind {
    /// The bucket of the bench.
    Bucket(SocketAddr),
    /// The embedded one, with the small object.
    Embedded,
}

/// A running façade.
pub(crate) struct Facade {
    pub(crate) process: Process,
    pub(crate) http: Target,
    pub(crate) https: Target,
    /// A static token of the reader.
    pub(crate) token: String,
    /// Of a session of the reader.
    pub(crate) reader: Keys,
    /// Of a session of the writer.
    pub(crate) writer: Keys,
}

impl Facade {
    /// Starts one with all of its state in a folder below `dir`; `certificate` and its key are its TLS.
    pub(crate) fn start(
        dir: &Path,
        name: &str,
        behind: Behind,
        certificate: &Path,
        key: &Path,
    ) -> anyhow::Result<Self> {
        let dir = dir.join(name);
        std::fs::create_dir(&dir)?;
        let [http, https, admin] = free_addresses();
        std::fs::write(dir.join("tracegate.toml"), configuration([http, https, admin], behind, certificate, key))?;
        std::fs::write(dir.join("upstream.secret"), "bench")?;
        seed(&dir.join("seed"))?;
        let [token, writing] = policies(&dir)?;
        tracegate(&dir, &["init", "--config", "tracegate.toml"])?;
        let mut serve = Command::new(env!("CARGO_BIN_EXE_tracegate"));
        let process = Process::start(serve.args(["serve", "--config", "tracegate.toml"]), &dir, http)?;
        let keys = |token: &str| session(http, token);
        let (reader, writer) = (keys(&token)?, keys(&writing)?);
        let plain = Target { to: http, tls: None };
        let encrypted = Target { to: https, tls: Some(certificate.to_owned()) };
        Ok(Self { process, http: plain, https: encrypted, token, reader, writer })
    }
}

/// The keys of a session, from the credentials door.
fn session(to: SocketAddr, token: &str) -> anyhow::Result<Keys> {
    let body = load::fetch(&Target { to, tls: None }, &bearer(to, token, "/-/credentials"));
    serde_json::from_slice(&body).context("the credentials door answers in JSON")
}

fn configuration(listen: [SocketAddr; 3], behind: Behind, certificate: &Path, key: &Path) -> String {
    let [http, https, admin] = listen;
    let backend = match behind {
        Behind::Embedded => "kind = \"memory\"\nseed = \"seed\"".to_owned(),
        Behind::Bucket(address) => format!(
            "kind = \"s3\"\nendpoint = \"http://{address}\"\nregion = \"{REGION}\"\naddressing = \"path\"\n\
             access_key_id = \"bench\"\nsecret_access_key_file = \"upstream.secret\""
        ),
    };
    let [certificate, key] = [certificate, key].map(|file| PathBuf::from(file).display().to_string());
    format!(
        "version = 1\n[listen]\nhttp = [\"{http}\"]\nhttps = [\"{https}\"]\nadmin = \"{admin}\"\n\
         [tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n[backend]\n{backend}\n\
         [[bucket]]\nname = \"{BUCKET}\"\n[policies]\ndir = \"policies\"\n[keys]\nfile = \"keys.toml\"\n\
         [log]\ndir = \"log\"\nname = \"bench\"\n[control]\ndir = \"control\"\n\
         [limits]\nmax_connections_per_address = 4096\n"
    )
}

/// The objects of the embedded bucket: one folder per bucket.
fn seed(dir: &Path) -> anyhow::Result<()> {
    let small = objects::small();
    for folder in ["raw", "masked"] {
        let folder = dir.join(BUCKET).join(folder);
        std::fs::create_dir_all(&folder)?;
        let mut file = std::fs::File::create(folder.join(SMALL))?;
        small.pieces(0..small.length(), usize::MAX).try_for_each(|piece| file.write_all(&piece))?;
    }
    Ok(())
}

/// Writes the policy set and returns a token of the reader and one of the writer.
fn policies(dir: &Path) -> anyhow::Result<[String; 2]> {
    let role = |name: &str, actions: &str, paths: &str| {
        format!(
            "version = 1\n[role]\nname = \"{name}\"\ndescription = \"A side of the bench\"\nowner = \"bench@example.com\"\n\
             max_session = \"1h\"\n[[allow]]\nid = \"all\"\nactions = [{actions}]\npaths = [\"{BUCKET}/{paths}\"]\n"
        )
    };
    let set = dir.join("policies");
    std::fs::create_dir(&set)?;
    std::fs::write(set.join("reader.toml"), role(READER, "\"get\", \"list\"", "*"))?;
    std::fs::write(set.join("writer.toml"), role(WRITER, "\"put\"", "put/*"))?;
    let mut global = format!(
        "version = 1\nfiles = [\"{READER}.toml\", \"{WRITER}.toml\"]\n[[redact]]\nname = \"bench\"\n\
         paths = [\"{BUCKET}/masked/*\"]\nfields = [\"user_id\", \"api_key\", \"email\", \"*_token\"]\naction = \"mask\"\n"
    );
    let mut tokens = [const { String::new() }; 2];
    for (role, token) in [READER, WRITER].into_iter().zip(&mut tokens) {
        let (made, block) = tracegate(dir, &["token", "new", "--id", role, "--role", role])?;
        *token = made.trim().to_owned();
        // What it says on standard error is to be pasted, below a line for the reader.
        global += &format!("\n{}", &block[block.find("[[").context("no block to paste")?..]);
    }
    std::fs::write(set.join("_global.toml"), global)?;
    Ok(tokens)
}

/// What `tracegate ARGUMENTS` says in that folder, on standard output and error.
fn tracegate(dir: &Path, arguments: &[&str]) -> anyhow::Result<(String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracegate"));
    let done = command.args(arguments).current_dir(dir).stdin(Stdio::null()).output()?;
    let [said, told] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    anyhow::ensure!(done.status.success(), "tracegate {arguments:?} failed: {told}");
    Ok((said, told))
}
