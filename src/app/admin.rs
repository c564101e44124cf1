//! The listener for operators: liveness, readiness, metrics. It serves no object and takes no command.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::readiness::Readiness;
use crate::audit::State as LogState;
use crate::limits;
use crate::rim::Rim;

/// What the answers are made of.
struct Watched {
    rim: Arc<Rim>,
    buckets: Readiness,
}

/// Serves until it is dropped.
pub async fn serve(socket: TcpListener, rim: Arc<Rim>) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Watched { rim, buckets: Readiness::new(limits::READY_AGE_MAX) }));
    if let Err(error) = axum::serve(socket, routes).await {
        tracing::error!(%error, "the admin listener stopped");
    }
}

/// Ready is: the log records, and every bucket can be read with our own credential.
async fn ready(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    let gateway = &watched.rim.gateway;
    let state = gateway.journal.stats().state;
    if !records(state) {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("the log does not record: {}\n", state.word()));
    }
    match watched.buckets.unreadable(gateway.backend.as_ref(), &gateway.buckets).await {
        Some(bucket) => (StatusCode::SERVICE_UNAVAILABLE, format!("bucket {bucket} cannot be read\n")),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

/// Whether new requests can be recorded, and so served.
fn records(state: LogState) -> bool {
    match state {
        LogState::Ok | LogState::SpaceLow => true,
        LogState::SpaceShort | LogState::Full | LogState::Stopped | LogState::Dead => false,
    }
}

async fn metrics(State(watched): State<Arc<Watched>>) -> impl IntoResponse {
    let stats = watched.rim.gateway.journal.stats();
    let metrics = &watched.rim.metrics;
    metrics.log_entries.set(stats.entries);
    metrics.log_bytes.set(stats.bytes);
    metrics.log_queued.set(stats.queued as u64);
    metrics.log_free_bytes.set(stats.free_bytes);
    metrics.log_signed_entries.set(stats.signed);
    metrics.log_unsigned_seconds.set(stats.unsigned_for.as_secs_f64());
    metrics.log_records.set(i64::from(records(stats.state)));
    metrics.renderings_unkept.inner().store(watched.rim.gateway.redaction.unkept(), Ordering::Relaxed);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text())
}
