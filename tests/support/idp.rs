//! Two OpenID providers of different make. Both know the users alice, bob, carol, dave, erin and frank; both issue
//! their tokens for the audience `tracegate`, at the end of a real login.

use std::path::Path;

use super::server::{Recipe, Server};
use super::{http, install};

/// `aud` of the tokens that are meant for the façade; the client id of its people.
pub(crate) const AUDIENCE: &str = "tracegate";
/// Where a login of the second provider would send a browser; nobody listens there.
const CALLBACK: &str = "http://127.0.0.1/callback";

/// panva's oidc-provider, run by the script of docker-compose.yml.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    server: Server,
    /// The issuer: where it answers, without a slash at the end.
    pub(crate) issuer: String,
}

impl OidcProvider {
    /// Starts one whose tokens live for an hour.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with settings of its own, as the head of `oidc-op.mjs` lists them.
    pub(crate) fn start_with(settings: &[(&'static str, &str)]) -> Self {
        let modules = install::tool("oidc-provider").join("node_modules");
        let recipe = |work: &Path, [port]: [u16; 1]| {
            // Node looks for packages beside the script.
            let script = work.join("oidc-op.mjs");
            std::fs::copy(install::repository().join("localstack/idp/oidc-op.mjs"), &script).unwrap();
            std::os::unix::fs::symlink(&modules, work.join("node_modules")).unwrap();
            let own = [("HOST", "127.0.0.1".into()), ("PORT", port.to_string().into())];
            let given = settings.iter().map(|(name, value)| (*name, (*value).into()));
            Recipe { program: "node".into(), args: vec![script.into()], env: own.into_iter().chain(given).collect() }
        };
        let (server, [port]) = Server::start("oidc-provider", recipe, |[port]| discovers(port));
        Self { server, issuer: format!("http://127.0.0.1:{port}") }
    }

    /// A user's ID token, after a login by code flow with PKCE.
    pub(crate) fn token(&self, user: &str) -> String {
        self.token_of(&[("user", user)])
    }

    /// A user's access token (a JWT, RFC 9068) of the same login.
    pub(crate) fn access_token(&self, user: &str) -> String {
        self.token_of(&[("user", user), ("kind", "access")])
    }

    /// An ID token that the provider issued to another application, `wiki`: its audience is not the façade.
    pub(crate) fn token_for_another(&self, user: &str) -> String {
        self.token_of(&[("user", user), ("client", "wiki")])
    }

    /// An ID token that carries this nonce.
    pub(crate) fn token_with_nonce(&self, user: &str, nonce: &str) -> String {
        self.token_of(&[("user", user), ("nonce", nonce)])
    }

    /// The access token of the machine `ci`, by client credentials; its only group is `svc-ci`.
    pub(crate) fn machine_token(&self) -> String {
        let basic = "Basic Y2k6Y2ktc2VjcmV0LWNpLXNlY3JldC1jaS1zZWNyZXQtMDA="; // ci:ci-secret-…
        let form = [("grant_type", "client_credentials"), ("scope", "s3")];
        let answer = http::post_form(&format!("{}/token", self.issuer), &form, &[("authorization", basic)]).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Any claims under any header, signed by the provider's newest key: what only a faulty provider would issue.
    pub(crate) fn sign(&self, header: &serde_json::Value, claims: &serde_json::Value) -> String {
        let body = serde_json::json!({"header": header, "claims": claims}).to_string();
        self.ask("POST", "/_test/sign", body.as_bytes())
    }

    /// Puts a new signing key first in the key set, and answers its id; the old ones stay.
    pub(crate) fn rotate(&self) -> String {
        self.ask("POST", "/_test/rotate", b"")
    }

    /// Leaves only the newest signing key in the key set.
    pub(crate) fn drop_old_keys(&self) {
        self.ask("POST", "/_test/drop-old", b"");
    }

    fn token_of(&self, query: &[(&str, &str)]) -> String {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.ask("GET", &format!("/_test/token?{}", query.join("&")), b"")
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let answer = http::send(method, &format!("{}{path}", self.issuer), &[], body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }
}

/// oidc-provider-mock, which is Authlib behind Flask: code flow without PKCE, ID tokens only (its access tokens are
/// opaque), whose header names no key (`kid`) and whose `aud` is a list; one key, without rotation.
#[derive(Debug)]
pub(crate) struct SecondProvider {
    server: Server,
    /// The issuer: where it answers, without a slash at the end.
    pub(crate) issuer: String,
}

impl SecondProvider {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let program = install::tool("oidc-provider-mock").join("bin/oidc-provider-mock");
        let recipe = |_: &Path, [port]: [u16; 1]| {
            let mut args = vec!["--host".into(), "127.0.0.1".into(), "--port".into(), port.to_string().into()];
            for user in users() {
                args.extend(["--user-claims".into(), user.to_string().into()]);
            }
            Recipe { program: program.clone(), args, env: Vec::new() }
        };
        let (server, [port]) = Server::start("oidc-provider-mock", recipe, |[port]| discovers(port));
        Self { server, issuer: format!("http://127.0.0.1:{port}") }
    }

    /// A user's ID token, after a login by code flow.
    pub(crate) fn token(&self, user: &str) -> String {
        let page = format!(
            "{}/oauth2/authorize?response_type=code&client_id={AUDIENCE}&scope=openid%20email&redirect_uri={CALLBACK}",
            self.issuer
        );
        let sent_back = http::post_form(&page, &[("sub", user)], &[]).unwrap();
        let location = sent_back.header("location").unwrap_or_else(|| panic!("{}", sent_back.text()));
        let (_, code) = location.split_once("code=").unwrap();
        let code = code.split('&').next().unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", AUDIENCE),
            ("client_secret", "any"),
        ];
        let answer = http::post_form(&format!("{}/oauth2/token", self.issuer), &form, &[]).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id_token"].as_str().unwrap().to_owned()
    }
}

/// The users of the second provider: the groups are those of the first one's.
fn users() -> [serde_json::Value; 6] {
    let teams: Vec<String> = (0..249).map(|i| format!("team-{i}")).chain(["support".to_owned()]).collect();
    let user = |name: &str, groups: serde_json::Value| serde_json::json!({"sub": name, "email": format!("{name}@example.test"), "groups": groups});
    [
        user("alice", serde_json::json!(["trace-owners"])),
        user("bob", serde_json::json!(["sec-compliance"])),
        user("carol", serde_json::json!(["support"])),
        serde_json::json!({
            "sub": "dave", "email": "dave@example.test", "groups": ["data-science"], "namespace": "model-B",
        }),
        user("erin", serde_json::json!(teams)),
        serde_json::json!({"sub": "frank", "email": "frank@example.test"}),
    ]
}

fn discovers(port: u16) -> bool {
    let page = format!("http://127.0.0.1:{port}/.well-known/openid-configuration");
    http::get(&page).is_ok_and(|answer| answer.status == 200)
}
