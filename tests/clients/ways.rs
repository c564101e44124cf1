//! The ways in: a door, and whether the connection is plain or TLS with a certificate that only the test's settings
//! make trusted. All that a client is told of them is its environment.

use std::path::Path;

use serde_json::Value;

use super::facade;
use super::support::facade::Facade;

/// Where a client gets its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `GET /-/credentials`, as on a container.
    Container,
    /// `AssumeRoleWithWebIdentity` of the endpoint itself.
    WebIdentity,
    /// `tracegate credentials`, as a profile's `credential_process`.
    Process,
    /// Keys and session token in the environment, made at `/-/credentials`.
    Keys,
}

impl Door {
    /// All, in the order of the page's columns.
    pub(crate) const ALL: [Self; 4] = [Self::Container, Self::WebIdentity, Self::Process, Self::Keys];

    /// As the page calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::WebIdentity => "web identity",
            Self::Process => "process",
            Self::Keys => "keys",
        }
    }
}

/// How a client connects, to the door as to the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Https,
}

impl Transport {
    /// Both, in the order of the page.
    pub(crate) const ALL: [Self; 2] = [Self::Http, Self::Https];

    /// As the page calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
        }
    }
}

/// A door, and how to get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way(pub(crate) Door, pub(crate) Transport);

impl Way {
    /// Each door over each transport.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Door::ALL.into_iter().flat_map(|door| Transport::ALL.map(|transport| Self(door, transport)))
    }

    /// The environment of a client that comes in this way, for this role. `home` is its home folder.
    pub(crate) fn environment(self, facade: &Facade, role: &str, home: &Path) -> Vec<(&'static str, String)> {
        let transport = self.1;
        let url = match transport {
            Transport::Http => facade.http(),
            Transport::Https => facade.https(),
        };
        let mut env = nowhere_else();
        // object_store asks there, where nobody else gives it credentials.
        env.push(("AWS_METADATA_ENDPOINT", format!("{}/-", facade.http())));
        env.extend([("ENDPOINT", url.clone()), ("AWS_ENDPOINT_URL", url.clone())]);
        env.extend(["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| (name, "tracegate".to_owned())));
        if transport == Transport::Https {
            let ca = facade.ca().to_str().unwrap().to_owned();
            env.extend(["AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].map(|name| (name, ca.clone())));
        }
        env.extend(self.at_the_door(facade, role, home, &url));
        env
    }

    fn at_the_door(self, facade: &Facade, role: &str, home: &Path, url: &str) -> Vec<(&'static str, String)> {
        let token = facade::token_file();
        match self.0 {
            Door::Container => vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/-/credentials/{role}")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_owned()),
            ],
            Door::WebIdentity => vec![
                ("AWS_ROLE_ARN", format!("arn:aws:iam::000000000000:role/{role}")),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_owned()),
                // To rclone and object_store the general setting says nothing of the token service.
                ("AWS_ENDPOINT_URL_STS", url.to_owned()),
            ],
            Door::Process => {
                let (binary, ca) = (env!("CARGO_BIN_EXE_tracegate"), facade.ca());
                let trust = if self.1 == Transport::Https { format!(" --ca {}", ca.display()) } else { String::new() };
                let command =
                    format!("{binary} credentials --endpoint {url} --role {role} --token-file {token}{trust}");
                let config = home.join("config");
                std::fs::write(&config, format!("[default]\ncredential_process = {command}\n")).unwrap();
                vec![("AWS_CONFIG_FILE", config.to_str().unwrap().to_owned())]
            }
            Door::Keys => {
                let session: Value = facade::ask(role, "/-/credentials").json();
                let text = |name: &str| session[name].as_str().unwrap().to_owned();
                vec![
                    ("AWS_ACCESS_KEY_ID", text("AccessKeyId")),
                    ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")),
                    ("AWS_SESSION_TOKEN", text("Token")),
                ]
            }
        }
    }
}

/// A client that looks for anything but loopback is refused at once.
pub(crate) fn nowhere_else() -> Vec<(&'static str, String)> {
    let nobody = "http://127.0.0.1:9".to_owned();
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, nobody.clone()));
    proxies.into_iter().chain([("no_proxy", "127.0.0.1,localhost".to_owned())]).collect()
}
