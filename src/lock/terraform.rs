//! The documents as Terraform of the AWS provider (`hashicorp/aws` 4 and later).
//!
//! JSON is an expression of Terraform's language, so the policy stands in `jsonencode(…)` as it is; nothing in it can be
//! a template (`${`), by the letters that names and ARNs may have.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::document::Plan;
use crate::backend::bucket::Document;
use crate::s3::name::Bucket;

/// The resources of one bucket, which is called `name` outside.
pub fn text(name: &Bucket, plan: &Plan, documents: &BTreeSet<Document>) -> String {
    let label = label(name);
    let blocks = documents.iter().map(|document| block(&label, plan, *document));
    blocks.collect::<Vec<_>>().join("\n")
}

/// Outside names may hold dots and begin with a digit; labels may not, but may hold `_`, which names may not.
fn label(name: &Bucket) -> String {
    format!("tracegate_{}", name.as_str().replace('.', "_"))
}

fn block(label: &str, plan: &Plan, document: Document) -> String {
    let bucket = plan.bucket();
    match document {
        Document::Policy => {
            let policy = plan.text(document).replace('\n', "\n  ");
            let head = format!("resource \"aws_s3_bucket_policy\" \"{label}\" {{\n  bucket = \"{bucket}\"\n");
            format!("{head}  policy = jsonencode({policy})\n}}\n")
        }
        Document::PublicAccessBlock => {
            let mut text = format!("resource \"aws_s3_bucket_public_access_block\" \"{label}\" {{\n");
            let settings = [
                ("bucket", format!("\"{bucket}\"")),
                ("block_public_acls", "true".to_owned()),
                ("block_public_policy", "true".to_owned()),
                ("ignore_public_acls", "true".to_owned()),
                ("restrict_public_buckets", "true".to_owned()),
            ];
            for (setting, value) in settings {
                // Writing to a String cannot fail.
                writeln!(text, "  {setting:<23} = {value}").ok();
            }
            text + "}\n"
        }
        Document::OwnershipControls => {
            let head =
                format!("resource \"aws_s3_bucket_ownership_controls\" \"{label}\" {{\n  bucket = \"{bucket}\"\n");
            format!("{head}\n  rule {{\n    object_ownership = \"BucketOwnerEnforced\"\n  }}\n}}\n")
        }
    }
}
