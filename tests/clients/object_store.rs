//! The crate object_store as a client, which DataFusion, polars, delta-rs and others build on.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, WriteMultipart};

use super::own::{Brought, PART, step, var};

/// The argument that makes this binary the client.
pub(crate) const ARGUMENT: &str = "be-object-store";
/// Parts that are under way at a time.
const SIDE_BY_SIDE: usize = 4;

/// Takes the steps that `probe.rs` tells.
pub(crate) async fn probe() {
    let (traces, plain) = (store("traces"), store("plain"));
    let (key, first, last) = (Path::from(var("KEY")), number("FIRST"), number("LAST"));
    step("version", Ok(version().into()));
    step("list", list(&traces, &var("PAGES")).await);
    step("get", get(&traces, &key).await);
    step("range", range(&traces, &key, first, last + 1).await);
    step("big", big(&traces, &Path::from(var("BIG"))).await);
    step("put 6 MiB", put(&plain, &Path::from(format!("{}/six.jsonl", var("TO")))).await);
    step("multipart", multipart(&plain, &Path::from(format!("{}/large.jsonl", var("TO")))).await);
}

/// As the environment says; that HTTP will do must be told.
fn store(bucket: &str) -> AmazonS3 {
    let http = var("ENDPOINT").starts_with("http:");
    AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(http).build().unwrap()
}

/// The crate tells its version to servers only.
fn version() -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let (_, entry) = lock.split_once("name = \"object_store\"\nversion = \"").unwrap();
    entry.split_once('"').unwrap().0
}

async fn list(store: &AmazonS3, prefix: &str) -> Brought {
    let found: Vec<_> = store.list(Some(&Path::from(prefix))).try_collect().await.map_err(why)?;
    let lines: String = found.iter().map(|item| format!("{}\t{}\n", item.size, item.location)).collect();
    Ok(lines.into())
}

async fn get(store: &AmazonS3, key: &Path) -> Brought {
    Ok(store.get(key).await.map_err(why)?.bytes().await.map_err(why)?.into())
}

async fn range(store: &AmazonS3, key: &Path, first: u64, end: u64) -> Brought {
    Ok(store.get_range(key, first..end).await.map_err(why)?.into())
}

async fn big(store: &AmazonS3, key: &Path) -> Brought {
    // `get_ranges` would make one of ranges that lie side by side.
    let size = store.head(key).await.map_err(why)?.size;
    let starts = stream::iter((0..size).step_by(PART as usize));
    let parts = starts.map(|first| range(store, key, first, (first + PART).min(size)));
    Ok(parts.buffered(SIDE_BY_SIDE).try_collect::<Vec<_>>().await?.concat())
}

async fn put(store: &AmazonS3, key: &Path) -> Brought {
    let body = std::fs::read(var("SIX")).map_err(why)?;
    store.put(key, body.into()).await.map_err(why)?;
    Ok(Vec::new())
}

async fn multipart(store: &AmazonS3, key: &Path) -> Brought {
    let body = std::fs::read(var("LARGE")).map_err(why)?;
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(key).await.map_err(why)?, PART as usize);
    for piece in body.chunks(PART as usize) {
        upload.wait_for_capacity(SIDE_BY_SIDE).await.map_err(why)?;
        upload.write(piece);
    }
    upload.finish().await.map_err(why)?;
    Ok(Vec::new())
}

fn number(name: &str) -> u64 {
    var(name).parse().unwrap()
}

/// The error with all that it says.
fn why(error: impl std::error::Error) -> String {
    format!("{error}\n{error:?}")
}
