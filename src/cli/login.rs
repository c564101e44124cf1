//! `tracegate login`: a person's way to a token, in the browser or with a device code.
//!
//! The browser form is the authorization code flow with PKCE and a loopback redirect (RFC 8252, RFC 7636); the device
//! form is RFC 8628. The ID token is kept in the user's cache folder, readable by the user alone, and is what
//! `tracegate credentials` exchanges. It is not verified here: the façade does that.

mod cache;
mod loopback;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use jiff::Timestamp;
use reqwest::{Client, Url};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub(super) use cache::cached;

use super::credentials::client;
use super::{say, tell};
use crate::identity::fetch::{Discovery, Fetch};
use crate::identity::issuer::{IssuerEntry, IssuerTerms, is_loopback};
use crate::identity::json::Json;
use crate::identity::secret::SecretText;
use crate::limits::JWKS_BYTES_MAX;

/// Longest time that a person has to log in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(600);

/// Whom to ask, and for which façade.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tracegate login --issuer https://login.example.com --client-id tracegate --endpoint https://traces.example.com
  tracegate login --no-browser --issuer https://login.example.com --client-id tracegate --endpoint https://traces.example.com
  tracegate login --device --issuer https://login.example.com --client-id tracegate --endpoint https://traces.example.com")]
pub struct LoginArgs {
    /// The identity provider, as in the `iss` of its tokens.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The client id under which this program is registered there (a public client with loopback redirects).
    #[arg(long)]
    client_id: String,
    /// The façade that the token is for; `tracegate credentials` finds it by this address.
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// Show a code to enter on another device, instead of opening the browser.
    #[arg(long)]
    device: bool,
    /// Only print the address to log in at; a browser on this machine must open it.
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Scopes to ask for.
    #[arg(long, default_value = "openid profile email")]
    scope: String,
    /// Certificates (PEM) to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<SecretText>,
}

/// A refusal of the provider (RFC 6749, sections 4.1.2.1 and 5.2).
#[derive(Debug, Deserialize)]
struct OAuthError {
    error: String,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: SecretText,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// Logs in and keeps the ID token.
pub async fn run(args: LoginArgs) -> anyhow::Result<()> {
    let issuer = Url::parse(&args.issuer).context("--issuer is no URL")?;
    let terms = IssuerTerms::new(IssuerEntry {
        name: "login".to_owned(),
        issuer: args.issuer.clone(),
        audiences: vec![args.client_id.clone()],
        ca_pem: match &args.ca {
            Some(file) => {
                Some(tokio::fs::read_to_string(file).await.with_context(|| format!("cannot read {}", file.display()))?)
            }
            None => None,
        },
        ..IssuerEntry::default()
    })?;
    let discovery = Fetch::new(terms.ca_pem(), terms.is_plain())?.discover(&terms).await?;
    let client = client(&issuer, args.ca.as_deref()).await?;
    let login = async {
        if args.device {
            by_device(&args, &discovery, &client).await
        } else {
            by_browser(&args, &discovery, &client).await
        }
    };
    let token = tokio::time::timeout(LOGIN_TIMEOUT, login).await.context("nobody logged in within ten minutes")??;
    let file = cache::keep(&args.endpoint, token.expose()).await?;
    say(&format!("logged in; the token is kept in {}", file.display()))
}

async fn by_browser(args: &LoginArgs, discovery: &Discovery, client: &Client) -> anyhow::Result<SecretText> {
    let endpoint = discovery.authorization_endpoint.as_deref().context("the issuer has no authorization endpoint")?;
    let (state, nonce, verifier) = (random(), random(), random());
    let listener = loopback::Listener::bind().await?;
    let redirect = listener.redirect_uri();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let mut url = Url::parse(endpoint).context("the issuer's authorization endpoint is no URL")?;
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", &args.client_id),
        ("redirect_uri", &redirect),
        ("scope", &args.scope),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    tell(&format!("Log in at:\n  {url}"))?;
    if !args.no_browser {
        open_browser(&url);
    }
    let code = listener.code(&state).await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("client_id", &args.client_id),
        ("code_verifier", &verifier),
    ];
    let token = ask_token(client, discovery, &form).await??.token()?;
    check_nonce(token.expose(), &nonce)?;
    Ok(token)
}

