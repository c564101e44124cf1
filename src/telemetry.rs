//! What the operators see: the application's own log and the metrics.
//!
//! Never logged, at any level: tokens, secrets, signed URLs, headers, bytes of objects. s3s and the AWS SDK print such
//! things at `debug`, so their targets are silent whatever is asked for.

use std::io::IsTerminal as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::config::Logging;

/// Targets that print what must not be printed.
const SILENT: [&str; 7] = ["s3s", "aws_sdk_s3", "aws_smithy", "aws_config", "aws_runtime", "hyper", "h2"];

/// Starts the application's log on standard error. The second call in a process does nothing.
pub fn start(logging: &Logging) {
    let silent: String = SILENT.iter().map(|target| format!(",{target}=off")).collect();
    let filter = EnvFilter::new(format!("{}{silent}", logging.level));
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let started = if logging.json { builder.json().try_init() } else { builder.with_target(false).try_init() };
    if started.is_err() {
        tracing::debug!("the application's log runs already");
    }
}

/// The labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The operation of S3, `Door` for a token door, or `none`.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// The label of a connection that was closed at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BoundLabel {
    /// Which bound it was above: `listener` or `address`.
    pub bound: &'static str,
}

/// The labels of a duration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabel {
    /// As in [`RequestLabels`].
    pub operation: &'static str,
}

/// The labels of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConditionalLabels {
    /// Outside name of the bucket.
    pub bucket: String,
    /// The operation of S3.
    pub operation: &'static str,
}

