//! What we are compared with: nginx, which only passes bytes on, and `s3s-proxy`, which speaks S3 on both sides.
//!
//! Both are installed on first use by `tests/support/install.py`, which says what a machine lacks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::load::Target;
use crate::process::{Process, free_addresses};
use crate::requests::{Keys, REGION};

/// A running nginx.
pub(crate) struct Nginx {
    pub(crate) process: Process,
    pub(crate) http: Target,
    pub(crate) https: Target,
}

impl Nginx {
    /// Starts it in front of the bucket, with as many workers as the façade has.
    pub(crate) fn start(dir: &Path, bucket: SocketAddr, certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let program = installed("nginx")?.join("nginx");
        let dir = dir.join("nginx");
        std::fs::create_dir(&dir)?;
        let [http, https] = free_addresses();
        let workers = std::thread::available_parallelism()?.get();
        let [certificate, key] = [certificate, key].map(|file| file.display().to_string());
        std::fs::write(
            dir.join("nginx.conf"),
            NGINX
                .replace("@WORKERS", &workers.to_string())
                .replace("@BUCKET", &bucket.to_string())
                .replace("@HTTPS", &https.to_string())
                .replace("@HTTP", &http.to_string())
                .replace("@CERTIFICATE", &certificate)
                .replace("@KEY", &key),
        )?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&dir).args(["-c", "nginx.conf", "-e", "stderr"]);
        let process = Process::start(&mut command, &dir, http)?;
        let encrypted = Target { to: https, tls: Some(certificate.into()) };
        Ok(Self { process, http: Target { to: http, tls: None }, https: encrypted })
    }
}

/// Connections are kept on both sides, nothing is written to a disk, neither a log nor a body, and buffers are large
/// enough for a stream at full speed.
const NGINX: &str = "
daemon off;
worker_processes @WORKERS;
pid nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 0;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  upstream bucket {
    server @BUCKET;
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen @HTTP;
    listen @HTTPS ssl;
    ssl_certificate @CERTIFICATE;
    ssl_certificate_key @KEY;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://bucket;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_buffer_size 16k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      client_body_buffer_size 256k;
    }
  }
}
";

/// A running `s3s-proxy`.
pub(crate) struct S3sProxy {
    pub(crate) process: Process,
    pub(crate) http: Target,
    /// The one caller that it knows; it signs with the same to the bucket.
    pub(crate) keys: Keys,
}

impl S3sProxy {
    /// Starts it in front of the bucket.
    pub(crate) fn start(dir: &Path, bucket: SocketAddr) -> anyhow::Result<Self> {
        let program = installed("s3s-proxy")?.join("bin/s3s-proxy");
        let dir = dir.join("s3s-proxy");
        std::fs::create_dir(&dir)?;
        let [http] = free_addresses();
        let keys = Keys { access_key_id: "bench".into(), secret_access_key: "bench-secret".into(), token: None };
        let mut command = Command::new(program);
        command
            .args(["--host", &http.ip().to_string(), "--port", &http.port().to_string()])
            .args(["--endpoint-url", &format!("http://{bucket}")])
            .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
            .env("AWS_REGION", REGION);
        let process = Process::start(&mut command, &dir, http)?;
        Ok(Self { process, http: Target { to: http, tls: None }, keys })
    }
}

/// The folder of an installed tool, by its name in `install.py`.
fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/install.py");
    let done = Command::new("python3").arg(install).arg(name).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(done.status.success(), "{name} cannot be installed; the lines of `test tools:` above say why");
    let folders: serde_json::Value = serde_json::from_slice(&done.stdout)?;
    let folder = folders[name].as_str().map(PathBuf::from);
    folder.ok_or_else(|| anyhow::anyhow!("install.py does not say where {name} is"))
}
