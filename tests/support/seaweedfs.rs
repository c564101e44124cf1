//! SeaweedFS, the bucket that enforces: it refuses a wrong signature, an unknown key, an anonymous request, an expired
//! presigned URL, a body that does not match its digest, and what an identity may not do. It serves HTTPS too, with a
//! certificate of an authority of its own, and exchanges the first provider's tokens for temporary credentials (STS).

use std::path::{Path, PathBuf};

use super::authority::{Authority, Files};
use super::server::{Recipe, Server};
use super::{AccessKey, http, install};

/// What every port serves, in the order of the flags that take them. All listen on loopback only.
const PORT_FLAGS: [&str; 11] = [
    "s3.port",
    "s3.port.https",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "admin.port",
    "admin.port.grpc",
];

/// A running SeaweedFS.
#[derive(Debug)]
pub(crate) struct SeaweedFs {
    server: Server,
    /// Where its S3 API and STS answer, without a slash at the end.
    pub(crate) endpoint: String,
    /// The same over HTTPS, which [`Self::ca`] proves.
    pub(crate) https: String,
    /// The certificate of its authority.
    pub(crate) ca: PathBuf,
}

impl SeaweedFs {
    /// Any region will do; this one is signed for.
    pub(crate) const REGION: &str = "us-east-1";
    /// May do everything.
    pub(crate) const ADMIN: AccessKey = AccessKey { id: "admin", secret: "admin-secret" };
    /// May read and list [`Self::READABLE_BUCKET`], nothing else.
    pub(crate) const READER: AccessKey = AccessKey { id: "reader", secret: "reader-secret" };
    /// The bucket of [`Self::READER`]; it exists.
    pub(crate) const READABLE_BUCKET: &str = "readable";
    /// What the first provider's people may assume: it reads the buckets behind the façades, and does nothing else.
    pub(crate) const ROLE: &str = "arn:aws:iam::role/facade";

    /// Starts one and waits until it refuses an anonymous request, as only the whole of it does.
    pub(crate) fn start() -> Self {
        let venv = install::tool("seaweedfs");
        let (server, ports) = Server::start("seaweedfs", |work, ports| recipe(&venv, work, ports), refuses_anonymous);
        let ca = Files::of(server.work()).ca;
        let (endpoint, https) = (format!("http://127.0.0.1:{}", ports[0]), format!("https://127.0.0.1:{}", ports[1]));
        Self { server, endpoint, https, ca }
    }
}

fn refuses_anonymous(ports: [u16; PORT_FLAGS.len()]) -> bool {
    let bucket = format!("http://127.0.0.1:{}/{}/", ports[0], SeaweedFs::READABLE_BUCKET);
    http::get(&bucket).is_ok_and(|answer| answer.status == 403)
}

fn recipe(venv: &Path, work: &Path, ports: [u16; PORT_FLAGS.len()]) -> Recipe {
    let identity = |name: &str, key: AccessKey, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{"accessKey": key.id, "secretKey": key.secret}],
            "actions": actions,
        })
    };
    let read = format!("Read:{}", SeaweedFs::READABLE_BUCKET);
    let list = format!("List:{}", SeaweedFs::READABLE_BUCKET);
    let identities = serde_json::json!({"identities": [
        identity("admin", SeaweedFs::ADMIN, &["Admin", "Read", "Write", "List", "Tagging"]),
        identity("reader", SeaweedFs::READER, &[&read, &list]),
    ]});
    std::fs::write(work.join("s3.json"), identities.to_string()).unwrap();
    std::fs::write(work.join("iam.json"), sts(&super::oidc_provider().issuer).to_string()).unwrap();
    Authority::new("the authority of the bucket").issue(work);
    let mut args: Vec<String> = [
        "mini",
        "-dir=.",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.config=s3.json",
        "-s3.iam.config=iam.json",
        "-s3.cert.file=certificate.pem",
        "-s3.key.file=key.pem",
        "-s3.autoCreateBucket=false",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-volume.preStopSeconds=0",
        // Each bucket takes several volumes; small ones, so that many buckets fit.
        "-master.volumeSizeLimitMB=16",
        // A relative name: a socket's path may be no longer than about a hundred bytes.
        "-filer.localSocket=filer.sock",
        "-s3.localSocket=s3.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    .map(str::to_owned)
    .to_vec();
    args.push(format!("-bucket={}", SeaweedFs::READABLE_BUCKET));
    args.extend(PORT_FLAGS.iter().zip(ports).map(|(flag, port)| format!("-{flag}={port}")));
    Recipe {
        program: venv.join("bin/weed"),
        args: args.into_iter().map(Into::into).collect(),
        env: vec![("HOME", work.into())],
    }
}

/// Its STS: the provider's tokens open [`SeaweedFs::ROLE`], which may do what docs/OPERATIONS.md says that tracegate needs.
fn sts(issuer: &str) -> serde_json::Value {
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Federated": "op"}, "Action": ["sts:AssumeRoleWithWebIdentity"],
    }]});
    let reads = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObjectAttributes", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::real-*", "arn:aws:s3:::real-*/*"],
    }]});
    serde_json::json!({
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "weed-sts",
            "signingKey": "dGhlIHNpZ25pbmcga2V5IG9mIG9uZSB0ZXN0J3MgU1RTLg==",
        },
        "providers": [{
            "name": "op",
            "type": "oidc",
            "enabled": true,
            "config": {
                "issuer": issuer, "clientId": super::idp::AUDIENCE, "jwksUri": format!("{issuer}/jwks"),
            },
        }],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [{
            "roleName": "facade", "roleArn": SeaweedFs::ROLE, "trustPolicy": trust, "attachedPolicies": ["reads"],
        }],
        "policies": [{"name": "reads", "document": reads}],
    })
}
