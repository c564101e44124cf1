//! What keeps roles that write within bounds: exclusive roles, quotas, creations that must not overwrite; and what a
//! masked view shows of the metadata that a writer left.

use std::time::Duration;

use serde_json::json;
use tracegate::backend::Trouble;
use tracegate::backend::faulty::Fault;

use super::facade::{Facade, Wish, role_file, within};
use super::wire::{self, Answer, Ask};

const WRITES: &str = "actions = [\"put\", \"get\", \"delete\"]\npaths = [\"traces/q/*\"]";

fn role(name: &'static str, settings: &str, rule: &str) -> (&'static str, String) {
    (name, role_file(name, settings, rule))
}

/// A façade whose one further role sees everything of `traces/q/` raw, under that quota.
async fn with_quota(quota: &str) -> Facade {
    let roles = vec![role("job", &format!("[quota]\n{quota}"), WRITES)];
    Facade::start_with(Wish { roles, reveal_to: vec!["job"], ..Wish::default() }).await
}

fn put(key: &str, body: &str) -> Ask {
    Ask::new("PUT", format!("/traces/q/{key}")).with("content-length", body.len().to_string()).carrying(body)
}

async fn metrics(facade: &Facade) -> String {
    wire::send(facade.admin, &Ask::get("/metrics")).await.text().to_owned()
}

async fn left(facade: &Facade) -> serde_json::Value {
    facade.as_role("job", Ask::get("/-/whoami")).await.json()["sees"]["quota"].clone()
}

#[tokio::test]
async fn a_token_with_an_exclusive_role_and_another_opens_no_door() {
    let roles = vec![role("ingest", "exclusive = true", "actions = [\"create\"]\npaths = [\"traces/c/*\"]")];
    let facade = Facade::start_with(Wish { roles, ..Wish::default() }).await;
    let both = facade.issuer.token("ada", &["ingest", "masked"]);
    let alone = facade.issuer.token("ada", &["ingest"]);
    let sts = |token: &str, role: &str| {
        let arn = format!("&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2F{role}");
        let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=job";
        Ask::form("/", format!("{form}&WebIdentityToken={token}{arn}"))
    };
    for (door, ask) in [
        ("no role", Ask::get("/-/credentials").bearer(&both)),
        ("the exclusive one", Ask::get("/-/credentials/ingest").bearer(&both)),
        ("the other one", Ask::get("/-/credentials/masked").bearer(&both)),
        ("the token service", sts(&both, "masked")),
        ("bearer", Ask::get("/traces/a").with("x-tracegate-role", "masked").bearer(&both)),
        ("whoami", Ask::get("/-/whoami").bearer(&both)),
    ] {
        let answer = facade.send(ask).await;
        assert_eq!(answer.status, 403, "{door}: {}", answer.text());
        for said in ["AccessDenied", "ingest", "masked", "exclusive"] {
            assert!(answer.text().contains(said), "{door} says {said}: {}", answer.text());
        }
    }
    for ask in [Ask::get("/-/credentials").bearer(&alone), sts(&alone, "ingest")] {
        assert_eq!(facade.send(ask).await.status, 200);
    }
    let who = facade.send(Ask::get("/-/whoami").bearer(&alone)).await.json();
    assert_eq!(who["sees"]["exclusive"], json!(true));
    assert_eq!(who["sees"]["quota"], json!(null));
}

