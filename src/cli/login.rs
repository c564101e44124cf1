//! `tracegate login`: a person's way to a token, in the browser or with a device code.
//!
//! The browser form is the authorization code flow with PKCE and a loopback redirect (RFC 8252, RFC 7636); the device
//! form is RFC 8628. The ID token is kept in the user's cache folder, readable by the user alone, and is what
//! `tracegate credentials` exchanges; where the provider gives a refresh token, it is renewed. It is not verified here:
//! the façade does that.

mod cache;
mod loopback;
mod provider;
mod renewal;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use jiff::Timestamp;
use reqwest::Url;
use sha2::{Digest, Sha256};

pub(super) use renewal::token;

use cache::{Kept, Terms};
use provider::{DeviceAnswer, Provider, TokenAnswer, printable};

use super::credentials::client;
use super::{say, tell};
use crate::identity::fetch::{Discovery, Fetch};
use crate::identity::issuer::{IssuerEntry, IssuerTerms};
use crate::identity::json::Json;

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
    /// Scopes to ask for; with `offline_access`, most providers let a login be renewed.
    #[arg(long, default_value = "openid profile email")]
    scope: String,
    /// Certificates (PEM) to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
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
    let token_endpoint = discovery.token_endpoint.clone().context("the issuer has no token endpoint")?;
    let provider = Provider::new(client(&issuer, args.ca.as_deref()).await?, token_endpoint.clone());
    let login = async {
        if args.device {
            by_device(&args, &discovery, &provider).await
        } else {
            by_browser(&args, &discovery, &provider).await
        }
    };
    let answer = tokio::time::timeout(LOGIN_TIMEOUT, login).await.context("nobody logged in within ten minutes")??;
    let kept = Kept {
        terms: Terms {
            issuer: args.issuer,
            client_id: args.client_id,
            scope: args.scope,
            ca: args.ca.map(std::path::absolute).transpose()?,
            token_endpoint,
        },
        refresh_token: answer.refresh_token.clone(),
        id_token: answer.id_token()?,
    };
    let file = cache::file_of(&args.endpoint)?;
    cache::write(&file, &kept).with_context(|| format!("cannot keep the token in {}", file.display()))?;
    say(&format!("logged in; the token is kept in {}", file.display()))
}

async fn by_browser(args: &LoginArgs, discovery: &Discovery, provider: &Provider) -> anyhow::Result<TokenAnswer> {
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
    if args.scope.split(' ').any(|scope| scope == "offline_access") {
        // OpenID Connect Core 1.0, section 11: without a fresh consent the scope is ignored.
        url.query_pairs_mut().append_pair("prompt", "consent");
    }
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
    let answer = provider.tokens(&form).await??;
    check_nonce(answer.clone().id_token()?.expose(), &nonce)?;
    Ok(answer)
}

async fn by_device(args: &LoginArgs, discovery: &Discovery, provider: &Provider) -> anyhow::Result<TokenAnswer> {
    let endpoint = discovery.device_authorization_endpoint.as_deref().context("the issuer knows no device codes")?;
    let form = [("client_id", args.client_id.as_str()), ("scope", &args.scope)];
    let answer: DeviceAnswer = provider.post(endpoint, &form).await??;
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
        match provider.tokens(&form).await? {
            Ok(answer) => return Ok(answer),
            Err(pending) if pending.error == "authorization_pending" => {}
            Err(hurried) if hurried.error == "slow_down" => wait += Duration::from_secs(5),
            Err(refused) => return Err(refused.into()),
        }
    }
    bail!("the code has expired; start again")
}

/// The ID token must answer this login, not an earlier one (OpenID Connect Core 1.0, section 3.1.3.7).
fn check_nonce(token: &str, nonce: &str) -> anyhow::Result<()> {
    let claims = claims(token).context("the ID token cannot be read")?;
    if claims.member("nonce").and_then(Json::text) != Some(nonce) {
        bail!("the ID token answers another login");
    }
    Ok(())
}

/// What a token says, unverified.
fn claims(token: &str) -> Option<Json> {
    Json::parse(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
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
}