async fn by_device(args: &LoginArgs, discovery: &Discovery, client: &Client) -> anyhow::Result<SecretText> {
    let endpoint = discovery.device_authorization_endpoint.as_deref().context("the issuer knows no device codes")?;
    let form = [("client_id", args.client_id.as_str()), ("scope", &args.scope)];
    let answer: DeviceAnswer = post(client, endpoint, &form).await??;
    let place = answer.verification_uri_complete.as_deref().unwrap_or(&answer.verification_uri);
    tell(&format!("Open {} and enter the code {}", printable(place), printable(&answer.user_code)))?;
    let ends = Timestamp::now().checked_add(Duration::from_secs(answer.expires_in))?;
    let mut wait = Duration::from_secs(answer.interval.unwrap_or(5).max(1));
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", answer.device_code.expose()),
        ("client_id", &args.client_id),
    ];
    while Timestamp::now() < ends {
        tokio::time::sleep(wait).await;
        match ask_token(client, discovery, &form).await? {
            Ok(answer) => return answer.token(),
            Err(pending) if pending.error == "authorization_pending" => {}
            Err(hurried) if hurried.error == "slow_down" => wait += Duration::from_secs(5),
            Err(refused) => return Err(refused.into()),
        }
    }
    bail!("the code has expired; start again")
}

impl TokenAnswer {
    fn token(self) -> anyhow::Result<SecretText> {
        self.id_token.context("the issuer gave no ID token; does the scope hold openid?")
    }
}

impl std::error::Error for OAuthError {}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identity provider refuses: {}", printable(&self.error))?;
        match &self.error_description {
            Some(description) => write!(f, " ({})", printable(description)),
            None => Ok(()),
        }
    }
}

/// What another said, without what would steer the terminal, and no longer than a line or two.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

async fn ask_token(
    client: &Client,
    discovery: &Discovery,
    form: &[(&str, &str)],
) -> anyhow::Result<Result<TokenAnswer, OAuthError>> {
    let endpoint = discovery.token_endpoint.as_deref().context("the issuer has no token endpoint")?;
    post(client, endpoint, form).await
}

/// What an endpoint of the provider gives, or why it refuses.
async fn post<T: serde::de::DeserializeOwned>(
    client: &Client,
    url: &str,
    form: &[(&str, &str)],
) -> anyhow::Result<Result<T, OAuthError>> {
    let url = Url::parse(url).context("the issuer names an endpoint that is no URL")?;
    if url.scheme() != "https" && !is_loopback(&url) {
        bail!("the issuer names an endpoint that is not https: {url}");
    }
    let sent = client.post(url.clone()).form(form).send().await;
    let mut response = sent.with_context(|| format!("{url} does not answer"))?;
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > JWKS_BYTES_MAX {
            bail!("{url} answers too much");
        }
        body.extend_from_slice(&chunk);
    }
    let unreadable = || format!("{url} answers HTTP {} without readable JSON", response.status().as_u16());
    if response.status().is_success() {
        serde_json::from_slice(&body).map(Ok).with_context(unreadable)
    } else {
        serde_json::from_slice(&body).map(Err).with_context(unreadable)
    }
}

/// The ID token must answer this login, not an earlier one (OpenID Connect Core 1.0, section 3.1.3.7).
fn check_nonce(token: &str, nonce: &str) -> anyhow::Result<()> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|bytes| Json::parse(&bytes).ok()).context("the ID token cannot be read")?;
    if claims.member("nonce").and_then(Json::text) != Some(nonce) {
        bail!("the ID token answers another login");
    }
    Ok(())
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Opens the browser where there is one; the address was printed in any case.
fn open_browser(url: &Url) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let started =
        std::process::Command::new(program).arg(url.as_str()).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    if let Err(error) = started {
        tracing::debug!(%error, "no browser was opened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_must_be_ours() {
        let token = |claims: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        assert!(check_nonce(&token(r#"{"nonce":"n1"}"#), "n1").is_ok());
        for claims in [r#"{"nonce":"n2"}"#, "{}", r#"{"nonce":1}"#, r#"{"nonce":"n1","nonce":"n1"}"#, ""] {
            assert!(check_nonce(&token(claims), "n1").is_err(), "{claims}");
        }
        assert!(check_nonce("", "n1").is_err());
    }

    #[test]
    fn a_refusal_does_not_steer_the_terminal() {
        let refusal =
            |error_description: Option<String>| OAuthError { error: "access_denied".to_owned(), error_description };
        assert_eq!(refusal(None).to_string(), "the identity provider refuses: access_denied");
        let steering = refusal(Some(format!("no\x1b[2J{}", "o".repeat(900)))).to_string();
        assert!(steering.starts_with("the identity provider refuses: access_denied (no[2Jooo"), "{steering}");
        assert!(steering.len() < 300, "{}", steering.len());
    }
}