#[tokio::test]
async fn a_days_objects_are_counted_and_refused_on_the_record() {
    let facade = with_quota("objects_per_day = 2").await;
    assert_eq!(left(&facade).await["left"]["objects"], 2);
    facade.backend.cue(Fault::Before(Trouble::Busy));
    assert_eq!(facade.as_role("job", put("a", "x")).await.status, 503);
    assert_eq!(left(&facade).await["left"]["objects"], 2, "what failed is given back");
    for key in ["a", "b"] {
        let answer = facade.as_role("job", put(key, "x")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let over = facade.as_role("job", put("c", "x")).await;
    assert_eq!((over.status, over.code()), (403, "AccessDenied"));
    assert!(over.text().contains("role job has written the 2 objects that its quota allows a day"), "{}", over.text());
    assert_eq!(left(&facade).await["left"]["objects"], 0);
    let other = facade.issuer.token("another-person", &["job"]);
    assert_eq!(facade.send(put("d", "x").bearer(&other)).await.status, 200, "each subject by itself");
    assert_eq!(facade.as_role("job", Ask::get("/traces/q/a")).await.status, 200, "reads are not counted");
    let log = facade.stopped().await;
    let denied = log.of_kind("s3.deny");
    assert_eq!(denied.len(), 1);
    let (rule, path) = (denied[0].rule.as_deref(), denied[0].path.as_deref());
    assert_eq!((rule, path, denied[0].status), (Some("job/quota"), Some("traces/q/c"), Some(403)));
}

#[tokio::test]
async fn a_days_bytes_are_reserved_before_the_body_is_asked_for() {
    let facade = with_quota("bytes_per_day = \"10B\"\nper = \"role\"").await;
    // Announced and never sent: an answer that waits for it does not come.
    let announced = Ask::new("PUT", "/traces/q/a").with("content-length", "11");
    let over = facade.as_role("job", announced).await;
    assert_eq!((over.status, over.code()), (403, "AccessDenied"));
    assert!(over.text().contains("has 10 of the 10 bytes left"), "{}", over.text());
    assert_eq!(facade.as_role("job", put("a", "1234")).await.status, 200);
    let copy = || Ask::new("PUT", "/traces/q/b").with("content-length", "0").with("x-amz-copy-source", "traces/q/a");
    assert_eq!(facade.as_role("job", copy()).await.status, 200);
    assert_eq!(left(&facade).await["left"]["bytes"], 2);
    let over = facade.as_role("job", copy()).await;
    assert_eq!((over.status, over.code()), (403, "AccessDenied"), "{}", over.text());
    let other = facade.issuer.token("another-person", &["job"]);
    assert_eq!(facade.send(put("c", "123").bearer(&other)).await.status, 403, "the role as a whole");
    let log = facade.stopped().await;
    let copies: Vec<_> = log.rows.iter().filter(|row| row.op.as_deref() == Some("CopyObject")).collect();
    assert_eq!((copies[0].received, copies[0].outcome.as_deref()), (Some(4), Some("ok")));
    assert_eq!((copies[1].outcome.as_deref(), copies[1].status), (Some("refused"), Some(403)));
}

/// 5 GiB are more than 4, also for whoever counts in 32 bits.
#[tokio::test]
async fn a_days_bytes_are_more_than_32_bits_can_count() {
    let facade = with_quota("bytes_per_day = \"4GiB\"").await;
    let announced = |bytes: u64| Ask::new("PUT", "/traces/q/a").with("content-length", bytes.to_string());
    let over = facade.as_role("job", announced(5 << 30)).await;
    assert_eq!((over.status, over.code()), (403, "AccessDenied"));
    assert!(over.text().contains("has 4294967296 of the 4294967296 bytes left"), "{}", over.text());
}

#[tokio::test]
async fn a_pace_is_kept_by_asking_for_patience() {
    let facade = with_quota("requests_per_second = 1").await;
    // Whatever the machine's speed, of ten at once some come within the second of another.
    let asked = (0..10).map(|n| facade.as_role("job", put(&format!("k{n}"), "x")));
    let answers: Vec<_> = futures::future::join_all(asked).await;
    let slowed: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!slowed.is_empty() && slowed.len() < 10, "{answers:?}");
    for answer in &slowed {
        assert_eq!(answer.code(), "SlowDown");
        assert!(answer.text().contains("at most 1 changing requests a second"), "{}", answer.text());
    }
    let batch = "<Delete><Object><Key>q/a</Key></Object></Delete>";
    let batch = || Ask::new("POST", "/traces?delete").with("content-length", batch.len().to_string()).carrying(batch);
    let batches = futures::future::join_all((0..10).map(|_| facade.as_role("job", batch()))).await;
    assert!(batches.iter().any(|answer| answer.status == 503 && answer.code() == "SlowDown"), "{batches:?}");
    let slowed = slowed.len() + batches.iter().filter(|answer| answer.status == 503).count();
    let log = facade.stopped().await;
    let rule =
        |row: &&&tracegate::audit::query::Row| row.rule.as_deref() == Some("job/quota") && row.status == Some(503);
    assert_eq!(log.of_kind("s3.deny").iter().filter(rule).count(), slowed);
}

#[tokio::test]
async fn what_was_written_today_counts_after_a_restart() {
    let mut facade = with_quota("objects_per_day = 3\nbytes_per_day = \"100B\"").await;
    for key in ["a", "b"] {
        assert_eq!(facade.as_role("job", put(key, "12345")).await.status, 200);
    }
    facade.backend.cue(Fault::Before(Trouble::Busy));
    assert_eq!(facade.as_role("job", put("c", "12345")).await.status, 503);
    let before = left(&facade).await["left"].clone();
    assert_eq!((&before["objects"], &before["bytes"]), (&json!(1), &json!(90)));
    facade.restart().await;
    within(Duration::from_secs(10), "counted from the log", async || left(&facade).await["left"] == before).await;
    assert_eq!(facade.as_role("job", put("c", "x")).await.status, 200);
    assert_eq!(facade.as_role("job", put("d", "x")).await.status, 403);
}

#[tokio::test]
async fn nothing_is_created_where_it_is_not_known_that_nothing_is_overwritten() {
    let roles = vec![role("creator", "", "actions = [\"create\"]\npaths = [\"traces/q/*\"]")];
    // The first call to the backend is that of the start, which tries what the bucket keeps.
    let wish = Wish { roles, reveal_to: vec!["creator"], cues: vec![Fault::Before(Trouble::Busy)], ..Wish::default() };
    let facade = Facade::start_with(wish).await;
    let refused = facade.as_role("creator", put("a", "x")).await;
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"), "{}", refused.text());
    assert!(refused.text().contains("may only create objects"), "{}", refused.text());
    assert_eq!(facade.as_role("raw", Ask::get("/traces/q/a")).await.status, 404, "nothing was sent");
    let metric = "tracegate_conditional_writes{bucket=\"traces\",operation=\"PutObject\"} 1";
    assert!(!metrics(&facade).await.contains("tracegate_conditional_writes{"));
    within(Duration::from_secs(20), "tried again", async || {
        facade.as_role("creator", put("a", "x")).await.status == 200
    })
    .await;
    assert!(metrics(&facade).await.contains(metric), "{}", metrics(&facade).await);
}

#[tokio::test]
async fn a_masked_view_shows_the_metadata_and_tags_that_every_profile_lets_through() {
    let roles = vec![role("writer", "", "actions = [\"put\", \"get\"]\npaths = [\"traces/m/*\"]")];
    let facade = Facade::start_with(Wish { roles, reveal_to: vec!["writer"], ..Wish::default() }).await;
    let written = Ask::new("PUT", "/traces/m/a.json")
        .with("content-length", "2")
        .with("x-amz-meta-run-id", "42")
        .with("x-amz-meta-author", "ada@example.com")
        .with("x-amz-tagging", "team=red&customer=acme")
        .carrying("{}");
    assert_eq!(facade.as_role("writer", written).await.status, 200);
    let metadata = |answer: &Answer| {
        let names = answer.headers.iter().filter_map(|(name, _)| name.strip_prefix("x-amz-meta-"));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    for method in ["GET", "HEAD"] {
        let ask = || Ask::new(method, "/traces/m/a.json");
        assert_eq!(metadata(&facade.as_role("masked", ask()).await), ["run-id"], "{method}");
        assert_eq!(metadata(&facade.as_role("raw", ask()).await), ["author", "run-id"], "{method}");
    }
    let tags = async |role| facade.as_role(role, Ask::get("/traces/m/a.json?tagging")).await;
    let (masked, raw) = (tags("masked").await, tags("raw").await);
    assert_eq!((masked.element("Key"), masked.element("Value")), (Some("team"), Some("red")), "{}", masked.text());
    assert!(!masked.text().contains("acme") && raw.text().contains("acme"), "{}", masked.text());
}
