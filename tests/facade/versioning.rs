//! Whether a bucket keeps versions: as the real one says, to those for whom the bucket is there.

use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;
use tracegate::s3::answer::Versioning;

use super::facade::Facade;
use super::wire::Ask;

#[tokio::test]
async fn versioning_is_told_as_the_bucket_says() {
    let facade = Facade::start().await;
    let ask = || Ask::get("/traces?versioning");
    for (says, status) in
        [(None, None), (Some(Versioning::Enabled), Some("Enabled")), (Some(Versioning::Suspended), Some("Suspended"))]
    {
        if let Some(says) = says {
            facade.backend.inner().set_versioning(&facade.bucket, says);
        }
        for role in ["raw", "masked"] {
            let answer = facade.as_role(role, ask()).await;
            assert_eq!((answer.status, answer.element("Status")), (200, status), "{role} {}", answer.text());
            assert!(answer.text().contains("VersioningConfiguration"), "{}", answer.text());
        }
    }
    facade.backend.cue(Fault::After(Trouble::Refused("the backend's own words".into())));
    let refused = facade.as_role("raw", ask()).await;
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"));
    assert!(!refused.text().contains("own words"), "{}", refused.text());
}
