//! What is measured: which side is asked for what.

use std::time::Duration;

use crate::Servers;
use crate::common::figure;
use crate::load::{self, Target};
use crate::measure::{Side, Terms, in_turns, of, tell_added, tell_large, tell_small};
use crate::objects::{self, LARGE, SMALL, SMALL_BYTES};
use crate::process::Process;
use crate::requests::{Body, Framing, Keys, bearer, path};

/// Connections of the series that measure work, not waiting.
pub(crate) const CONNECTIONS: usize = 16;

/// The terms of small objects.
pub(crate) fn small_terms(rounds: usize, connections: usize, time: Duration) -> Terms {
    Terms { rounds, connections, time, bytes: SMALL_BYTES as u64 }
}

/// All sides give the same bytes, and what must be hidden is.
pub(crate) fn check(servers: &Servers) {
    let small = objects::small();
    let expected: Vec<u8> = small.pieces(0..small.length(), usize::MAX).flatten().collect();
    for side in get(servers, SMALL) {
        let body = load::fetch(&side.target, &side.head);
        if side.id == "redacted" {
            let text = String::from_utf8_lossy(&body);
            assert!(body.len() == SMALL_BYTES && text.contains("[REDACTED]") && !text.contains("user-"), "{text}");
        } else {
            assert!(body == expected, "{} gives other bytes", side.name);
        }
    }
}

/// GET of the small object.
pub(crate) fn get_small(servers: &Servers, terms: Terms) {
    let best = in_turns(&get(servers, SMALL), terms);
    tell_small("get4k", "GET of 4 KiB", &best);
    // A client of S3 signs, and signs the same to both.
    figure("get4k_vs_s3s_proxy", of(&best, "signed").per_core() / of(&best, "s3s_proxy").per_core(), "x");
    figure("get4k_vs_nginx", of(&best, "").per_core() / of(&best, "nginx").per_core(), "x");
}

/// One connection that waits for each answer. What the façade adds holds a sync of the log's disk.
pub(crate) fn latency(servers: &Servers, terms: Terms) {
    tell_added("GET of 4 KiB, one at a time", &in_turns(&get(servers, SMALL), terms));
}

/// PUT of as much.
pub(crate) fn put_small(servers: &Servers, terms: Terms) {
    let best = in_turns(&put(servers, SMALL, terms.bytes), terms);
    tell_small("put4k", "PUT of 4 KiB", &best);
    figure("put4k_vs_s3s_proxy", of(&best, "").per_core() / of(&best, "s3s_proxy").per_core(), "x");
}

/// One connection that takes the large object as fast as it comes.
pub(crate) fn get_large(servers: &Servers, terms: Terms) {
    let mut sides = get(servers, LARGE);
    sides.retain(|side| side.id != "embedded" && side.id != "signed");
    let best = in_turns(&sides, terms);
    tell_large("get1g", "GET of 1 GiB", &best, terms.bytes);
    figure("get1g_vs_nginx", of(&best, "").times(of(&best, "nginx")), "x");
    figure("get1g_tls_vs_nginx", of(&best, "tls").times(of(&best, "nginx_tls")), "x");
    figure("get1g_vs_s3s_proxy", of(&best, "").times(of(&best, "s3s_proxy")), "x");
    figure("get1g_redacted_vs_plain", of(&best, "redacted").times(of(&best, "")), "x");
}

/// One connection that sends as much as fast as it is taken.
pub(crate) fn put_large(servers: &Servers, terms: Terms) {
    let best = in_turns(&put(servers, LARGE, terms.bytes), terms);
    tell_large("put1g", "PUT of 1 GiB", &best, terms.bytes);
    figure("put1g_vs_s3s_proxy", of(&best, "").times(of(&best, "s3s_proxy")), "x");
    figure("put1g_vs_nginx", of(&best, "").times(of(&best, "nginx")), "x");
}

fn side<'a>(id: &'static str, name: &'static str, process: &'a Process, target: &Target, head: String) -> Side<'a> {
    Side { id, name, process, target: target.clone(), head, body: None }
}

/// Whoever gives an object.
fn get<'a>(servers: &'a Servers, object: &str) -> Vec<Side<'a>> {
    let Servers { bucket, direct, nginx, s3s_proxy, ours, embedded, .. } = servers;
    let (raw, masked) = (path(&format!("raw/{object}")), path(&format!("masked/{object}")));
    let unsigned = |to: &Target| bearer(to.to, "nobody", &raw);
    let with_token = |to: &Target, token: &str, path: &str| bearer(to.to, token, path);
    let signed = |keys: &Keys, to: &Target| keys.get(to.to, &raw);
    vec![
        side("direct", "the bucket itself", bucket, direct, unsigned(direct)),
        side("nginx", "nginx", &nginx.process, &nginx.http, unsigned(&nginx.http)),
        side("nginx_tls", "nginx, TLS", &nginx.process, &nginx.https, unsigned(&nginx.https)),
        side("s3s_proxy", "s3s-proxy", &s3s_proxy.process, &s3s_proxy.http, signed(&s3s_proxy.keys, &s3s_proxy.http)),
        side("", "tracegate, token", &ours.process, &ours.http, with_token(&ours.http, &ours.token, &raw)),
        side("signed", "tracegate, signed", &ours.process, &ours.http, signed(&ours.reader, &ours.http)),
        side("tls", "tracegate, token, TLS", &ours.process, &ours.https, with_token(&ours.https, &ours.token, &raw)),
        side(
            "redacted",
            "tracegate, token, redacted",
            &ours.process,
            &ours.http,
            with_token(&ours.http, &ours.token, &masked),
        ),
        side(
            "embedded",
            "tracegate, token, embedded bucket",
            &embedded.process,
            &embedded.http,
            with_token(&embedded.http, &embedded.token, &raw),
        ),
    ]
}

/// Whoever takes an upload: signed, as it is over HTTP, and framed with a checksum as clients do over HTTPS.
fn put<'a>(servers: &'a Servers, object: &str, length: u64) -> Vec<Side<'a>> {
    let Servers { bucket, direct, nginx, s3s_proxy, ours, .. } = servers;
    let path = path(&format!("put/{object}"));
    let [plain, chunked] = [Framing::Plain, Framing::Chunked].map(|framing| Body { length, framing });
    let side = |id, name, process: &'a Process, target: &Target, keys: &Keys, body| Side {
        id,
        name,
        process,
        target: target.clone(),
        head: keys.put(target.to, &path, &body),
        body: Some(body),
    };
    let anybody = &s3s_proxy.keys;
    vec![
        side("direct", "the bucket itself", bucket, direct, anybody, plain),
        side("nginx", "nginx", &nginx.process, &nginx.http, anybody, plain),
        side("nginx_tls", "nginx, TLS", &nginx.process, &nginx.https, anybody, chunked),
        side("s3s_proxy", "s3s-proxy", &s3s_proxy.process, &s3s_proxy.http, anybody, plain),
        side("", "tracegate", &ours.process, &ours.http, &ours.writer, plain),
        side("chunked", "tracegate, checksum in a trailer", &ours.process, &ours.http, &ours.writer, chunked),
        side("tls", "tracegate, checksum in a trailer, TLS", &ours.process, &ours.https, &ours.writer, chunked),
    ]
}
