//! What a stream costs in memory: many clients that take a large object slowly, all at once, from a façade that did
//! nothing before.

use std::path::Path;
use std::time::Duration;

use crate::common::{figure, say};
use crate::load::Load;
use crate::objects::LARGE;
use crate::ours::{Behind, Facade};
use crate::requests::{bearer, path};

/// Memory that the façade may have, in bytes, besides that of its streams.
const BASE_BYTES: u64 = 64 << 20;
/// Memory that one stream may have, in bytes.
const STREAM_BYTES: u64 = 256 << 10;
/// Time between two reads of a client, each of 16 KiB.
const PAUSE: Duration = Duration::from_millis(100);

/// Measures both views over so many streams.
pub(crate) fn measure(
    dir: &Path,
    behind: Behind,
    certificate: &Path,
    key: &Path,
    streams: usize,
    time: Duration,
) -> anyhow::Result<()> {
    for (id, name, folder) in [("memory", "redacted", "masked"), ("memory_raw", "raw", "raw")] {
        let facade = Facade::start(dir, id, behind, certificate, key)?;
        let to = facade.http.to;
        let idle = facade.process.memory_now();
        let load = Load {
            target: facade.http.clone(),
            head: bearer(to, &facade.token, &path(&format!("{folder}/{LARGE}"))),
            body: None,
            connections: streams,
            requests: 1,
            time,
            pause: Some(PAUSE),
        };
        let taken = load.run().bytes;
        let peak = facade.process.memory_peak();
        let each = peak.saturating_sub(idle) / streams as u64;
        let bound = BASE_BYTES + streams as u64 * STREAM_BYTES;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        say(&format!(
            "{streams} slow streams, {name}: {:.1} MiB idle, {:.1} MiB at most, of a bound of {:.1}; {:.1} MB were taken",
            mib(idle),
            mib(peak),
            mib(bound),
            taken as f64 / 1e6
        ));
        figure(&format!("{id}_per_stream_kib"), each as f64 / 1024.0, "KiB");
        figure(&format!("{id}_idle_mib"), mib(idle), "MiB");
        figure(&format!("{id}_vs_bound"), peak as f64 / bound as f64, "x");
    }
    Ok(())
}
