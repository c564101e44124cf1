//! How often one client network may knock at the token doors: a bucket of tokens per network.
//!
//! The doors answer callers who have proven nothing, and may cost a request to an identity provider; this keeps one
//! network from using them up for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::limits::{
    DOOR_BURST, DOOR_NETWORKS_MAX, DOOR_REFILL_PER_SECOND, REFUSAL_NETWORK_V4_BITS, REFUSAL_NETWORK_V6_BITS,
};

/// The buckets.
#[derive(Debug, Default)]
pub struct DoorRate {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Thousandths of a request.
    left: u64,
    at: Timestamp,
}

const FULL: u64 = DOOR_BURST as u64 * 1000;

impl DoorRate {
    /// Whether a request from this address may be answered now. Uses up one of its network's requests.
    pub fn admits(&self, address: IpAddr, now: Timestamp) -> bool {
        let network = network(address);
        // A panic while the lock was held cannot have left a half-written bucket behind.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= DOOR_NETWORKS_MAX && !buckets.contains_key(&network) {
            buckets.retain(|_, bucket| bucket.refilled(now).left < FULL);
            if buckets.len() >= DOOR_NETWORKS_MAX {
                return false;
            }
        }
        let bucket = buckets.entry(network).or_insert(Bucket { left: FULL, at: now });
        *bucket = bucket.refilled(now);
        let admitted = bucket.left >= 1000;
        bucket.left -= if admitted { 1000 } else { 0 };
        admitted
    }
}

impl Bucket {
    fn refilled(self, now: Timestamp) -> Self {
        let passed = u64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(0);
        let left = self.left.saturating_add(passed.saturating_mul(u64::from(DOOR_REFILL_PER_SECOND))).min(FULL);
        Self { left, at: self.at.max(now) }
    }
}

/// The first address of the network that is counted as one.
fn network(address: IpAddr) -> IpAddr {
    let cut = |net: Result<ipnet::IpNet, _>| net.map_or(address, |net| net.network());
    match address.to_canonical() {
        IpAddr::V4(v4) => cut(ipnet::IpNet::new(v4.into(), REFUSAL_NETWORK_V4_BITS)),
        IpAddr::V6(v6) => cut(ipnet::IpNet::new(v6.into(), REFUSAL_NETWORK_V6_BITS)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_network_gets_its_burst_then_its_refill() {
        let rate = DoorRate::default();
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let (a, neighbour, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.200".parse().unwrap(), "10.0.1.1".parse().unwrap());
        assert!((0..DOOR_BURST).all(|_| rate.admits(a, now)));
        assert!(!rate.admits(a, now));
        assert!(!rate.admits(neighbour, now), "neighbours share");
        assert!(rate.admits(other, now), "others do not");
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rate.admits(a, later)).count(), DOOR_REFILL_PER_SECOND as usize);
        assert!(!rate.admits(a, now), "a clock that goes back refills nothing");
    }

    #[test]
    fn mapped_addresses_are_the_same_network() {
        assert_eq!(network("::ffff:10.0.0.9".parse().unwrap()), network("10.0.0.1".parse().unwrap()));
        assert_eq!(network("2001:db8:1:2::9".parse().unwrap()), network("2001:db8:1:ffff::1".parse().unwrap()));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_idle_networks() {
        let rate = DoorRate::default();
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let address = |n: usize| IpAddr::from(u32::try_from(n << 8).unwrap().to_be_bytes());
        assert!((0..DOOR_NETWORKS_MAX).all(|n| rate.admits(address(n), now)));
        assert!(!rate.admits(address(DOOR_NETWORKS_MAX), now));
        assert!(rate.admits(address(DOOR_NETWORKS_MAX), now + Duration::from_secs(60)));
    }
}
