//! The open connections of each client address, so that one client cannot take every place of a listener.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::limits;

/// Counts connections by client.
pub(super) struct Clients {
    max: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts until this is dropped.
pub(super) struct Counted {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// At most `max` connections each.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default() })
    }

    /// One more connection from there; `None` where there are as many as may be.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Counted> {
        let client = client(peer);
        let mut open = self.open();
        let count = open.get(&client).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        open.insert(client, count + 1);
        Some(Counted { clients: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.clients.open().entry(self.client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// What is counted together: an address of IPv4, a network of IPv6, since one machine may use all of that.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        v6 @ IpAddr::V6(_) => IpNet::new(v6, limits::CLIENT_NETWORK_V6_BITS).map_or(v6, |network| network.network()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_places_and_gets_them_back() {
        let clients = Clients::new(2);
        let mut open = Vec::new();
        for (peer, taken) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::3", false),
            ("2001:db8:0:2::1", true),
        ] {
            let counted = clients.enter(peer.parse().unwrap());
            assert_eq!(counted.is_some(), taken, "{peer}");
            open.extend(counted);
        }
        drop(open.remove(0));
        assert!(clients.enter("192.0.2.1".parse().unwrap()).is_some(), "a place came free");
        open.clear();
        assert!(clients.open().is_empty(), "nobody is remembered");
    }
}
