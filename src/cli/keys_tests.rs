//! The ring's file and the control store through every step of a rotation.

use super::*;
use crate::config::LEAST;
use crate::identity::revocation_log::{Entry, RevocationLog, Target};

struct Deployment {
    dir: tempfile::TempDir,
    file: PathBuf,
}

impl Deployment {
    /// A ring of the key `a`, and a control store in which one role is revoked.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        let deployment = Self { dir, file };
        deployment.step(KeysCommand::Init { file: deployment.file.clone(), id: "a".into() }).await.unwrap();
        deployment.log().found("test", Timestamp::UNIX_EPOCH).await.unwrap();
        deployment.revoke("first").await;
        deployment
    }

    fn control(&self) -> PathBuf {
        self.dir.path().join("control")
    }

    /// As a restarted server opens it.
    fn log(&self) -> RevocationLog {
        let ring = Arc::new(ArcSwap::from_pointee(read(&self.file).unwrap()));
        app::revocation_log(&self.control(), &ring).unwrap()
    }

    async fn revoke(&self, role: &str) -> u32 {
        let target = Target::Role(role.into());
        let entry = Entry { target, before: Timestamp::UNIX_EPOCH, by: "test".into(), reason: "test".into() };
        self.log().append(&entry).await.unwrap()
    }

    async fn step(&self, command: KeysCommand) -> Result<()> {
        run(KeysArgs { command }).await
    }

    fn store(&self) -> StoreArgs {
        StoreArgs { config: None, control: Some(self.control()) }
    }

    async fn publish(&self, id: &str) -> Result<()> {
        self.step(KeysCommand::Publish { file: self.file.clone(), id: id.into() }).await
    }

    async fn activate(&self, id: &str) -> Result<()> {
        self.step(KeysCommand::Activate { file: self.file.clone(), id: id.into() }).await
    }

    async fn drop_key(&self, id: &str) -> Result<()> {
        self.step(KeysCommand::Drop { file: self.file.clone(), id: id.into(), store: self.store() }).await
    }

    async fn end_all(&self, id: &str) -> Result<()> {
        self.step(KeysCommand::EndAll { file: self.file.clone(), id: id.into(), store: self.store() }).await
    }

    fn states(&self) -> Vec<(String, KeyState)> {
        read(&self.file).unwrap().keys().iter().map(|key| (key.id.clone(), key.state)).collect()
    }
}

#[tokio::test]
async fn a_ring_is_rotated_without_a_gap() {
    let all = Deployment::new().await;
    assert!(all.step(KeysCommand::Init { file: all.file.clone(), id: "b".into() }).await.is_err());
    all.publish("b").await.unwrap();
    all.activate("b").await.unwrap();
    assert_eq!(all.states(), [("a".into(), KeyState::Retired), ("b".into(), KeyState::Active)]);
    assert!(all.drop_key("b").await.is_err());
    all.drop_key("a").await.unwrap();
    assert_eq!(all.states(), [("b".into(), KeyState::Active)]);
    assert!(all.end_all("b").await.is_err());
    all.end_all("c").await.unwrap();
    assert_eq!(all.states(), [("c".into(), KeyState::Active)]);
}

#[tokio::test]
async fn regression_revocations_outlive_the_keys_that_sealed_them() {
    let all = Deployment::new().await;
    all.publish("b").await.unwrap();
    assert_eq!(all.revoke("second").await, 2);
    all.activate("b").await.unwrap();
    assert_eq!(all.revoke("third").await, 3, "sealed with the new key, behind the old ones");
    all.drop_key("a").await.unwrap();
    assert_eq!(all.log().verify().await.unwrap(), 3);
    assert_eq!(all.revoke("fourth").await, 4);
    all.end_all("c").await.unwrap();
    assert_eq!(all.log().verify().await.unwrap(), 4);
    assert_eq!(all.revoke("fifth").await, 5);
}

#[tokio::test]
async fn a_key_stays_while_the_control_store_cannot_be_read() {
    let all = Deployment::new().await;
    all.publish("b").await.unwrap();
    all.activate("b").await.unwrap();
    let first = all.control().join("revocations/0000000001.json");
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, text.replace("first", "other")).unwrap();
    let error = format!("{:#}", all.drop_key("a").await.unwrap_err());
    assert!(error.contains("still has all of its keys"), "{error}");
    assert_eq!(all.states().len(), 2);
    assert!(all.end_all("c").await.is_err());
    assert_eq!(all.states().len(), 3, "the new key waits, published");
    std::fs::write(&first, text).unwrap();
    all.end_all("d").await.unwrap();
    assert_eq!(all.log().verify().await.unwrap(), 1);
}

#[tokio::test]
async fn the_configuration_must_be_the_one_of_the_key_file() {
    let all = Deployment::new().await;
    let other = all.dir.path().join("other.toml");
    all.step(KeysCommand::Init { file: other.clone(), id: "x".into() }).await.unwrap();
    let config = all.dir.path().join("tracegate.toml");
    std::fs::write(&config, LEAST).unwrap();
    let store = || StoreArgs { config: Some(config.clone()), control: None };
    assert_eq!(store().control(&all.file).unwrap(), all.control());
    let error = store().control(&other).unwrap_err().to_string();
    assert!(error.contains("is not the key file"), "{error}");
    let missing = StoreArgs { config: Some(all.dir.path().join("none.toml")), control: None };
    assert!(missing.control(&all.file).unwrap_err().to_string().contains("--control"));
}
