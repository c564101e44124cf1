//! The documents of a locked bucket, always the same text for the same terms.
//!
//! **Why not `NotPrincipal`.** It reads like what is meant, and is a trap: it always denies principals that have a
//! permissions boundary, and for a role one must also list its account and each of its sessions. AWS advises against it,
//! and for `Deny` to everybody with a condition on `aws:PrincipalArn`, which is the role's own ARN in every session, and
//! a path is part of it. A negated condition also holds where there is no such key: anonymous requests and AWS's own
//! services are denied too. Source: IAM User Guide, "AWS JSON policy elements: NotPrincipal" and "AWS global condition
//! context keys".
//!
//! **What the `Deny` covers.** Everything (`s3:*`), the bucket's own settings included: who could change the policy
//! could open it. So only tracegate's and the break-glass principals can change it afterwards, and, always, the root
//! user of the bucket's account (S3: `PutBucketPolicy`, `DeleteBucketPolicy`).

use serde::Serialize;

use super::principal::PrincipalArn;
use crate::backend::bucket::Document;
use crate::limits;

/// What tracegate does with objects, versions, parts and tags.
const OBJECT_ACTIONS: [&str; 15] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectVersionTagging",
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
];

/// What it does with the bucket: listings, and looking at its own lock.
const BUCKET_ACTIONS: [&str; 9] = [
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
];

/// The lock of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    bucket: String,
    principals: Vec<PrincipalArn>,
    break_glass: Vec<PrincipalArn>,
    over_tls: bool,
}

/// Why there is no such lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// Nobody could read the bucket.
    #[error("a lock needs the principal that it leaves in: set `principals` in [lock], or give --principal")]
    NoPrincipal,
    /// ARNs of different partitions cannot meet in one bucket.
    #[error("{0} and {1} are of different partitions of AWS")]
    Partitions(PrincipalArn, PrincipalArn),
    /// The policy would grow beyond what S3 takes.
    #[error("a lock leaves in at most {} principals of each kind", limits::PRINCIPALS_MAX)]
    TooMany,
}

impl Plan {
    /// The lock of the bucket of that real name. `over_tls` is false only where tracegate itself reaches the bucket over
    /// plain HTTP: the statement that forbids it would lock tracegate out.
    pub fn new(
        bucket: &str,
        principals: &[PrincipalArn],
        break_glass: &[PrincipalArn],
        over_tls: bool,
    ) -> Result<Self, NoPlan> {
        let sorted = |arns: &[PrincipalArn]| {
            let mut arns = arns.to_vec();
            arns.sort();
            arns.dedup();
            arns
        };
        let (principals, break_glass) = (sorted(principals), sorted(break_glass));
        if principals.len().max(break_glass.len()) > limits::PRINCIPALS_MAX {
            return Err(NoPlan::TooMany);
        }
        let first = principals.first().ok_or(NoPlan::NoPrincipal)?;
        let stranger = principals.iter().chain(&break_glass).find(|arn| arn.partition() != first.partition());
        if let Some(other) = stranger {
            return Err(NoPlan::Partitions(first.clone(), other.clone()));
        }
        Ok(Self { bucket: bucket.to_owned(), principals, break_glass, over_tls })
    }

    /// The real name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Everybody whom the policy does not deny, each once.
    pub fn left_in(&self) -> Vec<PrincipalArn> {
        let mut all = [self.principals.clone(), self.break_glass.clone()].concat();
        all.sort();
        all.dedup();
        all
    }

    /// Whether plain HTTP is refused.
    pub fn over_tls(&self) -> bool {
        self.over_tls
    }

    /// A document as JSON, in the shape that S3 and the AWS CLI take it, indented, without a line end behind it.
    pub fn text(&self, document: Document) -> String {
        match document {
            Document::Policy => json(&self.policy()),
            Document::PublicAccessBlock => json(&PublicAccessBlock {
                block_public_acls: true,
                ignore_public_acls: true,
                block_public_policy: true,
                restrict_public_buckets: true,
            }),
            Document::OwnershipControls => {
                json(&OwnershipControls { rules: [OwnershipRule { object_ownership: "BucketOwnerEnforced" }] })
            }
        }
    }

    fn policy(&self) -> Policy {
        let bucket = format!("arn:{}:s3:::{}", self.principals[0].partition(), self.bucket);
        let objects = format!("{bucket}/*");
        let texts = |arns: &[PrincipalArn]| arns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let all = vec![bucket.clone(), objects.clone()];
        let deny = |sid, condition| Statement {
            sid,
            effect: "Deny",
            principal: Principal::Everybody,
            action: vec!["s3:*"],
            resource: all.clone(),
            condition: Some(condition),
        };
        let allow = |sid, actions: &[&'static str], resource: &str| Statement {
            sid,
            effect: "Allow",
            principal: Principal::Aws { aws: texts(&self.principals) },
            action: actions.to_vec(),
            resource: vec![resource.to_owned()],
            condition: None,
        };
        let others = Condition::ArnNotEquals { principal: texts(&self.left_in()) };
        let mut statement = vec![deny("DenyEverybodyElse", others)];
        if self.over_tls {
            statement.push(deny("DenyPlainHttp", Condition::Bool { secure: "false" }));
        }
        statement.push(allow("AllowTracegateObjects", &OBJECT_ACTIONS, &objects));
        statement.push(allow("AllowTracegateBucket", &BUCKET_ACTIONS, &bucket));
        Policy { version: "2012-10-17", id: "tracegate-lock", statement }
    }
}

fn json(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("texts and booleans become JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    id: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    principal: Principal,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

enum Principal {
    Everybody,
    Aws { aws: Vec<String> },
}

impl Serialize for Principal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everybody => serializer.serialize_str("*"),
            Self::Aws { aws } => std::collections::BTreeMap::from([("AWS", aws)]).serialize(serializer),
        }
    }
}

#[derive(Serialize)]
enum Condition {
    ArnNotEquals {
        #[serde(rename = "aws:PrincipalArn")]
        principal: Vec<String>,
    },
    Bool {
        #[serde(rename = "aws:SecureTransport")]
        secure: &'static str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublicAccessBlock {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipControls {
    rules: [OwnershipRule; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipRule {
    object_ownership: &'static str,
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
