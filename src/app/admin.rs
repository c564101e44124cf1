//! The listener for operators: liveness, readiness, metrics. It serves no object and takes no command.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::audit::State as LogState;
use crate::rim::Rim;

/// Serves until it is dropped.
pub async fn serve(socket: TcpListener, rim: Arc<Rim>) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(rim);
    if let Err(error) = axum::serve(socket, routes).await {
        tracing::error!(%error, "the admin listener stopped");
    }
}

/// Ready is: the log records, and every bucket can be read with our own credential.
async fn ready(State(rim): State<Arc<Rim>>) -> (StatusCode, String) {
    let gateway = &rim.gateway;
    if !records(gateway.journal.stats().state) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log does not record\n".to_owned());
    }
    for bucket in &gateway.buckets {
        if let Err(trouble) = gateway.backend.probe(bucket).await {
            tracing::warn!(%bucket, %trouble, "not ready");
            return (StatusCode::SERVICE_UNAVAILABLE, format!("bucket {bucket} cannot be read\n"));
        }
    }
    (StatusCode::OK, "ready\n".to_owned())
}

/// Whether new requests can be recorded, and so served.
fn records(state: LogState) -> bool {
    match state {
        LogState::Ok | LogState::SpaceLow => true,
        LogState::SpaceShort | LogState::Full | LogState::Stopped | LogState::Dead => false,
    }
}

async fn metrics(State(rim): State<Arc<Rim>>) -> impl IntoResponse {
    let stats = rim.gateway.journal.stats();
    let metrics = &rim.metrics;
    metrics.log_entries.set(stats.entries);
    metrics.log_bytes.set(stats.bytes);
    metrics.log_queued.set(stats.queued as u64);
    metrics.log_records.set(i64::from(records(stats.state)));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text())
}
