//! Files that change under a running façade: a sound policy set is in force within seconds, a broken one is not taken,
//! and a key that is gone ends its sessions.

use std::time::Duration;

use tracegate::keyring::{KeyRing, KeyState, RingKey, file};

use super::facade::{Facade, key, role_file, within};
use super::wire::Ask;

const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_changed_set_is_in_force_within_seconds_and_a_broken_one_never() {
    let facade = Facade::start().await;
    facade.put("a.json", "{}");
    let narrow = facade.file("policies/narrow.toml");
    let reads = async || facade.as_role("narrow", Ask::get("/traces/a.json")).await.status;
    assert_eq!(reads().await, 403);
    let wider = role_file("narrow", "", "actions = [\"get\"]\npaths = [\"traces/*.json\"]");
    std::fs::write(&narrow, &wider).unwrap();
    within(SOON, "what was denied is allowed", async || {
        facade.as_role("narrow", Ask::get("/traces/a.json")).await.status != 403
    })
    .await;

    std::fs::write(&narrow, wider.replace("actions", "action")).unwrap();
    within(SOON, "the mistake is on the record", async || !facade.log().of_kind("policy.reject").is_empty()).await;
    assert_eq!(reads().await, 200, "the last good set serves on");
    std::fs::remove_file(&narrow).unwrap();
    within(SOON, "a missing file is a mistake, too", async || facade.log().of_kind("policy.reject").len() == 2).await;
    assert_eq!(reads().await, 200);

    let closed = role_file("narrow", "", "actions = [\"get\"]\npaths = [\"traces/none\"]");
    std::fs::write(&narrow, closed).unwrap();
    within(SOON, "what was allowed is denied", async || reads().await == 403).await;

    let log = facade.stopped().await;
    let loads = log.entries_of("policy.load");
    assert_eq!(loads.len(), 3, "at the start, wider, closed");
    assert_eq!(loads[1]["previous"], loads[0]["policy"]);
    assert_eq!(loads[2]["previous"], loads[1]["policy"]);
    let rejects = log.entries_of("policy.reject");
    assert!(rejects.iter().all(|entry| entry["kept"] == loads[1]["policy"]));
    assert!(rejects[0]["reason"].as_str().unwrap().contains("narrow.toml"), "{}", rejects[0]);
    let policies: Vec<_> = log.rows.iter().filter(|row| row.kind.starts_with("s3.")).map(|row| &row.policy).collect();
    assert!(policies.iter().all(|policy| policy.is_some()));
}

#[tokio::test]
async fn sessions_live_as_long_as_their_key() {
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let old = facade.session("raw").await;
    let keys = facade.file("keys.toml");
    let ring = file::read(&keys).unwrap();
    let retired = ring.keys()[0].key.clone();
    let one = || RingKey { id: "one".into(), state: KeyState::Retired, key: retired.clone() };
    let two = key("two", KeyState::Active);
    let two_again = RingKey { id: "two".into(), state: KeyState::Active, key: two.key.clone() };
    let reads = async |session: &super::signing::Session| {
        facade.send(session.sign(facade.ask("GET", "/traces/a.txt"))).await.status
    };

    file::write(&keys, &KeyRing::new(vec![one(), two]).unwrap()).unwrap();
    tokio::time::sleep(SOON).await;
    let new = facade.session("raw").await;
    assert_eq!((reads(&old).await, reads(&new).await), (200, 200), "a retired key still opens");

    file::write(&keys, &KeyRing::new(vec![two_again]).unwrap()).unwrap();
    within(SOON, "the old session ends with its key", async || reads(&old).await == 403).await;
    assert_eq!(reads(&new).await, 200);
}
