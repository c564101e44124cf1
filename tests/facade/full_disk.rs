//! The log's disk runs full, for real: a small file system as the test's temporary folder, in a namespace where anybody
//! may mount one.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tracegate::audit::journal::SpaceLeft;

use super::facade::{Facade, Wish, within};
use super::wire::{self, Ask};

const MIB: u64 = 1024 * 1024;
/// Two segments of the log leave 48 MiB of it.
const SIZE: &str = "176m";
/// Set where the test runs on a small disk.
const SMALL: &str = "TRACEGATE_TEST_SMALL_DISK";
const SOON: Duration = Duration::from_secs(20);

/// Whether this is the run on a small disk. If not, that run is made, in a process of its own, and must succeed.
fn on_a_small_disk(test: &str) -> bool {
    if std::env::var_os(SMALL).is_some() {
        return true;
    }
    let dir = tempfile::tempdir().unwrap();
    let with_mount = |script: &str| {
        let script = format!("mount -t tmpfs -o size={SIZE},mode=700 none \"$TMPDIR\" && {script}");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).env("TMPDIR", dir.path());
        command
    };
    let may_mount = with_mount("true").output().is_ok_and(|output| output.status.success());
    assert!(
        may_mount,
        "{test}: needs a mount namespace of its own: run as root, or allow unprivileged user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1)"
    );
    let mut again = with_mount("exec \"$TEST\" --exact \"$NAME\"");
    let again = again.env("TEST", std::env::current_exe().unwrap()).env("NAME", test).env(SMALL, "1").output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&again.stderr));
    false
}

fn filler(facade: &Facade) -> PathBuf {
    facade.file("filler")
}

