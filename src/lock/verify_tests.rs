//! Verdicts over a fake bucket and fake outsiders.

use super::super::fake::{Call, FakeBucket, FakeOutsider};
use super::*;
use crate::backend::bucket::{ObjectLock, Versioning};

const ROLE: &str = "arn:aws:iam::123456789012:role/tracegate";

fn plan() -> Plan {
    Plan::new("acme", &[ROLE.parse().unwrap()], &[], true).unwrap()
}

fn locked() -> FakeBucket {
    let texts = Document::ALL.map(|document| (document, plan().text(document)));
    FakeBucket {
        versioning: Some(Versioning::Enabled),
        object_lock: Some(ObjectLock::Governance),
        ..FakeBucket::with(&texts.each_ref().map(|(document, text)| (*document, text.as_str())))
    }
}

fn terms() -> Terms {
    Terms {
        principals: vec![ROLE.parse().unwrap()],
        versioning: Some(Versioning::Enabled),
        object_lock: Some(ObjectLock::Governance),
        ..Terms::default()
    }
}

fn refused() -> FakeOutsider {
    FakeOutsider::always(&Outcome::Refused)
}

async fn look(bucket: &FakeBucket, other: Option<&FakeOutsider>, unsigned: &FakeOutsider) -> Report {
    let outsiders =
        Outsiders { other: other.map(|other| other as &dyn Outsider).ok_or("[lock.probe] names nobody"), unsigned };
    verify("traces", &terms(), Ok(&plan()), bucket, &outsiders).await
}

/// The verdict, and what the findings that are not verified are about.
async fn found(bucket: &FakeBucket, other: &FakeOutsider, unsigned: &FakeOutsider) -> (Verdict, Vec<String>) {
    let report = look(bucket, Some(other), unsigned).await;
    let bad = report.findings.iter().filter(|finding| finding.verdict != Verdict::Verified);
    (report.verdict, bad.map(|finding| finding.what.clone()).collect())
}

#[tokio::test]
async fn a_locked_bucket_is_verified_by_every_probe_and_document() {
    let report = look(&locked(), Some(&refused()), &refused()).await;
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Verified, 3 + 2 + 5 + 5), "{}", report.text());
    assert_eq!(report.trouble(), "");
}

#[tokio::test]
async fn every_door_that_opens_is_named() {
    let none = Vec::<String>::new();
    assert_eq!(found(&locked(), &refused(), &refused()).await, (Verdict::Verified, none));
    for (status, operation) in
        [(200, "GetObject"), (404, "HeadObject"), (200, "ListObjectsV2"), (412, "PutObject"), (200, "DeleteObject")]
    {
        let mut one = refused();
        let outcome = match operation {
            "GetObject" => &mut one.get,
            "HeadObject" => &mut one.head,
            "ListObjectsV2" => &mut one.list,
            "PutObject" => &mut one.put,
            _ => &mut one.delete,
        };
        *outcome = Outcome::Let(status);
        let by = |who: &str| (Verdict::Open, vec![format!("{operation}, {who}")]);
        assert_eq!(found(&locked(), &one, &refused()).await, by("by another identity"));
        assert_eq!(found(&locked(), &refused(), &one).await, by("unsigned"));
    }
}

#[tokio::test]
async fn what_nobody_can_say_is_not_verified() {
    let silent = FakeOutsider::always(&Outcome::Unclear("no answer".into()));
    assert_eq!(found(&locked(), &refused(), &silent).await.0, Verdict::Unknown);
    let mixed = FakeOutsider { get: Outcome::Let(200), ..FakeOutsider::always(&Outcome::Unclear("no answer".into())) };
    assert_eq!(found(&locked(), &refused(), &mixed).await.0, Verdict::Open, "open is worse than unknown");
    let alone = look(&locked(), None, &refused()).await;
    assert!(alone.verdict == Verdict::Unknown && alone.trouble().contains("[lock.probe]"), "{}", alone.text());
    for call in [Call::Stored(Document::Policy), Call::Settings, Call::Key] {
        let (verdict, bad) = found(&locked().failing(&[(call, 0)]), &refused(), &refused()).await;
        assert_eq!(verdict, Verdict::Unknown, "{call:?}: {bad:?}");
    }
    let empty = FakeBucket { key: None, ..locked() };
    assert_eq!(found(&empty, &refused(), &refused()).await, (Verdict::Unknown, vec!["an object to try".to_owned()]));
}

#[tokio::test]
async fn drift_is_shown_line_by_line() {
    let bucket = locked();
    let opened = plan().text(Document::Policy).replace("ArnNotEquals", "ArnEquals");
    bucket.documents.lock().unwrap().insert(Document::Policy, opened);
    bucket.documents.lock().unwrap().remove(&Document::PublicAccessBlock);
    let report = look(&bucket, Some(&refused()), &refused()).await;
    assert_eq!(report.verdict, Verdict::Open);
    let diff = report.findings[0].diff.as_deref().unwrap();
    assert!(diff.contains("-         \"ArnEquals\"") && diff.contains("+         \"ArnNotEquals\""), "{diff}");
    assert_eq!(report.findings[1].said, "there is none");
    assert!(report.text().contains("ArnNotEquals"), "{}", report.text());
}

#[tokio::test]
async fn settings_are_as_declared_or_named() {
    let bucket = FakeBucket { versioning: Some(Versioning::Suspended), object_lock: None, ..locked() };
    let report = look(&bucket, Some(&refused()), &refused()).await;
    assert_eq!(report.trouble(), "versioning: suspended, not enabled; Object Lock: off, not governance");
}

#[tokio::test]
async fn without_a_plan_documents_are_unknown_and_without_documents_probes_decide() {
    let outsiders = Outsiders { other: Ok(&refused()), unsigned: &refused() };
    let report = verify("traces", &Terms::default(), Err("no principal"), &locked(), &outsiders).await;
    assert_eq!(report.verdict, Verdict::Unknown, "{}", report.text());
    let probes_only = Terms { documents: [].into(), ..Terms::default() };
    let report = verify("traces", &probes_only, Err("no principal"), &locked(), &outsiders).await;
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Verified, 10), "{}", report.text());
}

#[tokio::test]
async fn what_a_probe_wrote_goes_again() {
    let writer = FakeOutsider { put: Outcome::Let(200), ..refused() };
    let bucket = locked();
    assert_eq!(found(&bucket, &writer, &refused()).await.0, Verdict::Open);
    assert_eq!(*bucket.changes.lock().unwrap(), [Call::Scratch]);
    let tidy = FakeOutsider { put: Outcome::Let(200), delete: Outcome::Let(200), ..refused() };
    let bucket = locked();
    assert_eq!(found(&bucket, &tidy, &refused()).await.0, Verdict::Open);
    assert!(bucket.changes.lock().unwrap().is_empty(), "it deleted that itself");
    let report = look(&locked().failing(&[(Call::Scratch, 0)]), Some(&writer), &refused()).await;
    assert!(report.trouble().contains(ScratchKey::PREFIX), "{}", report.trouble());
}

#[tokio::test]
async fn no_key_of_an_object_is_named() {
    let bucket = FakeBucket { key: Some("model-A/customer-4711.json".into()), ..locked() };
    let report = look(&bucket, Some(&FakeOutsider::always(&Outcome::Let(200))), &refused()).await;
    assert!(!report.text().contains("4711") && !serde_json::to_string(&report).unwrap().contains("4711"));
}
