//! What a login asks of the identity provider, besides its pages: tokens and device codes (RFC 6749, RFC 8628).

use std::fmt;

use anyhow::{Context as _, bail};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::identity::issuer::is_loopback;
use crate::identity::secret::SecretText;
use crate::limits::JWKS_BYTES_MAX;

/// The provider's endpoints for programs.
pub(super) struct Provider {
    client: Client,
    token_endpoint: String,
}

/// What the token endpoint gives.
#[derive(Clone, Deserialize)]
pub(super) struct TokenAnswer {
    id_token: Option<SecretText>,
    /// Where the provider lets the login be renewed.
    pub(super) refresh_token: Option<SecretText>,
}

/// What the device authorization endpoint gives (RFC 8628, section 3.2).
#[derive(Deserialize)]
pub(super) struct DeviceAnswer {
    pub(super) device_code: SecretText,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    /// In seconds.
    pub(super) expires_in: u64,
    /// In seconds.
    pub(super) interval: Option<u64>,
}

/// A refusal of the provider (RFC 6749, sections 4.1.2.1 and 5.2).
#[derive(Debug, Deserialize)]
pub(super) struct OAuthError {
    /// The code.
    pub(super) error: String,
    /// Its explanation.
    pub(super) error_description: Option<String>,
}

impl Provider {
    pub(super) fn new(client: Client, token_endpoint: String) -> Self {
        Self { client, token_endpoint }
    }

    /// Tokens for a grant.
    pub(super) async fn tokens(&self, grant: &[(&str, &str)]) -> anyhow::Result<Result<TokenAnswer, OAuthError>> {
        self.post(&self.token_endpoint, grant).await
    }

    /// What an endpoint gives for a form, or why it refuses.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Result<T, OAuthError>> {
        let url = Url::parse(url).context("the issuer names an endpoint that is no URL")?;
        if url.scheme() != "https" && !is_loopback(&url) {
            bail!("the issuer names an endpoint that is not https: {url}");
        }
        let sent = self.client.post(url.clone()).form(form).send().await;
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
}

impl TokenAnswer {
    /// The ID token, which the scope `openid` brings.
    pub(super) fn id_token(self) -> anyhow::Result<SecretText> {
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
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
