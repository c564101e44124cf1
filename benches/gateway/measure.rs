//! How sides are compared: in turns, round by round, and what is said of each.
//!
//! The best round of each side counts: whatever else the machine does only makes a round slower.

use std::time::Duration;

use crate::common::{figure, say};
use crate::load::{Load, Measured, Target};
use crate::process::Process;
use crate::requests::Body;

/// One kind of request to one of the servers.
pub(crate) struct Side<'a> {
    /// Its part of the figures' names; empty for what is ours and the least that a client does.
    pub(crate) id: &'static str,
    /// What it is, for people.
    pub(crate) name: &'static str,
    pub(crate) process: &'a Process,
    pub(crate) target: Target,
    pub(crate) head: String,
    pub(crate) body: Option<Body>,
}

/// How a series is measured.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) rounds: usize,
    pub(crate) connections: usize,
    /// Time of each round; a request that was begun is brought to its end.
    pub(crate) time: Duration,
    /// Bytes of one body.
    pub(crate) bytes: u64,
}

/// The best of a side's rounds.
pub(crate) struct Best {
    id: &'static str,
    name: &'static str,
    /// CPU time of a request.
    cpu: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Requests in a second, by the clock.
    rate: f64,
}

/// Measures the sides one after the other, round by round.
pub(crate) fn in_turns(sides: &[Side<'_>], terms: Terms) -> Vec<Best> {
    let most = Duration::MAX;
    let fresh = |side: &Side<'_>| Best { id: side.id, name: side.name, cpu: most, p50: most, p99: most, rate: 0.0 };
    let mut best: Vec<Best> = sides.iter().map(fresh).collect();
    for _ in 0..terms.rounds {
        for (side, best) in sides.iter().zip(&mut best) {
            best.take(&side.measure(terms), terms);
        }
    }
    best
}

/// One side's best by its id.
pub(crate) fn of<'a>(best: &'a [Best], id: &str) -> &'a Best {
    best.iter().find(|best| best.id == id).expect("the side was measured")
}

impl Side<'_> {
    fn measure(&self, terms: Terms) -> (Measured, Duration) {
        let load = Load {
            target: self.target.clone(),
            head: self.head.clone(),
            body: self.body,
            connections: terms.connections,
            requests: usize::MAX,
            time: terms.time,
            pause: None,
        };
        let before = self.process.cpu();
        let measured = load.run();
        (measured, self.process.cpu().saturating_sub(before))
    }
}

impl Best {
    fn take(&mut self, (measured, cpu): &(Measured, Duration), terms: Terms) {
        let Measured { requests, bytes, time, p50, p99 } = measured;
        assert_eq!(*bytes, requests * terms.bytes, "{}: bodies were not as long as they should be", self.name);
        say(&format!(
            "{:<34} {requests:>7} requests in {time:.2?}, {:>7.1} MB/s, p50 {p50:.2?}, p99 {p99:.2?}, CPU {cpu:.2?}",
            self.name,
            *bytes as f64 / time.as_secs_f64() / 1e6
        ));
        // Less than one step of the count is nothing counted.
        if !cpu.is_zero() {
            self.cpu = self.cpu.min(cpu.div_f64(*requests as f64));
        }
        self.p50 = self.p50.min(*p50);
        self.p99 = self.p99.min(*p99);
        self.rate = self.rate.max(*requests as f64 / time.as_secs_f64());
    }

    /// Requests in a second of one core's time.
    pub(crate) fn per_core(&self) -> f64 {
        1.0 / self.cpu.as_secs_f64()
    }

    /// How many times as fast as another side, by the clock.
    pub(crate) fn times(&self, other: &Self) -> f64 {
        self.rate / other.rate
    }

    fn named(&self, series: &str, what: &str) -> String {
        [series, self.id, what].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
    }
}

/// Says the figures of small requests, and a table of them.
pub(crate) fn tell_small(series: &str, title: &str, best: &[Best]) {
    say(&format!("\n| {title} | requests/s | CPU per request, µs | requests/s of one core |\n|---|---:|---:|---:|"));
    for side in best {
        let (rate, cpu, core) = (side.rate, side.cpu.as_secs_f64() * 1e6, side.per_core());
        say(&format!("| {} | {rate:.0} | {cpu:.1} | {core:.0} |", side.name));
    }
    say("");
    for side in best {
        figure(&side.named(series, "per_s"), side.rate, "1/s");
        figure(&side.named(series, "per_s_core"), side.per_core(), "1/s");
    }
}

/// Says the figures of large requests, and a table of them.
pub(crate) fn tell_large(series: &str, title: &str, best: &[Best], bytes: u64) {
    let (mb, gib) = (bytes as f64 / 1e6, bytes as f64 / f64::from(1 << 30));
    say(&format!("\n| {title} | MB/s | CPU per GiB, s |\n|---|---:|---:|"));
    for side in best {
        say(&format!("| {} | {:.0} | {:.2} |", side.name, side.rate * mb, side.cpu.as_secs_f64() / gib));
    }
    say("");
    for side in best {
        figure(&side.named(series, "mb_per_s"), side.rate * mb, "MB/s");
        figure(&side.named(series, "cpu_s_per_gib"), side.cpu.as_secs_f64() / gib, "s");
    }
}

/// Says what each side adds to the first one's waiting time, and a table of it.
pub(crate) fn tell_added(title: &str, best: &[Best]) {
    let [direct, sides @ ..] = best else { return };
    let added = |time: Duration, to: Duration| (time.as_secs_f64() - to.as_secs_f64()) * 1e3;
    say(&format!("\n| {title} | added at p50, ms | added at p99, ms |\n|---|---:|---:|"));
    for side in sides {
        say(&format!("| {} | {:.3} | {:.3} |", side.name, added(side.p50, direct.p50), added(side.p99, direct.p99)));
    }
    say("");
    for side in sides {
        figure(&side.named("added", "ms_p50"), added(side.p50, direct.p50), "ms");
        figure(&side.named("added", "ms_p99"), added(side.p99, direct.p99), "ms");
    }
}
