//! The documents, held to golden files: `src/lock/golden`. After a wanted change, run the tests with `GOLDEN=write`.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::terraform;
use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/services/tracegate";
const USER: &str = "arn:aws:iam::123456789012:user/break-glass";

fn arns(arns: &[&str]) -> Vec<PrincipalArn> {
    arns.iter().map(|arn| arn.parse().unwrap()).collect()
}

fn plan() -> Plan {
    Plan::new("acme-traces-prod", &arns(&[ROLE]), &arns(&[USER]), true).unwrap()
}

fn is_golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lock/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&file, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "{name}");
}

#[test]
fn the_documents_are_the_golden_ones() {
    for document in Document::ALL {
        is_golden(&format!("{}.json", document.word()), &(plan().text(document) + "\n"));
    }
    let all = BTreeSet::from(Document::ALL);
    is_golden("lock.tf", &terraform::text(&"traces.eu-1".parse().unwrap(), &plan(), &all));
    let plain = Plan::new("acme", &arns(&[ROLE, "arn:aws:iam::123456789012:role/b"]), &[], false).unwrap();
    is_golden("policy_plain_http.json", &(plain.text(Document::Policy) + "\n"));
}

#[test]
fn the_order_in_which_principals_are_named_alters_nothing() {
    let two = [ROLE, "arn:aws:iam::123456789012:role/a"];
    let one = Plan::new("b", &arns(&two), &arns(&[USER, USER]), true).unwrap();
    let other = Plan::new("b", &arns(&[two[1], two[0], two[0]]), &arns(&[USER]), true).unwrap();
    assert_eq!(one.text(Document::Policy), other.text(Document::Policy));
    assert_eq!(one.left_in().len(), 3);
}

#[test]
fn everybody_is_denied_but_by_name() {
    let policy: serde_json::Value = serde_json::from_str(&plan().text(Document::Policy)).unwrap();
    let deny = &policy["Statement"][0];
    assert_eq!(
        (&deny["Effect"], &deny["Principal"], &deny["Action"][0]),
        (&"Deny".into(), &"*".into(), &"s3:*".into())
    );
    assert_eq!(deny["Condition"], serde_json::json!({"ArnNotEquals": {"aws:PrincipalArn": [ROLE, USER]}}));
    let allowed: Vec<&serde_json::Value> =
        policy["Statement"].as_array().unwrap().iter().filter(|one| one["Effect"] == "Allow").collect();
    assert!(allowed.iter().all(|one| one["Principal"] == serde_json::json!({"AWS": [ROLE]})), "nobody else is let in");
    assert!(!plan().text(Document::Policy).contains("NotPrincipal"));
}

#[test]
fn other_partitions_have_buckets_of_their_own() {
    let china = Plan::new("b", &arns(&["arn:aws-cn:iam::123456789012:role/t"]), &[], true).unwrap();
    assert!(china.text(Document::Policy).contains("\"arn:aws-cn:s3:::b/*\""));
    let mixed = Plan::new("b", &arns(&["arn:aws-cn:iam::123456789012:role/t"]), &arns(&[USER]), true);
    assert!(matches!(mixed, Err(NoPlan::Partitions(..))));
}

#[test]
fn a_lock_leaves_somebody_in_and_not_everybody() {
    assert_eq!(Plan::new("b", &[], &arns(&[USER]), true), Err(NoPlan::NoPrincipal));
    let role = |number| format!("arn:aws:iam::123456789012:role/r{number}").parse::<PrincipalArn>().unwrap();
    let many: Vec<PrincipalArn> = (0..=crate::limits::PRINCIPALS_MAX).map(role).collect();
    assert_eq!(Plan::new("b", &arns(&[ROLE]), &many, true), Err(NoPlan::TooMany));
    assert!(Plan::new("b", &many[1..], &many[1..], true).is_ok());
}