/// The labels of a bucket's lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BucketLabel {
    /// The outside name.
    pub bucket: String,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    /// Requests answered.
    pub requests: Family<RequestLabels, Counter>,
    /// Time to the response head, in seconds.
    pub seconds: Family<OperationLabel, Histogram>,
    /// Bytes of bodies handed to the transport.
    pub sent_bytes: Counter,
    /// Responses whose body is on its way.
    pub streams: Gauge,
    /// Pages that listings asked of the backend.
    listing_backend_pages: Counter,
    /// Keys and common prefixes that the backend brought for a listing and its caller may not see.
    listing_hidden: Counter,
    /// Connections that were closed at once.
    pub connections_refused: Family<BoundLabel, Counter>,
    /// Policy sets loaded.
    pub policy_loads: Counter,
    /// Policy sets refused, the last good one kept.
    pub policy_rejects: Counter,
    /// 1 where the store keeps the condition of a write that must replace nothing, 0 where it ignores it.
    conditional_writes: Family<ConditionalLabels, Gauge>,
    /// Entries of the log, as the journal counts them.
    pub log_entries: Gauge<u64, AtomicU64>,
    /// Bytes of the log.
    pub log_bytes: Gauge<u64, AtomicU64>,
    /// Entries that wait for the disk.
    pub log_queued: Gauge<u64, AtomicU64>,
    /// Free bytes of the log's disk.
    pub log_free_bytes: Gauge<u64, AtomicU64>,
    /// Entries of the log under its newest signed checkpoint.
    pub log_signed_entries: Gauge<u64, AtomicU64>,
    /// Seconds for which the oldest entry has waited that is under none.
    pub log_unsigned_seconds: Gauge<f64, AtomicU64>,
    /// 1 while the log records, 0 when nothing is served for its sake.
    pub log_records: Gauge,
    /// Renderings of compressed objects that could not be kept, as the redaction counts them.
    pub renderings_unkept: Counter,
    /// 1 while the last look found the bucket locked, 0 since one did not; only where the lock is required.
    pub lock_verified: Family<BucketLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.5, 11));
        let mut metrics = Self {
            registry: Registry::with_prefix("tracegate"),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            sent_bytes: Counter::default(),
            streams: Gauge::default(),
            listing_backend_pages: Counter::default(),
            listing_hidden: Counter::default(),
            connections_refused: Family::default(),
            policy_loads: Counter::default(),
            policy_rejects: Counter::default(),
            conditional_writes: Family::default(),
            log_entries: Gauge::default(),
            log_bytes: Gauge::default(),
            log_queued: Gauge::default(),
            log_free_bytes: Gauge::default(),
            log_signed_entries: Gauge::default(),
            log_unsigned_seconds: Gauge::default(),
            log_records: Gauge::default(),
            renderings_unkept: Counter::default(),
            lock_verified: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register("request_seconds", "Time to the response head", metrics.seconds.clone());
        registry.register("sent_bytes", "Bytes of bodies handed to the transport", metrics.sent_bytes.clone());
        registry.register("streams", "Responses whose body is on its way", metrics.streams.clone());
        registry.register(
            "listing_backend_pages",
            "Pages that listings asked of the backend",
            metrics.listing_backend_pages.clone(),
        );
        registry.register(
            "listing_hidden",
            "Keys and common prefixes that the backend brought for listings and callers may not see",
            metrics.listing_hidden.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once, above a bound",
            metrics.connections_refused.clone(),
        );
        registry.register("policy_loads", "Policy sets loaded", metrics.policy_loads.clone());
        registry.register(
            "policy_rejects",
            "Policy sets refused, the last good one kept",
            metrics.policy_rejects.clone(),
        );
        registry.register(
            "conditional_writes",
            "1 where the store keeps writes from replacing anything, 0 where it ignores the condition",
            metrics.conditional_writes.clone(),
        );
        registry.register("renderings_unkept", "Renderings that could not be kept", metrics.renderings_unkept.clone());
        registry.register(
            "lock_verified",
            "1 while the last look found the bucket locked",
            metrics.lock_verified.clone(),
        );
        metrics.register_log();
        metrics
    }

    fn register_log(&mut self) {
        let registry = &mut self.registry;
        registry.register("log_entries", "Entries of the log", self.log_entries.clone());
        registry.register("log_bytes", "Bytes of the log", self.log_bytes.clone());
        registry.register("log_queued", "Entries that wait for the disk", self.log_queued.clone());
        registry.register("log_free_bytes", "Free bytes of the log's disk", self.log_free_bytes.clone());
        registry.register(
            "log_signed_entries",
            "Entries of the log under its newest checkpoint",
            self.log_signed_entries.clone(),
        );
        registry.register(
            "log_unsigned_seconds",
            "Wait of the oldest entry that is under no checkpoint",
            self.log_unsigned_seconds.clone(),
        );
        registry.register("log_records", "1 while the log records", self.log_records.clone());
    }

    /// Counts one answer.
    pub fn answered(&self, operation: &'static str, status: u16, after: Duration) {
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
        self.seconds.get_or_create(&OperationLabel { operation }).observe(after.as_secs_f64());
    }

    /// Counts what one listing cost: pages of the backend, and what was hidden of them.
    pub fn listed(&self, backend_pages: u32, hidden: u64) {
        self.listing_backend_pages.inc_by(u64::from(backend_pages));
        self.listing_hidden.inc_by(hidden);
    }

    /// Tells whether a bucket's store keeps the condition of that operation.
    pub fn conditional_writes(&self, bucket: &str, operation: &'static str, kept: bool) {
        let labels = ConditionalLabels { bucket: bucket.to_owned(), operation };
        self.conditional_writes.get_or_create(&labels).set(i64::from(kept));
    }

    /// Counts one connection that was closed at once.
    pub fn connection_refused(&self, bound: &'static str) {
        self.connections_refused.get_or_create(&BoundLabel { bound }).inc();
    }

    /// The text that Prometheus reads (OpenMetrics).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_read_as_open_metrics() {
        let metrics = Metrics::new();
        metrics.answered("GetObject", 200, Duration::from_millis(3));
        metrics.log_entries.set(7);
        metrics.listed(2, 40);
        metrics.listed(1, 0);
        let text = metrics.text();
        assert!(text.contains("tracegate_requests_total{operation=\"GetObject\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("tracegate_log_entries 7"), "{text}");
        assert!(text.contains("tracegate_listing_backend_pages_total 3"), "{text}");
        assert!(text.contains("tracegate_listing_hidden_total 40"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
