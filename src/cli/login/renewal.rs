//! The token of a login that is kept, renewed where it has expired and the provider gave a refresh token (RFC 6749,
//! section 6; OpenID Connect Core 1.0, section 12).

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use reqwest::Url;
use zeroize::Zeroizing;

use super::cache::{self, Kept};
use super::claims;
use super::provider::Provider;
use crate::cli::credentials::client;
use crate::identity::json::Json;
use crate::identity::secret::SecretText;

/// The token that is kept for an endpoint. An expired one is renewed if it can be; the error says how to log in again.
pub(in crate::cli) async fn token(endpoint: &str) -> anyhow::Result<Zeroizing<String>> {
    let file = cache::file_of(endpoint)?;
    let mut kept = cache::read(&file, endpoint)?;
    if !is_over(&kept.id_token, Timestamp::now()) {
        return Ok(Zeroizing::new(kept.id_token.expose().to_owned()));
    }
    let again = kept.terms.command(endpoint);
    if kept.refresh_token.is_none() {
        bail!("the login has expired; run: {again}");
    }
    // A provider that rotates refresh tokens takes each once: of several programs that want a token, one asks.
    let _lock = cache::lock(&file).await?;
    kept = cache::read(&file, endpoint)?;
    if is_over(&kept.id_token, Timestamp::now())
        && let Err(error) = renew(&file, &mut kept).await
    {
        bail!("the login cannot be renewed: {error:#}; run: {again}");
    }
    Ok(Zeroizing::new(kept.id_token.expose().to_owned()))
}

async fn renew(file: &Path, kept: &mut Kept) -> anyhow::Result<()> {
    let refresh_token = kept.refresh_token.clone().context("the provider gave no refresh token")?;
    let url = Url::parse(&kept.terms.issuer).context("the issuer is no URL")?;
    let provider = Provider::new(client(&url, kept.terms.ca.as_deref()).await?, kept.terms.token_endpoint.clone());
    let grant = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
        ("client_id", &kept.terms.client_id),
    ];
    let answer = provider.tokens(&grant).await??;
    // One that does not rotate them says nothing of the old one, which stays good.
    kept.refresh_token = answer.refresh_token.clone().or(Some(refresh_token));
    let id_token = answer.id_token()?;
    if !same_person(&kept.id_token, &id_token) {
        bail!("the identity provider answers with another person's token");
    }
    kept.id_token = id_token;
    cache::write(file, kept).with_context(|| format!("cannot keep the token in {}", file.display()))
}

fn is_over(token: &SecretText, now: Timestamp) -> bool {
    let claims = claims(token.expose());
    !matches!(claims.as_ref().and_then(|claims| claims.member("exp")), Some(Json::Integer(exp)) if *exp > now.as_second())
}

fn same_person(one: &SecretText, other: &SecretText) -> bool {
    let (one, other) = (claims(one.expose()), claims(other.expose()));
    let (Some(one), Some(other)) = (one, other) else { return false };
    ["iss", "sub"].iter().all(|name| one.member(name).is_some() && one.member(name) == other.member(name))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token(claims: &str) -> SecretText {
        SecretText::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn a_token_is_over_at_its_second_or_where_it_says_none() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let check = |claims: &str, want| assert_eq!(is_over(&token(claims), now), want, "{claims}");
        check(&format!(r#"{{"exp":{}}}"#, now.as_second() + 1), false);
        check(&format!(r#"{{"exp":{}}}"#, now.as_second()), true);
        check("{}", true);
        check(r#"{"exp":"tomorrow"}"#, true);
        check("", true);
    }

    #[test]
    fn a_renewed_token_is_of_the_same_person() {
        let ours = token(r#"{"iss":"i","sub":"ada"}"#);
        assert!(same_person(&ours, &token(r#"{"iss":"i","sub":"ada","exp":1}"#)));
        for other in [r#"{"iss":"i","sub":"bob"}"#, r#"{"iss":"j","sub":"ada"}"#, r#"{"iss":"i"}"#, ""] {
            assert!(!same_person(&ours, &token(other)), "{other}");
        }
        assert!(!same_person(&token("{}"), &token("{}")));
    }
}
