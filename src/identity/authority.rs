//! The one place that says who somebody is: it ties issuers, sessions, static tokens and revocations together.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use moka::sync::Cache;

use super::assume::{Assumed, ExchangeError, Wish, admitting, choose, session_end, still_admits};
use super::claimed::BearerClaim;
use super::fetch::FetchError;
use super::issuer::IssuerTerms;
use super::json::Json;
use super::jwks::KeySource;
use super::oidc::{TokenError, VerifiedToken, verify};
use super::revocation::{Revocations, Verdict};
use super::roles::{RoleBook, RoleTerms, StaticToken};
use super::secret::SecretText;
use super::session::{Issued, OpenedSession, Sessions};
use super::sigv4::SignedClaim;
use super::static_token;
use super::token::{Jwt, UnverifiedToken};
use super::{Claims, Identity, Proof, RoleName};
use crate::limits::VERIFIED_TOKENS_MAX;
use crate::s3::error::{Code, Refusal};

/// Who somebody is, decided here alone.
#[derive(Debug)]
pub struct Authority {
    sources: Vec<KeySource>,
    sessions: Sessions,
    revocations: Arc<Revocations>,
    verified: Cache<[u8; 32], Arc<Verified>>,
}

/// Why there can be no authority as configured.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Two entries for one issuer would leave open which terms hold.
    #[error("issuer {0:?} is configured twice")]
    SameIssuer(String),
    /// An issuer's certificates cannot be used.
    #[error("issuer {issuer:?}: {error}")]
    Issuer {
        /// Which.
        issuer: String,
        /// Why.
        error: FetchError,
    },
}

/// A token that was verified, and with which keys.
#[derive(Debug)]
struct Verified {
    token: VerifiedToken,
    source: usize,
    generation: u64,
}

/// A credential that was checked, before a role is chosen.
enum Proven<'b> {
    Issuers(Arc<Verified>),
    Static { entry: &'b StaticToken, issued: Timestamp, digest: [u8; 32] },
}

impl Authority {
    /// An authority over these issuers.
    pub fn new(
        issuers: Vec<IssuerTerms>,
        sessions: Sessions,
        revocations: Arc<Revocations>,
    ) -> Result<Self, AuthorityError> {
        let mut seen = HashSet::new();
        let mut sources = Vec::with_capacity(issuers.len());
        for terms in issuers {
            let issuer = terms.issuer().to_owned();
            if !seen.insert(issuer.clone()) {
                return Err(AuthorityError::SameIssuer(issuer));
            }
            sources.push(KeySource::new(terms).map_err(|error| AuthorityError::Issuer { issuer, error })?);
        }
        let verified = Cache::builder().max_capacity(VERIFIED_TOKENS_MAX).build();
        Ok(Self { sources, sessions, revocations, verified })
    }

    /// Who a bearer token's holder is: an issuer's token or a static one, in the one role that it opens or names.
    pub async fn bearer(&self, claim: &BearerClaim, book: &RoleBook, now: Timestamp) -> Result<Identity, Refusal> {
        let identity = match self.prove(&claim.token, book, now).await? {
            Proven::Static { entry, issued, digest } => {
                static_identity(entry, static_terms(entry, claim.role.as_ref(), book, now)?, issued, &digest)
            }
            Proven::Issuers(verified) => {
                let terms = choose(&verified.token, claim.role.as_ref(), book, now)?;
                bearer_identity(&verified.token, terms)
            }
        };
        self.stands(&identity, now)?;
        Ok(identity)
    }

    /// Opens the session of a signed request, and holds it to its role's terms and binds of today, to the static token that
    /// bought it and to the revocations. The signature is to be verified next, with [`Authority::secret_for`], then [`OpenedSession::confirm`].
    pub fn opened(&self, claim: &SignedClaim, book: &RoleBook, now: Timestamp) -> Result<OpenedSession, Refusal> {
        let opened = self.sessions.open(claim, now)?;
        let role = opened.role();
        let gone = || Refusal::new(Code::AccessDenied, format!("The role {role} no longer exists."));
        let terms = book.role(role).ok_or_else(gone)?;
        let opened = opened.under(terms, now)?;
        let opened = if opened.unproven().issuer == static_token::ISSUER {
            let gone =
                "The static token that this session was made with is no longer in the policy set, or has changed.";
            let ends = bought_with(opened.unproven(), book).ok_or_else(|| Refusal::new(Code::AccessDenied, gone))?;
            opened.until(ends, now)?
        } else {
            check_admitted(&opened, terms)?;
            opened
        };
        self.stands(opened.unproven(), now)?;
        Ok(opened)
    }

    /// The secret that goes with an access key id; `None` for ids that no key of the ring can have issued.
    pub fn secret_for(&self, access_key_id: &str) -> Option<SecretText> {
        self.sessions.secret_for(access_key_id)
    }

    /// Exchanges a token for a session.
    pub async fn exchange(
        &self,
        token: &UnverifiedToken,
        wish: &Wish,
        book: &RoleBook,
        now: Timestamp,
    ) -> Result<Issued, ExchangeError> {
        let proven = self.prove(token, book, now).await?;
        let (terms, bearer, audience, admitted_by, ends) = match &proven {
            Proven::Static { entry, issued, digest } => {
                let terms = static_terms(entry, wish.role.as_ref(), book, now)?;
                (terms, static_identity(entry, terms, *issued, digest), None, Claims::new(), entry.expires)
            }
            Proven::Issuers(verified) => {
                let terms = choose(&verified.token, wish.role.as_ref(), book, now)?;
                let token = &verified.token;
                let audience = Some(token.audience.clone());
                (terms, bearer_identity(token, terms), audience, admitting(token, terms), token.expires)
            }
        };
        // The token's own age counts: a revoked token must not buy a session that is younger than its revocation.
        match self.revocations.verdict(&bearer, now) {
            Verdict::Stands => {}
            Verdict::Revoked => return Err(ExchangeError::Revoked),
            Verdict::Unknown => return Err(ExchangeError::RevocationsUnknown),
        }
        let assumed = Assumed {
            expires: session_end(wish.duration, terms, ends, now)?,
            issuer: bearer.issuer,
            subject: bearer.subject,
            name: bearer.name,
            role: bearer.role,
            claims: bearer.claims,
            admitted_by,
            audience,
            session_name: wish.session_name.as_ref().map(|name| name.as_str().to_owned()),
            parent: bearer.session,
            issued: now,
        };
        Ok(self.sessions.issue(&assumed)?)
    }

