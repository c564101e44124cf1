//! LocalStack, started by the same entry module, init hook and seed as the image of docker-compose.yml.
//!
//! It speaks S3 faithfully and enforces nothing: a wrong secret, an unknown key and no signature at all are served. What
//! must be refused is tested against [`super::seaweedfs`].

use std::path::Path;

use super::server::{Recipe, Server};
use super::{AccessKey, http, install};

/// A running LocalStack.
#[derive(Debug)]
pub(crate) struct LocalStack {
    server: Server,
    /// Where it answers, without a slash at the end.
    pub(crate) endpoint: String,
}

impl LocalStack {
    /// The bucket that the hook makes and seeds; versioned.
    pub(crate) const SEEDED_BUCKET: &str = "traces";
    /// The region that it was started for.
    pub(crate) const REGION: &str = "us-east-1";
    /// A key that it takes, as it takes any.
    pub(crate) const KEY: AccessKey = AccessKey { id: "test", secret: "test" };

    /// Starts one and waits until its hooks have run.
    pub(crate) fn start() -> Self {
        let venv = install::tool("localstack");
        let (server, [port]) = Server::start("localstack", |work, [port]| recipe(&venv, work, port), hooks_have_run);
        Self { server, endpoint: format!("http://127.0.0.1:{port}") }
    }

    /// The folder that it runs and keeps its objects in.
    pub(crate) fn work(&self) -> &Path {
        self.server.work()
    }
}

fn hooks_have_run([port]: [u16; 1]) -> bool {
    http::get(&format!("http://127.0.0.1:{port}/_localstack/init/ready"))
        .is_ok_and(|answer| answer.status == 200 && answer.json()["completed"] == true)
}

/// How it is run, in a folder of its own.
pub(crate) fn recipe(venv: &Path, work: &Path, port: u16) -> Recipe {
    let source = install::repository().join("localstack");
    let hooks = work.join("etc/localstack/init/ready.d");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in std::fs::read_dir(source.join("init/ready.d")).unwrap() {
        let hook = hook.unwrap();
        std::fs::copy(hook.path(), hooks.join(hook.file_name())).unwrap();
    }
    let address = format!("127.0.0.1:{port}");
    let path = std::env::join_paths(
        std::iter::once(venv.join("bin")).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    Recipe {
        program: venv.join("bin/python"),
        args: vec![source.join("localstack_main.py").into()],
        env: vec![
            ("PATH", path.unwrap()),
            ("FILESYSTEM_ROOT", work.into()),
            ("CONFIG_DIR", work.join("config").into()),
            ("SEED_DIR", source.join("seed").into()),
            ("LOCALSTACK_BIND", "127.0.0.1".into()),
            ("GATEWAY_LISTEN", address.as_str().into()),
            ("LOCALSTACK_HOST", address.as_str().into()),
            ("GATEWAY_SERVER", "twisted".into()),
            ("OVERRIDE_IN_DOCKER", "0".into()),
            ("SERVICES", "s3,sts".into()),
            ("STRICT_SERVICE_LOADING", "1".into()),
            ("EAGER_SERVICE_LOADING", "1".into()),
            // Presigned URLs are checked; signed headers never are.
            ("S3_SKIP_SIGNATURE_VALIDATION", "0".into()),
            // Nothing leaves loopback: no usage events, no certificate download, no name server.
            ("DISABLE_EVENTS", "1".into()),
            ("SKIP_SSL_CERT_DOWNLOAD", "1".into()),
            ("DNS_ADDRESS", "0".into()),
            ("LS_LOG", "warning".into()),
            ("AWS_ENDPOINT_URL", format!("http://{address}").into()),
            ("AWS_ACCESS_KEY_ID", LocalStack::KEY.id.into()),
            ("AWS_SECRET_ACCESS_KEY", LocalStack::KEY.secret.into()),
            ("AWS_DEFAULT_REGION", LocalStack::REGION.into()),
        ],
    }
}
