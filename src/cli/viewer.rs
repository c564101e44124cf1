//! Through whose eyes a command looks: a role with its claims, at a time.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;

use crate::identity::{Claims, RoleName};
use crate::policy::load::Ruleset;
use crate::policy::sight::Sight;

/// See the module.
#[derive(Debug, Args)]
pub(super) struct Viewer {
    /// The role.
    #[arg(long)]
    pub(super) role: RoleName,
    /// A claim of the caller; several of one name are several values.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// The time of the request; now by default.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

impl Viewer {
    /// What the viewer sees under this set. A role that it does not hold is an error that lists those that it does.
    pub(super) fn sight(&self, rules: &Ruleset) -> anyhow::Result<Arc<Sight>> {
        if rules.role(&self.role).is_none() {
            let known: Vec<String> = rules.roles().map(|role| role.name.to_string()).collect();
            bail!("there is no role {}; there are: {}", self.role, known.join(", "));
        }
        let mut claims = Claims::new();
        for claim in &self.claims {
            let (name, value) = claim.split_once('=').with_context(|| format!("{claim:?} is not NAME=VALUE"))?;
            claims.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        Ok(rules.sight(&self.role, &claims))
    }

    /// The claims, as they were given.
    pub(super) fn claims(&self) -> &[String] {
        &self.claims
    }

    /// The time of the request.
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }
}