    /// Whether an identity may go on: for streams in flight.
    pub fn still_stands(&self, identity: &Identity, now: Timestamp) -> bool {
        now < identity.expires && self.revocations.allows(identity, now)
    }

    /// The revocations that this authority obeys.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    fn stands(&self, identity: &Identity, now: Timestamp) -> Result<(), Refusal> {
        match self.revocations.verdict(identity, now) {
            Verdict::Stands => Ok(()),
            Verdict::Revoked => Err(ExchangeError::Revoked.into()),
            Verdict::Unknown => Err(ExchangeError::RevocationsUnknown.into()),
        }
    }

    async fn prove<'b>(
        &self,
        token: &UnverifiedToken,
        book: &'b RoleBook,
        now: Timestamp,
    ) -> Result<Proven<'b>, ExchangeError> {
        if static_token::looks_static(token) {
            let entry = static_token::find(token, book, now)?;
            return Ok(Proven::Static { entry, issued: static_token::issued(token), digest: token.digest() });
        }
        Ok(Proven::Issuers(self.verify(token, now).await?))
    }

    async fn verify(&self, token: &UnverifiedToken, now: Timestamp) -> Result<Arc<Verified>, TokenError> {
        let digest = token.digest();
        if let Some(known) = self.verified.get(&digest) {
            if now >= known.token.believed_until() {
                return Err(TokenError::Expired);
            }
            if self.sources[known.source].is_current(known.generation, now) {
                return Ok(known);
            }
        }
        let jwt = Jwt::parse(token)?;
        let issuer = jwt.claims.member("iss").and_then(Json::text).ok_or(TokenError::Claim("iss"))?;
        let source = self.sources.iter().position(|source| source.terms().issuer() == issuer);
        let source = source.ok_or(TokenError::Issuer)?;
        let (key, generation) = self.sources[source].key(jwt.key_id.as_deref(), now).await?;
        let token = verify(token, &jwt, &key, self.sources[source].terms(), now)?;
        let verified = Arc::new(Verified { token, source, generation });
        self.verified.insert(digest, verified.clone());
        Ok(verified)
    }
}

/// A static token holds one role; naming another is an error, naming none is fine.
fn static_terms<'b>(
    entry: &StaticToken,
    wanted: Option<&RoleName>,
    book: &'b RoleBook,
    now: Timestamp,
) -> Result<&'b RoleTerms, ExchangeError> {
    let alive = book.role(&entry.role).filter(|terms| terms.expires.is_none_or(|end| now < end));
    let terms = alive.ok_or(ExchangeError::NoRole)?;
    match wanted {
        Some(wanted) if *wanted != entry.role => {
            Err(ExchangeError::NotHeld { wanted: wanted.clone(), held: vec![entry.role.clone()] })
        }
        Some(_) | None => Ok(terms),
    }
}

/// The end of the static token that bought a session: the very token, still in the set and for the same role.
fn bought_with(session: &Identity, book: &RoleBook) -> Option<Timestamp> {
    let own = |entry: &&StaticToken| {
        entry.id == session.subject
            && entry.role == session.role
            && session.parent.as_deref() == Some(&session_of(&entry.sha256))
    };
    book.static_tokens.iter().find(own).map(|entry| entry.expires)
}

fn static_identity(entry: &StaticToken, terms: &RoleTerms, issued: Timestamp, digest: &[u8; 32]) -> Identity {
    Identity {
        issuer: static_token::ISSUER.to_owned(),
        subject: entry.id.clone(),
        name: None,
        role: entry.role.clone(),
        claims: Claims::new(),
        session: session_of(digest),
        session_name: None,
        parent: None,
        issued,
        expires: terms.expires.map_or(entry.expires, |end| end.min(entry.expires)),
        proof: Proof::StaticToken,
    }
}

/// Whoever lost the role's binds lost the role, although the session could go on.
fn check_admitted(session: &OpenedSession, terms: &RoleTerms) -> Result<(), Refusal> {
    let who = session.unproven();
    if still_admits(terms, &who.issuer, &who.subject, session.admitted_by()) {
        return Ok(());
    }
    let text = format!("No bind of the role {} admits this session's holder any more. Log in again.", terms.name);
    Err(Refusal::new(Code::AccessDenied, text))
}

fn bearer_identity(token: &VerifiedToken, terms: &RoleTerms) -> Identity {
    let until = token.believed_until();
    Identity {
        issuer: token.issuer.clone(),
        subject: token.subject.clone(),
        name: token.name.clone(),
        role: terms.name.clone(),
        claims: token.usable(&terms.claims_used),
        session: session_of(&token.digest),
        session_name: None,
        parent: None,
        issued: token.issued,
        expires: terms.expires.map_or(until, |end| end.min(until)),
        proof: Proof::Bearer,
    }
}

/// The name of a bearer token's session: half of its SHA-256, which tells nothing of the token.
fn session_of(digest: &[u8; 32]) -> String {
    format!("bearer-{}", hex::encode(&digest[..16]))
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
