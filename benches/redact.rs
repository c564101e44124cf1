//! How fast one thread redacts, beside `serde_json` doing the same with a tree, on the same bytes in the same run.
//!
//! Bytes are those of the input; the best of several rounds counts, because anything else the machine does only makes
//! a round slower.

mod common;

use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tracegate::keyring::SecretKey;
use tracegate::policy::mask::{FieldPath, Format, MaskAction, MaskRule, Masks, OnBroken, Step};
use tracegate::redact::output::Shown;
use tracegate::redact::plan::Plan;
use tracegate::redact::redactor::Redactor;

use common::{figure, thread_cpu, traces};

/// Size of the corpus, in bytes.
const CORPUS_BYTES: usize = 64 * 1024 * 1024;
/// Size of the pieces in which it is fed, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 5;
const HIDDEN: [&str; 3] = ["user_id", "api_key", "email"];

fn main() {
    let corpus = Bytes::from(traces(CORPUS_BYTES));
    let plan = plan();
    assert_same(
        &plan,
        &corpus.slice(..corpus.iter().take(1 << 20).rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)),
    );
    let ours = gigabytes_per_second(corpus.len(), || redact(&plan, &corpus, |bytes| drop(black_box(bytes))));
    let with_serde = gigabytes_per_second(corpus.len(), || serde(&corpus, |record| drop(black_box(record))));
    figure("redact_traces_gbps", ours, "GB/s");
    figure("redact_traces_serde_gbps", with_serde, "GB/s");
    figure("redact_traces_vs_serde", ours / with_serde, "x");
}

fn gigabytes_per_second(bytes: usize, mut round: impl FnMut()) -> f64 {
    let fastest = (0..ROUNDS)
        .map(|_| {
            let begun = now();
            round();
            (now() - begun).as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    bytes as f64 / fastest / 1e9
}

/// This thread's time on a CPU, where it is counted; else the clock.
fn now() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    thread_cpu().unwrap_or_else(|| START.elapsed())
}

fn redact(plan: &Arc<Plan>, corpus: &Bytes, mut sink: impl FnMut(Bytes)) {
    let mut redactor = Redactor::new(plan.clone(), Format::Jsonl, 0);
    let mut shown = Shown::new();
    for from in (0..corpus.len()).step_by(PIECE_BYTES) {
        let piece = corpus.slice(from..corpus.len().min(from + PIECE_BYTES));
        redactor.write(piece, &mut shown).expect("the corpus is sound");
        shown.by_ref().for_each(&mut sink);
    }
    redactor.end(&mut shown).expect("the corpus is sound");
    shown.for_each(sink);
}

fn serde(corpus: &[u8], mut sink: impl FnMut(Vec<u8>)) {
    for line in corpus.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut record: Value = serde_json::from_slice(line).expect("the corpus is sound");
        hide(&mut record);
        sink(serde_json::to_vec(&record).expect("a value can be written"));
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if HIDDEN.contains(&name.as_str()) || name.ends_with("_token") {
                    *member = Value::from("[REDACTED]");
                } else {
                    hide(member);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Both ways hide the same: every hidden value of the corpus is a string of 12 bytes or more.
fn assert_same(plan: &Arc<Plan>, corpus: &Bytes) {
    let mut shown = Vec::new();
    redact(plan, corpus, |bytes| shown.extend_from_slice(&bytes));
    let mut records = shown.split(|byte| *byte == b'\n');
    serde(corpus, |expected| {
        let found: Value = serde_json::from_slice(records.next().expect("a record")).expect("sound JSON");
        let expected: Value = serde_json::from_slice(&expected).expect("sound JSON");
        assert_eq!(found, expected);
    });
}

fn plan() -> Arc<Plan> {
    let names = HIDDEN.map(|name| Step::Name(name.into()));
    let rule = |step| MaskRule {
        profile: "bench".into(),
        field: FieldPath { steps: vec![Step::Descend, step] },
        action: MaskAction::Mask,
    };
    let masks = Masks {
        rules: names.into_iter().chain([Step::Glob("*_token".into())]).map(rule).collect(),
        length: None,
        on_broken: OnBroken::Blank,
        shown_metadata: Default::default(),
        shown_tags: Default::default(),
        pseudonym_scope: String::new(),
        digest: [0; 32],
    };
    Arc::new(Plan::compile(&masks, &SecretKey::from_bytes([0; 32])))
}