/// Takes that much of the disk, or all that there is.
fn fill(path: &Path, mib: Option<u64>) {
    let (mut file, zeros) = (File::create(path).unwrap(), vec![0; 64 * 1024]);
    for _ in 0..mib.map_or(u64::MAX, |mib| mib * 16) {
        match file.write_all(&zeros) {
            Ok(()) => {}
            Err(error) if mib.is_none() && error.kind() == ErrorKind::StorageFull => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// From then on the log takes no space but for listings.
async fn two_segments_made(facade: &Facade) {
    within(SOON, "the next segment is made", async || metric(facade, "tracegate_log_free_bytes").await < 48 * MIB)
        .await;
}

async fn readiness(facade: &Facade) -> (u16, String) {
    let answer = wire::send(facade.admin, &Ask::get("/readyz")).await;
    (answer.status, answer.text().to_owned())
}

/// The value of a metric without labels.
async fn metric(facade: &Facade, name: &str) -> u64 {
    let metrics = wire::send(facade.admin, &Ask::get("/metrics")).await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[tokio::test]
async fn a_disk_that_runs_short_of_space_ends_the_service_until_there_is_more() {
    let test = "full_disk::a_disk_that_runs_short_of_space_ends_the_service_until_there_is_more";
    if !on_a_small_disk(test) {
        return;
    }
    let space = Some(SpaceLeft { warn: 30 * MIB, min: 20 * MIB });
    let facade = Facade::start_with(Wish { space, ..Wish::default() }).await;
    facade.put("a.txt", "hello");
    let reads = || Ask::get("/traces/a.txt");
    two_segments_made(&facade).await;

    fill(&filler(&facade), Some(22));
    within(SOON, "space is low", async || metric(&facade, "tracegate_log_free_bytes").await < 30 * MIB).await;
    assert_eq!(facade.as_role("raw", reads()).await.text(), "hello", "space is low, and everything served");
    assert_eq!(readiness(&facade).await.0, 200);

    fill(&facade.file("more"), Some(10));
    within(SOON, "space is short", async || readiness(&facade).await.0 == 503).await;
    assert_eq!(readiness(&facade).await.1, "the log does not record: space-short\n");
    assert_eq!(metric(&facade, "tracegate_log_records").await, 0);
    let calls = facade.backend.calls();
    for ask in
        [reads(), Ask::get("/traces?list-type=2"), Ask::get("/"), Ask::get("/traces?versioning"), Ask::head("/traces")]
    {
        let answer = facade.as_role("raw", ask.clone()).await;
        assert_eq!(answer.status, 503, "{} {}", ask.method, ask.target);
        assert!(ask.method == "HEAD" || answer.code() == "ServiceUnavailable", "{}", answer.text());
    }
    let denied = facade.as_role("narrow", reads()).await;
    assert_eq!((denied.status, denied.code()), (503, "ServiceUnavailable"), "a denial is not recorded either");
    let door = facade.as_role("raw", Ask::get("/-/credentials")).await;
    assert_eq!(door.status, 503, "nor is a session: {}", door.text());
    assert_eq!(facade.backend.calls(), calls, "nothing was read from the bucket");

    std::fs::remove_file(facade.file("more")).unwrap();
    within(SOON, "with space comes service", async || facade.as_role("raw", reads()).await.status == 200).await;
    assert_eq!(readiness(&facade).await, (200, "ready\n".to_owned()));
    assert_eq!(metric(&facade, "tracegate_log_records").await, 1);
}

/// No threshold says so before: writes fail with ENOSPC.
#[tokio::test]
async fn a_full_disk_stores_no_listing_and_keeps_the_room_for_what_it_took() {
    let test = "full_disk::a_full_disk_stores_no_listing_and_keeps_the_room_for_what_it_took";
    if !on_a_small_disk(test) {
        return;
    }
    let facade = Facade::start().await;
    facade.put("a.txt", "hello");
    let lists = || Ask::get("/traces?list-type=2");
    assert_eq!(facade.as_role("raw", lists()).await.status, 200);
    two_segments_made(&facade).await;
    fill(&filler(&facade), None);
    facade.put("b.txt", "another name, another file");
    let refused = facade.as_role("raw", lists()).await;
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"), "{}", refused.text());
    assert!(!refused.text().contains("b.txt"));
    assert_eq!(facade.as_role("raw", Ask::get("/traces/a.txt")).await.text(), "hello", "its entries have their room");
    std::fs::remove_file(filler(&facade)).unwrap();
    assert_eq!(facade.as_role("raw", lists()).await.status, 200);
    let requests = facade.stopped().await.requests();
    let expected = [
        "s3.intent ListObjectsV2 traces/ ok 200",
        "s3.intent ListObjectsV2 traces/ refused 503",
        "s3.intent GetObject traces/a.txt ok 200",
        "s3.intent ListObjectsV2 traces/ ok 200",
    ];
    assert_eq!(requests, expected);
}

/// Nor is there room for what a view shows of compressed objects: that is no fault of the bucket, and told as what it is.
#[tokio::test]
async fn regression_renderings_on_a_full_disk_are_our_own_fault() {
    let test = "full_disk::regression_renderings_on_a_full_disk_are_our_own_fault";
    if !on_a_small_disk(test) {
        return;
    }
    let facade = Facade::start().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packed.write_all(b"{\"email\":\"ada@example.com\"}\n").unwrap();
    facade.put("a.jsonl.gz", packed.finish().unwrap());
    facade.put("b.jsonl", "{}\n");
    two_segments_made(&facade).await;
    fill(&filler(&facade), None);
    let masked = async |key: &str| facade.as_role("masked", Ask::get(format!("/traces/{key}"))).await;
    let refused = masked("a.jsonl.gz").await;
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"), "{}", refused.text());
    assert!(refused.text().contains("operators must act") && !refused.text().contains("real bucket"));
    assert_eq!(metric(&facade, "tracegate_renderings_unkept_total").await, 1);
    assert_eq!(masked("b.jsonl").await.status, 200, "what is not compressed needs no room");
    std::fs::remove_file(filler(&facade)).unwrap();
    assert_eq!(masked("a.jsonl.gz").await.status, 200);
    assert_eq!(metric(&facade, "tracegate_renderings_unkept_total").await, 1);
}

#[tokio::test]
async fn a_start_without_space_for_the_log_ends_with_the_reason() {
    let space = Some(SpaceLeft { warn: u64::MAX, min: u64::MAX });
    let Err(error) = Facade::try_start(Wish { space, ..Wish::default() }).await else { panic!("it serves") };
    let text = format!("{error:#}");
    assert!(text.contains("has no space") && text.contains("`space_min`"), "{text}");
}
