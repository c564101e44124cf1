//! shim
use crate::s3::error::Refusal;
use crate::s3::payload::{Fate, Upload, UploadError};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
pub fn open(parts: &http::request::Parts, body: Incoming, _signer: Option<()>) -> Result<Upload, Refusal> {
    let length = parts.headers.get("content-length").and_then(|l| l.to_str().ok()?.parse().ok()).unwrap_or(0);
    let body = body.into_data_stream().map(|c| c.map_err(|_| UploadError::Incomplete)).boxed();
    Ok(Upload { length, checksum: None, md5: None, body, fate: Arc::new(Fate::default()) })
}
pub async fn read_all(upload: Upload, _max: usize) -> Result<Bytes, Refusal> {
    let mut all = Vec::new();
    let mut body = upload.body;
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.map_err(|e| e.refusal())?);
    }
    Ok(all.into())
}
