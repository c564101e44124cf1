//! The façade's own behaviour, in one process: real sockets and real bytes, an embedded bucket behind, an issuer of the
//! tests' own in front. Each test has a façade to itself, so that its log holds what the test did and nothing else.

#[cfg(test)]
mod facade;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod wire;

#[cfg(test)]
mod binds;
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod compressed;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod hidden;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod ingest;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod record;
#[cfg(test)]
mod redacted;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod versioning;
#[cfg(test)]
mod writes;
