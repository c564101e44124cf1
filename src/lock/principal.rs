//! Who a bucket policy can name exactly: IAM users and roles; and who STS says is calling.
//!
//! A policy knows a role by its ARN with its path (`aws:PrincipalArn` is the role's, in every session of it); STS names
//! the session, without the path. So a role cannot be read off a session, but a session can be told to be of a role:
//! the names of an account's roles are unique, whatever their paths. Source: IAM "IAM identifiers", "AWS global
//! condition context keys" (`aws:PrincipalArn`).

use std::fmt;
use std::str::FromStr;

use crate::limits;

/// An IAM user or role: `arn:aws:iam::123456789012:role/path/name`.
///
/// Rules out wildcards and everything that a policy would read otherwise than letter by letter, the account's root
/// user, whom no bucket policy binds, and sessions, which end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalArn(String);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPrincipal {
    /// Not of that form.
    #[error("must be the ARN of one IAM role or user, such as arn:aws:iam::123456789012:role/tracegate")]
    Form,
    /// A session of a role.
    #[error(
        "is a session, which ends: name its role, arn:aws:iam::ACCOUNT:role/PATH/NAME, with its path if it has one"
    )]
    Session,
    /// The root user.
    #[error("is an account's root user, whom no bucket policy binds: name a role or user")]
    Root,
}

impl PrincipalArn {
    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-cn`, `aws-us-gov`…
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or("aws")
    }

    /// Partition, account and name, if it is a role.
    fn role(&self) -> Option<(&str, &str, &str)> {
        let mut parts = self.0.split(':').skip(1);
        let (partition, account, resource) = (parts.next()?, parts.nth(2)?, parts.next()?);
        let path = resource.strip_prefix("role/")?;
        Some((partition, account, path.rsplit('/').next()?))
    }
}

impl FromStr for PrincipalArn {
    type Err = NoPrincipal;

    fn from_str(text: &str) -> Result<Self, NoPrincipal> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else { return Err(NoPrincipal::Form) };
        if service == "sts" {
            return Err(NoPrincipal::Session);
        }
        if resource == "root" {
            return Err(NoPrincipal::Root);
        }
        let named = resource.strip_prefix("role/").or_else(|| resource.strip_prefix("user/"));
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let sound = service == "iam"
            && text.len() <= limits::PRINCIPAL_BYTES_MAX
            && partition.starts_with("aws")
            && plain(partition, b"-")
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && named.is_some_and(|path| path.split('/').all(|segment| plain(segment, b"_+=,.@-")));
        if sound { Ok(Self(text.to_owned())) } else { Err(NoPrincipal::Form) }
    }
}

impl fmt::Display for PrincipalArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who STS says is calling (`GetCallerIdentity`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user, by its whole ARN.
    User(PrincipalArn),
    /// A session of a role, whose path is not told.
    Session {
        /// `aws`…
        partition: String,
        /// 12 digits.
        account: String,
        /// The role's name.
        role: String,
    },
    /// Anybody else: a root user, a federated user.
    Other(String),
}

impl Caller {
    /// Reads what STS says.
    pub fn told(arn: &str) -> Self {
        if let Ok(user) = arn.parse() {
            return Self::User(user);
        }
        let parts: Vec<&str> = arn.split(':').collect();
        if let ["arn", partition, "sts", "", account, resource] = parts[..]
            && let ["assumed-role", role, _] = resource.split('/').collect::<Vec<_>>()[..]
        {
            return Self::Session { partition: partition.into(), account: account.into(), role: role.into() };
        }
        Self::Other(arn.to_owned())
    }

    /// Whether a policy that names this principal means the caller.
    pub fn acts_as(&self, principal: &PrincipalArn) -> bool {
        match self {
            Self::User(own) => own == principal,
            Self::Session { partition, account, role } => principal.role() == Some((partition, account, role)),
            Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(arn) => write!(f, "{arn}"),
            Self::Session { account, role, .. } => write!(f, "a session of the role {role} of account {account}"),
            Self::Other(arn) => f.write_str(arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_roles_and_users_letter_by_letter() {
        let check = |text: &str, want: Result<(), NoPrincipal>| {
            assert_eq!(text.parse::<PrincipalArn>().map(drop), want, "{text}");
        };
        check("arn:aws:iam::123456789012:role/tracegate", Ok(()));
        check("arn:aws-us-gov:iam::123456789012:role/services/eu/tracegate", Ok(()));
        check("arn:aws:iam::123456789012:user/ada@acme.example", Ok(()));
        check("arn:aws:iam::123456789012:root", Err(NoPrincipal::Root));
        check("arn:aws:sts::123456789012:assumed-role/tracegate/i-1", Err(NoPrincipal::Session));
        for text in [
            "",
            "*",
            "123456789012",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/trace?ate",
            "arn:aws:iam::123456789012:role/${aws:username}",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role//x",
            "arn:aws:iam::123456789012:group/x",
            "arn:aws:iam::12345678901:role/x",
            "arn:aws:iam:eu-north-1:123456789012:role/x",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::123456789012:role/x\"",
            "arn:aws:iam::123456789012:role/x\n",
        ] {
            check(text, Err(NoPrincipal::Form));
        }
        let long = format!("arn:aws:iam::123456789012:role/{}", "x".repeat(limits::PRINCIPAL_BYTES_MAX));
        check(&long, Err(NoPrincipal::Form));
    }

    #[test]
    fn a_session_is_of_its_role_whatever_the_path() {
        let check = |caller: &str, principal: &str, want: bool| {
            assert_eq!(Caller::told(caller).acts_as(&principal.parse().unwrap()), want, "{caller} as {principal}");
        };
        let session = "arn:aws:sts::123456789012:assumed-role/tracegate/i-0abc";
        check(session, "arn:aws:iam::123456789012:role/tracegate", true);
        check(session, "arn:aws:iam::123456789012:role/services/tracegate", true);
        check(session, "arn:aws:iam::123456789012:role/tracegate/other", false);
        check(session, "arn:aws:iam::210987654321:role/tracegate", false);
        check(session, "arn:aws-cn:iam::123456789012:role/tracegate", false);
        check(session, "arn:aws:iam::123456789012:user/tracegate", false);
        check("arn:aws:iam::123456789012:user/ops/ada", "arn:aws:iam::123456789012:user/ops/ada", true);
        check("arn:aws:iam::123456789012:user/ops/ada", "arn:aws:iam::123456789012:user/ada", false);
        check("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/ada", false);
        check("arn:aws:sts::123456789012:federated-user/ada", "arn:aws:iam::123456789012:user/ada", false);
    }
}
