//! The listener for operators: whether it lives, whether it can serve, what it counts.

use std::time::Instant;

use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;
use tracegate::limits;

use super::facade::{Facade, within};
use super::wire::{self, Ask};

#[tokio::test]
async fn health_readiness_and_metrics_are_told_on_their_own_listener() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    facade.as_role("raw", Ask::get("/traces/a.txt")).await;
    facade.send(Ask::get("/traces/a.txt")).await;
    facade.put("narrow/a.txt", "x");
    facade.as_role("narrow", Ask::get("/traces?list-type=2")).await;
    let admin = async |target: &str| wire::send(facade.admin, &Ask::get(target)).await;
    let health = admin("/healthz").await;
    assert_eq!((health.status, health.text()), (200, "ok\n"));
    let ready = admin("/readyz").await;
    assert_eq!((ready.status, ready.text()), (200, "ready\n"));
    let metrics = admin("/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "tracegate_requests_total{operation=\"GetObject\",status=\"200\"} 1",
        "tracegate_requests_total{operation=\"GetObject\",status=\"403\"} 1",
        "tracegate_listing_backend_pages_total 1",
        "tracegate_streams 0",
        "tracegate_log_records 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line}\n{}", metrics.text());
    }
    assert!(metrics.text().ends_with("# EOF\n"));
    assert_eq!(admin("/traces/a.txt").await.status, 404, "no object is served there");
    for target in ["/healthz", "/readyz", "/metrics"] {
        assert_ne!(facade.send(Ask::get(target)).await.status, 200, "{target}: nor health where objects are");
    }
}

#[tokio::test]
async fn it_is_not_ready_while_a_bucket_cannot_be_read() {
    let facade = Facade::start().await;
    facade.backend.cue(Fault::Before(Trouble::Refused("the backend's own words".into())));
    let ready = wire::send(facade.admin, &Ask::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    assert!(!ready.text().contains("own words") && ready.text().contains("empty"), "{}", ready.text());
    let again = wire::send(facade.admin, &Ask::get("/readyz")).await;
    assert_eq!((again.status, again.text()), (503, ready.text()), "as it was told just now");
    assert_eq!(wire::send(facade.admin, &Ask::get("/healthz")).await.status, 200, "it lives all the same");
    within(limits::READY_AGE_MAX * 3, "it is ready again", async || {
        wire::send(facade.admin, &Ask::get("/readyz")).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn readiness_asks_the_backend_once_in_a_while_however_often_it_is_asked() {
    const BUCKETS: u64 = 2;
    let facade = Facade::start().await;
    let began = Instant::now();
    let asked = (0..40).map(|_| async { wire::send(facade.admin, &Ask::get("/readyz")).await.status });
    let statuses = futures::future::join_all(asked).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let rounds = 1 + began.elapsed().as_millis() / limits::READY_AGE_MAX.as_millis();
    let most = BUCKETS * u64::try_from(rounds).unwrap();
    assert!((BUCKETS..=most).contains(&facade.backend.calls()), "{} calls", facade.backend.calls());
    let known = facade.backend.calls();
    tokio::time::sleep(limits::READY_AGE_MAX).await;
    assert_eq!(wire::send(facade.admin, &Ask::get("/readyz")).await.status, 200);
    assert_eq!(facade.backend.calls(), known + BUCKETS, "what was known is too old");
}
