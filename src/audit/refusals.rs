//! Refusals of callers who proved nothing: counted per source network, reason and window, so that nobody can fill the
//! log that stops everybody. Pure counting; the committer writes what is due.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::entry::Unproven;
use crate::limits;

/// Refusals of one network and reason within one window; `network` is `None` for those that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) network: Option<IpNet>,
    pub(super) why: Unproven,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Summary {
    pub(super) fn kind_and_reason(&self) -> (&'static str, &'static str) {
        match self.why {
            Unproven::Request(reason) => ("refused.unproven", reason),
            Unproven::Session(reason) => ("session.refuse", reason),
        }
    }
}

/// The counts of the running window.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: BTreeMap<(Option<IpNet>, Unproven), Summary>,
    since: Option<Timestamp>,
}

impl Refusals {
    /// Counts one more.
    pub(super) fn count(&mut self, peer: IpAddr, why: Unproven, now: Timestamp) {
        self.since.get_or_insert(now);
        self.add(Summary { network: Some(network_of(peer)), why, count: 1, first: now, last: now });
    }

    /// What is to be written: all of a window that is over.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Summary> {
        let over = self.since.is_some_and(|since| now.duration_since(since).unsigned_abs() >= limits::REFUSAL_WINDOW);
        if over { self.all() } else { Vec::new() }
    }

    /// What is counted so far, whether its window is over or not.
    pub(super) fn all(&mut self) -> Vec<Summary> {
        self.since = None;
        std::mem::take(&mut self.counts).into_values().collect()
    }

    /// Takes back what there was no room for, without its network, for the next window.
    pub(super) fn keep(&mut self, summary: Summary, now: Timestamp) {
        self.since.get_or_insert(now);
        self.add(Summary { network: None, ..summary });
    }

    fn add(&mut self, mut summary: Summary) {
        let full = self.counts.len() >= limits::REFUSAL_BUCKETS_MAX;
        if full && !self.counts.contains_key(&(summary.network, summary.why)) {
            summary.network = None;
        }
        let counted = self.counts.entry((summary.network, summary.why)).or_insert(Summary { count: 0, ..summary });
        counted.count = counted.count.saturating_add(summary.count);
        counted.first = counted.first.min(summary.first);
        counted.last = counted.last.max(summary.last);
    }
}

fn network_of(peer: IpAddr) -> IpNet {
    let peer = peer.to_canonical();
    let bits = if peer.is_ipv4() { limits::REFUSAL_NETWORK_V4_BITS } else { limits::REFUSAL_NETWORK_V6_BITS };
    IpNet::new(peer, bits).expect("the bits of limits.rs fit their families").trunc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn one_entry_per_network_reason_and_window() {
        let mut refusals = Refusals::default();
        for (peer, why, second) in [
            ("10.1.2.3", Unproven::Request("signature"), 0),
            ("10.1.2.250", Unproven::Request("signature"), 3),
            ("::ffff:10.1.2.4", Unproven::Request("signature"), 4),
            ("10.1.3.3", Unproven::Request("signature"), 4),
            ("10.1.2.3", Unproven::Session("expired"), 5),
            ("2001:db8:1:2::1", Unproven::Request("signature"), 6),
            ("2001:db8:1:3::1", Unproven::Request("signature"), 9),
        ] {
            refusals.count(peer.parse().unwrap(), why, at(second));
        }
        assert!(refusals.due(at(9)).is_empty());
        let counts: Vec<(String, u64)> =
            refusals.due(at(10)).iter().map(|s| (s.network.unwrap().to_string(), s.count)).collect();
        let expected = [("10.1.2.0/24", 3), ("10.1.2.0/24", 1), ("10.1.3.0/24", 1), ("2001:db8:1::/48", 2)];
        assert_eq!(counts, expected.map(|(network, count)| (network.to_string(), count)));
        assert!(refusals.due(at(100)).is_empty());
    }

    #[test]
    fn a_flood_from_everywhere_stays_bounded_and_is_counted_in_full() {
        let mut refusals = Refusals::default();
        for peer in 0..10 * limits::REFUSAL_BUCKETS_MAX as u32 {
            refusals.count(IpAddr::V4((peer << 8).into()), Unproven::Request("signature"), at(0));
        }
        let summaries = refusals.due(at(10));
        assert!(summaries.len() <= limits::REFUSAL_BUCKETS_MAX + 1);
        assert_eq!(summaries.iter().map(|s| s.count).sum::<u64>(), 10 * limits::REFUSAL_BUCKETS_MAX as u64);
    }
}
