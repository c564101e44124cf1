//! Applying to a bucket that fails at each step.

use jiff::Timestamp;

use super::super::fake::{Call, FakeBucket};
use super::*;

const OLD: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;

fn plan() -> Plan {
    Plan::new("acme", &["arn:aws:iam::123456789012:role/tracegate".parse().unwrap()], &[], true).unwrap()
}

/// The lock put on a bucket that has a policy and nothing else; answers what came of it and what is stored then.
async fn applied(bucket: &FakeBucket) -> (Result<(), ApplyError>, BTreeMap<Document, String>) {
    let wanted = wanted(&plan(), Document::ALL);
    let documents = [
        (Document::Policy, Some(OLD.to_owned())),
        (Document::PublicAccessBlock, None),
        (Document::OwnershipControls, None),
    ];
    let before = Kept { bucket: "acme".into(), taken: Timestamp::UNIX_EPOCH, documents: documents.into() };
    let order = differing(&before, &wanted);
    assert_eq!(order, Document::ALL);
    let done = apply(bucket, &before, &wanted, &order).await;
    (done, bucket.documents.lock().unwrap().clone())
}

fn open() -> FakeBucket {
    FakeBucket::with(&[(Document::Policy, OLD)])
}

#[tokio::test]
async fn everything_is_put_and_the_policy_first() {
    let bucket = open();
    let (done, stored) = applied(&bucket).await;
    assert_eq!(done, Ok(()));
    let want: BTreeMap<_, _> = Document::ALL.into_iter().map(|document| (document, plan().text(document))).collect();
    assert_eq!(stored, want);
    assert_eq!(*bucket.changes.lock().unwrap(), Document::ALL.map(Call::Store));
}

#[tokio::test]
async fn whatever_fails_leads_back() {
    use Document::{OwnershipControls, Policy, PublicAccessBlock};
    let untouched = BTreeMap::from([(Policy, OLD.to_owned())]);
    for (what, failing, step) in [
        ("the policy", vec![(Call::Store(Policy), 0)], Policy),
        ("the second step", vec![(Call::Store(PublicAccessBlock), 0)], PublicAccessBlock),
        ("the last step", vec![(Call::Store(OwnershipControls), 0)], OwnershipControls),
    ] {
        let (done, stored) = applied(&open().failing(&failing)).await;
        let Err(ApplyError::Undone { step: failed, why }) = done else { panic!("{what}: {done:?}") };
        assert_eq!((failed, why.contains("403"), &stored), (step, true, &untouched), "{what}");
    }
    let garbling = FakeBucket { garbling: [OwnershipControls].into(), ..open() };
    let (done, stored) = applied(&garbling).await;
    assert!(matches!(done, Err(ApplyError::Undone { step: OwnershipControls, .. })), "{done:?}");
    assert_eq!(stored, untouched, "what reads back otherwise is no lock");
}

#[tokio::test]
async fn what_cannot_be_put_back_is_said() {
    let failing = [(Call::Store(Document::OwnershipControls), 0), (Call::Store(Document::Policy), 1)];
    let (done, stored) = applied(&open().failing(&failing)).await;
    let Err(error @ ApplyError::NotUndone { left: Document::Policy, .. }) = done else { panic!("{done:?}") };
    assert!(error.to_string().contains("lock restore"), "{error}");
    assert_eq!(stored.len(), 1, "the rest was put back: {stored:?}");
}

#[tokio::test]
async fn nothing_is_changed_where_somebody_else_was_faster_or_nothing_can_be_read() {
    let other = FakeBucket::with(&[(Document::Policy, OLD), (Document::OwnershipControls, "{\"Rules\":[]}")]);
    let (done, _) = applied(&other).await;
    assert_eq!(done, Err(ApplyError::Changed(Document::OwnershipControls)));
    let blind = open().failing(&[(Call::Stored(Document::PublicAccessBlock), 0)]);
    let (done, _) = applied(&blind).await;
    assert!(matches!(done, Err(ApplyError::Unread(Document::PublicAccessBlock, _))), "{done:?}");
    for bucket in [other, blind] {
        assert!(bucket.changes.lock().unwrap().is_empty());
    }
}

#[test]
fn who_applies_must_be_left_in() {
    let check =
        |caller: &str, sound: bool| assert_eq!(leaves_in(&plan(), &Caller::told(caller)).is_ok(), sound, "{caller}");
    check("arn:aws:sts::123456789012:assumed-role/tracegate/i-1", true);
    check("arn:aws:sts::123456789012:assumed-role/admin/ada", false);
    check("arn:aws:iam::123456789012:user/ada", false);
    check("arn:aws:iam::123456789012:root", false);
    let error = leaves_in(&plan(), &Caller::told("arn:aws:iam::123456789012:user/ada")).unwrap_err().to_string();
    assert!(error.contains("user/ada") && error.contains("role/tracegate") && error.contains("break_glass"), "{error}");
}
