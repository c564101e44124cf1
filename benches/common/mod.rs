//! What the benches share: how a figure is printed, CPU time as Linux counts it, and the traces that are read.
//!
//! Every figure is one line `figure NAME VALUE UNIT`; whatever else a bench prints is for people.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::Duration;

/// Prints one figure.
#[expect(clippy::print_stdout, reason = "the figures are what a bench is for")]
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.3} {unit}");
}

/// Prints a line for people.
#[expect(clippy::print_stdout, reason = "a bench says what it does")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Time that this thread was on a CPU, so that a busy machine does not show; `None` where nobody counts it.
pub(crate) fn thread_cpu() -> Option<Duration> {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counted.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Deterministic traces as JSONL, whole records of at least so many bytes together: steps with prompts, tool calls with
/// JSON in strings, ids, counts.
pub(crate) fn traces(bytes: usize) -> String {
    let mut random = Random::new(1);
    let mut out = String::with_capacity(bytes + 64 * 1024);
    while out.len() < bytes {
        trace(&mut out, &mut random);
    }
    out
}

/// Numbers that are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    /// Those of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn trace(out: &mut String, random: &mut Random) {
    let trace = random.below(u64::from(u32::MAX));
    out.push_str(&format!(
        "{{\"trace_id\":\"tr-{trace:012x}\",\"user_id\":\"user-{trace:08x}\",\"model\":\"model-A\",\"customer\":{{\"email\":\
         \"c{trace:06x}@example.com\",\"tier\":\"gold\",\"access_token\":\"at-{trace:016x}\"}},\"steps\":["
    ));
    for step in 0..=random.below(6) {
        let words: Vec<&str> = (0..10 + random.below(60)).map(|_| WORDS[random.below(16) as usize]).collect();
        let comma = if step == 0 { "" } else { "," };
        out.push_str(&format!(
            "{comma}{{\"n\":{step},\"prompt\":\"{}\",\"tool\":{{\"name\":\"search\",\"arguments\":\"{{\\\"q\\\":\\\"refund \
             {trace}\\\",\\\"limit\\\":{step}}}\",\"ok\":true}},\"usage\":{{\"in\":{},\"out\":{},\"seconds\":{}.25}}}}",
            words.join(" "),
            random.below(4000),
            random.below(900),
            random.below(30)
        ));
    }
    out.push_str("]}\n");
}

/// As they stand in a JSON text.
pub(crate) const WORDS: [&str; 16] = [
    "the",
    "model",
    "checks",
    "whether",
    "a",
    "refund",
    "is",
    "due",
    "\\n",
    "and",
    "calls",
    "\\\"search\\\"",
    "with",
    "naïve",
    "arguments",
    "again",
];
