//! `tracegate credentials`: a `credential_process` for AWS SDKs and tools.
//!
//! It exchanges a token (a file, a command, or what `tracegate login` keeps) at the credentials door and prints what
//! the SDK's guide calls "process credential provider" JSON.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{login, say};
use crate::identity::RoleName;
use crate::identity::fetch::install_crypto_provider;
use crate::identity::issuer::is_loopback;
use crate::identity::secret::SecretText;
use crate::identity::token::UnverifiedToken;
use crate::limits::{JWKS_BYTES_MAX, JWT_BYTES_MAX};

/// Where to go, as whom.
#[derive(Debug, Args)]
#[command(after_help = "Examples (in ~/.aws/config):
  [profile traces]
  credential_process = tracegate credentials --endpoint https://traces.example.com --role analyst
  endpoint_url = https://traces.example.com
  region = tracegate

Without --token-file and --token-command, the token of `tracegate login --endpoint URL` is used.")]
pub struct CredentialsArgs {
    /// The façade's address.
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// The role; needed where the token holds several.
    #[arg(long)]
    role: Option<String>,
    /// A file with the token.
    #[arg(long, value_name = "FILE", conflicts_with = "token_command")]
    token_file: Option<PathBuf>,
    /// A command that prints the token; it is run by the shell.
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
    /// Certificates (PEM) to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// What the door answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DoorAnswer {
    access_key_id: String,
    secret_access_key: SecretText,
    token: SecretText,
    expiration: String,
}

/// What a `credential_process` prints.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessOutput<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: &'a str,
}

#[derive(Deserialize)]
struct DoorError {
    message: String,
}

/// Exchanges the token and prints the credentials.
pub async fn run(args: CredentialsArgs) -> anyhow::Result<()> {
    let url = door_url(&args.endpoint, args.role.as_deref())?;
    let token = token(&args).await?;
    let answer = ask(url, &token, args.ca.as_deref()).await?;
    let output = ProcessOutput {
        version: 1,
        access_key_id: &answer.access_key_id,
        secret_access_key: answer.secret_access_key.expose(),
        session_token: answer.token.expose(),
        expiration: &answer.expiration,
    };
    say(&Zeroizing::new(serde_json::to_string(&output)?))
}

/// The door's address. A token leaves over plain HTTP to this machine only.
fn door_url(endpoint: &str, role: Option<&str>) -> anyhow::Result<Url> {
    let base = Url::parse(endpoint).context("--endpoint is no URL")?;
    if base.scheme() != "https" && !(base.scheme() == "http" && is_loopback(&base)) {
        bail!("--endpoint must be https, or http to this machine: the token would travel in the open");
    }
    let path = match role {
        Some(role) => {
            let role: RoleName = role.parse().map_err(anyhow::Error::msg).context("--role")?;
            format!("/-/credentials/{role}")
        }
        None => "/-/credentials".to_owned(),
    };
    Ok(base.join(&path)?)
}

async fn token(args: &CredentialsArgs) -> anyhow::Result<UnverifiedToken> {
    let text = match (&args.token_file, &args.token_command) {
        (Some(file), _) => Zeroizing::new(
            tokio::fs::read_to_string(file).await.with_context(|| format!("cannot read {}", file.display()))?,
        ),
        (None, Some(command)) => printed(command).await?,
        (None, None) => login::token(&args.endpoint).await?,
    };
    if text.len() > 2 * JWT_BYTES_MAX {
        bail!("the token is too long");
    }
    Ok(UnverifiedToken::new(&text)?)
}

async fn printed(command: &str) -> anyhow::Result<Zeroizing<String>> {
    let output = Command::new("sh").arg("-c").arg(command).stderr(std::process::Stdio::inherit()).output().await?;
    if !output.status.success() {
        bail!("the token command failed ({})", output.status);
    }
    Ok(Zeroizing::new(String::from_utf8(output.stdout).context("the token command printed no text")?))
}

async fn ask(url: Url, token: &UnverifiedToken, ca: Option<&std::path::Path>) -> anyhow::Result<DoorAnswer> {
    let client = client(&url, ca).await?;
    let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
    value.set_sensitive(true);
    let sent = client.get(url.clone()).header(reqwest::header::AUTHORIZATION, value).send().await;
    let mut response = sent.with_context(|| format!("{url} does not answer"))?;
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > JWKS_BYTES_MAX {
            bail!("{url} answers too much");
        }
        body.extend_from_slice(&chunk);
    }
    if response.status().is_success() {
        return serde_json::from_slice(&body).with_context(|| format!("{url} is no tracegate"));
    }
    match serde_json::from_slice::<DoorError>(&body) {
        Ok(error) => bail!("{}", error.message),
        Err(_) => bail!("{url} answers HTTP {}", response.status().as_u16()),
    }
}

/// A client that follows no redirects, so that a token goes where it was meant to.
pub(super) async fn client(url: &Url, ca: Option<&std::path::Path>) -> anyhow::Result<reqwest::Client> {
    install_crypto_provider();
    let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(std::time::Duration::from_secs(30));
    let builder = match ca {
        Some(file) => {
            let pem = tokio::fs::read(file).await.with_context(|| format!("cannot read {}", file.display()))?;
            builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?)
        }
        None if url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_leave_encrypted_or_not_at_all() {
        let check = |endpoint: &str, role: Option<&str>, want: Option<&str>| {
            assert_eq!(door_url(endpoint, role).ok().map(String::from).as_deref(), want, "{endpoint} {role:?}");
        };
        check("https://t.example", None, Some("https://t.example/-/credentials"));
        check("https://t.example/", Some("a-b"), Some("https://t.example/-/credentials/a-b"));
        check("http://127.0.0.1:9000", None, Some("http://127.0.0.1:9000/-/credentials"));
        check("http://t.example", None, None);
        check("https://t.example", Some("../x"), None);
        check("t.example", None, None);
    }

    #[tokio::test]
    async fn the_door_is_asked_and_its_words_are_shown() {
        use axum::Router;
        use axum::http::{HeaderMap, StatusCode};
        use axum::routing::get;

        let answer = async |headers: HeaderMap| match headers["authorization"].to_str() {
            Ok("Bearer a.b.c") => (
                StatusCode::OK,
                r#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-20T10:00:00Z","RoleArn":"r"}"#,
            ),
            _ => (StatusCode::FORBIDDEN, r#"{"code":"AccessDenied","message":"This token holds no role here."}"#),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = door_url(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
        let router = Router::new().route("/-/credentials", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let sound = ask(url.clone(), &UnverifiedToken::new("a.b.c\n").unwrap(), None).await.unwrap();
        assert_eq!((sound.access_key_id.as_str(), sound.token.expose()), ("ASIA", "t"));
        let refused = ask(url, &UnverifiedToken::new("x").unwrap(), None).await.map(drop).unwrap_err();
        assert_eq!(refused.to_string(), "This token holds no role here.");
    }

    #[test]
    fn the_output_is_what_sdks_read() {
        let output = ProcessOutput {
            version: 1,
            access_key_id: "ASIA",
            secret_access_key: "s",
            session_token: "t",
            expiration: "2026-11-20T10:00:00Z",
        };
        assert_eq!(
            serde_json::to_string(&output).unwrap(),
            r#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-20T10:00:00Z"}"#
        );
    }
}
